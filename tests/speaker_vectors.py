"""Synthetic speaker vectors for the tests of what works on them."""

import numpy as np
from scipy.optimize import linear_sum_assignment


def speakers(sizes, d=64, noise=0.8, seed=0, shuffle=True):
    """Unit vectors of len(sizes) speakers with the given recordings each, and who speaks."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((len(sizes), d))
    centres /= np.linalg.norm(centres, axis=1)[:, None]
    truth = np.repeat(np.arange(len(sizes)), sizes)
    X = centres[truth] + noise / np.sqrt(d) * rng.standard_normal((len(truth), d))
    X /= np.linalg.norm(X, axis=1)[:, None]
    order = rng.permutation(len(truth)) if shuffle else np.arange(len(truth))
    return X[order], truth[order]


def accuracy(truth, labels):
    """Share of recordings in the right cluster under the best one-to-one matching; noise counts as wrong."""
    labels = np.asarray(labels)
    table = np.zeros((truth.max() + 1, max(labels.max(), 0) + 1), dtype=int)
    np.add.at(table, (truth[labels >= 0], labels[labels >= 0]), 1)
    rows, columns = linear_sum_assignment(-table)
    return table[rows, columns].sum() / len(truth)


def audiomnist(shared):
    """ECAPA vectors of 60 people, 50 each, scaled to length 1, and who speaks."""
    folder = shared / "datasets" / "audiomnist_ecapa"
    X = np.load(folder / "embeddings.npy", allow_pickle=False).astype(np.float64)
    names = (folder / "filenames.txt").read_text().split()
    return X / np.linalg.norm(X, axis=1)[:, None], np.array([int(name[:2]) - 1 for name in names])
