"""One step of CAMSAT's training: the views of a batch, the weights of the terms at this time, the loss.

Invariance (adversarial, augmentation, symmetry, mixup) is a trap at its full weight: equal predictions for all rows
satisfy it, and where it outweighs the conditional entropy, a small departure from them is not worth its price, so that
the network never starts. With too little of it, the network keeps whatever partition it happens to start with. What
works lies between, and where that is depends on the data, the width and the noise. It is therefore found on the way:
the training follows a schedule of H(Y|X), from nearly equal to sure predictions, and invariance has less weight while
the predictions lag behind it. Like cooling slowly, this separates first what differs most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audioclust.deep import camsat_losses as losses
from audioclust.deep.camsat_network import SPREAD, ClusterNetwork
from audioclust.deep.data import generator
from audioclust.deep.training import Training
from audioclust.deep.vector_module import VectorModule

__all__ = ["CamsatModule", "Views", "Weight"]

Weight = float | tuple[float, float]
REMEMBERED = 4
"""The marginal entropy is that of at least so many rows per cluster, where there are as many."""

FIRST_ENTROPY = 0.9
"""Where the schedule of H(Y|X) starts, as a share of its maximum log k; it ends at 0."""
FIRMNESS = 20.0
"""How fast the weight of invariance falls where predictions lag: to a share of exp(-FIRMNESS * lag / log k)."""


@dataclass(frozen=True)
class Views:
    """How the augmentations of a row are made.

    Parameters
    ----------
    number : int
        Augmentations of each row in a step.
    noise : float
        Standard deviation of the Gaussian noise, as a share of the vectors' own.
    dropout : float
        Share of the numbers that are set to zero.
    mixing : float
        Largest share of another row of the batch that is mixed in.
    """

    number: int = 2
    noise: float = 0.5
    dropout: float = 0.0
    mixing: float = 0.0

    def changed(self, x: Tensor, random: torch.Generator) -> Tensor:
        """Return changed copies of prepared vectors [shape=(m, d)]."""
        if self.mixing:
            share = 1 - self.mixing * torch.rand(len(x), generator=random)
            x = losses.mixture_of(x, torch.randperm(len(x), generator=random).to(x.device), share.to(x))
        if self.noise:
            x = x + self.noise * SPREAD * torch.randn(x.shape, generator=random).to(x)
        if self.dropout:
            x = x * (torch.rand(x.shape, generator=random) >= self.dropout).to(x) / (1 - self.dropout)
        return x


class CamsatModule(VectorModule):
    """What Lightning trains.

    Parameters
    ----------
    network : ClusterNetwork
    data : array of float32 [shape=(n, d)]
        Prepared vectors.
    training : Training
    weights : mapping of str to float or (float, float)
        Of the terms; a pair goes evenly from the first to the second during the training.
    views : Views
    lengths : array [shape=(n,)]
        Of the adversarial change of each row.
    positives : array of int [shape=(n, count)], optional
        Rows of which an augmentation may start instead of the row itself.
    augmented : array of float32 [shape=(m, n, d)], optional
        Prepared vectors of augmented recordings; augmentations start from one of these, drawn anew in each step.
    mixup : {None, "input", "latent"}
    anneal : float
        Share of the training in which predictions are led from equal to sure; 0 leaves all weights as they are.
    """

    marginal: Tensor
    labels_over_epochs: Tensor

    def __init__(
        self,
        network: ClusterNetwork,
        data: np.ndarray,
        training: Training,
        *,
        weights: Mapping[str, Weight],
        views: Views,
        lengths: np.ndarray,
        positives: np.ndarray | None = None,
        augmented: np.ndarray | None = None,
        mixup: str | None = None,
        anneal: float = 0.0,
    ) -> None:
        super().__init__(network, data, training)
        self.weights, self.views, self.mixup, self.anneal = weights, views, mixup, anneal
        self.lengths = torch.from_numpy(lengths.astype(np.float32))
        self.positives = None if positives is None else torch.from_numpy(positives.astype(np.int64))
        self.augmented = None if augmented is None else torch.from_numpy(augmented)
        k = network.settings["n_clusters"]
        wanted = min(len(data), REMEMBERED * k)
        self.kept = max(0.0, 1 - training.batch_size / wanted)  # share of the past in the mean prediction
        self.register_buffer("marginal", torch.full((k,), 1 / k))
        self.register_buffer("labels_over_epochs", torch.full((training.epochs, len(data)), -1, dtype=torch.int32))

    def weight(self, term: str) -> float:
        """Return the weight of a term in the present epoch."""
        given = self.weights[term]
        if not isinstance(given, tuple | list):
            return float(given)
        return given[0] + (given[1] - given[0]) * self._past

    @property
    def _past(self) -> float:
        """Share of the training that lies behind, 0 in the first epoch and 1 in the last."""
        return self.current_epoch / max(1, self.settings.epochs - 1)

    def invariance(self, conditional: Tensor) -> Tensor | float:
        """Return the share of their weights that the terms of invariance have now.

        Parameters
        ----------
        conditional : tensor
            H(Y|X) of the batch; no gradient flows through it.
        """
        k = self.network.settings["n_clusters"]
        if not self.anneal or k == 1:
            return 1.0
        wanted = FIRST_ENTROPY * max(0.0, 1 - self._past / self.anneal)
        lag = conditional.detach() / np.log(k) - wanted
        return torch.exp(-FIRMNESS * lag.clamp(min=0))

    def losses(self, inputs: Tensor, index: Tensor) -> dict[str, Tensor]:
        """Return the weighted terms whose weight is above 0 at some time."""
        step = int(self.sums["rows"]) if "rows" in self.sums else 0
        random = generator(self.settings.seed, self.current_epoch, step, 1)
        network = self.network
        hidden = network.hidden(inputs)
        clean = network.head(hidden).float()
        made: dict[str, Callable[[], Tensor]] = {
            "marginal": lambda: -self._marginal_entropy(clean),
            "conditional": lambda: losses.conditional_entropy(clean),
            "adversarial": lambda: self._adversarial(inputs, clean, index, random),
            "mixup": lambda: self._mixup(inputs, hidden, clean, random),
        }
        share = self.invariance(losses.conditional_entropy(clean))
        terms = {
            name: (share if name in ("adversarial", "mixup") else 1.0) * self.weight(name) * term()
            for name, term in made.items()
            if self._used(name)
        }
        if self._used("augmentation") or self._used("symmetry"):
            made_views = torch.stack([self._view(index, random) for _ in range(self.views.number)])
            augmented = network.logits(made_views.flatten(0, 1)).float().unflatten(0, made_views.shape[:2])
            if self._used("augmentation"):
                terms["augmentation"] = share * self.weight("augmentation") * losses.augmentation_loss(clean, augmented)
            if self._used("symmetry"):
                terms["symmetry"] = share * self.weight("symmetry") * losses.symmetry_loss(augmented)
        return terms

    def _used(self, term: str) -> bool:
        return bool(np.any(np.asarray(self.weights[term]) != 0))

    def _marginal_entropy(self, clean: Tensor) -> Tensor:
        """Entropy of the mean prediction; beside the batch's own it holds what is remembered of earlier ones."""
        mean = clean.softmax(-1).mean(0)
        mean = self.kept * self.marginal + (1 - self.kept) * mean
        self.marginal = mean.detach()
        return losses.entropy(mean) / (1 - self.kept)  # a batch's own share moves it as if it were alone

    def _adversarial(self, inputs: Tensor, clean: Tensor, index: Tensor, random: torch.Generator) -> Tensor:
        length = self.lengths[index].to(inputs.device)
        return losses.adversarial_loss(self.network.logits, inputs, clean, length, random)

    def _mixup(self, inputs: Tensor, hidden: Tensor, clean: Tensor, random: torch.Generator) -> Tensor:
        """Mixtures of two rows should be predicted as the mixture of their predictions."""
        partner = torch.randperm(len(inputs), generator=random).to(inputs.device)
        share = torch.rand(len(inputs), generator=random).to(inputs)
        target = losses.mixture_of(clean.detach().softmax(-1), partner, share)
        if self.mixup == "latent":
            mixed = self.network.head(losses.mixture_of(hidden, partner, share))
        else:
            mixed = self.network.logits(losses.mixture_of(inputs, partner, share))
        return (-(target * mixed.float().log_softmax(-1)).sum(-1) - losses.entropy(target)).mean()

    def _view(self, index: Tensor, random: torch.Generator) -> Tensor:
        """Return one augmentation of each row of the batch [shape=(batch, d)]."""
        rows = index
        if self.positives is not None:
            column = torch.randint(self.positives.shape[1], (len(index),), generator=random)
            rows = self.positives[index, column]
        if self.augmented is not None:
            which = torch.randint(len(self.augmented), (len(index),), generator=random)
            return self.views.changed(self.augmented[which, rows].to(self.device), random)
        return self.views.changed(self.data[rows.to(self.device)], random)

    def end_epoch(self) -> dict[str, float]:
        """Add the clusters that hold a row now, and keep the labels."""
        row = super().end_epoch()
        labels = self.labels()
        self.labels_over_epochs[self.current_epoch] = labels.int()
        return row | {"clusters": float(len(labels.unique()))}

    @torch.no_grad()
    def labels(self) -> Tensor:
        """Return the likeliest cluster of every row [shape=(n,)]."""
        training = self.network.training
        self.network.eval()
        with torch.autocast(self.device.type, enabled=False):
            found = torch.cat([self.network.logits(block).argmax(1) for block in self.data.split(2048)])
        self.network.train(training)
        return found
