"""How clean a recording is: silence, clipping, noise.

Levels are those of frames of 20 ms, in dBFS. A recording's noise is the level of its quietest tenth, its signal that of
its loudest twentieth; the difference is the signal-to-noise ratio. It says something where a recording has pauses: only
where the quiet frames are like noise (their spectrum is flat) is it flagged.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from audioclust import parallel, recording
from audioclust.audio.decode import load
from audioclust.audio.filters import Samples
from audioclust.audio.voice import speech
from audioclust.validation import check_number

__all__ = ["CLEAN", "QUALITY", "qualities", "quality", "silence"]

QUALITY = {"clipped": "share", "noise": "dBFS", "snr": "dB", "silence": "share", "flatness": "0 to 1"}
"""What is measured, and the units."""
CLEAN = {"clipped": 0.001, "snr": 15.0, "silence": 0.6, "flatness": 0.3}
"""Where the flags begin."""
FRAME = 0.02  # s
LOWEST = -120.0  # dBFS of digital silence
CEILING = 32767 / 32768


def quality(y: Samples, sample_rate: int) -> dict[str, float]:
    """Measure how clean one recording is.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
        Full scale at -1 and 1.
    sample_rate : int
        In Hz.

    Returns
    -------
    dict
        ``clipped``, the share of samples that are held at full scale; ``noise`` (dBFS) and ``snr`` (dB), see above;
        ``silence``, the share of the time that is silent; ``flatness``, that of the spectrum of the quietest tenth (1:
        white noise, 0: a tone).

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    >>> measured = quality(np.clip(3 * tone, -1, 1), 16_000)
    >>> {name: round(measured[name], 1) for name in ("clipped", "noise", "snr", "silence")}
    {'clipped': 0.8, 'noise': -0.7, 'snr': 0.0, 'silence': 0.0}
    """
    y = np.asarray(y, dtype=np.float64)
    frames = _frames(y, sample_rate)
    level = _levels(frames)
    quiet = frames[level <= np.quantile(level, 0.1)]
    power = np.abs(np.fft.rfft(quiet * np.hanning(quiet.shape[1]), axis=1)[:, 1:]) ** 2 + 1e-20
    flatness = np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1)
    full = np.abs(y) >= CEILING
    held = full[1:] & full[:-1]
    noise, signal = np.quantile(level, [0.1, 0.95])
    return {
        "clipped": float((np.append(held, False) | np.append(False, held)).mean()) if len(y) else 0.0,
        "noise": float(noise),
        "snr": float(signal - noise),
        "silence": sum(end - start for start, end in silence(y, sample_rate)) / max(1, len(y)),
        "flatness": float(flatness.mean()) if noise > LOWEST else 0.0,
    }


def silence(y: Samples, sample_rate: int, *, depth: float = 40.0, shortest: float = 0.1) -> list[tuple[int, int]]:
    """Find the stretches that are far quieter than the loudest frame.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
    sample_rate : int
        In Hz.
    depth : float
        How far, in dB.
    shortest : float
        Stretches of fewer seconds do not count.

    Returns
    -------
    list of (start, end)
        In samples, in order.

    Raises
    ------
    ValueError
        When `depth` or `shortest` is below 0.

    Examples
    --------
    >>> silence(np.r_[np.zeros(4000), np.ones(8000), np.zeros(100)], 8000)
    [(0, 4000)]
    """
    check_number("depth", depth, 0)
    check_number("shortest", shortest, 0)
    frames = _frames(np.asarray(y, dtype=np.float64), sample_rate)
    level = _levels(frames)
    low = np.concatenate([[False], (level < level.max() - depth) | (level <= LOWEST), [False]])
    starts, ends = np.flatnonzero(~low[:-1] & low[1:]), np.flatnonzero(low[:-1] & ~low[1:])
    step = frames.shape[1]
    found = [(int(start * step), int(min(end * step, len(y)))) for start, end in zip(starts, ends, strict=True)]
    return [(start, end) for start, end in found if end - start >= shortest * sample_rate]


def qualities(
    metadata: pd.DataFrame, root: str | Path, *, voices: bool = False, jobs: parallel.Jobs = 1
) -> pd.DataFrame:
    """Measure how clean the recordings of a dataset are, and flag those that are not.

    Parameters
    ----------
    metadata : pd.DataFrame
        Of `datasets.scan`; rows with a ``problem`` are left out.
    root : str or Path
        Folder that ``path`` is relative to.
    voices : bool
        Whether to measure the share of speech, too, which takes longer.
    jobs : int or str
        As in `parallel`.

    Returns
    -------
    pd.DataFrame
        ``path``, the columns of `QUALITY`, ``speech`` (share) if asked for, and ``flags``: "clipped", "noisy", "mostly
        silence", in words, or nothing.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> from audioclust import datasets
    >>> root = Path(tempfile.mkdtemp())
    >>> soundfile.write(root / "loud.wav", np.clip(1.1 * np.sin(np.arange(16000) / 10), -1, 1), 16000)
    >>> qualities(datasets.scan(root), root)[["path", "flags"]]
           path    flags
    0  loud.wav  clipped
    """
    paths = metadata.loc[metadata["problem"].isna(), "path"]
    one = partial(_one, root=Path(root), voices=voices)
    rows = list(parallel.map(one, paths, jobs=jobs, description="quality"))
    columns = ["path", *QUALITY, *(["speech"] if voices else []), "flags"]
    return pd.DataFrame([row for row in rows if row], columns=columns)


def _one(path: str, *, root: Path, voices: bool) -> dict[str, object]:
    try:
        y, rate = load(root / path)
    except recording.RecordingError:  # it changed since it was scanned: whoever reads all of it will say so
        return {}
    found = quality(y, rate)
    flags = {
        "clipped": found["clipped"] >= CLEAN["clipped"],
        "noisy": found["snr"] < CLEAN["snr"] and found["flatness"] >= CLEAN["flatness"],
        "mostly silence": found["silence"] >= CLEAN["silence"],
    }
    spoken = sum(end - start for start, end in speech(y, rate)) / max(1, len(y)) if voices else 0.0
    return {"path": path, **found, "speech": spoken, "flags": ", ".join(name for name, is_so in flags.items() if is_so)}


def _frames(y: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return frames [shape=(frames, samples)], the last one filled up with zeros."""
    step = max(2, round(FRAME * sample_rate))
    return np.pad(y, (0, -len(y) % step if len(y) else step)).reshape(-1, step)


def _levels(frames: np.ndarray) -> np.ndarray:
    return 10 * np.log10(np.maximum(np.mean(frames**2, axis=1), 10 ** (LOWEST / 10)))
