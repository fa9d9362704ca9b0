"""How many people speak, and who in which recording: a clusterer of speaker vectors without parameters to set.

Arrays: ``X`` (n, d), one speaker vector per recording, of any encoder and any length; ``labels_`` (n,), every recording
belongs to a speaker.

Method
------
1. Vectors are scaled to unit length; equal ones count once. The ladder of nearest-neighbour graphs and its levels are
   those of :class:`audioclust.clustering.levels.Levels`.
2. Of its levels one is chosen by stability and likelihood: the likelihood, of a model of speakers
   (:mod:`~audioclust.clustering.speakers.two_covariance`), knows that people, and not the two sexes, explain the
   vectors; the stability knows that people, and not the words they say, stay the same from rung to rung.
3. The level is refined: the covariances within and between speakers are estimated from it, and its part of the ladder
   is built again in coordinates in which what varies between recordings of one speaker, the words and the channel,
   counts little. Then single recordings move to the speaker who is most likely.
4. People with few recordings do not show on a ladder, whose graphs join every recording to two or more. Groupings that
   the model makes by itself take the level's place if they are much more likely.
5. Of many groups the likeliest form is searched for: large ones are divided, then single recordings move by chance
   (:mod:`~audioclust.clustering.speakers.annealing`).
6. It is one speaker, unless the groups are stable and more likely than one speaker.

No threshold refers to the scores of one encoder.

References
----------
Traag, Aldecoa, Delvenne: Detecting communities using asymptotical Surprise (2015).
Bruemmer, de Villiers: The speaker partitioning problem (2010).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from audioclust import parallel
from audioclust.clustering.base import OrderedClusterer
from audioclust.clustering.ladder import SHOWN, Level, Rung, agreement, ladder, levels_of, most_neighbours, steps
from audioclust.clustering.levels import confidence, spread
from audioclust.clustering.neighbours import directions, nearest
from audioclust.clustering.speakers import annealing, two_covariance
from audioclust.geometry import first_copies, unit_rows
from audioclust.validation import check_seed

__all__ = ["AutoSpeakers"]

COMPONENTS = 100  # principal components that the model of speakers sees, at most
DOUBLING = 0.05  # stability that twice the gain in likelihood is worth
TIE = 0.01  # of levels that differ by less the finest is taken
FREEDOM = 8.0  # recordings, less the groups, per dimension from which a model is good enough to build a ladder on
ROUNDS = 2  # of building the ladder again
RUNGS = 6  # of a level that are built again, at most
BETTER = 1.2  # the gain of groups that do not show on the ladder must be so many times that of those that do
LITTLE_BETTER = 1.05  # or so many times, where people have few recordings
CLEAR = 0.98  # stability from which nearly all groups show on the ladder
CERTAIN = 0.995  # stability from which there is nothing left to search for
SAME = 0.85  # agreement of two forms of one level
PER_DIMENSION = 6  # recordings for each principal component where groups are that small
SMALL = 6.0  # recordings per group, on average, below which a ladder does not show the groups
MANY = 10  # such groups, at least
ALIKE = 0.8  # agreement of such groups from two starts
STEADY = 0.7  # stability below which no grouping is believed
EVIDENCE = 0.33  # nats per recording that a grouping of stability .9 must be more likely than one speaker; less
PER_STABILITY = 3.0  # for one that is more stable: so many nats are worth a stability of 1
UNITS = 1500  # recordings, at most, of which all pairs are compared for groups that are too small for a ladder


class AutoSpeakers(OrderedClusterer):
    """Group speaker vectors by speaker; the number of speakers is estimated.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        Order in which recordings are tried in the graph.
    jobs : int or str
        Workers, see :mod:`audioclust.parallel`.

    Attributes
    ----------
    labels_ : array of int [shape=(n,)]
        Speaker of each recording, from 0. No recording is called noise.
    n_clusters_ : int
        Estimated number of speakers.
    levels_ : list of Level
        This grouping and at most three others that the vectors show as well, fine to coarse.
    confidence_ : array in [0, 1] [shape=(n,)]
        How sure each recording is of its group, see :func:`audioclust.clustering.levels.confidence`.
    stability_ : float
        Of the most stable level, at most 1.
    likelihood_gain_ : float
        Nats per recording by which the speakers are more likely than one speaker; 0 for one.
    rungs_ : list of Rung
        The ladder.

    Notes
    -----
    Neighbours are exact, so time grows with the square of the recordings: 20 000 x 192 take about half a minute.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> voices = np.repeat(rng.standard_normal((5, 64)), 20, axis=0)
    >>> AutoSpeakers().fit(voices + rng.standard_normal((100, 64))).n_clusters_
    5
    """

    def __init__(self, *, random_state: Any = 0, jobs: parallel.Jobs = 1) -> None:
        self.random_state = random_state
        self.jobs = jobs

    def _cluster(self, X: NDArray[np.float64]) -> NDArray[np.intp]:
        seed = int(check_seed(self.random_state).randint(2**31))
        X = unit_rows(X, zero="warn")
        first, copy = np.unique(first_copies(X), return_inverse=True)  # equal rows count once and share a label
        place = np.empty(len(X), dtype=np.intp)
        place[self._order] = copy
        X = X[first]
        Z = directions(X)
        table = nearest(Z, most_neighbours(len(Z)), random_state=seed, jobs=self.jobs)
        rungs = ladder(table, Z, random_state=seed, jobs=self.jobs)
        choice = _choice(_principal(X), rungs, table, seed, self.jobs)
        self.stability_ = max((level.stability for level in choice.levels), default=0.0)
        if choice.levels and _is_several(choice, self.stability_):
            levels, chosen = choice.levels, choice.chosen
            self.likelihood_gain_ = choice.gain
        else:
            one = Level(np.zeros(len(X), dtype=np.intp), 1, self.stability_, (0, 0), 0.0)
            levels, chosen = [one], one
            self.likelihood_gain_ = 0.0
        self.levels_ = [spread(level, place) for level in sorted(levels, key=lambda level: -level.n_clusters)]
        self.rungs_ = [spread(rung, place) for rung in rungs]
        self.n_clusters_ = chosen.n_clusters
        self.confidence_ = confidence(chosen, rungs, table)[place]
        return spread(chosen, place).labels[self._order]


class _Choice(NamedTuple):
    levels: list[Level]
    chosen: Level
    gain: float


def _principal(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn centred rows to their principal components, of which few recordings have few."""
    X = X - X.mean(axis=0)
    values, axes = np.linalg.eigh(X.T @ X)
    most = min(COMPONENTS, max(2, len(X) // 3), int((values > 1e-12 * max(values[-1], 1e-300)).sum()))
    return X @ axes[:, ::-1][:, :most]


def _choice(
    Y: NDArray[np.float64], rungs: list[Rung], table: NDArray[np.int32], seed: int, jobs: parallel.Jobs
) -> _Choice:
    """Choose the level of a ladder that shows the speakers, and refine it."""
    levels = levels_of(rungs)
    if not levels or not Y.shape[1]:
        return _Choice([], Level(np.zeros(len(Y), dtype=np.intp), 1, 0.0, (0, 0), 0.0), 0.0)
    gains = [two_covariance.log_likelihood_gain(Y, level.labels) for level in levels]
    merits = [level.stability + DOUBLING * np.log2(max(gain, 0.1)) for level, gain in zip(levels, gains, strict=True)]
    best = max((i for i, merit in enumerate(merits) if merit >= max(merits) - TIE), key=lambda i: levels[i].n_clusters)
    shown = [*levels[:best], _refined(levels[best], Y, seed, jobs), *levels[best + 1 :]]
    gains[best] = two_covariance.log_likelihood_gain(Y, shown[best].labels) if shown[best].n_clusters > 1 else 0.0
    split = _split(Y, rungs, levels[best])
    gain = two_covariance.log_likelihood_gain(Y, split.labels)
    if gain > BETTER * gains[best]:
        best = len(shown)
        shown.append(split)
        gains.append(gain)
    shown[best] = _with_labels(shown[best], _absorb_tiny_clusters(Y, shown[best].labels))
    small = _small_groups(Y, rungs, table, shown[best])
    if small is not None:
        best = len(shown)
        shown.append(small)
        gains.append(two_covariance.log_likelihood_gain(Y, small.labels))
    shown[best] = _likelier(Y, shown[best], seed)
    chosen = shown[best]
    others = sorted(shown[:best] + shown[best + 1 :], key=lambda level: -level.stability)
    return _Choice([chosen, *others[: SHOWN - 1]], chosen, gains[best])


def _likelier(Y: NDArray[np.float64], level: Level, seed: int) -> Level:
    """Search for the likeliest form of a level with many groups; what differs much from it is another level."""
    enough = 2 * COMPONENTS <= len(Y) <= UNITS  # of fewer, the truth is less likely than what a search finds
    if not enough or not MANY <= level.n_clusters < len(Y) - 1:
        return level
    labels = annealing.divided(Y, level.labels)
    if level.stability < CERTAIN:
        labels = annealing.likelier(Y, labels, random_state=seed)
    return _with_labels(level, labels) if agreement(labels, level.labels) >= SAME else level


def _is_several(choice: _Choice, stability: float) -> bool:
    """Whether the groups are more than the groups that can be made of one speaker."""
    evidence = choice.gain + PER_STABILITY * (stability - 0.9)
    return choice.chosen.n_clusters > 1 and stability >= STEADY and evidence >= EVIDENCE


def _refined(level: Level, Y: NDArray[np.float64], seed: int, jobs: parallel.Jobs) -> Level:
    """Build the rungs of a level again where recordings of one of its groups differ little; then move single ones."""
    low, high = level.neighbours
    ks = [k for k in steps(len(Y)) if low <= k <= high]
    ks = [ks[i] for i in np.unique(np.linspace(0, len(ks) - 1, RUNGS).round().astype(int))]
    for _ in range(ROUNDS):
        if not 1 < level.n_clusters < len(Y) - FREEDOM * Y.shape[1]:
            break
        model = two_covariance.fit(Y, level.labels)
        tells = np.sqrt(model.between / (1 + model.between))  # how well each coordinate tells speakers apart
        Z = unit_rows(Y @ (model.transform * tells)[:, tells > 0], zero="keep")
        table = nearest(Z, min(ks[-1], most_neighbours(len(Z))), random_state=seed, jobs=jobs)
        again = levels_of(ladder(table, Z, ks=ks, random_state=seed, jobs=jobs))
        if not again:
            break
        closest = max(again, key=lambda other: agreement(other.labels, level.labels))
        same = np.array_equal(closest.labels, level.labels)
        level = _with_labels(level, closest.labels)
        if same:
            break
    return _with_labels(level, two_covariance.reassign(Y, level.labels))


def _split(Y: NDArray[np.float64], rungs: list[Rung], level: Level) -> Level:
    """Group by the model alone, starting from the first rung of a level."""
    first = next(rung for rung in rungs if rung.neighbours == level.neighbours[0])
    labels = two_covariance.refine(Y, first.labels) if len(Y) <= UNITS else level.labels
    return _with_labels(replace(level, stability=agreement(labels, level.labels)), labels)


def _small_groups(Y: NDArray[np.float64], rungs: list[Rung], table: NDArray[np.int32], level: Level) -> Level | None:
    """Group by the model alone, starting from mutual nearest neighbours.

    None, unless it makes many small groups that are more likely than the level, which is not clearly stable, and nearly
    the same groups from another start. Groups so small leave little to estimate a model from: it has few dimensions.
    """
    n = len(Y)
    if n > UNITS or level.stability >= CLEAR:
        return None
    Y = Y[:, : max(2, n // PER_DIMENSION)]
    labels, again = (two_covariance.refine(Y, start, rounds=4) for start in (_mutual_pairs(table), rungs[0].labels))
    stability = agreement(labels, again)
    if labels.max() + 1 < max(MANY, n / SMALL) or stability < ALIKE:
        return None
    gain, others = (two_covariance.log_likelihood_gain(Y, each) for each in (labels, level.labels))
    if gain < LITTLE_BETTER * others:
        return None
    return _with_labels(replace(level, stability=stability, neighbours=(1, rungs[0].neighbours)), labels)


def _mutual_pairs(table: NDArray[np.int32]) -> NDArray[np.intp]:
    """Put together what is nearest to each other; the others stay alone."""
    rows = np.arange(len(table))
    near = table[:, 0]
    return np.unique(np.where(near[near] == rows, np.minimum(rows, near), rows), return_inverse=True)[1]


def _with_labels(level: Level, labels: NDArray[np.intp]) -> Level:
    sizes = np.bincount(labels)
    return replace(level, labels=labels, n_clusters=len(sizes), singletons=float((sizes == 1).sum() / len(labels)))


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
