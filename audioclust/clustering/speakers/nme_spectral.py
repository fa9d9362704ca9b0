"""Spectral clustering that tunes itself: the neighbour graph and the number of clusters by the widest eigengap.

Arrays: ``X`` [shape=(n, d)], one vector per recording; ``labels_`` [shape=(n,)], every recording belongs to a cluster.

For a neighbour count p the graph joins each recording to the p with the highest cosine. The eigenvalues of its
normalised Laplacian (normalised, so that clusters of unequal size weigh alike) are near 0 once per cluster, and the gap
after them is wide when the clusters are clear. A gap counts only where it is at least as wide as the eigenvalues below
it are high: gaps further up say nothing about clusters. Of all p the one is taken for which p, relative to the number
of recordings, is least per unit of gap; the place of the gap is the number of clusters.

Several clusters are reported when their cosine silhouette is clear, or when the gap is clearly wider than those of as
many vectors drawn from one Gaussian of the same mean and covariance; otherwise it is one cluster.

References
----------
Park, Han, Kumar, Narayanan: Auto-tuning spectral clustering for speaker diarization using normalized maximum eigengap
(2019), IEEE Signal Processing Letters 27.
von Luxburg: A tutorial on spectral clustering (2007), section 8.3: the eigenvalues below the gap are to be small.
Liu, Hayes, Nobel, Marron: Statistical significance of clustering for high-dimension, low-sample size data (2008): the
one Gaussian.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import ArpackNoConvergence, eigsh
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

from audioclust.clustering.base import OrderedClusterer
from audioclust.clustering.speakers import two_covariance
from audioclust.evaluation.internal import silhouette
from audioclust.geometry import first_copies, unit_rows
from audioclust.validation import DegenerateClusteringWarning, check_number, check_seed, check_share

__all__ = ["NMESpectral"]

LIMIT = 5000  # different recordings
LEAST_NEIGHBORS = 3  # two neighbours join many graphs into chains, whose gaps say nothing
MOST_NEIGHBORS = 256
DENSE = 800  # rows up to which all eigenvalues at once are the quicker way
CLEAR = 0.5  # silhouette above which there are clearly several groups
DRAWS = 5  # samples of one Gaussian
CHANCE = 0.8  # share of the least ratio of those samples that several clusters must stay below


class NMESpectral(OrderedClusterer):
    """Auto-tuned spectral clustering with cosine neighbours.

    Parameters
    ----------
    n_clusters : int, optional
        Number of clusters; None takes the place of the widest eigengap.
    max_clusters : int >= 1
        The largest number considered.
    max_neighbors : float in (0, 1]
        Largest neighbour count tried, as a share of the recordings; at most 256 neighbours are used.
    n_counts : int >= 1
        How many neighbour counts are tried, spread geometrically.
    random_state : int, RandomState instance or None
        Seed of K-Means on the eigenvectors, and of the comparison with one Gaussian.

    Attributes
    ----------
    labels_ : array of int [shape=(n,)]
        Equal rows share a label.
    n_clusters_ : int
        Number of clusters, as estimated or asked for.
    n_neighbors_ : int
        Neighbour count taken.
    eigenvalues_ : array
        Lowest eigenvalues of the Laplacian for that count.

    Notes
    -----
    More than 5000 different recordings are refused with a ValueError: use ``auto`` or ``partial_sets``.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> voices = np.repeat(rng.standard_normal((3, 64)), 12, axis=0)
    >>> NMESpectral().fit(voices + rng.standard_normal((36, 64))).n_clusters_
    3
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
        for name in ("max_clusters", "n_counts"):
            check_number(name, getattr(self, name), 1, whole=True)
        check_share("max_neighbors", self.max_neighbors)
        random_state = check_seed(self.random_state)
        X = unit_rows(X, zero="warn")
        first, run = np.unique(first_copies(X), return_inverse=True)
        if len(first) > LIMIT:
            raise ValueError(
                f"nme_spectral: X has {len(first)} different rows, give at most {LIMIT}; use auto or partial_sets"
            )
        return self._grouped(X[first], random_state)[run]

    def _grouped(self, X: NDArray[np.float64], random_state: np.random.RandomState) -> NDArray[np.intp]:
        n = len(X)
        if n == 1 or (self.n_clusters or 0) >= n:
            self.n_clusters_, self.n_neighbors_, self.eigenvalues_ = n, 0, np.zeros(n)
            return np.arange(n)
        best = self._searched(X)
        self.n_neighbors_, self.eigenvalues_ = best.neighbors, best.values
        self.n_clusters_ = k = best.k if self.n_clusters is None else self.n_clusters
        if k == 1:
            if best.overflow and self.n_clusters is None:
                text = f"NMESpectral: one cluster, or more than max_clusters={self.max_clusters}: give a larger number"
                warnings.warn(text, DegenerateClusteringWarning, stacklevel=5)
            return np.zeros(n, dtype=np.intp)
        seed = random_state.randint(2**31 - 1)
        labels = KMeans(k, n_init=10, random_state=seed).fit(best.vectors[:, :k]).labels_.astype(np.intp)
        if self.n_clusters is None and not self._several(X, labels, best.ratio, random_state):
            self.n_clusters_ = 1
            return np.zeros(n, dtype=np.intp)
        return labels

    def _searched(self, X: NDArray[np.float64]) -> _Spectrum:
        """Return the spectrum of the neighbour count with the least ratio."""
        n = len(X)
        k_max = min(self.max_clusters if self.n_clusters is None else self.n_clusters, n - 1)
        most = min(max(LEAST_NEIGHBORS, int(self.max_neighbors * n)), MOST_NEIGHBORS, n - 1)
        counts = np.unique(np.geomspace(min(LEAST_NEIGHBORS, most), most, self.n_counts).round().astype(int))
        ranked = NearestNeighbors(n_neighbors=most).fit(X).kneighbors(return_distance=False)
        spectra = [_spectrum(ranked[:, :count], k_max) for count in counts]
        best = min(spectra, key=lambda spectrum: spectrum.ratio)
        return best._replace(overflow=any(spectrum.overflow for spectrum in spectra))

    def _several(
        self, X: NDArray[np.float64], labels: NDArray[np.intp], ratio: float, random_state: np.random.RandomState
    ) -> bool:
        """Whether the clusters are clear, or clearer than what the same search makes of one Gaussian."""
        if silhouette(X, labels, metric="cosine") >= CLEAR:
            return True
        n, d = X.shape
        centre = X.mean(axis=0)
        covariance = two_covariance.shrunk((X - centre).T @ (X - centre) / (n - 1), n - 1)
        root = np.linalg.cholesky(covariance).T
        for _ in range(DRAWS):
            draw = unit_rows(centre + random_state.standard_normal((n, d)) @ root, zero="keep")
            if ratio > CHANCE * self._searched(draw).ratio:
                return False
        return True


