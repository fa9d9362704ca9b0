"""Speaker clustering of very many recordings: cluster partial sets, merge, split what is too large, fit the noise.

Arrays: ``X`` (n, d), one speaker vector per recording, scaled to unit length here; ``labels_`` (n,), -1 for noise. A
cluster is a list of row numbers, never of vectors: equal recordings stay two recordings.

Method, after Gupta et al.
--------------------------
1. The recordings are shuffled and cut into partial sets of equal size.
2. HDBSCAN in each partial set gives small clusters and noise; a cluster is represented by its mean direction.
3. Clusters whose means agree are merged: first those that agree best, then with a threshold that falls step by step
   down to its end. Two clusters merge when each is the other's nearest, so the order of the clusters does not matter.
4. Clusters several times as large as the mean are suspect.
5. Each suspect is clustered again, finer (leaves of the tree), and its parts are merged as in 3. If several parts
   remain, they replace it; if not, it stays. Parts may be suspect in turn.
6. All clusters are merged again as in 3.
7. A noise recording joins the nearest cluster if it is near enough.
8. Labels number the clusters, largest first.

A speaker needs about 8 recordings in a partial set to become a cluster there, with clusters of at least 4.

References
----------
Gupta, Chadha, Chimwal, Dhuriya, Raghavan: Is speaker recognition in the wild possible with unlabelled data?, published
as "Speaker Recognition in the Wild", arXiv 2205.02475 (2022).
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from audioclust import parallel
from audioclust.clustering.base import OrderedClusterer
from audioclust.clustering.hdbscan import HDBSCAN
from audioclust.evaluation.thresholds import midway
from audioclust.geometry import group_directions, leave_one_out_cosines, unit_rows
from audioclust.validation import check_number, check_seed

__all__ = ["PartialSets"]

Rows = NDArray[np.intp]
STEP = 0.01  # by which the merge threshold falls
SUSPECT = (5, 4, 3, 2)  # multiples of the mean size that make a cluster suspect
ROUNDS = 5  # how often parts of suspects may be suspect in turn
STRIP = 2048  # cluster means compared with all others at once


class PartialSets(OrderedClusterer):
    """Cluster speaker vectors by partial sets: memory grows with the size of a set, not with the square of all.

    Parameters
    ----------
    partial_set_size : int >= 2
        Recordings clustered at once.
    min_cluster_size : int >= 2
        Smallest cluster in a partial set.
    min_samples : int >= 1
        See :class:`audioclust.clustering.hdbscan.HDBSCAN`.
    merge_start, merge_end : float in [-1, 1] or "auto"
        Cosine of two cluster means at which merging starts, and the least at which it still happens. "auto" reads them
        off the vectors' own scores: means of random halves of a cluster say how well means of one speaker agree, means
        of clusters found side by side in a partial set how well those of different speakers do.
    noise_similarity : float in [-1, 1] or "auto"
        Least cosine of a noise recording and a cluster's mean at which it joins. "auto" compares recordings with the
        mean of their own cluster (without them) and with that of the nearest other cluster.
    random_state : int, RandomState instance or None
        Seed of the shuffle.
    jobs : int or str
        Workers, see :mod:`audioclust.parallel`.

    Attributes
    ----------
    labels_ : array of int [shape=(n,)]
        Cluster of each recording, -1 for noise.
    merge_start_, merge_end_, noise_similarity_ : float
        The thresholds used; NaN where there was nothing to compare.
    n_partial_clusters_ : int
        Clusters before the first merge.

    Notes
    -----
    Rows are sorted by their values before they are shuffled, so the order of the files has no influence.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> voices = np.repeat(rng.standard_normal((4, 64)), 30, axis=0)
    >>> labels = PartialSets(60).fit_predict(voices + 0.5 * rng.standard_normal((120, 64)))
    >>> np.bincount(labels)
    array([30, 30, 30, 30])
    """

    def __init__(
        self,
        partial_set_size: int = 10_000,
        *,
        min_cluster_size: int = 4,
        min_samples: int = 1,
        merge_start: float | str = "auto",
        merge_end: float | str = "auto",
        noise_similarity: float | str = "auto",
        random_state: Any = 0,
        jobs: parallel.Jobs = 1,
    ) -> None:
        self.partial_set_size = partial_set_size
        self.min_cluster_size = min_cluster_size
        self.min_samples = min_samples
        self.merge_start = merge_start
        self.merge_end = merge_end
        self.noise_similarity = noise_similarity
        self.random_state = random_state
        self.jobs = jobs

    def _cluster(self, X: NDArray[np.float64]) -> NDArray[np.intp]:
        self._check()
        random_state = check_seed(self.random_state)
        X = unit_rows(X, zero="warn")
        sets = self._split(random_state.permutation(len(X)))
        with parallel.Workers(self.jobs) as workers:
            return self._in_steps(X, sets, random_state, workers)

    def _in_steps(
        self, X: NDArray[np.float64], sets: list[Rows], random_state: np.random.RandomState, workers: parallel.Workers
    ) -> NDArray[np.intp]:
        parts = self._cluster_sets(X, sets, "eom", workers)
        clusters = [cluster for set_clusters, _ in parts for cluster in set_clusters]
        noise = np.concatenate([rest for _, rest in parts])
        self.n_partial_clusters_ = len(clusters)
        self._calibrate(X, [set_clusters for set_clusters, _ in parts], random_state)
        clusters = self._merge(X, clusters)
        clusters, rest = self._split_suspects(X, clusters, random_state, workers)
        clusters = self._merge(X, clusters)
        labels = np.full(len(X), -1, dtype=np.intp)
        for number, cluster in enumerate(sorted(clusters, key=lambda rows: (-len(rows), rows.min()))):
            labels[cluster] = number
        self._fit_noise(X, labels, np.concatenate([noise, rest]))
        return labels

    def _split(self, rows: Rows) -> list[Rows]:
        """Cut rows into partial sets of equal size, none larger than `partial_set_size`."""
        return np.array_split(rows, -(-len(rows) // self.partial_set_size))

    def _cluster_sets(
        self, X: NDArray[np.float64], sets: list[Rows], method: str, workers: parallel.Workers
    ) -> list[tuple[list[Rows], Rows]]:
        """Cluster sets of rows: the clusters and the noise of each, as row numbers."""
        finder = HDBSCAN(self.min_cluster_size, min_samples=self.min_samples, cluster_selection_method=method)
        made = workers.map(partial(_cluster_set, finder), sets, chunk=1, arrays=[X])
        return list(parallel.progress(made, "partial sets", len(sets)))

    def _calibrate(self, X: NDArray[np.float64], sets: list[list[Rows]], random_state: np.random.RandomState) -> None:
        """Set the three thresholds: those given, and "auto" ones from the scores of the partial clusters."""
        agree, disagree, own, other = [], [], [], []
        for clusters in sets:
            if not clusters:
                continue
            means = _means(X, clusters)
            halves = [random_state.permutation(cluster) for cluster in clusters]
            first = _means(X, [half[: len(half) // 2] for half in halves])
            second = _means(X, [half[len(half) // 2 :] for half in halves])
            agree.append(np.einsum("ij,ij->i", first, second))
            disagree.append((means @ means.T)[np.triu_indices(len(means), 1)])
            for number, cluster in enumerate(clusters):
                place = np.zeros(len(cluster), dtype=np.intp)
                own.append(leave_one_out_cosines(X[cluster], place, X[cluster].sum(axis=0, keepdims=True)))
                if len(clusters) > 1:
                    cosines = means @ X[cluster].mean(axis=0)
                    cosines[number] = -np.inf
                    other.append(X[cluster] @ means[np.argmax(cosines)])
        same, different = _joined(agree), _joined(disagree)
        between = midway(same, different) if len(same) and len(different) else float("nan")
        usual = float(np.median(same)) if len(same) else float("nan")
        self.merge_end_ = between if self.merge_end == "auto" else float(self.merge_end)
        self.merge_start_ = usual if self.merge_start == "auto" else float(self.merge_start)
        if self.merge_start == "auto" and np.isfinite(self.merge_end_):
            self.merge_start_ = max(self.merge_start_, self.merge_end_)
        inside, outside = _joined(own), _joined(other)
        near = midway(inside, outside) if len(inside) and len(outside) else float("nan")
        self.noise_similarity_ = near if self.noise_similarity == "auto" else float(self.noise_similarity)

    def _merge(self, X: NDArray[np.float64], clusters: list[Rows]) -> list[Rows]:
        """Merge clusters that are each other's nearest, from the start threshold down to the end, which is reached."""
        if not np.isfinite(self.merge_end_) or len(clusters) < 2:
            return clusters
        start = self.merge_start_ if np.isfinite(self.merge_start_) else self.merge_end_
        steps = np.arange(start, self.merge_end_, -STEP)
        for threshold in [*steps, self.merge_end_]:
            while len(clusters) > 1:
                nearest, cosines = _nearest(_means(X, clusters))
                numbers = np.arange(len(clusters))
                pairs = numbers[(nearest[nearest] == numbers) & (cosines >= threshold) & (numbers < nearest)]
                if not len(pairs):
                    break
                joined = {int(i): np.concatenate([clusters[i], clusters[nearest[i]]]) for i in pairs}
                absorbed = set(nearest[pairs].tolist())
                clusters = [joined.get(i, cluster) for i, cluster in enumerate(clusters) if i not in absorbed]
        return clusters

    def _split_suspects(
        self,
        X: NDArray[np.float64],
        clusters: list[Rows],
        random_state: np.random.RandomState,
        workers: parallel.Workers,
    ) -> tuple[list[Rows], Rows]:
        """Cluster suspiciously large clusters again; those that fall into several parts are replaced by them."""
        cleared: list[Rows] = []
        noise = [np.empty(0, dtype=np.intp)]
        for _ in range(ROUNDS):
            limit = _suspect_size([len(cluster) for cluster in cleared + clusters])
            suspects = [cluster for cluster in clusters if len(cluster) >= limit]
            if not suspects:
                break
            clusters = [cluster for cluster in clusters if len(cluster) < limit]
            divided = [self._split(random_state.permutation(suspect)) for suspect in suspects]
            found = iter(self._cluster_sets(X, [rows for sets in divided for rows in sets], "leaf", workers))
            for suspect, own in zip(suspects, divided, strict=True):
                sets = list(islice(found, len(own)))
                parts = self._merge(X, [part for set_clusters, _ in sets for part in set_clusters])
                if len(parts) < 2:
                    cleared.append(suspect)
                else:
                    clusters.extend(parts)
                    noise.extend(rest for _, rest in sets)
        return cleared + clusters, np.concatenate(noise)

    def _fit_noise(self, X: NDArray[np.float64], labels: NDArray[np.intp], noise: Rows) -> None:
        """Let each noise row join the nearest cluster if it is near enough."""
        k = labels.max() + 1
        if k == 0 or not len(noise) or not np.isfinite(self.noise_similarity_):
            return
        means = _means(X, [np.flatnonzero(labels == number) for number in range(k)])
        for start in range(0, len(noise), STRIP):
            rows = noise[start : start + STRIP]
            cosines = X[rows] @ means.T
            best = cosines.argmax(axis=1)
            near = cosines[np.arange(len(rows)), best] >= self.noise_similarity_
            labels[rows[near]] = best[near]

    def _check(self) -> None:
        for name, least in (("partial_set_size", 2), ("min_cluster_size", 2), ("min_samples", 1)):
            check_number(name, getattr(self, name), least, whole=True)
        for name in ("merge_start", "merge_end", "noise_similarity"):
            value = getattr(self, name)
            if value != "auto" and not (isinstance(value, (int, float, np.floating)) and -1 <= value <= 1):
                raise ValueError(f"{name}={value!r}: give a cosine from -1 to 1, or 'auto'")
        if "auto" not in (self.merge_start, self.merge_end) and float(self.merge_start) < float(self.merge_end):
            raise ValueError(f"merge_start={self.merge_start!r} lies below merge_end={self.merge_end!r}: merging falls")


