"""Spectral features of one recording, from one short-time Fourier transform, block by block.

Arrays: samples ``y`` [shape=(samples,), float32, full scale at 1]; features [shape=(bands, frames), float32], low bands
first. Frame t is centred on sample ``t * hop``; both ends are padded with zeros, so a recording of any length has
``1 + samples // hop`` frames.

The built-in features equal what librosa gives for the same samples and parameters: the spectrogram within .02 dB down
to 80 dB below the peak (the transform is in single precision), mel within .002 dB, MFCC within .001.

References
----------
McFee et al., "librosa: Audio and Music Signal Analysis in Python", SciPy 2015 (the features' definitions).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from audioclust.features import filters
from audioclust.features.settings import Settings
from audioclust.features.spectrum import Spectrum, decibels, joined, spectra
from audioclust.features.table import FEATURES, Feature, check_features, entry

__all__ = ["EmptyBandsWarning", "analyse", "spectral"]

Floats = npt.NDArray[np.float32]
Source = Callable[[], Iterable[Floats]]

_BLOCK = 4096  # frames computed at once: 17 MB of power spectrum with the default window
_KEPT = 4  # blocks that are kept in memory between the two passes; longer recordings are transformed twice


class EmptyBandsWarning(UserWarning):
    """Some mel bands lie between two bins of the Fourier transform, and hear nothing."""


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
        Some of :func:`audioclust.features.available`.
    **settings
        ``n_fft=2048``, ``hop=None``, ``n_mels=128``, ``n_mfcc=20``, ``top_db=80.0``, ``reference="file"`` (or
        ``"absolute"``) and others, see :class:`audioclust.features.settings.Settings`.

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

    Warns
    -----
    EmptyBandsWarning
        When the Fourier transform is too short for so many mel bands.

    Examples
    --------
    >>> y = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050).astype("float32")
    >>> found = spectral(y, 22050, ["mel", "chroma"])
    >>> found["mel"].shape, found["chroma"].shape
    ((128, 22), (12, 44))
    >>> int(found["chroma"].mean(axis=1).argmax())  # A
    9
    """
    chosen = Settings.of({"sample_rate": sample_rate, **settings})
    if chosen.reference == "dataset":
        raise ValueError("reference='dataset': one recording has no dataset; give 'file' or 'absolute'")
    entries = tuple(entry(name) for name in check_features(features))
    samples = _samples(y)
    warn_of_empty_bands(entries, chosen)
    _, blocks = analyse(lambda: [samples], entries, chosen)
    parts = list(blocks)
    return {feature.name: joined([part[feature.name] for part in parts]) for feature in entries}


def analyse(
    source: Source, entries: Sequence[Feature], settings: Settings
) -> tuple[dict[str, int], Iterator[dict[str, Floats]]]:
    """Compute features of one recording in two passes: what must be known of the whole, then the values.

    Parameters
    ----------
    source : callable
        Gives the recording's samples from the start, as consecutive chunks; called twice for a long one.
    entries : sequence of Feature
    settings : Settings
        With ``reference`` "file" or "absolute".

    Returns
    -------
    frames : dict of str to int
        Of each feature.
    blocks : iterator of dict of str to np.ndarray [shape=(bands, frames)]
        Values of each feature, one stretch after the other.
    """
    parents = [feature.of for feature in entries if feature.of]
    asked = tuple({feature.name: feature for feature in [*parents, *entries]}.values())
    hop = min(feature.hop_of(settings) for feature in asked)
    steps = {feature.name: feature.hop_of(settings) // hop for feature in asked}
    reach = max((feature.reach or 0) * steps[feature.name] for feature in asked)
    margin = -(-reach // 4) * 4  # blocks, and what they show of others, begin at frames that all features have
    block = 1 << 62 if any(feature.reach is None and not feature.of for feature in asked) else _BLOCK

    def blocks() -> Iterator[_Block]:
        for start, stop, first, spectrum in spectra(source(), settings, hop, block=block, margin=margin):
            yield _Block(spectrum, (start - first, stop - first), steps)

    kept: list[_Block] = []
    surveys: dict[str, list[Any]] = {feature.name: [] for feature in asked}
    count = 0
    for number, part in enumerate(blocks()):
        count += part.core[1] - part.core[0]
        for feature in asked:
            surveys[feature.name].append(part.survey(feature))
        kept = [*kept, part] if number < _KEPT else []
    whole = {feature.name: _gathered(feature, surveys[feature.name]) for feature in asked}
    frames = {feature.name: -(-count // steps[feature.name]) for feature in entries}
    return frames, (part.values(asked, whole, settings) for part in kept or blocks())


class _Block:
    """A stretch of a recording: its spectrum, with what it shows of its neighbours, and where its own frames are."""

    def __init__(self, spectrum: Spectrum, core: tuple[int, int], steps: Mapping[str, int]) -> None:
        self.spectrum, self.core, self.steps = spectrum, core, steps
        self.own = spectrum.between(*core)
        self.power: dict[str, Floats] = {}  # of the levels, before they are in dB

    def survey(self, feature: Feature) -> Any:
        if feature.survey:
            return feature.survey(self.own.every(self.steps[feature.name]))
        if feature.level:
            self.power[feature.name] = self._computed(feature)
            return float(self.power[feature.name].max())
        return None

    def values(self, asked: Sequence[Feature], whole: Mapping[str, Any], settings: Settings) -> dict[str, Floats]:
        """Return the values of each feature in the block's own frames [shape=(bands, frames)]."""
        done: dict[str, Floats] = {}
        for feature in asked:
            name = feature.name
            if feature.of:
                done[name] = done[feature.of.name][feature.first :]
            elif feature.level:
                power = self.power.pop(name) if name in self.power else self._computed(feature)
                reference = None if settings.reference == "file" else 1.0
                done[name] = decibels(power, top_db=settings.top_db, reference=reference, top=whole[name])
            else:
                done[name] = self._computed(feature, *([whole[name]] if feature.survey else []))
        return done

    def _computed(self, feature: Feature, *whole: Any) -> Floats:
        step = self.steps[feature.name]
        seen = self.spectrum.every(step) if feature.reach else self.own.every(step)
        assert feature.compute is not None
        values = np.asarray(feature.compute(seen, *whole, **feature.params))
        if values.ndim != 2 or values.shape[1] != seen.power.shape[1]:
            wanted = f"(bands, {seen.power.shape[1]})"
            raise ValueError(f"feature {feature.name} computes an array of shape {values.shape} instead of {wanted}")
        first = self.core[0] // step if feature.reach else 0
        own = first + -(-(self.core[1] - self.core[0]) // step)
        return values[:, first:own].astype(np.float32, copy=False)


def warn_of_empty_bands(entries: Iterable[Feature], settings: Settings) -> None:
    """Warn when one of the features reads mel bands that hear nothing."""
    if any(feature.reads_mel for feature in entries) and (empty := filters.empty_bands(settings.bands)):
        warnings.warn(
            f"{empty} of {settings.n_mels} mel bands are empty: n_fft={settings.n_fft} at {settings.sample_rate} Hz is"
            " too short for so many; raise n_fft or lower n_mels",
            EmptyBandsWarning,
            stacklevel=3,
        )


def _gathered(feature: Feature, found: list[Any]) -> Any:
    if feature.gather:
        return feature.gather(found)
    return max(found) if feature.level else found


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
