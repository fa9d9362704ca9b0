"""How many groups, and who is in which: the levels at which recordings group, without labels and with nothing to set.

Each recording is joined to its k nearest ones, by cosine after centring, and the graph is divided into communities
(:mod:`audioclust.clustering.communities`), for k = 2, 3, 4, 5, 6, 8, 10, 13, ... up to a third of the recordings: the
rungs of a ladder from many small groups to few large ones (:mod:`audioclust.clustering.ladder`). Where recordings form
groups, the rungs stay the same over a range of k: a level. There may be several, such as 14 ways of speaking and 2
people. Where nothing is stable, there are no groups.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from audioclust import parallel
from audioclust.clustering.base import OrderedClusterer
from audioclust.clustering.communities import checked
from audioclust.clustering.ladder import Level, Rung, ladder, levels_of, most_neighbours
from audioclust.clustering.neighbours import directions, nearest, nearest_of_graph
from audioclust.geometry import first_copies, unit_rows
from audioclust.validation import DegenerateClusteringWarning, check_choice, check_seed

__all__ = ["UNSTABLE", "Level", "Levels", "Rung", "chance", "confidence", "is_stable", "most_stable", "spread"]

UNSTABLE = "no stable grouping: the features do not separate these recordings"
STABLE = 0.5  # stable groups close this share of the distance from the stability by chance to a perfect one
CHANCE = 0.8  # stability by chance of what is given as a graph
DRAWS = 1200  # recordings, in at least 3 samples of one Gaussian, that show the stability by chance
DRAWN = 400  # recordings in each, at most
SURE = 10  # nearest neighbours that say how sure a recording is of its group


class Levels(OrderedClusterer):
    """Groups of recordings at every level at which they are stable; the number of groups is not given.

    Parameters
    ----------
    metric : {"cosine", "precomputed"}
        "cosine": `X` holds vectors. "precomputed": `X` is a symmetric similarity [shape=(n, n)], sparse or not, of
        values >= 0; larger is nearer, 0 is unknown.
    random_state : int, RandomState instance or None
        Order in which the recordings are tried in the graph.
    jobs : int or str
        Workers, see :mod:`audioclust.parallel`.

    Attributes
    ----------
    labels_ : array of int [shape=(n,)]
        Groups of the recommended level, the most stable one, from 0.
    n_clusters_ : int
    levels_ : list of Level
        At most four, fine to coarse.
    recommended_ : int
        Place of the recommended level in `levels_`.
    stable_ : bool
        Whether the recommended level is much more stable than the groups of one Gaussian are, see :func:`chance`. If
        not, a warning says that the vectors do not separate these recordings.
    confidence_ : array in [0, 1] [shape=(n,)]
        How sure each recording is of its group in `labels_`, see :func:`confidence`.
    rungs_ : list of Rung
        The ladder.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = np.repeat(rng.standard_normal((5, 64)), 20, axis=0) + 0.3 * rng.standard_normal((100, 64))
    >>> levels = Levels().fit(X)
    >>> levels.n_clusters_, levels.stable_
    (5, True)
    """

    def __init__(self, *, metric: str = "cosine", random_state: Any = 0, jobs: parallel.Jobs = 1) -> None:
        self.metric = metric
        self.random_state = random_state
        self.jobs = jobs

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Group the rows of `X`, finite, n >= 2; or the nodes of a similarity.

        Raises
        ------
        ValueError
            When `X` or a parameter cannot be used.
        """
        check_choice("metric", self.metric, ("cosine", "precomputed"))
        self._seed = int(check_seed(self.random_state).randint(2**31))
        if self.metric == "cosine":
            super().fit(X)
        else:
            self._fit_graph(X)
        if not self.stable_:
            warnings.warn(f"Levels: {UNSTABLE}", DegenerateClusteringWarning, stacklevel=2)
        return self

    def _cluster(self, X: NDArray[np.float64]) -> NDArray[np.intp]:
        X = unit_rows(X, zero="warn")
        first, copy = np.unique(first_copies(X), return_inverse=True)  # equal rows count once and share a group
        Z = directions(X[first])
        table = nearest(Z, most_neighbours(len(Z)), random_state=self._seed, jobs=self.jobs)
        place = np.empty(len(X), dtype=np.intp)
        place[self._order] = copy
        rungs = ladder(table, Z, random_state=self._seed, jobs=self.jobs)
        self._keep(rungs, table, place, Z)
        return self.labels_[self._order]

    def _fit_graph(self, similarity: Any) -> None:
        graph = checked(csr_array(similarity))
        n = graph.shape[0]
        if n < 2:
            raise ValueError(f"Found array with {n} sample(s) while a minimum of 2 is required by Levels.")
        self.n_features_in_ = n
        strength = [np.asarray(graph.power(p).sum(axis=1)).ravel() for p in (1, 2, 3)]
        order = np.lexsort(strength)
        graph = csr_array(graph[order][:, order])
        graph.sort_indices()
        degrees = np.diff(graph.indptr)
        table = nearest_of_graph(graph, min(int(degrees.max(initial=1)), most_neighbours(n)))
        self._keep(ladder(table, random_state=self._seed, jobs=self.jobs), table, np.argsort(order), None)

    def _keep(
        self, rungs: list[Rung], table: NDArray[np.int32], place: NDArray[np.intp], Z: NDArray[np.float64] | None
    ) -> None:
        """Set the attributes from a ladder of distinct rows; `place` says which of them each row of the caller is."""
        levels = levels_of(rungs)
        best = levels[0] if levels else Level(np.zeros(len(table), dtype=np.intp), 1, 0.0, (0, 0), 0.0)
        shown = sorted(levels or [best], key=lambda level: -level.n_clusters)
        self.recommended_ = shown.index(best)
        by_chance = CHANCE if Z is None else chance(Z, best.n_clusters, random_state=self._seed)
        self.stable_ = is_stable(best.stability, by_chance)
        sure = confidence(best, rungs, table)
        self.levels_ = [spread(level, place) for level in shown]
        self.rungs_ = [spread(rung, place) for rung in rungs]
        self.labels_ = self.levels_[self.recommended_].labels
        self.n_clusters_ = best.n_clusters
        self.confidence_ = sure[place]


