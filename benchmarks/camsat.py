"""CAMSAT: does it find the people below a generous bound, do its pseudo-labels train a network, what predicts how well?

Four sections, each part of which is kept in ``checkpoints/camsat`` as it comes, so that a benchmark that was stopped
goes on. ``clustering``: CAMSAT beside its rivals on speaker vectors with noise, five seeds; settings and the threshold
of the merge were fixed on half of the people and other seeds of the noise. ``downstream``: a small speaker network
trained on labels and pseudo-labels with every margin loss, verified on people held out. ``prediction``: the correlation
of every score of a clustering with the error rate of the network trained on it. ``digits``: MNIST from pixels.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from audioclust import files
from benchmarks import _camsat_clustering, _camsat_downstream, _camsat_prediction
from benchmarks.mnist import ROOT

Rows = list[dict[str, Any]]


class Parts:
    """Rows that are made once and kept in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, make: Callable[[], Rows]) -> Rows:
        """Return the rows kept under a name; made when they are asked for first."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            files.write_json(path, make())
            print(f"{name}: done", flush=True)
        return json.loads(path.read_text())


def run(quick: bool) -> pd.DataFrame:
    """Measure all sections and return one table; ``section`` says which columns a row has."""
    with tempfile.TemporaryDirectory() as scratch:
        parts = Parts(Path(scratch) if quick else ROOT / "checkpoints" / "camsat")
        tables = [_camsat_clustering.table(parts, quick)]
        tables += [*_camsat_downstream.tables(parts, quick), *_camsat_prediction.tables(parts, quick)]
        if not quick:
            tables.append(_camsat_clustering.digits_table(parts))
    return pd.concat(tables, ignore_index=True)
