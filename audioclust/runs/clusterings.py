"""The loop over algorithms, label columns and seeds that every clustering notebook runs.

What an algorithm takes, whether it finds the number of clusters and whether it is a network says its entry in
:mod:`audioclust.clustering.registry`; nothing here knows an algorithm by name.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any

import numpy as np
import pandas as pd

from audioclust import clustering
from audioclust.clustering.registry import Entry

__all__ = ["FEWEST_TO_ESTIMATE", "Fit", "Task", "fit", "is_labelled", "scored_against", "scored_columns", "tasks"]

log = logging.getLogger(__name__)

FEWEST_TO_ESTIMATE = 5
"""Of fewer recordings no number of clusters is estimated: clusterers that must be told it are left out."""


@dataclass(frozen=True)
class Task:
    """One clusterer to be fitted, and what it is scored against.

    Attributes
    ----------
    algorithm : str
        Its name in tables, ``NAME`` or ``NAME:VARIANT``.
    settings : dict
        Its parameters, without the seed and without what all networks share.
    k : int or None
        The number of clusters it is told.
    seed : int or None
    labels : list of (str or None)
        Columns to score against; None where there is none.
    """

    algorithm: str
    settings: dict[str, Any]
    k: int | None
    seed: int | None
    labels: list[str | None]


@dataclass
class Fit:
    """What fitting gave.

    Attributes
    ----------
    estimator : object or None
        None when it raised.
    labels : np.ndarray [shape=(n,)]
        All noise when it raised.
    seconds : float
    warnings : list of str
        What is degenerate about the result.
    error : str or None
    """

    estimator: Any
    labels: np.ndarray
    seconds: float
    warnings: list[str] = field(default_factory=list)
    error: str | None = None

    def partitions(self, algorithm: str) -> dict[str, np.ndarray]:
        """Return its clusterings by their names in tables: ``labels``, and those that the algorithm's entry names."""
        named = {algorithm: self.labels}
        for variant, attribute in clustering.entry(algorithm).partitions:
            named[f"{algorithm}{' ' if ':' in algorithm else ':'}{variant}"] = getattr(self.estimator, attribute)
        return named

    @property
    def probability(self) -> np.ndarray | None:
        """How surely each recording belongs to its cluster [shape=(n,)]; None where the clusterer does not say."""
        values = getattr(self.estimator, "probabilities_", None)
        return values if values is None or np.ndim(values) == 1 else np.max(values, axis=1)

    @property
    def hardware(self) -> dict[str, Any]:
        """Where a network was trained: device, precision, threads; empty for others."""
        used = getattr(getattr(self.estimator, "autoencoder_", self.estimator), "hardware_", None)
        return asdict(used) if is_dataclass(used) and not isinstance(used, type) else {}


def scored_columns(asked: Sequence[str] | None, index: pd.DataFrame) -> list[str]:
    """Return the columns to score against: those asked for, or by default who speaks.

    That is ``speaker``, or ``label`` where nobody wrote down the speakers: in a folder of one's own, the folder that a
    recording lies in.

    Examples
    --------
    >>> scored_columns(None, pd.DataFrame({"path": ["ann/1.wav", "bob/1.wav"], "label": ["ann", "bob"]}))
    ['label']
    """
    if asked is not None:
        return [*asked]
    return next(([column] for column in ("speaker", "label") if is_labelled(index, column)), [])


def is_labelled(index: pd.DataFrame, column: str | None) -> bool:
    """Whether any recording has a value in this column."""
    return column in index and bool(index[column].notna().any())


def scored_against(asked: Sequence[str] | None, index: pd.DataFrame) -> str:
    """Say what there is to score by, and how many of each; or that there is nothing, and what would be.

    Examples
    --------
    >>> index = pd.DataFrame({"path": ["ann/1.wav", "bob/1.wav"], "label": ["ann", "bob"]})
    >>> scored_against(["label"], index)
    'scored against: label (2)'
    """
    columns = scored_columns(asked, index)
    if known := [f"{column} ({index[column].nunique()})" for column in columns if is_labelled(index, column)]:
        return f"scored against: {', '.join(known)}"
    wanted = "speaker or label" if asked is None else " or ".join(asked) or "a column of labels"
    return f"NOT SCORED: no recording has a value in {wanted}. A folder per voice gives labels; `labels` names others."


