"""From a file to one channel of samples.

Samples are float32 in [-1, 1], shape ``(samples,)``. Channels are averaged, rates are changed by soxr at its quality
"HQ" (linear phase, pass band to 0.913 of the lower Nyquist frequency), so that the result equals
``librosa.load(path, sr=sample_rate, res_type="soxr_hq")`` sample for sample.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from audioclust import recording

__all__ = ["load", "resample"]

Samples = npt.NDArray[np.float32]


def load(path: str | Path, sample_rate: int | None = None) -> tuple[Samples, int]:
    """Read a recording as one channel.

    Parameters
    ----------
    path : str or Path
        A file in any format that :func:`audioclust.recording.read` knows.
    sample_rate : int or None
        Rate to change to, in Hz; None keeps the file's own.

    Returns
    -------
    y : np.ndarray [shape=(samples,), float32]
        The mean of the channels.
    sample_rate : int
        In Hz.

    Raises
    ------
    recording.RecordingError
        When the file cannot be used; its text is the ``problem``.
    ValueError
        When `sample_rate` is not positive.
    """
    if sample_rate is not None:
        check_rate(sample_rate)
    frames, own_rate = recording.read(path)
    y = frames[:, 0] if frames.shape[1] == 1 else frames.mean(axis=1, dtype=np.float32)
    y = np.ascontiguousarray(y, dtype=np.float32)
    if sample_rate is None:
        return y, int(own_rate)
    return resample(y, own_rate, sample_rate), int(sample_rate)


def resample(y: Samples, sample_rate: int, target: int) -> Samples:
    """Change the rate of `y` from `sample_rate` to `target` Hz.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
        Samples at `sample_rate`.
    sample_rate, target : int
        In Hz.

    Returns
    -------
    np.ndarray [shape=(ceil(samples * target / sample_rate),), float32]

    Raises
    ------
    ValueError
        When a rate is not positive.
    """
    check_rate(sample_rate)
    check_rate(target, "target")
    if sample_rate == target or len(y) == 0:
        return y
    length = math.ceil(len(y) * (target / sample_rate))
    changed = np.asarray(soxr.resample(y, sample_rate, target, quality="HQ"), dtype=np.float32)[:length]
    return np.pad(changed, (0, length - len(changed)))


def check_rate(rate: int, name: str = "sample_rate") -> None:
    """Raise ValueError unless `rate` is a whole, positive number of Hz."""
    if isinstance(rate, bool) or not isinstance(rate, (int, np.integer)) or rate <= 0:
        raise ValueError(f"{name}={rate!r}: give a whole number of Hz above 0")
