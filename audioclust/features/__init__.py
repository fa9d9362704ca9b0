"""From samples to numbers: spectral features, images, vectors for clustering, and the store that keeps them.

``spectral(y, sample_rate)`` gives the features of one recording as arrays [shape=(bands, frames)]; ``extract(metadata,
root, store)`` computes those of a dataset once, keeps them on the disk and gives a :class:`FeatureSet`, whose
``vectors`` and ``images`` are what clusterers and networks take. ``describe`` gives scalar descriptors (tempo, pitch,
...). ``register`` adds a feature of one's own, see :mod:`audioclust.features.table`.
"""

from importlib import import_module
from typing import Any

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

_LAZY = {
    "EmptyBandsWarning": "spectra",
    "FeatureSet": "feature_set",
    "describe": "descriptors",
    "describe_all": "descriptors",
    "extract": "extraction",
    "spectral": "spectra",
    "why_stale": "store",
    "write_png": "images",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value
