"""All scores of a clustering in one call.

``labels`` and ``truth`` are those of :mod:`audioclust.evaluation.external`, where the scores against labels are
defined. ``X`` [shape=(n, d)] holds the vectors that the inner scores are measured on
(:mod:`audioclust.evaluation.internal`), noise left out. ``n_clusters`` counts the clusters that hold anything,
``coverage`` is the share of the recordings that is not noise.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audioclust.evaluation import internal as indices
from audioclust.evaluation.external import LABEL_SCORES, cluster_codes, label_scores
from audioclust.validation import check_number

__all__ = ["SCORES", "evaluate"]

SCORES = (
    *LABEL_SCORES,
    "n_clusters",
    "coverage",
    *(f"{name}_clustered" for name in LABEL_SCORES),
    "silhouette",
    "silhouette_cosine",
    "davies_bouldin",
    "calinski_harabasz",
)
"""Keys of :func:`evaluate`, in order."""


def evaluate(
    labels: ArrayLike,
    truth: ArrayLike | None = None,
    X: ArrayLike | None = None,
    *,
    max_silhouette: int = 20_000,
) -> dict[str, float]:
    """Score a clustering.

    Parameters
    ----------
    labels : array-like [shape=(n,)]
        The clustering; -1 is noise.
    truth : array-like [shape=(n,)], optional
        The labels to score against. Without them the label-based scores are NaN.
    X : array-like [shape=(n, d)], optional
        The vectors to measure the internal scores on. Without them these are NaN.
    max_silhouette : int >= 2
        The Euclidean silhouette of more recordings than this is measured on this many, drawn with a fixed seed.

    Returns
    -------
    dict of str to float
        The keys are :data:`SCORES`, always all of them.

    Raises
    ------
    ValueError
        When there are no recordings, lengths differ, `labels` are no clustering, or `X` is not finite.

    Examples
    --------
    >>> scores = evaluate([0, 0, 1, 1, -1], ["a", "a", "b", "b", "b"], [[0.0], [1], [8], [9], [4]])
    >>> scores["acc"], scores["coverage"], scores["n_clusters"], round(scores["silhouette"], 2)
    (0.8, 0.8, 2.0, 0.87)
    """
    check_number("max_silhouette", max_silhouette, 2, whole=True)
    codes = cluster_codes(labels)
    clustered = codes >= 0
    scores = dict.fromkeys(SCORES, math.nan)
    if truth is not None:
        scores |= label_scores(labels, truth)
    scores["n_clusters"] = float(len(np.unique(codes[clustered])))
    scores["coverage"] = float(np.mean(clustered))
    if X is not None:
        vectors, clusters = _vectors(X, len(codes))[clustered], codes[clustered]
        scores["silhouette"] = indices.silhouette(vectors, clusters, max_samples=max_silhouette)
        scores["silhouette_cosine"] = indices.silhouette(vectors, clusters, metric="cosine")
        scores["davies_bouldin"] = indices.davies_bouldin(vectors, clusters)
        scores["calinski_harabasz"] = indices.calinski_harabasz(vectors, clusters)
    return scores


def _vectors(X: ArrayLike, length: int) -> NDArray[np.float64]:
    vectors = np.asarray(X, dtype=np.float64)
    if vectors.ndim != 2:
        raise ValueError(f"X must have the shape (n, d); its shape is {vectors.shape}")
    if len(vectors) != length:
        raise ValueError(f"X has {len(vectors)} rows, labels has {length}")
    if not np.isfinite(vectors).all():
        raise ValueError("X has NaN or infinite values")
    return vectors
