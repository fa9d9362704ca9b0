"""Files are whole or not there."""

import json
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