def _cluster_set(finder: HDBSCAN, rows: Rows, X: NDArray[np.float64]) -> tuple[list[Rows], Rows]:
    if len(rows) < 2 * finder.min_cluster_size:
        return [], rows
    labels = clone(finder).fit_quietly(X[rows])
    return [rows[labels == number] for number in range(labels.max() + 1)], rows[labels == -1]


def _means(X: NDArray[np.float64], clusters: list[Rows]) -> NDArray[np.float64]:
    """Mean direction of each cluster; zero where its vectors cancel."""
    return group_directions(np.array([X[cluster].sum(axis=0) for cluster in clusters]))


def _nearest(means: NDArray[np.float64]) -> tuple[Rows, NDArray[np.float64]]:
    """Nearest other mean of each, and their cosine; the strips bound the memory."""
    nearest = np.empty(len(means), dtype=np.intp)
    cosines = np.empty(len(means))
    for start in range(0, len(means), STRIP):
        rows = np.arange(start, min(start + STRIP, len(means)))
        strip = means[rows] @ means.T
        strip[np.arange(len(rows)), rows] = -np.inf
        nearest[rows] = strip.argmax(axis=1)
        cosines[rows] = strip[np.arange(len(rows)), nearest[rows]]
    return nearest, cosines


def _suspect_size(sizes: list[int]) -> float:
    """Least size of a suspect cluster: of the multiples that any cluster reaches, the second if there are several."""
    if not sizes:
        return np.inf
    limits = [np.floor(multiple * np.mean(sizes)) for multiple in SUSPECT]
    reached = [limit for limit in limits if max(sizes) >= limit]
    if not reached:
        return np.inf
    return float(reached[1] if len(reached) > 2 else reached[0])


def _joined(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate(parts) if parts else np.empty(0)
