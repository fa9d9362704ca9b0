"""Random changes of training sound that leave the voice: noise, reverberation, speed, gain, equaliser, masks.

Batches are tensors on any device: waves (n, samples) in -1..1, and spectra (n, bands, frames) in dB or any other
logarithm. Every row draws its own changes from a generator on the CPU, so that every device sees the same ones, and a
generator made from (seed, step) makes a training repeatable. No input is changed in place.

References
----------
A. Q. Ohi et al.: U-Vectors, Applied Sciences 11(21):10079, 2021 (the mix with noise).
D. Snyder et al.: X-Vectors, ICASSP 2018 (noise and reverberation).
D. Park et al.: SpecAugment, Interspeech 2019 (masks).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audioclust.deep import data
from audioclust.validation import check_number, check_share

__all__ = [
    "SoundAugmentation",
    "change_gain",
    "change_speed",
    "equalise",
    "mask",
    "mix_noise",
    "noise_from",
    "reverberate",
    "synthetic_noise",
    "synthetic_rooms",
]

NOISE_SECONDS = 20.0
ROOMS = 64


def mix_noise(waves: Tensor, noise: Tensor, random: torch.Generator, *, most: float = 0.07) -> Tensor:
    """Return ``wave (1 - t) + noise t``, t uniform from 0 to `most`, the noise from a random place.

    Parameters
    ----------
    waves : tensor [shape=(n, samples)]
    noise : tensor [shape=(length,), length of at least samples]
        See :func:`synthetic_noise` and :func:`noise_from`.
    random : torch.Generator
    most : float in [0, 1]
        0.07 as published.
    """
    n, samples = waves.shape
    share = (torch.rand((n, 1), generator=random) * most).to(waves.device)
    starts = torch.randint(0, len(noise) - samples + 1, (n,), generator=random)
    pieces = noise.to(waves.device).unfold(0, samples, 1)[starts.to(waves.device)]
    return torch.lerp(waves, pieces, share)


def change_gain(waves: Tensor, random: torch.Generator, *, most: float = 6.0) -> Tensor:
    """Return the waves louder or softer by up to `most` dB, uniformly in dB."""
    decibels = (2 * torch.rand((len(waves), 1), generator=random) - 1) * most
    return waves * (10 ** (decibels / 20)).to(waves.device)


def change_speed(waves: Tensor, random: torch.Generator, *, most: float = 0.1) -> Tensor:
    """Return the waves played faster or slower by a factor from ``1 - most`` to ``1 + most``; pitch moves along.

    The middle of a wave stays in the middle. A faster one ends early: it goes on as its own mirror image. Between the
    samples a cubic through four of them is taken (Catmull-Rom).
    """
    n, samples = waves.shape
    factor = 1 + (2 * torch.rand((n, 1), generator=random, dtype=torch.float64) - 1) * most
    middle = (samples - 1) / 2
    places = middle + (torch.arange(samples, dtype=torch.float64) - middle) * factor
    before = places.floor()
    x = (places - before).float().to(waves.device)

    def at(offset: int) -> Tensor:
        where = (before.long() + offset).abs()
        where = torch.where(where > samples - 1, 2 * (samples - 1) - where, where)
        return waves.gather(1, where.clamp(0, samples - 1).to(waves.device))

    p, q, r, s = at(-1), at(0), at(1), at(2)
    return q + 0.5 * x * (r - p + x * (2 * p - 5 * q + 4 * r - s + x * (3 * (q - r) + s - p)))


def reverberate(waves: Tensor, rooms: Tensor, random: torch.Generator, *, share: float = 0.5) -> Tensor:
    """Return the waves, about a `share` of them as heard in a random one of the rooms, at their own energy.

    Parameters
    ----------
    waves : tensor [shape=(n, samples)]
    rooms : tensor [shape=(m, taps)]
        Impulse responses, the direct sound first; see :func:`synthetic_rooms`.
    random : torch.Generator
    share : float in [0, 1]
    """
    n, samples = waves.shape
    which = torch.randint(0, len(rooms), (n,), generator=random).to(waves.device)
    heard = (torch.rand(n, generator=random) < share).to(waves.device)
    size = samples + rooms.shape[1] - 1
    spectra = torch.fft.rfft(rooms.to(waves.device), size)[which]
    wet = torch.fft.irfft(torch.fft.rfft(waves, size) * spectra, size)[:, :samples]
    energy = wet.norm(dim=1, keepdim=True)
    wet = wet * waves.norm(dim=1, keepdim=True) / torch.where(energy > 0, energy, torch.ones_like(energy))
    return torch.where(heard[:, None], wet, waves)


def equalise(spectra: Tensor, random: torch.Generator, *, most: float = 6.0, knots: int = 6) -> Tensor:
    """Return log spectra with a random smooth curve over the bands added, of at most `most` in their unit.

    It is what another microphone or channel would do. The curve is linear between `knots` values, uniform in
    -most..most, at equal distances over the bands.
    """
    n, bands, _ = spectra.shape
    values = (2 * torch.rand((n, 1, knots), generator=random) - 1) * most
    curve = torch.nn.functional.interpolate(values, size=bands, mode="linear", align_corners=True)
    return spectra + curve.transpose(1, 2).to(spectra.device)


def mask(spectra: Tensor, random: torch.Generator, *, time: float = 0.0, frequency: float = 0.0) -> Tensor:
    """Return spectra with one stretch of frames and one of bands set to the batch's mean, in each.

    Parameters
    ----------
    time, frequency : float in [0, 0.5]
        The widest stretch, as a share of the frames and of the bands.
    """
    return data.augment(spectra, data.Augmentation(time_mask=time, frequency_mask=frequency), random)


def synthetic_noise(samples: int, random: torch.Generator) -> Tensor:
    """Return noise that goes from white to brown and back, with a peak of 1 [shape=(samples,)].

    Examples
    --------
    >>> synthetic_noise(16000, data.generator(0)).abs().max()
    tensor(1.)
    """
    white = torch.randn(samples, generator=random)
    spectrum = torch.fft.rfft(white)
    slope = torch.arange(len(spectrum)).clamp(min=max(1, samples // 400)) / max(1, samples // 400)
    brown = torch.fft.irfft(spectrum / slope, samples)
    brown = brown * white.std() / brown.std().clamp(min=1e-12)
    mixed = torch.lerp(white, brown, 0.5 - 0.5 * torch.cos(torch.linspace(0, 2 * torch.pi, samples)))
    return mixed / mixed.abs().max().clamp(min=1e-12)


def synthetic_rooms(n: int, taps: int, random: torch.Generator, *, sample_rate: int = 16000) -> Tensor:
    """Return impulse responses: a direct sound, then noise that falls by 60 dB in .1 to .6 s [shape=(n, taps)].

    The reverberant part has 3 to 15 dB less energy than the direct sound, and begins 2 ms after it.
    """
    seconds = torch.arange(taps) / sample_rate
    decay = 0.1 + 0.5 * torch.rand((n, 1), generator=random)
    tail = torch.randn((n, taps), generator=random) * 10 ** (-3 * seconds / decay) * (seconds >= 0.002)
    level = 10 ** (-(3 + 12 * torch.rand((n, 1), generator=random)) / 20)
    rooms = tail / tail.norm(dim=1, keepdim=True).clamp(min=1e-12) * level
    rooms[:, 0] = 1.0
    return rooms


def noise_from(folder: str | Path, samples: int, *, sample_rate: int = 16000) -> Tensor:
    """Read a folder's recordings, joined in order of their names, each with a peak of 1 [shape=(>= samples,)].

    What is shorter than `samples` altogether is repeated. A file that holds no usable sound is left out.

    Raises
    ------
    ValueError
        When the folder is not there, or holds no usable recording.
    """
    from audioclust import audio
    from audioclust.recording import RecordingError

    root = Path(folder)
    if not root.is_dir():
        raise ValueError(f"noise={str(folder)!r}: there is no such folder")
    pieces = []
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        try:
            wave, _ = audio.load(path, sample_rate)
        except RecordingError:
            continue
        if (peak := float(np.abs(wave).max(initial=0))) > 0:
            pieces.append(wave / peak)
    if not pieces:
        raise ValueError(f"noise={str(folder)!r}: no file in the folder holds sound")
    joined = np.concatenate(pieces)
    return torch.from_numpy(np.tile(joined, -(-samples // len(joined))).astype(np.float32))


@dataclass(frozen=True)
class SoundAugmentation:
    """How far training sound may be changed; 0 leaves a kind of change out.

    Parameters
    ----------
    noise : float in [0, 1]
        Largest share of noise, see :func:`mix_noise`.
    reverberation : float in [0, 1]
        Share of the waves that are heard in a room.
    speed : float in [0, 0.5]
        Largest change of the speed, as a share.
    gain, equaliser : float
        Largest change in dB, of the level and along the bands.
    time_mask, frequency_mask : float in [0, 0.5]
        Widest masks, as shares of frames and bands.
    noise_from : path, optional
        Folder of recordings to mix in; synthetic noise without one.
    sample_rate : int
        Of the waves, in Hz.
    seed : int
        Of the synthetic noise and rooms.

    Examples
    --------
    >>> how = SoundAugmentation(noise=0.07, gain=6)
    >>> waves = torch.zeros(4, 3200)
    >>> how.waves(waves, data.generator(0)).abs().amax() <= 0.07 * 2
    tensor(True)
    """

    noise: float = 0.07
    reverberation: float = 0.0
    speed: float = 0.0
    gain: float = 0.0
    equaliser: float = 0.0
    time_mask: float = 0.0
    frequency_mask: float = 0.0
    noise_from: str | Path | None = None
    sample_rate: int = 16000
    seed: int = 0
    _kept: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("noise", "reverberation"):
            check_share(name, getattr(self, name), zero=True)
        for name in ("speed", "time_mask", "frequency_mask"):
            check_share(name, getattr(self, name), zero=True, high=0.5)
        for name in ("gain", "equaliser"):
            check_number(name, getattr(self, name), 0, 60)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of the kinds of change."""
        return tuple(each.name for each in fields(cls))[:7]

    def waves(self, waves: Tensor, random: torch.Generator) -> Tensor:
        """Change waves (n, samples): speed, then room, noise and gain."""
        samples = waves.shape[1]
        if self.speed > 0:
            waves = change_speed(waves, random, most=self.speed)
        if self.reverberation > 0:
            waves = reverberate(waves, self._rooms(samples, waves.device), random, share=self.reverberation)
        if self.noise > 0:
            waves = mix_noise(waves, self._noise(samples, waves.device), random, most=self.noise)
        return change_gain(waves, random, most=self.gain) if self.gain > 0 else waves

    def spectra(self, spectra: Tensor, random: torch.Generator) -> Tensor:
        """Change spectra in dB (n, bands, frames): equaliser, then masks."""
        if self.equaliser > 0:
            spectra = equalise(spectra, random, most=self.equaliser)
        if self.time_mask > 0 or self.frequency_mask > 0:
            spectra = mask(spectra, random, time=self.time_mask, frequency=self.frequency_mask)
        return spectra

    def prepare(self, samples: int) -> None:
        """Read the noise for waves of this length now, so that a folder that cannot be used is refused early."""
        if self.noise > 0:
            self._noise(samples, torch.device("cpu"))

    def _noise(self, samples: int, device: torch.device) -> Tensor:
        if "noise" not in self._kept or len(self._kept["noise"]) < samples:
            length = max(samples, round(NOISE_SECONDS * self.sample_rate))
            self._kept["noise"] = (
                synthetic_noise(length, data.generator(self.seed, 1))
                if self.noise_from is None
                else noise_from(self.noise_from, samples, sample_rate=self.sample_rate)
            )
        self._kept["noise"] = self._kept["noise"].to(device)
        return self._kept["noise"]

    def _rooms(self, samples: int, device: torch.device) -> Tensor:
        if "rooms" not in self._kept:
            taps = min(samples, round(0.3 * self.sample_rate))
            random = data.generator(self.seed, 2)
            self._kept["rooms"] = synthetic_rooms(ROOMS, taps, random, sample_rate=self.sample_rate)
        self._kept["rooms"] = self._kept["rooms"].to(device)
        return self._kept["rooms"]
