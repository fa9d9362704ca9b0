"""What the samples of a file say about it, added up block by block.

Everything is computed from one channel, see :func:`mono`. Level and silence are those of that channel; clipping is
counted in all channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from audioclust.recording.formats import FFMPEG, NAMED, announced, extension, whole_ogg
from audioclust.recording.opening import grouped, truncated

__all__ = ["Tally", "mono"]

SHORTEST = 0.01
"""Seconds below which a recording holds nothing to analyse."""
SILENCE = -90.0
"""Level in dBFS, without the constant part, below which a recording counts as silent (16-bit rounding noise)."""
RATES = (1_000, 768_000)
"""Sample rates in Hz that a file may state."""
CANCELLED = -20.0
"""dB below the loudest channel from which the mean of the channels is no longer used."""
LOUDEST = 2.0**32
"""Samples beyond this are no sound in any scale: a float file with a damaged exponent, say."""


def mono(samples: np.ndarray) -> np.ndarray:
    """Return one channel: the mean of all, or the loudest where they cancel each other out (opposed phase).

    Parameters
    ----------
    samples : ndarray [shape=(frames, channels)]

    Returns
    -------
    ndarray [shape=(frames,), float32]

    Examples
    --------
    >>> left = np.array([0.5, -0.5, 0.25, 0.0], np.float32)
    >>> mono(np.stack([left, 0.5 * left], axis=1)).tolist()
    [0.375, -0.375, 0.1875, 0.0]
    >>> mono(np.stack([-0.9 * left, left], axis=1)).tolist()
    [0.5, -0.5, 0.25, 0.0]
    """
    if samples.shape[1] == 1:
        return np.ascontiguousarray(samples[:, 0], dtype=np.float32)
    mean = samples.mean(axis=1, dtype=np.float32)
    loudest = _cancelled(_sums(samples, mean), len(samples)) if len(samples) else None
    return mean if loudest is None else np.ascontiguousarray(samples[:, loudest], dtype=np.float32)


def _sums(samples: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return the sum and the sum of squares of each channel and of the mean [shape=(2, channels + 1)]."""
    if samples.shape[1] == 1:  # the mean is the channel
        wide = mean.astype(np.float64)
        total, square = wide.sum(), np.einsum("i,i->", wide, wide)
        return np.array([[total, total], [square, square]])
    total = [*samples.sum(axis=0, dtype=np.float64), mean.sum(dtype=np.float64)]
    # in double precision, and not by a dot product, which would start threads
    squares = [*np.einsum("ij,ij->j", samples, samples, dtype=np.float64, casting="same_kind"),
               np.einsum("i,i->", mean, mean, dtype=np.float64, casting="same_kind")]  # fmt: skip
    return np.array([total, squares])


def _powers(sums: np.ndarray, frames: int) -> np.ndarray:
    """Return the power of each channel and of the mean, without the constant part."""
    return np.maximum(sums[1] / frames - (sums[0] / frames) ** 2, 0.0)


def _cancelled(sums: np.ndarray, frames: int) -> int | None:
    """Return the loudest channel where the mean is far below it."""
    *channels, mean = _powers(sums, frames)
    loudest = int(np.argmax(channels))
    return loudest if mean < channels[loudest] * 10 ** (CANCELLED / 10) else None


