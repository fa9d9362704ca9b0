"""All five spectral features against a loop that calls librosa once per feature.

One clip: file to five arrays, in one thread, everything warm. A set: files to vectors and images in a new store, two
worker processes, against the librosa loop in one process, which keeps nothing: as whole new processes, imports
included; in this process when the workers have to start; and when they run. The stricter loop loads each file once,
the other once per feature.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from threadpoolctl import threadpool_limits

from audioclust import audio, features, files

ROOT = Path(__file__).parents[1]
RATE = 22_050
WORKERS = 2
QUICK = 8  # recordings


def run(quick: bool) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory(prefix="audioclust-benchmark-") as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root, name = recordings(Path(scratch), QUICK if quick else 400)
        paths = sorted(path for path in root.glob("*/*") if path.is_file())[: QUICK if quick else None]
        table = Path(scratch) / "metadata.parquet"
        shas = [files.sha256(path) for path in paths]
        pd.DataFrame({"path": [path.relative_to(root).as_posix() for path in paths], "sha256": shas}).to_parquet(table)

        clips = [path for path in paths if abs(soundfile.info(path).duration - 2) < 0.25][:: 1 if quick else 14]
        sides: dict[str, Callable[[Path], object]] = {"ours": all_at_once, "per file": loaded_once, "each": loaded_each}
        seconds = alternating(sides, clips, 3 if quick else 7)
        for side, what in (("per file", "librosa, one load per file"), ("each", "librosa, one load per feature")):
            rows.append(row(f"clip of 2 s ({name}), one core", seconds["ours"], what, seconds[side]))

        extraction = f"extract({str(root)!r}, {str(table)!r}, {str(Path(scratch) / 'cold')!r})"
        ours = process(extraction)
        reference = process(f"loop({str(root)!r}, {str(table)!r})")
        what = f"{len(paths)} recordings ({name}), {WORKERS} cores"
        loop_name = "librosa loop, one load per file, one core"
        rows.append(row(f"{what}, new processes", ours, loop_name, reference))
        first = timed(lambda: extract(str(root), str(table), str(Path(scratch) / "first")))
        loaded_once(paths[0])
        turns = [
            (
                timed(lambda turn=turn: extract(str(root), str(table), str(Path(scratch) / str(turn)))),
                timed(lambda: loop(str(root), str(table))),
            )
            for turn in range(2)
        ]
        ours, reference = np.min(turns, axis=0)
        rows.append(row(f"{what}, workers start", first, loop_name, reference))
        rows.append(row(f"{what}, workers run", ours, loop_name, reference))
        each = timed(lambda: loop(str(root), str(table), loaded_each))
        rows.append(row(f"{what}, workers run", ours, "librosa loop, one load per feature, one core", each))
    return pd.DataFrame(rows)


def all_at_once(path: Path) -> object:
    return features.spectral(*audio.load(path, RATE))


def loaded_once(path: Path) -> object:
    import librosa

    y, _ = librosa.load(path, sr=RATE)
    return [call(y) for call in calls()]


def loaded_each(path: Path) -> object:
    import librosa

    return [call(librosa.load(path, sr=RATE)[0]) for call in calls()]


def calls() -> list[Callable[[np.ndarray], np.ndarray]]:
    """Write the five features as one would with librosa."""
    import librosa

    return [
        lambda y: librosa.amplitude_to_db(np.abs(librosa.stft(y, hop_length=1024)), ref=np.max),
        lambda y: librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=RATE, hop_length=1024), ref=np.max),
        lambda y: librosa.feature.chroma_stft(y=y, sr=RATE),
        lambda y: librosa.feature.mfcc(y=y, sr=RATE),
        lambda y: librosa.feature.mfcc(y=y, sr=RATE)[1:],
    ]


def extract(root: str, table: str, store: str) -> None:
    features.extract(pd.read_parquet(table), root, store, jobs=WORKERS)


def loop(root: str, table: str, call: Callable[[Path], object] | None = None) -> None:
    with threadpool_limits(1):
        for path in pd.read_parquet(table)["path"]:
            (call or loaded_once)(Path(root) / path)


def alternating(sides: dict[str, Callable[[Path], object]], paths: list[Path], repeats: int) -> dict[str, float]:
    """Seconds per call of each side: the mean over the paths of each one's best. The sides take turns, path by path
    within a turn, so that each meets its own caches and all meet the same neighbours.
    """
    best = {side: np.full(len(paths), np.inf) for side in sides}
    with threadpool_limits(1):
        for _ in range(repeats):
            for side, work in sides.items():
                for i, path in enumerate(paths):
                    best[side][i] = min(best[side][i], timed(lambda work=work, path=path: work(path)))
    return {side: float(values.mean()) for side, values in best.items()}


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def process(call: str) -> float:
    """Seconds of a new Python process that makes one call of this module."""
    command = [sys.executable, "-W", "ignore", "-c", f"from benchmarks.features import *; {call}"]
    return timed(lambda: subprocess.run(command, cwd=ROOT, check=True))


def row(what: str, ours: float, reference: str, seconds: float) -> dict[str, object]:
    return {"what": what, "ours_s": ours, "reference": reference, "reference_s": seconds, "ratio": seconds / ours}


def recordings(scratch: Path, count: int) -> tuple[Path, str]:
    """Find the folder of TESS among the shared recordings, or else write clips like those."""
    shared = Path(os.environ.get("AUDIOCLUST_SHARED", ROOT.parent / "shared")) / "datasets" / "tess"
    if shared.is_dir():
        return shared, "tess"
    rng = np.random.default_rng(0)
    folder = scratch / "synthetic" / "a"
    folder.mkdir(parents=True)
    for i in range(count):
        time_axis = np.arange(int(24414 * rng.uniform(1.8, 2.2))) / 24414
        pitch = rng.uniform(100, 250) * (1 + 0.1 * np.sin(2 * np.pi * time_axis))
        phase = 2 * np.pi * np.cumsum(pitch) / 24414
        y = sum(np.sin(k * phase) / k for k in range(1, 20)) + 0.01 * rng.standard_normal(len(time_axis))
        soundfile.write(folder / f"{i}.flac", 0.1 * y, 24414)
    return scratch / "synthetic", "synthetic"
