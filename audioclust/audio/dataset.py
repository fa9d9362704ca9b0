"""A whole dataset to mono WAV files, under a folder that is named for the settings.

``OUT/KEY/`` holds the files, in the folders of their sources; ``params.json``, the settings; and ``metadata.parquet``,
the table of the latest call. Each file says in its comment which source (by SHA-256) and settings it was made from, so
a file that is already right is not made again, and one whose source has changed is. Files are written whole or not at
all; one call at a time works in a folder, another waits for it.

``x.wav`` stays ``x.wav``; any other name gets ``.wav`` behind it (``x.flac.wav``), so that ``x.wav`` and ``x.flac``
in one folder do not meet, whichever of them is transformed first, or alone.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, overload

import pandas as pd

from audioclust import columns, files, parallel, recording
from audioclust.audio import wav
from audioclust.audio.decode import load
from audioclust.audio.filters import Samples
from audioclust.audio.long import LONG, WHOLE, in_blocks, process_long
from audioclust.audio.settings import STEPS, Settings, process
from audioclust.places import Places
from audioclust.project import open_table

__all__ = ["transform"]

log = logging.getLogger(__name__)

FULL = (errno.ENOSPC, errno.EDQUOT)
KNOWN = ("path", "sha256", "problem", "note", "duration")
MEASURED = ("duration", "sample_rate", "channels", "level", "sha256")


@overload
def transform(
    metadata: pd.DataFrame, root: str | Path, out: str | Path, *, jobs: parallel.Jobs = -1, **settings: Any
) -> pd.DataFrame: ...
@overload
def transform(
    metadata: str | Path, root: str | Path, out: str | Path, *, jobs: parallel.Jobs = -1, **settings: Any
) -> Path: ...
def transform(
    metadata: pd.DataFrame | str | Path,
    root: str | Path,
    out: str | Path,
    *,
    jobs: parallel.Jobs = -1,
    **settings: Any,
) -> pd.DataFrame | Path:
    """Transform every usable recording of a dataset.

    Parameters
    ----------
    metadata : pd.DataFrame, str or Path
        One row per recording, at least with the column ``path``, relative to `root`. Rows with a ``problem`` are
        kept as they are. A table of millions of recordings can stay in its file: give the path, and no more than some
        thousand rows are in memory at a time.
    root : str or Path
        Folder of the recordings.
    out : str or Path
        Folder for transformed recordings, usually ``datasets/NAME/transformed``; the files stand in ``out/KEY``.
    jobs : int or str
        Worker processes, see `audioclust.parallel`.
    **settings
        See :class:`audioclust.audio.Settings`.

    Returns
    -------
    pd.DataFrame or Path
        For a table a table; for a file the file ``out/KEY/metadata.parquet``, which holds the same table either way:
        the rows of `metadata` in their order. ``path`` is relative to ``out/KEY``, KEY being what
        :func:`audioclust.audio.settings_key` gives. ``duration``, ``sample_rate``, ``channels``, ``level`` and
        ``sha256`` are those of the new file, null where there is none; ``problem`` says why. ``note`` adds what could
        not be done as asked; ``source_path`` and ``source_sha256`` name the recording it was made from. Other columns
        stay as they were.

    Raises
    ------
    ValueError
        When a setting is unknown or not allowed, or `metadata` has no usable ``path``.
    OSError
        When the disk is full, or `out` cannot be written to. What was finished stays, and is used the next time.

    Examples
    --------
    >>> import numpy as np, soundfile
    >>> from audioclust import audio, datasets
    >>> Path("recordings").mkdir()
    >>> soundfile.write("recordings/tone.flac", np.sin(np.arange(32000) / 10), 16000)
    >>> made = audio.transform(datasets.scan("recordings"), "recordings", "transformed", jobs=1, sample_rate=8000)
    >>> made[["path", "sample_rate", "source_path"]].values.tolist()
    [['tone.flac.wav', 8000, 'tone.flac']]
    """
    chosen = Settings.of(settings)
    root, folder = Path(root), Path(out) / chosen.key
    with open_table(metadata) as table:
        _check_paths(table)
        parallel.worker_count(jobs)
        with _full_disk_named(folder), files.locked(folder / ".lock"):
            _sweep(folder)
            files.write_json(folder / "params.json", {"steps": STEPS, "settings": chosen.effective()})
            one = partial(_one, root=root, folder=folder, settings=chosen)
            made = parallel.map(one, table.rows(KNOWN), jobs=jobs, description="transform")
            with files.atomic(folder / "metadata.parquet") as scratch:
                if isinstance(metadata, pd.DataFrame):
                    result = _put(metadata, made)
                    bad = int(result["problem"].notna().sum())
                    columns.write(result, scratch)
                else:
                    bad = _write(table, made, scratch)
    log.info("transformed %d of %d recordings into %s", len(table) - bad, len(table), folder)
    if bad:
        log.warning("%d of %d recordings cannot be used: see the column 'problem'", bad, len(table))
    return result if isinstance(metadata, pd.DataFrame) else folder / "metadata.parquet"


@contextmanager
def _full_disk_named(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        text = f"{os.strerror(error.errno)}; what was finished is kept: make room and start again"
        raise OSError(error.errno, text, str(folder)) from None


def target(source: str) -> str:
    """Return the path of the file made from `source`; no two sources share one."""
    folder, _, name = source.rpartition("/")
    if not re.fullmatch(r"[^.]+\.wav", name):
        name = files.short_name(name, ".wav" if re.search(r"\.[^.]+$", name) else "..wav")
    return f"{folder}/{name}" if folder else name


def _check_paths(table: columns.Blocks) -> None:
    if "path" not in table.empty:
        raise ValueError(f"metadata: it has no column 'path', only {', '.join(map(str, table.empty)) or 'none'}")
    paths = table.rows(["path"])
    for (source,) in paths:
        if not files.is_below(source):
            raise ValueError(f"metadata: path={source!r}: give paths below the dataset's folder")
    again = ~Places.among(source for (source,) in paths).first()
    if again.any():
        raise ValueError(f"metadata: path={paths[int(again.argmax())][0]!r} stands in two rows")


def _sweep(folder: Path) -> None:
    """Remove what a killed run had begun; nobody else writes here while the lock is held."""
    for left in list(folder.rglob(".writing-*")):
        shutil.rmtree(left, ignore_errors=True)


def _one(
    work: tuple[str, str | None, str | None, str | None, float | None], *, root: Path, folder: Path, settings: Settings
) -> dict[str, Any]:
    """Make one file, or find it made, and describe it."""
    source, scanned, problem, note, seconds = work
    path = folder / target(source)
    row: dict[str, Any] = {"path": target(source), "extension": "wav", "problem": problem, "note": note}
    row["source_sha256"] = scanned
    if problem is not None:
        return row
    notes = [note] if note else []
    try:
        row["source_sha256"] = digest = files.sha256(root / source)
        if scanned is not None and scanned != digest:
            notes.append("changed since it was scanned")
        origin = wav.read_origin(path) if path.exists() else {}
        if origin.get("source") != digest or origin.get("key") != settings.key:
            with files.atomic(path, flush=False) as scratch:  # its checksum tells what a power cut has left of it
                y, rate, remarks = _processed(root / source, settings, seconds or 0.0, scratch)
                origin = {"source": digest, "key": settings.key, "notes": remarks}
                wav.write(scratch, y, rate, subtype=settings.subtype, origin=origin)
                del y  # Windows moves no folder with a file that is open
        found = recording.inspect(path)
    except recording.RecordingError as error:
        return row | {"problem": error.problem}
    except (OSError, ValueError, MemoryError) as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        return row | {"problem": f"cannot be transformed: {error}"}
    if found["problem"]:
        return row | {"problem": f"after the transformation: {found['problem']}"}
    notes += [remark for remark in (*origin["notes"], found["note"]) if remark]
    return row | {name: found[name] for name in MEASURED} | {"note": "; ".join(notes) or None}


def _processed(path: Path, settings: Settings, seconds: float, scratch: Path) -> tuple[Samples, int, list[str]]:
    """Transform one recording, a long one block by block; its samples then lie beside `scratch`."""
    if seconds <= LONG:
        return process(*load(path), settings)
    if in_blocks(settings):
        return process_long(path, settings, scratch.parent)
    if seconds > WHOLE:
        text = "denoise, voice and loudness='lufs' need a whole recording in memory, of at most"
        raise ValueError(f"{text} {WHOLE / 3600:.0f} h; it lasts {seconds / 3600:.1f} h: cut it into parts")
    return process(*load(path), settings)


def _put(metadata: pd.DataFrame, made: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Put what is known of the new files into the rows of their sources."""
    new = columns.gathered(made, _KINDS).set_axis(metadata.index)
    result = metadata.copy(deep=False)
    result.attrs = {}  # what the scan knew of the sources' files
    for name in _KINDS:
        result[name] = new[name]
    result["source_path"] = metadata["path"].astype("str")
    return result


def _write(table: columns.Blocks, made: Iterator[dict[str, Any]], path: Path) -> int:
    """Write that table block by block, as files are made; return how many recordings cannot be used."""
    bad = 0
    with columns.writer(path, _put(table.empty, []), len(table)) as add:
        for block in table.blocks():
            result = _put(block, islice(made, len(block)))
            bad += int(result["problem"].notna().sum())
            add(result)
    next(made, None)  # lets the workers and the progress bar end
    return bad


_KINDS = {
    "path": "str", "extension": "str", "duration": "float64", "sample_rate": "Int64", "channels": "Int64",
    "level": "float64", "sha256": "str", "problem": "str", "note": "str", "source_sha256": "str",
}  # fmt: skip
