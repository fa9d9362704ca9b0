"""The loop over algorithms, label columns and seeds, without a notebook around it."""

import numpy as np
import pandas as pd
import pytest

from audioclust import files, runs
from audioclust.project import Project
from audioclust.runs import levels


@pytest.fixture
def blobs(rng):
    X = np.concatenate([rng.normal(centre, 0.3, size=(8, 4)) for centre in (0, 4, 8)])
    index = pd.DataFrame({"path": [f"{i:02d}.wav" for i in range(24)], "who": np.repeat(["a", "b", "c"], 8)})
    return X, index


def a_run(folder, **parameters) -> runs.Run:
    values = {"project": str(folder), "seeds": [0, 1], "figures": False, "labels": ["who"], **parameters}
    return runs.Run(runs.check("04_classical_clustering", values))


WHAT = {"feature": "mfcc", "vectors": "mean"}


def test_what_draws_runs_per_seed_and_what_finds_k_is_not_told_it(tmp_path, blobs):
    run = a_run(
        tmp_path, algorithms=["kmeans", "agglomerative", "hdbscan"], params={"hdbscan": {"min_cluster_size": 4}}
    )
    table = run.cluster(*blobs, **WHAT)
    assert table.groupby("algorithm")["seed"].count().to_dict() == {"agglomerative": 0, "hdbscan": 0, "kmeans": 2}
    assert table.set_index("algorithm").loc["hdbscan", "k"] is None or np.isnan(
        table.set_index("algorithm").k["hdbscan"]
    )
    assert table["acc"].eq(1).all()


def test_without_labels_nothing_is_scored_and_k_is_estimated(tmp_path, blobs):
    run = a_run(tmp_path, algorithms=["kmeans"], labels=[], seeds=[0])
    (row,) = run.cluster(*blobs, **WHAT).itertuples()
    assert row.k == 3
    assert row.label is None
    assert np.isnan(row.nmi)
    run.finish()
    assert files.read_json(run.folder / "run.json")["status"] == "complete"


@pytest.mark.parametrize(
    ("columns", "scored", "said"),
    [
        ({"speaker": list("abc"), "label": ["x"] * 3}, "speaker", "scored against: speaker (3)"),
        ({"speaker": [None] * 3, "label": list("abc")}, "label", "scored against: label (3)"),
        ({"label": list("abc")}, "label", "scored against: label (3)"),
        ({"label": [None] * 3}, None, "NOT SCORED: no recording has a value in speaker or label"),
    ],
)
def test_by_default_voices_are_scored_by_speaker_or_by_the_folder_they_lie_in(tmp_path, blobs, columns, scored, said):
    X, index = blobs
    index = index[["path"]].assign(**{name: np.repeat(values, 8) for name, values in columns.items()})
    values = {"project": str(tmp_path), "figures": False, "algorithms": ["agglomerative"], "params": {}}
    run = runs.Run(runs.check("06_speaker_embeddings", values))
    assert run.scored_against(index).startswith(said)
    (row,) = run.cluster(X, index, **WHAT).itertuples()
    assert row.label == scored
    assert run.known_labels(index) == ([scored] if scored else [])
    assert row.acc == 1 if scored else np.isnan(row.acc)


def test_one_that_raises_is_named_and_the_others_go_on(tmp_path, blobs):
    run = a_run(tmp_path, algorithms=["kmeans", "dbscan"], params={"dbscan": {"min_samples": -3}}, seeds=[0])
    table = run.cluster(*blobs, **WHAT).set_index("algorithm")
    assert "min_samples" in table.loc["dbscan", "error"]
    assert table.loc["kmeans", "acc"] == 1
    with pytest.raises(RuntimeError, match="dbscan"):
        run.finish()


def test_too_few_to_estimate_k_from_leaves_out_what_must_be_told(tmp_path, blobs):
    X, index = blobs
    run = a_run(tmp_path, algorithms=["kmeans", "hdbscan"], labels=[], seeds=[0])
    assert set(run.cluster(X[:4], index[:4], **WHAT)["algorithm"]) == {"hdbscan"}
    with pytest.raises(ValueError, match="1 usable recordings"):
        a_run(tmp_path).cluster(X[:1], index[:1], **WHAT)


def test_clusters_are_a_table_that_a_spreadsheet_opens(tmp_path, blobs):
    X, index = blobs
    index.loc[0, "path"] = "=HYPERLINK(1)"
    run = a_run(tmp_path, algorithms=["agglomerative", "kmeans"], seeds=[0])
    run.cluster(X, index, **WHAT)
    run.finish()
    table = pd.read_csv(run.folder / "clusters.csv")
    assert list(table.columns) == ["path", "cluster", "silhouette", "kmeans"]
    assert table["path"][0] == "'=HYPERLINK(1)"
    assert table["cluster"].nunique() == 3


def test_corrections_make_a_clustering_of_their_own(tmp_path, blobs):
    X, index = blobs
    home = Project(tmp_path)
    said = {"format": "audioclust-corrections-1", "names": {"0": "Anna"}, "must_link": []}
    files.write_json(home.root / "heard.json", {**said, "cannot_link": [["00.wav", "01.wav"]]})
    run = a_run(tmp_path, algorithms=["agglomerative"], seeds=[0], corrections="heard.json")
    run.cluster(X, index, **WHAT)
    labels, names = run.corrected(X, index, **WHAT)
    assert labels[0] != labels[1]
    assert list(names.values()) == ["Anna"]
    assert run.algorithms == ["agglomerative", "agglomerative:corrected"]
    text, moving = run.stability(X, index)
    assert text.startswith("adjusted Rand index")
    assert list(moving.columns) == ["path", "cluster", "stays"]


def two_levels(rng) -> np.ndarray:
    """Eight people x 20, four of each sex."""
    people = rng.standard_normal((8, 64)) + np.repeat(rng.standard_normal((2, 64)), 4, axis=0)
    return np.repeat(people, 20, axis=0) + 0.7 * rng.standard_normal((160, 64))


def test_the_levels_shown_are_those_of_the_clusterer_that_ran(tmp_path, rng):
    X = two_levels(rng)
    index = pd.DataFrame({"path": [f"{i}.wav" for i in range(160)], "who": np.repeat(list("abcdefgh"), 20)})
    run = a_run(tmp_path, algorithms=["kmeans", "auto"], seeds=[0])
    run.cluster(X, index, **WHAT)
    assert levels.of(run, X) == ("auto", run.estimators["auto", "who"])
    said, shown = levels.show(run, X, index, one="voice")
    assert said.startswith("auto: 8 voices (stability ")
    assert "; also 2 groups (stability " in said
    assert shown["groups"].tolist() == [8, 2]
    assert shown["ami_who"].tolist()[0] == 1 > shown["ami_who"].tolist()[1]
    assert run.outputs["levels"] == shown.to_dict("records")
    run.finish()
    assert len(files.read_json(run.folder / "run.json")["outputs"]["levels"]) == 2


@pytest.mark.filterwarnings("error::audioclust.clustering.DegenerateClusteringWarning")
def test_without_such_a_clusterer_the_levels_are_those_of_the_vectors(tmp_path, rng):
    run = a_run(tmp_path)
    X = np.repeat(rng.standard_normal((5, 32)), 12, axis=0) + 0.3 * rng.standard_normal((60, 32))
    assert levels.sentence(levels.of(run, X)[1]).startswith("5 groups (stability ")
    assert levels.sentence(levels.of(run, rng.standard_normal((60, 32)))[1]) == levels.UNSTABLE
    assert levels.sentence(levels.of(run, X[:3])[1]) == levels.TOO_FEW
