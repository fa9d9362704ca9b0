"""Window, filter banks and cosine transform of the spectral features, each built once and kept.

They are librosa's (0.11, defaults), written here because importing librosa costs every worker process a second, more
than it takes to analyse hundreds of recordings; the tests hold them to librosa's own.

References
----------
Slaney, "Auditory Toolbox", Technical Report 1998-010, Interval Research (mel bank).
Ellis, "Chroma feature analysis and synthesis", LabROSA, 2007 (chroma bank).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

__all__ = ["chroma_bank", "cosines", "hann", "mel_bank", "mel_blocks"]

Floats = npt.NDArray[np.float32]

_BLOCK = 16  # mel bands per product in mel_blocks


@lru_cache
def hann(n_fft: int) -> npt.NDArray[np.float64]:
    """Periodic Hann window [shape=(n_fft,)]."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)


@lru_cache
def mel_bank(sample_rate: int, n_fft: int, n_mels: int) -> Floats:
    """Triangles equally spaced on Slaney's mel scale from 0 Hz to Nyquist, of equal area.

    Returns
    -------
    np.ndarray [shape=(n_mels, 1 + n_fft / 2), float32]
    """
    top = _to_mel(np.array(sample_rate / 2))
    edges = _to_hz(np.linspace(0.0, top, n_mels + 2))
    slopes = edges[:, None] - np.fft.rfftfreq(n_fft, 1 / sample_rate)
    widths = np.diff(edges)
    rising = -slopes[:-2] / widths[:-1, None]
    falling = slopes[2:] / widths[1:, None]
    bank = np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))[:, None]
    return bank.astype(np.float32)


@lru_cache
def mel_blocks(sample_rate: int, n_fft: int, n_mels: int) -> tuple[tuple[slice, slice, Floats], ...]:
    """Cut :func:`mel_bank` into groups of neighbouring bands, each with only the bins that it hears.

    Returns
    -------
    tuple of (bins, bands, weights [shape=(bins, bands), float32])
        ``mel[:, bands] = power[:, bins] @ weights`` for each: a tenth of the arithmetic of the full product.
    """
    bank = mel_bank(sample_rate, n_fft, n_mels)
    blocks = []
    for first in range(0, n_mels, _BLOCK):
        bands = slice(first, min(first + _BLOCK, n_mels))
        heard = np.flatnonzero(bank[bands].any(axis=0))
        bins = slice(int(heard[0]), int(heard[-1]) + 1) if heard.size else slice(0, 1)
        blocks.append((bins, bands, np.ascontiguousarray(bank[bands, bins].T)))
    return tuple(blocks)


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
    distance = np.remainder(pitch - np.arange(12)[:, None] + 6 + 120, 12) - 6
    bank = np.exp(-0.5 * (2 * distance / width) ** 2)
    bank /= np.linalg.norm(bank, axis=0)
    bank *= np.exp(-0.5 * ((pitch / 12 - 5) / 2) ** 2)  # middle octaves count most
    return np.roll(bank, -3, axis=0).astype(np.float32)


@lru_cache
def cosines(n_mels: int, n_mfcc: int) -> npt.NDArray[np.float64]:
    """First columns of the orthonormal type-II cosine transform [shape=(n_mels, n_mfcc)]."""
    angles = np.pi / n_mels * (np.arange(n_mels)[:, None] + 0.5) * np.arange(n_mfcc)
    transform = np.sqrt(2 / n_mels) * np.cos(angles)
    transform[:, 0] = np.sqrt(1 / n_mels)
    return transform


def _to_mel(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Slaney's scale: linear up to 1 000 Hz (15 mel), then 27 steps for a factor of 6.4."""
    return np.where(hz < 1000, hz * 3 / 200, 15 + 27 / np.log(6.4) * np.log(np.maximum(hz, 1e-9) / 1000))


def _to_hz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp(np.log(6.4) / 27 * (mel - 15)))
