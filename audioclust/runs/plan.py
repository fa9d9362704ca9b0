"""What a sweep's file says: which notebooks run on which datasets with which parameters."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from audioclust.bounded_yaml import parse_yaml
from audioclust.installation import shipped
from audioclust.runs.parameters import model_for

__all__ = ["Dataset", "Step", "Sweep"]

_RUNS = 10_000  # runs of a step


class Dataset(BaseModel):
    """A dataset of a sweep, and what differs on it: its label columns."""

    model_config = ConfigDict(extra="forbid")
    name: str
    labels: list[str] = ["label"]


class Step(BaseModel):
    """One notebook with fixed `parameters`, and a `matrix` of lists whose every combination runs.

    A step that says ``networks: true`` runs only where networks are asked for: they take most of the time.
    """

    model_config = ConfigDict(extra="forbid")
    notebook: str
    networks: bool = False
    parameters: dict[str, Any] = {}
    matrix: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}

    @model_validator(mode="after")
    def _bounded(self) -> Step:
        taken = {"project", "dataset"} & {*self.parameters, *self.matrix}
        if taken:
            raise ValueError(f"{', '.join(sorted(taken))} cannot be set by a step; list datasets under 'datasets'")
        if (count := math.prod(map(len, self.matrix.values()))) > _RUNS:
            raise ValueError(f"matrix: gives {count} runs, more than {_RUNS}")
        return self

    def combinations(self) -> list[dict[str, Any]]:
        """Every combination of the matrix, each with the fixed parameters."""
        axes = [[(name, value) for value in values] for name, values in self.matrix.items()]
        return [{**self.parameters, **dict(point)} for point in itertools.product(*axes)]


class Sweep(BaseModel):
    """What a sweep's file says.

    Examples
    --------
    >>> plan = Sweep.read("demo")
    >>> [dataset.name for dataset in plan.datasets]
    ['synthetic']
    """

    model_config = ConfigDict(extra="forbid")
    name: str
    description: str = ""
    plugins: list[str] = []
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
        file = next((place for place in places if place.is_file()), None)
        if file is None:
            raise ValueError(f"sweep={str(path)!r}: there is no such file; the package has {', '.join(cls.shipped())}")
        try:
            plan = cls.model_validate(parse_yaml(file.read_text(encoding="utf-8"), str(file)))
        except UnicodeDecodeError as error:
            raise ValueError(f"{file} is not YAML: {error}") from None
        except ValidationError as error:
            lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            raise ValueError(f"{file}: {'; '.join(lines)}") from None
        # a file is looked for beside the sweep, then in the project
        beside = {name: (file.parent / name).resolve() for name in plan.plugins}
        plan.plugins = [str(path) if path.is_file() else name for name, path in beside.items()]
        return plan

    @classmethod
    def shipped(cls) -> list[str]:
        """Return the names of the sweeps that come with the package."""
        return sorted(path.stem for path in shipped("sweeps").glob("*.yaml"))

    def tasks(self, dataset: Dataset, steps: list[Step]) -> list[tuple[str, dict[str, Any]]]:
        """Every (notebook, parameters) of `steps` on `dataset`."""
        found = []
        for step in steps:
            fields = model_for(step.notebook).model_fields
            common: dict[str, Any] = {"dataset": dataset.name}
            if "labels" in fields:
                common["labels"] = dataset.labels
            if self.plugins and "plugins" in fields:
                common["plugins"] = self.plugins
            found += [(step.notebook, {**common, **point}) for point in step.combinations()]
        return found
