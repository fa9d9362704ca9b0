"""All ``run.json`` of a project as one table: one row per clustering and label column."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd

from audioclust import files
from audioclust.project import Project

__all__ = ["collect", "flatten"]

log = logging.getLogger(__name__)

COLUMNS = [
    "dataset", "run", "notebook", "status", "feature", "vectors", "algorithm", "params", "seed", "label", "k",
    "seconds", "warnings", "error",
]  # fmt: skip


def collect(project: Project | str | Path) -> pd.DataFrame:
    """Read every run of the project.

    Parameters
    ----------
    project : Project or path

    Returns
    -------
    pd.DataFrame
        One row per clustering and label column: `COLUMNS`, every score under its name, and ``nuisance_COLUMN``. A run
        that failed as a whole is one row with its ``error``. Runs that cluster nothing have no row.
    """
    project = project if isinstance(project, Project) else Project(project)
    tables = []
    for path in sorted(project.results.glob("*/*/run.json")):
        try:
            tables.append(flatten(files.read_json(path)))
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s is not a run's record and is left out: %s", path, error)
    tables = [table for table in tables if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def flatten(document: dict[str, Any]) -> pd.DataFrame:
    """Turn one run's record into rows."""
    shared = {name: document[name] for name in ("dataset", "run", "notebook", "status")}
    rows = []
    for entry in document["clusterings"]:
        row = {**shared, **{name: entry[name] for name in COLUMNS if name in entry}}
        row |= entry["scores"]
        row |= {f"nuisance_{column}": value for column, value in entry["nuisance"].items()}
        rows.append(row)
    if not rows and document.get("error"):
        known = {name: document["parameters"].get(name) for name in ("feature", "vectors")}
        rows.append({**shared, **known, "warnings": [], "error": document["error"]})
    table = pd.DataFrame(rows, columns=list(dict.fromkeys([*COLUMNS, *(key for row in rows for key in row)])))
    scores = [name for name in table.columns if name not in COLUMNS]
    return table.astype(dict.fromkeys(scores, float))
