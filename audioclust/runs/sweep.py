"""A sweep: one YAML file that says which notebooks run on which datasets with which parameters.

Everything that the file names is checked before the first notebook starts. Per dataset the ``prepare`` notebooks run
first, one after another, each with all workers; those that have nothing to do are not started. Then every combination
of each ``compare`` entry's ``matrix`` runs, several at once. What is complete is not run again; a run that fails, or
that the system ends, is noted, and the rest goes on. What another process is at comes last: it is waited for.
``results/tables/sweep-NAME.csv`` lists the runs that have ended, while the others run.
"""

from __future__ import annotations

import math
import time
from asyncio import CancelledError
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from audioclust import parallel
from audioclust.cluster import when_withdrawn
from audioclust.project import Project
from audioclust.runs.data import data_digest
from audioclust.runs.display import Display, Listing, elapsed
from audioclust.runs.kernel import Kernels
from audioclust.runs.plan import Dataset, Step, Sweep
from audioclust.runs.preparation import check_dataset, first_step, is_current, is_unchanged
from audioclust.runs.run import Task, has_failed, is_done

__all__ = ["Dataset", "Sweep", "run_tasks", "sweep"]

Row = dict[str, Any]


def sweep(
    path: str | Path | Sweep,
    project: Project | str | Path,
    jobs: parallel.Jobs = -1,
    *,
    datasets: list[Dataset] | None = None,
    resume: bool = True,
    networks: bool = False,
    only_failed: bool = False,
) -> pd.DataFrame:
    """Run a sweep.

    Parameters
    ----------
    path : str, Path or Sweep
        The YAML file, or the name of one that comes with the package (``"thesis"``).
    project : Project or path
    jobs : int or str
        Notebooks at once, see `audioclust.parallel`.
    datasets : list of Dataset, optional
        Instead of those in the file.
    resume : bool
        Whether complete runs are kept.
    networks : bool
        Whether steps that train networks run, too.
    only_failed : bool
        Whether nothing is compared but what failed the last time it was run.

    Returns
    -------
    pd.DataFrame
        One row per notebook: ``dataset, notebook, run, status`` ("done", "kept" or "failed"), ``seconds, error``.

    Raises
    ------
    ValueError
        Naming what in the sweep is unknown or cannot be used, before any notebook starts.

    Examples
    --------
    The first line is not run with the other examples: it starts kernels.

    >>> from audioclust import runs
    >>> runs.sweep("demo", "my_project")["status"].unique()  # doctest: +SKIP
    array(['done'], dtype=object)
    >>> runs.sweep("dmo", "my_project")
    Traceback (most recent call last):
    ValueError: sweep='dmo': there is no such file; the package has camsat, demo, speakers, thesis, uvectors
    """
    plan = path if isinstance(path, Sweep) else Sweep.read(path)
    project = project if isinstance(project, Project) else Project(project)
    chosen = datasets if datasets is not None else plan.datasets
    if not chosen:
        raise ValueError(f"sweep {plan.name!r} names no dataset; give one")
    steps = [step for step in plan.compare if networks or not step.networks]
    work = [(_prepared(plan, project, dataset, jobs), _tasks(plan, project, dataset, steps)) for dataset in chosen]
    if only_failed:
        work = [(before, [task for task in tasks if has_failed(task.folder)]) for before, tasks in work]
    for dataset in chosen:
        check_dataset(project, dataset.name)
    rows: list[Row] = []
    with ExitStack() as stack:
        workers = stack.enter_context(parallel.Workers(jobs))
        display = stack.enter_context(Display())
        listing = stack.enter_context(Listing(project.results / "tables" / f"sweep-{plan.name}.csv"))
        pool = stack.enter_context(_Pool(workers, display, listing))
        for step in plan.compare:
            if step not in steps:
                count = len(step.combinations()) * len(chosen)
                display.say(f"left out: {step.notebook} ({count} runs that train networks; --networks runs them, too)")
        for dataset, (before, compared) in zip(chosen, work, strict=True):
            rows += pool.prepare(project, dataset.name, before, resume, plan.plugins)
            if all(row["status"] != "failed" for row in rows if row["dataset"] == dataset.name):
                rows += pool.compare(dataset.name, compared, resume)
    return pd.DataFrame(rows)


