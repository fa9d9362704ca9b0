"""Which recordings to listen to before one believes a clustering, and which clusters look split or joined.

Conventions
-----------
``X`` (n, d), one speaker vector per recording, none zero; ``labels`` (n,), -1 for noise. Similarities are cosines;
silhouettes use the cosine distance.

References
----------
Rousseeuw: Silhouettes (1987).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import AgglomerativeClustering
from sklearn.utils.validation import check_array

from audioclust.evaluation.internal import silhouettes
from audioclust.geometry import group_directions, group_sums, unit_rows

__all__ = ["compare_with_agglomerative", "review"]


def review(X: ArrayLike, labels: ArrayLike, index: pd.DataFrame | None = None, *, per_kind: int = 1) -> pd.DataFrame:
    """List, for every cluster, the recordings that say most about it.

    Parameters
    ----------
    X : array-like [shape=(n, d)]
    labels : array-like of int [shape=(n,)]
    index : DataFrame of n rows, optional
        The recordings' metadata; its columns are joined to the list.
    per_kind : int >= 1
        Recordings of each kind per cluster.

    Returns
    -------
    DataFrame
        One row per cluster, kind and recording, clusters in rising order, noise last. Columns: `cluster`; `size`;
        `kind`; `row`, its place in X; `similarity` to the own cluster's mean; `nearest`, the nearest other cluster, -1
        where there is none; `nearest_similarity` to that one's mean; `silhouette`.

        Kinds: ``medoid``, most similar to its cluster's mean; ``border``, nearest to another cluster compared with its
        own; ``outlier``, least similar to its cluster's mean; ``low silhouette``, below 0, nearer to another cluster;
        ``noise``, nearest to a cluster. In small clusters one recording may be of several kinds.

    Raises
    ------
    ValueError
        When lengths differ or a vector is zero or not finite.
    """
    if per_kind < 1:
        raise ValueError(f"per_kind={per_kind!r}: give a whole number of at least 1")
    X, labels = _checked(X, labels)
    if index is not None and len(index) != len(X):
        raise ValueError(f"index has {len(index)} rows, X has {len(X)}")
    clusters = np.unique(labels[labels != -1])
    place = np.searchsorted(clusters, labels)
    inside = labels != -1
    means = group_directions(group_sums(X[inside], place[inside], len(clusters)))
    cosines = X @ means.T
    own = np.full(len(X), np.nan)
    own[inside] = cosines[inside, place[inside]]
    others = cosines.copy()
    others[inside, place[inside]] = -np.inf
    has_other = others.shape[1] > 0 and bool(np.isfinite(others).any())
    best = others.argmax(axis=1) if has_other else np.zeros(len(X), dtype=np.intp)
    other = others[np.arange(len(X)), best] if has_other else np.full(len(X), np.nan)
    other[~np.isfinite(other)] = np.nan
    silhouette = silhouettes(X, labels, metric="cosine")
    listed: list[tuple[int, str, int]] = []
    for cluster in clusters:
        rows = np.flatnonzero(labels == cluster)
        kinds = {"medoid": -own[rows], "outlier": own[rows]}
        if np.isfinite(other[rows]).all():
            kinds["border"] = own[rows] - other[rows]
        for kind in ("medoid", "border", "outlier"):
            if kind in kinds:
                ranked = rows[np.argsort(kinds[kind], kind="stable")[:per_kind]]
                listed += [(int(cluster), kind, int(row)) for row in ranked]
        low = rows[silhouette[rows] < 0]
        ranked = low[np.argsort(silhouette[low], kind="stable")[:per_kind]]
        listed += [(int(cluster), "low silhouette", int(row)) for row in ranked]
    noise = np.flatnonzero(~inside)
    ranked = noise[np.argsort(-np.nan_to_num(other[noise], nan=-2.0), kind="stable")[:per_kind]]
    listed += [(-1, "noise", int(row)) for row in ranked]
    table = pd.DataFrame(listed, columns=["cluster", "kind", "row"])
    rows = table["row"].to_numpy(dtype=np.intp)
    sizes = {int(cluster): int((labels == cluster).sum()) for cluster in np.unique(labels)}
    table.insert(1, "size", [sizes[cluster] for cluster in table["cluster"]])
    table["similarity"] = own[rows]
    table["nearest"] = np.where(np.isfinite(other[rows]), clusters[best[rows]] if len(clusters) else -1, -1)
    table["nearest_similarity"] = other[rows]
    table["silhouette"] = silhouette[rows]
    if index is None:
        return table
    joined = index.iloc[rows].reset_index(drop=True)
    return pd.concat([table, joined[[column for column in joined if column not in table]]], axis=1)


def compare_with_agglomerative(X: ArrayLike, labels: ArrayLike, *, least: float = 0.2) -> pd.DataFrame:
    """Compare clusters with as many found by average linkage, and flag those that look split or joined.

    Parameters
    ----------
    X : array-like [shape=(n, d)]
        Needs n^2 numbers of memory.
    labels : array-like of int [shape=(n,)]
        Noise is left out.
    least : float in (0, 0.5]
        Share of a cluster that counts as a part of it.

    Returns
    -------
    DataFrame
        One row per cluster: `cluster`; `size`; `parts`, how many agglomerative clusters hold at least `least` of it;
        `joined_with`, the clusters that lie mostly in the same agglomerative cluster, as a tuple; `flag`: ``"joined?"``
        (under-clustering: average linkage divides it), ``"split?"`` (over-clustering: average linkage keeps it together
        with others), ``"joined? split?"``, or empty.
    """
    if not 0 < least <= 0.5:
        raise ValueError(f"least={least!r}: give a share above 0, up to 0.5")
    X, labels = _checked(X, labels)
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
        company = tuple(int(other) for other in same)
        records.append((int(cluster), int(sizes[number]), int(parts[number]), company, " ".join(flags)))
    return pd.DataFrame(records, columns=["cluster", "size", "parts", "joined_with", "flag"])


def _checked(X: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    X = unit_rows(check_array(X, dtype=np.float64))
    labels = np.asarray(labels)
    if labels.shape != (len(X),):
        raise ValueError(f"labels has shape {labels.shape}, X has {len(X)} rows")
    return X, labels
