"""One sound file on the disk: its samples, or the reason why it has none.

Samples are float32, shape (frames, channels), full scale at -1 and 1. The content of a file decides how it is decoded,
never its name: libsndfile (through soundfile) reads WAV, AIFF, FLAC, Ogg, MP3 and more; MPEG-4, Windows Media, WebM
and bare AAC go through the program ``ffmpeg`` where one is installed.

What makes a file unusable is found here, in one place, and said in a few words: :func:`read` raises it,
:func:`inspect` reports it. Level is that of the root mean square in dB relative to full scale (dBFS).
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from audioclust import files
from audioclust.recording.formats import EXTENSIONS, RecordingError, extension
from audioclust.recording.opening import blocks, opened, unreadable
from audioclust.recording.tally import Tally, mono

__all__ = ["CHANGED", "EXTENSIONS", "RecordingError", "extension", "inspect", "mono", "read", "streamed"]

CHANGED = "changed since the metadata was made; scan the folder again"
"""The problem of a file that has another checksum than it had."""

_TRUSTED = 1 << 28  # frames for which a header is believed; beyond, memory grows with what is really there


def read(path: str | Path, *, start: int = 0, frames: int = -1, sha256: str | None = None) -> tuple[np.ndarray, int]:
    """Read the samples of a sound file.

    Parameters
    ----------
    path : str or Path
        The file; its content decides the format.
    start : int
        First frame to read.
    frames : int
        How many frames to read, fewer at the end of the file; -1 reads to the end.
    sha256 : str or None
        What the file's bytes must have, if given.

    Returns
    -------
    samples : ndarray [shape=(frames, channels), float32]
        Full scale at -1 and 1. Float files may exceed it.
    sample_rate : int
        In Hz, as stored.

    Raises
    ------
    RecordingError
        When the file cannot be read or decoded, or holds NaN or infinite samples; and, when the whole file is read,
        when it is too short, silent, or clipped over more than half its length; and when its bytes have another
        `sha256`.
    ValueError
        When `start` or `frames` is out of range.
    """
    if start < 0:
        raise ValueError(f"start={start}: give a frame number of at least 0")
    if frames < -1:
        raise ValueError(f"frames={frames}: give -1 for all, or a number of at least 0")
    with opened(path) as sound:
        if sha256 is not None and _checksum(path, sound) != sha256:
            raise RecordingError(path, CHANGED)
        if start > sound.frames:
            raise ValueError(f"start={start}: {os.fspath(path)} has {sound.frames} frames")
        tally = Tally(sound)
        announced = sound.frames - start if frames == -1 else min(frames, sound.frames - start)
        samples, filled = np.empty((0, sound.channels), np.float32), 0
        for block in blocks(path, sound, start, frames):
            tally.add(block)
            if not filled:  # mostly it is all there is, and need not be copied
                whole = len(block) >= announced
                samples = block if whole else np.empty((min(announced, _TRUSTED), sound.channels), np.float32)
            if samples is block:
                filled = len(block)
                continue
            if filled + len(block) > len(samples):
                samples = np.resize(samples, (max(2 * len(samples), filled + len(block)), sound.channels))
            samples[filled : filled + len(block)] = block
            filled += len(block)
        problem = tally.problem(path) if start == 0 and frames == -1 else tally.broken()
        if problem:
            raise RecordingError(path, problem)
        return samples[:filled], sound.samplerate


@contextmanager
def streamed(path: str | Path) -> Iterator[tuple[Callable[[], Iterator[np.ndarray]], int]]:
    """Open a sound file that is too long to be held in memory.

    Yields
    ------
    source : callable
        Gives the blocks of what :func:`mono` makes of the file, [shape=(frames,), float32], from its start each time it
        is called.
    sample_rate : int
        In Hz, as stored.

    Raises
    ------
    RecordingError
        As :func:`read`, for which the file is decoded once before.
    """
    with opened(path) as sound:
        tally = Tally(sound)
        for block in blocks(path, sound, 0, -1):
            tally.add(block)
        if problem := tally.problem(path):
            raise RecordingError(path, problem)
        channel = tally.used()

        def source() -> Iterator[np.ndarray]:
            # An MP3 file gives other samples after going back; what ffmpeg has decoded is a WAV file, kept meanwhile.
            with nullcontext(sound) if isinstance(sound.name, str) else opened(path) as again:
                if again is sound:
                    again.seek(0)
                for block in blocks(path, again, 0, -1):
                    single = channel >= 0 or block.shape[1] == 1
                    yield block[:, channel] if single else block.mean(axis=1, dtype=np.float32)

        yield source, sound.samplerate


def inspect(path: str | Path) -> dict[str, Any]:
    """Describe a sound file, decoding it once, block by block.

    Returns
    -------
    dict
        ``duration`` (s), ``sample_rate`` (Hz), ``channels``, ``level`` (dBFS of the root mean square of what
        :func:`mono` gives; -inf for digital silence), ``sha256`` of the bytes of a sound file, ``problem`` (why the
        file cannot be used) and ``note`` (what is odd about a usable file). What is not known, or not there, is None.
    """
    found: dict[str, Any] = dict.fromkeys(("duration", "sample_rate", "channels", "level", "sha256", "problem", "note"))
    try:
        with opened(path) as sound:
            found |= {"sha256": _checksum(path, sound), "sample_rate": sound.samplerate, "channels": sound.channels}
            tally = Tally(sound)
            for block in blocks(path, sound, 0, -1):
                tally.add(block)
            found |= {"duration": tally.frames / sound.samplerate, "level": tally.level()}
            found["problem"] = problem = tally.problem(path)
            found["note"] = None if problem else tally.note(path)
    except RecordingError as error:
        found["problem"] = error.problem
    except OSError as error:
        found["problem"] = unreadable(error)
    return found


def _checksum(path: str | Path, sound: soundfile.SoundFile) -> str:
    """Return the SHA-256 of an opened file: where it was read at once, of just the bytes that are decoded."""
    whole = sound.name
    return hashlib.sha256(whole.getbuffer()).hexdigest() if isinstance(whole, io.BytesIO) else files.sha256(path)
