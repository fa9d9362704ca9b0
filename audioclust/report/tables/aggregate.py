"""From one row per clustering to one row per way of clustering: mean and deviation over seeds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

__all__ = ["KEY", "LOWER", "SCORES", "aggregate", "best", "nuisance_columns", "score_columns", "tidy"]

KEY = ["dataset", "label", "feature", "vectors", "algorithm", "params", "k"]

# In the order of the tables.
SCORES = [
    "agreement", "nmi", "acc", "ari", "ami", "homogeneity", "completeness", "purity", "fmi", "n_clusters", "coverage",
    "silhouette", "silhouette_cosine", "davies_bouldin", "calinski_harabasz",
]  # fmt: skip
LOWER = {"davies_bouldin", "seconds", "eer"}
LEAST_COVERAGE = 0.9
"""A clustering that calls more than the rest noise is not ranked beside those that place every recording."""

_NAMES = ("dataset", "label", "feature", "vectors", "algorithm")
_OTHER = {*KEY, "run", "notebook", "status", "seed", "seconds", "warnings", "error", "data", "ranked"}


def aggregate(runs: pd.DataFrame) -> pd.DataFrame:
    """Average the clusterings that differ in their seed alone.

    Parameters
    ----------
    runs : pd.DataFrame
        What `runs.collect` returns. ``dataset`` and ``algorithm`` must be there; other columns may be missing. If one
        configuration and seed was run twice, the later row counts.

    Returns
    -------
    pd.DataFrame
        `KEY`, the mean of every score, nuisance and ``seconds`` under its name and its sample standard deviation under
        ``NAME_std`` (NaN for one seed), ``n`` (seeds that gave a result), ``warnings`` and ``errors`` (lists of
        distinct texts), ``ranked`` (False: degenerate, or much noise), in the order of first appearance.

    Raises
    ------
    ValueError
        When ``dataset`` or ``algorithm`` is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from audioclust.report.tables.aggregate import aggregate
    >>> rows = [{"dataset": "d", "algorithm": "kmeans", "seed": seed, "nmi": nmi} for seed, nmi in ((0, 0.5), (1, 0.7))]
    >>> aggregate(pd.DataFrame(rows))[["algorithm", "nmi", "n"]].round(2)
      algorithm  nmi  n
    0    kmeans  0.6  2
    """
    table = tidy(runs)
    numbers = [*score_columns(table), *nuisance_columns(table), "seconds"]
    table["failed"] = table["error"] != ""
    # One text per row that also holds for missing values, which pandas compares in several ways.
    table["key"] = [json.dumps([_plain(value) for value in row]) for row in table[KEY].itertuples(index=False)]
    table["seed_key"] = table["seed"].map(_plain).map(str)
    table["order"] = range(len(table))
    table = table.sort_values(["failed", "order"], ascending=[False, True], kind="stable")
    table = table.drop_duplicates(["key", "seed_key"], keep="last").sort_values("order")
    good = table[~table["failed"]]
    values = good[numbers].groupby(good["key"], sort=False)
    first = table.drop_duplicates("key").set_index("key")
    result = pd.DataFrame({name: [_plain(value) for value in first[name]] for name in KEY}, index=first.index)
    result["n"] = good.groupby("key").size().reindex(result.index, fill_value=0)
    parts = [result, _interleaved(values.mean(), values.std(ddof=1)).reindex(result.index)]
    texts = pd.DataFrame(index=result.index)
    told = {key: _distinct(text for each in part for text in each) for key, part in good.groupby("key")["warnings"]}
    failed = {key: _distinct(part) for key, part in table[table["failed"]].groupby("key")["error"]}
    texts["warnings"] = [told.get(key, []) for key in result.index]
    texts["errors"] = [failed.get(key, []) for key in result.index]
    result = pd.concat([*parts, texts], axis=1).reset_index(drop=True).astype({"n": int, "k": float})
    return result.assign(ranked=_ranked(result))


def tidy(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with every column that the tables read, of the kind they read, whatever a record held.

    Names are text or None, parameters and errors text, warnings lists of text. What stands for a score and is no
    number counts as missing.

    Raises
    ------
    ValueError
        When ``dataset`` or ``algorithm`` is missing.
    """
    missing = {"dataset", "algorithm"} - set(runs.columns)
    if missing:
        raise ValueError(f"runs: lacks the columns {sorted(missing)}")
    table = runs.copy()
    for name in [*KEY, "seed", "error", "warnings", "seconds"]:
        if name not in table:
            table[name] = None
    for name in (*_NAMES, *(["run"] if "run" in table else [])):
        table[name] = pd.Series([_name(value) for value in table[name]], index=table.index, dtype=object)
    known = {*SCORES, *(f"{score}_clustered" for score in SCORES), "k", "seconds", *nuisance_columns(table)}
    for name in known & set(table.columns):
        table[name] = pd.Series([_number(value) for value in table[name]], index=table.index, dtype=float)
    table["params"] = table["params"].map(_parameters)
    table["warnings"] = table["warnings"].map(_texts)
    table["error"] = ["; ".join(_texts(value)) for value in table["error"]]
    return table


