"""The store on the disk: ``STORE/FEATURE/KEY/``, KEY naming everything that decides the numbers.

``params.json``
    Those parameters, so that :func:`why_stale` can say what an older entry was made with.
``vectors.parquet``
    One row per recording, by the SHA-256 of its file: ``sha256``, ``frames``, ``peak`` (highest level in dB, NaN for
    chroma and cepstra), the four statistics of `audioclust.features.vectors` per band, ``profile``, and the checksum of
    its image. Each page of the table has a checksum too.
``images.npy``
    [shape=(n, 48, 96)], row i for row i of the table: gray uint8; float16 in the feature's units where the gray scale
    depends on the whole dataset.
``arrays/SHA256.npy``
    The features themselves [shape=(bands, frames), float32], where asked for.
``shards/*.npy``
    Rows that are computed but not yet in the table, with a checksum: what a killed run leaves is taken up by the next.

Rows are only ever added, and ``images.npy`` is replaced before ``vectors.parquet``: whoever reads the table first
finds the image of each of its rows at the same place, whatever another process writes meanwhile, and wherever it was
killed.
"""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from audioclust import files
from audioclust.features.settings import IMAGE_SHAPE, Settings
from audioclust.features.shards import LostShard, Rows, in_order, names, readable, save
from audioclust.features.table import FEATURES, Feature, check_features, entry, parameters
from audioclust.features.vectors import STATISTICS
from audioclust.places import Keys, Places, keys

__all__ = ["Entry", "why_stale"]

log = logging.getLogger(__name__)

_CHECKSUM = "image_crc32"


