"""How a network is trained here: one Lightning Trainer, set up the same way for all of them.

The images lie in memory and Lightning is handed step numbers instead of batches; the module makes each batch by index
on its own device. There is no loader, no worker and no copy per image. A training with a folder keeps, under a name
made from the data and the settings, ``checkpoint.pt`` (weights, optimiser, place in the training), ``history.csv`` and
``settings.json``; a training that was killed goes on from there and ends as if it had not been.
"""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.plugins.environments import LightningEnvironment

from audioclust import files, parallel
from audioclust.deep.data import Augmentation, Scaling, augment, generator, order
from audioclust.deep.networks import ConvNetwork

__all__ = [
    "Hardware",
    "ImageModule",
    "Record",
    "check_hardware",
    "seed_of",
    "seeded",
    "silent_lightning",
    "train",
    "using_cores",
]

logger = logging.getLogger(__name__)

EMBED_BATCH = 512
CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Hardware:
    """Where a network is trained and in which precision.

    Parameters
    ----------
    device : {"cpu", "cuda"}
        Where the arithmetic runs.
    bfloat16 : bool
        Whether the convolutions of a training step run in bfloat16; weights, losses and embeddings stay float32.
    """

    device: str
    bfloat16: bool


def check_hardware(device: str, precision: str) -> Hardware:
    """Choose the hardware: a GPU where there is one, bfloat16 where the processor computes in it.

    Raises
    ------
    ValueError
        When `device` or `precision` is not a known word, or the device is not there.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device={device!r}: give 'auto', 'cpu' or 'cuda'")
    if precision not in ("auto", "float32", "bfloat16"):
        raise ValueError(f"precision={precision!r}: give 'auto', 'float32' or 'bfloat16'")
    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise ValueError("device='cuda': torch sees no GPU here; give 'auto' or 'cpu'")
    device = ("cuda" if there else "cpu") if device == "auto" else device
    if precision != "auto":
        return Hardware(device, precision == "bfloat16")
    if device == "cuda":
        return Hardware(device, torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities()
    return Hardware(device, bool(able.get("avx512_bf16") or able.get("amx_bf16")))


def seed_of(random_state: int | np.random.RandomState | np.random.Generator | None) -> int:
    """Turn `random_state` into one seed, without touching numpy's global generator.

    Raises
    ------
    ValueError
        When it is neither None, a number of at least 0, nor a numpy generator.
    """
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    if not isinstance(random_state, int | np.integer) or random_state < 0:
        raise ValueError(f"random_state={random_state!r}: give None, a whole number of at least 0 or a numpy generator")
    return int(random_state)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw a network's first weights from `seed` and leave torch's own generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        yield


@contextmanager
def using_cores() -> Iterator[None]:
    """Let torch use this process's cores (or OMP_NUM_THREADS, where someone set it), repeatably, for the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or parallel.cores()))
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
            yield
    finally:
        torch.set_num_threads(before)


