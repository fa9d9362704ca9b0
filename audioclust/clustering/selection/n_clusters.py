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
from dataclasses import dataclass, field
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
from audioclust.geometry import canonical_order

__all__ = ["CRITERIA", "KEstimate", "estimate_k"]

CRITERIA = ("elbow", "silhouette", "davies_bouldin", "gap", "stability")
"""What :func:`estimate_k` can ask, in the order of its table."""

_SHARE = 0.8  # of the recordings in each part that stability compares
_QUICK_STARTS = 3  # starts per fit on reference data and parts of the data


@dataclass(frozen=True)
class KEstimate:
    """What :func:`estimate_k` found.

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
        What a reader should know: a clipped maximum, degenerate clusterings.
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
    """
    data = check_array(X, dtype=np.float64, ensure_min_samples=3)
    unknown = [name for name in criteria if name not in CRITERIA]
    if unknown or not criteria:
        raise ValueError(f"criteria={list(criteria)!r}: give some of {', '.join(CRITERIA)}")
    if k_max < 2 or n_references < 2 or n_resamples < 2:
        raise ValueError(
            f"k_max={k_max!r}, n_references={n_references!r}, n_resamples={n_resamples!r}: give at least 2"
        )
    if "n_clusters" not in parameters(algorithm) or "n_clusters" in params:
        raise ValueError(
            f"algorithm={algorithm!r}, {params}: give a clusterer that takes n_clusters, and not n_clusters"
        )
    notes = []
    if k_max > len(data) - 1:
        notes.append(f"k_max={k_max} lowered to {len(data) - 1}: there are {len(data)} recordings")
        k_max = len(data) - 1
    data = data[canonical_order(data)]
    rng = check_random_state(random_state)
    ks = list(range(2, k_max + 1))

    partitions = _partitions(data, ks, algorithm, params, rng)
    curve = pd.DataFrame({"k": ks, "inertia": [_inertia(data, partitions[k]) for k in ks]})
    curve["largest"] = [np.bincount(partitions[k]).max() / len(data) for k in ks]
    findings = {k: degenerate.check(partitions[k], k) for k in ks}
    notes += [f"k={k}: {finding}" for k in ks for finding in findings[k]]
    sound = np.array([not findings[k] for k in ks])
    suggestions: dict[str, int | None] = {}
    if "elbow" in criteria:
        inertia = np.concatenate([[_inertia(data, np.zeros(len(data), dtype=np.intp))], curve["inertia"]])
        logs = np.log(np.maximum(inertia, 1e-12 * max(inertia[0], np.finfo(float).tiny)))
        suggestions["elbow"] = max(2, len(logs) - knee(logs[::-1]))
    if "silhouette" in criteria:
        curve["silhouette"] = [indices.silhouette(data, partitions[k]) for k in ks]
        suggestions["silhouette"] = _best(ks, curve["silhouette"], sound)
    if "davies_bouldin" in criteria:
        curve["davies_bouldin"] = [indices.davies_bouldin(data, partitions[k]) for k in ks]
        suggestions["davies_bouldin"] = _best(ks, -curve["davies_bouldin"], sound)
    if "gap" in criteria:
        gap, error = _gap(data, ks, curve["inertia"].to_numpy(), algorithm, params, n_references, rng)
        curve["gap"], curve["gap_se"] = gap[1:], error[1:]
        enough = np.flatnonzero(gap[:-1] >= gap[1:] - error[1:])
        suggestions["gap"] = int(enough[0] + 1 if len(enough) else np.argmax(gap) + 1)
        if suggestions["gap"] == 1:
            notes.append("gap: the recordings look no more clustered than scattered ones")
    if "stability" in criteria:
        curve["stability"], curve["stability_se"] = _stability(data, ks, algorithm, params, n_resamples, rng)
        suggestions["stability"] = _last_within_error(ks, curve["stability"], curve["stability_se"], sound)
    suggestions = {name: suggestions[name] for name in CRITERIA if name in suggestions}
    return KEstimate(_overall(suggestions), suggestions, curve, notes)


def _overall(suggestions: dict[str, int | None]) -> int | None:
    given = {name: k for name, k in suggestions.items() if k is not None}
    separation = [given.pop(name) for name in ("silhouette", "davies_bouldin") if name in given]
    if not given:
        return None
    opinions = [*given.values(), *([statistics.mean(separation)] if separation else [])]
    return max(2, math.floor(statistics.median(opinions) + 0.5))


