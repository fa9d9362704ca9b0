"""What has to be there before a notebook can work on a dataset, and whether it is still true."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from audioclust import datasets, files
from audioclust.datasets.walking import recordings_under
from audioclust.installation import versions
from audioclust.project import Project
from audioclust.runs.run import Task, is_done

__all__ = ["check_dataset", "first_step", "is_current", "is_unchanged", "needed", "reasons", "usable"]

_REASONS = 3  # different problems that are named


def check_dataset(project: Project, name: str) -> None:
    """Check that the project has a dataset, or the catalogue does.

    Raises
    ------
    ValueError
        Naming those that there are.
    """
    if _is_here(project, name) or name in datasets.catalogue().index:
        return
    places = project.datasets.iterdir() if project.datasets.is_dir() else []
    here = sorted(place.name for place in places if place.is_dir() and _is_here(project, place.name))
    known = f"the project has {', '.join(here) or 'none'}; the catalogue has {', '.join(datasets.catalogue().index)}"
    raise ValueError(f"dataset={name!r}: {known}; a folder of your own is given by --data FOLDER")


def first_step(project: Project, name: str, *, unchanged: bool | None = None) -> str | None:
    """Return the notebook that a dataset needs before any other: to fetch it, to scan it, or none.

    `unchanged` is what :func:`is_unchanged` says, where the caller knows it already.
    """
    if (project.dataset(name) / "metadata.parquet").exists():
        return None if unchanged or (unchanged is None and is_unchanged(project, name)) else "01_metadata"
    return "01_metadata" if _is_here(project, name) else "00_prepare"


def needed(task: Task) -> list[Task]:
    """Return what has to run before a notebook that is run by itself.

    Raises
    ------
    ValueError
        When neither the project nor the catalogue has its dataset.
    """
    project, name, notebook = task.project, task.checked.dataset, task.checked.notebook
    if notebook == "00_prepare" or name == "all":
        return []
    check_dataset(project, name)
    first = first_step(project, name)
    return (
        [Task.of(first, project, {"dataset": name, "jobs": task.checked.jobs})] if first not in (None, notebook) else []
    )


def is_current(task: Task, *, unchanged: bool | None = None) -> bool:
    """Whether a preparing notebook has nothing to do, so that not even its kernel need be started.

    That is so when its run is complete for the recordings as last scanned, by this version of the package, what it
    wrote is still there, and the recordings are those of that scan. `unchanged` says whether they are, where the caller
    knows it already.
    """
    name, project = task.checked.dataset, task.project
    if not is_done(task.folder, project, name) or not (
        unchanged or (unchanged is None and is_unchanged(project, name))
    ):
        return False
    document = files.read_json(task.folder / "run.json")
    written = [Path(value) for value in document["outputs"].values() if isinstance(value, str)]
    same = document["versions"].get("audioclust") == versions().get("audioclust")
    return same and all(path.exists() for path in written if path.is_absolute())


def usable(metadata: pd.DataFrame) -> str:
    """Say in one line how many recordings can be used, and why the others cannot.

    Examples
    --------
    >>> usable(pd.DataFrame({"problem": [None, None, "no samples"]}))
    '2 recordings usable, 1 not: no samples'
    """
    problems = metadata["problem"].dropna()
    count = len(metadata) - len(problems)
    text = f"{count} recording{'' if count == 1 else 's'} usable"
    return text if problems.empty else f"{text}, {len(problems)} not: {reasons(problems)}"


def reasons(problems: pd.Series) -> str:
    """Say in one line why recordings cannot be used.

    Examples
    --------
    >>> reasons(pd.Series(["silent", "no samples", "silent"]))
    'silent (2); no samples'
    """
    counts = problems.value_counts()
    named = [f"{reason} ({count})" if count > 1 else str(reason) for reason, count in counts.head(_REASONS).items()]
    more = [f"and {counts.iloc[_REASONS:].sum()} for other reasons"] if len(counts) > _REASONS else []
    return "; ".join([*named, *more])


def _is_here(project: Project, name: str) -> bool:
    folder = project.dataset(name)
    if any((folder / known).exists() for known in ("metadata.parquet", "source.json")):
        return True
    return folder.is_dir() and not (folder / "downloads").exists() and bool(recordings_under(folder))


def is_unchanged(project: Project, name: str) -> bool:
    """Whether a dataset's recordings are those of its last scan: the same files, sizes, times and problems."""
    try:
        return datasets.is_unchanged(project.metadata(name), project.recordings(name))
    except (OSError, ValueError):
        return False
