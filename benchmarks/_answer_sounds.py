"""Sounds: the consensus of 45 clusterings, what its agreement is worth, and the levels without k."""

from __future__ import annotations

import tempfile
import time
from functools import partial

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import normalized_mutual_info_score

import audioclust
from audioclust import clustering
from benchmarks._answer_rows import Cases, Row, accuracy, row
from benchmarks._answer_sets import SOUNDS, partitions
from benchmarks.voices import SHARED

BARS = {"tess": (0.97, 0.95), "esc10": (0.53, 0.0), "fsdd": (0.84, 0.0)}
SPEARMAN = 0.85
GROUPS = {"tess": 14, "esc10": 10}


def cases() -> Cases:
    with_k: Cases = {f"consensus {name}": partial(consensus, name) for name in SOUNDS}
    return with_k | {f"group {name}": partial(grouped, name) for name in GROUPS}


def grouped(name: str) -> Row:
    """Measure the main job, from nothing to the page: a level near the number of labels, and the time on `esc10`."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="audioclust-benchmark-") as out:
        table, _ = audioclust.group(SHARED / "datasets" / name, kind="sounds", out=out)
    seconds = time.perf_counter() - start
    levels = [table[column] for column in table if column == "group" or column.startswith("level")]
    numbers = [level.nunique() for level in levels]
    k = GROUPS[name]
    near = len(numbers) <= 5 and any(abs(number - k) <= 0.1 * k for number in numbers)  # the recommended and 4 levels
    limit = 90 if name == "esc10" else None
    bar = f"a level within 10 % of {k}" + (f", <= {limit} s" if limit else "")
    measured = f"{numbers[0]} groups; levels {' '.join(map(str, numbers))}; {seconds:.0f} s"
    reached = near and (limit is None or seconds <= limit)
    return row(f"group {name}, k unknown", measured, bar=bar, reached=reached, seconds=seconds)


def consensus(name: str) -> Row:
    """Measure the consensus with k given, and agreement's rank correlation with NMI to the labels."""
    made = partitions(name)
    truth = made["truth"]
    result = clustering.consensus(made["labels"], groups=made["groups"], n_clusters=len(np.unique(truth)))
    nmi, acc = normalized_mutual_info_score(truth, result.labels), accuracy(result.labels, truth)
    each = [normalized_mutual_info_score(truth, labels) for labels in made["labels"]]
    rank = float(spearmanr(result.agreement, each).statistic)
    chosen = each[int(np.argmax(result.agreement))]
    least_nmi, least_acc = BARS[name]
    bar = f"NMI >= {least_nmi}" + (f", ACC >= {least_acc}" if least_acc else "") + f", Spearman >= {SPEARMAN}"
    measured = f"NMI {nmi:.3f}, ACC {acc:.3f}, Spearman {rank:.2f}; row chosen {chosen:.3f}, best row {max(each):.3f}"
    reached = bool(nmi >= least_nmi and acc >= least_acc and rank >= SPEARMAN)
    return row(f"{name}, k given", measured, bar=bar, reached=reached, nmi=nmi, acc=acc, spearman=rank)
