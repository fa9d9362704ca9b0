"""Positives without labels: which recordings belong with which, by random walks on the graph of nearest neighbours.

Two rows are linked if one is among the k nearest of the other; the weight of the link is the number of rows that are
among the nearest of both (each row counts among its own), so that a link by chance weighs little. A walk starts at a
row, follows links in proportion to their weights, and goes back to its row with probability ``restart`` at each step.
Rows that are visited often, compared with their weight in the graph, are the positives of the row where it started:
a score of personalised PageRank over the degree, which is the same in both directions.

References
----------
Andersen, Chung, Lang: Local graph partitioning using PageRank vectors, FOCS 2006 (the computation by pushes).
Jarvis, Patrick: Clustering using a similarity measure based on shared near neighbors, IEEE Trans. Computers 1973.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array

from audioclust.clustering.neighbours import directions, nearest, union_graph
from audioclust.geometry import unit_rows
from audioclust.validation import check_number, check_share

__all__ = ["pagerank_positives", "pagerank_scores", "shared_neighbour_graph"]

PRECISION = 1e-3
"""Largest error of a score, as a share of one over the mean degree."""


def shared_neighbour_graph(X: NDArray[np.floating], n_neighbors: int = 10) -> csr_array:
    """Link nearest neighbours by cosine after centring, weighted by how many nearest neighbours they share.

    Parameters
    ----------
    X : array [shape=(n, d)]
        Vectors, n >= 2.
    n_neighbors : int
        Fewer when there are fewer rows.

    Returns
    -------
    sparse array [shape=(n, n)]
        Symmetric, whole numbers from 1, no diagonal.

    Raises
    ------
    ValueError
        When `n_neighbors` is not a whole number of at least 1.

    Examples
    --------
    >>> X = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    >>> shared_neighbour_graph(X, 1).toarray().astype(int)
    array([[0, 2, 0, 0],
           [2, 0, 0, 0],
           [0, 0, 0, 2],
           [0, 0, 2, 0]])
    """
    check_number("n_neighbors", n_neighbors, 1, whole=True)
    k = min(n_neighbors, len(X) - 1)
    table = nearest(directions(unit_rows(np.asarray(X, dtype=np.float64), zero="keep")), k)
    n = len(table)
    own = csr_array((np.ones(n * k), (np.repeat(np.arange(n), k), table.ravel())), shape=(n, n)) + eye_array(n)
    graph = csr_array((own @ own.T).multiply(union_graph(table, k)))
    graph.sort_indices()
    return graph


def pagerank_scores(graph: Any, row: int, *, restart: float = 0.1) -> NDArray[np.float64]:
    """Return how often walks from one row are at each row, over the weight of that row's links [shape=(n,)].

    Parameters
    ----------
    graph : sparse array [shape=(n, n)]
        Symmetric weights >= 0, no row without links.
    row : int
        Where the walks start.
    restart : float in (0, 1)

    Examples
    --------
    >>> graph = csr_array(np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]))
    >>> pagerank_scores(graph, 0, restart=0.5).round(2)
    array([0.58, 0.17, 0.08])
    """
    check_share("restart", restart, one=False)
    arrays = _arrays(graph)
    scores = np.zeros(graph.shape[0])
    _push(*arrays, row, restart, PRECISION / arrays[3].mean(), scores, np.zeros(len(scores)))
    return scores


def pagerank_positives(graph: Any, n_positives: int = 5, *, restart: float = 0.1) -> NDArray[np.int64]:
    """Return the rows with the highest scores for each row, itself left out.

    Parameters
    ----------
    graph : sparse array [shape=(n, n)]
        As of :func:`shared_neighbour_graph`.
    n_positives : int
        Wanted of each row, at most n - 1.
    restart : float in (0, 1)
        The lower, the farther the walks go.

    Returns
    -------
    array of int [shape=(n, n_positives)]
        The highest score first; where a walk reaches fewer rows, the row itself fills the rest.

    Raises
    ------
    ValueError
        When a parameter is out of its range.

    Examples
    --------
    >>> X = np.repeat([[1.0, 0.0], [0.0, 1.0]], 4, axis=0) + 0.05 * np.random.default_rng(0).standard_normal((8, 2))
    >>> np.sort(pagerank_positives(shared_neighbour_graph(X, 3), 3), axis=1)[[0, 7]]
    array([[1, 2, 3],
           [4, 5, 6]])
    """
    n = graph.shape[0]
    check_number("n_positives", n_positives, 1, n - 1, whole=True)
    check_share("restart", restart, one=False)
    arrays = _arrays(graph)
    return _positives(*arrays, n_positives, restart, PRECISION / arrays[3].mean())


def _arrays(graph: Any) -> tuple[Any, Any, Any, Any]:
    graph = csr_array(graph)
    degrees = np.asarray(graph.sum(axis=1), dtype=np.float64)
    return graph.indptr.astype(np.int64), graph.indices.astype(np.int64), graph.data.astype(np.float64), degrees


@njit(cache=True)
def _push(
    indptr: Any, indices: Any, weights: Any, degrees: Any, row: int, restart: float, precision: float,
    scores: Any, rest: Any,
) -> Any:  # fmt: skip
    """Add the scores of one start to `scores` (zeros; `rest` too, and again afterwards); return the rows reached.

    What is still to be spread lies in `rest`. A row passes its rest on while that exceeds `precision` times its degree.
    """
    queue = [row]
    touched = [row]
    waiting = np.zeros(len(degrees), np.bool_)
    waiting[row] = True
    rest[row] = 1.0
    first = 0
    while first < len(queue):
        u = queue[first]
        first += 1
        waiting[u] = False
        amount = rest[u]
        rest[u] = 0.0
        scores[u] += restart * amount
        for e in range(indptr[u], indptr[u + 1]):
            v = indices[e]
            if rest[v] == 0.0 and scores[v] == 0.0:
                touched.append(v)
            rest[v] += (1.0 - restart) * amount * weights[e] / degrees[u]
            if not waiting[v] and rest[v] > precision * degrees[v]:
                waiting[v] = True
                queue.append(v)
    for v in touched:
        rest[v] = 0.0
        scores[v] /= degrees[v]
    return touched


@njit(cache=True)
def _positives(
    indptr: Any, indices: Any, weights: Any, degrees: Any, wanted: int, restart: float, precision: float
) -> Any:
    n = len(degrees)
    table = np.empty((n, wanted), np.int64)
    scores, rest = np.zeros(n), np.zeros(n)
    for row in range(n):
        touched = np.unique(np.array(_push(indptr, indices, weights, degrees, row, restart, precision, scores, rest)))
        scores[row] = 0.0
        best = touched[np.argsort(-scores[touched], kind="mergesort")]
        for place in range(wanted):
            table[row, place] = best[place] if place < len(best) and scores[best[place]] > 0.0 else row
        scores[touched] = 0.0
    return table
