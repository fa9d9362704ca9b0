"""Notebooks run headless: one run, a sweep of them, and what they wrote collected into one table.

A run is one executed notebook. It stands in ``results/DATASET/RUN/``: ``run.json`` (parameters, versions, timings,
every score), ``labels.parquet`` (one row per recording and clustering), ``clusters.csv`` (one row per recording),
``figures/``, ``listen.html``, and ``notebook.ipynb`` as it was executed. A run without a complete
``run.json`` did not end, and is done again.
"""

from audioclust.runs.collect import collect
from audioclust.runs.forget import forget
from audioclust.runs.parameters import check
from audioclust.runs.plan import Dataset, Sweep
from audioclust.runs.preparation import needed, usable
from audioclust.runs.record import Run
from audioclust.runs.run import NotebookFailed, Task, find_notebook, notebooks, run
from audioclust.runs.sweep import run_tasks, sweep

__all__ = [
    "Dataset",
    "NotebookFailed",
    "Run",
    "Sweep",
    "Task",
    "check",
    "collect",
    "find_notebook",
    "forget",
    "needed",
    "notebooks",
    "run",
    "run_tasks",
    "sweep",
    "usable",
]
