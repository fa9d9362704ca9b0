import os
import shutil
import unicodedata

import broken
import numpy as np
import pandas as pd
import pytest
import soundfile

from audioclust import datasets, recording
from audioclust.datasets import metadata as table
from audioclust.project import Project

TYPES = {
    "path": "str", "name": "str", "extension": "str", "label": "str", "duration": "float64", "sample_rate": "Int64",
    "channels": "Int64", "level": "float64", "sha256": "str", "problem": "str", "note": "str",
}  # fmt: skip


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    return folder, broken.make(folder)


def clip(path, seconds=0.1, rate=8000, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.3, 0.3, int(seconds * rate)), rate, format="WAV")
    return path


def test_one_row_per_file_whatever_it_is(bad):
    root, examples = bad
    found = datasets.scan(root)
    assert dict(found.dtypes.astype(str)) == TYPES
    rows = found.set_index("path")
    assert set(rows.index) == {path.relative_to(root).as_posix() for path in examples.values()}
    for name, path in examples.items():
        row = rows.loc[path.relative_to(root).as_posix()]
        expected = broken.UNUSABLE.get(name)
        assert pd.isna(row["problem"]) if expected is None else expected in row["problem"], name
    good = rows.loc["good.wav"]
    assert (good["duration"], good["sample_rate"], good["channels"]) == (1.0, broken.RATE, 1)
    assert good["sha256"] == recording.files.sha256(examples["good"])
    assert pd.isna(good["label"])
    assert rows.loc["a folder with spaces/a file with spaces.wav", "label"] == "a folder with spaces"
    assert (rows.loc["unnamed/.wav", "name"], rows.loc["unnamed/.wav", "extension"]) == ("", "wav")
    assert list(found.loc[found["name"] == "twin", "label"]) == ["one", "two"]


def test_workers_change_nothing(bad):
    pd.testing.assert_frame_equal(datasets.scan(bad[0]), datasets.scan(bad[0], jobs=2))


def test_table_survives_the_disk(bad, tmp_path):
    project = Project(tmp_path)
    found = datasets.scan(bad[0])
    datasets.save(found, project.dataset("bad"))
    held = project.metadata("bad")
    pd.testing.assert_frame_equal(held, found)
    assert held.attrs == found.attrs


def test_no_recordings_give_an_empty_table(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here")
    found = datasets.scan(tmp_path, rule="tess")
    assert len(found) == 0
    assert dict(found.dtypes.astype(str)) == TYPES | {"speaker": "str", "emotion": "str", "word": "str"}
    datasets.save(found, tmp_path)
    assert dict(pd.read_parquet(tmp_path / "metadata.parquet").dtypes.astype(str)) == dict(found.dtypes.astype(str))
    assert len(datasets.summary(found)) == 0
    assert datasets.summary(found, by=None).loc["all", "recordings"] == 0


def test_folders_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such folder: .*missing"):
        datasets.scan(tmp_path / "missing")
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="give the folder"):
        datasets.scan(tmp_path / "file")


def test_what_is_passed_over(tmp_path):
    kept = [clip(tmp_path / name) for name in ("a.wav", "b/transformed/b.WAV", "c/.wav")]
    for name in ("._a.wav", "b/._b.wav", ".hidden/a.wav", ".writing-x/a.wav", "transformed/k/a.wav", "b/.a.wav"):
        clip(tmp_path / name)
    for name in ("readme.txt", "table.csv", ".DS_Store", "wav", "Thumbs.db"):
        (tmp_path / name).write_text("not a recording")
    assert list(datasets.scan(tmp_path)["path"]) == [path.relative_to(tmp_path).as_posix() for path in kept]


def test_rows_are_in_byte_order_of_composed_names(tmp_path):
    names = ["B.wav", "a.wav", "a10.wav", "a9.wav", "é.wav", unicodedata.normalize("NFD", "è.wav"), "f/x.wav", "東.wav"]
    for name in reversed(names):
        clip(tmp_path / name)
    found = datasets.scan(tmp_path)
    assert list(found["name"]) == ["B", "a", "a10", "a9", "x", "è", "é", "東"]
    assert all((tmp_path / path).exists() for path in found["path"])


