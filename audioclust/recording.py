"""One sound file on the disk: its samples, or the reason why it has none.

Samples are float32, shape (frames, channels), full scale at -1 and 1. The content of a file decides how it is decoded,
never its name: libsndfile (through soundfile) reads WAV, AIFF, FLAC, Ogg, MP3 and more; MPEG-4, Windows Media, WebM
and bare AAC go through the program ``ffmpeg`` where one is installed.

What makes a file unusable is found here, in one place, and said in a few words: :func:`read` raises it,
:func:`inspect` reports it. Level is that of the root mean square in dB relative to full scale (dBFS).
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile

from audioclust import files

__all__ = ["EXTENSIONS", "RecordingError", "extension", "inspect", "read"]

_NAMED = {
    "wav": "WAV", "wave": "WAV", "aif": "AIFF", "aiff": "AIFF", "aifc": "AIFF", "flac": "FLAC", "ogg": "OGG",
    "oga": "OGG", "opus": "OGG", "mp3": "MP3", "au": "AU", "snd": "AU", "caf": "CAF", "w64": "W64", "rf64": "WAV",
    "sph": "NIST",
}  # fmt: skip
_FFMPEG = {"m4a": "mov", "mp4": "mov", "wma": "asf", "asf": "asf", "webm": "matroska", "mka": "matroska", "aac": "aac"}
EXTENSIONS = frozenset(_NAMED) | frozenset(_FFMPEG)
"""Extensions of sound files, in lower case and without the dot."""

SHORTEST = 0.01
"""Seconds below which a recording holds nothing to analyse."""
SILENCE = -90.0
"""Level in dBFS, without the constant part, below which a recording counts as silent (16-bit rounding noise)."""
RATES = (1_000, 768_000)
"""Sample rates in Hz that a file may state."""

_BLOCK = 1 << 18
_TRUSTED = 1 << 28  # frames for which a header is believed; beyond, memory grows with what is really there
_ENDLESS = 0x7FFFF000  # writers into a pipe put this, or more, where they do not know the length
_FOREIGN = {
    b"PK\x03\x04": "a ZIP archive", b"\x1f\x8b": "a gzip archive", b"\x89PNG": "a PNG image", b"%PDF": "a PDF",
    b"\xff\xd8\xff": "a JPEG image", b"<!DO": "a web page", b"<!do": "a web page", b"<htm": "a web page",
    b"version https://git-lfs": "a Git LFS pointer",
}  # fmt: skip


class RecordingError(ValueError):
    """A sound file cannot be used; ``problem`` says why in a few words, the message names the file too."""

    def __init__(self, path: str | Path, problem: str) -> None:
        super().__init__(f"{os.fspath(path)}: {problem}")
        self.path = Path(path)
        self.problem = problem

    def __reduce__(self) -> tuple[Any, ...]:
        return RecordingError, (self.path, self.problem)


def extension(path: str | Path) -> str:
    """Return a file name's extension in lower case, without the dot; that of ``.wav`` is ``wav``."""
    return Path(path).name.rpartition(".")[2].lower() if "." in Path(path).name else ""


def read(path: str | Path, *, start: int = 0, frames: int = -1) -> tuple[np.ndarray, int]:
    """Read the samples of a sound file.

    Parameters
    ----------
    path : str or Path
        The file; its content decides the format.
    start : int
        First frame to read.
    frames : int
        How many frames to read, fewer at the end of the file; -1 reads to the end.

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
        when it is too short, silent, or clipped over more than half its length.
    ValueError
        When `start` or `frames` is out of range.
    """
    if start < 0:
        raise ValueError(f"start={start}: give a frame number of at least 0")
    if frames < -1:
        raise ValueError(f"frames={frames}: give -1 for all, or a number of at least 0")
    with _opened(path) as sound:
        if start > sound.frames:
            raise ValueError(f"start={start}: {os.fspath(path)} has {sound.frames} frames")
        tally = _Tally(sound)
        announced = sound.frames - start if frames == -1 else min(frames, sound.frames - start)
        samples = np.empty((min(announced, _TRUSTED), sound.channels), np.float32)
        filled = 0
        for block in _blocks(path, sound, start, frames):
            tally.add(block)
            if filled + len(block) > len(samples):
                samples = np.resize(samples, (max(2 * len(samples), filled + len(block)), sound.channels))
            samples[filled : filled + len(block)] = block
            filled += len(block)
        problem = tally.problem(path) if start == 0 and frames == -1 else tally.broken()
        if problem:
            raise RecordingError(path, problem)
        return samples[:filled], sound.samplerate


