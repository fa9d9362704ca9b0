"""CAMSAT beside its rivals on the speaker vectors of `audiomnist_ecapa`, with the same components, graph and merge."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from audioclust import clustering
from audioclust.clustering.merging import merge_clusters, part_clusters
from audioclust.clustering.positives import shared_neighbour_graph
from audioclust.deep.camsat import CAMSAT, SETTINGS
from audioclust.evaluation import evaluate
from audioclust.geometry import unit_rows
from benchmarks import _answer_sets, mnist

Rows = list[dict[str, Any]]
Partitions = dict[str, np.ndarray]
SEEDS = 5


class Case(NamedTuple):
    """A set, the upper bound, and the bars for the merged row: accuracy and range of clusters, as means."""

    name: str
    per_person: int
    noise: float
    bound: int
    people: int = 60
    accuracy: float | None = None
    clusters: tuple[int, int] | None = None


CASES = (
    Case("60 x 50", 50, 0.0, 120, accuracy=0.99, clusters=(58, 62)),
    Case("60 x 10, noise 1.2", 10, 1.2, 120, accuracy=0.98, clusters=(58, 62)),
    Case("60 x 10, noise 1.2", 10, 1.2, 240, accuracy=0.98, clusters=(58, 62)),
    Case("60 x 10, noise 1.6", 10, 1.6, 120, accuracy=0.90, clusters=(56, 64)),
    Case("60 x 10, noise 1.2", 10, 1.2, 60),
)
QUICK = (Case("6 x 8, noise 0.9", 8, 0.9, 12, people=6),)


def table(parts: Any, quick: bool) -> pd.DataFrame:
    """Return a row per case and method: means over the seeds."""
    if not _answer_sets.available():
        return pd.DataFrame()
    rows = []
    for seed in range(1 if quick else SEEDS):  # seed by seed: a stopped benchmark has whole tables of fewer seeds
        for case in QUICK if quick else CASES:
            for method in METHODS:
                name = f"clustering {case.name} K {case.bound} {method} seed {seed}"
                rows += parts(name, lambda case=case, seed=seed, method=method: measured(case, seed, method))
    keys = ["case", "bound", "method"]
    means = pd.DataFrame(rows).groupby(keys, sort=False).agg(
        acc=("acc", "mean"), acc_std=("acc", "std"), acc_least=("acc", "min"), nmi=("nmi", "mean"),
        found=("found", "mean"),
        found_least=("found", "min"), found_most=("found", "max"), cpu_s=("cpu_s", "mean"), wall_s=("wall_s", "mean"),
        seeds=("seed", "nunique"),
    )  # fmt: skip
    return pd.concat([means.reset_index().assign(section="clustering"), _bars(means)], ignore_index=True)


def measured(case: Case, seed: int, method: str) -> Rows:
    """Cluster one set with one method."""
    if case.noise:
        _, X, truth = _answer_sets.audiomnist(case.per_person, case.noise, seed, people=case.people)
    else:
        _, X, truth = _answer_sets.audiomnist(case.per_person, 0.0, seed)
    wall, cpu = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        partitions = METHODS[method](X, case.bound, len(np.unique(truth)), seed)
    spent = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    rows = []
    for name, labels in partitions.items():
        scores = evaluate(labels, truth)
        found = {"acc": scores["acc"], "nmi": scores["nmi"], "found": scores["n_clusters"]}
        what = {"case": case.name, "bound": case.bound, "seed": seed, "method": f"{method}{name}"}
        rows.append({**what, **found, **spent})
    return rows


def network(X: np.ndarray, bound: int, seed: int, **settings: Any) -> Partitions:
    """Return CAMSAT's partitions, alone and merged."""
    model = CAMSAT(bound, random_state=seed, **settings).fit(X)
    return {" alone": model.network_labels_, " + merge": model.merged_labels_}


def merged(X: np.ndarray, cluster: Callable[[np.ndarray], np.ndarray]) -> Partitions:
    """Return the partitions of a rival on the same components, alone and with the same merge."""
    labels = cluster(PCA(min(64, *X.shape), random_state=0).fit_transform(unit_rows(X)))
    graph = shared_neighbour_graph(X)
    return {" alone": labels, " + merge": merge_clusters(graph, part_clusters(graph, labels))}


def mixture(bound: int, seed: int) -> GaussianMixture:
    return GaussianMixture(bound, covariance_type="diag", reg_covar=1e-3, random_state=seed)


def named(X: np.ndarray, name: str, **settings: Any) -> Partitions:
    return {"": clustering.make(name, **settings).fit(X).labels_}


