"""What one notebook records: clusterings with their scores, figures, and at the end ``run.json``.

``run.json`` holds ``notebook, run, status, dataset, data, parameters, versions, started, seconds, outputs, error``
and ``clusterings``: for each one ``feature, vectors, algorithm, params, seed, label, k, seconds, scores, nuisance,
warnings, error``. ``data`` is a digest of the recordings and labels that it was computed from.
"""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audioclust import clustering, evaluation, files
from audioclust.evaluation import degenerate
from audioclust.evaluation.internal import silhouettes
from audioclust.evaluation.scores import SCORES
from audioclust.installation import versions
from audioclust.project import Project
from audioclust.runs.parameters import Parameters

__all__ = ["Run", "data_digest"]

log = logging.getLogger(__name__)

RECORD = "AUDIOCLUST_RECORD"  # names the record that a headless notebook writes; it becomes run.json at the very end


class Run:
    """The record of one notebook's work.

    Parameters
    ----------
    parameters : Parameters
        The notebook's checked parameters; they name the run's folder.

    Attributes
    ----------
    folder : Path
        ``results/DATASET/RUN``.
    clusterings : list of dict
        One per clustering and label column, as in ``run.json``.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.project = Project(parameters.project)
        self.folder = self.project.run(parameters.dataset, parameters.run_name())
        self.clusterings: list[dict[str, Any]] = []
        self.outputs: dict[str, Any] = {}
        self._labels: list[pd.DataFrame] = []
        self._started = datetime.now(UTC)

    def cluster(
        self,
        X: np.ndarray,
        index: pd.DataFrame,
        *,
        feature: str,
        vectors: str,
        algorithms: Sequence[str],
        labels: Sequence[str],
        k: int | str = "labels",
        k_max: int = 15,
        seeds: Sequence[int] = (0,),
        params: Mapping[str, Mapping[str, Any]] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Cluster `X` by every algorithm and seed, and score each against every label column.

        An algorithm that does not use a seed runs once; one that takes no number of clusters runs once for all label
        columns. One that raises is recorded with its error, and the others go on; `finish` then raises.

        Parameters
        ----------
        X : np.ndarray [shape=(n, d)]
        index : pd.DataFrame
            The metadata rows of `X`.
        feature, vectors : str
            What `X` is, for the tables.
        algorithms : sequence of str
            Names for `clustering.make`; ``"agglomerative:average"`` style variants come through `params`.
        labels : sequence of str
            Columns of `index`; a column that is missing or has fewer than two values gives no label-based scores.
        k : int, "labels" or "estimate"
            The number of clusters for algorithms that want one: given, the number of distinct labels (estimated where
            there are none), or estimated from `X` alone.
        k_max : int
            The largest number of clusters that is considered in estimating.
        seeds : sequence of int
        params : mapping of str to mapping
            Further parameters by algorithm. A key ``NAME:VARIANT`` adds a variant under that name.
        extra : mapping
            Further parameters to note beside each clustering (scale, pca, cure, ...).

        Returns
        -------
        pd.DataFrame
            One row per clustering and label column, as `runs.collect` gives.
        """
        estimate: int | None = None
        for name in algorithms:
            given = dict((params or {}).get(name, {}))
            takes = clustering.parameters(name.partition(":")[0])
            wanted: dict[int | None, list[str]] = {}
            for column in labels:
                asked = None
                if "n_clusters" in takes and "n_clusters" not in given and "distance_threshold" not in given:
                    asked = k if isinstance(k, int) else _distinct(index, column) if k == "labels" else 0
                    if asked < 2:
                        if estimate is None:
                            estimate = clustering.estimate_k(X, k_max=k_max, random_state=seeds[0]).k
                        asked = estimate
                wanted.setdefault(asked, []).append(column)
            for asked, columns in wanted.items():
                settings = given if asked is None else {**given, "n_clusters": asked}
                for seed in seeds if "random_state" in takes else [None]:
                    self._fit(X, index, name, settings, seed, columns, feature=feature, vectors=vectors, extra=extra)
        return self.table()

    def _fit(
        self,
        X: np.ndarray,
        index: pd.DataFrame,
        name: str,
        settings: dict[str, Any],
        seed: int | None,
        columns: list[str],
        **what: Any,
    ) -> None:
        started = time.perf_counter()
        k = settings.get("n_clusters")
        caught: list[warnings.WarningMessage] = []
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                seeded = settings if seed is None else {**settings, "random_state": seed}
                estimator = clustering.make(name.partition(":")[0], **seeded)
                found = np.asarray(estimator.fit_predict(X))
        except Exception as error:
            log.warning("%s failed: %s", name, error)
            found, problem = np.full(len(X), -1), f"{type(error).__name__}: {error}"
            for column in columns:
                self._note(name, settings, seed, column, k, error=problem, **what)
            return
        seconds = time.perf_counter() - started
        named = sorted(
            {str(w.message) for w in caught if issubclass(w.category, clustering.DegenerateClusteringWarning)}
        )
        probability = getattr(estimator, "probabilities_", None)
        for column in columns:
            self.add(
                found, X, index, algorithm=name, params=settings, seed=seed, label=column, k=k, seconds=seconds,
                warnings=named, probability=probability, **what,
            )  # fmt: skip

    def add(
        self,
        labels: np.ndarray,
        X: np.ndarray,
        index: pd.DataFrame,
        *,
        feature: str,
        vectors: str,
        algorithm: str,
        params: Mapping[str, Any] | None = None,
        seed: int | None = None,
        label: str = "label",
        k: int | None = None,
        seconds: float = float("nan"),
        warnings: Iterable[str] = (),
        probability: np.ndarray | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Score a clustering that the notebook made itself and record it; returns its scores."""
        truth = index[label].to_numpy() if label in index and index[label].notna().any() else None
        named = list(dict.fromkeys([*warnings, *degenerate.check(labels, asked=k)]))
        scores = evaluation.evaluate(labels, truth, X)
        self._note(
            algorithm, params or {}, seed, label, k, feature=feature, vectors=vectors, extra=extra, seconds=seconds,
            scores=scores, nuisance=evaluation.nuisance(labels, index, truth_column=label if label in index else None),
            warnings=named,
        )  # fmt: skip
        rows = pd.DataFrame(
            {
                "path": index["path"].to_numpy(),
                "truth": index[label].to_numpy() if label in index else None,
                "cluster": np.asarray(labels, dtype=np.int64),
                "silhouette": silhouettes(X, labels),
                "probability": np.nan if probability is None else probability,
                "feature": feature,
                "vectors": vectors,
                "algorithm": algorithm,
                "label": label,
                "seed": pd.array([seed] * len(index), dtype="Int64"),
            }
        )
        self._labels.append(rows)
        return scores

    def _note(
        self,
        algorithm: str,
        params: Mapping[str, Any],
        seed: int | None,
        label: str,
        k: int | None,
        *,
        extra: Mapping[str, Any] | None = None,
        **rest: Any,
    ) -> None:
        row: dict[str, Any] = {"feature": None, "vectors": None, "algorithm": algorithm, "params": dict(params)}
        row |= {"seed": seed, "label": label, "k": k, "seconds": None, "nuisance": {}}
        row |= {"scores": dict.fromkeys(SCORES, float("nan"))}
        row |= {"warnings": [], "error": None} | rest
        row["params"] = {**row["params"], **{name: value for name, value in (extra or {}).items() if value is not None}}
        self.clusterings.append(row)

    def table(self) -> pd.DataFrame:
        """Return the clusterings recorded so far, one row each, with the columns of `runs.collect`."""
        from audioclust.runs.collect import flatten

        return flatten(self._document("running"))

    def labels(self, algorithm: str, *, label: str | None = None, seed: int | None = None) -> np.ndarray:
        """Return the clusters of one recorded clustering: the first that fits, in the order of recording."""
        for rows in self._labels:
            first = rows.iloc[0]
            fits = first["algorithm"] == algorithm and (label is None or first["label"] == label)
            if fits and (seed is None or first["seed"] == seed):
                return rows["cluster"].to_numpy()
        raise ValueError(f"algorithm={algorithm!r}: no such clustering is recorded")

    def figure(self, drawing: Any, name: str) -> None:
        """Show a matplotlib figure (or the one of an Axes) in the notebook and save it as ``figures/NAME.png``."""
        from IPython import get_ipython
        from IPython.display import display

        from audioclust.report import plots

        if get_ipython() is not None:
            display(plots.figure_of(drawing))
        plots.save(drawing, self.folder / "figures" / f"{name}.png")

    def finish(self, **outputs: Any) -> Path:
        """Write ``labels.parquet`` and ``run.json``; `outputs` are further things to remember.

        Raises
        ------
        RuntimeError
            After writing, when an algorithm failed: it names each.
        """
        self.outputs |= outputs
        failed = [f"{row['algorithm']} ({row['error']})" for row in self.clusterings if row["error"]]
        if self._labels:
            with files.atomic(self.folder / "labels.parquet") as partial:
                pd.concat(self._labels, ignore_index=True).to_parquet(partial, index=False)
        document = self._document("failed" if failed else "complete")
        files.write_json(self.folder / os.environ.get(RECORD, "run.json"), document)
        if failed:
            raise RuntimeError(f"{len(failed)} of {len(self.clusterings)} clusterings failed: {'; '.join(failed[:5])}")
        return self.folder / "run.json"

    def _document(self, status: str) -> dict[str, Any]:
        return {
            "notebook": self.parameters.notebook,
            "run": self.folder.name,
            "status": status,
            "dataset": self.parameters.dataset,
            "data": data_digest(self.project, self.parameters.dataset),
            "parameters": self.parameters.model_dump(exclude={"project"}),
            "versions": versions(),
            "started": self._started.isoformat(timespec="seconds"),
            "seconds": round((datetime.now(UTC) - self._started).total_seconds(), 3),
            "outputs": self.outputs,
            "error": None,
            "clusterings": self.clusterings,
        }


def data_digest(project: Project, dataset: str) -> str | None:
    """Digest of the dataset's paths, contents and labels as last scanned; None before it is."""
    try:
        table = project.metadata(dataset)
    except (FileNotFoundError, ValueError):
        return None
    volatile = {"duration", "level", "note"}
    text = table[[column for column in table.columns if column not in volatile]].astype(str)
    return files.digest(text.to_dict("list"))


def _distinct(index: pd.DataFrame, column: str) -> int:
    return int(index[column].nunique()) if column in index else 0
