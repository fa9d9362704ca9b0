"""The page to look and listen beside the one before it: size, time until it is ready, panning and pointing.

Real headless Chromium without a graphics card. Both pages show the same recordings (places, groups and columns drawn
at random; no sound). The earlier page comes from this repository's history. Medians of five runs.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import soundfile

from audioclust import report

ROOT = Path(__file__).parents[1]
EARLIER = "4e4f938e"  # the last state of the repository with the page before this one
SIZES = (20_000, 200_000)
RUNS = 5
PAN = 2.0  # seconds; a tenth of it in a quick run
READY = "globalThis.audioclust || (document.readyState === 'complete' && typeof recordings === 'object') ? true : null"
COUNT = "globalThis.frames_ = 0; (function f() { frames_++; requestAnimationFrame(f); })()"
WRITE = (
    "import pickle, sys; from audioclust import report; "
    "index, labels, places, out = pickle.load(open(sys.argv[1], 'rb')); "
    "report.listen(index, labels, 'nowhere', out, positions=places, embed_megabytes=0)"
)


def run(quick: bool) -> pd.DataFrame:
    """Measure both pages at each size, and the new one with a picture of every recording; a row for each."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="audioclust-page-", ignore_cleanup_errors=True) as scratch:
        for n in (60,) if quick else SIZES:
            index, labels, places = recordings(n)
            pages = {"new": Path(scratch) / f"new-{n}.html"}
            report.listen(index, labels, "nowhere", pages["new"], positions=places, embed_megabytes=0)
            if n <= 20_000:
                pages |= earlier(index, labels, places, Path(scratch))
                pages["new, with pictures"] = pictured(index, labels, places, Path(scratch))
            runs = [
                {
                    "page": name,
                    "recordings": n,
                    "MB": page.stat().st_size / 1e6,
                    **measured(page, Path(scratch), PAN / 10 if quick else PAN),
                }
                for _ in range(1 if quick else RUNS)
                for name, page in pages.items()
            ]
            rows += [pd.DataFrame(runs).groupby(["page", "recordings"], sort=False).median().reset_index()]
    return pd.concat(rows, ignore_index=True)


def recordings(n: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels, speakers = rng.integers(0, 40, n), rng.integers(0, 60, n)
    places = rng.normal(size=(40, 2))[labels] * 4 + rng.normal(size=(n, 2)) / 2
    index = pd.DataFrame(
        {
            "path": [f"speaker_{who:03d}/utterance_{row:06d}_take.wav" for row, who in enumerate(speakers)],
            "label": [f"speaker_{who:03d}" for who in speakers],
            "duration": rng.uniform(0.5, 6, n).round(3),
            "level": rng.normal(-25, 4, n).round(2),
            "sha256": [hashlib.sha256(str(row).encode()).hexdigest() for row in range(n)],
        }
    )
    return index, labels, places


def earlier(index: pd.DataFrame, labels: np.ndarray, places: np.ndarray, scratch: Path) -> dict[str, Path]:
    """Write the page of the earlier state of the repository; nothing where its history is not there."""
    package, page, given = scratch / "earlier", scratch / "old.html", scratch / "given.pickle"
    archive = subprocess.run(["git", "archive", EARLIER, "audioclust"], cwd=ROOT, capture_output=True)
    if archive.returncode:
        return {}
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as packed:
        packed.extractall(package, filter="data")
    given.write_bytes(pickle.dumps((index, labels, places, page)))
    environment = {**os.environ, "PYTHONPATH": str(package)}
    subprocess.run([sys.executable, "-c", WRITE, given], cwd=package, env=environment, check=True)
    return {"earlier": page}


def pictured(index: pd.DataFrame, labels: np.ndarray, places: np.ndarray, scratch: Path) -> Path:
    """Write the page with a picture of every recording: links to a few hundred sounds, so that the disk holds them."""
    root, rng, rate = scratch / "sounds", np.random.default_rng(1), 8000
    made = []
    for number in range(200):
        t = np.arange(int(0.4 * rate)) / rate
        voices = sum(np.sin(2 * np.pi * f * t) * np.sin(np.pi * t / 0.4) for f in rng.uniform(100, 3000, 4))
        path = root / "made" / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * voices + 0.02 * rng.normal(size=len(t)), rate)
        made.append(path)
    for row, path in enumerate(index["path"]):
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).hardlink_to(made[row % len(made)])
    page = scratch / f"pictures-{len(index)}.html"
    limit = len(index) * 1e-3  # the pictures take 70 % of it
    sizes = {"positions": places, "embed_megabytes": limit, "jobs": -1}
    report.listen(index.assign(duration=1e6), labels, root, page, **sizes)  # sounds so long that none is embedded
    return page


