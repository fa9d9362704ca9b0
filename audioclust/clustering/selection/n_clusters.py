"""How many clusters? Several criteria over k = 2, 3, ..., side by side; no labels used.

* ``elbow``: the k at which the logarithm of the within-cluster sum of squares lies farthest below the chord from its
  first point (k = 1) to its last [1]_; in logarithms, because what counts is by which share a further cluster lowers it
* ``silhouette``: the largest mean silhouette [2]_
* ``davies_bouldin``: the smallest Davies-Bouldin index [3]_
* ``gap``: the smallest k whose gap to uniformly scattered data is within one standard error of the next one's [4]_; 1
  means that the data look no more clustered than scattered
* ``stability``: the largest k whose clusters come back, within one standard error of the most stable k, when
  overlapping parts of the recordings are clustered [5]_

Silhouette and Davies-Bouldin like two clusters, and one giant cluster with crumbs, whatever the data. So a k whose
largest cluster holds more than nine tenths is never suggested; the overall suggestion is the median of the opinions,
in which these two count as one (their mean); and where nothing besides them has an opinion, there is none.

References
----------
.. [1] Thorndike, R. L. (1953). Who belongs in the family? Psychometrika 18, 267-276.
.. [2] Rousseeuw, P. J. (1987). Silhouettes. J. Comput. Appl. Math. 20, 53-65.
.. [3] Davies, D. L., Bouldin, D. W. (1979). A cluster separation measure. IEEE TPAMI 1(2), 224-227.
.. [4] Tibshirani, R., Walther, G., Hastie, T. (2001). Estimating the number of clusters in a data set via the gap
   statistic. JRSS B 63(2), 411-423. Reference distribution (b), section 4.
.. [5] Ben-Hur, A., Elisseeff, A., Guyon, I. (2002). A stability based method for discovering structure in clustered
   data. Pacific Symposium on Biocomputing, 6-17.
"""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import cut_tree, linkage
from sklearn.metrics import adjusted_rand_score
from sklearn.utils import check_array, check_random_state

from audioclust.clustering.classical import knee
from audioclust.clustering.registry import make, parameters
from audioclust.evaluation import degenerate
from audioclust.evaluation import internal as indices
from audioclust.geometry import canonical_order, group_sums
from audioclust.validation import check_number

__all__ = ["CRITERIA", "KEstimate", "estimate_k"]

CRITERIA = ("elbow", "silhouette", "davies_bouldin", "gap", "stability")
"""What :func:`estimate_k` can ask, in the order of its table."""

_SHARE = 0.8  # of the recordings in each part that stability compares
_QUICK_STARTS = 3  # starts per fit on reference data and parts of the data


@dataclass(frozen=True)
class KEstimate:
    """What :func:`estimate_k` returns.

    Attributes
    ----------
    k : int or None
        The overall suggestion, >= 2; None where nothing but silhouette and Davies-Bouldin has an opinion.
    suggestions : dict of str to (int or None)
        Each criterion's suggestion; None where it is undefined throughout.
    curve : DataFrame
        One row per k: ``k``, ``inertia`` (within-cluster sum of squares), ``largest`` (share of the largest cluster),
        and, as asked for, ``silhouette``, ``davies_bouldin``, ``gap`` and ``gap_se``, ``stability`` (mean adjusted
        Rand index) and ``stability_se``.
    notes : list of str
        What a reader should know: a lowered maximum, degenerate clusterings.

    Examples
    --------
    >>> KEstimate(k=4, suggestions={"gap": 4}, curve=pd.DataFrame({"k": [2, 3, 4]})).k
    4
    """

    k: int | None
    suggestions: dict[str, int | None]
    curve: pd.DataFrame
    notes: list[str] = field(default_factory=list)


