"""The one place that starts worker processes and draws progress bars.

`jobs` means the same everywhere: a number of worker processes (1 works in this process, -1 takes every core, -2 all
but one), or the address of a Dask cluster, which the work is sent to (:mod:`audioclust.cluster`).
Workers run numerical libraries on one thread each, so workers x threads never exceeds the cores. They end when the
process that started them is gone, however it went.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, TypeVar, overload

import joblib
import numpy as np
from joblib.externals.loky.process_executor import TerminatedWorkerError

from audioclust import files, plugins
from audioclust.cluster import Cluster, address_of, local_workers

__all__ = ["Jobs", "OnDemand", "Workers", "cores", "end_with", "map", "progress", "quiet", "worker_count"]

Item = TypeVar("Item")
Result = TypeVar("Result")
Jobs = int | str

log = logging.getLogger(__name__)

SCRATCH = "AUDIOCLUST_SCRATCH"  # names a folder that all workers of a cluster see
PROGRESS_FILE = "AUDIOCLUST_PROGRESS"  # names the file that a quiet process writes its progress to
AHEAD = 10_000  # results that wait for the caller, at most: where it is slow, or one item takes very long


def cores() -> int:
    """Return how many cores this process may use (its affinity, not what the machine has)."""
    return joblib.cpu_count()


def worker_count(jobs: Jobs) -> int:
    """Return the number of workers that `jobs` asks for; for a Dask address, the threads of the whole cluster.

    Raises
    ------
    ValueError
        When `jobs` is 0, no whole number, or a text that is no scheduler address.

    Examples
    --------
    >>> worker_count(3)
    3
    >>> worker_count(0)
    Traceback (most recent call last):
    ValueError: jobs=0: give at least 1, or -1 for every core
    """
    if isinstance(jobs, str):
        if count := local_workers(jobs):
            return count
        with Workers(jobs) as workers:
            return workers.count
    if isinstance(jobs, bool) or not isinstance(jobs, int):
        raise ValueError(f"jobs={jobs!r}: give a number of processes or a Dask address such as 'tcp://host:8786'")
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
    """Iterate over `items` with a progress bar in a terminal or notebook, silently elsewhere.

    A notebook that runs headless writes how far it is, once a second, to the file that the environment variable
    ``AUDIOCLUST_PROGRESS`` names: whoever started it shows that.

    Examples
    --------
    >>> list(progress("abc", "letters"))
    ['a', 'b', 'c']
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    told = os.environ.get(PROGRESS_FILE)
    if told is None and quiet():
        yield from items
        return
    if told is None:
        with warnings.catch_warnings():  # in a notebook without ipywidgets it draws with text, which is good enough
            warnings.simplefilter("ignore")
            from tqdm.auto import tqdm
        yield from tqdm(items, desc=description, total=total, leave=False)
        return
    of_all = f"/{total}" if total else ""
    Path(told).write_text(f"{description} 0{of_all}", encoding="utf-8")
    last = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        if time.monotonic() - last > 1:
            last = time.monotonic()
            Path(told).write_text(f"{description} {done}{of_all}", encoding="utf-8")
    Path(told).unlink(missing_ok=True)


def map(
    function: Callable[..., Result],
    items: Iterable[Item],
    *,
    jobs: Jobs = 1,
    description: str = "",
    chunk: int | str = "auto",
    arrays: Sequence[np.ndarray] = (),
) -> Iterator[Result]:
    """Apply `function` to every item and yield the results in the items' order, as they come.

    Parameters
    ----------
    function : callable
        Picklable when more than one process is asked for. An exception it raises is raised here.
    items : iterable
        The work, one call each. A sequence is asked for its items one by one, as they are sent: :class:`OnDemand`.
    jobs : int or str
        See the module's opening.
    description : str
        Shown beside the progress bar.
    chunk : int or "auto"
        Items sent to a worker at once.
    arrays : sequence of array
        What every call gets after its item. They do not travel with the items: see :meth:`Workers.map`.

    Yields
    ------
    Result
        One per item.

    Examples
    --------
    >>> list(map(abs, [-1, 2, -3]))
    [1, 2, 3]
    """
    work = items if isinstance(items, Sequence) else list(items)
    with Workers(jobs) as workers:
        yield from progress(workers.map(function, work, chunk=chunk, arrays=arrays), description, len(work))


class OnDemand(Sequence[Item]):
    """A sequence whose items are made when they are asked for, so that none takes memory before or after.

    Parameters
    ----------
    count : int
        How many there are.
    make : callable
        From a place (0 to count - 1) to the item there. Threads may call it.

    Examples
    --------
    >>> squares = OnDemand(4, lambda place: place**2)
    >>> list(squares), squares[-1], list(squares[:2])
    ([0, 1, 4, 9], 9, [0, 1])
    >>> list(map(abs, squares))
    [0, 1, 4, 9]
    """

    def __init__(self, count: int, make: Callable[[int], Item]) -> None:
        self._places = range(count)
        self._make = make

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> Item: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Item]: ...
    def __getitem__(self, place: int | slice) -> Item | Sequence[Item]:
        if isinstance(place, slice):
            places = self._places[place]
            return OnDemand(len(places), lambda at: self._make(places[at]))
        return self._make(self._places[place])