def test_labels_are_composed(tmp_path):
    clip(tmp_path / unicodedata.normalize("NFD", "Übung") / "a.wav")
    assert list(datasets.scan(tmp_path)["label"]) == ["Übung"]


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_names_that_are_no_text_become_a_problem(tmp_path):
    try:
        clip(tmp_path / "a.wav").rename(tmp_path / os.fsdecode(b"bad\xff.wav"))
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    found = datasets.scan(tmp_path)
    assert list(found["problem"]) == ["file name is not valid UTF-8: rename it"]
    datasets.save(found, tmp_path)
    assert pd.read_parquet(tmp_path / "metadata.parquet")["path"][0] == r"bad\xff.wav"


def test_links_do_not_loop_and_are_followed_once(tmp_path):
    root = tmp_path / "set"
    clip(root / "z" / "one.wav")
    clip(tmp_path / "elsewhere" / "two.wav")
    (root / "a").symlink_to(root / "z", target_is_directory=True)
    (root / "z" / "up").symlink_to(root, target_is_directory=True)
    (root / "far").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (root / "link.wav").symlink_to(root / "z" / "one.wav")
    found = datasets.scan(root)
    assert list(found["path"]) == ["far/two.wav", "link.wav", "z/one.wav"]
    assert found["problem"].isna().all()


def test_scanning_again_reads_only_what_changed(tmp_path, monkeypatch):
    for name in ("a.wav", "b.wav", "c.wav"):
        clip(tmp_path / name)
    (tmp_path / "bad.wav").write_bytes(b"")
    first = datasets.scan(tmp_path)
    datasets.save(first, tmp_path / ".table")
    known = pd.read_parquet(tmp_path / ".table" / "metadata.parquet")

    read = []
    inspect = recording.inspect
    monkeypatch.setattr(recording, "inspect", lambda path: read.append(path.name) or inspect(path))
    pd.testing.assert_frame_equal(datasets.scan(tmp_path, known=known), first)
    assert read == ["bad.wav"]

    read.clear()
    held = (tmp_path / "b.wav").stat()
    clip(tmp_path / "b.wav", seed=1)  # as long as before, and dated back
    os.utime(tmp_path / "b.wav", ns=(held.st_atime_ns, held.st_mtime_ns))
    clip(tmp_path / "d.wav")
    (tmp_path / "c.wav").unlink()
    again = datasets.scan(tmp_path, known=known)
    assert set(read) == {"b.wav", "bad.wav", "d.wav"}
    assert list(again["name"]) == ["a", "b", "bad", "d"]
    pd.testing.assert_frame_equal(again, datasets.scan(tmp_path))

    read.clear()
    monkeypatch.setattr(table, "_EDITION", 0)
    datasets.scan(tmp_path, known=known)
    assert len(read) == 4


def test_a_table_of_more_files_than_a_file_holds_marks_of_is_read_again(tmp_path, monkeypatch):
    clip(tmp_path / "a.wav")
    clip(tmp_path / "b.wav")
    first = datasets.scan(tmp_path)
    monkeypatch.setattr(table, "_MOST", 1)
    known = datasets.scan(tmp_path)
    assert (len(first.attrs), known.attrs) == (1, {})
    assert not datasets.is_unchanged(known, tmp_path)
    pd.testing.assert_frame_equal(datasets.scan(tmp_path, known=known), first, check_flags=False)


def test_unchanged_recordings_are_those_of_the_scan(tmp_path, monkeypatch):
    clip(tmp_path / "a.wav")
    (tmp_path / "b.wav").write_bytes(b"")
    found = datasets.scan(tmp_path)
    assert datasets.is_unchanged(found, tmp_path)
    monkeypatch.setattr(table, "_inspect", lambda root, path: {"problem": None})  # a decoder has been installed
    assert not datasets.is_unchanged(found, tmp_path)
    assert datasets.is_unchanged(found, tmp_path, look_again=False)
    os.utime(tmp_path / "a.wav", ns=(0, 0))
    assert not datasets.is_unchanged(found, tmp_path, look_again=False)


