"""Recordings cut for u-vectors: stretches of sound, segments of a second, frames without overlap.

A segment is so short that it is taken to hold one voice; its frames share a pseudo-label. No label of anybody is known
here. Frames are kept in memory as int16, as they are in most files; a frame never reaches from one segment into the
next, and what is left of a segment after its last whole frame is dropped.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audioclust import audio
from audioclust.recording import RecordingError
from audioclust.validation import check_choice, check_number, check_share

__all__ = ["SPLITS", "Frames", "cut", "read_waves", "scrambled"]

SPLITS = ("silence", "voice", "none")
TOP_DB = 16.0
ANALYSIS, STEP = 0.2, 0.1  # s: window and hop of the level that the silence split looks at


@dataclass(frozen=True)
class Frames:
    """Frames of sound, and where each comes from.

    Parameters
    ----------
    samples : array of int16 [shape=(n, length)]
    segment, recording : array of int [shape=(n,)]
        The number of the segment and of the recording that a frame was cut from.
    n_recordings : int
        Recordings that were given, with or without a frame.
    sample_rate : int
        In Hz.
    problems : dict of int to str
        Recordings without a frame, and why.
    """

    samples: NDArray[np.int16]
    segment: NDArray[np.intp]
    recording: NDArray[np.intp]
    n_recordings: int
    sample_rate: int = 16000
    problems: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.samples)

    def of(self, recordings: ArrayLike) -> Frames:
        """Return the frames of these recordings alone; numbers stay as they are."""
        keep = np.isin(self.recording, np.asarray(recordings))
        return self.rows(keep)

    def rows(self, keep: NDArray[Any]) -> Frames:
        """Return chosen frames."""
        return replace(self, samples=self.samples[keep], segment=self.segment[keep], recording=self.recording[keep])


def cut(
    X: Frames | Sequence[Any],
    *,
    sample_rate: int = 16000,
    frame: float = 0.2,
    segment: float = 1.0,
    split: str = "silence",
) -> Frames:
    """Cut recordings into segments and frames.

    Parameters
    ----------
    X : sequence of array or path
        Mono waves in -1..1 at `sample_rate`, or files.
    sample_rate : int
        Of the frames, in Hz.
    frame, segment : float
        Their lengths in seconds. The last segment of a stretch of sound may be shorter, down to one frame.
    split : {"silence", "voice", "none"}
        Where sound is: within 16 dB of the recording's loudest fifth of a second (as published), where Silero hears
        speech, or everywhere.

    Raises
    ------
    ValueError
        When a parameter or a wave cannot be used.

    Examples
    --------
    >>> wave = np.sin(np.arange(40000)).astype(np.float32)      # 2.5 s
    >>> frames = cut([wave], split="none")
    >>> frames.samples.shape, np.bincount(frames.segment).tolist()
    ((12, 3200), [5, 5, 2])
    """
    if isinstance(X, Frames):
        return X
    check_choice("split", split, SPLITS)
    check_number("sample_rate", sample_rate, 1000, whole=True)
    check_number("frame", frame, 0.02, 10)
    check_number("segment", segment, frame, 60)
    length, most = round(frame * sample_rate), round(segment * sample_rate)
    samples: list[np.ndarray] = []
    segments, recordings, problems = [], [], {}
    count = 0
    for number, (wave, problem) in enumerate(read_waves(X, sample_rate)):
        before = count
        for start, end in sound(wave, sample_rate, split):
            for begin in range(start, end, most):
                piece = wave[begin : min(begin + most, end)]
                if n := len(piece) // length:
                    samples.append(_int16(piece[: n * length]).reshape(n, length))
                    segments += [count] * n
                    recordings += [number] * n
                    count += 1
        if count == before:
            problems[number] = problem or f"holds no {frame:g} s of sound"
    kept = np.concatenate(samples) if samples else np.empty((0, length), np.int16)
    return Frames(kept, np.array(segments, np.intp), np.array(recordings, np.intp), len(X), sample_rate, problems)


def read_waves(X: Sequence[Any], sample_rate: int) -> list[tuple[NDArray[np.float32], str | None]]:
    """Return every recording's samples, or none and why.

    Raises
    ------
    ValueError
        When `X` is no list of recordings, or a wave is not mono, no float, or not finite.
    """
    from audioclust.embeddings.encoder import checked_waves

    if isinstance(X, str | Path) or (isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype != object):
        raise ValueError("X is one recording: give a list of recordings, [X]")
    read: list[tuple[NDArray[np.float32], str | None]] = []
    for place, each in enumerate(X):
        if isinstance(each, str | Path):
            try:
                read.append((audio.load(each, sample_rate)[0], None))
            except RecordingError as error:
                read.append((np.empty(0, np.float32), f"{each}: {error}"))
        elif np.size(each) == 0:
            read.append((np.empty(0, np.float32), "is empty"))
        else:
            try:
                read.append((checked_waves([each], sample_rate, sample_rate)[0], None))
            except ValueError as error:
                raise ValueError(str(error).replace("waves[0]", f"X[{place}]")) from None
    return read


def sound(wave: NDArray[np.float32], sample_rate: int, split: str) -> list[tuple[int, int]]:
    """Return the stretches of sound, in samples."""
    if len(wave) == 0 or not wave.any():
        return []
    if split == "none":
        return [(0, len(wave))]
    if split == "voice":
        return audio.speech(wave, sample_rate)
    from librosa.effects import split as split_silence

    window, hop = round(ANALYSIS * sample_rate), round(STEP * sample_rate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a wave shorter than the window
        return [(int(a), int(b)) for a, b in split_silence(wave, top_db=TOP_DB, frame_length=window, hop_length=hop)]


def scrambled(groups: NDArray[np.intp], share: float, random_state: int = 0) -> NDArray[np.intp]:
    """Return pseudo-labels, a `share` of them exchanged for another group's: the impurity of the published tables.

    Exactly ``round(share * n)`` of them change.

    Examples
    --------
    >>> groups = np.repeat(np.arange(10), 5)
    >>> int((scrambled(groups, 0.1) != groups).sum())
    5
    """
    check_share("share", share, zero=True)
    draw = np.random.default_rng(random_state)
    names = np.unique(groups)
    if len(names) < 2:
        raise ValueError("groups has one group: there is no other to exchange with")
    changed = groups.copy()
    rows = draw.choice(len(groups), round(share * len(groups)), replace=False)
    place = np.searchsorted(names, groups[rows])
    changed[rows] = names[(place + draw.integers(1, len(names), len(rows))) % len(names)]
    return changed


def _int16(wave: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.round(np.clip(wave, -1, 1) * 32767).astype(np.int16)
