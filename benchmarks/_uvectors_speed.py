"""How many images per second a training takes, beside the usual way: a DataLoader that computes librosa's features.

Both train the same network with the same loss on the same pairs, by turns in one process; the best of each counts,
since other programs may be running.
"""

from __future__ import annotations

import time
from typing import Any

import librosa
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from audioclust.deep import UVectors
from audioclust.deep import u_vectors_losses as losses
from audioclust.deep.hardware import thread_count
from audioclust.deep.u_vectors_frames import Frames

BATCH = 64
ROUNDS = 3


class Loaded(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """A pair of frames of a segment, one of them with noise, as mel spectra in dB."""

    def __init__(self, frames: Frames, pairs: int) -> None:
        self.frames, self.pairs = frames, pairs
        self.draw = np.random.default_rng(0)

    def __len__(self) -> int:
        return self.pairs

    def __getitem__(self, place: int) -> tuple[torch.Tensor, torch.Tensor]:
        row = 2 * (place % (len(self.frames) // 2))
        left, right = (self.frames.samples[i].astype(np.float32) / 32767 for i in (row, row + 1))
        share = self.draw.uniform(0, 0.07)
        left = left * (1 - share) + self.draw.uniform(-1, 1, len(left)).astype(np.float32) * share
        return spectrum(left), spectrum(right)


def spectrum(wave: np.ndarray) -> torch.Tensor:
    power = librosa.feature.melspectrogram(y=wave, sr=16_000, n_fft=512, win_length=400, hop_length=160, n_mels=40)
    return torch.from_numpy(librosa.power_to_db(power).astype(np.float32))


def measure(*, steps: int, images: int) -> dict[str, Any]:
    draw = np.random.default_rng(0)
    samples = (draw.standard_normal((images, 3200)) * 3000).astype(np.int16)
    segment = np.arange(images) // 2
    frames = Frames(samples, segment, segment, int(segment.max()) + 1)
    model = UVectors(steps=2, check_every=2, patience=None, batch_size=BATCH, random_state=0).fit(frames)  # warm
    model.set_params(steps=2 * steps, check_every=steps)
    own, plain, preparing = [], [], []
    for _ in range(ROUNDS):
        row = model.fit(frames).history_.iloc[-1]
        own.append(2 * BATCH * steps / row["seconds"])
        preparing.append(row["preparing"] / row["seconds"])
        plain.append(plain_loader(model, frames, max(2, steps // 4)))
    return {
        "threads": thread_count(),
        "preparing": float(np.median(preparing)),
        "images_per_second": float(max(own)),
        "images_per_second_loader": float(max(plain)),
        "ratio": float(max(own) / max(plain)),
    }


def plain_loader(model: UVectors, frames: Frames, steps: int) -> float:
    """Return the images per second of the usual loop with the same network and loss."""
    spectrum(np.zeros(3200, np.float32))  # the first call compiles
    body = model.network_.body.train()
    optimiser = torch.optim.Adam(body.parameters(), lr=1e-3)
    loader = DataLoader(Loaded(frames, BATCH * steps), batch_size=BATCH)
    group = torch.arange(BATCH)
    began = time.perf_counter()
    for left, right in loader:
        both = body(torch.cat([left, right]))
        loss = losses.infonce(*both.chunk(2), group[: len(left)], ignored=0.1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return 2 * BATCH * steps / (time.perf_counter() - began)
