"""Work sent to a Dask cluster: an existing one, or worker processes of this machine.

An address is ``"tcp://host:8786"`` (or ``tls://``), the path of a scheduler file (``scheduler.json``), or
``"local:4"``, which starts a scheduler and four workers here. Recordings do not travel: tasks name files on a folder
that every worker sees under the same path.
"""

from __future__ import annotations

import logging
import platform
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from audioclust import plugins

__all__ = ["Cluster", "address_of", "local_workers", "when_withdrawn"]

WINDOW = 4  # tasks per worker that the scheduler holds at once
LARGEST = 1000  # items of a task, at most
LOOK, PATIENCE = 20, 600  # seconds: how often lost workers are looked for, and how long they may be gone
SECONDS = 15  # for a scheduler to answer, and for the first worker to come

NO_DASHBOARD = "127.0.0.1:0"  # one must be served: here, at any free port

log = logging.getLogger(__name__)


def local_workers(address: str) -> int | None:
    """Return N of an address ``local:N``, None for any other.

    Examples
    --------
    >>> local_workers("local:4"), local_workers("tcp://host:8786")
    (4, None)
    """
    kind, colon, number = address.partition(":")
    if kind != "local" or not colon:
        return None
    if not number.isdecimal() or int(number) < 1:
        raise ValueError(f"jobs={address!r}: after 'local:' give a number of workers, at least 1")
    return int(number)


def address_of(jobs: str) -> str:
    """Return an address that can be used; a ValueError says what would be one."""
    if local_workers(jobs) or "://" in jobs or jobs.endswith(".json"):
        return jobs
    raise ValueError(
        f"jobs={jobs!r}: give a number of processes, a Dask address such as 'tcp://host:8786', the path of a scheduler"
        " file (.json), or 'local:4'"
    )


