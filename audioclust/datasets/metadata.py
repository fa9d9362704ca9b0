"""The metadata table: one row per sound file of a dataset, whatever the folder looks like.

Columns: ``path`` (posix, relative to the dataset's root), ``name`` (without extension), ``extension`` (lower case, no
dot), ``label`` (the parent folder's relative path; null for a file in the root), the label columns of the dataset's
rule, ``duration`` (s), ``sample_rate`` (Hz), ``channels``, ``level`` (dBFS of the root mean square), ``sha256``,
``problem`` (why the file cannot be used, else null), ``note`` (what is odd about a usable file, else null).

Names and labels are in Unicode's composed form (NFC) and rows are in the order of their UTF-8 bytes, so that one
folder gives one table on every system. ``path`` stays as the file system spells it. A digest of each file's size and
times travels in the table's ``attrs`` (they are saved with it), so that scanning again reads only what changed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from audioclust import columns, files, parallel, recording
from audioclust.datasets.catalogue import Dataset, module, of_rule
from audioclust.datasets.walking import order, printable, walk
from audioclust.project import is_project

__all__ = ["is_unchanged", "label_columns", "save", "scan", "summary"]

Rule = Callable[[str], Mapping[str, str | None]]
Marks = NDArray[np.uint64]  # [shape=(n,)]: another number as soon as a file's size or times change

_log = logging.getLogger(__name__)

_BEFORE = {"path": "str", "name": "str", "extension": "str", "label": "str"}
_INSPECTED = {"duration": "float64", "sample_rate": "Int64", "channels": "Int64", "level": "float64", "sha256": "str",
              "problem": "str", "note": "str"}  # fmt: skip
_MARKS = "audioclust_scan"
_EDITION = 5  # of what inspection finds: rows of another edition are read again
_MARK = 6  # bytes; one file in 280 000 000 000 000 that changes keeps its mark
_MOST = 12_000_000  # recordings whose marks a parquet file can hold; those of a larger table are read again


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
    names, labels_of = _rule(rule)
    places, unreadable = walk(root)
    if unreadable:
        places = sorted([*places, *unreadable], key=order)
    described = columns.gathered((_describe(place, folder=place in unreadable) for place in places), _BEFORE)
    odd = {number: place for number, place in enumerate(places) if printable(place) != place}
    marks = _marks(root, places, unreadable)
    del places  # a million texts: the table has them
    inspected = _inspected(root, described["path"], odd, marks, unreadable, known=known, jobs=jobs)
    _check_lost(root, known, described["path"], inspected["sha256"], allow_loss)
    table = _labelled(described, inspected, names, labels_of)
    if len(table) <= _MOST:
        table.attrs[_MARKS] = _saved(marks)
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


def _inspected(
    root: Path,
    paths: pd.Series,
    odd: Mapping[int, str],
    marks: Marks,
    unreadable: Mapping[str, str],
    *,
    known: pd.DataFrame | None,
    jobs: parallel.Jobs,
) -> pd.DataFrame:
    """Return what is in the files: of `known` where they have not changed since, else what is read now.

    `odd` are the paths as the system has them, by row, where a table cannot hold them.
    """
    held = _reusable(known, paths, odd, marks)
    spelled = columns.Blocks.of(paths.to_frame()).rows(["path"])

    def path(row: int) -> str:
        return odd.get(row) or spelled[row][0]

    folders = [row for row in range(len(paths)) if path(row) in unreadable] if unreadable else []
    fresh = np.setdiff1d(np.flatnonzero(held < 0), folders, assume_unique=True)
    work = parallel.OnDemand(len(fresh), lambda number: path(int(fresh[number])))
    found = parallel.map(partial(_inspect, root), work, jobs=jobs, description="scan")
    parts = [(fresh, columns.gathered(found, _INSPECTED))]
    if folders:
        rows = ({"problem": unreadable[path(row)]} for row in folders)
        parts.append((np.array(folders), columns.gathered(rows, _INSPECTED)))
    if known is not None and (held >= 0).any():
        parts.append((np.flatnonzero(held >= 0), known[list(_INSPECTED)].iloc[held[held >= 0]].astype(_INSPECTED)))
    return columns.interleaved(parts)


def _labelled(described: pd.DataFrame, inspected: pd.DataFrame, names: list[str], labels_of: Rule) -> pd.DataFrame:
    """Put the table together, with the columns of the rule."""
    labels = columns.gathered(map(labels_of, described["path"]), dict.fromkeys(names, "str"))
    for name in labels:
        if name in _INSPECTED or name in ("path", "name", "extension"):
            raise ValueError(f"rule: gives a column {name!r}, which the metadata table itself has")
    if "label" in labels:
        described["label"] = labels.pop("label")
    return pd.concat([described, labels, inspected], axis=1)


def _check_lost(root: Path, known: pd.DataFrame | None, paths: pd.Series, shas: pd.Series, allowed: bool) -> None:
    """Raise when most of what was known is gone, under its name and under any other."""
    if allowed or known is None or known.empty:
        return
    there = _among(known["path"], paths) | _among(known["sha256"], shas)
    if there.sum() < len(known) / 2:
        raise ValueError(
            f"{root}: {(~there).sum()} of the {len(known)} recordings known from the last scan are gone. Is the drive "
            f"there? If they were removed on purpose: scan with allow_loss=True, or delete the dataset's "
            f"metadata.parquet and scan again. Nothing was changed"
        )


def _among(values: pd.Series, others: pd.Series) -> NDArray[np.bool_]:
    """Return which values are among others; null is not. (pandas makes objects of them.)"""
    found = pc.is_in(_arrow(values), value_set=_arrow(others), skip_nulls=True)
    return np.asarray(found)


def _arrow(column: pd.Series) -> pa.Array:
    return pa.array(column.astype("str"))


def save(metadata: pd.DataFrame, folder: str | Path) -> Path:
    """Write the table to ``metadata.parquet`` in `folder`, where :meth:`audioclust.project.Project.metadata` reads it.

    Returns
    -------
    Path
        The file.
    """
    path = Path(folder) / "metadata.parquet"
    with files.atomic(path) as partial_:
        columns.write(metadata.reset_index(drop=True), partial_)
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
    earlier, files_only = _marks_of(metadata), metadata["extension"].ne("").to_numpy()
    paths, problems = walk(Path(root))
    if earlier is None or files_only.sum() != len(paths):
        return not (len(metadata) or paths)
    held = metadata["path"][files_only]
    if any(one != printable(path) for one, path in zip(held, paths, strict=True)):
        return False
    if not np.array_equal(earlier[files_only], _marks(Path(root), paths)):
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
    labels_of: Rule = rule  # type: ignore[assignment]
    return list(getattr(of_rule(labels_of), "LABELS", {})), labels_of


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


def _marks(root: Path, paths: Sequence[str], passed_over: Collection[str] = ()) -> Marks:
    """Return what changes when a file does; 0 where there is none.

    The change time tells of new permissions and of replaced files too.
    """
    marks = np.zeros(len(paths), dtype="<u8")
    for row, path in enumerate(paths):
        with suppress(OSError):
            found = os.stat(f"{root}/{path}")  # noqa: PTH116
            if path not in passed_over:
                said = b"%d %d %d" % (found.st_size, found.st_mtime_ns, found.st_ctime_ns)
                marks[row] = int.from_bytes(hashlib.blake2b(said, digest_size=_MARK).digest(), "little")
    return marks


def _saved(marks: Marks) -> str:
    """Return marks as text, which `_marks_of` reads."""
    kept = marks.view(np.uint8).reshape(-1, 8)[:, :_MARK].tobytes()
    return json.dumps({"edition": _EDITION, "marks": base64.b64encode(kept).decode()})


def _marks_of(table: pd.DataFrame | None) -> Marks | None:
    """Return the marks that a table of this edition holds, one a row."""
    if table is None or not isinstance(table.attrs.get(_MARKS), str):
        return None
    earlier = json.loads(table.attrs[_MARKS])
    if earlier["edition"] != _EDITION:
        return None
    kept = np.frombuffer(base64.b64decode(earlier["marks"]), dtype=np.uint8).reshape(-1, _MARK)
    if not len(kept) == len(table) > 0:
        return None
    marks = np.zeros((len(kept), 8), dtype=np.uint8)
    marks[:, :_MARK] = kept
    return marks.view("<u8").ravel()


def _reusable(known: pd.DataFrame | None, paths: pd.Series, odd: Collection[int], marks: Marks) -> NDArray[np.intp]:
    """Return which row of `known` says what is in a file, -1 where none does or the file has changed since.

    A problem is always looked at again.
    """
    earlier = _marks_of(known)
    if known is None or earlier is None:
        return np.full(len(paths), -1)
    fine = known["path"].where(known["problem"].isna())
    rows = pc.index_in(_arrow(paths), value_set=_arrow(fine), skip_nulls=True).fill_null(-1)
    held = np.asarray(rows).astype(np.intp)
    held[list(odd)] = -1
    return np.where((held >= 0) & (marks > 0) & (earlier[held] == marks), held, -1)
