"""One notebook, executed headless by papermill in a kernel of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audioclust import files, parallel
from audioclust.installation import shipped, versions
from audioclust.project import Project
from audioclust.runs.data import data_digest
from audioclust.runs.kernel import Kernels, Stopped
from audioclust.runs.parameters import Parameters, check
from audioclust.runs.record import RECORD

__all__ = ["NotebookFailed", "Task", "find_notebook", "has_failed", "is_done", "notebooks", "run"]


class NotebookFailed(RuntimeError):
    """A notebook raised; the message says where it stands as executed, and what it raised."""


def notebooks(project: Project) -> dict[str, Path]:
    """Return the notebooks that there are, by name: those of the project before those that come with the package."""
    places = (shipped("notebooks"), project.root / "notebooks")
    found = {path.stem: path.resolve() for place in places for path in place.glob("*.ipynb")}
    return dict(sorted(found.items()))


def find_notebook(notebook: str | Path, project: Project) -> Path:
    """Find a notebook by path, or by name in the project's ``notebooks/`` or the ones that come with the package.

    Parameters
    ----------
    notebook : str or Path
        A path, a name, or the beginning of one that fits no other: ``"04"``.
    project : Project
        Its notebooks come before those of the package.

    Raises
    ------
    FileNotFoundError
        Naming the notebooks that there are.
    ValueError
        When several names begin so.
    """
    path = Path(notebook)
    name = path.name.removesuffix(".ipynb")
    if path.suffix == ".ipynb" and path.is_file():
        return path.resolve()
    known = notebooks(project)
    fits = [name] if name in known else [stem for stem in known if stem.startswith(name)]
    if len(fits) > 1:
        raise ValueError(f"notebook={str(notebook)!r}: may be {' or '.join(sorted(fits))}")
    if not fits or path.parent != Path():
        raise FileNotFoundError(f"notebook={str(notebook)!r}: there is {', '.join(sorted(known))}")
    return known[fits[0]]


@dataclass(frozen=True)
class Task:
    """A notebook with checked parameters, to be executed in a project."""

    source: Path
    checked: Parameters
    project: Project

    @classmethod
    def of(cls, notebook: str | Path, project: Project, parameters: Mapping[str, Any]) -> Task:
        """Check a notebook's name and parameters.

        Raises
        ------
        FileNotFoundError, ValueError
            Naming what is wrong and what is allowed.
        """
        taken = {"project", "notebook", "resume"} & set(parameters)
        if taken:
            raise ValueError(f"{', '.join(sorted(taken))}: no parameter to set; the project is {project.root}")
        source = find_notebook(notebook, project)
        return cls(source, check(source.stem, {**parameters, "project": str(project.root)}), project)

    @property
    def folder(self) -> Path:
        """Where the run stands."""
        return self.project.run(self.checked.dataset, self.checked.run_name())

    def execute(self, kernels: Kernels, *, resume: bool, patient: bool = True) -> bool:
        """Execute the notebook; return False where a complete run was kept instead.

        One process at a time works on a run. What another one holds is waited for, if `patient`.

        Raises
        ------
        TimeoutError
            When another process holds the run and this one is not to wait.
        NotebookFailed, Stopped
            As `run` and `Kernels.execute` say.
        """
        lock = self.folder.with_name(f".{self.folder.name}.lock")
        while not kernels.stopped:
            try:
                with files.locked(lock, timeout=1.0 if patient else 0.0):
                    if resume and is_done(self.folder, self.project, self.checked.dataset):
                        return False
                    self._execute(kernels)
                    return True
            except TimeoutError:
                if not patient:
                    raise
        raise Stopped(f"{self.source.stem} was stopped")

    def _execute(self, kernels: Kernels) -> None:
        record, notebook = self.folder / "run.json", self.folder / "notebook.ipynb"
        running = self.folder / ".running.json"  # it becomes run.json when all else stands
        for earlier in (record, notebook, running):
            earlier.unlink(missing_ok=True)
        started = datetime.now(UTC)
        try:
            kernels.execute(self.source, notebook, self.checked.model_dump(), self._environment(running))
        except Stopped:
            raise
        except Exception as error:
            message = _reason(error)
            self.note_failure(message, started)
            raise NotebookFailed(f"{self.source.stem}: {message} (see {notebook})") from error
        if not running.exists():
            message = "ended without run.finish()"
            self.note_failure(message, started)
            raise NotebookFailed(f"{self.source.stem}: {message} (see {notebook})")
        running.replace(record)

    def _environment(self, running: Path) -> dict[str, str]:
        scratch = os.environ.get(parallel.SCRATCH, str(self.project.root / ".scratch"))
        return {RECORD: running.name, parallel.SCRATCH: scratch}

    def note_failure(self, message: str, started: datetime) -> None:
        """Leave a record of a run that failed; one that the notebook wrote itself keeps its clusterings."""
        path, running, checked = self.folder / "run.json", self.folder / ".running.json", self.checked
        if running.exists():
            files.write_json(path, {**files.read_json(running), "status": "failed", "error": message})
            running.unlink()
            return
        document: dict[str, Any] = {
            "notebook": checked.notebook,
            "run": self.folder.name,
            "status": "failed",
            "dataset": checked.dataset,
            "data": data_digest(self.project, checked.dataset),
            "parameters": checked.model_dump(exclude={"project"}),
            "versions": versions(),
            "started": started.isoformat(timespec="seconds"),
            "seconds": (datetime.now(UTC) - started).total_seconds(),
            "outputs": {},
            "error": message,
            "clusterings": [],
        }
        files.write_json(path, document)


def run(
    notebook: str | Path,
    project: Project | str | Path,
    *,
    resume: bool = False,
    **parameters: Any,
) -> Path:
    """Execute one notebook and return its run folder.

    A run that another process is at is waited for.

    Parameters
    ----------
    notebook : str or Path
        Its name (``"04_classical_clustering"``, or ``"04"``) or path.
    project : Project or path
        The project it works on.
    resume : bool
        Whether a run that is complete, with the same parameters on the same data, is left as it is.
    **parameters
        The notebook's parameters; one that it does not know, or of the wrong type, raises before anything runs.

    Returns
    -------
    Path
        ``results/DATASET/RUN`` with ``run.json`` and ``notebook.ipynb``.

    Raises
    ------
    ValueError
        For parameters.
    NotebookFailed
        When a cell raised. ``notebook.ipynb`` and ``run.json`` (status "failed") are there to look at.

    Examples
    --------
    The first line is not run with the other examples: it starts a kernel.

    >>> from audioclust import runs
    >>> runs.run("04", "my_project", dataset="synthetic", labels=["speaker"])  # doctest: +SKIP
    PosixPath('my_project/results/synthetic/04_classical_clustering...')
    >>> runs.run("04", "my_project", dataset="synthetic", pooling="mean")
    Traceback (most recent call last):
    ValueError: 04_classical_clustering has no parameter pooling; it has project, plugins, ...
    """
    task = Task.of(notebook, project if isinstance(project, Project) else Project(project), parameters)
    with ThreadPoolExecutor(1) as pool, Kernels() as kernels:
        future = pool.submit(task.execute, kernels, resume=resume)
        while not future.done():  # in steps, so that Ctrl-C is heard on every system
            wait([future], timeout=0.5)
        future.result()
    return task.folder


def has_failed(folder: Path) -> bool:
    """Whether the run in `folder` ended, and failed."""
    return _record(folder).get("status") == "failed"


def is_done(folder: Path, project: Project, dataset: str, *, data: str | None = None) -> bool:
    """Whether the run in `folder` is complete and was computed from the recordings as they are known now.

    `data` is the digest of those recordings, where the caller has it already. A damaged record is not complete.
    """
    document = _record(folder)
    if document.get("status") != "complete":
        return False
    known = data_digest(project, dataset) if data is None else data
    return document.get("data") == known


def _record(folder: Path) -> dict[str, Any]:
    """Return what ``run.json`` holds; nothing where it is missing or damaged."""
    try:
        document = files.read_json(folder / "run.json")
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _reason(error: Exception) -> str:
    """Say in one line what a cell raised."""
    from nbclient.exceptions import DeadKernelError

    if isinstance(error, DeadKernelError) or "Kernel died" in str(error):
        return "the system ended the notebook's process (is memory short?)"
    raised = getattr(error, "ename", None)
    return f"{raised}: {getattr(error, 'evalue', '')}" if raised else f"{type(error).__name__}: {error}"
