"""Notebooks executed by papermill, each in a kernel that only this user can talk to and that never outlives its parent.

A kernel's sockets, its connection file and a note of how far it is lie in a folder of its own in the temporary
directory. The folder is removed when the kernel ends; those that a killed process left are removed by the next.
"""

from __future__ import annotations

import logging
import os
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any

from audioclust import files, parallel
from audioclust.runs import forking

__all__ = ["Kernels", "Stopped"]

_LONGEST = 75  # bytes of the temporary directory's path: sockets may have 107, and their names need the rest
_THREADS = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMBA", "NUMEXPR")


class Stopped(RuntimeError):
    """A notebook did not end because all were told to stop."""


class Kernels:
    """The kernels of one command; a context manager that ends them all when its block ends with an error.

    Parameters
    ----------
    threads : int, optional
        How many threads numerical libraries use in each kernel, unless the environment says so; default: their own.
    many : bool
        Whether so many may come that a process from which they are forked is worth while, see :mod:`~.forking`.

    Attributes
    ----------
    stopped : bool
        Whether :meth:`stop` was called: no kernel starts any more.
    """

    def __init__(self, threads: int | None = None, *, many: bool = False) -> None:
        self.stopped = False
        self._held = forking.held() if many else nullcontext()
        self._threads = threads
        self._alive: dict[Any, tuple[Path, Path]] = {}  # manager -> its own folder, the executed notebook
        self._lock = threading.Lock()

    def __enter__(self) -> Kernels:
        self._held.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            self.stop()
        self._held.__exit__(kind, error, at)

    def stop(self) -> None:
        """End every kernel at once, with the processes that it started."""
        with self._lock:
            self.stopped = True
            for kernel in self._alive:
                _kill(kernel)

    def execute(
        self, source: Path, target: Path, parameters: dict[str, Any], environment: Mapping[str, str] | None = None
    ) -> None:
        """Execute a notebook and keep it as executed, also when a cell raises.

        Several may be executed at once, by different threads. Kernels get `environment` beside that of this process.

        Raises
        ------
        Stopped
            When :meth:`stop` was called meanwhile.
        Exception
            What papermill makes of a cell that raised, or of a kernel that ended.
        """
        import papermill

        logging.getLogger("papermill").setLevel(logging.CRITICAL)
        running = target.with_name(".running.ipynb")  # papermill writes it after every cell
        running.parent.mkdir(parents=True, exist_ok=True)
        running.unlink(missing_ok=True)  # a killed run left it
        with _scratch() as folder:
            manager = self._manager(folder, source.parent, target, environment or {})
            try:
                papermill.execute_notebook(
                    str(source), str(running), parameters=parameters, progress_bar=False, kernel_name="python3",
                    log_output=False, start_timeout=120, kernel_manager_class=manager,
                )  # fmt: skip
            except Exception:
                if self.stopped:
                    raise Stopped(f"{source.stem} was stopped") from None
                raise
            finally:
                self._forget(folder)
                if self.stopped:
                    running.unlink(missing_ok=True)
                elif running.exists():
                    running.replace(target)

    def progress(self, run: Path) -> str:
        """Return what the kernel of the run in folder `run` says of how far it is; empty if it says nothing."""
        with self._lock:
            folder = next((scratch for scratch, target in self._alive.values() if target.parent == run), None)
        return _read(folder / "progress") if folder else ""

    def _manager(self, folder: Path, cwd: Path, target: Path, given: Mapping[str, str]) -> type:
        """Return the class of a kernel manager whose one kernel works in `cwd`, with its files in `folder`."""
        from jupyter_client.manager import AsyncKernelManager
        from traitlets import Unicode

        kernels = self
        environment = {**os.environ, "AUDIOCLUST_QUIET": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1", **given}
        environment[parallel.PROGRESS_FILE] = str(folder / "progress")
        if self._threads:
            limits = {f"{library}_NUM_THREADS": str(self._threads) for library in _THREADS}
            environment = limits | environment
        sockets = os.name == "posix" and len(os.fsencode(folder.parent)) <= _LONGEST
        server = forking.server_for(environment)
        parent = server.pid if server else os.getpid()
        watch = f"__import__('audioclust.parallel').parallel.end_with({parent}, at_once=True)"

        class Kernel(AsyncKernelManager):
            transport = Unicode("ipc" if sockets else "tcp")
            ip = Unicode(f"{folder}/kernel" if sockets else "127.0.0.1")
            connection_file = Unicode(f"{folder}/kernel.json")

            async def start_kernel(  # type: ignore[override]
                self, *, extra_arguments: list[str], **options: Any
            ) -> None:
                # a cell's errors come as messages; what else the process has to say is for nobody
                options |= {"stderr": subprocess.DEVNULL, "cwd": str(cwd), "env": environment}
                arguments = [*extra_arguments, f"--IPKernelApp.exec_lines={watch}"]
                if kernels.stopped:
                    raise Stopped(str(cwd))
                await super().start_kernel(extra_arguments=arguments, **options)
                with kernels._lock:
                    kernels._alive[self] = folder, target
                    if kernels.stopped:
                        _kill(self)

            async def _async_launch_kernel(self, kernel_cmd: list[str], **options: Any) -> None:
                launcher = "ipykernel_launcher"
                if server is None or launcher not in kernel_cmd:
                    await super()._async_launch_kernel(kernel_cmd, **options)
                    return
                given = {**options["env"], "JPY_PARENT_PID": str(server.pid)}
                arguments = kernel_cmd[kernel_cmd.index(launcher) + 1 :]
                provisioner: Any = self.provisioner
                provisioner.process = server.fork(arguments, str(cwd), given)
                provisioner.pid = provisioner.pgid = provisioner.process.pid
                self._reconcile_connection_info(provisioner.connection_info)

        return Kernel

    def _forget(self, folder: Path) -> None:
        with self._lock:
            for kernel in [kernel for kernel, (scratch, _) in self._alive.items() if scratch == folder]:
                _kill(kernel)
                del self._alive[kernel]


def _kill(kernel: Any) -> None:
    """End a kernel and the workers in its process group, without asking."""
    process = getattr(kernel.provisioner, "process", None)
    if process is None or process.poll() is not None:
        return
    try:
        if os.name == "posix":
            os.killpg(process.pid, 9)  # jupyter starts each kernel as the leader of a group
        else:
            process.kill()
    except OSError:
        pass


def _scratch() -> AbstractContextManager[Path]:
    """Give a folder of this user alone, with a path short enough for sockets where there is such a place."""
    places = [Path(tempfile.gettempdir()), Path("/tmp")]
    short = (place for place in places if len(os.fsencode(place)) <= _LONGEST and os.access(place, os.W_OK))
    return files.scratch(next(short, places[0]))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
