"""Features as small gray pictures for networks and for the eye.

An image is [shape=(48, 96), uint8]: rows are bands with the lowest at the bottom (row 47), columns are time from left
to right. Both axes are brought to size by averaging over areas where there are more bands or frames than pixels, and
by linear interpolation between their centres where there are fewer. Black (0) is the low end of a range, white (255)
the high end:

========================  ======================  =========================  =======================================
feature                   reference="file"        reference="absolute"       reference="dataset"
========================  ======================  =========================  =======================================
spectrogram, mel          -80..0 dB below the     -20..60 dB relative to     -80..0 dB below the dataset's maximum
                          recording's maximum     1.0 (full scale: 54..60)
chroma                    0..1                    0..1                       0..1
mfcc, mfcc_no0            the recording's least   percentiles .5 and 99.5    percentiles .5 and 99.5 over the
                          and greatest value      over the recordings        recordings
========================  ======================  =========================  =======================================
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from audioclust import files
from audioclust.features.settings import IMAGE_SHAPE

__all__ = ["dataset_range", "gray", "recording_range", "resize", "write_png"]

Floats = npt.NDArray[np.float32]

_DEPTH = 80.0  # dB between black and white
_LOUDEST = 60.0  # dB relative to 1.0: a constant at full scale under a Hann window of 2 048 samples
_PERCENTILES = (0.5, 99.5)


def resize(values: npt.NDArray[np.floating], shape: tuple[int, int] = IMAGE_SHAPE) -> Floats:
    """Bring a feature to an image's size, lowest band at the bottom.

    Parameters
    ----------
    values : np.ndarray [shape=(bands, frames)]
        Lowest band first.
    shape : tuple
        Rows and columns.

    Returns
    -------
    np.ndarray [shape=shape, float32]
        In the units of `values`.
    """
    bands, frames = values.shape
    rows = (values.T @ _weights(bands, shape[0])).T  # bands first: of a long recording, that leaves little
    return np.asarray(rows @ _weights(frames, shape[1]), dtype=np.float32)[::-1]


def gray(image: npt.NDArray[np.floating], low: float, high: float) -> npt.NDArray[np.uint8]:
    """Map `low` to 0 and `high` to 255, linearly; what lies beyond is cut off. Without a range all is black."""
    if not high > low:
        return np.zeros(image.shape, np.uint8)
    levels = (image.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low))
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def recording_range(feature: str, values: Floats, reference: str) -> tuple[float, float] | None:
    """Return the values that become black and white, or None where they depend on the other recordings."""
    if feature == "chroma":
        return 0.0, 1.0
    if feature in ("mfcc", "mfcc_no0"):
        return (float(values.min()), float(values.max())) if reference == "file" else None
    return {"file": (-_DEPTH, 0.0), "absolute": (_LOUDEST - _DEPTH, _LOUDEST)}.get(reference)


def dataset_range(feature: str, images: npt.NDArray[np.float16], peak: float) -> tuple[float, float]:
    """Return the values that become black and white over a dataset.

    Parameters
    ----------
    feature : str
        One whose :func:`recording_range` is None.
    images : np.ndarray [shape=(n, rows, columns)]
        Of all its recordings, in the units of the feature.
    peak : float
        Highest level among them in dB, for spectrogram and mel.
    """
    if feature in ("spectrogram", "mel"):
        return peak - _DEPTH, peak
    low, high = np.percentile(images.astype(np.float32), _PERCENTILES)
    return float(low), float(high)


def write_png(image: npt.NDArray[np.uint8], path: str | Path) -> Path:
    """Write an image as gray PNG, atomically.

    Parameters
    ----------
    image : np.ndarray [shape=(rows, columns), uint8]
        0 is black.
    path : str or Path
        Ends in ``.png``; missing folders are made.

    Raises
    ------
    ValueError
        When `image` is not a gray image of bytes.
    """
    from PIL import Image

    image = np.asarray(image)
    if image.ndim != 2 or image.dtype != np.uint8:
        raise ValueError(f"image has shape {image.shape} and type {image.dtype}: give (rows, columns) of uint8")
    path = Path(path)
    with files.atomic(path) as partial:
        Image.fromarray(np.ascontiguousarray(image)).save(partial, format="PNG")
    return path


def _weights(size: int, pixels: int) -> Floats:
    return _kept_weights(size, pixels) if size <= 2048 else _make_weights(size, pixels)


def _make_weights(size: int, pixels: int) -> Floats:
    """Matrix [shape=(size, pixels)] that brings `size` values to `pixels`; its columns sum to 1."""
    weights = np.zeros((pixels, size), np.float32)
    if size >= pixels:
        edges = np.linspace(0, size, pixels + 1)
        for row, begin, end in zip(weights, edges[:-1], edges[1:], strict=True):
            first, last = int(begin), min(int(np.ceil(end)), size)
            cells = np.arange(first, last)
            row[first:last] = np.minimum(cells + 1, end) - np.maximum(cells, begin)
        weights *= np.float32(pixels / size)
    else:
        centres = np.clip((np.arange(pixels) + 0.5) * size / pixels - 0.5, 0, size - 1)
        left = np.minimum(centres.astype(int), max(size - 2, 0))
        share = (centres - left).astype(np.float32)
        weights[np.arange(pixels), left] = 1 - share
        weights[np.arange(pixels), np.minimum(left + 1, size - 1)] += share
    return weights.T


_kept_weights = lru_cache(maxsize=256)(_make_weights)