def estimate_k(
    X: ArrayLike,
    *,
    algorithm: str = "kmeans",
    k_max: int = 15,
    criteria: Sequence[str] = CRITERIA,
    n_references: int = 10,
    n_resamples: int = 10,
    random_state: Any = None,
    **params: Any,
) -> KEstimate:
    """Suggest a number of clusters.

    Parameters
    ----------
    X : array-like [shape=(n, d)]
        One vector per recording, finite, n >= 3.
    algorithm : str
        A clusterer that takes ``n_clusters``: kmeans, fuzzy_cmeans, agglomerative, spectral.
    k_max : int >= 2
        The largest k tried; at most n - 1, where every index is still defined.
    criteria : sequence of str
        Some of :data:`CRITERIA`.
    n_references : int >= 2
        Scattered data sets for ``gap``.
    n_resamples : int >= 2
        Pairs of parts for ``stability``.
    random_state : int, RandomState or None
        Seed of everything that is drawn.
    **params
        Further parameters of the clusterer.

    Returns
    -------
    KEstimate

    Raises
    ------
    ValueError
        When `X` has fewer than three rows or a parameter cannot be used.

    Examples
    --------
    >>> X = [[0.0], [0.1], [0.2], [5.0], [5.1], [5.2], [9.0], [9.1], [9.2]]
    >>> estimate_k(X, k_max=5, criteria=["elbow"], random_state=0).k
    3
    """
    data = check_array(X, dtype=np.float64, ensure_min_samples=3)
    if not criteria or any(name not in CRITERIA for name in criteria):
        raise ValueError(f"criteria={list(criteria)!r}: give some of {', '.join(CRITERIA)}")
    for name, value in (("k_max", k_max), ("n_references", n_references), ("n_resamples", n_resamples)):
        check_number(name, value, 2, whole=True)
    partitioner = _Partitioner(algorithm, params, check_random_state(random_state))
    ks = list(range(2, min(k_max, len(data) - 1) + 1))
    estimate = _judged(data[canonical_order(data)], ks, partitioner, criteria, n_references, n_resamples)
    if ks[-1] < k_max:
        estimate.notes.insert(0, f"k_max={k_max} lowered to {ks[-1]}: there are {len(data)} recordings")
    return estimate


def _judged(
    X: NDArray[np.float64],
    ks: list[int],
    partitioner: _Partitioner,
    criteria: Sequence[str],
    n_references: int,
    n_resamples: int,
) -> KEstimate:
    """Cluster the sorted rows into each k and ask every criterion."""
    partitions = partitioner(X, ks)
    curve = pd.DataFrame({"k": ks, "inertia": [_inertia(X, partitions[k]) for k in ks]})
    curve["largest"] = [np.bincount(partitions[k]).max() / len(X) for k in ks]
    findings = {k: degenerate.check(partitions[k], k) for k in ks}
    notes = [f"k={k}: {finding}" for k in ks for finding in findings[k]]
    usable = np.array([not findings[k] for k in ks])
    suggestions: dict[str, int | None] = {}
    if "elbow" in criteria:
        suggestions["elbow"] = _elbow(X, curve["inertia"])
    for name, sign in (("silhouette", 1), ("davies_bouldin", -1)):
        if name in criteria:
            curve[name] = [getattr(indices, name)(X, partitions[k]) for k in ks]
            suggestions[name] = _best(ks, sign * curve[name], usable)
    if "gap" in criteria:
        gap, error = _gap(X, ks, curve["inertia"].to_numpy(), partitioner, n_references)
        curve["gap"], curve["gap_se"] = gap[1:], error[1:]
        enough = np.flatnonzero(gap[:-1] >= gap[1:] - error[1:])
        suggestions["gap"] = int(enough[0] + 1 if len(enough) else np.argmax(gap) + 1)
        if suggestions["gap"] == 1:
            notes.append("gap: the recordings look no more clustered than scattered ones")
    if "stability" in criteria:
        curve["stability"], curve["stability_se"] = _stability(X, ks, partitioner, n_resamples)
        suggestions["stability"] = _last_within_error(ks, curve["stability"], curve["stability_se"], usable)
    return KEstimate(_overall(suggestions), suggestions, curve, notes)


def _elbow(X: NDArray[np.float64], inertia: pd.Series) -> int:
    """Return the k from 2 at which the logarithm of the inertia lies farthest below its chord."""
    whole = _inertia(X, np.zeros(len(X), dtype=np.intp))
    logs = np.log(np.maximum([whole, *inertia], 1e-12 * max(whole, np.finfo(float).tiny)))
    return max(2, len(logs) - knee(logs[::-1]))


def _overall(suggestions: dict[str, int | None]) -> int | None:
    given = {name: k for name, k in suggestions.items() if k is not None}
    separation = [given.pop(name) for name in ("silhouette", "davies_bouldin") if name in given]
    if not given:
        return None
    opinions = [*given.values(), *([statistics.mean(separation)] if separation else [])]
    return max(2, math.floor(statistics.median(opinions) + 0.5))


def _best(ks: list[int], values: pd.Series, usable: NDArray[np.bool_]) -> int | None:
    values = values.where(usable)
    return None if values.isna().all() else ks[int(np.nanargmax(values))]


def _last_within_error(ks: list[int], values: pd.Series, errors: pd.Series, usable: NDArray[np.bool_]) -> int | None:
    values = values.where(usable)
    if values.isna().all():
        return None
    best = int(np.nanargmax(values))
    return max(k for k, value in zip(ks, values, strict=True) if value >= values[best] - errors[best])


