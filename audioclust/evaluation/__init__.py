"""How good clusters are: against labels, by their own geometry, against what they should not follow.

Labels, where they exist, score; they never choose.
"""

from audioclust.evaluation.metrics import evaluate
from audioclust.evaluation.nuisance import nuisance
from audioclust.evaluation.review import review
from audioclust.evaluation.stability import stability
from audioclust.evaluation.verification import equal_error_rate, score_distributions

__all__ = ["equal_error_rate", "evaluate", "nuisance", "review", "score_distributions", "stability"]
