"""Five spectral features of a set: CPU seconds of a whole extraction against a librosa loop that loads each file once.

CPU seconds, not the clock: they depend less on what else the machine does. Ours are those of the command and its two
workers, everything included; the ratio on two cores is twice that of the CPU seconds, less what the workers wait.
Extractions and loops take turns in one process. "Start" is its first extraction, what workers import included; "run"
are the later ones. Of many recordings the loop takes every tenth, and counts ten times.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile

from audioclust import files
from benchmarks._scale_clips import cpu
from benchmarks.features import ROOT, WORKERS, extract, loaded_once, loop, recordings

LOOPED = 1400  # recordings of a loop, at most
TURNS = {False: (3, 3), True: (1, 2)}  # processes, and turns in each: of few recordings, of many or for a quick look


def rows(quick: bool, *, copies: tuple[int, ...] = (1, 10)) -> list[dict[str, Any]]:
    measured = []
    with tempfile.TemporaryDirectory(prefix="audioclust-benchmark-") as scratch:
        given, name = recordings(Path(scratch), 10 if quick else 400)
        paths = sorted(path for path in given.glob("*/*") if path.is_file())[: 10 if quick else None]
        for count in (1,) if quick else copies:
            root, table = _copied(given, paths, count, Path(scratch) / str(count))
            what, many = f"{count * len(paths)} clips ({name})", count > 1
            measured += _compared(root, table, what, scratch, (7 if many else 6, 7), TURNS[quick or many])
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


def _compared(
    root: Path, table: Path, what: str, scratch: str, bars: tuple[float, float], turns: tuple[int, int]
) -> list[dict[str, Any]]:
    told = []
    for number in range(turns[0]):
        call = f"turns({str(root)!r}, {str(table)!r}, {f'{scratch}/{table.parent.name}-{number}'!r}, {turns[1]})"
        command = [sys.executable, "-W", "ignore", "-c", f"from benchmarks._scale_features import turns; {call}"]
        told.append(json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout))
    spent = np.array(told)  # [shape=(processes, turns, ours or theirs, CPU or clock)]
    run = spent[:, 1:].reshape(-1, 2, 2)
    return [_row(f"{what}, workers start", spent[:, 0], bars[0]), _row(f"{what}, workers run", run, bars[1])]


def turns(root: str, table: str, store: str, count: int) -> None:
    """Print the seconds of extractions and loops that take turns: both meet the same speed of the machine."""
    known = pd.read_parquet(table)
    every, few = max(1, len(known) // LOOPED), f"{store}.parquet"
    known.iloc[::every].to_parquet(few)
    loaded_once(Path(root) / known["path"].iloc[0])  # librosa is imported
    told = []
    for turn in range(count):
        ours = _spent(lambda turn=turn: extract(root, table, f"{store}/{turn}"))
        shutil.rmtree(f"{store}/{turn}")
        told.append([ours, [every * seconds for seconds in _spent(lambda: loop(root, few))]])
    print(json.dumps(told))


def _spent(work: Callable[[], object]) -> list[float]:
    before, started = cpu(), time.perf_counter()
    work()
    return [cpu() - before, time.perf_counter() - started]


def _row(what: str, spent: np.ndarray, least: float) -> dict[str, Any]:
    """Compare the sums over all turns [shape=(n, ours or theirs, CPU or clock)]."""
    ours, reference = spent.mean(axis=0)
    ratio = WORKERS * reference[0] / ours[0]
    turns = WORKERS * spent[:, 1, 0] / spent[:, 0, 0]
    numbers = {"cpu_s": ours[0], "reference_cpu_s": reference[0], "measured": ratio, "least": turns.min()}
    clock = {"most": turns.max(), "turns": len(turns), "clock_s": ours[1], "by_the_clock": reference[1] / ours[1]}
    bar = {"bar": f">= {least}", "reached": bool(ratio >= least)}
    return {"what": f"{what}, {WORKERS} cores", **numbers, **clock, **bar}