def run_tasks(tasks: Sequence[Task], *, resume: bool) -> list[Row]:
    """Run some notebooks one after another, telling on standard error how far they are; rows as `sweep` gives.

    After one that fails the others are not run.
    """
    with parallel.Workers(1) as workers, Display() as display, _Pool(workers, display, Listing()) as pool:
        return pool.one_by_one(tasks, resume)


def _tasks(plan: Sweep, project: Project, dataset: Dataset, steps: list[Step]) -> list[Task]:
    """Return the runs of some steps on a dataset, checked, each once."""
    tasks = [Task.of(notebook, project, values) for notebook, values in plan.tasks(dataset, steps)]
    return list({task.folder: task for task in tasks}.values())


def _prepared(plan: Sweep, project: Project, dataset: Dataset, jobs: parallel.Jobs) -> list[Task]:
    steps = [step.model_copy(update={"parameters": {**step.parameters, "jobs": jobs}}) for step in plan.prepare]
    return _tasks(plan, project, dataset, steps)


class _Pool:
    """Notebooks at once; a context manager that ends them all when its block ends with an error."""

    def __init__(self, workers: parallel.Workers, display: Display, listing: Listing) -> None:
        self._here = isinstance(workers.jobs, int)  # not on a cluster
        self._workers, self._display, self._listing = workers, display, listing
        self._alone, self._shared = Kernels(), Kernels(threads=1 if workers.count > 1 else None, many=True)
        self._begun: dict[Path, float] = {}
        self._stack = ExitStack()

    def __enter__(self) -> _Pool:
        self._single = self._stack.enter_context(ThreadPoolExecutor(1))
        self._many = self._stack.enter_context(self._workers.executor())
        self._stack.enter_context(self._alone)
        self._stack.enter_context(self._shared)
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def prepare(self, project: Project, dataset: str, tasks: list[Task], resume: bool, plugins: list[str]) -> list[Row]:
        """Fetch or scan a dataset if that is missing, then run those of its preparing notebooks that have work."""
        unchanged = is_unchanged(project, dataset)  # asked once: where there are many recordings it takes its time
        first = first_step(project, dataset, unchanged=unchanged)
        if first and all(task.checked.notebook != first for task in tasks):
            tasks = [Task.of(first, project, {"dataset": dataset, "plugins": plugins}), *tasks]
        return self.one_by_one(tasks, resume, unchanged=unchanged)

    def one_by_one(self, tasks: Sequence[Task], resume: bool, *, unchanged: bool | None = None) -> list[Row]:
        """Run notebooks one after another, until one fails.

        They prepare recordings where it is said whether those are `unchanged`; those with nothing to do are kept then.
        """
        current = unchanged is not None
        rows: list[Row] = []
        for task in tasks:
            stage = f"{task.checked.dataset}: {task.checked.notebook}"
            scanned = any(row["status"] == "done" and row["notebook"] in ("00_prepare", "01_metadata") for row in rows)
            if resume and current and is_current(task, unchanged=unchanged or scanned):
                self._display.say(f"{stage} is up to date")
                rows.append(self._listing.add(_row(task, "kept", 0.0)))
                continue
            self._display.say(f"{stage} ...")
            options: dict[str, Any] = {"kernels": self._alone, "begun": self._begun}
            future = self._single.submit(_one, task, resume=resume and not current, patient=True, **options)
            rows += self._follow(stage, {future: task}, self._alone, 1)
            if rows[-1]["status"] == "failed":
                break
        return rows

    def compare(self, dataset: str, tasks: list[Task], resume: bool) -> list[Row]:
        """Run notebooks at once; those that other processes are at come last."""
        data = data_digest(tasks[0].project, dataset) if tasks else None
        kept = [task for task in tasks if resume and is_done(task.folder, task.project, dataset, data=data)]
        rows = [self._listing.add(_row(task, "kept", 0.0)) for task in kept]
        done = {task.folder for task in kept}
        left = [task for task in tasks if task.folder not in done]
        total = f"{len(left)} runs, {self._workers.count} at once" + (f"; {len(kept)} are kept" if kept else "")
        self._display.say(f"{dataset}: {total if left else f'all {len(kept)} runs are complete and kept'}")
        for patient in (False, True):
            held = []
            kernels = self._shared if self._here else None
            one = partial(_one, kernels=kernels, begun=self._begun) if kernels else _one_on_a_worker
            futures = {self._many.submit(one, task, resume=resume, patient=patient): task for task in left}
            for row, task in zip(self._follow(dataset, futures, kernels, len(left)), futures.values(), strict=True):
                if row["status"] == "held":
                    held.append(task)
                else:
                    rows.append(row)
            left = held
            if left:
                self._display.say(f"{dataset}: {len(left)} runs that other processes are at are waited for")
        return rows

    def _follow(self, stage: str, futures: dict[Future[Row], Task], kernels: Kernels | None, total: int) -> list[Row]:
        """Wait for runs and show how far they are; return their rows in the order of `futures`."""
        waiting, since = set(futures), time.monotonic()
        rows: dict[Future[Row], Row] = {}
        try:
            while waiting:
                ended, waiting = wait(waiting, timeout=0.5, return_when="FIRST_COMPLETED")
                for future in ended:
                    row, done = self._result(future, futures[future]), total - len(waiting)
                    rows[future] = row
                    named = stage if total == 1 else f"{stage}: {futures[future].folder.name}"
                    told = f"{named} {_outcome(row)}"
                    self._display.say(told if total == 1 else f"{told} ({done} of {total})")
                running = [task for future, task in futures.items() if future in waiting and task.folder in self._begun]
                shown = [self._shown(task, kernels) for task in running]
                self._display.state(stage, total - len(waiting), total, shown, since)
        except BaseException:
            for future in waiting:
                future.cancel()
            raise
        return [rows[future] for future in futures]

    def _result(self, future: Future[Row], task: Task) -> Row:
        try:
            row = future.result()
        except (Exception, CancelledError) as error:  # a cluster's worker that the system ended, several times
            self._workers.check(error)
            message = f"{type(error).__name__}: {error}"
            task.note_failure(message, datetime.now(UTC))
            row = _row(task, "failed", float("nan"), message)
        return row if row["status"] == "held" else self._listing.add(row)

    def _shown(self, task: Task, kernels: Kernels | None) -> str:
        told = kernels.progress(task.folder) if kernels else ""
        name = " ".join(task.folder.name.split("-")[1:-1])  # without the notebook and the digest
        so_far = elapsed(time.monotonic() - self._begun[task.folder])
        return ", ".join(filter(None, (name, told, so_far)))


