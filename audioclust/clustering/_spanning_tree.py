"""The minimum spanning tree of the mutual reachability graph: exact, by matrix products, in bounded memory.

Conventions
-----------
``X`` (n, d) holds one vector per row; distances are Euclidean. The core distance of a row is the distance to its
`min_samples`-th neighbour (itself not counted, equal rows counted), and the edge between two rows weighs
``max(core_i, core_j, distance_ij)``.

Method
------
In hundreds of dimensions space-partitioning trees prune nothing, so every distance is needed and the quickest way to
all of them is a matrix product in single precision. Its error is bounded; only decisions within that bound are
taken again in double precision, so the result is that of a double-precision computation:

1. Core distances: rows' nearest neighbours are picked in single precision with a margin, then measured exactly.
2. Prim's algorithm on the single-precision matrix gives an approximate tree and an order in which the heaviest edge
   between any two rows is a running maximum.
3. Any edge of the exact tree weighs at most that maximum plus twice the error: these few edges are collected,
   measured exactly, and Prim's algorithm runs again on them alone.

Ties are broken as a plain Prim's algorithm over the rows in their order breaks them: the lowest row first, the
earliest neighbour kept. Where rows are so many that the matrix does not fit, the graph is cut into pairs of blocks;
the exact tree is contained in the union of the trees of all pairs.

References
----------
Campello, Moulavi, Sander: Density-based clustering based on hierarchical density estimates (2013).
Prim: Shortest connection networks and some generalizations (1957).
Higham: Accuracy and stability of numerical algorithms (2002), section 3.1 (the error of an inner product).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from audioclust.clustering._prim import core_rows, edge_weights, edges_below_path, prim_dense, prim_heap, prim_plain

__all__ = ["check_distances", "core_distances", "given_core_distances", "spanning_tree"]

Array = NDArray[Any]

DENSE_ROWS = 24_000  # the largest matrix held at once: 24 000^2 single-precision numbers are 2.3 GB
STRIP = 1 << 27  # numbers in one strip of the matrix when it is not held as a whole: 0.5 GB


def spanning_tree(
    X: Array, min_samples: int, *, dense_rows: int = DENSE_ROWS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the minimum spanning tree of the mutual reachability graph, and the core distances.

    Parameters
    ----------
    X : array [shape=(n, d)]
        Finite vectors, n >= 2.
    min_samples : int >= 1
        Which neighbour gives the core distance; at most n - 1 is used.
    dense_rows : int
        The largest number of rows whose distances are held at once.

    Returns
    -------
    edges : array [shape=(n - 1, 3), dtype=float64]
        Row in the tree, row joined to it, weight; in the order in which Prim's algorithm from row 0 joins them.
    core : array [shape=(n,), dtype=float64]
        Core distances.
    """
    X = np.ascontiguousarray(X, dtype=np.float64)
    n = len(X)
    k = min(min_samples, n - 1)
    left, right, scale, error = _operands(X)
    if n <= dense_rows:
        squared = left @ right.T
        core = core_rows(X, squared, np.arange(n), k, np.float32(2 * error))
        blocks: Iterable[tuple[Array, Array]] = [(np.arange(n), squared)]
    else:
        core = core_distances(X, min_samples)
        size = -(-n // -(-2 * n // dense_rows))
        parts = [np.arange(start, min(start + size, n)) for start in range(0, n, size)]
        both = (np.concatenate(pair) for pair in combinations(parts, 2))
        blocks = ((rows, left[rows] @ right[rows].T) for rows in both)
    reach = ((core * scale) ** 2).astype(np.float32)
    kept = []
    for rows, squared in blocks:
        order, weights = prim_dense(squared, reach[rows])
        edges = _near_edges(squared, reach[rows], order, weights, np.float32(2 * error), 4 * k + 16)
        if edges is None:
            return prim_plain(X, core), core
        kept.append(rows[edges])
        del squared
    pairs = np.concatenate(kept)
    if len(kept) > 1:
        pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    return _prim_sparse(X, core, pairs), core


def core_distances(X: Array, min_samples: int) -> NDArray[np.float64]:
    """Return each row's distance to its `min_samples`-th nearest other row, exact, without holding n^2 numbers."""
    X = np.ascontiguousarray(X, dtype=np.float64)
    n = len(X)
    k = min(min_samples, n - 1)
    left, right, _, error = _operands(X)
    core = np.empty(n)
    step = max(1, min(n, STRIP // n))
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        core[rows] = core_rows(X, left[rows] @ right.T, rows, k, np.float32(2 * error))
    return core


def check_distances(matrix: Any) -> None:
    """Raise unless the array or sparse matrix holds distances: square, symmetric, at least 0."""
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"X has shape {matrix.shape}: with metric='precomputed' give a square matrix of distances")
    if sparse.issparse(matrix):
        values, symmetric = matrix.data, (matrix != matrix.T).nnz == 0
    else:
        values, symmetric = matrix, np.allclose(matrix, matrix.T, rtol=1e-8, atol=0, equal_nan=True)
    if np.isnan(values).any() or (values < 0).any() or not symmetric:
        raise ValueError("X is no matrix of distances: give symmetric values of at least 0, without NaN")


def given_core_distances(matrix: Any, k: int) -> NDArray[np.float64]:
    """Return each row's `k`-th smallest distance to another one [shape=(n,)]; of a sparse matrix, among those given."""
    if not sparse.issparse(matrix):
        return np.partition(matrix, k, axis=1)[:, k]
    ends = zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True)
    rows = (np.sort(matrix.data[start:stop]) for start, stop in ends)
    return np.array([row[k - 1] if len(row) >= k else np.inf for row in rows])


def _operands(X: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float32], float, float]:
    """Return two matrices whose product is every squared distance, the scale that was applied, and the error bound.

    Rows are centred and scaled to norms of at most 1, which keeps single precision at its best. With ``u = 2^-24``,
    rounding the rows moves a squared distance by at most 8 u, and the inner product of d + 2 terms adds at most
    (d + 2) u times the sum of the terms' sizes, which is at most 4.
    """
    centred = X - X.mean(axis=0)
    largest = np.sqrt(np.einsum("ij,ij->i", centred, centred).max())
    scale = 1.0 / largest if largest > 0 else 1.0
    rows = (centred * scale).astype(np.float32)
    squares = np.einsum("ij,ij->i", rows, rows, dtype=np.float64).astype(np.float32)[:, None]
    ones = np.ones_like(squares)
    left = np.hstack([rows * np.float32(-2), squares, ones])
    right = np.hstack([rows, ones, squares])
    error = (16 + 4 * (X.shape[1] + 2)) * 2.0**-24
    return left, right, float(scale), float(error)


