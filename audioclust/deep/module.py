"""One step of a training: which rows make a batch, the loss of it, the mean losses of an epoch.

The data (n, ...) lie in memory; Lightning is handed step numbers, and a batch is made by index on the module's own
device. There is no loader, no worker and no copy per row. Which rows make a batch depends only on (seed, epoch, step).

A kind of data gives ``batch`` (:mod:`~audioclust.deep.image_module`, :mod:`~audioclust.deep.vector_module`), a network
gives ``losses``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from audioclust.deep.data import order
from audioclust.deep.training import EMBED_BATCH, Training

__all__ = ["BatchModule"]


class BatchModule(pl.LightningModule):
    """Base of what Lightning trains here.

    Parameters
    ----------
    network : torch module
        With an ``encoder`` from the network's input to the embedding (n, latent).
    data : array [shape=(n, ...)]
        What is learned from, row by row.
    training : Training
        How.
    """

    def __init__(self, network: torch.nn.Module, data: np.ndarray, training: Training) -> None:
        super().__init__()
        self.network: Any = network
        self.data = torch.from_numpy(np.ascontiguousarray(data))
        self.settings = training
        self.sums: dict[str, torch.Tensor] = {}
        self.visits: tuple[int, torch.Tensor] | None = None

    def inputs(self, rows: torch.Tensor) -> torch.Tensor:
        """Return rows of the data as the network takes them."""
        return rows.to(torch.float32)

    def batch(self, index: torch.Tensor, step: int) -> torch.Tensor:
        """Return the network's input for the rows `index`; a subclass may change them as training data."""
        return self.inputs(self.data[index.to(self.device)])

    def losses(self, inputs: torch.Tensor, index: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the terms of the loss of one batch, each already weighted; their sum is lowered.

        Parameters
        ----------
        inputs : tensor [shape=(batch, ...)]
            What `batch` made.
        index : tensor of int [shape=(batch,)]
            Which rows these are, on the CPU.
        """
        raise NotImplementedError(f"{type(self).__name__} gives no losses")

    def indices(self, step: int) -> torch.Tensor:
        """Return which rows make this step's batch: pass after pass, each in an order of its own."""
        n, size = len(self.data), self.settings.batch_size
        number, batch = divmod(self.current_epoch * self.settings.steps + step, -(-n // size))
        if self.visits is None or self.visits[0] != number:
            self.visits = number, order(n, self.settings.seed, number)
        return self.visits[1][batch * size : (batch + 1) * size]

    def train_dataloader(self) -> Iterable[int]:
        """Hand Lightning the step numbers of an epoch."""
        return range(self.settings.steps)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam, in its fused form."""
        return torch.optim.Adam(self.parameters(), lr=self.settings.learning_rate, fused=True)

    def on_train_start(self) -> None:
        """Bring the data to where the network is, once."""
        self.data = self.data.to(self.device)

    def on_train_epoch_start(self) -> None:
        """Forget the last epoch's losses; lower the learning rate along a half cosine, where that is asked for."""
        self.sums = {}
        if self.settings.schedule == "cosine":
            share = 0.5 * (1 + math.cos(math.pi * self.current_epoch / self.settings.epochs))
            for group in self.trainer.optimizers[0].param_groups:
                group["lr"] = self.settings.learning_rate * share

    def training_step(self, batch: Any, step: int) -> torch.Tensor:
        """Return the loss of one batch, and add its terms to the epoch's."""
        index = self.indices(step)
        terms = self.losses(self.batch(index, step), index)
        loss = torch.stack(list(terms.values())).sum()
        for name, value in {"loss": loss, **terms}.items():
            self.sums[name] = self.sums.get(name, 0) + value.detach() * len(index)
        self.sums["rows"] = self.sums.get("rows", torch.zeros((), device=self.device)) + len(index)
        return loss

    def end_epoch(self) -> dict[str, float]:
        """Return what the history keeps of an epoch: its mean losses per row. A subclass may add, and stop here."""
        seen = float(self.sums["rows"])
        return {name: float(value) / seen for name, value in self.sums.items() if name != "rows"}

    @torch.no_grad()
    def embed(self) -> torch.Tensor:
        """Return the embedding (n, latent) of every row as it is, in float32."""
        with torch.autocast(self.device.type, enabled=False):
            blocks = self.data.split(EMBED_BATCH)
            return torch.cat([self.network.encoder(self.inputs(block)) for block in blocks]).float()
