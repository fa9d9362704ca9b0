"""The main job in one call: a folder in, groups out; what it says, where it writes, and what it refuses."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

import audioclust
from audioclust import audio, files, grouping
from audioclust.clustering.ensemble import chance, memberships, partitions
from audioclust.curation.folders import sort_into_folders
from audioclust.curation.review import roles
from audioclust.datasets import scan, synthetic
from audioclust.report import plots
from audioclust.runs import groups as steps


def write(path: Path, wave: np.ndarray, rate: int = 16_000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, rate)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory) -> Path:
    """Three kinds of sounds x 8, one of them twice, and one file that is none."""
    folder = tmp_path_factory.mktemp("my data") / "field sounds"
    rng = np.random.default_rng(0)
    t = np.arange(16_000) / 16_000
    for i in range(8):
        tone = np.sin(2 * np.pi * (300 + 5 * i) * t) * rng.uniform(0.2, 0.4)
        clicks = np.where(np.arange(16_000) % (1500 + 20 * i) < 40, rng.normal(size=16_000), 0) * 0.3
        hiss = rng.normal(size=16_000) * rng.uniform(0.05, 0.1)
        for name, wave in (("tone", tone), ("clicks", clicks), ("hiss", hiss)):
            write(folder / name / f"{i}.wav", wave + 0.001 * rng.normal(size=16_000))
    shutil.copyfile(folder / "tone" / "0.wav", folder / "tone" / "again.wav")
    (folder / "hiss" / "broken.wav").write_bytes(b"RIFF nothing")
    return folder


@pytest.fixture(scope="module")
def found(sounds, tmp_path_factory) -> grouping.Grouped:
    return grouping.grouped(sounds, out=tmp_path_factory.mktemp("answers") / "out", jobs=1)


def test_sounds_are_grouped_and_the_answer_is_written(found, sounds):
    table = pd.read_csv(found.out / "groups.csv")
    assert list(table.columns[:4]) == ["path", "group", "confidence", "role"]
    assert len(table) == 25
    assert table.groupby(table["path"].str.partition("/")[0])["group"].nunique().tolist() == [1, 1, 1]
    assert table["group"].nunique() == 3
    assert table["confidence"].between(0, 1).all()
    assert set(table["role"]) <= {"typical", "border", "outlier"}
    said = (found.out / "summary.txt").read_text(encoding="utf-8")
    assert said.startswith("sounds (speech was heard in 0 of 24 recordings")
    assert "3 groups in 25 recordings" in said
    assert "1 exact copy of other recordings, such as tone/again.wav = tone/0.wav" in said
    assert "sub-folder 1.00" in said
    assert "1 recording left out: " in said
    assert {path.name for path in (found.out / "figures").iterdir()} == {"map.png", "ladder.png"}
    assert (found.out / "listen.html").stat().st_size > 10_000
    assert len(list(sounds.rglob("*"))) == 3 + 26  # nothing was written to it


def test_it_is_done_once(found, sounds):
    record = found.run / "run.json"
    before = record.stat().st_mtime_ns
    (found.out / "groups.csv").unlink()
    table, folder = audioclust.group(sounds, out=found.out, jobs=1)
    assert folder == found.out
    assert len(table) == 25
    assert record.stat().st_mtime_ns == before
    assert (found.out / "groups.csv").exists()


def test_similar_recordings(found, sounds, tmp_path):
    inside = grouping.similar(sounds / "tone" / "0.wav", sounds, n=3, out=found.out, jobs=1)
    assert inside["path"].tolist()[0] == "tone/again.wav"
    assert inside["similarity"].iloc[0] == pytest.approx(1, abs=1e-4)
    assert all(path.startswith("tone/") for path in inside["path"])
    rng = np.random.default_rng(9)
    write(tmp_path / "new.wav", rng.normal(size=16_000) * 0.07)
    outside = audioclust.similar(tmp_path / "new.wav", sounds, 4, out=found.out, jobs=1)
    assert all(path.startswith("hiss/") for path in outside["path"])
    assert outside["similarity"].is_monotonic_decreasing
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(ValueError, match=r"text\.wav"):
        grouping.similar(tmp_path / "text.wav", sounds, out=found.out, jobs=1)
    with pytest.raises(FileNotFoundError, match="no such file"):
        grouping.similar(tmp_path / "none.wav", sounds)


def test_as_many_groups_as_asked_for(found):
    document = json.loads((found.run / "run.json").read_text(encoding="utf-8"))["outputs"]
    store = found.home.features / found.dataset
    given = steps.vectors(document["kind"], found.home.metadata(found.dataset), found.source, store)
    answer = steps.answer(given, 5)
    assert len(set(answer.labels)) == 5
    assert np.all(np.diff(np.bincount(answer.labels)) <= 0)  # the largest first
    said = steps.summary(given, answer, steps.table(given, answer), asked=True)
    assert "5 groups in 25 recordings (as many groups as asked for)" in said
    assert any(line.startswith("by themselves the recordings form") and "3 groups" in line for line in said), said
    with pytest.raises(ValueError, match="groups=26"):
        steps.answer(given, 26)


def vectors(kind: str, X: np.ndarray, **columns) -> steps.Vectors:
    index = pd.DataFrame({"path": [f"{i}.wav" for i in range(len(X))], "sha256": [str(i) for i in range(len(X))]})
    index = index.assign(duration=2.0, level=-20.0, **columns)
    X = X / np.linalg.norm(X, axis=1, keepdims=True)
    return steps.Vectors(kind, X, index, index.iloc[:0][["path"]], [("mfcc", X), ("mel", X[:, ::-1])])


def test_recordings_without_groups_are_said_to_have_none(rng):
    given = vectors("sounds", rng.normal(size=(80, 12)), label=["a", "b"] * 40, letter=["A", "B"] * 40)
    answer = steps.answer(given)
    assert not answer.stable
    said = steps.summary(given, answer, steps.table(given, answer))
    assert any("no stable grouping: the features do not separate these recordings" in line for line in said)
    (follows,) = [line for line in said if line.startswith("the groups follow")]
    assert "sub-folder" in follows
    assert "letter" not in follows  # it only renames the sub-folder


def test_equal_recordings_are_one_group():
    given = vectors("sounds", np.ones((6, 4)))
    answer = steps.answer(given)
    assert answer.labels.tolist() == [0] * 6
    assert steps.summary(given, answer, steps.table(given, answer))[0] == "1 group in 6 recordings"


def test_copies_of_one_recording_are_one_group(tmp_path):
    for name in ("a", "b", "c", "d", "e", "f"):
        write(tmp_path / "in" / f"{name}.wav", np.sin(np.arange(8000) / 9))
    given = steps.vectors("sounds", scan(tmp_path / "in"), tmp_path / "in", tmp_path / "store")
    answer = steps.answer(given)
    table = steps.table(given, answer)
    assert table["group"].tolist() == [0] * 6
    assert set(table["role"]) == {"typical"}
    said = steps.summary(given, answer, table)
    assert said[0] == "1 group in 6 recordings"
    assert "5 exact copies of other recordings, such as b.wav = a.wav" in said
    assert np.allclose(given.X @ given.X[0], 1)
    assert np.isfinite(plots.project_2d(given.X, "tsne")).all()


def test_voices_are_told_from_other_sounds(sounds, tmp_path):
    synthetic.generate(tmp_path, speakers=3, words=2, takes=2)
    assert steps.kind_of(scan(tmp_path), tmp_path)[0] == "voices"
    kind, reason = steps.kind_of(scan(sounds), sounds)
    assert kind == "sounds"
    assert reason == "speech was heard in 0 of 24 recordings of a sample"
    assert steps.kind_of(scan(sounds), sounds, "voices") == ("voices", "as asked")
    shares = audio.speech_shares(scan(sounds), sounds, most=3, random_state=1)
    assert len(shares) == 3
    assert shares.equals(audio.speech_shares(scan(sounds), sounds, most=3, random_state=1))


def refused(tmp_path: Path) -> dict[str, tuple]:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.wav").write_bytes(b"x")
    write(tmp_path / "one" / "a.wav", np.sin(np.arange(8000) / 9))
    (tmp_path / "project" / "datasets").mkdir(parents=True)
    (tmp_path / "project" / "results").mkdir()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "groups.csv").write_text("mine")
    return {
        "empty": ({"folder": "empty"}, ValueError, "no sound files .*nothing to group"),
        "one recording": ({"folder": "one"}, ValueError, "1 recording usable: there is nothing to group"),
        "no folder": ({"folder": "none"}, FileNotFoundError, "no such folder"),
        "a file": ({"folder": "file.wav"}, NotADirectoryError, "give the folder that holds the recordings"),
        "a project": ({"folder": "project"}, ValueError, "is a project's folder"),
        "kind": ({"folder": "one", "kind": "dogs"}, ValueError, "kind='dogs': give one of auto, voices, sounds"),
        "groups": ({"folder": "one", "groups": 0}, ValueError, "groups=0"),
        "jobs": ({"folder": "one", "jobs": 0}, ValueError, "jobs=0"),
        "out inside": ({"folder": "one", "out": "one/answer"}, ValueError, "lies inside the recordings"),
        "out is a file": ({"folder": "one", "out": "file.wav"}, ValueError, "is a file"),
        "out is somebody's": ({"folder": "one", "out": "taken"}, ValueError, "holds files that would be replaced"),
    }


@pytest.mark.parametrize("case", [
    "empty", "one recording", "no folder", "a file", "a project", "kind", "groups", "jobs", "out inside",
    "out is a file", "out is somebody's",
])  # fmt: skip
def test_what_cannot_be_grouped_is_one_named_error(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values, error, message = refused(tmp_path)[case]
    with pytest.raises(error, match=message):
        grouping.group(**{"jobs": 1, **values})
    assert (tmp_path / "taken" / "groups.csv").read_text() == "mine"


def test_an_answer_is_not_replaced_by_that_of_another_folder(found, tmp_path):
    write(tmp_path / "other" / "a.wav", np.sin(np.arange(8000) / 9))
    with pytest.raises(ValueError, match=r"holds the groups of .*field sounds"):
        grouping.group(tmp_path / "other", out=found.out)


def test_where_the_answer_goes(tmp_path, monkeypatch):
    (tmp_path / "data" / "birds" / "wren").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert grouping._places("data/birds", None)[1] == tmp_path / "birds-groups"
    monkeypatch.chdir(tmp_path / "data" / "birds" / "wren")
    assert grouping._places("..", None)[1] == tmp_path / "data" / "birds-groups"


def test_folders_per_group(tmp_path):
    root, out = tmp_path / "in", tmp_path / "out"
    paths = ["a.wav", "b/a.wav", "b__a.wav", "c.wav"]
    for number, path in enumerate(paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(bytes([number]))
    labels = [0, 1, 1, -1]
    table = sort_into_folders(paths, labels, root, out)
    assert table["file"].nunique() == 4
    assert [(out / file).read_bytes()[0] for file in table["file"]] == [0, 1, 2, 3]
    assert (out / "group_0" / "a.wav").is_symlink()
    assert (out / "no_group" / "c.wav").exists()
    (out / "group_0" / "a.wav").unlink()
    assert sort_into_folders(paths, labels, root, out, link=False).equals(table)  # it goes on
    assert not (out / "group_0" / "a.wav").is_symlink()
    with pytest.raises(ValueError, match="holds another grouping"):
        sort_into_folders(paths, [0, 0, 1, 1], root, out)
    with pytest.raises(ValueError, match="lies inside the recordings"):
        sort_into_folders(paths, labels, root, root / "sorted")
    (out / "group_0" / "a.wav").write_bytes(b"somebody's own")
    with pytest.raises(ValueError, match="is there already"):
        sort_into_folders(paths, labels, root, out)
    assert (out / "group_0" / "a.wav").read_bytes() == b"somebody's own"


def test_files_are_copied_where_links_are_refused(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.wav").write_bytes(b"a")

    def refuse(*_):
        raise OSError("a required privilege is not held by the client")

    monkeypatch.setattr("os.symlink", refuse)
    sort_into_folders(["a.wav"], [0], tmp_path / "in", tmp_path / "out")
    assert (tmp_path / "out" / "group_0" / "a.wav").read_bytes() == b"a"
    assert not (tmp_path / "out" / "group_0" / "a.wav").is_symlink()


def test_roles(rng):
    X = np.vstack([rng.normal([5, 0, 0], 0.1, (20, 3)), rng.normal([0, 5, 0], 0.1, (20, 3)), [[3, 2.9, 0], [5, 0, 4]]])
    labels = [0] * 20 + [1] * 20 + [0, 0]
    found = roles(X, labels)
    assert found[40] == "border"
    assert found[41] == "outlier"
    assert np.mean(found[:40] == "typical") > 0.9
    assert set(roles(X, labels, metric="euclidean")) <= {"typical", "border", "outlier"}
    assert roles(X[:3], [0, 0, -1]).tolist() == ["typical", "typical", "noise"]


def test_clusterings_of_vectors_without_groups_agree_by_chance(rng):
    noise = rng.normal(size=(100, 10))
    parts = [("mel", noise), ("mfcc", noise[:, ::-1])]
    labels, features = partitions(parts, random_state=0)
    assert labels.shape == (len(features), 100)
    assert np.array_equal(labels, partitions(parts, random_state=0)[0])
    shared = memberships(labels)
    assert shared.sum(axis=0) == pytest.approx(np.sqrt((shared > 0).sum(axis=0)))
    assert chance(parts) > 0.5


def test_corrections_are_applied_and_the_change_is_told(found, sounds, tmp_path):
    table, metadata = found.table, found.home.metadata(found.dataset).set_index("path")
    tones = table.loc[table["path"].str.startswith("tone"), "path"].tolist()
    key = dict(zip(metadata.index, metadata["sha256"], strict=True))
    said = [
        {"kind": "name", "name": "<b>tones</b>", "group": [key[path] for path in tones[:3]]},
        {"kind": "move", "recordings": [key["hiss/0.wav"]], "group": [key[path] for path in tones[:3]]},
        {"kind": "several", "recordings": [key["clicks/1.wav"]]},
        {"kind": "different", "recordings": [key["clicks/1.wav"], key["clicks/2.wav"]]},
        {"kind": "same", "recordings": ["0" * 64, key["clicks/2.wav"]]},
    ]
    saved = files.write_json(tmp_path / "heard.json", {"format": "audioclust-corrections-2", "corrections": said})
    corrected, out = audioclust.group(sounds, out=found.out, corrections=saved, jobs=1)
    group = dict(zip(corrected["path"], corrected["group"], strict=True))
    assert group["hiss/0.wav"] == group["tone/3.wav"] != group["hiss/1.wav"]
    assert group["clicks/1.wav"] != group["clicks/2.wav"]
    assert corrected.loc[corrected["group"] == group["tone/3.wav"], "group_name"].eq("<b>tones</b>").all()
    assert corrected.loc[corrected["several_voices"], "path"].tolist() == ["clicks/1.wav"]
    text = (out / "summary.txt").read_text(encoding="utf-8")
    assert "4 corrections used, 1 of other recordings left out: groups 3 -> 4, silhouette " in text
    assert "as said 0 -> 1, ami 1 -> 0." in text
    with pytest.raises(ValueError, match=r"missing\.json"):
        audioclust.group(sounds, out=found.out, corrections=tmp_path / "missing.json")
