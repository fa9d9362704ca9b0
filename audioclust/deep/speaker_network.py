"""A small speaker network (ECAPA-TDNN) trained on labels or pseudo-labels with any margin loss.

Spectra X (n, frames, bands) become vectors (n, dimension). In training a random stretch is seen of each
recording, with one random time and one frequency mask; vectors are those of whole recordings.

References
----------
Desplanques, Thienpondt, Demuynck: ECAPA-TDNN, Interspeech 2020 (the network, :mod:`audioclust.embeddings.tdnn`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from audioclust.deep.augmentation import mask
from audioclust.deep.base import NetworkEstimator
from audioclust.deep.data import canonical, generator
from audioclust.deep.margin_losses import MARGIN_LOSSES, MarginLoss
from audioclust.deep.module import BatchModule
from audioclust.deep.parameters import check_training, usual_training
from audioclust.deep.training import Training, fitting_batch
from audioclust.embeddings.ecapa import fbank, sentence_mean_normalised
from audioclust.embeddings.tdnn import ECAPA
from audioclust.validation import check_choice, check_labels, check_number, check_share

__all__ = ["SpeakerNetwork", "speaker_spectra"]

SHORTEST = 5  # frames: the widest convolution mirrors 4
_SCALE = 4  # groups of channels in a block, and what the number of channels must be divisible by


def speaker_spectra(waves: Sequence[ArrayLike], *, frames: int = 100) -> NDArray[np.float32]:
    """Return log mel energies of the loudest stretch of each recording, mean 0 in every band.

    Parameters
    ----------
    waves : sequence of array [shape=(samples,)]
        Mono, 16 kHz.
    frames : int
        Length of the stretch, 10 ms each. A shorter recording is repeated.

    Returns
    -------
    array [shape=(n, frames, 80), dB]

    Examples
    --------
    >>> speaker_spectra([np.sin(np.arange(16000.0))], frames=50).shape
    (1, 50, 80)
    """
    check_number("frames", frames, SHORTEST, whole=True)
    spectra = np.empty((len(waves), frames, 80), np.float32)
    for row, wave in zip(spectra, waves, strict=True):
        with torch.no_grad():
            levels = fbank(torch.as_tensor(np.asarray(wave, dtype=np.float32))[None])[0]
            if len(levels) < frames:
                levels = levels.repeat(-(-frames // len(levels)), 1)
            energy = levels.mean(dim=1).cumsum(0)
            sums = energy[frames - 1 :] - torch.cat([energy.new_zeros(1), energy[:-frames]])
            start = int(sums.argmax())
            row[:] = sentence_mean_normalised(levels[None, start : start + frames])[0].numpy()
    return spectra


class _Network(nn.Module):
    def __init__(self, frames: int, bands: int, *, latent_size: int, channels: int, blocks: int) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {"latent_size": latent_size, "channels": channels, "blocks": blocks}
        self.encoder = ECAPA(
            bands=bands,
            dimension=latent_size,
            channels=(*[channels] * (blocks + 1), 3 * channels),
            kernels=(5, *[3] * blocks, 1),
            dilations=(1, *range(2, blocks + 2), 1),
            attention=max(8, channels // 2),
            squeezed=max(8, channels // 2),
            scale=_SCALE,
        )


class _Speakers(BatchModule):
    """Crops, masks, and the margin loss."""

    def __init__(
        self, network: nn.Module, data: np.ndarray, training: Training, *,
        labels: np.ndarray, loss: MarginLoss, crop: int, masks: tuple[float, float],
    ) -> None:  # fmt: skip
        super().__init__(network, data, training)
        self.labels, self.loss, self.crop, self.masks = torch.from_numpy(labels), loss, crop, masks

    def batch(self, index: Tensor, step: int) -> Tensor:
        random = generator(self.settings.seed, self.current_epoch, step, 1)
        spectra = self.inputs(self.data[index.to(self.device)])
        start = int(torch.randint(0, spectra.shape[1] - self.crop + 1, (1,), generator=random))
        spectra = spectra[:, start : start + self.crop]
        time, frequency = self.masks
        return mask(spectra.transpose(1, 2), random, time=time, frequency=frequency).transpose(1, 2)

    def losses(self, inputs: Tensor, index: Tensor) -> dict[str, Tensor]:
        # a network that knows nothing corrects nothing
        self.loss.corrects = 2 * self.current_epoch >= self.settings.epochs
        vectors, labels = self.network.encoder(inputs).float(), self.labels[index].to(self.device)
        with torch.autocast(self.device.type, enabled=False):  # a scale of 64 needs more than three digits of a cosine
            return {self.loss.kind: self.loss(vectors, labels)}


class SpeakerNetwork(NetworkEstimator):
    """Learn speaker vectors from labelled spectra.

    Parameters
    ----------
    loss : str
        One of :data:`~audioclust.deep.margin_losses.MARGIN_LOSSES`.
    scale, margin : float, optional
        Of the loss; by default its usual ones.
    dimension : int
        Length of the vectors.
    channels : int
        Of the network's blocks, divisible by 4 (the published ECAPA-TDNN has 1 024).
    blocks : int
        SE-Res2Net blocks, 1 to 3 (the published one has 3).
    crop : float in (0, 1]
        Share of the frames that is seen of a recording in a step.
    time_mask, frequency_mask : float in [0, 0.5]
        The widest masks, as shares of frames and bands.
    epochs : int
        Passes over the recordings.
    batch_size, learning_rate, random_state, device, precision, folder, checkpoint_every, tensorboard
        As of :class:`~audioclust.deep.ConvAutoencoder`; the learning rate falls along a half cosine.

    Attributes
    ----------
    embedding_ : array of float32 [shape=(n, dimension)]
    n_classes_ : int
    history_ : DataFrame
        Mean loss per epoch.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> who = np.repeat([0, 1], 20)
    >>> X = rng.standard_normal((2, 1, 12))[who] + 0.3 * rng.standard_normal((40, 20, 12))
    >>> model = SpeakerNetwork(channels=8, dimension=4, epochs=5, random_state=0).fit(X, who)
    >>> from audioclust.evaluation import equal_error_rate
    >>> equal_error_rate(model.transform(X), who) < 0.1
    True
    """

    _network_class = _Network
    _fitted = ("embedding_", "n_classes_")

    def __init__(
        self,
        loss: str = "aam",
        *,
        scale: float | None = None,
        margin: float | None = None,
        dimension: int = 64,
        channels: int = 32,
        blocks: int = 3,
        crop: float = 0.7,
        time_mask: float = 0.1,
        frequency_mask: float = 0.1,
        epochs: int = 10,
        batch_size: int | None = None,
        learning_rate: float = 2e-3,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        device: str = "auto",
        precision: str = "auto",
        folder: str | Path | None = None,
        checkpoint_every: int = 10,
        tensorboard: bool = False,
    ) -> None:
        self.loss = loss
        self.scale = scale
        self.margin = margin
        self.dimension = dimension
        self.channels = channels
        self.blocks = blocks
        self.crop = crop
        self.time_mask = time_mask
        self.frequency_mask = frequency_mask
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.device = device
        self.precision = precision
        self.folder = folder
        self.checkpoint_every = checkpoint_every
        self.tensorboard = tensorboard

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train on spectra and their labels.

        Parameters
        ----------
        X : array [shape=(n, frames, bands)]
            As of :func:`speaker_spectra`.
        y : array of int [shape=(n,)]
            Who speaks, or clusters; recordings labelled -1 (noise) are left out of the training.

        Raises
        ------
        ValueError
            When a parameter, a spectrum or a label cannot be used.
        """
        rows = self._check_rows(X, least=2, fitted=False)
        labels = check_labels(y, len(rows))
        self._check(labels)
        seen, codes = rows[labels >= 0], np.unique(labels[labels >= 0], return_inverse=True)[1]
        permutation, _ = canonical(seen)
        self._begin = codes[permutation].astype(np.int64)
        self._learn(seen, labels=hashlib.sha256(self._begin.tobytes()).hexdigest())
        self.n_classes_ = int(codes.max()) + 1
        del self._begin
        self.embedding_ = self.transform(rows)
        return self

    def _check(self, labels: NDArray[np.intp]) -> None:
        if len(np.unique(labels[labels >= 0])) < 2:
            raise ValueError("y names fewer than two speakers: there is nothing to tell apart")
        check_training(self)
        check_choice("loss", self.loss, tuple(MARGIN_LOSSES))
        for name in ("dimension", "channels", "epochs"):
            check_number(name, getattr(self, name), 1, whole=True)
        check_number("blocks", self.blocks, 1, 3, whole=True)
        if self.channels % _SCALE:
            raise ValueError(f"channels={self.channels}: give a multiple of {_SCALE}")
        check_share("crop", self.crop)
        for name in ("time_mask", "frequency_mask"):
            check_number(name, getattr(self, name), 0, 0.5)

    def _check_rows(self, X: ArrayLike, *, least: int = 1, fitted: bool = True) -> np.ndarray:
        spectra = np.asarray(X)
        if spectra.ndim != 3 or spectra.dtype.kind not in "fiub" or spectra.shape[1] < SHORTEST:
            raise ValueError(f"X has shape {spectra.shape}: spectra must be numbers (n, frames of at least 5, bands)")
        if len(spectra) < least or not np.isfinite(spectra).all():
            raise ValueError(f"X has {len(spectra)} spectra: at least {least} are needed, all finite")
        if fitted and spectra.shape[2] != self.row_shape_[1]:
            raise ValueError(f"X has {spectra.shape[2]} bands, fitted were {self.row_shape_[1]}")
        return spectra.astype(np.float32)

    def _settings(self) -> dict[str, Any]:
        return {"latent_size": self.dimension, "channels": self.channels, "blocks": self.blocks}

    def _training(self, n: int) -> Training:
        size = min(fitting_batch(n), 128) if self.batch_size is None else self.batch_size
        steps = max(1, n // size)
        return usual_training(self, n, batch_size=size, epochs=self.epochs, steps=steps, schedule="cosine")

    def _module(self, data: np.ndarray, training: Training) -> _Speakers:
        network = self._new_network(training.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.seed + 1)
            loss = MarginLoss(
                self.dimension, int(self._begin.max()) + 1, self.loss, scale=self.scale, margin=self.margin
            )
        crop = max(SHORTEST, round(self.crop * data.shape[1]))
        masks = (self.time_mask, self.frequency_mask)
        return _Speakers(network, data, training, labels=self._begin, loss=loss, crop=crop, masks=masks)