def _near_edges(
    squared: NDArray[np.float32],
    reach: NDArray[np.float32],
    order: NDArray[np.int64],
    weights: NDArray[np.float32],
    margin: np.float32,
    width: int,
) -> NDArray[np.int64] | None:
    """Return the edges that may belong to the exact tree, or None when they are too many to be worth collecting."""
    n = len(order)
    margin = np.float32(margin + 4 * 2.0**-24)  # and the rounding of the core distances and of the sum
    places = np.empty((n, width), np.int32)
    counts = np.empty(n, np.int64)
    edges_below_path(squared, reach, order, weights, margin, places, counts)
    total = int(counts.sum())
    if total > 200 * n + 1_000_000:
        return None
    if counts.max() > width:
        places = np.empty((n, int(counts.max())), np.int32)
        edges_below_path(squared, reach, order, weights, margin, places, counts)
    filled = np.arange(places.shape[1]) < counts[:, None]
    first, place = np.nonzero(filled)
    return np.column_stack([order[first], order[places[first, place]]])


def _prim_sparse(X: NDArray[np.float64], core: NDArray[np.float64], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Prim's algorithm in double precision on a list of edges that holds a spanning tree."""
    weights = edge_weights(X, core, pairs)
    ends = np.concatenate([pairs[:, 0], pairs[:, 1]])
    others = np.concatenate([pairs[:, 1], pairs[:, 0]])
    by_end = np.argsort(ends, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(ends, minlength=len(X)))])
    return prim_heap(starts, others[by_end], np.concatenate([weights, weights])[by_end])
