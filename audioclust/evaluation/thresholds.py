"""Scores of pairs, of the same speaker and of different ones: where to put a threshold between them.

Higher scores speak for the same speaker. All thresholds mean: accept at or above.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["equal_error", "evenly", "false_accept_threshold", "midway"]


def equal_error(
    same: ArrayLike,
    different: ArrayLike,
    *,
    missed_before: int = 0,
    accepted_after: int = 0,
    totals: tuple[int, int] | None = None,
) -> tuple[float, float]:
    """Return the equal error rate of two samples of scores, and the threshold at which it is reached.

    The two error rates are steps of the threshold; where they cross between steps the rate is interpolated on the
    straight line between the neighbouring operating points.

    Parameters
    ----------
    same, different : array-like
        Scores, or those of a range in which the rates cross.
    missed_before, accepted_after : int
        Same-speaker scores below that range, and different-speaker scores above it.
    totals : (int, int), optional
        All same-speaker and different-speaker scores; None takes the lengths of the two samples.

    Returns
    -------
    rate : float in [0, 1]
        NaN where either kind has no scores.
    threshold : float

    Examples
    --------
    >>> equal_error([1, 2, 3, 4], [0, 1.5, -1, -2])
    (0.25, 1.5)
    """
    same = np.sort(np.asarray(same).ravel())
    different = np.sort(np.asarray(different).ravel())
    n_same, n_different = totals or (len(same), len(different))
    if not n_same or not n_different:
        return float("nan"), float("nan")
    cuts = np.unique(np.concatenate([same, different]))
    missed = (missed_before + np.append(np.searchsorted(same, cuts, "left"), len(same))) / n_same
    above = len(different) - np.append(np.searchsorted(different, cuts, "left"), len(different))
    accepted = (accepted_after + above) / n_different
    place = int(np.argmax(missed >= accepted))  # missed rises from 0, accepted falls to 0
    if place == 0 or missed[place] == accepted[place]:
        rate = missed[place]
    else:
        before, after = missed[place - 1] - accepted[place - 1], missed[place] - accepted[place]
        share = before / (before - after)
        rate = missed[place - 1] + share * (missed[place] - missed[place - 1])
    if missed[place] == accepted[place] == 0:  # the samples do not overlap: half-way between them
        return 0.0, float((same[0] + different[-1]) / 2)
    threshold = cuts[place] if place < len(cuts) else np.nextafter(cuts[-1], np.inf)
    return float(rate), float(threshold)


def false_accept_threshold(different: ArrayLike, rate: float) -> float:
    """Return the lowest threshold at which no more than `rate` of the scores of different speakers is accepted.

    Examples
    --------
    >>> round(false_accept_threshold([0.1, 0.2, 0.3, 0.4], 0.25), 6)
    0.3
    """
    different = np.sort(np.asarray(different, dtype=np.float64).ravel())
    allowed = int(np.floor(rate * len(different)))
    if allowed >= len(different):
        return float(different[0])
    return float(np.nextafter(different[len(different) - 1 - allowed], np.inf))


def midway(same: NDArray[np.floating], different: NDArray[np.floating]) -> float:
    """Return a threshold half-way between the bulk of two samples, or the equal-error one where the bulks overlap.

    Examples
    --------
    >>> round(midway(np.array([0.7, 0.8, 0.9]), np.array([0.1, 0.2, 0.3])), 2)
    0.5
    """
    low, high = np.quantile(same, 0.01), np.quantile(different, 0.99)
    return float((low + high) / 2) if low > high else equal_error(same, different)[1]


def evenly(same: NDArray[np.floating], different: NDArray[np.floating]) -> float:
    """Return the cosine whose angle lies as many spreads from the median of one sample as from that of the other.

    Spreads are those of the sides that face away from each other: where some recordings are wrongly clustered, the
    sides that face each other hold them.

    Examples
    --------
    >>> round(evenly(np.array([0.7, 0.8, 0.9]), np.array([0.1, 0.2, 0.3])), 2)
    0.44
    """
    (nearest, own), (other, farthest) = (
        np.arccos(np.clip(np.quantile(values, shares), -1, 1))
        for values, shares in ((same, (0.9, 0.5)), (different, (0.5, 0.1)))
    )
    near, far = own - nearest, farthest - other
    share = near / (near + far) if near + far > 0 else 0.5
    return float(np.cos(own + share * (other - own)))
