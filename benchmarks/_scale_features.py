"""Five spectral features of a set: CPU seconds of a whole extraction against a librosa loop that loads each file once.

CPU seconds, not the clock: they do not depend on what else the machine does. Ours are those of the command and its two
workers, everything included; the ratio on two cores is twice that of the CPU seconds, less what the workers wait.
"Start" is a first extraction, what the workers import included; "run" is what a second one adds in the same process,
as the loop is a second one, too.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile

from audioclust import files
from benchmarks.features import ROOT, WORKERS, recordings


def rows(quick: bool, *, copies: tuple[int, ...] = (1, 10)) -> list[dict[str, Any]]:
    measured = []
    with tempfile.TemporaryDirectory(prefix="audioclust-benchmark-") as scratch:
        given, name = recordings(Path(scratch), 10 if quick else 400)
        paths = sorted(path for path in given.glob("*/*") if path.is_file())[: 10 if quick else None]
        for count in (1,) if quick else copies:
            root, table = _copied(given, paths, count, Path(scratch) / str(count))
            measured += _compared(root, table, f"{count * len(paths)} clips ({name})", scratch, quick)
    return measured


def _copied(given: Path, paths: list[Path], count: int, folder: Path) -> tuple[Path, Path]:
    """Return a folder with so many of each recording, turned by some samples each, and its table."""
    folder.mkdir()
    root = given if count == 1 else folder / "recordings"
    if count > 1:
        root.mkdir()
        turned = []
        for number, path in enumerate(paths):
            y, rate = soundfile.read(path, dtype="int16")
            for turn in range(count):
                turned.append(root / f"{number}_{turn}.flac")
                soundfile.write(turned[-1], np.roll(y, turn * len(y) // count), rate)
        paths = turned
    names = [path.relative_to(root).as_posix() for path in paths]
    pd.DataFrame({"path": names, "sha256": [files.sha256(path) for path in paths]}).to_parquet(folder / "table.parquet")
    return root, folder / "table.parquet"


def _compared(root: Path, table: Path, what: str, scratch: str, quick: bool) -> list[dict[str, Any]]:
    def extraction(store: str) -> str:
        return f"extract({str(root)!r}, {str(table)!r}, {f'{scratch}/{store}'!r})"

    imports, loop = _spent("timed"), f"loop({str(root)!r}, {str(table)!r})"
    start = _spent(extraction(f"{table.parent.name}a")) - imports
    if quick:  # it works: what it takes says nothing
        return [_row(f"{what}, workers start", start, _spent(loop), 6)]
    librosa = _spent(f"{loop}; {loop}") - _spent(loop)
    run = _spent("; ".join(extraction(f"{table.parent.name}{turn}") for turn in "bc")) - imports - start
    return [_row(f"{what}, workers start", start, librosa, 6), _row(f"{what}, workers run", run, librosa, 7)]


def _row(what: str, ours: float, reference: float, least: float) -> dict[str, Any]:
    ratio = WORKERS * reference / ours
    numbers = {"cpu_s": ours, "reference_cpu_s": reference, "measured": ratio}
    return {"what": f"{what}, {WORKERS} cores", **numbers, "bar": f">= {least}", "reached": ratio >= least}


def _spent(call: str) -> float:
    """CPU seconds of a new Python process that makes calls of ``benchmarks.features``, and of its workers."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-W", "ignore", "-c", f"from benchmarks.features import *; {call}"]
    subprocess.run(command, cwd=ROOT, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
