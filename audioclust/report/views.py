"""The tables of the comparison, each from the averaged clusterings of `aggregate.aggregate`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd

from audioclust.report.aggregate import (
    LOWER,
    PERCENT,
    SCORES,
    best,
    feature_order,
    is_network,
    is_ranked,
    nuisance_columns,
    score_columns,
)
from audioclust.report.published import SOURCES, Figure, lookup
from audioclust.report.table import Table, rank

__all__ = ["best_per_feature", "display", "full", "groups", "heading", "name_of", "nuisance", "published", "scores"]

_NAMES = {
    "nmi": "NMI", "acc": "ACC", "ari": "ARI", "ami": "AMI", "fmi": "FMI", "davies_bouldin": "Davies-Bouldin",
    "calinski_harabasz": "Calinski-Harabasz", "n_clusters": "clusters", "silhouette_cosine": "silhouette (cosine)",
}  # fmt: skip
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
        features = feature_order([f for _, group in chosen for f in group["feature"] if not _empty(f)])
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
        features = feature_order([f for f in group["feature"] if not _empty(f)])
        algorithms = sorted({str(name) for name in group["algorithm"] if not _empty(name)})
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
                notes=[*_noise(placed), *_errors(group)],
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
        target = "label" if _empty(label) else str(label)
        values = pd.DataFrame({name: group[name].map(_blank) for name in ("feature", "vectors", "algorithm", "params")})
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
    values = pd.DataFrame({name: table[name].map(_blank) for name in ("dataset", "label", "feature", "vectors")})
    values["algorithm"], values["params"] = table["algorithm"].map(_blank), table["params"].map(_blank)
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


def name_of(score: str) -> str:
    """Return how a score is called in a heading."""
    base = score.removesuffix("_clustered")
    return _NAMES.get(base, base.replace("_", " ")) + (" (clustered)" if base != score else "")


def display(score: str) -> tuple[float, int]:
    """Return the factor and the digits with which a score is shown."""
    base = score.removesuffix("_clustered")
    if base in PERCENT:
        return 100.0, 1
    return 1.0, {"n_clusters": 1, "calinski_harabasz": 1, "seconds": 2}.get(base, 3)


def _unit(score: str) -> str:
    return "In per cent. " if display(score)[0] == 100 else ""


def groups(table: pd.DataFrame) -> Iterator[tuple[tuple[Any, Any], pd.DataFrame]]:
    """Yield ((dataset, label), rows) in the order of first appearance; a failed run's rows belong to no label."""
    keys = list(dict.fromkeys((row.dataset, row.label) for row in table.itertuples()))
    for dataset, label in keys:
        same_label = table["label"].isna() if _empty(label) else table["label"] == label
        yield (dataset, label), table[(table["dataset"] == dataset) & same_label]


def heading(dataset: Any, label: Any) -> str:
    """Return how a dataset and label column are called in a heading."""
    return str(dataset) if _empty(label) else f"{dataset} · {label}"


def _noise(placed: pd.DataFrame) -> list[str]:
    """Name the algorithms whose cells are not ranked."""
    names = [str(name) for name in placed.columns if not placed[name].all()]
    what = "calls many recordings noise, each a cluster of its own, and is not ranked there"
    return [f"{', '.join(names)}: {what}."] if names else []


def _criterion(group: pd.DataFrame, by: str) -> str:
    return by if by in group and group[by].notna().any() else "silhouette"


def _cell(row: pd.Series | None, column: str) -> float:
    return float("nan") if row is None or column not in row else float(row[column])


def _describe(row: pd.Series) -> str:
    text = " · ".join(str(part) for part in (row["algorithm"], row["vectors"]) if not _empty(part))
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
        f"error: {' · '.join(str(row[c]) for c in ('feature', 'vectors', 'algorithm') if not _empty(row[c]))}: {text}"
        for _, row in group.iterrows()
        for text in row["errors"]
    ]


def _remarks(row: pd.Series) -> str:
    return "; ".join([*(f"error: {text}" for text in row["errors"]), *row["warnings"]])


def _blank(value: Any) -> str:
    return "" if _empty(value) else str(value)


def _empty(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and value != value)
