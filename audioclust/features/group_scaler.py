"""Taking a nuisance out of vectors: standardise them inside groups.

Where recordings differ first by something that is not asked about (the speaker, when emotions are), clusters follow
that. Centring and scaling every feature inside the groups it makes removes it [1]_. The groups are given, or found
without labels: a nuisance that dominates is what agglomerative clustering finds first.

References
----------
.. [1] Viikki, O., Laurila, K. (1998). Cepstral domain segmental feature vector normalization for noise robust speech
   recognition. Speech Communication 25, 133-147.
.. [2] Ward, J. H. (1963). Hierarchical grouping to optimize an objective function. JASA 58, 236-244.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from audioclust.geometry import canonical_order
from audioclust.validation import check_choice, check_number

__all__ = ["GroupScaler"]

_MOST_GROUPS = 10


class GroupScaler(TransformerMixin, BaseEstimator):
    """Standardise every feature inside groups of recordings.

    Parameters
    ----------
    n_groups : int >= 1 or "auto"
        Groups to find, with Ward's method on standardised features; a recording belongs to the group with the
        nearest mean. "auto" takes 2 to 10, where the merge heights leave their largest relative gap. Ignored where
        groups are given.

    Attributes
    ----------
    groups_ : array [shape=(n,)]
        Group of every recording fitted, as given or numbered from 0.
    n_groups_ : int
        Number of groups.

    Examples
    --------
    >>> X = [[0.0], [2.0], [100.0], [104.0]]
    >>> GroupScaler().fit_transform(X).ravel().tolist()
    [-1.0, 1.0, -1.0, 1.0]
    >>> GroupScaler().fit_transform(X, groups=["a", "b", "a", "b"]).ravel().tolist()
    [-1.0, -1.0, 1.0, 1.0]
    """

    def __init__(self, n_groups: int | str = 2) -> None:
        self.n_groups = n_groups

    def fit(self, X: ArrayLike, y: Any = None, *, groups: ArrayLike | None = None) -> Self:
        """Find the groups and their means and standard deviations.

        Parameters
        ----------
        X : array-like [shape=(n, d)]
            Vectors, finite.
        y : ignored
            There for scikit-learn's interface.
        groups : array-like [shape=(n,)], optional
            Group of each recording: numbers or strings, without missing values.

        Raises
        ------
        ValueError
            When `X`, `groups` or `n_groups` cannot be used.
        """
        rows = validate_data(self, X, dtype=np.float64)
        self._given = groups is not None
        if groups is None:
            self._overall = StandardScaler().fit(rows)
            scaled = self._overall.transform(rows)
            found = self._find(scaled)
            self._means = np.array([scaled[found == group].mean(axis=0) for group in range(found.max() + 1)])
            self.groups_ = self._nearest(rows)
        else:
            self.groups_ = _checked(groups, len(rows))
        self._scalers = {group: StandardScaler().fit(rows[self.groups_ == group]) for group in np.unique(self.groups_)}
        self.n_groups_ = len(self._scalers)
        return self

    def transform(self, X: ArrayLike, *, groups: ArrayLike | None = None) -> NDArray[np.float64]:
        """Standardise recordings inside their groups.

        Parameters
        ----------
        X : array-like [shape=(n, d)]
            Vectors.
        groups : array-like [shape=(n,)], optional
            Needed where they were given to :meth:`fit`, and only there.

        Returns
        -------
        array [shape=(n, d)]

        Raises
        ------
        ValueError
            When groups are missing, superfluous, or were not fitted.
        """
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        if (groups is not None) != self._given:
            raise ValueError("groups: give them to both fit and transform, or to neither")
        members = self._nearest(rows) if groups is None else _checked(groups, len(rows))
        scaled = np.empty_like(rows)
        for group in np.unique(members):
            if group not in self._scalers:
                raise ValueError(
                    f"groups: {str(group)!r} was not fitted; known are {', '.join(map(str, self._scalers))}"
                )
            own = members == group
            scaled[own] = self._scalers[group].transform(rows[own])
        return scaled

    def fit_transform(self, X: ArrayLike, y: Any = None, *, groups: ArrayLike | None = None) -> NDArray[np.float64]:
        """Fit and standardise the same recordings; see :meth:`fit`."""
        return self.fit(X, y, groups=groups).transform(X, groups=groups)

    def _nearest(self, X: NDArray[np.float64]) -> NDArray[np.intp]:
        scaled = self._overall.transform(X)
        distances = [np.einsum("ij,ij->i", scaled - mean, scaled - mean) for mean in self._means]
        return np.argmin(distances, axis=0)

    def _find(self, X: NDArray[np.float64]) -> NDArray[np.intp]:
        asked = self.n_groups
        if isinstance(asked, str):
            check_choice("n_groups", asked, ("auto",))
        else:
            check_number("n_groups", asked, 1, whole=True)
        if len(X) == 1 or asked == 1:
            return np.zeros(len(X), dtype=np.intp)
        order = canonical_order(X)
        tree = linkage(X[order], "ward")
        if asked == "auto":
            heights = np.maximum(tree[::-1, 2][:_MOST_GROUPS], np.finfo(float).tiny)
            k = int(np.argmax(heights[:-1] / heights[1:])) + 2 if len(heights) > 1 else 2
        else:
            k = min(int(asked), len(X))
        groups = np.empty(len(X), dtype=np.intp)
        groups[order] = pd.factorize(fcluster(tree, k, "maxclust"))[0]
        return groups


def _checked(groups: ArrayLike, length: int) -> NDArray[Any]:
    values = np.asarray(groups)
    if values.shape != (length,):
        raise ValueError(f"groups has shape {values.shape}: give one value for each of the {length} rows")
    if pd.isna(values).any():
        raise ValueError("groups has missing values: every recording needs a group")
    return values
