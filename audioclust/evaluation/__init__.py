"""How good clusters are: against labels, by their own geometry, against what they should not follow.

Labels, where they exist, score; they never choose.
"""

from importlib import import_module
from typing import Any

from audioclust.evaluation.external import accuracy
from audioclust.evaluation.nuisance import nuisance
from audioclust.evaluation.scores import SCORES, evaluate
from audioclust.evaluation.stability import stability
from audioclust.evaluation.verification import equal_error_rate, min_dcf, score_distributions

__all__ = [
    "SCORES",
    "accuracy",
    "equal_error_rate",
    "evaluate",
    "min_dcf",
    "nuisance",
    "review",
    "score_distributions",
    "stability",
]


def __getattr__(name: str) -> Any:
    if name == "review":  # it lives with what people do with labels, and is named here for users
        return import_module("audioclust.curation.review").review
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
