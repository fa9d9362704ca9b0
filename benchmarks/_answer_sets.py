"""The sets that `answer` measures on: speaker vectors and clusterings of the shared recordings, made once and kept.

They are kept in the folder that ``AUDIOCLUST_BENCHMARK_CACHE`` names (default: a folder among the temporary files), as
``NAME.npz``: ``X`` (n, d) and one array of labels per column. Nothing here is seen by what is measured but ``X``.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from audioclust import audio, clustering, datasets, embeddings, features, files, parallel
from audioclust.geometry import unit_rows
from benchmarks.voices import SHARED

SOUNDS = {"tess": "label", "esc10": "label", "fsdd": "label"}
POOLINGS = ("mean", "mean_std", "mean_std_delta")
ALGORITHMS = ("kmeans", "agglomerative", "spectral")


class Named(NamedTuple):
    """Vectors and their true groups, under a name."""

    name: str
    X: np.ndarray
    truth: np.ndarray


def available() -> bool:
    return (SHARED / "datasets").is_dir()


def cache() -> Path:
    """Return the folder that benchmarks keep things in."""
    return Path(os.environ.get("AUDIOCLUST_BENCHMARK_CACHE") or Path(tempfile.gettempdir()) / "audioclust-benchmarks")


def kept(name: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return the arrays kept under a name; made and kept when they are asked for first."""
    path = cache() / f"{name}.npz"
    if not path.is_file():
        arrays = make()
        with files.atomic(path) as partial:
            np.savez(partial, **arrays)
    with np.load(path, allow_pickle=False) as loaded:
        return dict(loaded)


def dspspeech(words: int) -> dict[str, np.ndarray]:
    """GE2E vectors of `dspspeech`, this many words joined: who speaks, and the word where it is one."""
    return kept(f"dspspeech_{words}", lambda: _dspspeech(words))


def _dspspeech(words: int) -> dict[str, np.ndarray]:
    root = SHARED / "datasets" / "dspspeech"
    draw = np.random.default_rng(60)
    utterances: list[list[Path]] = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        own = sorted(folder.glob("*.flac"))
        own = own if words == 1 else [own[i] for i in draw.permutation(len(own))]
        utterances += [own[i : i + words] for i in range(0, len(own) - words + 1, words)]
    speaker = [group[0].parent.name for group in utterances]
    return {"X": encoded(utterances), "speaker": np.array(speaker), "word": _start_of_name(utterances)}


def fsdd(joined: bool) -> dict[str, np.ndarray]:
    """GE2E vectors of `fsdd`, single digits or the ten digits of a take joined: speaker and digit."""
    return kept("fsdd_joined" if joined else "fsdd_single", lambda: _fsdd(joined))


def _fsdd(joined: bool) -> dict[str, np.ndarray]:
    takes: dict[tuple[str, ...], list[Path]] = {}
    for path in sorted((SHARED / "datasets" / "fsdd").rglob("*.flac")):
        digit, who, take = path.stem.split("_")
        takes.setdefault((who, take) if joined else (who, take, digit), []).append(path)
    utterances = [takes[key] for key in sorted(takes)]
    speaker = [group[0].stem.split("_")[1] for group in utterances]
    return {"X": encoded(utterances), "speaker": np.array(speaker), "digit": _start_of_name(utterances)}


def audiomnist(per_person: int, noise: float, seed: int, people: int = 60) -> Named:
    """ECAPA vectors of AudioMNIST, so many per person, with isotropic noise of norm `noise` from this seed."""
    folder = SHARED / "datasets" / "audiomnist_ecapa"
    X = unit_rows(np.load(folder / "embeddings.npy", allow_pickle=False).astype(np.float64))
    who = np.array([int(name[:2]) for name in (folder / "filenames.txt").read_text().split()])
    draw = np.random.default_rng(7 if people == 60 else [7, people, seed])
    chosen = np.unique(who) if people == 60 else draw.choice(np.unique(who), people, replace=False)
    rows = [draw.choice(np.flatnonzero(who == one), per_person, replace=False) for one in chosen]
    X, who = X[np.concatenate(rows)], who[np.concatenate(rows)]
    X = unit_rows(X + noise / np.sqrt(X.shape[1]) * np.random.default_rng(seed).standard_normal(X.shape))
    return Named(f"audiomnist_ecapa, {people} x {per_person}, noise {noise}", X, who)


def partitions(name: str) -> dict[str, np.ndarray]:
    """45 clusterings of a set with k given: labels (45, n), groups (the feature of each), names, and the truth."""
    return kept(f"partitions_{name}", lambda: _partitions(name))


def _partitions(name: str) -> dict[str, np.ndarray]:
    root = SHARED / "datasets" / name
    metadata = datasets.scan(root)
    with tempfile.TemporaryDirectory(prefix="audioclust-benchmark-") as store:
        extracted = features.extract(metadata, root, store, features=features.FEATURES, jobs=parallel.cores())
        names, groups, labels = [], [], []
        for feature in features.FEATURES:
            for pooling in POOLINGS:
                X, index = extracted.vectors(feature, pooling=pooling)
                truth = index[SOUNDS[name]].to_numpy(dtype=str)
                for algorithm in ALGORITHMS:
                    seed = {} if algorithm == "agglomerative" else {"random_state": 0}
                    clusterer = clustering.make(algorithm, n_clusters=len(np.unique(truth)), **seed)
                    labels.append(clusterer.fit(X).labels_)
                    names.append(f"{feature} {pooling} {algorithm}")
                    groups.append(feature)
    return {"labels": np.array(labels), "names": np.array(names), "groups": np.array(groups), "truth": truth}


def _start_of_name(utterances: Sequence[Sequence[Path]]) -> np.ndarray:
    return np.array([group[0].stem.split("_")[0] for group in utterances])


def encoded(utterances: Sequence[Sequence[Path]], batch: int = 64) -> np.ndarray:
    """Return one GE2E vector per utterance; the recordings of an utterance are joined end to end."""
    encoder = embeddings.load("ge2e", device="cpu")
    vectors = []
    for start in range(0, len(utterances), batch):
        part = utterances[start : start + batch]
        vectors.append(encoder.encode([np.concatenate([audio.load(path, 16_000)[0] for path in u]) for u in part]))
    return np.concatenate(vectors)
