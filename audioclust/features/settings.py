"""What the spectral features are computed with, and which of it decides which feature.

The defaults are those of the clustering thesis this package repeats: 22 050 Hz, a Hann window of 2 048 samples,
spectrogram and mel every 1 024 samples, chroma and MFCC every 512.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from importlib import metadata as installed
from typing import Any

__all__ = ["FEATURES", "IMAGE_SHAPE", "REFERENCES", "Settings", "check_features", "parameters"]

FEATURES = ("spectrogram", "mel", "chroma", "mfcc", "mfcc_no0")
IMAGE_SHAPE = (48, 96)
"""Rows and columns of every image."""
REFERENCES = ("file", "absolute", "dataset")

_COARSE = ("spectrogram", "mel")
_VERSION = {"spectrogram": 1, "mel": 1, "chroma": 1, "mfcc": 1, "mfcc_no0": 1}
"""Raised with every change of the code that changes a feature's numbers."""
_LIBRARIES = ("librosa", "soundfile", "soxr")
"""What decodes, resamples and sets the reference: other versions may give other numbers."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Parameters of the spectral features.

    Attributes
    ----------
    sample_rate : int
        Rate that recordings are brought to, in Hz.
    n_fft : int
        Samples of the window and of the Fourier transform; even.
    hop : int or None
        Samples between frames. None: half a window for spectrogram and mel, a quarter for chroma and MFCC.
    n_mels : int
        Mel bands between 0 Hz and half the sample rate, for mel and MFCC.
    n_mfcc : int
        Cepstral coefficients, the first included.
    reference : {"file", "absolute", "dataset"}
        What 0 dB means in spectrogram and mel, and how images are scaled. ``"file"``: the recording's maximum.
        ``"absolute"``: 1.0. ``"dataset"``: the maximum over the recordings asked for.
    top_db : float or None
        Spectrogram, mel and the mel spectrogram behind MFCC are cut this far below each recording's own maximum.
    """

    sample_rate: int = 22_050
    n_fft: int = 2_048
    hop: int | None = None
    n_mels: int = 128
    n_mfcc: int = 20
    reference: str = "file"
    top_db: float | None = 80.0

    def __post_init__(self) -> None:
        for name in ("sample_rate", "n_fft", "n_mels", "n_mfcc"):
            _check_whole(name, getattr(self, name))
        if self.hop is not None:
            _check_whole("hop", self.hop)
        if self.n_fft % 4 or self.n_fft < 64:
            raise ValueError(f"n_fft={self.n_fft}: give a multiple of 4 of at least 64")
        if self.n_mels > self.n_fft // 2:
            raise ValueError(f"n_mels={self.n_mels}: give at most n_fft / 2 = {self.n_fft // 2}")
        if not 2 <= self.n_mfcc <= self.n_mels:
            raise ValueError(f"n_mfcc={self.n_mfcc}: give 2 to n_mels = {self.n_mels}")
        if self.reference not in REFERENCES:
            raise ValueError(f"reference={self.reference!r}: give one of {', '.join(map(repr, REFERENCES))}")
        if self.top_db is not None and not (isinstance(self.top_db, (int, float)) and self.top_db > 0):
            raise ValueError(f"top_db={self.top_db!r}: give a number of dB above 0, or None")
        for name in ("sample_rate", "n_fft", "hop", "n_mels", "n_mfcc"):  # numpy integers would not reach JSON alike
            value = getattr(self, name)
            object.__setattr__(self, name, value if value is None else int(value))
        if self.top_db is not None:
            object.__setattr__(self, "top_db", float(self.top_db))

    @classmethod
    def of(cls, settings: dict[str, Any]) -> Settings:
        """Build from keywords.

        Raises
        ------
        ValueError
            When a keyword is unknown or its value cannot be used.
        """
        allowed = [field.name for field in fields(cls)]
        for name, value in settings.items():
            if name not in allowed:
                raise ValueError(f"{name}={value!r}: unknown setting; there are {', '.join(allowed)}")
        return cls(**settings)

    def hop_of(self, feature: str) -> int:
        """Return the samples between the frames of `feature`."""
        return self.hop or (self.n_fft // 2 if feature in _COARSE else self.n_fft // 4)


def check_features(features: str | Iterable[str]) -> tuple[str, ...]:
    """Return the features asked for, without repeats, in the order of `FEATURES`.

    Raises
    ------
    ValueError
        When one is unknown, or there is none.
    """
    asked = [features] if isinstance(features, str) else list(features)
    for name in asked:
        if name not in FEATURES:
            raise ValueError(f"features={name!r}: give some of {', '.join(FEATURES)}")
    if not asked:
        raise ValueError(f"features={asked!r}: give at least one of {', '.join(FEATURES)}")
    return tuple(name for name in FEATURES if name in asked)


def parameters(feature: str, settings: Settings) -> dict[str, Any]:
    """Return everything that decides the numbers of `feature`: its settings, its code's version, its libraries."""
    unused = {"chroma": ("n_mels", "n_mfcc", "top_db", "reference"), "spectrogram": ("n_mels", "n_mfcc")}
    skip = unused.get(feature, ("n_mfcc",) if feature == "mel" else ())
    chosen = {name: value for name, value in asdict(settings).items() if name not in skip}
    chosen["hop"] = settings.hop_of(feature)
    chosen |= {"feature": feature, "version": _VERSION[feature], "image_shape": list(IMAGE_SHAPE)}
    return chosen | {"libraries": _versions()}


@lru_cache
def _versions() -> dict[str, str]:
    return {name: installed.version(name) for name in _LIBRARIES}


def _check_whole(name: str, value: Any) -> None:
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
        raise ValueError(f"{name}={value!r}: give a whole number above 0")
