"""What a command says of its progress, on standard error: in a terminal one line, rewritten; else plain lines.

A sweep also lists the runs that have ended in a file, while the others run.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd

from audioclust import files

__all__ = ["Display", "Listing", "elapsed"]

_LISTED = 5.0  # seconds between two versions of a listing
_REFRESH, _PLAIN = 0.5, 5.0  # seconds between two states, in a terminal and elsewhere


class Display:
    """Progress for people; a context manager.

    ``AUDIOCLUST_QUIET`` in the environment switches it off.
    """

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._silent = bool(os.environ.get("AUDIOCLUST_QUIET"))
        self._shown = False
        self._last = self._started = time.monotonic()

    def __enter__(self) -> Display:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._wipe()

    def say(self, text: str) -> None:
        """Write a line that stays."""
        if self._silent:
            return
        self._wipe()
        self._write(f"{text}\n")
        self._last = time.monotonic()

    def state(self, stage: str, done: int, total: int, running: Sequence[str], since: float) -> None:
        """Show how far a stage is: `done` of `total`, what is `running`, and the time `since` it began (monotonic)."""
        now = time.monotonic()
        if self._silent or now - self._last < (_REFRESH if self._terminal else _PLAIN):
            return
        self._last = now
        text = f"{stage}: {done} of {total} done, {elapsed(now - since)}" if total > 1 else stage
        if running:
            text += f"; running: {'; '.join(running)}" if total > 1 else f": {running[0]}"
        if not self._terminal:
            self._write(f"  {text}\n")
            return
        columns = shutil.get_terminal_size().columns - 1
        self._wipe()
        self._write(text if len(text) <= columns else f"{text[: columns - 1]}…")
        self._shown = True

    def _wipe(self) -> None:
        if self._shown:
            self._write("\r\x1b[K")
            self._shown = False

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError):  # nobody reads it any more
            self._silent = True


class Listing:
    """A table of runs, written anew as they end; a context manager.

    Parameters
    ----------
    path : Path, optional
        A CSV file; without it nothing is written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._rows: list[dict[str, Any]] = []
        self._written = -math.inf

    def __enter__(self) -> Listing:
        return self

    def __exit__(self, *_: object) -> None:
        self._write()

    def add(self, row: dict[str, Any]) -> dict[str, Any]:
        """Add a run, and return it."""
        self._rows.append(row)
        if time.monotonic() - self._written > _LISTED:
            self._write()
        return row

    def _write(self) -> None:
        if self._path is not None and self._rows:
            files.write_csv(self._path, pd.DataFrame(self._rows))
        self._written = time.monotonic()


def elapsed(seconds: float) -> str:
    """Write a duration as people say it.

    Examples
    --------
    >>> elapsed(4.2), elapsed(75), elapsed(3700)
    ('4 s', '1 min 15 s', '1 h 01 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60:02d} min"
