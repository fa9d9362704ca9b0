"""Downloading one file: going on after a break, never joining two different files, never beyond a size.

A part of a file is kept as ``NAME.part``, the server's mark of that file (``ETag`` or ``Last-Modified``) as
``NAME.part.tag``. A download goes on only where the server gave such a mark and confirms it.
"""

from __future__ import annotations

import http.client
import logging
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from audioclust import parallel

__all__ = ["DownloadError", "download"]

_log = logging.getLogger(__name__)

_BLOCK = 1 << 18
_TRIES = 3


class DownloadError(OSError):
    """A dataset cannot be had; the message says from where, and where to put it by hand."""


def download(
    url: str,
    path: str | Path,
    *,
    largest: int | None = None,
    progress: Callable[..., Any] = parallel.progress,
    wait: float = 1.0,
) -> Path:
    """Download a file; go on from ``PATH.part`` if that is there.

    Parameters
    ----------
    url : str
        http, https or ftp.
    path : str or Path
    largest : int, optional
        Bytes the file may have; a server that sends more is stopped.
    progress : callable
        Called with the blocks, a description and a total, like :func:`audioclust.parallel.progress`.
    wait : float
        Seconds before the second of three tries, twice that before the third.

    Raises
    ------
    DownloadError
        When the file is larger than `largest`. Nothing is kept.
    OSError
        When the server cannot be reached, refuses, or keeps breaking off. What came so far is kept.
    """
    if not url.startswith(("http://", "https://", "ftp://")):
        raise ValueError(f"url={url!r}: give an http, https or ftp address")
    path = Path(path)
    part = path.with_name(path.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(_TRIES):
        try:
            _receive(url, part, largest, progress)
            break
        except DownloadError:
            for left in (part, _tag(part)):
                left.unlink(missing_ok=True)
            raise
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416:  # the part is no beginning of what the server has now
                part.unlink(missing_ok=True)
            elif error.code < 500:
                raise
            problem: Exception = error
        except (OSError, http.client.HTTPException) as error:
            problem = error
        if attempt + 1 == _TRIES:
            raise problem
        _log.warning("%s: %s; trying again", url, problem)
        time.sleep(wait * (attempt + 1))
    part.replace(path)
    return path


def _tag(part: Path) -> Path:
    return part.with_name(part.name + ".tag")


def _receive(url: str, part: Path, largest: int | None, progress: Callable[..., Any]) -> None:
    """Append to `part` what it lacks."""
    tag_file = _tag(part)
    held = part.stat().st_size if part.exists() else 0
    mark = tag_file.read_text(encoding="ascii", errors="ignore") if tag_file.exists() and held else ""
    request = urllib.request.Request(url, headers={"User-Agent": "audioclust", "Accept-Encoding": "identity"})
    if mark:
        request.add_header("Range", f"bytes={held}-")
        request.add_header("If-Range", mark)
    with urllib.request.urlopen(request, timeout=60) as answer:
        held = held if mark and _continues(answer, held, mark) else 0
        if answer.status == 206 and not held:
            part.unlink(missing_ok=True)  # the next try asks for the whole file
            raise ConnectionError("the server sent another part of the file than it was asked for")
        if not held:
            tag_file.write_text(_mark(answer), encoding="ascii", errors="ignore")
        length = answer.headers.get("Content-Length")
        expected = held + int(length) if length else None
        with part.open("ab" if held else "wb") as written:
            total = -(-int(length) // _BLOCK) if length else None
            for block in progress(_blocks(answer, held, largest, expected), f"download {part.stem}", total):
                written.write(block)
            written.flush()
            os.fsync(written.fileno())
            size = written.tell()
    if expected is not None and size != expected:
        raise ConnectionError(f"the connection broke off after {size} of {expected} bytes")
    tag_file.unlink(missing_ok=True)


def _mark(answer: http.client.HTTPResponse) -> str:
    """Return what tells this edition of the file from others; a weak ETag does not."""
    tag = answer.headers.get("ETag") or ""
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified") or ""


def _continues(answer: http.client.HTTPResponse, held: int, mark: str) -> bool:
    """Return whether the answer is what follows the first `held` bytes of the same edition."""
    stated = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range") or "")
    return answer.status == 206 and stated is not None and int(stated[1]) == held and _mark(answer) in ("", mark)


def _blocks(answer: http.client.HTTPResponse, held: int, largest: int | None, expected: int | None) -> Iterator[bytes]:
    """Yield the file's bytes as they come, no more than allowed."""
    limit = largest if largest is not None else float("inf")
    size = max(held, expected or 0)
    while size <= limit and (block := answer.read(_BLOCK)):
        held += len(block)
        size = max(size, held)
        if size <= limit:
            yield block
    if size > limit:
        raise DownloadError(f"the file has more than {limit / 1e9:.3g} GB, which the dataset does not need")
