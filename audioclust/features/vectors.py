"""From a feature over time to one vector per recording, and from vectors to what a clusterer takes.

A feature is [shape=(bands, frames)], vectors ``X`` are [shape=(n, d)], one row per recording. The order is always:
pool each recording, impute what is missing, scale over the recordings, reduce.

Poolings
    ``mean``, ``mean_std``, ``mean_std_delta``: mean over time; with the standard deviation; with both also of the
    first-order deltas. A delta is the slope of the line through nine frames (Furui 1986, as ``librosa.feature.delta``
    with ``mode="nearest"``: at the ends the outermost frame repeats), so that short recordings have deltas too.
    ``profile``: mean over the bands, frame by frame; as long as the longest recording, NaN where a recording has
    ended. ``image_rows``: mean of each row of the image. ``image``: all its pixels, row by row.

References
----------
Furui, "Speaker-independent isolated word recognition using dynamic features of speech spectrum", IEEE TASSP 34(1),
1986.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from audioclust.validation import check_choice

__all__ = ["POOLINGS", "SCALES", "STATISTICS", "Statistics", "average", "impute", "pool", "reduce", "scale", "stack",
           "statistics"]  # fmt: skip

Floats = npt.NDArray[np.float32]
Vectors = npt.NDArray[np.float64]

POOLINGS = ("mean", "mean_std", "mean_std_delta", "profile", "image_rows", "image")
SCALES = ("standard", "minmax", "l2", None)
STATISTICS = ("mean", "std", "delta_mean", "delta_std")
"""What is kept of each band."""

_REACH = 4  # frames on either side that a delta sees
_SLOPE = 60  # 2 (1 + 4 + 9 + 16): what the sum of the differences is divided by
_NOTHING: Floats = np.empty((0, 0), np.float32)
_BLOCK = 128  # frames looked at together: they stay in the processor's cache, and their sums keep their digits


def statistics(values: Floats) -> Floats:
    """Describe each band over time.

    Parameters
    ----------
    values : np.ndarray [shape=(bands, frames)]
        At least one frame.

    Returns
    -------
    np.ndarray [shape=(4, bands), float32]
        The rows of `STATISTICS`.
    """
    found = Statistics()
    found.add(values.T)
    return found.result()


def pool(values: npt.NDArray[Any], pooling: str = "mean_std") -> Floats:
    """Turn one recording into a vector.

    Parameters
    ----------
    values : np.ndarray [shape=(bands, frames)]
        A feature; for ``image_rows`` and ``image``, an image [shape=(rows, columns)].
    pooling : str
        One of `POOLINGS`.

    Returns
    -------
    np.ndarray [shape=(d,), float32]
        d is bands times 1, 2 or 4; for ``profile`` the number of frames, for ``image_rows`` of rows, for ``image`` of
        pixels.

    Raises
    ------
    ValueError
        When `pooling` is unknown.
    """
    check_choice("pooling", pooling, POOLINGS)
    values = np.asarray(values, dtype=np.float32)
    if pooling == "image":
        return values.ravel()
    if pooling == "image_rows":
        return values.mean(axis=1)
    if pooling == "profile":
        return values.mean(axis=0)
    return statistics(values)[: statistics_count(pooling)].ravel()


def statistics_count(pooling: str) -> int:
    """Return how many of `STATISTICS` a pooling takes; 0 for those that are none."""
    return {"mean": 1, "mean_std": 2, "mean_std_delta": 4}.get(pooling, 0)


def stack(profiles: Sequence[npt.NDArray[Any]]) -> Vectors:
    """Put vectors of different lengths under one another, NaN where one has ended [shape=(n, longest)]."""
    X = np.full((len(profiles), max(map(len, profiles), default=0)), np.nan)
    for row, profile in zip(X, profiles, strict=True):
        row[: len(profile)] = profile
    return X


def impute(X: npt.ArrayLike) -> Vectors:
    """Replace NaN by the mean of its column; a column without any number becomes 0."""
    X = np.array(X, dtype=np.float64)
    missing = np.isnan(X)
    if missing.any():
        counts = (~missing).sum(axis=0)
        means = np.where(missing, 0, X).sum(axis=0) / np.maximum(counts, 1)
        X[missing] = np.broadcast_to(means, X.shape)[missing]
    return X


def scale(X: npt.ArrayLike, method: str | None = "standard") -> Vectors:
    """Bring columns, or rows, to one scale.

    Parameters
    ----------
    X : np.ndarray [shape=(n, d)]
        Finite.
    method : {"standard", "minmax", "l2", None}
        Each column to mean 0 and standard deviation 1; each column to 0..1; each row to Euclidean length 1; nothing.
        Constant columns become 0, rows of zeros stay.

    Raises
    ------
    ValueError
        When `method` is unknown.
    """
    check_choice("scale", method, SCALES)
    X = np.array(X, dtype=np.float64)
    if method == "standard":
        mean = X.mean(axis=0)
        X -= mean
        spread = X.std(axis=0)
        X[:, _constant(spread, mean, len(X))] = 0
        X /= np.where(spread > 0, spread, 1)
    elif method == "minmax":
        low = X.min(axis=0)
        X -= low
        spread = X.max(axis=0)
        X /= np.where(spread > 0, spread, 1)
    elif method == "l2":
        length = np.linalg.norm(X, axis=1, keepdims=True)
        X /= np.where(length > 0, length, 1)
    return X


def reduce(X: npt.ArrayLike, pca: int | float | None = None) -> Vectors:
    """Keep the first principal components.

    Parameters
    ----------
    X : np.ndarray [shape=(n, d)]
        Finite.
    pca : int, float or None
        How many components; or, between 0 and 1, the share of the variance to keep; None keeps `X`.

    Returns
    -------
    np.ndarray [shape=(n, components)]

    Raises
    ------
    ValueError
        When `pca` is neither, or there are fewer components.
    """
    X = np.asarray(X, dtype=np.float64)
    if pca is None:
        return X
    count = isinstance(pca, (int, np.integer)) and not isinstance(pca, bool)
    share = isinstance(pca, (float, np.floating)) and 0 < pca < 1
    if not (share or (count and 1 <= pca <= min(X.shape))):
        raise ValueError(f"pca={pca!r}: give 1 to {min(X.shape)} components, a share of variance below 1, or None")
    if not X.var(axis=0).any():  # nothing to decompose: PCA would divide by the total variance
        return np.zeros((len(X), int(pca) if count else 1))
    from sklearn.decomposition import PCA

    return np.asarray(PCA(pca, svd_solver="full").fit_transform(X), dtype=np.float64)


def _constant(spread: Vectors, mean: Vectors, n: int) -> npt.NDArray[np.bool_]:
    """Find columns whose spread is only rounding of their mean."""
    eps = np.finfo(np.float64).eps
    return spread <= n * eps * np.abs(mean)


class Statistics:
    """The rows of `STATISTICS` of a feature that comes in consecutive stretches.

    All is computed in single precision, from the differences to the recording's first frame: what does not change gives
    0, and not rounding errors, which a later scaling would blow up.
    """

    def __init__(self) -> None:
        self._values, self._slopes = _Moments(), _Moments()
        self._first: Floats | None = None
        self._held = _NOTHING  # frames that wait for their slopes, those that these see, and room

    def add(self, frames: Floats) -> None:
        """Take the next stretch [shape=(frames, bands)]."""
        if self._first is None:
            self._first = frames[0].copy()
            self._held = np.zeros((2 * _REACH, frames.shape[1]), np.float32)  # before the beginning the first repeats
        for start in range(0, len(frames), _BLOCK):
            block, known = frames[start : start + _BLOCK], len(self._held) - _REACH
            held = np.empty((len(block) + len(self._held), frames.shape[1]), np.float32)
            held[:known] = self._held[:known]
            self._values.add(np.subtract(block, self._first, out=held[known:-_REACH]))
            if len(held) > _BLOCK + 3 * _REACH:
                self._slopes.add(_slopes(held[:-_REACH]))
                held = held[-3 * _REACH :]
            self._held = held

    def result(self) -> Floats:
        """Return the statistics [shape=(4, bands), float32] of all stretches; at least one frame."""
        assert self._first is not None
        self._held[-_REACH:] = self._held[-_REACH - 1]  # beyond the end the last one repeats
        self._slopes.add(_slopes(self._held))
        found = np.array([*self._values.result(), *self._slopes.result()], dtype=np.float32)
        found[0] += self._first
        found[2:] /= _SLOPE
        return found


def _slopes(frames: Floats) -> Floats:
    """Return `_SLOPE` times the slopes at all frames but the `_REACH` outermost [shape=(frames - 2 _REACH, bands)]."""
    inner = len(frames) - 2 * _REACH
    step = frames[2 * _REACH :] - frames[:inner]
    total = step.copy()
    for reach in range(_REACH - 1, 0, -1):  # each step counts once more than the one beyond it
        step += frames[_REACH + reach :][:inner]
        step -= frames[_REACH - reach :][:inner]
        total += step
    return total


@lru_cache(maxsize=4 * _BLOCK)
def average(count: int) -> Floats:
    """Weights of which the product with so many rows is their mean [shape=(count,)]: half the time of a mean."""
    return np.full(count, 1 / count, np.float32)


class _Moments:
    """Mean and standard deviation over all rows of all blocks.

    Each block's are taken in single precision, the deviation about the block's own mean. They are joined in double
    precision, as in Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    variances", COMPSTAT 1982.
    """

    def __init__(self) -> None:
        self._count = 0
        self._mean: npt.NDArray[np.floating] = _NOTHING
        self._variance: npt.NDArray[np.floating] = _NOTHING

    def add(self, block: Floats) -> None:
        weights = average(len(block))
        mean = weights @ block
        rest = block - mean
        self._join(len(block), mean, weights @ np.square(rest, out=rest))

    def _join(self, count: int, mean: Floats, variance: Floats) -> None:
        if not self._count:
            self._count, self._mean, self._variance = count, mean, variance
            return
        share = count / (self._count + count)
        step = mean - self._mean.astype(np.float64)
        self._variance = self._variance + share * (variance - self._variance + (1 - share) * step**2)
        self._mean = self._mean + share * step
        self._count += count

    def result(self) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
        return self._mean, np.sqrt(self._variance)
