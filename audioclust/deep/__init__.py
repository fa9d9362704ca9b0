"""Networks that learn the vectors they cluster: a convolutional autoencoder, and DCEC.

scikit-learn's interface outside, pytorch-lightning inside; images come from `audioclust.features`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audioclust.deep.autoencoder import ConvAutoencoder, PoorReconstructionWarning
    from audioclust.deep.dcec import DCEC
    from audioclust.deep.embedded import Embedded
    from audioclust.evaluation.degenerate import ClusterCollapseWarning

__all__ = ["DCEC", "ClusterCollapseWarning", "ConvAutoencoder", "Embedded", "PoorReconstructionWarning"]

_HOMES = {
    "ConvAutoencoder": "audioclust.deep.autoencoder",
    "ClusterCollapseWarning": "audioclust.evaluation.degenerate",
    "DCEC": "audioclust.deep.dcec",
    "Embedded": "audioclust.deep.embedded",
    "PoorReconstructionWarning": "audioclust.deep.autoencoder",
}


def __getattr__(name: str) -> Any:
    """Import torch only when a network is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
