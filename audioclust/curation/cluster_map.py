"""The map from file to cluster, as a JSON file: ``{"anna/01.wav": 0, ...}``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from audioclust import files
from audioclust.validation import is_whole

__all__ = ["read_cluster_map", "write_cluster_map"]


def write_cluster_map(path: str | Path, names: Iterable[str], labels: ArrayLike) -> Path:
    """Write which file is in which cluster, atomically, in the files' order.

    Parameters
    ----------
    path : str or Path
        The JSON file.
    names : iterable of str [length n]
        Files, each once.
    labels : array-like of int [shape=(n,)]
        Cluster of each file, -1 for noise.

    Raises
    ------
    ValueError
        When a name occurs twice (a map would silently drop one) or the lengths differ.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_cluster_map(Path(folder) / "map.json", ["ada/1.wav", "eve/1.wav"], [0, -1])
    ...     read_cluster_map(path)
    {'ada/1.wav': 0, 'eve/1.wav': -1}
    """
    names = [str(name) for name in names]
    labels = np.asarray(labels)
    if len(names) != len(labels):
        raise ValueError(f"names has {len(names)} entries, labels {len(labels)}")
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"names: {twice!r} occurs more than once; use paths, which differ")
    return files.write_json(path, {name: int(label) for name, label in zip(names, labels, strict=True)})


def read_cluster_map(path: str | Path) -> dict[str, int]:
    """Read a map written by :func:`write_cluster_map`.

    Raises
    ------
    ValueError
        When the file holds something else.
    """
    clusters = files.read_json(path)
    if not isinstance(clusters, dict) or not all(is_whole(label) and label >= -1 for label in clusters.values()):
        raise ValueError(f"{path}: not a map from files to clusters, whole numbers from -1")
    return clusters
