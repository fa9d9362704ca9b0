"""Watching the clusters of a network while it learns.

A clustering loss has a trivial solution, in which every image lands in the same cluster or clusters die one after
another; a clustering found that way says nothing about the data.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["GIANT", "ClusterCollapseWarning", "collapse"]

GIANT = 0.9
"""Share of the images above which a cluster has swallowed the others."""


class ClusterCollapseWarning(UserWarning):
    """A training let its clusters collapse; it was stopped, and the state before is kept. The message says how."""


def collapse(labels: NDArray[np.intp], k: int) -> str | None:
    """Say how the clusters of a training have collapsed, or None.

    Parameters
    ----------
    labels : array of int [shape=(n,)]
        Cluster of each image, 0 .. `k` - 1.
    k : int
        Number of clusters at the start, all of them inhabited then.
    """
    sizes = np.bincount(labels, minlength=k)
    if sizes.max() > GIANT * len(labels) and k > 1:
        return f"cluster collapse: one cluster of {k} holds {sizes.max()} of {len(labels)} images"
    dead = int((sizes == 0).sum())
    return f"cluster collapse: {dead} of {k} clusters lost all of their images" if dead else None
