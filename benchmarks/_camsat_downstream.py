"""What pseudo-labels are worth: a small speaker network is trained on them, and verified on people held out.

The words of `dspspeech`, one vector of GE2E each, are clustered; the network never sees these vectors. Width, steps and
learning rate of the network were chosen with true labels inside the training people of one fold (16 to train, 8 to
verify), with other seeds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from audioclust import audio, clustering, files
from audioclust.deep.camsat import CAMSAT
from audioclust.deep.margin_losses import MARGIN_LOSSES
from audioclust.deep.speaker_network import SpeakerNetwork, speaker_spectra
from audioclust.evaluation import equal_error_rate, evaluate, min_dcf
from audioclust.evaluation.prediction import flip_labels, mean_interval, paired_difference
from benchmarks import _answer_sets
from benchmarks._camsat_rivals import RIVALS, Partitions, network

Rows = list[dict[str, Any]]
RUNS = tuple((seed, (seed + shift) % 3) for shift in range(3) for seed in range(5))  # the first five: each seed once
NETWORK = {
    "channels": 16, "blocks": 1, "dimension": 48, "epochs": 5, "batch_size": 48, "learning_rate": 1e-2, "crop": 1.0,
    "time_mask": 0.0, "frequency_mask": 0.0, "precision": "float32", "device": "cpu",
}  # fmt: skip
PAIRS = (
    ("40% flipped", "true labels"),
    ("CAMSAT + merge", "CAMSAT alone"),
    ("CAMSAT + merge", "K-Means(K) + merge"),
    ("CAMSAT + merge", "auto"),
    ("CAMSAT + merge", "true labels"),
    ("auto", "true labels"),
)


EVERY_LOSS = ("true labels", "40% flipped")


class Size(NamedTuple):
    """How much is measured; labels that `EVERY_LOSS` does not name are trained on with a few losses only."""

    people: int = 34
    words: int = 60
    held_out: int = 10
    runs: int = int(os.environ.get("AUDIOCLUST_CAMSAT_RUNS", 5))
    losses: tuple[str, ...] = tuple(MARGIN_LOSSES)
    few: tuple[str, ...] = ("softmax", "aam", "oc")
    epochs: int = 5
    flips: tuple[float, ...] = (0.1, 0.2, 0.4)
    camsat: dict[str, Any] = {}  # its parameters that are not the usual ones


FULL = Size()
QUICK = Size(6, 8, 2, 1, ("softmax", "aam"), ("aam",), 1, (0.4,), {"width": 32, "max_iter": 20})


class Data(NamedTuple):
    """Spectra (n, frames, bands), vectors (n, d) and speakers (n,) of words, and which words are to train on."""

    spectra: np.ndarray
    vectors: np.ndarray
    speaker: np.ndarray
    train: np.ndarray


def tables(parts: Any, quick: bool) -> list[pd.DataFrame]:
    """Return the error rates by labels and loss, and their paired differences."""
    if not _answer_sets.available():
        return []
    size, rows = QUICK if quick else FULL, []
    for seed, split in RUNS[: size.runs]:
        data = halves(size, split)
        for name, labels in pseudo_labels(size, data, seed, split).items():
            part = f"downstream {name} seed {seed} split {split}"
            rows += parts(part, lambda d=data, n=name, y=labels, s=seed, p=split: downstream(size, d, n, y, s, p))
        rows.append({"labels": "GE2E itself", "loss": "none", "seed": seed, "split": split, **verified(data)})
    table = pd.DataFrame(rows)
    return [_means(table).assign(section="downstream"), _differences(table).assign(section="differences")]


def words(size: Size) -> Data:
    """Return spectra of the loudest 0.8 s of every word (n, 20, 80), 40 ms apart, and GE2E's vectors."""
    root = _answer_sets.SHARED / "datasets" / "dspspeech"
    folders = sorted(path for path in root.iterdir() if path.is_dir())[: size.people]
    paths: list[Path] = [path for folder in folders for path in sorted(folder.glob("*.flac"))[: size.words]]
    of_all = len(paths) == len(list(root.rglob("*.flac")))

    def make() -> dict[str, np.ndarray]:
        every = speaker_spectra([audio.load(path, 16_000)[0] for path in paths], frames=80)
        return {"X": every[:, ::4], "speaker": np.array([path.parent.name for path in paths])}

    found = _answer_sets.kept("dspspeech_spectra_40ms", make) if of_all else make()
    vectors = _answer_sets.dspspeech(1)["X"] if of_all else _answer_sets.encoded([[path] for path in paths])
    speaker = np.unique(found["speaker"], return_inverse=True)[1]
    return Data(found["X"], vectors, speaker, np.ones(len(speaker), bool))


def halves(size: Size, split: int) -> Data:
    """Return the words with the people of one of three folds held out; with 34, four are always trained on."""
    data = words(size)
    people = np.random.default_rng(11).permutation(size.people)
    held_out = people[size.held_out * split : size.held_out * (split + 1)]
    return data._replace(train=~np.isin(data.speaker, held_out))