def chance(Z: NDArray[np.float64], n_clusters: int, *, random_state: int = 0) -> float:
    """Return the stability of the most stable level of vectors without groups, of the same number and covariance.

    Levels of less than half as many groups do not count: any long cloud has two stable halves, which says nothing of
    eight groups. Of few recordings in few dimensions the rungs agree by nearly 0.9 where nothing is to be told apart,
    of many in many dimensions by less than 0.3.
    """
    draw = np.random.RandomState(random_state)
    n = min(len(Z), DRAWN)
    scale = np.linalg.svd(Z[draw.permutation(len(Z))[:n]], compute_uv=False) / np.sqrt(max(n - 1, 1))
    best = 0.0
    for _ in range(min(max(3, DRAWS // n), 30)):
        sample = directions(unit_rows(draw.standard_normal((n, len(scale))) * scale, zero="keep"))
        best = max(best, most_stable(sample, n_clusters, random_state=random_state))
    return best


def most_stable(Z: NDArray[np.float64], n_clusters: int, *, random_state: int = 0) -> float:
    """Return the stability of the most stable level of unit rows with more than half as many groups; 0 without one."""
    table = nearest(Z, most_neighbours(len(Z)), random_state=random_state)
    levels = levels_of(ladder(table, Z, random_state=random_state))
    return max((level.stability for level in levels if 2 * level.n_clusters > n_clusters), default=0.0)


def is_stable(stability: float, chance: float) -> bool:
    """Return whether groups are clearly more stable than by chance."""
    return chance < stability >= chance + STABLE * (1 - chance)


def confidence(level: Level, rungs: list[Rung], table: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return how sure each recording is of its group at a level [shape=(n,)], in [0, 1].

    The share of its nearest neighbours that are in its group, as many as the group can have and at most ten; times the
    share of its group that stays with it on the rungs of the level, on average.
    """
    labels = level.labels
    sizes = np.bincount(labels)
    near = table[:, :SURE]
    counted = (near >= 0) & (np.arange(near.shape[1]) < np.maximum(sizes[labels] - 1, 1)[:, None])
    inside = counted & (labels[near] == labels[:, None])
    sure = inside.sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
    low, high = level.neighbours
    overlaps = [_jaccard(labels, rung.labels) for rung in rungs if low <= rung.neighbours <= high]
    return sure * np.mean(overlaps, axis=0) if overlaps else sure


def _jaccard(labels: NDArray[np.intp], others: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return how much of its two groups each recording shares: intersection over union [shape=(n,)]."""
    pair, count = np.unique(labels * (others.max() + 1) + others, return_inverse=True, return_counts=True)[1:]
    both = count[pair]
    return both / (np.bincount(labels)[labels] + np.bincount(others)[others] - both)


def spread(grouping: Any, place: NDArray[np.intp]) -> Any:
    """Return a level or rung of the rows of the caller; its groups are numbered by the rows in canonical order."""
    return replace(grouping, labels=pd.factorize(grouping.labels)[0][place])
