"""UMAP, then HDBSCAN: density clustering in a few dimensions that keep neighbours together.

In hundreds of noisy dimensions all distances are alike and density means little; a neighbour graph still tells who
belongs to whom. UMAP lays that graph out in a few dimensions, where density is meaningful again. The price: distances
in the layout are not distances of the vectors any more, and it can show gaps that the vectors do not have.

References
----------
McInnes, Healy, Melville: UMAP: Uniform manifold approximation and projection (2018).
Zheng et al.: Reformulating speaker diarization as community detection with emphasis on topological structure (2022).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audioclust.clustering.base import OrderedClusterer
from audioclust.clustering.compiled import umap_class
from audioclust.clustering.hdbscan import HDBSCAN
from audioclust.geometry import unit_rows
from audioclust.validation import check_number, check_seed

__all__ = ["UMAPHDBSCAN"]


class UMAPHDBSCAN(OrderedClusterer):
    """HDBSCAN on a UMAP layout of the vectors' directions.

    Parameters
    ----------
    min_cluster_size : int >= 2
        See :class:`audioclust.clustering.hdbscan.HDBSCAN`.
    min_samples : int >= 1, optional
        As there.
    n_neighbors : int >= 2
        Neighbours in UMAP's graph.
    n_components : int >= 1
        Dimensions of the layout.
    random_state : int, RandomState instance or None
        Seed of the layout; with a seed UMAP works on one thread.

    Attributes
    ----------
    labels_ : array of int [shape=(n,)]
        Cluster of each recording, -1 for noise.
    embedding_ : array [shape=(n, n_components)]
        The layout.

    Notes
    -----
    UMAP's layout depends on the order of the rows and on the machine's arithmetic. Rows are sorted by their values
    first, so that the order of the files has no influence; between machines the layout may differ for one seed.

    Examples
    --------
    >>> from audioclust.clustering.speakers.umap_hdbscan import UMAPHDBSCAN
    >>> rng = np.random.default_rng(0)
    >>> voices = np.repeat(np.eye(3, 16), 5, axis=0)
    >>> len(set(UMAPHDBSCAN(n_components=14).fit_predict(voices + 0.05 * rng.standard_normal((15, 16)))))
    3
    """

    def __init__(
        self,
        min_cluster_size: int = 4,
        *,
        min_samples: int | None = None,
        n_neighbors: int = 10,
        n_components: int = 16,
        random_state: Any = 0,
    ) -> None:
        self.min_cluster_size = min_cluster_size
        self.min_samples = min_samples
        self.n_neighbors = n_neighbors
        self.n_components = n_components
        self.random_state = random_state

    def _cluster(self, X: NDArray[np.float64]) -> NDArray[np.intp]:
        for name, least in (("n_neighbors", 2), ("n_components", 1)):
            check_number(name, getattr(self, name), least, whole=True)
        random_state = check_seed(self.random_state)
        finder = HDBSCAN(self.min_cluster_size, min_samples=self.min_samples)
        layout = self._layout(unit_rows(X, zero="warn"), random_state)
        self.embedding_ = np.empty_like(layout)
        self.embedding_[self._order] = layout
        return finder.fit_quietly(layout.astype(np.float64))

    def _layout(self, X: NDArray[np.float64], random_state: np.random.RandomState) -> NDArray[np.float32]:
        n = len(X)
        if n <= self.n_components + 2 or n <= 4:  # too few rows for a layout of that many dimensions
            return X.astype(np.float32)
        seed = int(random_state.randint(2**31 - 1))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*n_jobs value.*")
            warnings.filterwarnings("ignore", message=".*Spectral initialisation failed.*")
            warnings.filterwarnings("ignore", message=".*Graph is not fully connected.*")
            return umap_class()(
                n_neighbors=min(self.n_neighbors, n - 1),
                n_components=self.n_components,
                metric="cosine",
                min_dist=0.0,
                random_state=seed,
            ).fit_transform(X)
