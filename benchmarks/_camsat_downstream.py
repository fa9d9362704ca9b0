"""What pseudo-labels are worth: a small speaker network is trained on them, and verified on people held out."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import AgglomerativeClustering, KMeans

from audioclust import audio
from audioclust.clustering.merging import merge_clusters
from audioclust.clustering.positives import shared_neighbour_graph
from audioclust.deep.camsat import CAMSAT
from audioclust.deep.margin_losses import MARGIN_LOSSES
from audioclust.deep.speaker_network import SpeakerNetwork, speaker_spectra
from audioclust.evaluation import equal_error_rate, evaluate, min_dcf
from audioclust.evaluation.prediction import clustering_scores, correlations, paired_difference
from audioclust.geometry import unit_rows
from benchmarks import _answer_sets

Rows = list[dict[str, Any]]
HELD_OUT = 10
RUNS = tuple((seed, split) for seed in range(5) for split in range(3))
NETWORK = {"channels": 16, "dimension": 48, "epochs": 8, "learning_rate": 5e-3, "batch_size": 96}
FLIPS = (0.1, 0.2, 0.4)


def tables(parts: Any, quick: bool) -> list[pd.DataFrame]:
    """Return the tables of both sections, from the parts that time allowed (:data:`RUNS`)."""
    if quick or not _answer_sets.available():
        return []
    trained, predicted = [], []
    for seed, split in parts.chosen(RUNS):
        name = f"seed {seed} split {split}"
        trained += parts(f"downstream {name}", lambda seed=seed, split=split: downstream(seed, split))
        predicted += parts(f"prediction {name}", lambda seed=seed, split=split: prediction(seed, split))
    rows = pd.DataFrame(trained)
    means = rows.groupby(["loss", "labels"], sort=False).agg(
        eer=("eer", "mean"), eer_std=("eer", "std"), min_dcf=("min_dcf", "mean"), acc=("acc", "mean"),
        found=("found", "mean"), cpu_s=("cpu_s", "mean"), runs=("eer", "size"),
    )  # fmt: skip
    return [
        means.reset_index().assign(section="downstream"),
        _differences(rows).assign(section="differences"),
        correlations(pd.DataFrame(predicted), "eer", groups="algorithm").assign(section="prediction"),
    ]


def spectra() -> dict[str, np.ndarray]:
    """Spectra of every word (n, 40, 80), 20 ms apart, of the loudest 0.8 s; and who speaks."""

    def make() -> dict[str, np.ndarray]:
        root = _answer_sets.SHARED / "datasets" / "dspspeech"
        paths: list[Path] = sorted(root.rglob("*.flac"))
        every = speaker_spectra([audio.load(path, 16_000)[0] for path in paths], frames=80)
        return {"X": every[:, ::2], "speaker": np.array([path.parent.name for path in paths])}

    return _answer_sets.kept("dspspeech_spectra", make)


def halves(split: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the spectra, the GE2E vectors and the speakers' numbers of all words, and which ones are to train on."""
    words, vectors = spectra(), _answer_sets.dspspeech(1)
    speaker = np.unique(words["speaker"], return_inverse=True)[1]
    if (words["speaker"] != vectors["speaker"]).any():
        raise RuntimeError("spectra and vectors are not of the same recordings in the same order")
    people = np.random.default_rng(11).permutation(speaker.max() + 1)  # three folds of ten, four are always trained on
    held_out = people[HELD_OUT * split : HELD_OUT * (split + 1)]
    return words["X"], vectors["X"], speaker, ~np.isin(speaker, held_out)


