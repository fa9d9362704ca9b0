"""Features of a whole dataset: each recording is decoded once, transformed once, and kept in the store.

Workers take some recordings at a time, at most an hour of sound, and leave what they computed as shards in the store,
so a run that is killed loses no more than that. Recordings are known by the SHA-256 of their files: what the store
holds is not computed again, a file that changed has another name. Two runs into one store at once do some work twice
and are both right.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from audioclust import files, parallel
from audioclust.audio import load, streamed
from audioclust.features.settings import Settings
from audioclust.features.shards import Rows
from audioclust.features.spectra import analyse, warn_of_empty_bands
from audioclust.features.spectrum import joined
from audioclust.features.store import Entry
from audioclust.features.summaries import Summaries
from audioclust.features.table import FEATURES, check_features
from audioclust.places import Places, keys
from audioclust.recording import CHANGED, RecordingError

if TYPE_CHECKING:
    import pandas as pd

    from audioclust.columns import Blocks
    from audioclust.features.feature_set import FeatureSet

__all__ = ["extract"]

log = logging.getLogger(__name__)

_SHARD = 128  # recordings that a worker takes at once, at most
_LONG = 600.0  # seconds; a longer recording is decoded and analysed block by block
_SECONDS = 16.0, 3600.0  # of sound: between these, unless one recording is longer


@dataclass(frozen=True)
class _Task:
    """Recordings for a worker: SHA-256, path, seconds and the features missing of each."""

    recordings: list[tuple[str, str, float, tuple[str, ...]]]
    root: Path
    entries: dict[str, Entry]
    arrays: bool


def extract(
    metadata: pd.DataFrame | str | Path,
    root: str | Path,
    store: str | Path,
    features: str | Iterable[str] = FEATURES,
    jobs: parallel.Jobs = -1,
    *,
    arrays: bool = False,
    **settings: Any,
) -> FeatureSet:
    """Compute the features of a dataset, as far as the store does not hold them yet.

    Parameters
    ----------
    metadata : pd.DataFrame, str or Path
        With columns ``path``, ``sha256`` and, optionally, ``problem``; rows with a problem are left out. A table of
        millions of recordings can stay in its file: give the path, and it is read as a whole only where the result is
        asked for its ``index``.
    root : str or Path
        Folder that ``path`` is relative to.
    store : str or Path
        Folder to keep the features in, usually ``project.features / NAME``.
    features : str or sequence of str
        Some of :func:`audioclust.features.available`.
    jobs : int or str
        Worker processes, see `audioclust.parallel`.
    arrays : bool
        Whether to keep the features over time too, for `FeatureSet.array`: some hundred times the room on the disk,
        and those of one recording in memory at once, however long it is.
    **settings
        See :class:`audioclust.features.settings.Settings`.

    Returns
    -------
    FeatureSet
        Its ``problems`` names the recordings that could not be analysed now.

    Raises
    ------
    ValueError
        When a feature or setting is unknown, the table lacks a column, or no recording in it can be used.
    OSError
        When the store cannot be written, with what to do. Finished recordings are kept.

    Examples
    --------
    >>> import soundfile
    >>> from audioclust import datasets, features
    >>> Path("recordings").mkdir()
    >>> soundfile.write("recordings/tone.wav", np.sin(np.arange(8000) / 10), 8000)
    >>> features.extract(datasets.scan("recordings"), "recordings", "store", ["mel", "mfcc"], jobs=1)
    FeatureSet(1 recordings; mel, mfcc)
    """
    chosen = Settings.of(settings)
    entries = {name: Entry.at(store, name, chosen) for name in check_features(features)}
    parallel.worker_count(jobs)
    warn_of_empty_bands([entry.feature for entry in entries.values()], chosen)
    from audioclust.project import open_table  # here, since it imports pandas, which workers need not

    with open_table(metadata) as table:
        usable = _Usable.of(table)
        try:
            problems = _computed(usable, Path(root), entries, jobs, arrays)
        except OSError as error:
            reason = error.strerror or str(error)
            message = f"cannot write features to {store}: {reason}. What is finished is kept; run again to go on"
            raise OSError(error.errno, message) from error
        rows, failed = usable.without(problems)
    for path, problem in failed.itertuples(index=False):
        log.warning("%s: %s", path, problem)
    return _feature_set(metadata, rows, failed, Path(store), entries)


def _feature_set(
    metadata: pd.DataFrame | str | Path,
    rows: npt.NDArray[np.signedinteger],
    failed: pd.DataFrame,
    store: Path,
    entries: dict[str, Entry],
) -> FeatureSet:
    from audioclust.features.feature_set import FeatureSet, SavedRows

    if isinstance(metadata, (str, Path)):
        return FeatureSet(SavedRows.of(Path(metadata), rows), failed, store, entries)
    chosen = metadata if len(rows) == len(metadata) else metadata.iloc[rows]  # a choice would be a copy
    return FeatureSet(chosen.reset_index(drop=True), failed, store, entries)


@dataclass(frozen=True)
class _Usable:
    """The recordings of a table that can be analysed, without a Python object for each.

    Attributes
    ----------
    table : Blocks
    rows : np.ndarray [shape=(n,)]
        Where they stand in it.
    places : Places
        Of their SHA-256, in that order.
    seconds : np.ndarray [shape=(n,)]
        How long they are; 1 where that is not known.
    """

    table: Blocks
    rows: npt.NDArray[np.signedinteger]
    places: Places
    seconds: npt.NDArray[np.float64]

    @classmethod
    def of(cls, table: Blocks) -> _Usable:
        """Choose them, or raise where there is none, or the table lacks what is needed."""
        for column in ("path", "sha256"):
            if column not in table.empty:
                raise ValueError(f"metadata has no column {column!r}; make the table with datasets.scan")
        rows, names, seconds, unknown = [np.zeros(0, np.int64)], [keys([])], [np.zeros(0)], 0
        for first, block in zip(table.starts, table.blocks(("sha256", "problem", "duration")), strict=False):
            fine = block["problem"].isna().to_numpy()
            unknown += int(block["sha256"][fine].isna().sum())
            rows.append(first + np.flatnonzero(fine))
            names.append(keys(block["sha256"][fine].dropna()))
            seconds.append(block["duration"][fine].fillna(1.0).to_numpy(np.float64))
        usable = cls(table, np.concatenate(rows), Places.of_keys(np.concatenate(names)), np.concatenate(seconds))
        if not len(usable.rows):
            why = f"{len(table)} rows, each with a problem" if len(table) else "the folder holds no sound files"
            raise ValueError(f"metadata has no usable recording: {why}")
        if unknown:
            raise ValueError(f"metadata lacks the sha256 of {unknown} recordings; scan the folder again")
        return usable

    def lines(self) -> Sequence[tuple[str, str]]:
        """Return SHA-256 and path of each."""
        lines = self.table.rows(("sha256", "path"))
        return parallel.OnDemand(len(self.rows), lambda place: lines[int(self.rows[place])])

    def without(self, problems: dict[str, str]) -> tuple[npt.NDArray[np.signedinteger], pd.DataFrame]:
        """Return the rows of the table that have no problem, and path and problem of the others."""
        import pandas as pd

        found: list[tuple[str, str]] = []
        failed = np.zeros(len(self.rows), dtype=bool)
        for place, (sha256, path) in enumerate(self.lines() if problems else ()):
            if sha256 in problems:
                found.append((path, problems[sha256]))
                failed[place] = True
        if failed.all():
            raise ValueError(f"none of the {len(failed)} recordings can be analysed; the first: {found[0][1]}")
        return self.rows[~failed], pd.DataFrame(found, columns=["path", "problem"], dtype="str")


def _computed(
    usable: _Usable, root: Path, entries: dict[str, Entry], jobs: parallel.Jobs, arrays: bool
) -> dict[str, str]:
    """Bring the store up to date, and return the problems by SHA-256."""
    for entry in entries.values():
        entry.create()
        entry.mend()
    tasks = _tasks(usable, root, entries, jobs, arrays)
    problems: dict[str, str] = {}
    for failed in parallel.map(_work, tasks, jobs=jobs, description="features", chunk=1):
        problems |= failed
    threads = 1 if jobs == 1 else min(len(entries), parallel.cores())
    with ThreadPoolExecutor(threads) as pool:  # reading, checksums and writing leave room for other threads
        for _ in pool.map(lambda entry: entry.assemble(usable.places), entries.values()):
            pass
    return problems


def _tasks(
    usable: _Usable, root: Path, entries: dict[str, Entry], jobs: parallel.Jobs, arrays: bool
) -> Sequence[_Task]:
    """Divide what the store lacks among the workers, by how long the recordings are."""
    missing = _missing(usable, entries, arrays)
    chosen = np.flatnonzero(missing.any(axis=1))
    seconds, lines = usable.seconds[chosen], usable.lines()
    ends = _ends(seconds, max(1, parallel.worker_count(jobs)))

    def task(number: int) -> _Task:
        part = range(ends[number - 1] if number else 0, ends[number])
        asked = (tuple(compress(entries, missing[chosen[place]])) for place in part)
        known = (lines[chosen[place]] for place in part)
        recordings = [
            (sha256, path, length, names)
            for (sha256, path), length, names in zip(
                known, seconds[part.start : part.stop].tolist(), asked, strict=True
            )
        ]
        return _Task(recordings, root, entries, arrays)

    return parallel.OnDemand(len(ends), task)


def _missing(usable: _Usable, entries: dict[str, Entry], arrays: bool) -> npt.NDArray[np.bool_]:
    """Return which features the store lacks of each recording [shape=(n, features)]; equal files count once."""
    places = usable.places
    missing = np.repeat(places.first()[:, None], len(entries), axis=1)
    for number, entry in enumerate(entries.values()):
        held = places.of(np.concatenate([entry.stored(), entry.waiting()]))
        lacks = np.ones(len(places), dtype=bool)
        lacks[held[held >= 0]] = False
        if arrays:
            lacks |= [not entry.array(sha256).exists() for sha256, _ in usable.lines()]
        missing[:, number] &= lacks
    return missing


def _ends(seconds: npt.NDArray[np.float64], workers: int) -> list[int]:
    """Return where each task ends: less and less for each, so that all workers end at about one time."""
    ends: list[int] = []
    left, room, count = float(seconds.sum()), 0.0, 0
    for number, length in enumerate(seconds):
        if number and (room <= 0 or count == _SHARD):
            ends.append(number)
            room = count = 0
        if not count:
            room = min(max(left / (2 * workers), _SECONDS[0]), _SECONDS[1])
        room, left, count = room - length, left - length, count + 1
    return [*ends, len(seconds)] if len(seconds) else []


def _work(task: _Task) -> dict[str, str]:
    """Analyse some recordings, leave a shard per feature, and return the problems by SHA-256."""
    with threadpool_limits(1):  # the matrices are too small to share out, in this process as in a worker
        return _analysed(task)


def _analysed(task: _Task) -> dict[str, str]:
    done: defaultdict[str, list[Rows]] = defaultdict(list)
    problems: dict[str, str] = {}
    for sha256, path, seconds, names in task.recordings:
        try:
            rows = _rows(task.root / path, sha256, seconds, [task.entries[name] for name in names], task.arrays)
        except RecordingError as error:
            problems[sha256] = error.problem
        except (OSError, ValueError, MemoryError, RuntimeError) as error:
            problems[sha256] = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        else:
            for name, row in rows.items():
                done[name].append(row)
    for name, kept in done.items():
        task.entries[name].add(Rows.joined(kept))
    return problems


def _rows(path: Path, sha256: str, seconds: float, entries: Sequence[Entry], arrays: bool) -> dict[str, Rows]:
    """Analyse one recording."""
    settings, asked = entries[0].settings, [entry.feature for entry in entries]
    parts = []
    with _samples(path, sha256, seconds, settings.sample_rate) as source:
        frames, blocks = analyse(source, asked, _stored_as(settings))
        summaries = Summaries(asked, frames, settings.reference)
        for values in blocks:
            summaries.add(values)
            parts += [values] if arrays else []
    rows = summaries.rows(sha256)
    if arrays:
        for entry in entries:
            _write_array(joined([part[entry.feature.name] for part in parts]), entry.array(sha256))
    return rows


@contextmanager
def _samples(
    path: Path, sha256: str, seconds: float, sample_rate: int
) -> Iterator[Callable[[], Iterable[npt.NDArray[np.float32]]]]:
    """Open a recording of this checksum: all of it at once, or, where it is long, block by block."""
    if seconds > _LONG:
        with streamed(path, sample_rate) as source:
            yield source
        if files.sha256(path) != sha256:
            raise RecordingError(path, CHANGED)
    else:
        y, _ = load(path, sample_rate, sha256=sha256)
        yield lambda: [y]


def _stored_as(settings: Settings) -> Settings:
    """Levels relative to a dataset are stored relative to 1.0: its maximum is known only when all is read."""
    return replace(settings, reference="absolute") if settings.reference == "dataset" else settings


def _write_array(values: npt.NDArray[np.float32], path: Path) -> None:
    with files.atomic(path) as partial:
        np.save(partial, values, allow_pickle=False)
