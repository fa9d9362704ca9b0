"""What a Dask cluster adds to every task: a scheduler and two workers of this machine, tasks that do nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import psutil

from audioclust import parallel
from benchmarks._scale_clips import cpu

TASKS = 3000


def rows(quick: bool) -> Iterator[dict[str, Any]]:
    count = 60 if quick else TASKS
    for jobs in (2, "local:2"):
        with parallel.Workers(jobs) as workers:
            list(workers.map(abs, range(20), chunk=1))  # they have started
            began, used = time.perf_counter(), cpu()
            list(workers.map(abs, range(count), chunk=1))
            seconds, used = time.perf_counter() - began, cpu() - used
        busy = f"{psutil.getloadavg()[0]:.1f} processes that wanted a core"
        text = f"{1e3 * seconds / count:.2f} ms per task, {1e3 * used / count:.2f} ms of CPU; {busy}"
        yield {"what": f"{count} empty tasks, {jobs}", "bar": "", "measured": text, "reached": None, "seconds": seconds}
