"""What the notebook `08_camsat` does: CAMSAT over its epochs, its loss taken apart, what its pseudo-labels are worth.

Labels only score, but for two things that nobody without labels could do: they name the speakers that are held out, and
they are trained on as the bound that pseudo-labels are measured by.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audioclust import audio, clustering, evaluation
from audioclust.clustering import DegenerateClusteringWarning
from audioclust.deep.camsat import CAMSAT, SETTINGS
from audioclust.deep.speaker_network import SpeakerNetwork, speaker_spectra
from audioclust.evaluation.prediction import clustering_scores, correlations, flip_labels
from audioclust.geometry import unit_rows
from audioclust.report import plots
from audioclust.runs import clusterings
from audioclust.runs.record import Run

__all__ = [
    "PUBLISHED",
    "PUBLISHED_CORRELATIONS",
    "Voices",
    "ablation",
    "bounds",
    "downstream",
    "eer_table",
    "epochs",
    "hold_out",
    "in_order",
    "prediction",
]

PUBLISHED = pd.DataFrame(
    [
        ("true labels", 5994, 3.489, 1.522, 1.437, 1.416, 1.463, 1.326),
        ("GMM", 5000, 8.425, 4.851, 5.429, 4.682, 4.862, 5.095),
        ("AHC", 5000, 6.479, 3.664, 3.621, 3.584, 3.6, 3.526),
        ("IMSAT", 5000, 7.206, 4.141, 4.507, 3.881, 4.083, 3.807),
        ("IMSAT", 5994, 7.333, 3.961, 4.146, 3.892, 3.696, 4.008),
        ("IMSAT", 10000, 7.37, 4.024, 4.438, 4.003, 4.072, 4.046),
        ("CAMSAT", 5000, 5.477, 3.054, 3.065, 2.964, 3.096, 3.059),
        ("CAMSAT", 5994, 5.827, 3.224, 3.309, 3.134, 3.043, 3.112),
        ("CAMSAT", 10000, 5.546, 2.959, 3.134, 2.969, 2.863, 3.059),
    ],
    columns=["labels", "K", "softmax", "am", "aam", "oc", "cosface", "adaface"],
)
"""Published EER, % (VoxCeleb, 5 994 speakers to train, i-vectors clustered): tables of CAMSAT's repository."""

PUBLISHED_CORRELATIONS = pd.DataFrame(
    {
        "all": [-0.77, -0.84, -0.81, -0.81, -0.86, -0.79, -0.66, -0.3, -0.017, 0.17, 0.026],
        "classical": [-0.84, -0.77, -0.84, -0.7, -0.86, -0.86, -0.68, -0.44, -0.55, 0.68, -0.62],
        "deep": [-0.72, -0.85, -0.79, -0.83, -0.86, -0.74, -0.63, -0.29, -0.073, 0.3, 0.11],
    },
    index=[
        "acc", "nmi", "ami", "homogeneity", "completeness", "purity", "fmi", "n_clusters", "silhouette",
        "davies_bouldin", "calinski_harabasz",
    ],
)  # fmt: skip
"""Published Pearson correlations with the EER, over 122 sets of pseudo-labels: figures of CAMSAT's repository."""

SCORES = ["n_clusters", "acc", "nmi", "ami"]
FEW = 5
"""Speakers held out, below which error rates say little."""


class Voices(NamedTuple):
    """Recordings with spectra to train a speaker network on, and which of them are trained on.

    Attributes
    ----------
    spectra : array [shape=(n, frames, bands)]
    vectors : array [shape=(n, d)]
        What is clustered.
    rows : DataFrame
        Their metadata.
    truth : array of int [shape=(n,)]
        Who speaks.
    train : array of bool [shape=(n,)]
        Recordings of the other speakers are held out.
    """

    spectra: NDArray[np.float32]
    vectors: NDArray[Any]
    rows: pd.DataFrame
    truth: NDArray[np.intp]
    train: NDArray[np.bool_]

    @property
    def sides(self) -> str:
        """How many speakers are on each side, in words."""
        heard, out = (len(np.unique(self.truth[side])) for side in (self.train, ~self.train))
        few = "; with so few, error rates differ by chance: compare nothing by them" if out < FEW else ""
        return f"{heard} speakers to train on, {out} held out{few}"


def bounds(run: Run, X: NDArray[Any], index: pd.DataFrame, column: str | None) -> dict[str, CAMSAT]:
    """Fit CAMSAT with upper bounds of several times the true number of groups, or without labels of Levels'."""
    p: Any = run.parameters
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateClusteringWarning)
        base = index[column].nunique() if column else clustering.Levels(random_state=p.seeds[0]).fit(X).n_clusters_
    asked = [int(np.clip(round(factor * base), 1, len(X))) for factor in p.bounds]
    return {f"K = {k}": _fitted(run, X, k) for k in dict.fromkeys(asked)}


