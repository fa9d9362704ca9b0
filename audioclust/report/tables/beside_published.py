"""Published figures, each beside what was made here: like beside like, then the best of the same feature."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from audioclust.report.tables.aggregate import LOWER, best
from audioclust.report.tables.labels import display, feature_title, groups, heading, name_of
from audioclust.report.tables.per_feature import cell, has_scores, seeds
from audioclust.report.tables.published import SOURCES, Figure, lookup
from audioclust.report.tables.table import Table, rank

__all__ = ["published"]

_HEADS = ("published", "the same here", "best of the feature here")
_SCORES = ("nmi", "acc", "silhouette", "davies_bouldin")


def published(table: pd.DataFrame, *, by: str = "nmi") -> list[Table]:
    """Put every published row beside the same algorithm and kind of vectors here, and the best of the feature.

    One table per dataset, label and source.

    Parameters
    ----------
    table : pd.DataFrame
        From `aggregate.aggregate`.
    by : str
        As for `comparison`.
    """
    tables = []
    for (dataset, label), group in groups(table):
        figures = lookup(dataset, label)
        for source in dict.fromkeys(figure.source for figure in figures):
            of_source = [figure for figure in figures if figure.source == source]
            title = f"Beside published figures: {heading(dataset, label)}, {source}"
            tables.append(_table(title, group, of_source, by))
    return tables


def _table(title: str, group: pd.DataFrame, figures: list[Figure], by: str) -> Table:
    kept = [figure for figure in figures if not figure.doubtful]
    shown = [score for score in _SCORES if any(getattr(figure, score) is not None for figure in kept)]
    rows, deviations = [], []
    for figure in kept:
        of_feature = group[group["feature"] == figure.feature]
        like = [figure.is_like(row.algorithm, row.vectors, str(row.params)) for row in of_feature.itertuples()]
        row: dict[Any, Any] = {("", "feature"): figure.feature, ("", "algorithm"): figure.title}
        row |= {("published", name_of(score)): getattr(figure, score) for score in shown}
        deviation: dict[Any, float] = {}
        for head, tried in zip(_HEADS[1:], (of_feature[np.array(like, dtype=bool)], of_feature), strict=True):
            ours = best(tried, by if has_scores(tried, by) else shown[0])
            row |= {(head, name_of(score)): cell(ours, score) for score in shown}
            deviation |= {(head, name_of(score)): cell(ours, f"{score}_std") for score in shown}
        rows.append(row)
        deviations.append(deviation)
    values = pd.DataFrame(rows)
    values.columns = pd.MultiIndex.from_tuples(list(values.columns))  # type: ignore[arg-type]
    values = values.astype({column: float for column in values.columns if column[0]})
    shapes = {(head, name_of(score)): display(score) for score in shown for head in _HEADS}
    decimals = {column: places for column, (_, places) in shapes.items()}
    decimals |= {("published", name_of(score)): 0 for score in ("nmi", "acc")}
    left_out = [f"Left out: {feature_title(f.feature)}, {f.title}: {f.doubtful}." for f in figures if f.doubtful]
    return Table(
        title=title,
        values=values,
        std=pd.DataFrame(deviations),
        marks=_marks(values, shown),
        scale={column: factor for column, (factor, _) in shapes.items()},
        decimals=decimals,
        words={("", "feature"): feature_title},
        stub=2,
        notes=[f"Source: {SOURCES[figures[0].source]}.", *left_out],
        caption=f"{_unit(shown)}Mean ± standard deviation over seeds ({seeds([group])}). The same here: the same "
        "algorithm on the same kind of vectors (image or array, size of the embedding); of several, the best. In each "
        "row the best of a score in bold, to the digits that were published.",
    )


def _marks(values: pd.DataFrame, shown: list[str]) -> pd.DataFrame:
    marks = pd.DataFrame(0, index=values.index, columns=values.columns)
    for score in shown:
        across = [(head, name_of(score)) for head in _HEADS]
        scale, _ = display(score)
        # Published figures have two digits: a difference below that is none.
        digits = 0 if scale > 1 else 2
        ranks = (values.loc[:, across] * scale).apply(rank, axis=1, decimals=digits, largest=score not in LOWER)
        marks.loc[:, across] = ranks.where(ranks == 1, 0)
    return marks


def _unit(shown: list[str]) -> str:
    names = [name_of(score) for score in shown if display(score)[0] == 100]
    return f"{' and '.join(names)} in per cent. " if names else ""
