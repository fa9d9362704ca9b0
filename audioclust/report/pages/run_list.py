"""The runs as a list with links to what each left behind, and how many there are, as HTML."""

from __future__ import annotations

import html
import os
from pathlib import Path
from urllib.parse import quote

import pandas as pd

__all__ = ["LEFT_BEHIND", "address", "facts", "run_list"]

LEFT_BEHIND = {"listen.html": "listen", "notebook.html": "notebook", "notebook.ipynb": "ipynb", "figures": "figures"}
"""What a run may leave behind, and how a link to it is called."""


def facts(runs: pd.DataFrame) -> str:
    """Count datasets, runs and clusterings.

    Parameters
    ----------
    runs : pd.DataFrame
        As `report.tables.aggregate.tidy` gives.
    """
    failed = int((runs["error"] != "").sum())
    numbers = {
        "dataset": runs["dataset"].nunique(),
        "run": len(runs[["dataset", "run"]].drop_duplicates()) if "run" in runs else 0,
        "clustering": len(runs) - failed,
        "failed": failed,
    }
    counts = "".join(
        f"<div><b>{number:,}</b>{name}{'s' * (number != 1 and name != 'failed')}</div>"
        for name, number in numbers.items()
        if number or name != "failed"
    )
    return f"<div class=facts>{counts}</div>\n"


def run_list(runs: pd.DataFrame, folder: Path, results: Path, *, pictures: bool = False) -> str:
    """List the runs by dataset, each with links to what it left behind.

    Parameters
    ----------
    runs : pd.DataFrame
        As for `facts`.
    folder : Path
        Where the page will lie.
    results : Path
        The folder with ``DATASET/RUN/``.
    pictures : bool
        Whether to show each run's figures, small; they load when a dataset's list is opened.
    """
    if "run" not in runs:
        return ""
    sections = []
    for dataset, of_dataset in runs.groupby("dataset", sort=False):
        items = []
        for run, rows in of_dataset.groupby("run", sort=False):
            place = results / str(dataset) / str(run)
            links = [
                f'<a href="{html.escape(address(place / name, folder))}">{label}</a>'
                for name, label in LEFT_BEHIND.items()
                if (place / name).exists()
            ]
            failed = int((rows["error"] != "").sum())
            note = f" <em>{failed} failed</em>" if failed else ""
            drawn = _pictures(place, folder) if pictures else ""
            items.append(
                f"<li><code>{html.escape(str(run))}</code>{note} <small>{' · '.join(links)}</small>{drawn}</li>"
            )
        summary = f"{html.escape(str(dataset))}: {len(items)} run{'s' * (len(items) > 1)}"
        shown = " class=drawn" if pictures else ""
        sections.append(f"<details><summary>{summary}</summary><ul{shown}>{''.join(items)}</ul></details>")
    return f"<section class=runs><h2>Runs</h2>{''.join(sections)}</section>\n"


def address(path: Path, folder: Path) -> str:
    """Return where a page in `folder` finds `path`, fit for a link (a colon is escaped: no name is a scheme)."""
    return quote(Path(os.path.relpath(path, folder)).as_posix())


def _pictures(place: Path, folder: Path) -> str:
    drawn = sorted((place / "figures").glob("*.png"))
    return "".join(
        f'<a href="{html.escape(link)}"><img loading=lazy src="{html.escape(link)}" alt="{html.escape(path.stem)}"></a>'
        for path in drawn
        for link in [address(path, folder)]
    )
