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

import json
import logging
import os
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from audioclust import files, parallel, recording
from audioclust.datasets.catalogue import Dataset, module, of_rule
from audioclust.project import is_project

__all__ = ["is_unchanged", "label_columns", "recordings_under", "save", "scan", "summary"]

Rule = Callable[[str], Mapping[str, str | None]]

_log = logging.getLogger(__name__)

_BEFORE = {"path": "str", "name": "str", "extension": "str", "label": "str"}
_INSPECTED = {"duration": "float64", "sample_rate": "Int64", "channels": "Int64", "level": "float64", "sha256": "str",
              "problem": "str", "note": "str"}  # fmt: skip
_BYTES = ("utf-8", "surrogateescape")
_STAMPS = "audioclust_scan"
_EDITION = 2  # of what inspection finds: rows of another edition are read again


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
    paths, unreadable = _walk(root)
    stamps = {path: _stamp(root / path) for path in paths}
    inspected = _reusable(known, stamps)
    fresh = [path for path in paths if path not in inspected]
    inspected |= zip(fresh, parallel.map(partial(_inspect, root), fresh, jobs=jobs, description="scan"), strict=True)
    table = _table(paths, inspected, unreadable)
    _check_lost(root, known, table, allow_loss)
    table = _labelled(table, names, columns)
    table.attrs[_STAMPS] = json.dumps({"edition": _EDITION, "stamps": {_printable(p): stamps[p] for p in paths}})
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


def _table(paths: list[str], inspected: Mapping[str, dict[str, Any]], unreadable: Mapping[str, str]) -> pd.DataFrame:
    """Put files and unreadable folders into one table, in its order."""
    rows = [_describe(path) | inspected[path] for path in paths]
    rows += [_describe(path, folder=True) | {"problem": problem} for path, problem in unreadable.items()]
    rows.sort(key=lambda row: _order(row["path"]))
    return pd.DataFrame(rows, columns=[*_BEFORE, *_INSPECTED])


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
    earlier = json.loads(metadata.attrs.get(_STAMPS, "{}"))
    paths, problems = _walk(Path(root))
    stamps = {_printable(path): _stamp(f"{root}/{path}") for path in paths}
    if earlier.get("edition") != _EDITION or earlier["stamps"] != stamps:
        return False
    known = metadata.loc[metadata["problem"].notna()].set_index("path")["problem"]
    if look_again:
        problems |= {path: _inspect(Path(root), path)["problem"] for path in paths if _printable(path) in known.index}
        return bool(known.to_dict() == {_printable(path): problem for path, problem in problems.items()})
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


def recordings_under(root: Path) -> list[str]:
    """Return the relative posix paths of the sound files that :func:`scan` finds, in the order of its table."""
    return _walk(root)[0]


def _walk(root: Path) -> tuple[list[str], dict[str, str]]:
    """Return the sound files under a folder, and each folder that cannot be read with the reason."""
    paths: list[str] = []
    unreadable: dict[str, str] = {}
    seen: set[tuple[int, int]] = set()
    real, links = [""], list[str]()
    while real or links:
        # Folders before links to folders: a link to a part of the dataset then does not take its place.
        linked = not real
        folder = (links if linked else real).pop()
        try:
            entity = os.stat(root / folder)  # noqa: PTH116
            if (entity.st_dev, entity.st_ino) in seen:
                continue
            seen.add((entity.st_dev, entity.st_ino))
            entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            if not folder:
                raise
            unreadable[folder] = f"folder cannot be read: {error.strerror}"
            continue
        if folder and is_project(root / folder):
            _log.warning("%s is a project's folder and is passed over", root / folder)
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if _is_folder(entry):
                if not entry.name.startswith(".") and path != "transformed":
                    (links if entry.is_symlink() else real).append(path)
            elif _is_recording(entry.name):
                paths.append(path)
    return sorted(paths, key=_order), unreadable


def _order(path: str) -> tuple[bytes, bytes]:
    return unicodedata.normalize("NFC", path).encode(*_BYTES), path.encode(*_BYTES)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads back to itself
        return False


def _is_recording(name: str) -> bool:
    hidden = name.startswith(".") and name.count(".") > 1  # "._take.wav" is, ".wav" merely has no stem
    return recording.extension(name) in recording.EXTENSIONS and not hidden


def _describe(path: str, *, folder: bool = False) -> dict[str, Any]:
    """Return the columns that the path alone decides."""
    parent, _, name = unicodedata.normalize("NFC", _printable(path)).rpartition("/")
    return {
        "path": _printable(path),
        "name": name if folder else name.rpartition(".")[0],
        "extension": "" if folder else recording.extension(name),
        "label": parent or None,
    }


def _printable(path: str) -> str:
    """Return the path with bytes that are no UTF-8 written as escapes: a table cannot hold them as they are."""
    return path.encode(*_BYTES).decode("utf-8", "backslashreplace")


def _inspect(root: Path, path: str) -> dict[str, Any]:
    described = recording.inspect(root / path)
    if _printable(path) != path:
        described["problem"] = "file name is not valid UTF-8: rename it"
    elif not files.is_below(path):
        described["problem"] = "file name begins with a drive letter or holds '..': rename it"
    return described


def _stamp(path: str | Path) -> list[int]:
    """Return what changes when a file does. The change time tells of new permissions and of replaced files too."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _reusable(known: pd.DataFrame | None, stamps: Mapping[str, list[int]]) -> dict[str, dict[str, Any]]:
    """Return what `known` says about the files that have not changed since. A problem is always looked at again."""
    if known is None or not isinstance(known.attrs.get(_STAMPS), str):
        return {}
    earlier = json.loads(known.attrs[_STAMPS])
    if earlier["edition"] != _EDITION:
        return {}
    fine = known[known["problem"].isna()]
    rows = dict(zip(fine["path"], fine[list(_INSPECTED)].to_dict("records"), strict=True))
    return {
        path: rows[path]
        for path, stamp in stamps.items()
        if path in rows and stamp and stamp == earlier["stamps"].get(path)
    }
