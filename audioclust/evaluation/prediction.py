"""Which score of a clustering predicts what it is worth: correlations with a result, and agreement across clusterings.

A table has one row per clustering, its scores as columns, and a result, such as the equal error rate of a network that
was trained on the clusters. Intervals of correlations are bootstrap percentiles over the rows; those of means, of which
there are few, are Student's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata, t
from sklearn.metrics import adjusted_rand_score

from audioclust.evaluation.scores import SCORES, evaluate
from audioclust.validation import check_number, check_share

__all__ = ["agreement", "clustering_scores", "correlations", "flip_labels", "mean_interval", "paired_difference"]

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
    within: str | None = None,
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
    within : str, optional
        Column of sets that differ in how hard they are: scores and result are taken as differences to the mean of
        their set.
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
    for column in (result, *(name for name in (groups, within) if name is not None)):
        if column not in table:
            raise ValueError(f"column {column!r} is not in the table, which has {', '.join(map(str, table.columns))}")
    names = [name for name in table.select_dtypes("number").columns if name not in (result, within, "seed", "split")]
    numbers = table[[*names, result]].astype(np.float64)
    if within is not None:
        numbers -= numbers.groupby(table[within]).transform("mean")
    parts = {"all": numbers}
    if groups is not None:
        parts |= {str(value): part for value, part in numbers.groupby(table[groups], sort=False)}
    ends = [50 * (1 - level), 50 * (1 + level)]
    rows = []
    for group, part in parts.items():
        for score in names:
            known = part[[score, result]].dropna().to_numpy(dtype=np.float64)
            row = {"group": group, "score": score, "n": len(known)}
            drawn = known[np.random.default_rng(seed).integers(0, max(len(known), 1), (draws, len(known)))]
            for name, correlation in (("pearson", _pearson), ("spearman", _spearman)):
                several = correlation(drawn)
                several = several[np.isfinite(several)]
                low, high = np.percentile(several, ends) if len(several) else (np.nan, np.nan)
                row |= {name: float(correlation(known)), f"{name}_low": low, f"{name}_high": high}
            rows.append(row)
    return pd.DataFrame(rows)


def flip_labels(labels: ArrayLike, share: float, *, seed: int = 0) -> NDArray[np.intp]:
    """Return labels of which a share is replaced, each by another one; none is more likely than others.

    Raises
    ------
    ValueError
        When the share is not from 0 to 1, or all labels are the same.

    Examples
    --------
    >>> flip_labels([0, 0, 1, 1], 0.5).tolist()
    [0, 1, 0, 1]
    """
    check_share("share", share, zero=True)
    names, codes = np.unique(np.asarray(labels), return_inverse=True)
    if len(names) < 2:
        raise ValueError("labels are all the same: there is no other one to put in place")
    draw = np.random.default_rng([seed, round(1000 * share)])
    rows = draw.choice(len(codes), round(share * len(codes)), replace=False)
    codes[rows] = (codes[rows] + draw.integers(1, len(names), len(rows))) % len(names)
    return names[codes]


def mean_interval(values: ArrayLike, *, level: float = 0.95) -> tuple[float, float, float]:
    """Return the mean of a few results, and the ends of its interval by Student's t; missing results are left out.

    The ends are NaN where there are fewer than two results.

    Examples
    --------
    >>> [round(value, 3) for value in mean_interval([0.2, 0.22, 0.24])]
    [0.22, 0.17, 0.27]
    """
    check_share("level", level, one=False)
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    mean = float(known.mean()) if len(known) else float("nan")
    if len(known) < 2:
        return mean, float("nan"), float("nan")
    half = float(t.ppf((1 + level) / 2, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known)))
    return mean, mean - half, mean + half


def paired_difference(one: ArrayLike, other: ArrayLike, *, level: float = 0.95) -> dict[str, float]:
    """Return the mean difference of paired results, and its interval by Student's t.

    Returns
    -------
    dict
        ``difference``, ``low``, ``high``, and ``told``: 1.0 where the interval leaves out 0, from 3 pairs on.

    Examples
    --------
    >>> paired_difference([0.3, 0.4, 0.35], [0.2, 0.28, 0.24])["told"]
    1.0
    """
    differences = np.asarray(one, dtype=np.float64) - np.asarray(other, dtype=np.float64)
    mean, low, high = mean_interval(differences, level=level)
    told = np.isfinite(differences).sum() >= 3 and not low <= 0 <= high
    return {"difference": mean, "low": low, "high": high, "told": float(told)}


def _spearman(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    return _pearson(rankdata(pairs, axis=-2) if pairs.size else pairs)


def _pearson(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correlation of pairs [shape=(..., n, 2)]; NaN of fewer than three, or where one side is constant."""
    centred = pairs - pairs.mean(axis=-2, keepdims=True) if pairs.shape[-2] else pairs
    lengths = np.sqrt((centred**2).sum(axis=-2).prod(axis=-1))
    constant = (np.ptp(pairs, axis=-2) == 0).any(axis=-1) if pairs.shape[-2] else True
    known = ~(constant | (lengths == 0)) & (pairs.shape[-2] >= 3)
    return np.divide(centred.prod(axis=-1).sum(axis=-1), lengths, out=np.full(lengths.shape, np.nan), where=known)
