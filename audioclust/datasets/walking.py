"""Which sound files are under a folder, in an order that is the same on every system."""

from __future__ import annotations

import logging
import os
import unicodedata
from pathlib import Path

from audioclust import recording
from audioclust.project import is_project

__all__ = ["order", "printable", "recordings_under", "walk"]

_log = logging.getLogger(__name__)

_BYTES = ("utf-8", "surrogateescape")


def recordings_under(root: Path) -> list[str]:
    """Return the relative posix paths of the sound files that `datasets.scan` finds, in the order of its table."""
    return walk(root)[0]


def walk(root: Path) -> tuple[list[str], dict[str, str]]:
    """Return the sound files under a folder, and each folder that cannot be read with the reason."""
    paths: list[str] = []
    unreadable: dict[str, str] = {}
    seen: set[tuple[int, int]] = set()
    real, links = [""], list[str]()
    while real or links:
        # Folders before links to folders: a link to a part of the dataset then does not take its place.
        linked = not real
        folder = (links if linked else real).pop()
        try:
            entity = os.stat(root / folder)  # noqa: PTH116
            if (entity.st_dev, entity.st_ino) in seen:
                continue
            seen.add((entity.st_dev, entity.st_ino))
            entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            if not folder:
                raise
            unreadable[folder] = f"folder cannot be read: {error.strerror}"
            continue
        if folder and is_project(root / folder):
            _log.warning("%s is a project's folder and is passed over", root / folder)
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if _is_folder(entry):
                if not entry.name.startswith(".") and path != "transformed":
                    (links if entry.is_symlink() else real).append(path)
            elif _is_recording(entry.name):
                paths.append(path)
    paths.sort(key=order)
    return paths, unreadable


def order(path: str) -> str:
    """Return what sorts paths: their characters, composed, which sort as their UTF-8 bytes do; then as they are."""
    if path.isascii():
        return path  # no new object: there may be millions
    return f"{unicodedata.normalize('NFC', printable(path))}\0{printable(path)}"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads back to itself
        return False


def _is_recording(name: str) -> bool:
    hidden = name.startswith(".") and name.count(".") > 1  # "._take.wav" is, ".wav" merely has no stem
    return recording.extension(name) in recording.EXTENSIONS and not hidden


def printable(path: str) -> str:
    """Return the path with bytes that are no UTF-8 written as escapes: a table cannot hold them as they are."""
    return path.encode(*_BYTES).decode("utf-8", "backslashreplace")
