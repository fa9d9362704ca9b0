"""What the notebook ``group`` does, step by step: the kind of recordings, their vectors, the groups, and how to say it.

``X`` [shape=(n, d)] has unit rows, so that the product of two rows is their similarity, from -1 to 1: that of a speaker
encoder's vectors, or, of other sounds, the mean over the spectral features of the cosine of standardised vectors.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from audioclust import audio, clustering, embeddings, evaluation, features, files, parallel, recording
from audioclust.clustering.ensemble import chance, memberships, partitions
from audioclust.clustering.levels import is_stable
from audioclust.curation.corrections import Corrections
from audioclust.curation.review import roles
from audioclust.features.vectors import reduce, scale
from audioclust.geometry import unit_rows
from audioclust.runs import levels
from audioclust.runs.preparation import reasons

__all__ = [
    "Answer",
    "Vectors",
    "answer",
    "by_size",
    "joint",
    "kind_of",
    "summary",
    "table",
    "vector_of",
    "vectors",
    "write",
]

SPEECH = 0.2  # share of a recording from which it counts as speech; that of half the sample makes it a folder of voices
SURE = 0.5  # confidence from which a recording counts as surely placed
SHORT = 1.0  # s; voices of less are hard to tell apart
SIZES = 12  # groups whose sizes are named
COMPONENTS = 50
JOINT = "mean_std"
POOLINGS = ("mean", "mean_std", "mean_std_delta")
MEASURED = ("duration", "level")
NAMES = {"label": "sub-folder", "duration": "length", "level": "loudness"}  # of what the groups may follow

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Vectors:
    """What recordings are grouped by.

    Attributes
    ----------
    kind : {"voices", "sounds"}
    X : array [shape=(n, d)]
        Unit rows.
    index : pd.DataFrame
        The metadata of the rows.
    problems : pd.DataFrame
        ``path`` and ``problem`` of the recordings left out.
    parts : list of (str, array [shape=(n, d)])
        What is clustered, by feature.
    raw : dict of str to array [shape=(n, d)]
        Of sounds, as `raw_vectors` gives.
    """

    kind: str
    X: Floats
    index: pd.DataFrame
    problems: pd.DataFrame
    parts: list[tuple[str, Floats]]
    raw: dict[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Answer:
    """The groups.

    Attributes
    ----------
    labels : array of int [shape=(n,)]
        Group of each recording, the largest is 0.
    confidence : array [shape=(n,)]
        How sure, in [0, 1].
    levels : list of clustering.Level
        At which the recordings group by themselves, fine to coarse.
    stability : float
        Of the level that was chosen; NaN where the number of groups was given.
    stable : bool
    rungs : list
        The ladder that the levels were read from.
    agreement : pd.Series
        By feature: how well its clusterings agree with those of other features; empty where there is one feature.
    named : dict of int to str
        Groups that a listener named.
    heard : Corrections
        What a listener said about these recordings, by their rows.
    """

    labels: NDArray[np.intp]
    confidence: Floats
    levels: list[Any] = field(default_factory=list)
    stability: float = float("nan")
    stable: bool = True
    rungs: list[Any] = field(default_factory=list)
    agreement: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
    named: dict[int, str] = field(default_factory=dict)
    heard: Corrections = field(default_factory=Corrections)


def kind_of(metadata: pd.DataFrame, root: Path, kind: str = "auto", *, random_state: int = 0) -> tuple[str, str]:
    """Return whether a folder holds "voices" or "sounds", and why; `kind` itself where it says so already."""
    if kind != "auto":
        return kind, "as asked"
    heard = audio.speech_shares(metadata, root, random_state=random_state)["speech"]
    spoken = int((heard >= SPEECH).sum())
    reason = f"speech was heard in {spoken} of {len(heard)} recordings of a sample"
    return ("voices" if 2 * spoken >= len(heard) > 0 else "sounds"), reason


def vectors(
    kind: str, metadata: pd.DataFrame, root: Path, store: Path, *, encoder: str = "ge2e", jobs: parallel.Jobs = 1
) -> Vectors:
    """Compute, or read back, what recordings of a kind are grouped by.

    Raises
    ------
    ValueError
        When fewer than two recordings can be used.
    """
    if kind == "voices":
        encoded = embeddings.extract(metadata, root, store / "embeddings", encoder=encoder, jobs=jobs)
        X, index = encoded.vectors()
        found = Vectors(kind, X.astype(np.float64), index, encoded.problems, [(encoder, X.astype(np.float64))])
    else:
        extracted = features.extract(metadata, root, store, jobs=jobs)
        raw = raw_vectors(extracted)
        with threadpool_limits(1):
            parts = [(name.partition(" ")[0], compact(X)) for name, X in raw.items()]
        broken = metadata.loc[metadata["problem"].notna(), ["path", "problem"]]
        problems = pd.concat([broken, extracted.problems], ignore_index=True)
        found = Vectors(kind, joint(raw), extracted.index, problems, parts, raw)
    if len(found.X) < 2:
        raise ValueError(f"{len(found.X)} of {len(metadata)} recordings can be used: there is nothing to group")
    return found


def vector_of(
    file: Path, given: Vectors, store: Path, *, encoder: str = "ge2e", jobs: parallel.Jobs = 1
) -> NDArray[np.float64]:
    """Return the unit vector [shape=(d,)] of one more recording, on the scale of the `given` ones.

    Raises
    ------
    ValueError
        When the file cannot be used.
    """
    one = pd.DataFrame([{"path": file.name, **recording.inspect(file)}])
    if given.kind == "voices":
        found = embeddings.extract(one, file.parent, store / "embeddings", encoder=encoder, jobs=jobs)
        if len(found.problems):
            raise ValueError(f"{file}: {found.problems['problem'].iloc[0]}")
        return found.vectors()[0][0].astype(np.float64)
    return joint(given.raw, raw_vectors(features.extract(one, file.parent, store, jobs=jobs)))[0]


def raw_vectors(extracted: features.FeatureSet) -> dict[str, Floats]:
    """Return the vectors of every spectral feature and pooling, by "FEATURE POOLING", as they are."""
    pairs = [(feature, pooling) for feature in features.FEATURES for pooling in POOLINGS]
    return {f"{feature} {pooling}": extracted.vectors(feature, pooling, scale=None)[0] for feature, pooling in pairs}


def compact(X: Floats) -> Floats:
    """Standardise the columns, and keep at most fifty principal components: more add time and no neighbours."""
    X = scale(X)
    return reduce(X, min(COMPONENTS, *X.shape)) if X.any() else X[:, :1]


def joint(raw: Mapping[str, Floats], new: Mapping[str, Floats] | None = None) -> Floats:
    """Return unit rows whose products are mean cosines over the features, of the recordings `raw`, or of `new` ones.

    Parameters
    ----------
    raw : mapping of str to array [shape=(n, d)]
        As `raw_vectors` gives; they set the scale.
    new : mapping of str to array [shape=(m, d)], optional
    """
    rows = []
    for feature in features.FEATURES:
        name = f"{feature} {JOINT}"
        mean, spread = raw[name].mean(axis=0), raw[name].std(axis=0)
        chosen = (raw if new is None else new)[name]
        varies = spread > 1e-9 * np.maximum(np.abs(mean), 1e-9)
        rows.append(unit_rows((chosen - mean)[:, varies] / spread[varies], zero="keep"))
    together = np.hstack([*rows, np.zeros((len(rows[0]), 1))])
    together[~together.any(axis=1), -1] = 1.0  # recordings that are the mean in everything are like each other
    return unit_rows(together)


def answer(given: Vectors, groups: int | None = None, *, random_state: int = 0, jobs: parallel.Jobs = 1) -> Answer:
    """Group recordings: into the given number of groups, or into as many as there are.

    Raises
    ------
    ValueError
        When `groups` is more than there are recordings.
    """
    n = len(given.X)
    if groups is not None and groups > n:
        raise ValueError(f"groups={groups}: there are {n} recordings that can be used")
    if given.index["sha256"].nunique() == 1 or np.allclose(given.X, given.X[0], atol=1e-7):
        return Answer(np.zeros(n, dtype=np.intp), np.ones(n), stable=True)
    # vectors are short: more threads than one mostly wait for each other
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", clustering.DegenerateClusteringWarning)  # the answer says it itself
        found = (_voices if given.kind == "voices" else _sounds)(given, random_state, jobs)
        return found if groups is None else _asked(given, found, groups, random_state, jobs)


def _voices(given: Vectors, random_state: int, jobs: parallel.Jobs) -> Answer:
    found = clustering.make("auto", random_state=random_state, jobs=jobs).fit(given.X)
    several = found.n_clusters_ > 1
    stability = next(level.stability for level in found.levels_ if level.n_clusters == found.n_clusters_)
    return by_size(
        Answer(found.labels_, found.confidence_, found.levels_, stability if several else math.nan, True, found.rungs_)
    )


def _sounds(given: Vectors, random_state: int, jobs: parallel.Jobs) -> Answer:
    labels, names = partitions(given.parts, random_state=random_state, jobs=jobs)
    found = clustering.Levels(random_state=random_state, jobs=jobs).fit(memberships(labels))
    stability = found.levels_[found.recommended_].stability
    stable = is_stable(stability, chance(given.parts, found.n_clusters_, random_state=random_state))
    agreement = _by_feature(clustering.consensus(labels, names, n_clusters=found.n_clusters_).agreement, names)
    answer = Answer(found.labels_, found.confidence_, found.levels_, stability, stable, found.rungs_, agreement)
    return by_size(answer)


def _asked(given: Vectors, by_themselves: Answer, groups: int, random_state: int, jobs: parallel.Jobs) -> Answer:
    """Return as many groups as were asked for, beside the levels at which the recordings group by themselves."""
    labels, names = partitions(given.parts, n_clusters=groups, random_state=random_state, jobs=jobs)
    found = clustering.consensus(labels, names, n_clusters=groups)
    both = replace(by_themselves, labels=found.labels, confidence=found.confidence, stability=math.nan)
    return by_size(replace(both, agreement=_by_feature(found.agreement, names)))


def _by_feature(agreement: Floats, names: list[str]) -> pd.Series:
    """Return the mean agreement of each feature's clusterings, the best first; of a single feature there is none."""
    means = pd.Series(agreement).groupby(names).mean().sort_values(ascending=False)
    return means if len(means) > 1 else pd.Series(dtype=float)


