"""One wording for every value that is refused: the name, the value, and what is allowed.

Each function raises a ``ValueError`` when a value cannot be used, before any work starts. ``check_labels`` and
``check_seed`` also return what they read.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "DegenerateClusteringWarning",
    "check_choice",
    "check_labels",
    "check_n_clusters",
    "check_number",
    "check_seed",
    "check_share",
    "is_whole",
]


class DegenerateClusteringWarning(UserWarning):
    """A clustering, or the vectors it was made from, should not be read as it stands; the message says why."""


def is_whole(value: Any) -> bool:
    """Return whether `value` is a whole number (a boolean is none)."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_choice(name: str, value: Any, allowed: Collection[Any]) -> None:
    """Raise unless `value` is one of `allowed`."""
    if not any(value is choice or (isinstance(value, type(choice)) and value == choice) for choice in allowed):
        raise ValueError(f"{name}={value!r}: give one of {', '.join(map(str, allowed))}")


def check_number(
    name: str, value: Any, low: float, high: float = math.inf, *, whole: bool = False, above: bool = False
) -> None:
    """Raise unless `value` is a finite (whole) number from `low` (with `above`: greater than `low`) to `high`."""
    real = is_whole(value) if whole else isinstance(value, Real) and not isinstance(value, bool)
    if not real or not low <= value <= high or (above and value == low) or not math.isfinite(value):
        span = f"above {low}" if above else f"of at least {low}" if high == math.inf else f"from {low}"
        span += f" to {high}" if high < math.inf else ""
        raise ValueError(f"{name}={value!r}: give a {'whole ' if whole else ''}number {span}")


def check_share(name: str, value: Any, *, zero: bool = False, one: bool = True, high: float = 1.0) -> None:
    """Raise unless `value` is a share above 0 (or from 0 on) up to `high` (included or not)."""
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not real or not (value >= 0 if zero else value > 0) or not (value <= high if one else value < high):
        start, end = "from 0" if zero else "above 0", "up to" if one else "below"
        raise ValueError(f"{name}={value!r}: give a share {start}, {end} {high:g}")


def check_labels(labels: ArrayLike, n_samples: int, *, rows: str = "X") -> NDArray[np.intp]:
    """Return cluster numbers, -1 for noise [shape=(n_samples,)]; raise unless they are whole numbers from -1.

    `rows` is the parameter that has `n_samples` rows.

    Examples
    --------
    >>> check_labels([0.0, 1.0, -1.0], 3)
    array([ 0,  1, -1])
    """
    values = np.asarray(labels)
    if values.shape != (n_samples,):
        raise ValueError(f"labels has shape {values.shape}, {rows} has {n_samples} rows")
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError):
        numbers = np.full(n_samples, math.nan)
    wrong = np.flatnonzero(~np.isfinite(numbers) | (numbers != np.round(numbers)) | (numbers < -1))
    if values.dtype.kind in "US":
        wrong = np.arange(n_samples)
    if len(wrong):
        raise ValueError(f"labels has {values[wrong[0]]!r}: give whole numbers from 0, and -1 for noise")
    return numbers.astype(np.intp)


def check_seed(value: Any, name: str = "random_state") -> np.random.RandomState:
    """Return the generator that a seed, a generator or None stands for.

    Examples
    --------
    >>> check_seed("x")
    Traceback (most recent call last):
    ValueError: random_state='x': give a whole number from 0 to 4294967295, a RandomState or None
    """
    if isinstance(value, np.random.RandomState):
        return value
    if value is not None and not (is_whole(value) and 0 <= value < 2**32):
        raise ValueError(f"{name}={value!r}: give a whole number from 0 to {2**32 - 1}, a RandomState or None")
    return np.random.RandomState(value)


def check_n_clusters(n_clusters: Any, n_samples: int) -> None:
    """Raise unless 1 <= `n_clusters` <= `n_samples`."""
    if not is_whole(n_clusters) or not 1 <= n_clusters <= n_samples:
        raise ValueError(f"n_clusters={n_clusters!r}: give a whole number from 1 to n_samples={n_samples}")
