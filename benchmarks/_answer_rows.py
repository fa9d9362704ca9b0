"""What `answer` measures of one clusterer on one set, and the rows of its table."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from audioclust import clustering, evaluation

ALGORITHM = "auto"
Row = dict[str, Any]
Cases = dict[str, Callable[[], Row]]


class Answer(NamedTuple):
    """The labels recommended, the levels shown, and the seconds it took."""

    labels: np.ndarray
    levels: list[np.ndarray]
    seconds: float

    @property
    def k(self) -> int:
        return len(np.unique(self.labels))

    @property
    def shown(self) -> str:
        return " ".join(str(len(np.unique(level))) for level in self.levels)


def answer(X: np.ndarray) -> Answer:
    """Group the vectors with nothing set, by the clusterer that ``ALGORITHM`` names here."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = clustering.make(ALGORITHM).fit(X)
    seconds = time.perf_counter() - start
    return Answer(model.labels_, [level.labels for level in model.levels_], seconds)


def accuracy(labels: np.ndarray, truth: np.ndarray) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return evaluation.evaluate(labels, truth)["acc"]


def best_level(given: Answer, truth: np.ndarray) -> tuple[float, int]:
    """Return the best accuracy of the (at most four) levels shown, and its number of groups."""
    levels = given.levels[:4] or [given.labels]
    return max((accuracy(level, truth), len(np.unique(level))) for level in levels)


def row(what: str, measured: str, *, bar: str = "", reached: bool | None = None, **numbers: float | str) -> Row:
    return {"what": what, "bar": bar, "measured": measured, "reached": reached, **numbers}


def one_set(what: str, X: np.ndarray, truth: np.ndarray, *, bar: str = "", least: float | None = None) -> Row:
    """Measure one set: the right number, and the accuracy that the bar asks for."""
    given = answer(X)
    k, acc = len(np.unique(truth)), accuracy(given.labels, truth)
    best, at = best_level(given, truth)
    reached = None if least is None else bool(given.k == k and acc >= least)
    measured = f"{given.k} of {k} groups, ACC {acc:.3f}; levels {given.shown or 'none'}, best {best:.3f} at {at}"
    return row(what, measured, bar=bar, reached=reached, n=len(X), seconds=given.seconds, acc=acc, best_level=best)


def several_sets(
    what: str,
    sets: Iterable[tuple[np.ndarray, np.ndarray]],
    *,
    bar: str = "",
    least: float | None = None,
    within: int | None = None,
    exact: float | None = None,
) -> Row:
    """Measure sets of one kind; each must reach the accuracy and the number, or a share of them the exact number."""
    off, accs, bests, seconds, right, close = [], [], [], 0.0, 0, True
    for X, truth in sets:
        given = answer(X)
        k = len(np.unique(truth))
        accs.append(accuracy(given.labels, truth))
        bests.append(best_level(given, truth)[0])
        seconds += given.seconds
        right += given.k == k
        close &= within is None or abs(given.k - k) <= within
        if given.k != k:
            off.append(f"{k}->{given.k}")
    reached = None
    if least is not None or within is not None or exact is not None:
        reached = close and (least is None or min(accs) >= least) and (exact is None or right >= exact * len(accs))
    measured = f"{right} of {len(accs)} exact, ACC {np.mean(accs):.3f}, least {min(accs):.3f}"
    measured += f", best level {np.mean(bests):.3f}" + (f"; {' '.join(off)}" if off else "")
    numbers = {"acc": float(np.mean(accs)), "least_acc": min(accs), "best_level": float(np.mean(bests))}
    return row(what, measured, bar=bar, reached=reached, seconds=seconds, share_exact=right / len(accs), **numbers)


def table(section: str, cases: Cases, only: str) -> pd.DataFrame:
    """Run the cases whose name holds `only`; a case that fails is a row that says so."""
    rows = []
    for name, measure in cases.items():
        if only not in name:
            continue
        try:
            rows.append(measure())
        except Exception as error:  # one failing case leaves the others; the row names it
            rows.append(row(name, f"{type(error).__name__}: {error}", reached=False))
        print(f"{section}: {rows[-1]['what']}: {rows[-1]['measured']}", flush=True)
    return pd.DataFrame([{"section": section, **measured} for measured in rows])