def _one_on_a_worker(task: Task, resume: bool, patient: bool) -> Row:
    """Run a notebook on a cluster's worker, as long as the sweep waits for it."""
    kernels = Kernels(threads=1)
    with when_withdrawn(kernels.stop):
        return _one(task, resume, patient, kernels, {})


def _one(task: Task, resume: bool, patient: bool, kernels: Kernels, begun: dict[Path, float]) -> Row:
    """Run a notebook; what goes wrong becomes its row."""
    begun[task.folder] = started = time.monotonic()
    try:
        done = task.execute(kernels, resume=resume, patient=patient)
    except TimeoutError:
        return _row(task, "held", 0.0)
    except Exception as error:
        return _row(task, "failed", time.monotonic() - started, str(error))
    return _row(task, "done" if done else "kept", time.monotonic() - started)


def _row(task: Task, status: str, seconds: float, error: str | None = None) -> Row:
    known = {"dataset": task.checked.dataset, "notebook": task.checked.notebook, "run": task.folder.name}
    return {**known, "status": status, "seconds": seconds, "error": error}


def _outcome(row: Row) -> str:
    if row["status"] == "held":
        return "is being computed by another process"
    if row["status"] == "kept":
        return "was completed by another process"
    after = "" if math.isnan(row["seconds"]) else f" after {elapsed(row['seconds'])}"
    return f"{row['status']}{after}" + (f": {row['error']}" if row["error"] else "")
