"""Would the same clusters be found with other recordings? Clusterings of random parts, compared with that of all.

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
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array

from audioclust.evaluation.degenerate import DegenerateClusteringWarning
from audioclust.evaluation.external import singletons

__all__ = ["Stability", "stability"]


class Stability(NamedTuple):
    """How well clusterings of random parts agree with the clustering of all recordings.

    Attributes
    ----------
    mean, std : float
        Of the adjusted Rand index over the parts; 1 is full agreement, about 0 chance.
    scores : array [shape=(rounds,)]
        Each part's.
    n_clusters : array of int [shape=(rounds,)]
        Clusters found in each part.
    recordings : array [shape=(n,)]
        Share of the parts holding a recording in which it had mostly the same companions as in the clustering of all:
        the Jaccard index of the two companies is above one half. NaN for recordings drawn in no part and for noise.
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
        The clustering of all; None fits one.
    share : float in (0, 1)
        Of the recordings in a part.
    rounds : int >= 1
        Parts.
    random_state : int, RandomState instance or None
        Seed of the draws.

    Notes
    -----
    Noise (-1) counts as clusters of one.
    """
    if not 0 < share < 1:
        raise ValueError(f"share={share!r}: give a share above 0 and below 1")
    if rounds < 1:
        raise ValueError(f"rounds={rounds!r}: give a whole number of at least 1")
    vectors: NDArray[np.floating] = check_array(X)
    n = len(vectors)
    size = max(2, round(share * n))
    if size >= n:
        raise ValueError(f"share={share!r} of {n} recordings leaves none out")
    generator = check_random_state(random_state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateClusteringWarning)
        whole = np.asarray(clone(estimator).fit(vectors).labels_ if labels is None else labels)
        if whole.shape != (n,):
            raise ValueError(f"labels has shape {whole.shape}, X has {n} rows")
        scores, found = [], []
        kept, drawn = np.zeros(n), np.zeros(n)
        for _ in range(rounds):
            rows = np.sort(generator.choice(n, size, replace=False))
            part = np.asarray(clone(estimator).fit(vectors[rows]).labels_)
            scores.append(adjusted_rand_score(singletons(whole[rows]), singletons(part)))
            found.append(len(np.unique(part[part != -1])))
            kept[rows] += _jaccard(singletons(whole[rows]), singletons(part)) > 0.5
            drawn[rows] += 1
    drawn[whole == -1] = 0
    recordings = np.divide(kept, drawn, out=np.full(n, np.nan), where=drawn > 0)
    return Stability(float(np.mean(scores)), float(np.std(scores)), np.array(scores), np.array(found), recordings)


def _jaccard(one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.float64]:
    """Jaccard index of the two groups that each recording is in."""
    first, second = np.unique(one, return_inverse=True)[1], np.unique(other, return_inverse=True)[1]
    pair = first * (second.max() + 1) + second
    _, place, both = np.unique(pair, return_inverse=True, return_counts=True)
    shared = both[place]
    return shared / (np.bincount(first)[first] + np.bincount(second)[second] - shared)
