"""From samples to numbers: spectral features, images, vectors for clustering, and the store that keeps them.

``spectral(y, sample_rate)`` gives the features of one recording as arrays [shape=(bands, frames)]; ``extract(metadata,
root, store)`` computes those of a dataset once, keeps them on the disk and gives a :class:`FeatureSet`, whose
``vectors`` and ``images`` are what clusterers and networks take. ``describe`` gives scalar descriptors (tempo, pitch,
...). ``register`` adds a feature of one's own, see :mod:`audioclust.features.table`.
"""

from audioclust import lazy
from audioclust.features.table import FEATURES, Feature, available, entry, register, unregister

__all__ = [
    "FEATURES",
    "EmptyBandsWarning",
    "Feature",
    "FeatureSet",
    "available",
    "describe",
    "describe_all",
    "entry",
    "extract",
    "register",
    "spectral",
    "unregister",
    "why_stale",
    "write_png",
]

__getattr__ = lazy.getter(
    __name__,
    {
        "EmptyBandsWarning": ".spectra",
        "FeatureSet": ".feature_set",
        "describe": ".descriptors",
        "describe_all": ".descriptors",
        "extract": ".extraction",
        "spectral": ".spectra",
        "why_stale": ".store",
        "write_png": ".images",
    },
)
