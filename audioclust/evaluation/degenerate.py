"""Clusterings that look like a result and should not be used as one: they are named.

Degenerate are: all recordings, or more than half, noise; one cluster; one giant cluster beside very small ones;
clusters that were asked for and are empty; another number of clusters than asked for; a fuzzy partition whose
memberships are all equal. Inner scores often like such results: one giant cluster with three outliers has a high
silhouette.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audioclust.validation import DegenerateClusteringWarning

__all__ = ["GIANT", "ClusterCollapseWarning", "DegenerateClusteringWarning", "check", "collapse", "warn"]

GIANT = 0.9
"""Share of the clustered recordings above which a cluster is called giant."""


def check(labels: ArrayLike, asked: int | None = None, *, partition_coefficient: float | None = None) -> list[str]:
    """Name what is degenerate about a clustering.

    Parameters
    ----------
    labels : array-like of int [shape=(n,)]
        Cluster of each recording, -1 for noise.
    asked : int, optional
        The number of clusters that was asked for.
    partition_coefficient : float in [1 / asked, 1], optional
        Of a fuzzy clustering [Bezdek 1981]; needs `asked`.

    Returns
    -------
    list of str
        One sentence per finding; empty when there is none.

    Examples
    --------
    >>> check([0, 0, 0, 0, -1], asked=2)
    ['one cluster holds all 4 clustered recordings', 'empty clusters: 1 clusters found, 2 asked for']
    """
    labels = np.asarray(labels)
    findings = []
    sizes = np.unique(labels[labels != -1], return_counts=True)[1]
    k = len(sizes)
    if len(labels) and not k:
        findings.append("all noise: no recording belongs to a cluster")
    elif 2 * sizes.sum() < len(labels):
        findings.append(f"mostly noise: {len(labels) - sizes.sum()} of {len(labels)} recordings belong to no cluster")
    if k == 1 and asked != 1 and len(labels) > 1:
        findings.append(f"one cluster holds all {sizes[0]} clustered recordings")
    elif k > 1 and sizes.max() > GIANT * sizes.sum():
        findings.append(f"one giant cluster: {sizes.max()} of {sizes.sum()} clustered recordings")
    if asked is not None and k != asked:
        kind = "empty clusters: " if k < asked else ""
        findings.append(f"{kind}{k} clusters found, {asked} asked for")
    least = None if asked is None or asked < 2 or partition_coefficient is None else 1 / asked
    if partition_coefficient is not None and least is not None and partition_coefficient < least + 0.01:
        findings.append(
            f"fuzzy partition coefficient {partition_coefficient:.3f} is 1/{asked}: all centres coincide and the "
            "labels are rounding noise; lower m towards 1.05 or reduce the dimensions with PCA"
        )
    return findings


def warn(findings: list[str], who: str) -> None:
    """Issue one :class:`DegenerateClusteringWarning` per finding, naming the clusterer `who`."""
    for finding in findings:
        warnings.warn(f"{who}: {finding}", DegenerateClusteringWarning, stacklevel=4)


class ClusterCollapseWarning(DegenerateClusteringWarning):
    """A training let its clusters collapse; it was stopped, and the state before is kept. The message says how."""


def collapse(labels: NDArray[np.intp], k: int) -> str | None:
    """Say how the clusters of a training have collapsed, or None.

    Parameters
    ----------
    labels : array of int [shape=(n,)]
        Cluster of each image, 0 .. `k` - 1.
    k : int
        Number of clusters at the start, none of them empty then.

    Examples
    --------
    >>> collapse(np.array([0, 0, 1, 1]), 3)
    'cluster collapse: 1 of 3 clusters lost all of their images'
    """
    sizes = np.bincount(labels, minlength=k)
    if sizes.max() > GIANT * len(labels) and k > 1:
        return f"cluster collapse: one cluster of {k} holds {sizes.max()} of {len(labels)} images"
    dead = int((sizes == 0).sum())
    return f"cluster collapse: {dead} of {k} clusters lost all of their images" if dead else None
