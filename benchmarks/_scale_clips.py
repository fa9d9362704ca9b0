"""Clips of 2 s, as many as asked for, through metadata, transform and features: how time and memory grow, and kills.

Clips are made from a seed. Each size runs in a process of its own with two workers, which have started; its memory is
that of all its processes together, without what they share counted twice (PSS). One number of clips then runs once
more, is killed with all its workers in the middle of the transform, goes on, is killed in the middle of the extraction,
and goes on: every file has to be the same, byte for byte, as without kills.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soundfile

from audioclust import audio, datasets, features
from audioclust.datasets import metadata

ROOT = Path(__file__).parents[1]
SIZES = (10_000, 30_000, 100_000)
RATE = 8000  # Hz, of the clips; 8 bit, so that 100 000 are 1.6 GB
TRANSFORMED = 4000  # Hz
SECONDS = 2
WORKERS = 2
STEPS = ("metadata", "transform", "features")


def rows(quick: bool, sizes: tuple[int, ...] = SIZES) -> Iterator[dict[str, Any]]:
    """Measure; `sizes` are numbers of clips, ascending; the largest is killed, or, for a quick look, the smallest."""
    sizes = (20, 60) if quick else sizes
    with tempfile.TemporaryDirectory(prefix="audioclust-scale-") as scratch:
        clips, told = Path(scratch) / "clips", []
        for size in sizes:
            write_clips(clips, size)
            told.append(run(clips, Path(scratch) / "run"))
            undisturbed = digests_of(Path(scratch) / "run")
            for step in STEPS:
                used, stored = told[-1][step], told[-1]["bytes"][step]
                text = f"{1e3 * used['cpu'] / size:.2f} ms of CPU and {stored / size:.0f} bytes per clip"
                yield row(f"{size} clips, {step}", "", text, None, used["wall"])
            shutil.rmtree(Path(scratch) / "run")
            if size == (sizes[0] if quick else sizes[-1]):
                yield killed(clips, Path(scratch) / "killed", undisturbed, size)
        spent = [sum(each[step]["cpu"] for step in STEPS) for each in told]
        exponent = float(np.polyfit(np.log(sizes), np.log(spent), 1)[0])
        grown = told[-1]["peak"] / told[0]["peak"]
        what = f"{sizes[0]} to {sizes[-1]} clips"
        yield row(f"{what}: growth exponent", "<= 1.05", f"{exponent:.3f}", exponent <= 1.05, sum(spent))
        text = f"{grown:.3f} ({told[0]['peak'] / 2**20:.0f} to {told[-1]['peak'] / 2**20:.0f} MiB, all processes)"
        yield row(f"{what}: memory, largest to smallest", "<= 1.10", text, grown <= 1.10, float("nan"))


def row(what: str, bar: str, measured: str, reached: bool | None, seconds: float) -> dict[str, Any]:
    return {"what": what, "bar": bar, "measured": measured, "reached": reached, "seconds": seconds}


def write_clips(folder: Path, count: int) -> None:
    """Write the first `count` clips, as far as they are not there: voices of a few harmonics, in noise."""
    time_axis = np.arange(RATE * SECONDS) / RATE
    for number in range(count):
        path = folder / f"{number // 1000:04}" / f"{number:07}.wav"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng([7, number])
        phase = 2 * np.pi * rng.uniform(90, 250) * time_axis * (1 + 0.02 * rng.standard_normal())
        y = np.sin(phase) + rng.uniform() * np.sin(2 * phase) + rng.uniform() * np.sin(3 * phase)
        y *= np.exp(-rng.uniform(0, 2) * time_axis)
        y += 0.05 * rng.standard_normal(len(y))
        soundfile.write(path, 0.25 * y, RATE, subtype="PCM_U8")


def chain(clips: Path, out: Path) -> dict[str, Any]:
    """Do the three steps, each from the file with the table of the one before; return what each took."""
    told: dict[str, Any] = {}

    def step(name: str, work: Callable[[], Any]) -> None:
        before, started = cpu(), time.perf_counter()
        work()
        told[name] = {"cpu": cpu() - before, "wall": time.perf_counter() - started}

    step("metadata", lambda: metadata.save(datasets.scan(clips, jobs=WORKERS), out))
    settings = {"sample_rate": TRANSFORMED}
    root = out / "transformed" / audio.settings_key(**settings)

    scanned, transformed = out / "metadata.parquet", root / "metadata.parquet"
    step("transform", lambda: audio.transform(scanned, clips, out / "transformed", jobs=WORKERS, **settings))
    step("features", lambda: features.extract(transformed, root, out / "features", ["mfcc"], jobs=WORKERS, **settings))
    return told


def main(clips: Path, out: Path, *, warm: bool) -> None:
    """Do the steps, on a few clips before if the workers shall run already, and write what they took."""
    if warm:
        with tempfile.TemporaryDirectory() as few:
            write_clips(Path(few) / "clips", 16)
            chain(Path(few) / "clips", Path(few) / "out")
    (out / "told.json").write_text(json.dumps(chain(clips, out)))


def cpu() -> float:
    """Seconds of CPU of this process and its workers."""
    here = psutil.Process()
    times = [each.cpu_times() for each in (here, *here.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def run(clips: Path, out: Path, *, warm: bool = True) -> dict[str, Any]:
    """Run the chain in a process of its own; also say how much memory and room on the disk it took."""
    process, peak = start(clips, out, warm=warm), 0
    while process.poll() is None:
        peak = max(peak, memory(process.pid))
        time.sleep(0.5)
    if process.returncode:
        raise RuntimeError(f"the run ended with {process.returncode}")
    told = json.loads((out / "told.json").read_text())
    places = {"metadata": "metadata.parquet", "transform": "transformed/**/*", "features": "features/**/*"}
    sizes = {
        step: sum(path.stat().st_size for path in out.glob(pattern) if path.is_file())
        for step, pattern in places.items()
    }
    return {**told, "peak": peak, "bytes": sizes}


def start(clips: Path, out: Path, *, warm: bool = False) -> subprocess.Popen[bytes]:
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks._scale_clips", str(clips), str(out), str(warm)]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True)


def memory(pid: int) -> int:
    """Bytes of a process and its workers, where shared pages are shared out (on Linux)."""
    total = 0
    try:
        for each in (here := psutil.Process(pid), *here.children(recursive=True)):
            held = each.memory_full_info()
            total += getattr(held, "pss", held.uss)
    except psutil.Error:  # one has just ended
        return 0
    return total


def digests_of(out: Path) -> dict[str, str]:
    """SHA-256 of every file that the chain made."""
    made = [path for path in sorted(out.rglob("*")) if path.is_file() and path.name not in ("told.json", ".lock")]
    return {path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in made}


def killed(clips: Path, out: Path, undisturbed: dict[str, str], count: int) -> dict[str, Any]:
    """Kill the chain twice and let it go on; compare with what an undisturbed one made."""
    began = time.perf_counter()
    middle = f"{count // 2000:04}/{count // 2:07}.wav"
    half_way = [
        lambda: any(out.glob(f"transformed/*/{middle}")),
        lambda: any(out.glob("features/*/*/shards/*.npy")),
    ]
    ended = 0
    for is_half_way in half_way:
        process = start(clips, out)
        while process.poll() is None and not is_half_way():
            time.sleep(0.001)
        ended += process.poll() is not None
        os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
        process.wait()
    run(clips, out, warm=False)
    same = digests_of(out) == undisturbed
    text = f"{'same' if same else 'other'} bytes in {len(undisturbed)} files after {2 - ended} kills"
    return row(f"{count} clips, killed twice", "same bytes", text, same and not ended, time.perf_counter() - began)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]), warm=sys.argv[3] == "True")
