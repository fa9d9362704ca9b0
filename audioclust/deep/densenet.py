"""DenseNet-121 for images of one channel, of any size from 29 x 29.

References
----------
G. Huang, Z. Liu, L. van der Maaten, K. Q. Weinberger: Densely Connected Convolutional Networks, CVPR 2017, table 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["SMALLEST_SIDE", "DenseNet121"]

SMALLEST_SIDE = 29
"""Of an image: what it is halved to five times is nothing below that."""

BLOCKS = (6, 12, 24, 16)
GROWTH = 32
STEM = 64


class _Layer(nn.Module):
    """Two convolutions (1 x 1, 3 x 3), whose 32 new channels are joined to what went in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.new = nn.Sequential(
            nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, 4 * GROWTH, 1, bias=False),
            nn.BatchNorm2d(4 * GROWTH), nn.ReLU(), nn.Conv2d(4 * GROWTH, GROWTH, 3, padding=1, bias=False),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([images, self.new(images)], 1)


class DenseNet121(nn.Sequential):
    """Images (n, 1, height, width) to vectors (n, latent_size): the mean over the image, then a dense layer.

    Examples
    --------
    >>> DenseNet121(12)(torch.zeros(2, 1, 64, 64)).shape
    torch.Size([2, 12])
    """

    def __init__(self, latent_size: int) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(1, STEM, 7, 2, 3, bias=False), nn.BatchNorm2d(STEM), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
        ]  # fmt: skip
        channels = STEM
        for number, size in enumerate(BLOCKS):
            if number:
                half = channels // 2
                layers += [nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, half, 1, bias=False)]
                layers.append(nn.AvgPool2d(2, 2))
                channels = half
            for _ in range(size):
                layers.append(_Layer(channels))
                channels += GROWTH
        layers += [nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        super().__init__(*layers, nn.Linear(channels, latent_size))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
