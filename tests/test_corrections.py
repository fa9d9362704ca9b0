"""What listeners said: read, merged, applied."""

import numpy as np
import pandas as pd
import pytest

from audioclust import files
from audioclust.curation import corrections
from audioclust.curation.corrections import Corrections

PATHS = ["a.wav", "b.wav", "c.wav", "d.wav"]
X = np.array([[1.0, 0.0], [0.9, 0.1], [0.1, 0.9], [0.0, 1.0]])
SUMS = {path: letter * 64 for path, letter in zip(PATHS, "abcd", strict=True)}
INDEX = pd.DataFrame({"path": PATHS, "sha256": list(SUMS.values())})


def former(folder, name="heard.json", **changes):
    said = {"format": "audioclust-corrections-1", "names": {}, "must_link": [], "cannot_link": []}
    return files.write_json(folder / name, said | changes)


def saved(folder, *said, name="heard.json"):
    """Write a file of `said`: kind, recordings, group, and what else there is; recordings by their checksums."""
    listed = []
    for kind, *lists, more in said:
        sums = [[SUMS.get(path, path) for path in paths] for paths in lists]
        parts = ["group"] if kind == "name" else ["recordings", "group"]
        listed.append({"kind": kind, **dict(zip(parts, sums, strict=False)), **more})
    document = {"format": corrections.FORMAT, "recordings": {v: k for k, v in SUMS.items()}, "corrections": listed}
    return files.write_json(folder / name, document)


def test_files_of_the_former_format_are_merged(tmp_path):
    former(tmp_path, "one.json", names={0: "Anna"}, must_link=[["a.wav", "b.wav"]])
    former(tmp_path, "two.json", names={0: "Ann", 1: "Ben"}, must_link=[["a.wav", "b.wav"]])
    heard = corrections.read(["one.json", "two.json"], tmp_path)
    assert heard.names == {0: "Ann", 1: "Ben"}
    assert heard.must_link == (("a.wav", "b.wav"),)
    assert not corrections.read(None)


def test_what_is_read_is_what_was_written(tmp_path):
    said = [
        ("name", PATHS[:2], {"name": "Anna", "cluster": 0}),
        ("same", PATHS[:3], {}),
        ("different", ["a.wav", "d.wav"], {}),
        ("outside", ["b.wav"], ["d.wav"], {}),
        ("move", ["c.wav"], ["a.wav", "b.wav"], {}),
        ("split", ["a.wav", "path:no checksum.wav"], ["b.wav"], {}),
        ("several", ["d.wav"], {}),
    ]
    document = files.read_json(saved(tmp_path, *said))
    heard = corrections.parse(document)
    assert heard.as_dict() == document
    assert corrections.parse(heard.as_dict()) == heard
    assert len(heard) == 7


def test_what_was_said_is_applied_and_the_rest_stays(tmp_path):
    heard = corrections.read(former(tmp_path, cannot_link=[["a.wav", "b.wav"], ["a.wav", "elsewhere.wav"]]))
    labels = corrections.apply([0, 0, 1, 1], X, heard, PATHS)
    assert labels[0] != labels[1]
    assert labels[2:].tolist() == [1, 1]
    assert heard.of(PATHS).elsewhere == 1
    by_row = Corrections(cannot_link=((0, 1),))
    assert corrections.apply([0, 0, 1, 1], X, by_row).tolist() == labels.tolist()


@pytest.mark.parametrize(
    ("said", "before", "after"),
    [
        (("same", ["a.wav", "c.wav", "d.wav"], {}), [0, 0, 1, 2], [0, 0, 0, 0]),
        (("different", ["a.wav", "b.wav"], {}), [0, 0, 1, 1], [0, 2, 1, 1]),
        (("outside", ["d.wav"], ["a.wav", "b.wav"], {}), [0, 0, 0, 0], [0, 0, 1, 1]),  # c is more like d
        (("move", ["b.wav"], ["c.wav", "d.wav"], {}), [0, 0, 1, 1], [0, 1, 1, 1]),  # the groups stay apart
        (("move", ["b.wav"], ["c.wav", "d.wav"], {}), [0, 0, -1, -1], [0, 1, 1, 1]),  # a group that is noise by now
        (("split", ["a.wav", "d.wav"], ["b.wav"], {}), [0, 0, 0, 0], [1, 0, 0, 1]),
        (("split", ["a.wav", "d.wav"], ["b.wav"], {}), [0, 0, 1, 2], [3, 0, 1, 2]),  # d left before
        (("several", ["a.wav"], {}), [0, 0, 1, 1], [0, 0, 1, 1]),
    ],
)
def test_each_kind_changes_what_it_says_and_no_more(tmp_path, said, before, after):
    heard = corrections.read(saved(tmp_path, said))
    labels = corrections.apply(before, X, heard, INDEX)
    assert labels.tolist() == after
    assert heard.of(INDEX).elsewhere == 0