def inspect(path: str | Path) -> dict[str, Any]:
    """Describe a sound file, decoding it once, block by block.

    Returns
    -------
    dict
        ``duration`` (s), ``sample_rate`` (Hz), ``channels``, ``level`` (dBFS of the root mean square over all
        samples; -inf for digital silence), ``sha256`` of the bytes, ``problem`` (why the file cannot be used) and
        ``note`` (what is odd about a usable file). What is not known, or not there, is None.
    """
    found: dict[str, Any] = dict.fromkeys(("duration", "sample_rate", "channels", "level", "sha256", "problem", "note"))
    try:
        with _opened(path) as sound:
            found |= {"sha256": files.sha256(path), "sample_rate": sound.samplerate, "channels": sound.channels}
            tally = _Tally(sound)
            for block in _blocks(path, sound, 0, -1):
                tally.add(block)
            found |= {"duration": tally.frames / sound.samplerate, "level": tally.level()}
            found["problem"] = problem = tally.problem(path)
            found["note"] = None if problem else tally.note(path)
    except RecordingError as error:
        found["problem"] = error.problem
    if found["sha256"] is None and os.access(path, os.R_OK) and Path(path).is_file():
        found["sha256"] = files.sha256(path)
    return found


@dataclass
class _Tally:
    """What is known of the samples seen so far."""

    sound: soundfile.SoundFile
    frames: int = 0
    total: float = 0.0
    squares: float = 0.0
    peak: float = 0.0
    clipped: int = 0
    full: int = 0
    finite: bool = True

    def add(self, block: np.ndarray) -> None:
        self.frames += len(block)
        if not block.size:
            return
        peak = max(float(block.max()), -float(block.min()))
        if not np.isfinite(peak):
            self.finite = False
            return
        wide = block.astype(np.float64)
        self.total += float(wide.sum())
        self.squares += float(np.square(wide, out=wide).sum())  # a dot product would start threads
        self.peak = max(self.peak, peak)
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
        return _decibels(self.squares / max(1, self.frames * self.sound.channels))

    def broken(self) -> str | None:
        """Return why the samples seen cannot be computed with, if so."""
        return None if self.finite else "NaN or infinite samples"

    def problem(self, path: str | Path) -> str | None:
        """Return why the file, read to its end, cannot be used, if so."""
        count, rate = self.frames * self.sound.channels, self.sound.samplerate
        if self.frames == 0:
            return "no samples: a header only, or cut off"
        announced = _announced(path, self.sound, self.frames)
        if announced * 0.99 > self.frames and self.sound.format != "MP3":
            return _truncated(self.frames, announced)
        if not self.finite:
            return "NaN or infinite samples"
        if self.frames == 1:
            return "one sample"
        if not RATES[0] <= rate <= RATES[1]:
            return f"sample rate of {rate} Hz"
        if self.frames < SHORTEST * rate:
            return f"shorter than {SHORTEST * 1000:.0f} ms: {self.frames} samples"
        power = self.squares / count - (self.total / count) ** 2
        if power <= 1e-12 * self.squares / count or _decibels(power) < SILENCE:
            return "silence"
        if not self._beyond() and self.full > count / 2:
            return f"clipped: {self.full / count:.0%} of the samples at full scale"
        return None

    def note(self, path: str | Path) -> str | None:
        """Return what is odd about a usable file, if anything."""
        notes = []
        named = extension(path)
        if isinstance(self.sound.name, str):  # decoded by ffmpeg into a file of its own
            content = None if named in _FFMPEG else "of a kind that needs ffmpeg"
        else:
            content = {"WAVEX": "WAV", "RF64": "WAV"}.get(self.sound.format, self.sound.format)
        if content and content != _NAMED.get(named):
            notes.append(f"content is {content} though named .{named}")
        announced = _announced(path, self.sound, self.frames)
        if announced > self.frames:
            notes.append(f"ends early: {_grouped(self.frames)} of {_grouped(announced)} samples")
        count = self.frames * self.sound.channels
        if self._beyond():
            notes.append(f"exceeds full scale by {20 * np.log10(self.peak):.1f} dB")
        elif self.clipped >= count / 1000:
            notes.append(f"clipped: {self.clipped / count:.1%} of the samples at full scale")
        return "; ".join(notes) or None

    def _beyond(self) -> bool:
        """Return whether the samples are floats without a ceiling at full scale."""
        return self.sound.subtype in ("FLOAT", "DOUBLE") and self.peak > 1.001


