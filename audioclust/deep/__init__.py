"""Networks that learn vectors to cluster: a convolutional autoencoder, DCEC, and u-vectors of voices.

scikit-learn's interface outside, pytorch-lightning inside; images come from `audioclust.features`, and u-vectors are
learned from the sound itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audioclust import lazy

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

__getattr__ = lazy.getter(
    __name__,
    {
        "CAMSAT": ".camsat",
        "ConvAutoencoder": ".autoencoder",
        "ClusterCollapseWarning": "audioclust.evaluation.degenerate",
        "DCEC": ".dcec",
        "Embedded": ".embedded",
        "PoorReconstructionWarning": ".autoencoder",
        "SpeakerNetwork": ".speaker_network",
        "UVectors": ".u_vectors",
    },
)
