"""The ladder: communities of the nearest-neighbour graph for more and more neighbours, and where they stay the same.

Conventions: a table of neighbours is that of :mod:`audioclust.clustering.neighbours`; labels [shape=(n,)] are integers
from 0, every recording in a group. The agreement of two partitions is their adjusted mutual information, at most 1,
near 0 by chance.

References
----------
Traag, Aldecoa, Delvenne: Detecting communities using asymptotical Surprise (2015).
Lambiotte, Delvenne, Barahona: Random walks, Markov processes and the multiscale modular organization of complex
networks (2014): what persists over a range of scales is a level.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics.cluster import expected_mutual_information

from audioclust import parallel
from audioclust.clustering.communities import communities
from audioclust.clustering.neighbours import nearest, nearest_to, union_graph

__all__ = ["Level", "Rung", "agreement", "ladder", "levels_of", "most_neighbours", "steps"]

DECADE = (10, 13, 16, 20, 25, 32, 40, 50, 63, 80)  # ten rungs for a factor of ten
EDGES = 1_000_000  # a graph with more, and with more than LEAST per recording, is made of a sample of the recordings
LEAST = 20
SAMPLED = 300_000  # edges of the graph of a sample
SPAN = 2  # agreements that a level lasts at least: three rungs
SAME = 0.05  # a level reaches on while the agreement falls by no more
SHOWN = 4  # levels at most
ALONE = 3000  # recordings, below which the rungs are made before workers have started
COMPARED = 4000  # recordings that two partitions are compared on, at most


@dataclass(frozen=True, eq=False)
class Rung:
    """Communities for one number of neighbours.

    Attributes
    ----------
    neighbours : int
    labels : array of int [shape=(n,)]
    n_clusters : int
    agreement : float
        With the next rung; NaN for the last.
    """

    neighbours: int
    labels: NDArray[np.intp]
    n_clusters: int
    agreement: float


@dataclass(frozen=True, eq=False)
class Level:
    """Groups that stay the same over a range of the ladder.

    Attributes
    ----------
    labels : array of int [shape=(n,)]
        Group of each recording, from 0.
    n_clusters : int
    stability : float
        Mean agreement of the rungs of the range, at most 1.
    neighbours : tuple of int
        First and last number of neighbours of the range.
    singletons : float in [0, 1]
        Share of the recordings that are in groups of one.
    """

    labels: NDArray[np.intp]
    n_clusters: int
    stability: float
    neighbours: tuple[int, int]
    singletons: float


def steps(n: int) -> list[int]:
    """Return the numbers of neighbours for n recordings, up to a third of them, or to 5 of few.

    Examples
    --------
    >>> steps(40)
    [2, 3, 4, 5, 6, 8, 10, 13]
    """
    decades = (value * 10**power for power in range(6) for value in DECADE)
    most = max(n // 3, min(5, n - 2))
    ks = [k for k in (2, 3, 4, 5, 6, 8, *decades) if k <= most]
    return ks + [most] * (most > 1.1 * ks[-1]) if ks else []


def most_neighbours(n: int) -> int:
    """Return how many neighbours of each of n recordings the ladder needs; rungs of more are made of a sample."""
    return max((k for k in steps(n) if n * k <= max(EDGES, LEAST * n)), default=0)


def ladder(
    table: NDArray[np.int32],
    X: NDArray[np.float64] | None = None,
    *,
    ks: Sequence[int] | None = None,
    random_state: int = 0,
    jobs: parallel.Jobs = 1,
) -> list[Rung]:
    """Return the rungs of the ladder, from few neighbours to many.

    Parameters
    ----------
    table : array of int [shape=(n, k)]
        Nearest neighbours of each recording.
    X : array [shape=(n, d)], optional
        Unit rows. With them, rungs of more neighbours than the table has are made of a sample of the recordings;
        without them the ladder ends there.
    ks : sequence of int, optional
        The numbers of neighbours; without them those of :func:`steps`.
    random_state : int
    jobs : int or str
        Workers, see :mod:`audioclust.parallel`: each makes a rung at a time.
    """
    n = len(table)
    numbers = [k for k in ks or steps(n) if k <= table.shape[1] or X is not None]
    if not numbers:
        return []
    arrays: list[NDArray[Any]] = [table] if X is None else [table, X]
    made = parallel.map(
        partial(_divided, random_state=random_state), numbers, jobs=jobs if n > ALONE else 1, chunk=1, arrays=arrays
    )
    labels = list(zip(numbers, made, strict=True))
    agreements = [agreement(a, b) for (_, a), (_, b) in itertools.pairwise(labels)]
    return [
        Rung(k, each, int(each.max()) + 1, value)
        for (k, each), value in zip(labels, [*agreements, np.nan], strict=True)
    ]


def _divided(
    k: int, table: NDArray[np.int32], X: NDArray[np.float64] | None = None, *, random_state: int
) -> NDArray[np.intp]:
    """Return the communities of a rung."""
    if k <= table.shape[1] or X is None:
        return communities(union_graph(table, k), random_state=random_state, check=False)
    return _of_sample(X, table, k, random_state)


def agreement(labels: NDArray[np.intp], others: NDArray[np.intp]) -> float:
    """Return the adjusted mutual information of two partitions, of many recordings on a sample of them.

    scikit-learn's value to the digit, in a tenth of its time for few recordings: it is asked hundreds of times.
    """
    n = len(labels)
    rows = np.random.RandomState(0).permutation(n)[:COMPARED] if n > COMPARED else slice(None)
    first, a = np.unique(labels[rows], return_inverse=True)
    second, b = np.unique(others[rows], return_inverse=True)
    if len(first) == 1 or len(second) == 1:
        return float(len(first) == len(second))
    counts = np.bincount(a * len(second) + b, minlength=len(first) * len(second)).reshape(len(first), len(second))
    n, sizes, others_sizes = len(a), counts.sum(axis=1), counts.sum(axis=0)
    row, column = np.nonzero(counts)
    both = counts[row, column]
    shares = both / n
    expected = -np.log(sizes[row] * others_sizes[column]) + np.log(n) + np.log(n)
    terms = shares * (np.log(both) - np.log(n)) + shares * expected
    tiny = np.finfo(np.float64).eps
    information = max(np.where(np.abs(terms) < tiny, 0.0, terms).sum(), 0.0)
    by_chance = expected_mutual_information(counts, n)
    most = np.mean([_entropy(sizes), _entropy(others_sizes)])
    return float(_away_from_zero(information - by_chance, tiny) / _away_from_zero(most - by_chance, tiny))


def _entropy(sizes: NDArray[np.intp]) -> float:
    n = sizes.sum()
    return float(-np.sum(sizes / n * (np.log(sizes) - np.log(n))))


def _away_from_zero(value: float, tiny: float) -> float:
    return min(value, -tiny) if value < 0 else max(value, tiny)


def _of_sample(X: NDArray[np.float64], table: NDArray[np.int32], k: int, random_state: int) -> NDArray[np.intp]:
    """Divide a sample, with the same share of it as neighbours; the others join the group of most of their nearest."""
    n = len(X)
    m = int(np.sqrt(SAMPLED * n / k))
    rows = np.sort(np.random.RandomState(random_state).permutation(n)[:m])
    share = max(3, round(k * m / n))
    groups = communities(union_graph(nearest(X[rows], share), share), random_state=random_state, check=False)
    labels = np.full(n, -1, dtype=np.intp)
    labels[rows] = groups
    for _ in range(2):
        rest = np.flatnonzero(labels < 0)
        labels[rest] = _most(labels[table[rest]])
    rest = np.flatnonzero(labels < 0)
    if len(rest):
        labels[rest] = _most(groups[nearest_to(X[rest], X[rows], min(10, m))])
    return labels


def _most(votes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the most frequent value of each row that is not -1, of several the nearest one; -1 where there is none."""
    counts = np.zeros(votes.shape, dtype=np.intp)
    for column in votes.T:
        counts += votes == column[:, None]
    counts[votes < 0] = 0
    return votes[np.arange(len(votes)), counts.argmax(axis=1)]


