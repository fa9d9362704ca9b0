"""How many people speak, and who in which recording: a clusterer of speaker vectors with nothing to set.

Arrays: ``X`` (n, d), one speaker vector per recording, of any encoder and any length; ``labels_`` (n,), every recording
belongs to a speaker.

Method
------
1. Vectors are scaled to unit length and centred; equal ones count once. The noise that is the same in every dimension
   is read off the eigenvalues (:func:`audioclust.clustering.speakers.separation.noise_floor`).
2. Ward's hierarchy is cut at 2, 4, 8, ... groups. From each cut the covariances within and between speakers are
   estimated, and recordings grouped anew as that model finds likely, which in turn gives a better model
   (:mod:`~audioclust.clustering.speakers.two_covariance`). This undoes noise that makes single pairs uninformative:
   what a speaker's recordings share adds up, what is noise does not. Ward's method in the coordinates of the best model
   gives further groupings, as long as they are better.
3. Each grouping is coarsened pair by pair, and of all levels of all groupings the one is taken whose groups keep apart
   best after the noise is discounted (:func:`~audioclust.clustering.speakers.separation.best_level`). Sessions of one
   speaker, which are clusters of their own to any finer method, keep apart far less than speakers do.
4. Several speakers are found when there is little between the groups (:mod:`~audioclust.clustering.speakers.valley`);
   or when they keep apart better than as many vectors drawn from one Gaussian of the same covariance do: noise fills
   every valley and leaves that as the only sign. What is compared is the separation times the groups' evenness: the
   best grouping of a Gaussian is often everybody and two outliers, which keep apart well and say nothing of the rest.

No threshold refers to an encoder's scores, so vectors whose cosines are all high are nothing special.

References
----------
Bruemmer, de Villiers: The speaker partitioning problem (2010).
Liu, Hayes, Nobel, Marron: Statistical significance of clustering for high-dimension, low-sample size data (2008): the
one Gaussian of step 4.
Tibshirani, Walther, Hastie: Estimating the number of clusters via the gap statistic (2001): comparing with chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.utils import check_random_state

from audioclust.clustering.base import OrderedClusterer
from audioclust.clustering.speakers import two_covariance
from audioclust.clustering.speakers.separation import best_level, group_separation, noise_floor
from audioclust.clustering.speakers.valley import valley_depth
from audioclust.geometry import unit_rows

__all__ = ["AutoSpeakers"]

CLEAR = 0.65  # separation above which nobody would speak of one group: step 4 is spared
PERFECT = 0.95  # separation that no further search could better
EMPTY = 0.85  # depth of a valley that shows groups
EVEN = 0.5  # evenness below which a valley only parts outliers
CHANCE = 0.3  # share of what chance leaves of the even separation that groups without a valley must reach
DRAWS = 4  # samples of one Gaussian that the groups are compared with
UNITS = 1500  # groups that the model starts joining from, at least


class AutoSpeakers(OrderedClusterer):
    """Group speaker vectors by speaker; the number of speakers is found.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        Seed of the comparison that decides between one speaker and several; used only when the groups are not clear.

    Attributes
    ----------
    labels_ : array of int [shape=(n,)]
        Speaker of each recording, from 0. No recording is called noise.
    n_clusters_ : int
        Speakers found.
    separation_ : float in [-1, 1]
        How well the groups keep apart, noise discounted; 0 for one speaker.
    noise_share_ : float in [0, 1]
        Share of the vectors' variance that is noise equal in every dimension.

    Notes
    -----
    Memory and time grow with the square of the recordings (Ward's hierarchy): 20 000 take 1.7 GB. For more, see
    :class:`audioclust.clustering.speakers.partial_sets.PartialSets`.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> voices = np.repeat(rng.standard_normal((5, 64)), 20, axis=0)
    >>> AutoSpeakers().fit(voices + rng.standard_normal((100, 64))).n_clusters_
    5
    """

    def __init__(self, *, random_state: Any = 0) -> None:
        self.random_state = random_state

    def _cluster(self, X: NDArray[np.float64]) -> NDArray[np.intp]:
        X = unit_rows(X, zero="warn")
        dimensions = X.shape[1]
        different = np.append(True, np.any(X[1:] != X[:-1], axis=1))  # equal rows stand side by side and share a label
        Y = _components(X[different])
        total = float((Y**2).sum() / len(Y)) if Y.size else 0.0
        self.separation_, labels = 0.0, np.zeros(len(Y), dtype=np.intp)
        self.noise_share_ = min(1.0, noise_floor(Y, dimensions) / total) if total > 0 else 0.0
        if len(Y) >= 4 and total > 0:
            separation, grouping = _judged(Y, dimensions)
            if separation >= CLEAR or self._several(Y, grouping, separation, dimensions):
                self.separation_, labels = separation, _without_crumbs(Y, grouping)
        self.n_clusters_ = int(labels.max()) + 1
        return labels[np.cumsum(different) - 1]

    def _several(self, Y: NDArray[np.float64], labels: NDArray[np.intp], separation: float, dimensions: int) -> bool:
        random_state = check_random_state(self.random_state)
        even = _evenness(labels)
        if even >= EVEN and valley_depth(Y, labels, random_state) >= EMPTY:
            return True
        variances = np.zeros(dimensions)
        variances[: Y.shape[1]] = (Y**2).sum(axis=0) / (len(Y) - 1)
        scale = np.sqrt(np.diag(two_covariance.shrunk(np.diag(variances), len(Y) - 1)))
        for _ in range(DRAWS):
            draw = _components(random_state.standard_normal((len(Y), dimensions)) * scale)
            chance = _even_separation(draw, int(labels.max()) + 1, dimensions)
            if separation * even <= chance + CHANCE * (1 - chance):
                return False
        return True


def _judged(Y: NDArray[np.float64], dimensions: int) -> tuple[float, NDArray[np.intp]]:
    """Return the best grouping, and how well it keeps apart for recordings and for groups, whichever is less."""
    separation, labels = _grouping(Y, dimensions)
    return min(separation, group_separation(Y, labels, noise_floor(Y, dimensions), dimensions)), labels


def _evenness(labels: NDArray[np.intp]) -> float:
    """Share of pairs of recordings that are in different groups, 1 when the groups are equally large."""
    shares = np.bincount(labels) / len(labels)
    return float(1 - (shares**2).sum()) * len(shares) / max(len(shares) - 1, 1)


def _even_separation(Y: NDArray[np.float64], k: int, dimensions: int) -> float:
    """Return the best product of separation and evenness of the best grouping and of Ward's two and k groups."""
    separation, labels = _judged(Y, dimensions)
    best = separation * _evenness(labels)
    floor = noise_floor(Y, dimensions)
    hierarchy = linkage(Y * _signal_share(Y, floor / dimensions), "ward")
    for labels in (_cut(hierarchy, 2), _cut(hierarchy, k)):
        best = max(best, group_separation(Y, labels, floor, dimensions) * _evenness(labels))
    return best


def _components(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre the rows and turn them to their principal components; components without variance are dropped."""
    X = X - X.mean(axis=0)
    _, lengths, axes = np.linalg.svd(X, full_matrices=False)
    return X @ axes[lengths > 1e-7 * max(lengths[0], 1e-300)].T


def _grouping(Y: NDArray[np.float64], dimensions: int) -> tuple[float, NDArray[np.intp]]:
    """Return the grouping into at least two groups that keeps apart best, and how well."""
    n = len(Y)
    floor = noise_floor(Y, dimensions)
    hierarchy = linkage(Y * _signal_share(Y, floor / dimensions), "ward")
    best = (-1.0, np.zeros(n, dtype=np.intp))
    k, worse = 2, 0
    while k <= max(2, n // 3) and worse < 2:
        cut = _cut(hierarchy, k)
        groupings = [cut, _refined(Y, cut, _cut(hierarchy, min(n, max(UNITS, 2 * k))))]
        found = max((_level(Y, labels, floor, dimensions) for labels in groupings), key=lambda level: level[0])
        worse = worse + 1 if found[0] <= best[0] and best[0] >= CLEAR else 0
        if found[0] > best[0]:
            best = found
        k *= 2
    units = _cut(hierarchy, min(n, max(UNITS, 2 * (int(best[1].max()) + 1))))
    best = max(best, _level(Y, _refined(Y, best[1], units), floor, dimensions), key=lambda level: level[0])
    while best[0] < PERFECT:
        found = max(_seen_anew(Y, best[1], floor, dimensions), key=lambda level: level[0])
        if found[0] <= best[0]:
            break
        best = found
    return best


def _seen_anew(
    Y: NDArray[np.float64], labels: NDArray[np.intp], floor: float, dimensions: int
) -> Iterator[tuple[float, NDArray[np.intp]]]:
    """Yield groupings by Ward's method in coordinates that the model of a grouping finds telling."""
    model = two_covariance.fit(Y, labels)
    telling = model.between / (1 + model.between)
    k = int(labels.max()) + 1
    for power in (0.5, 1.0):
        hierarchy = linkage(Y @ (model.transform * telling**power), "ward")
        for share in (0.9, 1.0, 1.1, 1.25):
            cut = _cut(hierarchy, min(len(Y) // 2, max(2, round(share * k))))
            yield _level(Y, cut, floor, dimensions)
            yield _level(Y, two_covariance.reassign(Y, cut, rounds=5), floor, dimensions)


def _signal_share(Y: NDArray[np.float64], noise: float) -> NDArray[np.float64]:
    """Share of each component's variance that is not noise (a Wiener filter): what Ward's distances should see."""
    variances = (Y**2).sum(axis=0) / (len(Y) - 1)
    return np.maximum(1 - noise / variances, 0.0)


def _level(
    Y: NDArray[np.float64], labels: NDArray[np.intp], floor: float, dimensions: int
) -> tuple[float, NDArray[np.intp]]:
    if labels.max() < 1 or labels.max() + 1 > max(2, len(Y) // 2):
        return -1.0, labels
    return best_level(Y, labels, floor, dimensions)


def _without_crumbs(Y: NDArray[np.float64], labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """Give groups of one or two recordings to the group that is nearer than any other by half of what is usual.

    An unusual recording of a known speaker is far from that speaker, and farther from everybody else by as much as any
    recording of that speaker is; a new speaker is about as far from one group as from the next.
    """
    sizes, sums = two_covariance.statistics(Y, labels)
    small = np.flatnonzero(sizes <= 2)
    large = np.flatnonzero(sizes > 2)
    if not len(small) or len(large) < 2:
        return labels
    means = sums / sizes[:, None]
    squares = np.einsum("ij,ij->i", Y, Y)
    spreads = np.bincount(labels, weights=squares) / sizes
    distances = squares[:, None] + spreads[large] - 2 * Y @ means[large].T
    place = np.searchsorted(large, labels)
    rows = np.flatnonzero(sizes[labels] > 2)
    own = distances[rows, place[rows]] * sizes[labels[rows]] / (sizes[labels[rows]] - 1)
    others = distances[rows]
    others[np.arange(len(rows)), place[rows]] = np.inf
    usual = np.median(others.min(axis=1) - own)
    labels = labels.copy()
    for group in small:
        members = labels == group
        nearest, second = np.argsort(distances[members].mean(axis=0))[:2]
        means_to = distances[members].mean(axis=0)
        if means_to[second] - means_to[nearest] > usual / 2:
            labels[members] = large[nearest]
    return np.unique(labels, return_inverse=True)[1]


def _cut(hierarchy: NDArray[np.float64], k: int) -> NDArray[np.intp]:
    return np.unique(fcluster(hierarchy, k, "maxclust"), return_inverse=True)[1]


def _refined(Y: NDArray[np.float64], labels: NDArray[np.intp], units: NDArray[np.intp]) -> NDArray[np.intp]:
    """Group anew under the model of the present grouping, three times or until nothing changes."""
    sizes, sums = two_covariance.statistics(Y, units)
    for _ in range(3):
        if not 1 < labels.max() + 1 < len(Y) - 1:
            break
        model = two_covariance.fit(Y, labels)
        new = two_covariance.agglomerate(model, sizes, sums)[units]
        if new.max() + 1 < len(Y) - 1:
            new = two_covariance.reassign(Y, new, rounds=5)
        if np.array_equal(new, labels):
            break
        labels = new
    return labels
