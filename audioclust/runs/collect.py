"""All ``run.json`` of a project as one table: one row per clustering and label column."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from audioclust import files
from audioclust.project import Project
from audioclust.runs.agreement import with_agreement

__all__ = ["collect", "flatten"]

log = logging.getLogger(__name__)

COLUMNS = [
    "dataset", "run", "notebook", "status", "feature", "vectors", "algorithm", "params", "seed", "label", "k",
    "seconds", "warnings", "error",
]  # fmt: skip


class _Clustering(BaseModel):
    """What a clustering in ``run.json`` must hold to become a row."""

    model_config = ConfigDict(extra="allow", strict=True)
    feature: str | None
    vectors: str | None
    algorithm: str
    params: dict[str, Any]
    seed: int | None
    label: str
    k: int | None
    seconds: float | None
    scores: dict[str, float | None]
    nuisance: dict[str, float | None]
    warnings: list[str]
    error: str | None


class _Record(BaseModel):
    """What ``run.json`` must hold."""

    model_config = ConfigDict(extra="allow", strict=True)
    dataset: str
    run: str
    notebook: str
    status: str
    parameters: dict[str, Any]
    error: str | None
    clusterings: list[_Clustering]


def collect(project: Project | str | Path, *, agreement: bool = False) -> pd.DataFrame:
    """Read every run of the project.

    Parameters
    ----------
    project : Project or path
    agreement : bool
        Whether to compare the clusterings with each other too, which takes seconds where there are hundreds.

    Returns
    -------
    pd.DataFrame
        One row per clustering and label column: `COLUMNS`, every score under its name, and ``nuisance_COLUMN``. With
        `agreement`, also ``agreement`` (how far other features confirm the clustering, see
        :func:`audioclust.clustering.consensus`), and one row per dataset and label column, with the algorithm
        ``consensus``, of the clustering made of all. A run
        that failed as a whole is one row with its ``error``. Runs that cluster nothing have no row. A record that is
        damaged is named in a warning and left out.

    Examples
    --------
    >>> from audioclust import runs
    >>> table = runs.collect("my_project")  # a project without runs
    >>> len(table), table.columns[:4].tolist()
    (0, ['dataset', 'run', 'notebook', 'status'])
    """
    project = project if isinstance(project, Project) else Project(project)
    tables = []
    for path in sorted(project.results.glob("*/*/run.json")):
        try:
            document = files.read_json(path)
            _Record.model_validate(document)
            tables.append(flatten(document))
        except FileNotFoundError:  # another process does this run anew
            continue
        except ValidationError as error:
            places = sorted({".".join(map(str, e["loc"])) or "all of it" for e in error.errors()})
            log.warning("%s is not a run's record and is left out: %s is wrong", path, ", ".join(places[:3]))
        except (OSError, ValueError, RecursionError) as error:
            log.warning("%s is not a run's record and is left out: %s", path, error)
    tables = [table for table in tables if len(table)]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)
    return with_agreement(table, project) if agreement and len(table) else table


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
