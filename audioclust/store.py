"""Rows that are computed once per recording and kept: one folder per set of parameters.

``params.json``   what decides the numbers; the folder's name is its digest
``rows.parquet``  the rows, one per recording, keyed by the ``sha256`` of its bytes
``shards/``       rows that came in since; a run that is killed goes on after the last of them

A shard is whole or absent, so worker processes may add at any time. Only :func:`merge` asks for the folder's
:func:`locked` state.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd

from audioclust import files

__all__ = ["add", "locked", "merge", "opened", "read"]


def opened(parent: str | Path, params: Mapping[str, Any]) -> Path:
    """Return the folder under `parent` for these parameters, made if it is not there."""
    folder = Path(parent) / files.digest(params)
    if not (folder / "params.json").exists():
        files.write_json(folder / "params.json", params)
    return folder


def locked(folder: Path) -> AbstractContextManager[None]:
    """Keep other processes from working on `folder` meanwhile; they wait."""
    return files.locked(folder / ".lock")


def read(folder: Path) -> pd.DataFrame:
    """Return all rows, indexed by ``sha256``, each once."""
    paths = [folder / "rows.parquet", *sorted((folder / "shards").glob("*.parquet"))]
    tables = [pd.read_parquet(path) for path in paths if path.exists()]
    if not tables:
        return pd.DataFrame(index=pd.Index([], name="sha256", dtype=str))
    rows = pd.concat(tables).set_index("sha256")
    return rows[~rows.index.duplicated()]


def add(folder: Path, rows: pd.DataFrame) -> None:
    """Keep more rows, with a column ``sha256``."""
    if len(rows):
        with files.atomic(folder / "shards" / f"{uuid.uuid4().hex}.parquet") as partial:
            rows.to_parquet(partial, index=False)


def merge(folder: Path) -> pd.DataFrame:
    """Put all shards into ``rows.parquet`` and return the rows. Hold :func:`locked` meanwhile."""
    shards = sorted((folder / "shards").glob("*.parquet"))
    rows = read(folder)
    if shards:
        with files.atomic(folder / "rows.parquet") as partial:
            rows.reset_index().to_parquet(partial, index=False)
        for shard in shards:
            shard.unlink()
    return rows
