"""The feature store: what is computed again and what is not, kills, two runs at once, damage, full disks."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from audioclust import audio, columns, datasets, features, files
from audioclust.columns import Blocks
from audioclust.features import extraction, feature_set, images, vectors
from audioclust.features import table as table_module
from audioclust.places import Places
from audioclust.project import read_table

FEATURES = features.FEATURES
ROOT = Path(__file__).resolve().parents[1]


def write(path, rng, seconds=0.4, rate=16000, level=0.1):
    path.parent.mkdir(parents=True, exist_ok=True)
    time_axis = np.arange(int(seconds * rate)) / rate
    y = np.sin(2 * np.pi * rng.uniform(100, 900) * time_axis) + 0.1 * rng.standard_normal(len(time_axis))
    soundfile.write(path, level * y, rate)


def table(root):
    paths = sorted(path for path in root.rglob("*.wav"))
    rows = [
        {"path": p.relative_to(root).as_posix(), "label": p.parent.name, "sha256": files.sha256(p), "problem": None}
        for p in paths
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def root(tmp_path, rng):
    """Nine recordings of different lengths, one with spaces and an umlaut in its name."""
    folder = tmp_path / "recordings"
    for i in range(8):
        write(folder / "ab"[i % 2] / f"{i}.wav", rng, seconds=0.2 + 0.1 * i, level=0.02 + 0.05 * i)
    write(folder / "c d" / "grüße an alle.wav", rng)
    return folder


@pytest.fixture
def analysed(monkeypatch):
    """Which recordings were decoded, and for which features."""
    seen = []
    load, analyse = extraction.load, extraction.analyse
    monkeypatch.setattr(extraction, "load", lambda path, *a, **kw: seen.append(path.name) or load(path, *a, **kw))
    names = lambda entries: tuple(entry.name for entry in entries)  # noqa: E731
    monkeypatch.setattr(extraction, "analyse", lambda y, e, settings: seen.append(names(e)) or analyse(y, e, settings))
    return seen


def extract(root, store, metadata=None, jobs=1, **settings):
    return features.extract(table(root) if metadata is None else metadata, root, store, jobs=jobs, **settings)


def content(found):
    return {
        name: (found.vectors(name, "mean_std_delta", scale=None)[0], np.array(found.images(name)[0]))
        for name in FEATURES
    }


def assert_same(one, other):
    for name in FEATURES:
        np.testing.assert_allclose(one[name][0], other[name][0], rtol=1e-6, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(one[name][1].astype(int), other[name][1].astype(int), atol=1, err_msg=name)


def test_vectors_and_images_are_those_of_each_recording(root, tmp_path):
    found = extract(root, tmp_path / "store")
    assert len(found) == 9
    assert found.problems.empty
    assert found.features == FEATURES
    for name in FEATURES:
        X, index = found.vectors(name, "mean_std_delta", scale=None)
        pictures, _ = found.images(name)
        assert isinstance(pictures, np.memmap)
        assert pictures.dtype == np.uint8
        assert pictures.shape == (9, 48, 96)
        for row, path in enumerate(index["path"]):
            y, rate = extraction.load(root / path, 22050)
            values = features.spectral(y, rate, name)[name]
            np.testing.assert_allclose(X[row], vectors.pool(values, "mean_std_delta"), rtol=1e-4, atol=1e-4)
            low, high = features.entry(name).limits("file") or (values.min(), values.max())
            np.testing.assert_allclose(pictures[row], images.gray(images.resize(values), low, high), atol=1)


def test_every_pooling_and_scale_gives_finite_vectors(root, tmp_path):
    found = extract(root, tmp_path / "store")
    widths = {"mean": 20, "mean_std": 40, "mean_std_delta": 80, "image_rows": 48, "image": 48 * 96}
    for pooling in vectors.POOLINGS:
        for scale in vectors.SCALES:
            X, index = found.vectors("mfcc", pooling, scale)
            assert X.shape == (9, widths.get(pooling, 1 + int(0.9 * 22050) // 512))
            assert np.isfinite(X).all()
            assert index is found.index
    assert found.vectors("mel", "image", "minmax", 3)[0].shape == (9, 3)
    np.testing.assert_array_equal(found.vectors("mel", pca=0.8)[0], found.vectors("mel", pca=0.8)[0])
    for wrong in ({"feature": "melody"}, {"pooling": "max"}, {"scale": "log"}, {"pca": 99}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))}="):
            found.vectors(**{"feature": "mel", **wrong})


def test_profile_is_the_mean_over_bands_and_imputed_beyond_the_end(root, tmp_path):
    X, index = extract(root, tmp_path / "store").vectors("mfcc", "profile", scale=None)
    y, rate = extraction.load(root / index["path"][0], 22050)
    profile = features.spectral(y, rate, "mfcc")["mfcc"].mean(axis=0)
    np.testing.assert_allclose(X[0, : len(profile)], profile, atol=1e-3)
    assert np.isin(X[0, -1], X[1:, -1]) or X[0, -1] == pytest.approx(X[-2, -1])  # only the longest reaches so far


def test_nothing_is_computed_twice(root, tmp_path, analysed):
    extract(root, tmp_path / "store")
    assert len(analysed) == 18
    assert set(analysed[1::2]) == {FEATURES}
    analysed.clear()
    extract(root, tmp_path / "store")
    assert analysed == []


@pytest.mark.parametrize("settings", [{}, {"reference": "dataset", "n_fft": 1024}])
def test_a_long_recording_block_by_block_is_the_same(tmp_path, rng, monkeypatch, settings):
    write(tmp_path / "recordings" / "a.wav", rng, seconds=30, rate=16000)
    write(tmp_path / "recordings" / "b.wav", rng, seconds=3, rate=16000)
    metadata = table(tmp_path / "recordings").assign(duration=[30.0, 3.0])
    whole = content(extract(tmp_path / "recordings", tmp_path / "whole", metadata, **settings))
    monkeypatch.setattr(extraction, "_LONG", 10.0)
    monkeypatch.setattr("audioclust.recording.opening.BLOCK", 50_001)
    monkeypatch.setattr("audioclust.features.spectra._BLOCK", 128)
    monkeypatch.setattr("audioclust.features.spectra._KEPT", 1)
    only_b = lambda path, *a, **kw: audio.load(path, *a, **kw) if path.stem == "b" else None  # noqa: E731
    monkeypatch.setattr(extraction, "load", only_b)
    assert_same(content(extract(tmp_path / "recordings", tmp_path / "blocks", metadata, **settings)), whole)


def test_memory_does_not_grow_with_a_recordings_length(tmp_path, rng):
    """All at once, the samples and the spectrogram of 20 min take 210 MB."""
    import tracemalloc

    y = 0.1 * rng.standard_normal(22050 * 60)
    soundfile.write(tmp_path / "long.wav", np.tile(y, 20), 22050)
    metadata = table(tmp_path).assign(duration=1200.0)
    tracemalloc.start()
    try:
        extract(tmp_path, tmp_path / "store", metadata, features=["spectrogram"])
        assert tracemalloc.get_traced_memory()[1] < 120e6
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_file_that_became_a_pipe_is_named(root, tmp_path):
    metadata = table(root)
    (root / "a" / "0.wav").unlink()
    os.mkfifo(root / "a" / "0.wav")
    found = extract(root, tmp_path / "store", metadata, features=["mel"])
    assert found.problems["problem"].tolist() == ["not a file"]


def test_pictures_stay_in_their_folder_and_have_names_of_any_length(root, tmp_path, rng):
    long = "ü" * 123 + "x.wav"  # 251 bytes
    write(root / "a" / long, rng)
    found = extract(root, tmp_path / "store", features=["mel"])
    written = found.write_png("mel", tmp_path / "png")
    assert len(set(written)) == 10
    assert all(path.exists() and path.suffix == ".png" for path in written)
    for path in ("../x.wav", "/tmp/x.wav", "a/../../x.wav"):
        outside = replace(found, source=found.index.assign(path=[*found.index["path"][:-1], path]))
        with pytest.raises(ValueError, match="outside"):
            outside.write_png("mel", tmp_path / "other" / "png")
    assert not (tmp_path / "other").exists()


def test_a_table_in_a_file_gives_the_same_and_is_read_when_it_is_asked_for(root, tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "BLOCK", 3)
    (root / "a" / "bad.wav").write_text("no sound")
    metadata = datasets.scan(root)
    metadata.loc[1, "sha256"] = "0" * 64  # as if the file had changed since
    path = datasets.save(metadata, tmp_path)
    found = features.extract(metadata, root, tmp_path / "store", ["mfcc"], jobs=1)
    reads = []
    monkeypatch.setattr(feature_set, "read_table", lambda path: reads.append(path) or read_table(path))
    of_file = features.extract(path, root, tmp_path / "other", ["mfcc"], jobs=1)
    assert (len(of_file), reads) == (len(found), [])
    pd.testing.assert_frame_equal(of_file.problems, found.problems)
    assert found.problems["path"].tolist() == [metadata["path"][1]]
    pd.testing.assert_frame_equal(of_file.index, found.index)
    np.testing.assert_array_equal(of_file.vectors("mfcc")[0], found.vectors("mfcc")[0])
    assert reads == [path]
    held = [sorted(place.rglob("*.*")) for place in (tmp_path / "store", tmp_path / "other")]
    for one, other in zip(*held, strict=True):
        assert one.is_dir() or one.read_bytes() == other.read_bytes()

    later = features.extract(path, root, tmp_path / "other", ["mfcc"], jobs=1)
    datasets.save(metadata, tmp_path)
    assert len(later.index) == len(later)
    later = features.extract(path, root, tmp_path / "other", ["mfcc"], jobs=1)
    datasets.save(metadata.drop(index=0), tmp_path)
    with pytest.raises(ValueError, match="has changed since the features were extracted"):
        later.images("mfcc")


def test_work_is_shared_out_by_how_long_recordings_are(tmp_path):
    entries = {"mel": extraction.Entry.at(tmp_path, "mel", extraction.Settings.of({}))}

    def shared_out(lengths):
        names = [str(i) for i in range(len(lengths))]
        table = pd.DataFrame({"sha256": names, "path": names, "duration": lengths})
        usable = extraction._Usable.of(Blocks.of(table))
        tasks = extraction._tasks(usable, tmp_path, entries, 2, False)
        parts = [[sha256 for sha256, *_ in task.recordings] for task in tasks]
        assert [sha256 for part in parts for sha256 in part] == names
        return [len(part) for part in parts]

    assert shared_out([3600.0] * 4) == [1, 1, 1, 1], "hours: a worker takes one at a time"
    assert shared_out([2.0] * 20) == [8, 8, 4], "not less than 16 s at once"
    many = shared_out([2.0] * 1400)
    assert max(many) == 128
    assert many[-1] <= 8, "the last worker is not waited for"
    assert len(many) < 25
    assert max(shared_out([60.0] * 1000)) == 60, "an hour at most"


def test_only_changed_and_new_recordings_are_computed(root, tmp_path, rng, analysed):
    extract(root, tmp_path / "store")
    analysed.clear()
    write(root / "a" / "2.wav", rng)
    write(root / "a" / "new.wav", rng)
    found = extract(root, tmp_path / "store")
    assert analysed[::2] == ["2.wav", "new.wav"]
    assert len(found) == 10
    assert_same(content(found), content(extract(root, tmp_path / "fresh")))


def test_only_missing_features_are_computed(root, tmp_path, analysed):
    extract(root, tmp_path / "store", features=["mel", "mfcc"])
    extract(root, tmp_path / "store", features=["mel", "mfcc", "chroma"])
    assert set(analysed[1:18:2]) == {("mel", "mfcc")}
    assert set(analysed[19::2]) == {("chroma",)}


def test_a_changed_parameter_computes_only_what_depends_on_it(root, tmp_path, analysed):
    first = extract(root, tmp_path / "store")
    analysed.clear()
    second = extract(root, tmp_path / "store", n_mfcc=13)
    assert set(analysed[1::2]) == {("mfcc", "mfcc_no0")}
    assert second.vectors("mfcc", "mean")[0].shape == (9, 13)
    assert first.vectors("mfcc", "mean")[0].shape == (9, 20)


def test_why_stale_names_what_differs(root, tmp_path, monkeypatch):
    store = tmp_path / "store"
    assert features.why_stale(store).empty
    found = extract(root, store, n_fft=1024, features=["mel", "mfcc"])
    assert found.why_stale().empty
    reasons = features.why_stale(store).set_index("feature")["reason"]
    assert list(reasons.index) == ["mel", "mfcc"]
    assert "n_fft 1024, now 2048" in reasons["mel"]
    monkeypatch.setattr("audioclust.features.table._versions", lambda: {"soxr": "99"})
    reasons = found.why_stale().set_index("feature")["reason"]
    assert re.search(r"soxr \d.*, now 99", reasons["mel"])
    monkeypatch.undo()
    newer = replace(features.entry("mel"), version=features.entry("mel").version + 1)
    monkeypatch.setitem(table_module._TABLE, "mel", newer)
    assert found.why_stale()["reason"].tolist() == [f"version {newer.version - 1}, now {newer.version}"]
    (found.entries["mel"].folder / "params.json").write_text("{")
    assert "damaged" in found.why_stale()["reason"][0]


def test_bad_recordings_are_named_and_the_rest_goes_on(root, tmp_path, rng):
    (root / "a" / "text.wav").write_text("no sound")
    (root / "a" / "empty.wav").touch()
    write(root / "b" / "gone.wav", rng)
    write(root / "b" / "changes.wav", rng)
    metadata = table(root)
    metadata.loc[metadata["path"] == "a/0.wav", "problem"] = "known to be bad"
    (root / "b" / "gone.wav").unlink()
    write(root / "b" / "changes.wav", rng)
    found = extract(root, tmp_path / "store", metadata)
    problems = found.problems.set_index("path")["problem"]
    assert sorted(problems.index) == ["a/empty.wav", "a/text.wav", "b/changes.wav", "b/gone.wav"]
    assert "no such file" in problems["b/gone.wav"]
    assert "changed" in problems["b/changes.wav"]
    assert len(found) == 8
    assert "a/0.wav" not in set(found.index["path"])
    assert len(found.vectors("mfcc")[0]) == len(found.images("mfcc")[0]) == 8


def test_tables_that_cannot_be_used_are_named(root, tmp_path):
    metadata = table(root)
    with pytest.raises(ValueError, match="no usable recording"):
        extract(root, tmp_path / "store", metadata.assign(problem="bad"))
    with pytest.raises(ValueError, match="no usable recording"):
        extract(root, tmp_path / "store", metadata[:0])
    with pytest.raises(ValueError, match="'sha256'"):
        extract(root, tmp_path / "store", metadata.drop(columns="sha256"))
    with pytest.raises(ValueError, match="winlength=3"):
        extract(root, tmp_path / "store", metadata, winlength=3)
    with pytest.raises(ValueError, match="features='tempo'"):
        extract(root, tmp_path / "store", metadata, features="tempo")
    with pytest.raises(ValueError, match=r"none of the 9 recordings.*no such file"):
        extract(tmp_path, tmp_path / "store", metadata)


def test_one_file_under_two_names(root, tmp_path, analysed):
    (root / "b" / "copy.wav").write_bytes((root / "a" / "0.wav").read_bytes())
    found = extract(root, tmp_path / "store")
    assert len(analysed) == 18
    X, index = found.vectors("mel", "mean", scale=None)
    first, second = (index["path"] == "a/0.wav").argmax(), (index["path"] == "b/copy.wav").argmax()
    np.testing.assert_array_equal(X[first], X[second])
    np.testing.assert_array_equal(found.images("mel")[0][first], found.images("mel")[0][second])


def test_rows_follow_the_table_asked_with(root, tmp_path):
    metadata = table(root)
    whole = extract(root, tmp_path / "store", metadata)
    shuffled = extract(root, tmp_path / "store", metadata[::-2])
    assert shuffled.index["path"].tolist() == metadata["path"][::-2].tolist()
    for name in ("mel", "chroma"):
        np.testing.assert_array_equal(shuffled.vectors(name, scale=None)[0], whole.vectors(name, scale=None)[0][::-2])
        np.testing.assert_array_equal(shuffled.images(name)[0], whole.images(name)[0][::-2])


def test_workers_give_what_one_process_gives(root, tmp_path):
    assert_same(content(extract(root, tmp_path / "one")), content(extract(root, tmp_path / "two", jobs=2)))


def test_reference_of_the_dataset(root, tmp_path):
    absolute = extract(root, tmp_path / "store", reference="absolute", features=["mel", "mfcc"])
    relative = extract(root, tmp_path / "store", reference="dataset", features=["mel", "mfcc"], arrays=True)
    levels, shifted = (found.vectors("mel", "mean_std", scale=None)[0] for found in (absolute, relative))
    peak = max(features.spectral(*extraction.load(root / path, 22050), "mel", reference="absolute")["mel"].max()
               for path in absolute.index["path"])  # fmt: skip
    np.testing.assert_allclose(shifted[:, :128], levels[:, :128] - peak, atol=1e-3)
    np.testing.assert_array_equal(shifted[:, 128:], levels[:, 128:])
    assert max(relative.array("mel", row).max() for row in range(9)) == pytest.approx(0, abs=1e-4)
    pictures, _ = relative.images("mel")
    assert pictures.dtype == np.uint8
    brightness = pictures.reshape(9, -1).max(axis=1)
    loudness = [np.abs(extraction.load(root / path, None)[0]).max() for path in relative.index["path"]]
    assert np.corrcoef(brightness, np.log(loudness))[0, 1] > 0.9
    cepstra, _ = relative.images("mfcc")
    assert cepstra.min() == 0
    assert cepstra.max() == 255


def test_arrays_and_pictures_on_request(root, tmp_path, analysed):
    found = extract(root, tmp_path / "store")
    with pytest.raises(ValueError, match="arrays=True"):
        found.array("mel", 0)
    analysed.clear()
    found = extract(root, tmp_path / "store", features=["mel"], arrays=True)
    assert len(analysed) == 18
    y, rate = extraction.load(root / found.index["path"][3], 22050)
    np.testing.assert_array_equal(found.array("mel", 3), features.spectral(y, rate, "mel")["mel"])
    extract(root, tmp_path / "store", features=["mel"], arrays=True)
    assert len(analysed) == 18 + 1  # the line above decoded one
    paths = found.write_png("mel", tmp_path / "png")
    assert len(paths) == 9
    assert (tmp_path / "png" / "c d" / "grüße an alle.wav.mel.png").exists()


def run(root, store, code=""):
    """Extract in another process, one recording to a shard."""
    script = f"""
