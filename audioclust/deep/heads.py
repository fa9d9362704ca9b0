"""Clusterings of an embedding: K-Means, and the N2D head.

N2D [1]_ learns the manifold of an autoencoder's embedding with UMAP, in as many dimensions as there are clusters, and
fits a Gaussian mixture there. Both work on vectors (n, latent) and are told k.

UMAP with min_dist 0 draws clusters as thin threads. A mixture gains likelihood without end by laying components along
a thread, and so splits one cluster and joins two others; a floor under the variances takes that gain away. It is a
share of the manifold's own mean variance, so that it means the same at any scale.

UMAP draws: with one seed a cluster may come out torn that is whole with the next. So the manifold is drawn several
times, and the runs vote: their clusters are matched with those of the run that agrees best with the others, and the
mixtures' probabilities are averaged [2]_.

References
----------
.. [1] R. McConville, R. Santos-Rodriguez, R. Piechocki, I. Craddock: N2D: (Not Too) Deep Clustering via Clustering the
   Local Manifold of an Autoencoded Embedding, ICPR 2020. UMAP with 20 neighbours, min_dist 0, n_components = k.
.. [2] A. Strehl, J. Ghosh: Cluster Ensembles, JMLR 2002. S. Dudoit, J. Fridlyand: Bagging to improve the accuracy of a
   clustering procedure, Bioinformatics 2003 (matching, then voting).
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score
from sklearn.mixture import GaussianMixture

from audioclust.clustering.compiled import umap_class

__all__ = ["HEADS", "kmeans", "n2d"]

HEADS = ("kmeans", "n2d")
VARIANCE_FLOOR = 1e-3
"""Added to the variances of the mixture, as a share of the manifold's mean variance."""


def kmeans(Z: NDArray[np.float32], k: int, *, seed: int, n_init: int = 20) -> KMeans:
    """Fit K-Means with `n_init` starts to vectors [shape=(n, d)]."""
    return KMeans(k, n_init=n_init, random_state=seed % 2**32).fit(Z)


def n2d(
    Z: NDArray[np.float32], k: int, *, seed: int, runs: int = 5, n_neighbors: int = 20, n_init: int = 5
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Cluster the manifold of an embedding.

    Parameters
    ----------
    Z : array [shape=(n, d)]
        The embedding, n > k.
    k : int
        Number of clusters.
    runs : int
        How often the manifold is drawn. 1 is the published way.
    n_neighbors : int
        Of UMAP; fewer when there are fewer vectors.
    n_init : int
        Starts of the Gaussian mixture, the likeliest is kept.

    Returns
    -------
    labels : array of int [shape=(n,)]
    manifold : array of float32 [shape=(n, min(k, n - 2))]
        Where UMAP put the vectors, in the run that agrees best with the others.

    Raises
    ------
    ValueError
        When there are fewer than 4 vectors, too few for a neighbourhood graph.
    """
    if len(Z) < 4:
        raise ValueError(f"head='n2d' with {len(Z)} images: at least 4 are needed")
    seeds = [(seed + run) % 2**32 for run in range(runs)]
    manifolds = [_manifold(Z, k, seed, n_neighbors) for seed in seeds]
    found = [_mixture(places, k, seed, n_init) for places, seed in zip(manifolds, seeds, strict=True)]
    labels, central = _vote(found)
    return labels, manifolds[central]


def _manifold(Z: NDArray[np.float32], k: int, seed: int, n_neighbors: int) -> NDArray[np.float32]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_jobs value", category=UserWarning)
        return umap_class()(
            n_components=min(k, len(Z) - 2),
            n_neighbors=min(n_neighbors, len(Z) - 1),
            min_dist=0.0,
            init="spectral" if len(Z) > k + 2 else "random",
            random_state=seed,
        ).fit_transform(Z)


def _mixture(manifold: NDArray[np.float32], k: int, seed: int, n_init: int) -> NDArray[np.float64]:
    """Return how likely each vector belongs to each Gaussian [shape=(n, k)]."""
    places = manifold.astype(np.float64)
    floor = VARIANCE_FLOOR * float(places.var(axis=0).mean()) or 1e-6
    return GaussianMixture(k, n_init=n_init, reg_covar=floor, random_state=seed).fit(places).predict_proba(places)


def _vote(found: list[NDArray[np.float64]]) -> tuple[NDArray[np.intp], int]:
    """Return the labels of the mean probabilities, and the run that the others were matched with."""
    if len(found) == 1:
        return found[0].argmax(axis=1), 0
    labels = [probabilities.argmax(axis=1) for probabilities in found]
    agreement = [[normalized_mutual_info_score(one, other) for other in labels] for one in labels]
    central = int(np.sum(agreement, axis=1).argmax())
    total = np.zeros_like(found[0])
    for probabilities in found:
        shared = found[central].T @ probabilities  # [k, k]: what a cluster of the central run has of each
        total += probabilities[:, linear_sum_assignment(-shared)[1]]
    return total.argmax(axis=1), central
