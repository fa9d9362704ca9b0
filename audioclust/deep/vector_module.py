"""Training on vectors (n, d), such as speaker embeddings: a network of one's own gives the loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from audioclust.deep.module import BatchModule

__all__ = ["VectorModule", "check_vectors"]


class VectorModule(BatchModule):
    """Base of the trainings on vectors; a subclass gives ``losses(inputs, index)``, inputs (batch, d) in float32."""


def check_vectors(X: Any, *, least: int = 1, size: int | None = None) -> np.ndarray:
    """Return `X` as an array of vectors (n, d) in float32.

    Parameters
    ----------
    X : array [shape=(n, d)]
        Finite numbers of any kind.
    least : int
        The fewest vectors that will do.
    size : int, optional
        The length that they must have.

    Raises
    ------
    ValueError
        When the shape, the number of vectors or a value cannot be used.

    Examples
    --------
    >>> check_vectors([[1, 2], [3, 4]]).dtype
    dtype('float32')
    """
    vectors = np.asarray(X)
    if vectors.ndim != 2 or vectors.shape[1] < 1:
        raise ValueError(f"X has shape {np.shape(X)}: vectors must be (n, d)")
    if vectors.dtype.kind not in "fiub":
        raise ValueError(f"X holds {vectors.dtype}: vectors must be numbers")
    vectors = vectors.astype(np.float32)
    if not np.isfinite(vectors).all():
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        raise ValueError(f"X has NaN or infinity in {len(bad)} of {len(vectors)} vectors, first at {bad[0]}")
    if len(vectors) < least:
        raise ValueError(f"X has {len(vectors)} vector(s): at least {least} are needed")
    if size is not None and vectors.shape[1] != size:
        raise ValueError(f"X has vectors of length {vectors.shape[1]}, fitted were {size}")
    return vectors
