"""How a network is trained here: one Lightning Trainer, set up the same way for all of them.

A :class:`Training` says how; an estimator builds it from its parameters and hands it on. A training with a folder
keeps there, under a name made from the data and the settings, ``checkpoint.pt`` (weights, optimiser, place in the
training), ``history.csv`` and ``settings.json``; a training that was killed goes on from there and ends as if it had
not been. A file there that cannot be read is set aside under another name, with a warning in the log.
"""

from __future__ import annotations

import importlib.util
import logging
import signal
import threading
import time
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.plugins.environments import LightningEnvironment

from audioclust import files, parallel
from audioclust.deep.hardware import Hardware

if TYPE_CHECKING:
    from audioclust.deep.module import BatchModule

__all__ = [
    "SCHEDULES",
    "Record",
    "Training",
    "fitting_batch",
    "fitting_epochs",
    "set_aside",
    "silent_lightning",
    "train",
]

logger = logging.getLogger(__name__)

EMBED_BATCH = 512
CHECKPOINT = "checkpoint.pt"
SCHEDULES = ("cosine", "constant")
LARGEST_BATCH, SMALLEST_BATCH, BATCHES = 256, 32, 8
STEPS, LEAST_EPOCHS = 1000, 100


@dataclass(frozen=True)
class Training:
    """How a network is trained.

    Parameters
    ----------
    epochs : int
        Rows of the history.
    steps : int
        Batches per epoch.
    batch_size : int
        Rows of the data per batch.
    learning_rate : float
        Of Adam.
    schedule : {"constant", "cosine"}
        Whether the learning rate stays, or falls to nothing along a half cosine.
    seed : int
        Decides everything that is drawn.
    hardware : Hardware
        Device, precision and threads.
    folder : Path, optional
        Where checkpoints go; nothing is written without one.
    checkpoint_every : int
        Epochs between two checkpoints.
    tensorboard : bool
        Also write a TensorBoard log into the folder.
    """

    epochs: int
    steps: int
    batch_size: int
    learning_rate: float = 1e-3
    schedule: str = "constant"
    seed: int = 0
    hardware: Hardware = field(default_factory=Hardware)
    folder: Path | None = None
    checkpoint_every: int = 10
    tensorboard: bool = False


