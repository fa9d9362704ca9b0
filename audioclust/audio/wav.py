"""Mono WAV files that say what they were made from.

Written here, not through libsndfile, so that the same samples always give the same bytes (its float files hold the
time of writing), that 16-bit values are rounded at the scale at which they are read (1 / 32 768, saturating at +1.0),
and that a full disk is an ``OSError`` with its number.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

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
    comment = json.dumps(origin | {"samples": len(y)}, sort_keys=True).encode() + b"\0"  # ASCII: json escapes the rest
    chunks = _chunk(b"fmt ", struct.pack("<HHIIHH", kind, 1, sample_rate, sample_rate * width, width, 8 * width))
    if kind == 3:
        chunks += _chunk(b"fact", struct.pack("<I", len(y)))
    chunks += _chunk(b"LIST", b"INFO" + _chunk(b"ICMT", comment))
    with path.open("wb") as handle:
        handle.write(struct.pack("<4sI4s", b"RIFF", 4 + len(chunks) + 8 + size, b"WAVE") + chunks)
        handle.write(struct.pack("<4sI", b"data", size))
        for start in range(0, len(y), BLOCK):
            block = y[start : start + BLOCK]
            handle.write((to_pcm16(block) if kind == 1 else block.astype("<f4")).tobytes())


def read_origin(path: Path) -> dict[str, Any]:
    """Return what :func:`write` put into the comment; empty when the file is not one of its files, or not whole."""
    try:
        with soundfile.SoundFile(path) as sound:
            origin = json.loads(sound.comment)
            return origin if isinstance(origin, dict) and origin.get("samples") == sound.frames else {}
    except (soundfile.SoundFileError, OSError, ValueError):
        return {}


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sI", name, len(content)) + content + b"\0" * (len(content) % 2)
