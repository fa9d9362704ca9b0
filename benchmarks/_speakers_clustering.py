"""Speaker clusterers: HDBSCAN beside the hdbscan package, and partial sets at a size where nothing else fits.

The vectors are synthetic speakers: random directions of 192 dimensions with isotropic noise as long as they are.
``rows(quick)`` gives one row per measurement, both sides from the same run.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any

import hdbscan
import numpy as np
from sklearn.metrics import adjusted_rand_score

from audioclust.clustering.hdbscan import HDBSCAN
from audioclust.clustering.speakers.partial_sets import PartialSets


def rows(quick: bool) -> list[dict[str, Any]]:
    return [*_hdbscan(quick), _partial_sets(quick)]


def _hdbscan(quick: bool) -> list[dict[str, Any]]:
    HDBSCAN().fit(speakers(100, 192, 0))  # compiles
    table = []
    for n in (500, 1000) if quick else (3000, 20_000):
        X = speakers(n, 192, 1)
        ours, seconds = _timed(lambda X=X: HDBSCAN(min_cluster_size=5).fit_predict(X), 1 if quick else 3)
        theirs, reference = _timed(lambda X=X: hdbscan.HDBSCAN(min_cluster_size=5).fit_predict(X), 1)
        table.append(
            {
                "what": f"HDBSCAN {n} x 192",
                "ours_s": seconds,
                "reference": "hdbscan",
                "reference_s": reference,
                "ratio": reference / seconds,
                "ari": adjusted_rand_score(theirs, ours),
            }
        )
    return table


def _partial_sets(quick: bool) -> dict[str, Any]:
    n, each, size = (4000, 50, 1000) if quick else (200_000, 400, 10_000)
    X = speakers(n, 192, 2, each=each)
    labels, seconds = _timed(lambda: PartialSets(size, random_state=0).fit_predict(X), 1)
    truth = np.arange(n) % (n // each)
    return {
        "what": f"partial sets {n} x 192",
        "ours_s": seconds,
        "reference": None,
        "reference_s": None,
        "ratio": None,
        "ari": adjusted_rand_score(truth, labels),
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def speakers(n: int, d: int, seed: int, *, each: int = 50, noise: float = 1.0) -> np.ndarray:
    """Return unit vectors of n // each synthetic speakers, recording i by speaker i modulo their number."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((max(1, n // each), d))
    centres /= np.linalg.norm(centres, axis=1)[:, None]
    X = centres[np.arange(n) % len(centres)] + noise / np.sqrt(d) * rng.standard_normal((n, d))
    return (X / np.linalg.norm(X, axis=1)[:, None]).astype(np.float32)


def _timed(work: Callable[[], Any], times: int) -> tuple[Any, float]:
    best = np.inf
    for _ in range(times):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return result, float(best)
