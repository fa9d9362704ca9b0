"""What listeners said: read, merged, applied."""

import numpy as np
import pytest

from audioclust import files
from audioclust.curation import corrections

PATHS = ["a.wav", "b.wav", "c.wav", "d.wav"]
X = np.array([[1.0, 0.0], [0.9, 0.1], [0.1, 0.9], [0.0, 1.0]])


def saved(folder, name="heard.json", **changes):
    said = {"format": "audioclust-corrections-1", "names": {}, "must_link": [], "cannot_link": []}
    return files.write_json(folder / name, said | changes)


def test_several_pages_are_merged(tmp_path):
    saved(tmp_path, "one.json", names={0: "Anna"}, must_link=[["a.wav", "b.wav"]])
    saved(tmp_path, "two.json", names={0: "Ann", 1: "Ben"}, must_link=[["a.wav", "b.wav"]])
    heard = corrections.read(["one.json", "two.json"], tmp_path)
    assert heard.names == {0: "Ann", 1: "Ben"}
    assert heard.must_link == (("a.wav", "b.wav"),)
    assert corrections.Corrections(**{**heard.__dict__}).as_dict()["names"] == {"0": "Ann", "1": "Ben"}
    assert not corrections.read(None)


def test_what_was_said_is_applied_and_the_rest_stays(tmp_path):
    heard = corrections.read(saved(tmp_path, cannot_link=[["a.wav", "b.wav"], ["a.wav", "elsewhere.wav"]]))
    labels = corrections.apply([0, 0, 1, 1], X, heard, PATHS)
    assert labels[0] != labels[1]
    assert labels[2:].tolist() == [1, 1]
    by_row = corrections.Corrections(cannot_link=((0, 1),))
    assert corrections.apply([0, 0, 1, 1], X, by_row).tolist() == labels.tolist()


def test_a_contradiction_is_named(tmp_path):
    heard = corrections.read(saved(tmp_path, must_link=[["a.wav", "b.wav"]], cannot_link=[["a.wav", "b.wav"]]))
    with pytest.raises(ValueError, match="cannot_link"):
        corrections.apply([0, 0, 1, 1], X, heard, PATHS)


@pytest.mark.parametrize(
    "changes",
    [{"format": "other"}, {"names": {"x": "Anna"}}, {"must_link": [["a.wav"]]}, {"cannot_link": 3}, {"names": []}],
)
def test_what_no_page_saved_is_named(tmp_path, changes):
    with pytest.raises(ValueError, match=r"heard\.json was not saved by a listening page"):
        corrections.read(saved(tmp_path, **changes))


@pytest.mark.parametrize("content", ["", "[]", "nonsense", "null"])
def test_what_is_no_such_file_is_named(tmp_path, content):
    (tmp_path / "heard.json").write_text(content)
    with pytest.raises(ValueError, match=r"heard\.json was not saved"):
        corrections.read("heard.json", tmp_path)
    with pytest.raises(ValueError, match=r"there is no .*missing\.json"):
        corrections.read("missing.json", tmp_path)
