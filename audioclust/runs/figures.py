"""Figures of a run as a whole: each draws what belongs to a step of a notebook, if figures are wanted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from audioclust import clustering
from audioclust.curation.trust import pair_scores
from audioclust.report import plots
from audioclust.runs.clusterings import FEWEST_TO_ESTIMATE
from audioclust.runs.record import Run

__all__ = ["answer", "clusterings", "k_selection", "losses", "neighbours", "reconstructions", "separation"]


def clusterings(run: Run, X: np.ndarray, index: pd.DataFrame) -> None:
    """Draw every algorithm's clusters (of the first seed) on one map, beside the labels where there are some.

    Parameters
    ----------
    run : Run
        With its clusterings recorded.
    X : np.ndarray [shape=(n, d)]
        What the map is made of; an algorithm that learned an embedding of its own has a map of that.
    index : pd.DataFrame
        The metadata rows of `X`.
    """
    p: Any = run.parameters
    if not p.figures or len(X) < 2:
        return
    maps: dict[int, np.ndarray] = {}
    for (algorithm, column), estimator in run.estimators.items():
        Z = getattr(estimator, "embedding_", X)
        if id(Z) not in maps:
            maps[id(Z)] = plots.project_2d(Z, method=p.projection, random_state=p.seeds[0])
        labels = run.labels(algorithm, label=column)
        truth = _truth(index, column)
        name = algorithm if column is None else f"{algorithm}_{column}"
        title = clustering.title_of(algorithm)
        run.draw(f"scatter_{name}", plots.scatter_pair, maps[id(Z)], truth, labels, title=title)
        run.draw(f"sizes_{name}", plots.cluster_sizes, labels)
        if truth is not None:
            run.draw(f"confusion_{name}", plots.confusion, labels, truth)


def separation(run: Run, X: np.ndarray, sides: dict[str, np.ndarray], table: pd.DataFrame, *, most: int = 2000) -> None:
    """Draw how similar pairs of recordings of one group and of different groups are.

    Parameters
    ----------
    run : Run
    X : np.ndarray [shape=(n, d)]
        Unit vectors.
    sides : dict of str to array [shape=(n,)]
        As :func:`audioclust.curation.trust.separation` takes them.
    table : pd.DataFrame
        What that function returned.
    most : int
        Recordings whose pairs are drawn.
    """
    for row in table.dropna(subset="equal_error_rate").itertuples():
        same, different = pair_scores(X, sides[str(row.by)], most=most)
        if len(same) and len(different):
            numbers = {"eer": row.equal_error_rate, "threshold": row.threshold}
            run.draw(f"scores_{row.by}", plots.score_distributions, same, different, **numbers)


def answer(run: Run, X: np.ndarray, labels: np.ndarray) -> None:
    """Draw the clusters that are the run's answer on a map of `X` [shape=(n, d)]."""
    p: Any = run.parameters
    if p.figures and len(X) > 1:
        points = plots.project_2d(X, method=p.projection, random_state=p.seeds[0])
        groups = len(set(labels[labels != -1]))
        run.draw("answer", plots.scatter, points, labels, title=f"The answer: {run.answer}, {groups} groups")


def k_selection(run: Run, X: np.ndarray) -> None:
    """Draw how the number of clusters would be estimated from `X` [shape=(n, d)]."""
    p: Any = run.parameters
    if p.figures and len(X) >= FEWEST_TO_ESTIMATE:
        estimate = clustering.estimate_k(X, k_max=min(p.k_max, len(X) - 1), random_state=p.seeds[0])
        run.draw("k_selection", plots.k_selection, estimate)


def losses(run: Run) -> None:
    """Draw the losses of every network that logs more than one while it learns to cluster."""
    for (algorithm, column), estimator in run.estimators.items():
        history = getattr(estimator, "history_", pd.DataFrame())
        parts = [name for name in ("reconstruction", "clustering") if name in history]
        if len(parts) > 1:
            name = f"loss_{algorithm}" + (f"_{column}" if column else "")
            title = clustering.title_of(algorithm)
            run.draw(name, plots.loss_curves, history[["epoch", *parts]], title=title)


def reconstructions(run: Run, network: Any, images: np.ndarray, index: pd.DataFrame, *, shown: int = 8) -> None:
    """Draw images and what an autoencoder rebuilds of them; `shown` of them, evenly spread over the rows."""
    rows = np.linspace(0, len(images) - 1, min(shown, len(images))).astype(int)
    names, chosen = index["name"].iloc[rows].tolist(), images[rows]
    run.draw("reconstructions", plots.reconstructions, chosen, network.reconstruct(chosen), names=names)


def neighbours(run: Run, Z: np.ndarray, images: np.ndarray, index: pd.DataFrame, *, shown: int = 5) -> None:
    """Draw some images, each with those whose embeddings Z [shape=(n, d)] are nearest to its own."""
    queries = np.linspace(0, len(images) - 1, min(shown, len(images))).astype(int)
    search = NearestNeighbors(n_neighbors=min(shown + 1, len(images))).fit(Z)
    nearest = search.kneighbors(Z[queries], return_distance=False)
    run.draw("nearest", plots.nearest_images, images, nearest, names=index["name"].tolist())


def _truth(index: pd.DataFrame, column: str | None) -> np.ndarray | None:
    """Return the labels in a column, None where there are none."""
    if column is None or column not in index or index[column].isna().all():
        return None
    return index[column].to_numpy()
