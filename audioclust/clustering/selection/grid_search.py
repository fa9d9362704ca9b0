"""Trying a clusterer with many parameters, and choosing among them without labels.

Every combination of a grid is fitted and scored by internal indices (:mod:`audioclust.evaluation.internal`) on the
recordings that are not noise. Indices reward degenerate clusterings, so a combination can only be chosen when it is
none: at least two clusters, none of them giant (nine tenths), as many as were asked for, at most one for every two
recordings, and no more than half of the recordings noise. Among these the best mean rank over three indices is chosen,
so no index decides alone.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import ParameterGrid
from sklearn.utils import check_array

from audioclust import parallel
from audioclust.clustering.registry import make, parameters
from audioclust.evaluation import degenerate
from audioclust.evaluation import internal as indices

__all__ = ["GRIDS", "search"]

_log = logging.getLogger(__name__)

Grid = Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Sequence[Any]]]
Score = str | Callable[[NDArray[np.float64], NDArray[np.intp]], float]

GRIDS: dict[str, Grid] = {
    "kmeans": {
        "init": ["k-means++", "random"],
        "max_iter": [10, 15, 25, 50, 100, 200],
        "tol": [1e-2, 1e-3, 1e-4, 1e-5],
    },
    "fuzzy_cmeans": {
        "m": [1.1, 1.25, 1.5, 2.0],
        "max_iter": [50, 100, 150],
        "tol": [1e-2, 1e-3, 1e-4, 1e-5],
    },
    "agglomerative": {"linkage": ["ward", "complete", "average", "single"]},
    "dbscan": {"eps_quantile": [0.5, 0.6, 0.7, 0.8, 0.9, 0.95], "min_samples": [3, 5, 10]},
    "hdbscan": {
        "min_cluster_size": [3, 5, 10, 20],
        "min_samples": [1, 5, 10],
        "cluster_selection_method": ["eom", "leaf"],
    },
    "spectral": [
        {"affinity": ["nearest_neighbors"], "n_neighbors": [5, 10, 20]},
        {"affinity": ["rbf"], "gamma": ["auto", "local"]},
    ],
}
"""A grid for each clusterer. What cannot change the labels is no axis: DBSCAN's search structure and leaf size, say."""

_SCORES = ("rank", "silhouette", "davies_bouldin", "calinski_harabasz")


def search(
    X: ArrayLike,
    name: str,
    grid: Grid | None = None,
    *,
    score: Score = "rank",
    random_state: Any = None,
    jobs: parallel.Jobs = 1,
    **fixed: Any,
) -> pd.DataFrame:
    """Fit a clusterer with every combination of a grid.

    Parameters
    ----------
    X : array-like [shape=(n, d)]
        One vector per recording, finite.
    name : str
        The clusterer, see :func:`audioclust.clustering.available`.
    grid : dict of str to sequence, or sequence of such dicts, optional
        Values to try for each parameter; default ``GRIDS[name]``.
    score : {"rank", "silhouette", "davies_bouldin", "calinski_harabasz"} or callable
        What chooses among sound combinations: the mean rank over the three indices, one index, or ``score(X,
        labels)``, of which larger is better and whose labels may hold -1. The silhouette counts noise as 0.
    random_state : int or None
        Seed for every clusterer that draws.
    jobs : int or str
        Workers, see :mod:`audioclust.parallel`.
    **fixed
        Parameters that stay the same, such as ``n_clusters``.

    Returns
    -------
    DataFrame
        One row per combination, in the grid's order: its parameters, ``n_clusters_found``, ``coverage`` (share that is
        not noise), ``largest`` (share of the largest cluster), the three indices, ``score`` (larger is better; NaN for
        a combination that cannot be chosen), ``selected`` (one row, or none when all are degenerate), ``problems``
        (why it cannot be chosen, empty if it can), ``seconds``.

    Raises
    ------
    ValueError
        When the clusterer or a parameter's name is unknown, there is no grid, or `X` cannot be used.
    """
    data = check_array(X, dtype=np.float64, ensure_min_samples=2)
    allowed = parameters(name)
    if grid is None:
        if name not in GRIDS:
            raise ValueError(f"clusterer {name!r} has no grid of its own: give one")
        grid = GRIDS[name]
    if isinstance(score, str) and score not in _SCORES:
        raise ValueError(f"score={score!r}: give one of {', '.join(_SCORES)}, or a function")
    if "random_state" in allowed:
        fixed = {"random_state": random_state, **fixed}
    combinations = [dict(combination) for combination in ParameterGrid(grid)]
    for combination in combinations:
        make(name, **fixed, **combination)  # a misspelt parameter is named before anything is fitted
    own = score if callable(score) else None
    work = [(data, name, fixed, combination, own) for combination in combinations]
    rows = list(parallel.map(_fit, work, jobs=jobs, description=f"{name} grid"))
    table = pd.DataFrame(rows)
    sound = table["problems"].map(len).eq(0)
    if score == "rank":
        ranks = [
            (table["silhouette"] * table["coverage"])[sound].rank(ascending=False),
            table["davies_bouldin"][sound].rank(),
            table["calinski_harabasz"][sound].rank(ascending=False),
        ]
        table["score"] = -sum(ranks) / len(ranks)
    elif score == "silhouette":
        table["score"] = (table["silhouette"] * table["coverage"]).where(sound)
    elif isinstance(score, str):
        table["score"] = table[score].where(sound) * (-1 if score == "davies_bouldin" else 1)
    else:
        table["score"] = table["score"].where(sound)
    table["selected"] = False
    if table["score"].notna().any():
        table.loc[table["score"].idxmax(), "selected"] = True
    else:
        _log.warning("%s: all %d combinations give degenerate clusterings; none is selected", name, len(table))
    return table


def _fit(work: tuple[NDArray[np.float64], str, dict[str, Any], dict[str, Any], Any]) -> dict[str, Any]:
    X, name, fixed, combination, own = work
    row: dict[str, Any] = dict(combination)
    began = time.perf_counter()
    problems: list[str] = []
    labels = np.full(len(X), -1)
    asked = {**fixed, **combination}.get("n_clusters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimator = make(name, **fixed, **combination)
            labels = estimator.fit_predict(X)
        problems = degenerate.check(
            labels, asked, partition_coefficient=getattr(estimator, "partition_coefficient_", None)
        )
    except ValueError as error:
        problems.append(str(error))
    seconds = time.perf_counter() - began
    clustered = labels != -1
    sizes = np.unique(labels[clustered], return_counts=True)[1]
    if len(sizes) > len(X) / 2:
        problems.append(f"{len(sizes)} clusters of {len(X)} recordings")
    kept, clusters = X[clustered], labels[clustered]
    row |= {
        "n_clusters_found": len(sizes),
        "coverage": float(clustered.mean()),
        "largest": float(sizes.max() / sizes.sum()) if len(sizes) else np.nan,
        "silhouette": indices.silhouette(kept, clusters) if len(sizes) else np.nan,
        "davies_bouldin": indices.davies_bouldin(kept, clusters) if len(sizes) else np.nan,
        "calinski_harabasz": indices.calinski_harabasz(kept, clusters) if len(sizes) else np.nan,
        "score": np.nan if own is None or problems else float(own(X, labels)),
        "selected": False,
        "problems": problems,
        "seconds": seconds,
    }
    return row
