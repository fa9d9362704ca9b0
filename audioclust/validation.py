"""One wording for every value that is refused: the name, the value, and what is allowed.

Each function returns nothing and raises a ``ValueError`` when a value cannot be used, before any work starts.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Integral, Real
from typing import Any

__all__ = ["DegenerateClusteringWarning", "check_choice", "check_n_clusters", "check_number", "check_share", "is_whole"]


class DegenerateClusteringWarning(UserWarning):
    """A clustering, or the vectors it was made from, should not be read as it stands; the message says why."""


def is_whole(value: Any) -> bool:
    """Return whether `value` is a whole number (a boolean is none)."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_choice(name: str, value: Any, allowed: Collection[Any]) -> None:
    """Raise unless `value` is one of `allowed`."""
    if not any(value is choice or (isinstance(value, type(choice)) and value == choice) for choice in allowed):
        raise ValueError(f"{name}={value!r}: give one of {', '.join(map(str, allowed))}")


def check_number(name: str, value: Any, low: float, high: float = math.inf, *, whole: bool = False) -> None:
    """Raise unless `value` is a finite (whole) number from `low` to `high`, both included."""
    real = is_whole(value) if whole else isinstance(value, Real) and not isinstance(value, bool)
    if not real or not low <= value <= high or not math.isfinite(value):
        span = f"of at least {low}" if high == math.inf else f"from {low} to {high}"
        raise ValueError(f"{name}={value!r}: give a {'whole ' if whole else ''}number {span}")


def check_share(name: str, value: Any, *, zero: bool = False, one: bool = True, high: float = 1.0) -> None:
    """Raise unless `value` is a share above 0 (or from 0 on) up to `high` (included or not)."""
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not real or not (value >= 0 if zero else value > 0) or not (value <= high if one else value < high):
        start, end = "from 0" if zero else "above 0", "up to" if one else "below"
        raise ValueError(f"{name}={value!r}: give a share {start}, {end} {high:g}")


def check_n_clusters(n_clusters: Any, n_samples: int) -> None:
    """Raise unless 1 <= `n_clusters` <= `n_samples`."""
    if not is_whole(n_clusters) or not 1 <= n_clusters <= n_samples:
        raise ValueError(f"n_clusters={n_clusters!r}: give a whole number from 1 to n_samples={n_samples}")
