"""Nearest neighbours by cosine, and the graph of who is near whom.

Conventions: ``X`` [shape=(n, d)] has rows of length 1 (or 0); a table of neighbours [shape=(n, k)] names the k nearest
other rows of each row, the nearest first.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from sklearn.neighbors import NearestNeighbors

from audioclust import parallel
from audioclust.clustering.compiled import nn_descent_class

__all__ = ["directions", "nearest", "nearest_distances", "nearest_of_graph", "nearest_to", "union_graph"]

ALONE = 10_000  # rows, below which exact neighbours are found before workers have started
BLOCK = 32e6  # bytes of similarities held at once
APPROXIMATE = 50_000  # from so many rows on neighbours are approximate
THOROUGH = {"n_trees": 24, "leaf_size": 256}  # twice the trees, and leaves as large as pynndescent would ever make them
AT_LEAST = 30  # neighbours that are looked for: the search goes from neighbour to neighbour


def directions(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre rows of length 1 and scale them to length 1 again; a row at the centre stays zero.

    Without the centring, encoders whose cosines are all high would have hubs: rows that are near to all.
    """
    X = X - X.mean(axis=0)
    lengths = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(lengths > 1e-12 * max(lengths.max(initial=0.0), 1e-300), lengths, np.inf)


def nearest(
    X: NDArray[np.floating], k: int, *, random_state: int = 0, thorough: bool = True, jobs: parallel.Jobs = 1
) -> NDArray[np.int32]:
    """Return the k rows nearest to each row, itself left out [shape=(n, k)].

    Exact, by products of blocks, which workers share; from 50 000 rows on approximate (pynndescent, on this machine).
    By its defaults pynndescent misses most for rows of small groups: of 100 000 speaker vectors, a fifth of those whose
    speaker has fewer than twenty got a stranger as the nearest. `thorough` searches for twice as long and leaves a
    fiftieth; who does without has to mend the rest.

    Examples
    --------
    >>> nearest(np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]), 1).ravel()
    array([1, 0, 1], dtype=int32)
    """
    n = len(X)
    if n >= APPROXIMATE:
        rows = X.astype(np.float32, copy=False)
        wanted, settings = (max(k, AT_LEAST), THOROUGH) if thorough else (k, {})
        found = nn_descent_class()(rows, "cosine", n_neighbors=wanted + 1, random_state=random_state, **settings)
        table = found.neighbor_graph[0]
        others = table != np.arange(n)[:, None]
        others[others.all(axis=1), -1] = False  # a row that is not among its own neighbours has one too many
        return table[others].reshape(n, wanted)[:, :k]
    return nearest_to(X, X, k, skip_itself=True, jobs=jobs)


def nearest_to(
    X: NDArray[np.floating],
    others: NDArray[np.floating],
    k: int,
    *,
    skip_itself: bool = False,
    jobs: parallel.Jobs = 1,
) -> NDArray[np.int32]:
    """Return the k rows of `others` nearest to each row of `X`, the nearest first [shape=(n, k)]."""
    n, m = len(X), len(others)
    step = max(1, int(BLOCK / (4 * m)))
    work = partial(_nearest_of_block, step=step, k=k, skip_itself=skip_itself)
    arrays = [X.astype(np.float32), others.astype(np.float32).T]
    blocks = parallel.map(work, range(0, n, step), jobs=jobs if n > ALONE else 1, arrays=arrays)
    return np.concatenate([np.empty((0, k), dtype=np.int32), *blocks])


def _nearest_of_block(
    start: int, X: NDArray[np.float32], columns: NDArray[np.float32], *, step: int, k: int, skip_itself: bool
) -> NDArray[np.int32]:
    similarity = X[start : start + step] @ columns
    here, m = np.arange(len(similarity)), columns.shape[1]
    if skip_itself:
        similarity[here, start + here] = -np.inf
    if 0 < k * k <= 16 * m:  # few of many: one look at each value takes a tenth of the time of a partition
        return _largest(similarity, k)
    chosen = np.argpartition(similarity, min(m - k, m - 1), axis=1)[:, m - k :]
    order = np.argsort(-similarity[here[:, None], chosen], axis=1, kind="stable")
    return chosen[here[:, None], order].astype(np.int32)


@njit(cache=True)
def _largest(values: NDArray[np.float32], k: int) -> NDArray[np.int32]:
    """Return the columns of the k largest values of each row, the largest first; of equal ones the first."""
    columns = np.empty((len(values), k), np.int32)
    best = np.empty(k, values.dtype)
    for row, chosen in zip(values, columns):  # noqa: B905, numba has no strict
        for c, value in enumerate(row):
            if c < k or value > best[k - 1]:
                place = min(c, k - 1)
                while place > 0 and best[place - 1] < value:
                    best[place], chosen[place] = best[place - 1], chosen[place - 1]
                    place -= 1
                best[place], chosen[place] = value, c
    return columns


def nearest_of_graph(graph: csr_array, k: int) -> NDArray[np.int32]:
    """Return the heaviest edges of each node of a sparse similarity, -1 where it has fewer than k [shape=(n, k)].

    Of equal weights those to the following rows count as heavier: choosing the first ones would make hubs of them.
    """
    n = graph.shape[0]
    rows = np.repeat(np.arange(n), np.diff(graph.indptr))
    order = np.lexsort(((graph.indices - rows) % n, -graph.data, rows))
    place = np.arange(len(rows)) - graph.indptr[rows]
    table = np.full((n, k), -1, dtype=np.int32)
    kept = place < k
    table[rows[kept], place[kept]] = graph.indices[order][kept]
    return table


def union_graph(table: NDArray[np.integer], k: int) -> Any:
    """Return the graph with an edge between two rows if one is among the k nearest of the other [shape=(n, n)].

    Examples
    --------
    >>> union_graph(np.array([[1], [0], [1]]), 1).toarray().astype(int)
    array([[0, 1, 0],
           [1, 0, 1],
           [0, 1, 0]])
    """
    n = len(table)
    rows, columns = np.repeat(np.arange(n), k), table[:, :k].ravel()
    there = columns >= 0
    graph = coo_array((np.ones(there.sum()), (rows[there], columns[there])), shape=(n, n)).tocsr()
    return graph.maximum(graph.T).tocsr()


def nearest_distances(X: NDArray[np.floating], k: int) -> NDArray[np.float64]:
    """Return the Euclidean distance of each row to its k-th nearest other row, or the farthest one [shape=(n,)].

    Examples
    --------
    >>> nearest_distances(np.array([[0.0], [1.0], [3.0]]), 2)
    array([3., 2., 3.])
    """
    k = min(k, len(X) - 1)
    return NearestNeighbors(n_neighbors=k).fit(X).kneighbors()[0][:, -1].astype(np.float64)
