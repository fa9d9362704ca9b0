"""Verification: do vectors of one speaker score higher than vectors of different speakers, and by how much?

Conventions
-----------
``X`` (n, d) holds one vector per recording, ``truth`` or ``labels`` (n,) the speaker of each. A score is the cosine of
two recordings; every pair of different recordings is one trial, n (n - 1) / 2 in all.

- **Equal error rate** (EER): where as many same-speaker trials are refused as different-speaker trials are accepted.
- **Minimum detection cost** (minDCF): the least of the weighted sum of both error rates, over all thresholds.
- **Area under the curve** (AUC): how often a same-speaker score is higher than a different-speaker score.

Scores are computed in blocks and never all held: a first pass counts them in fine bins, a second collects those in the
bins where the error rates cross or the cost may be least, so EER and minDCF are exact.

References
----------
Martin et al.: The DET curve in assessment of detection task performance (1997).
Hanley, McNeil: The meaning and use of the area under a receiver operating characteristic (ROC) curve (1982).
NIST: 2016 Speaker recognition evaluation plan (2016), section 3.1, for the detection cost.
Gupta et al.: arXiv 2205.02475 (2022), for cluster uniqueness.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_array

from audioclust.evaluation.external import cluster_codes, truth_codes
from audioclust.evaluation.thresholds import equal_error
from audioclust.geometry import unit_rows
from audioclust.validation import check_number, check_share

__all__ = ["ScoreDistributions", "cluster_uniqueness", "equal_error_rate", "min_dcf", "score_distributions"]

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
        Who speaks; recordings without a label (None, NaN, NA, empty text) or labelled -1 (noise) are left out.

    Returns
    -------
    float in [0, 1]
        NaN when all pairs are of one kind. :func:`score_distributions` gives the threshold as well.

    Raises
    ------
    ValueError
        When the lengths differ or a vector is zero or not finite.

    Examples
    --------
    >>> equal_error_rate([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [5, 5]], ["ada", "ada", "eve", "eve", None])
    0.0
    """
    vectors, who = _labelled(X, truth)
    return _crossing(vectors, who, *_histograms(vectors, who))[0]


def min_dcf(X: ArrayLike, truth: ArrayLike, *, p_target: float = 0.01, c_miss: float = 1.0, c_fa: float = 1.0) -> float:
    """Return the least detection cost over all thresholds, normalised as in NIST's speaker recognition evaluations.

    The cost of a threshold is ``c_miss p_target P_miss + c_fa (1 - p_target) P_fa``. It is divided by that of the
    better of the two systems that look at no score: refuse all, or accept all.

    Parameters
    ----------
    X, truth : array-like
        As in :func:`equal_error_rate`.
    p_target : float in (0, 1)
        Share of same-speaker trials that is assumed where the system works.
    c_miss, c_fa : float > 0
        Cost of a same-speaker trial that is refused, and of a different-speaker trial that is accepted.

    Returns
    -------
    float in [0, 1]
        NaN when all pairs are of one kind.

    Raises
    ------
    ValueError
        As :func:`equal_error_rate`; or when a parameter is out of its range.

    Examples
    --------
    >>> X = [[1, 0], [1, 0.1], [1, 2], [0, 1], [0.1, 1]]
    >>> truth = ["ada", "ada", "ada", "eve", "eve"]
    >>> round(min_dcf(X, truth), 2), round(min_dcf(X, truth, p_target=0.5), 2)
    (0.5, 0.33)
    """
    check_share("p_target", p_target, one=False)
    for name, cost in (("c_miss", c_miss), ("c_fa", c_fa)):
        check_number(name, cost, np.nextafter(0, 1))
    vectors, who = _labelled(X, truth)
    same, different = _histograms(vectors, who)
    n_same, n_different = int(same.sum()), int(different.sum())
    if not n_same or not n_different:
        return float("nan")
    miss, accept = c_miss * p_target / n_same, c_fa * (1 - p_target) / n_different  # cost of one trial
    missed = np.concatenate([[0], np.cumsum(same)])  # with the threshold at each edge of the bins
    accepted = n_different - np.concatenate([[0], np.cumsum(different)])
    best = float((miss * missed + accept * accepted).min())
    wanted = (same + different > 0) & (miss * missed[:-1] + accept * accepted[1:] < best)
    scores = _scores_in(vectors, who, wanted)
    thresholds = np.concatenate(scores)
    bins = _bins(thresholds)
    misses = np.searchsorted(scores[0], thresholds) + np.cumsum(np.where(wanted, 0, same))[bins]
    accepts = len(scores[1]) - np.searchsorted(scores[1], thresholds)
    accepts = accepts + np.cumsum(np.where(wanted, 0, different)[::-1])[::-1][bins]
    best = min(best, float((miss * misses + accept * accepts).min(initial=np.inf)))
    return best / min(c_miss * p_target, c_fa * (1 - p_target))


