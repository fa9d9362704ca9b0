"""A convolutional autoencoder with scikit-learn's interface, and the clustering of what it learns.

It learns to rebuild images (n, height, width) from an embedding (n, latent_size). With `n_clusters` it also clusters
the embedding, by K-Means or by the N2D head.

References
----------
X. Guo, X. Liu, E. Zhu, J. Yin: Deep Clustering with Convolutional Autoencoders, ICONIP 2017.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClusterMixin, clone
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances_argmin
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_is_fitted

from audioclust.deep import heads
from audioclust.deep.base import ImageEstimator
from audioclust.deep.data import SCALES, Scaling, canonical, check_images
from audioclust.deep.hardware import seed_of
from audioclust.deep.image_module import Reconstruction
from audioclust.deep.networks import ConvNetwork
from audioclust.deep.parameters import check_augmentation, check_network, check_training, usual_training
from audioclust.deep.training import SCHEDULES, Training, fitting_epochs
from audioclust.validation import DegenerateClusteringWarning, check_choice, check_number

__all__ = ["ConvAutoencoder", "PoorReconstructionWarning", "fitted_autoencoder"]

COMPONENTS = 50
"""Principal components of what the second convolution makes of the images, where the head works on that."""
COMPONENTS_FROM = 5000
"""Images that they are computed from, at most, so that memory does not grow with the number of images."""


EXPLAINED_FROM = 2000
"""Images that the explained variance is computed from, at most."""
POOR = 0.2
"""Share of the variance below which a reconstruction is hardly better than the mean image."""


class PoorReconstructionWarning(DegenerateClusteringWarning):
    """An autoencoder rebuilds its images hardly better than their mean image does."""


class ConvAutoencoder(ClusterMixin, ImageEstimator):
    """Convolutional autoencoder.

    Parameters
    ----------
    latent_size : int
        Length of the embedding.
    activation : {"relu", "gelu", "elu", "leaky_relu"}
        Of every layer but the embedding and the output.
    channels : tuple of 3 int
        Filters of the three convolutions.
    epochs : int, optional
        Passes over the images; None makes as many as give 1000 steps, 100 at least.
    batch_size : int, optional
        Images per step; None takes an eighth of the images, from 32 to 256.
    learning_rate : float
        Of Adam.
    schedule : {"cosine", "constant"}
        Whether the learning rate falls to nothing along a half cosine, or stays (as published).
    scale : {"range", "standard", "pixel"}
        How images are scaled, alike for the whole data set: to 0..1, to mean 0 and variance 1, or to mean 0 and
        variance 1 of every pixel over the images, so that quiet bands count as much as loud ones.
    shift, time_mask, frequency_mask : float in [0, 0.5]
        Augmentation of the training images as shares of a side, see `data.Augmentation`.
    n_clusters : int, optional
        Cluster the embedding into this many; None only learns it.
    head : {"kmeans", "n2d"}
        How: K-Means with 20 starts, or UMAP and a Gaussian mixture.
    head_on : {"embedding", "convolutions"}
        With ``head="n2d"``: what it clusters. The embedding is the published way. What the second convolution makes of
        an image, at length one and as its first 50 principal components, has not been through the bottleneck, which
        keeps what rebuilds an image rather than what tells it from others.
    head_runs : int
        With ``head="n2d"``: how many times the manifold is drawn; the runs vote. 1 is the published way.
    random_state : int, numpy generator, optional
        Decides everything that is drawn. Only with a number can an interrupted training be taken up again.
    device : {"auto", "cpu", "cuda"}
        "auto" takes a GPU where there is one.
    precision : {"auto", "float32", "bfloat16"}
        Of the convolutions in training; "auto" is bfloat16 where the processor computes in it. Embeddings are always
        computed in float32.
    folder : path, optional
        Where checkpoints go, under a name made from the data and the settings. A training that is found there
        complete is not done again; one that was interrupted goes on.
    checkpoint_every : int
        Epochs between two checkpoints.
    tensorboard : bool
        Also write a TensorBoard log into the folder.

    Attributes
    ----------
    embedding_ : array of float32 [shape=(n, latent_size)]
        Of the fitted images, in their order.
    labels_ : array of int [shape=(n,)]
        Clusters; only with `n_clusters`.
    cluster_centers_ : array [shape=(n_clusters, latent_size)]
        Only with ``head="kmeans"``.
    explained_ : float, at most 1
        Share of the variance about the mean image that the reconstruction explains; NaN where all images are equal.
    history_ : DataFrame
        Mean losses per epoch.
    network_ : ConvNetwork
        The trained torch module, on the CPU.
    hardware_ : Hardware
        Device, precision and number of threads of the training.
    folder_ : Path or None
        Where this training's checkpoint lies.

    Warns
    -----
    PoorReconstructionWarning
        When the reconstruction is hardly better than the mean image, so that the embedding says little.

    Examples
    --------
    >>> import numpy as np
    >>> from audioclust.deep import ConvAutoencoder
    >>> images = np.zeros((40, 8, 8))
    >>> images[:20, :4] = 1                                     # twenty images are bright above, twenty below
    >>> images[20:, 4:] = 1
    >>> model = ConvAutoencoder(latent_size=2, channels=(4, 4, 4), epochs=60, learning_rate=0.01, random_state=0)
    >>> embedding = model.fit_transform(images)
    >>> embedding.shape
    (40, 2)
    >>> model.explained_ > 0.9
    True
    """

    _network_class = ConvNetwork
    _fitted = ("embedding_", "labels_", "cluster_centers_", "explained_")
    _after = ("n_clusters", "head", "head_on", "head_runs")

    def __init__(
        self,
        *,
        latent_size: int = 10,
        activation: str = "relu",
        channels: tuple[int, int, int] = (32, 64, 128),
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float = 1e-3,
        schedule: str = "cosine",
        scale: str = "range",
        shift: float = 0.0,
        time_mask: float = 0.0,
        frequency_mask: float = 0.0,
        n_clusters: int | None = None,
        head: str = "kmeans",
        head_on: str = "embedding",
        head_runs: int = 5,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        device: str = "auto",
        precision: str = "auto",
        folder: str | Path | None = None,
        checkpoint_every: int = 10,
        tensorboard: bool = False,
    ) -> None:
        self.latent_size = latent_size
        self.activation = activation
        self.channels = channels
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.scale = scale
        self.shift = shift
        self.time_mask = time_mask
        self.frequency_mask = frequency_mask
        self.n_clusters = n_clusters
        self.head = head
        self.head_on = head_on
        self.head_runs = head_runs
        self.random_state = random_state
        self.device = device
        self.precision = precision
        self.folder = folder
        self.checkpoint_every = checkpoint_every
        self.tensorboard = tensorboard

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Learn to rebuild the images, and cluster their embedding if `n_clusters` is given.

        Parameters
        ----------
        X : array [shape=(n, height, width) or (n, 1, height, width)]
            Finite numbers, uint8 or floating; at least two images.
        y : ignored
            There for scikit-learn's interface.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            When a parameter or an image cannot be used.
        """
        images = self._check_rows(X, least=2, fitted=False)
        self._check(len(images))
        permutation, seed = self._learn(images)
        self.explained_ = self._explained(images[permutation[:EXPLAINED_FROM]])
        if self.explained_ < POOR:
            told = f"the reconstruction explains {max(0.0, self.explained_):.0%} of the variance about the mean image"
            advice = "train longer (epochs), in smaller batches, or with another scale or learning_rate"
            warnings.warn(f"ConvAutoencoder: {told}; {advice}", PoorReconstructionWarning, stacklevel=2)
        return self if self.n_clusters is None else self._cluster(images, permutation, seed)

    def cluster(self, X: ArrayLike) -> Self:
        """Cluster images with the fitted network as `n_clusters` and `head` say now; nothing is trained.

        Raises
        ------
        ValueError
            When a parameter or an image cannot be used.
        """
        check_is_fitted(self, "network_")
        images = self._check_rows(X, least=2)
        self._check(len(images))
        check_number("n_clusters", self.n_clusters, 2, len(images), whole=True)
        self._forget()
        self.embedding_ = self.transform(images)
        return self._cluster(images, canonical(images)[0], seed_of(self.random_state))

    def fit_predict(self, X: ArrayLike, y: Any = None) -> NDArray[np.intp]:
        """Fit, and return the clusters of the images [shape=(n,)].

        Raises
        ------
        ValueError
            As :meth:`fit`, and when `n_clusters` is None.
        """
        if self.n_clusters is None:
            raise ValueError("n_clusters=None: give a number of clusters to predict any")
        return self.fit(X).labels_

    def predict(self, X: ArrayLike) -> NDArray[np.intp]:
        """Find the clusters of new images [shape=(n,)]: the nearest centre, or the majority of the five nearest fitted
        images where the head has no centres.

        Raises
        ------
        ValueError
            As :meth:`transform`, and when fitted without `n_clusters`.
        """
        check_is_fitted(self, "network_")
        if not hasattr(self, "labels_"):
            raise ValueError("n_clusters=None: fitted without clusters, there is nothing to predict")
        Z = self.transform(X)
        if hasattr(self, "cluster_centers_"):
            return pairwise_distances_argmin(Z, self.cluster_centers_).astype(np.intp)
        nearest = KNeighborsClassifier(min(5, len(self.labels_))).fit(self.embedding_, self.labels_)
        return nearest.predict(Z).astype(np.intp)

    def _check(self, n: int) -> None:
        check_network(self)
        check_training(self)
        check_augmentation(self)
        if self.epochs is not None:
            check_number("epochs", self.epochs, 1, whole=True)
        check_choice("scale", self.scale, SCALES)
        check_choice("schedule", self.schedule, SCHEDULES)
        check_choice("head", self.head, heads.HEADS)
        check_choice("head_on", self.head_on, ("embedding", "convolutions"))
        check_number("head_runs", self.head_runs, 1, whole=True)
        if self.n_clusters is not None:
            check_number("n_clusters", self.n_clusters, 2, n, whole=True)

    def _settings(self) -> dict[str, Any]:
        return {"latent_size": self.latent_size, "channels": self.channels, "activation": self.activation}

    def _training(self, n: int) -> Training:
        how = usual_training(self, n, epochs=1, steps=1, schedule=self.schedule)
        epochs = fitting_epochs(n, how.batch_size) if self.epochs is None else self.epochs
        return replace(how, epochs=epochs, steps=-(-n // how.batch_size))

    def _module(self, data: np.ndarray, training: Training) -> Reconstruction:
        self.scaling_ = Scaling.of(data, self.scale)
        network, changes = self._new_network(training.seed), check_augmentation(self)
        return Reconstruction(network, data, training, scaling=self.scaling_, augmentation=changes)

    def _explained(self, images: np.ndarray) -> float:
        """Return the share of the images' variance about their mean image that the reconstruction explains."""
        real = images.astype(np.float64)
        total = np.square(real - real.mean(axis=0)).sum()
        missed = np.square(real - self.reconstruct(images)).sum()
        return float(1 - missed / total) if total > 0 else float("nan")

    def _cluster(self, images: np.ndarray, permutation: NDArray[np.intp], seed: int) -> Self:
        """Cluster the embedding, rows in canonical order so that the caller's does not matter."""
        assert self.n_clusters is not None
        Z = self.embedding_[permutation]
        if self.head == "kmeans":
            found = heads.kmeans(Z, self.n_clusters, seed=seed)
            labels, self.cluster_centers_ = found.labels_, found.cluster_centers_
        else:
            if self.head_on == "convolutions":
                Z = self._convolved(images[permutation], seed)
            labels, _ = heads.n2d(Z, self.n_clusters, seed=seed, runs=self.head_runs)
        self.labels_ = np.empty(len(labels), dtype=np.intp)
        self.labels_[permutation] = labels
        return self

    def _convolved(self, images: np.ndarray, seed: int) -> NDArray[np.float32]:
        """Return what the second convolution makes of images [shape=(n, at most 50)]: see `head_on`."""

        def shapes(some: np.ndarray) -> Iterator[NDArray[np.float32]]:
            return (normalize(block) for block in self._passed(self.network_.convolutions, some))

        sample = images[np.random.default_rng(seed).permutation(len(images))[:COMPONENTS_FROM]]
        found = np.concatenate(list(shapes(sample)))
        pca = PCA(min(COMPONENTS, *found.shape), svd_solver="randomized", random_state=seed % 2**32).fit(found)
        return np.concatenate([pca.transform(block) for block in shapes(images)]).astype(np.float32)


def fitted_autoencoder(template: ConvAutoencoder | None, images: np.ndarray, **params: Any) -> ConvAutoencoder:
    """Return the autoencoder that a clustering starts from; `template` itself is never changed.

    Parameters
    ----------
    template : ConvAutoencoder or None
        A fitted one is returned as it is; of another a clone is fitted; None fits one with defaults.
    images : array [shape=(n, height, width)]
        As `check_images` returns them.
    **params
        Set on the one that is fitted. A `random_state` of None leaves the template its own.

    Raises
    ------
    ValueError
        When `template` is something else, or was fitted to images of another size.
    """
    if template is None:
        return ConvAutoencoder(**params).fit(images)
    if not isinstance(template, ConvAutoencoder):
        raise ValueError(f"autoencoder={template!r}: give a ConvAutoencoder or None")
    if hasattr(template, "network_"):
        check_images(images, size=template.image_size_)
        return template
    if params.get("random_state") is None:
        params.pop("random_state", None)
    return clone(template).set_params(**params).fit(images)
