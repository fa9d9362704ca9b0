"""One step of the training of u-vectors: pairs of frames, half of each side changed, one of three losses.

A batch is made by index from int16 frames in memory; noise and spectra are made for the whole batch at once on the
network's device. Which frames make a pair depends only on (seed, epoch, step). An epoch is the stretch between two
checks: there the frames are embedded, and the K-Means partition of their segments is compared with the last check's.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from audioclust.deep import u_vectors_losses as losses
from audioclust.deep.augmentation import SoundAugmentation
from audioclust.deep.data import generator
from audioclust.deep.module import BatchModule
from audioclust.deep.training import EMBED_BATCH, Training
from audioclust.deep.u_vectors_network import UVectorNetwork

__all__ = ["TRAININGS", "PairTraining", "drawn_pairs"]

TRAININGS = ("infonce", "pairwise", "triplet")
CHECKED = 2000
"""Frames that a check embeds, at most."""
LARGEST_PARTITION = 50
FULL_SCALE = 32767.0


class PairTraining(BatchModule):
    """What Lightning trains.

    Parameters
    ----------
    network : UVectorNetwork
    data : array of int16 [shape=(n, samples)]
    training : Training
        A step has `batch_size` pairs.
    groups : array of int [shape=(n,)]
        Pseudo-labels, 0, 1, ....
    kind : {"infonce", "pairwise", "triplet"}
    loss : dict
        The loss's own number: ``temperature``, ``alpha`` or ``margin``.
    augmentation : SoundAugmentation
    share : float
        Of the frames of each side that are changed.
    patience : int, optional
        Stop after so many checks in a row at which the partition hardly changed.
    tolerance : float
        Share of the segments up to which it hardly changed.
    watched : array of int16 [shape=(m, samples)], optional
        Frames whose vectors are kept at every check, for curves; nothing is learned from them or decided by them.
    """

    partition: Tensor
    settled: Tensor

    def __init__(
        self, network: UVectorNetwork, data: np.ndarray, training: Training, *, groups: np.ndarray, kind: str,
        loss: dict[str, float], augmentation: SoundAugmentation, share: float, patience: int | None,
        tolerance: float, watched: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        super().__init__(network, data, training)
        self.groups = torch.from_numpy(groups)
        self.kind, self.loss, self.share = kind, loss, share
        self.augmentation = augmentation
        self.patience, self.tolerance = patience, tolerance
        self.watched = None if watched is None else torch.from_numpy(np.ascontiguousarray(watched))
        self.kept: list[Tensor] = []
        self.prepared = 0.0
        checked = np.unique(groups[:CHECKED], return_inverse=True)[1]
        self.checked = torch.from_numpy(checked)
        self.register_buffer("partition", torch.full((int(checked.max()) + 1,), -1))
        self.register_buffer("settled", torch.zeros((), dtype=torch.long))
        self._members = _members(self.groups)

    def inputs(self, rows: Tensor) -> Tensor:
        """Return frames as waves in -1..1."""
        return rows.to(torch.float32).mul_(1 / FULL_SCALE)

    def on_train_start(self) -> None:
        """Set the scale of the bands, where training begins."""
        super().on_train_start()
        if self.current_epoch == 0 and self.global_step == 0:
            self.network.scale_to(self.inputs(self.data[:CHECKED]))

    def indices(self, step: int) -> Tensor:
        """Return the pairs of this step, left sides first [shape=(2 pairs,)]."""
        number = self.current_epoch * self.settings.steps + step
        random = generator(self.settings.seed, 1, number)
        far = self.settings.batch_size // 2 if self.kind == "pairwise" else 0
        return drawn_pairs(self.groups, self._members, self.settings.batch_size, far, random).flatten()

    def batch(self, index: Tensor, step: int) -> Tensor:
        """Return the spectra of the frames, a share of each side changed."""
        began = time.perf_counter()
        random = generator(self.settings.seed, 2, self.current_epoch * self.settings.steps + step)
        waves = self.inputs(self.data.index_select(0, index.to(self.device)))
        pairs = len(index) // 2
        place = (torch.arange(len(index)) % pairs + (torch.arange(len(index)) >= pairs) * (pairs // 2)) % pairs
        some = (place < round(self.share * pairs)).to(self.device)
        changed = slice(None) if self.share == 1 else some  # a slice copies nothing
        waves[changed] = self.augmentation.waves(waves[changed], random)
        spectra = self.network.encoder[0](waves)
        spectra[changed] = self.augmentation.spectra(spectra[changed], random)
        self.prepared += time.perf_counter() - began
        return spectra

    def losses(self, inputs: Tensor, index: Tensor) -> dict[str, Tensor]:
        """Return the one term of the loss."""
        left, right = self.network.body(inputs).float().chunk(2)
        first, second = self.groups[index].chunk(2)
        if self.kind == "pairwise":
            value = losses.pairwise(left, right, (first == second).to(left.device), **self.loss)
        else:
            function = losses.triplet if self.kind == "triplet" else losses.infonce
            value = function(left, right, first.to(left.device), **self.loss)
        return {self.kind: value}

    def end_epoch(self) -> dict[str, float]:
        """Check how much the partition of the segments changed, and stop when it has settled."""
        row = super().end_epoch()
        row["preparing"], self.prepared = self.prepared, 0.0
        self.network.eval()
        partition = self._partition()
        first = bool((self.partition < 0).any())
        row["changed"] = 1.0 if first else float((partition != self.partition).float().mean())
        self.partition.copy_(partition)
        self.settled.copy_(self.settled + 1 if row["changed"] <= self.tolerance else torch.zeros_like(self.settled))
        row["settled"] = float(self.settled)
        if self.watched is not None:
            self.kept.append(self._vectors(self.watched.to(self.device)).half().cpu())
        self.network.train()
        if self.patience is not None and int(self.settled) >= self.patience:
            self.trainer.should_stop = True
        return row

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the watched frames' vectors too."""
        checkpoint["watched"] = list(self.kept)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take them back."""
        self.kept = list(checkpoint["watched"])

    @torch.no_grad()
    def _vectors(self, rows: Tensor) -> Tensor:
        with torch.autocast(self.device.type, enabled=False):
            blocks = rows.split(EMBED_BATCH)
            return torch.cat([self.network.encoder(self.inputs(block)) for block in blocks]).float()

    def _partition(self) -> Tensor:
        """Return the K-Means partition of the segments' mean vectors, started from the last one's groups."""
        vectors = self._vectors(self.data[: len(self.checked)])
        n = len(self.partition)
        sums = vectors.new_zeros(n, vectors.shape[1]).index_add_(0, self.checked.to(self.device), vectors)
        means = sums / torch.bincount(self.checked, minlength=n)[:, None].to(self.device)
        k = min(LARGEST_PARTITION, max(2, round(n**0.5)))
        if bool((self.partition < 0).any()):
            centres = means[torch.randperm(n, generator=generator(self.settings.seed, 3))[:k].to(self.device)]
        else:
            centres = _centres(means, self.partition, means[:k])
        labels = self.partition
        for _ in range(100):
            nearest = torch.cdist(means, centres).argmin(1)
            if torch.equal(nearest, labels):
                break
            labels, centres = nearest, _centres(means, nearest, centres)
        return labels


def drawn_pairs(
    groups: Tensor, members: tuple[Tensor, Tensor], n: int, far: int, random: torch.Generator
) -> Tensor:  # fmt: skip
    """Draw pairs of frames [shape=(2, pairs)].

    Parameters
    ----------
    groups : tensor of int [shape=(frames,)]
    members : tensors of int
        The frames in the order of their groups, and where each group begins there.
    n : int
        Pairs. Without `far` ones every group gives one at most, so that there may be fewer.
    far : int
        How many of them, the last ones, are of two groups.

    Notes
    -----
    Groups are drawn at random, each once before one comes again. The two frames of a group are different ones, unless
    it has only one.
    """
    order, starts = members
    count = len(starts) - 1
    near = n - far
    rounds = 1 if far == 0 else -(-n // count)
    chosen = torch.cat([torch.randperm(count, generator=random) for _ in range(rounds)])[: near + far]
    sizes = (starts[1:] - starts[:-1])[chosen]
    first = (torch.rand(len(chosen), generator=random, dtype=torch.float64) * sizes).long()
    step = 1 + (torch.rand(len(chosen), generator=random, dtype=torch.float64) * (sizes - 1)).long()
    left, right = order[starts[chosen] + first], order[starts[chosen] + (first + step) % sizes]
    if far:
        others = torch.randint(len(groups), (far,), generator=random)
        own = groups[left[near:]]
        while (same := groups[others] == own).any():
            others[same] = torch.randint(len(groups), (int(same.sum()),), generator=random)
        right = torch.cat([right[:near], others])
    return torch.stack([left, right])


def _members(groups: Tensor) -> tuple[Tensor, Tensor]:
    starts = functional.pad(torch.bincount(groups).cumsum(0), (1, 0))
    return torch.argsort(groups, stable=True), starts


def _centres(means: Tensor, labels: Tensor, before: Tensor) -> Tensor:
    """Return the mean of every group; an empty one keeps its centre."""
    k = len(before)
    sums = torch.zeros_like(before).index_add_(0, labels, means)
    sizes = torch.bincount(labels, minlength=k)[:, None]
    return torch.where(sizes > 0, sums / sizes.clamp(min=1), before)
