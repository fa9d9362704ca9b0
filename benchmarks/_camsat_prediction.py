"""Which score of a clustering predicts the error rate of the speaker network that is trained on it?

Clusterings by many algorithms, numbers of clusters and seeds, some with labels flipped, of the training people of three
folds. Correlations are within folds: the people held out are not equally hard.
"""

from __future__ import annotations

from functools import partial
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
from benchmarks._camsat_downstream import FULL, QUICK, Data, Size, halves, trained
from benchmarks._camsat_downstream import verified as error_rates
from benchmarks._camsat_rivals import Partitions, mixture, network

Rows = list[dict[str, Any]]
LOSS = "aam"
MANY = (8, 12, 16, 24, 36, 48, 72, 120)
NETWORKS = {"camsat": (12, 24, 36, 48, 72, 96), "imsat": (24, 48, 96)}
LEARNED = ("silhouette_cosine", "davies_bouldin", "calinski_harabasz")
"""Scores that are also measured on the vectors of the network that was trained on the clusters."""


def tables(parts: Any, quick: bool) -> list[pd.DataFrame]:
    """Return the correlations of every score, over all clusterings, classical ones and deep ones."""
    if not _answer_sets.available():
        return []
    size, rows = QUICK if quick else FULL, []
    for split in range(1 if quick else 3):
        data = halves(size, split)
        make = partial(clusterings, size, data, split)
        found = make() if quick else _answer_sets.kept(f"clusterings {split}", make)
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


def clusterings(size: Size, data: Data, seed: int) -> Partitions:
    """Return clusterings of the training words by name, of which the first word is classical or deep."""
    X = data.vectors[data.train]
    Z, full = unit_rows(X), size == FULL
    bounds, networks = (MANY, NETWORKS) if full else ((3, 6), {"camsat": (6,)})
    made: Partitions = {}
    for k in bounds:
        made[f"classical K-Means {k}"] = KMeans(k, n_init=3, random_state=seed).fit_predict(Z)
        made[f"classical AHC {k}"] = AgglomerativeClustering(k).fit_predict(Z)
    for k in bounds[3::2]:
        made[f"classical GMM {k}"] = mixture(Z, k, seed)
    for share in size.flips:
        for name in ("classical K-Means 24", "classical AHC 48") if full else ("classical AHC 6",):
            made[f"{name} {share:.0%} flipped"] = flip_labels(made[name], share, seed=seed)
    if full:
        finders = {f"spectral {k}": {"n_clusters": k, "random_state": seed} for k in (24, 48)} | {
            "levels": {},
            "auto": {},
        }
        for name, settings in finders.items():
            made[f"classical {name}"] = clustering.make(name.split()[0], **settings).fit(X).labels_
    for setting, ks in networks.items():
        for k in ks:
            found = network(X, k, seed, **{"width": 200, "device": "cpu", **SETTINGS[setting], **size.camsat})
            made |= {f"deep {setting.upper()} {k}{end}": labels for end, labels in found.items()}
    return {name: labels for name, labels in made.items() if len(np.unique(labels)) > 1}
