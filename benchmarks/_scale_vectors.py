"""A million speaker vectors: time, memory and groups of ``graph_hdbscan`` as recordings grow, and others at 20 000.

The vectors are drawn: speakers' centres uniformly on the sphere of 192 dimensions, isotropic noise around them at which
the equal error rate is about 1 %, sizes of speakers by a power law (density as 1 / size^2, from 10 recordings to a
hundredth of all, so each factor of ten in size has as many recordings). Each row is a process of its own, whose input
is a memory-mapped file; its peak holds everything that Python and the libraries take. Other libraries are measured
when they can be imported; noise counts as groups of one.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from sklearn.metrics import adjusted_rand_score

from audioclust import clustering, evaluation
from audioclust.evaluation.external import singletons

ROOT = Path(__file__).parents[1]
SPREAD = 1.46  # length of the noise beside a centre of length 1
DIMENSIONS = 192
SIZES = (20_000, 50_000, 200_000, 1_000_000)
BLOCK = 50_000  # rows drawn at once
UNEVEN: dict[str, dict[str, Any]] = {
    "centres within 32 dimensions": {"spread": 1.35, "within": 32},
    "centres within 32 dimensions, falling noise": {"spread": 0.85, "within": 32, "falling": 48.0},
    "centres within 64 dimensions, falling noise": {"spread": 1.0, "within": 64, "falling": 48.0},
}
OTHERS = {"hdbscan": "hdbscan", "fast_hdbscan": "fast_hdbscan", "hdbscan-rs": "hdbscan_rs", "evoc": "evoc"}


def rows(quick: bool, *, sizes: tuple[int, ...] = SIZES, seed: int = 1) -> list[dict[str, Any]]:
    sizes = (1000, 2000) if quick else sizes
    table = []
    with tempfile.TemporaryDirectory(prefix="audioclust-benchmark-") as scratch:
        for n in sizes:
            X, truth = drawn(n, seed)
            np.save(Path(scratch) / "X.npy", X)
            if n == sizes[0]:
                table += _beside(scratch, X, truth, {} if quick else OTHERS)
            found, labels = _alone(scratch, "graph_hdbscan", {}, here=quick)
            table.append({"what": f"graph_hdbscan {n} x {DIMENSIONS}", **found, **_scores(labels, truth)})
            del X
        table += [_uneven(scratch, seed, what, **drawing) for what, drawing in UNEVEN.items() if not quick]
    low, high = sizes[-3:][0], sizes[-1]
    spent = {row["what"]: row["cpu_s"] for row in table if "cpu_s" in row}
    ratio = spent[f"graph_hdbscan {high} x {DIMENSIONS}"] / spent[f"graph_hdbscan {low} x {DIMENSIONS}"]
    growth = math.log(ratio) / math.log(high / low)
    what = f"CPU seconds grow with n to the power of, {low} to {high}"
    return [*table, {"what": what, "measured": growth, "bar": "<= 1.2", "reached": growth <= 1.2}]


def _uneven(scratch: str, seed: int, what: str, **drawing: Any) -> dict[str, Any]:
    """Measure where directions are not alike."""
    X, truth = drawn(200_000, seed, **drawing)
    np.save(Path(scratch) / "X.npy", X)
    rate = evaluation.equal_error_rate(X[:20_000][truth[:20_000] < 200], truth[:20_000][truth[:20_000] < 200])
    found, labels = _alone(scratch, "graph_hdbscan", {})
    return {"what": f"graph_hdbscan 200000, {what}, EER {rate:.1%}", **found, **_scores(labels, truth)}


def drawn(
    n: int, seed: int, spread: float = SPREAD, *, within: int = DIMENSIONS, falling: float = math.inf
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Return n unit vectors, and who speaks.

    Centres lie `within` so many dimensions. The deviation of the noise in dimension i is in proportion to
    exp(-i / falling): it is most where the centres are, too.
    """
    rng = np.random.default_rng(seed)
    least, most = 10, max(n // 100, 20)
    sizes, left = [], n
    while left > 0:
        sizes.append(min(int(least / (1 - rng.random() * (1 - least / most))), left))
        left -= sizes[-1]
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = rng.standard_normal((len(sizes), DIMENSIONS)).astype(np.float32)
    centres[:, within:] = 0
    centres /= np.linalg.norm(centres, axis=1)[:, None]
    X = np.empty((n, DIMENSIONS), np.float32)
    deviation = np.exp(-np.arange(DIMENSIONS) / falling)
    scale = (spread * deviation / np.linalg.norm(deviation)).astype(np.float32)
    for start in range(0, n, BLOCK):
        who = truth[start : start + BLOCK]
        noisy = centres[who] + scale * rng.standard_normal((len(who), DIMENSIONS), dtype=np.float32)
        X[start : start + BLOCK] = noisy / np.linalg.norm(noisy, axis=1)[:, None]
    return X, truth


def _beside(
    scratch: str, X: NDArray[np.float32], truth: NDArray[np.intp], others: dict[str, str] = OTHERS
) -> list[dict[str, Any]]:
    """Measure exact HDBSCAN, the graph in place of the exact tree, and the other libraries on the same vectors."""
    n, some = len(X), slice(0, 4000)
    rate = evaluation.equal_error_rate(X[some], truth[some])
    table: list[dict[str, Any]] = [{"what": f"equal error rate of {n} x {DIMENSIONS}", "measured": rate}]
    ways = {
        "hdbscan": ("exact HDBSCAN (min_samples 1)", {"min_samples": 1}),
        "graph_hdbscan": ("graph_hdbscan, no exact tree", {"exact_up_to": 100}),
        "partial_sets": ("partial_sets", {}),
    }
    exact: NDArray[np.intp] | None = None
    for name, (what, given) in ways.items():
        found, labels = _alone(scratch, name, given, here=not others)
        exact = labels if exact is None else exact
        same = adjusted_rand_score(singletons(exact), singletons(labels))
        table.append({"what": f"{what} {n}", **found, **_scores(labels, truth), "ari_exact": same})
    for name, module in others.items():
        what = f"{name} {n}"
        if importlib.util.find_spec(module) is None:
            table.append({"what": f"{what}: not installed"})
            continue
        found, labels = _alone(scratch, f"library:{name}", {})
        same = adjusted_rand_score(singletons(exact), singletons(labels))
        table.append({"what": what, **found, **_scores(labels, truth), "ari_exact": same})
    return table


def _alone(
    scratch: str, name: str, given: dict[str, Any], *, here: bool = False
) -> tuple[dict[str, Any], NDArray[np.intp]]:
    """Cluster in a new process, or in this one."""
    if here:
        return child(scratch, name, given), np.load(Path(scratch) / "labels.npy")
    call = f"print(json.dumps(child({scratch!r}, {name!r}, {given!r})))"
    command = [sys.executable, "-W", "ignore", "-c", f"from benchmarks._scale_vectors import *; {call}"]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1]), np.load(Path(scratch) / "labels.npy")


