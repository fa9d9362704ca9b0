"""How loud a recording is, and making it as loud as another.

Peak and root mean square are in dBFS (0 dB is a full-scale square wave; a full-scale sine has an RMS of -3.01 dBFS).
Loudness is in LUFS: K-weighted, gated [1]_, measured by pyloudnorm. It needs 0.4 s; the RMS in dBFS stands in for
anything shorter, with which it agrees for a 997 Hz sine.

References
----------
.. [1] ITU-R BS.1770-4. "Algorithms to measure audio programme loudness and true-peak audio level." 2015.
"""

from __future__ import annotations

import math
import warnings
from typing import Literal

import numpy as np

from audioclust.audio.filters import Samples, check_rate

__all__ = ["LEVELS", "fit_full_scale", "loudness", "normalise"]

LEVELS = {"peak": -1.0, "lufs": -23.0}
"""What can be set, and to what: peak in dBFS, loudness in LUFS (EBU R 128)."""
GATE = -70.0  # LUFS, below which BS.1770 measures nothing
BLOCK = 0.4  # s, the gating block of BS.1770
SILENCE = 2.0**-15  # peak: one step of 16-bit audio; below it there is nothing to raise


def loudness(y: Samples, sample_rate: int) -> float:
    """Measure the loudness of a recording.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
        Samples at `sample_rate` Hz.
    sample_rate : int
        In Hz.

    Returns
    -------
    float
        In LUFS, or the RMS in dBFS for recordings under 0.4 s. Also the RMS where every block of 0.4 s lies below the
        gate (a click in silence, sound below hearing). -inf for digital silence only; never NaN.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 997 * np.arange(48_000) / 48_000)
    >>> round(loudness(tone, 48_000), 1), round(loudness(1e-4 * tone, 48_000), 1)
    (-3.1, -83.1)
    """
    check_rate(sample_rate)
    peak = _peak(y)
    if peak == 0:
        return -math.inf
    # Measured at full scale: the absolute gate at -70 LUFS is then 70 dB below the recording's own peak, and a quiet
    # recording is measured like the same one louder.
    scaled = y.astype(np.float64) / peak
    measured = gated(scaled, sample_rate) if len(y) >= BLOCK * sample_rate else -math.inf
    if not math.isfinite(measured):
        measured = 10 * math.log10(float(np.mean(scaled**2)))
    return measured + 20 * math.log10(peak)


def gated(y: np.ndarray, sample_rate: int) -> float:
    """Return what BS.1770 gives, in LUFS; -inf where every block lies below its absolute gate at -70 LUFS.

    Recordings are one channel here, which the standard weighs like the left or right one of a stereo recording:
    a stereo file is mixed down before, and not the sum of its channels' energies.
    """
    import pyloudnorm

    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it takes the mean of no blocks
        measured = float(pyloudnorm.Meter(sample_rate, block_size=BLOCK).integrated_loudness(y))
    return measured if math.isfinite(measured) else -math.inf


def normalise(
    y: Samples,
    sample_rate: int,
    *,
    to: Literal["peak", "lufs"] = "peak",
    level: float | None = None,
    ceiling: float = -0.1,
    notes: list[str] | None = None,
) -> Samples:
    """Bring a recording to a given peak or loudness. It never clips: the peak stays at or below `ceiling`.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
        Samples at `sample_rate` Hz.
    sample_rate : int
        In Hz.
    to : {"peak", "lufs"}
        What is set.
    level : float, optional
        To what: dBFS for a peak, LUFS for loudness, below or at 0. By default -1 and -23.
    ceiling : float
        Highest peak in dBFS that setting the loudness may lead to; what would exceed it stays quieter than asked.
    notes : list of str, optional
        Remarks are appended: too short to measure, held back by its peak, silent.

    Returns
    -------
    np.ndarray [shape=(samples,), float32]
        `y` times one factor; `y` itself when it is silent.

    Raises
    ------
    ValueError
        When `to` is unknown, or `level` or `ceiling` is above 0 or not finite.
    """
    if to not in LEVELS:
        raise ValueError(f"to={to!r}: there is {', '.join(LEVELS)}")
    level = LEVELS[to] if level is None else level
    for name, value in (("level", level), ("ceiling", ceiling)):
        if not (math.isfinite(value) and value <= 0):
            raise ValueError(f"{name}={value!r}: give a number of dB, at most 0")
    notes = [] if notes is None else notes
    peak = _peak(y)
    if peak < SILENCE:
        notes.append("silent: level kept")
        return y
    if to == "peak":
        return _times(y, 10 ** (level / 20) / peak)
    if len(y) < BLOCK * sample_rate:
        notes.append(f"shorter than {BLOCK:g} s: RMS set instead of loudness")
    elif not math.isfinite(gated(y.astype(np.float64) / peak, sample_rate)):
        notes.append("hardly anything to hear: RMS set instead of loudness")
    measured = loudness(y, sample_rate)
    if measured < GATE:
        notes.append(f"very quiet: {measured:.1f} LUFS, below the gate of the loudness measure ({GATE:g} LUFS)")
    gain, highest = 10 ** ((level - measured) / 20), 10 ** (ceiling / 20) / peak
    if gain > highest:
        notes.append(f"held back by its peak: {measured + 20 * math.log10(highest):.1f} instead of {level:g} LUFS")
    return _times(y, min(gain, highest))


def fit_full_scale(y: Samples, *, notes: list[str] | None = None) -> Samples:
    """Lower a recording that exceeds full scale until it fits, rather than clip it."""
    peak = _peak(y)
    if peak <= 1:
        return y
    if notes is not None:
        notes.append(f"lowered by {20 * math.log10(peak):.1f} dB to fit full scale")
    return _times(y, 1 / peak)


def _peak(y: Samples) -> float:
    return max(float(y.max(initial=0.0)), -float(y.min(initial=0.0)))


def _times(y: Samples, gain: float) -> Samples:
    """Multiply in double precision; samples that lie in a file are changed there."""
    out = y if isinstance(y, np.memmap) else np.empty_like(y, dtype=np.float32)
    return np.multiply(y, np.float64(gain), out=out, dtype=np.float64, casting="same_kind")
