"""Which recordings and labels a run was computed from."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from audioclust import files
from audioclust.project import Project, read_table

__all__ = ["data_digest"]


def data_digest(project: Project, dataset: str) -> str | None:
    """Digest of the dataset's paths, contents and labels as last scanned; None before it is."""
    try:
        path = project.dataset(dataset) / "metadata.parquet"
        stamp = path.stat()
        return _digest(path, stamp.st_ino, stamp.st_mtime_ns, stamp.st_size)
    except (FileNotFoundError, ValueError):
        return None


@lru_cache(maxsize=64)
def _digest(path: Path, *stamp: int) -> str:
    """Digest a metadata table; the stamp tells a file from what it was before."""
    table = read_table(path)
    volatile = {"duration", "level", "note"}
    text = table[[column for column in table.columns if column not in volatile]].astype(str)
    return files.digest(text.to_dict("list"))
