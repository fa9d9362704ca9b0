"""Images in memory, and how a batch is made of them.

Images come as (n, height, width) or (n, 1, height, width), uint8 or floating; they stay as they came, and are scaled
batch by batch in the same way for the whole data set, so the level differences between recordings survive.
For spectral images the first axis is frequency and the second is time.

Which images make a batch, and how they are changed, depends only on (seed, pass, step): a training that was killed
needs no generator's state to go on as if it had not been.

References
----------
D. Park et al.: SpecAugment, Interspeech 2019 (time and frequency masks).
X. Guo, E. Zhu, X. Liu, J. Yin: Deep Embedded Clustering with Data Augmentation, ACML 2018 (small shifts).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from audioclust.deep.networks import SMALLEST_SIDE

__all__ = [
    "SCALES",
    "Augmentation",
    "Scaling",
    "augment",
    "canonical",
    "check_images",
    "generator",
    "order",
]


def check_images(X: Any, *, least: int = 1, size: tuple[int, int] | None = None) -> np.ndarray:
    """Return `X` as an array of images (n, height, width), uint8 or float32.

    Parameters
    ----------
    X : array [shape=(n, height, width) or (n, 1, height, width)]
        Numbers of any kind, all finite.
    least : int
        The fewest images that will do.
    size : (int, int), optional
        Height and width that the images must have.

    Raises
    ------
    ValueError
        When the shape, the number of images or a value cannot be used.
    """
    images = np.asarray(X)
    if images.ndim == 4 and images.shape[1] == 1:
        images = images[:, 0]
    if images.ndim != 3:
        raise ValueError(f"X has shape {np.shape(X)}: images must be (n, height, width) or (n, 1, height, width)")
    if images.dtype != np.uint8:
        if images.dtype.kind not in "fiub":
            raise ValueError(f"X holds {images.dtype}: images must be numbers")
        images = images.astype(np.float32)
        if not np.isfinite(images).all():
            bad = np.flatnonzero(~np.isfinite(images).all(axis=(1, 2)))
            raise ValueError(f"X has NaN or infinity in {len(bad)} of {len(images)} images, first at {bad[0]}")
    if len(images) < least:
        raise ValueError(f"X has {len(images)} image(s): at least {least} are needed")
    if min(images.shape[1:]) < SMALLEST_SIDE:
        raise ValueError(f"X has shape {np.shape(X)}: each side must have at least {SMALLEST_SIDE} pixels")
    if size is not None and images.shape[1:] != tuple(size):
        raise ValueError(f"X has images of {images.shape[1]} x {images.shape[2]}, fitted were {size[0]} x {size[1]}")
    return images


def canonical(images: np.ndarray) -> tuple[np.ndarray, str]:
    """Order the images by what they hold, and name the set.

    Training in this order makes a network independent of the order in which a folder was listed.

    Returns
    -------
    order : array of int [shape=(n,)]
        The images' positions, sorted by the SHA-256 of their bytes.
    fingerprint : str
        SHA-256 of the type, the shape and the images, whatever their order.
    """
    digests = [hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest() for image in images]
    order = sorted(range(len(digests)), key=digests.__getitem__)
    whole = hashlib.sha256(f"{images.dtype.str} {images.shape}".encode())
    for i in order:
        whole.update(digests[i])
    return np.array(order), whole.hexdigest()


SCALES = ("range", "standard", "pixel")


@dataclass(frozen=True)
class Scaling:
    """How a data set's images become the network's input: scaled = (image - offset) * gain.

    Parameters
    ----------
    offset, gain : array of float32 [shape=() or (height, width)]
        One for all pixels, or one per pixel; the same for every image.
    """

    offset: np.ndarray
    gain: np.ndarray

    @classmethod
    def of(cls, images: np.ndarray, kind: str) -> Scaling:
        """Fit to a data set.

        Parameters
        ----------
        kind : {"range", "standard", "pixel"}
            The extreme values become 0 and 1; mean 0 and variance 1 over everything; or mean 0 and variance 1 of each
            pixel over the images (a pixel that hardly varies is not blown up).
        """
        overall = float(images.std(dtype=np.float64)) or 1.0
        if kind == "range":
            spread = float(images.max()) - float(images.min()) or 1.0
            return cls(np.array(images.min(), np.float32), np.array(1 / spread, np.float32))
        if kind == "standard":
            return cls(np.array(images.mean(dtype=np.float64), np.float32), np.array(1 / overall, np.float32))
        each = np.maximum(images.std(axis=0, dtype=np.float64), 0.05 * overall)
        return cls(images.mean(axis=0, dtype=np.float64).astype(np.float32), (1 / each).astype(np.float32))

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Scale a batch (n, height, width) to float32 (n, 1, height, width), channels last."""
        offset, gain = (torch.as_tensor(part, device=images.device) for part in (self.offset, self.gain))
        scaled = (images.to(torch.float32) - offset) * gain
        return scaled.unsqueeze(1).contiguous(memory_format=torch.channels_last)

    def undo(self, scaled: np.ndarray) -> np.ndarray:
        """Bring reconstructions (n, height, width) back to the units of the images."""
        return scaled / self.gain + self.offset


