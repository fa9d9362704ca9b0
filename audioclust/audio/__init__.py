"""Samples: decode, resample, filter, cut to speech, level, denoise, and do so for a whole dataset.

One recording: ``y, sample_rate = load(path)`` gives float32 mono samples ``[shape=(samples,)]``; every other function
takes such samples and gives new ones. A whole dataset: ``transform(metadata, root, out, **settings)``. What could not
be done as asked is appended to the list `notes` where one is given.
"""

from audioclust.audio.dataset import transform
from audioclust.audio.decode import load
from audioclust.audio.filters import lowpass, resample
from audioclust.audio.level import loudness, normalise
from audioclust.audio.noise import denoise
from audioclust.audio.settings import Settings, process, settings_key
from audioclust.audio.shape import fit_duration
from audioclust.audio.voice import speech, trim_silence

__all__ = [
    "Settings",
    "denoise",
    "fit_duration",
    "load",
    "loudness",
    "lowpass",
    "normalise",
    "process",
    "resample",
    "settings_key",
    "speech",
    "transform",
    "trim_silence",
]
