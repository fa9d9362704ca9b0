"""Clusterings of an embedding: K-Means, and the N2D head.

N2D [1]_ learns the manifold of an autoencoder's embedding with UMAP, in as many dimensions as there are clusters, and
fits a Gaussian mixture there. Both work on vectors (n, latent) and are told k.

UMAP with min_dist 0 draws clusters as thin threads. A mixture gains likelihood without end by laying components along
a thread, and so splits one cluster and joins two others; a floor under the variances takes that gain away. It is a
share of the manifold's own mean variance, so that it means the same at any scale.

References
----------
.. [1] R. McConville, R. Santos-Rodriguez, R. Piechocki, I. Craddock: N2D: (Not Too) Deep Clustering via Clustering the
   Local Manifold of an Autoencoded Embedding, ICPR 2020. UMAP with 20 neighbours, min_dist 0, n_components = k.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

__all__ = ["HEADS", "kmeans", "n2d"]

HEADS = ("kmeans", "n2d")
VARIANCE_FLOOR = 1e-3
"""Added to the variances of the mixture, as a share of the manifold's mean variance."""


def kmeans(Z: NDArray[np.float32], k: int, *, seed: int, n_init: int = 20) -> KMeans:
    """Fit K-Means with `n_init` starts to vectors [shape=(n, d)]."""
    return KMeans(k, n_init=n_init, random_state=seed % 2**32).fit(Z)


def n2d(
    Z: NDArray[np.float32], k: int, *, seed: int, n_neighbors: int = 20, n_init: int = 5
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Cluster the manifold of an embedding.

    Parameters
    ----------
    Z : array [shape=(n, d)]
        The embedding, n > k.
    k : int
        Number of clusters.
    n_neighbors : int
        Of UMAP; fewer when there are fewer vectors.
    n_init : int
        Starts of the Gaussian mixture, the likeliest is kept.

    Returns
    -------
    labels : array of int [shape=(n,)]
    manifold : array of float32 [shape=(n, min(k, n - 2))]
        Where UMAP put the vectors.

    Raises
    ------
    ValueError
        When there are fewer than 4 vectors, too few for a neighbourhood graph.
    """
    if len(Z) < 4:
        raise ValueError(f"head='n2d' with {len(Z)} images: at least 4 are needed")
    import umap

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_jobs value", category=UserWarning)
        manifold = umap.UMAP(
            n_components=min(k, len(Z) - 2),
            n_neighbors=min(n_neighbors, len(Z) - 1),
            min_dist=0.0,
            init="spectral" if len(Z) > k + 2 else "random",
            random_state=seed % 2**32,
        ).fit_transform(Z)
    places = manifold.astype(np.float64)
    floor = VARIANCE_FLOOR * float(places.var(axis=0).mean()) or 1e-6
    mixture = GaussianMixture(k, n_init=n_init, reg_covar=floor, random_state=seed % 2**32)
    return mixture.fit_predict(places).astype(np.intp), manifold.astype(np.float32)