class ImageModule(pl.LightningModule):
    """What the trainings share: the images by index, their changes, the loss per epoch, the optimiser.

    An epoch is `steps` batches. A subclass may give further ``losses`` and extend ``end_epoch``.
    """

    def __init__(
        self,
        network: ConvNetwork,
        images: np.ndarray,
        *,
        scaling: Scaling,
        augmentation: Augmentation,
        learning_rate: float,
        batch_size: int,
        steps: int,
        seed: int,
        decay_epochs: int | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.images = torch.from_numpy(np.ascontiguousarray(images))
        self.scaling = scaling
        self.augmentation = augmentation
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.steps = steps
        self.seed = seed
        self.decay_epochs = decay_epochs
        self.floor = float(images.min())
        self.sums: dict[str, torch.Tensor] = {}
        self.visits: tuple[int, torch.Tensor] | None = None

    def indices(self, step: int) -> torch.Tensor:
        """Return which images make this step's batch: pass after pass, each in an order of its own."""
        n = len(self.images)
        number, batch = divmod(self.current_epoch * self.steps + step, -(-n // self.batch_size))
        if self.visits is None or self.visits[0] != number:
            self.visits = number, order(n, self.seed, number)
        return self.visits[1][batch * self.batch_size : (batch + 1) * self.batch_size]

    def losses(self, embedding: torch.Tensor, index: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return further terms of the loss, each already weighted."""
        return {}

    def train_dataloader(self) -> range:
        """Hand Lightning the step numbers of an epoch."""
        return range(self.steps)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam, in its fused form."""
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate, fused=True)

    def on_train_start(self) -> None:
        """Bring the images to where the network is, once."""
        self.images = self.images.to(self.device)

    def on_train_epoch_start(self) -> None:
        """Forget the last epoch's losses; lower the learning rate along a half cosine, where that is asked for."""
        self.sums = {}
        if self.decay_epochs is not None:
            share = 0.5 * (1 + math.cos(math.pi * self.current_epoch / self.decay_epochs))
            for group in self.trainer.optimizers[0].param_groups:
                group["lr"] = self.learning_rate * share

    def training_step(self, batch: Any, step: int) -> torch.Tensor:
        """Return the loss of one batch: what the decoder misses, and the subclass's terms."""
        index = self.indices(step)
        images = self.images[index.to(self.device)]
        if self.augmentation:
            random = generator(self.seed, self.current_epoch, step, 1)
            images = augment(images, self.augmentation, random, floor=self.floor)
        images = self.scaling(images)
        embedding, rebuilt = self.network(images)
        terms = {"reconstruction": torch.nn.functional.mse_loss(rebuilt.float(), images)}
        terms |= self.losses(embedding.float(), index)
        loss = torch.stack(list(terms.values())).sum()
        for name, value in {"loss": loss, **terms}.items():
            self.sums[name] = self.sums.get(name, 0) + value.detach() * len(index)
        self.sums["images"] = self.sums.get("images", torch.zeros((), device=self.device)) + len(index)
        return loss

    def end_epoch(self) -> dict[str, float]:
        """Return what the history keeps of an epoch: its mean losses per image. A subclass may add, and stop here."""
        seen = float(self.sums["images"])
        return {name: float(value) / seen for name, value in self.sums.items() if name != "images"}

    @torch.no_grad()
    def embed(self) -> torch.Tensor:
        """Return the embedding (n, latent) of every image as it is, in float32."""
        with torch.autocast(self.device.type, enabled=False):
            blocks = self.images.split(EMBED_BATCH)
            return torch.cat([self.network.encoder(self.scaling(block)) for block in blocks]).float()


class Record(pl.Callback):
    """Keeps the losses of every epoch and, where there is a folder, the checkpoint and ``history.csv``.

    Parameters
    ----------
    folder : Path, optional
        Where to keep them; nothing is written without one.
    every : int
        Epochs between two checkpoints.
    description : str
        Shown beside the progress bar.
    """

    def __init__(self, folder: Path | None, *, every: int, description: str) -> None:
        self.folder = folder
        self.every = every
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
        assert isinstance(pl_module, ImageModule)
        row = {"epoch": float(trainer.current_epoch), **pl_module.end_epoch()}
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


def train(
    module: ImageModule,
    *,
    epochs: int,
    hardware: Hardware,
    folder: Path | None = None,
    every: int = 10,
    tensorboard: bool = False,
    description: str = "training",
) -> list[dict[str, float]]:
    """Train for `epochs` epochs, going on from the folder's checkpoint where there is one.

    Returns
    -------
    list of dict
        One row per epoch: ``epoch``, ``loss`` and its terms per image, ``seconds`` it took.

    Raises
    ------
    ImportError
        When TensorBoard is asked for and not installed.
    """
    record = Record(folder, every=every, description=description)
    checkpoint = folder / CHECKPOINT if folder is not None else None
    resume = str(checkpoint) if checkpoint is not None and checkpoint.exists() else None
    with silent_lightning(), using_cores():
        trainer = pl.Trainer(
            accelerator="gpu" if hardware.device == "cuda" else "cpu",
            devices=1,
            precision="bf16-mixed" if hardware.bfloat16 else "32-true",
            max_epochs=epochs,
            callbacks=[record],
            logger=_tensorboard(folder) if tensorboard else False,
            plugins=[LightningEnvironment()],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            default_root_dir=folder or ".",
        )
        if resume:
            logger.info("going on from %s", resume)
        with _interruptible(trainer):
            trainer.fit(module, ckpt_path=resume, weights_only=True)
    record.write()
    module.cpu()
    return record.history


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
    loggers = [logging.getLogger(name) for name in (*names, *_children(names))]
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


def _children(names: tuple[str, ...]) -> list[str]:
    known = logging.root.manager.loggerDict
    return [name for name in known if name.startswith(tuple(f"{parent}." for parent in names))]
