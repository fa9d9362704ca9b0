"""Fetching a dataset of the catalogue: download, check, unpack, prepare, scan.

Archives are kept in ``datasets/NAME/downloads``. What comes out is checked as a whole against the sha256 in the
catalogue or, where the publisher has none, against the one of the archive that the dataset was prepared from
(``downloads/checksums.json``). An archive put there by hand is used, after the same check. Once the dataset is prepared
the archives may be deleted.
"""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from audioclust import files, parallel
from audioclust.datasets import archives
from audioclust.datasets.catalogue import Dataset, entry
from audioclust.datasets.download import DownloadError, download
from audioclust.datasets.metadata import save, scan
from audioclust.datasets.walking import recordings_under
from audioclust.project import Project

__all__ = ["fetch"]

_log = logging.getLogger(__name__)

_ROOM = 3  # times the size that the catalogue states: what a download, and what comes out of it, may take
_LEAST = 50_000_000  # bytes; a small dataset's archive may hold more beside the recordings


def fetch(
    name: str,
    project: Project | str | Path,
    *,
    offline: bool | None = None,
    jobs: parallel.Jobs = 1,
    progress: Callable[..., Any] = parallel.progress,
    **options: Any,
) -> pd.DataFrame:
    """Make a dataset of the catalogue ready in the project: ``datasets/NAME`` with recordings and metadata.

    What is there already is not downloaded, unpacked or read again.

    Parameters
    ----------
    name : str
        A name in :func:`audioclust.datasets.catalogue`.
    project : Project or path
    offline : bool, optional
        Never use the network. Default: whether the environment variable ``AUDIOCLUST_OFFLINE`` is set (and not 0).
    jobs : int or str
        Worker processes for reading the recordings.
    progress : callable
        See :func:`audioclust.datasets.download.download`.
    **options
        For the dataset's own ``prepare``: ``flat=True`` of AudioMNIST, ``speakers=20`` of the synthetic voices.

    Returns
    -------
    DataFrame
        The metadata table, saved too. Empty for a dataset without recordings (MNIST).

    Raises
    ------
    ValueError
        When the catalogue has no such dataset, an archive does not have the checksum it must have, or what it holds
        is damaged, far larger than the dataset, or none of its recordings (an ``ArchiveError``).
    DownloadError
        When something is missing and cannot be downloaded: one message with the address and the folder.

    Examples
    --------
    >>> import tempfile
    >>> from audioclust import datasets
    >>> metadata = datasets.fetch("synthetic", tempfile.mkdtemp(), speakers=2, words=1, takes=2)
    >>> metadata["speaker"].tolist()
    ['s01', 's01', 's02', 's02']
    """
    name, dataset = entry(name)
    project = project if isinstance(project, Project) else Project(project)
    folder = project.dataset(name)
    with files.locked(folder / "downloads" / ".lock"):
        if project.recordings(name) != folder:
            raise ValueError(f"dataset={name!r}: stands for {project.recordings(name)}; scan that folder instead")
        ready = folder / "downloads" / "prepared.json"
        state = {"remotes": dataset.REMOTES, "options": options}
        earlier, known = files.read_json(ready) if ready.exists() else {"recordings": []}, _known(project, name)
        if {key: earlier.get(key) for key in state} != state:
            held = [_obtain(dataset, remote, folder / "downloads", offline, progress) for remote in dataset.REMOTES]
            for path in earlier["recordings"]:  # of other options
                (folder / path).unlink(missing_ok=True)
            recordings = _prepare(dataset, held, folder, options)
            files.write_json(folder / "downloads" / "checksums.json", {path.name: files.sha256(path) for path in held})
            files.write_json(ready, state | {"recordings": recordings})
            known = None
        metadata = scan(folder, rule=dataset.columns, known=known, jobs=jobs)
        save(metadata, folder)
    return metadata


def _known(project: Project, name: str) -> pd.DataFrame | None:
    """Return the metadata of an earlier call; a damaged table is made anew."""
    try:
        return project.metadata(name)
    except (FileNotFoundError, ValueError):
        return None


def _prepare(dataset: Dataset, held: list[Path], folder: Path, options: dict[str, Any]) -> list[str]:
    """Unpack beside the dataset and lay the recordings out; a run that was cut off starts this over."""
    unpacked = folder / ".unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir(parents=True)
    advice = f"delete {', '.join(map(str, held))} and fetch again"
    try:
        for path in held:
            if archives.is_archive(path):
                _log.info("unpacking %s", path)
                inside = unpacked / path.name.partition(".")[0]
                inside.mkdir()
                archives.unpack(path, inside, largest=_limit(dataset))
        dataset.prepare(unpacked, folder, **options)
    except archives.ArchiveError as error:
        raise archives.ArchiveError(f"{error}: {advice}") from error
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    recordings = recordings_under(folder)
    if dataset.RECORDINGS and not recordings:
        raise archives.ArchiveError(f"{dataset.TITLE}: what was downloaded holds none of its recordings: {advice}")
    if dataset.REMOTES and len(recordings) < dataset.RECORDINGS / 2 and not options:
        _log.warning("%s: %d recordings instead of %d", dataset.TITLE, len(recordings), dataset.RECORDINGS)
    return recordings


def _limit(dataset: Dataset) -> int:
    return max(_ROOM * dataset.BYTES, _LEAST)


def _obtain(
    dataset: Dataset, remote: dict[str, Any], folder: Path, offline: bool | None, progress: Callable[..., Any]
) -> Path:
    """Return the remote's file, downloaded if it is not there, with its checksum right."""
    path = folder / remote["filename"]
    by_hand = f"Download {remote['url']} by hand and put it into {folder} as {remote['filename']}"
    fresh = not path.exists()
    if fresh:
        if _offline(offline):
            raise DownloadError(f"{dataset.TITLE} is not there and downloads are switched off. {by_hand}.")
        try:
            download(remote["url"], path, largest=_limit(dataset), progress=progress)
        except (OSError, http.client.HTTPException) as error:
            raise DownloadError(f"{dataset.TITLE} cannot be downloaded ({error}). {by_hand}.") from error
    # What was recorded is compared with a file that stayed here: a new download may be a new edition.
    record = folder / "checksums.json"
    recorded = files.read_json(record).get(path.name) if record.exists() and not fresh else None
    _check(path, remote, recorded)
    return path


def _offline(offline: bool | None) -> bool:
    return os.environ.get("AUDIOCLUST_OFFLINE", "0") not in ("", "0") if offline is None else offline


def _check(path: Path, remote: dict[str, Any], recorded: str | None) -> None:
    """Compare the file with the checksum it must have: the catalogue's, or that of the file it was before."""
    got, expected = files.sha256(path), remote["sha256"] or recorded
    if expected not in (None, got):
        source = "of the catalogue" if remote["sha256"] else f"recorded in {path.parent / 'checksums.json'}"
        raise ValueError(f"{path} has the sha256 {got}, not {expected} {source}: delete the file and fetch again")
    if expected is None and remote.get("md5"):
        with path.open("rb") as handle:
            md5 = hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if md5 != remote["md5"]:
            raise ValueError(f"{path} has the md5 {md5}, not {remote['md5']}: delete the file and fetch again")