def pseudo_labels(size: Size, data: Data, seed: int, split: int) -> Partitions:
    """Return labels to train on by name: the truth, flipped truth, and clusterings that are told twice the truth."""
    truth, X = data.speaker[data.train], data.vectors[data.train]
    bound = 2 * len(np.unique(truth))
    flips = {f"{share:.0%} flipped": flip_labels(truth, share, seed=seed) for share in size.flips}
    makers: dict[str, Callable[[], Partitions]] = {
        "CAMSAT": lambda: network(X, bound, seed, **size.camsat),
        "K-Means(K)": partial(merged, X, "K-Means(K)", bound, seed),
        "Ward(K)": partial(merged, X, "Ward(K)", bound, seed),
        "GMM(K)": partial(merged, X, "GMM(K)", bound, seed),
        "levels": lambda: {"": clustering.make("levels").fit(X).labels_},
        "auto": lambda: {"": clustering.make("auto").fit(X).labels_},
    }
    found = {"true labels": truth} | flips
    for name, make in makers.items():
        code = files.digest(CAMSAT().get_params(), 8) if name == "CAMSAT" else ""
        kept = _answer_sets.kept(f"pseudo {name} {code} {seed} {split}", make) if size == FULL else make()
        found |= {f"{name}{end}": labels for end, labels in kept.items()}
    return found


def merged(X: np.ndarray, name: str, bound: int, seed: int) -> Partitions:
    """Return a rival's partition after the merge."""
    return {end: labels for end, labels in RIVALS[name].partitions(X, bound, seed).items() if end == " + merge"}


def trained(size: Size, data: Data, labels: np.ndarray, loss: str, seed: int) -> SpeakerNetwork:
    """Train on the labels of one half."""
    torch.set_num_threads(1)
    settings = NETWORK | {"epochs": size.epochs}
    return SpeakerNetwork(loss, random_state=seed, **settings).fit(data.spectra[data.train], labels)


def verified(data: Data, model: SpeakerNetwork | None = None) -> dict[str, float]:
    """Return the error rates of a network's vectors, or of GE2E's, on the people held out."""
    V = data.vectors[~data.train] if model is None else model.transform(data.spectra[~data.train])
    who = data.speaker[~data.train]
    return {"eer": equal_error_rate(V, who), "min_dcf": min_dcf(V, who, p_target=0.05)}


def downstream(size: Size, data: Data, name: str, labels: np.ndarray, seed: int, split: int) -> Rows:
    """Every loss on one kind of labels; nothing can be learned from a single cluster."""
    scores = evaluate(labels, data.speaker[data.train])
    known = {"acc": scores["acc"], "nmi": scores["nmi"], "found": scores["n_clusters"], "seed": seed, "split": split}
    rows: Rows = []
    for loss in size.losses if name in EVERY_LOSS else size.few:
        if known["found"] < 2:
            rows.append({"labels": name, "loss": loss, **known, "eer": np.nan, "min_dcf": np.nan})
            continue
        cpu = time.process_time()
        model = trained(size, data, labels, loss, seed)
        spent, losses = time.process_time() - cpu, model.history_["loss"]
        what = {"labels": name, "loss": loss, **known, "cpu_s": spent, "fell": float(losses.iloc[-1] / losses.iloc[0])}
        rows.append({**what, **verified(data, model)})
    return rows


def _means(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (labels, loss), part in table.groupby(["labels", "loss"], sort=False):
        row = {"labels": labels, "loss": loss, "runs": len(part)}
        for score in ("eer", "min_dcf"):
            row |= dict(zip((score, f"{score}_low", f"{score}_high"), mean_interval(part[score]), strict=True))
        rows.append(row | {name: part[name].mean() for name in ("acc", "nmi", "found", "fell", "cpu_s")})
    return pd.DataFrame(rows)


def _differences(table: pd.DataFrame) -> pd.DataFrame:
    """Paired differences in EER by loss, and of the mean over losses; where 0 lies in the interval, none is told."""
    wide = table.pivot(index=["seed", "split"], columns=["labels", "loss"], values="eer").dropna(axis=1)
    done = []
    for pair in PAIRS:
        losses = [loss for loss in dict.fromkeys(table["loss"]) if all((name, loss) in wide for name in pair)]
        if not losses:
            continue  # one of the two was a single cluster: nothing was trained
        one, other = (wide[name][losses] for name in pair)
        sides = {loss: (one[loss], other[loss]) for loss in losses}
        sides["mean of losses"] = one.mean(axis=1), other.mean(axis=1)
        what = {"labels": pair[0], "against": pair[1]}
        done += [{**what, "loss": loss, **paired_difference(a, b)} for loss, (a, b) in sides.items()]
    return pd.DataFrame(done)
