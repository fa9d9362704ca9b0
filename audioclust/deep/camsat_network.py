"""CAMSAT's network: vectors are brought to a common scale, pass two hidden layers, and become logits of k clusters."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from torch import Tensor, nn

__all__ = ["SPREAD", "ClusterNetwork", "Preparation"]

SMALLEST = 1e-12
SPREAD = 4.0
"""Root mean square of the numbers that the network is given: with smaller ones it starts to learn late."""


class Preparation(nn.Module):
    """Scale rows to length 1 if asked, subtract the mean, project on principal components, scale all by one number.

    Parameters
    ----------
    size_in, size_out : int
        Length of the vectors before and after.
    unit : bool
        Whether rows are scaled to length 1 first.
    """

    mean: Tensor
    components: Tensor
    scale: Tensor

    def __init__(self, size_in: int, size_out: int, *, unit: bool) -> None:
        super().__init__()
        self.unit = unit
        self.register_buffer("mean", torch.zeros(size_in))
        self.register_buffer("components", torch.eye(size_in)[:size_out])
        self.register_buffer("scale", torch.ones(()))

    def fit(self, X: NDArray[np.float32]) -> None:
        """Fit to vectors [shape=(n, size_in)]; then their numbers have mean 0 and a root mean square of SPREAD."""
        rows = self._scaled(torch.from_numpy(X)).double().numpy()
        size = len(self.components)
        mean = rows.mean(axis=0)
        components = np.eye(rows.shape[1])
        if size < rows.shape[1]:
            components = PCA(size, svd_solver="full" if len(rows) < 2000 else "covariance_eigh").fit(rows).components_
        spread = float(np.sqrt(np.mean(((rows - mean) @ components.T) ** 2)))
        self.mean.copy_(torch.from_numpy(mean))
        self.components.copy_(torch.from_numpy(components))
        self.scale.fill_(SPREAD / max(spread, SMALLEST))

    def forward(self, x: Tensor) -> Tensor:
        """(n, size_in) -> (n, size_out)."""
        return (self._scaled(x) - self.mean) @ self.components.T * self.scale

    def _scaled(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(x, dim=1, eps=SMALLEST) if self.unit else x


class ClusterNetwork(nn.Module):
    """The network d - width - width - k.

    Parameters
    ----------
    size : int
        Length of the vectors.
    n_clusters : int
        Of the logits.
    latent_size : int
        Width of both hidden layers; the second one's output is the embedding.
    n_components : int
        Principal components that are kept, at most `size`.
    unit : bool
        Whether vectors are scaled to length 1 first.
    batch_norm : bool
        Whether the hidden layers are normalised over the batch, as in IMSAT.
    """

    def __init__(
        self, size: int, *, n_clusters: int, latent_size: int, n_components: int, unit: bool, batch_norm: bool
    ) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {
            "n_clusters": n_clusters, "latent_size": latent_size, "n_components": n_components,
            "unit": unit, "batch_norm": batch_norm,
        }  # fmt: skip
        self.preparation = Preparation(size, n_components, unit=unit)
        layers: list[nn.Module] = []
        for before in (n_components, latent_size):
            layers += [
                nn.Linear(before, latent_size),
                *([nn.BatchNorm1d(latent_size)] if batch_norm else []),
                nn.ReLU(),
            ]
        self.hidden = nn.Sequential(*layers)
        self.head = nn.Linear(latent_size, n_clusters)

    @property
    def encoder(self) -> nn.Module:
        """From vectors as they come to the embedding (n, latent_size)."""
        return nn.Sequential(self.preparation, self.hidden)

    def logits(self, prepared: Tensor) -> Tensor:
        """Return the logits (n, k) of prepared vectors."""
        return self.head(self.hidden(prepared))

    def forward(self, x: Tensor) -> Tensor:
        """(n, size) -> logits (n, k)."""
        return self.logits(self.preparation(x))
