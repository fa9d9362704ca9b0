"""Many recordings: how time and memory grow, what kills cost, and what a cluster adds.

Each part is a module ``_scale_NAME`` with ``rows(quick)``; ``part(NAME)`` measures one of them. A row has the bar it is
held to, what was measured, and whether it is reached; rows without a bar say what a step costs.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import pandas as pd

import benchmarks


def parts() -> list[str]:
    named = (module.name.partition("_scale_")[2] for module in pkgutil.iter_modules(benchmarks.__path__))
    return sorted(filter(None, named))


def part(name: str, quick: bool = False, **options: Any) -> pd.DataFrame:
    rows = importlib.import_module(f"benchmarks._scale_{name}").rows(quick, **options)
    return pd.DataFrame([{"part": name, **row} for row in rows])


def run(quick: bool) -> pd.DataFrame:
    return pd.concat([part(name, quick) for name in parts()], ignore_index=True)
