"""HDBSCAN: clusters as the denser parts of the data, the rest noise; exact, and quick in hundreds of dimensions.

Arrays: ``X`` (n, d), one vector per recording; ``labels_`` (n,), -1 for noise; ``probabilities_`` (n,), how deep in its
cluster a recording lies, 0 for noise. The number of clusters is not asked for.

The costly part, the minimum spanning tree of the mutual reachability graph, is
:func:`audioclust.clustering._spanning_tree.spanning_tree`: the same tree as the `hdbscan` package's, by matrix
products. Everything after the tree (condensing it, choosing clusters) is that package's own code, so the result is the
package's result.

References
----------
Campello, Moulavi, Sander: Density-based clustering based on hierarchical density estimates (2013).
Campello et al.: Hierarchical density estimates for data clustering, visualization, and outlier detection (2015).
McInnes, Healy: Accelerated hierarchical density based clustering (2017).
Malzer, Baum: A hybrid approach to hierarchical density-based cluster selection (2020).
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from audioclust.clustering._spanning_tree import spanning_tree
from audioclust.evaluation import degenerate
from audioclust.geometry import canonical_order, unit_rows
from audioclust.validation import check_choice

__all__ = ["HDBSCAN"]


class HDBSCAN(ClusterMixin, BaseEstimator):
    """Hierarchical density-based clustering with noise.

    Parameters
    ----------
    min_cluster_size : int >= 2
        The smallest group of recordings that counts as a cluster.
    min_samples : int >= 1, optional
        Which neighbour's distance measures how sparse a recording's surroundings are; larger is more conservative.
        None takes `min_cluster_size`.
    metric : "euclidean" or "cosine"
        "cosine" scales every row to unit length and takes the chord between two rows, ``sqrt(2 - 2 cos)``: the same
        neighbours, the same tree and the same merges as with ``1 - cos``; densities, and so
        `cluster_selection_epsilon`, are in units of the chord.
    cluster_selection_method : "eom" or "leaf"
        Excess of mass [1]_, or the finest clusters of the tree.
    cluster_selection_epsilon : float >= 0
        Clusters that separate below this distance are not split further.
    allow_single_cluster : bool
        Whether all recordings may form one cluster.
    ties : "rows" or "canonical"
        A recording that joins two clusters at the same distance belongs to either. "rows" decides as the `hdbscan`
        package does, by the order of the rows; "canonical" sorts the rows by their values first, so that shuffling the
        rows never changes the clusters, not even in such ties.

    Attributes
    ----------
    labels_ : array of int [shape=(n,)]
        Cluster of each recording, -1 for noise.
    probabilities_ : array [shape=(n,)]
        Membership in [0, 1]; 0 for noise.
    outlier_scores_ : array [shape=(n,)]
        GLOSH score in [0, 1], larger is more outlying [2]_.
    cluster_persistence_ : array [shape=(k,)]
        How long each cluster persists over the distances, in [0, 1].
    core_distances_ : array [shape=(n,)]
        Distance to the `min_samples`-th neighbour.
    single_linkage_tree_ : array [shape=(n - 1, 4)]
        The hierarchy in scipy's format.
    condensed_tree_ : structured array
        Its condensed form: parent, child, lambda_val, child_size.
    min_samples_ : int
        The neighbour that was used.

    References
    ----------
    .. [1] Campello, Moulavi, Sander 2013.
    .. [2] Campello et al. 2015, section 6.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.repeat([[0.0, 0.0], [5.0, 5.0]], 6, axis=0) + 0.1 * np.random.default_rng(0).standard_normal((12, 2))
    >>> HDBSCAN(min_cluster_size=4).fit_predict(X)
    array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    """

    def __init__(
        self,
        min_cluster_size: int = 5,
        *,
        min_samples: int | None = None,
        metric: str = "euclidean",
        cluster_selection_method: str = "eom",
        cluster_selection_epsilon: float = 0.0,
        allow_single_cluster: bool = False,
        ties: str = "rows",
    ) -> None:
        self.min_cluster_size = min_cluster_size
        self.min_samples = min_samples
        self.metric = metric
        self.cluster_selection_method = cluster_selection_method
        self.cluster_selection_epsilon = cluster_selection_epsilon
        self.allow_single_cluster = allow_single_cluster
        self.ties = ties

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Cluster the rows of `X`.

        Parameters
        ----------
        X : array-like [shape=(n, d)]
            Finite vectors, n >= 2. With fewer than `min_cluster_size` rows all are noise.
        y : ignored
            There for scikit-learn's interface.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            When `X` or a parameter cannot be used; with the cosine metric, when a row is zero.
        """
        self._check()
        self._fit(validate_data(self, X, dtype=np.float64, ensure_min_samples=2))
        degenerate.warn(degenerate.check(self.labels_), type(self).__name__)
        return self

    def fit_quietly(self, X: NDArray[np.floating]) -> NDArray[np.intp]:
        """Return the labels of checked rows without a warning where they are degenerate, for use in a larger method."""
        self._check()
        return self._fit(X).labels_

    def _fit(self, X: NDArray[np.floating]) -> Self:
        if self.metric == "cosine":
            X = unit_rows(X)
        n = len(X)
        order = canonical_order(X) if self.ties == "canonical" else np.arange(n)
        self.min_samples_ = min(self._min_samples(), n - 1)
        edges, core = spanning_tree(X[order], self.min_samples_)
        self.core_distances_ = np.empty(n)
        self.core_distances_[order] = core
        self.single_linkage_tree_ = _single_linkage(edges)
        selected = self._select()
        self.labels_, self.probabilities_, self.outlier_scores_ = (np.empty_like(values) for values in selected[:3])
        for ours, values in zip((self.labels_, self.probabilities_, self.outlier_scores_), selected[:3], strict=True):
            ours[order] = values
        self.cluster_persistence_, self.condensed_tree_ = selected[3:]
        self._order = order
        for ends in (self.single_linkage_tree_[:, 0], self.single_linkage_tree_[:, 1], self.condensed_tree_["child"]):
            leaves = ends < n
            ends[leaves] = order[ends[leaves].astype(np.intp)]
        return self

    def relabel(self, **changes: Any) -> NDArray[np.intp]:
        """Return the labels that other settings give, from the tree that is there: what a fresh fit would return.

        Parameters
        ----------
        **changes
            New values of `min_cluster_size`, `cluster_selection_method`, `cluster_selection_epsilon`,
            `allow_single_cluster`. The other parameters shape the tree itself.

        Returns
        -------
        array of int [shape=(n,)]

        Raises
        ------
        ValueError
            When a change needs another tree. ``min_samples=None`` follows `min_cluster_size`: give `min_samples` a
            number before a sweep over sizes.
        """
        check_is_fitted(self)
        free = {"min_cluster_size", "cluster_selection_method", "cluster_selection_epsilon", "allow_single_cluster"}
        for name in sorted(set(changes) - free):
            raise ValueError(f"{name}={changes[name]!r} needs another tree; relabel takes {', '.join(sorted(free))}")
        other = clone(self).set_params(**changes)
        other._check()
        n = len(self.labels_)
        if min(other._min_samples(), n - 1) != self.min_samples_:
            raise ValueError(
                f"min_cluster_size={other.min_cluster_size} with min_samples=None needs another tree than this one, "
                f"made with {self.min_samples_}: set min_samples to a number"
            )
        place = np.empty(n, dtype=np.intp)
        place[self._order] = np.arange(n)
        other.single_linkage_tree_ = self.single_linkage_tree_.copy()
        for ends in (other.single_linkage_tree_[:, 0], other.single_linkage_tree_[:, 1]):
            leaves = ends < n
            ends[leaves] = place[ends[leaves].astype(np.intp)]
        labels = np.empty(n, dtype=np.intp)
        labels[self._order] = other._select()[0]
        return labels

    def _select(self) -> tuple[Any, ...]:
        """Choose the clusters: labels, probabilities, outlier scores, persistences, condensed tree."""
        from hdbscan._hdbscan_tree import outlier_scores
        from hdbscan.hdbscan_ import _tree_to_labels

        labels, probabilities, persistences, condensed, _ = _tree_to_labels(
            None,
            self.single_linkage_tree_,
            int(self.min_cluster_size),
            self.cluster_selection_method,
            bool(self.allow_single_cluster),
            False,
            float(self.cluster_selection_epsilon),
        )
        return labels, probabilities, outlier_scores(condensed), persistences, condensed

    def _min_samples(self) -> int:
        return int(self.min_cluster_size if self.min_samples is None else self.min_samples)

    def _check(self) -> None:
        for name, value, least in (
            ("min_cluster_size", self.min_cluster_size, 2),
            ("min_samples", self.min_samples, 1),
        ):
            if value is None and name == "min_samples":
                continue
            if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name}={value!r}: give a whole number of at least {least}")
        epsilon = self.cluster_selection_epsilon
        if not isinstance(epsilon, Real) or not 0 <= epsilon < np.inf:
            raise ValueError(f"cluster_selection_epsilon={epsilon!r}: give a distance of at least 0")
        check_choice("metric", self.metric, ("euclidean", "cosine"))
        check_choice("cluster_selection_method", self.cluster_selection_method, ("eom", "leaf"))
        check_choice("ties", self.ties, ("rows", "canonical"))


def _single_linkage(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    from hdbscan._hdbscan_linkage import label

    return label(edges[np.argsort(edges[:, 2])])
