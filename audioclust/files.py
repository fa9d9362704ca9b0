"""Files that are either whole or not there.

Every file the package writes goes through :func:`atomic`: it is written beside its place under a temporary name,
flushed to the disk, and renamed. A reader never sees half a file, a full disk or a kill leaves the old one.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

__all__ = ["atomic", "digest", "locked", "read_json", "sha256", "write_json"]


@contextmanager
def atomic(path: str | Path, *, folder: bool = False) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; it becomes `path` when the block ends without an error.

    Parameters
    ----------
    path : str or Path
        Where the finished file will stand; missing parent folders are made.
    folder : bool
        Whether the thing written is a folder. It replaces an older one as a whole.

    Yields
    ------
    Path
        A path with the same suffix in the same folder. It does not exist yet, unless ``folder``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".writing-", dir=path.parent))
    partial = scratch / path.name
    try:
        if folder:
            partial.mkdir()
        yield partial
        if folder:
            if path.exists():
                path.rename(scratch / "replaced")
        else:
            with partial.open("rb") as handle:
                os.fsync(handle.fileno())
        partial.replace(path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_json(path: str | Path, value: Any) -> Path:
    """Write `value` as JSON, atomically; NaN and infinities become null, numpy numbers and paths plain ones."""
    path = Path(path)
    text = json.dumps(_plain(value), indent=1, ensure_ascii=False, allow_nan=False)
    with atomic(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")
    return path


def read_json(path: str | Path) -> Any:
    """Read a JSON file written by :func:`write_json`."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def digest(value: Any, length: int = 12) -> str:
    """Name a set of parameters: the first `length` hex digits of the SHA-256 of its canonical JSON."""
    text = json.dumps(_plain(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextmanager
def locked(path: str | Path, *, timeout: float = -1) -> Iterator[None]:
    """Hold the lock file `path` (made if missing) for the block; it is freed however the process ends.

    Raises
    ------
    TimeoutError
        When another process holds it for longer than `timeout` seconds (-1 waits for ever).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(str(path), timeout=timeout)
    try:
        lock.acquire()
    except Timeout:
        raise TimeoutError(f"{path} is held by another process for more than {timeout} s") from None
    try:
        yield
    finally:
        lock.release()


def _plain(value: Any) -> Any:
    """Turn numpy, paths, sets and tuples into what JSON knows."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(_plain(item) for item in value)
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)
