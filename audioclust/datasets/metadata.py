"""The metadata table: one row per sound file of a dataset, whatever the folder looks like.

Columns: ``path`` (posix, relative to the dataset's root), ``name`` (without extension), ``extension`` (lower case, no
dot), ``label`` (the parent folder's relative path; null for a file in the root), the label columns of the dataset's
rule, ``duration`` (s), ``sample_rate`` (Hz), ``channels``, ``level`` (dBFS of the root mean square), ``sha256``,
``problem`` (why the file cannot be used, else null), ``note`` (what is odd about a usable file, else null).

Names and labels are in Unicode's composed form (NFC) and rows are in the order of their UTF-8 bytes, so that one
folder gives one table on every system. ``path`` stays as the file system spells it. Size and times of each file travel
in the table's ``attrs`` (they are saved with it), so that scanning again reads only what changed.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audioclust import files, parallel, recording
from audioclust.datasets.catalogue import Dataset, module, of_rule
from audioclust.datasets.walking import order, printable, walk
from audioclust.project import is_project

__all__ = ["is_unchanged", "label_columns", "save", "scan", "summary"]

Rule = Callable[[str], Mapping[str, str | None]]
Stamps = NDArray[np.int64]  # [shape=(n, 3)]: size in bytes, times of the last change of content and of anything, in ns

_log = logging.getLogger(__name__)

_BEFORE = {"path": "str", "name": "str", "extension": "str", "label": "str"}
_INSPECTED = {"duration": "float64", "sample_rate": "Int64", "channels": "Int64", "level": "float64", "sha256": "str",
              "problem": "str", "note": "str"}  # fmt: skip
_STAMPS = "audioclust_scan"
_EDITION = 3  # of what inspection finds: rows of another edition are read again


def scan(
    root: str | Path,
    *,
    rule: Rule | Dataset | str | None = None,
    known: pd.DataFrame | None = None,
    allow_loss: bool = False,
    jobs: parallel.Jobs = 1,
) -> pd.DataFrame:
    """List the sound files under a folder and what is in them.

    Every file with a sound file's extension (:data:`audioclust.recording.EXTENSIONS`) becomes a row; one that cannot
    be used, and a folder that cannot be read, becomes a row with its ``problem``. Hidden files and folders, the folder
    ``transformed`` in the root and project folders (what the package itself writes) and all other files are passed
    over. Links are followed, each folder is entered once.

    Parameters
    ----------
    root : str or Path
    rule : callable, dataset or str, optional
        Where label columns (``label`` too) come from: a function from a path to ``{column: value}``, or a dataset.
    known : DataFrame, optional
        An earlier result for the same folder. Files whose size and times have not changed since are not read again.
    allow_loss : bool
        Accept that most `known` recordings are gone, which else is an error: the drive may be missing.
    jobs : int or str
        Worker processes, see :mod:`audioclust.parallel`.

    Returns
    -------
    DataFrame

    Raises
    ------
    OSError
        When `root` does not exist, is no folder, or cannot be read.
    ValueError
        When more than half of the `known` recordings are gone and `allow_loss` is False, `root` is a project's own
        folder, or the rule gives a column of the table itself.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "wren.wav").write_bytes(b"")
    ...     scan(folder)[["path", "problem"]].to_dict("records")
    [{'path': 'wren.wav', 'problem': 'empty file'}]
    """
    root = checked_folder(root)
    names, columns = _rule(rule)
    paths, unreadable = walk(root)
    stamps = _stamps(root, paths)
    inspected, done = _reusable(known, paths, stamps)
    fresh = np.flatnonzero(~done)
    work = [paths[place] for place in fresh]
    found = parallel.map(partial(_inspect, root), work, jobs=jobs, description="scan")
    for place, row in zip(fresh, found, strict=True):
        for name, values in inspected.items():
            values[place] = row[name]
    table, stamps = _table(paths, inspected, stamps, unreadable)
    _check_lost(root, known, table, allow_loss)
    table = _labelled(table, names, columns)
    table.attrs[_STAMPS] = json.dumps({"edition": _EDITION, "stamps": base64.b64encode(stamps.tobytes()).decode()})
    _log.info("%s: %d recordings, %d with a problem", root, len(table), table["problem"].notna().sum())
    return table


def checked_folder(root: str | Path) -> Path:
    """Return the folder of recordings, or raise where it is none."""
    root = Path(root).expanduser()
    if not root.exists():
        raise FileNotFoundError(f"no such folder: {root}")
    if not root.is_dir():
        raise NotADirectoryError(f"{root} is a file: give the folder that holds the recordings")
    if is_project(root):
        raise ValueError(f"root={str(root)!r}: is a project's folder; give the folder that holds the recordings")
    return root


def _table(
    paths: list[str], inspected: dict[str, list[Any]], stamps: Stamps, unreadable: Mapping[str, str]
) -> tuple[pd.DataFrame, Stamps]:
    """Put files and unreadable folders into one table, in its order; and their stamps, of folders -1."""
    places = [*paths, *unreadable]
    columns: dict[str, list[Any]] = {name: [] for name in _BEFORE}
    for number, path in enumerate(places):
        for name, value in _describe(path, folder=number >= len(paths)).items():
            columns[name].append(value)
    for name, values in inspected.items():
        columns[name] = values + [unreadable[path] if name == "problem" else None for path in unreadable]
    table = pd.DataFrame(columns)
    stamps = np.concatenate([stamps, np.full((len(unreadable), 3), -1)])
    if unreadable:
        by_name = sorted(range(len(table)), key=lambda row: order(places[row]))
        table, stamps = table.iloc[by_name].reset_index(drop=True), stamps[by_name]
    return table, stamps


def _labelled(table: pd.DataFrame, names: list[str], columns: Rule) -> pd.DataFrame:
    """Add the columns of the rule, and give all columns their types."""
    labels = [columns(path) for path in table["path"]]
    for name in dict.fromkeys([*names, *(name for row in labels for name in row)]):
        if name in _INSPECTED or name in ("path", "name", "extension"):
            raise ValueError(f"rule: gives a column {name!r}, which the metadata table itself has")
        values = [row.get(name) for row in labels]
        if name == "label":
            table["label"] = values
        else:
            table.insert(list(table.columns).index("duration"), name, pd.Series(values, dtype="str"))
    return table.astype(_BEFORE | _INSPECTED)


def _check_lost(root: Path, known: pd.DataFrame | None, table: pd.DataFrame, allowed: bool) -> None:
    """Raise when most of what was known is gone, under its name and under any other."""
    if allowed or known is None or known.empty:
        return
    there = known["path"].isin(table["path"]) | (known["sha256"].isin(table["sha256"]) & known["sha256"].notna())
    if there.sum() < len(known) / 2:
        raise ValueError(
            f"{root}: {(~there).sum()} of the {len(known)} recordings known from the last scan are gone. Is the drive "
            f"there? If they were removed on purpose: scan with allow_loss=True, or delete the dataset's "
            f"metadata.parquet and scan again. Nothing was changed"
        )


def save(metadata: pd.DataFrame, folder: str | Path) -> Path:
    """Write the table to ``metadata.parquet`` in `folder`, where :meth:`audioclust.project.Project.metadata` reads it.

    Returns
    -------
    Path
        The file.
    """
    path = Path(folder) / "metadata.parquet"
    with files.atomic(path) as partial_:
        metadata.reset_index(drop=True).to_parquet(partial_)
    return path


def is_unchanged(metadata: pd.DataFrame, root: str | Path, *, look_again: bool = True) -> bool:
    """Return whether the files under `root` are those of a table of :func:`scan`: the same paths, sizes and times.

    Only files with a problem are opened, if `look_again`: they may have become readable without having changed, by a
    program that decodes them, say. So this takes a fraction of a scan.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> table = scan(folder)
    >>> is_unchanged(table, folder)
    True
    >>> _ = Path(folder, "new.wav").write_bytes(b"")
    >>> is_unchanged(table, folder)
    False
    """
    earlier, files_only = _stamps_of(metadata), metadata["extension"].ne("").to_numpy()
    paths, problems = walk(Path(root))
    if earlier is None or metadata["path"][files_only].tolist() != [printable(path) for path in paths]:
        return not (len(metadata) or paths)
    if not np.array_equal(earlier[files_only], _stamps(Path(root), paths)):
        return False
    known = metadata.loc[metadata["problem"].notna()].set_index("path")["problem"]
    if look_again:
        problems |= {path: _inspect(Path(root), path)["problem"] for path in paths if printable(path) in known.index}
        return bool(known.to_dict() == {printable(path): problem for path, problem in problems.items()})
    return True


def label_columns(metadata: pd.DataFrame) -> list[str]:
    """Return the columns that label the recordings: ``label`` and those of the dataset's rule."""
    return [name for name in metadata.columns if name not in _INSPECTED and name not in ("path", "name", "extension")]


