"""Window, filter banks and cosine transform of the spectral features, each built once and kept.

They are librosa's, written here because importing librosa costs every worker process a second, more
than it takes to analyse hundreds of recordings; the tests hold them to librosa's own.

References
----------
Slaney, "Auditory Toolbox", Technical Report 1998-010, Interval Research (mel bank).
Young et al., "The HTK Book", Cambridge University, 2006, section 5.4 (the other mel scale).
Ellis, "Chroma feature analysis and synthesis", LabROSA, 2007 (chroma bank).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Banded", "Bands", "chroma_bank", "cosines", "empty_bands", "mel_bands", "mel_bank", "mel_centres", "window"]

Floats = npt.NDArray[np.float32]

_GROUP = 16  # rows per product in Banded
_SMALL = 1 << 13  # numbers of a matrix up to which one product is faster than several


class Bands(NamedTuple):
    """What decides a mel bank: sample rate and limits in Hz, the scale's formula (HTK's or Slaney's)."""

    sample_rate: int
    n_fft: int
    n_mels: int
    fmin: float = 0.0
    fmax: float | None = None
    htk: bool = False


@lru_cache
def window(name: str | tuple[str | float, ...], length: int, n_fft: int) -> npt.NDArray[np.float64]:
    """Periodic window of `length` samples in the middle of `n_fft`, zeros around it [shape=(n_fft,)].

    `name` is one of :func:`scipy.signal.get_window`, which raises a ``ValueError`` for those it does not know.
    """
    if name == "hann":
        values = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    else:
        from scipy.signal import get_window

        values = get_window(name, length)
    before = (n_fft - length) // 2
    return np.pad(values, (before, n_fft - length - before))


@lru_cache
def window32(name: str | tuple[str | float, ...], length: int, n_fft: int) -> Floats:
    """Return :func:`window` in single precision."""
    return window(name, length, n_fft).astype(np.float32)


def mel_centres(bands: Bands) -> npt.NDArray[np.float64]:
    """Return the frequencies at which the bands are highest, in Hz [shape=(n_mels,)]."""
    return _edges(bands)[1:-1]


@lru_cache
def mel_bank(bands: Bands) -> Floats:
    """Triangles equally spaced on the mel scale, of equal area.

    Returns
    -------
    np.ndarray [shape=(n_mels, 1 + n_fft / 2), float32]
    """
    edges = _edges(bands)
    slopes = edges[:, None] - np.fft.rfftfreq(bands.n_fft, 1 / bands.sample_rate)
    widths = np.diff(edges)
    rising = -slopes[:-2] / widths[:-1, None]
    falling = slopes[2:] / widths[1:, None]
    bank = np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))[:, None]
    return bank.astype(np.float32)


def empty_bands(bands: Bands) -> int:
    """Count the bands that lie between two bins of the Fourier transform and hear nothing."""
    return int((~mel_bank(bands).any(axis=1)).sum())


@lru_cache
def mel_bands(bands: Bands) -> Banded:
    """Return :func:`mel_bank` as what multiplies."""
    return Banded(mel_bank(bands))


class Banded:
    """A matrix whose rows see some neighbouring columns each, to multiply with: a tenth of the full arithmetic.

    Parameters
    ----------
    matrix : np.ndarray [shape=(outputs, inputs), float32]

    Examples
    --------
    >>> Banded(np.eye(3, dtype=np.float32))(np.array([[1, 2, 3]], dtype=np.float32))
    array([[1., 2., 3.]], dtype=float32)
    """

    def __init__(self, matrix: Floats) -> None:
        self._outputs = len(matrix)
        self._parts = []
        step = _GROUP if matrix.size > _SMALL else len(matrix)
        for first in range(0, len(matrix), step):
            group = slice(first, min(first + step, len(matrix)))
            seen = np.flatnonzero(matrix[group].any(axis=0))
            inputs = slice(int(seen[0]), int(seen[-1]) + 1) if seen.size else slice(0, 1)
            self._parts.append((inputs, group, np.ascontiguousarray(matrix[group, inputs].T)))

    def __call__(self, rows: Floats, out: Floats | None = None) -> Floats:
        """Return ``rows @ matrix.T`` [shape=(n, outputs)], in `out` if given."""
        out = np.empty((len(rows), self._outputs), np.float32) if out is None else out
        for inputs, group, weights in self._parts:
            np.matmul(rows[:, inputs], weights, out=out[:, group])
        return out


@lru_cache(maxsize=128)  # tunings come in steps of a hundredth of a semitone
def chroma_bank(sample_rate: int, n_fft: int, tuning: float) -> Floats:
    """Weights of the Fourier bins in the twelve pitch classes, C first.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    n_fft : int
        Length of the Fourier transform.
    tuning : float
        Deviation from A = 440 Hz, in semitones.

    Returns
    -------
    np.ndarray [shape=(12, 1 + n_fft / 2), float32]
    """
    bins = 1 + n_fft // 2
    octaves = np.log2(np.arange(1, bins + 1) * sample_rate / n_fft / (440 * 2 ** (tuning / 12) / 16))
    pitch = 12 * np.concatenate(([octaves[0] - 1.5], octaves))  # 0 Hz stands one and a half octaves below bin 1
    width = np.maximum(np.diff(pitch), 1.0)
    pitch = pitch[:bins]
    bank: npt.NDArray[np.float64] = pitch - np.roll(np.arange(12), -3)[:, None]  # in semitones
    bank -= 12 * np.rint(bank / 12)  # to the nearest of these pitches: several times as fast as a remainder
    bank *= 2 / width
    np.square(bank, out=bank)
    bank *= -0.5
    np.exp(bank, out=bank)
    middle = np.exp(-0.5 * ((pitch / 12 - 5) / 2) ** 2)  # middle octaves count most
    bank *= middle / np.linalg.norm(bank, axis=0)
    return bank.astype(np.float32)


@lru_cache
def cosines(n_mels: int, n_mfcc: int) -> npt.NDArray[np.float64]:
    """First columns of the orthonormal type-II cosine transform [shape=(n_mels, n_mfcc)]."""
    angles = np.pi / n_mels * (np.arange(n_mels)[:, None] + 0.5) * np.arange(n_mfcc)
    transform = np.sqrt(2 / n_mels) * np.cos(angles)
    transform[:, 0] = np.sqrt(1 / n_mels)
    return transform


def _edges(bands: Bands) -> npt.NDArray[np.float64]:
    """Return where the triangles begin, peak and end, in Hz [shape=(n_mels + 2,)]."""
    top = bands.sample_rate / 2 if bands.fmax is None else bands.fmax
    low, high = (_to_mel(np.array(hz), bands.htk) for hz in (bands.fmin, top))
    return _to_hz(np.linspace(low, high, bands.n_mels + 2), bands.htk)


def _to_mel(hz: npt.NDArray[np.float64], htk: bool) -> npt.NDArray[np.float64]:
    """Slaney's scale: linear up to 1 000 Hz (15 mel), then 27 steps for a factor of 6.4. HTK's: one logarithm."""
    if htk:
        return 2595 * np.log10(1 + hz / 700)
    return np.where(hz < 1000, hz * 3 / 200, 15 + 27 / np.log(6.4) * np.log(np.maximum(hz, 1e-9) / 1000))


def _to_hz(mel: npt.NDArray[np.float64], htk: bool) -> npt.NDArray[np.float64]:
    if htk:
        return 700 * (10 ** (mel / 2595) - 1)
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp(np.log(6.4) / 27 * (mel - 15)))