class Workers:
    """The worker processes of one command; a context manager.

    Parameters
    ----------
    jobs : int or str
        See the module's opening. A cluster is connected to when the block is entered, and let go at its end; blocks
        inside it that name the same cluster use the same connection.

    Attributes
    ----------
    jobs : int or str
        What other processes can be told: for a cluster, the address of its scheduler.
    count : int
        How many calls run at once.

    Raises
    ------
    ValueError
        When `jobs` cannot be used.
    ImportError
        For an address without Dask installed.
    OSError
        When no scheduler answers at the address, or it has no workers.
    RuntimeError
        When a worker has another version of Python or of this package.

    Examples
    --------
    >>> with Workers(2) as workers:
    ...     list(workers.map(abs, [-1, 2, -3]))
    [1, 2, 3]
    """

    _open: ClassVar[dict[str, Cluster]] = {}  # the clusters that this process is connected to, by address

    def __init__(self, jobs: Jobs = 1) -> None:
        self._cluster: Cluster | None = None
        self._stack = ExitStack()
        self._files: dict[int, tuple[np.ndarray, Path]] = {}  # arrays that were given to the workers
        self.jobs = address_of(jobs) if isinstance(jobs, str) else jobs
        self.count = 0 if isinstance(jobs, str) else worker_count(jobs)

    def __enter__(self) -> Workers:
        if isinstance(self.jobs, str):
            self._cluster = self._open.get(self.jobs)
            if self._cluster is None:
                self._cluster = self._stack.enter_context(Cluster(self.jobs))
                for address in {self.jobs, self._cluster.address}:
                    self._open[address] = self._cluster
                    self._stack.callback(self._open.pop, address)
            self.jobs, self.count = self._cluster.address, self._cluster.count
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._files.clear()
        self._stack.close()

    def executor(self) -> Executor:
        """Return a pool for calls that wait on a process of their own: threads here, workers on a cluster."""
        return ThreadPoolExecutor(self.count) if self._cluster is None else self._cluster.executor()

    def check(self, cause: BaseException | None = None) -> None:
        """Raise a ConnectionError, for this cause, when the scheduler is lost."""
        if self._cluster is not None:
            self._cluster.check(cause)

    def map(
        self,
        function: Callable[..., Result],
        items: Sequence[Any],
        *,
        chunk: int | str = "auto",
        arrays: Sequence[np.ndarray] = (),
    ) -> Iterator[Result]:
        """Yield ``function(item, *arrays)`` of every item, in the items' order.

        Items are asked for one by one, shortly before they are sent, and asked for again where a worker was lost.

        Arrays are written to a file once for all calls in the block, and workers read from it what they use: it lies in
        the temporary folder, or, for a cluster, in the one that the environment variable ``AUDIOCLUST_SCRATCH`` names.

        Where the system ends a worker (mostly because memory is short), what is left is done again, the next alone.

        Raises
        ------
        RuntimeError
            Naming the item at which a worker ended that worked alone.
        """
        if self._cluster is None and (self.count == 1 or len(items) <= 1):
            yield from (function(item, *arrays) for item in items)
            return
        if arrays:
            function = partial(_with_arrays, function, [self._file(array) for array in arrays])
        if self._cluster is not None:
            yield from self._cluster.map(function, items, chunk=chunk)
            return
        done, alone = 0, 0  # how many are done, how many of the next are done one at a time
        while done < len(items):
            part = range(done, min(done + (1 if alone else AHEAD), len(items)))
            try:
                for result in self._on_this_machine(function, (items[place] for place in part), chunk):
                    yield result
                    done += 1
                alone = max(0, alone - 1)
            except TerminatedWorkerError:
                if alone:
                    message = f"the system ended a worker process (is memory short?) at {items[done]!r:.200}"
                    raise RuntimeError(message) from None
                chunk, alone = 1, 2 * self.count  # what was under way may hold the item that is too much

    def _file(self, array: np.ndarray) -> Path:
        """Return the file that holds an array, written at its first use."""
        if not self._files:
            shared = None if self._cluster is None else os.environ.get(SCRATCH)
            self._folder = self._stack.enter_context(files.scratch(shared or tempfile.gettempdir()))
        if id(array) not in self._files:
            path = self._folder / f"{len(self._files)}.npy"
            np.save(path, array, allow_pickle=False)
            self._files[id(array)] = array, path  # the array is kept: another one cannot get its id
        return self._files[id(array)][1]

    def _on_this_machine(self, function: Callable, items: Iterable[Any], chunk: int | str) -> Iterator:
        with joblib.parallel_config("loky", n_jobs=max(2, self.count), inner_max_num_threads=1):
            started = {"initializer": _start, "initargs": (os.getpid(), plugins.loaded())}
            pool = joblib.Parallel(return_as="generator", batch_size=chunk, **started)
        yield from pool(joblib.delayed(function)(item) for item in items)


def _with_arrays(function: Callable[..., Result], paths: Sequence[Path], item: Any) -> Result:
    """Call a function with arrays that lie in files, as read-only memory maps."""
    return function(item, *(np.asarray(np.load(path, mmap_mode="r", allow_pickle=False)) for path in paths))


def end_with(parent: int, *, at_once: bool = False) -> None:
    """End this process as soon as the process `parent`, which started it, is gone.

    Parameters
    ----------
    parent : int
        Its process id.
    at_once : bool
        Whether Linux may end this process itself, which works while it computes, too. The *thread* that started it
        must then stay as long as it does.
    """
    if at_once and sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG

    def watch() -> None:
        while _is_parent(parent):
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="end-with-parent").start()


def _is_parent(parent: int) -> bool:
    if os.name == "posix":
        return os.getppid() == parent
    import psutil

    return psutil.pid_exists(parent)


def _start(parent: int, names: list[str]) -> None:
    """Begin a worker: what plugins register is known there before the first call arrives."""
    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its workers
    os.environ.pop(PROGRESS_FILE, None)
    try:
        if names:
            plugins.load(names)
    except Exception as error:  # a worker that ends here would look like one that ran out of memory
        log.warning("a worker could not import the plugins %s: %s", ", ".join(names), error)
