"""Clusterers with scikit-learn's interface, and what belongs to choosing between them.

Arrays: ``X`` [shape=(n, d)], one row per recording, finite; ``labels_`` [shape=(n,)], integers from 0, -1 for noise.
``make(name, **params)`` builds a clusterer by name, ``available()`` lists the names, ``register`` adds one's own.

Every clusterer here works on the rows in a canonical order (:mod:`audioclust.clustering.base`), so shuffling the
recordings permutes the labels and changes nothing else, equal rows get one label, and two fits with one
``random_state`` agree. HDBSCAN is the exception where clusters tie: its default ``ties="rows"`` breaks them by row, as
the hdbscan package does by default; ``ties="canonical"`` does not depend on the order.
"""

from audioclust import lazy
from audioclust.clustering.consensus import Consensus, consensus
from audioclust.clustering.registry import available, entry, is_network, make, parameters, register, title_of
from audioclust.evaluation.degenerate import DegenerateClusteringWarning

__all__ = [
    "GRIDS",
    "Consensus",
    "DegenerateClusteringWarning",
    "GroupScaler",
    "Levels",
    "Prototypes",
    "available",
    "consensus",
    "entry",
    "estimate_k",
    "is_network",
    "make",
    "parameters",
    "register",
    "search",
    "title_of",
]

# prototypes and the scaler live in other rooms and are named here for users
__getattr__ = lazy.getter(
    __name__,
    {
        "GRIDS": ".selection.grid_search",
        "GroupScaler": "audioclust.features.group_scaler",
        "Levels": ".levels",
        "Prototypes": "audioclust.curation.prototypes",
        "estimate_k": ".selection.n_clusters",
        "search": ".selection.grid_search",
    },
)
