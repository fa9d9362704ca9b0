"""A dataset transformed: what is made, made again, kept, and what a kill, a full disk and a second run do to it."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from audioclust import audio, columns, datasets, files
from audioclust.audio import dataset as module
from audioclust.audio import long
from audioclust.audio.dataset import target


def write(path, rng, seconds=0.2, rate=8_000, channels=1, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.3 * rng.standard_normal((round(seconds * rate), channels)), rate, **options)


@pytest.fixture
def root(tmp_path, rng):
    folder = tmp_path / "recordings"
    write(folder / "a" / "same.wav", rng)
    write(folder / "a" / "same.flac", rng)
    write(folder / "b ü" / "stereo.wav", rng, rate=44_100, channels=2)
    write(folder / "top.ogg", rng, seconds=0.5, rate=24_000)
    (folder / "b ü" / "text.wav").write_text("not audio")
    return folder


@pytest.fixture
def metadata(root):
    return datasets.scan(root)


def test_every_recording_becomes_a_mono_wav(metadata, root, tmp_path):
    result = audio.transform(metadata, root, tmp_path / "out", jobs=1)
    folder = tmp_path / "out" / audio.settings_key()
    assert list(result["source_path"]) == list(metadata["path"])
    assert set(metadata.columns) <= set(result.columns)
    assert list(result["name"]) == list(metadata["name"])
    assert result["label"].equals(metadata["label"])
    fine = result[result["problem"].isna()].set_index("source_path")
    assert dict(fine["path"]) == {
        "a/same.flac": "a/same.flac.wav", "a/same.wav": "a/same.wav", "b ü/stereo.wav": "b ü/stereo.wav",
        "top.ogg": "top.ogg.wav",
    }  # fmt: skip
    assert dict(fine["sample_rate"]) == {
        "a/same.flac": 22_050, "a/same.wav": 22_050, "b ü/stereo.wav": 44_100, "top.ogg": 24_000,
    }  # fmt: skip
    for row in fine.itertuples():
        info = soundfile.info(folder / row.path)
        assert (info.format, info.subtype, info.channels) == ("WAV", "PCM_16", 1)
        assert row.duration == info.frames / info.samplerate
        assert row.sha256 == files.sha256(folder / row.path)
    bad = result[result["problem"].notna()].iloc[0]
    assert bad["source_path"] == "b ü/text.wav"
    assert "not audio" in bad["problem"]
    assert bad[["duration", "sample_rate", "channels", "level", "sha256"]].isna().all()
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "metadata.parquet"), result)
    assert files.read_json(folder / "params.json")["settings"]["lowpass"] == 8192


def test_the_samples_are_those_of_process(metadata, root, tmp_path):
    result = audio.transform(metadata, root, tmp_path, jobs=1, subtype="FLOAT", loudness="peak")
    row = result.set_index("source_path").loc["b ü/stereo.wav"]
    folder = tmp_path / audio.settings_key(subtype="FLOAT", loudness="peak")
    y, rate = audio.load(root / "b ü/stereo.wav")
    expected = audio.process(y, rate, audio.Settings(subtype="FLOAT", loudness="peak"))[0]
    np.testing.assert_array_equal(soundfile.read(folder / row["path"], dtype="float32")[0], expected)


def test_only_what_changed_is_made_again(metadata, root, tmp_path, rng):
    first = audio.transform(metadata, root, tmp_path, jobs=1)
    folder = tmp_path / audio.settings_key()
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*.wav")}
    pd.testing.assert_frame_equal(audio.transform(metadata, root, tmp_path, jobs=1), first)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.wav")} == times

    write(root / "top.ogg", rng, seconds=0.3)
    (folder / "a" / "same.wav").write_bytes((folder / "a" / "same.wav").read_bytes()[:999])
    second = audio.transform(metadata, root, tmp_path, jobs=1)
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*.wav")}
    assert {path.name for path in times if after[path] != times[path]} == {"same.wav", "top.ogg.wav"}
    assert second["sha256"][0] == first["sha256"][0]
    row = second.set_index("source_path").loc["top.ogg"]
    assert row["duration"] == pytest.approx(0.3, abs=0.01)
    assert "changed since it was scanned" in row["note"]
    assert row["source_sha256"] == files.sha256(root / "top.ogg")


def test_notes_survive_a_second_run(root, tmp_path):
    metadata = datasets.scan(root)
    settings = {"voice": "ends", "lowpass": 20_000}
    first = audio.transform(metadata, root, tmp_path, jobs=1, **settings)
    notes = first.set_index("source_path")["note"]["a/same.wav"]
    assert "no speech found" in notes
    assert "not filtered" in notes
    assert audio.transform(metadata, root, tmp_path, jobs=1, **settings)["note"].equals(first["note"])


def test_what_becomes_silent_is_a_problem(tmp_path):
    high = 0.1 * np.sin(2 * np.pi * 15_000 * np.arange(44_100) / 44_100) * np.hanning(44_100)
    (tmp_path / "in").mkdir()
    soundfile.write(tmp_path / "in" / "high.wav", high, 44_100)
    result = audio.transform(datasets.scan(tmp_path / "in"), tmp_path / "in", tmp_path / "out", jobs=1, lowpass=500)
    assert result["problem"][0] == "after the transformation: silence"


def test_a_file_that_went_away_is_a_problem_and_the_rest_goes_on(metadata, root, tmp_path):
    (root / "top.ogg").unlink()
    result = audio.transform(metadata, root, tmp_path, jobs=1)
    problems = result.set_index("source_path")["problem"]
    assert "top.ogg" in problems["top.ogg"] or "no such file" in problems["top.ogg"].lower()
    assert problems.drop(["top.ogg", "b ü/text.wav"]).isna().all()


def test_no_two_sources_share_a_target():
    names = ["a.wav", "a.flac", "a.flac.wav", "a", "a..wav", ".wav", "A.WAV", "a.b.wav", "x/a.wav", "a.", "x.y/a.wav"]
    targets = [target(name) for name in names]
    assert len(set(targets)) == len(names)
    assert all(name.endswith(".wav") for name in targets)
    assert target("x/a.wav") == "x/a.wav"


@pytest.mark.parametrize("path", ["/etc/a.wav", "../a.wav", "a/../../b.wav", "", None])
def test_paths_out_of_the_folder_are_refused(path, tmp_path):
    with pytest.raises(ValueError, match="path="):
        audio.transform(pd.DataFrame({"path": [path]}), tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bad_calls_name_the_parameter(metadata, root, tmp_path):
    with pytest.raises(ValueError, match="cut_off: no such setting"):
        audio.transform(metadata, root, tmp_path / "out", cut_off=3)
    with pytest.raises(ValueError, match="jobs=0"):
        audio.transform(metadata, root, tmp_path / "out", jobs=0)
    with pytest.raises(ValueError, match="no column 'path'"):
        audio.transform(pd.DataFrame({"file": ["a.wav"]}), root, tmp_path / "out")
    with pytest.raises(ValueError, match="two rows"):
        audio.transform(pd.concat([metadata, metadata]), root, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_empty_dataset_gives_an_empty_table(metadata, root, tmp_path):
    result = audio.transform(metadata.iloc[:0], root, tmp_path, jobs=1)
    assert len(result) == 0
    assert {"path", "duration", "sha256", "source_path"} <= set(result.columns)


def test_a_full_disk_is_one_error_and_leaves_nothing_half_written(metadata, root, tmp_path, monkeypatch):
    written, original = [], module.wav.write

    def full(path, y, sample_rate, **options):
        if len(written) == 2:
            path.write_bytes(b"RIFF")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        written.append(path)
        original(path, y, sample_rate, **options)

    monkeypatch.setattr(module.wav, "write", full)
    with pytest.raises(OSError, match="No space left on device; what was finished is kept") as caught:
        audio.transform(metadata, root, tmp_path, jobs=1)
    assert caught.value.errno == errno.ENOSPC
    folder = tmp_path / audio.settings_key()
    assert len(list(folder.rglob("*.wav"))) == 2
    assert not list(folder.rglob(".writing-*"))
    assert not (folder / "metadata.parquet").exists()
    monkeypatch.setattr(module.wav, "write", original)
    assert audio.transform(metadata, root, tmp_path, jobs=1)["problem"].isna().sum() == 4


SECOND_PROCESS = """
import sys, time
import pandas as pd
from audioclust import audio
from audioclust.audio import dataset
if "slowly" in sys.argv:
    original = dataset.wav.write
    def write(path, y, *args, **options):
        path.write_bytes(b"RIFF half a file")
        time.sleep(0.3)
        original(path, y, *args, **options)
    dataset.wav.write = write
