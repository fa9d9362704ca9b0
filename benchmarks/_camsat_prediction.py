"""Which score of a clustering predicts the error rate of the speaker network that is trained on it?

Clusterings by many algorithms, numbers of clusters and seeds, some with labels flipped, of the training people of three
folds. Correlations are within folds: the people held out are not equally hard.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import AgglomerativeClustering, KMeans

from audioclust import clustering
from audioclust.deep.camsat import SETTINGS
from audioclust.evaluation import evaluate
from audioclust.evaluation.prediction import clustering_scores, correlations, flip_labels
from audioclust.geometry import unit_rows
from benchmarks import _answer_sets
from benchmarks._camsat_downstream import FLIPS, FULL, QUICK, Data, Partitions, Size, halves, mixture, network, trained
from benchmarks._camsat_downstream import verified as error_rates

Rows = list[dict[str, Any]]
LOSS = "aam"
MANY = (8, 12, 16, 24, 36, 48, 72, 120)
LEARNED = ("silhouette_cosine", "davies_bouldin", "calinski_harabasz")
"""Scores that are also measured on the vectors of the network that was trained on the clusters."""


def tables(parts: Any, quick: bool) -> list[pd.DataFrame]:
    """Return the correlations of every score, over all clusterings, classical ones and deep ones."""
    if not _answer_sets.available():
        return []
    size, rows = QUICK if quick else FULL, []
    for split in range(1 if quick else 3):
        data = halves(size, split)
        found = clusterings(data, split, quick) if quick else _answer_sets.kept(
            f"clusterings {split}", lambda d=data, s=split: clusterings(d, s, quick)
        )  # fmt: skip
        truth, X = data.speaker[data.train], unit_rows(data.vectors[data.train])
        scores = clustering_scores(list(found.values()), truth, X)
        for (name, labels), score in zip(found.items(), scores.to_dict("records"), strict=True):
            part = f"prediction {name} split {split}"
            (made,) = parts(part, lambda d=data, y=labels, s=split: measured(size, d, y, s))
            rows.append({"algorithm": name.split()[0], "clustering": name, "split": split, **score, **made})
    return [correlations(pd.DataFrame(rows), "eer", groups="algorithm", within="split").assign(section="prediction")]


def measured(size: Size, data: Data, labels: np.ndarray, seed: int) -> Rows:
    """Train on a clustering; return the error rate, and scores of the clusters on the learned vectors."""
    model = trained(size, data, labels, LOSS, seed)
    seen = evaluate(labels, None, unit_rows(model.embedding_))
    learned = {f"{name}_learned": seen[name] for name in LEARNED}
    return [{**learned, "loss_reached": float(model.history_["loss"].iloc[-1]), "eer": error_rates(data, model)["eer"]}]


def clusterings(data: Data, seed: int, quick: bool) -> Partitions:
    """Return clusterings of the training words by name; the first word of it is classical or deep."""
    X = data.vectors[data.train]
    Z, bounds = unit_rows(X), (3, 4, 6) if quick else MANY
    made: Partitions = {}
    for k in bounds:
        made[f"classical K-Means {k}"] = KMeans(k, n_init=3, random_state=seed).fit_predict(Z)
        made[f"classical AHC {k}"] = AgglomerativeClustering(k).fit_predict(Z)
    for k in bounds[3::2]:
        made[f"classical GMM {k}"] = mixture(k, seed).fit_predict(Z)
    for share in FLIPS:
        for name in (
            f"classical K-Means {bounds[-1] if quick else 24}",
            f"classical AHC {bounds[-1] if quick else 48}",
        ):
            made[f"{name} {share:.0%} flipped"] = flip_labels(made[name], share, seed=seed)
    if not quick:
        for k in (24, 48):
            made[f"classical spectral {k}"] = (
                clustering.make("spectral", n_clusters=k, random_state=seed).fit(X).labels_
            )
        for name in ("levels", "auto"):
            made[f"classical {name}"] = clustering.make(name).fit(X).labels_
    for setting, ks in {
        "camsat": bounds[:1] if quick else (12, 24, 36, 48, 72, 96),
        "imsat": () if quick else (24, 48, 96),
    }.items():
        for k in ks:
            found = network(X, k, seed, width=200, device="cpu", **SETTINGS[setting])
            made |= {f"deep {setting.upper()} {k}{end}": labels for end, labels in found.items()}
    return made
