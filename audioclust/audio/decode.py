"""From a file to one channel of samples.

Samples are float32, shape ``(samples,)``, full scale at -1 and 1. Channels are averaged, or the
loudest is taken where they cancel each other out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from audioclust import recording
from audioclust.audio.filters import Samples, check_rate, resample, resampled

__all__ = ["load", "streamed"]


def load(path: str | Path, sample_rate: int | None = None, *, sha256: str | None = None) -> tuple[Samples, int]:
    """Read a recording as one channel.

    Parameters
    ----------
    path : str or Path
        A file in any format that :func:`audioclust.recording.read` knows.
    sample_rate : int or None
        Rate to change to, in Hz; None keeps the file's own.
    sha256 : str or None
        What the file's bytes must have, if given.

    Returns
    -------
    y : np.ndarray [shape=(samples,), float32]
        What :func:`audioclust.recording.mono` makes of the channels.
    sample_rate : int
        In Hz.

    Raises
    ------
    recording.RecordingError
        When the file cannot be used, or has another `sha256`; its text is the ``problem``.
    ValueError
        When `sample_rate` is not positive.

    Examples
    --------
    >>> import numpy as np, soundfile
    >>> from audioclust import audio
    >>> soundfile.write("tone.wav", np.sin(np.arange(32000) / 10), 16000)
    >>> y, sample_rate = audio.load("tone.wav", sample_rate=8000)
    >>> y.shape, sample_rate
    ((16000,), 8000)
    """
    if sample_rate is not None:
        check_rate(sample_rate)
    frames, own_rate = recording.read(path, sha256=sha256)
    y = recording.mono(frames)
    if sample_rate is None:
        return y, int(own_rate)
    return resample(y, own_rate, sample_rate), int(sample_rate)


@contextmanager
def streamed(path: str | Path, sample_rate: int) -> Iterator[Callable[[], Iterator[Samples]]]:
    """Open a recording that is too long to be held in memory.

    Parameters
    ----------
    path, sample_rate
        As for :func:`load`.

    Yields
    ------
    callable
        Gives, each time it is called, the samples that `load` gives, block by block.

    Raises
    ------
    recording.RecordingError
        When the file cannot be used; its text is the ``problem``.
    """
    check_rate(sample_rate)
    with recording.streamed(path) as (source, own_rate):
        yield lambda: resampled(source(), own_rate, sample_rate)
