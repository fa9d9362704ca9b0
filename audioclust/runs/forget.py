"""Removing a run."""

from __future__ import annotations

import shutil
from pathlib import Path

from audioclust import files
from audioclust.project import Project

__all__ = ["forget"]


def forget(run: str, project: Project | str | Path) -> tuple[Path, int, int]:
    """Remove the folder of a run, and nothing else.

    Parameters
    ----------
    run : str
        Its name, ``"DATASET/RUN"`` where two datasets have one of that name, or its folder.
    project : Project or path
        The project that it belongs to.

    Returns
    -------
    folder : Path
        What stood there is gone.
    count, size : int
        How many files that were, and how many bytes.

    Raises
    ------
    ValueError
        When there is no such run, or several.
    OSError
        When another process is at it.
    """
    project = project if isinstance(project, Project) else Project(project)
    runs = {path for pattern in ("*/*/run.json", "*/*/notebook.ipynb") for path in project.results.glob(pattern)}
    folders = sorted({path.parent for path in runs})
    given = run.rstrip("/\\")
    names = ((folder, {str(folder), f"{folder.parent.name}/{folder.name}", folder.name}) for folder in folders)
    fits = [folder for folder, known in names if given in known or Path(given).resolve() == folder]
    if len(fits) != 1:
        shown = [f"{folder.parent.name}/{folder.name}" for folder in fits or folders]
        listed = ", ".join(shown[:20]) + (", ..." if len(shown) > 20 else "")
        raise ValueError(f"run={run!r}: {'may be' if fits else 'there is'} {listed or 'no run'}")
    folder = fits[0]
    lock = folder.with_name(f".{folder.name}.lock")
    try:
        with files.locked(lock, timeout=0):
            held = [path for path in folder.rglob("*") if path.is_file()]
            size = sum(path.lstat().st_size for path in held)
            shutil.rmtree(folder)
    except TimeoutError:
        raise OSError(f"{folder} is in use by another process") from None
    lock.unlink(missing_ok=True)
    return folder, len(held), size
