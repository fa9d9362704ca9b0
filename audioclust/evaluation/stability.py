"""Would other recordings give the same clusters? Random parts are clustered and compared with the clustering of all.

References
----------
Ben-Hur, Elisseeff, Guyon: A stability based method for discovering structure in clustered data (2002).
Hubert, Arabie: Comparing partitions (1985).
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.validation import check_array

from audioclust.evaluation.degenerate import DegenerateClusteringWarning
from audioclust.evaluation.external import singletons
from audioclust.validation import check_labels, check_number, check_seed, check_share

__all__ = ["Stability", "stability"]


class Stability(NamedTuple):
    """How well clusterings of random parts agree with the clustering of all recordings.

    Attributes
    ----------
    mean, std : float
        Of the adjusted Rand index over the parts; 1 is full agreement, about 0 chance.
    scores : array [shape=(rounds,)]
        That of each part.
    n_clusters : array of int [shape=(rounds,)]
        Clusters in each part.
    recordings : array [shape=(n,)]
        Of the parts that hold a recording, the share in which its cluster is mostly the same as in the clustering of
        all: the Jaccard index of the two clusters, within the part, is above one half. NaN for noise and for recordings
        that are in no part.
    """

    mean: float
    std: float
    scores: NDArray[np.float64]
    n_clusters: NDArray[np.intp]
    recordings: NDArray[np.float64]


def stability(
    X: ArrayLike,
    estimator: Any,
    *,
    labels: ArrayLike | None = None,
    share: float = 0.8,
    rounds: int = 10,
    random_state: Any = 0,
) -> Stability:
    """Cluster random parts of the recordings and compare each with the clustering of all.

    Parameters
    ----------
    X : array-like [shape=(n, d)]
    estimator : clusterer
        Cloned for every part.
    labels : array-like of int [shape=(n,)], optional
        The clustering of all; None fits one. Every noise recording (-1) counts as a cluster of its own.
    share : float in (0, 1)
        Share of the recordings in a part.
    rounds : int >= 1
        Number of parts.
    random_state : int, RandomState instance or None
        Seed of the draws.

    Raises
    ------
    ValueError
        When a parameter is out of its range, lengths differ, or `share` leaves no recording out.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> X = [[0.0], [0.1], [0.2], [0.3], [9.0], [9.1], [9.2], [9.3]]
    >>> stability(X, KMeans(2, random_state=0), rounds=3).mean
    1.0
    """
    check_share("share", share, one=False)
    check_number("rounds", rounds, 1, whole=True)
    vectors: NDArray[np.floating] = check_array(X)
    n = len(vectors)
    size = max(2, round(share * n))
    if size >= n:
        raise ValueError(f"share={share!r} of {n} recordings leaves none out")
    generator = check_seed(random_state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateClusteringWarning)
        whole = check_labels(clone(estimator).fit(vectors).labels_ if labels is None else labels, n)
        scores, n_clusters = [], []
        kept, drawn = np.zeros(n), np.zeros(n)
        for _ in range(rounds):
            rows = np.sort(generator.choice(n, size, replace=False))
            part = np.asarray(clone(estimator).fit(vectors[rows]).labels_)
            scores.append(adjusted_rand_score(singletons(whole[rows]), singletons(part)))
            n_clusters.append(len(np.unique(part[part != -1])))
            kept[rows] += _jaccard(singletons(whole[rows]), singletons(part)) > 0.5
            drawn[rows] += 1
    drawn[whole == -1] = 0
    recordings = np.divide(kept, drawn, out=np.full(n, np.nan), where=drawn > 0)
    return Stability(float(np.mean(scores)), float(np.std(scores)), np.array(scores), np.array(n_clusters), recordings)


def _jaccard(one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.float64]:
    """Jaccard index of the two clusters that each recording is in."""
    first, second = np.unique(one, return_inverse=True)[1], np.unique(other, return_inverse=True)[1]
    pair = first * (second.max() + 1) + second
    _, place, both = np.unique(pair, return_inverse=True, return_counts=True)
    shared = both[place]
    return shared / (np.bincount(first)[first] + np.bincount(second)[second] - shared)
