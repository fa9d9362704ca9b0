"""Spectral clustering that a disconnected neighbour graph does not break.

``X`` [shape=(n, d)] becomes a graph with affinities ``A`` [shape=(n, n)]; its rows are embedded by the leading
eigenvectors of ``D^-1/2 A D^-1/2`` (D: row sums of A), scaled to unit length, and grouped by K-Means [1]_.

Where a nearest-neighbour graph falls into components, the leading eigenvalue is repeated, the eigenvectors are an
arbitrary mixture, and what a solver returns is an accident. So components are joined by their minimum spanning edges
first, as weak as any edge of the graph. Equal rows (copies of one recording) are one node of the graph: otherwise
they would be each other's only neighbours.

References
----------
.. [1] Ng, A., Jordan, M., Weiss, Y. (2001). On spectral clustering: analysis and an algorithm. NIPS 14.
.. [2] von Luxburg, U. (2007). A tutorial on spectral clustering. Statistics and Computing 17(4).
.. [3] Zelnik-Manor, L., Perona, P. (2004). Self-tuning spectral clustering. NIPS 17.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import eigh
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import ArpackNoConvergence, eigsh
from scipy.spatial.distance import pdist
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances_chunked
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.neighbors import kneighbors_graph
from sklearn.utils import Tags, check_random_state

from audioclust.clustering.base import OrderedClusterer
from audioclust.geometry import first_copies
from audioclust.validation import check_choice, check_number

__all__ = ["Spectral", "connect", "embed", "median_gamma"]

_DENSE = 600  # rows up to which all eigenvectors at once are the quicker way


class Spectral(OrderedClusterer):
    """Spectral clustering [1]_.

    Parameters
    ----------
    n_clusters : int >= 1
        Number of clusters.
    affinity : {"nearest_neighbors", "rbf", "precomputed"}
        Graph of the nearest neighbours (an edge counts 1 if mutual, else 1/2), ``exp(-gamma d^2)`` between all, or the
        `X` given to ``fit`` itself: symmetric affinities of at least 0 [shape=(n, n)].
    n_neighbors : int >= 1
        Neighbours of a recording in the graph, itself not counted; at most n - 1 are used.
    gamma : float > 0, "auto" or "local"
        Width of the rbf affinity: "auto" is ``1 / (2 median(d)^2)``, the median heuristic; "local" scales each pair by
        the two recordings' distances to their seventh neighbours [3]_.
    n_init : int >= 1
        Starts of the K-Means at the end.
    random_state : int, RandomState or None
        Seed of the eigensolver and of K-Means.

    Attributes
    ----------
    labels_ : array [shape=(n,)]
        Clusters.
    n_components_ : int
        Connected components of the graph before they were joined (1 for rbf).

    Examples
    --------
    >>> X = [[0.0], [1.0], [2.0], [20.0], [21.0], [22.0]]
    >>> labels = Spectral(n_clusters=2, n_neighbors=2, random_state=0).fit_predict(X)
    >>> labels.tolist() in ([0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0])
    True
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        affinity: str = "nearest_neighbors",
        n_neighbors: int = 10,
        gamma: float | str = "auto",
        n_init: int = 10,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.affinity = affinity
        self.n_neighbors = n_neighbors
        self.gamma = gamma
        self.n_init = n_init
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = tags.input_tags.positive_only = self.affinity == "precomputed"
        return tags

    def _cluster(self, X: NDArray[np.float64]) -> NDArray[np.intp]:
        check_choice("affinity", self.affinity, ("nearest_neighbors", "rbf", "precomputed"))
        check_number("n_neighbors", self.n_neighbors, 1, whole=True)
        check_number("n_init", self.n_init, 1, whole=True)
        if self.gamma not in ("auto", "local") and (isinstance(self.gamma, str) or not self.gamma > 0):
            raise ValueError(f"gamma={self.gamma!r}: give a number above 0, 'auto' or 'local'")
        if self.affinity == "precomputed":
            return self._embedded(self._given(X), None)
        nodes, place, copies = np.unique(first_copies(X), return_inverse=True, return_counts=True)
        if len(nodes) <= self.n_clusters:
            self.n_components_ = len(nodes)
            return place
        X = X[nodes]
        if self.affinity == "rbf":
            affinity, self.n_components_ = self._rbf(X), 1
        else:
            graph = kneighbors_graph(X, min(self.n_neighbors, len(X) - 1))
            affinity, self.n_components_ = connect((graph + graph.T) / 2, X)
        return self._embedded(affinity, copies)[place]

    def _embedded(self, affinity: Any, weights: NDArray[np.intp] | None) -> NDArray[np.intp]:
        """Return the clusters of the nodes of a graph, by K-Means among its eigenvectors."""
        if self.n_clusters == 1:
            return np.zeros(affinity.shape[0], dtype=np.intp)
        rng = check_random_state(self.random_state)
        coordinates = embed(affinity, self.n_clusters, random_state=rng)
        model = KMeans(self.n_clusters, n_init=self.n_init, random_state=rng)
        return model.fit(coordinates, sample_weight=weights).labels_

    def _given(self, affinity: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the affinities that the caller computed, checked; nothing tells how to join their components."""
        if affinity.min() < 0 or not np.allclose(affinity, affinity.T, rtol=1e-8, atol=1e-12 * affinity.max()):
            raise ValueError("X is no matrix of affinities: give symmetric values of at least 0")
        self.n_components_ = int(connected_components(affinity, directed=False)[0])
        if self.n_components_ > self.n_clusters:
            raise ValueError(
                f"the affinities fall into {self.n_components_} parts that nothing joins, more than "
                f"n_clusters={self.n_clusters}: give at least as many clusters, or affinities above 0 between them"
            )
        affinity = (affinity + affinity.T) / 2
        alone = np.flatnonzero(affinity.sum(axis=1) == 0)
        affinity[alone, alone] = 1.0  # a part of its own needs an eigenvector of its own
        return affinity

    def _rbf(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        distances = euclidean_distances(X, squared=True)
        if self.gamma == "local":
            scales = np.sqrt(np.partition(distances, min(7, len(X) - 1), axis=1)[:, min(7, len(X) - 1)])
            scales = np.maximum(scales, max(1e-12, 1e-6 * scales.max()))
            distances /= scales[:, None]
            distances /= scales
            gamma = 1.0
        elif self.gamma == "auto":
            gamma = median_gamma(X)
        else:
            gamma = float(self.gamma)
        return np.exp(-gamma * distances)


def median_gamma(X: NDArray[np.float64]) -> float:
    """Return ``1 / (2 median(d)^2)`` over the distances d of all pairs (of 2 000 rows, if there are more).

    Examples
    --------
    >>> import numpy as np
    >>> median_gamma(np.array([[0.0], [2.0], [4.0]]))
    0.125
    """
    rows = X if len(X) <= 2000 else X[np.linspace(0, len(X) - 1, 2000).astype(int)]
    median = float(np.median(pdist(rows)))
    return 1 / (2 * median**2) if median > 0 else 1.0


def connect(graph: sparse.spmatrix, X: NDArray[np.float64]) -> tuple[sparse.csr_matrix, int]:
    """Join the components of a symmetric graph by the shortest edges between them (Boruvka's rounds).

    Parameters
    ----------
    graph : sparse matrix [shape=(n, n)]
        Symmetric affinities.
    X : array [shape=(n, d)]
        The rows it was made from.

    Returns
    -------
    graph : sparse matrix [shape=(n, n)]
        Connected; the new edges are as weak as its weakest.
    n_components : int
        Components before.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0], [1.0], [5.0], [6.0]])
    >>> joined, before = connect(sparse.csr_matrix(np.kron(np.eye(2), [[0, 1], [1, 0]])), X)
    >>> before, joined[1, 2]
    (2, np.float64(1.0))
    """
    graph = sparse.csr_matrix(graph)
    before, components = connected_components(graph, directed=False)
    weight = graph.data[graph.data > 0].min() if graph.nnz else 1.0
    left = before
    while left > 1:
        nearest = np.full(left, np.inf)
        edges = np.zeros((left, 2), dtype=np.intp)
        start = 0
        for block in pairwise_distances_chunked(X, working_memory=64):
            rows = np.arange(start, start + len(block))
            start += len(block)
            block[components[rows][:, None] == components] = np.inf
            columns = block.argmin(axis=1)
            lengths = block[np.arange(len(block)), columns]
            by_length = np.argsort(lengths, kind="stable")
            present, first = np.unique(components[rows[by_length]], return_index=True)
            best = by_length[first]
            better = lengths[best] < nearest[present]
            nearest[present[better]] = lengths[best[better]]
            edges[present[better]] = np.column_stack((rows[best[better]], columns[best[better]]))
        ends = np.concatenate([edges, edges[:, ::-1]])
        extra = sparse.csr_matrix((np.full(len(ends), weight), (ends[:, 0], ends[:, 1])), shape=graph.shape)
        extra.data = np.full(extra.nnz, weight)  # an edge chosen from both sides counts once
        graph = (graph + extra).tocsr()
        left, components = connected_components(graph, directed=False)
    return graph, before


def embed(affinity: Any, n_components: int, *, random_state: Any = None) -> NDArray[np.float64]:
    """Embed the rows of a connected graph by the leading eigenvectors of ``D^-1/2 A D^-1/2``, rows scaled to unit
    length.

    Parameters
    ----------
    affinity : array or sparse matrix [shape=(n, n)]
        Symmetric, >= 0, every row with a positive sum.
    n_components : int from 1 to n
        Number of eigenvectors.
    random_state : int, RandomState or None
        Seed of the iterative solver's start.

    Returns
    -------
    array [shape=(n, n_components)]

    Examples
    --------
    >>> import numpy as np
    >>> embed(np.ones((3, 3)), 1).round(6) ** 2
    array([[1.],
           [1.],
           [1.]])
    """
    n = affinity.shape[0]
    roots = 1 / np.sqrt(np.maximum(np.asarray(affinity.sum(axis=1)).ravel(), np.finfo(float).tiny))
    if sparse.issparse(affinity):
        scaled: Any = sparse.diags(roots) @ affinity @ sparse.diags(roots)
    else:
        scaled = affinity * roots[:, None] * roots
    vectors = None
    if n > _DENSE and n_components < n // 4:
        start = check_random_state(random_state).uniform(-1, 1, n)
        try:
            vectors = eigsh(scaled, k=n_components, which="LA", v0=start, ncv=min(n, max(4 * n_components, 40)))[1]
        except ArpackNoConvergence:
            vectors = None
    if vectors is None:
        dense = scaled.toarray() if sparse.issparse(scaled) else scaled
        vectors = eigh(dense, subset_by_index=[n - n_components, n - 1])[1]
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
