"""What a transformation does to a recording, and in which order.

1. channels become their mean (the loudest channel where they cancel each other out);
2. the rate is changed: to `sample_rate`, or else up to `minimum_rate` where it lies below;
3. low-pass filter (`lowpass`, `order`);
4. spectral denoising (`denoise`, `strength`), before the ends are cut because it learns the noise from them;
5. voice activity (`voice`, `threshold`);
6. what exceeds `duration` is cut off;
7. level (`loudness`, `level`), of what is left;
8. what falls short of `duration` is filled (`fit`), after the level so that silence does not count as loudness;
9. for 16-bit files: what still exceeds full scale is lowered to fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from audioclust import files
from audioclust.audio.filters import Samples, check_rate, lowpass, resample
from audioclust.audio.level import LEVELS, fit_full_scale, normalise
from audioclust.audio.noise import NOISES, denoise
from audioclust.audio.shape import FITS, fit_duration
from audioclust.audio.voice import VOICE_MODES, trim_silence
from audioclust.validation import check_choice, check_number, check_share

__all__ = ["SUBTYPES", "Settings", "level_and_fit", "process", "settings_key"]

SUBTYPES = ("PCM_16", "FLOAT")
TINY = 1e-9
STEPS = 2
"""Counted up when the same settings come to mean other samples, so that older results are not taken for new ones."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is done to every recording of a dataset. None leaves a step out.

    Parameters
    ----------
    sample_rate : int or None
        Rate of all results in Hz; None keeps each file's own, raised to `minimum_rate`.
    minimum_rate : int or None
        In Hz, where `sample_rate` is None.
    lowpass : float or None
        Cut-off in Hz.
    order : int
        Of the low-pass filter.
    denoise : {"stationary", "nonstationary"} or None
        Kind of noise to lower.
    strength : float
        Share of the noise removed, in (0, 1].
    voice : {"ends", "all"} or None
        Cut what is not speech: at the ends, or everywhere.
    threshold : float
        Probability in (0, 1) from which voice activity counts.
    loudness : {"peak", "lufs"} or None
        What is made equal.
    level : float or None
        To which dBFS or LUFS; None is -1 for a peak, -23 for loudness.
    duration : float or None
        Seconds that every result lasts.
    fit : {"pad", "loop", "trim"}
        What becomes of a recording shorter than `duration`: zeros behind it, repeated, left.
    subtype : {"PCM_16", "FLOAT"}
        How the results are stored.

    Raises
    ------
    ValueError
        When a value is not allowed; it names the setting.
    """

    sample_rate: int | None = None
    minimum_rate: int | None = 22_050
    lowpass: float | None = 8192.0
    order: int = 8
    denoise: str | None = None
    strength: float = 1.0
    voice: str | None = None
    threshold: float = 0.5
    loudness: str | None = None
    level: float | None = None
    duration: float | None = None
    fit: str = "pad"
    subtype: str = "PCM_16"

    def __post_init__(self) -> None:
        for name in ("sample_rate", "minimum_rate"):
            if getattr(self, name) is not None:
                check_rate(getattr(self, name), name)
        check_number("order", self.order, 1, 16, whole=True)
        for name in ("lowpass", "level", "duration"):
            value = getattr(self, name)
            if value is not None:
                check_number(name, value, *((-math.inf, 0.0) if name == "level" else (TINY, math.inf)))
        check_share("strength", self.strength)
        check_share("threshold", self.threshold, one=False)
        for name in ("lowpass", "strength", "threshold", "level", "duration"):  # 8192 and 8192.0 are one setting
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else float(value))
        check_choice("denoise", self.denoise, (None, *NOISES))
        check_choice("voice", self.voice, (None, *VOICE_MODES))
        check_choice("loudness", self.loudness, (None, *LEVELS))
        check_choice("fit", self.fit, FITS)
        check_choice("subtype", self.subtype, SUBTYPES)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Settings:
        """Build from a mapping; a name that is no setting is a ValueError."""
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(settings) - set(known))
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: no such setting; there is {', '.join(known)}")
        return cls(**settings)

    def effective(self) -> dict[str, Any]:
        """Return the settings that have an effect, defaults filled in: equal for equal results."""
        chosen = asdict(self)
        for switch, dependent in _DEPENDENT.items():
            if chosen[switch] is None:
                for name in dependent:
                    del chosen[name]
        if self.sample_rate is not None:
            del chosen["minimum_rate"]
        if self.loudness is not None and self.level is None:
            chosen["level"] = LEVELS[self.loudness]
        return chosen

    def rate(self, sample_rate: int) -> int:
        """Return the rate in Hz that a recording of `sample_rate` Hz gets."""
        return self.sample_rate or max(sample_rate, self.minimum_rate or 0)

    @property
    def key(self) -> str:
        """Name of the folder that the results stand in."""
        return files.digest({"steps": STEPS, **self.effective()})


_DEPENDENT = {
    "lowpass": ("order",),
    "denoise": ("strength",),
    "voice": ("threshold",),
    "loudness": ("level",),
    "duration": ("fit",),
}


def settings_key(**settings: Any) -> str:
    """Name the folder that :func:`audioclust.audio.transform` writes to with these settings."""
    return Settings.of(settings).key


def process(y: Samples, sample_rate: int, settings: Settings) -> tuple[Samples, int, list[str]]:
    """Do to one recording what the settings say, in the order that the module's opening gives.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
        One channel at `sample_rate` Hz.
    sample_rate : int
        In Hz.
    settings : Settings
        What to do.

    Returns
    -------
    y : np.ndarray [shape=(samples,), float32]
        The result.
    sample_rate : int
        Its rate in Hz.
    notes : list of str
        What could not be done as asked.
    """
    notes: list[str] = []
    rate = settings.rate(sample_rate)
    y = resample(y, sample_rate, rate)
    if settings.lowpass is not None:
        y = lowpass(y, rate, cutoff=settings.lowpass, order=settings.order, notes=notes)
    if settings.denoise is not None:
        y = denoise(y, rate, noise=settings.denoise, strength=settings.strength, notes=notes)  # type: ignore[arg-type]
    if settings.voice is not None:
        y = trim_silence(y, rate, mode=settings.voice, threshold=settings.threshold, notes=notes)  # type: ignore[arg-type]
    return level_and_fit(y, rate, settings, notes), rate, notes


def level_and_fit(y: Samples, rate: int, settings: Settings, notes: list[str]) -> Samples:
    """Do the steps from 6 on: length and level."""
    if settings.duration is not None:
        y = fit_duration(y, rate, duration=settings.duration, how="trim")
    if settings.loudness is not None:
        y = normalise(y, rate, to=settings.loudness, level=settings.level, notes=notes)  # type: ignore[arg-type]
    if settings.duration is not None:
        y = fit_duration(y, rate, duration=settings.duration, how=settings.fit)  # type: ignore[arg-type]
    if settings.subtype == "PCM_16":
        y = fit_full_scale(y, notes=notes)
    return y
