"""Which score of a clustering predicts what it is worth: correlations with a result, and agreement across clusterings.

A table has one row per clustering, its scores as columns, and a result, such as the equal error rate of a network that
was trained on the clusters. Intervals are bootstrap percentiles over the rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.metrics import adjusted_rand_score

from audioclust.evaluation.scores import SCORES, evaluate
from audioclust.validation import check_number, check_share

__all__ = ["agreement", "clustering_scores", "correlations", "paired_difference"]

NOT_SCORES = ("coverage",)


def agreement(partitions: Sequence[ArrayLike]) -> NDArray[np.float64]:
    """Return the mean adjusted Rand index of each clustering with all others [shape=(m,)]; no label is used.

    Examples
    --------
    >>> agreement([[0, 0, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1]]).round(2).tolist()
    [0.25, 0.25, -0.5]
    """
    m = len(partitions)
    check_number("number of partitions", m, 2, whole=True)
    values = np.zeros((m, m))
    for one in range(m):
        for other in range(one):
            values[one, other] = values[other, one] = adjusted_rand_score(partitions[one], partitions[other])
    return values.sum(axis=1) / (m - 1)


def clustering_scores(partitions: Sequence[ArrayLike], truth: ArrayLike | None, X: ArrayLike | None) -> pd.DataFrame:
    """Score many clusterings of the same recordings.

    Returns
    -------
    DataFrame
        One row per clustering: the scores of :func:`~audioclust.evaluation.evaluate` and ``agreement``.

    Examples
    --------
    >>> clustering_scores([[0, 0, 1, 1], [0, 1, 0, 1]], [0, 0, 1, 1], None)["acc"].tolist()
    [1.0, 0.5]
    """
    table = pd.DataFrame([evaluate(labels, truth, X) for labels in partitions])
    kept = [name for name in SCORES if not name.endswith("_clustered") and name not in NOT_SCORES]
    return table[kept].assign(agreement=agreement(partitions))


def correlations(
    table: pd.DataFrame,
    result: str,
    *,
    groups: str | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Correlate every numeric score with a result.

    Parameters
    ----------
    table : DataFrame
        One row per clustering.
    result : str
        Column of what is to be predicted.
    groups : str, optional
        Column by whose values the correlations are also computed apart.
    draws : int
        Of the bootstrap.
    level : float in (0, 1)
        Of the intervals.
    seed : int

    Returns
    -------
    DataFrame
        ``group, score, n, pearson, pearson_low, pearson_high, spearman, spearman_low, spearman_high``; NaN where a
        score is the same for all clusterings.

    Raises
    ------
    ValueError
        When a column is not there, or a parameter is out of its range.

    Examples
    --------
    >>> table = pd.DataFrame({"acc": [0.1, 0.5, 0.7, 0.9], "eer": [0.4, 0.3, 0.2, 0.1]})
    >>> float(correlations(table, "eer")["spearman"].iloc[0])
    -1.0
    """
    check_number("draws", draws, 1, whole=True)
    check_share("level", level, one=False)
    for column in (result, *([] if groups is None else [groups])):
        if column not in table:
            raise ValueError(f"column {column!r} is not in the table, which has {', '.join(map(str, table.columns))}")
    parts = {"all": table}
    if groups is not None:
        parts |= {str(value): part for value, part in table.groupby(groups, sort=False)}
    ends = [50 * (1 - level), 50 * (1 + level)]
    rows = []
    for group, part in parts.items():
        for score in part.select_dtypes("number").columns:
            if score in (result, "seed", "split"):
                continue
            known = part[[score, result]].dropna().to_numpy(dtype=np.float64)
            row = {"group": group, "score": score, "n": len(known)}
            for name, values in (("pearson", known), ("spearman", _ranks(known))):
                drawn = np.random.default_rng(seed).integers(0, max(len(known), 1), (draws, len(known)))
                several = np.array([_pearson(_ranks(known[d]) if name == "spearman" else values[d]) for d in drawn])
                several = several[np.isfinite(several)]
                low, high = np.percentile(several, ends) if len(several) else (np.nan, np.nan)
                row |= {name: _pearson(values), f"{name}_low": low, f"{name}_high": high}
            rows.append(row)
    return pd.DataFrame(rows)


def paired_difference(
    one: ArrayLike, other: ArrayLike, *, draws: int = 2000, level: float = 0.95, seed: int = 0
) -> dict[str, float]:
    """Return the mean difference of paired results, and its bootstrap interval.

    Returns
    -------
    dict
        ``difference``, ``low``, ``high``, and ``told``: 1.0 where the interval leaves out 0, from 3 pairs on.

    Examples
    --------
    >>> paired_difference([0.3, 0.4, 0.35], [0.2, 0.25, 0.22])["told"]
    1.0
    """
    differences = np.asarray(one, dtype=np.float64) - np.asarray(other, dtype=np.float64)
    differences = differences[np.isfinite(differences)]
    if not len(differences):
        return {"difference": np.nan, "low": np.nan, "high": np.nan, "told": 0.0}
    drawn = np.random.default_rng(seed).integers(0, len(differences), (draws, len(differences)))
    low, high = np.percentile(differences[drawn].mean(axis=1), [50 * (1 - level), 50 * (1 + level)])
    told = len(differences) >= 3 and not low <= 0 <= high
    return {"difference": float(differences.mean()), "low": float(low), "high": float(high), "told": float(told)}


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return rankdata(values, axis=0) if len(values) else values


def _pearson(pairs: NDArray[np.float64]) -> float:
    if len(pairs) < 3 or (pairs.min(axis=0) == pairs.max(axis=0)).any():
        return float("nan")
    centred = pairs - pairs.mean(axis=0)
    return float((centred[:, 0] @ centred[:, 1]) / np.sqrt((centred**2).sum(axis=0).prod()))
