"""The tables that compare features and algorithms, each from the averaged clusterings of `aggregate.aggregate`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd

from audioclust.report.tables.aggregate import LOWER, SCORES, best, feature_order, is_network, is_ranked
from audioclust.report.tables.labels import display, groups, heading, is_empty, name_of
from audioclust.report.tables.published import SOURCES, Figure, lookup
from audioclust.report.tables.table import Table, rank

__all__ = ["best_per_feature", "published", "scores"]

_ALGORITHMS = {"ae_kmeans": "AE + K-Means", "dcec": "DCEC"}
_HEADS = ("published", "same algorithm here", "best of the feature here")


def best_per_feature(table: pd.DataFrame, *, by: str = "nmi", groups_per_table: int = 2) -> list[Table]:
    """Rows are features; for each dataset and label: the best clustering, its NMI and ACC, and the published ones.

    Trained networks stand in columns of their own, as they do in what is published.

    Parameters
    ----------
    table : pd.DataFrame
        From `aggregate.aggregate`.
    by, groups_per_table
        As for `comparison`.
    """
    scored = [(name, group) for name, group in groups(table) if best(group, _criterion(group, by)) is not None]
    tables = []
    for start in range(0, len(scored), groups_per_table):
        chosen = scored[start : start + groups_per_table]
        features = feature_order([f for _, group in chosen for f in group["feature"] if not is_empty(f)])
        values = pd.DataFrame({("", "feature"): features})
        std, marks = pd.DataFrame(index=values.index), pd.DataFrame(index=values.index)
        decimals: dict[Any, int] = {}
        scale: dict[Any, float] = {}
        notes: list[str] = []
        for (dataset, label), group in chosen:
            head = heading(dataset, label)
            criterion = _criterion(group, by)
            if criterion != by:
                notes.append(f"{head}: no labels; best by silhouette, which favours few and unequal clusters.")
            figures = lookup(dataset, label)
            for prefix, network in (("", False), ("network ", True)):
                tried = group[group["algorithm"].map(is_network) == network]
                if best(tried, criterion) is not None:
                    rows = [best(tried[tried["feature"] == feature], criterion) for feature in features]
                    values[head, f"best {prefix}".strip()] = [None if row is None else _describe(row) for row in rows]
                    for score in ("nmi", "acc") if criterion == by else ("silhouette",):
                        column = (head, prefix + name_of(score))
                        values[column] = [_cell(row, score) for row in rows]
                        std[column] = [_cell(row, f"{score}_std") for row in rows]
                        scale[column], decimals[column] = display(score)
                        marks[column] = rank(values[column] * scale[column], decimals=decimals[column]).to_numpy()
                    values[head, f"{prefix}clusters"] = [_cell(row, "n_clusters") for row in rows]
                    decimals[head, f"{prefix}clusters"] = 0
                for title, texts, remarks in _published_columns(figures, features, network):
                    values[head, title] = texts
                    notes += remarks
        values.columns = pd.MultiIndex.from_tuples(list(values.columns))  # type: ignore[arg-type]
        tables.append(
            Table(
                title="Best algorithm per feature: " + ", ".join(heading(*name) for name, _ in chosen),
                values=values,
                std=std,
                marks=marks,
                decimals=decimals,
                scale=scale,
                notes=list(dict.fromkeys(notes)),
                caption=f"The clustering with the highest mean {name_of(by)} of all that were run, networks apart. "
                f"NMI and ACC in per cent, mean ± standard deviation over seeds ({_seeds(g for _, g in chosen)}). "
                "Best in bold, second underlined.",
            )
        )
    return tables


def scores(table: pd.DataFrame, score: str, *, by: str = "nmi") -> list[Table]:
    """Features by algorithms, one table per dataset and label; each cell is that pair's best vectors and parameters.

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
        if score not in group or group[score].isna().all():
            continue
        features = feature_order([f for f in group["feature"] if not is_empty(f)])
        algorithms = sorted({str(name) for name in group["algorithm"] if not is_empty(name)})
        scale, decimals = display(score)
        values = pd.DataFrame({"feature": features})
        std, placed = pd.DataFrame(index=values.index), pd.DataFrame(index=values.index)
        for algorithm in algorithms:
            cells, deviations, ranked = [], [], []
            for feature in features:
                tried = group[(group["feature"] == feature) & (group["algorithm"] == algorithm)]
                row = best(tried, by)
                failed = row is None and bool(tried["errors"].map(len).any())
                cells.append("error" if failed else float("nan") if row is None else row[score])
                deviations.append(float("nan") if row is None else row[f"{score}_std"])
                ranked.append(row is None or is_ranked(row))
            values[algorithm] = pd.Series(cells, dtype=object if "error" in cells else float)
            std[algorithm], placed[algorithm] = deviations, ranked
        numbers = (values[algorithms].apply(pd.to_numeric, errors="coerce") * scale).where(placed)
        marks = numbers.apply(rank, axis=1, decimals=decimals, largest=score not in LOWER)
        tables.append(
            Table(
                title=f"{name_of(score)} by feature and algorithm: {heading(dataset, label)}",
                values=values,
                std=std,
                marks=marks,
                notes=[*_noise(placed), *_below(numbers, features), *_errors(group)],
                decimals=dict.fromkeys(algorithms, decimals),
                scale=dict.fromkeys(algorithms, scale),
                caption=f"{_unit(score)}Mean ± standard deviation over seeds ({_seeds([group])}); best vectors and "
                f"parameters of each by {name_of(by)}. In each row the best in bold, the second underlined.",
            )
        )
    return tables


