"""K-Means, agglomerative clustering and DBSCAN, as scikit-learn computes them, on rows in canonical order.

``X`` [shape=(n, d)], ``labels_`` [shape=(n,)]; DBSCAN's -1 is noise. Scale the columns first: all three measure
distances.

References
----------
.. [1] Lloyd, S. (1982). Least squares quantization in PCM. IEEE Trans. Inf. Theory 28(2), 129-137.
.. [2] Ward, J. H. (1963). Hierarchical grouping to optimize an objective function. JASA 58, 236-244.
.. [3] Ester, M. et al. (1996). A density-based algorithm for discovering clusters. KDD, 226-231. Section 4.2: the
   k-distance curve.
.. [4] Satopaa, V. et al. (2011). Finding a "kneedle" in a haystack. ICDCS Workshops, 166-171.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import cluster
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_is_fitted, validate_data

from audioclust.clustering.base import OrderedClusterer
from audioclust.validation import check_choice

__all__ = ["DBSCAN", "Agglomerative", "KMeans", "k_distances", "knee"]


class KMeans(OrderedClusterer):
    """K-Means [1]_.

    Parameters
    ----------
    n_clusters : int >= 1
        Number of clusters.
    init : {"k-means++", "random"} or array [shape=(n_clusters, d)]
        How to start, or the centres to start from.
    n_init : int >= 1
        Starts; the one with the lowest inertia is kept.
    max_iter : int >= 1
        Iterations per start.
    tol : float >= 0
        A start ends when the centres move by less, relative to the variance of the columns.
    metric : {"euclidean", "cosine"}
        With "cosine" every row is scaled to unit length first, so that only its direction counts; a row of zeros stays.
    random_state : int, RandomState or None
        Seed of the starts.

    Attributes
    ----------
    labels_, cluster_centers_, inertia_, n_iter_
        As in :class:`sklearn.cluster.KMeans`.
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: str | ArrayLike = "k-means++",
        n_init: int = 10,
        max_iter: int = 300,
        tol: float = 1e-4,
        metric: str = "euclidean",
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.metric = metric
        self.random_state = random_state

    def _cluster(self, X: NDArray[np.float64]) -> NDArray[np.intp]:
        check_choice("metric", self.metric, ("euclidean", "cosine"))
        self._model = cluster.KMeans(
            self.n_clusters,
            init=self.init,
            n_init=self.n_init if isinstance(self.init, str) else 1,
            max_iter=self.max_iter,
            tol=self.tol,
            random_state=self.random_state,
        ).fit(self._scaled(X))
        self.cluster_centers_ = self._model.cluster_centers_
        self.inertia_ = float(self._model.inertia_)
        self.n_iter_ = int(self._model.n_iter_)
        return self._model.labels_

    def predict(self, X: ArrayLike) -> NDArray[np.intp]:
        """Return the nearest centre of new recordings [shape=(n,)]."""
        check_is_fitted(self)
        return self._model.predict(self._scaled(validate_data(self, X, dtype=np.float64, reset=False)))

    def _scaled(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        return normalize(X) if self.metric == "cosine" else X


class Agglomerative(OrderedClusterer):
    """Agglomerative clustering: merge the two nearest clusters until `n_clusters` are left [2]_.

    Parameters
    ----------
    n_clusters : int >= 1 or None
        Number of clusters; None with a `distance_threshold`.
    linkage : {"ward", "complete", "average", "single"}
        Distance between clusters: growth of the variance, farthest, mean, nearest pair.
    metric : {"euclidean", "cosine", "manhattan"}
        Distance between recordings; Ward's needs the Euclidean.
    distance_threshold : float or None
        Stop merging above this distance, instead of at a number of clusters.

    Attributes
    ----------
    labels_ : array [shape=(n,)]
        Clusters.
    n_clusters_ : int
        Number of clusters found.
    """

    def __init__(
        self,
        n_clusters: int | None = 8,
        *,
        linkage: str = "ward",
        metric: str = "euclidean",
        distance_threshold: float | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.linkage = linkage
        self.metric = metric
        self.distance_threshold = distance_threshold

    def _cluster(self, X: NDArray[np.float64]) -> NDArray[np.intp]:
        check_choice("linkage", self.linkage, ("ward", "complete", "average", "single"))
        check_choice("metric", self.metric, ("euclidean", "cosine", "manhattan"))
        if self.linkage == "ward" and self.metric != "euclidean":
            raise ValueError(f"metric={self.metric!r}: linkage 'ward' needs 'euclidean'")
        if (self.n_clusters is None) == (self.distance_threshold is None):
            given = f"n_clusters={self.n_clusters!r}, distance_threshold={self.distance_threshold!r}"
            raise ValueError(f"{given}: give one, the other None")
        if self.metric == "cosine" and not X.any(axis=1).all():
            raise ValueError("X has rows of zeros, whose cosine distance is undefined")
        model = cluster.AgglomerativeClustering(
            self.n_clusters, linkage=self.linkage, metric=self.metric, distance_threshold=self.distance_threshold
        ).fit(X)
        self.n_clusters_ = int(model.n_clusters_)
        return model.labels_


class DBSCAN(OrderedClusterer):
    """DBSCAN [3]_: clusters are what hangs together through recordings with many neighbours within `eps`.

    Parameters
    ----------
    eps : float > 0 or "auto"
        Radius of a neighbourhood. "auto" takes the knee of the k-distance curve: every recording's distance to its
        `min_samples`-th neighbour, itself included, in rising order; the knee is the point farthest below the
        chord from its first point to its last [4]_.
    min_samples : int >= 1
        Neighbours within `eps`, itself included, that make a recording a core of a cluster.
    eps_quantile : float in (0, 1] or None
        With ``eps="auto"``, take this quantile of the k-distance curve instead of its knee: the share of the recordings
        that become cores.
    metric : {"euclidean", "cosine", "manhattan"}
        Distance between recordings.

    Attributes
    ----------
    labels_ : array [shape=(n,)]
        Clusters, -1 for noise.
    eps_ : float
        The radius used.
    """

    def __init__(
        self,
        eps: float | str = "auto",
        *,
        min_samples: int = 5,
        eps_quantile: float | None = None,
        metric: str = "euclidean",
    ) -> None:
        self.eps = eps
        self.min_samples = min_samples
        self.eps_quantile = eps_quantile
        self.metric = metric

    def _cluster(self, X: NDArray[np.float64]) -> NDArray[np.intp]:
        check_choice("metric", self.metric, ("euclidean", "cosine", "manhattan"))
        if isinstance(self.eps, str):
            check_choice("eps", self.eps, ("auto",))
            curve = k_distances(X, self.min_samples, metric=self.metric)
            if self.eps_quantile is None:
                eps = curve[knee(curve)]
            elif 0 < self.eps_quantile <= 1:
                eps = np.quantile(curve, self.eps_quantile)
            else:
                raise ValueError(f"eps_quantile={self.eps_quantile!r}: give a share above 0 up to 1, or None")
            self.eps_ = float(max(eps, np.finfo(np.float64).tiny))
        else:
            if not self.eps > 0:
                raise ValueError(f"eps={self.eps!r}: give a radius above 0, or 'auto'")
            self.eps_ = float(self.eps)
        return cluster.DBSCAN(eps=self.eps_, min_samples=self.min_samples, metric=self.metric).fit(X).labels_


def k_distances(X: ArrayLike, k: int, *, metric: str = "euclidean") -> NDArray[np.float64]:
    """Distance of every recording to its `k`-th neighbour, itself the first, in rising order [shape=(n,)].

    Parameters
    ----------
    X : array-like [shape=(n, d)]
        One vector per recording.
    k : int from 1 to n
        Which neighbour; larger than n means the last.
    metric : str
        Distance between recordings.
    """
    X = np.asarray(X)
    neighbours = NearestNeighbors(n_neighbors=min(max(k, 1), len(X)), metric=metric).fit(X)
    return np.sort(neighbours.kneighbors(X)[0][:, -1])


def knee(curve: ArrayLike) -> int:
    """Position of the knee of a rising curve that bends upwards [4]_: the point farthest below its chord."""
    curve = np.asarray(curve, dtype=np.float64)
    span = curve[-1] - curve[0]
    if len(curve) < 3 or not span > 0:
        return len(curve) - 1
    return int(np.argmax(np.linspace(0, 1, len(curve)) - (curve - curve[0]) / span))
