"""What of the recordings is embedded in a page: as much sound as its size allows, first of the recordings it shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audioclust import parallel, recording
from audioclust.report.pages import clips, thumbnails

__all__ = ["Embedded", "durations", "embed", "plan"]

_SHORTEST = 1.0  # s, below which an excerpt says nothing
_PICTURES = 0.7  # share of a page's size that pictures may take


@dataclass(frozen=True)
class Embedded:
    """What stands in a page.

    Attributes
    ----------
    seconds : list of float or None
        By recording: how much of it is embedded at most; infinity is all of it, None nothing.
    clips : dict of int to Clip
        By row, of those that were read.
    sounds : dict of int to str
        By row, the sound of those that are embedded.
    thumbnails : dict or None
        Where the pictures are, as `thumbnails.sheets` gives.
    images : list of bytes
        The pictures, many in each.
    """

    seconds: list[float | None]
    clips: dict[int, clips.Clip]
    sounds: dict[int, str]
    thumbnails: dict[str, Any] | None
    images: list[bytes]


def embed(
    root: Path, paths: Sequence[str], seconds: np.ndarray, shown: Sequence[int], limit: float, jobs: parallel.Jobs
) -> Embedded:
    """Read what a page needs of the recordings.

    Parameters
    ----------
    root : Path
    paths : sequence of str
        Relative to `root`.
    seconds : np.ndarray [shape=(n,)]
        Durations; NaN where unknown.
    shown : sequence of int
        Rows that have a picture and sound before all others.
    limit : float
        Bytes that sound and pictures may take.
    jobs : int or str
        As in `parallel`.
    """
    pictured = _pictured(len(paths), shown, limit)
    wanted = plan(seconds, shown, limit - thumbnails.estimated_bytes(len(pictured)))
    needed = [row for row in range(len(paths)) if wanted[row] is not None or row in pictured]
    work = [(root / paths[row], wanted[row], row in pictured) for row in needed]
    made = dict(zip(needed, parallel.map(clips.prepare, work, jobs=jobs, description="clips"), strict=True))
    drawn = {row: clip.thumbnail for row, clip in made.items() if clip.thumbnail is not None}
    form, images = thumbnails.sheets(drawn, len(paths))
    used = sum(map(len, images)) * 4 / 3
    return Embedded(wanted, made, _within(made, shown, limit - used), form, images)


def _pictured(n: int, shown: Sequence[int], limit: float) -> set[int]:
    """Return the rows that have a picture: all if they fit, else those shown first if they do."""
    for rows in (range(n), shown):
        if thumbnails.estimated_bytes(len(rows)) <= _PICTURES * limit:
            return set(rows)
    return set()


def durations(index: pd.DataFrame, root: Path) -> np.ndarray:
    """Return the recordings' durations in seconds [shape=(n,)], from the metadata or from the files; NaN if unknown."""
    known = index["duration"] if "duration" in index else [_duration(root / str(path)) for path in index["path"]]
    return pd.to_numeric(pd.Series(known, dtype=object), errors="coerce").to_numpy(dtype=float)


def _duration(path: Path) -> float | None:
    return recording.inspect(path).get("duration")


def plan(seconds: np.ndarray, shown: Sequence[int], limit: float) -> list[float | None]:
    """Say how many seconds of each recording are embedded: infinity for all of it, None for nothing."""
    seconds = np.nan_to_num(seconds, nan=5.0)
    if float(clips.embedded_bytes(seconds).sum()) <= limit:
        return [math.inf] * len(seconds)
    for rows in (range(len(seconds)), sorted(set(shown))):
        chosen = seconds[list(rows)]
        if len(chosen) == 0:
            continue
        longest = _longest(chosen, limit)
        if longest >= min(_SHORTEST, float(chosen.max(initial=0))):
            return [longest if row in set(rows) else None for row in range(len(seconds))]
    return [None] * len(seconds)


def _longest(seconds: np.ndarray, limit: float) -> float:
    """Return the longest excerpt that fits `limit` when every recording is cut to it."""
    low, high = 0.0, float(seconds.max(initial=0))
    if clips.embedded_bytes(seconds).sum() <= limit:
        return math.inf
    for _ in range(40):
        middle = (low + high) / 2
        fits = clips.embedded_bytes(np.minimum(seconds, middle)).sum() <= limit
        low, high = (middle, high) if fits else (low, middle)
    return low


def _within(made: dict[int, clips.Clip], shown: Sequence[int], limit: float) -> dict[int, str]:
    """Keep sounds, those of the sheets first, until the limit is reached: estimates may be wrong, the limit not."""
    used = 0
    kept: dict[int, str] = {}
    for row in dict.fromkeys([*shown, *made]):
        sound = made[row].sound if row in made else None
        if sound is not None and used + len(sound) <= limit:
            kept[row] = sound
            used += len(sound)
    return kept
