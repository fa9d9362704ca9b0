"""What the notebook `07_u_vectors` does, step by step: cut, train, score every check, compare with MFCC and GE2E.

Labels only score. Which recordings are held out of training is drawn without looking at them.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from audioclust import clustering, embeddings, evaluation, features
from audioclust.deep.u_vectors import UVectors
from audioclust.deep.u_vectors_frames import Frames
from audioclust.features import vectors
from audioclust.geometry import group_sums, unit_rows
from audioclust.report import plots
from audioclust.runs.record import Run

__all__ = ["PUBLISHED", "Learned", "beside", "curves", "encoded", "first", "learn", "means", "mfcc", "scores"]

SCORES = ("acc", "nmi", "ari")
PUBLISHED = pd.DataFrame(
    [
        ("TIMIT", 25, 0.934, 0.979, 0.919, 0.886, 0.958, 0.822, 0.777, 0.924, 0.630),
        ("TIMIT", 50, 0.924, 0.979, 0.898, 0.849, 0.948, 0.755, 0.764, 0.915, 0.623),
        ("TIMIT", 100, 0.889, 0.973, 0.847, 0.809, 0.948, 0.723, 0.719, 0.914, 0.544),
        ("TIMIT", 150, 0.815, 0.955, 0.734, 0.718, 0.924, 0.645, 0.620, 0.896, 0.480),
        ("LibriSpeech", 25, 0.946, 0.983, 0.935, 0.866, 0.948, 0.808, 0.806, 0.918, 0.673),
        ("LibriSpeech", 50, 0.951, 0.989, 0.933, 0.906, 0.971, 0.857, 0.863, 0.957, 0.778),
        ("LibriSpeech", 100, 0.924, 0.984, 0.921, 0.885, 0.970, 0.831, 0.840, 0.949, 0.700),
        ("LibriSpeech", 146, 0.932, 0.987, 0.916, 0.797, 0.949, 0.678, 0.713, 0.923, 0.607),
        ("Bengali ASR", 25, 0.909, 0.969, 0.869, 0.854, 0.941, 0.768, 0.789, 0.907, 0.643),
        ("Bengali ASR", 50, 0.930, 0.983, 0.912, 0.903, 0.966, 0.835, 0.841, 0.948, 0.751),
        ("Bengali ASR", 100, 0.906, 0.977, 0.871, 0.836, 0.956, 0.753, 0.727, 0.918, 0.647),
        ("Bengali ASR", 150, 0.885, 0.973, 0.836, 0.714, 0.926, 0.687, 0.671, 0.908, 0.568),
    ],
    columns=pd.MultiIndex.from_tuples(
        [("", "set"), ("", "speakers"), *((f"impurity {share}", name) for share in (0, 0.05, 0.1) for name in SCORES)]
    ),
)
"""Published scores of K-Means on frames against the speakers; the pairs were drawn from true labels.

Impurity is the share of those labels that were exchanged for another's.
"""


@dataclass(frozen=True)
class Learned:
    """What was learned from a dataset.

    Parameters
    ----------
    models : dict of str to UVectors
        By how they were trained; the first is the notebook's answer.
    trained, held_out : Frames
        Of the recordings that were trained on, and of the others.
    index : DataFrame
        The metadata rows that `Frames.recording` counts.
    """

    models: dict[str, UVectors]
    trained: Frames
    held_out: Frames
    index: pd.DataFrame

    @property
    def answer(self) -> UVectors:
        """The first model."""
        return next(iter(self.models.values()))

    def truth(self, column: str, frames: Frames) -> NDArray[Any]:
        """Return what each frame's recording has in a column."""
        return self.index[column].to_numpy(dtype=object)[frames.recording]


def learn(run: Run, metadata: pd.DataFrame, root: Path) -> Learned:
    """Cut a dataset's recordings, hold some out, and train on the others."""
    p: Any = run.parameters
    usable = metadata[metadata["problem"].isna()].reset_index(drop=True)
    cutter = UVectors(**p.settings)
    frames = cutter.cut([root / path for path in usable["path"]])
    numbers = np.unique(frames.recording)
    drawn = np.random.default_rng(p.seeds[0]).permutation(numbers)
    out = np.sort(drawn[: round(p.held_out * len(drawn))])
    trained, held_out = frames.of(np.setdiff1d(numbers, out)), frames.of(out)
    kept = run.project.checkpoints / p.dataset
    models = {}
    for training in p.trainings:
        model = UVectors(**{**p.settings, "training": training}, random_state=p.seeds[0], folder=kept)
        models[training] = model.fit(_counted(trained), watch=held_out if len(held_out) else None)
    return Learned(models, trained, held_out, usable)


