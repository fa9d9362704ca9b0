"""A search for likelier groupings of speaker vectors: large groups divided, then Gibbs sampling that cools down.

A grouping that greedy merges and single moves have reached is seldom the likeliest one: two people who were joined
early, or one who was divided, take many moves to put right, and the first of them makes it less likely. Gibbs sampling
takes such moves too, by chance, and fewer and fewer of them while it cools. Two people in one group are tried directly.

To the model, whose densities are Gaussian, odd recordings are speakers of their own. So what a run makes is only taken
where it has no more groups that are small beside the others than there were before.

Conventions are those of :mod:`~audioclust.clustering.speakers.two_covariance`.

References
----------
Neal: Markov chain sampling methods for Dirichlet process mixture models (2000): algorithm 3.
Kirkpatrick, Gelatt, Vecchi: Optimization by simulated annealing (1983).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from audioclust.clustering.speakers import two_covariance

__all__ = ["divided", "likelier"]

Array = NDArray[Any]  # of one type for each place, as numba finds it

TEMPERATURES = (1.5, 2.5)  # nats at which the runs start, in turn; from about 4 on all groups dissolve
SWEEPS = 60  # over all recordings, of each run
RUNS = 24
WORK = 4e7  # recordings x groups x dimensions of all runs together, per sweep: about 6 s of one core
NEW = (0, 5)  # groups that one sweep may open, in turn
OFTEN = 0.1  # share of the other groups likelier in two from which the model is not one to divide by


def likelier(X: NDArray[np.float64], labels: NDArray[np.intp], *, random_state: int = 0) -> NDArray[np.intp]:
    """Return the likeliest grouping met in some runs, each of which starts from the likeliest so far.

    Parameters
    ----------
    X : array [shape=(n, d)]
        Centred vectors.
    labels : array of int [shape=(n,)]
        Where the first run starts: groups 0 .. k - 1.
    random_state : int

    Returns
    -------
    array of int [shape=(n,)]
        `labels`, or a grouping that is likelier.
    """
    draw = np.random.default_rng(random_state)
    best = two_covariance.log_likelihood_gain(X, labels)
    work = len(X) * X.shape[1] * (int(labels.max()) + 1)
    for run in range(int(np.clip(WORK // work, len(NEW), RUNS))):
        tried = _annealed(X, labels, TEMPERATURES[run // len(NEW) % len(TEMPERATURES)], NEW[run % len(NEW)], draw)
        gain = two_covariance.log_likelihood_gain(X, tried)
        if gain > best and _thin_groups(tried) <= _thin_groups(labels):
            labels, best = tried, gain
    return labels


def divided(X: NDArray[np.float64], labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """Divide large groups that hold two speakers.

    The model is estimated again for each division: from the others alone it does not know the direction in which just
    these two differ. Where it finds many groups likelier in two, as it does when spread is not Gaussian or words are as
    real as people, none is divided.

    Parameters, result: as of `likelier`.
    """
    likelihood = two_covariance.log_likelihood_gain(X, labels)
    while labels.max() + 1 < len(X) - 2:
        thin = _thin_groups(labels)
        sizes = np.bincount(labels)
        large = sizes > np.median(sizes)
        found = [(gain, tried) for gain, tried in _in_two(X, labels, large) if _thin_groups(tried) <= thin]
        gain, tried = max(found, key=lambda one: one[0], default=(0.0, labels))
        if gain <= 0 or np.mean([gain > 0 for gain, _ in _in_two(X, labels, ~large)]) > OFTEN:
            break
        tried = two_covariance.reassign(X, tried)
        before, likelihood = likelihood, two_covariance.log_likelihood_gain(X, tried)
        if likelihood <= before:
            break
        labels = tried
    return labels


def _in_two(
    X: NDArray[np.float64], labels: NDArray[np.intp], groups: NDArray[np.bool_]
) -> Iterator[tuple[float, NDArray[np.intp]]]:
    """Yield for each of some groups the gain in likelihood when Ward's linkage divides it, and the labels then."""
    before = two_covariance.log_likelihood_gain(X, labels)
    for group in np.flatnonzero(groups):
        rows = np.flatnonzero(labels == group)
        tried = labels.copy()
        if len(rows) > 1:
            tried[rows[fcluster(linkage(X[rows], "ward"), 2, "maxclust") == 2]] = labels.max() + 1
        yield two_covariance.log_likelihood_gain(X, tried) - before, tried


def _thin_groups(labels: NDArray[np.intp]) -> int:
    """Return how many groups have at most half of the usual number of recordings."""
    sizes = np.bincount(labels)
    return int((sizes <= np.median(sizes) / 2).sum())


def _annealed(
    X: NDArray[np.float64], labels: NDArray[np.intp], temperature: float, new: int, draw: np.random.Generator
) -> NDArray[np.intp]:
    """Sample the speaker of each recording given all others, the model estimated again before each sweep."""
    n = len(X)
    for sweep in range(SWEEPS):
        if not 1 < labels.max() + 1 < n - 1:
            return labels
        model = two_covariance.fit(X, labels)
        keep = model.between > 0
        Y = np.ascontiguousarray(X @ model.transform[:, keep])
        sizes, sums = two_covariance.statistics(Y, labels)
        sizes = np.concatenate([sizes, np.zeros(new)])
        sums = np.concatenate([sums, np.zeros((new, Y.shape[1]))])
        noise = draw.gumbel(size=(n, len(sizes))) * temperature * (1 - sweep / SWEEPS)
        labels = _sweep(Y, labels, sizes, sums, model.between[keep], draw.permutation(n), noise)
        labels = np.unique(labels, return_inverse=True)[1]
    return two_covariance.reassign(X, labels)


@njit(cache=True, fastmath=True)
def _sweep(Y: Array, labels: Array, sizes: Array, sums: Array, between: Array, order: Array, noise: Array) -> Array:
    """Move each recording in turn to the group of the highest score; Gumbel noise on the scores makes it a draw."""
    labels = labels.copy()
    means, precisions = np.empty_like(sums), np.empty_like(sums)
    constants = np.empty(len(sizes))
    for g in range(len(sizes)):
        constants[g] = _predictive(sizes[g], sums[g], between, means[g], precisions[g])
    for i in order:
        own = labels[i]
        sizes[own] -= 1
        sums[own] -= Y[i]
        constants[own] = _predictive(sizes[own], sums[own], between, means[own], precisions[own])
        best, to = -np.inf, own
        opened = False
        for g in range(len(sizes)):
            if sizes[g] == 0:  # one new group is as good as another
                if opened:
                    continue
                opened = True
            distance = 0.0
            for c in range(Y.shape[1]):
                distance += (Y[i, c] - means[g, c]) ** 2 * precisions[g, c]
            score = constants[g] - 0.5 * distance + noise[i, g]
            if score > best:
                best, to = score, g
        labels[i] = to
        sizes[to] += 1
        sums[to] += Y[i]
        constants[to] = _predictive(sizes[to], sums[to], between, means[to], precisions[to])
    return labels


@njit(cache=True, fastmath=True)
def _predictive(size: float, total: Array, between: Array, mean: Array, precision: Array) -> float:
    """Write mean and precision of a further recording of a group; return the rest of its log-score."""
    volume = 1.0
    halves = 0.0
    for c in range(len(between)):
        spread = between[c] / (1 + size * between[c])
        mean[c] = total[c] * spread
        precision[c] = 1 / (1 + spread)
        volume *= 1 + spread
        if volume > 1e200:
            halves += np.log(volume)
            volume = 1.0
    return np.log(max(size, 1.0)) - 0.5 * (halves + np.log(volume))
