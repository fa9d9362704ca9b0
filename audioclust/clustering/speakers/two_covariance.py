"""The two-covariance model of speakers: how likely a grouping of vectors is, and groupings that are likely.

Conventions
-----------
``X`` (n, d) holds one vector per row, centred. ``labels`` (n,) are integers 0 .. k - 1, every one in use. A speaker's
mean is drawn from ``N(0, B)``, a recording of that speaker from ``N(mean, W)``: one covariance between speakers, one
within, both estimated from a grouping. Which recordings belong together is drawn from a Chinese restaurant process.

The means are integrated out, so more speakers are not more likely as such, and the model itself says whether two groups
are one speaker.

References
----------
Bruemmer, de Villiers: The speaker partitioning problem (2010): the model, and the likelihood of a partition.
Ioffe: Probabilistic linear discriminant analysis (2006).
Chen, Wiesel, Eldar, Hero: Shrinkage algorithms for MMSE covariance estimation (2010): the shrinkage of W (OAS).
Searle, Casella, McCulloch: Variance components (1992): the moment estimate of B with unequal group sizes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.special import gammaln

__all__ = ["TwoCovariance", "agglomerate", "fit", "log_likelihood_gain", "reassign", "refine", "shrunk", "statistics"]

Array = NDArray[Any]  # of one type for each place, as numba finds it


class TwoCovariance(NamedTuple):
    """The model in coordinates where W is the identity and B diagonal.

    Attributes
    ----------
    transform : array [shape=(d, d)]
        ``X @ transform`` has within-speaker covariance I.
    between : array [shape=(d,)]
        Variance between speakers along each coordinate, in units of the variance within.
    """

    transform: NDArray[np.float64]
    between: NDArray[np.float64]


def fit(X: NDArray[np.float64], labels: NDArray[np.intp]) -> TwoCovariance:
    """Estimate both covariances from a grouping with fewer groups than rows."""
    n, d = X.shape
    sizes, sums = statistics(X, labels)
    k = len(sizes)
    means = sums / sizes[:, None]
    residuals = X - means[labels]
    within = shrunk(residuals.T @ residuals / (n - k), n - k)
    if k == 1:
        values, vectors = np.linalg.eigh(within)
        return TwoCovariance(vectors / np.sqrt(values), np.zeros(d))
    spread = (means * sizes[:, None]).T @ means
    between = (spread - (k - 1) * within) / (n - (sizes**2).sum() / n)
    ratios, transform = eigh(between, within)
    return TwoCovariance(transform, np.maximum(ratios, 0.0))


def log_likelihood_gain(X: NDArray[np.float64], labels: NDArray[np.intp]) -> float:
    """Return by how much a grouping is more likely than one speaker, in nats per recording.

    Both under the model estimated from them, with a Chinese restaurant process of concentration 1 before. A grouping
    into as many groups as recordings, or one less, leaves nothing to estimate the model from: -inf.
    """
    return _log_likelihood(X, labels) - _log_likelihood(X, np.zeros(len(X), dtype=np.intp))


def _log_likelihood(X: NDArray[np.float64], labels: NDArray[np.intp]) -> float:
    n = len(X)
    if labels.max() + 1 >= n - 1:
        return -np.inf
    model = fit(X, labels)
    Y = X @ model.transform
    sizes, sums = statistics(Y, labels)
    alone = np.linalg.slogdet(model.transform)[1] - 0.5 * (Y**2).sum() / n
    together = _gain(sizes, sums, model.between).sum() + gammaln(sizes).sum() - gammaln(n + 1)
    return float(alone + together / n)


def refine(X: NDArray[np.float64], labels: NDArray[np.intp], *, rounds: int = 2) -> NDArray[np.intp]:
    """Group again under the model of the present grouping: merge single recordings, then move them; and repeat."""
    for _ in range(rounds):
        if not 1 < labels.max() + 1 < len(X) - 1:
            break
        new = agglomerate(fit(X, labels), np.ones(len(X)), X)
        if new.max() + 1 < len(X) - 1:
            new = reassign(X, new, rounds=5)
        if np.array_equal(new, labels):
            break
        labels = new
    return labels


def reassign(X: NDArray[np.float64], labels: NDArray[np.intp], *, rounds: int = 10) -> NDArray[np.intp]:
    """Move every recording to the speaker most likely to have uttered it, re-estimate, and repeat until none moves.

    The mean of its own speaker is computed without the recording: with it, none would ever move in hundreds of
    dimensions.
    """
    for _ in range(rounds):
        if labels.max() == 0 or labels.max() + 1 >= len(X):
            return labels
        model = fit(X, labels)
        keep = model.between > 0
        Y = X @ model.transform[:, keep]
        between = model.between[keep]
        sizes, sums = statistics(Y, labels)
        means, variance = _posterior(sizes, sums, between)
        scores = np.log(sizes) - 0.5 * (np.log(variance) + means**2 / variance).sum(axis=1)
        scores = scores + Y @ (means / variance).T - 0.5 * (Y**2) @ (1 / variance).T
        means, variance = _posterior(sizes[labels] - 1, sums[labels] - Y, between)
        own = np.log(np.maximum(sizes[labels] - 1, 0.5)) - 0.5 * (np.log(variance) + (Y - means) ** 2 / variance).sum(
            axis=1
        )
        scores[np.arange(len(Y)), labels] = own
        moved = np.unique(scores.argmax(axis=1), return_inverse=True)[1]
        if np.array_equal(moved, labels):
            break
        labels = moved
    return labels


def _posterior(
    sizes: NDArray[np.float64], sums: NDArray[np.float64], between: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance of a further recording of each group, along each coordinate."""
    spread = between / (1 + sizes[:, None] * between)
    return sums * spread, 1 + spread


