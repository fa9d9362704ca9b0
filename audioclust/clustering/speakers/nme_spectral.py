"""Spectral clustering that tunes itself: the neighbour graph and the number of clusters by the widest eigengap.

Arrays: ``X`` (n, d), one vector per recording; ``labels_`` (n,), every recording belongs to a cluster.

For a neighbour count p the graph joins each recording to the p with the highest cosine. The eigenvalues of its
normalised Laplacian (normalised, so that clusters of unequal size weigh alike) are near 0 once per cluster, and the gap
after them is wide when the clusters are clear. Of all p the one is taken for which p, relative to the number of
recordings, is least per unit of gap; the place of the gap is the number of clusters.

References
----------
Park, Han, Kumar, Narayanan: Auto-tuning spectral clustering for speaker diarization using normalized maximum eigengap
(2019), IEEE Signal Processing Letters 27.
von Luxburg: A tutorial on spectral clustering (2007).
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from sklearn.cluster import KMeans
from sklearn.utils import check_random_state

from audioclust.clustering.base import OrderedClusterer
from audioclust.geometry import unit_rows

__all__ = ["NMESpectral"]


class NMESpectral(OrderedClusterer):
    """Auto-tuned spectral clustering with cosine neighbours.

    Parameters
    ----------
    n_clusters : int, optional
        Number of clusters; None takes the place of the widest eigengap.
    max_clusters : int >= 1
        The largest number considered.
    max_neighbors : float in (0, 1]
        Largest neighbour count tried, as a share of the recordings.
    n_counts : int >= 1
        How many neighbour counts are tried, spread geometrically.
    random_state : int, RandomState instance or None
        Seed of K-Means on the eigenvectors.

    Attributes
    ----------
    labels_ : array of int [shape=(n,)]
    n_clusters_ : int
        Clusters found, or asked for.
    n_neighbors_ : int
        Neighbour count taken.
    eigenvalues_ : array
        Lowest eigenvalues of the Laplacian for that count.

    Notes
    -----
    Time grows with the cube of the recordings: a few thousand are practical.
    """

    def __init__(
        self,
        n_clusters: int | None = None,
        *,
        max_clusters: int = 100,
        max_neighbors: float = 0.25,
        n_counts: int = 8,
        random_state: Any = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.max_clusters = max_clusters
        self.max_neighbors = max_neighbors
        self.n_counts = n_counts
        self.random_state = random_state

    def _cluster(self, X: NDArray[np.float64]) -> NDArray[np.intp]:
        self._check()
        random_state = check_random_state(self.random_state)
        X = unit_rows(X, zero="warn")
        n = len(X)
        k_max = min(self.max_clusters if self.n_clusters is None else self.n_clusters, n - 1)
        most = max(2, int(self.max_neighbors * n))
        counts = np.unique(np.geomspace(2, most, self.n_counts).round().astype(int))
        cosines = X @ X.T
        ranked = np.argpartition(-cosines, min(most, n - 1), axis=1)[:, : most + 1]
        ranked = np.take_along_axis(ranked, np.argsort(-np.take_along_axis(cosines, ranked, 1), 1, "stable"), 1)
        best = (np.inf, counts[0], np.zeros(2), np.zeros((n, 1)))
        for count in counts:
            values, vectors, largest = _spectrum(ranked[:, : count + 1], k_max)
            gap = np.diff(values).max() / max(largest, 1e-12)
            ratio = count / n / max(gap, 1e-12)
            if ratio < best[0]:
                best = (ratio, count, values, vectors)
        _, self.n_neighbors_, self.eigenvalues_, vectors = best
        k = int(np.argmax(np.diff(self.eigenvalues_))) + 1 if self.n_clusters is None else self.n_clusters
        self.n_clusters_ = k
        if k == 1:
            return np.zeros(n, dtype=np.intp)
        if k >= n:
            return np.arange(n)
        seed = random_state.randint(2**31 - 1)
        return KMeans(k, n_init=10, random_state=seed).fit(vectors[:, :k]).labels_.astype(np.intp)

    def _check(self) -> None:
        for name in ("max_clusters", "n_counts"):
            value = getattr(self, name)
            if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name}={value!r}: give a whole number of at least 1")
        if not 0 < self.max_neighbors <= 1:
            raise ValueError(f"max_neighbors={self.max_neighbors!r}: give a share above 0, up to 1")


def _spectrum(neighbours: NDArray[np.intp], k_max: int) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Lowest k_max + 1 eigenvalues of the Laplacian of a neighbour graph, their vectors, and the largest eigenvalue."""
    n = len(neighbours)
    graph = np.zeros((n, n))
    graph[np.arange(n)[:, None], neighbours] = 0.5
    graph = graph + graph.T
    np.fill_diagonal(graph, 0.0)
    degrees = graph.sum(axis=1)
    scale = 1 / np.sqrt(np.maximum(degrees, 1e-12))
    laplacian = np.eye(n) - scale[:, None] * graph * scale
    values, vectors = eigh(laplacian, subset_by_index=(0, min(k_max, n - 1)))
    largest = float(eigh(laplacian, eigvals_only=True, subset_by_index=(n - 1, n - 1))[0])
    return np.maximum(values, 0.0), vectors, largest
