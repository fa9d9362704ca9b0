"""Which recordings to listen to before one believes a clustering, and which clusters look split or joined.

Conventions
-----------
``X`` [shape=(n, d)] holds one vector per recording; ``labels`` [shape=(n,)] its cluster, -1 for noise. Speaker vectors
are directions, none zero: they are compared by the cosine. Other vectors may be compared by the Euclidean distance.

Kinds of recordings
-------------------
* ``medoid``: most similar to its cluster's mean; ``typical``: the next most similar ones
* ``border``: another cluster's mean is nearly as similar as that of its own, or more
* ``outlier``: least similar to its cluster's mean
* ``low silhouette``: silhouette below 0, that is, nearer to another cluster; the lowest first
* ``noise``: in no cluster; the most similar to a cluster's mean first

References
----------
Rousseeuw: Silhouettes (1987).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist
from sklearn.cluster import AgglomerativeClustering
from sklearn.utils.validation import check_array

from audioclust.evaluation.internal import silhouettes
from audioclust.geometry import group_directions, group_sums, unit_rows
from audioclust.validation import check_choice, check_labels, check_number, check_share

__all__ = ["KINDS", "compare_with_agglomerative", "review", "roles"]

NEAR = 0.25  # share of a cluster's median lead below which a recording stands at its border
TUKEY, ROUNDING = 1.5, 1e-9

KINDS = ("medoid", "typical", "border", "outlier", "low silhouette", "noise")
"""What a recording may be in its cluster; see :func:`review`."""


def review(
    X: ArrayLike,
    labels: ArrayLike,
    index: pd.DataFrame | None = None,
    *,
    per_kind: int = 1,
    kinds: Sequence[str] = ("medoid", "border", "outlier", "low silhouette", "noise"),
    metric: str = "cosine",
    silhouette: ArrayLike | None = None,
) -> pd.DataFrame:
    """List, for every cluster, the recordings that say most about it.

    Parameters
    ----------
    X : array-like [shape=(n, d)]
    labels : array-like of int [shape=(n,)]
        -1 for noise.
    index : DataFrame of n rows, optional
        The recordings' metadata; its columns are joined to the list.
    per_kind : int >= 1
        Largest number of recordings of each kind per cluster; there is one medoid.
    kinds : sequence of str
        Those of :data:`KINDS` to list, in this order; see the module's opening.
    metric : {"cosine", "euclidean"}
        Similarity is the cosine to a mean direction, or minus the distance to a mean.
    silhouette : array-like [shape=(n,)], optional
        That of every recording, where it is known; None computes it by `metric`.

    Returns
    -------
    DataFrame
        One row per cluster, kind and recording, clusters in rising order, noise last. Columns: `cluster`; `size`;
        `kind`; `row`, its place in X; `similarity` to the own cluster's mean; `nearest`, the most similar other
        cluster, -1 where there is none; `nearest_similarity` to that one's mean; `silhouette`. In small clusters one
        recording may be of several kinds.

    Raises
    ------
    ValueError
        When lengths differ, a parameter is not allowed, or a vector is not finite (or zero: for the cosine).

    Examples
    --------
    >>> X = [[1, 0], [1, 0.1], [1, 0.6], [0, 1], [0.1, 1]]
    >>> review(X, [0, 0, 0, 1, 1], kinds=("medoid", "border"))[["cluster", "kind", "row", "nearest"]]
       cluster    kind  row  nearest
    0        0  medoid    1        1
    1        0  border    2        1
    2        1  medoid    4        0
    3        1  border    4        0
    """
    check_number("per_kind", per_kind, 1, whole=True)
    for kind in kinds:
        check_choice("kinds", kind, KINDS)
    check_choice("metric", metric, ("cosine", "euclidean"))
    vectors: NDArray[np.float64] = check_array(X, dtype=np.float64)
    labels = check_labels(labels, len(vectors))
    for name, given in (("index", index), ("silhouette", silhouette)):
        if given is not None and np.shape(given)[:1] != (len(vectors),):
            raise ValueError(f"{name} has the shape {np.shape(given)}, X has {len(vectors)} rows")
    table = _similarities(vectors, labels, metric)
    known = silhouettes(vectors, labels, metric=metric) if silhouette is None else silhouette
    table["silhouette"] = np.asarray(known, dtype=np.float64)
    listed = _listed(table, labels, kinds, per_kind)
    sizes = pd.Series(labels).value_counts()
    listed.insert(1, "size", listed["cluster"].map(sizes).astype(int))
    joined = [listed, table.iloc[listed["row"]].reset_index(drop=True)]
    if index is not None:
        own = [column for column in index if column not in {*listed, *table}]
        joined.append(index.iloc[listed["row"]][own].reset_index(drop=True))
    return pd.concat(joined, axis=1)


def roles(X: ArrayLike, labels: ArrayLike, *, metric: str = "cosine") -> NDArray[np.str_]:
    """Say of every recording whether it is typical of its cluster, at its border, or an outlier.

    Parameters
    ----------
    X : array-like [shape=(n, d)]
    labels : array-like of int [shape=(n,)]
        -1 for noise.
    metric : {"cosine", "euclidean"}
        As for :func:`review`.

    Returns
    -------
    array of str [shape=(n,)]
        ``"border"``: its lead, the similarity to its own cluster's mean less that to the nearest other one, is at most
        a quarter of the cluster's median lead. ``"outlier"``: its similarity lies below the lower quartile of its
        cluster by more than 1.5 times the distance of the quartiles (Tukey's fence). ``"typical"``: all others.
        ``"noise"``: in no cluster.

    Raises
    ------
    ValueError
        When lengths differ, `metric` is not allowed, or a vector is not finite (or zero: for the cosine).

    Examples
    --------
    >>> X = [[1, 0], [1, 0.1], [1, 0.2], [1, 0.9], [0, 1], [0.1, 1]]
    >>> roles(X, [0, 0, 0, 0, 1, 1]).tolist()
    ['typical', 'typical', 'typical', 'border', 'typical', 'typical']
    """
    check_choice("metric", metric, ("cosine", "euclidean"))
    vectors: NDArray[np.float64] = check_array(X, dtype=np.float64)
    labels = check_labels(labels, len(vectors))
    table = _similarities(vectors, labels, metric)
    lead = table["similarity"] - table["nearest_similarity"]
    by_cluster = table["similarity"].groupby(labels)
    low, high = by_cluster.transform("quantile", 0.25), by_cluster.transform("quantile", 0.75)
    found = np.full(len(vectors), "typical", dtype="U7")
    found[table["similarity"] < low - TUKEY * (high - low) - ROUNDING] = "outlier"
    found[lead <= NEAR * lead.groupby(labels).transform("median").clip(lower=0)] = "border"
    found[labels == -1] = "noise"
    return found


def _similarities(X: NDArray[np.float64], labels: NDArray[np.intp], metric: str) -> pd.DataFrame:
    """Return how similar each recording is to its own cluster's mean, and its nearest other cluster."""
    clusters = np.unique(labels[labels != -1])
    inside = np.flatnonzero(labels != -1)
    place = np.searchsorted(clusters, labels[inside])
    X = unit_rows(X) if metric == "cosine" else X
    sums = group_sums(X[inside], place, len(clusters))
    if metric == "cosine":
        others = X @ group_directions(sums).T
    else:
        others = -cdist(X, sums / np.bincount(place, minlength=len(clusters))[:, None])
    own = np.full(len(X), np.nan)
    own[inside] = others[inside, place]
    others[inside, place] = -np.inf
    others = np.column_stack([others, np.full(len(X), -np.inf)])  # where there is no other cluster
    best = others.argmax(axis=1)
    similarity = others[np.arange(len(X)), best]
    none = ~np.isfinite(similarity)
    nearest = np.append(clusters, -1)[np.where(none, len(clusters), best)]
    return pd.DataFrame(
        {"similarity": own, "nearest": nearest, "nearest_similarity": np.where(none, np.nan, similarity)}
    )


def _listed(table: pd.DataFrame, labels: NDArray[np.intp], kinds: Sequence[str], per_kind: int) -> pd.DataFrame:
    """Return the cluster, the kind and the row of every recording to list, noise last."""
    listed = [
        (cluster, kind, row)
        for cluster in sorted(np.unique(labels).tolist(), key=lambda cluster: (cluster == -1, cluster))
        for kind in kinds
        for row in _ranked(table[labels == cluster], kind, cluster == -1)[: 1 if kind == "medoid" else per_kind]
    ]
    return pd.DataFrame(listed, columns=["cluster", "kind", "row"])


def _ranked(rows: pd.DataFrame, kind: str, noise: bool) -> list[int]:
    """Return the rows of one cluster, or of the noise, that are of a kind, those that are most so first."""
    if noise != (kind == "noise"):
        return []
    key = {
        "medoid": -rows["similarity"],
        "typical": -rows["similarity"],
        "outlier": rows["similarity"],
        "border": (rows["similarity"] - rows["nearest_similarity"]).dropna(),
        "low silhouette": rows["silhouette"][rows["silhouette"] < 0],
        "noise": -rows["nearest_similarity"],
    }[kind]
    ranked = [int(row) for row in key.sort_values(kind="stable").index]
    return ranked[1:] if kind == "typical" else ranked


def compare_with_agglomerative(X: ArrayLike, labels: ArrayLike, *, least: float = 0.2) -> pd.DataFrame:
    """Compare clusters with as many of average linkage by the cosine, and flag those that look split or joined.

    Parameters
    ----------
    X : array-like [shape=(n, d)]
        Vectors, none zero. Memory grows with n^2.
    labels : array-like of int [shape=(n,)]
        Noise is left out.
    least : float in (0, 0.5]
        Share of a cluster above which the recordings that average linkage puts together count as a part of it.

    Returns
    -------
    DataFrame
        One row per cluster: `cluster`; `size`; `parts`, how many agglomerative clusters hold at least `least` of it;
        `joined_with`, the clusters that lie mostly in the same agglomerative cluster, as a tuple; `flag`: ``"joined?"``
        (under-clustering: average linkage divides it), ``"split?"`` (over-clustering: average linkage keeps it together
        with others), ``"joined? split?"``, or empty.

    Raises
    ------
    ValueError
        When lengths differ, `least` is out of its range, or a vector is zero or not finite.

    Examples
    --------
    >>> X = [[1, 0], [1, 0.1], [1, 0.2], [0, 1], [0.1, 1], [0.2, 1], [-1, 0], [-1, 0.1], [-1, 0.2]]
    >>> compare_with_agglomerative(X, [0, 0, 0, 0, 0, 0, 1, 1, 2])[["cluster", "parts", "joined_with", "flag"]]
       cluster  parts joined_with     flag
    0        0      2          ()  joined?
    1        1      1        (2,)   split?
    2        2      1        (1,)   split?
    """
    check_share("least", least, high=0.5)
    X = unit_rows(check_array(X, dtype=np.float64))
    labels = check_labels(labels, len(X))
    inside = labels != -1
    clusters, place = np.unique(labels[inside], return_inverse=True)
    if len(clusters) == 0:
        return pd.DataFrame(columns=["cluster", "size", "parts", "joined_with", "flag"])
    theirs = np.zeros(len(place), dtype=np.intp)
    if len(clusters) > 1:
        linkage = AgglomerativeClustering(len(clusters), metric="cosine", linkage="average")
        theirs = linkage.fit(X[inside]).labels_
    table = np.zeros((len(clusters), len(clusters)))
    np.add.at(table, (place, theirs), 1)
    sizes = table.sum(axis=1)
    parts = (table / sizes[:, None] >= least).sum(axis=1)
    home = table.argmax(axis=1)
    records = []
    for number, cluster in enumerate(clusters):
        same = clusters[(home == home[number]) & (np.arange(len(clusters)) != number)]
        flags = ["joined?"] * bool(parts[number] > 1) + ["split?"] * bool(len(same))
        joined_with = tuple(int(other) for other in same)
        records.append((int(cluster), int(sizes[number]), int(parts[number]), joined_with, " ".join(flags)))
    return pd.DataFrame(records, columns=["cluster", "size", "parts", "joined_with", "flag"])
