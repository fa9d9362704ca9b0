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
from audioclust.evaluation import internal
from audioclust.evaluation.external import same_partition
from audioclust.report.pages import sheets
from audioclust.validation import check_choice, check_labels, check_number

__all__ = ["describe"]

_PROJECTIONS = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
_TSNE_LIMIT = 5000
_SILHOUETTE_LIMIT = 20_000  # the cost of Euclidean ones grows with n²
_GRAIN = 10_000  # places on the map are whole numbers from 0 to this
_NEIGHBOURS = 6
_NEIGHBOURS_LIMIT = 5000  # recordings; of more, the page lists those near on the map
_UNLISTED = {"path", "name", "sha256", "source_sha256", "problem"}
_OWN = {"group", "confidence", "silhouette"}  # columns that the page adds
_DIGITS = 4


def describe(
    index: pd.DataFrame, labels: Any, *, X: np.ndarray | None, review: pd.DataFrame | None,
    positions: np.ndarray | None, silhouettes: np.ndarray | None, confidence: np.ndarray | None, levels: Sequence[Any],
    truth: str | None, per_cluster: int, projection: str, metric: str, title: str, random_state: int,
) -> dict[str, Any]:  # fmt: skip
    """Return what a page knows of the recordings and their groups; sound and pictures are not in it.

    The parameters, and what is refused, are those of :func:`audioclust.report.listen`.

    Returns
    -------
    dict
        Of what JSON can hold; see ``js/core.js``.
    """
    check_number("per_cluster", per_cluster, 1, whole=True)
    check_choice("projection", projection, ("auto", *_PROJECTIONS))
    check_choice("metric", metric, ("euclidean", "cosine"))
    given: dict[str, Any] = {"X": X, "positions": positions, "silhouettes": silhouettes, "confidence": confidence}
    labels = _checked(index, labels, **given)
    partitions = [_checked(index, level, name="levels") for level in levels]
    partitions = [level for level in partitions if not same_partition(level, labels)]
    if silhouettes is None:
        silhouettes = _silhouettes(X, labels, metric)
    unknown = np.full(len(labels), math.nan)
    groupings = [_grouping(labels, _sheet(index, labels, X, silhouettes, review, per_cluster, metric))]
    groupings += [_grouping(level, _sheet(index, level, X, unknown, None, per_cluster, metric)) for level in partitions]
    if positions is None and X is not None and len(labels):
        positions, projection = _placed(X, projection, random_state)
    facts = [f"map by {_PROJECTIONS[projection]}"] if positions is not None and projection in _PROJECTIONS else []
    facts += [f"{metric} silhouettes"] if X is not None and np.isfinite(silhouettes).any() else []
    paths = [str(path) for path in index["path"]]
    columns = [_column(_shown(str(name)), index[name]) for name in index if name not in _UNLISTED]
    if np.isfinite(silhouettes).any():
        columns.insert(0, {"name": "silhouette", "values": _numbers(silhouettes, 2)})
    known = index["sha256"] if "sha256" in index else [None] * len(index)
    return {
        "title": title,
        "facts": _counts(labels) + facts,
        "page": files.digest([paths, labels.tolist()]),
        "paths": paths,
        "sha256": [None if pd.isna(value) else str(value) for value in known],
        "truth": _shown(truth) if truth is not None and truth in index else None,
        "at": None if positions is None else _unit_square(positions),
        "groupings": groupings,
        "confidence": None if confidence is None else _numbers(confidence, 2),
        "columns": [column for column in columns if column is not None],
        "neighbours": _neighbours(X, metric),
        "parts": {},
        "problems": {},
        "thumbnails": None,
    }


def _checked(index: pd.DataFrame, labels: Any, *, name: str = "labels", **values: Any) -> np.ndarray:
    """Check what there is one of for each recording; return the labels as an array."""
    if "path" not in index:
        raise ValueError("index: lacks the column 'path'")
    for each, given in {name: labels, **values}.items():
        if given is not None and len(given) != len(index):
            raise ValueError(f"{each}: {len(given)} values for {len(index)} recordings")
    return check_labels(labels, len(index), rows="index") if len(index) else np.empty(0, dtype=np.intp)


def _silhouettes(X: np.ndarray | None, labels: np.ndarray, metric: str) -> np.ndarray:
    if X is None or (metric == "euclidean" and len(X) > _SILHOUETTE_LIMIT) or not len(X):
        return np.full(len(labels), math.nan)
    return internal.silhouettes(X, labels, metric=metric)


def _sheet(
    index: pd.DataFrame,
    labels: np.ndarray,
    X: np.ndarray | None,
    silhouettes: np.ndarray,
    review: pd.DataFrame | None,
    per_cluster: int,
    metric: str,
) -> sheets.Sheets:
    """Return which recordings of each group are shown first."""
    if review is not None:
        return sheets.listed(labels, [str(path) for path in index["path"]], review)
    if X is not None and len(labels):
        return sheets.by_review(X, labels, silhouettes, per_cluster, metric)
    return sheets.by_position(labels, per_cluster)


def _placed(X: np.ndarray, projection: str, random_state: int) -> tuple[np.ndarray, str]:
    """Place the vectors in the plane; return where, and by which projection."""
    from audioclust.report.plots.space import project_2d

    if projection == "auto":
        projection = "tsne" if len(X) <= _TSNE_LIMIT else "pca"
    return project_2d(np.asarray(X), projection, random_state=random_state), projection


def _counts(labels: np.ndarray) -> list[str]:
    n, noise = len(labels), int((labels == -1).sum())
    parts = [f"{n:,} recordings", f"{len(sheets.in_order(labels)) - (noise > 0)} groups"]
    return parts + ([f"{noise:,} in no group"] if noise else [])


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


def _unit_square(positions: np.ndarray) -> list[list[int]]:
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
