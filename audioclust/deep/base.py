"""What the networks on images share outside: checked parameters, embedding, reconstruction, save and load.

Fitted on images X (n, height, width), an estimator holds ``embedding_`` (n, latent, float32) and ``labels_`` (n,), row
i belonging to image i: no image is left out, and nothing is reordered. The training itself sees the images in an order
made from their content, so the caller's order does not matter.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from audioclust import files
from audioclust.deep.data import Augmentation, Scaling, check_images
from audioclust.deep.networks import ACTIVATIONS, ConvNetwork
from audioclust.deep.training import EMBED_BATCH, Hardware, ImageModule, train, using_cores
from audioclust.validation import check_choice, check_number

__all__ = ["ImageEstimator", "check_augmentation"]

logger = logging.getLogger(__name__)

FORMAT = 1
FINISHED = "model.pt"
UNKEYED = (
    "device",
    "precision",
    "folder",
    "checkpoint_every",
    "tensorboard",
    "random_state",
    "head_on",
    "head_runs",
)
"""Parameters that do not name a training: where and how it runs (what they resolve to is named instead), and what is
done with the embedding afterwards."""


class ImageEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of the estimators on images."""

    _fitted: ClassVar[tuple[str, ...]] = ()  # names of fitted arrays that a saved model holds

    network_: ConvNetwork
    scaling_: Scaling
    image_size_: tuple[int, int]
    history_: pd.DataFrame
    folder_: Path | None
    checkpoint_every: int
    tensorboard: bool
    embedding_: NDArray[np.float32]
    labels_: NDArray[np.intp]

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Embed images.

        Parameters
        ----------
        X : array [shape=(n, height, width) or (n, 1, height, width)]
            In the units of the fitted images.

        Returns
        -------
        array of float32 [shape=(n, latent_size)]

        Raises
        ------
        ValueError
            When `X` is not made of finite images of the fitted size.
        """
        check_is_fitted(self, "network_")
        images = check_images(X, size=self.image_size_)
        return np.concatenate(list(self._passed(self.network_.encoder, images)))

    def inverse_transform(self, Z: ArrayLike) -> NDArray[np.float32]:
        """Decode embeddings [shape=(n, latent_size)] into images [shape=(n, height, width), in fitted units]."""
        check_is_fitted(self, "network_")
        vectors = torch.as_tensor(np.asarray(Z, dtype=np.float32))
        size = self._n_features_out
        if vectors.ndim != 2 or vectors.shape[1] != size:
            raise ValueError(f"Z has shape {tuple(vectors.shape)}: embeddings must be (n, {size})")
        with torch.no_grad(), using_cores():
            done = [self.network_.decoder(block)[:, 0] for block in vectors.split(EMBED_BATCH)]
        return self.scaling_.undo(torch.cat(done).numpy())

    def reconstruct(self, X: ArrayLike) -> NDArray[np.float32]:
        """Encode and decode images [shape=(n, height, width), units of the fitted ones]."""
        return self.inverse_transform(self.transform(X))

    def embed(self, X: ArrayLike, index: pd.DataFrame) -> pd.DataFrame:
        """Embed images and keep beside every vector the recording it belongs to.

        Parameters
        ----------
        X : array [shape=(n, height, width)]
            One image per row of `index`.
        index : DataFrame [n rows]
            The recordings, as `FeatureSet.images` gives them.

        Returns
        -------
        DataFrame
            `index` with the columns ``z0``, ``z1``, ... behind its own.

        Raises
        ------
        ValueError
            When there is not one image per row.
        """
        if len(np.asarray(X)) != len(index):
            raise ValueError(f"X has {len(np.asarray(X))} images, index {len(index)} rows: give one row per image")
        vectors = self.transform(X)
        columns = [f"z{i}" for i in range(vectors.shape[1])]
        return pd.concat([index, pd.DataFrame(vectors, index=index.index, columns=columns)], axis=1)

    @property
    def _n_features_out(self) -> int:
        return int(self.network_.settings["latent_size"])

    def save(self, path: str | Path) -> Path:
        """Write the fitted estimator to one file, atomically.

        Returns
        -------
        Path
            The file; :meth:`load` reads it, and executes nothing in doing so.
        """
        check_is_fitted(self, "network_")
        state = {
            "format": FORMAT,
            "kind": type(self).__name__,
            "params": json.dumps(plain_params(self)),
            "size": list(self.image_size_),
            "scaling": [torch.tensor(self.scaling_.offset), torch.tensor(self.scaling_.gain)],
            "layers": self.network_.settings,
            "network": self.network_.state_dict(),
            "history": self.history_.to_dict("list"),
            "fitted": {name: _stored(getattr(self, name)) for name in self._fitted if hasattr(self, name)},
        }
        path = Path(path)
        with files.atomic(path) as partial:
            torch.save(state, partial)
        return path

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read an estimator written by :meth:`save`.

        Raises
        ------
        ValueError
            When the file holds something else.
        """
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict) or state.get("kind") != cls.__name__ or state.get("format") != FORMAT:
            raise ValueError(f"{path} holds no {cls.__name__} that this version reads")
        estimator = cls(**cls._from_plain(json.loads(state["params"])))
        estimator._restore(state)
        return estimator

    @classmethod
    def _from_plain(cls, params: dict[str, Any]) -> dict[str, Any]:
        return params

    def _restore(self, state: dict[str, Any]) -> None:
        self.image_size_ = (int(state["size"][0]), int(state["size"][1]))
        self.scaling_ = Scaling(*(part.numpy() for part in state["scaling"]))
        self.network_ = ConvNetwork(*self.image_size_, **state["layers"]).eval()
        self.network_.load_state_dict(state["network"])
        self.history_ = pd.DataFrame(state["history"])
        for name, value in state["fitted"].items():
            setattr(self, name, value.numpy() if isinstance(value, torch.Tensor) else value)

    def _passed(self, layers: torch.nn.Module, images: np.ndarray) -> Iterator[NDArray[np.float32]]:
        """Pass checked images through layers of the network, block by block [shape=(block, numbers)]."""
        for block in np.array_split(images, max(1, -(-len(images) // EMBED_BATCH))):
            with torch.no_grad(), using_cores():  # ends before the block is handed out
                done = layers(self.scaling_(torch.from_numpy(np.array(block)))).flatten(1)
            yield done.numpy()

    def _trained_before(self) -> bool:
        """Take the finished training that the folder holds, if it does."""
        if self.folder_ is None or not (self.folder_ / FINISHED).exists():
            return False
        logger.info("trained before: %s", self.folder_)
        self._restore(torch.load(self.folder_ / FINISHED, map_location="cpu", weights_only=True))
        return True

    def _train(self, module: ImageModule, *, epochs: int, hardware: Hardware, description: str) -> None:
        """Train, and set what is known then."""
        if self.folder_ is not None:
            files.write_json(self.folder_ / "settings.json", plain_params(self))
        history = train(
            module,
            epochs=epochs,
            hardware=hardware,
            folder=self.folder_,
            every=self.checkpoint_every,
            tensorboard=self.tensorboard,
            description=description,
        )
        self.network_ = module.network.eval()
        self.history_ = pd.DataFrame(history)

    def _finish(self) -> None:
        """Keep the finished training."""
        if self.folder_ is not None:
            self.save(self.folder_ / FINISHED)

    def _forget(self) -> None:
        """Drop what an earlier fit left."""
        for name in self._fitted:
            if hasattr(self, name):
                delattr(self, name)


def plain_params(estimator: BaseEstimator) -> dict[str, Any]:
    """Return an estimator's parameters as JSON knows them: an estimator inside as a dict, a generator as None."""
    plain: dict[str, Any] = {}
    for name, value in estimator.get_params(deep=False).items():
        if isinstance(value, BaseEstimator):
            value = plain_params(value)
        elif isinstance(value, tuple):
            value = list(value)
        elif isinstance(value, np.integer | np.floating):
            value = value.item()
        elif isinstance(value, Path):
            value = str(value)
        elif not isinstance(value, str | int | float | bool | list | None):
            value = None
        plain[name] = value
    return plain


def key(estimator: BaseEstimator, **more: Any) -> str:
    """Name a training by the parameters that decide its result and by what they resolved to."""
    params = {name: value for name, value in plain_params(estimator).items() if name not in UNKEYED}
    kind = type(estimator).__name__
    return f"{kind.lower()}-{files.digest({'kind': kind, 'format': FORMAT, **params, **more})}"


def check_augmentation(estimator: Any) -> Augmentation:
    """Read an estimator's `shift`, `time_mask` and `frequency_mask`."""
    shares = {name: getattr(estimator, name) for name in ("shift", "time_mask", "frequency_mask")}
    for name, share in shares.items():
        check_number(name, share, 0, 0.5)
    return Augmentation(**shares)


def check_network(estimator: Any) -> None:
    """Check the parameters that shape a network."""
    check_number("latent_size", estimator.latent_size, 1, whole=True)
    check_choice("activation", estimator.activation, tuple(ACTIVATIONS))
    channels = estimator.channels
    if not isinstance(channels, tuple | list) or len(channels) != 3:
        raise ValueError(f"channels={channels!r}: give three whole numbers")
    for number in channels:
        check_number("channels", number, 1, whole=True)


def check_training(estimator: Any) -> None:
    """Check the parameters that every training has."""
    check_number("batch_size", estimator.batch_size, 1, whole=True)
    check_number("learning_rate", estimator.learning_rate, 1e-12, 1.0)
    check_number("checkpoint_every", estimator.checkpoint_every, 1, whole=True)


def _stored(value: Any) -> Any:
    return torch.from_numpy(np.ascontiguousarray(value)) if isinstance(value, np.ndarray) else value