def epochs(run: Run, models: dict[str, CAMSAT], truth: NDArray[Any] | None) -> pd.DataFrame:
    """Return clusters found and scores after every epoch, by model, and draw them."""
    rows = []
    for name, model in models.items():
        for epoch, labels in enumerate(model.labels_over_epochs_, start=1):
            scores = evaluation.evaluate(labels, truth)
            rows.append({"model": name, "epoch": epoch, **{score: scores[score] for score in SCORES}})
    table = pd.DataFrame(rows)
    wide = table.pivot(index="epoch", columns="model")
    true_number = None if truth is None else float(len(set(truth.tolist())))
    run.draw(
        "clusters_over_epochs", plots.curves, wide["n_clusters"][list(models)], level=true_number, level_name="truth",
        ylabel="clusters that hold a recording", title="Clusters found, the network alone",
    )  # fmt: skip
    if truth is not None:
        for score in ("acc", "nmi"):
            run.draw(
                f"{score}_over_epochs", plots.curves, wide[score][list(models)], ylabel=score.upper(),
                title=f"{score.upper()}, the network alone",
            )  # fmt: skip
    return table


def ablation(run: Run, X: NDArray[Any], truth: NDArray[Any] | None, bound: int) -> pd.DataFrame:
    """Return IMSAT, IMSAT with augmentations, and CAMSAT at one upper bound: each alone and after the merge."""
    rows = []
    for name, settings in SETTINGS.items():
        model = _fitted(run, X, bound, **settings)
        for step, labels in (("alone", model.network_labels_), ("+ merge", model.merged_labels_)):
            scores = evaluation.evaluate(labels, truth)
            rows.append({"loss": name, "step": step, "K": bound, **{score: scores[score] for score in SCORES}})
    return pd.DataFrame(rows)


def hold_out(run: Run, X: NDArray[Any], index: pd.DataFrame, root: Path, column: str | None) -> Voices | None:
    """Compute spectra, and draw the speakers that are held out; None where fewer than two would be on a side."""
    p: Any = run.parameters
    if column is None:
        return None
    known = index[column].notna().to_numpy()
    rows, part = index[known].reset_index(drop=True), X[known]
    truth = np.unique(rows[column].astype(str), return_inverse=True)[1]
    people = np.random.default_rng(p.seeds[0]).permutation(int(truth.max()) + 1)
    out = people[: max(2, round(p.held_out * len(people)))]
    if len(people) - len(out) < 2:
        return None
    spectra = speaker_spectra([audio.load(root / path, 16_000)[0] for path in rows["path"]], frames=p.frames)
    return Voices(spectra, part, rows, truth, ~np.isin(truth, out))


def downstream(run: Run, voices: Voices, column: str) -> pd.DataFrame:
    """Train a speaker network on labels and pseudo-labels with every loss; return EER and minDCF on those held out.

    The training recordings alone are clustered, by the run's algorithms.
    """
    p: Any = run.parameters
    truth = voices.truth[voices.train]
    sets = {"true labels": truth} | {
        f"{share:.0%} flipped": flip_labels(truth, share, seed=p.seeds[0]) for share in p.flips
    }
    sets |= _clustered(run, voices, column)
    rows, reached = [], {}
    for name, labels in sets.items():
        scores = evaluation.evaluate(labels, truth)
        same = in_order(labels).tobytes()  # several ways may find the same clusters: one training serves them
        for loss in p.losses:
            if (same, loss) not in reached:
                reached[same, loss] = _verified(run, voices, labels, loss)[0]
            known = {"labels": name, "acc": scores["acc"], "n_clusters": scores["n_clusters"], "loss": loss}
            rows.append(known | reached[same, loss])
    table = pd.DataFrame(rows)
    run.draw("eer", plots.heatmap, _wide(table), percent=True, label="EER, %", title="EER on speakers held out")
    return table


