"""How scores, algorithms, features, datasets and labels are called, shown and kept apart in the tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from audioclust import clustering, features

__all__ = [
    "LONG_NAMES",
    "algorithm_title",
    "blank",
    "display",
    "feature_title",
    "groups",
    "heading",
    "is_empty",
    "is_number",
    "name_of",
]

PERCENT = {"nmi", "acc", "ari", "ami", "homogeneity", "completeness", "purity", "fmi", "coverage", "agreement"}
LONG_NAMES = {
    "nmi": "normalised mutual information",
    "acc": "accuracy under the best one-to-one match of clusters and labels",
    "ari": "adjusted Rand index",
}
_NAMES = {
    "nmi": "NMI", "acc": "ACC", "ari": "ARI", "ami": "AMI", "fmi": "FMI", "davies_bouldin": "Davies-Bouldin",
    "calinski_harabasz": "Calinski-Harabasz", "n_clusters": "clusters", "silhouette_cosine": "silhouette (cosine)",
}  # fmt: skip


def name_of(score: str) -> str:
    """Return how a score is called in a heading."""
    base = score.removesuffix("_clustered")
    return _NAMES.get(base, base.replace("_", " ")) + (" (clustered)" if base != score else "")


def display(score: str) -> tuple[float, int]:
    """Return the factor and the digits with which a score is shown."""
    base = score.removesuffix("_clustered")
    if base in PERCENT:
        return 100.0, 1
    return 1.0, {"n_clusters": 1, "calinski_harabasz": 1, "seconds": 2}.get(base, 3)


def algorithm_title(name: Any) -> str:
    """Return an algorithm's name as printed, "K-Means"; one that is not known here stays as it is."""
    return clustering.title_of(blank(name))


def feature_title(name: Any) -> str:
    """Return a feature's name as printed, "MFCC"; one that is not known here (an encoder's, say) stays as it is."""
    return features.entry(name).title if name in features.available() else blank(name)


def groups(table: pd.DataFrame) -> Iterator[tuple[tuple[Any, Any], pd.DataFrame]]:
    """Yield ((dataset, label), rows) in the order of first appearance; a failed run's rows belong to no label."""
    keys = list(dict.fromkeys((row.dataset, row.label) for row in table.itertuples()))
    for dataset, label in keys:
        same_label = table["label"].isna() if is_empty(label) else table["label"] == label
        yield (dataset, label), table[(table["dataset"] == dataset) & same_label]


def heading(dataset: Any, label: Any) -> str:
    """Return how a dataset and label column are called in a heading."""
    return str(dataset) if is_empty(label) else f"{dataset} · {label}"


def blank(value: Any) -> str:
    """Return a value as text, nothing where there is none."""
    return "" if is_empty(value) else str(value)


def is_empty(value: Any) -> bool:
    """Return whether a cell of a table holds nothing."""
    return value is None or value is pd.NA or value == "" or (isinstance(value, float) and value != value)


def is_number(value: Any) -> bool:
    """Return whether a cell of a table holds a number (NaN is one, True is none)."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
