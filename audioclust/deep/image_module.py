"""Training on images (n, height, width): scaled and changed batch by batch; the loss of rebuilding them."""

from __future__ import annotations

import numpy as np
import torch

from audioclust.deep.data import Augmentation, Scaling, augment, generator
from audioclust.deep.module import BatchModule
from audioclust.deep.training import Training

__all__ = ["ImageModule", "Reconstruction"]


class ImageModule(BatchModule):
    """Base of the trainings on images; a subclass gives ``losses``.

    Parameters
    ----------
    network, data, training
        As of :class:`~audioclust.deep.module.BatchModule`; data [shape=(n, height, width)].
    scaling : Scaling
        How images become the network's input.
    augmentation : Augmentation
        How far a training image may be changed.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        data: np.ndarray,
        training: Training,
        *,
        scaling: Scaling,
        augmentation: Augmentation | None = None,
    ) -> None:
        super().__init__(network, data, training)
        self.scaling = scaling
        self.augmentation = augmentation or Augmentation()
        self.floor = float(data.min())

    def inputs(self, rows: torch.Tensor) -> torch.Tensor:
        """Return images (n, height, width) scaled, with a channel (n, 1, height, width)."""
        return self.scaling(rows)

    def batch(self, index: torch.Tensor, step: int) -> torch.Tensor:
        """Return the images `index`, changed where that is asked for, as the network takes them."""
        images = self.data[index.to(self.device)]
        if self.augmentation:
            random = generator(self.settings.seed, self.current_epoch, step, 1)
            images = augment(images, self.augmentation, random, floor=self.floor)
        return self.inputs(images)


class Reconstruction(ImageModule):
    """Learn to rebuild images: ``network(inputs)`` gives embedding and reconstruction.

    A subclass may lower further terms by ``embedding_losses``.
    """

    def losses(self, inputs: torch.Tensor, index: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the mean squared error of the reconstruction, and the terms of `embedding_losses`."""
        embedding, rebuilt = self.network(inputs)
        error = torch.nn.functional.mse_loss(rebuilt.float(), inputs)
        return {"reconstruction": error, **self.embedding_losses(embedding.float(), index)}

    def embedding_losses(self, embedding: torch.Tensor, index: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return further terms of the loss, each already weighted."""
        return {}
