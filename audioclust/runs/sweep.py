"""A sweep: one YAML file that says which notebooks run on which datasets with which parameters.

Per dataset the ``prepare`` notebooks run first, one after another, each with all workers; they only do what is missing.
Then every combination of each ``compare`` entry's ``matrix`` runs, in parallel processes. What is complete is not run
again; a run that fails is noted, and the rest goes on.
"""

from __future__ import annotations

import itertools
import logging
import time
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from audioclust import parallel
from audioclust.installation import shipped
from audioclust.project import Project
from audioclust.runs.parameters import model_for
from audioclust.runs.run import is_done, run

__all__ = ["Sweep", "sweep"]

log = logging.getLogger(__name__)


class Dataset(BaseModel):
    """A dataset of a sweep, and what differs on it: its label columns."""

    model_config = ConfigDict(extra="forbid")
    name: str
    labels: list[str] = ["label"]


class Step(BaseModel):
    """One notebook with fixed `parameters`, and a `matrix` of lists whose every combination runs."""

    model_config = ConfigDict(extra="forbid")
    notebook: str
    parameters: dict[str, Any] = {}
    matrix: dict[str, list[Any]] = {}

    def combinations(self) -> list[dict[str, Any]]:
        """Every combination of the matrix, each with the fixed parameters."""
        axes = [[(name, value) for value in values] for name, values in self.matrix.items()]
        return [{**self.parameters, **dict(point)} for point in itertools.product(*axes)]


class Sweep(BaseModel):
    """What a sweep's file says."""

    model_config = ConfigDict(extra="forbid")
    name: str
    description: str = ""
    datasets: list[Dataset] = []
    prepare: list[Step] = []
    compare: list[Step] = []

    @classmethod
    def read(cls, path: str | Path) -> Sweep:
        """Read a sweep from a YAML file, or by name from those that come with the package.

        Raises
        ------
        ValueError
            Naming the file and what is wrong with it.
        """
        places = [Path(path), shipped("sweeps") / f"{path}.yaml"]
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise ValueError(f"sweep {path!s}: there is neither {' nor '.join(map(str, places))}")
        try:
            return cls.model_validate(yaml.safe_load(found.read_text(encoding="utf-8")))
        except yaml.YAMLError as error:
            raise ValueError(f"{found} is not YAML: {error}") from None
        except ValidationError as error:
            lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            raise ValueError(f"{found}: {'; '.join(lines)}") from None

    def tasks(self, dataset: Dataset, steps: list[Step]) -> list[tuple[str, dict[str, Any]]]:
        """Every (notebook, parameters) of `steps` on `dataset`."""
        found = []
        for step in steps:
            fields = model_for(step.notebook).model_fields
            common: dict[str, Any] = {"dataset": dataset.name}
            if "labels" in fields:
                common["labels"] = dataset.labels
            found += [(step.notebook, {**common, **point}) for point in step.combinations()]
        return found


def sweep(
    path: str | Path | Sweep,
    project: Project | str | Path,
    jobs: parallel.Jobs = -1,
    *,
    datasets: list[Dataset] | None = None,
    resume: bool = True,
) -> pd.DataFrame:
    """Run a sweep.

    Parameters
    ----------
    path : str, Path or Sweep
        The YAML file, or the name of one that comes with the package (``"thesis"``).
    project : Project or path
    jobs : int or str
        Notebooks at once, see `audioclust.parallel`.
    datasets : list of Dataset, optional
        Instead of those in the file.
    resume : bool
        Whether complete runs are kept.

    Returns
    -------
    pd.DataFrame
        One row per notebook: ``dataset, notebook, run, status`` ("done", "kept" or "failed"), ``seconds, error``.
    """
    plan = path if isinstance(path, Sweep) else Sweep.read(path)
    project = project if isinstance(project, Project) else Project(project)
    chosen = datasets if datasets is not None else plan.datasets
    if not chosen:
        raise ValueError(f"sweep {plan.name!r} names no dataset; give one")
    for dataset in chosen:  # a typo in the last entry must not cost an hour first
        for notebook, values in plan.tasks(dataset, plan.prepare + plan.compare):
            model_for(notebook).model_validate({**values, "project": str(project.root)})
    rows: list[dict[str, Any]] = []
    for dataset in chosen:
        ready = True
        for notebook, values in plan.tasks(dataset, plan.prepare):
            rows.append(_one((notebook, project, {**values, "jobs": jobs}, False)))
            ready = rows[-1]["status"] != "failed"
            if not ready:
                break
        if ready:
            work = [(notebook, project, values, resume) for notebook, values in plan.tasks(dataset, plan.compare)]
            rows += parallel.map(_one, work, jobs=jobs, description=f"{plan.name}: {dataset.name}", chunk=1)
    return pd.DataFrame(rows)


def _one(task: tuple[str, Project, dict[str, Any], bool]) -> dict[str, Any]:
    notebook, project, values, resume = task
    checked = model_for(notebook)(**{**values, "project": str(project.root)})
    row: dict[str, Any] = {"dataset": checked.dataset, "notebook": notebook, "run": checked.run_name()}
    started = time.perf_counter()
    if resume and is_done(project.run(checked.dataset, checked.run_name()), project, checked.dataset):
        return {**row, "status": "kept", "seconds": 0.0, "error": None}
    try:
        run(notebook, project, **values)
    except Exception as error:
        return {**row, "status": "failed", "seconds": time.perf_counter() - started, "error": str(error)}
    return {**row, "status": "done", "seconds": time.perf_counter() - started, "error": None}
