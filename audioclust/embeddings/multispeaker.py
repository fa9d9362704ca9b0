"""Which recordings seem to hold more than one voice: those whose windows disagree.

Each recording is cut into windows, each window gets a vector, and the windows are parted into the two sides that differ
most (2-means on the sphere). The score is the mean cosine between windows of different sides. One voice gives about
the cosine of any two windows of it; two voices give that of different people.

What is usual depends on the encoder, the channel and the window, so the threshold comes from the recordings themselves:
from windows next to each other, which nearly always hold one voice, even where most recordings hold several. A change
of speaker can only widen the angle between two, so the narrower half of the angles is that of one voice; mirrored at
the median, it tells how far one voice strays.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audioclust import parallel
from audioclust.embeddings.encoder import Encoder, unit
from audioclust.embeddings.vectors import stored
from audioclust.validation import check_number

__all__ = ["disagreement", "mixed", "threshold"]

FEWEST = 3  # windows; of two, which may share samples, little can be said
NARROW = 0.05  # quantile of the neighbours' angles that is mirrored at their median


def mixed(
    metadata: pd.DataFrame,
    root: str | Path,
    store: str | Path,
    encoder: str | Encoder = "ge2e",
    jobs: parallel.Jobs = 1,
    *,
    window: float = 1.6,
    hop: float = 0.8,
    below: float | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Flag recordings that seem to hold more than one speaker.

    Parameters
    ----------
    metadata, root, store, encoder, jobs
        As for :func:`audioclust.embeddings.extract`; the windows' vectors are kept in the store too.
    window, hop : float
        Length of a window and step to the next, in seconds.
    below : float, optional
        Flag scores below this cosine, instead of below what the recordings themselves suggest.
    **options
        The encoder's.

    Returns
    -------
    DataFrame
        A row per usable recording, in the metadata's order: ``path``, ``windows``, ``agreement`` (the score, -1..1;
        NaN where the recording has fewer than 3 windows), ``share`` (of the windows, on the smaller side),
        ``mixed`` (whether it is flagged). ``attrs["below"]`` is the threshold.

    Raises
    ------
    ValueError
        When `window` or `hop` is not above 0, or `below` not in -1..1.
    """
    check_number("window", window, np.nextafter(0, 1))
    check_number("hop", hop, np.nextafter(0, 1))
    if below is not None:
        check_number("below", below, -1, 1)
    _, computed, problems = stored(
        metadata, root, store, encoder=encoder, windows=(window, hop), jobs=jobs, options=options, description="windows"
    )
    usable = metadata[metadata["sha256"].isin(computed.keys()) & ~metadata["path"].isin(problems["path"])]
    windows = [computed[key] for key in usable["sha256"]]
    if below is None:
        apart = math.ceil(window / hop)  # windows that share no sample
        neighbours = [np.einsum("ij,ij->i", vectors[:-apart], vectors[apart:]) for vectors in windows]
        below = threshold(np.concatenate([*neighbours, []]))
    scores = pd.DataFrame([disagreement(vectors) for vectors in windows], columns=["agreement", "share"], dtype=float)
    table = scores.assign(
        path=usable["path"].to_numpy(),
        windows=[len(vectors) for vectors in windows],
        mixed=scores["agreement"] < below,
    )[["path", "windows", "agreement", "share", "mixed"]]
    table.attrs["below"] = below
    return table


def disagreement(vectors: NDArray) -> tuple[float, float]:
    """Part a recording's windows [shape=(m, d), unit length] into the two sides that differ most.

    Returns
    -------
    agreement : float
        Mean cosine between windows of different sides; NaN for fewer than 3 windows.
    share : float
        Of the windows, on the smaller side.
    """
    if len(vectors) < FEWEST:
        return math.nan, math.nan
    centred = vectors - vectors.mean(axis=0)
    if np.abs(centred).max() < 1e-6:
        return 1.0, 0.0  # one vector, again and again
    side = np.linalg.svd(centred, full_matrices=False)[0][:, 0] > 0
    for _ in range(50):
        left, right = unit(np.stack([vectors[~side].mean(axis=0), vectors[side].mean(axis=0)]))
        moved = vectors @ right > vectors @ left
        if (moved == side).all() or moved.all() or not moved.any():
            break
        side = moved
    cross = vectors[~side] @ vectors[side].T
    return float(cross.mean()), float(min(side.mean(), 1 - side.mean()))


def threshold(neighbours: NDArray) -> float:
    """Return the cosine below which windows of one recording are unlikely to hold one voice.

    Parameters
    ----------
    neighbours : array [shape=(m,)]
        Cosines of windows next to each other, without a common sample, of all recordings.
    """
    if not len(neighbours):
        return -1.0
    narrow, middle = np.quantile(np.arccos(np.clip(neighbours, -1, 1)), [NARROW, 0.5])
    return float(np.cos(min(2 * middle - narrow, np.pi)))