import sys, time, pandas as pd
from audioclust.features import extraction
extraction._SHARD = 1
load = extraction.load
def slow(*args, **kwargs):
    time.sleep(float(sys.argv[4]))
    return load(*args, **kwargs)
extraction.load = slow
{code}
extraction.extract(pd.read_parquet(sys.argv[1]), sys.argv[2], sys.argv[3], jobs=1)
"""
    metadata = root.parent / "metadata.parquet"
    table(root).to_parquet(metadata)
    delay = "0.15" if code else "0.02"
    command = [sys.executable, "-c", script, str(metadata), str(root), str(store), delay]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def shards(store):
    return list(store.glob("*/*/shards/*.npy"))


def test_a_killed_run_goes_on_where_it_stopped(root, tmp_path, analysed):
    store = tmp_path / "store"
    process = run(root, store, code="pass")
    deadline = time.monotonic() + 600
    while len(shards(store)) < 3 * len(FEATURES) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = len(shards(store))
    assert 3 * len(FEATURES) <= kept < 9 * len(FEATURES)
    assert not list(store.rglob("vectors.parquet"))
    found = extract(root, store)
    names = [entry for entry in analysed if isinstance(entry, tuple)]
    assert sum(map(len, names)) == 9 * len(FEATURES) - kept
    assert shards(store) == []
    assert_same(content(found), content(extract(root, tmp_path / "fresh")))
    for table in store.rglob("vectors.parquet"):  # the same bytes, however the rows came in
        assert table.read_bytes() == (tmp_path / "fresh" / table.relative_to(store)).read_bytes()


def test_killed_between_images_and_table(root, tmp_path, rng):
    store = tmp_path / "store"
    before = extract(root, store)
    old = content(before)
    write(root / "b" / "new.wav", rng)
    code = """
