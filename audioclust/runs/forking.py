"""Kernels forked from a process that has imported what every notebook imports: they start at once, not in seconds.

A fork server is a Python process of one thread. It imports, and then forks a kernel for each line that it reads; its
kernels end with it, and it ends with the process that started it, or at the end of the block :func:`held`. Only on
Linux: elsewhere libraries do not bear a fork, and kernels start as processes of their own.
"""

from __future__ import annotations

import gc
import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NoReturn

__all__ = ["ForkServer", "Forked", "held", "server_for"]

PRELOADED = (
    "ipykernel.kernelapp",
    "pyarrow.parquet",
    "audioclust.features",
    "audioclust.report.plots",
    "audioclust.runs.levels",
)
# what libraries read when they are imported; kernels that differ in these do not share a server
_READ_EARLY = ("PYTHON", "LD_", "MPL", "OMP_", "KMP_", "OPENBLAS_", "MKL_", "BLIS_", "NUMBA_", "NUMEXPR_", "CUDA_")
_LOCK = threading.Lock()
_servers: dict[frozenset[tuple[str, str]], ForkServer] = {}
_holders = 0


@contextmanager
def held() -> Iterator[None]:
    """Let kernels be forked until the end of the block, or of the outermost one of several."""
    global _holders
    with _LOCK:
        _holders += 1
    try:
        yield
    finally:
        with _LOCK:
            _holders -= 1
            ended = [] if _holders else [_servers.pop(key) for key in list(_servers)]
        for server in ended:
            server.close()


def server_for(environment: Mapping[str, str]) -> ForkServer | None:
    """Return the server for kernels with such an environment; None outside of :func:`held`, and where nothing forks."""
    if sys.platform != "linux":
        return None
    key = _read_early(environment)
    with _LOCK:
        if not _holders:
            return None
        if key not in _servers or not _servers[key].alive:
            _servers[key] = ForkServer(environment)
        return _servers[key]


def _read_early(environment: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((name, value) for name, value in environment.items() if name.startswith(_READ_EARLY))


class ForkServer:
    """The process that forks, seen from the one that asks it to.

    Attributes
    ----------
    pid : int
        Its process id: the parent of its kernels.
    alive : bool
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        program = f"from {__name__} import _serve; _serve()"
        self._process = subprocess.Popen(  # a session of its own: Ctrl-C is for the parent, which ends it
            [sys.executable, "-P", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env={"MPLBACKEND": "module://matplotlib_inline.backend_inline", **environment},
            start_new_session=True,
        )  # fmt: skip
        self.pid, self.alive = self._process.pid, True
        self._asking = threading.Lock()
        self._begun: SimpleQueue[int | None] = SimpleQueue()
        self._codes: dict[int, int] = {}
        threading.Thread(target=self._listen, daemon=True, name="fork-server").start()

    def fork(self, arguments: Sequence[str], folder: str, environment: Mapping[str, str]) -> Forked:
        """Start a kernel with ipykernel's `arguments` in `folder`.

        Raises
        ------
        RuntimeError
            When the server has ended.
        """
        request = {"arguments": list(arguments), "folder": folder, "environment": dict(environment)}
        with self._asking:
            try:
                assert self._process.stdin is not None
                self._process.stdin.write(json.dumps(request).encode() + b"\n")
                self._process.stdin.flush()
            except OSError:
                pass  # it has ended, which is the answer
            pid = self._begun.get()
        if pid is None:
            self._begun.put(None)
            raise RuntimeError("the process that starts the kernels has ended")
        return Forked(self, pid)

    def code(self, pid: int) -> int | None:
        """Return the exit code of a kernel as `subprocess` gives it; None while it runs."""
        return self._codes.get(pid, None if self.alive else -int(signal.SIGKILL))

    def close(self) -> None:
        """End the server and what it forked."""
        self._process.kill()  # Linux ends the kernels with it
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                pid, code = json.loads(line)
                if code is None:
                    self._begun.put(pid)
                else:
                    self._codes[pid] = code
        except ValueError:  # the pipe was closed
            pass
        self.alive = False
        self._begun.put(None)


class Forked:
    """A kernel's process with as much of the interface of `subprocess.Popen` as jupyter_client uses."""

    stdin = stdout = stderr = None

    def __init__(self, server: ForkServer, pid: int) -> None:
        self._server, self.pid = server, pid

    def poll(self) -> int | None:
        """Return the exit code, None while the process runs."""
        return self._server.code(self.pid)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the process to end."""
        end = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired("kernel", timeout or 0.0)
            time.sleep(0.02)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask the process to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process."""
        self.send_signal(signal.SIGKILL)


def _serve() -> None:
    """Fork a kernel for each request on standard input; answer ``[pid, null]``, and ``[pid, code]`` at its end."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what an import prints is no answer
    for name in PRELOADED:
        import_module(name)
    gc.collect()
    gc.freeze()  # the collector leaves alone, and so shared, what all kernels have
    alive: set[int] = set()
    while True:
        if select.select([0], [], [], 0.1 if alive else None)[0]:
            request = _line()
            if not request:
                return
            pid = os.fork()
            if pid == 0:
                os.close(answers)
                _become_kernel(**json.loads(request))
            alive.add(pid)
            _say(answers, pid, None)
        for pid in list(alive):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                alive.remove(pid)
                _say(answers, pid, os.waitstatus_to_exitcode(status))


def _line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(0, 65536)
        if not part:
            return b""
        line += part
    return line


def _say(answers: int, pid: int, code: int | None) -> None:
    os.write(answers, json.dumps([pid, code]).encode() + b"\n")


def _become_kernel(arguments: list[str], folder: str, environment: dict[str, str]) -> NoReturn:
    """Turn a fork into what ``python -m ipykernel_launcher`` would be: no other has its session, seeds, environment."""
    from ipykernel import kernelapp
    from numpy import random as numpy_random

    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    random.seed()
    numpy_random.seed()  # noqa: NPY002  (the global generator is what every fork would share)
    sys.argv = [str(Path(kernelapp.__file__)), *arguments]
    launch: Any = kernelapp.launch_new_instance
    launch(arguments)
    sys.exit()
