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
from types import ModuleType
from typing import Any

import pandas as pd

from audioclust import files, parallel, recording
from audioclust.datasets.catalogue import module, of_rule

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
    rule: Rule | ModuleType | str | None = None,
    known: pd.DataFrame | None = None,
    jobs: parallel.Jobs = 1,
) -> pd.DataFrame:
    """List the sound files under a folder and what is in them.

    Every file with a sound file's extension (:data:`audioclust.recording.EXTENSIONS`) becomes a row; one that cannot
    be used becomes a row with its ``problem``. Hidden files and folders, the folder ``transformed`` in the root (what
    the package itself writes) and all other files are passed over. Links are followed, each folder is entered once.

    Parameters
    ----------
    root : str or Path
        The dataset's folder, flat or nested.
    rule : callable, module or str, optional
        Where label columns come from: a function from a relative path to ``{column: value}``, a module of the
        catalogue or its name. It may set ``label`` too.
    known : DataFrame, optional
        An earlier result for the same folder. Files whose size and times have not changed since are not read again.
    jobs : int or str
        Worker processes, see :mod:`audioclust.parallel`.

    Returns
    -------
    DataFrame
        See the module's opening; all columns with their types even when there is no file.

    Raises
    ------
    FileNotFoundError
        When `root` does not exist.
    NotADirectoryError
        When `root` is no folder.
    """
    root = Path(root).expanduser()
    if not root.exists():
        raise FileNotFoundError(f"no such folder: {root}")
    if not root.is_dir():
        raise NotADirectoryError(f"{root} is a file: give the folder that holds the recordings")
    names, columns = _rule(rule)
    paths = recordings_under(root)
    stamps = {path: _stamp(root / path) for path in paths}
    usable = _reusable(known, stamps)
    fresh = [path for path in paths if path not in usable]
    found = parallel.map(partial(_inspect, root), fresh, jobs=jobs, description="scan")
    inspected = usable | dict(zip(fresh, found, strict=True))

    table = pd.DataFrame([_describe(path) | inspected[path] for path in paths], columns=[*_BEFORE, *_INSPECTED])
    labels = [columns(path) for path in paths]
    names = list(dict.fromkeys([*names, *(name for row in labels for name in row)]))
    for name in names:
        if name in _INSPECTED or name in ("path", "name", "extension"):
            raise ValueError(f"rule={rule!r}: gives a column {name!r}, which the metadata table itself has")
        values = [row.get(name) for row in labels]
        if name == "label":
            table["label"] = values
        else:
            table.insert(list(table.columns).index("duration"), name, pd.Series(values, dtype="str"))
    table = table.astype(_BEFORE | _INSPECTED)
    table.attrs[_STAMPS] = json.dumps({"edition": _EDITION, "stamps": {_printable(p): stamps[p] for p in paths}})
    problems = int(table["problem"].notna().sum())
    _log.info("%s: %d recordings, %d with a problem", root, len(table), problems)
    return table


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


def is_unchanged(metadata: pd.DataFrame, root: str | Path) -> bool:
    """Return whether the files under `root` are those of a table of :func:`scan`: the same paths, sizes and times.

    Nothing is opened, so this takes a fraction of a scan.

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
    stamps = {_printable(path): _stamp(Path(root) / path) for path in recordings_under(Path(root))}
    return earlier.get("edition") == _EDITION and earlier["stamps"] == stamps


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


def _rule(rule: Rule | ModuleType | str | None) -> tuple[list[str], Rule]:
    """Return the names of the label columns, as far as known beforehand, and the function that gives them."""
    if rule is None:
        return [], lambda path: {}
    if isinstance(rule, str):
        rule = module(rule)
    if isinstance(rule, ModuleType):
        return list(rule.LABELS), rule.columns
    names = getattr(of_rule(rule), "LABELS", {})
    return list(names), rule


def recordings_under(root: Path) -> list[str]:
    """Return the relative posix paths of the sound files that :func:`scan` finds, in the order of its table."""
    found: list[str] = []
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
            _log.warning("%s cannot be read and is left out: %s", root / folder, error.strerror)
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if _is_folder(entry):
                if not entry.name.startswith(".") and path != "transformed":
                    (links if entry.is_symlink() else real).append(path)
            elif _is_recording(entry.name):
                found.append(path)
    return sorted(found, key=lambda path: (unicodedata.normalize("NFC", path).encode(*_BYTES), path.encode(*_BYTES)))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads back to itself
        return False


def _is_recording(name: str) -> bool:
    hidden = name.startswith(".") and name.count(".") > 1  # "._take.wav" is, ".wav" merely has no stem
    return recording.extension(name) in recording.EXTENSIONS and not hidden


def _describe(path: str) -> dict[str, str | None]:
    """Return the columns that the path alone decides."""
    folder, _, file = unicodedata.normalize("NFC", _printable(path)).rpartition("/")
    return {
        "path": _printable(path),
        "name": file.rpartition(".")[0],
        "extension": recording.extension(file),
        "label": folder or None,
    }


def _printable(path: str) -> str:
    """Return the path with bytes that are no UTF-8 written as escapes: a table cannot hold them as they are."""
    return path.encode(*_BYTES).decode("utf-8", "backslashreplace")


def _inspect(root: Path, path: str) -> dict[str, Any]:
    found = recording.inspect(root / path)
    if _printable(path) != path:
        found["problem"] = "file name is not valid UTF-8: rename it"
    return found


def _stamp(path: Path) -> list[int]:
    """Return what changes when a file does. The change time tells of new permissions and of replaced files too."""
    try:
        found = path.stat()
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
