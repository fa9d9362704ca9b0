"""Unpacking what was downloaded, without trusting it.

A member of an archive must be a plain file or folder that lands inside the target: absolute paths, ``..``, drive
letters, links and devices are refused, as is an archive that grows beyond what its dataset can need. Archives are read
as streams, so that none fills the memory, and to their very end, where their checksums stand.
"""

from __future__ import annotations

import errno
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

from audioclust import files, recording

__all__ = ["ArchiveError", "is_archive", "place", "unpack"]

LARGEST = 100 * 10**9
"""Bytes an archive may hold when unpacked, at most."""
MEMBERS = 500_000
"""Files and folders an archive may hold, at most."""

_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
_BLOCK = 1 << 20
_OWN_FAULT = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)  # of this disk, not of the archive
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError,
            LookupError, ValueError, OverflowError, NotImplementedError, RuntimeError)  # fmt: skip


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
        ``.zip``, ``.tar``, ``.tar.gz`` or ``.tgz``.
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
        for name, opened in _members(archive, largest):
            count += 1
            if count > MEMBERS:
                raise ArchiveError(f"{archive.name}: holds more than {MEMBERS} files and folders")
            target = _safe(archive, name, folder)
            if opened is None:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with opened() as source, target.open("wb") as written:
                # What is written counts, not the size an archive states.
                while block := source.read(min(_BLOCK, left + 1)):
                    left -= len(block)
                    if left < 0:
                        raise _too_large(archive, largest)
                    written.write(block)
    except ArchiveError:
        raise
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno in _OWN_FAULT:
            raise
        raise ArchiveError(f"{archive.name}: cannot be unpacked ({error})") from error


def _too_large(archive: Path, largest: int) -> ArchiveError:
    return ArchiveError(f"{archive.name}: unpacks to more than {largest / 1e9:.3g} GB, which its dataset does not need")


def _members(archive: Path, largest: int) -> Iterator[tuple[str, Callable[[], IO[bytes]] | None]]:
    """Yield each member's name and how to open it, None for a folder; refuse what is no plain file or folder."""
    if archive.name.lower().endswith(".zip"):
        with zipfile.ZipFile(archive) as packed:
            for member in packed.infolist():
                kind = stat.S_IFMT(member.external_attr >> 16)
                if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise ArchiveError(f"{archive.name}: {member.filename!r} is a link or device, not a file")
                yield member.filename, None if member.is_dir() else partial(packed.open, member)
        return
    with _stream(archive, largest) as stream, tarfile.open(fileobj=stream, mode="r:") as tarred:  # type: ignore[call-overload]
        for entry in tarred:
            tarred.members = []  # it would keep them all
            if not entry.isreg() and not entry.isdir():
                raise ArchiveError(f"{archive.name}: {entry.name!r} is a link or device, not a file")
            yield entry.name, None if entry.isdir() else partial(_opened, tarred, entry)
        _check_end(archive, stream, tarred.offset)


class _Stream:
    """A tar file's bytes, unpacked: no more of them than allowed, and no header larger than a header needs to be."""

    def __init__(self, archive: Path, source: Any, largest: int) -> None:
        self.archive, self.source, self.largest = archive, source, largest
        self.tell = source.tell

    def read(self, size: int) -> bytes:
        if size > _BLOCK:
            raise ArchiveError(f"{self.archive.name}: has a header of {size / 1e6:.0f} MB")
        return self.source.read(size)

    def seek(self, position: int) -> int:
        # Headers and padding: at most two blocks for each member, and what long names need.
        if position > self.largest + 2048 * MEMBERS:
            raise _too_large(self.archive, self.largest)
        return self.source.seek(position)


@contextmanager
def _stream(archive: Path, largest: int) -> Iterator[_Stream]:
    packed = archive.name.lower().endswith(("gz",))
    with gzip.open(archive) if packed else archive.open("rb") as source:
        yield _Stream(archive, source, largest)


def _check_end(archive: Path, stream: _Stream, position: int) -> None:
    """Read on to the end of the file, where gzip compares its checksum; a whole tar file ends with blocks of zeros.

    Behind a damaged header the tarfile module ends as if there were nothing more.
    """
    stream.seek(position)
    ended = False
    while block := stream.read(_BLOCK):
        if block.strip(b"\0"):
            raise ArchiveError(f"{archive.name}: cannot be unpacked (damaged in the middle, at byte {position})")
        ended = True
        stream.seek(stream.tell())
    if not ended:
        raise ArchiveError(f"{archive.name}: cannot be unpacked (it ends early)")


def _opened(tarred: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    source = tarred.extractfile(entry)
    if source is None:
        raise ArchiveError(f"{entry.name!r} is not a file")
    return source


def _safe(archive: Path, name: str, folder: Path) -> Path:
    """Return where the member goes, if that is inside the folder on every system."""
    target = folder.joinpath(*name.split("/"))
    if not files.is_below(name) or not target.parent.resolve().is_relative_to(folder):
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
