"""The clustering chosen without labels, and the consensus of all, beside the best one that labels could have picked."""

from __future__ import annotations

from typing import Any

import pandas as pd

from audioclust.report.tables.aggregate import best
from audioclust.report.tables.labels import algorithm_title, display, feature_title, groups, heading, name_of
from audioclust.report.tables.per_feature import cell, has_scores
from audioclust.report.tables.table import Table

__all__ = ["CONSENSUS", "chosen", "voters"]

CONSENSUS = "consensus"
"""The algorithm's name in the rows of the consensus."""


def voters(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are no consensus."""
    return table[table["algorithm"] != CONSENSUS].reset_index(drop=True)


def chosen(table: pd.DataFrame, *, by: str = "nmi") -> list[Table]:
    """Three rows: the highest agreement, the consensus, and the best score; one table per dataset and label column.

    Parameters
    ----------
    table : pd.DataFrame
        From `aggregate.aggregate`.
    by : str
        The score that labels would choose by.
    """
    tables = []
    for (dataset, label), group in groups(table):
        tried = voters(group)
        first, top = best(tried, "agreement"), best(tried, by)
        if first is None or top is None or not has_scores(group, by):
            continue
        made = group[group["algorithm"] == CONSENSUS]
        rows = {"chosen without labels": first}
        rows |= {"consensus of all": made.iloc[0]} if len(made) else {}
        rows |= {"best, labels in view": top}
        tables.append(_table(rows, by, len(tried[tried["agreement"].notna()]), heading(dataset, label)))
    return tables


def _table(rows: dict[str, pd.Series], by: str, count: int, head: str) -> Table:
    columns: dict[str, Any] = {"row": list(rows)}
    for name in ("feature", "algorithm", "vectors"):
        columns[name] = pd.Series([row[name] for row in rows.values()], dtype=object)
    scale, decimals, std = {}, {"clusters": 0}, pd.DataFrame(index=range(len(rows)))
    shown = [score for score in dict.fromkeys(["agreement", by, "nmi", "acc"]) if score in next(iter(rows.values()))]
    for score in shown:
        name = name_of(score)
        columns[name], scale[name], decimals[name] = [cell(row, score) for row in rows.values()], *display(score)
        std[name] = [cell(row, f"{score}_std") for row in rows.values()]
    columns["clusters"] = [cell(row, "n_clusters") for row in rows.values()]
    best_score = rows["best, labels in view"][by]
    factor, digits = display(by)
    apart = [f"{name} {(row[by] - best_score) * factor:+.{digits}f}" for name, row in rows.items()][:-1]
    return Table(
        title=f"Chosen without labels: {head}",
        values=pd.DataFrame(columns),
        std=std,
        scale=scale,
        decimals=decimals,
        words={"feature": feature_title, "algorithm": algorithm_title},
        caption=f"Of {count} clusterings the one with the highest agreement (how far clusterings of other features "
        "confirm it, in per cent), for which no label was used; the consensus of all; and the best of all, which only "
        "labels can pick and which is an optimistic choice.",
        notes=[f"Apart from the best in {name_of(by)}: {', '.join(apart)}.".replace("-", "−")],
    )
