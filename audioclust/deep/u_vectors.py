"""u-vectors: vectors that tell voices apart, learned from unlabelled recordings and from nothing else.

The one assumption: a segment of a second holds one voice. Its frames are brought near each other, frames of other
segments are kept apart. Who speaks is never read: neither in training, nor to stop it, nor to choose among trainings.

References
----------
A. Q. Ohi, M. F. Mridha, M. A. Hamid, M. M. Monowar: U-Vectors: Generating Clusterable Speaker Embedding from Unlabeled
Data, Applied Sciences 11(21):10079, 2021.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from audioclust.deep.base import NetworkEstimator
from audioclust.deep.data import canonical
from audioclust.deep.module import BatchModule
from audioclust.deep.parameters import usual_training
from audioclust.deep.training import Training
from audioclust.deep.u_vectors_frames import Frames, cut, read_waves, sound
from audioclust.deep.u_vectors_module import FULL_SCALE, PairTraining
from audioclust.deep.u_vectors_network import UVectorNetwork
from audioclust.deep.u_vectors_settings import SPECTRUM, checked, filled, loss_of, rate_of
from audioclust.embeddings.encoder import CheckpointError, checked_waves, unit
from audioclust.geometry import group_sums

__all__ = ["UVectors"]

SETTLED = 3
PUBLISHED = {
    "training": "pairwise", "network": "densenet121", "latent_size": 12, "batch_size": 128, "learning_rate": 5e-4,
    "schedule": "constant", "spectrum": {"n_fft": 191, "window": 128, "hop": 34, "n_mels": 100},
}  # fmt: skip


class UVectors(NetworkEstimator):
    """Learn vectors of voices from recordings.

    Parameters
    ----------
    training : {"infonce", "pairwise", "triplet"}
        What is lowered: the cross-entropy of finding each frame's partner in the batch; the squared error of capped
        distances to 0 or `alpha` (AutoEmbedder, as published); or the triplet loss with semi-hard negatives.
    network : {"small", "densenet121"}
        Four convolutions over time, which two cores train in minutes; or the published network.
    latent_size : int
        Length of a vector; 12 as published.
    pseudo_label : {"segment", "file"}
        What is taken to hold one voice.
    sample_rate : int
        In Hz; everything is brought to it.
    frame, segment : float
        In seconds, see :func:`~audioclust.deep.u_vectors_frames.cut`.
    split : {"silence", "voice", "none"}
        Where sound is, see there.
    steps : int
        Of the training.
    check_every : int
        Steps between two checks of the partition, which are the rows of `history_`.
    batch_size : int
        Pairs per step.
    learning_rate : float, optional
        Of Adam; None takes 5e-4 for ``"pairwise"``, as published, and 1e-3 for the others.
    schedule : {"cosine", "constant"}
    loss : dict, optional
        Numbers of the loss, see :mod:`~audioclust.deep.u_vectors_losses`: ``temperature`` (.1) and ``ignored`` (.1: the
        share of the other frames in a batch, the nearest ones, that are not pushed away, since some are of the same
        voice) of ``"infonce"``; ``alpha`` (100) of ``"pairwise"``; ``margin`` (.2) of ``"triplet"``.
    augmented : float in [0, 1]
        Share of the frames of each side of the pairs that are changed.
    augmentation : dict, optional
        How, see :class:`~audioclust.deep.augmentation.SoundAugmentation`; by default by noise of at most .07.
    spectrum : dict, optional
        ``n_fft`` (512), ``window`` (400) and ``hop`` (160) of the mel spectrum in samples, and ``n_mels`` (40); 191,
        128, 34 and 100 as published.
    channels : int
        Of the small network.
    patience : int, optional
        Stop after so many checks in a row at which the partition hardly changed; None goes on to the end.
    tolerance : float in [0, 1]
        Share of the segments in another group up to which it hardly changed.
    random_state, device, precision, folder, checkpoint_every, tensorboard
        As for :class:`~audioclust.deep.ConvAutoencoder`.

    Attributes
    ----------
    embedding_ : array of float32 [shape=(n_recordings, latent_size)]
        Vectors of the fitted recordings, as :meth:`transform` gives them; of a recording whose frames were given, the
        mean over those.
    history_ : DataFrame
        Per check: mean loss, ``changed`` (share of the segments in another group than at the last check), ``settled``
        (checks in a row), ``preparing`` (seconds in which batches were made) and ``seconds``.
    chosen_ : int
        Row of the history at which the partition had settled, for three checks where `patience` is None; the last if it
        never did.
    watched_ : array of float16 [shape=(checks, m, latent_size)]
        Vectors of the frames to watch at every check; only where there are any.

    Examples
    --------
    >>> import numpy as np
    >>> from audioclust.deep import UVectors
    >>> time = np.arange(16000) / 16000
    >>> low = [np.sin(2 * np.pi * f * time).astype("float32") for f in (200, 205, 210)]
    >>> high = [np.sin(2 * np.pi * f * time).astype("float32") for f in (3000, 3020, 3040)]
    >>> model = UVectors(latent_size=4, channels=8, steps=20, check_every=10, random_state=0).fit(low + high)
    >>> model.embedding_.shape
    (6, 4)
    >>> cosines = model.embedding_ @ model.embedding_.T
    >>> bool(cosines[0, 1] > cosines[0, 4])
    True
    """

    name: ClassVar[str] = "uvector"
    settings: dict[str, Any]  # what names its vectors in a store; only as an encoder
    _network_class = UVectorNetwork
    _fitted = ("embedding_", "chosen_", "watched_")

    def __init__(
        self,
        training: str = "infonce",
        *,
        network: str = "small",
        latent_size: int = 32,
        pseudo_label: str = "segment",
        sample_rate: int = 16000,
        frame: float = 0.2,
        segment: float = 1.0,
        split: str = "silence",
        steps: int = 400,
        check_every: int = 50,
        batch_size: int = 64,
        learning_rate: float | None = None,
        schedule: str = "cosine",
        loss: Mapping[str, float] | None = None,
        augmented: float = 0.5,
        augmentation: Mapping[str, Any] | None = None,
        spectrum: Mapping[str, int] | None = None,
        channels: int = 64,
        patience: int | None = 3,
        tolerance: float = 0.02,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        device: str = "auto",
        precision: str = "auto",
        folder: str | Path | None = None,
        checkpoint_every: int = 1,
        tensorboard: bool = False,
    ) -> None:
        self.training = training
        self.network = network
        self.latent_size = latent_size
        self.pseudo_label = pseudo_label
        self.sample_rate = sample_rate
        self.frame = frame
        self.segment = segment
        self.split = split
        self.steps = steps
        self.check_every = check_every
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.loss = loss
        self.augmented = augmented
        self.augmentation = augmentation
        self.spectrum = spectrum
        self.channels = channels
        self.patience = patience
        self.tolerance = tolerance
        self.random_state = random_state
        self.device = device
        self.precision = precision
        self.folder = folder
        self.checkpoint_every = checkpoint_every
        self.tensorboard = tensorboard

    @classmethod
    def published(cls, **changes: Any) -> Self:
        """Return one with the settings of the paper, and `changes` of them."""
        return cls(**{**PUBLISHED, **changes})

    def fit(
        self, X: Frames | Sequence[Any], y: Any = None, *, groups: ArrayLike | None = None, watch: Frames | None = None
    ) -> Self:
        """Learn from recordings.

        Parameters
        ----------
        X : list of array or path, or Frames
            Mono waves in -1..1 at `sample_rate`, files, or what :meth:`cut` made of them.
        y : ignored
        groups : array of int [shape=(frames,)], optional
            Pseudo-labels of one's own for the frames of `X`, instead of `pseudo_label`.
        watch : Frames, optional
            Frames whose vectors are kept at every check, for curves. They change nothing.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            When a parameter or a recording cannot be used, or there are fewer than two groups of frames.

        Warns
        -----
        UserWarning
            When most groups hold a single frame, so that their pairs are that frame changed twice.
        """
        augmentation = checked(self)
        frames = self.cut(X)
        if frames.problems:
            number, problem = next(iter(frames.problems.items()))
            more = f", and {len(frames.problems) - 1} more" if len(frames.problems) > 1 else ""
            raise ValueError(f"X[{number}] {problem}{more}: leave it out, or give a shorter frame or split='none'")
        own = frames.segment if self.pseudo_label == "segment" else frames.recording
        given = np.asarray(own if groups is None else groups)
        if given.shape != (len(frames),):
            raise ValueError(f"groups has shape {given.shape}, X has {len(frames)} frames")
        if len(np.unique(given)) < 2:
            raise ValueError(f"X holds one {self.pseudo_label}: at least two are needed, to be told apart")
        _warn_of_single_frames(given, self.pseudo_label)
        augmentation.prepare(frames.samples.shape[1])
        order, _ = canonical(frames.samples)
        ordered = pd.factorize(given[order])[0]  # numbered as they first appear: their names change nothing
        watched = None if watch is None else watch.samples
        self._begin = ordered, augmentation, watched
        self._learn(frames.samples, groups=_digest(ordered), watched=None if watched is None else _digest(watched))
        del self._begin
        self.embedding_ = self._means(self.embedding_, frames.recording, frames.n_recordings)
        return self

    def cut(self, X: Frames | Sequence[Any]) -> Frames:
        """Cut recordings as `frame`, `segment`, `split` and `sample_rate` say; nothing need be fitted."""
        return cut(X, sample_rate=self.sample_rate, frame=self.frame, segment=self.segment, split=self.split)

    def transform(self, X: Frames | Sequence[Any]) -> NDArray[np.float32]:  # type: ignore[override]
        """Give every recording the mean vector of its frames.

        Parameters
        ----------
        X : list of array or path, or Frames
            As for :meth:`fit`. Where no frame of sound is, the recording as it is counts as one.

        Returns
        -------
        array of float32 [shape=(n_recordings, latent_size)]
            Of length 1, unless trained ``"pairwise"``.

        Raises
        ------
        ValueError
            When a file cannot be read, or a wave is empty or no sound.
        """
        check_is_fitted(self, "network_")
        if isinstance(X, Frames):
            return self._means(self.transform_frames(X), X.recording, X.n_recordings)
        waves = read_waves(X, self.sample_rate)
        for place, (_, problem) in enumerate(waves):
            if problem is not None:
                raise ValueError(f"X[{place}] {problem}")
        return self._of_waves([wave for wave, _ in waves])

    def transform_frames(self, frames: Frames, *, by: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """Give every frame its vector [shape=(frames, latent_size)].

        With `by` [shape=(frames,)], such as ``frames.segment``, the frames of each group are heard as one stretch
        [shape=(groups, latent_size)], in the order of the groups' numbers.
        """
        check_is_fitted(self, "network_")
        if by is None:
            return self._embedded(frames.samples)
        stretches = [frames.samples[by == group].reshape(1, -1) for group in np.unique(by)]
        return np.concatenate([self._embedded(stretch) for stretch in stretches])

    def encode(self, waves: Sequence[ArrayLike], sample_rate: int = 16000) -> NDArray[np.float32]:
        """Give every wave its vector, of length 1 [shape=(n, latent_size)], as every encoder does.

        Raises
        ------
        ValueError
            When a wave cannot be used.
        """
        check_is_fitted(self, "network_")
        return unit(self._of_waves(checked_waves(waves, sample_rate, self.sample_rate)))

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self.latent_size

    def _of_waves(self, waves: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return the mean vector of each wave's frames of sound, which may overlap at the end of a stretch."""
        length = self.row_shape_[0]
        pieces: list[np.ndarray] = []
        recording = []
        for number, wave in enumerate(waves):
            own = [wave[a:b] for a, b in sound(wave, self.sample_rate, self.split) if b - a >= length]
            for stretch in own or [np.pad(wave, (0, max(0, length - len(wave))), mode="wrap")]:
                starts = [*range(0, len(stretch) - length + 1, length)]
                pieces += [stretch[start : start + length] for start in starts]
                recording += [number] * len(starts)
        rows = np.round(np.clip(np.array(pieces), -1, 1) * FULL_SCALE).astype(np.int16)
        return self._means(self._embedded(rows), np.array(recording), len(waves))

    def _means(self, vectors: np.ndarray, place: NDArray[np.intp], n: int) -> NDArray[np.float32]:
        counts = np.maximum(np.bincount(place, minlength=n), 1)[:, None]
        means = group_sums(vectors.astype(np.float64), place, n) / counts
        return unit(means) if self.network_.settings["unit"] else means.astype(np.float32)

    def _settings(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("network", "latent_size", "channels", "sample_rate")}
        return {**own, **filled("spectrum", self.spectrum, SPECTRUM), "unit": self.training != "pairwise"}

    def _inputs(self, rows: np.ndarray) -> Any:
        return super()._inputs(rows) / FULL_SCALE

    def _training(self, n: int) -> Training:
        checks = -(-self.steps // self.check_every)
        more = {"learning_rate": rate_of(self), "schedule": self.schedule}
        return usual_training(self, n, epochs=checks, steps=min(self.steps, self.check_every), **more)

    def _module(self, data: np.ndarray, training: Training) -> PairTraining:
        groups, augmentation, watched = self._begin
        network: Any = self._new_network(training.seed)
        return PairTraining(
            network, data, training, groups=groups, kind=self.training,
            loss=loss_of(self), augmentation=augmentation, share=self.augmented, patience=self.patience,
            tolerance=self.tolerance, watched=watched,
        )  # fmt: skip

    def _keep(self, module: BatchModule) -> None:
        assert isinstance(module, PairTraining)
        settled = np.flatnonzero(self.history_["settled"].to_numpy() >= (self.patience or SETTLED))
        self.chosen_ = int(settled[0]) if len(settled) else len(self.history_) - 1
        if module.kept:
            self.watched_ = np.stack([part.numpy() for part in module.kept])


def trained(checkpoint: str | Path) -> UVectors:
    """Return u-vectors from a file that :meth:`UVectors.save` wrote, as an encoder.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    audioclust.embeddings.CheckpointError
        When it is damaged or of something else.
    """
    try:
        model = UVectors.load(checkpoint)
    except ValueError as error:
        raise CheckpointError(str(error)) from None
    weights = hashlib.sha256()
    for name, value in model.network_.state_dict().items():
        weights.update(name.encode() + value.contiguous().numpy().tobytes())
    cutting = {name: getattr(model, name) for name in ("sample_rate", "frame", "split")}
    model.settings = {"weights": weights.hexdigest(), **cutting}
    return model


def _warn_of_single_frames(groups: np.ndarray, kind: str) -> None:
    sizes = np.unique(groups, return_counts=True)[1]
    if (single := int((sizes == 1).sum())) > len(sizes) / 2:
        warnings.warn(
            f"UVectors: {single} of {len(sizes)} {kind}s hold one frame: a pair is then that frame, changed twice, "
            "and says little about the voice; give longer recordings, a shorter frame or pseudo_label='file'",
            stacklevel=3,
        )


def _digest(values: np.ndarray) -> str:
    return hashlib.sha256(f"{values.dtype.str} {values.shape}".encode() + values.tobytes()).hexdigest()
