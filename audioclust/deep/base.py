"""What the networks share outside: a training that is kept, embedding, save and load.

An estimator is fitted on X (n, ...): images (n, height, width) or vectors (n, d). It holds ``embedding_`` (n, latent,
float32) and ``labels_`` (n,), row i belonging to row i of X: none is left out, and nothing is reordered. The training
itself sees the rows in an order made from their content, so the caller's order does not matter.

A network of one's own is a subclass of :class:`ImageEstimator` or :class:`VectorEstimator` that names its
``_network_class`` and gives ``_module(data, training)``; ``fit`` calls ``_learn``. The network is a torch module made
by ``_network_class(*shape of a row, **settings)``, which keeps these as ``settings`` and has an ``encoder``.
"""

from __future__ import annotations

import dataclasses
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
from audioclust.deep.data import Scaling, canonical, check_images
from audioclust.deep.hardware import Hardware, check_hardware, seed_of, seeded
from audioclust.deep.module import BatchModule
from audioclust.deep.parameters import plain_params
from audioclust.deep.training import EMBED_BATCH, Training, read_saved, set_aside, train
from audioclust.deep.vector_module import check_vectors

__all__ = ["ImageEstimator", "NetworkEstimator", "VectorEstimator"]

logger = logging.getLogger(__name__)

FORMAT = 2
FINISHED = "model.pt"
UNKEYED = ("device", "precision", "folder", "checkpoint_every", "tensorboard", "random_state")
"""Parameters that do not name a training: where and how it runs. What they resolve to is named instead."""


class NetworkEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of the estimators that train a network.

    Attributes
    ----------
    network_ : torch module
        The trained network, on the CPU.
    history_ : DataFrame
        Mean losses per epoch.
    hardware_ : Hardware
        Device, precision and number of threads of the training; embeddings use the same number of threads.
    folder_ : Path or None
        Where this training is kept.
    """

    _fitted: ClassVar[tuple[str, ...]] = ()  # names of fitted attributes that a saved model holds
    _after: ClassVar[tuple[str, ...]] = ()  # parameters of what is done with the embedding afterwards
    _network_class: ClassVar[type[torch.nn.Module]]

    network_: Any
    history_: pd.DataFrame
    hardware_: Hardware
    folder_: Path | None
    row_shape_: tuple[int, ...]
    embedding_: NDArray[np.float32]
    labels_: NDArray[np.intp]

    def _check_rows(self, X: ArrayLike, *, least: int = 1, fitted: bool = True) -> np.ndarray:
        """Return checked rows, of the fitted shape where `fitted`."""
        raise NotImplementedError

    def _inputs(self, rows: np.ndarray) -> torch.Tensor:
        """Return checked rows as the network takes them."""
        return torch.from_numpy(np.array(rows, dtype=np.float32))

    def _settings(self) -> dict[str, Any]:
        """Return the keyword arguments of the network class."""
        raise NotImplementedError

    def _module(self, data: np.ndarray, training: Training) -> BatchModule:
        """Return what Lightning trains; data [shape=(n, ...)] in canonical order."""
        raise NotImplementedError

    def _training(self, n: int) -> Training:
        """Return how the network is trained on `n` rows, as the parameters say."""
        raise NotImplementedError

    def _keep(self, module: BatchModule) -> None:
        """Set what is fitted besides the network; a subclass extends it."""

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Embed rows.

        Parameters
        ----------
        X : array [shape=(n, ...)]
            Images or vectors, in the units of the fitted ones.

        Returns
        -------
        array of float32 [shape=(n, latent)]

        Raises
        ------
        ValueError
            When `X` is not made of finite rows of the fitted shape.
        """
        check_is_fitted(self, "network_")
        return self._embedded(self._check_rows(X))

    def _embedded(self, rows: np.ndarray) -> NDArray[np.float32]:
        """Embed checked rows."""
        return np.concatenate(list(self._passed(self.network_.encoder, rows)))

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
        state = self._state()
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
            When the file is damaged or holds something else.
        """
        state = read_saved(path)
        if not isinstance(state, dict) or state.get("kind") != cls.__name__ or state.get("format") != FORMAT:
            raise ValueError(f"{path} holds no {cls.__name__} that this version reads")
        estimator = cls(**cls._from_plain(json.loads(state["params"])))
        estimator._restore(state)
        return estimator

    @classmethod
    def _from_plain(cls, params: dict[str, Any]) -> dict[str, Any]:
        return params

    def _state(self) -> dict[str, Any]:
        """Return what a file keeps; a subclass may add."""
        return {
            "format": FORMAT,
            "kind": type(self).__name__,
            "params": json.dumps(plain_params(self)),
            "shape": list(self.row_shape_),
            "hardware": dataclasses.asdict(self.hardware_),
            "layers": self.network_.settings,
            "network": self.network_.state_dict(),
            "history": self.history_.to_dict("list"),
            "fitted": {name: _stored(getattr(self, name)) for name in self._fitted if hasattr(self, name)},
        }

    def _restore(self, state: dict[str, Any]) -> None:
        """Take what `_state` gave."""
        self.row_shape_ = tuple(int(side) for side in state["shape"])
        self.hardware_ = Hardware(**state["hardware"])
        self.network_ = self._network_class(*self.row_shape_, **state["layers"]).eval()
        self.network_.load_state_dict(state["network"])
        self.history_ = pd.DataFrame(state["history"])
        for name, value in state["fitted"].items():
            setattr(self, name, value.numpy() if isinstance(value, torch.Tensor) else value)

    def _new_network(self, seed: int) -> torch.nn.Module:
        """Make a network for the rows that are fitted, its weights drawn from `seed`."""
        with seeded(seed):
            return self._network_class(*self.row_shape_, **self._settings())

    def _passed(self, layers: torch.nn.Module, rows: np.ndarray) -> Iterator[NDArray[np.float32]]:
        """Pass checked rows through layers of the network, block by block [shape=(block, numbers)]."""
        for block in np.array_split(rows, max(1, -(-len(rows) // EMBED_BATCH))):
            with torch.no_grad(), self.hardware_.used():  # ends before the block is handed out
                done = layers(self._inputs(block)).flatten(1)
            yield done.numpy()

    def _learn(self, rows: np.ndarray, **facts: Any) -> tuple[NDArray[np.intp], int]:
        """Train on checked rows, or take the finished training that the folder holds; then embed them.

        Parameters
        ----------
        rows : array [shape=(n, ...)]
        **facts
            What decides the result besides the rows and the parameters.

        Returns
        -------
        permutation : array of int [shape=(n,)]
            The canonical order of the rows.
        seed : int
            The one seed that `random_state` stands for.
        """
        params = self.get_params(deep=False)
        self._forget()
        hardware = check_hardware(params.get("device", "auto"), params.get("precision", "auto"))
        seed = facts.pop("seed", None)
        seed = seed_of(params.get("random_state")) if seed is None else seed
        permutation, fingerprint = canonical(rows)
        self.row_shape_, self.hardware_, self.folder_ = rows.shape[1:], hardware, None
        training = dataclasses.replace(self._training(len(rows)), seed=seed, hardware=hardware)
        if params.get("folder") is None:
            self._train(rows[permutation], training)
        else:
            resolved = {"batch_size": training.batch_size, **dataclasses.asdict(hardware)}
            if "epochs" in params:
                resolved["epochs"] = training.epochs
            settings = self._named(seed=seed, data=fingerprint, **resolved, **facts)
            kind = type(self).__name__.lower()
            self.folder_ = Path(params["folder"]) / f"{kind}-{files.digest(settings)}"
            with files.locked(self.folder_.with_suffix(".lock")):
                if not self._trained_before():
                    files.write_json(self.folder_ / "settings.json", settings)
                    self._train(rows[permutation], dataclasses.replace(training, folder=self.folder_))
                    self.save(self.folder_ / FINISHED)
        self.embedding_ = self._embedded(rows)
        return permutation, seed

    def _train(self, data: np.ndarray, training: Training) -> None:
        module = self._module(data, training)
        history = train(module, training, description=type(self).__name__)
        self.network_ = module.network.eval()
        self.history_ = pd.DataFrame(history)
        self._keep(module)

    def _trained_before(self) -> bool:
        """Take the finished training that the folder holds, if it does; a damaged one is set aside."""
        path = None if self.folder_ is None else self.folder_ / FINISHED
        if path is None or not path.exists():
            return False
        try:
            kept = type(self).load(path)
        except (ValueError, LookupError, TypeError, AttributeError, RuntimeError) as error:
            set_aside(path, error)
            return False
        logger.info("trained before: %s", self.folder_)
        for name, value in vars(kept).items():
            if name.endswith("_") and name != "folder_":
                setattr(self, name, value)
        return True

    def _named(self, **more: Any) -> dict[str, Any]:
        """Return what names a training: the parameters that decide its result, and what they resolved to."""
        params = {name: value for name, value in plain_params(self).items() if name not in (*UNKEYED, *self._after)}
        return {"kind": type(self).__name__, "format": FORMAT, **params, **more}

    def _forget(self) -> None:
        """Drop what an earlier fit left."""
        for name in self._fitted:
            if hasattr(self, name):
                delattr(self, name)


class VectorEstimator(NetworkEstimator):
    """Base of the estimators on vectors X (n, d)."""

    def _check_rows(self, X: ArrayLike, *, least: int = 1, fitted: bool = True) -> np.ndarray:
        return check_vectors(X, least=least, size=self.row_shape_[0] if fitted else None)


class ImageEstimator(NetworkEstimator):
    """Base of the estimators on images X (n, height, width) that rebuild them: the network has a ``decoder``."""

    scaling_: Scaling

    @property
    def image_size_(self) -> tuple[int, int]:
        """Height and width of the fitted images."""
        return self.row_shape_[0], self.row_shape_[1]

    def _check_rows(self, X: ArrayLike, *, least: int = 1, fitted: bool = True) -> np.ndarray:
        return check_images(X, least=least, size=self.image_size_ if fitted else None)

    def _inputs(self, rows: np.ndarray) -> torch.Tensor:
        return self.scaling_(torch.from_numpy(np.array(rows)))

    def _state(self) -> dict[str, Any]:
        scaling = [torch.tensor(self.scaling_.offset), torch.tensor(self.scaling_.gain)]
        return {**super()._state(), "scaling": scaling}

    def _restore(self, state: dict[str, Any]) -> None:
        super()._restore(state)
        self.scaling_ = Scaling(*(part.numpy() for part in state["scaling"]))

    def inverse_transform(self, Z: ArrayLike) -> NDArray[np.float32]:
        """Decode embeddings [shape=(n, latent_size)] into images [shape=(n, height, width), in fitted units]."""
        check_is_fitted(self, "network_")
        vectors = torch.as_tensor(np.asarray(Z, dtype=np.float32))
        size = self._n_features_out
        if vectors.ndim != 2 or vectors.shape[1] != size:
            raise ValueError(f"Z has shape {tuple(vectors.shape)}: embeddings must be (n, {size})")
        with torch.no_grad(), self.hardware_.used():
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


def _stored(value: Any) -> Any:
    return torch.from_numpy(np.ascontiguousarray(value)) if isinstance(value, np.ndarray) else value
