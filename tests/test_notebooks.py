"""Every notebook, as a user runs it headless: on the embedded voices, with what must be there afterwards.

One row per notebook: its parameters, the files of its run, and a floor that its best clustering must reach.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audioclust import files, runs
from audioclust.clustering import Prototypes
from audioclust.curation import cluster_map
from audioclust.project import Project
from audioclust.runs.parameters import MODELS, check

SMALL = {"speakers": 4, "words": 3, "takes": 4}
FAST = ["kmeans", "fuzzy_cmeans", "agglomerative", "hdbscan"]
SPEAKERS = ["auto", "partial_sets", "nme_spectral", "agglomerative"]
EXPORTS = ["cluster_map.json", "embeddings.npy", "filenames.txt", "prototypes/prototypes.npz"]
ROWS = [
    ("00_prepare", {"options": SMALL}, [], None),
    ("01_metadata", {}, ["figures/overview.png"], None),
    ("02_transform", {"settings": {"loudness": "peak"}}, ["figures/before_after_0.png"], None),
    ("03_features", {"png": True, "descriptors": True}, ["figures/features.png", "descriptors.csv"], None),
    (
        "04_classical_clustering",
        {"labels": ["speaker", "word"], "algorithms": FAST, "seeds": [0, 1], "listen": "kmeans"},
        [
            "labels.parquet",
            "listen.html",
            *(f"figures/{name}.png" for name in ("ladder", "k_selection", "scatter_kmeans_speaker")),
        ],
        ("speaker", 0.6),
    ),
    (
        "05_autoencoder_dcec",
        {
            "labels": ["speaker"],
            "epochs": 20,
            "seeds": [0],
            "latent_size": 10,
            "batch_size": 16,
            "projection": "pca",
            "algorithms": ["ae_kmeans", "ae_agglomerative", "dcec"],
            "params": {
                "autoencoder": {"channels": [8, 16, 32], "learning_rate": 3e-3},
                "dcec": {"max_iter": 60, "update_interval": 10, "learning_rate": 1e-4},
            },
        },
        ["labels.parquet", "figures/reconstructions.png", "figures/nearest.png", "figures/loss_dcec_speaker.png"],
        ("speaker", 0.15),
    ),
    (
        "06_speaker_embeddings",
        {"labels": ["speaker", "nobody"], "algorithms": SPEAKERS, "listen": "agglomerative", "projection": "pca"},
        [
            *EXPORTS,
            "listen.html",
            "review.csv",
            *(f"figures/{name}.png" for name in ("ladder", "scores_speaker", "answer")),
        ],
        ("speaker", 0.6),
    ),
    (
        "07_u_vectors",
        {
            "settings": {"steps": 60, "check_every": 20, "channels": 32, "pseudo_label": "file"},
            "algorithms": ["kmeans"],
            "listen": "kmeans",
            "projection": "pca",
        },
        ["uvector.pt", "labels.parquet", "listen.html", "figures/checks.png"],
        ("speaker", 0.25),
    ),
    (
        "08_camsat",
        {
            "algorithms": ["camsat", "agglomerative"],
            "params": {"camsat": {"width": 64, "max_iter": 20}},
            "bounds": [2],
            "frames": 20,
            "network": {"channels": 8, "blocks": 1, "dimension": 8, "epochs": 1},
            "losses": ["aam", "oc"],
            "flips": [0.4],
            "many": [1],
            "projection": "pca",
            "listen": "camsat",
        },
        [
            "labels.parquet",
            "listen.html",
            *(f"figures/{name}.png" for name in ("clusters_over_epochs", "nmi_over_epochs", "eer", "correlations")),
        ],
        ("speaker", 0.6),
    ),
    ("group", {}, ["groups.csv", "summary.txt", "listen.html", "figures/map.png", "figures/ladder.png"], None),
    (
        "10_explore",
        {"label": "speaker", "features": ["mel", "mfcc"], "examples": 2},
        [
            "quality.csv",
            "descriptors.csv",
            *(f"figures/{name}.png" for name in ("example", "distributions", "projections")),
        ],
        None,
    ),
    ("09_results", {"dataset": "all"}, [], None),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Project:
    """A project that the notebooks below fill one after another."""
    return Project(tmp_path_factory.mktemp("project"))


@pytest.mark.parametrize(("notebook", "parameters", "expected", "floor"), ROWS, ids=[row[0] for row in ROWS])
def test_notebook(home, notebook, parameters, expected, floor):
    folder = runs.run(notebook, home, **parameters)
    document = files.read_json(folder / "run.json")
    assert document["status"] == "complete"
    assert document["notebook"] == notebook
    assert {"python", "numpy"} <= set(document["versions"])
    for name in ["notebook.ipynb", *expected]:
        assert (folder / name).stat().st_size > 0, name
    if floor is not None:
        column, least = floor
        best = max(entry["scores"]["nmi"] for entry in document["clusterings"] if entry["label"] == column)
        assert best >= least


def test_what_the_notebooks_left_behind(home):
    metadata = home.metadata("synthetic")
    assert len(metadata) == 4 * 3 * 4
    collected = runs.collect(home)
    networks = {"ae_kmeans", "ae_agglomerative", "dcec", "camsat", "camsat:network"}
    assert set(collected["algorithm"]) == {*FAST, *SPEAKERS, *networks}
    collected = collected[collected["notebook"] == "04_classical_clustering"]
    assert collected.groupby("algorithm")["seed"].nunique()["kmeans"] == 2
    assert collected["nuisance_duration"].notna().all()
    assert (home.results / "tables" / "comparison.tex").exists()
    assert "Chosen without labels" in (home.results / "index.html").read_text(encoding="utf-8")
    (explored,) = home.results.glob("synthetic/10*/notebook.ipynb")
    assert explored.read_text(encoding="utf-8").count("<audio controls") >= 2
    (labels,) = home.results.glob("synthetic/04*/labels.parquet")
    table = pd.read_parquet(labels)
    assert {"path", "truth", "cluster", "silhouette", "probability"} <= set(table.columns)
    one = table[(table["algorithm"] == "kmeans") & (table["label"] == "speaker") & (table["seed"] == 0)]
    assert one["path"].tolist() == metadata["path"].tolist()
    assert one["silhouette"].between(-1, 1).all()


def test_what_the_speaker_notebook_exports(home):
    (folder,) = home.results.glob("synthetic/06*")
    names = (folder / "filenames.txt").read_text(encoding="utf-8").splitlines()
    assert names == home.metadata("synthetic")["path"].tolist()
    vectors = np.load(folder / "embeddings.npy", allow_pickle=False)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    found = cluster_map.read_cluster_map(folder / "cluster_map.json")
    assert list(found) == names
    voices = Prototypes.load(folder / "prototypes")
    assert sorted(set(found.values())) == voices.labels_.tolist()
    assert np.mean(voices.predict(vectors) == list(found.values())) > 0.5


def test_corrections_of_a_listener_are_obeyed(home):
    (folder,) = home.results.glob("synthetic/06*")
    found = cluster_map.read_cluster_map(folder / "cluster_map.json")
    paths = list(found)
    apart = next(path for path in paths if found[path] != found[paths[0]])
    together = next(path for path in paths[1:] if found[path] == found[paths[0]])
    marks = {"format": "audioclust-corrections-1", "names": {found[paths[0]]: "Anna"}}
    marks |= {"must_link": [[paths[0], apart]], "cannot_link": [[paths[0], together]]}
    files.write_json(home.root / "heard.json", marks)
    values = {"labels": ["speaker"], "algorithms": ["agglomerative"], "listen": "agglomerative", "figures": False}
    again = runs.run("06_speaker_embeddings", home, corrections="heard.json", **values)
    corrected = cluster_map.read_cluster_map(again / "cluster_map.json")
    assert corrected[paths[0]] == corrected[apart] != corrected[together]
    assert "Anna" in Prototypes.load(again / "prototypes").names_.values()
    marks["cannot_link"] = []
    files.write_json(home.root / "heard.json", marks)
    changed = check("06_speaker_embeddings", {"project": str(home.root), "corrections": "heard.json", **values})
    assert changed.run_name() != again.name  # what was said decides, not the file's name
    files.write_json(home.root / "other.json", {"must_link": []})
    for path in ("missing.json", "other.json"):
        with pytest.raises(ValueError, match=path):
            runs.run("06_speaker_embeddings", home, corrections=path, **values)


def test_every_model_has_a_row():
    assert set(MODELS) == {row[0] for row in ROWS}


def test_a_typo_raises_before_anything_runs(home):
    before = set(home.results.rglob("*"))
    with pytest.raises(ValueError, match="no parameter algorithm;"):
        runs.run("04_classical_clustering", home, algorithm="kmeans")
    assert set(home.results.rglob("*")) == before


def test_a_failing_notebook_says_where_it_stands(home):
    with pytest.raises(runs.NotebookFailed, match=r"nobody.*01_metadata"):
        runs.run("03_features", home, dataset="nobody")
    (record,) = (home.results / "nobody").glob("*/run.json")
    assert files.read_json(record)["status"] == "failed"
    assert (record.parent / "notebook.ipynb").exists()


def test_the_same_run_gives_the_same_answer(home):
    values = {"feature": "mel", "vectors": "mean", "algorithms": ["kmeans"], "seeds": [3], "figures": False}
    found = []
    for _ in range(2):
        folder = runs.run("04_classical_clustering", home, labels=["speaker"], **values)
        found.append(pd.read_parquet(folder / "labels.parquet")["cluster"].to_numpy())
    assert np.array_equal(*found)
    stamp = (folder / "run.json").stat().st_mtime_ns
    runs.run("04_classical_clustering", home, resume=True, labels=["speaker"], **values)
    assert (folder / "run.json").stat().st_mtime_ns == stamp


def test_notebooks_without_labels_estimate_k(home, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in sorted(home.recordings("synthetic").rglob("*.wav"))[:24]:
        (flat / path.name).write_bytes(path.read_bytes())
    runs.run("00_prepare", home, dataset="flat", source=str(flat))
    folder = runs.run("04_classical_clustering", home, dataset="flat", algorithms=["kmeans"], seeds=[0], figures=True)
    (entry,) = files.read_json(folder / "run.json")["clusterings"]
    assert entry["scores"]["nmi"] is None
    assert entry["k"] >= 2
    assert {path.name for path in Path(flat).iterdir()} == {path.name for path in flat.glob("*.wav")}
