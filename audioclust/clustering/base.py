"""What the clusterers share: checked input, rows in a canonical order, equal rows together, degenerate results named.

Random starts, ties and border points make most clustering algorithms depend on the order of the rows. Sorting the
rows by their values first takes that dependence away: the same set of recordings gives the same clusters with the
same numbers, whatever order a folder was listed in. Rows that are equal (copies of one recording) get one label.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils import get_tags
from sklearn.utils.validation import validate_data

from audioclust.evaluation import degenerate
from audioclust.geometry import canonical_order, first_copies
from audioclust.validation import check_n_clusters

__all__ = ["OrderedClusterer", "square_order", "without_gaps"]


class OrderedClusterer(ClusterMixin, BaseEstimator):
    """Base of a clusterer that does not see the order of the rows.

    A subclass writes ``_cluster(X) -> labels`` for rows in canonical order, float64 unless its ``_dtype`` says
    otherwise; it may use ``self._order`` (which row of the caller each of these rows is) while it works. A subclass
    whose tags say ``pairwise`` is given the rows and the columns of a square matrix in one order.

    Examples
    --------
    >>> import numpy as np
    >>> class Halves(OrderedClusterer):
    ...     def _cluster(self, X):
    ...         return (np.arange(len(X)) >= len(X) / 2).astype(int)
    >>> Halves().fit_predict([[3.0], [1.0], [2.0], [0.0]])
    array([1, 0, 1, 0])
    """

    _dtype: ClassVar[type[np.floating]] = np.float64  # of the rows; float32 where a second copy would be too large

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Cluster the rows of `X`.

        Parameters
        ----------
        X : array-like [shape=(n, d)]
            One vector per recording; finite, n >= 2. Where the parameters say that distances or affinities are given,
            [shape=(n, n)].
        y : ignored
            There for scikit-learn's interface.

        Returns
        -------
        self
            With ``labels_`` [shape=(n,)].

        Raises
        ------
        ValueError
            When `X` or a parameter cannot be used.
        """
        rows = validate_data(self, X, dtype=self._dtype, ensure_min_samples=2)
        asked = getattr(self, "n_clusters", None)
        if asked is not None:
            check_n_clusters(asked, len(rows))
        if get_tags(self).input_tags.pairwise:
            self._order = square_order(rows)
            rows, copies = rows[np.ix_(self._order, self._order)], np.arange(len(rows))
        else:
            self._order = canonical_order(rows)
            rows = rows[self._order]
            copies = first_copies(rows)
        ordered = self._cluster(rows)
        if not np.array_equal(ordered, ordered[copies]):
            ordered, kept = without_gaps(ordered[copies])
            if hasattr(self, "n_clusters_"):
                self.n_clusters_ = len(kept)
        self.labels_ = np.empty(len(rows), dtype=np.intp)
        self.labels_[self._order] = ordered
        del self._order
        coefficient = getattr(self, "partition_coefficient_", None)
        findings = degenerate.check(self.labels_, asked, partition_coefficient=coefficient)
        distinct = len(np.unique(copies))
        if asked is not None and distinct < asked:
            findings.append(f"{distinct} distinct recordings, {asked} clusters asked for")
        degenerate.warn(findings, type(self).__name__)
        return self

    def _cluster(self, X: NDArray[Any]) -> NDArray[np.intp]:
        raise NotImplementedError


def square_order(matrix: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return an order of the rows of a square matrix that does not depend on the order they are given in [shape=(n,)].

    Rows are compared by their sorted values, so two rows that hold the same values in other places stay as given.

    Raises
    ------
    ValueError
        When the matrix is not square.

    Examples
    --------
    >>> import numpy as np
    >>> square_order(np.array([[0.0, 2.0, 9.0], [2.0, 0.0, 1.0], [9.0, 1.0, 0.0]]))
    array([1, 2, 0])
    """
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"X has shape {matrix.shape}: give a square matrix, one row and one column per recording")
    return canonical_order(np.sort(matrix, axis=1))


def without_gaps(labels: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the labels numbered from 0 without a gap, noise still -1, and the numbers they had before.

    Examples
    --------
    >>> import numpy as np
    >>> without_gaps(np.array([4, 4, -1, 2]))
    (array([ 1,  1, -1,  0]), array([2, 4]))
    """
    kept = np.unique(labels[labels >= 0])
    return np.where(labels < 0, -1, np.searchsorted(kept, labels)), kept
