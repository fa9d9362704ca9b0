"""What a page knows of a clustering: plain lists and texts, as ``mount(root, data, source)`` of ``js/core.js`` takes.

Lists have one entry per recording, in the order of the metadata; missing values are null (codes: -1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from audioclust import files
from audioclust.report.pages import sheets

__all__ = ["contents"]

_GRAIN = 10_000  # places on the map are whole numbers from 0 to this
_NEIGHBOURS = 6
_NEIGHBOURS_LIMIT = 5000  # recordings; of more, the page lists those near on the map
_UNLISTED = {"path", "name", "sha256", "source_sha256", "problem"}
_OWN = {"group", "confidence", "silhouette"}  # columns that the page adds
_DIGITS = 4


def contents(
    index: pd.DataFrame,
    labels: np.ndarray,
    *,
    chosen: Sequence[sheets.Sheets],
    levels: Sequence[np.ndarray] = (),
    confidence: np.ndarray | None = None,
    X: np.ndarray | None = None,
    positions: np.ndarray | None = None,
    silhouettes: np.ndarray | None = None,
    truth: str | None = None,
    metric: str = "euclidean",
    title: str = "",
    facts: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what a page knows of the recordings and their groups; sound and pictures are not in it.

    Parameters
    ----------
    index : pd.DataFrame
        Metadata rows; all columns are shown.
    labels : np.ndarray of int [shape=(n,)]
    chosen : sequence of Sheets
        Which recordings say most about each group, of `labels` and of each of `levels`.
    levels : sequence of np.ndarray of int [shape=(n,)]
        The same recordings in fewer or more groups.
    confidence : np.ndarray [shape=(n,)], optional
        0 to 1.
    X : np.ndarray [shape=(n, d)], optional
        For the most similar recordings of each.
    positions : np.ndarray [shape=(n, 2)], optional
    silhouettes : np.ndarray [shape=(n,)], optional
    truth : str, optional
        The column that is shown beside the group everywhere.
    metric : {"euclidean", "cosine"}
        Of the most similar ones.
    title : str
    facts : sequence of str

    Returns
    -------
    dict
        Of what JSON can hold.
    """
    paths = [str(path) for path in index["path"]]
    columns = [_column(_shown(str(name)), index[name]) for name in index if name not in _UNLISTED]
    if silhouettes is not None and np.isfinite(silhouettes).any():
        columns.insert(0, {"name": "silhouette", "values": _numbers(silhouettes, 2)})
    known = index["sha256"] if "sha256" in index else [None] * len(index)
    return {
        "title": title,
        "facts": list(facts),
        "page": files.digest([paths, labels.tolist()]),
        "paths": paths,
        "sha256": [None if pd.isna(value) else str(value) for value in known],
        "truth": None if truth is None else _shown(truth),
        "at": None if positions is None else unit_square(positions),
        "groupings": [_grouping(of, sheet) for of, sheet in zip((labels, *levels), chosen, strict=True)],
        "confidence": None if confidence is None else _numbers(confidence, 2),
        "columns": [column for column in columns if column is not None],
        "neighbours": _neighbours(X, metric),
        "parts": {},
        "problems": {},
        "thumbnails": None,
    }


def _grouping(labels: np.ndarray, chosen: Mapping[int, list[tuple[int, str]]]) -> dict[str, Any]:
    n = len(set(labels.tolist()) - {-1})
    return {
        "name": f"{n} group{'' if n == 1 else 's'}",
        "labels": labels.tolist(),
        "sheets": [[cluster, [list(item) for item in items]] for cluster, items in chosen.items()],
    }


def _shown(name: str) -> str:
    return f"{name} (metadata)" if name in _OWN else name


def _column(name: str, values: pd.Series) -> dict[str, Any] | None:
    """Return a column as numbers or as codes of texts; None where it has no value."""
    if not values.notna().any():
        return None
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return {"name": name, "values": _numbers(values.to_numpy(dtype=float, na_value=math.nan), _DIGITS)}
    codes, texts = pd.factorize(values.astype(object).map(str, na_action="ignore"), sort=True)
    return {"name": name, "codes": codes.tolist(), "texts": [str(text) for text in texts]}


def _numbers(values: Any, digits: int) -> list[float | int | None]:
    rounded = np.round(np.asarray(values, dtype=float), digits)
    return [
        None if not math.isfinite(value) else int(value) if value.is_integer() else value for value in rounded.tolist()
    ]


def unit_square(positions: np.ndarray) -> list[list[int]]:
    """Return places along both axes, fitted into a square from 0 to 10 000 with their proportions kept, y downwards."""
    positions = np.asarray(positions, dtype=float)
    low, high = positions.min(axis=0), positions.max(axis=0)
    placed = (positions - (low + high) / 2) / max(float((high - low).max()), 1e-12) + 0.5
    return [np.rint(_GRAIN * axis).astype(int).tolist() for axis in (placed[:, 0], 1 - placed[:, 1])]


def _neighbours(X: np.ndarray | None, metric: str) -> list[list[int]] | None:
    """Return the rows of the most similar recordings of each, the most similar first."""
    if X is None or not 1 < len(X) <= _NEIGHBOURS_LIMIT:
        return None
    from sklearn.neighbors import NearestNeighbors

    n = min(_NEIGHBOURS, len(X) - 1)
    return NearestNeighbors(n_neighbors=n, metric=metric).fit(X).kneighbors(return_distance=False).tolist()
