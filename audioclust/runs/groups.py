"""What the notebook ``group`` does, step by step: which kind of recordings, their vectors, the groups, and how to say it.

``X`` [shape=(n, d)] has unit rows, so that the product of two rows is their similarity, from -1 to 1: that of a speaker
encoder's vectors, or, of other sounds, the mean over the spectral features of the cosine of standardised vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audioclust import audio, clustering, embeddings, evaluation, features, parallel
from audioclust.clustering.ensemble import partitions
from audioclust.curation.review import roles
from audioclust.geometry import unit_rows

__all__ = ["Answer", "Vectors", "answer", "beside", "joint", "kind_of", "summary", "table", "vectors"]

KINDS = ("voices", "sounds")
SPEECH = 0.2  # share of a recording from which it counts as speech; that of half the sample makes it a folder of voices
POOLINGS = ("mean", "mean_std", "mean_std_delta")
UNSTABLE = "no stable grouping: the features do not separate these recordings"
NAMES = {"label": "sub-folder", "duration": "length", "level": "loudness"}  # of what the groups may follow

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Vectors:
    """What recordings are grouped by.

    Attributes
    ----------
    kind : {"voices", "sounds"}
    X : array [shape=(n, d)]
        Unit rows.
    index : pd.DataFrame
        The metadata of the rows.
    problems : pd.DataFrame
        ``path`` and ``problem`` of the recordings left out.
    parts : list of (str, array [shape=(n, d)])
        The features that `X` is made of.
    """

    kind: str
    X: Floats
    index: pd.DataFrame
    problems: pd.DataFrame
    parts: list[tuple[str, Floats]]
    source: Any


@dataclass(frozen=True, eq=False)
class Answer:
    """The groups.

    Attributes
    ----------
    labels : array of int [shape=(n,)]
        Group of each recording, the largest is 0.
    confidence : array [shape=(n,)]
        How sure, in [0, 1].
    levels : list of clustering.Level
        At which the recordings group by themselves, fine to coarse.
    stability : float
        Of the level that was chosen; NaN where the number of groups was given.
    stable : bool
    rungs : list
        The ladder that the levels were read from.
    agreement : pd.Series
        By feature: how well its clusterings agree with those of other features; empty where there is one feature.
    """

    labels: NDArray[np.intp]
    confidence: Floats
    levels: list[Any] = field(default_factory=list)
    stability: float = float("nan")
    stable: bool = True
    rungs: list[Any] = field(default_factory=list)
    agreement: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))


def kind_of(metadata: pd.DataFrame, root: Path, kind: str = "auto", *, random_state: int = 0) -> tuple[str, str]:
    """Return whether a folder holds "voices" or "sounds", and why; `kind` itself where it says so already."""
    if kind != "auto":
        return kind, "as asked"
    heard = audio.speech_shares(metadata, root, random_state=random_state)["speech"]
    spoken = int((heard >= SPEECH).sum())
    reason = f"speech was heard in {spoken} of {len(heard)} recordings of a sample"
    return ("voices" if 2 * spoken >= len(heard) > 0 else "sounds"), reason
