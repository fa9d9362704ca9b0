"""Notebooks run headless: one run, a sweep of them, and what they wrote collected into one table.

A run is one executed notebook. It stands in ``results/DATASET/RUN/``: ``run.json`` (parameters, versions, timings,
every score), ``labels.parquet`` (one row per recording and clustering), ``figures/``, ``listen.html``, and
``notebook.ipynb`` as it was executed. A run without a complete ``run.json`` did not end, and is done again.
"""

from audioclust.runs.collect import collect
from audioclust.runs.plan import Sweep
from audioclust.runs.record import Run
from audioclust.runs.run import NotebookFailed, find_notebook, run
from audioclust.runs.sweep import sweep

__all__ = ["NotebookFailed", "Run", "Sweep", "collect", "find_notebook", "run", "sweep"]
