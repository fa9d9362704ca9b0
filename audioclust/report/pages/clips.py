"""Recordings made small enough to stand inside a page: MP3 of 16 kHz mono, and a small picture of the spectrogram.

MP3, because every browser plays it and a short clip costs little: Vorbis spends 4 kB on its header alone.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from audioclust import audio
from audioclust.recording import RecordingError
from audioclust.report.pages import thumbnails

__all__ = ["Clip", "embedded_bytes", "prepare"]

RATE = 16_000
_COMPRESSION = 0.7  # variable bit rate, about 30 kbit/s for speech


@dataclass(frozen=True)
class Clip:
    """What a page shows and plays of one recording; None where not wanted or not possible.

    Attributes
    ----------
    sound : str or None
        MP3 as base64.
    thumbnail : np.ndarray or None
        As `thumbnails.draw` gives.
    problem : str or None
        Why the file cannot be used.
    """

    sound: str | None = None
    thumbnail: np.ndarray | None = None
    problem: str | None = None


def embedded_bytes(seconds: np.ndarray | float) -> np.ndarray:
    """Estimate, on the safe side, the size in a page of clips of so many seconds."""
    return (500 + 3800 * np.asarray(seconds, dtype=float)) * 4 / 3


def prepare(work: tuple[Path, float | None, bool]) -> Clip:
    """Read a recording and make its clip.

    Parameters
    ----------
    work : (Path, float or None, bool)
        The file; how many seconds of it to embed (infinity: all of it; None: nothing); whether to draw a thumbnail.

    Returns
    -------
    Clip
        One with a ``problem`` where the file cannot be used.
    """
    path, seconds, thumbnail = work
    try:
        y, _ = audio.load(path, sample_rate=RATE)
    except RecordingError as error:
        return Clip(problem=error.problem)
    picture = thumbnails.draw(y, RATE) if thumbnail else None
    return Clip(None if seconds is None else _mp3(_excerpt(y, seconds)), picture)


def _excerpt(y: np.ndarray, seconds: float) -> np.ndarray:
    """Return the part of so many seconds that holds the most energy, faded at its ends."""
    if len(y) <= seconds * RATE:
        return y
    length = max(1, int(seconds * RATE))
    energy = np.concatenate([[0.0], np.cumsum(y.astype(np.float64) ** 2)])
    start = int(np.argmax(energy[length:] - energy[:-length]))
    part = y[start : start + length].copy()
    fade = np.linspace(0, 1, min(160, length), dtype=part.dtype)
    part[: len(fade)] *= fade
    part[-len(fade) :] *= fade[::-1]
    return part


def _mp3(y: np.ndarray) -> str:
    memory = io.BytesIO()
    form = {"format": "MP3", "subtype": "MPEG_LAYER_III", "compression_level": _COMPRESSION}
    with soundfile.SoundFile(memory, "w", RATE, 1, **form) as handle:
        handle.write(np.clip(y, -1, 1))
    return base64.b64encode(memory.getvalue()).decode("ascii")
