"""Samples: decode, resample, filter, cut to speech, level, denoise, and do so for a whole dataset.

One recording: ``y, sample_rate = load(path)`` gives float32 mono samples ``[shape=(samples,)]``; every other function
takes such samples and gives new ones. A whole dataset: ``transform(metadata, root, out, **settings)``. What could not
be done as asked is appended to the list `notes` where one is given.
"""

from audioclust import lazy
from audioclust.audio.decode import load, streamed

__all__ = [
    "Settings",
    "denoise",
    "fit_duration",
    "load",
    "loudness",
    "lowpass",
    "normalise",
    "process",
    "qualities",
    "quality",
    "resample",
    "settings_key",
    "silence",
    "speech",
    "speech_shares",
    "streamed",
    "transform",
    "trim_silence",
]

# a feature worker only decodes
__getattr__ = lazy.getter(
    __name__,
    {
        "Settings": ".settings",
        "denoise": ".noise",
        "fit_duration": ".shape",
        "loudness": ".level",
        "lowpass": ".filters",
        "normalise": ".level",
        "process": ".settings",
        "qualities": ".clean",
        "quality": ".clean",
        "resample": ".filters",
        "settings_key": ".settings",
        "silence": ".clean",
        "speech": ".voice",
        "speech_shares": ".speech_share",
        "transform": ".dataset",
        "trim_silence": ".voice",
    },
)
