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
from sklearn.cluster import kmeans_plusplus
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from audioclust.clustering.base import OrderedClusterer
from audioclust.validation import check_choice

__all__ = ["FuzzyCMeans"]

_EPS = np.finfo(np.float64).eps
_TRIAL = 20  # turns of every start; most of the way, at a fraction of the cost


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
        Starts; the one with the lowest objective after twenty turns goes on to the end. An array is started from once.
    max_iter : int >= 1
        Turns of the start that is kept.
    tol : float > 0
        The end is reached when the memberships move by less (Frobenius norm).
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
        self._mean = X.mean(axis=0)
        X = X - self._mean  # distances from the norms lose digits far from the origin
        runs = (self._descend(X, start, min(_TRIAL, self.max_iter)) for start in self._starts(X))
        objective, memberships, centres, turns = min(runs, key=lambda run: run[0])
        if turns == _TRIAL < self.max_iter:
            objective, memberships, centres, more = self._descend(X, memberships, self.max_iter - _TRIAL)
            turns += more
        self.objective_, self.cluster_centers_, self.n_iter_ = objective, centres + self._mean, turns
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
        return [_memberships(_squared_distances(X, centres), self.m) for centres in seeds]

    def _descend(
        self, X: NDArray[np.float64], memberships: NDArray[np.float64], max_turns: int
    ) -> tuple[float, NDArray[np.float64], NDArray[np.float64], int]:
        turns = 0
        while turns < max_turns:
            turns += 1
            before = np.maximum(memberships / memberships.sum(axis=1, keepdims=True), _EPS)
            weights = before**self.m
            centres = weights.T @ X / weights.sum(axis=0)[:, None]
            squares = _squared_distances(X, centres)
            objective = float(np.sum(weights * squares))
            memberships = _memberships(squares, self.m)
            if np.linalg.norm(memberships - before) < self.tol:
                break
        return objective, memberships, centres, turns

    def predict_memberships(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the memberships of new recordings [shape=(n, c)] in the fitted clusters."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        return _memberships(_squared_distances(rows - self._mean, self.cluster_centers_ - self._mean), self.m)

    def predict(self, X: ArrayLike) -> NDArray[np.intp]:
        """Return the cluster of the largest membership of new recordings [shape=(n,)]."""
        return self.predict_memberships(X).argmax(axis=1)


def _squared_distances(X: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    squares = X @ centres.T
    squares *= -2
    squares += np.einsum("ij,ij->i", X, X)[:, None]
    squares += np.einsum("ij,ij->i", centres, centres)
    return np.maximum(squares, _EPS**2, out=squares)


def _memberships(squares: NDArray[np.float64], m: float) -> NDArray[np.float64]:
    """Return ``d**(-2/(m-1))``, rows scaled to sum to 1; in logarithms, for with m near 1 the power overflows."""
    powers = np.log(squares) * (-1 / (m - 1))
    powers -= powers.max(axis=1, keepdims=True)
    np.exp(powers, out=powers)
    return powers / powers.sum(axis=1, keepdims=True)