def pseudo_labels(X: np.ndarray, truth: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Return labels to train on by name: the truth, flipped truth, CAMSAT's and K-Means'."""
    bound = 2 * len(np.unique(truth))
    labels = {"true labels": truth} | {f"{share:.0%} flipped": flipped(truth, share, seed) for share in FLIPS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels["CAMSAT + merge"] = CAMSAT(bound, random_state=seed).fit(X).merged_labels_
    Z = unit_rows(X)
    many = KMeans(bound, n_init=5, random_state=seed).fit_predict(Z)
    labels["K-Means(K) + merge"] = merge_clusters(shared_neighbour_graph(Z), many)
    return labels


def flipped(truth: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return labels of which this share is replaced by another speaker's."""
    draw, labels = np.random.default_rng([seed, round(100 * share)]), truth.copy()
    rows = draw.choice(len(truth), round(share * len(truth)), replace=False)
    people = np.unique(truth)
    place = np.searchsorted(people, truth[rows])
    labels[rows] = people[(place + draw.integers(1, len(people), len(rows))) % len(people)]
    return labels


def trained(data: Any, labels: np.ndarray, loss: str, seed: int) -> dict[str, float]:
    """Train on the labels of one half and verify on the other."""
    X, _, speaker, train = data
    cpu = time.process_time()
    network = SpeakerNetwork(loss, random_state=seed, **NETWORK).fit(X[train], labels)
    V, who = network.transform(X[~train]), speaker[~train]
    spent = time.process_time() - cpu
    return {"eer": equal_error_rate(V, who), "min_dcf": min_dcf(V, who, p_target=0.05), "cpu_s": spent}


def downstream(seed: int, split: int) -> Rows:
    """Every loss on every kind of labels."""
    data = halves(split)
    _, vectors, speaker, train = data
    rows = []
    for name, labels in pseudo_labels(vectors[train], speaker[train], seed).items():
        scores = evaluate(labels, speaker[train])
        known = {"acc": scores["acc"], "found": scores["n_clusters"], "seed": seed, "split": split}
        rows += [{"labels": name, "loss": loss, **known, **trained(data, labels, loss, seed)} for loss in MARGIN_LOSSES]
    return rows


def prediction(seed: int, split: int) -> Rows:
    """Many clusterings, their scores, and the error rate of a network trained on each."""
    data = halves(split)
    _, vectors, speaker, train = data
    X, truth = unit_rows(vectors[train]), speaker[train]
    made: dict[tuple[str, str], np.ndarray] = {}
    for k in (8, 16, 24, 36, 60, 120):
        made["classical", f"K-Means {k}"] = KMeans(k, n_init=3, random_state=seed).fit_predict(X)
        made["classical", f"Ward {k}"] = AgglomerativeClustering(k).fit_predict(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for k in (12, 24, 48, 96):
            model = CAMSAT(k, width=200, random_state=seed).fit(X)
            made["deep", f"CAMSAT {k}"] = model.network_labels_
            made["deep", f"CAMSAT {k} + merge"] = model.merged_labels_
    for share in FLIPS:
        made["classical", f"K-Means 24, {share:.0%} flipped"] = flipped(made["classical", "K-Means 24"], share, seed)
    scores = clustering_scores(list(made.values()), truth, X)
    rows = []
    for (kind, name), labels, row in zip(made, made.values(), scores.to_dict("records"), strict=True):
        result = trained(data, labels, "am", seed)
        rows.append({"algorithm": kind, "clustering": name, "seed": seed, "split": split, **row, "eer": result["eer"]})
    return rows


def _differences(rows: pd.DataFrame) -> pd.DataFrame:
    """Paired differences in EER, with bootstrap intervals over seeds and splits: where 0 lies inside, none is told."""
    pairs = [
        ("40% flipped", "true labels"),
        ("CAMSAT + merge", "K-Means(K) + merge"),
        ("CAMSAT + merge", "true labels"),
    ]
    table = rows.pivot_table(index=["seed", "split"], columns=["loss", "labels"], values="eer")
    done = []
    for loss in table.columns.get_level_values(0).unique():
        for one, other in pairs:
            found = paired_difference(table[loss][one].to_numpy(), table[loss][other].to_numpy())
            done.append({"loss": loss, "labels": one, "against": other, **found})
    return pd.DataFrame(done)
