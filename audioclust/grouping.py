"""The main job in one call: a folder of recordings in, groups out; and the recordings most similar to one.

What is found goes to a folder of its own: ``groups.csv``, ``summary.txt``, ``listen.html``, ``figures/``. Beside them
``work/`` is a project (`audioclust.project`) that holds what was computed on the way: a call that was stopped goes on
where it was, and one that is repeated ends at once. Nothing is ever written to the folder of the recordings.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from audioclust import files, parallel, recording, runs
from audioclust.curation.corrections import read as read_corrections
from audioclust.datasets.metadata import checked_folder, is_unchanged
from audioclust.datasets.walking import recordings_under
from audioclust.project import Project
from audioclust.runs import groups as steps
from audioclust.runs.preparation import is_current
from audioclust.runs.run import is_done
from audioclust.validation import check_choice, check_number

__all__ = ["Grouped", "group", "grouped", "similar"]

PRODUCTS = ("groups.csv", "summary.txt", "listen.html")


class Grouped(NamedTuple):
    """What `grouped` gives.

    Attributes
    ----------
    out : Path
        The folder of the answer.
    source : Path
        That of the recordings.
    home : Project
    dataset : str
        The recordings' name in the project.
    run : Path
        The run of the notebook.
    """

    out: Path
    source: Path
    home: Project
    dataset: str
    run: Path

    @property
    def table(self) -> pd.DataFrame:
        """One row per recording, as `group` gives."""
        return pd.read_parquet(self.run / "groups.parquet")


def group(
    folder: str | Path,
    kind: str = "auto",
    groups: int | None = None,
    out: str | Path | None = None,
    *,
    corrections: str | Path | Sequence[str | Path] | None = None,
    jobs: parallel.Jobs = -1,
) -> tuple[pd.DataFrame, Path]:
    """Group the recordings in a folder: how many groups, who is in which, how sure.

    Parameters
    ----------
    folder : str or Path
        Recordings, in sub-folders or not. Nothing is written to it. Sub-folders are compared with the groups
        afterwards; they do not influence them.
    kind : {"auto", "voices", "sounds"}
        "voices" groups by who speaks, "sounds" by how it sounds; "auto" listens to a few recordings for speech.
    groups : int, optional
        How many groups; by default as many as there are.
    out : str or Path, optional
        Where the answer goes; by default ``FOLDER-groups`` in the working folder, or beside the recordings if the
        working folder is among them.
    corrections : path or sequence of paths, optional
        What a listening page saved: the groups are corrected by it, and ``summary.txt`` says what that changed.
    jobs : int or str
        Worker processes, see `audioclust.parallel`.

    Returns
    -------
    table : pd.DataFrame
        One row per usable recording: ``path``; ``group``, from 0, the largest first; ``confidence`` in [0, 1];
        ``role``, "typical", "border" or "outlier" (see `curation.review.roles`); and ``level_N``, its
        group at every other level at which the recordings form groups, N being their number; with corrections
        ``group_name`` and ``several_voices``, where a listener said so.
    folder : Path
        Where ``groups.csv``, ``summary.txt``, ``listen.html`` and ``figures/`` are.

    Raises
    ------
    OSError
        When `folder` does not exist, is a file, or the answer cannot be written.
    ValueError
        When a parameter cannot be used, or fewer than two recordings can.

    Examples
    --------
    The lines are not run with the other examples: they start kernels.

    >>> import audioclust
    >>> table, folder = audioclust.group("recordings")  # doctest: +SKIP
    >>> table["group"].nunique(), folder.name  # doctest: +SKIP
    (6, 'recordings-groups')
    """
    found = grouped(folder, kind, groups, out, corrections=corrections, jobs=jobs)
    return found.table, found.out


def grouped(
    folder: str | Path,
    kind: str = "auto",
    groups: int | None = None,
    out: str | Path | None = None,
    *,
    corrections: str | Path | Sequence[str | Path] | None = None,
    jobs: parallel.Jobs = -1,
    look_again: bool = True,
) -> Grouped:
    """Do what `group` does, and say where everything is.

    With `look_again` recordings that could not be used are read again, though they have not changed: a program that
    decodes them may have been installed since.
    """
    check_choice("kind", kind, ("auto", "voices", "sounds"))
    if groups is not None:
        check_number("groups", groups, 1, whole=True)
    parallel.worker_count(jobs)
    heard = _files(corrections)
    source, target = _places(folder, out)
    if not recordings_under(source):
        raise ValueError(f"{source}: no sound files ({', '.join(sorted(recording.EXTENSIONS))}): nothing to group")
    home = Project(target / "work")
    name = home.register(source)
    before = runs.Task.of("01_metadata", home, {"dataset": name, "jobs": jobs})
    if not (is_current(before) or (not look_again and _is_unchanged(home, name))):
        _run(before, resume=False)
    metadata = home.metadata(name)
    if metadata["problem"].isna().sum() < 2:
        raise ValueError(f"{source}: {runs.usable(metadata)}: there is nothing to group")
    wanted = {"dataset": name, "kind": kind, "groups": groups, "corrections": heard, "jobs": jobs}
    task = runs.Task.of("group", home, wanted)
    _run(task, resume=True)
    _publish(task.folder, target)
    return Grouped(target, source, home, name, task.folder)


def similar(
    file: str | Path,
    folder: str | Path | None = None,
    n: int = 10,
    *,
    kind: str = "auto",
    out: str | Path | None = None,
    jobs: parallel.Jobs = -1,
) -> pd.DataFrame:
    """List the recordings in a folder that are most similar to one.

    Parameters
    ----------
    file : str or Path
        A sound file, in the folder or not.
    folder : str or Path, optional
        Recordings; they are grouped first if they have not been. By default the folder that the file is in.
    n : int
        How many to list.
    kind, out, jobs
        As for `group`.

    Returns
    -------
    pd.DataFrame
        ``path``, ``similarity`` and ``group``, the most similar first, `file` itself left out. The similarity is a
        cosine, from -1 to 1: of voices, between speaker vectors; of other sounds, the mean over the spectral features.

    Raises
    ------
    OSError
        When a file or folder does not exist.
    ValueError
        When a parameter, or the file, cannot be used.

    Examples
    --------
    The line is not run with the other examples: it starts kernels.

    >>> similar("new.wav", "recordings", n=3)  # doctest: +SKIP
    """
    check_number("n", n, 1, whole=True)
    file = Path(file).expanduser().resolve()
    if not file.is_file():
        raise FileNotFoundError(f"no such file: {file}")
    if problem := recording.inspect(file)["problem"]:
        raise ValueError(f"{file}: {problem}")
    if folder is None:
        folder = next((above for above in file.parents if (_default_out(above) / "work").is_dir()), file.parent)
    known = grouped(folder, kind, out=out, jobs=jobs, look_again=False)
    found = files.read_json(known.run / "run.json")["outputs"]
    store, encoder = known.home.features / known.dataset, found["encoder"]
    metadata = known.home.metadata(known.dataset)
    given = steps.vectors(found["kind"], metadata, known.source, store, encoder=encoder, jobs=jobs)
    vector = steps.vector_of(file, given, store, encoder=encoder, jobs=1)
    table = pd.DataFrame({"path": given.index["path"], "similarity": (given.X @ vector).round(4)})
    table = table.merge(known.table[["path", "group"]], on="path")
    table = table[[(known.source / path).resolve() != file for path in table["path"]]]
    return table.sort_values("similarity", ascending=False, kind="stable").head(n).reset_index(drop=True)


def _files(corrections: str | Path | Sequence[str | Path] | None) -> list[str] | None:
    """Return the full paths of files of corrections, after a look whether they can be read."""
    if corrections is None:
        return None
    paths = [corrections] if isinstance(corrections, (str, Path)) else corrections
    found = [str(Path(path).expanduser().resolve()) for path in paths]
    read_corrections(found)
    return found


def _places(folder: str | Path, out: str | Path | None) -> tuple[Path, Path]:
    """Return the recordings' folder and that of the answer, or raise where one cannot be used."""
    source = checked_folder(folder).resolve()
    target = _default_out(source) if out is None else Path(out).expanduser().resolve()
    if target.is_relative_to(source):
        raise ValueError(f"out={str(target)!r}: lies inside the recordings ({source}); give another folder")
    if target.exists() and not target.is_dir():
        raise ValueError(f"out={str(target)!r}: is a file; give a folder")
    home = Project(target / "work")
    if not home.datasets.is_dir() and any((target / name).exists() for name in PRODUCTS):
        raise ValueError(f"out={str(target)!r}: holds files that would be replaced; give another folder")
    for known in home.datasets.glob("*/source.json"):
        if (other := home.recordings(known.parent.name)) != source:
            raise ValueError(f"out={str(target)!r}: holds the groups of {other}; give another folder, or delete it")
    return source, target


def _default_out(source: Path) -> Path:
    here = Path.cwd().resolve()
    beside = source.parent if here.is_relative_to(source) else here
    return beside / f"{source.name or 'recordings'}-groups"


def _is_unchanged(home: Project, name: str) -> bool:
    try:
        return is_unchanged(home.metadata(name), home.recordings(name), look_again=False)
    except (OSError, ValueError):
        return False


def _run(task: runs.Task, *, resume: bool) -> None:
    if resume and is_done(task.folder, task.project, task.checked.dataset):
        return
    for row in runs.run_tasks([task], resume=False):
        if row["status"] == "failed":
            raise runs.NotebookFailed(row["error"])


def _publish(run: Path, target: Path) -> None:
    """Copy what a run found to where people look for it."""
    drawn = sorted((run / "figures").glob("*.png"))
    for path in [*(run / name for name in PRODUCTS), *drawn]:
        copy = target / path.relative_to(run)
        if copy.exists() and files.sha256(copy) == files.sha256(path):
            continue
        with files.atomic(copy) as partial:
            shutil.copyfile(path, partial)
