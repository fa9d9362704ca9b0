"""What else a clustering follows: the nuisance audit.

Clusters that were meant to be emotions may follow the actresses, and clusters of sounds the loudness. The audit is the
normalised mutual information (arithmetic mean, in [0, 1]; see :mod:`audioclust.evaluation.external`) between the
clustering and every other thing that is known about the recordings.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.metrics import normalized_mutual_info_score

from audioclust.evaluation.external import same_partition, truth_codes
from audioclust.validation import check_labels, check_number

__all__ = ["nuisance"]

_NOT_LABELS = frozenset(
    ("path", "name", "extension", "duration", "sample_rate", "channels", "level", "sha256", "problem", "note")
)
_MEASURED = ("duration", "level")


def nuisance(
    labels: ArrayLike, index: pd.DataFrame, truth_column: str | None = None, *, bins: int = 5
) -> dict[str, float]:
    """Measure how much a clustering tells about every column that it is not scored against.

    Parameters
    ----------
    labels : array-like of int [shape=(n,)]
        The clustering; noise (-1) is left out.
    index : DataFrame of n rows
        The metadata of the recordings, in the order of `labels`.
    truth_column : str, optional
        The column that the clustering is scored against. It is left out, and so is a column that only renames it.
    bins : int >= 2
        ``duration`` and ``level`` are cut at their quantiles into this many bins of equal counts (fewer where
        values repeat).

    Returns
    -------
    dict of str to float
        NMI by column: the label columns of `index` (those that are constant or different in every row say nothing and
        are left out), then ``duration`` and ``level`` where they vary. Rows without a value are left out of its column.

    Raises
    ------
    ValueError
        When lengths differ, the column is not in the table, or `bins` is below 2.

    Examples
    --------
    >>> index = pd.DataFrame({"speaker": ["ada", "ada", "eve", "eve"], "duration": [1.0, 2.0, 1.0, 2.0]})
    >>> {column: round(score, 2) for column, score in nuisance([0, 0, 1, 1], index).items()}
    {'speaker': 1.0, 'duration': 0.0}
    """
    clusters = check_labels(labels, len(index), rows="index")
    if truth_column is not None and truth_column not in index:
        raise ValueError(f"truth_column={truth_column!r}: the table has {', '.join(map(str, index.columns))}")
    check_number("bins", bins, 2, whole=True)
    truth = None if truth_column is None else truth_codes(index[truth_column], len(index))
    clustered = clusters != -1
    scores: dict[str, float] = {}
    for column in _label_columns(index.columns, truth_column):
        codes = truth_codes(index[column], len(index))
        if truth is None or not same_partition(codes, truth):
            scores[column] = _nmi(clusters[clustered], codes[clustered])
    for column in _MEASURED:
        if column in index and column != truth_column:
            codes = truth_codes(_quantiles(index[column], bins), len(index))
            scores[column] = _nmi(clusters[clustered], codes[clustered])
    return {column: value for column, value in scores.items() if not math.isnan(value)}


def _label_columns(columns: Iterable[str], truth_column: str | None) -> list[str]:
    return [column for column in columns if column not in _NOT_LABELS and column != truth_column]


def _quantiles(values: pd.Series, bins: int) -> pd.Series:
    """Return the bin of each value, of equal counts as far as ties allow; missing and infinite values stay missing."""
    numbers = pd.to_numeric(values, errors="coerce").astype(float).replace([np.inf, -np.inf], np.nan)
    if numbers.isna().all():
        return numbers
    edges = np.unique(numbers.quantile(np.arange(1, bins) / bins))
    return pd.Series(np.searchsorted(edges, numbers, side="right"), numbers.index).where(numbers.notna())


def _nmi(clusters: np.ndarray, codes: np.ndarray) -> float:
    known = codes >= 0
    kinds = len(np.unique(codes[known]))
    if kinds < 2 or kinds == np.count_nonzero(known):
        return math.nan
    return float(normalized_mutual_info_score(codes[known], clusters[known]))
