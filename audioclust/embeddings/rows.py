"""Rows that are computed once per recording and kept: one folder per set of parameters.

``params.json``   what decides the numbers; the folder's name is its digest
``rows.parquet``  the rows, one per recording, keyed by the ``sha256`` of its bytes
``shards/``       rows that came in since; a run that is killed goes on after the last of them

A shard is whole or absent, so several processes may add at any time. Every page of a file has a checksum; rows that
are damaged count as absent.
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

_GROUP = 1024  # rows that are lost together where one is damaged

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
        tables += _intact(path)
    if not tables:
        return pd.DataFrame(index=pd.Index([], name="sha256", dtype=str))
    rows = pd.concat(tables).set_index("sha256")
    return rows[~rows.index.duplicated()]


def _intact(path: Path) -> list[pd.DataFrame]:
    """Return the parts of a file that agree with their checksums."""
    import pyarrow.parquet as pq

    parts: list[pd.DataFrame] = []
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as held:
            for group in range(held.num_row_groups):
                try:
                    parts.append(held.read_row_group(group).to_pandas())
                except OSError as error:
                    count = held.metadata.row_group(group).num_rows
                    _log.warning("%s: %d rows are damaged (%s); they are computed again", path, count, error)
    except FileNotFoundError:  # nothing yet, or merged by another process in this moment
        pass
    except (OSError, ValueError) as error:  # pyarrow's are among these
        _log.warning("%s is damaged (%s); its recordings are computed again", path, error)
    return parts


def _write(rows: pd.DataFrame, path: Path) -> None:
    with files.atomic(path) as partial:
        rows.to_parquet(partial, index=False, compression=None, row_group_size=_GROUP, write_page_checksum=True)


def add(folder: Path, rows: pd.DataFrame) -> None:
    """Keep more rows, with a column ``sha256``."""
    if len(rows):
        _write(rows, folder / "shards" / f"{uuid.uuid4().hex}.parquet")


def merge(folder: Path) -> pd.DataFrame:
    """Move all shards into ``rows.parquet`` and return the rows."""
    with files.locked(folder / ".lock"):
        shards = sorted((folder / "shards").glob("*.parquet"))
        rows = read(folder)
        if shards:
            _write(rows.reset_index(), folder / "rows.parquet")
            for shard in shards:
                shard.unlink(missing_ok=True)
        return rows