def fitting_batch(n: int) -> int:
    """Return a batch size for `n` rows: an eighth of them, from 32 to 256.

    Examples
    --------
    >>> fitting_batch(160), fitting_batch(1000), fitting_batch(10_000)
    (32, 125, 256)
    """
    return min(LARGEST_BATCH, max(SMALLEST_BATCH, n // BATCHES))


def fitting_epochs(n: int, batch_size: int) -> int:
    """Return how many passes over `n` rows give the usual number of steps (1000), 100 at least.

    Examples
    --------
    >>> fitting_epochs(160, 32), fitting_epochs(100_000, 256)
    (200, 100)
    """
    return max(LEAST_EPOCHS, -(-STEPS // -(-n // batch_size)))


class Record(pl.Callback):
    """Keeps the losses of every epoch and, where there is a folder, the checkpoint and ``history.csv``.

    Parameters
    ----------
    training : Training
        Its folder, and how often.
    description : str
        Shown beside the progress bar.
    """

    def __init__(self, training: Training, description: str) -> None:
        self.folder = training.folder
        self.every = training.checkpoint_every
        self.description = description
        self.history: list[dict[str, float]] = []
        self.began = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return what the checkpoint keeps."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.history = list(state_dict["history"])

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the progress bar."""
        left = range(trainer.current_epoch, trainer.max_epochs or 0)
        self._bar = iter(parallel.progress(left, self.description))
        next(self._bar, None)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the time."""
        self.began = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the epoch's losses; keep a checkpoint when it is time."""
        row = {"epoch": float(trainer.current_epoch), **pl_module.end_epoch()}  # type: ignore[operator]
        row["seconds"] = time.perf_counter() - self.began
        self.history.append(row)
        if trainer.loggers:
            trainer.loggers[0].log_metrics(row, step=trainer.current_epoch)
        next(self._bar, None)
        if self.folder is not None and not trainer.should_stop and len(self.history) % self.every == 0:
            with files.atomic(self.folder / CHECKPOINT) as partial:
                trainer.save_checkpoint(partial)
            self.write()

    def write(self) -> None:
        """Write ``history.csv``."""
        if self.folder is not None:
            with files.atomic(self.folder / "history.csv") as partial:
                pd.DataFrame(self.history).to_csv(partial, index=False)


def train(module: BatchModule, training: Training, description: str = "training") -> list[dict[str, float]]:
    """Train, going on from the folder's checkpoint where there is one.

    Returns
    -------
    list of dict
        One row per epoch: ``epoch``, ``loss`` and its terms per row of the data, ``seconds`` it took.

    Raises
    ------
    ValueError
        When TensorBoard is asked for without a folder.
    ImportError
        When TensorBoard is asked for and not installed.
    """
    record = Record(training, description)
    with silent_lightning(), training.hardware.used():
        trainer = pl.Trainer(
            accelerator="gpu" if training.hardware.device == "cuda" else "cpu",
            devices=1,
            precision="bf16-mixed" if training.hardware.bfloat16 else "32-true",
            max_epochs=training.epochs,
            callbacks=[record],
            logger=_tensorboard(training.folder) if training.tensorboard else False,
            plugins=[LightningEnvironment()],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            default_root_dir=training.folder or ".",
        )
        checkpoint = _checkpoint(training.folder, module)
        if checkpoint is not None:
            logger.info("going on from %s", checkpoint)
        with _interruptible(trainer):
            trainer.fit(module, ckpt_path=checkpoint, weights_only=True)
    record.write()
    module.cpu()
    return record.history


def _checkpoint(folder: Path | None, module: BatchModule) -> str | None:
    """Return the checkpoint to go on from; one that cannot be read, or is another network's, is set aside."""
    path = None if folder is None else folder / CHECKPOINT
    if path is None or not path.exists():
        return None
    try:
        kept = read_saved(path)
        shapes = {name: value.shape for name, value in kept["state_dict"].items()}
        whole = {"epoch", "loops", "callbacks", "optimizer_states"} <= set(kept)
        if not whole or shapes != {name: value.shape for name, value in module.state_dict().items()}:
            raise ValueError("it holds no checkpoint of this network")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        set_aside(path, error)
        return None
    return str(path)


def read_saved(path: str | Path) -> Any:
    """Read a file that torch wrote, and nothing that could run.

    torch does not look at the checksums in the file, and would take flipped bytes for weights; they are checked here.

    Raises
    ------
    ValueError
        When the file is damaged, or holds more than plain values and tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"wrong checksum of {damaged}")
        return torch.load(path, map_location="cpu", weights_only=True)
    except (MemoryError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # damaged bytes raise errors of nearly every kind
        raise ValueError(f"{path} cannot be read: {type(error).__name__}: {error}") from error


def set_aside(path: Path, error: Exception) -> Path:
    """Rename a file that cannot be used to ``NAME.damaged`` (or ``.damaged-2``, ...) and say so in the log."""
    names = (path.with_name(f"{path.name}.damaged{end}") for end in ("", *(f"-{i}" for i in range(2, 1000))))
    aside = next(name for name in names if not name.exists())
    path.rename(aside)
    logger.warning(
        "%s cannot be used (%s: %s); kept as %s, trained anew", path, type(error).__name__, error, aside.name
    )
    return aside


def _tensorboard(folder: Path | None) -> TensorBoardLogger:
    if folder is None:
        raise ValueError("tensorboard=True needs a folder to write to: give folder")
    if importlib.util.find_spec("tensorboard") is None:
        raise ImportError("tensorboard=True needs TensorBoard: pip install 'audioclust[tensorboard]'")
    return TensorBoardLogger(folder, name="", version="tensorboard")


@contextmanager
def _interruptible(trainer: pl.Trainer) -> Iterator[None]:
    """Let an interrupt stay one: Lightning answers it by leaving Python and ignoring the next ones."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit:
        if trainer.interrupted:
            raise KeyboardInterrupt from None
        raise
    finally:
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) != handler:
            signal.signal(signal.SIGINT, handler)


@contextmanager
def silent_lightning() -> Iterator[None]:
    """Keep Lightning's advice (loaders, workers, products) out of the user's output; errors still come through."""
    names = ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric")
    loggers = [*map(logging.getLogger, names), *_with_own_level(names)]
    levels = [log.level for log in loggers]
    for log in loggers:
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric|torch)\b")
            yield
    finally:
        for log, level in zip(loggers, levels, strict=True):
            log.setLevel(level)


def _with_own_level(names: tuple[str, ...]) -> list[logging.Logger]:
    """Return the loggers below those named that do not take their level from them; setting any level is slow."""
    below = tuple(f"{name}." for name in names)
    known = list(logging.root.manager.loggerDict.items())
    return [log for name, log in known if name.startswith(below) and isinstance(log, logging.Logger) and log.level]
