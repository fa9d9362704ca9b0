"""The tables with a row for every clustering: what its clusters follow, and its scores."""

from __future__ import annotations

from typing import Any

import pandas as pd

from audioclust.report.tables.aggregate import LOWER, nuisance_columns, score_columns
from audioclust.report.tables.labels import (
    algorithm_title,
    blank,
    display,
    feature_title,
    groups,
    heading,
    is_empty,
    name_of,
)
from audioclust.report.tables.per_feature import has_scores, seeds
from audioclust.report.tables.table import Table, rank

__all__ = ["full", "nuisance"]

_FOLLOWED = 3
"""Further columns of the metadata that a printed table shows; CSV has them all."""
_WORDS = {"feature": feature_title, "algorithm": algorithm_title}
_PRINTED = ("agreement", "nmi", "acc", "ari")
_PRINTED_UNLABELLED = ("agreement",)


def nuisance(table: pd.DataFrame) -> list[Table]:
    """For every clustering: NMI with its label, and with everything else that is known of the recordings.

    Rows where something else explains the clusters better than the label are flagged and say what. Without labels
    there is nothing to compare with, and no table.
    """
    tables = []
    for (dataset, label), group in groups(table):
        columns = [c for c in nuisance_columns(group) if group[c].notna().any()]
        if columns and has_scores(group, "nmi"):
            group = group[group[columns].notna().any(axis=1)].sort_values("nmi", ascending=False, kind="stable")
            tables.append(_followed(group.reset_index(drop=True), columns, heading(dataset, label), str(label)))
    return tables


def _followed(group: pd.DataFrame, columns: list[str], head: str, label: str) -> Table:
    strongest = [str(name).removeprefix("nuisance_") for name in group[columns].fillna(-1).idxmax(axis=1)]
    exceeds = group[columns].max(axis=1) > group["nmi"]
    values = _what(group)
    means = {f"NMI {label}": "nmi"} | {f"NMI {name.removeprefix('nuisance_')}": name for name in columns}
    for name, source in means.items():
        values[name] = group[source]
    values["finding"] = [f"follows {what}" if more else "" for what, more in zip(strongest, exceeds, strict=True)]
    by_size = sorted(columns, key=lambda column: -group[column].max())
    rare = {f"NMI {column.removeprefix('nuisance_')}" for column in by_size[_FOLLOWED:]}
    shown = list(means)
    marks = (values[shown] * 100).apply(rank, axis=1, decimals=1).where(lambda m: m == 1, 0)
    return Table(
        title=f"What the clusters follow: {head}",
        values=values,
        std=pd.DataFrame({name: group[f"{source}_std"] for name, source in means.items()}),
        marks=marks,
        stub=3,
        flagged=[place for place, more in enumerate(exceeds) if more],
        decimals={**dict.fromkeys(shown, 1), "k": 0},
        scale=dict.fromkeys(shown, 100.0),
        words=_WORDS,
        heads={name: name.removeprefix("NMI ") for name in shown},
        csv_only=[*_unneeded(values), *sorted(rare), *([] if exceeds.any() else ["finding"])],
        caption=f"NMI (normalised mutual information) of the clusters with {label}, and with what else is known of the "
        "recordings (durations and levels in quantiles), in per cent. In each row the strongest in bold.",
        notes=[f"Something other than {label} explains {int(exceeds.sum())} of {len(group)} clusterings better."],
    )


def full(table: pd.DataFrame) -> list[Table]:
    """Every way of clustering, one table per dataset and label; CSV has every score, print the usual ones."""
    tables = []
    for (dataset, label), group in groups(table):
        group = group.reset_index(drop=True)
        nothing = not group["n"].any()
        title = "Runs that failed" if nothing and is_empty(label) else "Every clustering"
        tables.append(_every(group, f"{title}: {heading(dataset, label)}"))
    return tables


def _every(group: pd.DataFrame, title: str) -> Table:
    names = [name for name in score_columns(group) if not name.endswith("_std") and name != "n"]
    names = [name for name in names if group[name].notna().any()]
    # Without noise the scores of the clustered points are the plain ones again.
    plain = {name: name.removesuffix("_clustered") for name in names if name.endswith("_clustered")}
    repeated = {c for c, p in plain.items() if p in group and (group[c] - group[p]).abs().max() < 1e-12}
    names = [name for name in names if name not in repeated]
    printed = {*(_PRINTED if has_scores(group, "nmi") else _PRINTED_UNLABELLED), "n_clusters", "coverage"}
    values = _what(group)
    decimals: dict[Any, int] = {"k": 0, "seeds": 0}
    scale: dict[Any, float] = {}
    std, marks = pd.DataFrame(index=group.index), pd.DataFrame(index=group.index)
    for name in [*names, "seconds"]:
        column = name_of(name)
        values[column] = group[name]
        scale[column], decimals[column] = display(name)
        if name not in ("n_clusters", "coverage") or (group[f"{name}_std"] > 0).any():
            std[column] = group[f"{name}_std"]
        if name not in ("n_clusters", "coverage", "seconds"):
            numbers = (group[name] * scale[column]).where(group["ranked"])
            marks[column] = rank(numbers, decimals=decimals[column], largest=name not in LOWER)
    values["seeds"] = group["n"]
    values["remarks"] = [_remarks(row) for _, row in group.iterrows()]
    marked = (
        "Best in bold, second underlined; degenerate clusterings are not ranked. " if has_scores(group, "nmi") else ""
    )
    return Table(
        title=title,
        values=values,
        std=std,
        marks=marks if marked else None,
        decimals=decimals,
        scale=scale,
        words=_WORDS,
        csv_only=[*_unneeded(values), *(name_of(name) for name in [*names, "seconds"] if name not in printed), "seeds"],
        stub=3,
        landscape=True,
        flagged=[place for place, errors in enumerate(group["errors"]) if errors],
        caption="Scores between 0 and 1 in per cent (silhouettes as they are), mean ± standard deviation over seeds "
        f"({seeds([group])}). {marked}The CSV beside this table has every score.",
    )


def _what(group: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that say what a clustering is."""
    values = pd.DataFrame({name: group[name].map(blank) for name in ("feature", "algorithm", "vectors")})
    values["parameters"], values["k"] = group["params"].map(blank), group["k"]
    return values


def _unneeded(values: pd.DataFrame) -> list[str]:
    """Name the columns that print can do without: empty ones, and settings that do not tell rows apart."""
    empty = [name for name in values.columns if values[name].map(is_empty).all()]
    distinct = [name for name in ("feature", "algorithm", "vectors") if name not in empty]
    settings = [] if values.duplicated(distinct).any() else ["parameters"]
    return list(
        dict.fromkeys([*empty, *settings, *([] if values.duplicated([*distinct, "parameters"]).any() else ["k"])])
    )


def _remarks(row: pd.Series) -> str:
    return "; ".join([*(f"error: {text}" for text in row["errors"]), *row["warnings"]])
