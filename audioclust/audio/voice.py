"""Where somebody speaks, by the Silero voice-activity network [1]_.

The network hears 16 kHz in steps of 32 ms. It is given a copy with its peak at -0.5 dBFS, so that a quiet recording
is cut like a loud one. Its weights come with the package ``silero-vad``; nothing is downloaded.

References
----------
.. [1] Silero Team. "Silero VAD: pre-trained enterprise-grade voice activity detector." 2024.
   https://github.com/snakers4/silero-vad
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from audioclust.audio.filters import Samples, resample

__all__ = ["VOICE_MODES", "speech", "trim_silence"]

VOICE_MODES = ("ends", "all")
RATE = 16_000
FADE = 0.005  # s; where two stretches of speech are joined, so that the join does not click


def speech(
    y: Samples, sample_rate: int, *, threshold: float = 0.5, shortest: float = 0.1, padding: float = 0.03
) -> list[tuple[int, int]]:
    """Find the stretches of speech.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
        Samples at `sample_rate` Hz.
    sample_rate : int
        In Hz.
    threshold : float
        Probability in (0, 1) from which a step counts as speech.
    shortest : float
        Stretches shorter than this many seconds do not count.
    padding : float
        Seconds added before and after each stretch.

    Returns
    -------
    list of (start, end)
        In samples of `y`, in order, not overlapping.

    Raises
    ------
    ValueError
        When `threshold` is out of range.
    """
    if not 0 < threshold < 1:
        raise ValueError(f"threshold={threshold!r}: give a probability between 0 and 1")
    import torch

    heard = resample(y, sample_rate, RATE)
    peak = np.abs(heard).max(initial=0.0)
    if peak == 0:
        return []
    heard = heard * np.float32(10 ** (-0.5 / 20) / peak)
    model, stretches = _silero()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        # The optimising executor of TorchScript rounds its first runs otherwise than later ones.
        with torch.inference_mode(), torch.jit.optimized_execution(False):
            found = stretches(
                torch.from_numpy(heard),
                model,
                sampling_rate=RATE,
                threshold=threshold,
                min_speech_duration_ms=round(1000 * shortest),
                speech_pad_ms=round(1000 * padding),
            )
    finally:
        torch.set_num_threads(threads)
    scale = sample_rate / RATE
    return [(round(s["start"] * scale), min(len(y), round(s["end"] * scale))) for s in found]


def trim_silence(
    y: Samples,
    sample_rate: int,
    *,
    mode: Literal["ends", "all"] = "ends",
    threshold: float = 0.5,
    notes: list[str] | None = None,
) -> Samples:
    """Cut away what is not speech.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
        Samples at `sample_rate` Hz.
    sample_rate : int
        In Hz.
    mode : {"ends", "all"}
        "ends" cuts before the first and after the last stretch of speech; "all" cuts the pauses between them too.
    threshold : float
        See :func:`speech`.
    notes : list of str, optional
        A remark is appended when no speech was found.

    Returns
    -------
    np.ndarray [shape=(samples left,), float32]
        `y` itself when it holds no speech.

    Raises
    ------
    ValueError
        When `mode` is unknown, or `threshold` out of range.
    """
    if mode not in VOICE_MODES:
        raise ValueError(f"mode={mode!r}: there is {', '.join(VOICE_MODES)}")
    stretches = speech(y, sample_rate, threshold=threshold)
    if not stretches:
        if notes is not None:
            notes.append("no speech found: kept whole")
        return y
    if mode == "ends":
        return y[stretches[0][0] : stretches[-1][1]]
    pieces = [y[start:end].copy() for start, end in stretches]
    for before, after in pairwise(pieces):
        length = min(round(FADE * sample_rate), len(before), len(after))
        rise = (0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / max(1, length))).astype(np.float32)
        before[len(before) - length :] *= rise[::-1]
        after[:length] *= rise
    return np.concatenate(pieces)


@lru_cache(maxsize=1)
def _silero() -> tuple[Any, Any]:
    """Load the network once per process."""
    import torch

    threads = torch.get_num_threads()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript, in which the network is published
        try:
            from silero_vad import get_speech_timestamps, load_silero_vad

            return load_silero_vad(), get_speech_timestamps
        finally:
            torch.set_num_threads(threads)  # importing silero_vad sets it to 1 for the whole process
