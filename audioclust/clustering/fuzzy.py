"""Fuzzy C-Means: every recording belongs to every cluster to a degree.

``memberships_`` [shape=(n, c)], rows sum to 1. With memberships u, centres v and distances d it minimises
``sum(u**m * d**2)`` by turns [1]_. The fuzzifier m decides how soft the memberships are, and with m = 2 and more than
about twenty dimensions every centre falls into the grand mean, whatever the data [2]_: memberships are then 1/c, the
partition coefficient too, and labels are rounding noise, which a :class:`DegenerateClusteringWarning` says. The default
m = 1.15 stays clear of that up to a few hundred dimensions.

References
----------
.. [1] Bezdek, J. C. (1981). Pattern Recognition with Fuzzy Objective Function Algorithms. Plenum.
.. [2] Winkler, R., Klawonn, F., Kruse, R. (2012). Fuzzy c-means in high dimensional spaces.
.. [3] Arthur, D., Vassilvitskii, S. (2007). k-means++: the advantages of careful seeding. SODA.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist
from sklearn.cluster import kmeans_plusplus
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from audioclust.clustering.base import OrderedClusterer, check_choice

__all__ = ["FuzzyCMeans"]

_EPS = np.finfo(np.float64).eps


class FuzzyCMeans(OrderedClusterer):
    """Fuzzy C-Means.

    Parameters
    ----------
    n_clusters : int >= 1
        Number of clusters c.
    m : float > 1
        Fuzzifier; 1.05 to 1.5 for audio features (module's opening).
    init : {"k-means++", "random"} or array [shape=(n, c)]
        Start from centres spread over the data [3]_, from random memberships, or from these memberships.
    n_init : int >= 1
        Starts; the one with the lowest objective is kept. An array is started from once.
    max_iter : int >= 1
        Turns per start.
    tol : float > 0
        A start ends when the memberships move by less (Frobenius norm).
    random_state : int, RandomState or None
        Seed of the starts.

    Attributes
    ----------
    labels_ : array [shape=(n,)]
        The cluster of the largest membership.
    memberships_ : array [shape=(n, c)]
        In [0, 1].
    cluster_centers_ : array [shape=(c, d)]
        Weighted means.
    partition_coefficient_ : float in [1/c, 1]
        Mean squared membership; 1 is a crisp partition.
    partition_entropy_ : float in [0, log(c)]
        Mean entropy of the memberships, in nats.
    objective_ : float
        ``sum(u**m * d**2)``.
    n_iter_ : int
        Turns of the kept start.
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        m: float = 1.15,
        init: str | ArrayLike = "k-means++",
        n_init: int = 10,
        max_iter: int = 300,
        tol: float = 1e-5,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.m = m
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def _cluster(self, X: NDArray[np.float64]) -> NDArray[np.intp]:
        if not self.m > 1:
            raise ValueError(f"m={self.m!r}: give a fuzzifier above 1 (1.05 to 1.5 for audio features)")
        if self.n_init < 1 or self.max_iter < 1 or not self.tol > 0:
            raise ValueError(
                f"n_init={self.n_init!r}, max_iter={self.max_iter!r}, tol={self.tol!r}: "
                "give n_init >= 1, max_iter >= 1, tol > 0"
            )
        runs = (self._descend(X, start) for start in self._starts(X))
        objective, memberships, centres, turns = min(runs, key=lambda run: run[0])
        self.objective_, self.cluster_centers_, self.n_iter_ = objective, centres, turns
        self.partition_coefficient_ = float(np.mean(np.sum(memberships**2, axis=1)))
        self.partition_entropy_ = float(-np.mean(np.sum(memberships * np.log(np.maximum(memberships, _EPS)), axis=1)))
        self.memberships_ = np.empty_like(memberships)
        self.memberships_[self._order] = memberships
        return memberships.argmax(axis=1)

    def _starts(self, X: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Return the memberships to start from."""
        if not isinstance(self.init, str):
            start = np.asarray(self.init, dtype=np.float64)
            wanted = (len(X), self.n_clusters)
            if start.shape != wanted or not np.all(start >= 0):
                raise ValueError(
                    f"init of shape {start.shape}: give memberships >= 0 of shape (n, n_clusters) = {wanted}"
                )
            return [start[self._order]]
        check_choice("init", self.init, ("k-means++", "random"))
        rng = check_random_state(self.random_state)
        if self.init == "random":
            return [rng.uniform(size=(len(X), self.n_clusters)) for _ in range(self.n_init)]
        seeds = (kmeans_plusplus(X, self.n_clusters, random_state=rng)[0] for _ in range(self.n_init))
        return [_memberships(cdist(X, centres), self.m) for centres in seeds]

    def _descend(
        self, X: NDArray[np.float64], memberships: NDArray[np.float64]
    ) -> tuple[float, NDArray[np.float64], NDArray[np.float64], int]:
        turns = 0
        while turns < self.max_iter:
            turns += 1
            before = np.maximum(memberships / memberships.sum(axis=1, keepdims=True), _EPS)
            weights = before**self.m
            centres = weights.T @ X / weights.sum(axis=0)[:, None]
            distances = np.maximum(cdist(X, centres), _EPS)
            objective = float(np.sum(weights * distances**2))
            memberships = _memberships(distances, self.m)
            if np.linalg.norm(memberships - before) < self.tol:
                break
        return objective, memberships, centres, turns

    def predict_memberships(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the memberships of new recordings [shape=(n, c)] in the fitted clusters."""
        check_is_fitted(self)
        return _memberships(cdist(validate_data(self, X, dtype=np.float64, reset=False), self.cluster_centers_), self.m)

    def predict(self, X: ArrayLike) -> NDArray[np.intp]:
        """Return the cluster of the largest membership of new recordings [shape=(n,)]."""
        return self.predict_memberships(X).argmax(axis=1)


def _memberships(distances: NDArray[np.float64], m: float) -> NDArray[np.float64]:
    """``d**(-2/(m-1))``, rows scaled to sum to 1; in logarithms, for with m near 1 the power overflows."""
    powers = np.log(np.maximum(distances, _EPS)) * (-2 / (m - 1))
    powers -= powers.max(axis=1, keepdims=True)
    np.exp(powers, out=powers)
    return powers / powers.sum(axis=1, keepdims=True)
