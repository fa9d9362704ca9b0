"""Unpacking what was downloaded, without trusting it.

A member of an archive must be a plain file or folder that lands inside the target: absolute paths, ``..``, drive
letters, links and devices are refused, as is an archive that grows beyond what its dataset can need.
"""

from __future__ import annotations

import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from audioclust import recording

__all__ = ["ArchiveError", "is_archive", "place", "unpack"]

LARGEST = 100 * 10**9
"""Bytes an archive may hold when unpacked, at most."""
MEMBERS = 500_000
"""Files an archive may hold, at most."""

_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


class ArchiveError(ValueError):
    """An archive is damaged, or holds what it should not."""


def is_archive(path: str | Path) -> bool:
    """Return whether the file's name is that of an archive :func:`unpack` knows."""
    return Path(path).name.lower().endswith(_SUFFIXES)


def unpack(archive: str | Path, folder: str | Path, *, largest: int = LARGEST) -> None:
    """Unpack a ZIP or tar archive into an existing folder.

    Parameters
    ----------
    archive : str or Path
        ``.zip``, ``.tar``, ``.tar.gz``, ``.tgz``, ``.tar.bz2`` or ``.tar.xz``.
    folder : str or Path
        Where to; a file that is already there is replaced.
    largest : int
        Bytes to unpack at most.

    Raises
    ------
    ArchiveError
        When the archive is damaged, a member is unsafe, or it grows too large. Nothing outside `folder` is touched.
    """
    archive, folder = Path(archive), Path(folder).resolve()
    left, count = largest, 0
    try:
        for name, opened in _members(archive):
            target = _safe(archive, name, folder)
            count += 1
            if count > MEMBERS:
                raise ArchiveError(f"{archive.name}: holds more than {MEMBERS} files")
            target.parent.mkdir(parents=True, exist_ok=True)
            with opened() as source, target.open("wb") as written:
                # What is written counts, not the size an archive states.
                while block := source.read(min(1 << 20, left + 1)):
                    left -= len(block)
                    if left < 0:
                        raise ArchiveError(f"{archive.name}: unpacks to more than {largest / 1e9:.3g} GB")
                    written.write(block)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise ArchiveError(f"{archive.name}: cannot be unpacked ({error})") from error


def _members(archive: Path) -> Iterator[tuple[str, Callable[[], IO[bytes]]]]:
    """Yield each file's name in the archive and how to open it; refuse everything that is no plain file or folder."""
    if archive.name.lower().endswith(".zip"):
        with zipfile.ZipFile(archive) as packed:
            for member in packed.infolist():
                kind = stat.S_IFMT(member.external_attr >> 16)
                if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise ArchiveError(f"{archive.name}: {member.filename!r} is a link or device, not a file")
                if not member.is_dir():
                    yield member.filename, partial(packed.open, member)
        return
    with tarfile.open(archive) as tarred:
        for entry in tarred:
            if entry.isdir():
                continue
            if not entry.isreg():
                raise ArchiveError(f"{archive.name}: {entry.name!r} is a link or device, not a file")
            yield entry.name, partial(_opened, tarred, entry)


def _opened(tarred: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    source = tarred.extractfile(entry)
    if source is None:
        raise ArchiveError(f"{entry.name!r} is not a file")
    return source


def _safe(archive: Path, name: str, folder: Path) -> Path:
    """Return where the member goes, if that is inside the folder on every system."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    outside = posix.is_absolute() or windows.drive or windows.root or ".." in posix.parts or ".." in windows.parts
    if outside or not posix.parts or "\0" in name:
        raise ArchiveError(f"{archive.name}: {name!r} would land outside the folder")
    target = folder.joinpath(*posix.parts)
    if not target.parent.resolve().is_relative_to(folder):
        raise ArchiveError(f"{archive.name}: {name!r} would land outside the folder")
    return target


def place(unpacked: Path, folder: Path, target: Callable[[str], str | None]) -> None:
    """Move the sound files of an unpacked download to where they belong in the dataset's folder.

    Parameters
    ----------
    unpacked : Path
        The unpacked download: each archive in a folder of its own, named like it.
    folder : Path
        The dataset's folder.
    target : callable
        From a file's posix path in `unpacked` to its path in `folder`; None leaves it out.
    """
    for path in sorted(unpacked.rglob("*")):
        sound = recording.extension(path) in recording.EXTENSIONS and path.is_file() and path.name[:2] != "._"
        place = target(path.relative_to(unpacked).as_posix()) if sound else None
        if place is not None:
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            path.replace(folder / place)
