"""Recordings sorted into a folder per group, as links or copies.

``groups.csv`` in the folder says which file stands for which recording; it also says, when the work is done again, that
the folder holds this grouping and no other. No file that is there is ever replaced.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from audioclust import files, parallel
from audioclust.text import csv
from audioclust.validation import check_labels

__all__ = ["sort_into_folders"]

LISTED = "groups.csv"


def sort_into_folders(
    paths: Sequence[str], labels: ArrayLike, root: str | Path, out: str | Path, *, link: bool = True
) -> pd.DataFrame:
    """Fill a folder per group with links to its recordings, or copies of them.

    Doing it again goes on where it stopped.

    Parameters
    ----------
    paths : sequence of str
        Recordings, relative to `root`.
    labels : array-like of int [shape=(n,)]
        Groups; -1 is the folder ``no_group``.
    root : str or Path
    out : str or Path
        Outside `root`. Made if missing.
    link : bool
        Whether files are symbolic links; where the system refuses those, they are copied.

    Returns
    -------
    pd.DataFrame
        ``path``, ``group`` and ``file``, relative to `out`: ``group_07/SUB_FOLDER__NAME``.

    Raises
    ------
    ValueError
        When `out` lies inside `root`, holds another grouping, or a file that would have to be replaced.
    OSError
        When a recording cannot be read or a file not be written.

    Examples
    --------
    >>> import tempfile
    >>> root, out = Path(tempfile.mkdtemp()), Path(tempfile.mkdtemp())
    >>> for name in ("a.wav", "b.wav"):
    ...     _ = (root / name).write_bytes(b"sound")
    >>> sort_into_folders(["a.wav", "b.wav"], [0, 1], root, out, link=False)["file"].tolist()
    ['group_0/a.wav', 'group_1/b.wav']
    """
    root, out = Path(root).resolve(), Path(out).expanduser().resolve()
    if out.is_relative_to(root):
        raise ValueError(f"sort={str(out)!r}: lies inside the recordings ({root}); give another folder")
    groups = check_labels(labels, len(paths), rows="paths")
    table = pd.DataFrame({"path": list(paths), "group": groups, "file": _names(list(paths), groups)})
    _check_same(table, out)
    for path, file in parallel.progress(zip(table["path"], table["file"], strict=True), "sorting", len(table)):
        link = _place(root / path, out / file, link)
    return table


def _names(paths: list[str], groups: np.ndarray) -> list[str]:
    """Return where each recording goes: the folders of its path become a part of its name."""
    width = len(str(max(groups.max(initial=0), 0)))
    names: list[str] = []
    taken: set[str] = set()
    for path, group in zip(paths, groups, strict=True):
        folder = "no_group" if group == -1 else f"group_{group:0{width}d}"
        plain = re.sub(r'[\x00-\x1f<>:"\\|?*]', "_", path.replace("/", "__"))
        stem, dot, suffix = plain.rpartition(".")
        file = f"{folder}/{files.short_name(stem or plain, dot + suffix if stem else '')}"
        if file.casefold() in taken:
            file = f"{folder}/{files.short_name(f'{stem}~{files.digest(path, 8)}', dot + suffix)}"
        taken.add(file.casefold())
        names.append(file)
    return names


def _check_same(table: pd.DataFrame, out: Path) -> None:
    """Note in the folder which grouping it holds, or raise where it holds another one."""
    listed = out / LISTED
    if not listed.exists():
        files.write_csv(listed, table)
    elif listed.read_bytes() != csv(table).encode():
        raise ValueError(f"sort={str(out)!r}: holds another grouping already; give another folder, or delete this one")


def _place(source: Path, target: Path, link: bool) -> bool:
    """Put a recording at `target`, unless it stands there already; return whether links are possible."""
    if target.is_symlink() or target.exists():
        same = target.exists() and (target.samefile(source) or files.sha256(target) == files.sha256(source))
        if not same:
            raise ValueError(f"{target} is there already and is not {source}; move it away, or give another folder")
        return link
    target.parent.mkdir(parents=True, exist_ok=True)
    if link:
        try:
            os.symlink(source, target)  # noqa: PTH211 - pathlib's has the arguments the other way round
            return True
        except (OSError, NotImplementedError):
            pass  # Windows asks for a right that few users have; some disks know no links
    with files.atomic(target) as partial:
        shutil.copyfile(source, partial)
    return False