def curves(run: Run, learned: Learned, column: str | None) -> pd.DataFrame:
    """Return the checks of the answer: loss, share that changed group, and K-Means ACC per held-out frame.

    ``train`` is against the pseudo-labels, ``ground`` against the labels in `column`, if there are any; where the
    labels would have stopped is a dotted line in the figure, and nothing else.
    """
    model, frames = learned.answer, learned.held_out
    table = model.history_[["epoch", *[c for c in ("loss", "changed", "settled") if c in model.history_]]].copy()
    if len(frames):
        sides = {"train": frames.segment} | ({} if column is None else {"ground": learned.truth(column, frames)})
        for name, truth in sides.items():
            table[name] = [scores(vectors, truth, starts=1)["acc"] for vectors in model.watched_.astype(float)]
        ax = plots.loss_curves(table[["epoch", "changed", *sides]], title="At every check")
        ax.set(yscale="linear", ylim=(0, 1), xlabel="check", ylabel="share of the segments, or ACC")
        ax.locator_params(axis="x", integer=True)
        ax.axvline(model.chosen_, color="black", linewidth=1, label="chosen")
        if "ground" in table:
            ax.axvline(int(table["ground"].argmax()), color="black", linewidth=1, linestyle=":", label="best by labels")
        ax.legend()
        run.draw("checks", lambda: ax)
    return table


def beside(learned: Learned, column: str, encoder: str = "ge2e") -> pd.DataFrame:
    """Return K-Means scores of the held-out sound by frame, segment and recording: u-vectors, MFCC, an encoder."""
    frames = learned.held_out
    rows = []
    for level, by in {"frame": _rows(frames), "segment": frames.segment, "recording": frames.recording}.items():
        truth = first(learned.truth(column, frames), by)
        made: dict[str, NDArray[Any]] = {
            name: means(model.transform_frames(frames), by) for name, model in learned.models.items()
        }
        if level == "segment":
            made |= {f"{name}, as one": model.transform_frames(frames, by=by) for name, model in learned.models.items()}
        made |= {"MFCC": mfcc(frames, by), encoder: encoded(frames, by, encoder)}
        rows += [{"per": level, "vectors": name, **scores(X, truth)} for name, X in made.items()]
    return pd.DataFrame(rows)


def scores(X: NDArray[Any], truth: ArrayLike, *, starts: int = 10) -> dict[str, float]:
    """Return ACC, NMI and ARI of K-Means with the true number of groups; NaN where there are more groups than rows."""
    k = len(set(np.asarray(truth).tolist()))
    if k > len(X):
        return dict.fromkeys(SCORES, float("nan"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a cluster left empty: the score says it
        labels = clustering.make("kmeans", n_clusters=k, n_init=starts, random_state=0).fit(X).labels_
        given = evaluation.evaluate(labels, truth)
    return {name: given[name] for name in SCORES}


def mfcc(frames: Frames, by: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return mean and standard deviation of 20 MFCCs over the frames of every group in `by`, standardised."""
    rows = []
    for wave in _waves(frames, by):
        values = features.spectral(wave, frames.sample_rate, ["mfcc"], n_fft=512, hop=160)["mfcc"]
        rows.append(vectors.pool(values, "mean_std"))
    return vectors.scale(np.array(rows))


def encoded(frames: Frames, by: NDArray[np.intp], encoder: str = "ge2e") -> NDArray[np.float32]:
    """Return an encoder's vectors of the same sound."""
    return embeddings.load(encoder, device="cpu").encode(_waves(frames, by), frames.sample_rate)


def means(X: NDArray[Any], by: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the mean direction of the rows of every group, in the order of the groups' numbers."""
    place = np.unique(by, return_inverse=True)[1]
    return unit_rows(group_sums(unit_rows(X.astype(np.float64)), place, int(place.max()) + 1))


def first(values: NDArray[Any], by: NDArray[np.intp]) -> NDArray[Any]:
    """Return the value of the first frame of every group."""
    return values[np.unique(by, return_index=True)[1]]


def _waves(frames: Frames, by: NDArray[np.intp]) -> list[NDArray[np.float32]]:
    """Return each group's frames, joined."""
    return [frames.samples[by == group].ravel().astype(np.float32) / 32767 for group in np.unique(by)]


def _rows(frames: Frames) -> NDArray[np.intp]:
    return np.arange(len(frames))


def _counted(frames: Frames) -> Frames:
    """Return the frames with their recordings numbered without gaps, so that each has a frame."""
    numbers, place = np.unique(frames.recording, return_inverse=True)
    return Frames(frames.samples, frames.segment, place, len(numbers), frames.sample_rate)
