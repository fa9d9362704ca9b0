"""An answer without labels: how many groups, and who is in which, with nothing set and no label used.

``voices()``, ``sounds()``, ``others()`` and ``speed()`` measure a section each and return its table; `only` keeps the
cases whose name holds it. A row has the bar it is held to, what was measured, and whether it is reached; rows without
a bar are a guard against fitting the sets that have one. Every one of several draws has to reach a bar, not their
mean. ``benchmarks._answer_rows.ALGORITHM = "levels"`` measures another clusterer than ``auto``. Vectors and clusterings
are made once and kept (:mod:`benchmarks._answer_sets`).
"""

from __future__ import annotations

import pandas as pd

from benchmarks import _answer_others, _answer_sets, _answer_sounds, _answer_speed, _answer_voices
from benchmarks._answer_rows import table


def run(quick: bool) -> pd.DataFrame:
    quick_ones = ((others, "quick"), (speed, "900 x 192"))
    every_one = ((voices, ""), (sounds, ""), (others, ""), (speed, ""))
    sections = [section(only) for section, only in (quick_ones if quick else every_one)]
    return pd.concat(sections, ignore_index=True)[["section", "what", "bar", "measured", "reached", "seconds"]]


def voices(only: str = "", seed: int = 0) -> pd.DataFrame:
    _check_shared()
    return table("voices", _answer_voices.cases(seed), only)


def sounds(only: str = "") -> pd.DataFrame:
    _check_shared()
    return table("sounds", _answer_sounds.cases(), only)


def others(only: str = "", seed: int = 0) -> pd.DataFrame:
    return table("others", _answer_others.cases(seed), only)


def speed(only: str = "") -> pd.DataFrame:
    return table("speed", _answer_speed.cases(), only)


def _check_shared() -> None:
    if not _answer_sets.available():
        raise FileNotFoundError(f"no {_answer_sets.SHARED / 'datasets'}: set AUDIOCLUST_SHARED to the folder above it")
