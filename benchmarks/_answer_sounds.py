"""Sounds: the consensus of 45 clusterings, what its agreement is worth, and the levels without k."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import normalized_mutual_info_score

from audioclust import clustering
from benchmarks._answer_rows import Cases, Row, accuracy, row
from benchmarks._answer_sets import SOUNDS, partitions

BARS = {"tess": (0.97, 0.95), "esc10": (0.53, 0.0), "fsdd": (0.84, 0.0)}
SPEARMAN = 0.85


def cases() -> Cases:
    return {f"consensus {name}": partial(consensus, name) for name in SOUNDS}


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