def summary(metadata: pd.DataFrame, by: str | None = "label") -> pd.DataFrame:
    """Count the recordings, group by group.

    Parameters
    ----------
    metadata : DataFrame
        A table of :func:`scan`.
    by : str or None
        The column that groups; None makes one row of all.

    Returns
    -------
    DataFrame
        One row per group: ``recordings`` (files), ``usable``, ``problems``, ``noted``, ``hours`` (of the usable ones),
        ``shortest``, ``mean``, ``longest`` (s), ``sample_rates`` (Hz) and ``channels`` (the values, most frequent
        first). Recordings without a label stand last, as ``(none)``.

    Raises
    ------
    ValueError
        When the table has no column `by`.
    """
    if by is not None and by not in metadata.columns:
        raise ValueError(f"by={by!r}: the table has {', '.join(metadata.columns)}")
    groups: Iterable[tuple[Any, pd.DataFrame]]
    if by is None:
        groups = [("all", metadata)]
    else:
        key = metadata[by]
        groups = [(value, metadata[key == value]) for value in sorted(key.dropna().unique())]
        if key.isna().any():
            groups = [*groups, ("(none)", metadata[key.isna()])]
    rows = {value: _summarise(rows) for value, rows in groups}
    columns = list(_summarise(metadata.iloc[:0]))
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.rename_axis(by or "group")