def levels_of(rungs: list[Rung]) -> list[Level]:
    """Return the levels of a ladder, the most stable first.

    The most stable range of three rungs is a level, as far as the rungs around it agree as well; then the most stable
    one of the ranges that are left; until four are found.
    """
    agreements = np.array([rung.agreement for rung in rungs[:-1]])
    span = SPAN
    if len(agreements) < span:
        return []
    free = np.ones(len(agreements), dtype=bool)
    levels: list[Level] = []
    while len(levels) < SHOWN:
        windows = [
            agreements[i : i + span].mean() if free[i : i + span].all() else -np.inf
            for i in range(len(agreements) - span + 1)
        ]
        start = int(np.argmax(windows))
        if not np.isfinite(windows[start]):
            break
        least = windows[start] - SAME
        first, last = start, start + span
        while first > 0 and free[first - 1] and agreements[first - 1] >= least:
            first -= 1
        while last < len(agreements) and free[last] and agreements[last] >= least:
            last += 1
        free[max(first - 1, 0) : last + 1] = False
        levels.append(_level(rungs[first : last + 1], float(agreements[first:last].mean())))
    return levels


def _level(rungs: list[Rung], stability: float) -> Level:
    """Let the rung that agrees best with the others of the range stand for it."""
    totals = np.zeros(len(rungs))
    for i, rung in enumerate(rungs):
        for j in range(i):
            value = agreement(rung.labels, rungs[j].labels)
            totals[i] += value
            totals[j] += value
    best = rungs[int(np.argmax(totals))]
    sizes = np.bincount(best.labels)
    singletons = float((sizes == 1).sum() / len(best.labels))
    return Level(best.labels, best.n_clusters, stability, (rungs[0].neighbours, rungs[-1].neighbours), singletons)