def agglomerate(model: TwoCovariance, sizes: NDArray[np.float64], sums: NDArray[np.float64]) -> NDArray[np.intp]:
    """Merge groups greedily while a merge makes the grouping more likely.

    Parameters
    ----------
    model : TwoCovariance
    sizes : array [shape=(m,)]
        Recordings in each group.
    sums : array [shape=(m, d)]
        Sum of their vectors, not transformed.

    Returns
    -------
    array of int [shape=(m,)]
        The merged group of each group, from 0.
    """
    keep = model.between > 0
    between = model.between[keep]
    table = gammaln(np.arange(1, int(sizes.sum()) + 2))
    log_gamma = np.concatenate([[0.0], table])  # log_gamma[n] = log Gamma(n), n >= 1
    owner = _merge(sizes.astype(np.int64), sums @ model.transform[:, keep], between, log_gamma)
    return np.unique(owner, return_inverse=True)[1]


def statistics(X: NDArray[np.float64], labels: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the size of each group [shape=(k,)] and the sum of its vectors [shape=(k, d)]."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(labels.max() + 1))
    return np.bincount(labels).astype(np.float64), np.add.reduceat(X[order], starts, axis=0)


def _gain(sizes: NDArray[np.float64], sums: NDArray[np.float64], between: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what sharing an unknown mean adds to the log-likelihood of each group's rows."""
    growth = 1 + sizes[:, None] * between
    return 0.5 * (sums**2 * (between / growth) - np.log(growth)).sum(axis=1)


def shrunk(covariance: NDArray[np.float64], freedom: int) -> NDArray[np.float64]:
    """Shrink a covariance estimated with `freedom` degrees of freedom towards a multiple of the identity."""
    d = len(covariance)
    trace = np.trace(covariance)
    square = (covariance**2).sum()
    numerator = (1 - 2 / d) * square + trace**2
    denominator = (freedom + 1 - 2 / d) * (square - trace**2 / d)
    weight = 1.0 if denominator <= 0 else min(1.0, numerator / denominator)
    result = (1 - weight) * covariance
    result[np.diag_indices(d)] += max(weight * trace / d, 1e-9 * trace / d, 1e-300)
    return result


@njit(cache=True, fastmath=True)
def _gain_of(total: Array, other: Array, ratios: Array) -> float:
    """Return what sharing an unknown mean adds to the log-likelihood of two groups, the log-determinant left out."""
    gain = 0.0
    for c in range(len(ratios)):
        gain += (total[c] + other[c]) ** 2 * ratios[c]
    return 0.5 * gain


@njit(cache=True)
def _log_determinants(largest: int, between: Array) -> Array:
    """Return half the log-determinant that a group of each size up to the largest costs."""
    halves = np.zeros(largest + 1)
    for n in range(1, largest + 1):
        cost = 0.0
        for c in range(len(between)):
            cost += np.log(1 + n * between[c])
        halves[n] = 0.5 * cost
    return halves


@njit(cache=True)
def _merge_scores(
    i: int, sizes: Array, sums: Array, gains: Array, alive: Array, ratios: Array, log_gamma: Array, halves: Array
) -> Array:
    """Return what merging group i with each other group adds to the log-likelihood; -inf for itself and the merged."""
    scores = np.full(len(sizes), -np.inf, np.float32)
    for j in range(len(sizes)):
        if alive[j] and j != i:
            n = sizes[i] + sizes[j]
            gain = _gain_of(sums[i], sums[j], ratios[n]) - gains[i] - gains[j]
            prior = log_gamma[n] - log_gamma[sizes[i]] - log_gamma[sizes[j]]
            scores[j] = gain + prior + halves[sizes[i]] + halves[sizes[j]] - halves[n]
    return scores


@njit(cache=True)
def _merge(sizes: Array, sums: Array, between: Array, log_gamma: Array) -> Array:
    """Merge the pair that gains most until none gains; return the group that each group ends in."""
    m = len(sums)
    halves = _log_determinants(sizes.sum(), between)
    owner = np.arange(m)
    alive = np.ones(m, np.bool_)
    ratios = np.empty((sizes.sum() + 1, len(between)))
    for n in range(len(ratios)):
        ratios[n] = between / (1 + n * between)
    nothing = np.zeros(len(between))
    gains = np.array([_gain_of(sums[i], nothing, ratios[sizes[i]]) for i in range(m)])
    scores = np.empty((m, m), np.float32)
    for i in range(m):
        scores[i] = _merge_scores(i, sizes, sums, gains, alive, ratios, log_gamma, halves)
    mate = np.array([np.argmax(scores[i]) for i in range(m)])
    best = np.array([scores[i, mate[i]] for i in range(m)])
    for _ in range(m - 1):
        i = int(np.argmax(best))
        if not best[i] > 0:
            break
        j = mate[i]
        owner[owner == j] = i
        sizes[i] += sizes[j]
        sums[i] += sums[j]
        alive[j] = False
        gains[i] = _gain_of(sums[i], nothing, ratios[sizes[i]])
        scores[i] = _merge_scores(i, sizes, sums, gains, alive, ratios, log_gamma, halves)
        scores[:, i] = scores[i]
        scores[:, j] = -np.inf
        best[j] = -np.inf
        for r in range(m):
            if alive[r] and (r == i or mate[r] == i or mate[r] == j):
                mate[r] = np.argmax(scores[r])
                best[r] = scores[r, mate[r]]
            elif alive[r] and scores[r, i] > best[r]:
                mate[r] = i
                best[r] = scores[r, i]
    return owner
