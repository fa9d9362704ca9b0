"""MNIST: does the deep clustering reach what was published for it?

A seeded sample of 10 000 digits, or all 70 000 where there is a GPU; several seeds. One autoencoder per seed serves
three rows: K-Means on its embedding, DCEC from it, and the N2D head on it. `ours_s` is what training and clustering
took for a row; a benchmark that was interrupted goes on from `checkpoints/mnist`. `reference` is the figure published
for the full set.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone

from audioclust.deep import DCEC, ConvAutoencoder
from audioclust.evaluation import evaluate

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("AUDIOCLUST_SHARED", ROOT.parent / "shared"))
PUBLISHED = {
    "AE + K-Means": "autoencoder + K-Means: ACC .760, NMI .669",
    "AE + N2D": "N2D: ACC .979",
    "DCEC": "DCEC: ACC .890, NMI .885",
}
EPOCHS = 100
MAX_ITER = 2800  # of DCEC on 10 000 digits: 70 passes
SHIFT = 0.07  # 2 of 28 pixels, in DCEC only


def run(quick: bool) -> pd.DataFrame:
    """Cluster with every seed; `AUDIOCLUST_MNIST_SEEDS` sets how many (3, or 5 where there is a GPU)."""
    gpu = torch.cuda.is_available()
    full = (70_000, EPOCHS, 20_000) if gpu else (10_000, EPOCHS, MAX_ITER)
    n, epochs, max_iter = (500, 2, 280) if quick else full
    seeds = 1 if quick else int(os.environ.get("AUDIOCLUST_MNIST_SEEDS", 5 if gpu else 3))
    X, truth = digits(n)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) if quick else ROOT / "checkpoints" / "mnist"
        found = [row for seed in range(seeds) for row in clusterings(X, truth, seed, epochs, max_iter, folder)]
    rows = []
    for what, part in pd.DataFrame(found).groupby("what", sort=False):
        row = {"what": f"{what}, {n} digits", "seeds": seeds, "device": "gpu" if gpu else "cpu"}
        for score in ("acc", "nmi"):
            row |= {score: part[score].mean(), f"{score}_std": part[score].std(ddof=0)}
            row[f"{score}_by_seed"] = " ".join(f"{value:.3f}" for value in part[score])
        row |= {"ours_s": part["seconds"].mean(), "reference": PUBLISHED[what], "reference_s": np.nan, "ratio": np.nan}
        rows.append(row)
    return pd.DataFrame(rows)


def digits(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images (n, 28, 28) uint8 and labels: a seeded sample of training and test set together."""
    path = SHARED / "datasets" / "mnist" / "mnist.npz"
    if not path.exists():
        raise FileNotFoundError(f"no {path}: set AUDIOCLUST_SHARED to the folder that holds datasets/mnist/mnist.npz")
    with np.load(path, allow_pickle=False) as arrays:
        X = np.concatenate([arrays["x_train"], arrays["x_test"]])
        truth = np.concatenate([arrays["y_train"], arrays["y_test"]])
    chosen = np.random.default_rng(0).permutation(len(X))[:n]
    return X[chosen], truth[chosen]


def clusterings(
    X: np.ndarray, truth: np.ndarray, seed: int, epochs: int, max_iter: int, folder: Path
) -> list[dict[str, object]]:
    """Cluster with one seed in the three ways, and score."""
    shared = {"n_clusters": 10, "random_state": seed, "folder": folder}
    autoencoder = ConvAutoencoder(epochs=epochs, **shared).fit(X)
    start = time.perf_counter()
    n2d = clone(autoencoder).set_params(head="n2d", head_on="convolutions").fit(X)
    manifold_s = time.perf_counter() - start
    dcec = DCEC(autoencoder=autoencoder, max_iter=max_iter, shift=SHIFT, **shared).fit(X)
    pretraining, training = autoencoder.history_["seconds"].sum(), dcec.history_["seconds"].sum()
    found = {
        "AE + K-Means": (autoencoder.labels_, pretraining),
        "AE + N2D": (n2d.labels_, pretraining + manifold_s),
        "DCEC": (dcec.labels_, pretraining + training),
    }
    rows = []
    for what, (labels, seconds) in found.items():
        scores = evaluate(labels, truth)
        rows.append({"what": what, "seconds": seconds, "acc": scores["acc"], "nmi": scores["nmi"]})
    return rows
