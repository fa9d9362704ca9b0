"""Opening a sound file, whatever decodes it, and reading it block by block."""

from __future__ import annotations

import errno
import io
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile

from audioclust import files
from audioclust.recording.formats import RecordingError, extension, foreign

__all__ = ["blocks", "grouped", "opened", "truncated", "unreadable"]

BLOCK = 1 << 18
_WHOLE = 1 << 24  # bytes up to which a file is read at once
_HEAD = 1 << 16  # bytes after which a file that has nothing but holes left is not read


class _Raw(io.FileIO):
    """A file that keeps its read error, which libsndfile would take for the end of the file."""

    error: OSError | None = None

    def readinto(self, buffer: Any) -> int:
        try:
            return super().readinto(buffer) or 0
        except OSError as error:
            self.error = error
            return 0


@contextmanager
def opened(path: str | Path) -> Iterator[soundfile.SoundFile]:
    """Open a sound file for reading, whatever decodes it."""
    with _handle(path) as handle:
        try:
            sound = soundfile.SoundFile(handle)
        except (soundfile.SoundFileError, TypeError, ValueError) as error:
            _check_reading(path, handle)
            handle.seek(0)
            demuxer = _container(handle.read(4096), extension(path))
            if demuxer is None:
                handle.seek(0)
                raise RecordingError(path, foreign(handle.read(4096), path)) from error
        else:
            with sound:
                yield sound
            return
    with tempfile.TemporaryDirectory(prefix="audioclust-") as folder:
        decoded = Path(folder) / "decoded.wav"
        _convert(Path(path), decoded, demuxer)
        with soundfile.SoundFile(decoded) as sound:
            yield sound


def _handle(path: str | Path) -> BinaryIO:
    """Open a regular, non-empty file that may be read and is not one hole."""
    try:
        handle = files.open_regular(path, raw=_Raw)
    except OSError as error:
        raise RecordingError(path, _unopened(Path(path), error)) from None
    size = os.fstat(handle.fileno()).st_size
    problem = "empty file" if size == 0 else "only zero bytes after its beginning" if _hollow(handle, size) else ""
    if problem:
        handle.close()
        raise RecordingError(path, problem)
    if size > _WHOLE:
        return handle
    with handle:
        try:
            return io.BytesIO(handle.read())
        except OSError as error:
            raise RecordingError(path, unreadable(error)) from None


def _unopened(path: Path, error: OSError) -> str:
    """Say in a few words why a file could not be opened."""
    if isinstance(error, FileNotFoundError):
        return "link to nowhere" if path.is_symlink() else "no such file"
    if error.errno == errno.ELOOP and path.is_symlink():
        return "link to nowhere: it leads back to itself"
    with suppress(OSError):  # of a folder above it that may not be searched
        if error.errno == errno.EINVAL or (path.exists() and not path.is_file()):  # Windows opens no folder
            return "not a file"
    return "no read permission" if isinstance(error, PermissionError) else unreadable(error)


def _hollow(handle: BinaryIO, size: int) -> bool:
    """Return whether a large file is a hole after its beginning: nothing is stored there, and it reads as zeros."""
    if size < 1 << 20 or not hasattr(os, "SEEK_DATA"):
        return False
    try:
        os.lseek(handle.fileno(), _HEAD, os.SEEK_DATA)
    except OSError as error:
        return error.errno == errno.ENXIO
    finally:
        os.lseek(handle.fileno(), 0, os.SEEK_SET)
    return False


def _check_reading(path: str | Path, handle: Any) -> None:
    """Raise when the disk refused to read; `handle` is a path where ffmpeg decoded the file."""
    error = getattr(getattr(handle, "raw", None), "error", None)
    if error is not None:
        raise RecordingError(path, unreadable(error))


def unreadable(error: OSError) -> str:
    """Say in a few words why the disk refused."""
    return f"cannot be read: {error.strerror or error}"


def blocks(path: str | Path, sound: soundfile.SoundFile, start: int, frames: int) -> Iterator[np.ndarray]:
    """Read a sound file block by block, so that a long one, or one whose header lies, does not fill the memory."""
    size = max(1, BLOCK // sound.channels)
    left = sound.frames if frames == -1 else frames
    try:
        if start:
            sound.seek(start)
        while left > 0:
            block = sound.read(min(size, left), dtype="float32", always_2d=True)
            if not len(block):
                break
            yield block
            left -= len(block)
        _check_reading(path, sound.name)
    except soundfile.SoundFileError:
        _check_reading(path, sound.name)
        raise RecordingError(path, truncated(_decodable(path), sound.frames)) from None


def _decodable(path: str | Path) -> int:
    """Count the frames before a decoder gives up, to the nearest 1 000 or so."""
    count = 0
    with opened(path) as sound:
        try:
            while len(block := sound.read(1024)):
                count += len(block)
        except soundfile.SoundFileError:
            pass
    return count


def _container(head: bytes, named: str) -> str | None:
    """Return the ffmpeg demuxer for what libsndfile does not know, by the file's first bytes."""
    if head[4:8] == b"ftyp":
        return "mov"
    if head.startswith(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"):
        return "asf"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if named == "aac" and len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "aac"
    return None


def _convert(path: Path, decoded: Path, demuxer: str) -> None:
    """Decode the first audio stream of `path` into a float WAV with ffmpeg, which may open nothing but files."""
    program = shutil.which("ffmpeg")
    if program is None:
        raise RecordingError(path, f"needs the program ffmpeg to decode ({demuxer} container), which is not installed")
    arguments = [program, "-nostdin", "-v", "error", "-protocol_whitelist", "file", "-f", demuxer,
                 "-i", f"file:{path.absolute()}", "-map", "0:a:0", "-vn", "-c:a", "pcm_f32le", "-rf64", "auto",
                 "-f", "wav", f"file:{decoded}"]  # fmt: skip
    try:
        done = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=3600, check=False)
    except subprocess.TimeoutExpired:
        raise RecordingError(path, "ffmpeg did not finish within an hour") from None
    if done.returncode or not decoded.exists():
        reason = done.stderr.decode(errors="replace").strip().splitlines()
        raise RecordingError(path, f"ffmpeg cannot decode it: {reason[-1][:200] if reason else 'no reason given'}")


def truncated(read: int, announced: int) -> str:
    """Say how much of a file is there."""
    return f"truncated: {grouped(read)} of {grouped(announced)} samples"


def grouped(number: int) -> str:
    """Return a number with its thousands apart."""
    return f"{number:,}".replace(",", " ")