def score_distributions(X: ArrayLike, labels: ArrayLike) -> ScoreDistributions:
    """Describe the scores of same-speaker and different-speaker pairs.

    Parameters
    ----------
    X : array-like [shape=(n, d)]
        Speaker vectors, finite, none zero.
    labels : array-like [shape=(n,)]
        Who speaks, as labelled or as clustered; recordings without a label or labelled -1 (noise) are left out.

    Raises
    ------
    ValueError
        As :func:`equal_error_rate`.

    Examples
    --------
    >>> scores = score_distributions([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], [0, 0, 1, 1])
    >>> round(scores.same_mean, 2), round(scores.different_mean, 2), scores.auc
    (1.0, 0.1, 1.0)
    """
    vectors, who = _labelled(X, labels)
    same, different = _histograms(vectors, who)
    rate, threshold = _crossing(vectors, who, same, different)
    below = np.cumsum(different) - different
    pairs = float(same.sum()) * float(different.sum())
    auc = float((same * (below + different / 2.0)).sum() / pairs) if pairs else float("nan")
    edges = np.linspace(-1, 1, SHOWN + 1)
    shown = np.minimum(((np.arange(BINS) + 0.5) * SHOWN / BINS).astype(int), SHOWN - 1)
    return ScoreDistributions(
        edges,
        np.bincount(shown, weights=same, minlength=SHOWN).astype(np.int64),
        np.bincount(shown, weights=different, minlength=SHOWN).astype(np.int64),
        *_moments(same),
        *_moments(different),
        auc,
        rate,
        threshold,
    )


def cluster_uniqueness(labels: ArrayLike, truth: ArrayLike) -> float:
    """Return the share of clusters that are the only one in which their commonest speaker is the commonest.

    Parameters
    ----------
    labels : array-like of int [shape=(n,)]
        -1 for noise, which is left out.
    truth : array-like [shape=(n,)]
        Who speaks; recordings without a label are left out.

    Returns
    -------
    float in [0, 1]
        NaN without clusters.

    Examples
    --------
    >>> cluster_uniqueness([0, 0, 1, 1, 2], ["ada", "ada", "eve", "eve", "eve"])  # two clusters of Eve
    0.3333333333333333
    """
    codes = cluster_codes(labels)
    speakers = truth_codes(truth, len(codes))
    known = (codes >= 0) & (speakers >= 0)
    if not known.any():
        return float("nan")
    table = pd.crosstab(codes[known], speakers[known]).to_numpy()
    owners = table.argmax(axis=1)
    return float(np.mean(np.bincount(owners)[owners] == 1))


def _labelled(X: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the unit vectors of the recordings with a label that is not -1, and the number of each one's label."""
    vectors = unit_rows(check_array(X, dtype=np.float64))
    if np.shape(labels) != (len(vectors),):
        raise ValueError(f"labels has shape {np.shape(labels)}, X has {len(vectors)} rows")
    who = truth_codes(labels, len(vectors), "labels")
    known = who >= 0
    known[known] = np.asarray(labels, dtype=object)[known] != -1
    return vectors[known], who[known]


def _histograms(X: NDArray[np.float64], who: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the same-speaker and the different-speaker scores in each bin [shape=(BINS,)]."""
    counts = np.zeros((2, BINS), dtype=np.int64)
    for scores, same in _trials(X, who):
        bins = _bins(scores)
        counts[0] += np.bincount(bins[same], minlength=BINS)
        counts[1] += np.bincount(bins[~same], minlength=BINS)
    return counts[0], counts[1]


def _scores_in(
    X: NDArray[np.float64], who: NDArray[np.intp], wanted: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the same-speaker and the different-speaker scores of the wanted bins, sorted."""
    inside: tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]] = ([], [])
    for scores, same in _trials(X, who):
        within = wanted[_bins(scores)]
        inside[0].append(scores[within & same])
        inside[1].append(scores[within & ~same])
    return np.sort(np.concatenate(inside[0])), np.sort(np.concatenate(inside[1]))


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
    wanted = np.zeros(BINS, dtype=bool)
    wanted[first : last + 1] = True
    return equal_error(
        *_scores_in(X, who, wanted),
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
