"""Changing the rate of samples, and low-pass filtering without a shift in time.

Rates are changed by soxr at its quality "HQ" (linear phase, pass band to 0.913 of the lower Nyquist frequency), sample
for sample as ``librosa.resample(..., res_type="soxr_hq")`` does.

The low-pass is a Butterworth filter in second-order sections, run forwards and backwards [1]_: zero phase, twice the
order, and half the amplitude (-6.02 dB) at the cut-off. The transfer-function form of the same filter loses precision
at order 8.

References
----------
.. [1] Gustafsson, F. "Determining the initial states in forward-backward filtering."
   IEEE Transactions on Signal Processing 44.4 (1996): 988-992.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import soxr

from audioclust.validation import check_number

__all__ = ["Samples", "check_rate", "lowpass", "resample", "resampled"]

BLOCK = 1 << 20  # samples filtered at once

_KEPT_STREAMS = 8

Samples = npt.NDArray[np.float32]


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
    stream = _stream(int(sample_rate), int(target))
    stream.clear()
    changed = stream.resample_chunk(np.ascontiguousarray(y, dtype=np.float32), last=True)[:length]
    if len(changed) == length:
        return changed
    padded = np.zeros(length, np.float32)
    padded[: len(changed)] = changed
    return padded


class _Streams(threading.local):
    def __init__(self) -> None:
        self.kept: dict[tuple[int, int], soxr.ResampleStream] = {}


_streams = _Streams()


def _stream(sample_rate: int, target: int) -> soxr.ResampleStream:
    """Return this thread's stream for these rates; to make one takes half as long as to resample a second."""
    kept = _streams.kept
    if (sample_rate, target) not in kept:
        if len(kept) >= _KEPT_STREAMS:
            kept.clear()
        kept[sample_rate, target] = soxr.ResampleStream(sample_rate, target, 1, dtype="float32", quality="HQ")
    return kept[sample_rate, target]


def resampled(blocks: Iterable[Samples], sample_rate: int, target: int) -> Iterator[Samples]:
    """Do what :func:`resample` does to consecutive blocks of one recording, sample for sample."""
    if sample_rate == target:
        yield from blocks
        return
    stream = soxr.ResampleStream(sample_rate, target, 1, dtype="float32", quality="HQ")
    taken = given = 0
    for block in blocks:
        taken += len(block)
        changed = stream.resample_chunk(np.ascontiguousarray(block, dtype=np.float32))
        given += len(changed)
        yield changed
    length = math.ceil(taken * (target / sample_rate)) - given
    rest = stream.resample_chunk(np.empty(0, np.float32), last=True)[:length]
    yield rest if len(rest) == length else np.pad(rest, (0, length - len(rest)))


def lowpass(
    y: Samples, sample_rate: int, *, cutoff: float = 8192.0, order: int = 8, notes: list[str] | None = None
) -> Samples:
    """Remove what lies above `cutoff`, with no shift in time.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
        Samples at `sample_rate` Hz.
    sample_rate : int
        In Hz.
    cutoff : float
        Frequency in Hz whose amplitude is halved. At or above half the sample rate there is nothing to remove:
        `y` comes back as it is.
    order : int
        Of the Butterworth filter, 1 to 16; both directions together double it.
    notes : list of str, optional
        A remark is appended when nothing was filtered.

    Returns
    -------
    np.ndarray [shape=(samples,), float32]

    Raises
    ------
    ValueError
        When `cutoff` is not positive, or `order` out of range.
    """
    check_rate(sample_rate)
    if not cutoff > 0:
        raise ValueError(f"cutoff={cutoff!r}: give a frequency in Hz above 0")
    check_number("order", order, 1, 16, whole=True)
    if cutoff >= sample_rate / 2:
        if notes is not None:
            notes.append(f"not filtered: {cutoff:g} Hz is not below half the sample rate ({sample_rate / 2:g} Hz)")
        return y
    if len(y) == 0:
        return y
    sections = _sections(int(order), float(cutoff), int(sample_rate))
    # What scipy mirrors at both ends to settle the filter; a recording shorter than that mirrors all it has.
    padding = min(3 * (2 * len(sections) + 1 - order % 2), len(y) - 1)
    return _both_ways(sections, y, padding)


def _both_ways(sections: np.ndarray, y: Samples, padding: int) -> Samples:
    """Do what ``scipy.signal.sosfiltfilt`` does, to the last bit, in one array instead of five."""
    from scipy import signal

    wide = np.empty(len(y) + 2 * padding)
    end = len(wide) - padding
    wide[padding:end] = y
    wide[:padding] = 2 * wide[padding] - wide[2 * padding : padding : -1]
    wide[end:] = 2 * wide[end - 1] - wide[end - 2 : end - 2 - padding : -1]
    settled = signal.sosfilt_zi(sections)
    for _ in range(2):
        state = settled * wide[0]
        for start in range(0, len(wide), BLOCK):
            block = slice(start, start + BLOCK)
            wide[block], state = signal.sosfilt(sections, wide[block], zi=state)
        wide = wide[::-1]
    return wide[padding:end].astype(np.float32)


@lru_cache(maxsize=64)
def _sections(order: int, cutoff: float, sample_rate: int) -> np.ndarray:
    from scipy import signal

    return signal.butter(order, cutoff, btype="lowpass", fs=sample_rate, output="sos")


def check_rate(rate: int, name: str = "sample_rate") -> None:
    """Raise ValueError unless `rate` is a whole, positive number of Hz."""
    if isinstance(rate, bool) or not isinstance(rate, (int, np.integer)) or rate <= 0:
        raise ValueError(f"{name}={rate!r}: give a whole number of Hz above 0")