def published(table: pd.DataFrame, *, by: str = "nmi") -> list[Table]:
    """Every published row beside the same feature and algorithm here, and beside the best of that feature."""
    rows: list[dict[Any, Any]] = []
    deviations: list[dict[Any, float]] = []
    notes: list[str] = []
    for (dataset, label), group in groups(table):
        for figure in lookup(dataset, label):
            notes.append(f"{figure.source}: {SOURCES[figure.source]}.")
            if figure.doubtful:
                notes.append(f"Left out ({dataset}, {figure.feature}, {_published_name(figure)}): {figure.doubtful}.")
                continue
            row: dict[Any, Any] = {
                ("", "dataset"): heading(dataset, label),
                ("", "source"): figure.source,
                ("", "feature"): figure.feature,
                ("", "algorithm"): _published_name(figure),
            }
            for score in ("nmi", "acc", "silhouette", "davies_bouldin"):
                row["published", name_of(score)] = getattr(figure, score)
            of_feature = group[group["feature"] == figure.feature]
            same = of_feature[of_feature["algorithm"].map(lambda name: str(name).partition(":")[0]) == figure.algorithm]
            deviation: dict[Any, float] = {}
            for head, tried in (("same algorithm here", same), ("best of the feature here", of_feature)):
                ours = best(tried, _criterion(tried, by))
                if tried is of_feature:
                    row[head, "clustering"] = None if ours is None else _describe(ours)
                for score in ("nmi", "acc", "silhouette", "davies_bouldin"):
                    row[head, name_of(score)] = _cell(ours, score)
                    deviation[head, name_of(score)] = _cell(ours, f"{score}_std")
            rows.append(row)
            deviations.append(deviation)
    if not rows:
        return []
    values = pd.DataFrame(rows)
    values.columns = pd.MultiIndex.from_tuples(list(values.columns))  # type: ignore[arg-type]
    numbers = [column for column in values.columns if column[0] and column[1] != "clustering"]
    values = values.astype(dict.fromkeys(numbers, float))
    shown = {(head, name_of(score)): display(score) for score in SCORES for head in _HEADS}
    marks = pd.DataFrame(0, index=values.index, columns=values.columns)
    for score in ("nmi", "acc", "silhouette", "davies_bouldin"):
        across = [(head, name_of(score)) for head in _HEADS]
        scale, _ = display(score)
        # Published figures have two digits: a difference below that is none.
        digits = 0 if scale > 1 else 2
        ranks = (values.loc[:, across] * scale).apply(rank, axis=1, decimals=digits, largest=score not in LOWER)
        is_published = values["published", name_of(score)].notna()
        marks.loc[:, across] = ranks.where(ranks.eq(1).mul(is_published, axis=0), 0)
    absent = {name for head, name in numbers if head == "published" and values[head, name].isna().all()}
    empty = [column for column in numbers if column[1] in absent or values[column].isna().all()]
    decimals = {column: places for column, (_, places) in shown.items()}
    decimals |= {("published", name_of(score)): 0 for score in ("nmi", "acc")}
    return [
        Table(
            title="Beside published figures",
            values=values.drop(columns=empty),
            std=pd.DataFrame(deviations),
            marks=marks,
            scale={column: factor for column, (factor, _) in shown.items()},
            decimals=decimals,
            stub=4,
            notes=list(dict.fromkeys(notes)),
            caption=f"NMI and ACC in per cent, mean ± standard deviation over seeds ({_seeds([table])}). "
            "In each row the best of a score in bold, to the two digits that were published.",
        )
    ]


