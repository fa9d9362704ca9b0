"""Speed: each measurement in a process of its own, its imports and compiling not counted."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks._answer_rows import Cases, Row, row

ROOT = Path(__file__).parents[1]
CODE = """
import resource, sys, time
from audioclust import clustering
from benchmarks._speakers_clustering import speakers
clustering.make("auto").fit(speakers(200, 192, 1, each=10))
X = speakers(int(sys.argv[1]), 192, 0)
start = time.perf_counter()
k = len(set(clustering.make("auto").fit(X).labels_.tolist()))
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, k)
"""


def cases() -> Cases:
    return {
        "900 x 192": partial(one_size, 900, 2, 4),
        "20 000 x 192": partial(one_size, 20_000, 60, 4),
        "growth": growth,
    }


def one_size(n: int, most_seconds: float, most_gib: float) -> Row:
    seconds, gib, k = fresh(n)
    return row(
        f"{n} x 192, {n // 50} people",
        f"{seconds:.1f} s, {gib:.1f} GiB, {k} groups",
        bar=f"<= {most_seconds:g} s, {most_gib:g} GiB",
        reached=seconds <= most_seconds and gib <= most_gib,
        seconds=seconds,
        gib=gib,
    )


def growth() -> Row:
    small, large = fresh(5_000)[0], fresh(20_000)[0]
    exponent = float(np.log(large / small) / np.log(4))
    measured = f"n^{exponent:.2f} ({small:.1f} s, {large:.1f} s)"
    return row("5 000 to 20 000 x 192", measured, bar="<= n^1.3", reached=exponent <= 1.3, exponent=exponent)


def fresh(n: int) -> tuple[float, float, int]:
    """Return seconds, peak memory (GiB) and number of groups of `auto` in a new process."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE, str(n)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    seconds, gib, k = done.stdout.split()
    return float(seconds), float(gib), int(k)
