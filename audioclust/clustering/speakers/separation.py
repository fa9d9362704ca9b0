"""How well groups of vectors are separated once the noise is subtracted, at every level of a hierarchy of groups.

Conventions
-----------
A :class:`Cloud` holds the vectors, one per recording, with the noise that is in them; ``labels`` [shape=(n,)] are
integers 0 .. k - 1, every one in use. Distances are squared Euclidean and averaged over pairs of recordings.

Method
------
Independent noise of variance s in each of d dimensions adds 2 d s to the squared distance between any two recordings,
of one speaker or of two: in hundreds of dimensions it hides every difference, and an ordinary silhouette says that
there are no groups. But it adds a constant. :func:`noise_floor` reads it off the bulk of the eigenvalues
(Marchenko-Pastur), and :func:`best_level` subtracts it: with ``a`` the mean distance to a recording's own group and
``b`` to the nearest other one, both without the floor, the separation of a recording is
``(b - a) / (max(a, b, 0) + u)``, at most 1. ``u`` is the uncertainty of a distance under that noise, so the separation
is near 0 where all is noise. The mean over the recordings is 1 for perfectly separate groups. It falls when one speaker
is split (b becomes as small as a) and when two are joined (a grows).

References
----------
Rousseeuw: Silhouettes (1987).
Marchenko, Pastur: Distribution of eigenvalues for some sets of random matrices (1967).
Gavish, Donoho: The optimal hard threshold for singular values is 4/sqrt(3) (2014): the median of that distribution.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["Cloud", "best_level", "group_separation", "noise_floor"]

Array = NDArray[Any]  # of one type for each place, as numba finds it


class Cloud(NamedTuple):
    """Vectors and the noise in them.

    Attributes
    ----------
    vectors : array [shape=(n, r)]
        Centred, in the coordinates of their principal components.
    dimensions : int >= r
        Dimensions before components without any variance were dropped.
    floor : float
        How much of a recording's squared length is noise of equal variance in every dimension.
    """

    vectors: NDArray[np.float64]
    dimensions: int
    floor: float

    @classmethod
    def of(cls, X: NDArray[np.float64]) -> Self:
        """Centre the rows [shape=(n, d)] and turn them to their principal components.

        Examples
        --------
        >>> X = np.random.default_rng(0).standard_normal((500, 40))  # nothing but noise of variance 1
        >>> round(Cloud.of(X).floor)
        39
        """
        X = X - X.mean(axis=0)
        _, lengths, axes = np.linalg.svd(X, full_matrices=False)
        vectors = X @ axes[lengths > 1e-7 * max(lengths[0], 1e-300)].T
        return cls(vectors, X.shape[1], noise_floor(vectors, X.shape[1]))

    @property
    def uncertainty(self) -> float:
        """Standard deviation that the noise gives to a squared distance."""
        return float(2 * np.sqrt(2 / self.dimensions) * self.floor)


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


def best_level(cloud: Cloud, labels: NDArray[np.intp]) -> tuple[float, NDArray[np.intp]]:
    """Join the nearest groups, one pair after the other, and return the level at which the groups are separated best.

    Groups are joined by their average distance, and the levels from the given grouping to two groups are compared. A
    group of one recording does not count as the nearest other group: a single outlier does not make the rest a group.

    Parameters
    ----------
    cloud : Cloud
    labels : array of int [shape=(n,)]
        At least 2 groups.

    Returns
    -------
    separation : float in [-1, 1]
    labels : array of int [shape=(n,)]

    Examples
    --------
    >>> X = np.repeat(np.random.default_rng(0).standard_normal((4, 30)), 10, axis=0)
    >>> X = X + 0.1 * np.random.default_rng(1).standard_normal((40, 30))
    >>> separation, labels = best_level(Cloud.of(X), np.arange(40) // 5)  # every group halved
    >>> np.bincount(labels)
    array([10, 10, 10, 10])
    """
    X = cloud.vectors
    sizes = np.bincount(labels).astype(np.float64)
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(len(sizes)))
    means = np.add.reduceat(X[order], starts, axis=0) / sizes[:, None]
    squares = np.einsum("ij,ij->i", X, X)
    spreads = np.bincount(labels, weights=squares) / sizes
    to_groups = squares[:, None] + spreads - 2 * X @ means.T
    between = spreads[:, None] + spreads - 2 * means @ means.T
    separations, kept, gone = _levels(to_groups, between, labels.copy(), sizes, 2 * cloud.floor, cloud.uncertainty)
    best = int(np.argmax(separations))  # of levels that all reach 1 the finest: a speaker who is split does not reach 1
    owner = np.arange(len(sizes))
    for step in range(best):
        owner[owner == gone[step]] = kept[step]
    return float(separations[best]), np.unique(owner[labels], return_inverse=True)[1]


def group_separation(cloud: Cloud, labels: NDArray[np.intp]) -> float:
    """Return how well the groups are separated, every group counted alike; groups of one recording do not count.

    A few far recordings make all others look like one close group, although they are no group themselves. Counting
    every group alike shows that. The parameters are those of :func:`best_level`.
    """
    X = cloud.vectors
    sizes = np.bincount(labels).astype(np.float64)
    if np.count_nonzero(sizes > 1) < 2:
        return 0.0
    means = np.array([X[labels == group].mean(axis=0) for group in range(len(sizes))])
    squares = np.einsum("ij,ij->i", X, X)
    spreads = np.bincount(labels, weights=squares) / sizes
    distances = squares[:, None] + spreads - 2 * X @ means.T
    rows = np.arange(len(X))
    a = distances[rows, labels] * sizes[labels] / np.maximum(sizes[labels] - 1, 1) - 2 * cloud.floor
    distances[rows, labels] = np.inf
    distances[:, sizes < 2] = np.inf
    b = distances.min(axis=1) - 2 * cloud.floor
    scale = np.maximum(np.maximum(a, b), 0.0) + cloud.uncertainty
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
