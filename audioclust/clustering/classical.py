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
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_is_fitted, validate_data

from audioclust.clustering.base import OrderedClusterer
from audioclust.validation import check_choice, check_number, check_share

__all__ = ["DBSCAN", "Agglomerative", "KMeans", "k_distances", "knee"]


class KMeans(ClassNamePrefixFeaturesOutMixin, TransformerMixin, OrderedClusterer):
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
    labels_ : array of int [shape=(n,)]
        Cluster of each recording.
    cluster_centers_ : array [shape=(n_clusters, d)]
        Means of the clusters.
    inertia_ : float >= 0
        Sum of the squared distances of the recordings to their centres.
    n_iter_ : int
        Iterations of the start that was kept.

    Examples
    --------
    >>> import numpy as np
    >>> model = KMeans(n_clusters=2, random_state=0).fit([[0.0], [1.0], [10.0], [11.0]])
    >>> model.inertia_, model.predict([[9.0]]) == model.labels_[2]
    (1.0, array([ True]))
    >>> np.sort(model.transform([[9.0]]))
    array([[1.5, 8.5]])
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
        rows = self._new(X)
        return self._model.predict(rows)

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the distances of new recordings to every centre [shape=(n, n_clusters)]."""
        rows = self._new(X)
        return self._model.transform(rows)

    def score(self, X: ArrayLike, y: Any = None) -> float:
        """Return minus the sum of the squared distances of new recordings to their nearest centres."""
        rows = self._new(X)
        return float(self._model.score(rows))

    def _new(self, X: ArrayLike) -> NDArray[np.float64]:
        check_is_fitted(self)
        return self._scaled(validate_data(self, X, dtype=np.float64, reset=False))

    @property
    def _n_features_out(self) -> int:
        return len(self.cluster_centers_)

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
        Number of clusters.
    children_ : array of int [shape=(n - 1, 2)]
        The two nodes that each merge joins: recordings below n, and n + i for what merge i made.
    distances_ : array [shape=(n - 1,)]
        Distance between the two.

    Examples
    --------
    >>> model = Agglomerative(n_clusters=2, linkage="average").fit([[0.0], [1.0], [10.0], [12.0]])
    >>> model.labels_.tolist() in ([0, 0, 1, 1], [1, 1, 0, 0])
    True
    >>> model.children_.tolist(), model.distances_.tolist()
    ([[0, 1], [2, 3], [4, 5]], [1.0, 2.0, 10.5])
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
            self.n_clusters,
            linkage=self.linkage,
            metric=self.metric,
            distance_threshold=self.distance_threshold,
            compute_distances=True,
        ).fit(X)
        self.n_clusters_ = int(model.n_clusters_)
        self.children_ = np.where(model.children_ < len(X), self._order[model.children_ % len(X)], model.children_)
        self.distances_ = model.distances_
        return model.labels_


class DBSCAN(OrderedClusterer):
    """DBSCAN [3]_: recordings with many neighbours within `eps`, joined wherever they are neighbours.

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
    core_sample_indices_ : array of int
        The recordings with at least `min_samples` neighbours, in rising order.

    Examples
    --------
    >>> model = DBSCAN(eps=1.5, min_samples=3).fit([[0.0], [1.0], [2.0], [9.0]])
    >>> model.labels_, model.core_sample_indices_
    (array([ 0,  0,  0, -1]), array([1]))
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
        check_number("min_samples", self.min_samples, 1, whole=True)
        self.eps_ = self._radius(X)
        model = cluster.DBSCAN(eps=self.eps_, min_samples=self.min_samples, metric=self.metric).fit(X)
        self.core_sample_indices_ = np.sort(self._order[model.core_sample_indices_])
        return model.labels_

    def _radius(self, X: NDArray[np.float64]) -> float:
        if not isinstance(self.eps, str):
            check_number("eps", self.eps, 0, above=True)
            return float(self.eps)
        check_choice("eps", self.eps, ("auto",))
        curve = k_distances(X, self.min_samples, metric=self.metric)
        if self.eps_quantile is None:
            eps = curve[knee(curve)]
        else:
            check_share("eps_quantile", self.eps_quantile)
            eps = np.quantile(curve, self.eps_quantile)
        return float(max(eps, np.finfo(np.float64).tiny))


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

    Examples
    --------
    >>> k_distances([[0.0], [1.0], [5.0]], 2)
    array([1., 1., 4.])
    """
    X = np.asarray(X)
    neighbours = NearestNeighbors(n_neighbors=min(max(k, 1), len(X)), metric=metric).fit(X)
    return np.sort(neighbours.kneighbors(X)[0][:, -1])


def knee(curve: ArrayLike) -> int:
    """Position of the knee of a rising curve that bends upwards [4]_: the point farthest below its chord.

    Examples
    --------
    >>> knee([0.0, 0.1, 0.2, 0.3, 5.0, 10.0])
    3
    """
    curve = np.asarray(curve, dtype=np.float64)
    span = curve[-1] - curve[0]
    if len(curve) < 3 or not span > 0:
        return len(curve) - 1
    return int(np.argmax(np.linspace(0, 1, len(curve)) - (curve - curve[0]) / span))
