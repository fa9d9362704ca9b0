"""Which recordings a listening page shows of each cluster: those that `curation.review` names, a few of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from audioclust.curation.review import KINDS, review

__all__ = ["Sheets", "by_position", "by_review", "in_order", "listed"]

Sheets = dict[int, list[tuple[int, str]]]
"""By cluster: the rows shown and what each is."""


def in_order(labels: np.ndarray) -> list[int]:
    """Return the clusters by number, noise last."""
    return sorted({int(label) for label in labels}, key=lambda cluster: (cluster == -1, cluster))


def by_review(X: np.ndarray, labels: np.ndarray, silhouettes: np.ndarray, per_cluster: int, metric: str) -> Sheets:
    """Choose `per_cluster` recordings of each cluster: the medoid, a third outliers, a third border, the rest typical.

    Parameters
    ----------
    X : np.ndarray [shape=(n, d)]
    labels : np.ndarray of int [shape=(n,)]
    silhouettes : np.ndarray [shape=(n,)]
    per_cluster : int
    metric : {"euclidean", "cosine"}
    """
    kinds = ("medoid", "outlier", "border", "typical", "noise")
    # A recording may be of several kinds and stands there once: a list twice as long has always enough.
    table = review(X, labels, per_kind=2 * per_cluster, kinds=kinds, metric=metric, silhouette=silhouettes)
    third = (per_cluster - 1) // 3
    most = {"medoid": 1, "outlier": third, "border": third}
    sheets: Sheets = {}
    for cluster, rows in table.groupby("cluster", sort=False):
        chosen: dict[int, str] = {}
        for kind in kinds:
            free = [int(row) for row in rows.loc[rows["kind"] == kind, "row"] if int(row) not in chosen]
            chosen |= dict.fromkeys(free[: min(most.get(kind, per_cluster), per_cluster - len(chosen))], kind)
        sheets[int(str(cluster))] = sorted(chosen.items(), key=lambda item: KINDS.index(item[1]))
    return sheets


def by_position(labels: np.ndarray, per_cluster: int) -> Sheets:
    """Choose recordings evenly spread over each cluster, where there is nothing to tell them apart by."""
    sheets: Sheets = {}
    for cluster in in_order(labels):
        rows = np.flatnonzero(labels == cluster)
        spread = np.unique(np.linspace(0, len(rows) - 1, min(per_cluster, len(rows))).round().astype(int))
        sheets[cluster] = [(int(row), "noise" if cluster == -1 else "typical") for row in rows[spread]]
    return sheets


def listed(labels: np.ndarray, paths: Sequence[str], table: Any) -> Sheets:
    """Choose the recordings that a table lists by ``path`` and ``kind``, each once.

    Raises
    ------
    ValueError
        When a column is missing, or a path is not one of `paths`.
    """
    missing = {"path", "kind"} - set(pd.DataFrame(table).columns)
    if missing:
        raise ValueError(f"review: lacks the columns {sorted(missing)}")
    rows = {path: row for row, path in enumerate(paths)}
    sheets: Sheets = {}
    for path, kind in zip(table["path"].map(str), table["kind"].map(str), strict=True):
        if path not in rows:
            raise ValueError(f"review: {path!r} is not in index")
        sheet = sheets.setdefault(int(labels[rows[path]]), [])
        if rows[path] not in {row for row, _ in sheet}:
            sheet.append((rows[path], kind))
    return sheets
