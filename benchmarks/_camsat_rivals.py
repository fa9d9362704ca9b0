"""CAMSAT and its rivals by name; rivals have CAMSAT's graph and merge, and were tuned as CAMSAT was.

All settings were chosen on half of the people of `audiomnist_ecapa` (and their mirror images, for 60), with noise from
seeds of 200 on: the best mean ACC over two sets of noise 1.2 and three of 1.6. Tried were 32, 64 and (Ward, HDBSCAN)
all components, of length 1 or as they are; parting off, .1, .15, .25 with the merge at .15 to .5; ten or fifty starts
(K-Means), four kinds of covariance (GMM), four smallest clusters, four `min_samples`, two ways of selection (HDBSCAN),
five numbers of neighbours and rbf (spectral). With the merge that is 145 trials for K-Means, 203 Ward, 232 GMM, 71 one
cluster, 96 HDBSCAN, 12 spectral clustering.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from audioclust import clustering
from audioclust.clustering.merging import PARTING, THRESHOLD, merge_clusters, part_clusters
from audioclust.clustering.positives import shared_neighbour_graph
from audioclust.deep.camsat import CAMSAT, SETTINGS
from audioclust.geometry import unit_rows

Partitions = dict[str, np.ndarray]
Method = Callable[[np.ndarray, int, int, int], Partitions]
"""Of vectors (n, d), the upper bound, the true number and a seed."""


class Rival(NamedTuple):
    """A clusterer told the upper bound, of components, bound and seed; how its clusters are parted and merged."""

    cluster: Callable[[np.ndarray, int, int], np.ndarray]
    components: int = 32
    unit: bool = False
    parting: float = PARTING
    threshold: float = THRESHOLD

    def partitions(self, X: np.ndarray, bound: int, seed: int) -> Partitions:
        """Return its partition alone and merged."""
        labels = self.cluster(components(X, self.components, unit=self.unit), bound, seed)
        graph = shared_neighbour_graph(X)
        parts = part_clusters(graph, labels, threshold=self.parting)
        return {" alone": labels, " + merge": merge_clusters(graph, parts, threshold=self.threshold)}


def components(X: np.ndarray, number: int, *, unit: bool) -> np.ndarray:
    """Return the principal components of the rows at length 1 (n, number), each row again at length 1 if asked."""
    Z = PCA(min(number, *X.shape), random_state=0).fit_transform(unit_rows(X))
    return unit_rows(Z) if unit else Z


def network(X: np.ndarray, bound: int, seed: int, **settings: Any) -> Partitions:
    """Return CAMSAT's partitions, alone and merged."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = CAMSAT(bound, random_state=seed, **settings).fit(X)
    return {" alone": model.network_labels_, " + merge": model.merged_labels_}


def kmeans(Z: np.ndarray, bound: int, seed: int) -> np.ndarray:
    return KMeans(bound, n_init=10, random_state=seed).fit_predict(Z)


def ward(Z: np.ndarray, bound: int, seed: int) -> np.ndarray:
    return AgglomerativeClustering(bound).fit_predict(Z)


def mixture(Z: np.ndarray, bound: int, seed: int) -> np.ndarray:
    return GaussianMixture(bound, covariance_type="spherical", random_state=seed).fit_predict(Z)


RIVALS = {
    "K-Means(K)": Rival(kmeans, parting=0.25),
    "Ward(K)": Rival(ward, unit=True),
    "GMM(K)": Rival(mixture, parting=0.1),
    "one cluster": Rival(lambda Z, bound, seed: np.zeros(len(Z), dtype=int), parting=0.25, threshold=0.15),
    "K-Means(K), 64": Rival(kmeans, 64, unit=True),
    "Ward(K), 64": Rival(ward, 64, unit=True),
    "GMM(K), 64": Rival(mixture, 64, threshold=0.3),
}
"""With 64 components, as CAMSAT has, too: 32 are enough for 30 people and their mirror images, perhaps not for 60."""

IMSAT = {**SETTINGS["imsat"], "adversarial_weight": 6.0, "adversarial_length": 0.5}
"""Without positives, the adversarial term has to do all the work: more and longer than beside them."""
AUGMENTED = SETTINGS["imsat_augmentation"]


def _rival(rival: Rival) -> Method:
    return lambda X, bound, k, seed: rival.partitions(X, bound, seed)


def _named(name: str, **settings: Any) -> Method:
    return lambda X, bound, k, seed: {"": clustering.make(name, **settings).fit(X).labels_}


def _hdbscan(X: np.ndarray, bound: int, k: int, seed: int) -> Partitions:
    model = clustering.make("hdbscan", min_cluster_size=4, min_samples=1)
    return {"": model.fit(components(X, 32, unit=True)).labels_}


def _spectral(X: np.ndarray, bound: int, k: int, seed: int) -> Partitions:
    model = clustering.make("spectral", n_clusters=k, n_neighbors=15, random_state=seed)
    return {"": model.fit(components(X, 64, unit=True)).labels_}


METHODS: dict[str, Method] = {
    "CAMSAT": lambda X, bound, k, seed: network(X, bound, seed),
    **{name: _rival(rival) for name, rival in RIVALS.items()},
    "IMSAT": lambda X, bound, k, seed: network(X, bound, seed, **IMSAT),
    "IMSAT + augmentation": lambda X, bound, k, seed: network(X, bound, seed, **AUGMENTED),
    "HDBSCAN": _hdbscan,
    "levels": _named("levels"),
    "auto": _named("auto"),
    "spectral, k given": _spectral,
    "spectral, k given, usual settings": lambda X, bound, k, seed: {
        "": clustering.make("spectral", n_clusters=k, random_state=seed).fit(X).labels_
    },
}
UNSEEDED = ("Ward(K)", "Ward(K), 64", "one cluster", "HDBSCAN", "levels", "auto")
"""Methods that draw nothing."""
