"""Sound -> who: one vector per recording, close for one voice and far for two.

Every encoder takes a list of mono waves as they are and gives unit vectors back, so that a dot product is the cosine.
Trimming silence and evening out the level are :mod:`audioclust.audio`'s work.

``ecapa``  192-d, ECAPA-TDNN [1]_, the published SpeechBrain weights, downloaded once (83 MB) and checked
``ge2e``   256-d, the d-vector LSTM [2]_ that the resemblyzer wheel carries: works with no download
``uvector``  u-vectors, learned from unlabelled recordings of your own by :class:`audioclust.deep.UVectors`

References
----------
.. [1] Desplanques, Thienpondt, Demuynck: ECAPA-TDNN, Interspeech 2020, arXiv:2005.07143.
.. [2] Wan, Wang, Papir, Lopez Moreno: Generalized end-to-end loss for speaker verification, ICASSP 2018,
   arXiv:1710.10467.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audioclust import lazy

if TYPE_CHECKING:
    from audioclust.embeddings.encoder import CheckpointError, Encoder, available, load, preferred, register
    from audioclust.embeddings.multispeaker import mixed
    from audioclust.embeddings.vectors import EmbeddingSet, extract

__all__ = [
    "CheckpointError",
    "EmbeddingSet",
    "Encoder",
    "available",
    "extract",
    "load",
    "mixed",
    "preferred",
    "register",
]

_HOMES = {"EmbeddingSet": ".vectors", "extract": ".vectors", "mixed": ".multispeaker"}
__getattr__ = lazy.getter(__name__, {name: _HOMES.get(name, ".encoder") for name in __all__})
