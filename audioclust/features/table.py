"""The table of features: everything that settings, extraction, store, images, tables and plots know of one.

A feature is a function from the shared power spectrum to an array (bands, frames). One's own becomes known by

>>> from audioclust import features
>>> def octaves(spectrum):
...     edges = spectrum.settings.sample_rate / 2.0 ** np.arange(8, 0, -1)
...     band = np.digitize(spectrum.frequencies, edges)
...     return np.stack([spectrum.power[band == i].sum(axis=0) for i in range(len(edges) + 1)])
>>> _ = features.register(features.Feature("octaves", octaves, title="Octave bands", level=True, reach=0, settings=()))
>>> features.available()
('spectrogram', 'mel', 'chroma', 'mfcc', 'mfcc_no0', 'octaves')
>>> y = np.sin(np.arange(22050) / 10, dtype="float32")
>>> features.spectral(y, 22050, "octaves")["octaves"].shape
(9, 44)
>>> features.unregister("octaves")

and is then extracted, kept, pooled and drawn like the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, asdict, dataclass, field, fields
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from audioclust.features import filters
from audioclust.features.settings import IMAGE_SHAPE, Settings
from audioclust.features.spectrum import Spectrum, decibels, tuning
from audioclust.validation import check_choice, check_number

__all__ = ["FEATURES", "Feature", "available", "check_features", "entry", "parameters", "register", "unregister"]

Floats = npt.NDArray[np.float32]

FEATURES = ("spectrogram", "mel", "chroma", "mfcc", "mfcc_no0")
"""The built-in features."""
DEPTH = 80.0
"""Decibels between black and white in the image of a level."""
LOUDEST = 60.0
"""Decibels relative to 1.0 of a constant at full scale under a Hann window of 2 048 samples."""

_LIBRARIES = ("soundfile", "soxr")  # they decode and resample: other versions may give other numbers
_DEFINITIONS = {"librosa": "0.11.0"}  # the definitions that the built-in features follow, whatever is installed
_TRANSFORM = ("sample_rate", "n_fft", "hop", "window", "win_length")
_NEWER = ("window", "win_length", "fmin", "fmax", "htk")  # named in a key only where they are not the default
_MEL = ("n_mels", "fmin", "fmax", "htk")
_LEVEL = ("reference", "top_db")


@dataclass(frozen=True)
class Feature:
    """One row of the table.

    Attributes
    ----------
    name : str
        In settings, sweeps and folders.
    compute : callable
        Takes a :class:`~audioclust.features.spectrum.Spectrum` (and the `params`), returns an array [shape=(bands,
        frames)] of as many frames, finite, lowest band first. A function of a module, for workers to import.
    title : str
        As printed; the name by default.
    hop : float
        Step between frames as a part of `n_fft`: 1, 0.5 or 0.25.
    range : (float, float) or None
        Values that are black and white in an image; None: from the least to the greatest value.
    level : bool
        Whether `compute` gives power, to be turned into dB as the settings ``reference`` and ``top_db`` say.
    reach : int or None
        Frames on either side that a frame's values depend on, 0 where each stands alone. Long recordings are then
        computed block by block. None: `compute` needs all frames of a recording, and much memory, at once.
    settings : tuple of str or None
        The settings that decide it, besides those of the transform (`level` adds its own); None: all.
    params : mapping
        Keywords for `compute`, kept with the results.
    version : int
        Raised with every change of `compute` that changes the numbers: the store computes them anew.
    survey, gather : callable, optional
        What must be known of the whole recording first: `survey` is called with each block, `gather` with the list of
        its results, and `compute` gets what that returns as its second argument.
    of, first : Feature, int
        Instead of `compute`: the bands of another feature from number `first` on.
    axis : {"band", "hertz", "mel", "pitch class", "coefficient"}
        What the bands are, for plots.
    image_type : str
        How images wait for a range that depends on all recordings.
    """

    name: str
    compute: Callable[..., npt.NDArray[Any]] | None = None
    _: KW_ONLY
    title: str = ""
    hop: float = 0.25
    range: tuple[float, float] | None = None
    level: bool = False
    reach: int | None = None
    settings: tuple[str, ...] | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1
    survey: Callable[[Spectrum], Any] | None = None
    gather: Callable[[list[Any]], Any] | None = None
    of: Feature | None = None
    first: int = 0
    axis: str = "band"
    image_type: str = "float32"

    def __post_init__(self) -> None:
        check_choice("hop", self.hop, (1, 1.0, 0.5, 0.25))
        check_choice("axis", self.axis, ("band", "hertz", "mel", "pitch class", "coefficient"))
        check_number("version", self.version, 0, whole=True)
        check_number("first", self.first, 0, whole=True)
        if self.reach is not None:
            check_number("reach", self.reach, 0, whole=True)
        if not callable(self.compute) and self.of is None:
            raise ValueError(f"compute={self.compute!r}: give a function from a spectrum to (bands, frames)")
        if self.level and self.survey:
            raise ValueError("survey: a level is surveyed for its maximum; turn it into dB in compute instead")
        known = [known.name for known in fields(Settings)]
        for name in self.settings or ():
            check_choice("settings", name, known)
        if not self.title:
            object.__setattr__(self, "title", self.name)

    @property
    def unit(self) -> str:
        """Unit of the values: dB for levels, else none."""
        return "dB" if self.level else ""

    @property
    def reads_mel(self) -> bool:
        """Whether the mel bands may decide it."""
        return self.settings is None or "n_mels" in self.settings

    def hop_of(self, settings: Settings) -> int:
        """Return the samples between its frames."""
        return settings.hop or int(settings.n_fft * self.hop)

    def limits(self, reference: str) -> tuple[float, float] | None:
        """Return what is black and white whatever the recordings hold; None where that depends on them."""
        if self.level:
            return {"file": (-DEPTH, 0.0), "absolute": (LOUDEST - DEPTH, LOUDEST)}.get(reference)
        return self.range


def register(feature: Feature) -> Feature:
    """Make a feature known in this process, under a name that is not built in.

    A project's or sweep's ``plugins`` make it known to notebooks and workers. Registering a name again replaces it.

    Raises
    ------
    ValueError
        When the name is that of a built-in feature, or cannot be a folder's.

    Examples
    --------
    >>> from audioclust import features
    >>> def flux(spectrum):
    ...     rise = np.diff(spectrum.power, axis=1, prepend=spectrum.power[:, :1])
    ...     return np.maximum(rise, 0).sum(axis=0, keepdims=True)
    >>> features.register(features.Feature("flux", flux, reach=1)).title
    'flux'
    >>> features.unregister("flux")
    """
    from audioclust.project import plain_name

    if not isinstance(feature, Feature):
        raise ValueError(f"feature={feature!r}: give a features.Feature")
    plain_name(feature.name, "feature")
    if feature.name in FEATURES:
        raise ValueError(f"name={feature.name!r} is built in: give your feature another name")
    _TABLE[feature.name] = feature
    return feature


def unregister(name: str) -> None:
    """Forget a feature that was registered."""
    if name in FEATURES:
        raise ValueError(f"name={name!r} is built in and stays")
    _TABLE.pop(name, None)


def available() -> tuple[str, ...]:
    """Return the names of all features: the built-in ones in their usual order, then those registered.

    Examples
    --------
    >>> from audioclust import features
    >>> features.available()[:5]
    ('spectrogram', 'mel', 'chroma', 'mfcc', 'mfcc_no0')
    """
    return tuple(_TABLE)


def entry(name: str) -> Feature:
    """Return what is known of the feature `name`.

    Raises
    ------
    ValueError
        When there is none.

    Examples
    --------
    >>> entry("mfcc").title, entry("chroma").range, entry("mel").hop
    ('MFCC', (0.0, 1.0), 0.5)
    """
    check_choice("feature", name, available())
    return _TABLE[name]


def check_features(features: str | Iterable[str]) -> tuple[str, ...]:
    """Return the features asked for, without repeats, in the order of :func:`available`.

    Raises
    ------
    ValueError
        When one is unknown, or there is none.
    """
    asked = [features] if isinstance(features, str) else list(features)
    for name in asked:
        check_choice("features", name, available())
    if not asked:
        raise ValueError(f"features={asked!r}: give at least one of {', '.join(available())}")
    return tuple(name for name in available() if name in asked)


def parameters(feature: Feature, settings: Settings) -> dict[str, Any]:
    """Return everything that decides the numbers of `feature`: its settings, its code's version, its libraries."""
    values = asdict(settings)
    used = values if feature.settings is None else (*_TRANSFORM, *feature.settings, *(_LEVEL if feature.level else ()))
    default = asdict(Settings())
    chosen = {name: values[name] for name in used if name not in _NEWER or values[name] != default[name]}
    chosen |= {"feature": feature.name, "version": feature.version, "image_shape": list(IMAGE_SHAPE)}
    chosen |= {"params": dict(feature.params)} if feature.params else {}
    return chosen | {"hop": feature.hop_of(settings), "libraries": _versions()}


