"""Verification: do vectors of one speaker score higher than vectors of different speakers, and by how much?

Conventions
-----------
``X`` (n, d) holds one vector per recording, ``truth`` or ``labels`` (n,) the speaker of each. A score is the cosine of
two recordings; every pair of different recordings is one trial, n (n - 1) / 2 in all.

- **Equal error rate** (EER): where as many same-speaker trials are refused as different-speaker trials are accepted.
- **Area under the curve** (AUC): how often a same-speaker score is higher than a different-speaker score.

Scores are computed in blocks and never all held: a first pass counts them in fine bins, a second collects those in the
bin where the error rates cross, so the EER is exact.

References
----------
Martin et al.: The DET curve in assessment of detection task performance (1997).
Hanley, McNeil: The meaning and use of the area under a receiver operating characteristic (ROC) curve (1982).
Gupta et al.: arXiv 2205.02475 (2022), for cluster uniqueness.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_array

from audioclust.evaluation.thresholds import equal_error
from audioclust.geometry import unit_rows

__all__ = ["ScoreDistributions", "cluster_uniqueness", "equal_error_rate", "score_distributions"]

BINS = 1 << 18
BLOCK = 1 << 23  # scores computed at once
SHOWN = 200  # bins of the histograms that are handed out


class ScoreDistributions(NamedTuple):
    """Scores of same-speaker and different-speaker trials.

    Attributes
    ----------
    edges : array [shape=(201,)]
        Of the histogram's bins, from -1 to 1.
    same, different : array of int [shape=(200,)]
        Trials in each bin.
    same_mean, same_std, different_mean, different_std : float
        To 1e-5.
    auc : float in [0, 1]
        To 1e-5.
    equal_error_rate : float in [0, 1]
        Exact.
    threshold : float
        The score at which it is reached.
    """

    edges: NDArray[np.float64]
    same: NDArray[np.int64]
    different: NDArray[np.int64]
    same_mean: float
    same_std: float
    different_mean: float
    different_std: float
    auc: float
    equal_error_rate: float
    threshold: float


def equal_error_rate(X: ArrayLike, truth: ArrayLike) -> float:
    """Return the equal error rate over all pairs of recordings.

    Parameters
    ----------
    X : array-like [shape=(n, d)]
        Speaker vectors, finite, none zero.
    truth : array-like [shape=(n,)]
        Who speaks.

    Returns
    -------
    float in [0, 1]
        NaN when all pairs are of one kind. :func:`score_distributions` gives the threshold as well.

    Raises
    ------
    ValueError
        When the lengths differ or a vector is zero or not finite.
    """
    return score_distributions(X, truth).equal_error_rate


def score_distributions(X: ArrayLike, labels: ArrayLike) -> ScoreDistributions:
    """Describe the scores of same-speaker and different-speaker pairs.

    Parameters
    ----------
    X : array-like [shape=(n, d)]
        Speaker vectors, finite, none zero.
    labels : array-like [shape=(n,)]
        Who speaks, true or found; recordings labelled -1 (noise) are left out.

    Raises
    ------
    ValueError
        As :func:`equal_error_rate`.
    """
    vectors = unit_rows(check_array(X, dtype=np.float64))
    labels = np.asarray(labels)
    if labels.shape != (len(vectors),):
        raise ValueError(f"labels has shape {labels.shape}, X has {len(vectors)} rows")
    if np.issubdtype(labels.dtype, np.number):
        vectors = vectors[labels != -1]
        labels = labels[labels != -1]
    who = np.unique(labels, return_inverse=True)[1]
    counts = np.zeros((2, BINS), dtype=np.int64)
    for scores, same in _trials(vectors, who):
        bins = _bins(scores)
        everything = np.bincount(bins, minlength=BINS)
        counts[1] += np.bincount(bins[same], minlength=BINS)
        counts[0] += everything - np.bincount(bins[same], minlength=BINS)
    different, same_counts = counts
    rate, threshold = _crossing(vectors, who, same_counts, different)
    below = np.cumsum(different) - different
    pairs = float(same_counts.sum()) * float(different.sum())
    auc = float((same_counts * (below + different / 2.0)).sum() / pairs) if pairs else float("nan")
    same_mean, same_std = _moments(same_counts)
    different_mean, different_std = _moments(different)
    edges = np.linspace(-1, 1, SHOWN + 1)
    shown = np.minimum(((np.arange(BINS) + 0.5) * SHOWN / BINS).astype(int), SHOWN - 1)
    return ScoreDistributions(
        edges,
        np.bincount(shown, weights=same_counts, minlength=SHOWN).astype(np.int64),
        np.bincount(shown, weights=different, minlength=SHOWN).astype(np.int64),
        same_mean,
        same_std,
        different_mean,
        different_std,
        auc,
        rate,
        threshold,
    )


def cluster_uniqueness(labels: ArrayLike, truth: ArrayLike) -> float:
    """Return the share of clusters that are the only ones of the speaker who dominates them.

    Parameters
    ----------
    labels : array-like of int [shape=(n,)]
        -1 for noise, which is left out.
    truth : array-like [shape=(n,)]

    Returns
    -------
    float in [0, 1]
        NaN without clusters.
    """
    labels, truth = np.asarray(labels), np.asarray(truth)
    known = labels != -1
    if not known.any():
        return float("nan")
    clusters, speakers = (
        np.unique(labels[known], return_inverse=True)[1],
        np.unique(truth[known], return_inverse=True)[1],
    )
    table = np.zeros((clusters.max() + 1, speakers.max() + 1), dtype=np.int64)
    np.add.at(table, (clusters, speakers), 1)
    owners = np.bincount(table.argmax(axis=1), minlength=table.shape[1])
    return float(np.mean(owners[table.argmax(axis=1)] == 1))


def _trials(X: NDArray[np.float64], who: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """Yield the scores of all pairs i < j, block by block, and which of them are of one speaker."""
    n = len(X)
    step = max(1, BLOCK // max(n, 1))
    for start in range(0, n, step):
        stop = min(start + step, n)
        scores = X[start:stop] @ X[start:].T
        later = np.arange(start, n) > np.arange(start, stop)[:, None]
        yield scores[later], (who[start:stop, None] == who[start:])[later]


def _bins(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.clip(((scores + 1) * (BINS / 2)).astype(np.int64), 0, BINS - 1)


def _crossing(
    X: NDArray[np.float64], who: NDArray[np.intp], same: NDArray[np.int64], different: NDArray[np.int64]
) -> tuple[float, float]:
    """Find the bin where the error rates cross, collect its scores, and find the crossing among them."""
    n_same, n_different = int(same.sum()), int(different.sum())
    if not n_same or not n_different:
        return float("nan"), float("nan")
    missed = np.cumsum(same) / n_same  # with the threshold at each bin's upper edge
    accepted = 1 - np.cumsum(different) / n_different
    last = int(np.argmax(missed >= accepted))
    first = last
    if missed[last] == accepted[last] == 0:  # the distributions lie apart: the threshold goes half-way
        first, last = int(np.flatnonzero(different)[-1]), int(np.flatnonzero(same)[0])
    inside: tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]] = ([], [])
    for scores, is_same in _trials(X, who):
        bins = _bins(scores)
        within = (bins >= first) & (bins <= last)
        inside[0].append(scores[within & is_same])
        inside[1].append(scores[within & ~is_same])
    return equal_error(
        np.concatenate(inside[0]),
        np.concatenate(inside[1]),
        missed_before=int(same[:first].sum()),
        accepted_after=int(different[last + 1 :].sum()),
        totals=(n_same, n_different),
    )


def _moments(counts: NDArray[np.int64]) -> tuple[float, float]:
    if not counts.any():
        return float("nan"), float("nan")
    centres = -1 + (np.arange(BINS) + 0.5) * (2 / BINS)
    mean = np.average(centres, weights=counts)
    return float(mean), float(np.sqrt(np.average((centres - mean) ** 2, weights=counts)))
