"""Networks that learn vectors to cluster: a convolutional autoencoder, DCEC, and u-vectors of voices.

scikit-learn's interface outside, pytorch-lightning inside; images come from `audioclust.features`, and u-vectors are
learned from the sound itself.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audioclust.deep.autoencoder import ConvAutoencoder, PoorReconstructionWarning
    from audioclust.deep.camsat import CAMSAT
    from audioclust.deep.dcec import DCEC
    from audioclust.deep.embedded import Embedded
    from audioclust.deep.speaker_network import SpeakerNetwork
    from audioclust.deep.u_vectors import UVectors
    from audioclust.evaluation.degenerate import ClusterCollapseWarning

__all__ = [
    "CAMSAT",
    "DCEC",
    "ClusterCollapseWarning",
    "ConvAutoencoder",
    "Embedded",
    "PoorReconstructionWarning",
    "SpeakerNetwork",
    "UVectors",
]

_HOMES = {
    "CAMSAT": "audioclust.deep.camsat",
    "ConvAutoencoder": "audioclust.deep.autoencoder",
    "ClusterCollapseWarning": "audioclust.evaluation.degenerate",
    "DCEC": "audioclust.deep.dcec",
    "Embedded": "audioclust.deep.embedded",
    "PoorReconstructionWarning": "audioclust.deep.autoencoder",
    "SpeakerNetwork": "audioclust.deep.speaker_network",
    "UVectors": "audioclust.deep.u_vectors",
}


def __getattr__(name: str) -> Any:
    """Import torch only when a network is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
