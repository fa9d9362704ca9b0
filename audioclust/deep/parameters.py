"""The parameters that networks share: checked, written as JSON, and made into a :class:`Training`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from audioclust.deep.data import Augmentation
from audioclust.deep.hardware import check_hardware
from audioclust.deep.networks import ACTIVATIONS
from audioclust.deep.training import Training, fitting_batch
from audioclust.validation import check_choice, check_number

__all__ = ["check_augmentation", "check_network", "check_training", "plain_params", "usual_training"]


def plain_params(estimator: BaseEstimator) -> dict[str, Any]:
    """Return an estimator's parameters as JSON knows them: an estimator inside as a dict, a generator as None."""
    plain: dict[str, Any] = {}
    for name, value in estimator.get_params(deep=False).items():
        if isinstance(value, BaseEstimator):
            value = plain_params(value)
        elif isinstance(value, Mapping):
            value = {key: str(each) if isinstance(each, Path) else each for key, each in value.items()}
        elif isinstance(value, tuple):
            value = list(value)
        elif isinstance(value, np.integer | np.floating):
            value = value.item()
        elif isinstance(value, Path):
            value = str(value)
        elif not isinstance(value, str | int | float | bool | list | dict | None):
            value = None
        plain[name] = value
    return plain


def usual_training(estimator: Any, n: int, **more: Any) -> Training:
    """Return a :class:`Training` from the parameters that every estimator has; `more` gives the rest."""
    size = estimator.batch_size
    return Training(
        **{
            "batch_size": fitting_batch(n) if size is None else size,
            "learning_rate": estimator.learning_rate,
            "checkpoint_every": estimator.checkpoint_every,
            "tensorboard": estimator.tensorboard,
            **more,
        }
    )


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
    if estimator.batch_size is not None:
        check_number("batch_size", estimator.batch_size, 1, whole=True)
    check_number("learning_rate", estimator.learning_rate, 1e-12, 1.0)
    check_number("checkpoint_every", estimator.checkpoint_every, 1, whole=True)
    check_hardware(estimator.device, estimator.precision)
