"""How well groups of vectors keep apart once noise is discounted, over every level of a hierarchy of groups.

Conventions
-----------
``X`` (n, d) holds one vector per recording, in any orthonormal coordinates; ``labels`` (n,) are integers 0 .. k - 1,
every one in use. Distances are squared Euclidean and averaged over pairs of recordings.

Method
------
Independent noise of variance s in each of d dimensions adds 2 d s to the squared distance between any two recordings,
whoever speaks: in hundreds of dimensions it hides every difference, and an ordinary silhouette says that there are no
groups. But it adds a constant. :func:`noise_floor` reads it off the bulk of the eigenvalues (Marchenko-Pastur), and
:func:`best_level` subtracts it: with ``a`` the mean distance to a recording's own group and ``b`` to the nearest other
one, both without the floor, a recording separates by ``(b - a) / (max(a, b, 0) + u)``, at most by 1. ``u`` is the
uncertainty of a distance under that noise, so nothing separates when noise is all there is. The mean over the
recordings is 1 for perfectly separate groups. It falls when one speaker is split (b becomes as small as a) and when two
are joined (a grows).

References
----------
Rousseeuw: Silhouettes (1987).
Marchenko, Pastur: Distribution of eigenvalues for some sets of random matrices (1967).
Gavish, Donoho: The optimal hard threshold for singular values is 4/sqrt(3) (2014): the median of that distribution.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["best_level", "group_separation", "noise_floor"]

Array = NDArray[Any]  # of one type for each place, as numba finds it


def noise_floor(X: NDArray[np.float64], dimensions: int) -> float:
    """Return how much of a recording's squared length is noise of equal variance in every dimension.

    Parameters
    ----------
    X : array [shape=(n, r)]
        Centred vectors in the coordinates of their principal components.
    dimensions : int >= r
        Dimensions of the vectors before components without any variance were dropped.

    Returns
    -------
    float
        ``dimensions`` times the noise variance per dimension.
    """
    freedom = len(X) - 1
    eigenvalues = np.sort((X**2).sum(axis=0) / freedom)[::-1]
    ratio = dimensions / freedom
    if ratio <= 1:
        eigenvalues = np.concatenate([eigenvalues, np.zeros(dimensions - len(eigenvalues))])
        return float(dimensions * np.median(eigenvalues) / _median(ratio))
    return float(dimensions * np.median(eigenvalues[:freedom]) / (_median(1 / ratio) * ratio))


def _median(ratio: float) -> float:
    """Median of the Marchenko-Pastur distribution of unit variance, 0 < ratio <= 1."""
    low, high = (1 - np.sqrt(ratio)) ** 2, (1 + np.sqrt(ratio)) ** 2
    angle = np.linspace(0, np.pi, 2001)  # x = mean - half-width * cos(angle) takes the roots out of the density
    middle, half = (low + high) / 2, (high - low) / 2
    x = middle - half * np.cos(angle)
    density = np.sin(angle) ** 2 / np.maximum(x, 1e-12)
    mass = np.cumsum(density)
    return float(np.interp(0.5, mass / mass[-1], x))


def best_level(
    X: NDArray[np.float64], labels: NDArray[np.intp], floor: float, dimensions: int
) -> tuple[float, NDArray[np.intp]]:
    """Join the nearest groups, one pair after the other, and return the level at which the groups keep apart best.

    Groups are joined by their average distance, and the levels from the given grouping to two groups are compared. A
    group of one recording is nobody's alternative: a single outlier does not make the rest a group.

    Parameters
    ----------
    X : array [shape=(n, r)]
    labels : array of int [shape=(n,)]
        At least 2 groups.
    floor : float
        From :func:`noise_floor`.
    dimensions : int
        As there.

    Returns
    -------
    separation : float in [-1, 1]
    labels : array of int [shape=(n,)]
    """
    sizes = np.bincount(labels).astype(np.float64)
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(len(sizes)))
    means = np.add.reduceat(X[order], starts, axis=0) / sizes[:, None]
    squares = np.einsum("ij,ij->i", X, X)
    spreads = np.bincount(labels, weights=squares) / sizes
    to_groups = squares[:, None] + spreads - 2 * X @ means.T
    between = spreads[:, None] + spreads - 2 * means @ means.T
    uncertainty = 2 * np.sqrt(2 / dimensions) * floor
    separations, kept, gone = _levels(to_groups, between, labels.copy(), sizes, 2 * floor, uncertainty)
    best = int(
        np.argmax(separations)
    )  # of levels that all reach 1 the finest: splitting a speaker costs, so it is none
    owner = np.arange(len(sizes))
    for step in range(best):
        owner[owner == gone[step]] = kept[step]
    return float(separations[best]), np.unique(owner[labels], return_inverse=True)[1]


def group_separation(X: NDArray[np.float64], labels: NDArray[np.intp], floor: float, dimensions: int) -> float:
    """Return how well the groups keep apart, every group counted alike; groups of one recording do not count.

    A few far recordings make the rest look like a group, seen from the rest; they are none themselves: this shows it.
    The parameters are those of :func:`best_level`.
    """
    sizes = np.bincount(labels).astype(np.float64)
    if np.count_nonzero(sizes > 1) < 2:
        return 0.0
    means = np.array([X[labels == group].mean(axis=0) for group in range(len(sizes))])
    squares = np.einsum("ij,ij->i", X, X)
    spreads = np.bincount(labels, weights=squares) / sizes
    distances = squares[:, None] + spreads - 2 * X @ means.T
    rows = np.arange(len(X))
    a = distances[rows, labels] * sizes[labels] / np.maximum(sizes[labels] - 1, 1) - 2 * floor
    distances[rows, labels] = np.inf
    distances[:, sizes < 2] = np.inf
    b = distances.min(axis=1) - 2 * floor
    scale = np.maximum(np.maximum(a, b), 0.0) + 2 * np.sqrt(2 / dimensions) * floor
    each = np.clip(np.divide(b - a, scale, out=np.zeros_like(a), where=scale > 0), -1, 1)
    return float((np.bincount(labels, weights=each) / sizes)[sizes > 1].mean())


@njit(cache=True)
def _nearest(row: Array, alive: Array, sizes: Array, own: int) -> int:
    """Nearest other group of more than one recording."""
    place = -1
    least = np.inf
    for c in range(len(row)):
        if alive[c] and c != own and sizes[c] > 1 and row[c] < least:
            least = row[c]
            place = c
    return place


@njit(cache=True)
def _mean_separation(
    to_groups: Array, labels: Array, sizes: Array, near: Array, constant: float, uncertainty: float
) -> float:
    total = 0.0
    n = len(labels)
    for i in range(n):
        size = sizes[labels[i]]
        if size < 2 or near[i] < 0:
            continue
        a = to_groups[i, labels[i]] * size / (size - 1) - constant
        b = to_groups[i, near[i]] - constant
        scale = max(max(a, b), 0.0) + uncertainty
        if scale > 0:
            total += min(1.0, max(-1.0, (b - a) / scale))
    return total / n


@njit(cache=True)
def _levels(
    to_groups: Array, between: Array, labels: Array, sizes: Array, constant: float, uncertainty: float
) -> tuple[Array, Array, Array]:
    n, k = to_groups.shape
    alive = np.ones(k, np.bool_)
    near = np.empty(n, np.int64)
    for i in range(n):
        near[i] = _nearest(to_groups[i], alive, sizes, labels[i])
    mate = np.full(k, -1)
    least = np.full(k, np.inf)
    for c in range(k):
        for e in range(k):
            if e != c and between[c, e] < least[c]:
                least[c] = between[c, e]
                mate[c] = e
    steps = max(k - 2, 0)
    separations = np.empty(steps + 1)
    kept = np.empty(steps, np.int64)
    gone = np.empty(steps, np.int64)
    separations[0] = _mean_separation(to_groups, labels, sizes, near, constant, uncertainty)
    for step in range(steps):
        a = np.argmin(least)
        b = mate[a]
        kept[step] = a
        gone[step] = b
        share = sizes[a] / (sizes[a] + sizes[b])
        for i in range(n):
            to_groups[i, a] = share * to_groups[i, a] + (1 - share) * to_groups[i, b]
            if labels[i] == b:
                labels[i] = a
        sizes[a] += sizes[b]
        alive[b] = False
        least[b] = np.inf
        for c in range(k):
            if alive[c] and c != a:
                value = share * between[a, c] + (1 - share) * between[b, c]
                between[a, c] = value
                between[c, a] = value
        for c in range(k):
            if alive[c] and (c == a or mate[c] == a or mate[c] == b):
                least[c] = np.inf
                for e in range(k):
                    if alive[e] and e != c and between[c, e] < least[c]:
                        least[c] = between[c, e]
                        mate[c] = e
        for i in range(n):
            if labels[i] == a or near[i] == a or near[i] == b or near[i] < 0:
                near[i] = _nearest(to_groups[i], alive, sizes, labels[i])
            elif to_groups[i, a] < to_groups[i, near[i]]:
                near[i] = a
        separations[step + 1] = _mean_separation(to_groups, labels, sizes, near, constant, uncertainty)
    return separations, kept, gone
