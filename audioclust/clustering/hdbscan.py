"""HDBSCAN: clusters as the denser parts of the data, the rest noise; exact, and quick in hundreds of dimensions.

Arrays: ``X`` (n, d), one vector per recording; ``labels_`` (n,), -1 for noise; ``probabilities_`` (n,), how deep in its
cluster a recording lies, 0 for noise. The number of clusters is not asked for.

The costly part is the minimum spanning tree of the mutual reachability graph. Above 60 dimensions it is
:func:`audioclust.clustering._spanning_tree.spanning_tree`, the same tree as the `hdbscan` package's by matrix products;
up to 60 dimensions, and for given distances, it is the package's own. Everything after the tree (condensing it,
choosing clusters, new recordings) is the package's code too, so the result is the package's with its default settings.
It does not depend on the scale of the data: distances are computed after a division by a power of two.

References
----------
Campello, Moulavi, Sander: Density-based clustering based on hierarchical density estimates (2013).
Campello et al.: Hierarchical density estimates for data clustering, visualization, and outlier detection (2015).
McInnes, Healy: Accelerated hierarchical density based clustering (2017).
Malzer, Baum: A hybrid approach to hierarchical density-based cluster selection (2020).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, ClusterMixin, clone
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from audioclust.clustering._spanning_tree import check_distances, core_distances, given_core_distances, spanning_tree
from audioclust.clustering.base import square_order, without_gaps
from audioclust.evaluation import degenerate
from audioclust.geometry import binary_exponent, canonical_order, first_copies, unit_rows
from audioclust.validation import check_choice, check_number

if TYPE_CHECKING:
    from hdbscan.plots import CondensedTree

__all__ = ["HDBSCAN"]

_BORUVKA = 60  # dimensions up to which the hdbscan package takes Boruvka's algorithm


class HDBSCAN(ClusterMixin, BaseEstimator):
    """Hierarchical density-based clustering with noise.

    Parameters
    ----------
    min_cluster_size : int >= 2
        The smallest group of recordings that counts as a cluster.
    min_samples : int >= 1, optional
        Which neighbour's distance measures how sparse a recording's surroundings are; larger is more conservative.
        None takes `min_cluster_size`.
    metric : "euclidean", "cosine" or "precomputed"
        "cosine" scales every row to unit length and takes the chord between two rows, ``sqrt(2 - 2 cos)``: the same
        neighbours, the same tree and the same merges as with ``1 - cos``; densities, and so
        `cluster_selection_epsilon`, are in units of the chord. With "precomputed" the `X` given to ``fit`` holds the
        distances [shape=(n, n)]: symmetric, at least 0, ``inf`` where unknown; or a sparse matrix of those known.
    cluster_selection_method : "eom" or "leaf"
        Excess of mass [1]_, or the finest clusters of the tree.
    cluster_selection_epsilon : float >= 0
        Clusters that separate below this distance are not split further.
    allow_single_cluster : bool
        Whether all recordings may form one cluster.
    ties : "rows" or "canonical"
        A recording that joins two clusters at the same distance belongs to either. "rows" decides as the `hdbscan`
        package does by default, by the order of the rows; "canonical" sorts the rows by their values first and gives
        equal rows one label, so that shuffling the rows never changes the clusters, not even in such ties. Up to 60
        dimensions "canonical" is also the quicker one: it does not need the package's tree.

    Attributes
    ----------
    labels_ : array of int [shape=(n,)]
        Cluster of each recording, -1 for noise.
    probabilities_ : array [shape=(n,)]
        Membership in [0, 1]; 0 for noise.
    outlier_scores_ : array [shape=(n,)]
        GLOSH score in [0, 1], larger is more outlying [2]_. Beside recordings that are equal, and so infinitely dense,
        it is 1, where the package has NaN.
    cluster_persistence_ : array [shape=(k,)]
        How long each cluster persists over the distances, in [0, 1].
    core_distances_ : array [shape=(n,)]
        Distance to the `min_samples`-th neighbour.
    single_linkage_tree_ : array [shape=(n - 1, 4)]
        The hierarchy in scipy's format.
    condensed_tree_ : hdbscan.plots.CondensedTree
        Its condensed form, with ``to_pandas()`` (parent, child, lambda_val, child_size), ``to_numpy()`` and ``plot()``,
        which draws it and returns the Axes.
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
    >>> model = HDBSCAN(min_cluster_size=4).fit(X)
    >>> model.labels_
    array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    >>> model.approximate_predict([[0.0, 0.0], [5.0, 5.0]])[0]
    array([0, 1], dtype=int32)
    >>> model.condensed_tree_.to_pandas().columns.tolist()
    ['parent', 'child', 'lambda_val', 'child_size']
    """

    RELABELS = ("min_cluster_size", "cluster_selection_method", "cluster_selection_epsilon", "allow_single_cluster")

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

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        given = self.metric == "precomputed"
        tags.input_tags.pairwise = tags.input_tags.sparse = tags.input_tags.positive_only = given
        return tags

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Cluster the rows of `X`.

        Parameters
        ----------
        X : array-like [shape=(n, d)], or array or sparse matrix [shape=(n, n)]
            One vector per recording, finite, n >= 2; with ``metric="precomputed"`` their distances.
        y : ignored
            For scikit-learn's interface.

        Raises
        ------
        ValueError
            When `X` or a parameter cannot be used; with the cosine metric, when a row is zero.
        """
        self._check()
        checks: dict[str, Any] = {"dtype": np.float64, "ensure_min_samples": 2}
        if self.metric == "precomputed":
            X = validate_data(self, X, accept_sparse="csr", ensure_all_finite=False, **checks)
            check_distances(X)
            if sparse.issparse(X) and self.ties == "canonical":
                raise ValueError("ties='canonical': with a sparse matrix of distances give 'rows'")
        else:
            X = validate_data(self, X, **checks)
        self._fit(X)
        degenerate.warn(degenerate.check(self.labels_), type(self).__name__)
        return self

    def fit_quietly(self, X: NDArray[np.floating]) -> NDArray[np.intp]:
        """Return the labels of checked rows without a warning where they are degenerate, for use in a larger method."""
        self._check()
        return self._fit(X).labels_

    def _fit(self, X: Any) -> Self:
        if self.metric == "cosine":
            X = unit_rows(X)
        n = X.shape[0]
        self._exponent = binary_exponent(X.data if sparse.issparse(X) else X)
        X = _scaled(X, -self._exponent)
        self._order, self._copies = np.arange(n), np.arange(n)
        if self.ties == "canonical" and self.metric == "precomputed":
            self._order = square_order(X)
            X = X[np.ix_(self._order, self._order)]
        elif self.ties == "canonical":
            self._order = canonical_order(X)
            X = X[self._order]
            self._copies = first_copies(X)
        self._rows = X
        self.min_samples_ = min(self._min_samples(), n - 1)
        self._linkage, core = self._tree(X)
        self._labels, probabilities, persistence, self._condensed = self._select(self._linkage)
        place = np.argsort(self._order)
        copies = self._copies[place]
        labels, self._kept = without_gaps(self._labels[copies])
        self.labels_, self.probabilities_ = labels, probabilities[copies]
        self.outlier_scores_ = _outlier_scores(self._condensed)[copies]
        self.cluster_persistence_ = persistence[self._kept]
        self.core_distances_ = np.ldexp(core[place], self._exponent)
        return self

    def _tree(self, X: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the single linkage tree of the rows, and their core distances."""
        import hdbscan
        from hdbscan._hdbscan_linkage import label

        precomputed = self.metric == "precomputed"
        if not precomputed and (self.ties == "canonical" or X.shape[1] > _BORUVKA):
            edges, core = spanning_tree(X, self.min_samples_)
            return label(edges[np.argsort(edges[:, 2])]), core
        metric = "precomputed" if precomputed else "euclidean"
        linkage = hdbscan.hdbscan(X, min_samples=self.min_samples_, metric=metric, core_dist_n_jobs=1)[4]
        measured = given_core_distances if precomputed else core_distances
        return linkage, measured(X, self.min_samples_)

    @property
    def single_linkage_tree_(self) -> NDArray[np.float64]:
        """The hierarchy in scipy's format [shape=(n - 1, 4)]."""
        check_is_fitted(self)
        tree = self._linkage.copy()
        tree[:, :2] = self._given_numbers(tree[:, :2].astype(np.intp))
        tree[:, 2] = np.ldexp(tree[:, 2], self._exponent)
        return tree

    @property
    def condensed_tree_(self) -> CondensedTree:
        """The condensed hierarchy, as the hdbscan package gives it."""
        from hdbscan.plots import CondensedTree

        check_is_fitted(self)
        tree = self._condensed.copy()
        tree["child"] = self._given_numbers(tree["child"])
        tree["lambda_val"] = np.ldexp(tree["lambda_val"], -self._exponent)
        return CondensedTree(tree, self._labels[np.argsort(self._order)])

    def _given_numbers(self, nodes: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the numbers of nodes of a tree with the rows as they were given."""
        n = len(self._order)
        return np.where(nodes < n, self._order[nodes % n], nodes)

    def tree_settings(self) -> tuple[Any, ...]:
        """Return what the tree depends on: models of the same rows with equal ones can be had by :meth:`relabel`."""
        return self.min_cluster_size if self.min_samples is None else self.min_samples, self.metric, self.ties

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

        Examples
        --------
        >>> X = [[0.0], [1.0], [2.0], [9.0], [10.0], [11.0]]
        >>> HDBSCAN(2, min_samples=1).fit(X).relabel(min_cluster_size=3)
        array([0, 0, 0, 1, 1, 1])
        """
        check_is_fitted(self)
        for name in sorted(set(changes) - set(self.RELABELS)):
            raise ValueError(f"{name}={changes[name]!r} needs another tree; relabel takes {', '.join(self.RELABELS)}")
        other = clone(self).set_params(**changes)
        other._check()
        if min(other._min_samples(), len(self._order) - 1) != self.min_samples_:
            raise ValueError(
                f"min_cluster_size={other.min_cluster_size} with min_samples=None needs another tree than this one, "
                f"made with {self.min_samples_}: set min_samples to a number"
            )
        other._exponent = self._exponent
        return without_gaps(other._select(self._linkage)[0][self._copies])[0][np.argsort(self._order)]

    def approximate_predict(self, X: ArrayLike) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Place new recordings in the clusters that are there, as :func:`hdbscan.prediction.approximate_predict` does.

        Parameters
        ----------
        X : array-like [shape=(m, d)]
            One vector per new recording.

        Returns
        -------
        labels : array of int [shape=(m,)]
            Clusters, -1 for noise.
        probabilities : array [shape=(m,)]
            In [0, 1]; 0 for noise.

        Raises
        ------
        ValueError
            When `X` cannot be used, or distances were given instead of vectors.
        """
        from hdbscan.prediction import approximate_predict

        rows, fitted = self._new(X), self._for_prediction()
        if not len(self._kept):
            return np.full(len(rows), -1, dtype=np.int32), np.zeros(len(rows))
        labels, probabilities = approximate_predict(fitted, rows)
        numbers = np.full(self._labels.max() + 2, -1, dtype=np.int32)  # noise, -1, is the last
        numbers[self._kept] = np.arange(len(self._kept))
        return numbers[labels], probabilities

    def membership_vectors(self, X: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return how far each recording belongs to each cluster, as :mod:`hdbscan.prediction` computes it.

        Parameters
        ----------
        X : array-like [shape=(m, d)], optional
            New recordings; None for those of the fit.

        Returns
        -------
        array [shape=(m, k)]
            In [0, 1]; a row sums to the probability that the recording belongs to any cluster. Where the package has
            NaN (beside equal recordings), the one cluster of the recording has its probability.

        Raises
        ------
        ValueError
            When `X` cannot be used, or distances were given instead of vectors.
        """
        from hdbscan import prediction

        fitted = self._for_prediction()
        rows = self._rows if X is None else self._new(X)
        if not len(self._kept):
            return np.zeros((len(rows), 0))
        with np.errstate(invalid="ignore", divide="ignore"):
            if X is None:
                vectors = prediction.all_points_membership_vectors(fitted)[np.argsort(self._order)]
            else:
                vectors = prediction.membership_vector(fitted, rows)
        vectors = vectors[:, self._kept]
        undefined = np.flatnonzero(np.isnan(vectors).any(axis=1))
        if len(undefined):
            known = (self.labels_, self.probabilities_) if X is None else self.approximate_predict(X)
            labels, probabilities = (values[undefined] for values in known)
            vectors[undefined] = (labels[:, None] == np.arange(len(self._kept))) * probabilities[:, None]
        return vectors

    def _new(self, X: ArrayLike) -> NDArray[np.float64]:
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        return _scaled(unit_rows(rows) if self.metric == "cosine" else rows, -self._exponent)

    def _for_prediction(self) -> SimpleNamespace:
        """Return what the package's functions expect of a fitted clusterer, at the scale of the tree."""
        from hdbscan.plots import CondensedTree
        from hdbscan.prediction import PredictionData

        check_is_fitted(self)
        if self.metric == "precomputed":
            raise ValueError("metric='precomputed': new recordings need vectors; fit with 'euclidean' or 'cosine'")
        tree = CondensedTree(self._condensed, self._labels)
        nearest = max(1, min(self.min_samples_, len(self._rows) // 2))  # twice as many neighbours are looked at
        data = PredictionData(self._rows, tree, nearest)
        return SimpleNamespace(condensed_tree_=tree, prediction_data_=data, min_samples=nearest)

    def _select(self, linkage: NDArray[np.float64]) -> tuple[Any, ...]:
        """Choose the clusters: labels, probabilities, persistences, condensed tree."""
        from hdbscan.hdbscan_ import _tree_to_labels

        size, single = int(self.min_cluster_size), bool(self.allow_single_cluster)
        epsilon = float(np.ldexp(self.cluster_selection_epsilon, -self._exponent))
        return _tree_to_labels(None, linkage, size, self.cluster_selection_method, single, False, epsilon)[:4]

    def _min_samples(self) -> int:
        return int(self.min_cluster_size if self.min_samples is None else self.min_samples)

    def _check(self) -> None:
        check_number("min_cluster_size", self.min_cluster_size, 2, whole=True)
        if self.min_samples is not None:
            check_number("min_samples", self.min_samples, 1, whole=True)
        check_number("cluster_selection_epsilon", self.cluster_selection_epsilon, 0)
        check_choice("metric", self.metric, ("euclidean", "cosine", "precomputed"))
        check_choice("cluster_selection_method", self.cluster_selection_method, ("eom", "leaf"))
        check_choice("ties", self.ties, ("rows", "canonical"))


def _scaled(X: Any, exponent: int) -> Any:
    if not sparse.issparse(X):
        return np.ldexp(X, exponent)
    scaled = X.copy()
    scaled.data = np.ldexp(scaled.data, exponent)
    return scaled


def _outlier_scores(condensed: NDArray[Any]) -> NDArray[np.float64]:
    """Return the GLOSH scores; beside an infinite density a finite one counts nothing, and the score is 1."""
    from hdbscan._hdbscan_tree import outlier_scores

    with np.errstate(invalid="ignore"):
        return np.nan_to_num(outlier_scores(condensed), nan=1.0)
