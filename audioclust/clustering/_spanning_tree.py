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
from numba import njit, prange
from numpy.typing import NDArray

__all__ = ["core_distances", "spanning_tree"]

Array = NDArray[Any]  # of one type for each place, as numba finds it
Number = float | np.floating[Any]

DENSE_ROWS = 24_000  # the largest matrix held at once: 24 000^2 single-precision numbers are 2.3 GB
STRIP = 1 << 27  # numbers in one strip of the matrix when it is not held as a whole: 0.5 GB
MARGIN = 8  # neighbours looked at beyond the min_samples-th before a row is measured against all others
CHUNK = 512  # columns whose minimum is kept by Prim's algorithm


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
        core = _core(X, squared, np.arange(n), k, error / scale**2, scale)
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
        order, weights = _prim_dense(squared, reach[rows])
        edges = _near_edges(squared, reach[rows], order, weights, np.float32(2 * error), 4 * k + 16)
        if edges is None:
            return _prim_plain(X, core), core
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
    left, right, scale, error = _operands(X)
    core = np.empty(n)
    step = max(1, min(n, STRIP // n))
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        core[rows] = _core(X, left[rows] @ right.T, rows, k, error / scale**2, scale)
    return core


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


def _core(
    X: NDArray[np.float64],
    squared: NDArray[np.float32],
    rows: NDArray[np.intp],
    k: int,
    error: float,
    scale: float,
) -> NDArray[np.float64]:
    return _core_rows(X, squared, rows, k, np.float32(2 * error * scale**2))


@njit(cache=True, inline="always")
def _distance(X: Array, i: int, j: int) -> float:
    total = 0.0
    for c in range(X.shape[1]):
        difference = X[i, c] - X[j, c]
        total += difference * difference
    return np.sqrt(total)


@njit(cache=True, inline="always")
def _insert(values: Array, value: float) -> None:
    """Put `value` into the ascending `values`, dropping the last."""
    place = len(values) - 1
    while place > 0 and values[place - 1] > value:
        values[place] = values[place - 1]
        place -= 1
    values[place] = value


@njit(cache=True, parallel=True)
def _core_rows(X: Array, squared: Array, rows: Array, k: int, margin: Number) -> Array:
    """Distance to the k-th neighbour of `rows`, given the approximate squared distances to every row."""
    n = squared.shape[1]
    width = min(k + 1 + MARGIN, n)
    core = np.empty(len(rows))
    for r in prange(len(rows)):
        near = np.full(width, np.float32(np.inf))
        place = np.zeros(width, np.int64)
        for j in range(n):
            value = squared[r, j]
            if value < near[width - 1]:
                p = width - 1
                while p > 0 and near[p - 1] > value:
                    near[p] = near[p - 1]
                    place[p] = place[p - 1]
                    p -= 1
                near[p] = value
                place[p] = j
        limit = near[k] + margin
        exact = np.full(k + 1, np.inf)
        if near[width - 1] > limit or width == n:
            for p in range(width):
                if near[p] <= limit:
                    _insert_if(exact, _distance(X, rows[r], place[p]))
        else:
            for j in range(n):
                if squared[r, j] <= limit:
                    _insert_if(exact, _distance(X, rows[r], j))
                    if exact[k] == 0.0:
                        break
        core[r] = exact[k]
    return core


@njit(cache=True, inline="always")
def _insert_if(values: Array, value: float) -> None:
    if value < values[len(values) - 1]:
        _insert(values, value)


@njit(cache=True, fastmath={"nnan", "nsz"})
def _relax(row: Array, reach: Array, own: Number, distance: Array, start: int, stop: int) -> Number:
    """Lower the distances to the tree by those to its newest row; return the least in the chunk."""
    least = np.float32(np.inf)
    for j in range(start, stop):
        weight = max(max(row[j], reach[j]), own)
        value = min(distance[j], weight)
        distance[j] = value
        least = min(least, value)
    return least


@njit(cache=True)
def _prim_dense(squared: Array, reach: Array) -> tuple[Array, Array]:
    """Order in which Prim's algorithm visits the rows, and the weight at which each joined."""
    n = len(squared)
    chunks = (n + CHUNK - 1) // CHUNK
    reach_open = reach.copy()
    distance = np.full(n, np.float32(np.inf))
    done = np.zeros(n, np.bool_)
    order = np.empty(n, np.int64)
    weights = np.empty(n, np.float32)
    current = 0
    weights[0] = np.float32(0)
    for step in range(n):
        order[step] = current
        done[current] = True
        distance[current] = np.float32(np.inf)
        own = reach[current]
        reach_open[current] = np.float32(np.inf)
        if step == n - 1:
            break
        row = squared[current]
        best: Number = np.float32(np.inf)
        where = -1
        for chunk in range(chunks):
            start = chunk * CHUNK
            stop = min(start + CHUNK, n)
            least = _relax(row, reach_open, own, distance, start, stop)
            if least < best:
                best = least
                where = chunk
        for j in range(where * CHUNK, min((where + 1) * CHUNK, n)):
            if distance[j] == best and not done[j]:
                current = j
                break
        weights[step + 1] = best
    return order, weights


@njit(cache=True, parallel=True)
def _scan(
    squared: Array, reach: Array, order: Array, weights: Array, margin: Number, found: Array, counts: Array
) -> None:
    """Write, for each place in the order, the later places whose edge weighs no more than the path, plus margin."""
    n = len(order)
    width = found.shape[1]
    half = (n + 1) // 2
    for pair in prange(half):
        for side in range(2):  # a long row and a short one together: equal work for each thread
            i = np.int64(pair)
            if side == 1:
                i = n - 1 - i
                if i < half:
                    continue
            u = order[i]
            own = reach[u]
            row = squared[u]
            path = np.float32(0)
            count = 0
            for j in range(i + 1, n):
                v = order[j]
                path = max(path, weights[j])
                if max(max(row[v], reach[v]), own) <= path + margin:
                    if count < width:
                        found[i, count] = j
                    count += 1
            counts[i] = count


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
    found = np.empty((n, width), np.int32)
    counts = np.empty(n, np.int64)
    _scan(squared, reach, order, weights, margin, found, counts)
    total = int(counts.sum())
    if total > 200 * n + 1_000_000:
        return None
    if counts.max() > width:
        found = np.empty((n, int(counts.max())), np.int32)
        _scan(squared, reach, order, weights, margin, found, counts)
    filled = np.arange(found.shape[1]) < counts[:, None]
    first, place = np.nonzero(filled)
    return np.column_stack([order[first], order[found[first, place]]])


@njit(cache=True, parallel=True)
def _weights(X: Array, core: Array, pairs: Array) -> Array:
    weights = np.empty(len(pairs))
    for e in prange(len(pairs)):
        i, j = pairs[e, 0], pairs[e, 1]
        weights[e] = max(max(core[i], core[j]), _distance(X, i, j))
    return weights


def _prim_sparse(X: NDArray[np.float64], core: NDArray[np.float64], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Prim's algorithm in double precision on a list of edges that holds a spanning tree."""
    weights = _weights(X, core, pairs)
    ends = np.concatenate([pairs[:, 0], pairs[:, 1]])
    others = np.concatenate([pairs[:, 1], pairs[:, 0]])
    by_end = np.argsort(ends, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(ends, minlength=len(X)))])
    return _prim_heap(starts, others[by_end], np.concatenate([weights, weights])[by_end])


@njit(cache=True)
def _prim_heap(starts: Array, others: Array, weights: Array) -> Array:
    n = len(starts) - 1
    heap_weight = np.empty(len(others) + 1)
    heap_row = np.empty(len(others) + 1, np.int64)
    size = 0
    distance = np.full(n, np.inf)
    source = np.zeros(n, np.int64)
    done = np.zeros(n, np.bool_)
    edges = np.empty((n - 1, 3))
    current = 0
    for step in range(n):
        done[current] = True
        if step > 0:
            edges[step - 1, 0] = source[current]
            edges[step - 1, 1] = current
            edges[step - 1, 2] = distance[current]
        for e in range(starts[current], starts[current + 1]):
            v = others[e]
            w = weights[e]
            if done[v] or w >= distance[v]:
                continue
            distance[v] = w
            source[v] = current
            p = size  # sift up, ordered by weight, then row
            size += 1
            while p > 0:
                q = (p - 1) // 2
                if heap_weight[q] < w or (heap_weight[q] == w and heap_row[q] <= v):
                    break
                heap_weight[p] = heap_weight[q]
                heap_row[p] = heap_row[q]
                p = q
            heap_weight[p] = w
            heap_row[p] = v
        while size > 0:
            current = heap_row[0]
            size -= 1
            w = heap_weight[size]
            v = heap_row[size]
            p = 0  # sift the last entry down from the top
            while True:
                q = 2 * p + 1
                if q >= size:
                    break
                if q + 1 < size and (
                    heap_weight[q + 1] < heap_weight[q]
                    or (heap_weight[q + 1] == heap_weight[q] and heap_row[q + 1] < heap_row[q])
                ):
                    q += 1
                if w < heap_weight[q] or (w == heap_weight[q] and v <= heap_row[q]):
                    break
                heap_weight[p] = heap_weight[q]
                heap_row[p] = heap_row[q]
                p = q
            heap_weight[p] = w
            heap_row[p] = v
            if not done[current]:
                break
    return edges


@njit(cache=True)
def _prim_plain(X: Array, core: Array) -> Array:
    """Prim's algorithm in double precision on every edge: for data that is almost all ties."""
    n = len(X)
    distance = np.full(n, np.inf)
    source = np.zeros(n, np.int64)
    done = np.zeros(n, np.bool_)
    edges = np.empty((n - 1, 3))
    current = 0
    for step in range(n - 1):
        done[current] = True
        best = np.inf
        following = -1
        for j in range(n):
            if done[j]:
                continue
            if core[current] < distance[j] and core[j] < distance[j]:
                weight = max(max(core[current], core[j]), _distance(X, current, j))
                if weight < distance[j]:
                    distance[j] = weight
                    source[j] = current
            if distance[j] < best:
                best = distance[j]
                following = j
        edges[step, 0] = source[following]
        edges[step, 1] = following
        edges[step, 2] = best
        current = following
    return edges
