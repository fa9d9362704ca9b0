"""What one notebook records: clusterings with their scores, figures, and at the end ``run.json``.

``run.json`` holds ``notebook, run, status, dataset, data, parameters, versions, started, seconds, outputs, error``
and ``clusterings``: for each one ``feature, vectors, algorithm, params, seed, label, k, seconds, scores, nuisance,
warnings, error``. ``data`` is a digest of the recordings and labels that it was computed from.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audioclust import audio, clustering, datasets, evaluation, files
from audioclust.curation import corrections
from audioclust.evaluation import degenerate
from audioclust.evaluation.internal import silhouettes
from audioclust.evaluation.scores import SCORES
from audioclust.installation import versions
from audioclust.project import Project
from audioclust.runs import clusterings
from audioclust.runs.data import data_digest
from audioclust.runs.parameters import Parameters

__all__ = ["Run"]

FEWEST_FOR_STABILITY = 10
"""Of fewer recordings no parts are drawn."""

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
    outputs : dict
        What else ``run.json`` remembers.
    several : tuple of int
        Rows of recordings in which a listener heard more than one voice or sound, see `corrected`.
    estimators : dict of (str, str or None) to object
        The fitted estimator of an algorithm and label column, of the first seed.
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.project = Project(str(parameters.project))
        self.folder = self.project.run(parameters.dataset, parameters.run_name())
        self.clusterings: list[dict[str, Any]] = []
        self.outputs: dict[str, Any] = {}
        self.several: tuple[int, ...] = ()
        self.estimators: dict[tuple[str, str | None], Any] = {}
        self._labels: list[pd.DataFrame] = []
        self._started = datetime.now(UTC)

    def recordings(self) -> tuple[pd.DataFrame, Path]:
        """Return the dataset's metadata and the folder it is relative to; joined and transformed where asked for."""
        p, name = self.parameters, self.parameters.dataset
        metadata, root, folder = self.project.metadata(name), self.project.recordings(name), self.project.dataset(name)
        join, settings = getattr(p, "join", None), getattr(p, "transform", None)
        if join is not None:
            folder = root = folder / "transformed" / f"joined-{files.digest(join, 8)}"
            metadata = datasets.join_takes(metadata, self.project.recordings(name), root, jobs=p.jobs, **join)
        if settings is not None:
            out = folder / "transformed"
            metadata = audio.transform(metadata, root, out, jobs=p.jobs, **settings)
            root = out / audio.settings_key(**settings)
        return metadata, root

    def cluster(
        self,
        X: np.ndarray,
        index: pd.DataFrame,
        *,
        feature: str,
        vectors: str,
        shared: Mapping[str, Any] | None = None,
        estimate_from: np.ndarray | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Cluster `X` by every algorithm and seed of the parameters, and score each against every label column.

        One that raises is recorded with its error, and the others go on; `finish` then raises.

        Parameters
        ----------
        X : np.ndarray [shape=(n, d) or (n, height, width)]
            Vectors, or images where the notebook's algorithms take those.
        index : pd.DataFrame
            The metadata rows of `X`.
        feature, vectors : str
            What `X` is, for the tables.
        shared : mapping, optional
            Parameters for every algorithm that takes them (an autoencoder, a folder for its training, ...), beside
            the notebook's ``jobs``.
        estimate_from : np.ndarray [shape=(n, d)], optional
            What the number of clusters is estimated from where it must be; by default `X`.
        extra : mapping, optional
            Further parameters to note beside each clustering (scale, pca, transform, ...).

        Returns
        -------
        pd.DataFrame
            One row per clustering and label column, as `runs.collect` gives.
        """
        p: Any = self.parameters
        if len(X) < 2:
            raise ValueError(f"dataset {p.dataset!r} has {len(X)} usable recordings: there is nothing to group")
        source = np.asarray(X).reshape(len(X), -1) if estimate_from is None else estimate_from
        asked = {name: getattr(p, name) for name in ("algorithms", "labels", "k", "k_max", "seeds", "params")}
        what = {"feature": feature, "vectors": vectors, "extra": extra}
        for task in clusterings.tasks(index, estimate_from=source, **asked):
            fitted = clusterings.fit(task, X, {"jobs": p.jobs, **(shared or {})})
            noted: dict[str, Any] = {"params": task.settings, "seed": task.seed, "k": task.k, **what}
            noted["seconds"] = fitted.seconds
            for column in task.labels:
                if fitted.error is not None:
                    self._note(task.algorithm, label=column, error=fitted.error, **noted)
                    continue
                self.estimators.setdefault((task.algorithm, column), fitted.estimator)
                if fitted.hardware:
                    self.outputs["hardware"] = fitted.hardware
                for name, labels in fitted.partitions(task.algorithm).items():
                    self.add(
                        labels, getattr(fitted.estimator, "embedding_", source), index, algorithm=name, label=column,
                        warnings=fitted.warnings, probability=fitted.probability, **noted,
                    )  # fmt: skip
        if self.clusterings and all(row["error"] for row in self.clusterings):
            self.finish()  # raises, and names each
        return self.table()

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
        label: str | None = "label",
        k: int | None = None,
        seconds: float = float("nan"),
        warnings: Iterable[str] = (),
        probability: np.ndarray | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Score a clustering that was made elsewhere and record it; returns its scores."""
        labelled = label is not None and label in index
        truth = index[label].to_numpy() if clusterings.is_labelled(index, label) else None
        said = list(dict.fromkeys(warnings))  # an estimator may have said the same, with its name before it
        named = said + [each for each in degenerate.check(labels, asked=k) if not any(w.endswith(each) for w in said)]
        scores = evaluation.evaluate(labels, truth, X)
        self._note(
            algorithm, params=params, seed=seed, label=label, k=k, feature=feature, vectors=vectors, extra=extra,
            seconds=seconds, scores=scores, warnings=named,
            nuisance=evaluation.nuisance(labels, index, truth_column=label if labelled else None),
        )  # fmt: skip
        rows = pd.DataFrame(
            {
                "path": index["path"].to_numpy(),
                "truth": index[label].to_numpy() if labelled else None,
                "cluster": np.asarray(labels, dtype=np.int64),
                "silhouette": silhouettes(X, labels, metric=getattr(self.parameters, "metric", "euclidean")),
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
        *,
        params: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
        **known: Any,
    ) -> None:
        """Append a row of ``run.json``; `known` are the values of its fields that are known."""
        noted = {name: value for name, value in (extra or {}).items() if value is not None}
        row: dict[str, Any] = {"feature": None, "vectors": None, "algorithm": algorithm}
        row |= {"params": {**(params or {}), **noted}, "seed": None, "label": None, "k": None, "seconds": None}
        row |= {"scores": dict.fromkeys(SCORES, float("nan")), "nuisance": {}, "warnings": [], "error": None}
        self.clusterings.append(row | known)

    def table(self) -> pd.DataFrame:
        """Return the clusterings recorded so far, one row each, with the columns of `runs.collect`."""
        from audioclust.runs.collect import flatten

        return flatten(self._document("running"))

    def labels(self, algorithm: str, *, label: str | None = None, seed: int | None = None) -> np.ndarray:
        """Return the clusters of one recorded clustering: the first that fits, in the order of recording."""
        return self._rows(algorithm, label=label, seed=seed)["cluster"].to_numpy()

    def _rows(self, algorithm: str, *, label: str | None = None, seed: int | None = None) -> pd.DataFrame:
        for rows in self._labels:
            first = rows.iloc[0]
            fits = first["algorithm"] == algorithm and (label is None or first["label"] == label)
            if fits and (seed is None or first["seed"] == seed):
                return rows
        raise ValueError(f"algorithm={algorithm!r}: no such clustering is recorded")

    def consensus(self, index: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Compare the clusterings of the first label column with each other, and make one of all.

        Returns
        -------
        ranked : pd.DataFrame
            ``algorithm, agreement``, the most confirmed first; of several seeds the first.
        groups : pd.DataFrame
            ``path, cluster, confidence``.
        """
        names = [str(rows["label"].iloc[0]) for rows in self._labels]
        first = [rows for rows, name in zip(self._labels, names, strict=True) if name == names[0]]
        by_name = {rows["algorithm"].iloc[0]: rows["cluster"].to_numpy() for rows in reversed(first)}
        table = np.stack(list(by_name.values()))
        placed = int((table >= 0).any(axis=0).sum())
        if not placed:
            return pd.DataFrame(columns=["algorithm", "agreement"]), pd.DataFrame(columns=["path", "confidence"])
        told = [row["k"] for row in self.clusterings if row["k"]]
        made = clustering.consensus(table, n_clusters=min(told[0], placed) if told else None)
        ranked = pd.DataFrame({"algorithm": list(by_name), "agreement": made.agreement})
        paths = index["path"].to_numpy()
        groups = pd.DataFrame({"path": paths, "cluster": made.labels, "confidence": made.confidence})
        return ranked.sort_values("agreement", ascending=False, ignore_index=True), groups

    @property
    def algorithms(self) -> list[str]:
        """Names of the algorithms that gave a clustering, in the order of recording."""
        return list(dict.fromkeys(rows["algorithm"].iloc[0] for rows in self._labels))

    @property
    def answer(self) -> str:
        """The algorithm whose clusters are exported and listened to: `listen`, or the first one recorded."""
        asked = getattr(self.parameters, "listen", None)
        return asked if asked in self.algorithms else self.algorithms[0]

    def corrected(self, X: np.ndarray, index: pd.DataFrame, **what: Any) -> tuple[np.ndarray, dict[int, str]]:
        """Return the answer's clusters as listeners corrected them, and the names they gave.

        With corrections among the parameters, the corrected clustering is recorded as ``ANSWER:corrected``.

        Parameters
        ----------
        X, index
            As for `cluster`.
        **what
            ``feature``, ``vectors`` and ``extra``, as for `cluster`.
        """
        p: Any = self.parameters
        labels, heard = self.labels(self.answer), corrections.read(p.corrections, str(p.project))
        if not heard:
            return labels, {}
        labels = corrections.apply(labels, X, heard, index)
        here = heard.of(index)
        self.several = here.several
        self.outputs["corrections"] = {"used": len(here), "of other recordings": here.elsewhere}
        columns: list[str | None] = [*clusterings.scored_columns(p.labels, index)] or [None]
        for column in columns:
            self.add(labels, X, index, algorithm=f"{self.answer}:corrected", label=column, **what)
        return labels, here.named(labels)

    def known_labels(self, index: pd.DataFrame) -> list[str]:
        """Return the label columns of the parameters that `index` has values in."""
        columns = clusterings.scored_columns(getattr(self.parameters, "labels", []), index)
        return [column for column in columns if clusterings.is_labelled(index, column)]

    def scored_against(self, index: pd.DataFrame) -> str:
        """Say which label columns there are to score by, or that there are none."""
        return clusterings.scored_against(self.parameters.labels, index)  # type: ignore[attr-defined]

    def stability(self, X: np.ndarray, index: pd.DataFrame, *, rounds: int = 5) -> tuple[str, pd.DataFrame]:
        """Cluster parts of the recordings anew as the answer was, and say how well that agrees with it.

        Returns
        -------
        text : str
            The mean adjusted Rand index and the numbers of clusters, or why there are none.
        moving : pd.DataFrame
            ``path, cluster, stays`` of the recordings that were in another group in more than half of the parts.
        """
        labels = self.labels(self.answer)
        table = pd.DataFrame({"path": index["path"].to_numpy(), "cluster": labels, "stays": np.nan})
        if len(X) < FEWEST_FOR_STABILITY:
            return f"{len(X)} recordings are too few to leave some out", table[:0]
        estimator = next(fitted for (name, _), fitted in self.estimators.items() if name == self.answer)
        seed = getattr(self.parameters, "seeds", [0])[0]
        again = evaluation.stability(X, estimator, labels=labels, rounds=rounds, random_state=seed)
        self.outputs |= {"stability": again.mean, "stability_clusters": again.n_clusters.tolist()}
        table["stays"] = again.recordings
        numbers = ", ".join(map(str, again.n_clusters))
        text = f"adjusted Rand index {again.mean:.3f} +- {again.std:.3f}; clusters in the parts: {numbers}"
        return text, table[table["stays"] < 0.5].sort_values("stays")

    def draw(self, name: str, plot: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        """Draw ``plot(*arguments, **options)``, show it and save it as ``figures/NAME.png``, if figures are wanted."""
        if getattr(self.parameters, "figures", True):
            self.figure(plot(*arguments, **options), name)

    def figure(self, drawing: Any, name: str) -> None:
        """Show a matplotlib figure (or the one of an Axes) in the notebook and save it as ``figures/NAME.png``."""
        from IPython import get_ipython
        from IPython.display import Image, display

        from audioclust.report import plots

        path = plots.save(drawing, self.folder / "figures" / f"{name.replace(':', '_')}.png")
        if get_ipython() is not None:
            display(Image(path.read_bytes(), retina=True))  # drawing it a second time would take as long again

    def listen(self, index: pd.DataFrame, labels: np.ndarray, root: Path, X: np.ndarray, **options: Any) -> Path | None:
        """Write ``listen.html`` of a clustering, if the parameters name an algorithm to listen to; return its path."""
        from audioclust import report

        p: Any = self.parameters
        if p.listen is None:
            return None
        options = {"metric": p.metric, "projection": p.projection, "random_state": p.seeds[0], **options}
        options = {"truth": next(iter(self.known_labels(index)), None), **options}
        fitted: Any = next((fitted for (name, _), fitted in self.estimators.items() if name == p.listen), None)
        if hasattr(fitted, "levels_") and len(fitted.confidence_) == len(labels):
            levels = [level.labels for level in fitted.levels_]
            options = {"confidence": fitted.confidence_, "levels": levels, **options}
        return report.listen(index, labels, root, self.folder / "listen.html", X=X, jobs=p.jobs, **options)

    def finish(self, **outputs: Any) -> Path:
        """Write ``labels.parquet``, ``clusters.csv`` and ``run.json``; `outputs` are further things to remember.

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
            files.write_csv(self.folder / "clusters.csv", self._clusters())
        document = self._document("failed" if failed else "complete")
        files.write_json(self.folder / os.environ.get(RECORD, "run.json"), document)
        if failed:
            raise RuntimeError(f"{len(failed)} of {len(self.clusterings)} clusterings failed: {'; '.join(failed[:5])}")
        return self.folder / "run.json"

    def _clusters(self) -> pd.DataFrame:
        """One row per recording: its cluster and silhouette in the answer, then its cluster by every other algorithm.

        Of several seeds and label columns the first counts.
        """
        answer = f"{self.answer}:corrected" if f"{self.answer}:corrected" in self.algorithms else self.answer
        table = self._rows(answer)[["path", "cluster", "silhouette"]].round({"silhouette": 4})
        others = {name: self.labels(name) for name in self.algorithms if name != answer}
        same = {name: labels for name, labels in others.items() if len(labels) == len(table)}
        return table.assign(**same)

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
