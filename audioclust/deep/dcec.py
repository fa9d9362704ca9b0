"""Deep convolutional embedded clustering (DCEC): an autoencoder whose embedding learns to be clustered.

With embeddings z (n, latent) and centres mu (k, latent), image i belongs to cluster j with the Student-t weight q_ij;
the target p sharpens q and evens the clusters out. Every `update_interval` steps p is computed over all images and then
held constant; a step lowers ``reconstruction + gamma * KL(p || q)`` (KL summed over clusters, mean over images;
reconstruction mean over pixels) by Adam, moving network and centres.

References
----------
.. [1] X. Guo, X. Liu, E. Zhu, J. Yin: Deep Clustering with Convolutional Autoencoders, ICONIP 2017, equations 4 to 9.
.. [2] J. Xie, R. Girshick, A. Farhadi: Unsupervised Deep Embedding for Clustering Analysis, ICML 2016.
"""

from __future__ import annotations

import copy
import hashlib
import warnings
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClusterMixin
from sklearn.utils.validation import check_is_fitted

from audioclust.deep import heads
from audioclust.deep.autoencoder import ConvAutoencoder, fitted_autoencoder
from audioclust.deep.base import ImageEstimator
from audioclust.deep.data import canonical
from audioclust.deep.hardware import seed_of
from audioclust.deep.image_module import Reconstruction
from audioclust.deep.module import BatchModule
from audioclust.deep.networks import ConvNetwork
from audioclust.deep.parameters import check_augmentation, check_training, usual_training
from audioclust.deep.training import Training
from audioclust.evaluation.degenerate import ClusterCollapseWarning, collapse
from audioclust.validation import check_number

__all__ = ["DCEC", "divergence", "student_t", "target_distribution"]


