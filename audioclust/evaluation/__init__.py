"""How good clusters are: against labels, by their own geometry, against what they should not follow.

Labels, where they exist, score; they never choose.
"""

from importlib import import_module
from typing import Any

from audioclust.evaluation.metrics import evaluate
from audioclust.evaluation.nuisance import nuisance

__all__ = ["equal_error_rate", "evaluate", "nuisance", "review", "score_distributions", "stability"]

_LAZY = {
    "equal_error_rate": "verification",
    "review": "review",
    "score_distributions": "verification",
    "stability": "stability",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value