@contextmanager
def _opened(path: str | Path) -> Iterator[soundfile.SoundFile]:
    """Open a sound file for reading, whatever decodes it."""
    with _handle(path) as handle:
        try:
            sound = soundfile.SoundFile(handle)
        except (soundfile.SoundFileError, TypeError, ValueError) as error:
            handle.seek(0)
            demuxer = _container(handle.read(4096), extension(path))
            if demuxer is None:
                handle.seek(0)
                raise RecordingError(path, _foreign(handle.read(4096), path)) from error
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
    """Open a regular, non-empty file that may be read."""
    try:
        found = os.stat(path)  # noqa: PTH116
        if not stat.S_ISREG(found.st_mode):
            raise RecordingError(path, "not a file")
        if found.st_size == 0:
            raise RecordingError(path, "empty file")
        return Path(path).open("rb")
    except PermissionError:
        raise RecordingError(path, "no read permission") from None
    except FileNotFoundError:
        problem = "link to nowhere" if Path(path).is_symlink() else "no such file"
        raise RecordingError(path, problem) from None
    except OSError as error:
        looping = Path(path).is_symlink() and "symbolic link" in str(error)
        problem = "link to nowhere: it leads back to itself" if looping else f"cannot be read: {error.strerror}"
        raise RecordingError(path, problem) from None


def _blocks(path: str | Path, sound: soundfile.SoundFile, start: int, frames: int) -> Iterator[np.ndarray]:
    """Read a sound file block by block, so that a long one, or one whose header lies, does not fill the memory."""
    size = max(1, _BLOCK // sound.channels)
    left = sound.frames if frames == -1 else frames
    try:
        if start:
            sound.seek(start)
        while left > 0:
            block = sound.read(min(size, left), dtype="float32", always_2d=True)
            if not len(block):
                return
            yield block
            left -= len(block)
    except soundfile.SoundFileError:
        raise RecordingError(path, _truncated(_decodable(path), sound.frames)) from None


def _decodable(path: str | Path) -> int:
    """Count the frames before a decoder gives up, to the nearest 1 000 or so."""
    count = 0
    with _opened(path) as sound:
        try:
            while len(block := sound.read(1024)):
                count += len(block)
        except soundfile.SoundFileError:
            pass
    return count


def _announced(path: str | Path, sound: soundfile.SoundFile, frames: int) -> int:
    """Return how many frames the file says it has. libsndfile trims the header's length to what is there."""
    if sound.format not in ("WAV", "WAVEX", "AIFF") or isinstance(sound.name, str):
        return sound.frames
    with Path(path).open("rb") as handle:
        size = handle.seek(0, os.SEEK_END)
        handle.seek(0)
        order = "little" if handle.read(4) == b"RIFF" else "big"
        handle.seek(12)
        while len(chunk := handle.read(8)) == 8:
            length = int.from_bytes(chunk[4:], order)  # type: ignore[arg-type]
            if chunk[:4] in (b"data", b"SSND"):
                if chunk[:4] == b"SSND":
                    length -= len(handle.read(8))
                there = size - handle.tell()
                cut = there < length < _ENDLESS and there > 0
                return round(frames * length / there) if cut else sound.frames
            handle.seek(length + length % 2, os.SEEK_CUR)
    return sound.frames


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


def _foreign(head: bytes, path: str | Path) -> str:
    """Say what a file that no decoder knows seems to be."""
    what = next((name for magic, name in _FOREIGN.items() if head.startswith(magic)), None)
    if what is None and not head.strip(b"\0"):
        what = "only zero bytes"
    if what is None and not any(byte < 9 or 13 < byte < 27 for byte in head):
        what = "text"
    return f"not audio: {what or 'unknown content'} named .{extension(path)}"


def _truncated(read: int, announced: int) -> str:
    return f"truncated: {_grouped(read)} of {_grouped(announced)} samples"


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _decibels(power: float) -> float:
    return 10 * float(np.log10(power)) if power > 0 else float("-inf")
