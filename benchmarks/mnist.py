"""MNIST: does the deep clustering reach what was published for it?

A seeded sample of 10 000 digits, or all 70 000 and five seeds where there is a GPU. One autoencoder per seed serves three
rows: K-Means on its embedding, DCEC from it, and the N2D head on it. `reference` is the published figure for the full set.
Training is resumed from `checkpoints/mnist` if it was interrupted; the seconds are those that training took.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd

from audioclust.deep import DCEC, ConvAutoencoder
from audioclust.evaluation import evaluate

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("AUDIOCLUST_SHARED", ROOT.parent / "shared"))
PUBLISHED = {"AE + K-Means": "ACC .760 NMI .669 (AEC)", "DCEC": "ACC .890 NMI .885", "AE + N2D": "ACC .979"}

logger = logging.getLogger(__name__)


def digits(n: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return images (n, 28, 28) uint8 and labels of a seeded sample, or of all 70 000."""
    path = SHARED / "datasets" / "mnist" / "mnist.npz"
    if not path.exists():
        raise FileNotFoundError(f"no {path}: set AUDIOCLUST_SHARED to the folder that holds datasets/mnist/mnist.npz")
    with np.load(path, allow_pickle=False) as arrays:
        X = np.concatenate([arrays["x_train"], arrays["x_test"]])
        y = np.concatenate([arrays["y_train"], arrays["y_test"]])
    chosen = np.random.default_rng(0).permutation(len(X))[:n]
    return X[chosen], y[chosen]


def clusterings(X: np.ndarray, y: np.ndarray, seed: int, *, epochs: int, max_iter: int) -> list[dict[str, object]]:
    """Cluster with one seed in the three ways, and score."""
    folder = ROOT / "checkpoints" / "mnist"
    shared = {"n_clusters": 10, "random_state": seed, "folder": folder}
    autoencoder = ConvAutoencoder(epochs=epochs, **shared).fit(X)
    dcec = DCEC(autoencoder=autoencoder, max_iter=max_iter, shift=SHIFT, **shared).fit(X)
    start = time.perf_counter()
    n2d = ConvAutoencoder(epochs=epochs, head="n2d", **shared).fit(X)
    head_s = time.perf_counter() - start
    pretraining, training = autoencoder.history_["seconds"].sum(), dcec.history_["seconds"].sum()
    found = {
        "AE + K-Means": (autoencoder.labels_, pretraining),
        "DCEC": (dcec.labels_, pretraining + training),
        "AE + N2D": (n2d.labels_, pretraining + head_s),
    }
    rows = []
    for what, (labels, seconds) in found.items():
        scores = evaluate(labels, y)
        rows.append(
            {"what": what, "seed": seed, "n": len(X), "acc": scores["acc"], "nmi": scores["nmi"], "ours_s": seconds}
        )
    return rows
