"""Rows that are computed once per recording and kept: one folder per set of parameters.

``params.json``   what decides the numbers; the folder's name is its digest
``rows.parquet``  the rows, one per recording, keyed by the ``sha256`` of its bytes
``shards/``       rows that came in since; a run that is killed goes on after the last of them

A shard is whole or absent, so several processes may add at any time. What is damaged counts as absent.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from audioclust import files

__all__ = ["add", "merge", "opened", "read"]

_log = logging.getLogger(__name__)


def opened(parent: str | Path, params: Mapping[str, Any]) -> Path:
    """Return the folder under `parent` for these parameters, made if it is not there."""
    folder = Path(parent) / files.digest(params)
    if not (folder / "params.json").exists():
        files.write_json(folder / "params.json", params)
    return folder


def read(folder: Path) -> pd.DataFrame:
    """Return all rows, indexed by ``sha256``, each once."""
    paths = [folder / "rows.parquet", *sorted((folder / "shards").glob("*.parquet"))]
    tables = []
    for path in paths:
        try:
            tables.append(pd.read_parquet(path))
        except FileNotFoundError:  # nothing yet, or merged by another process in this moment
            continue
        except (OSError, ValueError) as error:  # pyarrow's are among these
            _log.warning("%s is damaged (%s); its recordings are computed again", path, error)
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
    """Move all shards into ``rows.parquet`` and return the rows."""
    with files.locked(folder / ".lock"):
        shards = sorted((folder / "shards").glob("*.parquet"))
        rows = read(folder)
        if shards:
            with files.atomic(folder / "rows.parquet") as partial:
                rows.reset_index().to_parquet(partial, index=False)
            for shard in shards:
                shard.unlink(missing_ok=True)
        return rows
