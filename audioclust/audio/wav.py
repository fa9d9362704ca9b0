"""Mono WAV files that say what they were made from.

Written here, not through libsndfile, so that the same samples always give the same bytes (its float files hold the
time of writing), that 16-bit values are rounded at the scale at which they are read (1 / 32 768, saturating at +1.0),
and that a full disk is an ``OSError`` with its number.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from audioclust import files
from audioclust.audio.filters import Samples

__all__ = ["read_origin", "to_pcm16", "write"]

BLOCK = 1 << 20  # samples written at once
LARGEST = 2**32 - 4096  # bytes of samples; a WAV file counts them in 32 bits


def to_pcm16(y: Samples) -> np.ndarray:
    """Round samples in [-1, 1] to 16 bits; what lies beyond is clipped and does not wrap around."""
    return np.clip(np.rint(y.astype(np.float64) * 32768), -32768, 32767).astype("<i2")


def write(path: Path, y: Samples, sample_rate: int, *, subtype: str, origin: dict[str, Any]) -> None:
    """Write one channel to a WAV file, with `origin` as JSON in its comment.

    Raises
    ------
    ValueError
        When the samples do not fit into a WAV file (4 GB).
    OSError
        When the file cannot be written.
    """
    width, kind = (2, 1) if subtype == "PCM_16" else (4, 3)
    size = width * len(y)
    if size > LARGEST:
        raise ValueError(f"{len(y):,} samples are more than a WAV file holds")
    form = _chunk(b"fmt ", struct.pack("<HHIIHH", kind, 1, sample_rate, sample_rate * width, width, 8 * width))
    origin = origin | {"samples": len(y)}
    sum_ = zlib.crc32(_text(origin) + form)
    for block in _stored(y, kind):
        sum_ = zlib.crc32(block, sum_)
    comment = _text(origin | {"checksum": sum_}) + b"\0"
    chunks = form + (_chunk(b"fact", struct.pack("<I", len(y))) if kind == 3 else b"")
    chunks += _chunk(b"LIST", b"INFO" + _chunk(b"ICMT", comment))
    with path.open("wb") as handle:
        handle.write(struct.pack("<4sI4s", b"RIFF", 4 + len(chunks) + 8 + size, b"WAVE") + chunks)
        handle.write(struct.pack("<4sI", b"data", size))
        for block in _stored(y, kind):
            handle.write(block)


def _stored(y: Samples, kind: int) -> Iterator[bytes]:
    """Yield the samples as they are stored, block by block."""
    for start in range(0, len(y), BLOCK):
        block = y[start : start + BLOCK]
        yield (to_pcm16(block) if kind == 1 else block.astype("<f4")).tobytes()


def read_origin(path: Path) -> dict[str, Any]:
    """Return what :func:`write` put into the comment; empty when the file is not its own, not whole, or damaged."""
    try:
        with soundfile.SoundFile(path) as sound:
            origin, frames = json.loads(sound.comment), sound.frames
            width = 2 if sound.subtype == "PCM_16" else 4
        if not isinstance(origin, dict) or origin.get("samples") != frames:
            return {}
        stated = origin.pop("checksum", None)
        with files.open_regular(path) as handle:
            handle.seek(12)
            sum_ = zlib.crc32(_text(origin) + handle.read(24))
            handle.seek(-width * frames, os.SEEK_END)
            while block := handle.read(4 * BLOCK):
                sum_ = zlib.crc32(block, sum_)
        return origin if stated == sum_ else {}
    except (soundfile.SoundFileError, OSError, ValueError):
        return {}


def _text(origin: dict[str, Any]) -> bytes:
    return json.dumps(origin, sort_keys=True).encode()  # ASCII: json escapes the rest


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sI", name, len(content)) + content + b"\0" * (len(content) % 2)
