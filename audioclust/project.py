"""Where things lie: one folder with ``datasets/ features/ checkpoints/ results/``.

A dataset's recordings stand in ``datasets/NAME`` itself, or anywhere else (a read-only share, say): then
``datasets/NAME/source.json`` remembers the folder. What the package writes about a dataset stands in the project.

``audioclust.yaml`` in that folder is optional. It marks the project and holds its settings (:meth:`Project.settings`).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audioclust import columns, files
from audioclust.bounded_yaml import parse_yaml

__all__ = ["Project", "plain_name"]

MARKER = "audioclust.yaml"


@dataclass(frozen=True)
class Project:
    """The folder that holds a user's data and results.

    Parameters
    ----------
    root : str or Path
        Made if missing, with its four folders, when something is first written.

    Examples
    --------
    >>> home = Project("my study")
    >>> home.dataset("birds").relative_to(home.root).as_posix()
    'datasets/birds'
    """

    root: Path

    def __init__(self, root: str | Path | Project = ".") -> None:
        object.__setattr__(self, "root", Path(root).expanduser().resolve())

    def __fspath__(self) -> str:
        return str(self.root)

    @classmethod
    def find(cls, start: str | Path | None = None) -> Project:
        """Return the project that a notebook or program started in `start` belongs to.

        That is the nearest folder, from `start` upwards, that holds ``audioclust.yaml``; else the nearest that holds
        both ``datasets`` and ``results``; else the folder above one called ``notebooks``; else `start` itself.

        Parameters
        ----------
        start : str or Path, optional
            Default: the working folder.

        Examples
        --------
        >>> Project.find("/data/my study/notebooks") == Project("/data/my study")
        True
        """
        here = cls(start or ".").root
        upwards = (here, *here.parents)
        marked = (folder for folder in upwards if (folder / MARKER).is_file())
        project = next(marked, None) or next(filter(is_project, upwards), None)
        if project is not None:
            return cls(project)
        return cls(here.parent if here.name == "notebooks" else here)

    def settings(self) -> dict[str, Any]:
        """Read ``audioclust.yaml``: ``plugins``, a list of "package.module" or "path/file.py"; empty without the file.

        Raises
        ------
        ValueError
            When the file is no YAML, or holds another key or another kind of value.
        """
        path = self.root / MARKER
        if not path.is_file():
            return {}
        try:
            settings = parse_yaml(path.read_text(encoding="utf-8"), str(path)) or {}
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not YAML: {error}") from None
        unknown = sorted(map(str, set(settings) - {"plugins"})) if isinstance(settings, dict) else ["no keys at all"]
        if unknown:
            raise ValueError(f"{path}: holds {', '.join(unknown)}; only 'plugins' is allowed")
        plugins = settings.get("plugins", [])
        if not isinstance(plugins, list) or not all(isinstance(name, str) for name in plugins):
            raise ValueError(f"{path}: plugins: give a list of modules or files, such as [my_features.py]")
        return settings

    @property
    def datasets(self) -> Path:
        """Folder of the recordings and their metadata tables."""
        return self.root / "datasets"

    @property
    def features(self) -> Path:
        """Folder of the feature and embedding stores."""
        return self.root / "features"

    @property
    def checkpoints(self) -> Path:
        """Folder of trained networks and downloaded weights."""
        return self.root / "checkpoints"

    @property
    def results(self) -> Path:
        """Folder of runs and tables."""
        return self.root / "results"

    def dataset(self, name: str) -> Path:
        """Folder of what the project knows about dataset `name`: ``metadata.parquet``, ``transformed/``.

        Raises
        ------
        ValueError
            When `name` is not one plain folder name.
        """
        return self.datasets / plain_name(name, "dataset")

    def recordings(self, name: str) -> Path:
        """Folder that the ``path`` column of the dataset's metadata is relative to.

        Raises
        ------
        ValueError
            When ``source.json`` does not name a folder.
        """
        return self._source(name) or self.dataset(name)

    def _source(self, name: str) -> Path | None:
        """Return the folder that the dataset was registered with, if it was."""
        source = self.dataset(name) / "source.json"
        try:
            root = Path(files.read_json(source)["root"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            root = Path()
        if not root.is_absolute() or ".." in root.parts:
            raise ValueError(f"{source} does not name a folder: register the recordings again")
        return root

    def register(self, root: str | Path, name: str | None = None) -> str:
        """Use the recordings under `root`, where they are, as dataset `name` (default: the folder's name).

        Several processes may register at once. A name whose folder holds neither recordings nor metadata stands for
        nothing, whatever a download or a stopped process left there, and is taken over.

        Returns
        -------
        str
            The dataset's name.

        Raises
        ------
        ValueError
            When `root` is no folder, or holds this project (whose own files would be taken for recordings), or the
            name already stands for another folder.
        """
        root = Path(root).expanduser().resolve()
        if not root.is_dir():
            raise ValueError(f"{root} is not a folder")
        name = plain_name(name or re.sub(r"[^\w.-]+", "_", root.name).strip("._") or "recordings", "dataset")
        folder = self.dataset(name)
        if root == folder:
            return name
        if folder.is_relative_to(root):
            raise ValueError(f"project={str(self.root)!r}: lies inside the recordings ({root}); give another folder")
        downloading = folder / "downloads" / ".lock"
        with contextlib.ExitStack() as held:
            held.enter_context(files.locked(self.datasets / ".lock"))
            if downloading.exists():
                held.enter_context(files.locked(downloading))
            stands_for = self._stands_for(name)
            if stands_for not in (None, root):
                text = f"dataset {name!r} already stands for {stands_for}; give this one another name"
                raise ValueError(f"{text}, or delete {folder} to free it")
            if stands_for is None:
                files.write_json(folder / "source.json", {"root": root})
        return name

    def _stands_for(self, name: str) -> Path | None:
        """Return the folder whose recordings have this name, or None for a name that is free."""
        folder = self.dataset(name)
        try:
            source = self._source(name)
        except ValueError:  # it is written anew
            return None
        if source is not None:
            return source if source.is_dir() or (folder / "metadata.parquet").exists() else None
        there = folder.iterdir() if folder.is_dir() else ()
        return folder if any(path.name[0] != "." and path.name != "downloads" for path in there) else None

    def metadata(self, name: str) -> pd.DataFrame:
        """Read the dataset's metadata table.

        Raises
        ------
        FileNotFoundError
            When the dataset has not been scanned yet.
        ValueError
            When the table is damaged.
        """
        path = self.dataset(name) / "metadata.parquet"
        if not path.exists():
            raise FileNotFoundError(f"dataset {name!r} has no metadata yet ({path}): run notebook 01_metadata first")
        return read_table(path)

    def run(self, dataset: str, run: str) -> Path:
        """Folder of one run on one dataset."""
        return self.results / plain_name(dataset, "dataset") / plain_name(run, "run")


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table of recordings. A ``path`` that leaves the dataset's folder is replaced and becomes a ``problem``.

    Raises
    ------
    ValueError
        When it is no table, or has no ``path``.
    """
    with _damage_named(path):
        table = pd.read_parquet(path)
        if "path" in table:
            return _below(table)
    raise _without_paths(path)


@contextlib.contextmanager
def open_table(given: pd.DataFrame | str | Path) -> Iterator[columns.Blocks]:
    """Look at a table of recordings block by block: one in memory as it is, one in a file as `read_table` reads it.

    Raises
    ------
    ValueError
        When the file is no table, or has no ``path``.
    """
    if isinstance(given, pd.DataFrame):
        yield columns.Blocks.of(given)
        return
    with contextlib.ExitStack() as opened:
        with _damage_named(given):
            table = opened.enter_context(columns.Blocks.saved(given))
        if "path" not in table.empty:
            raise _without_paths(given)

        def read(number: int, names: Sequence[str]) -> pd.DataFrame:
            needed = [name for name in table.empty if name in {*names, "path", "problem"}]
            with _damage_named(given):
                block = _below(table.read(number, needed), table.starts[number])
            return block.reindex(columns=[*names])

        none = pd.Series([], dtype="str")
        yield columns.Blocks(table.empty.assign(problem=table.empty.get("problem", none)), table.starts, read)


@contextlib.contextmanager
def _damage_named(path: str | Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(
            f"{path} is damaged ({' '.join(str(error).split())}): delete it and scan the recordings again"
        ) from None


def _without_paths(path: str | Path) -> ValueError:
    return ValueError(f"{path} has no column 'path': delete it and scan the recordings again")


def _below(table: pd.DataFrame, first: int = 0) -> pd.DataFrame:
    """Replace paths that leave the dataset's folder; `first` is the number of the first row."""
    paths = columns.Blocks.of(table).rows(["path"])
    unsafe = ~np.fromiter((files.is_below(path) for (path,) in paths), dtype=bool, count=len(table))
    if unsafe.any():
        given = list(table.loc[unsafe, "path"])
        texts = [re.sub(r"[^\w. -]|\.\.", "_", str(path)) for path in given]
        table["problem"] = table.get("problem", pd.Series(None, table.index, dtype="str")).astype("str")
        table.loc[unsafe, ["path", "problem"]] = [
            (f"unusable/{first + number}_{text}", f"path leaves the dataset's folder: {path!r}")
            for number, text, path in zip(np.flatnonzero(unsafe), texts, given, strict=True)
        ]
    return table


def is_project(folder: Path) -> bool:
    """Return whether a folder is the root of a project."""
    return (folder / MARKER).is_file() or ((folder / "datasets").is_dir() and (folder / "results").is_dir())


def plain_name(name: str, what: str) -> str:
    """Check that `name` can be one folder's name on every system, and return it."""
    if not isinstance(name, str) or not re.fullmatch(r"[\w][\w.\- +]*", name) or name != name.strip():
        raise ValueError(f"{what}={name!r}: give a name of letters, digits, '_', '-', '+' and '.'")
    return name
