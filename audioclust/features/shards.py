"""Rows of one feature of some recordings: in memory, and in the files that workers leave in the store."""

from __future__ import annotations

import logging
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["LostShard", "Rows", "in_order", "load", "names", "readable"]

log = logging.getLogger(__name__)

_GROUP = 1024  # rows that are in memory together
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
    statistics : np.ndarray [shape=(n, 4, bands), float32]
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
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})

    def take(self, chosen: npt.NDArray[np.integer]) -> Rows:
        """Return some of the rows, in the order given."""
        if np.array_equal(chosen, np.arange(len(self.frames))):
            return self
        ends = np.cumsum(self.frames)
        parts = [self.profile[ends[i] - self.frames[i] : ends[i]] for i in chosen]
        profile = np.concatenate(parts) if parts else self.profile[:0]
        whole = {name: value[chosen] for name, value in vars(self).items() if name != "profile"}
        return Rows(profile=profile, **whole)


class LostShard(Exception):
    """A shard that is gone, or does not agree with its checksums; `path` is its file."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path


def load(path: Path) -> Rows:
    """Read a shard, or raise :class:`LostShard`; a damaged one is removed, and its recordings are computed again."""
    return Rows(**_members(path, [field.name for field in fields(Rows)]))


def names(path: Path) -> list[str]:
    """Return the SHA-256 of the recordings in a shard, without reading the rest; errors as of :func:`load`."""
    found: list[str] = _members(path, ["sha256"])["sha256"].tolist()
    return found


def _members(path: Path, chosen: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as data:
            return {name: data[name] for name in chosen}
    except FileNotFoundError as error:  # another process has just moved it into the table
        raise LostShard(path) from error
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        log.warning("shard %s is damaged (%s); its recordings are computed again", path, error)
        shutil.rmtree(path.parent, ignore_errors=True)
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