@dataclass
class Tally:
    """What is known of the samples seen so far."""

    sound: soundfile.SoundFile
    frames: int = 0
    sums: np.ndarray = field(default_factory=lambda: np.zeros((2, 1)))
    peak: float = 0.0
    clipped: int = 0
    full: int = 0
    finite: bool = True

    def add(self, block: np.ndarray) -> None:
        """Add the samples that follow [shape=(frames, channels)]."""
        self.frames += len(block)
        if not block.size:
            return
        peak = max(float(block.max()), -float(block.min()))
        if not math.isfinite(peak):
            self.finite = False
            return
        mean = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32)
        self.sums = self.sums + _sums(block, mean)
        self.peak = max(self.peak, peak)
        if peak < 127 / 128:
            return
        ceiling = 127 / 128 if self.sound.subtype in ("PCM_S8", "PCM_U8") else 32767 / 32768
        if peak >= ceiling:
            full = np.abs(block) >= ceiling
            held = full.copy()  # in a run: the sample before or after, in the same channel, is at full scale too
            held[1:-1] &= full[:-2] | full[2:]
            held[:1] &= full[1:2] if len(full) > 1 else False
            held[-1:] &= full[-2:-1] if len(full) > 1 else False
            self.full += int(full.sum())
            self.clipped += int(held.sum())

    def level(self) -> float:
        """Return the level in dBFS of the channel that is used."""
        return _decibels(float(self.sums[1, self.used()]) / max(1, self.frames))

    def used(self) -> int:
        """Return the channel that :func:`mono` takes, -1 for the mean of all."""
        loudest = _cancelled(self.sums, self.frames) if self.frames and self.sound.channels > 1 else None
        return -1 if loudest is None else loudest

    def broken(self) -> str | None:
        """Return why the samples seen cannot be computed with, if so."""
        if not self.finite:
            return "NaN or infinite samples"
        return f"samples of up to {self.peak:.0e}, which is no sound" if self.peak > LOUDEST else None

    def problem(self, path: str | Path) -> str | None:
        """Return why the file, read to its end, cannot be used, if so."""
        count, rate = self.frames * self.sound.channels, self.sound.samplerate
        if self.frames == 0:
            return "no samples: a header only, or cut off"
        stated = announced(path, self.sound, self.frames)
        if stated * 0.99 > self.frames and self.sound.format != "MP3":
            return truncated(self.frames, stated)
        if self.broken():
            return self.broken()
        if self.frames == 1:
            return "one sample"
        if not RATES[0] <= rate <= RATES[1]:
            return f"sample rate of {rate} Hz"
        if self.frames < SHORTEST * rate:
            return f"shorter than {SHORTEST * 1000:.0f} ms: {self.frames} samples"
        power = _powers(self.sums, self.frames)[self.used()]
        if power <= 1e-12 * self.sums[1, self.used()] / self.frames or _decibels(power) < SILENCE:
            return "silence"
        if not self._beyond() and self.full > count / 2:
            return f"clipped: {self.full / count:.0%} of the samples at full scale"
        return None

    def note(self, path: str | Path) -> str | None:
        """Return what is odd about a usable file, if anything."""
        notes = []
        named = extension(path)
        if isinstance(self.sound.name, str):  # decoded by ffmpeg into a file of its own
            content = None if named in FFMPEG else "of a kind that needs ffmpeg"
        else:
            content = {"WAVEX": "WAV", "RF64": "WAV"}.get(self.sound.format, self.sound.format)
        if content and content != NAMED.get(named):
            notes.append(f"content is {content} though named .{named}")
        stated = announced(path, self.sound, self.frames)
        if stated > self.frames:
            notes.append(f"ends early: {grouped(self.frames)} of {grouped(stated)} samples")
        elif self.sound.format == "OGG" and not whole_ogg(path):
            notes.append("ends early: the end of the stream is missing")
        if self.used() >= 0:
            notes.append(f"channels cancel each other out: channel {self.used() + 1} is used instead of their mean")
        count = self.frames * self.sound.channels
        if self._beyond():
            notes.append(f"exceeds full scale by {20 * np.log10(self.peak):.1f} dB")
        elif self.clipped >= count / 1000:
            notes.append(f"clipped: {self.clipped / count:.1%} of the samples at full scale")
        return "; ".join(notes) or None

    def _beyond(self) -> bool:
        """Return whether the samples are floats without a ceiling at full scale."""
        return self.peak > 1.001 and self.sound.subtype in ("FLOAT", "DOUBLE")


def _decibels(power: float) -> float:
    return 10 * math.log10(power) if power > 0 else -math.inf
