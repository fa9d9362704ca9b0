"""What the notebook ``group`` does with a listener's corrections: the groups as corrected, and what that changed."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd

from audioclust.curation import corrections
from audioclust.evaluation import evaluate
from audioclust.runs import levels
from audioclust.runs.groups import Answer, Vectors, by_size

__all__ = ["corrected", "sentence"]


def corrected(given: Vectors, found: Answer, heard: corrections.Corrections) -> tuple[Answer, pd.DataFrame]:
    """Return the groups as a listener corrected them, and the scores before and after.

    Of recordings that a listener placed the confidence is 1.

    Returns
    -------
    answer : Answer
    scores : pd.DataFrame
        Rows "before" and "after": ``groups``; ``silhouette`` (cosine); ``as said``, the share of the must-links and
        cannot-links that are met; ``ami`` with the sub-folder where there are several.
    """
    here = heard.of(given.index)
    labels = corrections.apply(found.labels, given.X, here)
    placed = [row for each in here.of_kind("same", "move", "split") for row in each.recordings]
    confidence = found.confidence.copy()
    confidence[placed] = 1.0
    after = replace(found, labels=labels, confidence=confidence, named=here.named(labels), heard=here)
    after = by_size(after)
    return after, pd.DataFrame([_scores(given, each, here) for each in (found, after)], index=["before", "after"])


def _scores(given: Vectors, found: Answer, here: corrections.Corrections) -> dict[str, float]:
    labels, folders = found.labels, given.index.get("label")
    truth = None if folders is None or folders.nunique() < 2 else folders.to_numpy()
    scores = evaluate(labels, truth, given.X)
    pairs = [(pair, True) for tied in here.must_link for pair in pairwise(tied)]
    pairs += [(pair, False) for pair in here.cannot_link]
    said = [(labels[a] == labels[b]) == together for (a, b), together in pairs]
    row = {"groups": scores["n_clusters"], "silhouette": scores["silhouette_cosine"]}
    row["as said"] = float(np.mean(said)) if said else math.nan
    return row | ({} if truth is None else {"ami": scores["ami"]})


def sentence(found: Answer, scores: pd.DataFrame) -> str:
    """Say how many corrections were used, and what they changed, before -> after."""
    others = f", {found.heard.elsewhere} of other recordings left out" if found.heard.elsewhere else ""
    known = scores.loc[:, scores.notna().any()]
    changes = [f"{name} {' -> '.join(f'{value:.3g}' for value in known[name])}" for name in known]
    return f"{levels.count(len(found.heard), 'correction')} used{others}: {', '.join(changes)}"