class Cluster:
    """A connection to a scheduler; a context manager.

    Parameters
    ----------
    address : str
        See the module's opening.

    Attributes
    ----------
    address : str
        Of the scheduler, as other processes can use it.
    count : int
        Threads of all workers: so many tasks run at once.

    Raises
    ------
    ImportError
        When Dask is not installed.
    OSError
        When no scheduler answers, or it has no workers.
    RuntimeError
        When a worker has another version of Python (its first two numbers) or of this package.
    """

    def __init__(self, address: str) -> None:
        self.address = address_of(address)
        self.count = 0
        self._client: Any = None
        self._here: Any = None  # the cluster that was started here

    def __enter__(self) -> Cluster:
        try:
            from distributed import Client, LocalCluster
        except ImportError:
            raise ImportError(f"jobs={self.address!r} needs Dask: pip install 'audioclust[cluster]'") from None
        workers = local_workers(self.address)
        try:
            if workers:
                self._here = LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address=NO_DASHBOARD,
                    silence_logs=50,
                )
                self._client = Client(self._here, set_as_default=False)
            elif self.address.endswith(".json"):
                if not Path(self.address).is_file():
                    raise OSError("there is no such file")
                self._client = Client(scheduler_file=self.address, set_as_default=False, timeout=SECONDS)
            else:
                self._client = Client(self.address, set_as_default=False, timeout=SECONDS)
        except OSError as error:
            raise OSError(f"jobs={self.address!r}: no Dask scheduler answers there ({error})") from error
        try:
            self._check_workers()
        except BaseException:
            self.close()
            raise
        self.address = self._client.scheduler.address
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the scheduler go; workers that were started here end."""
        for each in (self._client, self._here):
            if each is not None:
                each.close()
        self._client = self._here = None

    def executor(self) -> Executor:
        """Return a pool of the cluster's workers."""
        return self._client.get_executor(pure=False)

    def map(self, function: Callable[[Any], Any], items: Sequence[Any], *, chunk: int | str = "auto") -> Iterator[Any]:
        """Yield `function` of every item, in the items' order; the scheduler holds a few tasks per worker at once.

        A task whose worker is lost is done again by another one.

        Raises
        ------
        RuntimeError
            Naming the items that several workers were lost at.
        ConnectionError
            When the scheduler is lost, or all its workers for some minutes.
        """
        import cloudpickle
        from distributed import KilledWorker

        size = chunk if isinstance(chunk, int) else min(LARGEST, max(1, len(items) // (4 * self.count)))
        starts = iter(range(0, len(items), size))
        sent = {"function": cloudpickle.dumps(function), "names": plugins.loaded(), "pure": False}
        under_way: deque[tuple[int, Any]] = deque()
        first = 0
        try:
            while True:
                while len(under_way) < WINDOW * self.count and (start := next(starts, None)) is not None:
                    part = [items[place] for place in range(start, min(start + size, len(items)))]
                    under_way.append((start, self._client.submit(_on_one_thread, part, **sent)))
                if not under_way:
                    return
                first, future = under_way.popleft()
                yield from self._result(future)
        except KilledWorker:
            after = min(first + size, len(items)) - first - 1
            raise RuntimeError(
                f"several workers were lost (is memory short?) at {items[first]!r:.200}"
                + (f" or one of the {after} after it" if after else "")
            ) from None
        except (CancelledError, OSError) as error:
            self.check(error)
            raise
        finally:
            self._client.cancel([future for _, future in under_way])

    def _result(self, future: Any) -> Any:
        """Wait for a task as long as there are workers, or will be: lost ones are given time to come back."""
        missing = 0
        while True:
            try:
                return future.result(timeout=LOOK)
            except TimeoutError:
                if future.status == "error":  # the task's own
                    raise
                missing = 0 if self._client.nthreads() else missing + 1
                if missing * LOOK >= PATIENCE:
                    raise ConnectionError(
                        f"the Dask scheduler {self.address} has had no workers for {PATIENCE} s; the same command, "
                        "once there are some, goes on from here"
                    ) from None

    def check(self, cause: BaseException | None = None) -> None:
        """Raise a ConnectionError, for this cause, when the scheduler is lost."""
        if self._client.status != "running":
            raise ConnectionError(
                f"the Dask scheduler {self.address} is gone; the same command, once it is back, goes on from here"
            ) from cause

    def _check_workers(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=SECONDS)
        except TimeoutError:
            raise OSError(f"jobs={self.address!r}: the scheduler has no workers") from None
        here = _versions()
        for worker, there in self._client.run(_versions).items():
            for what, version in here.items():
                if there[what] != version:
                    raise RuntimeError(
                        f"{worker} has {what} {there[what]}, this process {version}: install one of both"
                    )
        self.count = sum(self._client.nthreads().values())


def _versions() -> dict[str, str]:
    from audioclust import __version__

    return {"Python": ".".join(platform.python_version_tuple()[:2]), "audioclust": __version__}


def _on_one_thread(items: Sequence[Any], function: bytes, names: list[str]) -> list[Any]:
    """Call a pickled function, on a worker that may hold other threads and other limits."""
    import cloudpickle

    plugins.load(names)
    called, withdrawn = cloudpickle.loads(function), _withdrawn()
    with threadpool_limits(1):
        for library in ("torch", "numba"):
            if library in sys.modules:
                sys.modules[library].set_num_threads(1)
        return [called(item) for item in items if not withdrawn()]


@contextmanager
def when_withdrawn(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` as soon as nobody waits for this task any more: its command was stopped, or is gone.

    Dask itself lets such a task run to its end.
    """
    withdrawn, ended = _withdrawn(), threading.Event()

    def watch() -> None:
        while not ended.wait(0.5):
            if withdrawn():
                stop()
                return

    thread = threading.Thread(target=watch, daemon=True, name="when-withdrawn")
    thread.start()
    try:
        yield
    finally:
        ended.set()


def _withdrawn() -> Callable[[], bool]:
    """Return what says, to the task that asks here, whether the scheduler has taken it back."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def withdrawn() -> bool:
        task = worker.state.tasks.get(key)
        return task is None or task.state == "cancelled"

    return withdrawn
