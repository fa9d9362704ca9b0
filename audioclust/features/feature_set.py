"""What an extraction gives: the features of a dataset's recordings, read from the store when asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq

from audioclust import files, parallel
from audioclust.features import images as pictures
from audioclust.features import vectors as pooled
from audioclust.features.store import Entry, why_stale
from audioclust.places import Places, keys
from audioclust.project import read_table
from audioclust.validation import check_choice

__all__ = ["FeatureSet"]


@dataclass(frozen=True)
class SavedRows:
    """Rows of a saved table, to be read later.

    Attributes
    ----------
    path : Path
    rows : np.ndarray [shape=(n,)]
        Their places in it.
    footer : pyarrow.parquet.FileMetaData
        What the file said of itself: another one has other rows.
    """

    path: Path
    rows: npt.NDArray[np.signedinteger]
    footer: Any

    @classmethod
    def of(cls, path: Path, rows: npt.NDArray[np.signedinteger]) -> SavedRows:
        """Remember rows of the file as it is now."""
        return cls(path, rows, pq.read_metadata(path))

    def __len__(self) -> int:
        return len(self.rows)

    def read(self) -> pd.DataFrame:
        """Read them, or raise a ValueError where the file has changed."""
        table = read_table(self.path)
        if not pq.read_metadata(self.path).equals(self.footer):
            raise ValueError(f"{self.path} has changed since the features were extracted: extract them again")
        return table.iloc[self.rows].reset_index(drop=True)


@dataclass(frozen=True, repr=False)
class FeatureSet:
    """Features of a dataset. Made by :func:`audioclust.features.extract`.

    Attributes
    ----------
    source : pd.DataFrame or SavedRows
        The metadata of the recordings in it, or where they are read from.
    problems : pd.DataFrame
        ``path`` and ``problem`` of those that could not be analysed.
    store : Path
        Where it is kept.
    entries : dict of str to Entry
        Of each feature.

    Examples
    --------
    >>> import tempfile, soundfile
    >>> from audioclust import datasets, features
    >>> root = Path(tempfile.mkdtemp())
    >>> for hertz in (200, 900, 3000):
    ...     soundfile.write(root / f"{hertz}.wav", np.sin(hertz * np.arange(8000) / 1273), 8000)
    >>> found = features.extract(datasets.scan(root), root, root / "store", "mel", jobs=1)
    >>> len(found), found.features
    (3, ('mel',))
    >>> X, index = found.vectors("mel", "mean", pca=2)
    >>> X.shape, found.images("mel")[0].shape
    ((3, 2), (3, 48, 96))
    """

    source: pd.DataFrame | SavedRows
    problems: pd.DataFrame
    store: Path
    entries: dict[str, Entry]

    def __repr__(self) -> str:
        failed = f", {len(self.problems)} with problems" if len(self.problems) else ""
        return f"FeatureSet({len(self)} recordings{failed}; {', '.join(self.features)})"

    def __len__(self) -> int:
        return len(self.source)

    @cached_property
    def index(self) -> pd.DataFrame:
        """The metadata of the recordings in it, one row each, in the metadata's order.

        Where they were extracted from a table in a file, that is read when this is first asked for.
        """
        return self.source if isinstance(self.source, pd.DataFrame) else self.source.read()

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features in it."""
        return tuple(self.entries)

    def vectors(
        self,
        feature: str,
        pooling: str = "mean_std",
        scale: str | None = "standard",
        pca: int | float | None = None,
    ) -> tuple[npt.NDArray[np.float64], pd.DataFrame]:
        """Give one vector per recording.

        Parameters
        ----------
        feature : str
            One of `features`.
        pooling, scale, pca
            See :mod:`audioclust.features.vectors`: how time is pooled, the vectors scaled, and how many principal
            components are kept (None: no analysis).

        Returns
        -------
        X : np.ndarray [shape=(n, d)]
            Finite.
        index : pd.DataFrame
            The metadata of its rows.

        Raises
        ------
        ValueError
            When a parameter is not one of the allowed.

        Examples
        --------
        >>> import soundfile
        >>> from audioclust import datasets, features
        >>> Path("recordings").mkdir()
        >>> for hertz in (200, 900):
        ...     soundfile.write(f"recordings/{hertz}.wav", np.sin(hertz * np.arange(8000) / 1273), 8000)
        >>> found = features.extract(datasets.scan("recordings"), "recordings", "store", "mfcc", jobs=1)
        >>> X, index = found.vectors("mfcc", pooling="mean_std")
        >>> X.shape, index["path"].tolist()
        ((2, 40), ['200.wav', '900.wav'])
        """
        entry = self._entry(feature)
        check_choice("pooling", pooling, pooled.POOLINGS)
        check_choice("scale", scale, pooled.SCALES)
        X = pooled.scale(pooled.impute(self._pooled(entry, pooling)), scale)
        return pooled.reduce(X, pca), self.index

    def images(self, feature: str) -> tuple[npt.NDArray[np.uint8], pd.DataFrame]:
        """Give one image per recording, see :mod:`audioclust.features.images`.

        Returns
        -------
        images : np.ndarray [shape=(n, 48, 96), uint8]
            A read-only memory map where the store holds just these recordings one after the other, which it does after
            a first extraction; else in memory.
        index : pd.DataFrame
            The metadata of its rows.

        Examples
        --------
        >>> import soundfile
        >>> from audioclust import datasets, features
        >>> Path("recordings").mkdir()
        >>> for hertz in (200, 900):
        ...     soundfile.write(f"recordings/{hertz}.wav", np.sin(hertz * np.arange(8000) / 1273), 8000)
        >>> found = features.extract(datasets.scan("recordings"), "recordings", "store", "mfcc", jobs=1)
        >>> images, index = found.images("mfcc")
        >>> images.shape, images.dtype
        ((2, 48, 96), dtype('uint8'))
        """
        entry = self._entry(feature)
        rows = self._rows(entry)
        stored = entry.images()
        first = int(rows[0])
        chosen = stored[first : first + len(rows)] if (np.diff(rows) == 1).all() else np.asarray(stored[rows])
        if chosen.dtype == np.uint8:
            return chosen, self.index
        limits = pictures.dataset_range(entry.feature, chosen, self._peak(entry, rows))
        return pictures.gray(chosen, *limits), self.index

    def array(self, feature: str, row: int) -> npt.NDArray[np.float32]:
        """Give a feature over time [shape=(bands, frames)] of row `row` of the index.

        Raises
        ------
        ValueError
            When the features were extracted without ``arrays=True``.
        """
        entry = self._entry(feature)
        path = entry.array(self.index["sha256"].iloc[row])
        if not path.exists():
            raise ValueError(f"no array of {feature} for {self.index['path'].iloc[row]}: extract with arrays=True")
        values = np.load(path, allow_pickle=False)
        if entry.feature.level and entry.settings.reference == "dataset":
            values -= self._peak(entry, self._rows(entry))
        return values

    def write_png(self, feature: str, folder: str | Path) -> list[Path]:
        """Write each recording's image as ``FOLDER/PATH.FEATURE.png``, PATH being that of the recording.

        Very long names are shortened.

        Raises
        ------
        ValueError
            When a path leads out of the folder; nothing is written then.
        """
        images, index = self.images(feature)
        for path in index["path"]:
            if not files.is_below(path):
                raise ValueError(f"path={path!r}: its image would lie outside {folder}; scan the folder again")
        pairs = zip(images, index["path"], strict=True)
        return [
            pictures.write_png(
                image, Path(folder, path).with_name(files.short_name(Path(path).name, f".{feature}.png"))
            )
            for image, path in parallel.progress(pairs, "images", len(index))
        ]

    def why_stale(self) -> pd.DataFrame:
        """Say what other entries of the store were made with, see :func:`audioclust.features.why_stale`."""
        settings: dict[str, Any] = asdict(next(iter(self.entries.values())).settings)
        return why_stale(self.store, self.features, **settings)

    def _entry(self, feature: str) -> Entry:
        check_choice("feature", feature, self.features)
        return self.entries[feature]

    def _rows(self, entry: Entry) -> npt.NDArray[np.signedinteger]:
        """Return where the recordings of the index stand in the entry."""
        rows = Places.of_keys(entry.stored()).of(keys(self.index["sha256"]))
        if (rows < 0).any():
            raise ValueError(f"{entry.folder} no longer holds all recordings of this set; extract again")
        return rows

    def _peak(self, entry: Entry, rows: npt.NDArray[np.signedinteger]) -> float:
        return float(entry.column("peak")[rows].max())

    def _pooled(self, entry: Entry, pooling: str) -> npt.NDArray[np.float64]:
        if pooling in ("image", "image_rows"):
            images = np.asarray(self.images(entry.feature.name)[0], dtype=np.float64)
            return images.mean(axis=2) if pooling == "image_rows" else images.reshape(len(images), -1)
        rows = self._rows(entry)
        relative = entry.feature.level and entry.settings.reference == "dataset"
        shift = self._peak(entry, rows) if relative else 0.0
        if pooling == "profile":
            profiles = entry.column("profile")
            return pooled.stack([profiles[row] for row in rows]) - shift
        names = pooled.STATISTICS[: pooled.statistics_count(pooling)]
        parts = [entry.column(name)[rows].astype(np.float64) for name in names]
        parts[0] -= shift
        return np.concatenate(parts, axis=1)
