"""The comparison as tables: best algorithm per feature, NMI and ACC, published figures, nuisance audit, full grid.

Every table comes from `runs.collect`: one row per clustering. Clusterings that differ in their seed alone are averaged
(mean ± sample standard deviation). Scores between 0 and 1 are shown in per cent. The best algorithm is the one with the
highest mean NMI: labels score here, they chose nothing before. A best of many is optimistic, and every table says so.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from audioclust import files
from audioclust.report.pages import template as pages
from audioclust.report.pages.run_list import facts, run_list
from audioclust.report.tables import formats
from audioclust.report.tables.aggregate import aggregate, tidy
from audioclust.report.tables.beside_published import published
from audioclust.report.tables.chosen import chosen, voters
from audioclust.report.tables.per_clustering import full, nuisance
from audioclust.report.tables.per_feature import best_per_feature, scores
from audioclust.report.tables.table import Table, concat_csv
from audioclust.report.tables.unlabelled import without_labels

__all__ = ["Comparison", "Table", "comparison", "page", "write"]


class Comparison(dict[str, list[Table]]):
    """Tables by kind, shown together."""

    def to_markdown(self, kind: str = "comparison") -> str:
        """Return the tables of one kind as Markdown."""
        return "\n".join(table.to_markdown() for table in self[kind])

    def to_latex(self, kind: str = "comparison") -> str:
        """Return the tables of one kind as LaTeX."""
        needs = f"% needs \\usepackage{{{','.join(formats.PACKAGES)}}}\n"
        return needs + "\n".join(table.to_latex() for table in self[kind])

    def to_csv(self, kind: str = "comparison") -> str:
        """Return the tables of one kind as one CSV, the table's name in the first column."""
        return concat_csv(self[kind])

    def to_html(self, kind: str = "comparison") -> str:
        """Return the tables of one kind as HTML, without a page around them."""
        return "".join(table.to_html() for table in self[kind])

    def _repr_html_(self) -> str:
        return self.to_html()


def comparison(runs: pd.DataFrame, *, by: str = "nmi") -> Comparison:
    """Make every table.

    Parameters
    ----------
    runs : pd.DataFrame
        What `runs.collect` returns; with ``agreement=True`` for the rows chosen without labels.
    by : str
        The score that says which clustering of several is the best. Datasets where it is missing altogether (no labels)
        are listed, and no clustering of theirs is called the best.

    Returns
    -------
    Comparison
        A dict of lists of `Table`, one for each dataset and label: ``comparison`` (the row chosen without labels beside
        the best one, best algorithm per feature, what there is without labels, then NMI and ACC by feature and
        algorithm), ``published``, ``nuisance``, ``full``. A kind that has nothing to show has an empty list.

    Raises
    ------
    ValueError
        When `runs` lacks ``dataset`` or ``algorithm``.

    Examples
    --------
    >>> import pandas as pd
    >>> from audioclust.report import tables
    >>> row = {"dataset": "d", "label": "speaker", "feature": "mfcc", "vectors": "mean"}
    >>> runs = pd.DataFrame([{**row, "algorithm": "kmeans", "nmi": 0.9}, {**row, "algorithm": "dbscan", "nmi": 0.4}])
    >>> made = tables.comparison(runs)
    >>> [table.title for table in made["comparison"]]
    ['Best algorithm per feature: d · speaker', 'NMI by feature and algorithm: d · speaker']
    >>> made["comparison"][0].values[["feature", "algorithm", "NMI"]]
      feature algorithm  NMI
    0    mfcc    kmeans  0.9
    """
    every = aggregate(runs)
    table = voters(every)
    best = [*chosen(every, by=by), *best_per_feature(table, by=by), *without_labels(every, by=by)]
    return Comparison(
        comparison=[*best, *scores(table, "nmi", by=by), *scores(table, "acc", by=by)],
        published=published(table, by=by),
        nuisance=nuisance(table),
        full=full(every),
    )


def write(runs: pd.DataFrame, folder: str | Path, *, results: str | Path | None = None, by: str = "nmi") -> list[Path]:
    """Write every table as Markdown, LaTeX, CSV and HTML, and ``index.html``, which links them and the runs.

    Parameters
    ----------
    runs : pd.DataFrame
        What `runs.collect` returns.
    folder : str or Path
        Where to write; made if missing.
    results : str or Path, optional
        The folder with ``DATASET/RUN/`` to link to; by default the parent of `folder`.
    by : str
        As for `comparison`.

    Returns
    -------
    list of Path
        The files written, ``index.html`` first.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> from audioclust.report import tables
    >>> row = {"dataset": "d", "label": "speaker", "feature": "mfcc", "algorithm": "kmeans", "nmi": 0.9}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = tables.write(pd.DataFrame([row]), folder)
    >>> [path.name for path in written][:4]
    ['index.html', 'comparison.md', 'comparison.tex', 'comparison.csv']
    """
    folder = Path(folder)
    runs = tidy(runs)
    made = comparison(runs, by=by)
    kinds = {name: tables for name, tables in made.items() if tables}
    written = []
    for name, tables in kinds.items():
        texts = {
            "md": made.to_markdown(name),
            "tex": made.to_latex(name),
            "csv": made.to_csv(name),
            "html": page(_TITLES[name], tables, back=True),
        }
        written += [_write(folder / f"{name}.{suffix}", text) for suffix, text in texts.items()]
    index = _index(runs, kinds, folder, Path(results) if results else folder.parent)
    return [_write(folder / "index.html", index), *written]


def page(title: str, tables: Sequence[Table], *, lead: str = "", tail: str = "", back: bool = False) -> str:
    """Return a self-contained HTML page of tables whose columns sort on a click.

    Parameters
    ----------
    title : str
    tables : sequence of Table
    lead : str
        HTML between the heading and the tables.
    tail : str
        HTML below the tables.
    back : bool
        Whether to link to ``index.html``.
    """
    link = "<a href=index.html>← overview</a>" if back else ""
    body = "".join(table.to_html() for table in tables)
    return pages.fill("tables", title=title, back=link, lead=lead, body=body, tail=tail)


_TITLES = {
    "comparison": "Comparison of features and algorithms",
    "published": "Beside published figures",
    "nuisance": "What the clusters follow",
    "full": "Every clustering",
}


def _write(path: Path, text: str) -> Path:
    with files.atomic(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
    return path


def _index(runs: pd.DataFrame, kinds: dict[str, list[Table]], folder: Path, results: Path) -> str:
    links = "".join(
        f"<li><a href={name}.html>{html.escape(_TITLES[name])}</a> <small>"
        + " · ".join(f"<a href={name}.{suffix}>{label}</a>" for suffix, label in _FORMATS.items())
        + "</small></li>"
        for name in kinds
    )
    lead = f"{facts(runs)}<ul class=files>{links}</ul>\n"
    best = [
        table for table in kinds.get("comparison", []) if table.title.startswith(("Chosen ", "Best ", "Without labels"))
    ]
    return page("Results", best, lead=lead, tail=run_list(runs, folder, results))


_FORMATS = {"md": "Markdown", "tex": "LaTeX", "csv": "CSV"}
