"""Directions, group means and the order of rows: what scores, clusterers and curation all compute.

Conventions: ``X`` [shape=(n, d)] holds one vector per row; ``place`` [shape=(n,)] says to which of ``k`` groups
(0 .. k - 1) a row belongs; a unit row has length 1.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from audioclust.validation import DegenerateClusteringWarning, check_choice

__all__ = [
    "binary_exponent",
    "canonical_order",
    "first_copies",
    "group_directions",
    "group_sums",
    "leave_one_out_cosines",
    "unit_rows",
]

BLOCK = 1 << 16  # rows of which a copy in double precision is made at once
SMALLEST = 1e-12  # a sum of unit vectors that is shorter has no direction


def unit_rows(X: NDArray[Any], *, zero: str = "raise") -> NDArray[Any]:
    """Scale every row to length 1.

    Parameters
    ----------
    X : array [shape=(n, d)]
    zero : {"raise", "warn", "keep"}
        What to do about rows of zeros, which have no direction; with "warn" and "keep" they stay zero.

    Raises
    ------
    ValueError
        When a row is zero and `zero` is "raise"; the message names the first ones.

    Examples
    --------
    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 1e200]]))
    array([[0.6, 0.8],
           [0. , 1. ]])
    """
    check_choice("zero", zero, ("raise", "warn", "keep"))
    largest = np.maximum(X.max(axis=1, initial=0.0), -X.min(axis=1, initial=0.0))
    scaled = X / np.where(largest > 0, largest, 1.0)[:, None]  # squares of very large or small values would not fit
    norms = np.linalg.norm(scaled, axis=1)
    if zero != "keep" and not norms.all():
        without = np.flatnonzero(norms == 0)
        rows = ", ".join(map(str, without[:5])) + (", ..." if len(without) > 5 else "")
        finding = f"{len(without)} of {len(X)} vectors are zero and have no direction: rows {rows}"
        if zero == "raise":
            raise ValueError(finding)
        warnings.warn(f"unit_rows: {finding}", DegenerateClusteringWarning, stacklevel=3)
    scaled /= np.where(norms > 0, norms, 1.0)[:, None]
    return scaled


def binary_exponent(values: NDArray[np.floating]) -> int:
    """Return the e for which ``ldexp(values, -e)`` lies within -1 and 1; infinite values are left out.

    A power of two changes no digit, so what is computed from the scaled values is the same at every scale.

    Examples
    --------
    >>> binary_exponent(np.array([0.5, -6.0])), np.ldexp(6.0, -3)
    (3, np.float64(0.75))
    """
    largest = np.abs(values[np.isfinite(values)]).max(initial=0.0)
    return int(np.frexp(largest)[1])


def canonical_order(X: NDArray[Any]) -> NDArray[np.intp]:
    """Return the order of the rows by their first value, ties by the second, and so on [shape=(n,)].

    Examples
    --------
    >>> canonical_order(np.array([[2.0, 1.0], [1.0, 5.0], [1.0, 3.0]])).tolist()
    [2, 1, 0]
    """
    order = np.argsort(X[:, 0], kind="stable")
    first = X[order, 0]
    return np.lexsort(X.T[::-1]) if np.any(first[1:] == first[:-1]) else order


def first_copies(X: NDArray[Any]) -> NDArray[np.intp]:
    """Return, for each of the sorted rows, the place of the first row that equals it [shape=(n,)].

    Examples
    --------
    >>> first_copies(np.array([[0, 1], [0, 1], [2, 0], [2, 0], [2, 1]]))
    array([0, 0, 2, 2, 4])
    """
    new = np.concatenate([[True], np.any(X[1:] != X[:-1], axis=1)])
    return np.flatnonzero(new)[np.cumsum(new) - 1]


def group_sums(X: NDArray[np.floating], place: NDArray[np.intp], k: int) -> NDArray[np.float64]:
    """Return the sum of the rows of every group [shape=(k, d)]; zero for an empty one.

    Examples
    --------
    >>> group_sums(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 5.0]]), np.array([0, 0, 1]), 2)
    array([[3., 0.],
           [0., 5.]])
    """
    sums = np.zeros((k, X.shape[1]))
    for start in range(0, len(X), BLOCK):
        rows = X[start : start + BLOCK]
        here = np.arange(len(rows))
        sums += csr_array((np.ones(len(rows)), (place[start : start + BLOCK], here)), shape=(k, len(rows))) @ rows
    return sums


def group_directions(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean direction of every group, from its sum of unit rows; zero where the rows cancel.

    Examples
    --------
    >>> group_directions(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), SMALLEST)


def leave_one_out_cosines(
    X: NDArray[np.floating],
    place: NDArray[np.intp],
    sums: NDArray[np.float64],
    *,
    sizes: NDArray[np.integer] | None = None,
) -> NDArray[np.float64]:
    """Return each unit row's cosine to the mean of its group made without it [shape=(n,)]; NaN for an only member.

    `sums` are those of :func:`group_sums` of the same rows; where `X` holds only some of the rows of the groups,
    `sizes` says how many each group has.

    Examples
    --------
    >>> X, place = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]), np.array([0, 0, 1])
    >>> leave_one_out_cosines(X, place, group_sums(X, place, 2))
    array([0.6, 0.6, nan])
    """
    without = sums[place] - X
    lengths = np.linalg.norm(without, axis=1)
    alone = (np.bincount(place, minlength=len(sums)) if sizes is None else sizes)[place] == 1
    cosines = np.einsum("ij,ij->i", X, without) / np.maximum(lengths, SMALLEST)
    return np.where(alone, np.nan, cosines)
