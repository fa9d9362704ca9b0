"""What the spectral features are computed with.

The defaults are those of the clustering thesis this package repeats: 22 050 Hz, a Hann window of 2 048 samples,
spectrogram and mel every 1 024 samples, chroma and MFCC every 512.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from audioclust.features import filters
from audioclust.validation import check_choice, check_number

__all__ = ["IMAGE_SHAPE", "REFERENCES", "Settings"]

IMAGE_SHAPE = (48, 96)
"""Rows and columns of every image."""
REFERENCES = ("file", "absolute", "dataset")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Parameters of the spectral features.

    Attributes
    ----------
    sample_rate : int
        Rate that recordings are brought to, in Hz.
    n_fft : int
        Samples of the Fourier transform; a multiple of 4.
    hop : int or None
        Samples between frames. None: half of `n_fft` for spectrogram and mel, a quarter for chroma and MFCC.
    window : str or tuple
        A name that ``scipy.signal.get_window`` knows; with its parameters as a tuple: ``("kaiser", 8.0)``.
    win_length : int or None
        Samples of the window, zeros around it up to `n_fft`; None takes `n_fft`.
    n_mels : int
        Mel bands, for mel and MFCC.
    fmin, fmax : float, float or None
        Lower and upper end of the mel bands in Hz; None takes half the sample rate.
    htk : bool
        Whether the mel scale is HTK's formula; otherwise Slaney's.
    n_mfcc : int
        Cepstral coefficients, the first included.
    reference : {"file", "absolute", "dataset"}
        What 0 dB means in spectrogram and mel, and how images are scaled. ``"file"``: the recording's maximum.
        ``"absolute"``: 1.0. ``"dataset"``: the maximum over the recordings asked for.
    top_db : float or None
        Spectrogram, mel and the mel spectrogram behind MFCC are cut this far below each recording's own maximum.

    Examples
    --------
    >>> Settings(n_fft=1024).win_length is None
    True
    >>> Settings(n_fft=1001)
    Traceback (most recent call last):
        ...
    ValueError: n_fft=1001: give a multiple of 4
    """

    sample_rate: int = 22_050
    n_fft: int = 2_048
    hop: int | None = None
    window: str | tuple[str | float, ...] = "hann"
    win_length: int | None = None
    n_mels: int = 128
    fmin: float = 0.0
    fmax: float | None = None
    htk: bool = False
    n_mfcc: int = 20
    reference: str = "file"
    top_db: float | None = 80.0

    def __post_init__(self) -> None:
        check_number("sample_rate", self.sample_rate, 1, whole=True)
        check_number("n_fft", self.n_fft, 64, whole=True)
        if self.n_fft % 4:
            raise ValueError(f"n_fft={self.n_fft}: give a multiple of 4")
        if self.hop is not None:
            check_number("hop", self.hop, 1, whole=True)
        if self.win_length is not None:
            check_number("win_length", self.win_length, 2, self.n_fft, whole=True)
        check_number("n_mels", self.n_mels, 1, self.n_fft // 2, whole=True)
        check_number("n_mfcc", self.n_mfcc, 2, self.n_mels, whole=True)
        check_number("fmin", self.fmin, 0, self.sample_rate / 2)
        if self.fmax is not None:
            check_number("fmax", self.fmax, 0, self.sample_rate / 2)
        if self.fmin >= (self.sample_rate / 2 if self.fmax is None else self.fmax):
            raise ValueError(f"fmin={self.fmin}: give a frequency below fmax={self.fmax}")
        check_choice("htk", self.htk, (True, False))
        check_choice("reference", self.reference, REFERENCES)
        if self.top_db is not None:
            check_number("top_db", self.top_db, np.nextafter(0, 1))
        for name in ("sample_rate", "n_fft", "hop", "win_length", "n_mels", "n_mfcc"):  # numpy integers reach JSON so
            self._become(name, int)
        for name in ("fmin", "fmax", "top_db"):
            self._become(name, float)
        if isinstance(self.window, list):  # JSON knows no tuples
            self._become("window", tuple)
        try:
            filters.window(self.window, self.win_length or self.n_fft, self.n_fft)
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"window={self.window!r}: give a name of scipy.signal.get_window ({error})") from None

    def _become(self, name: str, kind: type) -> None:
        value = getattr(self, name)
        object.__setattr__(self, name, value if value is None else kind(value))

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

    @property
    def bands(self) -> filters.Bands:
        """What decides the mel bank."""
        return filters.Bands(self.sample_rate, self.n_fft, self.n_mels, self.fmin, self.fmax, self.htk)