def by_size(found: Answer) -> Answer:
    """Give the largest group the number 0; among equally large ones the one whose first recording comes first."""
    groups, first, place, sizes = np.unique(found.labels, return_index=True, return_inverse=True, return_counts=True)
    if groups[0] < 0:
        return found
    order = np.argsort(np.lexsort([first, -sizes]))
    named = {int(order[np.searchsorted(groups, group)]): name for group, name in found.named.items()}
    return replace(found, labels=order[place], named=named)


def table(given: Vectors, found: Answer) -> pd.DataFrame:
    """Return one row per recording: ``path, group, confidence, role``, and its group at every other level.

    After corrections there are also ``group_name``, where a listener named a group, and ``several_voices``, where one
    heard more than one voice in a recording.
    """
    rows = given.index[["path"]].assign(group=found.labels, confidence=found.confidence.round(4))
    rows["role"] = roles(given.X, found.labels)
    if found.named:
        rows["group_name"] = pd.Series(found.labels, index=rows.index).map(found.named)
    if found.heard.several:
        rows["several_voices"] = np.isin(np.arange(len(rows)), found.heard.several)
    for level in levels.beside(found.levels, found.labels):
        name = f"level_{level.n_clusters}"
        rows[name if name not in rows else f"{name}_from_{level.neighbours[0]}_neighbours"] = level.labels
    return rows


