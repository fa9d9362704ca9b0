"""Better labels from those one has: the most certain recordings of each cluster decide where the others belong.

References
----------
Tong, Jiang, et al.: pseudo-label refinement in self-supervised speaker recognition (the loss-gated and core-sample
selections of 2021-2023) keep the certain part of each cluster and let it label the rest; here without a network.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_array

from audioclust.geometry import group_directions, group_sums, leave_one_out_cosines, unit_rows
from audioclust.validation import check_labels, check_number, check_share

__all__ = ["confidence", "refine"]


def confidence(X: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """Cosine to the own cluster's mean, made without the recording, minus that to the nearest other mean.

    Parameters
    ----------
    X : array-like [shape=(n, d)]
        Speaker vectors, none zero.
    labels : array-like of int [shape=(n,)]
        -1 for noise.

    Returns
    -------
    array [shape=(n,)]
        In [-2, 2]; -inf for noise and for the only recording of a cluster. With one cluster, the first cosine alone.

    Raises
    ------
    ValueError
        When lengths differ or a vector is zero or not finite.

    Examples
    --------
    >>> confidence([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [1, 1]], [0, 0, 1, 1, -1]).round(2)
    array([0.95, 0.85, 0.95, 0.85, -inf])
    """
    X = unit_rows(check_array(X, dtype=np.float64))
    labels = check_labels(labels, len(X))
    result = np.full(len(X), -np.inf)
    known = labels != -1
    if not known.any():
        return result
    _, place = np.unique(labels[known], return_inverse=True)
    sums = group_sums(X[known], place, place.max() + 1)
    own = leave_one_out_cosines(X[known], place, sums)
    other = np.zeros(len(place))
    if len(sums) > 1:
        cosines = X[known] @ group_directions(sums).T
        cosines[np.arange(len(place)), place] = -np.inf
        other = cosines.max(axis=1)
    result[known] = np.where(np.isnan(own), -np.inf, own - other)
    return result


def refine(
    X: ArrayLike, labels: ArrayLike, *, core_share: float = 0.5, rounds: int = 10, include_noise: bool = True
) -> NDArray[np.intp]:
    """Give every recording to the cluster whose core is most similar, and repeat until nothing changes.

    Parameters
    ----------
    X : array-like [shape=(n, d)]
        Speaker vectors, none zero.
    labels : array-like of int [shape=(n,)]
        -1 for noise.
    core_share : float in (0, 1]
        Share of each cluster, the most certain recordings first, that makes its core: at least one recording, and no
        recording that is nearer to another cluster where the core holds others.
    rounds : int >= 1
        Largest number of rounds.
    include_noise : bool
        Whether noise may join a cluster. It joins where it is at least as similar as the least similar recording of the
        cluster's core.

    Returns
    -------
    array of int [shape=(n,)]
        The labels of `labels`; -1 for noise.

    Raises
    ------
    ValueError
        When a parameter is out of its range, lengths differ, or a vector is zero or not finite.

    Examples
    --------
    >>> refine([[1, 0], [1, 0.1], [1, 0.2], [0, 1], [0.1, 1], [0.2, 1]], [0, 0, 1, 1, 1, 1]).tolist()
    [0, 0, 0, 1, 1, 1]
    """
    check_share("core_share", core_share)
    check_number("rounds", rounds, 1, whole=True)
    X = unit_rows(check_array(X, dtype=np.float64))
    labels = check_labels(labels, len(X))
    for _ in range(rounds):
        names = np.unique(labels[labels != -1])
        if len(names) < 2:
            break
        certain = confidence(X, labels)
        means, least = _cores(X, labels, names, certain, core_share)
        cosines = X @ means.T
        best = cosines.argmax(axis=1)
        moved = names[best]
        noise = labels == -1
        stays = noise & (cosines[np.arange(len(X)), best] < least[best]) if include_noise else noise
        moved = np.where(stays, -1, moved)
        if np.array_equal(moved, labels):
            break
        labels = moved
    return labels


def _cores(
    X: NDArray[np.float64],
    labels: NDArray[np.intp],
    names: NDArray[np.intp],
    certain: NDArray[np.float64],
    core_share: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean direction of each cluster's core, and the least cosine of a core recording to it."""
    means = np.empty((len(names), X.shape[1]))
    least = np.empty(len(names))
    for number, name in enumerate(names):
        members = np.flatnonzero(labels == name)
        ranked = members[np.argsort(-certain[members], kind="stable")]
        core = ranked[: max(1, int(np.ceil(core_share * len(ranked))))]
        core = core[certain[core] > 0] if (certain[core] > 0).any() else core[:1]
        means[number] = group_directions(X[core].sum(axis=0, keepdims=True))[0]
        least[number] = (X[core] @ means[number]).min()
    return means, least