def eer_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return EER in % by labels (rows) and loss (columns), as published tables stand."""
    return (100 * _wide(table)).round(2)


def prediction(run: Run, voices: Voices, column: str) -> pd.DataFrame:
    """Return which score of a clustering predicts the EER of the network trained on it, over many clusterings."""
    p: Any = run.parameters
    truth, X = voices.truth[voices.train], unit_rows(voices.vectors[voices.train])
    found = _many(run, voices, column)
    scores = clustering_scores(list(found.values()), truth, X)
    rows = []
    for (name, labels), score in zip(found.items(), scores.to_dict("records"), strict=True):
        reached, vectors = _verified(run, voices, labels, p.losses[0])
        learned = evaluation.evaluate(labels, None, vectors)
        rows.append(
            {"kind": "deep" if clustering.is_network(name.split()[0].split(":")[0]) else "classical", **score,
             "silhouette_learned": learned["silhouette_cosine"], "eer": reached["eer"]}
        )  # fmt: skip
    table = correlations(pd.DataFrame(rows), "eer", groups="kind")
    sides = {
        side: table.pivot(index="score", columns="group", values=f"pearson{side}") for side in ("", "_low", "_high")
    }
    order = list(dict.fromkeys(table["score"])), [name for name in ("all", "classical", "deep") if name in sides[""]]
    value, low, high = (side.loc[order] for side in sides.values())
    title, label = "Scores and EER", f"Pearson correlation with the EER, {len(rows)} clusterings"
    run.draw("correlations", plots.heatmap, value, low=low, high=high, signed=True, label=label, title=title)
    return table


def _many(run: Run, voices: Voices, column: str) -> dict[str, NDArray[np.intp]]:
    """Return clusterings of the training recordings by algorithm and number of clusters, some of them spoilt."""
    p: Any = run.parameters
    truth, X = voices.truth[voices.train], voices.vectors[voices.train]
    found = _clustered(run, voices, column)
    counts = [int(np.clip(round(factor * len(np.unique(truth))), 2, len(X))) for factor in p.many]
    for k in dict.fromkeys(counts):
        for name in ("kmeans", "agglomerative"):
            seed = {"random_state": p.seeds[0]} if name == "kmeans" else {}
            found[f"{name} {k}"] = clustering.make(name, n_clusters=k, **seed).fit(X).labels_
        model = _fitted(run, X, k)
        found |= {f"camsat {k}": model.merged_labels_, f"camsat:network {k}": model.network_labels_}
    spoilt = {
        f"{name} {share:.0%} flipped": flip_labels(labels, share)
        for name, labels in found.items()
        if name.startswith("kmeans ")
        for share in p.flips
    }
    return _several(found | spoilt)


def _clustered(run: Run, voices: Voices, column: str) -> dict[str, NDArray[np.intp]]:
    """Return the training recordings' clusters by the run's algorithms, but for those that found fewer than two."""
    p: Any = run.parameters
    X, index = voices.vectors[voices.train], voices.rows[voices.train]
    asked = {name: getattr(p, name) for name in ("algorithms", "k", "k_max", "params")}
    found: dict[str, NDArray[np.intp]] = {}
    for task in clusterings.tasks(index, labels=[column], seeds=p.seeds[:1], estimate_from=X, **asked):
        found |= clusterings.fit(task, X, {}).partitions(task.algorithm)
    return _several(found)


def _several(found: dict[str, NDArray[np.intp]]) -> dict[str, NDArray[np.intp]]:
    """Leave out what has fewer than two clusters: no network can be trained on it."""
    return {name: labels for name, labels in found.items() if len(set(labels[labels >= 0].tolist())) > 1}


def in_order(labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return clusters numbered as they first appear, noise -1: names of clusters then change nothing in a training.

    Examples
    --------
    >>> in_order(np.array([7, 2, 7, -1, 0])).tolist()
    [0, 1, 0, -1, 2]
    """
    numbered = np.full(len(labels), -1, dtype=np.intp)
    numbered[labels >= 0] = pd.factorize(labels[labels >= 0])[0]
    return numbered


def _verified(
    run: Run, voices: Voices, labels: NDArray[np.intp], loss: str
) -> tuple[dict[str, float], NDArray[np.float64]]:
    """Train on labels; return the error rates on the speakers held out, and the training recordings' unit vectors."""
    p: Any = run.parameters
    model = SpeakerNetwork(loss, **{"random_state": p.seeds[0], **p.network})
    model.fit(voices.spectra[voices.train], in_order(labels))
    V, who = model.transform(voices.spectra[~voices.train]), voices.truth[~voices.train]
    rates = {"eer": evaluation.equal_error_rate(V, who), "min_dcf": evaluation.min_dcf(V, who, p_target=0.05)}
    return rates, unit_rows(model.embedding_.astype(np.float64))


def _fitted(run: Run, X: NDArray[Any], bound: int, **settings: Any) -> CAMSAT:
    """Fit CAMSAT as the run's parameters say, with this upper bound; a finished training is taken from the project."""
    p: Any = run.parameters
    given = {"random_state": p.seeds[0], "folder": run.project.checkpoints / p.dataset, **p.params.get("camsat", {})}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateClusteringWarning)  # the tables show it
        return CAMSAT(**{**given, **settings, "n_clusters": min(bound, len(X))}).fit(X)


def _wide(table: pd.DataFrame) -> pd.DataFrame:
    wide = table.pivot(index="labels", columns="loss", values="eer")
    return wide.loc[list(dict.fromkeys(table["labels"])), list(dict.fromkeys(table["loss"]))]
