"""Files are whole or not there."""

import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from audioclust import files


def test_atomic_leaves_the_old_file_when_the_block_fails(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail_half_way():
        with files.atomic(path) as partial:
            partial.write_text("ne")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fail_half_way()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_atomic_replaces_a_folder_as_a_whole(tmp_path):
    for content in ("one", "two"):
        with files.atomic(tmp_path / "folder", folder=True) as partial:
            (partial / content).write_text(content)
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["two"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_json_keeps_what_json_can_say(tmp_path):
    value = {"nan": float("nan"), "int": np.int64(3), "array": np.arange(2), "path": tmp_path, "set": {2, 1}, "ü": None}
    path = files.write_json(tmp_path / "a.json", value)
    read = files.read_json(path)
    assert read == {"nan": None, "int": 3, "array": [0, 1], "path": str(tmp_path), "set": [1, 2], "ü": None}
    assert "NaN" not in path.read_text(encoding="utf-8")


def test_digest_depends_on_content_and_not_on_order():
    assert files.digest({"a": 1, "b": 2.0}) == files.digest({"b": 2.0, "a": 1})
    assert files.digest({"a": 1}) != files.digest({"a": 2})
    assert files.digest({"a": (1, 2)}) == files.digest({"a": [1, 2]})


def test_sha256_of_known_bytes(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert files.sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_lock_that_is_held_times_out(tmp_path):
    seen = []

    def second():
        try:
            with files.locked(tmp_path / "lock", timeout=0.1):
                seen.append("held twice")
        except TimeoutError as error:
            seen.append(str(error))

    with files.locked(tmp_path / "lock"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert len(seen) == 1
    assert "held by another" in seen[0]


def test_write_json_is_readable_by_others(tmp_path):
    assert json.loads(files.write_json(tmp_path / "x" / "y.json", [1]).read_text()) == [1]


def test_what_is_flushed_is_open_for_writing(tmp_path, monkeypatch):
    """Windows refuses to flush a file that is open for reading only."""
    opened = []
    original = files.Path.open
    monkeypatch.setattr(
        files.Path, "open", lambda self, mode="r", *a, **k: opened.append(mode) or original(self, mode, *a, **k)
    )
    with files.atomic(tmp_path / "a") as partial:
        partial.write_bytes(b"x")
    assert opened[-1] == "r+b"


def test_an_open_target_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_PATIENCE", (0.0, 0.0))
    original, refused = files.Path.replace, []

    def replace(self, target):
        if len(refused) < 2:
            refused.append(target)
            raise PermissionError(13, "in use")
        return original(self, target)

    monkeypatch.setattr(files.Path, "replace", replace)
    with files.atomic(tmp_path / "a") as partial:
        partial.write_text("new")
    assert (tmp_path / "a").read_text() == "new"
    refused.clear()
    monkeypatch.setattr(files, "_PATIENCE", (0.0,))
    with pytest.raises(PermissionError, match="in use"), files.atomic(tmp_path / "a") as partial:
        partial.write_text("newer")
    assert (tmp_path / "a").read_text() == "new"


@pytest.mark.skipif(os.name != "posix", reason="only the age tells there")
def test_what_killed_processes_left_is_removed(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = {
        "gone": f".writing-{files._machine()}-{ended.pid}-x",
        "alive": f".writing-{files._machine()}-{os.getpid()}-x",
        "elsewhere": f".writing-another-{ended.pid}-x",
        "old": f".writing-elsewhere-{os.getpid()}-x",
        "older edition": ".writing-abc",
    }
    for name in names.values():
        (tmp_path / name).mkdir()
        (tmp_path / name / "half").touch()
    for path in (tmp_path / names["old"], tmp_path / names["old"] / "half"):
        os.utime(path, (0, 0))
    files.write_json(tmp_path / "a.json", 1)
    assert {path.name for path in tmp_path.iterdir()} == {
        "a.json", names["alive"], names["elsewhere"], names["older edition"],
    }  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a file"):
        files.sha256(tmp_path / "pipe")


def test_long_names_are_shortened_and_stay_apart():
    names = ["ä" * 127 + "a", "ä" * 127 + "b", "x" * 251]
    short = [files.short_name(name, ".png") for name in names]
    assert len(set(short)) == 3
    assert all(len(name.encode()) <= 255 and name.endswith(".png") for name in short)
    assert short[2] == "x" * 251 + ".png"