@dataclass(frozen=True)
class _Partitioner:
    """Clusters rows into each k of several; `random_state` is the one stream that all draws come from."""

    algorithm: str
    params: dict[str, Any]
    random_state: np.random.RandomState

    def __post_init__(self) -> None:
        if "n_clusters" not in parameters(self.algorithm) or "n_clusters" in self.params:
            raise ValueError(
                f"algorithm={self.algorithm!r}, {self.params}: give a clusterer that takes n_clusters, "
                "and not n_clusters"
            )

    def __call__(self, X: NDArray[np.float64], ks: Sequence[int]) -> dict[int, NDArray[np.intp]]:
        """Return the labels of each k. Agglomerative clustering merges once and cuts the tree at every k."""
        algorithm, params = self.algorithm, self.params
        if algorithm == "agglomerative" and params.get("distance_threshold") is None:
            make(algorithm, **params)  # unknown parameters are named
            tree = linkage(X, params.get("linkage", "ward"), _PDIST.get(params.get("metric", "euclidean"), "euclidean"))
            cuts = cut_tree(tree, n_clusters=list(ks))
            return {k: cuts[:, column].astype(np.intp) for column, k in enumerate(ks)}
        labels = {}
        for k in ks:
            drawn = {}
            if "random_state" in parameters(algorithm):
                drawn["random_state"] = int(self.random_state.randint(2**31 - 1))
            with warnings.catch_warnings():  # degenerate clusterings are counted here, and noted once
                warnings.simplefilter("ignore")
                given = make(algorithm, n_clusters=k, **drawn, **params).fit_predict(X)
            labels[k] = np.unique(given, return_inverse=True)[1]
        return labels

    def quick(self) -> _Partitioner:
        """Return one with few starts per fit."""
        if "n_init" not in parameters(self.algorithm):
            return self
        return replace(self, params={"n_init": _QUICK_STARTS, **self.params})


_PDIST = {"euclidean": "euclidean", "cosine": "cosine", "manhattan": "cityblock"}


def _inertia(X: NDArray[np.float64], labels: NDArray[np.intp]) -> float:
    """Sum of the squared distances to the cluster means."""
    means = group_sums(X, labels, labels.max() + 1) / np.maximum(np.bincount(labels), 1)[:, None]
    return float(np.sum((X - means[labels]) ** 2))


def _gap(
    X: NDArray[np.float64],
    ks: list[int],
    inertia: NDArray[np.float64],
    partitioner: _Partitioner,
    n_references: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gap statistic and its error for k = 1 and each of `ks` [4]_."""

    def logs(data: NDArray[np.float64], values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        whole = np.sum((data - data.mean(axis=0)) ** 2)
        return np.log(np.maximum([whole, *values], np.finfo(float).tiny))

    centre = X.mean(axis=0)
    axes = np.linalg.svd(X - centre, full_matrices=False)[2]
    along = (X - centre) @ axes.T
    low, high = along.min(axis=0), along.max(axis=0)
    references = []
    for _ in range(n_references):
        scattered = partitioner.random_state.uniform(
            low, high, size=along.shape
        )  # distances do not change on turning back to X's axes
        partitions = partitioner.quick()(scattered, ks)
        references.append(logs(scattered, [_inertia(scattered, partitions[k]) for k in ks]))
    spread = np.std(references, axis=0) * math.sqrt(1 + 1 / n_references)
    return np.mean(references, axis=0) - logs(X, inertia), spread


def _stability(
    X: NDArray[np.float64],
    ks: list[int],
    partitioner: _Partitioner,
    n_resamples: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compare overlapping parts on what they share [5]_: adjusted Rand index, mean and error; NaN if k is too large."""
    size = max(2, round(_SHARE * len(X)))
    tried = [k for k in ks if k < size]
    scores = np.full((n_resamples, len(ks)), math.nan)
    for resample in range(n_resamples):
        one, other = (np.sort(partitioner.random_state.permutation(len(X))[:size]) for _ in range(2))
        shared, first, second = np.intersect1d(one, other, return_indices=True)
        parts = [partitioner.quick()(X[part], tried) for part in (one, other)]
        for column, k in enumerate(tried):
            if len(shared) > 1:
                scores[resample, column] = adjusted_rand_score(parts[0][k][first], parts[1][k][second])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # means of nothing are NaN, which is meant
        return np.nanmean(scores, axis=0), np.nanstd(scores, axis=0, ddof=1) / math.sqrt(n_resamples)