@dataclass(frozen=True)
class Entry:
    """One feature with one set of parameters."""

    folder: Path
    feature: Feature
    settings: Settings

    @classmethod
    def at(cls, store: str | Path, feature: str, settings: Settings) -> Entry:
        """Name the entry of `feature` under `store`; nothing is written."""
        known = entry(feature)
        return cls(Path(store) / feature / files.digest(parameters(known, settings)), known, settings)

    def create(self) -> None:
        """Make the folder and its ``params.json``."""
        if not (self.folder / "params.json").exists():
            files.write_json(self.folder / "params.json", parameters(self.feature, self.settings))

    def mend(self) -> None:
        """Check the table and the images against their checksums; damaged rows leave, to be computed again."""
        import pyarrow.parquet as pq

        table = self.folder / "vectors.parquet"
        try:
            with pq.ParquetFile(table, page_checksum_verification=True) as held:
                rows = held.metadata.num_rows
                lost = rows - sum(len(part.sha256) for part in self._undamaged(held))
                if not lost:
                    return
                log.warning("%s: %d of %d rows are damaged; they are computed again", self.folder, lost, rows)
                with files.locked(self.folder / ".lock"):
                    for part in self._undamaged(held):
                        self.add(part)
        except (OSError, ValueError, EOFError):  # nothing there, or nothing that can be read: `stored` says so
            return
        table.unlink(missing_ok=True)

    def _undamaged(self, held: Any) -> Iterator[Rows]:
        """Yield the rows that agree with their checksums, group by group."""
        images = self.images()
        for group in range(held.num_row_groups):
            count = held.metadata.row_group(group).num_rows
            own, images = images[:count], images[count:]
            yield from _undamaged(held, group, own)

    def array(self, sha256: str) -> Path:
        """Return where the whole feature of a recording stands, if it was asked for."""
        return self.folder / "arrays" / f"{sha256}.npy"

    def stored(self) -> Keys:
        """Return the recordings in the table, in its order; none where the table or the images are damaged."""
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self.folder / "vectors.parquet") as table:
                groups = (table.read_row_group(group, ["sha256"]) for group in range(table.num_row_groups))
                found = keys(name for group in groups for name in group["sha256"].to_pylist())
            images = np.load(self.folder / "images.npy", mmap_mode="r", allow_pickle=False)
            if len(images) < len(found) or images.shape[1:] != IMAGE_SHAPE:
                raise ValueError(f"{len(images)} images for {len(found)} rows")
            return found
        except FileNotFoundError:
            return keys([])
        except (OSError, ValueError, EOFError) as error:  # pyarrow's errors are among these
            log.warning("%s is damaged (%s); it is computed again", self.folder, error)
            return keys([])

    def waiting(self) -> Keys:
        """Return the recordings that only shards hold so far; damaged shards are removed."""
        return keys(str(name) for rows in readable(self._shards()) for name in rows.sha256)

    def add(self, rows: Rows) -> None:
        """Keep computed rows as a shard.

        It is not flushed to the disk: waiting for that would take as long as the analysis, and a shard that a power cut
        spoils fails its checksum and is computed again.
        """
        name = f"{files.digest(rows.sha256.tolist())}-{os.getpid()}.npy"
        with files.atomic(self.folder / "shards" / name, flush=False) as partial:
            save(rows, partial)

    def assemble(self, places: Places) -> None:
        """Move the rows of all shards into the table, new rows in the given order of recordings."""
        lost: set[Path] = set()
        while paths := [path for path in self._shards() if path not in lost]:
            with files.locked(self.folder / ".lock"):
                try:
                    self._move([path for path in paths if path.exists()], places)
                    return
                except LostShard as error:  # once more, without it
                    lost.add(error.path)

    def column(self, name: str) -> npt.NDArray[Any]:
        """Read a column of the table: [shape=(n,)], or [shape=(n, bands)] for a statistic."""
        import pyarrow.parquet as pq

        column = pq.read_table(self.folder / "vectors.parquet", columns=[name])[name].combine_chunks()
        if name in STATISTICS:
            return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
        return column.to_numpy(zero_copy_only=False)

    def images(self) -> npt.NDArray[Any]:
        """Open the images as a read-only memory map."""
        return np.load(self.folder / "images.npy", mmap_mode="r", allow_pickle=False)

    def _shards(self) -> list[Path]:
        return sorted((self.folder / "shards").glob("*.npy"))

    def _move(self, paths: Sequence[Path], places: Places) -> None:
        known = self.stored()
        shard, row = _chosen(paths, places, known)
        if len(shard):
            self._append(len(known), in_order(paths, shard, row), len(shard))
        for path in paths:
            with suppress(OSError):
                path.unlink()

    def _append(self, known: int, blocks: Iterator[Rows], count: int) -> None:
        """Write the known rows, and new ones that come block by block after them."""
        import pyarrow.parquet as pq

        first = next(blocks)
        header = {
            "descr": np.lib.format.dtype_to_descr(first.images.dtype),
            "fortran_order": False,
            "shape": (known + count, *IMAGE_SHAPE),
        }
        form = {"compression": "none", "use_dictionary": False, "write_statistics": False, "write_page_checksum": True}
        table = self.folder / "vectors.parquet"
        # Not through a memory map: where the disk is full, writing to one kills the process instead of raising.
        with (
            files.atomic(table) as rows,
            files.atomic(self.folder / "images.npy") as images,  # it takes its place first
            images.open("wb") as handle,
            pq.ParquetWriter(rows, _table(first).schema, **form) as writer,
        ):
            np.lib.format.write_array_header_1_0(handle, header)
            if known:
                self._copy(table, writer, handle)
            for block in chain([first], blocks):
                handle.write(np.ascontiguousarray(block.images).data)
                writer.write_table(_table(block), row_group_size=len(block.frames))

    def _copy(self, table: Path, writer: Any, handle: Any) -> None:
        """Copy the rows that are stored, group by group."""
        import pyarrow.parquet as pq

        images = self.images()
        with pq.ParquetFile(table) as old:
            for group in range(old.num_row_groups):
                part = old.read_row_group(group)
                own, images = images[: len(part)], images[len(part) :]
                if _CHECKSUM not in part.column_names:  # of a version that wrote none
                    part = part.append_column(_CHECKSUM, _checksums(own))
                writer.write_table(part)
                handle.write(own.tobytes())


