"""Features as small gray pictures for networks and for the eye.

An image is [shape=(48, 96), uint8]: rows are bands with the lowest at the bottom (row 47), columns are time from left
to right. Both axes are brought to size by averaging over areas where there are more bands or frames than pixels, and
by linear interpolation between their centres where there are fewer. Black (0) is the low end of a range, white (255)
the high end. What the table of features says of the built-in ones (one of your own that is a level is treated like
mel, one with a ``range`` like chroma, any other like mfcc):

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
from audioclust.features.filters import Banded
from audioclust.features.settings import IMAGE_SHAPE
from audioclust.features.table import DEPTH, Feature

__all__ = ["Resizer", "dataset_range", "gray", "resize", "write_png"]

Floats = npt.NDArray[np.float32]

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
    resizer = Resizer(values.shape[1], shape)
    resizer.add(values)
    return resizer.result()


class Resizer:
    """Bring a feature that comes in consecutive stretches to an image's size.

    Parameters
    ----------
    frames : int
        Of all stretches together.
    shape : tuple
        Rows and columns.
    """

    def __init__(self, frames: int, shape: tuple[int, int] = IMAGE_SHAPE) -> None:
        self._frames, self._shape, self._taken = frames, shape, 0
        self._image: Floats | None = None

    def add(self, values: npt.NDArray[np.floating]) -> None:
        """Take the next stretch [shape=(bands, frames)]."""
        rows = _banded(len(values), self._shape[0])(values.T).T  # bands first: that leaves little
        first, self._taken = self._taken, self._taken + values.shape[1]
        part = rows @ _weights(self._frames, self._shape[1], first, self._taken)
        self._image = part if self._image is None else self._image + part

    def result(self) -> Floats:
        """Return the image, lowest band at the bottom."""
        assert self._image is not None
        return self._image[::-1]


def gray(image: npt.NDArray[np.floating], low: float, high: float) -> npt.NDArray[np.uint8]:
    """Map `low` to 0 and `high` to 255, linearly; what lies beyond is cut off. Without a range all is black."""
    if not high > low:
        return np.zeros(image.shape, np.uint8)
    levels = np.subtract(image, np.float32(low), dtype=np.float32)
    levels *= np.float32(255 / (high - low))
    np.rint(levels, out=levels)
    return levels.clip(np.float32(0), np.float32(255), out=levels).astype(np.uint8)


def dataset_range(feature: Feature, images: npt.NDArray[np.floating], peak: float) -> tuple[float, float]:
    """Return the values that become black and white over a dataset.

    Parameters
    ----------
    feature : Feature
        One whose images depend on all recordings.
    images : np.ndarray [shape=(n, rows, columns)]
        Of all its recordings, in the units of the feature.
    peak : float
        Highest level among them in dB, for levels.
    """
    if feature.level:
        return peak - DEPTH, peak
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


def _weights(size: int, pixels: int, first: int, last: int) -> Floats:
    """Matrix [shape=(last - first, pixels)] that brings the values `first` to `last` of `size` to `pixels`."""
    if (first, last) == (0, size) and size <= 2048:
        return _kept_weights(size, pixels)
    return _make_weights(size, pixels, first, last)


def _make_weights(size: int, pixels: int, first: int, last: int) -> Floats:
    """Over all values, the columns sum to 1."""
    if size >= pixels:
        edges, cells = np.linspace(0, size, pixels + 1), np.arange(first, last)
        weights = np.minimum(cells + 1, edges[1:, None]) - np.maximum(cells, edges[:-1, None])
        weights = np.clip(weights, 0, 1).astype(np.float32)  # how much of each cell lies between two edges
        weights *= np.float32(pixels / size)
        return weights.T
    weights = np.zeros((pixels, size), np.float32)
    centres = np.clip((np.arange(pixels) + 0.5) * size / pixels - 0.5, 0, size - 1)
    left = np.minimum(centres.astype(int), max(size - 2, 0))
    share = (centres - left).astype(np.float32)
    weights[np.arange(pixels), left] = 1 - share
    weights[np.arange(pixels), np.minimum(left + 1, size - 1)] += share
    return weights[:, first:last].T


@lru_cache
def _banded(size: int, pixels: int) -> Banded:
    return Banded(_make_weights(size, pixels, 0, size).T)


@lru_cache(maxsize=256)
def _kept_weights(size: int, pixels: int) -> Floats:
    return _make_weights(size, pixels, 0, size)