def child(scratch: str, name: str, given: dict[str, Any]) -> dict[str, float]:
    """Cluster the vectors of a folder, after a small fit that compiles; leave the labels there, return what it took."""
    fit = _library(name.partition(":")[2]) if name.startswith("library:") else _ours(name, given)
    fit(drawn(400, 0)[0])
    X = np.load(Path(scratch) / "X.npy", mmap_mode="r")
    began, before = time.perf_counter(), os.times()
    labels = fit(X)
    seconds, after = time.perf_counter() - began, os.times()
    np.save(Path(scratch) / "labels.npy", labels)
    spent = sum(after[:4]) - sum(before[:4])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"seconds": seconds, "cpu_s": spent, "peak_gib": peak}


def _ours(name: str, given: dict[str, Any]) -> Callable[[NDArray[Any]], NDArray[np.intp]]:
    return lambda X: clustering.make(name, **given).fit_predict(X)


def _library(name: str) -> Callable[[NDArray[Any]], NDArray[np.intp]]:
    """Return a clustering function of another library, with the same smallest cluster."""
    if name == "evoc":
        from evoc import EVoC

        return lambda X: np.asarray(EVoC(base_min_cluster_size=5, random_state=0).fit_predict(np.array(X)))
    if name == "hdbscan-rs":
        from hdbscan_rs import HDBSCAN
    elif name == "fast_hdbscan":
        from fast_hdbscan import HDBSCAN
    else:
        from hdbscan import HDBSCAN
    wide = np.float64 if name != "fast_hdbscan" else np.float32
    return lambda X: np.asarray(HDBSCAN(min_cluster_size=5, min_samples=1).fit_predict(np.array(X, dtype=wide)))


def _scores(labels: NDArray[np.intp], truth: NDArray[np.intp]) -> dict[str, float]:
    groups = singletons(labels)
    table = coo_array((np.ones(len(groups)), (groups, truth))).tocsr()
    return {
        "ari": float(adjusted_rand_score(truth, groups)),
        "purity": float(table.max(axis=1).sum() / len(groups)),
        "groups": int(labels.max()) + 1,
        "speakers": int(truth.max()) + 1,
        "noise": float(np.mean(labels < 0)),
    }