def _summarise(rows: pd.DataFrame) -> dict[str, Any]:
    usable = rows[rows["problem"].isna()]
    duration = usable["duration"]
    return {
        "recordings": len(rows),
        "usable": len(usable),
        "problems": len(rows) - len(usable),
        "noted": int(usable["note"].notna().sum()),
        "hours": duration.sum() / 3600,
        "shortest": duration.min(),
        "mean": duration.mean(),
        "longest": duration.max(),
        "sample_rates": ", ".join(str(rate) for rate in usable["sample_rate"].value_counts().index),
        "channels": ", ".join(str(count) for count in usable["channels"].value_counts().index),
    }


def _rule(rule: Rule | Dataset | str | None) -> tuple[list[str], Rule]:
    """Return the names of the label columns, as far as known beforehand, and the function that gives them."""
    if rule is None:
        return [], lambda path: {}
    if isinstance(rule, str):
        rule = module(rule)
    if hasattr(rule, "columns"):
        return list(rule.LABELS), rule.columns  # type: ignore[union-attr]
    columns: Rule = rule  # type: ignore[assignment]
    return list(getattr(of_rule(columns), "LABELS", {})), columns


def _describe(path: str, *, folder: bool = False) -> dict[str, Any]:
    """Return the columns that the path alone decides."""
    parent, _, name = unicodedata.normalize("NFC", printable(path)).rpartition("/")
    return {
        "path": printable(path),
        "name": name if folder else name.rpartition(".")[0],
        "extension": "" if folder else recording.extension(name),
        "label": parent or None,
    }


def _inspect(root: Path, path: str) -> dict[str, Any]:
    described = recording.inspect(root / path)
    if printable(path) != path:
        described["problem"] = "file name is not valid UTF-8: rename it"
    elif not files.is_below(path):
        described["problem"] = "file name begins with a drive letter or holds '..': rename it"
    return described


def _stamps(root: Path, paths: list[str]) -> Stamps:
    """Return what changes when a file does; -1 where there is none.

    The change time tells of new permissions and of replaced files too.
    """
    stamps = np.full((len(paths), 3), -1, dtype=np.int64)
    for stamp, path in zip(stamps, paths, strict=True):
        with suppress(OSError):
            found = os.stat(f"{root}/{path}")  # noqa: PTH116
            stamp[:] = found.st_size, found.st_mtime_ns, found.st_ctime_ns
    return stamps


def _stamps_of(table: pd.DataFrame | None) -> Stamps | None:
    """Return the stamps that a table of this edition holds, a row each."""
    if table is None or not isinstance(table.attrs.get(_STAMPS), str):
        return None
    earlier = json.loads(table.attrs[_STAMPS])
    if earlier["edition"] != _EDITION:
        return None
    stamps = np.frombuffer(base64.b64decode(earlier["stamps"]), dtype="<i8").reshape(-1, 3)
    return stamps if len(stamps) == len(table) > 0 else None


def _reusable(
    known: pd.DataFrame | None, paths: list[str], stamps: Stamps
) -> tuple[dict[str, list[Any]], NDArray[np.bool_]]:
    """Return what `known` says about the files that have not changed since, and which those are.

    A problem is always looked at again.
    """
    columns: dict[str, list[Any]] = {name: [None] * len(paths) for name in _INSPECTED}
    earlier = _stamps_of(known)
    if known is None or earlier is None:
        return columns, np.zeros(len(paths), dtype=bool)
    fine = known["problem"].isna()
    rows = {path: row for row, path in enumerate(known["path"]) if fine.iat[row]}
    there = np.array([rows.get(path, -1) for path in paths], dtype=np.intp)
    done = (there >= 0) & (stamps[:, 0] >= 0) & (earlier[there] == stamps).all(axis=1)
    for name, values in columns.items():
        held = known[name].astype(object).where(known[name].notna(), None).to_numpy()
        for place in np.flatnonzero(done):
            values[place] = held[there[place]]
    return columns, done
