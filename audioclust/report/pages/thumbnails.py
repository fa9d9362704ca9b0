"""Small pictures of spectrograms, many in one WebP image, so that a page with thousands of them stays small."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["HEIGHT", "LEVELS", "PER_SHEET", "WIDTH", "draw", "estimated_bytes", "sheets"]

WIDTH, HEIGHT = 96, 36
LEVELS = 32
PER_SHEET, ACROSS = 100, 10
LOWEST, DEPTH, WINDOW = 60.0, 60.0, 512  # Hz, dB, samples
QUALITY = 30


def estimated_bytes(n: int) -> float:
    """Return, on the safe side, the size of the pictures of `n` recordings in a page."""
    return 700.0 * n


def draw(y: np.ndarray, rate: int) -> np.ndarray:
    """Draw level over time and logarithmic frequency (60 Hz to half the sampling rate), 60 dB deep.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
    rate : int
        Hz.

    Returns
    -------
    np.ndarray [shape=(36, 96), dtype=uint8]
        0 to 31, high frequencies first.
    """
    padded = np.pad(y, WINDOW // 2 + 1)
    starts = np.linspace(0, len(padded) - WINDOW, WIDTH * 3).astype(int)
    power = np.abs(np.fft.rfft(padded[starts[:, None] + np.arange(WINDOW)] * np.hanning(WINDOW), axis=1)) ** 2
    power = power.reshape(WIDTH, 3, -1).mean(axis=1)
    wanted = np.geomspace(LOWEST, rate / 2, HEIGHT) / (rate / WINDOW)
    level = np.stack([np.interp(wanted, np.arange(power.shape[1]), frame) for frame in power], axis=1)
    level = 10 * np.log10(np.maximum(level / max(float(level.max()), 1e-12), 1e-9)) / DEPTH + 1
    return np.clip(level * (LEVELS - 1), 0, LEVELS - 1).round().astype(np.uint8)[::-1]


def sheets(drawn: Mapping[int, np.ndarray], n: int) -> tuple[dict[str, Any] | None, list[bytes]]:
    """Put drawings together.

    Parameters
    ----------
    drawn : mapping of int to array
        By row, as `draw` gives.
    n : int
        Number of recordings.

    Returns
    -------
    form : dict or None
        ``width``, ``height``, ``across`` (pictures beside each other), ``per_sheet`` and ``places`` (by row: the
        number of its picture, -1 for none); None where there are no pictures.
    images : list of bytes
        WebP images.
    """
    if not drawn:
        return None, []
    rows = sorted(drawn)
    places = np.full(n, -1)
    places[rows] = np.arange(len(rows))
    images = [_image([drawn[row] for row in rows[at : at + PER_SHEET]]) for at in range(0, len(rows), PER_SHEET)]
    form = {"width": WIDTH, "height": HEIGHT, "across": ACROSS, "per_sheet": PER_SHEET, "places": places.tolist()}
    return form, images


def _image(pictures: list[np.ndarray]) -> bytes:
    from matplotlib import colormaps
    from PIL import Image

    down = -(-len(pictures) // ACROSS)
    whole = np.zeros((down * HEIGHT, ACROSS * WIDTH), dtype=np.uint8)
    for number, picture in enumerate(pictures):
        top, left = number // ACROSS * HEIGHT, number % ACROSS * WIDTH
        whole[top : top + HEIGHT, left : left + WIDTH] = picture
    colours = (colormaps["magma"](np.linspace(0, 1, LEVELS))[:, :3] * 255).astype(np.uint8)
    memory = io.BytesIO()
    Image.fromarray(colours[whole]).save(memory, "WEBP", quality=QUALITY, method=6)
    return memory.getvalue()
