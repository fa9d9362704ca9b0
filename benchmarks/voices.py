"""How well speaker clusterers find the voices: the published table beside ours, and the same vectors made hard.

The vectors are ECAPA-TDNN's of 60 people saying ten digits, 50 times each (`audiomnist_ecapa` among the shared
recordings). Made hard: 10 of each person's, with isotropic noise of standard deviation s / sqrt(d) per component, five
noise seeds; k unknown, nothing set by hand. Without the shared folder, or quick, made-up speakers stand in.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from audioclust import clustering, evaluation

SHARED = Path(os.environ.get("AUDIOCLUST_SHARED", Path(__file__).parents[2] / "shared"))
PUBLISHED = {"hdbscan": "sil .510, DB .824", "kmeans": "sil .510, DB .824", "spectral:rbf": "sil .510, DB .824",
             "spectral": "sil -.024, DB 2.614"}  # fmt: skip


def run(quick: bool) -> pd.DataFrame:
    X, truth, name = voices(quick)
    k = len(np.unique(truth))
    chosen = ten_each(truth)
    few, who = X[chosen], truth[chosen]
    mixed = np.random.default_rng(0).permutation(len(X))
    X, truth = X[mixed], truth[mixed]
    block = 50 if quick else 1000
    ways = {
        "hdbscan": {"min_cluster_size": 2},
        "kmeans": {"n_clusters": k, "n_init": 20, "random_state": 42},
        "agglomerative": {"n_clusters": k},
        "agglomerative:cosine": {"n_clusters": k, "linkage": "average", "metric": "cosine"},
        "spectral": {"n_clusters": k, "random_state": 0},
        "spectral:rbf": {"n_clusters": k, "affinity": "rbf", "random_state": 0},
        "nme_spectral": {"random_state": 0},
        "partial_sets": {"partial_set_size": block, "random_state": 0},
        "auto": {"random_state": 0},
    }
    published = PUBLISHED if name == "audiomnist_ecapa" else {}
    rows = []
    for algorithm, given in ways.items():
        score = evaluation.evaluate(clusters(algorithm, given, X), truth, X)
        rows.append({"what": f"{name}: {algorithm}", **shown([score]), "published": published.get(algorithm, "")})
    if not quick:
        score = evaluation.evaluate(clusters("partial_sets", {"partial_set_size": 500, "random_state": 0}, X), truth, X)
        rows.append({"what": f"{name}: partial_sets of 500", **shown([score]), "published": ""})
    for s in (0.9,) if quick else (0.9, 1.2, 1.4, 1.6):
        scores = []
        for seed in range(1 if quick else 5):
            noise = np.random.default_rng(seed).standard_normal(few.shape)
            hard = few + s / np.sqrt(X.shape[1]) * noise
            hard /= np.linalg.norm(hard, axis=1)[:, None]
            score = evaluation.evaluate(clusters("auto", {"random_state": 0}, hard), who, hard)
            scores.append({**score, "eer": evaluation.equal_error_rate(hard, who)})
        eer = np.mean([score["eer"] for score in scores])
        rows.append({"what": f"{name}, noise {s} (EER {eer:.1%}): auto", **shown(scores), "published": ""})
    return pd.DataFrame(rows)


def clusters(algorithm: str, given: dict[str, object], X: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return clustering.make(algorithm.partition(":")[0], **given).fit_predict(X)


def shown(scores: list[dict[str, float]]) -> dict[str, float]:
    names = {"n_clusters": "k", "acc": "acc", "nmi": "nmi", "ari": "ari", "silhouette": "sil", "davies_bouldin": "db"}
    means = {short: float(np.mean([score[name] for score in scores])) for name, short in names.items()}
    return {**means, "least_acc": min(score["acc"] for score in scores)}


def ten_each(truth: np.ndarray) -> np.ndarray:
    draw = np.random.default_rng(7)
    return np.concatenate([draw.choice(np.flatnonzero(truth == who), 10, replace=False) for who in np.unique(truth)])


def voices(quick: bool) -> tuple[np.ndarray, np.ndarray, str]:
    folder = SHARED / "datasets" / "audiomnist_ecapa"
    if folder.is_dir() and not quick:
        X = np.load(folder / "embeddings.npy", allow_pickle=False).astype(np.float64)
        truth = np.array([int(name[:2]) for name in (folder / "filenames.txt").read_text().split()])
        return X / np.linalg.norm(X, axis=1)[:, None], truth, "audiomnist_ecapa"
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(8), 20)
    centres = rng.standard_normal((8, 64))
    X = centres[truth] + 0.5 * rng.standard_normal((160, 64))
    return X / np.linalg.norm(X, axis=1)[:, None], truth, "made up"