def test_rules_add_columns(tmp_path):
    clip(tmp_path / "george" / "7_george_12.wav")
    clip(tmp_path / "george" / "other.wav")
    by_name = datasets.scan(tmp_path, rule="FSDD")
    assert list(by_name.columns[:8]) == ["path", "name", "extension", "label", "speaker", "digit", "take", "duration"]
    assert by_name.loc[0, ["speaker", "digit", "take"]].tolist() == ["george", "7", "12"]
    assert by_name.loc[1, ["speaker", "digit", "take"]].isna().all()
    assert datasets.label_columns(by_name) == ["label", "speaker", "digit", "take"]
    pd.testing.assert_frame_equal(datasets.scan(tmp_path, rule=datasets.rule_for("fsdd")), by_name)
    own = datasets.scan(tmp_path, rule=lambda path: {"label": path[:3], "length": str(len(path))})
    assert list(own["label"]) == ["geo", "geo"]
    assert list(own["length"]) == ["22", "16"]
    with pytest.raises(ValueError, match="'duration', which the metadata table itself has"):
        datasets.scan(tmp_path, rule=lambda path: {"duration": "long"})
    with pytest.raises(ValueError, match="dataset='unknown': the catalogue has"):
        datasets.scan(tmp_path, rule="unknown")


def test_summary_counts(tmp_path):
    clip(tmp_path / "x" / "a.wav", 1.0)
    clip(tmp_path / "x" / "b.wav", 2.0, rate=16_000)
    clip(tmp_path / "x" / "c.wav", 3.0)
    (tmp_path / "x" / "d.wav").write_bytes(b"")
    clip(tmp_path / "e.wav", 0.5)
    found = datasets.summary(datasets.scan(tmp_path))
    assert list(found.index) == ["x", "(none)"]
    assert found.index.name == "label"
    row = found.loc["x"]
    assert (row["recordings"], row["usable"], row["problems"], row["noted"]) == (4, 3, 1, 0)
    assert (row["shortest"], row["mean"], row["longest"]) == (1.0, 2.0, 3.0)
    assert row["hours"] == pytest.approx(6 / 3600)
    assert (row["sample_rates"], row["channels"]) == ("8000, 16000", "1")
    assert datasets.summary(datasets.scan(tmp_path), by=None).loc["all", "recordings"] == 5
    with pytest.raises(ValueError, match="by='speaker': the table has path"):
        datasets.summary(datasets.scan(tmp_path), by="speaker")


def digits(root, takes=2):
    for take in range(takes):
        for digit in (10, 9, 2):
            path = root / "ann" / f"{digit}_ann_{take}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(
                path,
                np.full(800 + digit, digit * 1000 + take, np.int16)
                * np.tile([1, -1], 500)[: 800 + digit].astype(np.int16),
                8000,
            )
    return datasets.scan(root, rule=lambda p: dict(zip(("digit", "speaker", "take"), p[4:-4].split("_"), strict=True)))


def test_takes_are_joined_in_order(tmp_path):
    found = digits(tmp_path / "in")
    joined = datasets.join_takes(found, tmp_path / "in", tmp_path / "out", by=["speaker", "take"], order="digit")
    assert list(joined["path"]) == ["ann/ann_0.wav", "ann/ann_1.wav"]
    assert list(joined["take"]) == ["0", "1"]
    assert joined["note"].isna().all()
    samples, rate = soundfile.read(tmp_path / "out" / "ann/ann_1.wav", dtype="int16")
    expected = [soundfile.read(tmp_path / "in" / "ann" / f"{d}_ann_1.wav", dtype="int16")[0] for d in (2, 9, 10)]
    np.testing.assert_array_equal(samples, np.concatenate(expected))
    assert rate == 8000


def test_joining_goes_on_and_notices_changes(tmp_path):
    found = digits(tmp_path / "in")
    arguments = {"by": ["speaker", "take"], "order": "digit"}
    datasets.join_takes(found, tmp_path / "in", tmp_path / "out", **arguments)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "ann").iterdir()}
    (tmp_path / "in" / "ann" / "9_ann_1.wav").unlink()
    rule = datasets.scan(tmp_path / "in")
    fewer = found[found["path"].isin(rule["path"])]
    joined = datasets.join_takes(fewer, tmp_path / "in", tmp_path / "out", **arguments)
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "ann").iterdir()}
    assert after["ann_0.wav"] == before["ann_0.wav"]
    assert after["ann_1.wav"] != before["ann_1.wav"]
    assert joined["note"].tolist()[1] == "2 of 3 clips"
    assert pd.isna(joined["note"][0])