def student_t(z: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """Return the soft assignment q [shape=(n, k)], rows summing to 1: equation 4 of [1]_, one degree of freedom."""
    q = 1.0 / (1.0 + (z.unsqueeze(1) - centres).square().sum(2))
    return q / q.sum(1, keepdim=True)


def target_distribution(q: torch.Tensor) -> torch.Tensor:
    """Return the target p [shape=(n, k)] of a soft assignment over *all* images: equation 5 of [1]_.

    It is a constant: no gradient flows through it.
    """
    q = q.detach()
    weight = q.square() / q.sum(0)
    return weight / weight.sum(1, keepdim=True)


def divergence(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Return KL(p || q) in nats, summed over clusters and averaged over images; 0 log 0 counts as 0."""
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(1).mean()


class _Clustering(Reconstruction):
    """An epoch is the stretch between two updates of the target."""

    def __init__(self, *args: Any, centres: np.ndarray, gamma: float, tol: float, **more: Any) -> None:
        super().__init__(*args, **more)
        self.centres = torch.nn.Parameter(torch.as_tensor(centres, dtype=torch.float32))
        self.gamma = gamma
        self.tol = tol
        self.collapsed: str | None = None
        self.labels: torch.Tensor
        self.target: torch.Tensor
        self.good: dict[str, torch.Tensor]

    def on_train_start(self) -> None:
        super().on_train_start()
        self._update()

    def embedding_losses(self, embedding: torch.Tensor, index: torch.Tensor) -> dict[str, torch.Tensor]:
        q = student_t(embedding, self.centres)
        return {"clustering": self.gamma * divergence(self.target[index.to(self.device)], q)}

    def end_epoch(self) -> dict[str, float]:
        """Look at all images, renew the target, and stop when the labels have settled or the clusters collapse."""
        row = super().end_epoch()
        before, good = self.labels, self.good
        self._update()
        changed = float((self.labels != before).float().mean())
        sizes = torch.bincount(self.labels, minlength=len(self.centres))
        row |= {"changed": changed, "smallest": float(sizes.min()), "largest": float(sizes.max())}
        self.collapsed = collapse(self.labels.cpu().numpy(), len(self.centres))
        if self.collapsed:
            self.load_state_dict(good)
            self.labels = before
        if self.collapsed or changed < self.tol:
            self.trainer.should_stop = True
        return row

    @torch.no_grad()
    def _update(self) -> None:
        q = student_t(self.embed(), self.centres)
        self.target = target_distribution(q)
        self.labels = q.argmax(1)
        self.good = {name: value.clone() for name, value in self.state_dict().items()}


class DCEC(ClusterMixin, ImageEstimator):
    """Deep convolutional embedded clustering.

    Parameters
    ----------
    n_clusters : int
        Number of clusters, at least 2.
    autoencoder : ConvAutoencoder, optional
        Where to start from. A fitted one is copied and stays as it is; of another a clone is fitted first, with this
        `random_state` where one is given; None fits one with defaults. Its scaling and network are used.
    gamma : float
        Weight of the clustering loss.
    update_interval : int
        Steps (batches) between two updates of the target distribution.
    tol : float
        Stop when fewer than this share of the images changed cluster between two updates.
    max_iter : int
        The most steps; rounded up to whole intervals.
    n_init : int
        Starts of the K-Means that gives the first centres.
    batch_size, learning_rate, shift, time_mask, frequency_mask
        As of :class:`ConvAutoencoder`, for the clustering stage. The target always comes from unchanged images.
    random_state, device, precision, folder, checkpoint_every, tensorboard
        As of :class:`ConvAutoencoder`; `checkpoint_every` counts updates. They also hold for an autoencoder that is
        None.

    Attributes
    ----------
    labels_ : array of int [shape=(n,)]
        The likeliest cluster of each fitted image.
    probabilities_ : array of float32 [shape=(n, n_clusters)]
        Soft assignment q.
    initial_labels_ : array of int [shape=(n,)]
        What K-Means found on the autoencoder's embedding, before this training.
    cluster_centers_ : array of float32 [shape=(n_clusters, latent_size)]
    embedding_ : array of float32 [shape=(n, latent_size)]
    history_ : DataFrame
        A row per update: mean losses, share of changed labels, sizes of the smallest and the largest cluster.
    n_iter_ : int
        Steps that were made.
    collapse_ : str or None
        What went wrong, when clusters died or one swallowed the others; everything is then as it was at the update
        before.

    Warns
    -----
    ClusterCollapseWarning
        With `collapse_`.

    Examples
    --------
    >>> import numpy as np
    >>> from audioclust.deep import DCEC, ConvAutoencoder
    >>> images = np.zeros((40, 8, 8))
    >>> images[:20, :4] = 1                                     # twenty images are bright above, twenty below
    >>> images[20:, 4:] = 1
    >>> small = ConvAutoencoder(latent_size=2, channels=(4, 4, 4), epochs=60, learning_rate=0.01)
    >>> model = DCEC(2, autoencoder=small, update_interval=5, max_iter=10, random_state=0).fit(images)
    >>> len(set(model.labels_[:20])), len(set(model.labels_[20:])), len(set(model.labels_))
    (1, 1, 2)
    """

    _network_class = ConvNetwork
    _after = ("autoencoder",)  # its weights are named instead
    _fitted = (
        "embedding_", "labels_", "probabilities_", "initial_labels_", "cluster_centers_", "n_iter_", "collapse_"
    )  # fmt: skip

    def __init__(
        self,
        n_clusters: int = 10,
        *,
        autoencoder: ConvAutoencoder | None = None,
        gamma: float = 0.1,
        update_interval: int = 140,
        tol: float = 1e-3,
        max_iter: int = 20_000,
        n_init: int = 20,
        batch_size: int | None = None,
        learning_rate: float = 1e-3,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        device: str = "auto",
        precision: str = "auto",
        folder: str | Path | None = None,
        checkpoint_every: int = 10,
        tensorboard: bool = False,
        shift: float = 0.0,
        time_mask: float = 0.0,
        frequency_mask: float = 0.0,
    ) -> None:
        self.n_clusters = n_clusters
        self.autoencoder = autoencoder
        self.gamma = gamma
        self.update_interval = update_interval
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.device = device
        self.precision = precision
        self.folder = folder
        self.checkpoint_every = checkpoint_every
        self.tensorboard = tensorboard
        self.shift = shift
        self.time_mask = time_mask
        self.frequency_mask = frequency_mask

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Cluster images.

        Parameters
        ----------
        X : array [shape=(n, height, width) or (n, 1, height, width)]
            As for :meth:`ConvAutoencoder.fit`; n >= n_clusters.
        y : ignored

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
        seed = seed_of(self.random_state)
        permutation, _ = canonical(images)
        start = self._start(images, seed)
        first = heads.kmeans(start.transform(images[permutation]), self.n_clusters, seed=seed, n_init=self.n_init)
        self.scaling_ = start.scaling_
        self._begin = copy.deepcopy(start.network_), first.cluster_centers_
        self._learn(images, seed=seed, weights=_digest(start))
        del self._begin
        self.initial_labels_ = np.empty(len(images), dtype=np.intp)
        self.initial_labels_[permutation] = first.labels_
        self.probabilities_ = self._assign(self.embedding_)
        self.labels_ = self.probabilities_.argmax(1)
        if self.collapse_:
            warnings.warn(f"DCEC: {self.collapse_}; the state before is kept", ClusterCollapseWarning, stacklevel=2)
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.intp]:
        """Find the likeliest clusters of new images [shape=(n,)].

        Raises
        ------
        ValueError
            As :meth:`transform`.
        """
        return self.predict_proba(X).argmax(1)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the soft assignment q of new images [shape=(n, n_clusters)]."""
        check_is_fitted(self, "network_")
        return self._assign(self.transform(X))

    def _assign(self, Z: NDArray[np.float32]) -> NDArray[np.float32]:
        return student_t(torch.from_numpy(Z), torch.from_numpy(self.cluster_centers_)).numpy()

    def _check(self, n: int) -> None:
        check_number("n_clusters", self.n_clusters, 2, n, whole=True)
        check_training(self)
        check_augmentation(self)
        check_number("gamma", self.gamma, 0)
        check_number("tol", self.tol, 0, 1)
        for name in ("update_interval", "max_iter", "n_init"):
            check_number(name, getattr(self, name), 1, whole=True)
        if self.autoencoder is not None and not isinstance(self.autoencoder, ConvAutoencoder):
            raise ValueError(f"autoencoder={self.autoencoder!r}: give a ConvAutoencoder or None")

    def _start(self, images: np.ndarray, seed: int) -> ConvAutoencoder:
        """Return the fitted autoencoder to start from; the caller's own is never changed."""
        mine = None if self.random_state is None else seed
        if self.autoencoder is not None:
            return fitted_autoencoder(self.autoencoder, images, n_clusters=None, random_state=mine)
        shared = {name: getattr(self, name) for name in ("device", "precision", "folder")}
        return fitted_autoencoder(None, images, random_state=seed, **shared)

    def _training(self, n: int) -> Training:
        updates = -(-self.max_iter // self.update_interval)
        return usual_training(self, n, epochs=updates, steps=self.update_interval)

    def _module(self, data: np.ndarray, training: Training) -> _Clustering:
        network, centres = self._begin
        changes = check_augmentation(self)
        more: dict[str, Any] = {"scaling": self.scaling_, "augmentation": changes, "gamma": self.gamma, "tol": self.tol}
        return _Clustering(network, data, training, centres=centres, **more)

    def _keep(self, module: BatchModule) -> None:
        assert isinstance(module, _Clustering)
        self.cluster_centers_ = module.centres.detach().numpy().copy()
        self.n_iter_ = len(self.history_) * self.update_interval
        self.collapse_ = module.collapsed

    @classmethod
    def _from_plain(cls, params: dict[str, Any]) -> dict[str, Any]:
        inner = params["autoencoder"]
        return params | {"autoencoder": None if inner is None else ConvAutoencoder(**inner)}


def _digest(start: ConvAutoencoder) -> str:
    """Name an autoencoder by its weights and scaling."""
    whole = hashlib.sha256(start.scaling_.offset.tobytes() + start.scaling_.gain.tobytes())
    for name, value in start.network_.state_dict().items():
        whole.update(name.encode() + value.contiguous().numpy().tobytes())
    return whole.hexdigest()