from audioclust.features import store as kept
import os, signal
kept._table = lambda rows: os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run(root, store, code).wait() == -signal.SIGKILL
    assert_same(content(before), old)
    found = extract(root, store)
    assert len(found) == 10
    assert_same(content(found), content(extract(root, tmp_path / "fresh")))


def test_two_runs_at_once_are_both_right(root, tmp_path):
    store = tmp_path / "store"
    processes = [run(root, store), run(root, store)]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    found = extract(root, store)
    for entry in found.entries.values():
        assert len(entry.stored()) == len(set(entry.stored())) == 9
    assert_same(content(found), content(extract(root, tmp_path / "fresh")))


@pytest.mark.parametrize("name", ["vectors.parquet", "images.npy"])
@pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
def test_a_damaged_store_is_computed_again(root, tmp_path, caplog, name, damage):
    found = extract(root, tmp_path / "store", features=["mfcc"])
    expected = found.vectors("mfcc", scale=None)[0]
    path = found.entries["mfcc"].folder / name
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[: len(whole) // 2], "garbage": b"x" * 500, "empty": b""}[damage])
    again = extract(root, tmp_path / "store", features=["mfcc"])
    np.testing.assert_allclose(again.vectors("mfcc", scale=None)[0], expected)
    assert "damaged" in caplog.text


@pytest.mark.parametrize("name", ["vectors.parquet", "images.npy"])
def test_one_flipped_bit_is_noticed_and_only_its_rows_computed_again(
    root, tmp_path, caplog, name, analysed, monkeypatch
):
    monkeypatch.setattr("audioclust.features.shards._GROUP", 4)
    names = ["mfcc", "mfcc_no0"]
    found = extract(root, tmp_path / "store", features=names)
    expected = {name: (found.vectors(name, scale=None)[0], np.array(found.images(name)[0])) for name in names}
    path = found.entries["mfcc"].folder / name
    whole = bytearray(path.read_bytes())
    whole[len(whole) - 50 * 4608 // 10 if name == "images.npy" else len(whole) // 3] ^= 16
    path.write_bytes(whole)
    analysed.clear()
    again = extract(root, tmp_path / "store", features=names)
    assert f"{1 if name == 'images.npy' else 4} of 9 rows are damaged" in caplog.text
    assert analysed[1::2] == [("mfcc",)] * (1 if name == "images.npy" else 4)
    for name in names:
        np.testing.assert_array_equal(again.vectors(name, scale=None)[0], expected[name][0])
        np.testing.assert_array_equal(again.images(name)[0], expected[name][1])
    analysed.clear()
    extract(root, tmp_path / "store", features=names)
    assert analysed == []


def test_tables_without_checksums_are_still_read(root, tmp_path, rng, analysed):
    import pyarrow.parquet as pq

    found = extract(root, tmp_path / "store", features=["mel"])
    path = found.entries["mel"].folder / "vectors.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["image_crc32"]), path)
    analysed.clear()
    write(root / "b" / "new.wav", rng)
    found = extract(root, tmp_path / "store", features=["mel"])
    assert analysed[::2] == ["new.wav"]
    assert "image_crc32" in pq.read_schema(path).names
    np.testing.assert_array_equal(
        found.vectors("mel", scale=None)[0],
        extract(root, tmp_path / "new", features=["mel"]).vectors("mel", scale=None)[0],
    )


@pytest.mark.parametrize(
    "missing", [["mfcc_no0"], ["mfcc"], ["chroma", "mfcc_no0"], ["mel", "chroma"], ["spectrogram"]]
)
def test_what_is_computed_alone_is_the_same_number(root, tmp_path, missing):
    """A killed run may leave one feature of a recording and not the other."""
    whole = extract(root, tmp_path / "store")
    alone = extract(root, tmp_path / "alone", features=missing)
    for name in missing:
        for pooling in ("mean_std_delta", "profile", "image"):
            one, other = (found.vectors(name, pooling, scale=None)[0] for found in (whole, alone))
            np.testing.assert_array_equal(one, other, err_msg=f"{name} {pooling}")


def test_what_is_not_finite_never_enters_the_store(root, tmp_path, rng):
    y = 0.1 * rng.standard_normal(8000).astype(np.float32)
    for name, value in {"huge": 1e38, "large": 1e25}.items():
        y[4000] = value
        soundfile.write(root / "a" / f"{name}.wav", y, 16000, subtype="FLOAT")
    found = extract(root, tmp_path / "store")
    problems = found.problems.set_index("path")["problem"]
    assert sorted(problems.index) == ["a/huge.wav", "a/large.wav"]
    assert problems.str.contains("no sound").all()
    assert len(found) == 9
    for name in FEATURES:
        assert np.isfinite(found.entries[name].column("mean")).all()
        assert len(found.entries[name].stored()) == 9


def test_a_shard_damaged_while_shards_are_put_in_order_costs_only_its_rows(root, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(extraction, "_SHARD", 3)
    assemble = extraction.Entry.assemble

    def damaged(entry, places):
        path = entry._shards()[0]
        whole = bytearray(path.read_bytes())
        whole[-2000] ^= 1  # in its images: the names before them are still read
        path.write_bytes(whole)
        assemble(entry, places)

    monkeypatch.setattr(extraction.Entry, "assemble", damaged)
    found = extract(root, tmp_path / "store")
    assert "damaged" in caplog.text
    assert len(found.entries["mel"].stored()) == 6
    monkeypatch.undo()
    again = extract(root, tmp_path / "store")
    assert_same(content(again), content(extract(root, tmp_path / "fresh")))


def test_a_damaged_shard_that_cannot_be_removed_is_passed_over(root, tmp_path, monkeypatch):
    monkeypatch.setattr(extraction, "_SHARD", 3)
    found = extract(root, tmp_path / "store")
    entry = found.entries["mel"]
    (entry.folder / "shards" / "x.npy").write_bytes(b"no shard")

    def refused(path, **_):
        raise PermissionError(path)

    monkeypatch.setattr("audioclust.features.shards.Path.unlink", refused)
    entry.assemble(Places.among([]))  # comes to an end
    assert len(entry.stored()) == 9


def test_a_damaged_shard_is_computed_again(root, tmp_path, monkeypatch, caplog):
    with monkeypatch.context() as patched:
        patched.setattr("audioclust.features.store.Entry.assemble", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            extract(root, tmp_path / "store")
    assert shards(tmp_path / "store")
    for i, path in enumerate(shards(tmp_path / "store")):
        whole = path.read_bytes()
        middle = len(whole) // 2
        damaged = whole[:middle] if i % 2 else whole[:middle] + bytes(200) + whole[middle + 200 :]
        path.write_bytes(damaged)
    found = extract(root, tmp_path / "store")
    assert "damaged" in caplog.text
    assert_same(content(found), content(extract(root, tmp_path / "fresh")))


def test_a_full_disk_is_one_clear_error(root, tmp_path):
    store = tmp_path / "store"
    code = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))"
    process = run(root, store, code)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "cannot write features to" in errors.splitlines()[-1]
    assert "run again to go on" in errors.splitlines()[-1]
    assert not list(store.rglob(".writing-*"))
    assert_same(content(extract(root, store)), content(extract(root, tmp_path / "fresh")))
