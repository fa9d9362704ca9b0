"""Speaker clustering of up to millions of recordings: HDBSCAN on a nearest-neighbour graph, then means of clusters.

Arrays: ``X`` (n, d), one speaker vector per recording, scaled to unit length; ``labels_`` (n,), -1 for noise.

Method
------
1. HDBSCAN with `min_samples` 1: exact up to 50 000 recordings; of more, the minimum spanning tree is that of a graph of
   approximate nearest neighbours, which costs little more than n.
2. What tells a recording's own cluster from the nearest other one, by the cosine to their means, is read off the
   clusters themselves. By this one threshold clusters that are parts of one speaker merge, recordings that do not agree
   with their cluster (two speakers were chained together) leave it, and those without a cluster join the nearest.
3. What is still without a cluster, speakers with few recordings among millions, is clustered again among itself, where
   its neighbours are easier to find; until nothing is found any more.

The partial sets of :mod:`~audioclust.clustering.speakers.partial_sets` need several recordings of a speaker in each
set; this does not.

References
----------
Campello, Moulavi, Sander: Density-based clustering based on hierarchical density estimates (2013).
Dong, Charikar, Li: Efficient k-nearest neighbor graph construction for generic similarity measures (2011).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from audioclust.clustering.base import OrderedClusterer
from audioclust.clustering.hdbscan import HDBSCAN
from audioclust.clustering.neighbours import nearest
from audioclust.clustering.speakers import means
from audioclust.geometry import unit_rows
from audioclust.validation import check_number, check_seed

__all__ = ["GraphHDBSCAN", "graph_labels", "graph_tree"]

ROUNDS = 5  # of clustering what is left, at most
WORTH = 0.02  # share of what is left that a round must place for another one
FARTHEST = 2.0  # distance of two unit rows at which parts of the graph that do not touch are joined
BLOCK = 1 << 17  # edges measured at once


class GraphHDBSCAN(OrderedClusterer):
    """Cluster the speaker vectors of up to millions of recordings; the number of speakers is not given.

    Parameters
    ----------
    min_cluster_size : int >= 2
        Recordings that make a cluster.
    n_neighbors : int >= 2
        Nearest neighbours of each recording in the graph.
    exact_up_to : int >= 2
        Recordings of which the tree is exact.
    similarity : float in [-1, 1] or "auto"
        Least cosine of a recording and the mean of its cluster. "auto" reads it off the clusters.
    random_state : int, RandomState instance or None
        Seed of the search for neighbours and of the sample that the threshold is read off.

    Attributes
    ----------
    labels_ : array of int [shape=(n,)]
        Cluster of each recording, the largest first; -1 for noise.
    n_clusters_ : int
    similarity_ : float
        The threshold used last; NaN with fewer than two clusters.

    Notes
    -----
    Vectors are held in single precision. Of more than `exact_up_to` recordings the answer depends, a little, on the
    number of threads, as that of `pynndescent` does.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> voices = np.repeat(rng.standard_normal((4, 64)), 30, axis=0)
    >>> labels = GraphHDBSCAN().fit_predict(voices + 0.5 * rng.standard_normal((120, 64)))
    >>> np.bincount(labels)
    array([30, 30, 30, 30])
    """

    _dtype: ClassVar[type[np.floating]] = np.float32

    def __init__(
        self,
        min_cluster_size: int = 5,
        *,
        n_neighbors: int = 15,
        exact_up_to: int = 50_000,
        similarity: float | str = "auto",
        random_state: Any = 0,
    ) -> None:
        self.min_cluster_size = min_cluster_size
        self.n_neighbors = n_neighbors
        self.exact_up_to = exact_up_to
        self.similarity = similarity
        self.random_state = random_state

    def _cluster(self, X: NDArray[Any]) -> NDArray[np.intp]:
        self._check()
        random_state = check_seed(self.random_state)
        X = unit_rows(X, zero="warn")
        labels = np.full(len(X), -1, dtype=np.intp)
        self.similarity_ = float("nan")
        for _ in range(ROUNDS):
            rest = np.flatnonzero(labels < 0)
            if len(rest) < 2 * self.min_cluster_size:
                break
            found = self._dense(X if len(rest) == len(X) else X[rest], int(random_state.randint(2**31)))
            labels[rest] = np.where(found >= 0, found + labels.max(initial=-1) + 1, -1)
            labels = self._agreed(X, labels, random_state)
            if np.count_nonzero(labels[rest] >= 0) < WORTH * len(rest):
                break
        order = np.argsort(-np.bincount(labels[labels >= 0]), kind="stable")  # the largest cluster is number 0
        self.n_clusters_ = len(order)
        return np.append(np.argsort(order), -1)[labels]

    def _dense(self, X: NDArray[np.float32], seed: int) -> NDArray[np.intp]:
        """Return the clusters of some recordings by HDBSCAN."""
        if len(X) <= self.exact_up_to:
            return HDBSCAN(self.min_cluster_size, min_samples=1, ties="canonical").fit_quietly(X.astype(np.float64))
        k = min(self.n_neighbors, len(X) - 1)
        table = nearest(X, k, random_state=seed, thorough=False)  # what it misses, the means and later rounds mend
        return graph_labels(X, table, self.min_cluster_size)

    def _agreed(
        self, X: NDArray[np.float32], labels: NDArray[np.intp], random_state: np.random.RandomState
    ) -> NDArray[np.intp]:
        """Merge, release and join by one threshold; once more where parts of one speaker have hidden it at first."""
        for _ in range(2):
            self.similarity_ = self._threshold(X, labels, random_state)
            if not np.isfinite(self.similarity_):
                return labels
            labels = means.merge_alike(X, labels, self.similarity_)
        self.similarity_ = self._threshold(X, labels, random_state)
        if np.isfinite(self.similarity_):
            labels = means.release_far(X, labels, self.similarity_, self.min_cluster_size)
            labels = means.join_near(X, labels, self.similarity_)
        return labels

    def _threshold(
        self, X: NDArray[np.float32], labels: NDArray[np.intp], random_state: np.random.RandomState
    ) -> float:
        given = self.similarity
        return means.similarity_threshold(X, labels, random_state) if given == "auto" else float(given)

    def _check(self) -> None:
        for name in ("min_cluster_size", "n_neighbors", "exact_up_to"):
            check_number(name, getattr(self, name), 2, whole=True)
        if self.similarity != "auto":
            check_number("similarity", self.similarity, -1, 1)


def graph_labels(X: NDArray[np.floating], table: NDArray[np.integer], min_cluster_size: int = 5) -> NDArray[np.intp]:
    """Return the clusters that HDBSCAN, with `min_samples` 1, selects from the tree of a neighbour graph [shape=(n,)].

    Parameters
    ----------
    X : array [shape=(n, d)]
        Unit rows.
    table : array of int [shape=(n, k)]
        Nearest neighbours of each row; -1 where there is none.
    min_cluster_size : int >= 2
    """
    from hdbscan._hdbscan_linkage import label
    from hdbscan.hdbscan_ import _tree_to_labels

    edges = graph_tree(X, table)
    linkage = label(edges[np.argsort(edges[:, 2], kind="stable")])
    return _tree_to_labels(None, linkage, min_cluster_size, "eom", False, False, 0.0)[0].astype(np.intp)


def graph_tree(X: NDArray[np.floating], table: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the minimum spanning tree of a graph of neighbours, by Euclidean distance of unit rows.

    Parts of the graph that do not touch are joined at the distance of opposite rows, more than any other.

    Returns
    -------
    edges : array [shape=(n - 1, 3)]
        Two rows and their distance.
    """
    n, k = table.shape
    distances = np.empty(n * k, dtype=np.float32)
    columns = table.ravel()
    for start in range(0, n * k, BLOCK):
        rows = np.arange(start, min(start + BLOCK, n * k)) // k
        cosines = np.einsum("ij,ij->i", X[rows], X[columns[start : start + BLOCK]])
        distances[start : start + BLOCK] = np.sqrt(np.maximum(2 - 2 * cosines, 1e-12))  # an edge of 0 would be none
    there = columns >= 0
    ends = (np.repeat(np.arange(n, dtype=np.int32), k)[there], columns[there].astype(np.int32))
    graph = csr_array((distances[there], ends), shape=(n, n))
    tree = minimum_spanning_tree(graph.maximum(graph.T)).tocoo()
    part = connected_components(graph, directed=False)[1]
    first = np.unique(part, return_index=True)[1]
    between = np.column_stack([np.full(len(first) - 1, first[0]), first[1:], np.full(len(first) - 1, FARTHEST)])
    return np.concatenate([np.column_stack([*tree.coords, tree.data]), between])
