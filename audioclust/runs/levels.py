"""The levels at which recordings group, as notebooks show them: which others there are, a table, and how to say it.

A clusterer that shows levels has ``labels_``, ``levels_`` and ``rungs_``, as :class:`audioclust.clustering.Levels` has.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audioclust import clustering, evaluation
from audioclust.clustering.levels import UNSTABLE, Level
from audioclust.evaluation.external import same_partition
from audioclust.runs.record import Run

__all__ = ["FEWEST", "TOO_FEW", "UNSTABLE", "beside", "count", "listed", "of", "sentence", "show", "table"]

FEWEST = 6  # recordings; of fewer there is no ladder
TOO_FEW = f"fewer than {FEWEST} recordings are too few to tell groups apart"


def of(run: Run, X: np.ndarray) -> tuple[str, Any]:
    """Return the clusterer of a run that shows levels, fitted, and its name; `Levels` of `X` where the run has none."""
    for (algorithm, _), estimator in run.estimators.items():
        if hasattr(estimator, "levels_") and hasattr(estimator, "rungs_"):
            return algorithm, estimator
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", clustering.DegenerateClusteringWarning)  # `sentence` says it
        seed = next(iter(getattr(run.parameters, "seeds", [])), 0)
        return "levels", clustering.Levels(random_state=seed).fit(X)


def show(run: Run, X: np.ndarray, index: pd.DataFrame, *, one: str = "group") -> tuple[str, pd.DataFrame]:
    """Draw the ladder of a run; return what its levels are in one line, and their `table`.

    Parameters
    ----------
    run : Run
        With its clusterings recorded; ``run.json`` remembers the levels.
    X : np.ndarray [shape=(n, d)]
        What was clustered.
    index : pd.DataFrame
        The metadata rows of `X`.
    one : str
        What a group is called.
    """
    from audioclust.report import plots

    name, found = of(run, X)
    if found.rungs_:
        run.draw("ladder", plots.ladder, found.rungs_, found.levels_)
    shown = table(found.levels_, {column: index[column].to_numpy() for column in run.known_labels(index)})
    run.outputs["levels"] = shown.to_dict("records")
    return f"{name}: {sentence(found, one)}", shown


def table(levels: Sequence[Level], truths: Mapping[str, np.ndarray] | None = None) -> pd.DataFrame:
    """Return one row per level: ``groups, stability, singletons, neighbours``, and ``ami_NAME`` with each of `truths`.

    ``singletons`` is the share of the recordings that are in groups of one, ``neighbours`` the range in which the
    groups stay the same.
    """
    rows = [
        {
            "groups": level.n_clusters,
            "stability": round(level.stability, 3),
            "singletons": round(level.singletons, 3),
            "neighbours": "{} to {}".format(*level.neighbours),
            **{
                f"ami_{name}": round(evaluation.evaluate(level.labels, truth)["ami"], 3)
                for name, truth in (truths or {}).items()
            },
        }
        for level in levels
    ]
    return pd.DataFrame(rows)


def sentence(found: Any, one: str = "group") -> str:
    """Say how many groups a clusterer that shows levels made, and at which other levels the recordings group.

    Examples
    --------
    >>> import numpy as np
    >>> from audioclust import clustering
    >>> X = np.repeat(np.eye(3), 20, axis=0) + 0.05 * np.random.default_rng(0).normal(size=(60, 3))
    >>> sentence(clustering.Levels().fit(X), "voice").partition(";")[0]
    '3 voices (stability 1.00)'
    """
    if len(found.labels_) < FEWEST:
        return TOO_FEW
    if not getattr(found, "stable_", True):
        return UNSTABLE
    others = beside(found.levels_, found.labels_)
    own = [level for level in found.levels_ if not any(level is other for other in others)]
    if found.n_clusters_ == 1:
        return count(1, one)
    return listed(own[:1], one) + (f"; also {listed(others)}" if others else "")


def listed(levels: Sequence[Level], one: str = "group") -> str:
    """Name levels by how many groups they have, and how stable these are."""
    return "; ".join(f"{count(level.n_clusters, one)} (stability {level.stability:.2f})" for level in levels)


def beside(levels: Sequence[Level], labels: NDArray[np.intp]) -> list[Level]:
    """Return the levels that group the recordings otherwise than `labels` [shape=(n,)] do."""
    return [level for level in levels if not same_partition(level.labels, labels)]


def count(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun.

    Examples
    --------
    >>> count(1, "group"), count(2, "group"), count(2, "copy", "copies")
    ('1 group', '2 groups', '2 copies')
    """
    return f"{number} {one if number == 1 else many or one + 's'}"
