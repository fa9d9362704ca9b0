"""Where things lie: one folder with ``datasets/ features/ checkpoints/ results/``.

A dataset's recordings stand in ``datasets/NAME`` itself, or anywhere else (a read-only share, say): then
``datasets/NAME/source.json`` remembers the folder. What the package writes about a dataset stands in the project.
"""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from importlib import metadata as installed
from pathlib import Path

import pandas as pd

from audioclust import files

__all__ = ["Project", "versions"]

_LIBRARIES = (
    "audioclust", "numpy", "scipy", "pandas", "soundfile", "soxr", "librosa", "scikit-learn", "scikit-fuzzy", "hdbscan",
    "umap-learn", "torch", "pytorch-lightning", "papermill",
)  # fmt: skip


@dataclass(frozen=True)
class Project:
    """The folder that holds a user's data and results.

    Parameters
    ----------
    root : str or Path
        Made if missing, with its four folders, when something is first written.
    """

    root: Path

    def __init__(self, root: str | Path = ".") -> None:
        object.__setattr__(self, "root", Path(root).expanduser().resolve())

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
        """Folder that the ``path`` column of the dataset's metadata is relative to."""
        source = self.dataset(name) / "source.json"
        return Path(files.read_json(source)["root"]) if source.exists() else self.dataset(name)

    def register(self, root: str | Path, name: str | None = None) -> str:
        """Use the recordings under `root`, where they are, as dataset `name` (default: the folder's name).

        Returns
        -------
        str
            The dataset's name.

        Raises
        ------
        ValueError
            When `root` is no folder, or the name already stands for another folder.
        """
        root = Path(root).expanduser().resolve()
        if not root.is_dir():
            raise ValueError(f"{root} is not a folder")
        name = plain_name(name or re.sub(r"[^\w.-]+", "_", root.name).strip("._") or "recordings", "dataset")
        folder = self.dataset(name)
        if root == folder:
            return name
        known = self.recordings(name)
        if known != root and folder.exists() and any(folder.iterdir()):
            raise ValueError(f"dataset {name!r} already stands for {known}; give this one another name")
        files.write_json(folder / "source.json", {"root": root})
        return name

    def metadata(self, name: str) -> pd.DataFrame:
        """Read the dataset's metadata table.

        Raises
        ------
        FileNotFoundError
            When the dataset has not been scanned yet.
        """
        path = self.dataset(name) / "metadata.parquet"
        if not path.exists():
            raise FileNotFoundError(f"dataset {name!r} has no metadata yet ({path}): run notebook 01_metadata first")
        return pd.read_parquet(path)

    def run(self, dataset: str, run: str) -> Path:
        """Folder of one run on one dataset."""
        return self.results / plain_name(dataset, "dataset") / plain_name(run, "run")


def plain_name(name: str, what: str) -> str:
    """Check that `name` can be one folder's name on every system, and return it."""
    if not isinstance(name, str) or not re.fullmatch(r"[\w][\w.\- +]*", name) or name != name.strip():
        raise ValueError(f"{what}={name!r}: give a name of letters, digits, '_', '-', '+' and '.'")
    return name


def versions() -> dict[str, str]:
    """Return the versions that decide what a run computes: Python, the platform, the libraries."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for library in _LIBRARIES:
        try:
            found[library] = installed.version(library)
        except installed.PackageNotFoundError:
            continue
    return found