@lru_cache
def _versions() -> dict[str, str]:
    from importlib import metadata as installed  # here, since workers need it not

    return _DEFINITIONS | {name: installed.version(name) for name in _LIBRARIES}


def _power(spectrum: Spectrum) -> Floats:
    return spectrum.power


def _mel(spectrum: Spectrum) -> Floats:
    return spectrum.mel


def _chroma(spectrum: Spectrum, deviation: float) -> Floats:
    settings = spectrum.settings
    frames = spectrum.power.T @ filters.chroma_bank(settings.sample_rate, settings.n_fft, deviation).T
    top = frames.max(axis=1, keepdims=True)
    top[top < np.finfo(np.float32).tiny] = 1  # frames of silence stay as they are
    frames /= top
    return frames.T


def _highest_mel(spectrum: Spectrum) -> float:
    return float(spectrum.mel.max())


def _mfcc(spectrum: Spectrum, highest: float) -> Floats:
    settings = spectrum.settings
    level = decibels(spectrum.mel, top_db=settings.top_db, top=highest).T
    wide = level.astype(np.float64)  # sums of 128 levels lose digits in single precision
    return (wide @ filters.cosines(settings.n_mels, settings.n_mfcc)).astype(np.float32).T


def _built_in() -> tuple[Feature, ...]:
    shared = {"version": 3, "reach": 0}  # 1: the transform in double precision; 2: the statistics in double precision
    level = {**shared, "level": True, "hop": 0.5, "range": (-DEPTH, 0.0), "image_type": "float16"}
    cepstra = {**shared, "settings": (*_MEL, "n_mfcc", *_LEVEL), "axis": "coefficient", "image_type": "float16"}
    mfcc = Feature("mfcc", _mfcc, title="MFCC", survey=_highest_mel, gather=max, **cepstra)  # type: ignore[arg-type]
    return (
        Feature("spectrogram", _power, title="Spectrogram", settings=(), axis="hertz", **level),  # type: ignore[arg-type]
        Feature("mel", _mel, title="Mel spectrogram", settings=_MEL, axis="mel", **level),  # type: ignore[arg-type]
        Feature("chroma", _chroma, title="Chroma", range=(0.0, 1.0), settings=(), survey=Spectrum.peaks,
                gather=tuning, axis="pitch class", **shared),  # type: ignore[arg-type]
        mfcc,
        Feature("mfcc_no0", of=mfcc, first=1, title="MFCC without the first", **cepstra),  # type: ignore[arg-type]
    )  # fmt: skip


_TABLE: dict[str, Feature] = {feature.name: feature for feature in _built_in()}
