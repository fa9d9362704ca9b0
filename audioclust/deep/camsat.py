"""CAMSAT: a small network that clusters vectors, and counts the clusters below a generous upper bound.

The network gives each vector x (d,) a distribution p (k,) over k clusters, k being an upper bound. Clusters should be
of like size (the entropy of the mean prediction up), each vector surely in one (its entropy down), and a vector's
prediction the same after a small adversarial change (IMSAT [1]_), after augmentation, and among augmentations
(CAMSAT [2]_). As a recording's neighbours by random walks are nearly always of the same speaker, they serve as its
augmentations where no audio is at hand. Clusters that no vector prefers are empty; the others are counted.

What the network leaves in one cluster though hardly a link between nearest neighbours holds it together is parted, and
what it leaves in several is merged where links are nearly as dense between clusters as inside them
(:mod:`audioclust.clustering.merging`). Both partitions are kept: the network's alone too.

References
----------
.. [1] W. Hu, T. Miyato, S. Tokui, E. Matsumoto, M. Sugiyama: Learning discrete representations via information
   maximizing self-augmented training, ICML 2017.
.. [2] A. Fathan, J. Alam: CAMSAT: augmentation mix and self-augmented training clustering for self-supervised speaker
   recognition, ICASSP 2024. Its weights, divergences and directions are not public: those here are ours.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClusterMixin
from sklearn.metrics import pairwise_distances_argmin
from sklearn.utils.validation import check_is_fitted, validate_data

from audioclust.clustering.base import without_gaps
from audioclust.clustering.ladder import ladder, levels_of, most_neighbours
from audioclust.clustering.merging import THRESHOLD, merge_clusters, part_clusters
from audioclust.clustering.neighbours import directions, nearest, nearest_distances
from audioclust.clustering.positives import pagerank_positives, shared_neighbour_graph
from audioclust.deep.base import VectorEstimator
from audioclust.deep.camsat_module import CamsatModule, Views, Weight
from audioclust.deep.camsat_network import ClusterNetwork
from audioclust.deep.data import canonical
from audioclust.deep.module import BatchModule
from audioclust.deep.parameters import check_training, usual_training
from audioclust.deep.training import Training
from audioclust.evaluation import degenerate
from audioclust.geometry import unit_rows
from audioclust.validation import check_choice, check_n_clusters, check_number, check_share

__all__ = ["CAMSAT", "SETTINGS"]

TERMS = ("marginal", "conditional", "adversarial", "augmentation", "symmetry", "mixup")
LARGEST_BATCH, EPOCHS = 1024, 60
EPS_NEIGHBOUR = 10

SETTINGS: dict[str, dict[str, Any]] = {
    "imsat": {"augmentation_weight": 0.0, "symmetry_weight": 0.0},
    "imsat_augmentation": {"symmetry_weight": 0.0},
    "camsat": {},
}
"""Parameters of :class:`CAMSAT` that make it IMSAT, IMSAT with augmentations, and CAMSAT."""


class CAMSAT(ClusterMixin, VectorEstimator):
    """Cluster vectors with a network; the number of clusters is counted below an upper bound.

    Parameters
    ----------
    n_clusters : int, optional
        The upper bound. By default twice the number of groups of :class:`~audioclust.clustering.levels.Levels`. At or
        below the true number, clusters are missing by construction.
    width : int
        Of both hidden layers (1 200 in IMSAT).
    pca : int, optional
        Principal components that are kept; None keeps all.
    unit : bool
        Whether vectors are scaled to length 1 first, as speaker vectors should be.
    batch_norm : bool
        Whether hidden layers are normalised over the batch.
    marginal_weight, conditional_weight, adversarial_weight, augmentation_weight, symmetry_weight, mixup_weight
        Weights of the terms of the loss (:mod:`audioclust.deep.camsat_losses`): a number, 0 to switch it off, or a
        pair (at the start, at the end) between which it goes evenly.
    anneal : float in [0, 1]
        Share of the training in which predictions are led from equal to sure by holding back the terms of invariance
        (all but the entropies) while they are less sure than planned, see :mod:`audioclust.deep.camsat_module`; 0:
        never.
    adversarial_length : float
        Length of the adversarial change, as a share of the distance to the tenth neighbour.
    mixup : {"input", "latent"}
        Where mixtures of two rows are made, if `mixup_weight` is not 0: of the vectors (i-mix), or of the embedding
        (l-mix).
    n_views : int
        Augmentations of each vector in a step.
    noise, dropout, mixing : float
        How an augmentation is changed, see :class:`~audioclust.deep.camsat_module.Views`.
    n_positives : int
        An augmentation starts from one of so many positives of the row (0: from the row itself).
    n_neighbors : int
        Of the graph on which positives are looked for and clusters merged.
    restart : float in (0, 1)
        Of the random walks, see :mod:`audioclust.clustering.positives`.
    merge : bool
        Whether `labels_` are the network's clusters parted and merged. Parting may make more than `n_clusters`.
    merge_threshold : float in (0, 1]
        See :func:`~audioclust.clustering.merging.merge_clusters`.
    max_iter : int
        Steps of the training.
    batch_size : int, optional
        By default all vectors, or equal parts of at most 1 024.
    learning_rate : float
        Of Adam at the start; it falls to nothing along a half cosine.
    random_state, device, precision, folder, checkpoint_every, tensorboard
        As of :class:`~audioclust.deep.ConvAutoencoder`.

    Attributes
    ----------
    labels_ : array of int [shape=(n,)]
        Clusters, from 0 without a gap; merged if `merge`.
    network_labels_, merged_labels_ : array of int [shape=(n,)]
        The network's partition, and the same merged; both are always there.
    n_clusters_ : int
        Clusters in `labels_`.
    bound_ : int
        The upper bound that was used.
    n_iter_ : int
        Steps that were made.
    probabilities_ : array of float32 [shape=(n, bound)]
        Predictions of the network.
    embedding_ : array of float32 [shape=(n, width)]
        Output of the second hidden layer.
    history_ : DataFrame
        A row per epoch: terms of the loss, and ``clusters`` that hold a vector.
    labels_over_epochs_ : array of int [shape=(epochs, n)]
        The network's partition after each epoch, clusters numbered as the network's outputs.

    Warns
    -----
    DegenerateClusteringWarning
        When the bound is below twice the number of groups of Levels, or the result is degenerate.

    Examples
    --------
    >>> import numpy as np
    >>> from audioclust.deep import CAMSAT
    >>> rng = np.random.default_rng(0)
    >>> X = np.repeat(rng.standard_normal((4, 16)), 12, axis=0) + 0.2 * rng.standard_normal((48, 16))
    >>> model = CAMSAT(8, width=128, max_iter=60, random_state=0).fit(X)
    >>> model.n_clusters_, sorted(np.bincount(model.labels_).tolist())
    (4, [12, 12, 12, 12])
    """

    labels_over_epochs_: NDArray[np.int32]
    _network_class = ClusterNetwork
    _after = ("merge", "merge_threshold")
    _fitted = (
        "embedding_", "labels_", "network_labels_", "merged_labels_", "n_clusters_", "n_iter_", "probabilities_",
        "labels_over_epochs_",
    )  # fmt: skip

    def __init__(
        self,
        n_clusters: int | None = None,
        *,
        width: int = 400,
        pca: int | None = 64,
        unit: bool = True,
        batch_norm: bool = False,
        marginal_weight: Weight = (2.5, 0.5),
        conditional_weight: Weight = 1.0,
        adversarial_weight: Weight = 1.0,
        augmentation_weight: Weight = 3.0,
        symmetry_weight: Weight = 3.0,
        mixup_weight: Weight = 0.0,
        anneal: float = 0.5,
        adversarial_length: float = 0.25,
        mixup: str = "input",
        n_views: int = 2, noise: float = 0.5, dropout: float = 0.0, mixing: float = 0.0,
        n_positives: int = 9, n_neighbors: int = 10, restart: float = 0.05,
        merge: bool = True, merge_threshold: float = THRESHOLD,
        max_iter: int = 180, batch_size: int | None = None, learning_rate: float = 1e-3,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        device: str = "auto",
        precision: str = "auto",
        folder: str | Path | None = None,
        checkpoint_every: int = 10,
        tensorboard: bool = False,
    ) -> None:  # fmt: skip
        self.n_clusters = n_clusters
        self.width = width
        self.pca = pca
        self.unit = unit
        self.batch_norm = batch_norm
        self.marginal_weight = marginal_weight
        self.conditional_weight = conditional_weight
        self.adversarial_weight = adversarial_weight
        self.augmentation_weight = augmentation_weight
        self.symmetry_weight = symmetry_weight
        self.mixup_weight = mixup_weight
        self.anneal = anneal
        self.adversarial_length = adversarial_length
        self.mixup = mixup
        self.n_views = n_views
        self.noise = noise
        self.dropout = dropout
        self.mixing = mixing
        self.n_positives = n_positives
        self.n_neighbors = n_neighbors
        self.restart = restart
        self.merge = merge
        self.merge_threshold = merge_threshold
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.device = device
        self.precision = precision
        self.folder = folder
        self.checkpoint_every = checkpoint_every
        self.tensorboard = tensorboard

    @property
    def bound_(self) -> int:
        """The upper bound that was used."""
        return int(self.network_.settings["n_clusters"])

    def fit(self, X: ArrayLike, y: Any = None, *, augmented: ArrayLike | None = None) -> Self:
        """Cluster vectors.

        Parameters
        ----------
        X : array [shape=(n, d)]
            Finite, n >= 2 and at least `n_clusters`.
        y : ignored
        augmented : array [shape=(m, n, d)], optional
            Vectors of m copies of each recording, changed before the encoder (:mod:`audioclust.deep.augmentation`).

        Returns
        -------
        self

        Raises
        ------
        ValueError
            When a parameter, a vector or an augmentation cannot be used.
        """
        rows = self._check_rows(X, least=2, fitted=False)
        self._check(len(rows))
        views = None if augmented is None else self._check_augmented(augmented, rows)
        bound = self._bound(rows)
        permutation, _ = canonical(rows)
        ordered = rows[permutation]
        graph = shared_neighbour_graph(ordered, self.n_neighbors)
        count = min(self.n_positives, len(rows) - 1)
        positives = pagerank_positives(graph, count, restart=self.restart) if count else None
        self._begin = bound, positives, None if views is None else views[:, permutation]
        facts = {} if views is None else {"augmented": hashlib.sha256(views[:, permutation].tobytes()).hexdigest()}
        self._learn(rows, bound=bound, **facts)
        del self._begin
        self.n_iter_ = len(self.history_) * self._training(len(rows)).steps
        self.probabilities_ = self.predict_proba(rows)
        self.network_labels_ = without_gaps(self.probabilities_.argmax(1))[0]
        parts = part_clusters(graph, self.network_labels_[permutation])
        merged = merge_clusters(graph, parts, threshold=self.merge_threshold)
        self.merged_labels_ = np.empty_like(merged)
        self.merged_labels_[permutation] = merged
        self.labels_over_epochs_ = self.labels_over_epochs_[:, np.argsort(permutation)]
        self.labels_ = self.merged_labels_ if self.merge else self.network_labels_
        self.n_clusters_ = len(np.unique(self.labels_))
        degenerate.warn(degenerate.check(self.labels_), type(self).__name__)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the network's predictions of vectors [shape=(n, bound)]."""
        check_is_fitted(self, "network_")
        head = torch.nn.Sequential(self.network_.encoder, self.network_.head, torch.nn.Softmax(dim=1))
        return np.concatenate(list(self._passed(head, self._check_rows(X))))

    def predict(self, X: ArrayLike) -> NDArray[np.intp]:
        """Return the clusters of vectors, numbered as in `labels_` [shape=(n,)].

        A vector whose likeliest output of the network holds no fitted vector gets the likeliest of those that do. Where
        the cluster of an output was parted, the nearest fitted embedding among its vectors decides.
        """
        check_is_fitted(self, "labels_")
        outputs = self.probabilities_.argmax(1)
        used = np.unique(outputs)
        chosen = used[self.predict_proba(X)[:, used].argmax(1)]
        labels, embedded = np.empty(len(chosen), dtype=np.intp), self.transform(X)
        for output in np.unique(chosen):
            fitted, rows = outputs == output, chosen == output
            nearest_one = pairwise_distances_argmin(embedded[rows], self.embedding_[fitted])
            labels[rows] = self.labels_[fitted][nearest_one]
        return labels

    def _check_rows(self, X: ArrayLike, *, least: int = 1, fitted: bool = True) -> np.ndarray:
        return validate_data(self, X, dtype=np.float32, ensure_min_samples=least, reset=not fitted)

    def _bound(self, rows: np.ndarray) -> int:
        """Return the upper bound; a given one that is low for what Levels find is a warning."""
        groups = _groups(rows)
        if self.n_clusters is None:
            return min(2 * groups, len(rows))
        if self.n_clusters < min(2 * groups, len(rows)):
            low = f"n_clusters={self.n_clusters} is less than twice the {groups} groups that Levels find"
            degenerate.warn([f"{low}: clusters will be missing if there are as many"], type(self).__name__)
        return int(self.n_clusters)

    def _check(self, n: int) -> None:
        if self.n_clusters is not None:
            check_n_clusters(self.n_clusters, n)
        check_training(self)
        for name in ("width", "n_views", "n_neighbors", "max_iter", *([] if self.pca is None else ["pca"])):
            check_number(name, getattr(self, name), 1, whole=True)
        check_number("n_positives", self.n_positives, 0, whole=True)
        for name in ("noise", "adversarial_length"):
            check_number(name, getattr(self, name), 0)
        for name in ("dropout", "mixing"):
            check_share(name, getattr(self, name), zero=True, one=False)
        check_number("anneal", self.anneal, 0, 1)
        check_share("restart", self.restart, one=False)
        check_share("merge_threshold", self.merge_threshold)
        check_choice("mixup", self.mixup, ("input", "latent"))
        for name in ("unit", "batch_norm", "merge"):
            check_choice(name, getattr(self, name), (True, False))
        for term in TERMS:
            given = getattr(self, f"{term}_weight")
            pair = given if isinstance(given, tuple | list) else (given, given)
            if len(pair) != 2:
                raise ValueError(f"{term}_weight={given!r}: give a number, or a pair (at the start, at the end)")
            for weight in pair:
                check_number(f"{term}_weight", weight, 0)

    def _check_augmented(self, augmented: ArrayLike, rows: np.ndarray) -> np.ndarray:
        views = np.asarray(augmented)
        if views.ndim != 3 or views.shape[1:] != rows.shape or not len(views):
            raise ValueError(f"augmented has shape {views.shape}: give (m, {len(rows)}, {rows.shape[1]}), as X has")
        if views.dtype.kind not in "fiub" or not np.isfinite(views).all():
            raise ValueError("augmented has values that are no finite numbers")
        return views.astype(np.float32)

    def _settings(self) -> dict[str, Any]:
        size = self.row_shape_[0]
        return {
            "n_clusters": self._begin[0], "latent_size": self.width, "unit": self.unit, "batch_norm": self.batch_norm,
            "n_components": size if self.pca is None else min(self.pca, size, self._most),
        }  # fmt: skip

    def _training(self, n: int) -> Training:
        self._most = n  # principal components of n rows
        size = -(-n // -(-n // LARGEST_BATCH)) if self.batch_size is None else self.batch_size
        epochs = min(EPOCHS, self.max_iter)
        steps = -(-self.max_iter // epochs)
        return usual_training(self, n, batch_size=size, epochs=epochs, steps=steps, schedule="cosine")

    def _module(self, data: np.ndarray, training: Training) -> CamsatModule:
        _, positives, augmented = self._begin
        network = cast(ClusterNetwork, self._new_network(training.seed))
        network.preparation.fit(data)
        with torch.no_grad():
            prepared = network.preparation(torch.from_numpy(data)).numpy()
            views = None if augmented is None else network.preparation(torch.from_numpy(augmented)).numpy()
        return CamsatModule(
            network,
            prepared,
            training,
            weights={term: getattr(self, f"{term}_weight") for term in TERMS},
            views=Views(self.n_views, self.noise, self.dropout, self.mixing),
            lengths=self.adversarial_length * nearest_distances(prepared, EPS_NEIGHBOUR),
            positives=positives,
            augmented=views,
            mixup=self.mixup,
            anneal=self.anneal,
        )

    def _keep(self, module: BatchModule) -> None:
        assert isinstance(module, CamsatModule)
        self.labels_over_epochs_ = module.labels_over_epochs.cpu().numpy()


def _groups(rows: np.ndarray) -> int:
    """Return how many groups Levels recommend, without asking whether they are stable, which takes longer."""
    Z = directions(unit_rows(np.unique(rows, axis=0).astype(np.float64), zero="keep"))
    if len(Z) < 2:
        return 1
    levels = levels_of(ladder(nearest(Z, most_neighbours(len(Z))), Z))
    return levels[0].n_clusters if levels else 1
