"""``results/index.html``: everything that ran on one page, what would be chosen without labels first."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audioclust import files
from audioclust.report.pages.run_list import address, facts, run_list
from audioclust.report.pages.template import fill
from audioclust.report.tables.aggregate import KEY, aggregate, best, tidy
from audioclust.report.tables.chosen import CONSENSUS, voters
from audioclust.report.tables.formats import slug
from audioclust.report.tables.labels import algorithm_title, blank, display, feature_title, groups, heading, name_of
from audioclust.report.tables.per_feature import cell, has_scores
from audioclust.report.tables.published import SOURCES, lookup
from audioclust.report.tables.table import Table

__all__ = ["index"]

_WORDS = {"feature": feature_title, "algorithm": algorithm_title}
_PRODUCTS = {"page": ("listen.html", "listen"), "notebook": ("notebook.ipynb", "notebook")}
_SCORES = ("nmi", "acc")


def index(runs: pd.DataFrame, results: str | Path, *, by: str = "nmi") -> Path:
    """Write ``index.html`` of all runs.

    Parameters
    ----------
    runs : pd.DataFrame
        What `runs.collect` returns, with ``agreement=True``.
    results : str or Path
        The folder with ``DATASET/RUN/``; the page is written there.
    by : str
        The score that labels would choose by.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ValueError
        When `runs` lacks ``dataset`` or ``algorithm``.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> from audioclust import report
    >>> row = {"dataset": "d", "label": "speaker", "feature": "mfcc", "algorithm": "kmeans", "nmi": 0.9}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = report.index(pd.DataFrame([row]), folder)
    >>> page.name
    'index.html'
    """
    results = Path(results)
    runs = tidy(runs)
    table = aggregate(runs)
    table["links"] = pd.Series(_links(table, runs, results), dtype=object)
    table = table[table["algorithm"].notna()].reset_index(drop=True)
    first = [each for each in [_chosen(table, by)] if each is not None]
    compared = [_compared(dataset, label, group, by) for (dataset, label), group in groups(table) if group["n"].any()]
    names = [f'<a href="#{slug(each.title)}">{html.escape(each.title)}</a>' for each in compared]
    lead = facts(runs) + (f"<nav aria-label=tables class=jump>{' '.join(names)}</nav>\n" if len(names) > 1 else "")
    if (results / "tables" / "index.html").exists():
        lead += (
            "<p><a href=tables/index.html>The tables as Markdown, LaTeX and CSV, and what the clusters follow</a></p>\n"
        )
    page = fill(
        "tables", title="Results", back="", lead=lead, body="".join(each.to_html() for each in [*first, *compared]),
        tail=run_list(runs, results, results, pictures=True),
    )  # fmt: skip
    with files.atomic(results / "index.html") as partial:
        partial.write_text(page, encoding="utf-8", newline="\n")
    return results / "index.html"


def _links(table: pd.DataFrame, runs: pd.DataFrame, results: Path) -> list[dict[str, str]]:
    """Return the addresses of the page and the notebook of the first run of each row of `table`."""
    if "run" not in runs:
        return [{} for _ in range(len(table))]
    named = runs[runs["run"].notna() & (runs["error"] == "")]
    keys = named[KEY].astype({"k": float}).itertuples(index=False)
    places: dict[tuple[str, ...], Path] = {}
    for key, run in zip(keys, named["run"], strict=True):
        places.setdefault(tuple(map(blank, key)), results / str(key.dataset) / str(run))
    found = [places.get(tuple(map(blank, key))) for key in table[KEY].itertuples(index=False)]
    return [
        {
            column: address(place / name, results)
            for column, (name, _) in _PRODUCTS.items()
            if place is not None and (place / name).exists()
        }
        for place in found
    ]


def _chosen(table: pd.DataFrame, by: str) -> Table | None:
    """Return one row per dataset and label: the clustering that others confirm most, and what labels say of it."""
    rows, tops = [], []
    for (dataset, label), group in groups(table):
        tried = voters(group)
        row = best(tried, "agreement")
        if row is None:
            made = group[group["algorithm"] == CONSENSUS]
            row = made.iloc[0] if len(made) else tried.iloc[0] if len(tried) == 1 else None
        if row is not None:
            rows.append((heading(dataset, label), row))
            tops.append(cell(best(tried, by), by) if has_scores(tried, by) else np.nan)
    if not rows:
        return None
    chosen = pd.DataFrame([row for _, row in rows])
    more = {f"best {name_of(by)}": (tops, by)} if np.isfinite(tops).any() else {}
    first = _table(
        chosen,
        "Chosen without labels",
        ["agreement", *_SCORES],
        before={"dataset": [name for name, _ in rows]},
        after=more,
    )
    first.caption = (
        "For each dataset the clustering that clusterings of other features confirm most (its agreement, in per cent). "
        "No label was used; the scores tell how good the choice was, and the last one what the best row reaches, which "
        "only labels can pick."
    )
    return first


def _compared(dataset: Any, label: Any, group: pd.DataFrame, by: str) -> Table:
    """Return all clusterings of a dataset, scored by one label column, the most confirmed first."""
    group = group[group["n"] > 0]
    agreement = group["agreement"] if "agreement" in group else pd.Series(np.nan, index=group.index)
    order = pd.DataFrame({"poor": ~group["ranked"].astype(bool), "less": -agreement})
    group = group.loc[order.sort_values(["poor", "less"], kind="stable").index].reset_index(drop=True)
    figures = [figure for figure in lookup(dataset, label) if not figure.doubtful]
    like = [
        next(
            (f for f in figures if f.feature == row.feature and f.is_like(row.algorithm, row.vectors, str(row.params))),
            None,
        )
        for row in group.itertuples()
    ]
    after = {}
    for score in _SCORES:
        values = [
            np.nan if figure is None or getattr(figure, score) is None else getattr(figure, score) for figure in like
        ]
        if np.isfinite(values).any():
            after[f"published {name_of(score)}"] = (values, score)
    made = _table(group, heading(dataset, label), ["agreement", *dict.fromkeys([by, *_SCORES])], after=after)
    sources = dict.fromkeys(figure.source for figure in like if figure is not None)
    made.flagged = [row for row, ranked in enumerate(group["ranked"]) if not ranked]
    made.notes = [f"Published: {SOURCES[source]}." for source in sources]
    made.notes += ["Coloured rows are degenerate or mostly noise."] if made.flagged else []
    made.caption = (
        f"{len(group)} clusterings, those that other features confirm most first; scores between 0 and 1 in per cent."
    )
    return made


def _table(
    rows: pd.DataFrame,
    title: str,
    scores: list[str],
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, tuple[list[float], str]] | None = None,
) -> Table:
    """Return clusterings with their scores and links; `after` are further columns and the score they are shown as."""
    columns: dict[str, Any] = dict(before or {})
    for name in ("feature", "algorithm", "vectors"):
        columns[name] = rows[name].to_numpy(dtype=object)
    columns["clusters"] = [cell(row, "n_clusters") for _, row in rows.iterrows()]
    shapes, std = {"clusters": (1.0, 0)}, pd.DataFrame(index=range(len(rows)))
    for score in scores:
        if has_scores(rows, score):
            name = name_of(score)
            columns[name], shapes[name] = rows[score].to_numpy(), display(score)
            std[name] = rows[f"{score}_std"].to_numpy()
    for name, (values, score) in (after or {}).items():
        columns[name], shapes[name] = values, (display(score)[0], 0 if name.startswith("published") else 1)
    links = {name: [each.get(name, "") for each in rows["links"]] for name in _PRODUCTS}
    for name, addresses in links.items():
        if any(addresses):
            columns[name] = [_PRODUCTS[name][1] if each else "" for each in addresses]
    return Table(
        title=title,
        values=pd.DataFrame(columns),
        std=std,
        scale={name: factor for name, (factor, _) in shapes.items()},
        decimals={name: places for name, (_, places) in shapes.items()},
        words=_WORDS,
        links=links,
        stub=len(before or {}) + 2,
    )