@dataclass(frozen=True)
class Augmentation:
    """How far a training image may be changed, as shares of its sides.

    Parameters
    ----------
    shift : float
        Largest shift along each axis; what moves in from outside is the data set's lowest value.
    time_mask, frequency_mask : float
        Largest width of the one stretch of columns, and of rows, that is set to the batch's mean.
    """

    shift: float = 0.0
    time_mask: float = 0.0
    frequency_mask: float = 0.0

    def __bool__(self) -> bool:
        return self.shift > 0 or self.time_mask > 0 or self.frequency_mask > 0


def augment(images: torch.Tensor, how: Augmentation, random: torch.Generator, *, floor: float = 0.0) -> torch.Tensor:
    """Return changed copies of images (n, height, width), float32; every image draws its own changes.

    Parameters
    ----------
    floor : float
        What moves in at the edges of a shifted image.
    random : torch.Generator
        On the CPU, so that every device sees the same changes.
    """
    images = images.to(torch.float32)
    n, height, width = images.shape
    device = images.device
    if how.shift > 0:
        rows, columns = _shifted(n, height, how.shift, random), _shifted(n, width, how.shift, random)
        outside = ((rows < 0) | (rows >= height))[:, :, None] | ((columns < 0) | (columns >= width))[:, None, :]
        each = torch.arange(n)[:, None, None].to(device)
        rows, columns = rows.clamp(0, height - 1).to(device), columns.clamp(0, width - 1).to(device)
        images = images[each, rows[:, :, None], columns[:, None, :]].masked_fill(outside.to(device), floor)
    if how.time_mask > 0 or how.frequency_mask > 0:
        rows = _stretch(n, height, how.frequency_mask, random)
        columns = _stretch(n, width, how.time_mask, random)
        hidden = (rows[:, :, None] | columns[:, None, :]).to(device)
        images = torch.where(hidden, images.mean(), images)
    return images


def generator(*numbers: int) -> torch.Generator:
    """Make a CPU generator that depends on the numbers alone."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1))


def order(n: int, seed: int, number: int) -> torch.Tensor:
    """Return the order in which pass `number` over `n` images visits them."""
    return torch.randperm(n, generator=generator(seed, number))


def _shifted(n: int, side: int, share: float, random: torch.Generator) -> torch.Tensor:
    most = round(share * side)
    return torch.arange(side) + torch.randint(-most, most + 1, (n, 1), generator=random)


def _stretch(n: int, side: int, share: float, random: torch.Generator) -> torch.Tensor:
    widths = torch.randint(0, round(share * side) + 1, (n, 1), generator=random)
    starts = (torch.rand((n, 1), generator=random) * (side - widths + 1)).long()
    places = torch.arange(side)
    return (places >= starts) & (places < starts + widths)