def _interleaved(means: pd.DataFrame, deviations: pd.DataFrame) -> pd.DataFrame:
    """Put each score's deviation, named ``SCORE_std``, behind its mean."""
    columns = {name: part[score] for score in means for name, part in ((score, means), (f"{score}_std", deviations))}
    return pd.DataFrame(columns, index=means.index, dtype=float)


def score_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns that hold scores: the known ones in their order, each with its ``_clustered``, then others."""
    numeric = [
        name
        for name in table.columns
        if name not in _OTHER and not str(name).startswith("nuisance_") and pd.api.types.is_numeric_dtype(table[name])
    ]
    known = [name for score in SCORES for name in (score, f"{score}_clustered") if name in numeric]
    return known + [name for name in numeric if name not in known]


def nuisance_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns ``nuisance_*`` (means only)."""
    return [name for name in table.columns if str(name).startswith("nuisance_") and not str(name).endswith("_std")]


def best(group: pd.DataFrame, by: str, *, ranked: bool = True) -> pd.Series | None:
    """Return the row with the best mean of score `by`; None where no row has one.

    Parameters
    ----------
    group : pd.DataFrame
        Rows of `aggregate`.
    by : str
        A score.
    ranked : bool
        True: a degenerate clustering is never the best. False: it is where there is no other.
    """
    scored = group[group[by].notna()] if by in group else group[:0]
    placed = scored[scored["ranked"]]
    group = scored if placed.empty and not ranked else placed
    return None if group.empty else group.iloc[int(group[by].argmin() if by in LOWER else group[by].argmax())]


def _ranked(table: pd.DataFrame) -> pd.Series:
    """Return whether each clustering stands beside others: it places most recordings, and in several clusters.

    The warnings in a run's record are the findings of `evaluation.degenerate`: any of them, in any seed, tells that the
    scores are those of a clustering that is practically none. Noise counts as clusters of one recording each, and the
    more clusters, the higher a mutual information that is not corrected for chance.
    """
    ranked = table["warnings"].map(len) == 0
    for score, least in (("coverage", LEAST_COVERAGE), ("n_clusters", 2)):
        if score in table:
            ranked &= ~(table[score] < least)
    return ranked


def _parameters(value: Any) -> str:
    """Write parameters as "name=value, ...", without seed and number of clusters, which have columns of their own."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return str(value)
    if not isinstance(value, Mapping):
        return ""
    skipped = {"random_state", "seed", "n_clusters"}
    return ", ".join(f"{name}={_value(value[name])}" for name in sorted(value) if name not in skipped)


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return None
    if hasattr(value, "item"):
        value = value.item()
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _name(value: Any) -> str | None:
    value = _plain(value)
    return None if value is None else str(value)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def _texts(value: Any) -> list[str]:
    if value is None or value is pd.NA or value == "" or (isinstance(value, float) and value != value):
        return []
    return [str(text) for text in value] if isinstance(value, (list, tuple, set)) else [str(value)]


def _distinct(texts: Iterable[str]) -> list[str]:
    """Return each text once; one that a clusterer gave under its own name says the same as the one without it."""
    distinct = list(dict.fromkeys(texts))
    return [text for text in distinct if not any(text.endswith(f": {other}") for other in distinct)]