def test_names_follow_the_recordings_into_another_clustering(tmp_path):
    heard = corrections.read(saved(tmp_path, ("name", ["a.wav", "b.wav"], {"name": "Anna", "cluster": 0})))
    assert heard.of(INDEX).named([5, 5, 0, 0]) == {5: "Anna"}
    assert heard.of(INDEX).named([-1, -1, 0, 0]) == {}
    assert Corrections({0: "Anna", 7: "Ben"}).of(PATHS).named([5, 5, 0, 0]) == {0: "Anna"}
    assert corrections.read(saved(tmp_path, ("several", ["d.wav"], {}))).of(INDEX).several == (3,)


def test_recordings_are_known_by_their_checksums(tmp_path):
    heard = corrections.read(saved(tmp_path, ("same", ["a.wav", "c.wav"], {}), ("several", ["b.wav"], {})))
    renamed = INDEX.assign(path=["moved/" + path for path in PATHS])
    assert heard.of(renamed).must_link == ((0, 2),)
    other = INDEX.assign(sha256=[letter * 64 for letter in "1234"])  # the same paths, other recordings
    assert not heard.of(other)
    assert heard.of(other).elsewhere == 2
    assert heard.of(PATHS).must_link == ((0, 2),)  # where there are no checksums, the paths are a hint
    transformed = other.assign(source_sha256=INDEX["sha256"])
    assert heard.of(transformed).must_link == ((0, 2),)
    copies = pd.concat([INDEX.assign(path="copy/" + INDEX["path"]), INDEX], ignore_index=True)
    assert heard.of(copies).must_link == ((4, 6),)


def test_of_corrections_for_other_recordings_what_fits_is_used(tmp_path):
    said = [("same", ["a.wav", "9" * 64, "b.wav"], {}), ("same", ["a.wav", "8" * 64], {}), ("several", ["7" * 64], {})]
    here = corrections.read(saved(tmp_path, *said, ("move", ["c.wav"], ["6" * 64], {}))).of(INDEX)
    assert here.must_link == ((0, 1),)
    assert (len(here), here.elsewhere) == (1, 3)


def test_the_later_one_counts(tmp_path):
    pair = ["a.wav", "b.wav"]
    heard = corrections.read(saved(tmp_path, ("same", pair, {}), ("different", pair[::-1], {})))
    assert (heard.must_link, len(heard.cannot_link)) == ((), 1)
    said = [("name", pair, {"name": "Anna"}), ("name", pair, {"name": "Ann"})]
    assert corrections.read(saved(tmp_path, *said)).of(INDEX).named([0, 0, 1, 1]) == {0: "Ann"}


def test_a_contradiction_is_named(tmp_path):
    heard = corrections.read(former(tmp_path, must_link=[["a.wav", "b.wav"]], cannot_link=[["a.wav", "b.wav"]]))
    with pytest.raises(ValueError, match=r"a\.wav and b\.wav .*cannot_link"):
        corrections.apply([0, 0, 1, 1], X, heard, PATHS)


def test_two_files_that_contradict_each_other_are_named(tmp_path):
    saved(tmp_path, ("same", ["a.wav", "b.wav"], {}), ("same", ["b.wav", "c.wav"], {}), name="one.json")
    saved(tmp_path, ("different", ["a.wav", "c.wav"], {}), name="two.json")
    with pytest.raises(ValueError, match=r"a\.wav and c\.wav do not belong together.*; in one\.json, two\.json"):
        corrections.read(["one.json", "two.json"], tmp_path)


@pytest.mark.parametrize(
    "changes",
    [{"format": "other"}, {"names": {"x": "Anna"}}, {"must_link": [["a.wav"]]}, {"cannot_link": 3}, {"names": []}],
)
def test_what_no_page_saved_is_named(tmp_path, changes):
    with pytest.raises(ValueError, match=r"heard\.json was not saved by a listening page"):
        corrections.read(former(tmp_path, **changes))


@pytest.mark.parametrize(
    "said",
    [
        ("sing", ["a.wav"], {}),
        ("same", [3, "a.wav"], {}),
        ("different", PATHS[:3], {}),
        ("name", ["a.wav"], {}),
        ("name", ["a.wav"], {"name": ["Anna"]}),
        ("name", ["a.wav"], {"name": "Anna", "cluster": "zero"}),
        ("move", ["a.wav"], {}),
    ],
)
def test_what_is_not_in_the_format_is_named(tmp_path, said):
    with pytest.raises(ValueError, match=r"heard\.json was not saved by a listening page"):
        corrections.read(saved(tmp_path, said))


@pytest.mark.parametrize("content", ["", "[]", "nonsense", "null", '{"format": "audioclust-corrections-2"}'])
def test_what_is_no_such_file_is_named(tmp_path, content):
    (tmp_path / "heard.json").write_text(content)
    with pytest.raises(ValueError, match=r"heard\.json was not saved"):
        corrections.read("heard.json", tmp_path)
    with pytest.raises(ValueError, match=r"there is no .*missing\.json"):
        corrections.read("missing.json", tmp_path)
