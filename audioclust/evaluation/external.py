"""Scores of a clustering against labels and by its own geometry.

Conventions
-----------
A clustering is ``labels`` [shape=(n,)]: integers from 0, -1 for noise (or any strings, none of which is noise). The
truth is ``truth`` [shape=(n,)]: strings or numbers; a missing value (None, NaN) leaves the recording out of every
label-based score. ``X`` [shape=(n, d)] holds the vectors that the internal scores are measured on.

Noise: the plain label-based scores count every noise recording as a cluster of its own, the same scores named
``*_clustered`` leave noise out, and ``coverage`` says how much is not noise. Noise earns next to nothing in ``acc``
(one recording per label at most), ``ari``, ``ami`` and ``fmi``; but ``nmi``, ``homogeneity`` and ``purity`` reward
many small clusters, so all noise has a high ``nmi``: compare it only where ``coverage`` is high.

Undefined scores are NaN, never 0.

Metrics
-------
* ``acc``: accuracy under the best one-to-one matching of clusters to labels, by counts (Hungarian method [1]_); numbers
  of clusters and labels may differ, what is left unmatched counts as wrong
* ``nmi``: mutual information over the arithmetic mean of the entropies [2]_ (= V-measure [4]_)
* ``ari``, ``ami``: Rand index [3]_ and mutual information [2]_, corrected for chance
* ``homogeneity``, ``completeness``: one label per cluster, one cluster per label [4]_
* ``purity``: share of the recordings that belong to the commonest label of their cluster
* ``fmi``: geometric mean of pairwise precision and recall [5]_
* ``n_clusters``, ``coverage``: clusters that hold anything; share of the recordings that is not noise
* ``silhouette``, ``silhouette_cosine``, ``davies_bouldin``, ``calinski_harabasz``: on the recordings that are not
  noise, see :mod:`audioclust.evaluation.internal`

Where the labelled recordings all have one label there is nothing to find: ``nmi``, ``ari``, ``ami``, ``homogeneity``
and ``completeness`` are undefined.

References
----------
.. [1] Kuhn, H. W. (1955). The Hungarian method for the assignment problem. Naval Research Logistics 2, 83-97.
.. [2] Vinh, N. X., Epps, J., Bailey, J. (2010). Information theoretic measures for clusterings comparison. JMLR 11.
.. [3] Hubert, L., Arabie, P. (1985). Comparing partitions. Journal of Classification 2, 193-218.
.. [4] Rosenberg, A., Hirschberg, J. (2007). V-measure. EMNLP-CoNLL, 410-420.
.. [5] Fowlkes, E. B., Mallows, C. L. (1983). A method for comparing two hierarchical clusterings. JASA 78, 553-569.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from sklearn import metrics

from audioclust.evaluation import internal as indices

__all__ = ["LABEL_SCORES", "SCORES", "accuracy", "evaluate", "singletons"]

LABEL_SCORES = ("acc", "nmi", "ari", "ami", "homogeneity", "completeness", "purity", "fmi")
"""Scores that need labels; each exists again as ``NAME_clustered``."""

SCORES = (
    *LABEL_SCORES,
    "n_clusters",
    "coverage",
    *(f"{name}_clustered" for name in LABEL_SCORES),
    "silhouette",
    "silhouette_cosine",
    "davies_bouldin",
    "calinski_harabasz",
)
"""Keys of :func:`evaluate`, in order."""


def evaluate(
    labels: ArrayLike,
    truth: ArrayLike | None = None,
    X: ArrayLike | None = None,
    *,
    max_silhouette: int = 20_000,
) -> dict[str, float]:
    """Score a clustering.

    Parameters
    ----------
    labels : array-like [shape=(n,)]
        The clustering; -1 is noise.
    truth : array-like [shape=(n,)], optional
        The labels to score against. Without them the label-based scores are NaN.
    X : array-like [shape=(n, d)], optional
        The vectors to measure the internal scores on. Without them these are NaN.
    max_silhouette : int > 1
        The Euclidean silhouette of more recordings than this is measured on this many, drawn with a fixed seed.

    Returns
    -------
    dict of str to float
        The keys are :data:`SCORES`, always all of them; see the module's opening.

    Raises
    ------
    ValueError
        When there are no recordings, lengths differ, `labels` are no clustering, or `X` is not finite.
    """
    codes, noise = _codes(labels)
    scores = dict.fromkeys(SCORES, math.nan)
    scores["n_clusters"] = float(len(np.unique(codes[~noise])))
    scores["coverage"] = float(np.mean(~noise))
    if truth is not None:
        classes = pd.Series(_one_dimensional(truth, "truth", len(codes)), dtype=object)
        known = classes.notna().to_numpy()
        classes_known = pd.factorize(classes[known].map(_plain))[0]
        scores |= _label_scores(codes[known], noise[known], classes_known)
        clustered = ~noise[known]
        left = _label_scores(codes[known][clustered], noise[known][clustered], classes_known[clustered])
        scores |= {f"{name}_clustered": value for name, value in left.items()}
    if X is not None:
        vectors = _vectors(X, len(codes))[~noise]
        clusters = codes[~noise]
        scores["silhouette"] = indices.silhouette(vectors, clusters, max_samples=max_silhouette)
        scores["silhouette_cosine"] = indices.silhouette(vectors, clusters, metric="cosine")
        scores["davies_bouldin"] = indices.davies_bouldin(vectors, clusters)
        scores["calinski_harabasz"] = indices.calinski_harabasz(vectors, clusters)
    return scores


def accuracy(labels: ArrayLike, truth: ArrayLike) -> float:
    """Accuracy under the best one-to-one matching of clusters to labels; -1 is a cluster of its own per recording.

    Parameters
    ----------
    labels, truth : array-like [shape=(n,)]
        See the module's opening; without missing values.

    Returns
    -------
    float
        In (0, 1].

    Raises
    ------
    ValueError
        As :func:`evaluate`.
    """
    codes, noise = _codes(labels)
    return _accuracy(codes, noise, pd.factorize(_one_dimensional(truth, "truth", len(codes)))[0])


def singletons(labels: ArrayLike) -> NDArray[np.intp]:
    """Return the clustering with every noise recording (-1) as a cluster of its own [shape=(n,)]."""
    codes, noise = _codes(labels)
    return _singletons(codes, noise)


def _singletons(codes: NDArray[np.intp], noise: NDArray[np.bool_]) -> NDArray[np.intp]:
    codes = codes.copy()
    codes[noise] = codes.max(initial=0) + 1 + np.arange(np.count_nonzero(noise))
    return codes


def _label_scores(codes: NDArray[np.intp], noise: NDArray[np.bool_], classes: NDArray[np.intp]) -> dict[str, float]:
    scores = dict.fromkeys(LABEL_SCORES, math.nan)
    if not len(codes):
        return scores
    clusters = _singletons(codes, noise)
    scores["acc"] = _accuracy(codes, noise, classes)
    table = coo_array((np.ones(len(codes)), (np.unique(clusters, return_inverse=True)[1], classes))).tocsr()
    scores["purity"] = float(table.max(axis=1).sum() / len(codes))
    pairs = [_pairs(table.sum(axis=0)), _pairs(table.sum(axis=1))]
    if min(pairs) > 0:
        scores["fmi"] = float(_pairs(table.data) / math.sqrt(pairs[0] * pairs[1]))
    if classes.min() != classes.max():
        homogeneity, completeness, v_measure = metrics.homogeneity_completeness_v_measure(classes, clusters)
        scores["homogeneity"], scores["completeness"], scores["nmi"] = homogeneity, completeness, v_measure
        scores["ari"] = metrics.adjusted_rand_score(classes, clusters)
        scores["ami"] = metrics.adjusted_mutual_info_score(classes, clusters)
    return {name: float(value) for name, value in scores.items()}


def _pairs(counts: NDArray[np.float64]) -> float:
    return float(np.sum(counts * (counts - 1)) / 2)


def _accuracy(codes: NDArray[np.intp], noise: NDArray[np.bool_], classes: NDArray[np.intp]) -> float:
    # Of the noise, one recording per label can ever be matched: as many rows are enough.
    singles = np.unique(classes[noise])
    clusters, rows = np.unique(codes[~noise], return_inverse=True)
    table = np.zeros((len(clusters) + len(singles), classes.max() + 1), dtype=np.int64)
    np.add.at(table, (rows, classes[~noise]), 1)
    table[len(clusters) + np.arange(len(singles)), singles] = 1
    return float(table[linear_sum_assignment(table, maximize=True)].sum() / len(codes))


def _codes(labels: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Check a clustering; return cluster numbers from 0 and which recordings are noise."""
    values = _one_dimensional(labels, "labels")
    if not len(values):
        raise ValueError("labels is empty: there is nothing to score")
    if pd.isna(values).any():
        raise ValueError("labels has missing values: give -1 for noise")
    if values.dtype.kind in "OUS" and all(isinstance(value, str) for value in values):
        return pd.factorize(values)[0].astype(np.intp), np.zeros(len(values), dtype=bool)
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError("labels must be whole numbers (-1 for noise) or strings") from None
    wrong = (numbers != np.round(numbers)) | (numbers < -1)
    if wrong.any():
        raise ValueError(f"labels must be whole numbers from -1; found {numbers[wrong][0]:g}")
    noise = numbers == -1
    return np.unique(numbers, return_inverse=True)[1].astype(np.intp), noise


def _plain(value: Any) -> Any:
    """Let 1, 1.0 and numpy's 1 be the same label, and leave everything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def _one_dimensional(values: Any, name: str, length: int | None = None) -> NDArray[Any]:
    # numpy would make strings of a list of strings and missing values
    array = np.asarray(values, dtype=object if isinstance(values, (list, tuple)) else None)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional; its shape is {array.shape}")
    if length is not None and len(array) != length:
        raise ValueError(f"{name} has {len(array)} values, labels has {length}")
    return array


def _vectors(X: ArrayLike, length: int) -> NDArray[np.float64]:
    vectors = np.asarray(X, dtype=np.float64)
    if vectors.ndim != 2:
        raise ValueError(f"X must have the shape (n, d); its shape is {vectors.shape}")
    if len(vectors) != length:
        raise ValueError(f"X has {len(vectors)} rows, labels has {length}")
    if not np.isfinite(vectors).all():
        raise ValueError("X has NaN or infinite values")
    return vectors
