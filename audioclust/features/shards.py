"""Rows of one feature of some recordings: in memory, and in the files that workers leave in the store.

A file is three arrays in NumPy's format, one after the other, and the CRC-32 of all.
"""

from __future__ import annotations

import io
import logging
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["LostShard", "Rows", "in_order", "load", "names", "readable", "save"]

log = logging.getLogger(__name__)

_GROUP = 1024  # rows that are in memory together
_DAMAGED = (OSError, ValueError, EOFError, IndexError, TypeError, SyntaxError, TokenError, MemoryError)
_SIMPLE = ("sha256", "frames", "peak", "profile", "images")  # fields that are put together along their first axis
_OPEN = 8  # shards that are in memory while they are put in order


@dataclass
class Rows:
    """Rows of one entry of the store.

    Attributes
    ----------
    sha256 : np.ndarray [shape=(n,), str]
    frames : np.ndarray [shape=(n,), int32]
    peak : np.ndarray [shape=(n,), float32]
        dB, or NaN.
    statistics : np.ndarray [shape=(4, n, bands), float32]
        Statistics first, as the table holds them.
    profile : np.ndarray [shape=(sum of frames,), float32]
        One after the other.
    images : np.ndarray [shape=(n, 48, 96)]
    """

    sha256: npt.NDArray[Any]
    frames: npt.NDArray[Any]
    peak: npt.NDArray[Any]
    statistics: npt.NDArray[Any]
    profile: npt.NDArray[Any]
    images: npt.NDArray[Any]

    @classmethod
    def joined(cls, parts: Sequence[Rows]) -> Rows:
        """Return the rows of several, one after the other."""
        whole = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _SIMPLE}
        shape = (len(parts[0].statistics), len(whole["frames"]), *parts[0].statistics.shape[2:])
        statistics = np.empty(shape, np.float32)  # left to itself, numpy keeps the order that shards have
        np.concatenate([part.statistics for part in parts], axis=1, out=statistics)
        return cls(statistics=statistics, **whole)

    def take(self, chosen: npt.NDArray[np.integer]) -> Rows:
        """Return some of the rows, in the order given."""
        if np.array_equal(chosen, np.arange(len(self.frames))):
            return self
        ends = np.cumsum(self.frames)
        parts = [self.profile[ends[i] - self.frames[i] : ends[i]] for i in chosen]
        profile = np.concatenate(parts) if parts else self.profile[:0]
        whole = {name: getattr(self, name)[chosen] for name in _SIMPLE if name != "profile"}
        return Rows(statistics=self.statistics[:, chosen], profile=profile, **whole)


class LostShard(Exception):
    """A shard that is gone, or does not agree with its checksum; `path` is its file."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path


def save(rows: Rows, path: Path) -> None:
    """Write a shard: the names, the profiles, an array with a row of all else for each recording, a checksum."""
    whole = {"frames": rows.frames, "peak": rows.peak, "statistics": rows.statistics.swapaxes(0, 1)}
    whole["images"] = rows.images
    table = np.empty(len(rows.frames), [(name, value.dtype, value.shape[1:]) for name, value in whole.items()])
    for name, value in whole.items():
        table[name] = value
    arrays = rows.sha256, rows.profile, table
    with path.open("wb") as handle:
        for array in arrays:
            np.lib.format.write_array(handle, array, allow_pickle=False)
        handle.write(_checksum(arrays))


def load(path: Path) -> Rows:
    """Read a shard, or raise :class:`LostShard`; a damaged one is removed, and its recordings are computed again."""
    with _undamaged(path):
        held = io.BytesIO(path.read_bytes())
        arrays = [_array(held) for _ in range(3)]
        if held.read() != _checksum(arrays):
            raise ValueError("its checksum is another one")
        sha256, profile, table = arrays
        whole = {name: table[name] for name in ("frames", "peak", "images")}
        return Rows(sha256=sha256, profile=profile, statistics=table["statistics"].swapaxes(0, 1), **whole)


def names(path: Path) -> list[str]:
    """Return the SHA-256 of the recordings in a shard, without reading the rest; errors as of :func:`load`."""
    with _undamaged(path), path.open("rb") as handle:
        found: list[str] = np.lib.format.read_array(handle, allow_pickle=False).tolist()
        return found


def _array(held: io.BytesIO) -> npt.NDArray[Any]:
    """Return the next array of a file in memory, which is not copied."""
    np.lib.format.read_magic(held)
    (count,), _, dtype = np.lib.format.read_array_header_1_0(held)
    array = np.frombuffer(held.getbuffer(), dtype, count, held.tell())
    held.seek(array.nbytes, os.SEEK_CUR)
    return array


def _checksum(arrays: Iterable[npt.NDArray[Any]]) -> bytes:
    total = 0
    for array in arrays:
        total = zlib.crc32(array.data, total)
    return total.to_bytes(4, "little")


@contextmanager
def _undamaged(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:  # another process has just moved it into the table
        raise LostShard(path) from error
    except _DAMAGED as error:
        log.warning("shard %s is damaged (%s); its recordings are computed again", path, error)
        with suppress(OSError):
            path.unlink()
        raise LostShard(path) from error


def readable(paths: Sequence[Path]) -> Iterator[Rows]:
    """Yield the rows of each shard that is there and undamaged."""
    for path in paths:
        with suppress(LostShard):
            yield load(path)


def in_order(paths: Sequence[Path], shard: npt.NDArray[np.integer], row: npt.NDArray[np.integer]) -> Iterator[Rows]:
    """Yield rows of shards, some at a time.

    Parameters
    ----------
    paths : sequence of Path
    shard, row : np.ndarray [shape=(n,), int]
        Which shard, and which row in it, each one is.
    """
    opened = lru_cache(maxsize=_OPEN)(load)
    for start in range(0, len(shard), _GROUP):
        part = shard[start : start + _GROUP]
        begins = np.flatnonzero(np.diff(part, prepend=-1))
        ends = np.append(begins[1:], len(part)) + start
        runs = zip(part[begins], begins + start, ends, strict=True)
        yield Rows.joined([opened(paths[at]).take(row[begin:end]) for at, begin, end in runs])
