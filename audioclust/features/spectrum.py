"""The short-time power spectrum that all features share, block by block, and what several of them need of it.

Frame t is centred on sample ``t * hop``; both ends are padded with zeros, so a recording of any length has
``1 + samples // hop`` frames. The transform runs in single precision, where librosa's runs in double precision and is
rounded: bins 80 dB below the recording's peak differ by less than .02 dB, louder ones by less. The tuning is estimated
as librosa does, but only at the spectral peaks.

References
----------
Smith, "Spectral Audio Signal Processing", W3K, 2011 (parabolic interpolation of peaks, for the tuning).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from audioclust.features import filters
from audioclust.features.fourier import rfft
from audioclust.features.settings import Settings

__all__ = ["Spectrum", "decibels", "spectra", "tuning"]

Floats = npt.NDArray[np.float32]
Peaks = tuple[npt.NDArray[np.uint8], Floats]

_BATCH = 32  # frames transformed at once: they stay in the processor's cache, and no large memory is asked for
_FLOOR = np.float32(1e-10)  # least power that has a level
_NO_LIMIT = np.float32(np.inf)  # np.clip with both limits takes half the time of np.maximum with one number
_PITCHES = (150.0, 4000.0)  # Hz, where tuning is looked for
_CENTS = np.linspace(-0.5, 0.5, 101)  # semitones


class Spectrum:
    """Some consecutive frames of a recording's short-time power spectrum: what a feature is computed from.

    Attributes
    ----------
    power : np.ndarray [shape=(1 + n_fft / 2, frames), float32]
        Squared magnitudes, from 0 Hz to Nyquist. Not to be written to: all features read it.
    settings : Settings
        What the transform was made with.
    hop : int
        Samples between these frames.
    """

    def __init__(self, power: Floats, settings: Settings, hop: int, parent: Spectrum | None = None) -> None:
        self.power, self.settings, self.hop = power, settings, hop
        self._parent = parent

    @property
    def frequencies(self) -> npt.NDArray[np.floating]:
        """Frequencies of the bins in Hz [shape=(1 + n_fft / 2,)]."""
        return np.fft.rfftfreq(self.settings.n_fft, 1 / self.settings.sample_rate)

    @cached_property
    def mel(self) -> Floats:
        """Power in mel bands [shape=(n_mels, frames), float32]. Not to be written to."""
        if self._parent is not None:
            return self._parent.mel[:, :: self.hop // self._parent.hop]
        return filters.mel_bands(self.settings.bands)(self.power.T).T

    def every(self, step: int) -> Spectrum:
        """Return the spectrum of each `step`-th frame."""
        return self if step == 1 else Spectrum(self.power[:, ::step], self.settings, self.hop * step, self)

    def between(self, first: int, last: int) -> Spectrum:
        """Return the spectrum of the frames `first` to `last`."""
        whole = (first, last) == (0, self.power.shape[1])
        return self if whole else Spectrum(self.power[:, first:last], self.settings, self.hop)

    def peaks(self) -> Peaks:
        """Find the spectral peaks between 150 Hz and 4 kHz that reach a tenth of their frame's maximum.

        Returns
        -------
        steps : np.ndarray [shape=(peaks,), uint8]
            Deviation of their frequencies from the nearest semitone, as a place in a hundred from -0.5 on.
        heights : np.ndarray [shape=(peaks,), float32]
            Power. Both are interpolated by a parabola through the peak and its neighbours.
        """
        power, rate, n_fft = self.power.T, self.settings.sample_rate, self.settings.n_fft
        low, high = (math.ceil(limit * n_fft / rate) for limit in (_PITCHES[0], min(_PITCHES[1], rate / 2)))
        if low >= high:
            return np.empty(0, np.uint8), np.empty(0, np.float32)
        loud = power[:, low:high] > np.float32(0.1) * power.max(axis=1, keepdims=True)
        flat, place = power.ravel(), np.flatnonzero(loud)
        place += place // (high - low) * (power.shape[1] - (high - low)) + low  # from there to the whole spectrum
        centre = flat[place]
        chosen = np.flatnonzero((centre > flat[place - 1]) & (centre >= flat[place + 1]))
        place, centre = place[chosen], centre[chosen]
        left, right, column = flat[place - 1], flat[place + 1], place % power.shape[1]
        curvature = (right + left) - 2 * centre.astype(np.float64)
        slope = (right - left).astype(np.float64) / 2
        usable = np.abs(slope) < np.abs(curvature)
        shift = np.divide(-slope, curvature, out=np.zeros_like(slope), where=usable).astype(np.float32)
        pitches = ((column + shift) * float(rate) / n_fft).astype(np.float32)
        heights = centre + np.float32(0.5) * ((right - left) / np.float32(2)) * shift
        residual = np.mod(12 * np.log2(pitches / 27.5), 1.0)
        residual[residual >= 0.5] -= 1.0
        return (np.searchsorted(_CENTS, residual, side="right") - 1).astype(np.uint8), heights


def tuning(blocks: Iterable[Peaks]) -> float:
    """Estimate the deviation from A = 440 Hz, from -0.5 to 0.49 semitones, by the commonest among the higher peaks."""
    steps, heights = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    if not steps.size:
        return 0.0
    middle = len(heights) // 2  # what reaches the median reaches the upper one of the two in the middle
    counts = np.bincount(steps[heights >= np.partition(heights, middle)[middle]], minlength=len(_CENTS) - 1)
    return float(_CENTS[np.argmax(counts)])


def decibels(power: Floats, *, top_db: float | None, reference: float | None = 1.0, top: float | None = None) -> Floats:
    """Turn `power` into levels in dB.

    Parameters
    ----------
    power : np.ndarray [float32]
        At least 0.
    top_db : float or None
        Cut what lies further than this below the maximum.
    reference : float or None
        Power of 0 dB; None takes the maximum.
    top : float or None
        The maximum, where `power` is only a part; None takes that of `power`.

    Returns
    -------
    np.ndarray
        Levels in dB, in the order that `power` has in memory.
    """
    level = power.clip(_FLOOR, _NO_LIMIT)
    highest = level.max() if top is None else max(_FLOOR, np.float32(top))
    np.log10(level, out=level)
    level *= np.float32(10)
    offset = np.float32(10) * np.log10(highest if reference is None else max(_FLOOR, np.float32(reference)))
    level -= offset
    if top_db is not None:
        ceiling = level.max() if top is None else np.float32(10) * np.log10(highest) - offset
        level.clip(ceiling - np.float32(top_db), _NO_LIMIT, out=level)
    return level


def spectra(
    chunks: Iterable[Floats], settings: Settings, hop: int, *, block: int, margin: int = 0
) -> Iterator[tuple[int, int, int, Spectrum]]:
    """Transform a recording, given as consecutive chunks of samples, block by block.

    Parameters
    ----------
    chunks : iterable of np.ndarray [shape=(samples,), float32]
        One channel.
    settings : Settings
    hop : int
        Samples between frames.
    block : int
        Frames per block.
    margin : int
        Frames that a block shows of its neighbours on either side.

    Yields
    ------
    start, stop, first : int
        The frames of the block, and the first one in its spectrum.
    spectrum : Spectrum
        From `first` on, up to `margin` frames beyond `stop`.

    Raises
    ------
    ValueError
        When a sample is so large that its power has no single-precision number.
    """
    half = settings.n_fft // 2
    held, offset, total, start = np.empty(0, np.float32), 0, 0, 0

    def transformed(stop: int, frames: int) -> tuple[int, int, int, Spectrum]:
        first, last = max(start - margin, 0), min(stop + margin, frames)
        return start, stop, first, Spectrum(_power(held, offset, (first, last), hop, settings).T, settings, hop)

    for chunk in chunks:
        held = np.concatenate([held, chunk]) if len(held) else chunk
        total += len(chunk)
        while total > (start + block + margin) * hop + half:  # these frames are whole, and others follow
            yield transformed(start + block, start + block + margin)
            start += block
            gone = max((start - margin) * hop - half - offset, 0)
            held, offset = held[gone:], offset + gone
    frames = 1 + total // hop
    while start < frames:
        yield transformed(min(start + block, frames), frames)
        start += block


def _power(y: Floats, offset: int, frames: tuple[int, int], hop: int, settings: Settings) -> Floats:
    """Power spectrum of the frames from the first to before the last [shape=(frames, 1 + n_fft / 2)].

    `y` are the samples from number `offset` on; those before and after are zeros.
    """
    start, stop = frames
    n_fft = settings.n_fft
    window = filters.window32(settings.window, settings.win_length or n_fft, n_fft)
    power = np.empty((stop - start, 1 + n_fft // 2), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for first in range(start, stop, _BATCH):
            last = min(first + _BATCH, stop)
            begin, end = first * hop - n_fft // 2 - offset, (last - 1) * hop + n_fft // 2 - offset
            if begin < 0 or end > len(y):
                heard = np.zeros(end - begin, np.float32)
                inside = y[max(begin, 0) : end]
                heard[max(-begin, 0) :][: len(inside)] = inside
            else:
                heard = y[begin:end]
            step = heard.strides[0]
            batch = np.ndarray((last - first, n_fft), np.float32, heard, strides=(hop * step, step)) * window
            parts = rfft(batch).view(np.float32)  # real and imaginary in turns
            np.square(parts, out=parts)
            np.add(parts[:, ::2], parts[:, 1::2], out=power[first - start : last - start])
    if not np.isfinite(power.max()):
        raise ValueError(f"samples reach {np.abs(y).max():.0e}: too large for a spectrum in single precision")
    return power


def joined(parts: Sequence[Floats]) -> Floats:
    """Put consecutive parts of a feature together [shape=(bands, frames)]."""
    return parts[0] if len(parts) == 1 else np.concatenate([part.T for part in parts]).T
