"""Merge clusters that are one: those between which the links are nearly as dense as inside. No label is used.

With `links(A, B)` the weight of a graph's links between two clusters, their density is ``links(A, B) / (|A| |B|)``,
and inside a cluster ``links(A, A) / (|A| (|A| - 1))`` (each link counted in both directions). A small cluster says
little of its inside, one of a single row nothing. To each, one pair of rows is therefore added whose link is as dense
as is usual: the median inside the clusters of several rows, times the links of a row of A over the median of all
clusters, at most 1. The pair of clusters whose density is the largest share of the geometric mean of the two inside is
merged, and so on, while that share is at least the threshold.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from audioclust.clustering.base import without_gaps
from audioclust.validation import check_labels, check_share

__all__ = ["THRESHOLD", "merge_clusters"]

THRESHOLD = 0.25
"""Chosen on half of the people of `audiomnist_ecapa` with other seeds of the noise than the reported ones."""


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
    >>> import numpy as np
    >>> from audioclust.clustering.positives import shared_neighbour_graph
    >>> X = np.repeat([[1.0, 0.0], [0.0, 1.0]], 6, axis=0) + 0.1 * np.random.default_rng(0).standard_normal((12, 2))
    >>> merge_clusters(shared_neighbour_graph(X, 4), [0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 2]).tolist()
    [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    """
    check_share("threshold", threshold)
    graph = csr_array(graph)
    if graph.shape[0] != graph.shape[1]:
        raise ValueError(f"graph has shape {graph.shape}: give a square matrix, one row and one column per recording")
    merged, numbers = without_gaps(check_labels(labels, graph.shape[0], rows="graph"))
    known = merged >= 0
    member = csr_array(
        (np.ones(known.sum()), (np.flatnonzero(known), merged[known])), shape=(len(merged), len(numbers))
    )
    links, sizes = (member.T @ graph @ member).toarray(), np.asarray(member.sum(axis=0))
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
