"""Speakers: encoders, then clusterers; both sides of every ratio from one run."""

from __future__ import annotations

import pandas as pd


def run(quick: bool) -> pd.DataFrame:
    from benchmarks import _speakers_clustering, _speakers_encoders

    return pd.DataFrame([*_speakers_encoders.rows(quick), *_speakers_clustering.rows(quick)])
