"""The one place that starts worker processes and draws progress bars.

`jobs` means the same everywhere: a number of worker processes (1 works in this process, -1 takes every core, -2 all
but one), or the address of a Dask scheduler (``"tcp://host:8786"``), which sends the work to that cluster.
Workers run numerical libraries on one thread each, so workers x threads never exceeds the cores.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

import joblib

with warnings.catch_warnings():  # in a notebook without ipywidgets it draws with text, which is good enough
    warnings.simplefilter("ignore")
    from tqdm.auto import tqdm

__all__ = ["Jobs", "cores", "map", "progress", "quiet", "worker_count"]

Item = TypeVar("Item")
Result = TypeVar("Result")
Jobs = int | str


def cores() -> int:
    """Return how many cores this process may use (its affinity, not what the machine has)."""
    return joblib.cpu_count()


def worker_count(jobs: Jobs) -> int:
    """Return the number of local worker processes that `jobs` asks for; 0 for a Dask address.

    Raises
    ------
    ValueError
        When `jobs` is 0, or a text that is no scheduler address.
    """
    if isinstance(jobs, str):
        if "://" not in jobs:
            raise ValueError(f"jobs={jobs!r}: give a number of processes or a Dask address such as 'tcp://host:8786'")
        return 0
    if jobs == 0:
        raise ValueError("jobs=0: give at least 1, or -1 for every core")
    return jobs if jobs > 0 else max(1, cores() + 1 + jobs)


def quiet() -> bool:
    """Return whether progress bars stay hidden: headless runs, and output that is neither terminal nor notebook."""
    if os.environ.get("AUDIOCLUST_QUIET"):
        return True
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return not (sys.stderr.isatty() or hasattr(shell, "kernel"))


def progress(items: Iterable[Item], description: str, total: int | None = None) -> Iterator[Item]:
    """Iterate over `items` with a progress bar in a terminal or notebook, silently elsewhere."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    yield from tqdm(items, desc=description, total=total, disable=quiet(), leave=False)


def map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    jobs: Jobs = 1,
    description: str = "",
    chunk: int | str = "auto",
) -> Iterator[Result]:
    """Apply `function` to every item and yield the results in the items' order, as they come.

    Parameters
    ----------
    function : callable
        Picklable when more than one process is asked for. An exception it raises is raised here.
    items : iterable
        The work, one call each.
    jobs : int or str
        See the module's opening.
    description : str
        Shown beside the progress bar.
    chunk : int or "auto"
        Items sent to a worker at once.

    Yields
    ------
    Result
        One per item.
    """
    work = list(items)
    workers = worker_count(jobs)
    if workers == 1 or len(work) <= 1:
        yield from progress((function(item) for item in work), description, len(work))
        return
    with _backend(jobs):
        calls = (joblib.delayed(function)(item) for item in work)
        results = joblib.Parallel(return_as="generator", batch_size=chunk)(calls)
        yield from progress(results, description, len(work))


def _backend(jobs: Jobs) -> joblib.parallel_config:
    if isinstance(jobs, int):
        return joblib.parallel_config("loky", n_jobs=worker_count(jobs), inner_max_num_threads=1)
    try:
        from distributed import Client
    except ImportError:
        raise ImportError(f"jobs={jobs!r} needs Dask: pip install 'audioclust[cluster]'") from None
    Client(jobs, set_as_default=True)
    return joblib.parallel_config("dask")
