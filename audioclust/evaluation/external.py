"""Scores of a clustering against labels.

Conventions
-----------
A clustering is ``labels`` [shape=(n,)]: integers from 0, -1 for noise (or any strings, none of which is noise). The
truth is ``truth`` [shape=(n,)]: strings or numbers; a missing value (None, NaN, NA or an empty text) leaves the
recording out.

Noise: the plain scores count every noise recording as a cluster of its own, the same scores named ``*_clustered`` leave
noise out. Noise earns next to nothing in ``acc`` (one recording per label at most), ``ari``, ``ami`` and ``fmi``; but
``nmi``, ``homogeneity`` and ``purity`` reward many small clusters, so all noise has a high ``nmi``: compare it only
where few recordings are noise.

Undefined scores are NaN, never 0.

Metrics
-------
* ``acc``: accuracy under the best one-to-one matching of clusters to labels, by counts (Hungarian method [1]_); numbers
  of clusters and labels may differ, what is left unmatched counts as wrong
* ``nmi``: mutual information over the arithmetic mean of the entropies [2]_ (= V-measure [4]_)
* ``ari``, ``ami``: Rand index [3]_ and mutual information [2]_, corrected for chance
* ``homogeneity``, ``completeness``: one label per cluster, one cluster per label [4]_
* ``purity``: share of the recordings that have the commonest label of their cluster
* ``fmi``: geometric mean of pairwise precision and recall [5]_

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

__all__ = ["LABEL_SCORES", "accuracy", "cluster_codes", "label_scores", "same_partition", "singletons", "truth_codes"]

LABEL_SCORES = ("acc", "nmi", "ari", "ami", "homogeneity", "completeness", "purity", "fmi")
"""Scores that need labels; each exists again as ``NAME_clustered``."""


def label_scores(labels: ArrayLike, truth: ArrayLike) -> dict[str, float]:
    """Score a clustering against labels.

    Parameters
    ----------
    labels, truth : array-like [shape=(n,)]
        See the module's opening.

    Returns
    -------
    dict of str to float
        The keys are :data:`LABEL_SCORES`, and each again as ``NAME_clustered``.

    Raises
    ------
    ValueError
        When there are no recordings, lengths differ, or `labels` are no clustering.

    Examples
    --------
    >>> scores = label_scores([0, 0, 1, 1, -1], ["a", "a", "b", "b", "b"])
    >>> scores["acc"], scores["acc_clustered"]
    (0.8, 1.0)
    """
    codes = cluster_codes(labels)
    classes = truth_codes(truth, len(codes))
    known, clustered = classes >= 0, (classes >= 0) & (codes >= 0)
    scores = _label_scores(codes[known], classes[known])
    left = _label_scores(codes[clustered], classes[clustered])
    return scores | {f"{name}_clustered": value for name, value in left.items()}


def accuracy(labels: ArrayLike, truth: ArrayLike) -> float:
    """Accuracy under the best one-to-one matching of clusters to labels; -1 is a cluster of its own per recording.

    Parameters
    ----------
    labels, truth : array-like [shape=(n,)]
        See the module's opening.

    Returns
    -------
    float in (0, 1]
        NaN without any label.

    Raises
    ------
    ValueError
        As :func:`label_scores`.

    Examples
    --------
    >>> accuracy([0, 0, 0, 1], ["a", "a", "b", "b"])
    0.75
    """
    codes = cluster_codes(labels)
    classes = truth_codes(truth, len(codes))
    known = classes >= 0
    return _accuracy(codes[known], classes[known]) if known.any() else math.nan


def singletons(labels: ArrayLike) -> NDArray[np.intp]:
    """Return the clustering with every noise recording (-1) as a cluster of its own [shape=(n,)].

    Examples
    --------
    >>> singletons([0, 0, -1, -1]).tolist()
    [0, 0, 1, 2]
    """
    codes = cluster_codes(labels)
    noise = codes == -1
    codes[noise] = codes.max() + 1 + np.arange(np.count_nonzero(noise))
    return codes


def same_partition(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Return whether two clusterings group the recordings alike, whatever the numbers of the clusters.

    Examples
    --------
    >>> same_partition(np.array([0, 0, 1]), np.array([5, 5, 2]))
    True
    """
    pairs = len(set(zip(one.tolist(), other.tolist(), strict=True)))
    return pairs == len(np.unique(one)) == len(np.unique(other))


def _label_scores(codes: NDArray[np.intp], classes: NDArray[np.intp]) -> dict[str, float]:
    scores = dict.fromkeys(LABEL_SCORES, math.nan)
    if not len(codes):
        return scores
    clusters = singletons(codes)
    scores["acc"] = _accuracy(codes, classes)
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


def _accuracy(codes: NDArray[np.intp], classes: NDArray[np.intp]) -> float:
    # Of the noise, one recording per label can ever be matched: as many rows are enough.
    noise = codes == -1
    singles = np.unique(classes[noise])
    clusters, rows = np.unique(codes[~noise], return_inverse=True)
    table = np.zeros((len(clusters) + len(singles), classes.max() + 1), dtype=np.int64)
    np.add.at(table, (rows, classes[~noise]), 1)
    table[len(clusters) + np.arange(len(singles)), singles] = 1
    return float(table[linear_sum_assignment(table, maximize=True)].sum() / len(codes))


def cluster_codes(labels: ArrayLike) -> NDArray[np.intp]:
    """Check a clustering; return the number of each recording's cluster, from 0, and -1 for noise [shape=(n,)].

    Raises
    ------
    ValueError
        When it is empty, has missing values, or holds other things than strings or whole numbers from -1.
    """
    values = _one_dimensional(labels, "labels")
    if not len(values):
        raise ValueError("labels is empty: there is nothing to score")
    if pd.isna(values).any():
        raise ValueError("labels has missing values: give -1 for noise")
    if values.dtype.kind in "OUS" and all(isinstance(value, str) for value in values):
        return pd.factorize(values)[0].astype(np.intp)
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError("labels must be whole numbers (-1 for noise) or strings") from None
    wrong = (numbers != np.round(numbers)) | (numbers < -1)
    if wrong.any():
        raise ValueError(f"labels must be whole numbers from -1; one is {numbers[wrong][0]:g}")
    codes = np.unique(numbers, return_inverse=True)[1].astype(np.intp)
    return codes - 1 if numbers.min() == -1 else codes


def truth_codes(truth: ArrayLike, length: int, name: str = "truth") -> NDArray[np.intp]:
    """Return the number of each recording's label, from 0, and -1 where a label is missing [shape=(n,)].

    Missing are None, NaN, pandas' NA and texts without a visible character.

    Raises
    ------
    ValueError
        When `truth` is not one-dimensional or has another length.
    """
    values = _one_dimensional(truth, name)
    if len(values) != length:
        raise ValueError(f"{name} has {len(values)} values, labels has {length}")
    return pd.factorize(np.array([_label(value) for value in values.tolist()], dtype=object))[0].astype(np.intp)


def _label(value: Any) -> Any:
    """Let 1, 1.0 and numpy's 1 be the same label, and a text without a visible character none."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, str) and not value.strip() else value


def _one_dimensional(values: Any, name: str) -> NDArray[Any]:
    # numpy would make strings of a list of strings and missing values
    array = np.asarray(values, dtype=object if isinstance(values, (list, tuple)) else None)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional; its shape is {array.shape}")
    return array
