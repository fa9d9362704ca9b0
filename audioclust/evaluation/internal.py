"""How well separated clusters are by their own geometry: no truth needed.

Conventions: ``X`` [shape=(n, d)] finite, ``labels`` [shape=(n,)] integers, every row belongs to a cluster (drop noise
first). A silhouette lies in [-1, 1], larger is better; Davies-Bouldin is >= 0, smaller is better;
Calinski-Harabasz is >= 0, larger is better. All are NaN where they are undefined: fewer than two clusters, every
recording a cluster of its own, or no spread at all.

References
----------
.. [1] Rousseeuw, P. J. (1987). Silhouettes: a graphical aid to the interpretation and validation of cluster analysis.
   J. Comput. Appl. Math. 20, 53-65.
.. [2] Davies, D. L., Bouldin, D. W. (1979). A cluster separation measure. IEEE TPAMI 1(2), 224-227.
.. [3] Calinski, T., Harabasz, J. (1974). A dendrite method for cluster analysis. Comm. in Statistics 3, 1-27.
"""

from __future__ import annotations

import logging
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score

from audioclust.geometry import binary_exponent, group_sums, unit_rows
from audioclust.validation import check_choice

__all__ = ["calinski_harabasz", "davies_bouldin", "silhouette", "silhouette_samples", "silhouettes"]

_log = logging.getLogger(__name__)
_BLOCK = 2**24  # numbers in one block of distances: 128 MiB


def silhouette(
    X: NDArray[np.floating], labels: NDArray[np.integer], *, metric: str = "euclidean", max_samples: int = 20_000
) -> float:
    """Mean silhouette [1]_.

    Parameters
    ----------
    X, labels
        See the module's opening.
    metric : {"euclidean", "cosine"}
        The cosine silhouette needs no pairwise distances: its cost grows with n, not with n squared.
    max_samples : int > 1
        The Euclidean silhouette of more rows than this is that of this many rows among themselves, drawn once with a
        fixed seed.

    Returns
    -------
    float
        In [-1, 1], or NaN where undefined.

    Examples
    --------
    >>> round(silhouette(np.array([[0.0], [1.0], [9.0], [10.0]]), np.array([0, 0, 1, 1])), 3)
    0.889
    """
    X, labels = np.asarray(X), np.asarray(labels)
    if metric == "euclidean" and len(X) > max_samples:
        _log.info("silhouette of %d of %d rows, drawn with a fixed seed", max_samples, len(X))
        rows = np.sort(np.random.default_rng(0).choice(len(X), max_samples, replace=False))
        X, labels = X[rows], labels[rows]
    return float(silhouette_samples(X, labels, metric=metric).mean()) if _defined(X, labels) else math.nan


def silhouette_samples(
    X: NDArray[np.floating], labels: NDArray[np.integer], *, metric: str = "euclidean"
) -> NDArray[np.float64]:
    """Silhouette of every row [1]_ [shape=(n,)]; NaN everywhere where it is undefined, 0 for a cluster of one.

    Parameters
    ----------
    X, labels
        See the module's opening.
    metric : {"euclidean", "cosine"}
        A row of zeros has the cosine distance 1 to every other.

    Raises
    ------
    ValueError
        When `metric` is neither.
    """
    check_choice("metric", metric, ("euclidean", "cosine"))
    rows = _scaled(X)
    clusters, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if not 2 <= len(clusters) < len(rows):
        return np.full(len(rows), math.nan)
    sums = (_cosine_sums if metric == "cosine" else _euclidean_sums)(rows, codes, len(clusters))
    return silhouettes_from_sums(sums, codes, sizes)


