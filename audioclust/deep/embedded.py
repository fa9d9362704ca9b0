"""An autoencoder whose embedding is clustered by any clusterer of vectors, as one estimator on images.

Images X (n, height, width) become an embedding Z (n, latent), and Z becomes ``labels_`` (n,). In tables such a
clustering is called ``ae_NAME`` after the clusterer: ``ae_kmeans``, ``ae_hdbscan``, ``ae_n2d``.

References
----------
R. McConville, R. Santos-Rodriguez, R. Piechocki, I. Craddock: N2D, ICPR 2020 (the clusterer "n2d").
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import check_is_fitted

from audioclust import clustering
from audioclust.deep.autoencoder import ConvAutoencoder, fitted_autoencoder
from audioclust.deep.data import canonical, check_images
from audioclust.deep.hardware import seed_of
from audioclust.validation import check_choice, check_number

__all__ = ["Embedded"]

N2D = "n2d"
HEAD_PARAMS = ("head_on", "head_runs")


class Embedded(ClusterMixin, BaseEstimator):
    """Train an autoencoder on images and cluster its embedding.

    Parameters
    ----------
    clusterer : str
        A clusterer of vectors by its name in `clustering.available`, or "n2d" for the autoencoder's own N2D head.
    n_clusters : int, optional
        Number of clusters, at least 2, for a clusterer that is told it; "n2d" needs it.
    clusterer_params : dict, optional
        Further parameters of the clusterer; for "n2d" ``head_on`` and ``head_runs`` of :class:`ConvAutoencoder`.
    autoencoder : ConvAutoencoder, optional
        Its settings. A clone of it is trained; a fitted one is used as it is. None trains one with defaults. With its
        `folder` set, the training is kept and shared by everything that starts from the same autoencoder.
    random_state : int, numpy generator, optional
        Of the autoencoder, unless it is fitted already, and of the clusterer. None leaves the autoencoder its own.

    Attributes
    ----------
    labels_ : array of int [shape=(n,)]
        Clusters, -1 for noise where the clusterer knows noise.
    embedding_ : array of float32 [shape=(n, latent_size)]
    autoencoder_ : ConvAutoencoder
        The fitted autoencoder.
    clusterer_ : object
        The fitted clusterer; with "n2d" the autoencoder that holds the head.
    history_ : DataFrame
        Mean losses per epoch of the autoencoder.

    Examples
    --------
    >>> import numpy as np
    >>> from audioclust.deep import ConvAutoencoder, Embedded
    >>> images = np.zeros((20, 8, 8))
    >>> images[:10, :4] = 1                                     # ten images are bright above, ten below
    >>> images[10:, 4:] = 1
    >>> images += np.random.default_rng(0).normal(0, 0.1, images.shape)
    >>> small = ConvAutoencoder(latent_size=2, channels=(4, 4, 4), epochs=60, learning_rate=0.01)
    >>> model = Embedded("agglomerative", n_clusters=2, autoencoder=small, random_state=0).fit(images)
    >>> len(set(model.labels_[:10])), len(set(model.labels_[10:])), len(set(model.labels_))
    (1, 1, 2)
    """

    def __init__(
        self,
        clusterer: str = "kmeans",
        *,
        n_clusters: int | None = None,
        clusterer_params: Mapping[str, Any] | None = None,
        autoencoder: ConvAutoencoder | None = None,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
    ) -> None:
        self.clusterer = clusterer
        self.n_clusters = n_clusters
        self.clusterer_params = clusterer_params
        self.autoencoder = autoencoder
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Train the autoencoder and cluster its embedding.

        Parameters
        ----------
        X : array [shape=(n, height, width) or (n, 1, height, width)]
            As for :meth:`ConvAutoencoder.fit`.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError
            When a parameter or an image cannot be used.
        """
        images = check_images(X, least=2)
        n = len(images)
        self._check(n)
        seed = None if self.random_state is None else seed_of(self.random_state)
        clusterer = None if self.clusterer == N2D else self._vector_clusterer(seed)
        network = fitted_autoencoder(self.autoencoder, images, n_clusters=None, random_state=seed)
        self.autoencoder_ = network
        self.embedding_ = network.transform(images) if network is self.autoencoder else network.embedding_
        self.history_ = network.history_
        if clusterer is None:
            head = {"n_clusters": self.n_clusters, "head": N2D, **(self.clusterer_params or {})}
            self.clusterer_ = copy.copy(network).set_params(**head).cluster(images)
            self.labels_ = self.clusterer_.labels_
        else:
            order, _ = canonical(images)
            self.clusterer_ = clusterer.fit(self.embedding_[order])
            self.labels_ = np.empty(n, dtype=np.intp)
            self.labels_[order] = self.clusterer_.labels_
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Embed images, as :meth:`ConvAutoencoder.transform` does [shape=(n, latent_size)]."""
        check_is_fitted(self, "autoencoder_")
        return self.autoencoder_.transform(X)

    def _check(self, n: int) -> None:
        check_choice("clusterer", self.clusterer, (*clustering.available(), N2D))
        if self.n_clusters is not None or self.clusterer == N2D:
            check_number("n_clusters", self.n_clusters, 2, n, whole=True)
        given = set(self.clusterer_params or {})
        unknown = sorted(given - set(HEAD_PARAMS)) if self.clusterer == N2D else []
        if unknown:
            raise ValueError(f"clusterer_params has {', '.join(unknown)}: 'n2d' takes {', '.join(HEAD_PARAMS)}")

    def _vector_clusterer(self, seed: int | None) -> Any:
        """Make the clusterer; the number of clusters and the seed go to those that take them."""
        usual = {"n_clusters": self.n_clusters, "random_state": seed}
        takes = clustering.parameters(self.clusterer)
        usual = {name: value for name, value in usual.items() if name in takes and value is not None}
        return clustering.make(self.clusterer, **{**usual, **(self.clusterer_params or {})})
