"""Fetching a dataset of the catalogue: download, check, unpack, prepare, scan.

Archives are kept in ``datasets/NAME/downloads``. A download that was cut off goes on where it stopped; what comes out
is checked as a whole against the sha256 in the catalogue or, where the publisher has none, against the one recorded
when it first arrived (``downloads/checksums.json``). An archive put there by hand is used, after the
same check. Once the dataset is prepared the archives may be deleted.
"""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from audioclust import files, parallel
from audioclust.datasets import archives
from audioclust.datasets.catalogue import module
from audioclust.datasets.metadata import recordings_under, save, scan
from audioclust.project import Project

__all__ = ["DownloadError", "download", "fetch"]

_log = logging.getLogger(__name__)

_BLOCK = 1 << 18
_TRIES = 3


class DownloadError(OSError):
    """A dataset cannot be had; the message says from where, and where to put it by hand."""


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
        Where to.
    offline : bool, optional
        Never use the network. Default: whether the environment variable ``AUDIOCLUST_OFFLINE`` is set (and not 0).
    jobs : int or str
        Worker processes for reading the recordings.
    progress : callable
        Called with the blocks of a download, a description and a total, like :func:`audioclust.parallel.progress`.
    **options
        For the dataset's own ``prepare``: ``flat=True`` of AudioMNIST, ``speakers=20`` of the synthetic voices.

    Returns
    -------
    DataFrame
        The metadata table, saved too. Empty for a dataset without recordings (MNIST).

    Raises
    ------
    ValueError
        When the catalogue has no such dataset, or an archive does not have the checksum it must have.
    DownloadError
        When something is missing and cannot be downloaded: one message with the address and the folder.
    """
    dataset = module(name)
    name = dataset.__name__.rpartition(".")[2]
    project = project if isinstance(project, Project) else Project(project)
    folder = project.dataset(name)
    if project.recordings(name) != folder:
        raise ValueError(f"dataset={name!r}: stands for {project.recordings(name)}; scan that folder instead")
    with files.locked(folder / "downloads" / ".lock"):
        ready = folder / "downloads" / "prepared.json"
        state = {"remotes": dataset.REMOTES, "options": options}
        earlier = files.read_json(ready) if ready.exists() else {"recordings": []}
        if {name: earlier.get(name) for name in state} != state:
            held = [_obtain(dataset, remote, folder / "downloads", offline, progress) for remote in dataset.REMOTES]
            for path in earlier["recordings"]:  # of other options
                (folder / path).unlink(missing_ok=True)
            _prepare(dataset, held, folder, options)
            state["recordings"] = recordings_under(folder)
            files.write_json(ready, state)
        known = project.metadata(name) if (folder / "metadata.parquet").exists() else None
        metadata = scan(folder, rule=dataset, known=known, jobs=jobs)
        save(metadata, folder)
    return metadata


def _prepare(dataset: ModuleType, held: list[Path], folder: Path, options: dict[str, Any]) -> None:
    """Unpack beside the dataset and lay the recordings out; a run that was cut off starts this over."""
    unpacked = folder / ".unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir(parents=True)
    try:
        for path in held:
            if archives.is_archive(path):
                _log.info("unpacking %s", path)
                inside = unpacked / path.name.partition(".")[0]
                inside.mkdir()
                archives.unpack(path, inside)
        dataset.prepare(unpacked, folder, **options)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


def _obtain(
    dataset: ModuleType, remote: dict[str, Any], folder: Path, offline: bool | None, progress: Callable[..., Any]
) -> Path:
    """Return the remote's file, downloaded if it is not there, with its checksum right."""
    path = folder / remote["filename"]
    by_hand = f"Download {remote['url']} by hand and put it into {folder} as {remote['filename']}"
    if not path.exists():
        if _offline(offline):
            raise DownloadError(f"{dataset.TITLE} is not there and downloads are switched off. {by_hand}.")
        try:
            download(remote["url"], path, progress=progress)
        except (OSError, http.client.HTTPException) as error:
            raise DownloadError(f"{dataset.TITLE} cannot be downloaded ({error}). {by_hand}.") from error
    _check(path, remote, folder / "checksums.json")
    return path


def _offline(offline: bool | None) -> bool:
    return os.environ.get("AUDIOCLUST_OFFLINE", "0") not in ("", "0") if offline is None else offline


def _check(path: Path, remote: dict[str, Any], record: Path) -> None:
    """Compare the file with the checksum it must have; record the first one where none is known."""
    got = files.sha256(path)
    recorded = files.read_json(record) if record.exists() else {}
    expected = remote["sha256"] or recorded.get(path.name)
    if expected not in (None, got):
        source = "of the catalogue" if remote["sha256"] else f"recorded in {record}"
        raise ValueError(f"{path} has the sha256 {got}, not {expected} {source}: delete the file and fetch again")
    if expected is None and remote.get("md5"):
        with path.open("rb") as handle:
            md5 = hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if md5 != remote["md5"]:
            raise ValueError(f"{path} has the md5 {md5}, not {remote['md5']}: delete the file and fetch again")
    if recorded.get(path.name) != got:
        files.write_json(record, recorded | {path.name: got})


def download(
    url: str, path: str | Path, *, progress: Callable[..., Any] = parallel.progress, wait: float = 1.0
) -> Path:
    """Download a file; go on from ``PATH.part`` if that is there.

    Parameters
    ----------
    url : str
        http, https or ftp.
    path : str or Path
        Where the complete file will stand.
    progress : callable
        See :func:`fetch`.
    wait : float
        Seconds before the second of three tries, twice that before the third.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    OSError
        When the server cannot be reached, refuses, or keeps breaking off. The part received so far is kept.
    """
    if not url.startswith(("http://", "https://", "ftp://")):
        raise ValueError(f"url={url!r}: give an http, https or ftp address")
    path = Path(path)
    part = path.with_name(path.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(_TRIES):
        try:
            _receive(url, part, progress)
            break
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416:  # the part is no beginning of what the server has now
                part.unlink(missing_ok=True)
            elif error.code < 500:
                raise
            problem: Exception = error
        except (OSError, http.client.HTTPException) as error:
            problem = error
        if attempt == _TRIES - 1:
            raise problem
        _log.warning("%s: %s; trying again", url, problem)
        time.sleep(wait * (attempt + 1))
    part.replace(path)
    return path


def _receive(url: str, part: Path, progress: Callable[..., Any]) -> None:
    """Append to `part` what it lacks. The server's tag of the file guards against joining two different ones."""
    tag_file = part.with_name(part.name + ".tag")
    held = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "audioclust"})
    if held:
        request.add_header("Range", f"bytes={held}-")
        if tag_file.exists():
            request.add_header("If-Range", tag_file.read_text(encoding="ascii"))
    with urllib.request.urlopen(request, timeout=60) as answer:
        if held and answer.status != 206:
            held = 0  # the server starts over
        tag = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        if tag and not tag.startswith("W/"):
            tag_file.write_text(tag, encoding="ascii", errors="ignore")
        length = answer.headers.get("Content-Length")
        expected = held + int(length) if length else None
        with part.open("ab" if held else "wb") as written:
            blocks = iter(lambda: answer.read(_BLOCK), b"")
            total = -(-int(length) // _BLOCK) if length else None
            for block in progress(blocks, f"download {part.stem}", total):
                written.write(block)
            written.flush()
            os.fsync(written.fileno())
            size = written.tell()
    if expected is not None and size != expected:
        raise ConnectionError(f"the connection broke off after {size} of {expected} bytes")
    tag_file.unlink(missing_ok=True)
