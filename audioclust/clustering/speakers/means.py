"""Recordings and the mean directions of clusters: which is near which, and where to put a threshold between them.

Arrays: ``X`` (n, d) holds unit rows; ``labels`` (n,) are clusters from 0 without a gap, -1 for no cluster; ``means``
(k, d) are their mean directions. Nothing larger than a strip of n x k is held.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audioclust.clustering.base import without_gaps
from audioclust.evaluation.thresholds import evenly, midway
from audioclust.geometry import group_directions, group_sums, leave_one_out_cosines

__all__ = ["join_near", "merge_alike", "nearest_means", "release_far", "similarity_threshold"]

CELLS = 1 << 24  # cosines held at once
SAMPLE = 20_000  # recordings that a threshold is read off, at most

Labels = NDArray[np.intp]


def nearest_means(
    rows: NDArray[np.floating], means: NDArray[np.floating], *, own: Labels | None = None
) -> tuple[NDArray[np.intp], NDArray[np.floating]]:
    """Return the nearest mean of each row, and the cosine of the two; `own` [shape=(m,)] names one that is left out.

    Examples
    --------
    >>> means = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> nearest_means(np.array([[0.6, 0.8]]), means)
    (array([1]), array([0.8]))
    >>> nearest_means(means, means, own=np.arange(2))[0]
    array([1, 0])
    """
    nearest = np.empty(len(rows), dtype=np.intp)
    cosines = np.empty(len(rows), dtype=np.result_type(rows, means))
    step = max(1, CELLS // max(len(means), 1))
    for start in range(0, len(rows), step):
        strip = rows[start : start + step] @ means.T
        here = np.arange(len(strip))
        if own is not None:
            strip[here, own[start : start + step]] = -np.inf
        nearest[start : start + step] = strip.argmax(axis=1)
        cosines[start : start + step] = strip[here, nearest[start : start + step]]
    return nearest, cosines


def similarity_threshold(X: NDArray[np.floating], labels: Labels, random_state: np.random.RandomState) -> float:
    """Return the cosine that separates a recording's own mean, made without it, from the nearest other mean.

    Read off a sample of the recordings: half-way between the bulks of the two, or lower where wrong clusters (speakers
    that are chained together, or in parts) have widened the bulks. NaN with fewer than two clusters.
    """
    clustered = np.flatnonzero(labels >= 0)
    k = labels.max(initial=-1) + 1
    if k < 2:
        return float("nan")
    sums = group_sums(X[clustered], labels[clustered], k)
    means = group_directions(sums).astype(X.dtype)
    rows = np.sort(random_state.permutation(clustered)[:SAMPLE])
    others = nearest_means(X[rows], means, own=labels[rows])[1]
    sizes = np.bincount(labels[clustered])
    inside = leave_one_out_cosines(X[rows], labels[rows], sums, sizes=sizes)
    inside = inside[np.isfinite(inside)]
    return min(midway(inside, others), evenly(inside, others)) if len(inside) else float("nan")


def merge_alike(X: NDArray[np.floating], labels: Labels, threshold: float) -> Labels:
    """Merge clusters whose recordings are as near to each other's mean as to their own; return the new labels.

    Two clusters merge when each mean is the other's nearest and the recordings of each have, on average, at least the
    cosine `threshold` to the mean of the other; again and again until none do.
    """
    clustered = np.flatnonzero(labels >= 0)
    k = labels.max(initial=-1) + 1
    sums = group_sums(X[clustered], labels[clustered], k)
    sizes = np.bincount(labels[clustered], minlength=k).astype(np.float64)
    owner = np.arange(k)
    alive = np.arange(k)
    while len(alive) > 1:
        means = group_directions(sums[alive]).astype(X.dtype)
        lengths = np.linalg.norm(sums[alive], axis=1) / sizes[alive]  # mean cosine of the members to their own mean
        here = np.arange(len(alive))
        nearest, cosines = nearest_means(means, means, own=here)
        near = cosines * np.minimum(lengths, lengths[nearest]) >= threshold
        pairs = here[(nearest[nearest] == here) & near & (here < nearest)]
        if not len(pairs):
            break
        kept, lost = alive[pairs], alive[nearest[pairs]]
        sums[kept] += sums[lost]
        sizes[kept] += sizes[lost]
        owner[lost] = kept
        alive = np.setdiff1d(alive[near], lost)  # what is near nothing now is not nearer to a merged mean
    while not np.array_equal(owner, owner[owner]):
        owner = owner[owner]
    return without_gaps(np.where(labels >= 0, owner[labels], -1))[0]


def release_far(X: NDArray[np.floating], labels: Labels, threshold: float, least: int) -> Labels:
    """Release recordings whose cosine to the mean of the others of their cluster is below the threshold.

    Clusters of fewer than `least` recordings are given up. Returns the new labels.
    """
    clustered = np.flatnonzero(labels >= 0)
    k = labels.max(initial=-1) + 1
    sums, sizes = group_sums(X[clustered], labels[clustered], k), np.bincount(labels[clustered], minlength=k)
    kept = labels.copy()
    step = max(1, CELLS // X.shape[1])
    for start in range(0, len(clustered), step):
        rows = clustered[start : start + step]
        cosines = leave_one_out_cosines(X[rows], labels[rows], sums, sizes=sizes)
        kept[rows[~(cosines >= threshold)]] = -1
    left = np.bincount(kept[kept >= 0], minlength=k)
    return without_gaps(np.where((kept >= 0) & (left[kept] >= least), kept, -1))[0]


def join_near(X: NDArray[np.floating], labels: Labels, threshold: float) -> Labels:
    """Let every recording without a cluster join the nearest mean, if it is near enough; return the new labels."""
    clustered, rest = np.flatnonzero(labels >= 0), np.flatnonzero(labels < 0)
    k = labels.max(initial=-1) + 1
    if not k or not len(rest):
        return labels
    means = group_directions(group_sums(X[clustered], labels[clustered], k)).astype(X.dtype)
    labels = labels.copy()
    step = max(1, CELLS // X.shape[1])
    for start in range(0, len(rest), step):
        rows = rest[start : start + step]
        nearest, cosines = nearest_means(X[rows], means)
        labels[rows] = np.where(cosines >= threshold, nearest, -1)
    return labels
