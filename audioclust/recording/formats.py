"""What sound files are called, how long they say they are, and what a file that is none seems to be."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

import soundfile

from audioclust import files

__all__ = ["EXTENSIONS", "FFMPEG", "NAMED", "RecordingError", "announced", "extension", "foreign", "whole_ogg"]

NAMED = {
    "wav": "WAV", "wave": "WAV", "aif": "AIFF", "aiff": "AIFF", "aifc": "AIFF", "flac": "FLAC", "ogg": "OGG",
    "oga": "OGG", "opus": "OGG", "mp3": "MP3", "au": "AU", "snd": "AU", "caf": "CAF", "w64": "W64", "rf64": "WAV",
    "sph": "NIST",
}  # fmt: skip
FFMPEG = {"m4a": "mov", "mp4": "mov", "wma": "asf", "asf": "asf", "webm": "matroska", "mka": "matroska", "aac": "aac"}
EXTENSIONS = frozenset(NAMED) | frozenset(FFMPEG)
"""Extensions of sound files, in lower case and without the dot."""

_ENDLESS = 0x7FFFF000  # writers into a pipe put this, or more, where they do not know the length
_FOREIGN = {
    b"PK\x03\x04": "a ZIP archive", b"\x1f\x8b": "a gzip archive", b"\x89PNG": "a PNG image", b"%PDF": "a PDF",
    b"\xff\xd8\xff": "a JPEG image", b"<!DO": "a web page", b"<!do": "a web page", b"<htm": "a web page",
    b"version https://git-lfs": "a Git LFS pointer",
}  # fmt: skip
_SOUNDS = {b"RIFF": "WAV", b"RF64": "WAV", b"riff": "W64", b"FORM": "AIFF", b"fLaC": "FLAC", b"OggS": "OGG",
           b".snd": "AU", b"caff": "CAF", b"NIST_1A": "NIST"}  # fmt: skip


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


def announced(path: str | Path, sound: soundfile.SoundFile, frames: int) -> int:
    """Return how many frames a file says it has; `frames` are there. libsndfile trims that length to what is there."""
    if isinstance(sound.name, str) or sound.format not in _LENGTHS:  # decoded by ffmpeg, or blocks of any size
        return sound.frames
    with files.open_regular(path) as handle:
        size = handle.seek(0, os.SEEK_END)
        handle.seek(0)
        length = _LENGTHS[sound.format](handle)
        there = size - handle.tell()
    long = sound.format in ("RF64", "W64", "CAF")
    if length is None or (length >= _ENDLESS and not long) or not 0 < there < length or frames == 0:
        return sound.frames
    width = max(1, round(there / frames))  # bytes of a frame, where each has as many
    return max(sound.frames, length // width if there // width == frames else round(frames * length / there))


def _chunks(handle: BinaryIO) -> int | None:
    """Return the bytes of samples that a WAV, RF64 or AIFF states, and go to where they begin."""
    kind = handle.read(12)[:4]
    order: Any = "big" if kind == b"FORM" else "little"
    long = None
    while len(chunk := handle.read(8)) == 8:
        length = int.from_bytes(chunk[4:], order)
        if chunk[:4] == b"ds64":
            long = int.from_bytes(handle.read(16)[8:], order)
            length -= 16
        if chunk[:4] == b"data":
            return long if kind == b"RF64" else length
        if chunk[:4] == b"SSND":
            return length - len(handle.read(8))
        handle.seek(length + length % 2, os.SEEK_CUR)
    return None


def _w64(handle: BinaryIO) -> int | None:
    handle.seek(40)
    while len(chunk := handle.read(24)) == 24:
        length = int.from_bytes(chunk[16:], "little") - 24
        if chunk[:4] == b"data":
            return length
        if length < 0:
            return None
        handle.seek(length + -length % 8, os.SEEK_CUR)
    return None


def _caf(handle: BinaryIO) -> int | None:
    handle.seek(8)
    while len(chunk := handle.read(12)) == 12:
        length = int.from_bytes(chunk[4:], "big", signed=True)
        if chunk[:4] == b"data":
            return length - len(handle.read(4))
        if length < 0:
            return None
        handle.seek(length, os.SEEK_CUR)
    return None


def _au(handle: BinaryIO) -> int | None:
    head = handle.read(12)
    order: Any = "little" if head[:4] == b"dns." else "big"
    handle.seek(int.from_bytes(head[4:8], order))
    return int.from_bytes(head[8:], order)


def _nist(handle: BinaryIO) -> int | None:
    head = handle.read(1024).split(b"end_head")[0].decode("ascii", "ignore").split("\n")
    stated = {name: value for name, _, value in (line.split(" ", 2) for line in head if line.count(" ") > 1)}
    numbers = [stated.get(name, "") for name in ("sample_count", "channel_count", "sample_n_bytes")]
    return int(numbers[0]) * int(numbers[1]) * int(numbers[2]) if all(map(str.isdecimal, numbers)) else None


_LENGTHS = {"WAV": _chunks, "WAVEX": _chunks, "RF64": _chunks, "AIFF": _chunks, "W64": _w64, "CAF": _caf, "AU": _au,
            "NIST": _nist}  # fmt: skip


def whole_ogg(path: str | Path) -> bool:
    """Return whether an Ogg file (Vorbis, Opus, FLAC) ends with the page that says so, and that page is whole."""
    with files.open_regular(path) as handle:
        handle.seek(max(0, handle.seek(0, os.SEEK_END) - (1 << 16) - 282))  # a page has at most 65 307 bytes
        tail = handle.read()
    at = tail.rfind(b"OggS")
    while at >= 0:
        page = tail[at:]
        if len(page) > 27 and page[4] == 0 and page[5] < 8:
            table = page[27 : 27 + page[26]]
            return bool(page[5] & 4) and len(page) >= 27 + page[26] + sum(table)
        at = tail.rfind(b"OggS", 0, at)
    return False


def foreign(head: bytes, path: str | Path) -> str:
    """Say what a file that no decoder can read seems to be."""
    kind = next((kind for magic, kind in _SOUNDS.items() if head.startswith(magic)), None)
    if kind is not None:
        return f"damaged or cut off: begins like {kind} and cannot be decoded"
    what = next((name for magic, name in _FOREIGN.items() if head.startswith(magic)), None)
    if what is None and not head.strip(b"\0"):
        what = "only zero bytes"
    if what is None and not any(byte < 9 or 13 < byte < 27 for byte in head):
        what = "text"
    return f"not audio: {what or 'unknown content'} named .{extension(path)}"