def tasks(
    index: pd.DataFrame,
    *,
    algorithms: Sequence[str],
    labels: Sequence[str] | None,
    k: int | str,
    k_max: int,
    seeds: Sequence[int],
    params: Mapping[str, Mapping[str, Any]],
    estimate_from: np.ndarray,
) -> Iterator[Task]:
    """Yield what has to be fitted.

    An algorithm that does not use a seed runs once; one that is told no number of clusters runs once for all label
    columns.

    Parameters
    ----------
    index : pd.DataFrame [n rows]
    algorithms, labels, k, k_max, seeds, params
        As notebooks take them. `k` "labels" is the number of distinct labels, estimated where there are none.
    estimate_from : np.ndarray [shape=(n, d)]
        What the number of clusters is estimated from.
    """
    columns: list[str | None] = [*scored_columns(labels, index)] or [None]
    estimate: int | None = None
    for name in algorithms:
        entry, given = clustering.entry(name), dict(params.get(name, {}))
        wanted: dict[int | None, list[str | None]] = {}
        for column in columns:
            asked = None
            if _is_told_k(entry, given):
                asked = k if isinstance(k, int) else _distinct(index, column) if k == "labels" else 0
                if asked < 2 and estimate is None:
                    estimate = _estimate(estimate_from, k_max, seeds[0])
                asked = asked if asked >= 2 else estimate
                if not asked:
                    log.warning("%s is left out: %d recordings are too few to estimate k from", name, len(index))
                    continue
            wanted.setdefault(asked, []).append(column)
        takes = clustering.parameters(name)
        for asked, scored in wanted.items():
            settings = given if asked is None else {**given, "n_clusters": asked}
            for seed in seeds if "random_state" in takes else [None]:
                yield Task(name, settings, settings.get("n_clusters"), seed, scored)


def fit(task: Task, X: np.ndarray, shared: Mapping[str, Any]) -> Fit:
    """Fit one task's clusterer to `X`; what it raises becomes the fit's error.

    Parameters
    ----------
    task : Task
    X : np.ndarray [shape=(n, d) or (n, height, width)]
    shared : mapping
        Parameters for every clusterer that takes them, unless the task sets them.
    """
    started = time.perf_counter()
    caught: list[warnings.WarningMessage] = []
    labels = np.full(len(X), -1)
    try:
        takes = clustering.parameters(task.algorithm)
        usual = {**shared, **({} if task.seed is None else {"random_state": task.seed})}
        settings = {**{name: value for name, value in usual.items() if name in takes}, **task.settings}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator = clustering.make(task.algorithm, **settings)
            labels = np.asarray(_fit_predict(estimator, X))
    except Exception as error:
        log.warning("%s failed: %s", task.algorithm, error)
        return Fit(None, labels, time.perf_counter() - started, error=f"{type(error).__name__}: {error}")
    degenerate = {str(w.message) for w in caught if issubclass(w.category, clustering.DegenerateClusteringWarning)}
    return Fit(estimator, labels, time.perf_counter() - started, sorted(degenerate))


def _fit_predict(estimator: Any, X: np.ndarray) -> np.ndarray:
    """Return the labels of any estimator: some have no ``fit_predict`` of their own."""
    return estimator.fit_predict(X) if hasattr(estimator, "fit_predict") else estimator.fit(X).labels_


def _is_told_k(entry: Entry, given: Mapping[str, Any]) -> bool:
    """Whether the number of clusters has to be given to an algorithm with these parameters."""
    decided = {"n_clusters", "distance_threshold"} & set(given)
    return not entry.finds_k and not decided and "n_clusters" in entry.parameters()


def _estimate(X: np.ndarray, k_max: int, seed: int) -> int:
    if len(X) < FEWEST_TO_ESTIMATE:
        return 0
    return clustering.estimate_k(X, k_max=min(k_max, len(X) - 1), random_state=seed).k


def _distinct(index: pd.DataFrame, column: str | None) -> int:
    return int(index[column].nunique()) if column in index else 0
