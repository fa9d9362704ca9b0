"""One notebook, executed headless by papermill in a kernel of its own."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audioclust import files
from audioclust.installation import shipped, versions
from audioclust.project import Project
from audioclust.runs.parameters import Parameters, check
from audioclust.runs.record import data_digest

__all__ = ["NotebookFailed", "find_notebook", "is_done", "run"]

log = logging.getLogger(__name__)


class NotebookFailed(RuntimeError):
    """A notebook raised; the message says where it stands as executed, and what it raised."""


def find_notebook(notebook: str | Path, project: Project) -> Path:
    """Find a notebook by path, or by name in the project's ``notebooks/`` or the ones that come with the package.

    Raises
    ------
    FileNotFoundError
        Naming the places that were looked at.
    """
    name = Path(notebook).with_suffix(".ipynb")
    places = [name, project.root / "notebooks" / name.name, shipped("notebooks") / name.name]
    for place in places:
        if place.is_file():
            return place.resolve()
    raise FileNotFoundError(f"notebook {notebook!s} is none of {', '.join(map(str, places))}")


def run(
    notebook: str | Path,
    project: Project | str | Path,
    *,
    resume: bool = False,
    **parameters: Any,
) -> Path:
    """Execute one notebook and return its run folder.

    Parameters
    ----------
    notebook : str or Path
        Its name (``"04_classical_clustering"``) or path.
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
    """
    project = project if isinstance(project, Project) else Project(project)
    source = find_notebook(notebook, project)
    checked: Parameters = check(source.stem, {**parameters, "project": str(project.root)})
    folder = project.run(checked.dataset, checked.run_name())
    if resume and is_done(folder, project, checked.dataset):
        return folder
    (folder / "run.json").unlink(missing_ok=True)
    started = datetime.now(UTC)
    with files.locked(folder.with_name(f".{folder.name}.lock")):
        try:
            _execute(source, folder / "notebook.ipynb", checked.model_dump())
        except Exception as error:
            raised = getattr(error, "ename", None)
            message = f"{raised}: {getattr(error, 'evalue', '')}" if raised else f"{type(error).__name__}: {error}"
            _note_failure(folder, checked, project, message, started)
            raise NotebookFailed(f"{source.stem}: {message} (see {folder / 'notebook.ipynb'})") from error
    if not (folder / "run.json").exists():
        raise NotebookFailed(f"{source.stem} ended without writing {folder / 'run.json'}")
    return folder


def is_done(folder: Path, project: Project, dataset: str) -> bool:
    """Whether the run in `folder` is complete and was computed from the recordings as they are known now."""
    try:
        document = files.read_json(folder / "run.json")
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    return document.get("status") == "complete" and document.get("data") == data_digest(project, dataset)


def _execute(source: Path, target: Path, parameters: dict[str, Any]) -> None:
    import papermill

    running = target.with_name(".running.ipynb")  # papermill writes it after every cell
    running.parent.mkdir(parents=True, exist_ok=True)
    logging.getLogger("papermill").setLevel(logging.ERROR)
    try:
        with _quiet_kernel(), _private_kernel() as options:
            papermill.execute_notebook(
                str(source), str(running), parameters=parameters, cwd=str(source.parent), progress_bar=False,
                kernel_name="python3", log_output=False, start_timeout=120, **options,
            )  # fmt: skip
    finally:
        if running.exists():
            running.replace(target)


@contextmanager
def _private_kernel() -> Iterator[dict[str, Any]]:
    """Options for a kernel that only this user can talk to: sockets in a folder of its own, where there are such."""
    from jupyter_client.manager import AsyncKernelManager
    from traitlets import Unicode

    if os.name != "posix":
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="audioclust-") as sockets:

        class Kernel(AsyncKernelManager):
            transport = Unicode("ipc")
            ip = Unicode(f"{sockets}/kernel")

            def start_kernel(self, **options: Any) -> Any:  # its own messages; a cell's errors come another way
                return super().start_kernel(stderr=subprocess.DEVNULL, **options)

        yield {"kernel_manager_class": Kernel}


@contextmanager
def _quiet_kernel() -> Iterator[None]:
    """Set what the kernel process inherits: no progress bars, figures without a screen."""
    wanted = {"AUDIOCLUST_QUIET": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _note_failure(folder: Path, checked: Parameters, project: Project, message: str, started: datetime) -> None:
    """Leave a record of a run that raised; one that the notebook wrote itself keeps its clusterings."""
    path = folder / "run.json"
    if path.exists():
        files.write_json(path, {**files.read_json(path), "status": "failed", "error": message})
        return
    document: dict[str, Any] = {
        "notebook": checked.notebook,
        "run": folder.name,
        "status": "failed",
        "dataset": checked.dataset,
    }
    document |= {"data": data_digest(project, checked.dataset), "parameters": checked.model_dump(exclude={"project"})}
    document |= {"versions": versions(), "started": started.isoformat(timespec="seconds")}
    document |= {"seconds": (datetime.now(UTC) - started).total_seconds(), "outputs": {}, "error": message}
    files.write_json(path, {**document, "clusterings": []})
