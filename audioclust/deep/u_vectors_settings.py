"""The settings of u-vectors: their defaults, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from audioclust.deep.augmentation import SoundAugmentation
from audioclust.deep.densenet import SMALLEST_SIDE
from audioclust.deep.hardware import check_hardware
from audioclust.deep.training import SCHEDULES
from audioclust.deep.u_vectors_frames import SPLITS
from audioclust.deep.u_vectors_module import TRAININGS
from audioclust.deep.u_vectors_network import NETWORKS
from audioclust.validation import check_choice, check_number, check_share

__all__ = ["SPECTRUM", "checked", "filled", "loss_of", "rate_of"]

PSEUDO_LABELS = ("segment", "file")
LEARNING_RATES = {"infonce": 1e-3, "triplet": 1e-3, "pairwise": 5e-4}
LOSSES: dict[str, dict[str, float]] = {
    "infonce": {"temperature": 0.1, "ignored": 0.1}, "pairwise": {"alpha": 100.0}, "triplet": {"margin": 0.2},
}  # fmt: skip
SPECTRUM = {"n_fft": 512, "window": 400, "hop": 160, "n_mels": 40}


def checked(model: Any) -> SoundAugmentation:
    """Check the parameters of a :class:`~audioclust.deep.UVectors`; return how its training sound is changed.

    Raises
    ------
    ValueError
        Naming the parameter, its value and what is allowed.
    """
    check_choice("training", model.training, TRAININGS)
    check_choice("network", model.network, NETWORKS)
    check_choice("pseudo_label", model.pseudo_label, PSEUDO_LABELS)
    check_choice("split", model.split, SPLITS)
    check_choice("schedule", model.schedule, SCHEDULES)
    check_hardware(model.device, model.precision)
    for name, low in {"latent_size": 1, "channels": 1, "steps": 1, "check_every": 1, "batch_size": 2}.items():
        check_number(name, getattr(model, name), low, whole=True)
    if model.patience is not None:
        check_number("patience", model.patience, 1, whole=True)
    for name in ("augmented", "tolerance"):
        check_share(name, getattr(model, name), zero=True)
    for name, value in loss_of(model).items():
        if name == "ignored":
            check_share("loss: ignored", value, zero=True, high=0.9)
        else:
            check_number(f"loss: {name}", value, 0, above=True)
    spectrum = filled("spectrum", model.spectrum, SPECTRUM)
    for name, low in {"n_fft": 16, "window": 2, "hop": 1, "n_mels": 1}.items():
        high = spectrum["n_fft"] if name == "window" else math.inf
        check_number(f"spectrum: {name}", spectrum[name], low, high, whole=True)
    check_number("frame", model.frame, max(0.02, spectrum["n_fft"] / model.sample_rate), 10)
    times = 1 + round(model.frame * model.sample_rate) // spectrum["hop"]
    if model.network == "densenet121" and min(times, spectrum["n_mels"]) < SMALLEST_SIDE:
        raise ValueError(
            f"network='densenet121' needs spectra of {SMALLEST_SIDE} bands and times at least; frame={model.frame}, "
            f"hop {spectrum['hop']} and n_mels {spectrum['n_mels']} give {spectrum['n_mels']} x {times}: "
            "change them, or take UVectors.published()"
        )
    check_number("learning_rate", rate_of(model), 1e-12, 1.0)
    check_number("checkpoint_every", model.checkpoint_every, 1, whole=True)
    known = dict.fromkeys((*SoundAugmentation.names(), "noise_from"))
    filled("augmentation", model.augmentation, known)
    return SoundAugmentation(**(model.augmentation or {}), sample_rate=model.sample_rate)


def loss_of(model: Any) -> dict[str, float]:
    """Return the numbers of the loss."""
    return filled("loss", model.loss, LOSSES[model.training])


def rate_of(model: Any) -> float:
    """Return the learning rate."""
    return LEARNING_RATES[model.training] if model.learning_rate is None else float(model.learning_rate)


def filled(name: str, given: Mapping[str, Any] | None, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults with what is given of them."""
    unknown = sorted(set(given or {}) - set(defaults))
    if unknown:
        raise ValueError(f"{name} has {', '.join(unknown)}: give some of {', '.join(defaults)}")
    return {**defaults, **(given or {})}