def _best(ks: list[int], values: pd.Series, sound: NDArray[np.bool_]) -> int | None:
    values = values.where(sound)
    return None if values.isna().all() else ks[int(np.nanargmax(values))]


def _last_within_error(ks: list[int], values: pd.Series, errors: pd.Series, sound: NDArray[np.bool_]) -> int | None:
    values = values.where(sound)
    if values.isna().all():
        return None
    best = int(np.nanargmax(values))
    return max(k for k, value in zip(ks, values, strict=True) if value >= values[best] - errors[best])


def _partitions(
    X: NDArray[np.float64], ks: Sequence[int], algorithm: str, params: dict[str, Any], rng: np.random.RandomState
) -> dict[int, NDArray[np.intp]]:
    """Cluster `X` into each k of `ks`. Agglomerative clustering merges once and cuts the tree at every k."""
    if algorithm == "agglomerative" and params.get("distance_threshold") is None:
        make(algorithm, **params)  # unknown parameters are named
        tree = linkage(X, params.get("linkage", "ward"), _PDIST.get(params.get("metric", "euclidean"), "euclidean"))
        cuts = cut_tree(tree, n_clusters=list(ks))
        return {k: cuts[:, column].astype(np.intp) for column, k in enumerate(ks)}
    found = {}
    for k in ks:
        drawn = {"random_state": int(rng.randint(2**31 - 1))} if "random_state" in parameters(algorithm) else {}
        with warnings.catch_warnings():  # degenerate clusterings are counted here, and noted once
            warnings.simplefilter("ignore")
            found[k] = np.unique(make(algorithm, n_clusters=k, **drawn, **params).fit_predict(X), return_inverse=True)[
                1
            ]
    return found


_PDIST = {"euclidean": "euclidean", "cosine": "cosine", "manhattan": "cityblock"}


def _inertia(X: NDArray[np.float64], labels: NDArray[np.intp]) -> float:
    """Sum of the squared distances to the cluster means."""
    sums = np.zeros((labels.max() + 1, X.shape[1]))
    np.add.at(sums, labels, X)
    means = sums / np.maximum(np.bincount(labels), 1)[:, None]
    return float(np.sum((X - means[labels]) ** 2))


def _quick(algorithm: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"n_init": _QUICK_STARTS, **params} if "n_init" in parameters(algorithm) else params


def _gap(
    X: NDArray[np.float64],
    ks: list[int],
    inertia: NDArray[np.float64],
    algorithm: str,
    params: dict[str, Any],
    n_references: int,
    rng: np.random.RandomState,
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
        scattered = rng.uniform(low, high, size=along.shape)  # distances do not change on turning back to X's axes
        partitions = _partitions(scattered, ks, algorithm, _quick(algorithm, params), rng)
        references.append(logs(scattered, [_inertia(scattered, partitions[k]) for k in ks]))
    spread = np.std(references, axis=0) * math.sqrt(1 + 1 / n_references)
    return np.mean(references, axis=0) - logs(X, inertia), spread


def _stability(
    X: NDArray[np.float64],
    ks: list[int],
    algorithm: str,
    params: dict[str, Any],
    n_resamples: int,
    rng: np.random.RandomState,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compare overlapping parts on what they share [5]_: adjusted Rand index, mean and error; NaN if k is too large."""
    size = max(2, round(_SHARE * len(X)))
    tried = [k for k in ks if k < size]
    scores = np.full((n_resamples, len(ks)), math.nan)
    for resample in range(n_resamples):
        one, other = (np.sort(rng.permutation(len(X))[:size]) for _ in range(2))
        shared, first, second = np.intersect1d(one, other, return_indices=True)
        found = [_partitions(X[part], tried, algorithm, _quick(algorithm, params), rng) for part in (one, other)]
        for column, k in enumerate(tried):
            if len(shared) > 1:
                scores[resample, column] = adjusted_rand_score(found[0][k][first], found[1][k][second])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # means of nothing are NaN, which is meant
        return np.nanmean(scores, axis=0), np.nanstd(scores, axis=0, ddof=1) / math.sqrt(n_resamples)
