"""The five spectral features from one short-time Fourier transform.

Arrays: samples ``y`` [shape=(samples,), float32, full scale at 1]; features [shape=(bands, frames), float32], low bands
first. Frame t is centred on sample ``t * hop``; both ends are padded with zeros, so a recording of any length has
``1 + samples // hop`` frames. Inside, arrays are frame by frame, [shape=(frames, bins)].

Every number equals what librosa 0.11 gives for the same samples and parameters, far within .001 dB. The transform runs
in double precision, as there: in single precision, bins 80 dB below the peak would be off by more than that. Chroma's
tuning is estimated as librosa does, but only at the spectral peaks; it repeats librosa's arithmetic type for type,
since it counts peaks in a histogram, where the last bit may decide.

References
----------
McFee et al., "librosa: Audio and Music Signal Analysis in Python", SciPy 2015 (the features' definitions).
Smith, "Spectral Audio Signal Processing", W3K, 2011 (parabolic interpolation of peaks, for the tuning).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from audioclust.features import filters
from audioclust.features.settings import FEATURES, Settings, check_features

__all__ = ["decibels", "spectral"]

Floats = npt.NDArray[np.float32]

_BLOCK = 4096  # frames kept at once: 17 MB of power spectrum with the default window
_BATCH = 16  # frames transformed at once: they stay in the processor's cache, and no large memory is asked for
_FLOOR = np.float32(1e-10)  # least power that has a level
_PITCHES = (150.0, 4000.0)  # Hz, where tuning is looked for
_CENTS = np.linspace(-0.5, 0.5, 101)  # semitones


def spectral(
    y: npt.ArrayLike, sample_rate: int, features: str | Iterable[str] = FEATURES, **settings: Any
) -> dict[str, Floats]:
    """Compute spectral features of one recording.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
        Finite samples, one channel.
    sample_rate : int
        In Hz; nothing is resampled.
    features : str or sequence of str
        Some of `FEATURES`.
    **settings
        ``n_fft=2048``, ``hop=None``, ``n_mels=128``, ``n_mfcc=20``, ``top_db=80.0``, ``reference="file"`` (or
        ``"absolute"``), see :class:`audioclust.features.settings.Settings`.

    Returns
    -------
    dict of np.ndarray [shape=(bands, frames), float32]
        ``spectrogram``: magnitude in dB, 1 + n_fft / 2 bands from 0 Hz to Nyquist. ``mel``: power in dB. Both relative
        to the recording's maximum, so from -top_db to 0, or to 1.0. ``chroma``: strength of the 12 pitch classes from
        C, 0 to 1, 1 for the strongest of the frame. ``mfcc``: cepstral coefficients of the mel power in dB relative to
        1.0. ``mfcc_no0``: the same without the first, which holds the level.

    Raises
    ------
    ValueError
        When `y` is not one channel of at least one finite sample, or a feature or setting is unknown.
    """
    chosen = Settings.of({"sample_rate": sample_rate, **settings})
    if chosen.reference == "dataset":
        raise ValueError("reference='dataset': one recording has no dataset; give 'file' or 'absolute'")
    found = analyse(_samples(y), check_features(features), chosen)
    return {name: values.T for name, values in found.items()}


def analyse(y: Floats, features: tuple[str, ...], settings: Settings) -> dict[str, Floats]:
    """Compute `features` as :func:`spectral` does, as arrays [shape=(frames, bands)]."""
    hops = {name: settings.hop_of(name) for name in features}
    hop = min(hops.values())
    steps = {name: hops[name] // hop for name in features}
    frames = 1 + len(y) // hop
    starts = range(0, frames, _BLOCK)
    whole: dict[str, Floats] = {}
    if "spectrogram" in features:
        whole["spectrogram"] = np.empty((-(-frames // steps["spectrogram"]), 1 + settings.n_fft // 2), np.float32)
    if {"mel", "mfcc", "mfcc_no0"} & set(features):
        whole["mel"] = np.empty((frames, settings.n_mels), np.float32)
    if "chroma" in features:
        whole["chroma"] = np.empty((frames, 12), np.float32)
    peaks: list[tuple[Floats, Floats]] = []
    power = np.empty((0, 0), np.float32)
    for start in starts:
        stop = min(start + _BLOCK, frames)
        power = _power(y, start, stop, hop, settings.n_fft)
        if "spectrogram" in whole:
            step = steps["spectrogram"]
            whole["spectrogram"][start // step : -(-stop // step)] = power[::step]
        if "mel" in whole:
            _mel(power, settings, out=whole["mel"][start:stop])
        if "chroma" in whole:
            peaks.append(_peaks(power, settings))
    if "chroma" in whole:
        bank = filters.chroma_bank(settings.sample_rate, settings.n_fft, _tuning(peaks)).T
        for start in starts:  # the tuning is that of the whole recording; a long one is transformed once more
            stop = min(start + _BLOCK, frames)
            if len(starts) > 1:
                power = _power(y, start, stop, hop, settings.n_fft)
            np.matmul(power, bank, out=whole["chroma"][start:stop])
        _normalise(whole["chroma"])
    return {name: _finished(name, whole, steps[name], settings) for name in features}


def decibels(power: Floats, *, top_db: float | None, reference: float | None = 1.0) -> Floats:
    """Turn `power` into levels in dB, in place.

    Parameters
    ----------
    power : np.ndarray [float32]
        At least 0; overwritten.
    top_db : float or None
        Cut what lies further than this below the maximum.
    reference : float or None
        Power of 0 dB; None takes the maximum.

    Returns
    -------
    np.ndarray
        `power`, now in dB.
    """
    level = np.maximum(power, _FLOOR, out=power)
    top = level.max()
    np.log10(level, out=level)
    level *= np.float32(10)
    level -= np.float32(10) * np.log10(top if reference is None else max(_FLOOR, np.float32(reference)))
    if top_db is not None:
        np.maximum(level, level.max() - np.float32(top_db), out=level)
    return level


def _samples(y: npt.ArrayLike) -> Floats:
    samples = np.asarray(y)
    if samples.ndim != 1 or not samples.size:
        raise ValueError(f"y has shape {samples.shape}: give one channel of at least one sample")
    if not np.issubdtype(samples.dtype, np.floating):
        raise ValueError(f"y holds {samples.dtype}: give floating-point samples with full scale at 1")
    samples = samples.astype(np.float32, copy=False)
    if not np.isfinite(samples).all():
        raise ValueError("y holds NaN or infinite samples")
    return samples


def _power(y: Floats, start: int, stop: int, hop: int, n_fft: int) -> Floats:
    """Power spectrum of the frames `start` to `stop` [shape=(frames, 1 + n_fft / 2)]."""
    window = filters.hann(n_fft)
    power = np.empty((stop - start, 1 + n_fft // 2), np.float32)
    for first in range(start, stop, _BATCH):
        last = min(first + _BATCH, stop)
        begin, end = first * hop - n_fft // 2, (last - 1) * hop + n_fft // 2
        if begin < 0 or end > len(y):
            heard = np.zeros(end - begin)
            inside = y[max(begin, 0) : end]
            heard[max(-begin, 0) :][: len(inside)] = inside
        else:
            heard = y[begin:end].astype(np.float64)
        step = heard.strides[0]
        batch = as_strided(heard, (last - first, n_fft), (hop * step, step), writeable=False) * window
        np.square(np.abs(np.fft.rfft(batch).astype(np.complex64)), out=power[first - start : last - start])
    return power


def _mel(power: Floats, settings: Settings, out: Floats) -> None:
    for bins, bands, weights in filters.mel_blocks(settings.sample_rate, settings.n_fft, settings.n_mels):
        out[:, bands] = power[:, bins] @ weights


def _normalise(chroma: Floats) -> None:
    """Divide each frame by its maximum, in place; frames of silence stay as they are."""
    top = chroma.max(axis=1, keepdims=True)
    top[top < np.finfo(np.float32).tiny] = 1
    chroma /= top


def _finished(name: str, whole: dict[str, Floats], step: int, settings: Settings) -> Floats:
    """Turn power into the feature `name`."""
    if name == "chroma":
        return whole["chroma"]
    reference = None if settings.reference == "file" else 1.0
    if name == "spectrogram":
        return decibels(whole["spectrogram"], top_db=settings.top_db, reference=reference)
    if name == "mel":
        return decibels(whole["mel"][::step].copy(), top_db=settings.top_db, reference=reference)
    if "cepstra" not in whole:
        level = decibels(whole["mel"], top_db=settings.top_db)  # after mel, by the order of FEATURES
        whole["cepstra"] = np.empty((len(level), settings.n_mfcc), np.float32)
        for start in range(0, len(level), _BLOCK):
            wide = level[start : start + _BLOCK].astype(
                np.float64
            )  # sums of 128 levels lose digits in single precision
            whole["cepstra"][start : start + _BLOCK] = wide @ filters.cosines(settings.n_mels, settings.n_mfcc)
    return whole["cepstra"] if name == "mfcc" else whole["cepstra"][:, 1:]


def _peaks(power: Floats, settings: Settings) -> tuple[Floats, Floats]:
    """Find the spectral peaks between 150 Hz and 4 kHz that reach a tenth of their frame's maximum.

    Returns
    -------
    pitches, heights : np.ndarray [shape=(peaks,), float32]
        Frequency in Hz and power, both interpolated by a parabola through the peak and its neighbours.
    """
    rate, n_fft = settings.sample_rate, settings.n_fft
    bins = np.fft.rfftfreq(n_fft, 1 / rate)
    inside = np.flatnonzero((bins >= _PITCHES[0]) & (bins < min(_PITCHES[1], rate / 2)))
    if not inside.size:
        return np.empty(0, np.float32), np.empty(0, np.float32)
    first, last = int(inside[0]), int(inside[-1]) + 1
    loud = power[:, first:last] > 0.1 * power.max(axis=1, keepdims=True)
    frame, column = np.nonzero(loud)
    column += first
    left, centre, right = power[frame, column - 1], power[frame, column], power[frame, column + 1]
    chosen = np.flatnonzero((centre > left) & (centre >= right))
    column, left, centre, right = column[chosen], left[chosen], centre[chosen], right[chosen]
    curvature = (right + left) - 2 * centre.astype(np.float64)
    slope = (right - left).astype(np.float64) / 2
    usable = np.abs(slope) < np.abs(curvature)
    shift = np.divide(-slope, curvature, out=np.zeros_like(slope), where=usable).astype(np.float32)
    pitches = ((column + shift) * float(rate) / n_fft).astype(np.float32)
    heights = centre + np.float32(0.5) * ((right - left) / np.float32(2)) * shift
    return pitches, heights


def _tuning(blocks: Iterable[tuple[Floats, Floats]]) -> float:
    """Estimate the deviation from A = 440 Hz, from -0.5 to 0.49 semitones, by the commonest among the higher peaks."""
    pitches, heights = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    if not pitches.size:
        return 0.0
    pitches = pitches[heights >= np.median(heights)]
    residual = np.mod(12 * np.log2(pitches / 27.5), 1.0)
    residual[residual >= 0.5] -= 1.0
    counts = np.diff(np.searchsorted(np.sort(residual), _CENTS))
    return float(_CENTS[np.argmax(counts)])
