"""May a clustering be trusted? What can be said of it without labels, and where a person should listen.

``X`` [shape=(n, d)], one vector per recording, none zero; ``labels`` [shape=(n,)], -1 for noise.

References
----------
Martin et al.: The DET curve in assessment of detection task performance (1997), for the equal error rate.
Ben-Hur, Elisseeff, Guyon: A stability based method for discovering structure in clustered data (2002).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from audioclust.curation.prototypes import Prototypes
from audioclust.curation.refine import refine
from audioclust.curation.review import compare_with_agglomerative, review
from audioclust.evaluation.verification import score_distributions
from audioclust.geometry import unit_rows

__all__ = ["flags", "listing", "pair_scores", "people", "separation"]

MOST = 10_000  # recordings for what needs the matrix of all pairs


def separation(X: ArrayLike, sides: Mapping[str, ArrayLike]) -> pd.DataFrame:
    """Say how far apart groups are: by the labels, which judges the vectors, and by the clusters.

    Parameters
    ----------
    X : array-like [shape=(n, d)]
    sides : mapping of str to array-like [shape=(n,)]
        Name of a grouping to the group of each recording; missing values and -1 are left out.

    Returns
    -------
    DataFrame
        One row per grouping: ``by``, ``same`` and ``different`` (mean cosine of two recordings of one group, and of
        two), ``equal_error_rate``, ``threshold``. NaN where a grouping has no two groups or no group of two.

    Examples
    --------
    >>> from audioclust.curation import trust
    >>> X = [[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]]
    >>> float(trust.separation(X, {"cluster": [0, 0, 1, 1]})["equal_error_rate"][0])
    0.0
    """
    rows = []
    for by, who in sides.items():
        trials = score_distributions(X, who)
        numbers = {"same": trials.same_mean, "different": trials.different_mean}
        rows.append({"by": by, **numbers, "equal_error_rate": trials.equal_error_rate, "threshold": trials.threshold})
    return pd.DataFrame(rows, columns=["by", "same", "different", "equal_error_rate", "threshold"])


def pair_scores(
    X: ArrayLike, groups: ArrayLike, *, most: int = 2000
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the cosines of pairs of recordings of one group, and of two groups.

    Parameters
    ----------
    X : array-like [shape=(n, d)]
    groups : array-like [shape=(n,)]
        Missing values and -1 are left out.
    most : int
        So many recordings, evenly spread over the rows, at most.

    Returns
    -------
    same, different : array
    """
    known = pd.Series(np.asarray(groups, dtype=object))
    rows = np.flatnonzero(known.notna() & (known != -1))
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(int))] if len(rows) else rows
    vectors = unit_rows(np.asarray(X, dtype=np.float64)[rows])
    codes = pd.factorize(known.iloc[rows])[0]
    one, other = np.triu_indices(len(rows), 1)
    cosines = (vectors @ vectors.T)[one, other]
    same = codes[one] == codes[other]
    return cosines[same], cosines[~same]


def flags(X: ArrayLike, labels: ArrayLike) -> pd.DataFrame:
    """List the clusters that may be several groups, or parts of one, see `compare_with_agglomerative`.

    Of more than 10 000 recordings as many are compared, evenly spread over the rows.
    """
    X, labels = np.asarray(X), np.asarray(labels)
    some = np.unique(np.linspace(0, len(X) - 1, min(len(X), MOST)).astype(int))
    compared = compare_with_agglomerative(X[some], labels[some])
    return compared[compared["flag"] != ""].reset_index(drop=True)


def listing(X: ArrayLike, labels: ArrayLike, index: pd.DataFrame, *, metric: str = "cosine") -> pd.DataFrame:
    """List the recordings to listen to first, the doubtful ones at the top.

    Parameters
    ----------
    X : array-like [shape=(n, d)]
    labels : array-like of int [shape=(n,)]
    index : DataFrame of n rows
        Metadata to show beside each.
    metric : {"cosine", "euclidean"}
        As for :func:`audioclust.curation.review.review`.

    Returns
    -------
    DataFrame
        What `review` lists, and ``moves_to``: the cluster whose surest half is nearest to the recording, where that is
        another than its own (:func:`audioclust.curation.refine.refine`).
    """
    labels = np.asarray(labels)
    table = review(X, labels, index, metric=metric)
    several = len(np.unique(labels[labels != -1])) > 1
    sure = refine(X, labels) if several else labels
    rows = table["row"].to_numpy(dtype=np.intp)
    table["moves_to"] = pd.Series(sure[rows], dtype="Int64").mask(sure[rows] == labels[rows])
    doubtful = table["kind"].isin(["low silhouette", "noise"]) | table["moves_to"].notna()
    return pd.concat([table[doubtful], table[~doubtful]], ignore_index=True)


def people(prototypes: Prototypes, labels: ArrayLike, index: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """List the prototypes: number of recordings, name, and the commonest value of each column.

    Parameters
    ----------
    prototypes : Prototypes
    labels : array-like of int [shape=(n,)]
        The clusters they were made of.
    index : DataFrame of n rows
    columns : list of str
        Columns of `index`.
    """
    table = pd.DataFrame({"cluster": prototypes.labels_, "recordings": prototypes.counts_})
    table["name"] = [prototypes.names_.get(cluster, "") for cluster in table["cluster"]]
    for column in columns:
        values = {cluster: index[column][np.asarray(labels) == cluster].mode() for cluster in table["cluster"]}
        table[column] = [values[cluster].get(0) for cluster in table["cluster"]]
    return table