class _Spectrum(NamedTuple):
    """Lowest eigenvalues of one neighbour graph's Laplacian, their vectors, and what the widest gap says."""

    ratio: float  # p / n per unit of gap, the gap relative to the largest eigenvalue
    k: int
    neighbors: int
    values: NDArray[np.float64]
    vectors: NDArray[np.float64]
    overflow: bool  # whether the graph falls into more components than eigenvalues were asked for


def _spectrum(neighbours: NDArray[np.intp], k_max: int) -> _Spectrum:
    """Find the lowest k_max + 1 eigenvalues, component by component: each has one eigenvalue of 0, large ones first."""
    n, p = neighbours.shape
    ends = (np.repeat(np.arange(n), p), neighbours.ravel())
    graph = sparse.csr_matrix((np.full(n * p, 0.5), ends), shape=(n, n))
    graph = (graph + graph.T).tocsr()
    scale = sparse.diags(1 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel()))
    graph = (scale @ graph @ scale).tocsr()
    components = connected_components(graph, directed=False)[1]
    order = np.argsort(components, kind="stable")
    blocks = sorted(np.split(order, np.cumsum(np.bincount(components))[:-1]), key=len, reverse=True)
    values, vectors, largest = [], [], 0.0
    for rows in blocks:
        own_values, own_vectors, top = _component_spectrum(graph[rows][:, rows], k_max + 1)
        values.append(own_values)
        vectors += [(rows, vector) for vector in own_vectors.T]
        largest = max(largest, top)
    everything = np.concatenate(values)
    lowest = np.argsort(everything, kind="stable")[: k_max + 1]
    embedded = np.zeros((n, len(lowest)))
    for column, number in enumerate(lowest):
        rows, vector = vectors[number]
        embedded[rows, column] = vector
    lowest_values = everything[lowest]
    gaps = np.diff(lowest_values)
    gaps = np.where(lowest_values[:-1] <= gaps, gaps, 0.0)
    ratio = p / n / max(gaps.max() / largest, 1e-12)
    return _Spectrum(ratio, int(np.argmax(gaps)) + 1, p, lowest_values, embedded, len(blocks) > k_max)


def _component_spectrum(graph: sparse.csr_matrix, k: int) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Lowest k eigenvalues of a connected Laplacian, the first exactly 0, their vectors, and the largest eigenvalue."""
    n = graph.shape[0]
    pairs = None  # eigenvalues and eigenvectors, in rising order
    if n > DENSE and 4 * k < n:
        start = np.sqrt(np.arange(1.0, n + 1) % 7 + 1)  # the same for every call, and no eigenvector
        try:
            pairs = eigsh(graph, k=k, which="LA", v0=start, ncv=min(n, 3 * k + 20), tol=1e-6, maxiter=60)
            top = 1 - float(eigsh(graph, k=1, which="SA", v0=start, tol=1e-3, return_eigenvectors=False)[0])
        except ArpackNoConvergence:
            pairs = None
    if pairs is None:
        pairs = np.linalg.eigh(graph.toarray())
        top = 1 - float(pairs[0][0])
    values, vectors = 1 - pairs[0][::-1][:k], pairs[1][:, ::-1][:, :k]
    values[0] = 0.0
    return np.maximum(values, 0.0), vectors, top