root, out = sys.argv[1:3]
audio.transform(pd.read_parquet(root + "/metadata.parquet"), root, out, jobs=1)
"""


def second_process(root, out, *options):
    return subprocess.Popen([sys.executable, "-c", SECOND_PROCESS, str(root), str(out), *options])


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_killed_run_is_resumed(metadata, root, tmp_path):
    datasets.save(metadata, root)
    folder = tmp_path / "out" / audio.settings_key()
    process = second_process(root, tmp_path / "out", "slowly")

    def is_halfway():
        try:
            return len(list(folder.rglob("*.wav"))) >= 2 and list(folder.rglob(".writing-*"))
        except FileNotFoundError:  # a folder being written was renamed while it was listed
            return False

    wait_for(is_halfway)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    finished = {path: path.stat().st_mtime_ns for path in whole(folder)}
    assert finished
    result = audio.transform(metadata, root, tmp_path / "out", jobs=1)
    assert result["problem"].isna().sum() == 4
    assert {path: path.stat().st_mtime_ns for path in whole(folder)}.items() >= finished.items()
    assert not list(folder.rglob(".writing-*"))


def test_two_runs_at_once(metadata, root, tmp_path):
    datasets.save(metadata, root)
    alone = audio.transform(metadata, root, tmp_path / "alone", jobs=1)
    both = [second_process(root, tmp_path / "out", "slowly"), second_process(root, tmp_path / "out")]
    assert [process.wait(120) for process in both] == [0, 0]
    folder = tmp_path / "out" / audio.settings_key()
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "metadata.parquet"), alone)
    assert len(whole(folder)) == 4


def test_worker_processes_give_the_same(metadata, root, tmp_path):
    one = audio.transform(metadata, root, tmp_path / "one", jobs=1)
    pd.testing.assert_frame_equal(audio.transform(metadata, root, tmp_path / "two", jobs=2), one)


def whole(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.wav") if ".writing-" not in str(path)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_table_in_a_file_gives_the_same(metadata, root, tmp_path, jobs, monkeypatch):
    monkeypatch.setattr(columns, "BLOCK", 2)
    metadata["mine"] = range(len(metadata))
    made = audio.transform(metadata, root, tmp_path / "one", jobs=jobs)
    saved = datasets.save(metadata, tmp_path / "saved")
    path = audio.transform(saved, root, tmp_path / "two", jobs=jobs)
    assert path == tmp_path / "two" / audio.settings_key() / "metadata.parquet"
    pd.testing.assert_frame_equal(pd.read_parquet(path), made)
    assert path.read_bytes() == (tmp_path / "one" / audio.settings_key() / "metadata.parquet").read_bytes()
    assert audio.transform(str(saved), root, tmp_path / "two", jobs=1) == path
    assert sorted(path.parent.rglob(".*")) == [path.parent / ".lock"]


def test_what_is_wrong_with_a_file_is_named(metadata, root, tmp_path):
    bad = pd.DataFrame({"path": ["../a.wav", "top.ogg"]})
    path = datasets.save(bad, tmp_path)
    result = pd.read_parquet(audio.transform(path, root, tmp_path / "out", jobs=1))
    assert result["problem"][0] == "path leaves the dataset's folder: '../a.wav'"
    assert pd.isna(result["problem"][1])
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"metadata.parquet is damaged .*delete it and scan"):
        audio.transform(path, root, tmp_path / "out")
    datasets.save(pd.DataFrame({"file": ["a.wav"]}), tmp_path)
    with pytest.raises(ValueError, match="no column 'path'"):
        audio.transform(path, root, tmp_path / "out")
    with pytest.raises(FileNotFoundError):
        audio.transform(tmp_path / "nothing.parquet", root, tmp_path / "out")


def test_real_recordings(shared, tmp_path):
    root = shared / "datasets" / "tess"
    paths = ["OAF_Fear/OAF_food_fear.flac", "YAF_angry/YAF_germ_angry.wav", "YAF_fear/YAF_neat_fear.wav"]
    result = audio.transform(pd.DataFrame({"path": paths}), root, tmp_path, jobs=1)
    assert result["problem"].isna().all()
    assert result["sample_rate"].tolist()[0] == 96_000
    assert result["source_sha256"].tolist() == [files.sha256(root / path) for path in paths]


@pytest.mark.parametrize("settings", [{}, {"sample_rate": 16_000, "loudness": "peak", "duration": 5.5}])
def test_long_recordings_are_made_block_by_block(tmp_path, rng, monkeypatch, settings):
    root = tmp_path / "in"
    write(root / "long.wav", rng, seconds=7.3, rate=44_100, channels=2)
    metadata = datasets.scan(root)
    whole_one = audio.transform(metadata, root, tmp_path / "whole", jobs=1, subtype="FLOAT", **settings)
    monkeypatch.setattr(module, "LONG", 1.0)
    monkeypatch.setattr(long, "BLOCK", 2)
    monkeypatch.setattr(module, "load", None)
    result = audio.transform(metadata, root, tmp_path / "long", jobs=1, subtype="FLOAT", **settings)
    assert result["problem"].isna().all()
    paths = [next((tmp_path / name).rglob("long.wav")) for name in ("whole", "long")]
    expected, got = (soundfile.read(path, dtype="float32")[0] for path in paths)
    np.testing.assert_allclose(got, expected, atol=2e-6)
    assert result["note"].equals(whole_one["note"])
    assert not list((tmp_path / "long").rglob("filtered"))


def test_what_needs_the_whole_recording_has_a_limit(tmp_path, rng, monkeypatch):
    write(tmp_path / "a.wav", rng)
    metadata = datasets.scan(tmp_path).assign(duration=10 * 3600.0)
    result = audio.transform(metadata, tmp_path, tmp_path / "out", jobs=1, loudness="lufs")
    assert "of at most 2 h; it lasts 10.0 h: cut it" in result["problem"][0]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_in_a_recordings_place_is_a_problem(metadata, root, tmp_path):
    (root / "top.ogg").unlink()
    os.mkfifo(root / "top.ogg")
    result = audio.transform(metadata, root, tmp_path, jobs=1)
    assert "not a file" in result.set_index("source_path")["problem"]["top.ogg"]


def test_names_of_the_full_length_fit(tmp_path, rng):
    name = "n" * 250 + ".flac"
    write(tmp_path / "in" / name, rng)
    result = audio.transform(datasets.scan(tmp_path / "in"), tmp_path / "in", tmp_path / "out", jobs=1)
    assert result["problem"].isna().all()
    assert len(result["path"][0]) == 255


def test_damage_in_what_was_made_is_mended(metadata, root, tmp_path, rng):
    first = audio.transform(metadata, root, tmp_path, jobs=1)
    path = tmp_path / audio.settings_key() / "a" / "same.wav"
    whole = path.read_bytes()
    marks = [whole.index(mark) for mark in (b"notes", b"source", b"data")]
    for at in (24, *marks, len(whole) - 100, len(whole) // 2):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        pd.testing.assert_frame_equal(audio.transform(metadata, root, tmp_path, jobs=1), first)
        assert path.read_bytes() == whole
    for left in (0, 24, len(whole) // 2, len(whole) - 1):  # as after a power cut
        path.write_bytes(whole[:left])
        pd.testing.assert_frame_equal(audio.transform(metadata, root, tmp_path, jobs=1), first)
        assert path.read_bytes() == whole
