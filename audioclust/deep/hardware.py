"""Where a network is trained: device, precision, number of threads; and the seeds that make a training repeatable.

Sums of floating-point numbers depend on how many threads share them, so a training in 4 threads gives slightly other
weights than one in 1. The number is therefore chosen once, kept with the model, and part of the training's name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from audioclust import parallel
from audioclust.validation import check_choice, is_whole

__all__ = ["DEVICES", "PRECISIONS", "Hardware", "check_hardware", "seed_of", "seeded", "thread_count"]

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class Hardware:
    """Where a network is trained and in which precision.

    Parameters
    ----------
    device : {"cpu", "cuda"}
        Where the arithmetic runs.
    bfloat16 : bool
        Whether the layers of a training step run in bfloat16; weights, losses and embeddings stay float32.
    threads : int
        Threads of the processor that share the arithmetic, in training and in embedding.
    """

    device: str = "cpu"
    bfloat16: bool = False
    threads: int = 1

    @contextmanager
    def used(self) -> Iterator[None]:
        """Let torch work in this many threads, repeatably, for the block."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
                yield
        finally:
            torch.set_num_threads(before)


def check_hardware(device: str, precision: str) -> Hardware:
    """Choose the hardware: a GPU where there is one, bfloat16 where the processor computes in it.

    Raises
    ------
    ValueError
        When `device` or `precision` is not a known word, or the device is not there.
    """
    check_choice("device", device, DEVICES)
    check_choice("precision", precision, PRECISIONS)
    gpu, threads = torch.cuda.is_available(), thread_count()
    if device == "cuda" and not gpu:
        raise ValueError("device='cuda': torch sees no GPU here; give 'auto' or 'cpu'")
    device = ("cuda" if gpu else "cpu") if device == "auto" else device
    if precision != "auto":
        return Hardware(device, precision == "bfloat16", threads)
    if device == "cuda":
        return Hardware(device, torch.cuda.is_bf16_supported(including_emulation=False), threads)
    able = torch.cpu.get_capabilities()
    return Hardware(device, bool(able.get("avx512_bf16") or able.get("amx_bf16")), threads)


def thread_count() -> int:
    """Return the number of threads: the first number of OMP_NUM_THREADS, else this process's cores."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else parallel.cores()


def seed_of(random_state: int | np.random.RandomState | np.random.Generator | None) -> int:
    """Turn `random_state` into one seed, without touching numpy's global generator.

    Raises
    ------
    ValueError
        When it is neither None, a whole number of at least 0, nor a numpy generator.

    Examples
    --------
    >>> seed_of(7)
    7
    """
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    if not is_whole(random_state) or random_state < 0:
        raise ValueError(f"random_state={random_state!r}: give None, a whole number of at least 0 or a numpy generator")
    return int(random_state)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw a network's first weights from `seed` and leave torch's own generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        yield