def measured(page: Path, scratch: Path, seconds: float) -> dict[str, float]:
    """Open a page; return how long it takes to be ready, to pan (for some seconds) and to point."""
    sys.path.insert(0, str(ROOT / "tests"))
    from browser import opened

    blank = scratch / "blank.html"
    blank.write_text("<!doctype html><title>blank</title>")
    with (
        tempfile.TemporaryDirectory(dir=scratch, ignore_cleanup_errors=True) as profile,
        opened(blank, Path(profile)) as seen,
    ):
        seen.send("Page.navigate", url=page.as_uri())
        seen.until(lambda: seen.ask(READY), seconds=120)
        ready = seen.ask("performance.now() / 1000")
        time.sleep(1)
        left, top, width, height = seen.ask(
            "(() => { const b = document.querySelector('.map').getBoundingClientRect();"
            " return [b.left, b.top, b.width, b.height]; })()"
        )
        middle = (left + width / 2, top + height / 2)
        pan = panned(seen, *middle, most=seconds)
        return {"ready s": ready, **pan, "point ms": pointed(seen, left, top, width, height)}


def panned(seen, x: float, y: float, most: float) -> dict[str, float]:  # type: ignore[no-untyped-def]
    """Drag the map to and fro; return frames per second, and the time of all the browser's processes per frame."""
    mouse = {"button": "left", "buttons": 1, "clickCount": 1}
    for _ in range(3):
        seen.send("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=-200)
    time.sleep(0.5)
    seen.ask(COUNT)
    processes = [psutil.Process(seen.process.pid), *psutil.Process(seen.process.pid).children(recursive=True)]
    seen.send("Performance.enable")
    seen.send("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, **mouse)
    start, frames, cpu, task = time.monotonic(), seen.ask("frames_"), used(processes), tasks(seen)
    step = 0
    while time.monotonic() - start < most:
        step += 1
        seen.send(
            "Input.dispatchMouseEvent",
            type="mouseMoved",
            x=x + 60 * np.sin(step / 9),
            y=y + 40 * np.cos(step / 9),
            **mouse,
        )
    drawn, seconds = max(1, seen.ask("frames_") - frames), time.monotonic() - start
    cost = {
        "page CPU ms / frame": (tasks(seen) - task) * 1000 / drawn,
        "all CPU ms / frame": (used(processes) - cpu) * 1000 / drawn,
    }
    seen.send("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y, button="left", clickCount=1)
    return {"frames / s": drawn / seconds, **cost}


def pointed(seen, left: float, top: float, width: float, height: float) -> float:  # type: ignore[no-untyped-def]
    """Move over the map; return the median time of the page's answer to a move, in ms."""
    rng = np.random.default_rng(0)
    seen.ask(
        "globalThis.moves_ = []; (() => { const target = document.querySelector('.map');"
        " addEventListener('pointermove', () => { moves_.push(-performance.now()); }, true);"
        " addEventListener('pointermove', () => { moves_.push(performance.now()); }); })()"
    )
    for x, y in rng.uniform(0.2, 0.8, (25, 2)):
        seen.send("Input.dispatchMouseEvent", type="mouseMoved", x=left + x * width, y=top + y * height)
        time.sleep(0.02)
    moves = seen.ask("moves_")
    return statistics.median(before + after for before, after in zip(moves[::2], moves[1::2], strict=False))


def used(processes: list[psutil.Process]) -> float:
    """Return the CPU seconds of processes so far."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
            total += times.user + times.system
        except psutil.NoSuchProcess:
            pass
    return total


def tasks(seen) -> float:  # type: ignore[no-untyped-def]
    """Return the seconds that the page's own thread has worked so far."""
    metrics = {each["name"]: each["value"] for each in seen.send("Performance.getMetrics")["metrics"]}
    return metrics["TaskDuration"]
