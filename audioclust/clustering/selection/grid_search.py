"""Trying a clusterer with many parameters, and choosing among them without labels.

Every combination of a grid is fitted and scored by internal indices (:mod:`audioclust.evaluation.internal`) on the
recordings that are not noise. Combinations of HDBSCAN that differ only in what is selected from its tree share one
tree. Indices reward degenerate clusterings, so a combination can only be chosen when it is none: at least two clusters,
none of them giant (nine tenths), as many as were asked for, at most one for every two recordings, and no more than half
of the recordings noise. Among these the best mean rank over three indices is chosen, so no index decides alone.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import ParameterGrid
from sklearn.utils import check_array

from audioclust import parallel
from audioclust.clustering.registry import make, parameters
from audioclust.evaluation import degenerate
from audioclust.evaluation import internal as indices
from audioclust.validation import check_choice

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
        What chooses among the combinations that are not degenerate: the mean rank over the three indices, one index,
        or ``score(X, labels)``, of which larger is better and whose labels may hold -1. The silhouette counts noise
        as 0.
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
        (why it cannot be chosen, empty if it can), ``seconds`` (of the fit; where combinations share a tree, the first
        has the tree's).

    Raises
    ------
    ValueError
        When the clusterer or a parameter's name is unknown, there is no grid, or `X` cannot be used.

    Examples
    --------
    >>> X = [[0.0], [0.1], [0.2], [9.0], [9.1], [9.2]]
    >>> table = search(X, "agglomerative", {"n_clusters": [2, 3]})
    >>> table.loc[table["selected"], "n_clusters"].tolist()
    [2]
    """
    data = check_array(X, dtype=np.float64, ensure_min_samples=2)
    if "random_state" in parameters(name):
        fixed = {"random_state": random_state, **fixed}
    combinations = _combinations(name, grid, fixed)
    if not callable(score):
        check_choice("score", score, _SCORES)
    families = _families(name, fixed, combinations)
    work = [(name, fixed, [combinations[place] for place in family]) for family in families]
    fits: dict[int, _Fit] = {}
    with parallel.Workers(jobs) as workers:  # they read the data once
        found = parallel.progress(workers.map(_fit, work, arrays=[data]), f"{name} grid", len(work))
        for family, several in zip(families, found, strict=True):
            fits.update(zip(family, several, strict=True))
        own = score if callable(score) else None
        fitted = [(combination, fits[place], own) for place, combination in enumerate(combinations)]
        rows = list(parallel.progress(workers.map(_scored, fitted, arrays=[data]), f"{name} scores", len(fitted)))
    return _selected(pd.DataFrame(rows), name, score)


def _combinations(name: str, grid: Grid | None, fixed: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the combinations of a grid; a misspelt parameter is named before anything is fitted."""
    if grid is None:
        if name not in GRIDS:
            raise ValueError(f"clusterer {name!r} has no grid of its own: give one")
        grid = GRIDS[name]
    combinations = [dict(combination) for combination in ParameterGrid(grid)]
    for combination in combinations:
        make(name, **fixed, **combination)
    return combinations


def _selected(table: pd.DataFrame, name: str, score: Score) -> pd.DataFrame:
    """Return the table with its scores, and the best combination that is not degenerate selected."""
    table["score"] = _scores(table, score).where(table["problems"].map(len).eq(0))
    table["selected"] = False
    if table["score"].notna().any():
        table.loc[table["score"].idxmax(), "selected"] = True
    else:
        _log.warning("%s: all %d combinations give degenerate clusterings; none is selected", name, len(table))
    return table


def _scores(table: pd.DataFrame, score: Score) -> pd.Series:
    """Return what chooses among the combinations, larger is better; ranks are among those that can be chosen."""
    if callable(score):
        return table["score"]
    values = pd.DataFrame(
        {
            "silhouette": table["silhouette"] * table["coverage"],
            "davies_bouldin": -table["davies_bouldin"],
            "calinski_harabasz": table["calinski_harabasz"],
        }
    )
    if score != "rank":
        return values[score]
    sound = table["problems"].map(len).eq(0)
    return -values[sound].rank(ascending=False).sum(axis=1, skipna=False).reindex(table.index) / values.shape[1]


class _Fit(NamedTuple):
    labels: NDArray[np.intp]
    problems: list[str]
    seconds: float


def _families(name: str, fixed: dict[str, Any], combinations: list[dict[str, Any]]) -> list[list[int]]:
    """Return the places of the combinations that one fit serves: those of HDBSCAN that select from one tree."""
    families: dict[str, list[int]] = {}
    for place, combination in enumerate(combinations):
        estimator = make(name, **fixed, **combination)
        tree = estimator.tree_settings() if hasattr(estimator, "tree_settings") else place
        families.setdefault(repr(tree), []).append(place)
    return list(families.values())


def _fit(work: tuple[str, dict[str, Any], list[dict[str, Any]]], X: NDArray[np.float64]) -> list[_Fit]:
    """Fit the first combination of a family, and relabel it for the others."""
    name, fixed, family = work
    found, fitted = [], None
    for combination in family:
        began = time.perf_counter()
        problems: list[str] = []
        labels = np.full(len(X), -1)
        settings = {**fixed, **combination}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if fitted is None:
                    estimator = make(name, **settings)
                    labels = estimator.fit_predict(X)
                    fitted = estimator if len(family) > 1 else None
                else:
                    labels = fitted.relabel(**{key: settings[key] for key in fitted.RELABELS if key in settings})
            coefficient = getattr(estimator, "partition_coefficient_", None)
            problems = degenerate.check(labels, settings.get("n_clusters"), partition_coefficient=coefficient)
        except ValueError as error:
            problems.append(str(error))
        found.append(_Fit(labels, problems, time.perf_counter() - began))
    return found


def _scored(work: tuple[dict[str, Any], _Fit, Any], X: NDArray[np.float64]) -> dict[str, Any]:
    """Return the row of one combination."""
    combination, fit, own = work
    labels, problems = fit.labels, list(fit.problems)
    clustered = labels != -1
    sizes = np.unique(labels[clustered], return_counts=True)[1]
    if len(sizes) > len(X) / 2:
        problems.append(f"{len(sizes)} clusters of {len(X)} recordings")
    kept, clusters = X[clustered], labels[clustered]
    return {
        **combination,
        "n_clusters_found": len(sizes),
        "coverage": float(clustered.mean()),
        "largest": float(sizes.max() / sizes.sum()) if len(sizes) else np.nan,
        "silhouette": indices.silhouette(kept, clusters) if len(sizes) else np.nan,
        "davies_bouldin": indices.davies_bouldin(kept, clusters) if len(sizes) else np.nan,
        "calinski_harabasz": indices.calinski_harabasz(kept, clusters) if len(sizes) else np.nan,
        "score": np.nan if own is None or problems else float(own(X, labels)),
        "selected": False,
        "problems": problems,
        "seconds": fit.seconds,
    }
