"""How far other features confirm each clustering of a project, and the consensus of all, from the labels of its runs.

For each dataset and label column the clusterings of all runs vote together
(:func:`audioclust.clustering.consensus`). Seeds of one configuration are one voter: the first seed votes for all. The
consensus has as many groups as most of the clusterings were told, or finds their number where none was told any.
"""

from __future__ import annotations

import json
import logging
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audioclust import evaluation
from audioclust.clustering import consensus
from audioclust.evaluation import degenerate
from audioclust.project import Project
from audioclust.report.tables.chosen import CONSENSUS
from audioclust.validation import DegenerateClusteringWarning

__all__ = ["with_agreement"]

log = logging.getLogger(__name__)

_CLUSTERING = ["feature", "vectors", "algorithm", "label", "seed"]


def with_agreement(table: pd.DataFrame, project: Project) -> pd.DataFrame:
    """Return the rows of `runs.collect` with a column ``agreement``, and a consensus row per dataset and label column.

    Clusterings that are alone, or whose labels cannot be read, have no agreement.

    Parameters
    ----------
    table : pd.DataFrame
        Rows of `runs.collect`.
    project : Project
        Where the labels of its runs are.
    """
    table = table.assign(agreement=np.nan)
    good = table[table["error"].isna() & table["algorithm"].notna()]
    made = [_vote(group, project) for _, group in good.groupby(["dataset", "label"], dropna=False, sort=False)]
    for agreement, _ in made:
        table.loc[agreement.index, "agreement"] = agreement
    rows = [row for _, row in made if row is not None]
    return pd.concat([table, pd.DataFrame(rows)], ignore_index=True) if rows else table


def _vote(group: pd.DataFrame, project: Project) -> tuple[pd.Series, dict[str, Any] | None]:
    """Return the agreement of the rows of one dataset and label column, and the consensus row."""
    started = time.perf_counter()
    nothing = pd.Series(dtype=float)
    dataset = str(group["dataset"].iloc[0])
    labels = {run: _labels(project.results / dataset / str(run) / "labels.parquet") for run in group["run"].unique()}
    voters: dict[str, tuple[Any, pd.Series]] = {}
    voter_of = {}
    truth = pd.Series(dtype=object)
    for place, row in group.iterrows():
        what = [row["feature"], row["vectors"], row["algorithm"], row["params"], row["k"]]
        name = json.dumps(what, sort_keys=True, default=str)
        if name not in voters:
            rows = labels[row["run"]].get(tuple(map(_plain, row[_CLUSTERING])))
            if rows is None:
                continue
            voters[name] = (row["feature"], rows["cluster"])
            truth = truth.combine_first(rows["truth"].astype(object))
        voter_of[place] = name
    if len(voters) < 2:
        return nothing, None
    paths = truth.index
    partitions = np.stack([rows.reindex(paths, fill_value=-2).to_numpy() for _, rows in voters.values()])
    told = group["k"].dropna()
    k = int(told.mode().iloc[0]) if len(told) else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DegenerateClusteringWarning)  # the row names it
            result = consensus(partitions, [feature for feature, _ in voters.values()], k)
    except ValueError as error:  # such as noise alone
        log.warning("%s: no consensus: %s", group["dataset"].iloc[0], error)
        return nothing, None
    agreement = dict(zip(voters, result.agreement, strict=True))
    scores = evaluation.evaluate(result.labels, truth.to_numpy() if truth.notna().any() else None)
    first = group.iloc[0]
    made: dict[str, Any] = {
        "dataset": first["dataset"], "run": "", "notebook": CONSENSUS, "status": "complete", "feature": None,
        "vectors": None, "algorithm": CONSENSUS, "params": {"clusterings": len(voters)}, "seed": None,
        "label": first["label"], "k": k, "seconds": time.perf_counter() - started,
        "warnings": degenerate.check(result.labels, asked=k), "error": None, **scores,
    }  # fmt: skip
    return pd.Series({place: agreement[name] for place, name in voter_of.items()}), made


def _labels(path: Path) -> dict[tuple[Any, ...], pd.DataFrame]:
    """Return ``truth`` and ``cluster`` by path of every clustering of a run; none where they cannot be read."""
    try:
        table = pd.read_parquet(path, columns=["path", "truth", "cluster", *_CLUSTERING])
    except FileNotFoundError:  # a record alone, such as one that was copied
        log.info("%s is not there, its clusterings do not vote", path)
        return {}
    except (OSError, ValueError) as error:
        log.warning("%s cannot be read, its clusterings do not vote: %s", path, error)
        return {}
    return {
        tuple(map(_plain, key)): part.drop_duplicates("path").set_index("path")[["truth", "cluster"]]
        for key, part in table.groupby(_CLUSTERING, dropna=False, sort=False)
    }


def _plain(value: Any) -> Any:
    return None if pd.isna(value) else int(value) if isinstance(value, (float, np.integer)) else value
