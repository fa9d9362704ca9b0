"""Are there fewer recordings between the groups than in them? Tested on recordings that did not define the groups.

Any cloud can be cut in two, and its halves are separated to some degree. But a cut through one cloud does not run
through an empty region. The recordings are split in two at random; one half gives the groups' means and the direction
in which two groups differ, by the two-covariance model; the other half's recordings are placed along it, each between
its own group and the nearest other one. In hundreds of dimensions this matters: along a direction there is
always a gap between the recordings that the direction was computed from.

References
----------
Fisher: The use of multiple measurements in taxonomic problems (1936): the direction.
Hartigan, Hartigan: The dip test of unimodality (1985): groups as more than one mode.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audioclust.clustering.speakers import two_covariance

__all__ = ["valley_depth"]

ROUNDS = 5  # random splits; each half of each is placed by the other


def valley_depth(X: NDArray[np.float64], labels: NDArray[np.intp], random_state: np.random.RandomState) -> float:
    """Return how much emptier it is between neighbouring groups than at their means.

    Parameters
    ----------
    X : array [shape=(n, d)]
    labels : array of int [shape=(n,)]
        At least 2 groups. Recordings of groups that have fewer than 2 in a half are not placed.
    random_state : RandomState
        Draws the splits.

    Returns
    -------
    float, at most 1
        1 when nothing lies between, 0 or less when there is no valley (a normal distribution cut in the middle has
        -0.4) and when no recording could be placed.
    """
    between = near = 0
    for _ in range(ROUNDS):
        half = random_state.permutation(len(X)) % 2 == 0
        for train in (half, ~half):
            places = np.abs(_places(X[train], labels[train], X[~train], labels[~train]))
            between += int((places < 1 / 3).sum())
            near += int(((places >= 2 / 3) & (places < 4 / 3)).sum())
    return 1 - 2 * between / near if near else 0.0  # twice: recordings of both groups lie in the valley


def _places(
    X: NDArray[np.float64], labels: NDArray[np.intp], others: NDArray[np.float64], theirs: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Place other recordings between two groups of X: 1 is the mean of their own group, -1 that of the nearest one."""
    large = np.flatnonzero(np.bincount(labels) > 1)
    if len(large) < 2:
        return np.empty(0)
    kept, placed = np.isin(labels, large), np.isin(theirs, large)
    centre = X[kept].mean(axis=0)
    groups = np.searchsorted(large, labels[kept])
    model = two_covariance.fit(X[kept] - centre, groups)
    sizes, sums = two_covariance.statistics((X[kept] - centre) @ model.transform, groups)
    means = sums / sizes[:, None]
    Z, own = (others[placed] - centre) @ model.transform, np.searchsorted(large, theirs[placed])
    distances = (means**2).sum(axis=1) - 2 * Z @ means.T
    distances[np.arange(len(Z)), own] = np.inf
    nearest = distances.argmin(axis=1)
    way = means[own] - means[nearest]
    from_middle = Z - (means[own] + means[nearest]) / 2
    return 2 * np.einsum("ij,ij->i", from_middle, way) / np.einsum("ij,ij->i", way, way)
