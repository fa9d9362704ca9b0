"""Training speed of the autoencoder on 48 x 96 images, beside a plain Lightning DataLoader over files.

Both train the same network with the same optimiser, batch size and images. The plain one opens a PNG per image in a
`Dataset` and leaves everything else at the defaults of torch and Lightning. Seconds are per epoch, the median of all
but the first. `growth_mb` is what the memory of the process grew by from the second epoch to the last.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from audioclust.deep import training
from audioclust.deep.data import Scaling
from audioclust.deep.hardware import check_hardware
from audioclust.deep.image_module import Reconstruction
from audioclust.deep.networks import ConvNetwork

SIZE, LATENT, BATCH = (48, 96), 128, 256


class Files(Dataset):
    """One PNG per item."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> torch.Tensor:
        with Image.open(self.paths[i]) as image:
            return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255).unsqueeze(0)


class Plain(pl.LightningModule):
    """The same network, as a Lightning tutorial would train it."""

    def __init__(self, network: ConvNetwork) -> None:
        super().__init__()
        self.network = network

    def training_step(self, batch: torch.Tensor, step: int) -> torch.Tensor:
        """Return the mean squared error."""
        return torch.nn.functional.mse_loss(self.network(batch)[1], batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam."""
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class Clock(pl.Callback):
    """Seconds and resident megabytes per epoch."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.megabytes: list[float] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self.began = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop it."""
        self.seconds.append(time.perf_counter() - self.began)
        self.megabytes.append(resident_mb())


def resident_mb() -> float:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20


def plain(folder: Path, epochs: int) -> Clock:
    clock = Clock()
    network = ConvNetwork(*SIZE, latent_size=LATENT).to(memory_format=torch.contiguous_format)
    loader = DataLoader(Files(sorted(folder.glob("*.png"))), batch_size=BATCH, shuffle=True)
    with training.silent_lightning():
        trainer = pl.Trainer(
            max_epochs=epochs,
            callbacks=[clock],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(Plain(network), loader)
    return clock


def ours(images: np.ndarray, epochs: int, precision: str) -> tuple[list[float], list[float]]:
    memory: list[float] = []

    class Watched(Reconstruction):
        def end_epoch(self) -> dict[str, float]:
            memory.append(resident_mb())
            return super().end_epoch()

    steps = -(-len(images) // BATCH)
    how = training.Training(epochs, steps, BATCH, hardware=check_hardware("auto", precision))
    scaling = Scaling(np.float32(0), np.float32(1 / 255))
    history = training.train(Watched(ConvNetwork(*SIZE, latent_size=LATENT), images, how, scaling=scaling), how)
    return [row["seconds"] for row in history], memory


def run(quick: bool) -> pd.DataFrame:
    """Measure, alternating so that both sides see the same machine."""
    n, epochs, rounds = (256, 2, 1) if quick else (1024, 5, 2)
    images = np.random.default_rng(0).integers(0, 256, (n, *SIZE)).astype(np.uint8)
    seconds: dict[str, list[float]] = {"plain": [], "float32": [], "auto": []}
    growth: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        for i, image in enumerate(images):
            Image.fromarray(image).save(Path(name) / f"{i:05d}.png")
        for _ in range(rounds):
            seconds["plain"] += plain(Path(name), epochs).seconds[1:]
            for precision in ("float32", "auto"):
                spent, memory = ours(images, epochs, precision)
                seconds[precision] += spent[1:]
                growth[precision] = memory[-1] - memory[1]
    chosen = "bfloat16" if check_hardware("auto", "auto").bfloat16 else "float32"
    rows = []
    for precision, what in (("auto", f"autoencoder 48x96, as chosen here ({chosen})"), ("float32", "in float32")):
        spent, reference_s = float(np.median(seconds[precision])), float(np.median(seconds["plain"]))
        rows.append(
            {
                "what": what,
                "ours_s": spent,
                "reference": "Lightning, DataLoader over PNG files",
                "reference_s": reference_s,
                "ratio": reference_s / spent,
                "ours_images_s": n / spent,
                "reference_images_s": n / reference_s,
                "growth_mb": growth[precision],
            }
        )
    return pd.DataFrame(rows)