def why_stale(store: str | Path, features: str | Iterable[str] = FEATURES, **settings: Any) -> Any:
    """Say why entries of a store are not used for these settings.

    Parameters
    ----------
    store : str or Path
        A dataset's feature folder.
    features : str or sequence of str
        Some of :func:`audioclust.features.available`.
    **settings
        As for `extract`.

    Returns
    -------
    pd.DataFrame
        One row per entry that differs: ``feature``, ``key``, ``reason`` such as ``"n_fft 1024, now 2048"``. Empty where
        all entries are those of the settings.
    """
    import pandas as pd

    found = []
    for feature in check_features(features):
        current = Entry.at(store, feature, Settings.of(settings))
        for folder in sorted(path for path in current.folder.parent.glob("*") if path.is_dir()):
            if folder != current.folder:
                reason = _difference(folder / "params.json", parameters(current.feature, current.settings))
                found.append({"feature": feature, "key": folder.name, "reason": reason})
    return pd.DataFrame(found, columns=["feature", "key", "reason"])


def _difference(path: Path, wanted: dict[str, Any]) -> str:
    try:
        was = _flat(files.read_json(path))
    except (OSError, ValueError, KeyError, TypeError):
        return "params.json is missing or damaged"
    now = _flat(wanted)
    changed = [name for name in sorted({*was, *now}) if was.get(name) != now.get(name)]
    return "; ".join(f"{name} {was.get(name)}, now {now.get(name)}" for name in changed)


def _flat(known: dict[str, Any]) -> dict[str, Any]:
    return {**{name: value for name, value in known.items() if name != "libraries"}, **known["libraries"]}


def _chosen(
    paths: Sequence[Path], places: Places, known: Keys
) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]]:
    """Return the shard and the row in it of each recording that is not in the table, in the order of places.

    Recordings that have none, of another process, come last.
    """
    parts = [keys(names(path)) for path in paths] or [keys([])]
    shard = np.concatenate([np.full(len(part), number, np.int32) for number, part in enumerate(parts)])
    row = np.concatenate([np.arange(len(part), dtype=np.int32) for part in parts])
    found = np.concatenate(parts)
    place = places.of(found)
    fresh = Places.of_keys(found).first() & (Places.of_keys(known).of(found) < 0)
    chosen = np.flatnonzero(fresh)
    chosen = chosen[np.argsort(place[chosen].astype(np.uint32), kind="stable")]  # -1 becomes the largest
    return shard[chosen], row[chosen]


def _undamaged(held: Any, group: int, images: npt.NDArray[Any]) -> list[Rows]:
    """Return the rows of one group of the table that agree with their checksums, if any."""
    try:
        part = held.read_row_group(group)
    except OSError:
        return []
    columns = {name: part[name].combine_chunks() for name in part.column_names}
    statistics = [columns[name].flatten().to_numpy().reshape(len(part), -1) for name in STATISTICS]
    rows = Rows(
        sha256=np.array(columns["sha256"].to_pylist()),
        frames=columns["frames"].to_numpy(),
        peak=columns["peak"].to_numpy(),
        statistics=np.stack(statistics),
        profile=columns["profile"].flatten().to_numpy(),
        images=images,
    )
    if _CHECKSUM not in columns:
        return [rows]
    intact = np.flatnonzero(_checksums(images).to_numpy() == columns[_CHECKSUM].to_numpy())
    return [rows.take(intact)] if len(intact) else []


def _checksums(images: npt.NDArray[Any]) -> Any:
    import pyarrow as pa

    return pa.array([zlib.crc32(image) for image in np.ascontiguousarray(images)], pa.uint32())


def _table(rows: Rows) -> Any:
    """Return rows, but for the images, as an Arrow table."""
    import pyarrow as pa

    bands = rows.statistics.shape[2]
    columns = {
        "sha256": pa.array(rows.sha256.tolist(), pa.string()),
        "frames": pa.array(rows.frames, pa.int32()),
        "peak": pa.array(rows.peak, pa.float32()),
    }
    for i, name in enumerate(STATISTICS):
        flat = pa.array(np.ascontiguousarray(rows.statistics[i]).ravel(), pa.float32())
        columns[name] = pa.FixedSizeListArray.from_arrays(flat, bands)
    offsets = np.concatenate(([0], np.cumsum(rows.frames))).astype(np.int32)
    columns["profile"] = pa.ListArray.from_arrays(pa.array(offsets), pa.array(rows.profile, pa.float32()))
    columns[_CHECKSUM] = _checksums(rows.images)
    return pa.table(columns)
