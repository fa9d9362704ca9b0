"""What the clusterers share: checked input, rows in a canonical order, degenerate results named.

Random starts, ties and border points make most clustering algorithms depend on the order of the rows. Sorting the
rows by their values first takes that dependence away: the same set of recordings gives the same clusters with the
same numbers, whatever order a folder was listed in.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import validate_data

from audioclust.evaluation import degenerate
from audioclust.geometry import canonical_order
from audioclust.validation import check_n_clusters

__all__ = ["OrderedClusterer"]


class OrderedClusterer(ClusterMixin, BaseEstimator):
    """Base of a clusterer that does not see the order of the rows.

    A subclass writes ``_cluster(X) -> labels`` for float64 rows in canonical order; it may use ``self._order`` (which
    row of the caller each of these rows is) while it works.
    """

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Cluster the rows of `X`.

        Parameters
        ----------
        X : array-like [shape=(n, d)]
            One vector per recording; finite, n >= 2.
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
        rows = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        asked = getattr(self, "n_clusters", None)
        if asked is not None:
            check_n_clusters(asked, len(rows))
        self._order = canonical_order(rows)
        rows = rows[self._order]
        labels = np.empty(len(rows), dtype=np.intp)
        labels[self._order] = self._cluster(rows)
        del self._order
        self.labels_ = labels
        findings = degenerate.check(labels, asked, partition_coefficient=getattr(self, "partition_coefficient_", None))
        distinct = 1 + np.count_nonzero(np.any(rows[1:] != rows[:-1], axis=1))
        if asked is not None and distinct < asked:
            findings.append(f"{distinct} distinct recordings, {asked} clusters asked for")
        degenerate.warn(findings, type(self).__name__)
        return self

    def _cluster(self, X: NDArray[np.float64]) -> NDArray[np.intp]:
        raise NotImplementedError
