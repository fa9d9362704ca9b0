"""Images in memory, and how a batch is made of them.

Images come as (n, height, width) or (n, 1, height, width), uint8 or floating; they stay as they came, and are scaled
batch by batch with one offset and one gain for the whole data set, so the level differences between recordings survive.
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

__all__ = ["Augmentation", "Scaling", "augment", "canonical", "check_images", "generator", "order"]


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


@dataclass(frozen=True)
class Scaling:
    """One offset and one gain for all pixels of all images: scaled = (pixel - offset) * gain."""

    offset: float
    gain: float

    @classmethod
    def of(cls, images: np.ndarray, kind: str) -> Scaling:
        """Fit to a data set: "range" maps its extreme pixels to 0 and 1, "standard" gives mean 0 and variance 1."""
        if kind == "range":
            offset, spread = float(images.min()), float(images.max()) - float(images.min())
        else:
            offset, spread = float(images.mean(dtype=np.float64)), float(images.std(dtype=np.float64))
        return cls(offset, 1.0 / spread if spread > 0 else 1.0)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Scale a batch (n, height, width) to float32 (n, 1, height, width), channels last."""
        scaled = (images.to(torch.float32) - self.offset) * self.gain
        return scaled.unsqueeze(1).contiguous(memory_format=torch.channels_last)

    def undo(self, scaled: np.ndarray) -> np.ndarray:
        """Bring reconstructions back to the units of the images."""
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


def augment(batch: torch.Tensor, how: Augmentation, random: torch.Generator, *, floor: float = 0.0) -> torch.Tensor:
    """Return changed copies of a scaled batch (n, 1, height, width); every image draws its own changes.

    Parameters
    ----------
    floor : float
        What moves in at the edges of a shifted image.
    random : torch.Generator
        On the CPU, so that every device sees the same changes.
    """
    n, _, height, width = batch.shape
    if how.shift > 0:
        rows, columns = _shifted(n, height, how.shift, random), _shifted(n, width, how.shift, random)
        outside = ((rows < 0) | (rows >= height))[:, :, None] | ((columns < 0) | (columns >= width))[:, None, :]
        each = torch.arange(n)[:, None, None]
        taken = (each, rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None, :])
        moved = batch[:, 0][tuple(part.to(batch.device) for part in taken)]
        batch = moved.masked_fill(outside.to(batch.device), floor).unsqueeze(1)
    if how.time_mask > 0 or how.frequency_mask > 0:
        rows = _stretch(n, height, how.frequency_mask, random)
        columns = _stretch(n, width, how.time_mask, random)
        hidden = (rows[:, :, None] | columns[:, None, :]).unsqueeze(1).to(batch.device)
        batch = torch.where(hidden, batch.mean(), batch)
    return batch.contiguous(memory_format=torch.channels_last)


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