def test_joining_refuses_what_does_not_fit(tmp_path):
    found = digits(tmp_path / "in", takes=1)
    arguments = {"by": ["speaker", "take"], "order": "digit"}
    with pytest.raises(ValueError, match="by="):
        datasets.join_takes(found, tmp_path / "in", tmp_path / "out", by=["who"], order="digit")
    with pytest.raises(ValueError, match="part of a file's name"):
        datasets.join_takes(found.assign(speaker="../x"), tmp_path / "in", tmp_path / "out", **arguments)
    mixed = found.assign(sample_rate=pd.array([8000, 8000, 16000], dtype="Int64"))
    with pytest.raises(ValueError, match="differ in sample rate"):
        datasets.join_takes(mixed, tmp_path / "in", tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "count", "columns"),
    [("tess", 1400, {"speaker": 2, "emotion": 7, "word": 100}), ("esc10", 400, {"class": 10, "fold": 5}),
     ("fsdd", 3000, {"speaker": 6, "digit": 10, "take": 50})],
)  # fmt: skip
def test_real_datasets(shared, name, count, columns):
    found = datasets.scan(shared / "datasets" / name, rule=datasets.rule_for(name))
    assert len(found) == count
    assert found["problem"].isna().all()
    for column, values in columns.items():
        assert found[column].nunique() == values
        assert found[column].notna().all()
    if name == "tess":
        assert list(found.loc[found["note"].notna(), "note"]) == ["content is AIFF though named .wav"] * 2
        assert found["label"].nunique() == 14
        assert (found.groupby(["speaker", "emotion"]).size() == 100).all()
    assert datasets.summary(found)["usable"].sum() == count


def test_copy_of_a_folder_gives_the_same_table(bad, tmp_path):
    shutil.copytree(bad[0], tmp_path / "copy", symlinks=True)
    pd.testing.assert_frame_equal(datasets.scan(tmp_path / "copy"), datasets.scan(bad[0]))


def test_losing_most_of_what_was_known_is_an_error_unless_asked_for(tmp_path):
    for name in "abcd":
        clip(tmp_path / f"{name}.wav", seed=ord(name))
    known = datasets.scan(tmp_path)
    for name in "ab":
        (tmp_path / f"{name}.wav").unlink()
    assert len(datasets.scan(tmp_path, known=known)) == 2
    (tmp_path / "moved").mkdir()
    (tmp_path / "c.wav").rename(tmp_path / "moved" / "e.wav")
    assert len(datasets.scan(tmp_path, known=known)) == 2
    shutil.rmtree(tmp_path / "moved")
    with pytest.raises(ValueError, match=r"3 of the 4 recordings .* are gone.*allow_loss=True.*delete .*metadata"):
        datasets.scan(tmp_path, known=known)
    assert len(datasets.scan(tmp_path, known=known, allow_loss=True)) == 1
    (tmp_path / "d.wav").unlink()
    with pytest.raises(ValueError, match="4 of the 4 recordings"):
        datasets.scan(tmp_path, known=known)


def test_an_unreadable_folder_is_a_row(tmp_path, monkeypatch):
    clip(tmp_path / "a.wav")
    clip(tmp_path / "set" / "b.wav")
    original = os.scandir

    def refuse(path):
        if str(path).endswith("set"):
            raise PermissionError(13, "Permission denied")
        return original(path)

    monkeypatch.setattr(table.os, "scandir", refuse)
    found = datasets.scan(tmp_path, rule=lambda path: {"first": path[0]})
    assert list(found["path"]) == ["a.wav", "set"]
    assert found["problem"][1] == "folder cannot be read: Permission denied"
    assert (found["name"][1], found["extension"][1], found["first"][1]) == ("set", "", "s")
    assert dict(found.drop(columns="first").dtypes.astype(str)) == TYPES
    with pytest.raises(PermissionError):
        datasets.scan(tmp_path / "set")


def test_a_project_inside_is_passed_over(tmp_path, caplog):
    clip(tmp_path / "a.wav")
    clip(tmp_path / "study" / "datasets" / "x" / "transformed" / "k" / "a.wav")
    (tmp_path / "study" / "results").mkdir()
    assert list(datasets.scan(tmp_path)["path"]) == ["a.wav"]
    assert "study is a project's folder" in caplog.text
    with pytest.raises(ValueError, match="is a project's folder"):
        datasets.scan(tmp_path / "study")


@pytest.mark.skipif(os.name == "nt", reason="such names cannot be there")
def test_a_name_that_is_a_way_out_elsewhere_is_a_problem(tmp_path):
    clip(tmp_path / "C:a.wav")
    assert "drive letter" in datasets.scan(tmp_path)["problem"][0]
