"""Files that are either whole or not there.

Every file the package writes goes through :func:`atomic`: it is written beside its place under a temporary name,
flushed to the disk (unless it carries a checksum), and renamed. A reader never sees half a file, a full disk or a kill
leaves the old one.
What a killed process had begun (a folder ``.writing-...``) is removed by the next one that writes beside it.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import math
import os
import platform
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import numpy as np

from audioclust.text import csv

if TYPE_CHECKING:  # importing it costs every worker a second
    import pandas as pd

__all__ = [
    "atomic",
    "digest",
    "is_below",
    "locked",
    "open_regular",
    "read_json",
    "scratch",
    "sha256",
    "short_name",
    "write_csv",
    "write_json",
]

_ABANDONED = 24 * 3600  # s after which an unfinished folder of an unknown process counts as left behind
_NEW = 10.0  # s in which the owner of a scratch folder has certainly taken its lock
_PATIENCE = (0.1, 0.2, 0.4, 0.8, 1.6) if os.name == "nt" else ()  # s; Windows replaces no file that is open
_PLAIN = re.compile(r"[^./\\:\0][^/\\:\0]*(/[^./\\:\0][^/\\:\0]*)*").fullmatch
_cleaned: set[Path] = set()


@contextmanager
def atomic(path: str | Path, *, folder: bool = False, flush: bool = True) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; it becomes `path` when the block ends without an error.

    Parameters
    ----------
    path : str or Path
        Where the finished file will stand; missing parent folders are made.
    folder : bool
        Whether the thing written is a folder. It replaces an older one as a whole.
    flush : bool
        Whether to wait, some milliseconds, until the disk has a file. Without, a power cut may leave less of it: only
        for files that are checked when they are used, and can be made again. Folders are not flushed.

    Yields
    ------
    Path
        A path with the same suffix in the same folder. It does not exist yet, unless ``folder``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent not in _cleaned:
        _cleaned.add(path.parent)
        _remove_abandoned(path.parent)
    scratch = Path(tempfile.mkdtemp(prefix=f".writing-{_machine()}-{os.getpid()}-", dir=path.parent))
    partial = scratch / path.name
    try:
        if folder:
            partial.mkdir()
        yield partial
        if folder:
            if path.exists():
                _move(path, scratch / "replaced")
        elif flush:
            with partial.open("r+b") as handle:  # Windows flushes no file that is open for reading only
                os.fsync(handle.fileno())
        _move(partial, path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _move(source: Path, target: Path) -> None:
    """Rename, with some patience for other programs that have the target open."""
    for pause in _PATIENCE:
        try:
            source.replace(target)
            return
        except PermissionError:
            time.sleep(pause)
    source.replace(target)


def _remove_abandoned(folder: Path) -> None:
    """Remove unfinished folders whose process is gone, or, where that cannot be known, that are a day old."""
    for scratch in folder.glob(".writing-*"):
        abandoned = False
        _, machine, number, *_ = (*scratch.name.split("-"), "", "")
        if machine == _machine() and number.isdecimal() and os.name == "posix":
            abandoned = not _runs(int(number))
        else:
            with suppress(OSError):
                newest = max(path.lstat().st_mtime for path in (scratch, *scratch.rglob("*")))
                abandoned = time.time() - newest > _ABANDONED
        if abandoned:
            shutil.rmtree(scratch, ignore_errors=True)


def _runs(number: int) -> bool:
    """Return whether a process of this number runs (POSIX only: on Windows the same call would end it)."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


@cache
def _machine() -> str:
    """Name the machine, or the container, whose process numbers these are."""
    parts = [platform.node()]
    with suppress(OSError):
        parts += [Path("/proc/sys/kernel/random/boot_id").read_text(), os.readlink("/proc/self/ns/pid")]  # noqa: PTH115
    return digest(parts, 8)


def write_json(path: str | Path, value: Any) -> Path:
    """Write `value` as JSON, atomically; NaN and infinities become null, numpy numbers and paths plain ones."""
    path = Path(path)
    text = json.dumps(_plain(value), indent=1, ensure_ascii=False, allow_nan=False)
    with atomic(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")
    return path


def write_csv(path: str | Path, table: pd.DataFrame) -> Path:
    """Write a table as CSV, atomically; text in it is never a formula to a spreadsheet, see `audioclust.text.csv`."""
    path = Path(path)
    with atomic(path) as partial:
        partial.write_text(csv(table), encoding="utf-8", newline="\n")
    return path


def read_json(path: str | Path) -> Any:
    """Read a JSON file written by :func:`write_json`."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def digest(value: Any, length: int = 12) -> str:
    """Name a set of parameters: the first `length` hex digits of the SHA-256 of its canonical JSON."""
    text = json.dumps(_plain(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex; an OSError where the path is no regular file."""
    with open_regular(path) as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def open_regular(path: str | Path, *, raw: type[io.FileIO] = io.FileIO) -> io.BufferedReader:
    """Open a file for reading; anything but a regular file is an OSError. A pipe does not make it wait."""
    opened = raw(path, opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))
    if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
        opened.close()
        raise OSError(errno.EINVAL, "not a file", str(path))
    return io.BufferedReader(opened, 1 << 16)


def is_below(path: Any) -> bool:
    """Return whether `path` is a text that names a place below a folder, on every system.

    Examples
    --------
    >>> [is_below(path) for path in ("a/b.wav", "../b.wav", "/b.wav", "C:/b.wav", "", None)]
    [True, False, False, False, False, False]
    """
    if not isinstance(path, str) or not path or "\0" in path:
        return False
    if _PLAIN(path):  # nearly all are; the rest of this takes ten times as long
        return True
    posix, windows = PurePosixPath(path), PureWindowsPath(path)
    outside = posix.is_absolute() or windows.drive or windows.root or ".." in (*posix.parts, *windows.parts)
    return bool(posix.parts) and not outside


def short_name(name: str, suffix: str = "") -> str:
    """Return `name` + `suffix`; where that exceeds the 255 bytes of a file name, a digest ends the shortened name.

    Examples
    --------
    >>> short_name("a.wav", ".png"), len(short_name("a" * 255, ".png"))
    ('a.wav.png', 255)
    """
    if len(os.fsencode(name + suffix)) <= 255:
        return name + suffix
    ending = f"~{digest(name)}{suffix}"
    return os.fsencode(name)[: 255 - len(ending)].decode(errors="ignore") + ending


@contextmanager
def locked(path: str | Path, *, timeout: float = -1) -> Iterator[None]:
    """Hold the lock file `path` (made if missing) for the block; it is freed however the process ends.

    Raises
    ------
    TimeoutError
        When another process holds it for longer than `timeout` seconds (-1 waits for ever).
    """
    from filelock import FileLock, Timeout  # here, since workers of most kinds need no lock

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


@contextmanager
def scratch(place: str | Path) -> Iterator[Path]:
    """Give a folder under `place` to this user alone; it is removed when the block ends.

    Those that killed processes left there are removed first: nobody holds their lock.
    """
    place = Path(place)
    place.mkdir(parents=True, exist_ok=True)
    _remove_unlocked(place)
    made = tempfile.TemporaryDirectory(prefix="audioclust-", dir=place, ignore_cleanup_errors=True)
    with made as name, locked(Path(name) / ".lock"):
        yield Path(name)


def _remove_unlocked(place: Path) -> None:
    for folder in place.glob("audioclust-*"):
        try:
            mine = not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
            lock = folder / ".lock"
            if not mine or folder.is_symlink() or time.time() - lock.stat().st_mtime < _NEW:
                continue
            with locked(lock, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # in use, or removed by another process just now
            continue


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
