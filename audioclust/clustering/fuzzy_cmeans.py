"""Fuzzy C-Means: every recording belongs to every cluster to a degree.

``memberships_`` [shape=(n, c)], rows sum to 1. With memberships u, centres v and distances d it minimises
``sum(u**m * d**2)`` by turns [1]_, as :func:`skfuzzy.cluster.cmeans` computes them; the starts are chosen here, from
`random_state`, because scikit-fuzzy would seed numpy's global generator.

The fuzzifier m decides how soft the memberships are, and with m = 2 and more than about twenty dimensions every centre
falls into the grand mean, whatever the data [2]_: memberships are then 1/c, the partition coefficient too, and labels
are rounding noise, which a :class:`DegenerateClusteringWarning` says. The default m = 1.15 stays clear of that up to a
few hundred dimensions.

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
from skfuzzy.cluster import cmeans, cmeans_predict
from sklearn.cluster import kmeans_plusplus
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from audioclust.clustering.base import OrderedClusterer
from audioclust.geometry import binary_exponent
from audioclust.validation import check_choice, check_number

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

    Examples
    --------
    >>> model = FuzzyCMeans(n_clusters=2, m=2, random_state=0).fit([[0.0], [1.0], [10.0], [11.0]])
    >>> model.predict_memberships([[5.5]]).round(3)
    array([[0.5, 0.5]])
    >>> model.predict([[9.0]]) == model.labels_[3]
    array([ True])
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
        check_number("m", self.m, 1, above=True)
        check_number("n_init", self.n_init, 1, whole=True)
        check_number("max_iter", self.max_iter, 1, whole=True)
        check_number("tol", self.tol, 0, above=True)
        self._mean = X.mean(axis=0)  # scikit-fuzzy takes distances below 2e-16 for 0: they are made of size 1
        self._exponent = binary_exponent(X - self._mean)
        X = self._scaled(X)
        runs = (self._descend(X, start, min(_TRIAL, self.max_iter)) for start in self._starts(X))
        objective, memberships, centres, turns = min(runs, key=lambda run: run[0])
        if turns == _TRIAL < self.max_iter:
            objective, memberships, centres, more = self._descend(X, memberships, self.max_iter - _TRIAL)
            turns += more
        self._centres = centres
        self.objective_, self.n_iter_ = float(np.ldexp(objective, 2 * self._exponent)), turns
        self.cluster_centers_ = np.ldexp(centres, self._exponent) + self._mean
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
        return [self._memberships(X, centres) for centres in seeds]

    def _descend(
        self, X: NDArray[np.float64], start: NDArray[np.float64], max_turns: int
    ) -> tuple[float, NDArray[np.float64], NDArray[np.float64], int]:
        """Return objective, memberships, centres and turns; scikit-fuzzy has recordings in columns."""
        centres, memberships, _, _, objective, turns, _ = cmeans(
            X.T, self.n_clusters, self.m, error=self.tol, maxiter=max_turns, init=start.T
        )
        return float(objective[-1]), memberships.T, centres, turns

    def _memberships(self, X: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the memberships that `centres` give; one turn is exact, whatever it starts from."""
        start = np.full((self.n_clusters, len(X)), 1 / self.n_clusters)
        return cmeans_predict(X.T, centres, self.m, error=self.tol, maxiter=1, init=start)[0].T

    def _scaled(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.ldexp(X - self._mean, -self._exponent)

    def predict_memberships(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the memberships of new recordings [shape=(n, c)] in the fitted clusters."""
        check_is_fitted(self)
        return self._memberships(self._scaled(validate_data(self, X, dtype=np.float64, reset=False)), self._centres)

    def predict(self, X: ArrayLike) -> NDArray[np.intp]:
        """Return the cluster of the largest membership of new recordings [shape=(n,)]."""
        return self.predict_memberships(X).argmax(axis=1)
