"""From a file to one channel of samples.

Samples are float32, shape ``(samples,)``, full scale at -1 and 1. Channels are averaged, or the
loudest is taken where they cancel each other out.
"""

from __future__ import annotations

from pathlib import Path

from audioclust import recording
from audioclust.audio.filters import Samples, check_rate, resample

__all__ = ["load"]


def load(path: str | Path, sample_rate: int | None = None) -> tuple[Samples, int]:
    """Read a recording as one channel.

    Parameters
    ----------
    path : str or Path
        A file in any format that :func:`audioclust.recording.read` knows.
    sample_rate : int or None
        Rate to change to, in Hz; None keeps the file's own.

    Returns
    -------
    y : np.ndarray [shape=(samples,), float32]
        What :func:`audioclust.recording.mono` makes of the channels.
    sample_rate : int
        In Hz.

    Raises
    ------
    recording.RecordingError
        When the file cannot be used; its text is the ``problem``.
    ValueError
        When `sample_rate` is not positive.
    """
    if sample_rate is not None:
        check_rate(sample_rate)
    frames, own_rate = recording.read(path)
    y = recording.mono(frames)
    if sample_rate is None:
        return y, int(own_rate)
    return resample(y, own_rate, sample_rate), int(sample_rate)
