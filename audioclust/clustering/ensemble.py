"""Many clusterings of the same recordings, by several features: what a consensus is made of.

Where the number of groups is not known, K-Means by the cosine and Ward's agglomerative clustering are run for a few
numbers from small to large: recordings that belong together are together in most of them. Where it is given, K-Means,
Ward and spectral clustering are run with that number.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from audioclust import parallel
from audioclust.clustering.levels import most_stable
from audioclust.clustering.neighbours import directions
from audioclust.clustering.registry import make
from audioclust.geometry import unit_rows
from audioclust.validation import check_n_clusters

__all__ = ["chance", "memberships", "partitions"]

STEPS = 6  # different numbers of groups
LARGEST = 150
ALONE = 1000  # recordings, below which all is clustered before workers have started
DRAWS, DRAWN = 3, 300  # samples without groups, and recordings in each, that show how stable groups are by chance
WARD_LIMIT = 5000  # recordings; Ward's and spectral clustering need memory that grows with their square


def partitions(
    X: Sequence[tuple[str, NDArray[np.float64]]],
    *,
    n_clusters: int | None = None,
    random_state: int = 0,
    jobs: parallel.Jobs = 1,
) -> tuple[NDArray[np.intp], list[str]]:
    """Cluster the same recordings in many ways.

    Parameters
    ----------
    X : sequence of (str, array [shape=(n, d)])
        The name of a feature, and vectors made from it; a feature may have several.
    n_clusters : int, optional
        Number of groups; without it several numbers are tried.
    random_state : int
    jobs : int or str
        Workers, see :mod:`audioclust.parallel`.

    Returns
    -------
    labels : array of int [shape=(m, n)]
        One clustering per row.
    features : list of str
        The feature that each was made from.

    Raises
    ------
    ValueError
        When `n_clusters` is not in 1 .. n.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.repeat([[0.0, 9.0], [9.0, 0.0]], 10, axis=0) + rng.normal(size=(20, 2))
    >>> labels, features = partitions([("mel", X), ("mfcc", -X)], n_clusters=2)
    >>> labels.shape, features
    ((6, 20), ['mel', 'mel', 'mel', 'mfcc', 'mfcc', 'mfcc'])
    """
    n = len(X[0][1])
    if n_clusters is not None:
        check_n_clusters(n_clusters, n)
    sizes = numbers(n) if n_clusters is None else [n_clusters]
    work = [(place, k) for place in range(len(X)) for k in sizes]
    one = partial(_clustered, known=n_clusters is not None, random_state=random_state)
    arrays, few = [vectors for _, vectors in X], n <= ALONE
    made = parallel.map(one, work, jobs=1 if few else jobs, chunk=1, description="clusterings", arrays=arrays)
    found = [(X[place][0], labels) for (place, _), several in zip(work, made, strict=True) for labels in several]
    return np.array([labels for _, labels in found]), [feature for feature, _ in found]


def memberships(labels: NDArray[np.intp]) -> NDArray[np.float64]:
    """Turn clusterings into vectors: rows are alike where recordings share groups, small groups counting more.

    One column per group, 1 / sqrt(size) for its members and 0 for the others, as in multiple correspondence analysis.

    Parameters
    ----------
    labels : array of int [shape=(m, n)]
        As `partitions` gives.

    Returns
    -------
    array [shape=(n, number of groups of all clusterings)]

    Examples
    --------
    >>> memberships(np.array([[0, 0, 0, 0, 1]]))
    array([[0.5, 0. ],
           [0.5, 0. ],
           [0.5, 0. ],
           [0.5, 0. ],
           [0. , 1. ]])
    """
    columns = []
    for row in labels:
        sizes = np.bincount(row)
        columns.append((np.eye(len(sizes)) / np.sqrt(np.maximum(sizes, 1)))[row])
    return np.hstack(columns)


def chance(X: Sequence[tuple[str, NDArray[np.float64]]], n_clusters: int = 1, *, random_state: int = 0) -> float:
    """Return how stable the levels are of clusterings of recordings without groups, whose features vary as these do.

    What clusterings have in common is partly their own doing: those of vectors drawn from one Gaussian agree, too. The
    most stable level of three such draws, of the covariance of all features together, is what chance gives.

    Parameters
    ----------
    X : sequence of (str, array [shape=(n, d)])
        As for `partitions`.
    n_clusters : int
        Groups of the level in question; levels of less than half as many do not count.
    random_state : int

    Returns
    -------
    float
        To be compared with the `stability` of a level of ``memberships(partitions(X))``.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(40, 3))
    >>> 0 < chance([("mel", X), ("mfcc", X)]) <= 1
    True
    """
    draw = np.random.RandomState(random_state)
    together = np.hstack([vectors for _, vectors in X])
    rows = draw.permutation(len(together))[:DRAWN]
    spread = (together[rows] - together[rows].mean(axis=0)) / np.sqrt(max(1, len(rows) - 1))
    ends = np.cumsum([vectors.shape[1] for _, vectors in X])[:-1]
    best = 0.0
    for _ in range(DRAWS):
        drawn = np.split(draw.standard_normal((len(rows), len(rows))) @ spread, ends, axis=1)
        sample = [(feature, vectors) for (feature, _), vectors in zip(X, drawn, strict=True)]
        Z = directions(unit_rows(memberships(partitions(sample, random_state=random_state)[0])))
        best = max(best, most_stable(Z, n_clusters, random_state=random_state))
    return best


def numbers(n: int) -> list[int]:
    """Return the numbers of groups that are tried for n recordings: to 20 a group, of few recordings to half of them.

    Examples
    --------
    >>> numbers(400), numbers(12)
    ([4, 6, 8, 11, 14, 20], [2, 3, 4, 5, 6])
    """
    most = min(LARGEST, max(n // 20, min(n // 2, 12)))
    return sorted({round(k) for k in np.geomspace(min(4, max(2, most // 3)), max(2, most), STEPS)})


def _clustered(
    chosen: tuple[int, int], *parts: NDArray[np.float64], known: bool, random_state: int
) -> list[NDArray[np.intp]]:
    """Cluster one of the arrays into k groups in two or three ways."""
    place, k = chosen
    X = parts[place]
    directions = unit_rows(X, zero="keep")
    found = [make("kmeans", n_clusters=k, n_init=1, random_state=random_state).fit_predict(directions)]
    if len(X) <= WARD_LIMIT:
        found.append(fcluster(linkage(X, "ward"), k, "maxclust") - 1)
        if known:
            found.append(make("spectral", n_clusters=k, random_state=random_state).fit_predict(directions))
    return found
