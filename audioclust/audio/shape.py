"""Making recordings equally long."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from audioclust.audio.filters import Samples, check_rate

__all__ = ["FITS", "fit_duration"]

FITS = ("pad", "loop", "trim")


def fit_duration(
    y: Samples, sample_rate: int, *, duration: float, how: Literal["pad", "loop", "trim"] = "pad"
) -> Samples:
    """Cut a recording that is longer than `duration`, and fill one that is shorter.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
        Samples at `sample_rate` Hz.
    sample_rate : int
        In Hz.
    duration : float
        In seconds. What lies behind is cut off.
    how : {"pad", "loop", "trim"}
        A shorter recording is followed by zeros, is repeated, or stays as it is.

    Returns
    -------
    np.ndarray [shape=(round(duration * sample_rate),), float32]
        Fewer samples only with ``how="trim"``.

    Raises
    ------
    ValueError
        When `duration` is not positive or under one sample, or `how` is unknown.
    """
    check_rate(sample_rate)
    if how not in FITS:
        raise ValueError(f"how={how!r}: there is {', '.join(FITS)}")
    if not (math.isfinite(duration) and duration > 0 and round(duration * sample_rate) >= 1):
        raise ValueError(f"duration={duration!r}: give seconds, at least one sample long")
    length = round(duration * sample_rate)
    if len(y) >= length or how == "trim":
        return y[:length]
    if how == "loop" and len(y):
        return np.resize(y, length)
    return np.pad(y, (0, length - len(y)))
