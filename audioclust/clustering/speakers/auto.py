"""How many people speak, and who in which recording: a clusterer of speaker vectors without parameters to set.

Arrays: ``X`` (n, d), one speaker vector per recording, of any encoder and any length; ``labels_`` (n,), every recording
belongs to a speaker.

Method
------
1. Vectors are scaled to unit length and centred; equal ones count once. The noise that is the same in every dimension
   is read off the eigenvalues (:class:`audioclust.clustering.speakers.separation.Cloud`).
2. Ward's hierarchy is cut at 2, 4, 8, ... groups. From each cut the covariances within and between speakers are
   estimated, and the recordings are grouped again as that model makes likely, which in turn gives a better model
   (:mod:`~audioclust.clustering.speakers.two_covariance`). This helps where noise makes single pairs uninformative:
   what a speaker's recordings share adds up, the noise does not. Ward's method in the coordinates of the best model
   gives further groupings, as long as they are better.
3. The groups of each grouping are joined pair by pair, and of all levels of all groupings the one is taken whose groups
   are separated best after the noise is subtracted (:func:`~audioclust.clustering.speakers.separation.best_level`).
   Sessions of one speaker, which are clusters of their own to any finer method, are separated far less than speakers.
4. The result is several speakers when few recordings lie between the groups
   (:mod:`~audioclust.clustering.speakers.valley`); or when the groups are separated better than those of as many
   vectors drawn from one Gaussian of the same covariance. The second sign remains when noise fills every valley. It
   compares the separation times the evenness of the groups: the best grouping of a Gaussian is often two outliers
   and all the rest, which are well separated and say nothing about the rest.

No threshold refers to the scores of one encoder, so vectors whose cosines are all high need no special treatment.

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
import pandas as pd
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from audioclust.clustering.base import OrderedClusterer
from audioclust.clustering.speakers import two_covariance
from audioclust.clustering.speakers.separation import Cloud, best_level, group_separation
from audioclust.clustering.speakers.valley import valley_depth
from audioclust.geometry import first_copies, unit_rows
from audioclust.validation import check_seed

__all__ = ["AutoSpeakers"]

CLEAR = 0.65  # separation above which there are clearly several groups: step 4 is not needed
PERFECT = 0.95  # separation above which the search ends
EMPTY = 0.85  # depth of a valley that shows groups
EVEN = 0.5  # evenness below which a valley only separates outliers
CHANCE = 0.3  # groups without a valley must close this share of the distance from chance to a perfect score
DRAWS = 4  # samples of one Gaussian that the groups are compared with
UNITS = 1500  # smallest number of groups that the model starts joining from


class AutoSpeakers(OrderedClusterer):
    """Group speaker vectors by speaker; the number of speakers is estimated.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        Seed of the comparison that decides between one speaker and several; used only when the groups are not clear.

    Attributes
    ----------
    labels_ : array of int [shape=(n,)]
        Speaker of each recording, from 0. No recording is called noise.
    n_clusters_ : int
        Estimated number of speakers.
    separation_ : float in [-1, 1]
        How well the groups are separated, noise subtracted; 0 for one speaker.
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
        random_state = check_seed(self.random_state)
        X = unit_rows(X, zero="warn")
        first, run = np.unique(first_copies(X), return_inverse=True)  # equal rows count once and share a label
        X = X[first]
        self.separation_, self.noise_share_, labels = 0.0, 0.0, np.zeros(len(X), dtype=np.intp)
        total = float(X.var(axis=0).sum())
        if total > 0:
            cloud = Cloud.of(X)
            self.noise_share_ = min(1.0, cloud.floor / total)
            if len(X) >= 4:
                separation, grouping = _judged(cloud)
                if separation >= CLEAR or _several(cloud, grouping, separation, random_state):
                    self.separation_, labels = separation, _absorb_tiny_clusters(cloud.vectors, grouping)
        self.n_clusters_ = int(labels.max()) + 1
        return pd.factorize(labels[run])[0].astype(np.intp)  # numbered by first row: rounding does not change them


def _several(cloud: Cloud, labels: NDArray[np.intp], separation: float, random_state: np.random.RandomState) -> bool:
    """Whether there is a valley between the groups, or they are separated better than groups of one Gaussian."""
    Y, dimensions = cloud.vectors, cloud.dimensions
    even = _evenness(labels)
    if even >= EVEN and valley_depth(Y, labels, random_state) >= EMPTY:
        return True
    variances = np.zeros(dimensions)
    variances[: Y.shape[1]] = (Y**2).sum(axis=0) / (len(Y) - 1)
    scale = np.sqrt(np.diag(two_covariance.shrunk(np.diag(variances), len(Y) - 1)))
    for _ in range(DRAWS):
        draw = Cloud.of(random_state.standard_normal((len(Y), dimensions)) * scale)
        chance = _even_separation(draw, int(labels.max()) + 1)
        if separation * even <= chance + CHANCE * (1 - chance):
            return False
    return True