def write(folder: Path, rows: pd.DataFrame, lines: list[str]) -> None:
    """Write ``groups.csv`` and ``groups.parquet`` of `table`, and ``summary.txt`` of `summary`."""
    files.write_csv(folder / "groups.csv", rows)
    with files.atomic(folder / "groups.parquet") as partial:
        rows.to_parquet(partial, index=False)
    with files.atomic(folder / "summary.txt") as partial:
        partial.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def summary(given: Vectors, found: Answer, rows: pd.DataFrame, *, asked: bool = False) -> list[str]:
    """Say in plain words what was found, a line each.

    Parameters
    ----------
    given : Vectors
    found : Answer
    rows : pd.DataFrame
        Of `table`.
    asked : bool
        Whether the number of groups was given.
    """
    n, others = len(rows), levels.beside(found.levels, found.labels)
    sizes = rows["group"].value_counts().sort_index()
    one = "voice" if given.kind == "voices" else "group"
    named = f"{levels.count(len(sizes), one)} in {levels.count(n, 'recording')}"
    lines = [named + (" (as many groups as asked for)" if asked else "")]
    if len(given.problems):
        left_out = levels.count(len(given.problems), "recording")
        lines += [f"{left_out} left out: {reasons(given.problems['problem'])}"]
    if len(sizes) > 1:
        shown = ", ".join(map(str, sizes.head(SIZES))) + (", ..." if len(sizes) > SIZES else "")
        lines += [f"recordings in each: {shown}"]
    if n < levels.FEWEST:
        lines += [levels.TOO_FEW]
    elif not found.stable:
        lines += [levels.UNSTABLE + ("; the groups are an order to listen in, no more" if len(sizes) > 1 else "")]
    elif not math.isnan(found.stability):
        lines += [f"stability {found.stability:.2f} (1: the same groups, however many neighbours are looked at)"]
    if others:
        said = "by themselves the recordings form" if asked else "other levels, also in groups.csv"
        lines += [f"{said}: {levels.listed(others)}"]
    sure = int((rows["confidence"] >= SURE).sum())
    kinds = ", ".join(f"{count} {role}" for role, count in rows["role"].value_counts().items())
    lines += [f"sure of {sure} of {n} (confidence {SURE} or more); {kinds}"]
    lines += _follows(found, given.index) + _copies(given.index)
    if len(found.agreement):
        listed = ", ".join(f"{name} {value:.2f}" for name, value in found.agreement.items())
        lines += [f"how far each feature shows what the others show, too (0 to 1): {listed}"]
    if given.kind == "voices" and given.index["duration"].median() < SHORT:
        lines += [f"half of the recordings are shorter than {SHORT:g} s: too short to tell voices apart well"]
    return lines


def _follows(found: Answer, index: pd.DataFrame) -> list[str]:
    """Say what else the groups follow: columns with few values, each once, and what was measured."""
    few = [name for name in index if name in MEASURED or index[name].nunique() <= len(index) / 5]
    codes = index[few].apply(lambda values: pd.factorize(values)[0])
    once = index[few].loc[:, ~codes.T.duplicated().to_numpy()]  # another column may say the same as the sub-folder
    scores = evaluation.nuisance(found.labels, once) if found.labels.max() > 0 else {}
    listed = [f"{NAMES.get(name, name)} {score:.2f}" for name, score in scores.items()]
    return [f"the groups follow (0: not at all, 1: exactly): {', '.join(listed)}"] if listed else []


def _copies(index: pd.DataFrame) -> list[str]:
    repeated = index[index.duplicated("sha256", keep=False)]
    if repeated.empty:
        return []
    pair = repeated[repeated["sha256"] == repeated["sha256"].iloc[0]]["path"].tolist()
    extra = int(index.duplicated("sha256").sum())
    return [f"{levels.count(extra, 'exact copy', 'exact copies')} of other recordings, such as {pair[1]} = {pair[0]}"]
