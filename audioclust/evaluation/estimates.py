"""Scores of very many recordings from seeded samples, each with its standard error.

Conventions: ``X`` [shape=(n, d)] finite, ``labels`` [shape=(n,)] integers, every row in a cluster (drop noise first).
An estimate is a mean over what was drawn; about two thirds of all draws lie within one standard error of the truth. A
sample of recordings *among themselves* would not do for silhouettes: clusters of few recordings fall apart in it.

References
----------
Rousseeuw, P. J. (1987). Silhouettes: a graphical aid to the interpretation and validation of cluster analysis. J.
Comput. Appl. Math. 20, 53-65.
Cochran, W. G. (1977). Sampling Techniques, section 2.5 (the correction for a finite population).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from audioclust.evaluation.internal import silhouettes_from_sums
from audioclust.validation import check_number, check_seed

__all__ = ["Estimate", "of_parts", "silhouette"]

COLUMNS = 1 << 13  # recordings that the sample is compared with at once


class Estimate(NamedTuple):
    """A score and its standard error, both NaN where the score is undefined."""

    value: float
    error: float


def silhouette(X: ArrayLike, labels: ArrayLike, *, samples: int = 2000, random_state: Any = 0) -> Estimate:
    """Estimate the mean Euclidean silhouette: that of some recordings, drawn at random, among all.

    Parameters
    ----------
    X, labels
        See the module's opening.
    samples : int >= 2
        Recordings drawn. All of fewer: the exact mean, with error 0.
    random_state : int, RandomState instance or None
        Seed of the draw.

    Returns
    -------
    Estimate

    Examples
    --------
    >>> silhouette([[0.0], [1.0], [9.0], [10.0]], [0, 0, 1, 1]).value.__round__(3)
    0.889
    """
    check_number("samples", samples, 2, whole=True)
    rows, codes = np.asarray(X), np.unique(np.asarray(labels), return_inverse=True)[1]
    n, k = len(rows), codes.max(initial=-1) + 1
    if not 2 <= k < n:
        return Estimate(math.nan, math.nan)
    drawn = np.sort(check_seed(random_state).permutation(n)[:samples])
    sums = _sums(rows, codes, k, drawn)
    return _estimate(silhouettes_from_sums(sums, codes[drawn], np.bincount(codes)), n)


def of_parts(
    score: Callable[[NDArray[Any], NDArray[Any]], float],
    X: ArrayLike,
    labels: ArrayLike,
    *,
    samples: int = 2000,
    parts: int = 10,
    random_state: Any = 0,
) -> Estimate:
    """Estimate a score of pairs, such as :func:`audioclust.evaluation.equal_error_rate`, from disjoint random parts.

    The share of pairs of one cluster is the same in a part as in all, but for chance.

    Parameters
    ----------
    score : callable
        ``score(X, labels)``; its cost may grow with the square of the recordings.
    X, labels
        See the module's opening.
    samples : int >= 2
        Recordings in each part.
    parts : int >= 2
        Fewer where there are too few recordings; where there is only one, the score of all, with error 0.
    random_state : int, RandomState instance or None
        Seed of the draw.

    Returns
    -------
    Estimate
        Parts whose score is NaN are left out.

    Examples
    --------
    >>> from audioclust.evaluation import equal_error_rate
    >>> X = np.repeat(np.eye(2), 50, axis=0) + 0.1 * np.random.default_rng(0).standard_normal((100, 2))
    >>> of_parts(equal_error_rate, X, np.repeat([0, 1], 50), samples=20, parts=5)
    Estimate(value=0.0, error=0.0)
    """
    check_number("samples", samples, 2, whole=True)
    check_number("parts", parts, 2, whole=True)
    rows, who = np.asarray(X), np.asarray(labels)
    parts = min(parts, len(rows) // samples)
    if parts < 2:
        return Estimate(float(score(rows, who)), 0.0)
    drawn = check_seed(random_state).permutation(len(rows))[: parts * samples].reshape(parts, samples)
    values = np.array([score(rows[part], who[part]) for part in np.sort(drawn, axis=1)], dtype=np.float64)
    return _estimate(values[np.isfinite(values)], math.inf)


def _estimate(values: NDArray[np.float64], n: float) -> Estimate:
    """Return the mean of some of n values, and its standard error."""
    m = len(values)
    if m < 2:
        return Estimate(float(values[0]) if m else math.nan, math.nan)
    return Estimate(float(values.mean()), float(values.std(ddof=1) / math.sqrt(m) * math.sqrt(1 - m / n)))


def _sums(X: NDArray[Any], codes: NDArray[np.intp], k: int, drawn: NDArray[np.intp]) -> NDArray[np.float64]:
    """Sum of the distances of the rows drawn to all rows of every cluster [shape=(m, k)]."""
    centre = X.mean(axis=0, dtype=np.float64)  # distances from the norms lose digits far from the origin
    rows = X[drawn] - centre
    squares = np.einsum("ij,ij->i", rows, rows)
    sums = np.zeros((len(drawn), k))
    for start in range(0, len(X), COLUMNS):
        others = X[start : start + COLUMNS] - centre
        distances = squares[:, None] + np.einsum("ij,ij->i", others, others) - 2 * rows @ others.T
        itself = np.flatnonzero((drawn >= start) & (drawn < start + COLUMNS))
        distances[itself, drawn[itself] - start] = 0.0
        here = np.arange(len(others))
        member = csr_array((np.ones(len(others)), (here, codes[start : start + COLUMNS])), shape=(len(others), k))
        sums += np.sqrt(np.maximum(distances, 0.0)) @ member
    return sums
