"""What a listener says about pairs of recordings is applied to labels: the same speaker, or different ones.

Constraints are pairs of row numbers. Must-links are transitive: they tie recordings into components. A must-link joins
the clusters of its recordings. A cannot-link splits a cluster, and its recordings go to the more similar side. The
result meets every constraint; constraints that contradict each other are an error that names them.

References
----------
Wagstaff, Cardie, Rogers, Schroedl: Constrained k-means clustering with background knowledge (2001).
Davidson, Ravi: Clustering with constraints: feasibility issues and the k-means algorithm (2005).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.base import BaseEstimator, ClusterMixin, clone
from sklearn.utils.validation import check_array, validate_data

from audioclust.geometry import group_directions, unit_rows
from audioclust.validation import check_labels, is_whole

__all__ = ["Constrained", "apply_constraints"]

Pairs = Iterable[tuple[int, int]]


class Constrained(ClusterMixin, BaseEstimator):
    """Any clusterer, with the corrections of a listener applied to its labels.

    Parameters
    ----------
    clusterer : estimator
        Gives the first labels; it is cloned, not changed.
    must_link, cannot_link : iterable of (int, int)
        Rows of the X to be fitted that are of one speaker, and of different ones.

    Attributes
    ----------
    labels_ : array of int [shape=(n,)]
    clusterer_ : estimator
        The fitted clusterer.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> X = [[1, 0], [1, 0.1], [0, 1], [0.1, 1]]
    >>> Constrained(KMeans(1, random_state=0), cannot_link=[(0, 2)]).fit_predict(X).tolist()
    [0, 0, 1, 1]
    """

    def __init__(self, clusterer: Any, *, must_link: Pairs = (), cannot_link: Pairs = ()) -> None:
        self.clusterer = clusterer
        self.must_link = must_link
        self.cannot_link = cannot_link

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Cluster, then apply the constraints.

        Raises
        ------
        ValueError
            When constraints contradict each other or name rows that do not exist.
        """
        vectors: NDArray[np.float64] = validate_data(self, X, dtype=np.float64)
        must, cannot = list(self.must_link), list(self.cannot_link)
        _components(len(vectors), must, cannot)  # contradictions show before the work
        self.clusterer_ = clone(self.clusterer).fit(vectors)
        self.labels_ = apply_constraints(self.clusterer_.labels_, vectors, must_link=must, cannot_link=cannot)
        return self


def apply_constraints(
    labels: ArrayLike, X: ArrayLike, *, must_link: Pairs = (), cannot_link: Pairs = ()
) -> NDArray[np.intp]:
    """Change labels as little as constraints ask for.

    Parameters
    ----------
    labels : array-like of int [shape=(n,)]
        -1 for noise.
    X : array-like [shape=(n, d)]
        The vectors; when a cluster is split, each recording goes to the side whose constrained recordings are nearest
        by cosine.
    must_link, cannot_link : iterable of (int, int)
        Pairs of rows.

    Returns
    -------
    array of int [shape=(n,)]
        Old labels where no constraint applies; new clusters get the next numbers. Noise that is named in a constraint
        becomes a member or a cluster of its own.

    Raises
    ------
    ValueError
        When lengths differ, constraints contradict each other or name rows that do not exist.

    Examples
    --------
    >>> X = [[1, 0], [1, 0.1], [0, 1], [0.1, 1], [-1, 0]]
    >>> apply_constraints([0, 0, 0, 0, 1], X, cannot_link=[(0, 2)]).tolist()
    [0, 0, 2, 2, 1]
    """
    vectors = unit_rows(check_array(X, dtype=np.float64), zero="keep")
    labels = check_labels(labels, len(vectors))
    must, cannot = list(must_link), list(cannot_link)
    component = _components(len(labels), must, cannot)
    free = int(labels.max(initial=-1)) + 1
    named = np.unique([row for pair in [*must, *cannot] for row in pair]).astype(np.intp)
    for row in named[labels[named] == -1]:
        labels[row] = free
        free += 1
    apart = [(component[i], component[j]) for i, j in cannot]
    for group in np.unique(component[np.array(must, dtype=np.intp).ravel()]):
        rows = np.flatnonzero(component == group)
        values, counts = np.unique(labels[rows], return_counts=True)
        target = values[np.argmax(counts)]
        for other in values[values != target]:
            inside = set(component[labels == target].tolist())
            outside = set(component[labels == other].tolist())
            if any((a in inside and b in outside) or (b in inside and a in outside) for a, b in apart):
                labels[rows[labels[rows] == other]] = target  # the clusters must stay apart: only the recordings move
            else:
                labels[labels == other] = target
    for cluster in np.unique(labels[labels != -1]):
        rows = np.flatnonzero(labels == cluster)
        present = set(component[rows].tolist())
        inner = [(a, b) for a, b in apart if a in present and b in present]
        if inner:
            free = _split(labels, vectors, rows, component, inner, free)
    return labels


def _split(
    labels: NDArray[np.intp],
    X: NDArray[np.float64],
    rows: NDArray[np.intp],
    component: NDArray[np.intp],
    inner: list[tuple[int, int]],
    free: int,
) -> int:
    """Split one cluster so that no pair of components in `inner` shares a label; return the next free label."""
    sides: list[list[int]] = []
    for seed in sorted({group for pair in inner for group in pair}):
        conflicts = {b for a, b in inner if a == seed} | {a for a, b in inner if b == seed}
        for side in sides:
            if not conflicts & set(side):
                side.append(seed)
                break
        else:
            sides.append([seed])
    groups = component[rows]
    means = group_directions(np.array([X[rows[np.isin(groups, side)]].sum(axis=0) for side in sides]))
    home = {seed: number for number, side in enumerate(sides) for seed in side}
    for group in np.unique(groups):
        members = rows[groups == group]
        number = home.get(int(group), int(np.argmax(means @ X[members].mean(axis=0))))
        if number > 0:
            labels[members] = free + number - 1
    return free + len(sides) - 1


def _components(n: int, must: list[tuple[int, int]], cannot: list[tuple[int, int]]) -> NDArray[np.intp]:
    """Component of every row under the must-links; raises where a cannot-link lies within one."""
    for name, pairs in (("must_link", must), ("cannot_link", cannot)):
        for pair in pairs:
            if len(pair) != 2 or not all(is_whole(row) and 0 <= row < n for row in pair):
                raise ValueError(f"{name}: {pair!r} is no pair of rows from 0 to {n - 1}")
    ends = np.array(must, dtype=np.intp).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(n, n))
    component = connected_components(graph, directed=False)[1].astype(np.intp)
    for i, j in cannot:
        if component[i] == component[j]:
            raise ValueError(f"cannot_link: rows {i} and {j} are tied together by must_link")
    return component