def _judged(cloud: Cloud) -> tuple[float, NDArray[np.intp]]:
    """Return the best grouping and its separation: over recordings or over groups, whichever is less."""
    separation, labels = _grouping(cloud)
    return min(separation, group_separation(cloud, labels)), labels


def _evenness(labels: NDArray[np.intp]) -> float:
    """Share of pairs of recordings that are in different groups, 1 when the groups are equally large."""
    shares = np.bincount(labels) / len(labels)
    return float(1 - (shares**2).sum()) * len(shares) / max(len(shares) - 1, 1)


def _even_separation(cloud: Cloud, k: int) -> float:
    """Return the best product of separation and evenness of the best grouping and of Ward's two and k groups."""
    separation, labels = _judged(cloud)
    best = separation * _evenness(labels)
    hierarchy = _ward(cloud)
    for labels in (_cut(hierarchy, 2), _cut(hierarchy, k)):
        best = max(best, group_separation(cloud, labels) * _evenness(labels))
    return best


def _grouping(cloud: Cloud) -> tuple[float, NDArray[np.intp]]:
    """Return the grouping into at least two groups that is separated best, and its separation."""
    Y = cloud.vectors
    n = len(Y)
    hierarchy = _ward(cloud)
    best = (-1.0, np.zeros(n, dtype=np.intp))
    k, worse = 2, 0
    while k <= max(2, n // 3) and worse < 2:
        cut = _cut(hierarchy, k)
        groupings = [cut, _refined(Y, cut, _cut(hierarchy, min(n, max(UNITS, 2 * k))))]
        level = max((_level(cloud, labels) for labels in groupings), key=lambda level: level[0])
        worse = worse + 1 if level[0] <= best[0] and best[0] >= CLEAR else 0
        if level[0] > best[0]:
            best = level
        k *= 2
    units = _cut(hierarchy, min(n, max(UNITS, 2 * (int(best[1].max()) + 1))))
    best = max(best, _level(cloud, _refined(Y, best[1], units)), key=lambda level: level[0])
    while best[0] < PERFECT:
        level = max(_regrouped(cloud, best[1]), key=lambda level: level[0])
        if level[0] <= best[0]:
            break
        best = level
    return best


def _regrouped(cloud: Cloud, labels: NDArray[np.intp]) -> Iterator[tuple[float, NDArray[np.intp]]]:
    """Yield groupings by Ward's method in coordinates that the model of a grouping weights by what they tell."""
    Y = cloud.vectors
    model = two_covariance.fit(Y, labels)
    weights = model.between / (1 + model.between)
    k = int(labels.max()) + 1
    for power in (0.5, 1.0):
        hierarchy = linkage(Y @ (model.transform * weights**power), "ward")
        for share in (0.9, 1.0, 1.1, 1.25):
            cut = _cut(hierarchy, min(len(Y) // 2, max(2, round(share * k))))
            yield _level(cloud, cut)
            yield _level(cloud, two_covariance.reassign(Y, cut, rounds=5))


def _ward(cloud: Cloud) -> NDArray[np.float64]:
    """Ward's hierarchy, each component weighted by the share of its variance that is not noise (a Wiener filter)."""
    variances = (cloud.vectors**2).sum(axis=0) / (len(cloud.vectors) - 1)
    return linkage(cloud.vectors * np.maximum(1 - cloud.floor / cloud.dimensions / variances, 0.0), "ward")


def _level(cloud: Cloud, labels: NDArray[np.intp]) -> tuple[float, NDArray[np.intp]]:
    """Return the best level above a grouping, and its separation: -1 with one group, or with too many."""
    if labels.max() < 1 or labels.max() + 1 > max(2, len(labels) // 2):
        return -1.0, labels
    return best_level(cloud, labels)


def _absorb_tiny_clusters(Y: NDArray[np.float64], labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """Join groups of one or two recordings to the nearest large group, where that is clearly nearer than the second.

    An unusual recording of a known speaker is far from that speaker, and still farther from all others; a new speaker
    is about as far from one group as from the next. Clearly means by half of what is usual for recordings in groups.
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
    """Group again under the model of the present grouping, three times or until nothing changes."""
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
