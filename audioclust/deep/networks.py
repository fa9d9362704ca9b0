"""The convolutional autoencoder as a torch module, for images of any height and width.

An image is (1, height, width), a batch (n, 1, height, width). Three convolutions with stride 2 (kernels 5, 5, 3) halve
both sides three times, a linear layer gives the embedding (n, latent), and the decoder mirrors the way back to exactly
the same height and width. The third convolution pads a side that eight divides and does not pad another, per side.

References
----------
X. Guo, X. Liu, E. Zhu, J. Yin: Deep Clustering with Convolutional Autoencoders, ICONIP 2017, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

__all__ = ["ACTIVATIONS", "SMALLEST_SIDE", "ConvNetwork"]

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "elu": nn.ELU, "leaky_relu": nn.LeakyReLU}
SMALLEST_SIDE = 8
_KERNELS = (5, 5, 3)

Side = tuple[int, int]


class ConvNetwork(nn.Module):
    """Encoder and decoder of one image size.

    Parameters
    ----------
    height, width : int
        Sides of the images, at least 8.
    latent_size : int
        Length of the embedding, which has no activation.
    channels : sequence of 3 int
        Filters of the three convolutions.
    activation : {"relu", "gelu", "elu", "leaky_relu"}
        After every layer but the embedding and the last.

    Raises
    ------
    ValueError
        When a side is too short for three halvings.
    """

    def __init__(
        self,
        height: int,
        width: int,
        *,
        latent_size: int = 10,
        channels: Sequence[int] = (32, 64, 128),
        activation: str = "relu",
    ) -> None:
        super().__init__()
        if min(height, width) < SMALLEST_SIDE:
            raise ValueError(f"images are {height} x {width}: each side must have at least {SMALLEST_SIDE} pixels")
        self.settings: dict[str, Any] = {
            "latent_size": latent_size,
            "channels": list(channels),
            "activation": activation,
        }
        make = ACTIVATIONS[activation]
        paddings = [(2, 2), (2, 2), (int(height % 8 == 0), int(width % 8 == 0))]
        sides = [(height, width)]
        for kernel, padding in zip(_KERNELS, paddings, strict=True):
            sides.append(_halved(sides[-1], kernel, padding))

        down: list[nn.Module] = []
        for i, (kernel, padding) in enumerate(zip(_KERNELS, paddings, strict=True)):
            down += [nn.Conv2d((1, *channels)[i], channels[i], kernel, 2, padding), make()]
        up: list[nn.Module] = []
        for i in (2, 1, 0):
            extra = _missing(sides[i + 1], sides[i], _KERNELS[i], paddings[i])
            deconvolution = nn.ConvTranspose2d(
                channels[i], (1, *channels)[i], _KERNELS[i], 2, paddings[i], output_padding=extra
            )
            up += [deconvolution, make()]

        self.bottom = (channels[2], *sides[3])
        flat = channels[2] * sides[3][0] * sides[3][1]
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(flat, latent_size))
        self.decoder = nn.Sequential(nn.Linear(latent_size, flat), make(), nn.Unflatten(1, self.bottom), *up[:-1])
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.constant_(layer.bias, 0.0)  # type: ignore[arg-type]
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def convolutions(self) -> nn.Module:
        """The first two convolutions of the encoder."""
        return self.encoder[:4]

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the embedding (n, latent) and the reconstruction (n, 1, height, width)."""
        embedding = self.encoder(images)
        return embedding, self.decoder(embedding)


def _halved(sides: Side, kernel: int, padding: Side) -> Side:
    height, width = ((side + 2 * pad - kernel) // 2 + 1 for side, pad in zip(sides, padding, strict=True))
    return height, width


def _missing(small: Side, wanted: Side, kernel: int, padding: Side) -> Side:
    """Rows and columns that a transposed convolution must add so that `small` becomes `wanted`."""
    rows, columns = (
        want - ((side - 1) * 2 - 2 * pad + kernel) for side, want, pad in zip(small, wanted, padding, strict=True)
    )
    return rows, columns
