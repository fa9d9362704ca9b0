"""Communities of a graph: the partition whose asymptotic Surprise is greatest, found by the Leiden algorithm.

A graph is a symmetric sparse matrix of weights >= 0 [shape=(n, n)]; its diagonal is left out. A partition is good when
the share ``q`` of the weight that lies inside communities is greater than the share ``p`` of all pairs of nodes that
do: Surprise is ``m * KL(q || p)``, with ``m`` the total weight and ``KL`` the divergence of two Bernoulli distributions
(in nats). There is no resolution to set, and small communities are not swallowed by large graphs, as they are when
modularity is maximised.

Method
------
Nodes move one by one to the community that raises Surprise most, until none does; each community is then divided again
into the parts that its own edges hold together; the parts become the nodes of a smaller graph, on which the same is
done; and all of this is repeated until nothing changes. The division keeps communities connected.

References
----------
Traag, Aldecoa, Delvenne: Detecting communities using asymptotical Surprise, Physical Review E 92 (2015), eq. 4.
Traag, Waltman, van Eck: From Louvain to Leiden: guaranteeing well-connected communities, Scientific Reports 9 (2019).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_array

from audioclust.validation import check_seed

__all__ = ["checked", "communities", "surprise"]

Array = NDArray[Any]  # of one type for each place, as numba infers it


def communities(graph: Any, *, random_state: Any = 0, check: bool = True) -> NDArray[np.intp]:
    """Divide a graph into communities.

    Parameters
    ----------
    graph : sparse matrix [shape=(n, n)]
        Symmetric weights >= 0; the diagonal is ignored.
    random_state : int, RandomState instance or None
        Order in which nodes are tried.
    check : bool
        False for what is known to be a symmetric csr_array of sorted rows without a diagonal: of small graphs the check
        takes longer than the rest.

    Returns
    -------
    labels : array of int [shape=(n,)]
        Community of each node, numbered from 0 by first node.

    Examples
    --------
    >>> import numpy as np
    >>> pair, apart = np.ones((4, 4)), np.zeros((4, 4))
    >>> graph = np.block([[pair, apart], [apart, pair]])
    >>> graph[3, 4] = graph[4, 3] = 1  # two cliques of four, one edge between them
    >>> communities(graph)
    array([0, 0, 0, 0, 1, 1, 1, 1])
    """
    graph = checked(graph) if check else graph
    draw = np.random.default_rng(check_seed(random_state).randint(2**31))
    arrays = (graph.indptr.astype(np.int64), graph.indices.astype(np.int64), graph.data)
    return _leiden(arrays, draw).astype(np.intp)


def surprise(graph: Any, labels: NDArray[np.integer]) -> float:
    """Return the asymptotic Surprise of a partition, in nats: >= 0, and 0 for one community or all nodes alone.

    Examples
    --------
    >>> import numpy as np
    >>> graph = np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])
    >>> round(surprise(graph, np.array([0, 0, 1, 1])), 3)  # 2 of 2 edges inside, 2 of 6 pairs: 2 log 3
    2.197
    """
    graph = checked(graph)
    labels = np.unique(labels, return_inverse=True)[1]
    n = len(labels)
    rows = np.repeat(np.arange(n), np.diff(graph.indptr))
    total = graph.data.sum() / 2
    inside = graph.data[labels[rows] == labels[graph.indices]].sum() / 2
    sizes = np.bincount(labels).astype(np.float64)
    return (
        float(total * _divergence(inside / total, (sizes * (sizes - 1)).sum() / max(n * (n - 1), 1))) if total else 0.0
    )


def checked(graph: Any) -> Any:
    """Return a graph as a sparse array without its diagonal; an error says what cannot be a graph."""
    graph = csr_array(graph, dtype=np.float64, copy=True)
    if graph.ndim != 2 or graph.shape[0] != graph.shape[1]:
        raise ValueError(f"graph has shape {graph.shape}: give a square matrix, one row and one column per recording")
    if not np.isfinite(graph.data).all() or (graph.data < 0).any():
        raise ValueError("graph holds weights that are negative or not finite: give weights >= 0")
    graph.setdiag(0)
    graph.eliminate_zeros()
    if len((graph - graph.T).data) and abs(graph - graph.T).max() > 1e-9 * graph.data.max():
        raise ValueError("graph is not symmetric: give each edge in both directions, with the same weight")
    graph.sort_indices()
    return graph


@njit(cache=True)
def _divergence(q: float, p: float) -> float:
    """KL divergence of Bernoulli(q) from Bernoulli(p), where q exceeds p; 0 where it does not."""
    if q <= p:
        return 0.0
    left = q * np.log(q / p)
    return left if q >= 1.0 else left + (1.0 - q) * np.log((1.0 - q) / (1.0 - p))


@njit(cache=True)
def _inside(indptr: Array, indices: Array, weights: Array, labels: Array) -> float:
    """Weight inside communities, that of loops included."""
    inside = 0.0
    for v in range(len(labels)):
        for e in range(indptr[v], indptr[v + 1]):
            if indices[e] == v:
                inside += weights[e]
            elif labels[indices[e]] == labels[v]:
                inside += weights[e] / 2
    return inside


@njit(cache=True)
def _best_community(
    own: int, size: float, touched: Array, link: Array, volume: Array, spare: int, inside: float, expected: float,
    total: float, pairs: float,
) -> int:  # fmt: skip
    """Return the community that raises Surprise most for a node that has left its own: `spare` is an empty one."""
    best = own
    most = _divergence((inside + link[own]) / total, (expected + size * volume[own]) / pairs) + 1e-12
    for c in touched:
        value = _divergence((inside + link[c]) / total, (expected + size * volume[c]) / pairs)
        if value > most:
            best, most = c, value
    if spare >= 0 and _divergence(inside / total, expected / pairs) > most:
        best = spare
    return best


@njit(cache=True)
def _move(
    graph: Any, sizes: Array, labels: Array, within: Array, total: float, pairs: float, draw: np.random.Generator
) -> bool:
    """Move nodes between communities while Surprise grows; `within` confines a node to communities of its own group."""
    indptr, indices, weights = graph
    n = len(labels)
    volume = np.zeros(n)  # nodes of the first graph in each community
    for v in range(n):
        volume[labels[v]] += sizes[v]
    expected = (volume * (volume - 1)).sum() / 2
    inside = _inside(indptr, indices, weights, labels)
    empty = [c for c in range(n) if volume[c] == 0]
    queue, head, length = draw.permutation(n), 0, n
    waits = np.ones(n, np.bool_)
    link, touched = np.zeros(n), np.empty(n, np.int64)  # weight from the node to each community that it touches
    moved = False
    while length > 0:
        v = queue[head]
        head, length = (head + 1) % n, length - 1
        waits[v] = False
        own, size, count = labels[v], sizes[v], 0
        for e in range(indptr[v], indptr[v + 1]):
            c = labels[indices[e]]
            if indices[e] != v and within[indices[e]] == within[v]:
                if link[c] == 0.0:
                    touched[count] = c
                    count += 1
                link[c] += weights[e]
        volume[own] -= size
        inside -= link[own]
        expected -= size * volume[own]
        spare = empty[-1] if volume[own] > 0 and len(empty) > 0 else -1
        best = _best_community(
            own, size, touched[:count], link, volume, spare, inside, expected, total, pairs
        )  # fmt: skip
        inside += link[best]
        expected += size * volume[best]
        volume[best] += size
        link[touched[:count]] = 0.0
        if best != own:
            moved = True
            labels[v] = best
            if best == spare:
                empty.pop()
            if volume[own] == 0:
                empty.append(own)
            for e in range(indptr[v], indptr[v + 1]):
                u = indices[e]
                if not waits[u] and labels[u] != best and within[u] == within[v]:
                    waits[u] = True
                    queue[(head + length) % n] = u
                    length += 1
    return moved


@njit(cache=True)
def _compact(labels: Array) -> int:
    """Renumber the labels from 0 by first node, in place, and return how many there are."""
    n = len(labels)
    seen = np.full(n, -1, np.int64)
    k = 0
    for v in range(n):
        if seen[labels[v]] < 0:
            seen[labels[v]] = k
            k += 1
        labels[v] = seen[labels[v]]
    return k


@njit(cache=True)
def _aggregate(graph: Any, sizes: Array, labels: Array, k: int) -> Any:
    """Return the graph whose nodes are the k groups; a loop holds the weight inside a group once."""
    indptr, indices, weights = graph
    n = len(labels)
    first = np.zeros(k + 1, np.int64)
    for v in range(n):
        first[labels[v] + 1] += 1
    for c in range(k):
        first[c + 1] += first[c]
    members = np.empty(n, np.int64)
    place = first[:-1].copy()
    for v in range(n):
        members[place[labels[v]]] = v
        place[labels[v]] += 1
    new_sizes = np.zeros(k)
    new_indptr = np.zeros(k + 1, np.int64)
    new_indices = np.empty(len(indices) + k, np.int64)
    new_weights = np.empty(len(indices) + k)
    link = np.zeros(k)
    touched = np.empty(k, np.int64)
    end = 0
    for c in range(k):
        count = 0
        for i in range(first[c], first[c + 1]):
            v = members[i]
            new_sizes[c] += sizes[v]
            for e in range(indptr[v], indptr[v + 1]):
                d = labels[indices[e]]
                if link[d] == 0.0:
                    touched[count] = d
                    count += 1
                link[d] += weights[e] if d != c or indices[e] == v else weights[e] / 2
        for i in range(count):
            new_indices[end] = touched[i]
            new_weights[end] = link[touched[i]]
            link[touched[i]] = 0.0
            end += 1
        new_indptr[c + 1] = end
    return new_indptr, new_indices[:end].copy(), new_weights[:end].copy(), new_sizes


@njit(cache=True)
def _pass(graph: Any, start: Array, total: float, pairs: float, draw: np.random.Generator) -> Array:
    """One run of Leiden from a partition: move, divide, aggregate, until every community is one node."""
    n = len(start)
    owner = np.arange(n)  # node of the present graph that holds each node of the first
    sizes = np.ones(n)
    labels = start.copy()
    while True:
        moved = _move(graph, sizes, labels, np.zeros(len(labels), np.int64), total, pairs, draw)
        k = _compact(labels)
        if k == len(labels):
            break
        parts, count = np.arange(len(labels)), len(labels)
        if moved:
            _move(graph, sizes, parts, labels, total, pairs, draw)
            count = _compact(parts)
        if count == len(labels):
            parts, count = labels.copy(), k
        upper = np.empty(count, np.int64)
        for v in range(len(labels)):
            upper[parts[v]] = labels[v]
        indptr, indices, weights, sizes = _aggregate(graph, sizes, parts, count)
        graph = (indptr, indices, weights)
        for v in range(n):
            owner[v] = parts[owner[v]]
        labels = upper
    result = np.empty(n, np.int64)
    for v in range(n):
        result[v] = labels[owner[v]]
    _compact(result)
    return result


@njit(cache=True)
def _leiden(graph: Any, draw: np.random.Generator) -> Array:
    n = len(graph[0]) - 1
    labels = np.arange(n)
    total = graph[2].sum() / 2
    if total == 0.0 or n < 2:
        return labels
    for _ in range(10):
        new = _pass(graph, labels, total, n * (n - 1) / 2, draw)
        if np.all(new == labels):
            break
        labels = new
    return labels
