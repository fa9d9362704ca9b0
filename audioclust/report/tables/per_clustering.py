"""The tables with a row for every clustering: what its clusters follow, and all its scores."""

from __future__ import annotations

from typing import Any

import pandas as pd

from audioclust.report.tables.aggregate import LOWER, nuisance_columns, score_columns
from audioclust.report.tables.labels import blank, display, groups, heading, is_empty, name_of
from audioclust.report.tables.table import Table, rank

__all__ = ["full", "nuisance"]


def nuisance(table: pd.DataFrame) -> list[Table]:
    """For every clustering: NMI with its label, and with everything else that is known of the recordings.

    Rows where something else explains the clusters better than the label are flagged and say what.
    """
    tables = []
    for (dataset, label), group in groups(table):
        columns = [c for c in nuisance_columns(group) if group[c].notna().any()]
        group = group[group[[*columns]].notna().any(axis=1)] if columns else group.iloc[:0]
        if group.empty:
            continue
        if "nmi" in group and group["nmi"].notna().any():
            group = group.sort_values("nmi", ascending=False, kind="stable")
        group = group.reset_index(drop=True)
        label_nmi = group["nmi"] if "nmi" in group else pd.Series(float("nan"), index=group.index)
        strongest = [str(name).removeprefix("nuisance_") for name in group[columns].fillna(-1).idxmax(axis=1)]
        exceeds = group[columns].max(axis=1) > label_nmi
        target = "label" if is_empty(label) else str(label)
        values = pd.DataFrame({name: group[name].map(blank) for name in ("feature", "vectors", "algorithm", "params")})
        if not values["params"].any():
            values = values.drop(columns="params")
        values["k"] = group["k"]
        values[f"NMI {target}"] = label_nmi
        for column in columns:
            values[f"NMI {column.removeprefix('nuisance_')}"] = group[column]
        shown = [name for name in values.columns if name.startswith("NMI ")]
        values["finding"] = [
            f"clusters follow {what}, not {target}" if more else ""
            for what, more in zip(strongest, exceeds, strict=True)
        ]
        std = pd.DataFrame(
            dict(zip(shown, (group[f"{c}_std"] for c in ["nmi", *columns] if f"{c}_std" in group), strict=False))
        )
        marks = (values[shown] * 100).apply(rank, axis=1, decimals=1).where(lambda m: m == 1, 0)
        tables.append(
            Table(
                title=f"What the clusters follow: {heading(dataset, label)}",
                values=values,
                std=std,
                marks=marks,
                stub=list(values.columns).index("k"),
                flagged=[i for i, more in enumerate(exceeds) if more],
                decimals={**dict.fromkeys(shown, 1), "k": 0},
                scale=dict.fromkeys(shown, 100.0),
                caption=f"NMI of the clusters with {target}, and with what else is known of the recordings "
                "(durations and levels in quantiles), in per cent. In each row the strongest in bold.",
                notes=[f"Something else explains {int(exceeds.sum())} of {len(group)} clusterings better."],
            )
        )
    return tables


def full(table: pd.DataFrame) -> list[Table]:
    """Every way of clustering and every score."""
    if table.empty:
        return []
    names = [name for name in score_columns(table) if not name.endswith("_std") and name != "n"]
    names = [name for name in names if table[name].notna().any()]
    # Without noise the scores of the clustered points are the plain ones again.
    plain = {name: name.removesuffix("_clustered") for name in names if name.endswith("_clustered")}
    repeated = {c for c, p in plain.items() if p in table and (table[c] - table[p]).abs().max() < 1e-12}
    names = [name for name in names if name not in repeated]
    values = pd.DataFrame({name: table[name].map(blank) for name in ("dataset", "label", "feature", "vectors")})
    values["algorithm"], values["params"] = table["algorithm"].map(blank), table["params"].map(blank)
    values["k"], values["seeds"] = table["k"], table["n"]
    decimals: dict[Any, int] = {"k": 0, "seeds": 0}
    scale: dict[Any, float] = {}
    std, marks = pd.DataFrame(index=table.index), pd.DataFrame(index=table.index)
    for name in [*names, "seconds"]:
        column = name_of(name)
        values[column], std[column] = table[name], table[f"{name}_std"]
        scale[column], decimals[column] = display(name)
        if name not in ("n_clusters", "coverage", "seconds"):
            by_group = (table[name] * scale[column]).groupby([table["dataset"].map(str), table["label"].map(str)])
            marks[column] = by_group.transform(rank, decimals=decimals[column], largest=name not in LOWER)
    values["remarks"] = [_remarks(row) for _, row in table.iterrows()]
    return [
        Table(
            title="Every clustering",
            values=values,
            std=std,
            marks=marks,
            decimals=decimals,
            scale=scale,
            stub=5,
            flagged=[place for place, errors in enumerate(table["errors"]) if errors],
            caption="Scores between 0 and 1 in per cent, mean ± standard deviation over seeds. "
            "Best of a dataset and label in bold, second underlined.",
        )
    ]


def _remarks(row: pd.Series) -> str:
    return "; ".join([*(f"error: {text}" for text in row["errors"]), *row["warnings"]])
