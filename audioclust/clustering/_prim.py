"""Compiled loops of the minimum spanning tree: nearest neighbours, and Prim's algorithm in three forms.

``prim_dense`` runs on a whole matrix of squared distances in single precision, ``prim_heap`` on a list of edges,
``prim_plain`` on the vectors themselves. Ties go to the lowest row. What they are for says
:mod:`audioclust.clustering._spanning_tree`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

__all__ = ["core_rows", "edge_weights", "edges_below_path", "prim_dense", "prim_heap", "prim_plain"]

Array = NDArray[Any]  # of one type for each place, as numba infers it
Number = float | np.floating[Any]

MARGIN = 8  # neighbours looked at beyond the min_samples-th before a row is measured against all others
CHUNK = 512  # columns whose minimum is kept by Prim's algorithm


@njit(cache=True, inline="always")
def _distance(X: Array, i: int, j: int) -> float:
    total = 0.0
    for c in range(X.shape[1]):
        difference = X[i, c] - X[j, c]
        total += difference * difference
    return np.sqrt(total)


@njit(cache=True, inline="always")
def _insert(values: Array, value: float) -> None:
    """Put `value` into the ascending `values`, dropping the last; nothing when it is not below the last."""
    place = len(values) - 1
    if value >= values[place]:
        return
    while place > 0 and values[place - 1] > value:
        values[place] = values[place - 1]
        place -= 1
    values[place] = value


@njit(cache=True, parallel=True)
def core_rows(X: Array, squared: Array, rows: Array, k: int, margin: Number) -> Array:
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
                    _insert(exact, _distance(X, rows[r], place[p]))
        else:
            for j in range(n):
                if squared[r, j] <= limit:
                    _insert(exact, _distance(X, rows[r], j))
                    if exact[k] == 0.0:
                        break
        core[r] = exact[k]
    return core


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
def prim_dense(squared: Array, reach: Array) -> tuple[Array, Array]:
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
def edges_below_path(
    squared: Array, reach: Array, order: Array, weights: Array, margin: Number, places: Array, counts: Array
) -> None:
    """Write, for each place in the order, the later places whose edge weighs no more than the path, plus margin."""
    n = len(order)
    width = places.shape[1]
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
                        places[i, count] = j
                    count += 1
            counts[i] = count


@njit(cache=True, parallel=True)
def edge_weights(X: Array, core: Array, pairs: Array) -> Array:
    weights = np.empty(len(pairs))
    for e in prange(len(pairs)):
        i, j = pairs[e, 0], pairs[e, 1]
        weights[e] = max(max(core[i], core[j]), _distance(X, i, j))
    return weights


@njit(cache=True)
def prim_heap(starts: Array, others: Array, weights: Array) -> Array:
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
def prim_plain(X: Array, core: Array) -> Array:
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
