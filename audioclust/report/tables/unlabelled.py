"""What was tried on recordings without labels, the clustering that other features confirm most first."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pandas as pd

from audioclust.report.tables.chosen import CONSENSUS
from audioclust.report.tables.labels import algorithm_title, display, feature_title, groups, is_empty, name_of
from audioclust.report.tables.per_feature import feature_order, has_scores, seeds
from audioclust.report.tables.table import Table

__all__ = ["without_labels"]

_SETTINGS = ["feature", "algorithm", "vectors", "params"]


def without_labels(table: pd.DataFrame, *, by: str = "nmi") -> list[Table]:
    """List the clusterings that no label scores: how far others agree, how many clusters, how much is placed.

    One table per dataset, the consensus of all first, then by agreement; degenerate ones last. A silhouette is not in
    it: it favours few and unequal clusters, and between features, which have scales of their own, it says nothing.

    Parameters
    ----------
    table : pd.DataFrame
        From `aggregate.aggregate`.
    by : str
        The score that labels would give.
    """
    parts = [(dataset, group[group["n"] > 0]) for (dataset, _), group in groups(table) if not has_scores(group, by)]
    tables = []
    for dataset, same in groupby(parts, key=lambda part: part[0]):
        # Two label columns that are both missing tell of the same clusterings.
        group = pd.concat([part for _, part in same]).drop_duplicates([*_SETTINGS, "k"])
        if len(group):
            tables.append(_table(str(dataset), group))
    return tables


def _table(dataset: str, group: pd.DataFrame) -> Table:
    order = feature_order(group["feature"])
    rows = [-1 if is_empty(feature) else order.index(feature) for feature in group["feature"]]
    titles = group["algorithm"].map(algorithm_title).tolist()
    group = group.assign(place=rows, title=titles, agreement=group.get("agreement", np.nan))
    group["later"] = (group["algorithm"] != CONSENSUS).astype(int) + ~group["ranked"]
    group["less"] = -group["agreement"]
    group = group.sort_values(["later", "less", "place", "title"], kind="stable").reset_index(drop=True)
    values = group[_SETTINGS].rename(columns={"params": "parameters"}).astype(object)
    std, scale, decimals = pd.DataFrame(index=group.index), {}, {}
    for score in ("agreement", "n_clusters", "coverage", "stability"):
        name = name_of(score)
        if has_scores(group, score):
            values[name], std[name] = group[score], group[f"{score}_std"]
            scale[name], decimals[name] = display(score)
    if group["warnings"].map(len).any():
        values["remarks"] = group["warnings"].map("; ".join)
    poor = [place for place, ranked in enumerate(group["ranked"]) if not ranked]
    return Table(
        title=f"Without labels: {dataset}",
        values=values,
        std=std,
        scale=scale,
        decimals=decimals,
        words={"feature": feature_title, "algorithm": algorithm_title},
        stub=3,
        flagged=poor,
        caption="There are no labels to score these clusterings, and no row is called the best. Trust those that other "
        "features confirm (agreement, in per cent), or the consensus of all, and listen to them. Coverage: the share "
        "of the recordings that are in a cluster, in per cent. "
        f"Mean ± standard deviation over seeds ({seeds([group])}).",
        notes=[f"{len(poor)} of {len(group)} are degenerate or mostly noise (see the remarks)."] if poor else [],
    )