TUNED_IMSAT = {**SETTINGS["imsat"], "adversarial_weight": 6.0, "adversarial_length": 0.5}
"""Without positives, the adversarial term has to do all the work: more and longer than beside them."""

METHODS: dict[str, Callable[[np.ndarray, int, int, int], Partitions]] = {
    "CAMSAT": lambda X, bound, k, seed: network(X, bound, seed),
    "K-Means(K)": lambda X, bound, k, seed: merged(X, KMeans(bound, n_init=10, random_state=seed).fit_predict),
    "Ward(K)": lambda X, bound, k, seed: merged(X, AgglomerativeClustering(bound).fit_predict),
    "one cluster": lambda X, bound, k, seed: merged(X, lambda Z: np.zeros(len(Z), dtype=int)),
    "HDBSCAN": lambda X, bound, k, seed: named(X, "hdbscan", min_cluster_size=2),
    "levels": lambda X, bound, k, seed: named(X, "levels"),
    "spectral, k given": lambda X, bound, k, seed: named(X, "spectral", n_clusters=k, random_state=seed),
    "GMM(K)": lambda X, bound, k, seed: merged(X, mixture(bound, seed).fit_predict),
    "auto": lambda X, bound, k, seed: named(X, "auto"),
    "IMSAT": lambda X, bound, k, seed: network(X, bound, seed, **TUNED_IMSAT),
    "IMSAT + augmentation": lambda X, bound, k, seed: network(X, bound, seed, **SETTINGS["imsat_augmentation"]),
}
"""Every method by name, of vectors, the upper bound, the true number and a seed."""


def _bars(means: pd.DataFrame) -> pd.DataFrame:
    """Say which bars are reached."""
    rows = []
    for case in CASES:
        if (
            case.accuracy is None
            or case.clusters is None
            or (case.name, case.bound, "CAMSAT + merge") not in means.index
        ):
            continue
        own, other = (means.loc[(case.name, case.bound, f"{name} + merge")] for name in ("CAMSAT", "K-Means(K)"))
        low, high = case.clusters
        margin = 0.02 if case.noise == 1.6 else None
        reached = own["acc"] >= case.accuracy and low <= own["found_least"] and own["found_most"] <= high
        reached = reached and (margin is None or own["acc"] >= other["acc"] + margin)
        bar = f"ACC >= {case.accuracy}, {low} to {high} found in every seed"
        bar += "" if margin is None else ", 2 points above K-Means(K) + merge"
        rows.append({"section": "bars", "case": case.name, "bound": case.bound, "bar": bar, "reached": bool(reached)})
    return pd.DataFrame(rows)


DIGITS = {"unit": False, "pca": 64, "n_positives": 5, "noise": 0.3, "width": 256, "max_iter": 300}


def digits_table(parts: Any) -> pd.DataFrame:
    """MNIST pixels, 10 clusters: CAMSAT and its IMSAT setting beside K-Means; no GPU is used."""
    if not (mnist.SHARED / "datasets" / "mnist" / "mnist.npz").exists():
        return pd.DataFrame()
    rows: Rows = []
    for seed in range(int(os.environ.get("AUDIOCLUST_MNIST_SEEDS", 1))):
        rows += parts(f"digits seed {seed}", lambda seed=seed: digits(seed, 10_000))
    keys = ["case", "bound", "method"]
    means = pd.DataFrame(rows).groupby(keys, sort=False).agg(
        acc=("acc", "mean"), nmi=("nmi", "mean"), cpu_s=("cpu_s", "mean"), wall_s=("wall_s", "mean"),
        seeds=("seed", "nunique"),
    )  # fmt: skip
    return means.reset_index().assign(section="digits")


def digits(seed: int, n: int) -> Rows:
    """Cluster a sample of digits with one seed."""
    images, truth = mnist.digits(n)
    X = images.reshape(n, -1) / np.float32(255)
    rows = []
    for method, make in {
        "K-Means": lambda: KMeans(10, n_init=10, random_state=seed).fit_predict(X),
        "IMSAT": lambda: CAMSAT(10, merge=False, random_state=seed, **DIGITS, **SETTINGS["imsat"]).fit(X).labels_,
        "CAMSAT": lambda: CAMSAT(10, merge=False, random_state=seed, **DIGITS).fit(X).labels_,
    }.items():
        wall, cpu = time.perf_counter(), time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scores = evaluate(make(), truth)
        spent = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
        what = {"case": f"MNIST, {n} digits", "bound": 10, "method": method, "seed": seed}
        rows.append({**what, "acc": scores["acc"], "nmi": scores["nmi"], "found": scores["n_clusters"], **spent})
    return rows