def _unit(score: str) -> str:
    return "In per cent. " if display(score)[0] == 100 else ""


def _noise(placed: pd.DataFrame) -> list[str]:
    """Name the algorithms whose cells are not ranked."""
    names = [str(name) for name in placed.columns if not placed[name].all()]
    what = "calls many recordings noise, each a cluster of its own, and is not ranked there"
    return [f"{', '.join(names)}: {what}."] if names else []


def _below(numbers: pd.DataFrame, features: Sequence[Any]) -> list[str]:
    """Say where learning to cluster left DCEC worse than the autoencoder that it began with."""
    if not {"ae_kmeans", "dcec"} <= {*numbers}:
        return []
    worse = numbers["dcec"].round(1) < numbers["ae_kmeans"].round(1)
    names = [str(feature) for feature, less in zip(features, worse, strict=True) if less]
    return [f"dcec: below its ae_kmeans with {', '.join(names)}."] if names else []


def _criterion(group: pd.DataFrame, by: str) -> str:
    return by if by in group and group[by].notna().any() else "silhouette"


def _cell(row: pd.Series | None, column: str) -> float:
    return float("nan") if row is None or column not in row else float(row[column])


def _describe(row: pd.Series) -> str:
    text = " · ".join(str(part) for part in (row["algorithm"], row["vectors"]) if not is_empty(part))
    params = str(row["params"] or "")
    return f"{text} ({params if len(params) <= 40 else params[:39] + '…'})" if params else text


def _published_columns(
    figures: Sequence[Figure], features: Sequence[Any], network: bool
) -> Iterator[tuple[str, list[Any], list[str]]]:
    """Yield (heading, texts by feature, notes), once or not at all."""
    rows = {f.feature: f for f in figures if f.network is network and f.feature in features and f.nmi is not None}
    if not rows:
        return
    notes = [f"{source}: {SOURCES[source]}." for source in {f.source: 0 for f in rows.values()}]
    texts: list[Any] = []
    for feature in features:
        figure = rows.get(feature)
        if figure is None:
            texts.append(None)
        elif figure.doubtful:
            texts.append("– *")
            notes.append(f"* {feature}, {_published_name(figure)}: {figure.doubtful}.")
        else:
            texts.append(f"{_percent(figure.nmi)} / {_percent(figure.acc)} {_published_name(figure)}")
    yield f"published {'network' if network else 'classical'}, NMI / ACC", texts, notes


def _published_name(figure: Figure) -> str:
    name = _ALGORITHMS.get(figure.algorithm, figure.algorithm)
    return f"{name} ({figure.detail})" if name and figure.detail else name or "not named"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.0f}"


def _seeds(tables: Iterable[pd.DataFrame]) -> str:
    counts = sorted({int(n) for table in tables for n in table["n"] if n})
    if not counts:
        return "no results"
    return f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"


def _errors(group: pd.DataFrame) -> list[str]:
    return [
        f"error: {' · '.join(str(row[c]) for c in ('feature', 'vectors', 'algorithm') if not is_empty(row[c]))}: {text}"
        for _, row in group.iterrows()
        for text in row["errors"]
    ]