def silhouettes_from_sums(
    sums: NDArray[np.float64], own: NDArray[np.integer], sizes: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Silhouette of rows [shape=(m,)] from their summed distances to every cluster [shape=(m, k)] and their own one."""
    each = np.arange(len(sums))
    inside = sums[each, own] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[each, own] = np.inf
    outside = means.min(axis=1)
    largest = np.maximum(inside, outside)
    values = np.divide(outside - inside, largest, out=np.zeros(len(sums)), where=largest > 0)
    values[sizes[own] == 1] = 0.0
    return values


def silhouettes(X: ArrayLike, labels: ArrayLike, *, metric: str = "euclidean") -> NDArray[np.float64]:
    """Silhouette of every recording of a clustering that may hold noise [1]_.

    Parameters
    ----------
    X : array-like [shape=(n, d)]
    labels : array-like of int [shape=(n,)]
        -1 for noise.
    metric : {"euclidean", "cosine"}

    Returns
    -------
    array [shape=(n,)]
        In [-1, 1]; 0 for a cluster of one, NaN for noise and everywhere where it is undefined.

    Examples
    --------
    >>> silhouettes([[0.0], [1.0], [5.0], [9.0], [10.0]], [0, 0, -1, 1, 1]).round(2)
    array([0.89, 0.88,  nan, 0.88, 0.89])
    """
    rows, labels = np.asarray(X, dtype=np.float64), np.asarray(labels)
    values = np.full(len(rows), math.nan)
    clustered = labels != -1
    values[clustered] = silhouette_samples(rows[clustered], labels[clustered], metric=metric)
    return values


def davies_bouldin(X: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Davies-Bouldin index [2]_, >= 0, or NaN where undefined."""
    return float(davies_bouldin_score(_scaled(X), labels)) if _defined(X, labels) else math.nan


def calinski_harabasz(X: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Calinski-Harabasz index [3]_, >= 0, or NaN where undefined (no spread inside the clusters included)."""
    if not _defined(X, labels):
        return math.nan
    X = _scaled(X)
    codes = np.unique(labels, return_inverse=True)[1]
    centres = np.array([X[codes == code].mean(axis=0) for code in range(codes.max() + 1)])
    if np.allclose(X, centres[codes], rtol=1e-12, atol=0):
        return math.nan
    return float(calinski_harabasz_score(X, labels))


def _scaled(X: ArrayLike) -> NDArray[np.float64]:
    """Return the rows times a power of two, so that no square overflows; no score depends on the scale."""
    rows = np.asarray(X, dtype=np.float64)
    return np.ldexp(rows, -binary_exponent(rows))


def _defined(X: NDArray[np.floating], labels: NDArray[np.integer]) -> bool:
    return 2 <= len(np.unique(labels)) < len(X) and bool(np.any(X[0] != X))


def _euclidean_sums(X: NDArray[np.float64], codes: NDArray[np.intp], n_clusters: int) -> NDArray[np.float64]:
    """Sum of the distances of every row to the rows of every cluster [shape=(n, n_clusters)]."""
    X = X - X.mean(axis=0)  # distances from the norms lose digits far from the origin
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(n_clusters))
    columns, squares = X[order], np.einsum("ij,ij->i", X, X)
    sums = np.empty((len(X), n_clusters))
    step = max(1, _BLOCK // len(X))
    for start in range(0, len(X), step):
        rows = order[start : start + step]
        distances = X[rows] @ columns.T
        distances *= -2
        distances += squares[rows, None]
        distances += squares[order]
        distances[np.arange(len(rows)), np.arange(start, start + len(rows))] = 0
        np.sqrt(np.maximum(distances, 0, out=distances), out=distances)
        sums[rows] = np.add.reduceat(distances, starts, axis=1)
    return sums


def _cosine_sums(X: NDArray[np.float64], codes: NDArray[np.intp], n_clusters: int) -> NDArray[np.float64]:
    """Sum of the cosine distances of every row to the other rows of every cluster [shape=(n, n_clusters)]."""
    units = unit_rows(X, zero="keep")
    sums = np.bincount(codes, minlength=n_clusters) - units @ group_sums(units, codes, n_clusters).T
    rows = np.arange(len(X))
    sums[rows, codes] -= 1 - np.einsum("ij,ij->i", units, units)
    return np.maximum(sums, 0)
