"""u-vectors: what learning from unlabelled recordings alone brings, beside MFCC and GE2E of the same sound.

A part is one training (or baseline) on one set with one seed; each is kept as it is finished, in ``uvectors/`` of the
folder that ``AUDIOCLUST_BENCHMARK_CACHE`` names, so that a run that was stopped goes on. ``measured(parts)`` makes the
table of those kept. Labels only score: K-Means is given the number of people, `auto` nothing.

Scores are K-Means ACC per frame, per segment (mean of its frames; ``as_one``: its frames heard as one stretch) and per
recording, of the sound held out of training, and again of the sound trained on; ``chosen`` and ``best`` are per
held-out segment at the check that the label-free rule chose, and at the check that the labels would have chosen.
``directions`` are the same vectors, centred and scaled to length 1 before K-Means; MFCC and GE2E get that too.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audioclust import clustering, evaluation, files
from audioclust.clustering.neighbours import directions
from audioclust.deep import UVectors
from audioclust.deep.u_vectors_frames import Frames, scrambled
from audioclust.geometry import unit_rows
from audioclust.runs import u_vectors
from benchmarks import _uvectors_sets as sets
from benchmarks import _uvectors_speed as speed
from benchmarks._answer_sets import cache
from benchmarks._uvectors_parts import QUICK, Part, parts


def run(quick: bool) -> pd.DataFrame:
    if quick:
        return table([(part, measure(part)) for part in QUICK])
    for part in parts():
        kept(part)
    return measured(parts())


def measured(chosen: Iterable[Part]) -> pd.DataFrame:
    """Return the table of those parts that are finished."""
    return table([(part, files.read_json(path)) for part in chosen if (path := place(part)).is_file()])


def kept(part: Part) -> dict[str, Any]:
    """Return what a part gave; measured and kept when it is asked for first."""
    path = place(part)
    if not path.is_file():
        files.write_json(path, measure(part))
    return files.read_json(path)


def place(part: Part) -> Path:
    return cache() / "uvectors" / f"{files.digest(part._asdict())}.json"


def measure(part: Part) -> dict[str, Any]:
    if part.kind == "speed":
        return speed.measure(**part.settings)
    speech = made(part.set, part.seed, tuple(part.data.items()))
    if part.kind in ("mfcc", "ge2e"):
        return baseline({"mfcc": u_vectors.mfcc, "ge2e": u_vectors.encoded}[part.kind], speech)
    if part.kind == "moonshot":
        return whole(speech, part)
    return learned(speech, part)


@lru_cache(maxsize=2)
def made(name: str, seed: int, data: tuple[tuple[str, Any], ...]) -> sets.Speech:
    speech: sets.Speech = getattr(sets, name)(seed, **dict(data))
    return speech


def baseline(function: Any, speech: sets.Speech) -> dict[str, Any]:
    """Score vectors that are computed and not learned."""
    row: dict[str, Any] = {"cpu_seconds": 0.0, "seconds": 0.0}
    for side in (True, False):
        frames, who = speech.part(side)
        for level, by in levels(frames).items():
            row |= scored(function(frames, by), u_vectors.first(who, by), side, level)
    return row


def learned(speech: sets.Speech, part: Part) -> dict[str, Any]:
    """Train on the sound that is not held out, and score both."""
    train, who = speech.part(False)
    held_out, others = speech.part(True)
    settings = dict(part.settings)
    groups = scrambled(train.segment, settings.pop("impurity", 0.0), part.seed)
    if settings.pop("leak", False):
        groups = who
    elif settings.get("pseudo_label") == "file":
        groups = None
    model = UVectors(random_state=part.seed, patience=None, **settings)
    row = timed(lambda: model.fit(train, groups=groups, watch=held_out))
    for side, frames, truth in ((True, held_out, others), (False, train, who)):
        vectors = unit_rows(model.transform_frames(frames).astype(float))
        for level, by in levels(frames).items():
            row |= scored(u_vectors.means(vectors, by), u_vectors.first(truth, by), side, level)
        as_one = model.transform_frames(frames, by=frames.segment)
        row |= scored(as_one, u_vectors.first(truth, frames.segment), side, "as_one")
        if not side and part.set == "dspspeech" and not part.data:
            row |= {
                f"pseudo_{name}": value for name, value in u_vectors.scores(vectors, train.segment, starts=1).items()
            }
    by = held_out.segment
    curve = [
        u_vectors.scores(u_vectors.means(vectors, by), u_vectors.first(others, by))["acc"] for vectors in model.watched_
    ]
    history = model.history_
    row |= {"curve": curve, "chosen": curve[model.chosen_], "best": max(curve), "chosen_check": model.chosen_}
    return row | {"steps": model.steps, "preparing": history["preparing"].sum() / history["seconds"].sum()}


def whole(speech: sets.Speech, part: Part) -> dict[str, Any]:
    """Train on all recordings, and let every clusterer say who speaks, `auto` without being told how many."""
    recordings = speech.frames
    model = UVectors(random_state=part.seed, patience=None, **part.settings)
    row = timed(lambda: model.fit(recordings))
    X, truth = unit_rows(model.embedding_.astype(float)), u_vectors.first(speech.speaker, recordings.recording)
    k = len(np.unique(truth))
    row |= {"people": k, "recordings": len(X), "eer": evaluation.equal_error_rate(X, truth)}
    partitions = []
    for name in ("auto", "levels", "kmeans", "agglomerative", "spectral", "hdbscan", "nme_spectral", "partial_sets"):
        given = {"n_clusters": k} if name in ("kmeans", "agglomerative", "spectral") else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            labels = clustering.make(name, **given).fit(X).labels_
        partitions.append(labels)
        row |= {f"{name}_acc": evaluation.evaluate(labels, truth)["acc"], f"{name}_k": len(set(labels) - {-1})}
    agreed = clustering.consensus(np.array(partitions))
    return row | {"consensus_acc": evaluation.evaluate(agreed.labels, truth)["acc"], "consensus_k": agreed.n_clusters}


def levels(frames: Frames) -> dict[str, np.ndarray]:
    return {"frame": np.arange(len(frames)), "segment": frames.segment, "recording": frames.recording}


def scored(X: np.ndarray, truth: np.ndarray, held_out: bool, level: str) -> dict[str, float]:
    name = f"{'held_out' if held_out else 'trained'}_{level}"
    row = {f"{name}_{score}": value for score, value in u_vectors.scores(X, truth).items()}
    if held_out and level in ("segment", "as_one"):
        row[f"{name}_directions_acc"] = u_vectors.scores(directions(unit_rows(X.astype(float))), truth)["acc"]
    return row


def timed(fit: Any) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    fit()
    return {"cpu_seconds": time.process_time() - cpu, "seconds": time.perf_counter() - wall}


def table(rows: list[tuple[Part, dict[str, Any]]]) -> pd.DataFrame:
    """Return mean and standard deviation over the seeds, one row per set and variant."""
    shown: dict[str, list[dict[str, Any]]] = {}
    for part, row in rows:
        shown.setdefault(part.name, []).append(row)
    found = []
    for name, own in shown.items():
        numbers = pd.DataFrame(own).drop(columns="curve", errors="ignore")
        line: dict[str, Any] = {"what": name, "seeds": len(own)}
        for column in numbers:
            line[column] = round(float(numbers[column].mean()), 4)
            if len(own) > 1 and column.endswith(("_acc", "chosen", "best")):
                line[f"{column}_std"] = round(float(numbers[column].std()), 4)
        found.append(line)
    return pd.DataFrame(found)
