"""Part clusters that are two and merge clusters that are one, by how dense the links are. No label is used.

With `links(A, B)` the weight of a graph's links between two clusters, their density is ``links(A, B) / (|A| |B|)``,
and inside a cluster ``links(A, A) / (|A| (|A| - 1))`` (each link counted in both directions). A small cluster says
little of its inside, one of a single row nothing. To each, one pair of rows is therefore added whose link is as dense
as is usual: the median inside the clusters of several rows, times the links of a row of A over the median of all
clusters, at most 1. The pair of clusters whose density is the largest share of the geometric mean of the two inside is
merged, and so on, while that share is at least the threshold.

The same share says where one cluster is two: it is cut where its links are fewest for the links of both sides (the
least normalised cut along the second eigenvector [1]_), and stays apart if the share between its parts is far below the
threshold of the merge.

References
----------
.. [1] J. Shi, J. Malik: Normalized cuts and image segmentation, IEEE TPAMI 2000.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from scipy.sparse import csr_array
from scipy.sparse.linalg import eigsh

from audioclust.clustering.base import without_gaps
from audioclust.validation import check_labels, check_share

__all__ = ["PARTING", "THRESHOLD", "merge_clusters", "part_clusters"]

THRESHOLD = 0.25
"""Chosen on half of the people of `audiomnist_ecapa` with other seeds of the noise than the reported ones."""

PARTING = 0.15
"""Chosen with it."""
LEAST, DENSE = 3, 1000
"""Rows that a part has at least; rows of a cluster from which on only the eigenvectors that count are computed."""


def part_clusters(graph: Any, labels: ArrayLike, *, threshold: float = PARTING) -> NDArray[np.intp]:
    """Part clusters of any clusterer where hardly any links of a graph hold them together.

    Parameters
    ----------
    graph : sparse array [shape=(n, n)]
        As of :func:`merge_clusters`.
    labels : array-like of int [shape=(n,)]
        -1 for noise, which stays noise.
    threshold : float in (0, 1]
        A cluster is parted while the density between its parts is a smaller share of the density inside.

    Returns
    -------
    array of int [shape=(n,)]
        Numbered from 0 without a gap; no part has fewer than three rows.

    Raises
    ------
    ValueError
        When a parameter cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> from audioclust.clustering.positives import shared_neighbour_graph
    >>> X = np.repeat([[1.0, 0.0], [0.0, 1.0]], 6, axis=0) + 0.1 * np.random.default_rng(0).standard_normal((12, 2))
    >>> part_clusters(shared_neighbour_graph(X, 4), np.zeros(12, dtype=int)).tolist()
    [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    """
    graph, parts, unseen = _checked(graph, labels, threshold)
    while len(unseen):
        halves = 2 * parts
        halves[parts < 0] = -1
        for cluster in unseen:
            rows = np.flatnonzero(parts == cluster)
            halves[rows[_second_side(graph[rows][:, rows])]] += 1
        shares = _shares(*_links(graph, halves, 2 * (parts.max() + 1)))
        apart = [cluster for cluster in unseen if 0 <= shares[2 * cluster, 2 * cluster + 1] < threshold]
        second = np.isin(halves, 2 * np.array(apart, dtype=np.intp) + 1)
        before = parts.max() + 1
        parts[second] = before + np.searchsorted(apart, parts[second])
        unseen = np.concatenate([apart, np.arange(before, before + len(apart))]).astype(np.intp)
    return without_gaps(parts)[0]


def merge_clusters(graph: Any, labels: ArrayLike, *, threshold: float = THRESHOLD) -> NDArray[np.intp]:
    """Merge clusters of any clusterer along the links of a graph.

    Parameters
    ----------
    graph : sparse array [shape=(n, n)]
        Symmetric weights >= 0 without a diagonal, as of
        :func:`~audioclust.clustering.positives.shared_neighbour_graph`.
    labels : array-like of int [shape=(n,)]
        -1 for noise, which stays noise.
    threshold : float in (0, 1]
        Share of the density inside that the density between two clusters must reach.

    Returns
    -------
    array of int [shape=(n,)]
        Numbered from 0 without a gap.

    Raises
    ------
    ValueError
        When a parameter cannot be used.

    Examples
    --------
    >>> graph = np.kron(np.eye(2), np.ones((4, 4))) - np.eye(8)  # two groups of four
    >>> merge_clusters(graph, [0, 0, 1, 1, 2, 2, 2, 2]).tolist()
    [0, 0, 0, 0, 1, 1, 1, 1]
    """
    graph, merged, numbers = _checked(graph, labels, threshold)
    known = merged >= 0
    links, sizes = _links(graph, merged, len(numbers))
    owner = np.arange(len(numbers))
    shares = _shares(links, sizes)
    while shares.size and shares.max() >= threshold:
        one, other = np.unravel_index(shares.argmax(), shares.shape)
        owner[owner == other] = one
        links[one] += links[other]
        links[:, one] += links[:, other]
        links[other] = links[:, other] = 0.0
        sizes[one] += sizes[other]
        sizes[other] = 0.0
        shares = _shares(links, sizes)
    merged[known] = owner[merged[known]]
    return without_gaps(merged)[0]


def _checked(
    graph: Any, labels: ArrayLike, threshold: float
) -> tuple[csr_array, NDArray[np.intp], NDArray[np.integer]]:
    """Return the graph, the labels without a gap, and their numbers."""
    check_share("threshold", threshold)
    graph = csr_array(graph)
    if graph.shape[0] != graph.shape[1]:
        raise ValueError(f"graph has shape {graph.shape}: give a square matrix, one row and one column per recording")
    labels, _ = without_gaps(check_labels(labels, graph.shape[0], rows="graph"))
    return graph, labels, np.arange(labels.max(initial=-1) + 1)


def _links(graph: csr_array, labels: NDArray[np.intp], number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weight of the links between clusters [shape=(k, k)], and the clusters' sizes [shape=(k,)]."""
    known = np.flatnonzero(labels >= 0)
    member = csr_array((np.ones(len(known)), (known, labels[known])), shape=(len(labels), number))
    return (member.T @ graph @ member).toarray(), np.asarray(member.sum(axis=0))


def _second_side(graph: csr_array) -> NDArray[np.bool_]:
    """Return which rows of a cluster lie on the second side of its least normalised cut; none if it is too small."""
    n = graph.shape[0]
    degrees = np.asarray(graph.sum(axis=1), dtype=np.float64)
    if n < 2 * LEAST or not degrees.any():
        return np.zeros(n, dtype=bool)
    root = np.sqrt(np.maximum(degrees, np.finfo(float).tiny))
    scaled = graph.multiply(1 / root[:, None]).multiply(1 / root).tocsr()
    if n > DENSE:
        values, vectors = eigsh(scaled, k=2, which="LA", v0=np.ones(n))
        second = vectors[:, values.argmin()]
    else:
        second = eigh(scaled.toarray(), subset_by_index=[n - 2, n - 2])[1][:, 0]
    order = np.argsort(second / root, kind="stable")
    before = np.cumsum(degrees[order])[:-1]
    place = np.empty(n, dtype=np.intp)
    place[order] = np.arange(n)
    pairs = graph.tocoo()
    crossing = place[pairs.row] < place[pairs.col]  # each link once, from the first side's end on
    cut = np.cumsum(
        np.bincount(place[pairs.row[crossing]], pairs.data[crossing], n)
        - np.bincount(place[pairs.col[crossing]], pairs.data[crossing], n)
    )[:-1]
    tiny = np.finfo(float).tiny
    costs = cut / np.maximum(before, tiny) + cut / np.maximum(degrees.sum() - before, tiny)
    costs[: LEAST - 1] = costs[n - LEAST :] = np.inf
    return place > costs.argmin()


def _shares(links: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the density between two clusters as a share of that inside them [shape=(k, k)], -1 for no pair."""
    several, own, pairs = sizes > 1, np.diag(links), sizes * (sizes - 1)
    per_row = links.sum(axis=1) / np.maximum(sizes, 1)
    middle = np.median(per_row[sizes > 0]) if sizes.any() else 0.0
    median = np.median(own[several] / pairs[several]) if several.any() else 1.0
    added = median * (np.minimum(per_row / middle, 1.0) if middle > 0 else 1.0)
    inside = (own + 2 * added) / (pairs + 2)
    usual = np.sqrt(np.outer(inside, inside)) * np.outer(sizes, sizes)
    shares = np.divide(links, usual, out=np.zeros_like(links), where=usual > 0)
    shares[sizes == 0] = shares[:, sizes == 0] = -1.0
    np.fill_diagonal(shares, -1.0)
    return shares
