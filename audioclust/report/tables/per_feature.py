"""The tables that compare features and algorithms, each from the averaged clusterings of `aggregate.aggregate`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from audioclust import clustering, features
from audioclust.report.tables.aggregate import LOWER, best
from audioclust.report.tables.labels import (
    LONG_NAMES,
    algorithm_title,
    blank,
    display,
    feature_title,
    groups,
    heading,
    is_empty,
    name_of,
)
from audioclust.report.tables.published import SOURCES, Figure, lookup
from audioclust.report.tables.table import Table, rank

__all__ = ["best_per_feature", "cell", "feature_order", "has_scores", "scores", "seeds"]

_WIDEST = 7
"""Features beside one another in one table."""


def best_per_feature(table: pd.DataFrame, *, by: str = "nmi") -> list[Table]:
    """Rows are features: the best clustering of each, its scores, and the published ones.

    One table per dataset and label; trained networks have a table of their own, as they do in what is published.

    Parameters
    ----------
    table : pd.DataFrame
        From `aggregate.aggregate`.
    by : str
        As for `comparison`.
    """
    tables = []
    for (dataset, label), group in groups(table):
        rows = feature_order(group["feature"])
        figures = lookup(dataset, label)
        for network in (False, True):
            tried = group[group["algorithm"].map(clustering.is_network) == network]
            if has_scores(tried, by):
                known = {f.feature: f for f in figures if f.network is network and f.nmi is not None}
                tables.append(_best(tried, rows, by, network, heading(dataset, label), known))
    return tables


def _best(
    tried: pd.DataFrame, rows: Sequence[str], by: str, network: bool, head: str, published: dict[str, Figure]
) -> Table:
    winners = [best(tried[tried["feature"] == feature], by) for feature in rows]
    columns: dict[str, Any] = {"feature": list(rows)}
    for name in ("algorithm", "vectors"):
        columns[name] = pd.Series([None if row is None else row[name] for row in winners], dtype=object)
    shown = [score for score in dict.fromkeys([by, "nmi", "acc"]) if score in tried and tried[score].notna().any()]
    std, marks = pd.DataFrame(index=range(len(rows))), pd.DataFrame(index=range(len(rows)))
    scale, decimals = {}, {"clusters": 0}
    for score in shown:
        name = name_of(score)
        columns[name], std[name] = [cell(row, score) for row in winners], [cell(row, f"{score}_std") for row in winners]
        scale[name], decimals[name] = display(score)
        scaled = pd.Series(columns[name]) * scale[name]
        marks[name] = rank(scaled, decimals=decimals[name], largest=score not in LOWER)
    columns["clusters"] = [cell(row, "n_clusters") for row in winners]
    if set(published) & set(rows):
        columns["published NMI / ACC"] = [_beside(published.get(feature)) for feature in rows]
    what = "network" if network else "algorithm"
    return Table(
        title=f"Best {what} per feature: {head}",
        values=pd.DataFrame(columns),
        std=std,
        marks=marks,
        scale=scale,
        decimals=decimals,
        words={"feature": feature_title, "algorithm": algorithm_title},
        notes=[*_settings(winners), *_left_out(tried, by), *_published_notes(published, rows)],
        caption=f"For each feature the clustering with the best mean {name_of(by)} of the {_count(tried, by)} that "
        f"were run; the best of many is an optimistic choice. {_spelled(shown)}"
        f"Mean ± standard deviation over seeds ({seeds([tried])}). Best in bold, second underlined.",
    )


def scores(table: pd.DataFrame, score: str, *, by: str = "nmi") -> list[Table]:
    """Algorithms by features, one table per dataset and label; each cell is that pair's best vectors and parameters.

    Parameters
    ----------
    table : pd.DataFrame
        From `aggregate.aggregate`.
    score : str
        The score shown.
    by : str
        The score that chooses among vectors, parameters and k.
    """
    tables = []
    for (dataset, label), group in groups(table):
        if not has_scores(group, score):
            continue
        columns = feature_order(group["feature"])
        parts = [columns[start : start + _WIDEST] for start in range(0, len(columns), _WIDEST)]
        for number, part in enumerate(parts, start=1):
            tables.append(_grid(group, part, score, by, heading(dataset, label)))
            if len(parts) > 1:
                tables[-1].title += f" ({number} of {len(parts)})"
    return tables


def _grid(group: pd.DataFrame, columns: Sequence[str], score: str, by: str, head: str) -> Table:
    names = {str(name) for name in group["algorithm"] if not is_empty(name)}
    rows = sorted(names, key=lambda name: (clustering.is_network(name), algorithm_title(name)))
    scale, decimals = display(score)
    values = pd.DataFrame({"algorithm": rows})
    std, marks = pd.DataFrame(index=values.index), pd.DataFrame(index=values.index)
    unranked: dict[str, list[str]] = {}
    for feature in columns:
        cells, deviations, ranked = [], [], []
        for algorithm in rows:
            tried = group[(group["feature"] == feature) & (group["algorithm"] == algorithm)]
            row = best(tried, by, ranked=False)
            failed = row is None and bool(tried["errors"].map(len).any())
            cells.append("error" if failed else cell(row, score))
            deviations.append(cell(row, f"{score}_std"))
            ranked.append(row is None or bool(row["ranked"]))
            if not ranked[-1]:
                unranked.setdefault(algorithm, []).append(feature)
        values[feature] = pd.Series(cells, dtype=object if "error" in cells else float)
        std[feature] = deviations
        numbers = (pd.to_numeric(values[feature], errors="coerce") * scale).where(pd.Series(ranked))
        marks[feature] = rank(numbers, decimals=decimals, largest=score not in LOWER)
    return Table(
        title=f"{name_of(score)} by feature and algorithm: {head}",
        values=values,
        std=std,
        marks=marks,
        words={"algorithm": algorithm_title},
        heads={feature: feature_title(feature) for feature in columns},
        notes=[*_unranked(unranked), *_below(values, columns), *_errors(group)],
        decimals=dict.fromkeys(columns, decimals),
        scale=dict.fromkeys(columns, scale),
        caption=f"{_spelled([score])}Mean ± standard deviation over seeds ({seeds([group])}), of the vectors and "
        f"parameters with the best {name_of(by)}. For each feature the best in bold, the second underlined.",
    )


# Shared by the tables ----------------------------------------------------------------------------------------------


def feature_order(names: Iterable[Any]) -> list[str]:
    """Return the distinct features: the usual ones in their order, then the others by name."""
    usual = list(features.available())
    distinct = {str(name) for name in names if not is_empty(name)}
    return sorted(distinct, key=lambda name: (usual.index(name) if name in usual else len(usual), name))


def has_scores(group: pd.DataFrame, score: str) -> bool:
    """Return whether any row has the score."""
    return score in group and bool(group[score].notna().any())


def cell(row: pd.Series | None, column: str) -> float:
    """Return a number of a row, NaN where there is none."""
    return float("nan") if row is None or column not in row else float(row[column])


def seeds(tables: Iterable[pd.DataFrame]) -> str:
    """Say over how many seeds the rows were averaged."""
    counts = sorted({int(n) for table in tables for n in table["n"] if n})
    if not counts:
        return "no results"
    return f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"


def _count(tried: pd.DataFrame, by: str) -> int:
    return int(tried[by].notna().sum())


def _spelled(shown: Sequence[str]) -> str:
    """Spell the scores out, each with its unit."""
    texts = [
        f"{name_of(score)}{f' ({LONG_NAMES[score]})' if score in LONG_NAMES else ''}"
        + (" in per cent" if display(score)[0] == 100 else "")
        for score in shown
    ]
    return f"{'; '.join(texts)}. " if texts else ""


def _settings(winners: Sequence[pd.Series | None]) -> list[str]:
    """Say with which parameters the clusterings were made that the table names."""
    by_text: dict[str, list[str]] = {}
    for row in winners:
        if row is not None and row["params"]:
            by_text.setdefault(str(row["params"]), []).append(feature_title(row["feature"]))
    count = sum(row is not None for row in winners)
    texts = [params if len(names) == count else f"{params} ({', '.join(names)})" for params, names in by_text.items()]
    return [f"Parameters: {'; '.join(texts)}."] if texts else []


def _left_out(tried: pd.DataFrame, by: str) -> list[str]:
    """Say how many clusterings were not considered, and where nothing else is left."""
    scored = tried[tried[by].notna()]
    poor = scored[~scored["ranked"]]
    if poor.empty:
        return []
    alone = [
        feature_title(f) for f in feature_order(poor["feature"]) if best(scored[scored["feature"] == f], by) is None
    ]
    kinds = "one giant cluster, mostly noise, clusters lost, ..."
    text = f"Degenerate ({kinds}), so never called the best: {len(poor)} of {len(scored)} clusterings"
    return [text + (f"; nothing else is left of {', '.join(alone)}." if alone else ".")]


def _beside(figure: Figure | None) -> str | None:
    if figure is None:
        return None
    return "– *" if figure.doubtful else f"{_percent(figure.nmi)} / {_percent(figure.acc)}"


def _published_notes(published: dict[str, Figure], rows: Sequence[str]) -> list[str]:
    figures = [published[feature] for feature in rows if feature in published]
    said = [f"{feature_title(f.feature)} by {f.title}" for f in figures if not f.doubtful]
    notes = [f"Published: {', '.join(said)}."] if said else []
    notes += [f"* {feature_title(f.feature)}, {f.title}: {f.doubtful}." for f in figures if f.doubtful]
    return notes + [f"Source: {SOURCES[source]}." for source in dict.fromkeys(f.source for f in figures)]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.0f}"


def _unranked(cells: dict[str, list[str]]) -> list[str]:
    """Name the cells that are not ranked."""
    texts = [f"{algorithm_title(name)} ({', '.join(map(feature_title, where))})" for name, where in cells.items()]
    why = "degenerate, or more than a tenth of the recordings called noise, each of which counts as a cluster"
    return [f"Not ranked: {', '.join(texts)}: {why}."] if texts else []


def _below(values: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Say where learning to cluster left DCEC worse than the autoencoder that it began with."""
    numbers = values.set_index("algorithm").apply(pd.to_numeric, errors="coerce")
    if not {"ae_kmeans", "dcec"} <= {*numbers.index}:
        return []
    worse = numbers.loc["dcec"].round(3) < numbers.loc["ae_kmeans"].round(3)
    names = [feature_title(feature) for feature in columns if worse[feature]]
    below, begun = algorithm_title("dcec"), algorithm_title("ae_kmeans")
    return [f"{below}: below its {begun} with {', '.join(names)}."] if names else []


def _errors(group: pd.DataFrame) -> list[str]:
    notes = []
    for _, row in group.iterrows():
        names = (feature_title(row["feature"]), blank(row["vectors"]), algorithm_title(row["algorithm"]))
        notes += [f"error: {' · '.join(filter(None, names))}: {text}" for text in row["errors"]]
    return notes
