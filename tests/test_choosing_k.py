import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.datasets import make_blobs

from audioclust import clustering
from audioclust.clustering.hdbscan import HDBSCAN
from audioclust.clustering.selection import n_clusters as choosing_k


def blobs(n=200, d=5, k=4, seed=3, std=1.0):
    return make_blobs(n, d, centers=k, cluster_std=std, random_state=seed)


@pytest.mark.parametrize("algorithm", ["kmeans", "agglomerative", "fuzzy_cmeans"])
def test_every_criterion_finds_clear_clusters(algorithm):
    X, _ = blobs()
    params = {} if algorithm == "agglomerative" else {"n_init": 3}
    found = clustering.estimate_k(
        X, algorithm=algorithm, k_max=7, n_references=4, n_resamples=4, random_state=0, **params
    )
    assert found.suggestions == dict.fromkeys(choosing_k.CRITERIA, 4)
    assert found.k == 4
    assert found.notes == []
    assert found.curve["k"].tolist() == list(range(2, 8))
    assert found.curve.notna().all(axis=None)
    assert found.curve["inertia"].is_monotonic_decreasing


def test_the_curve_is_what_scikit_learn_measures():
    X, _ = blobs()
    found = clustering.estimate_k(X, algorithm="agglomerative", k_max=5, criteria=["silhouette", "davies_bouldin"])
    for row in found.curve.itertuples():
        labels = clustering.make("agglomerative", n_clusters=row.k).fit_predict(X)
        assert row.silhouette == pytest.approx(metrics.silhouette_score(X, labels), abs=1e-9)
        assert row.davies_bouldin == pytest.approx(metrics.davies_bouldin_score(X, labels))
        assert row.inertia == pytest.approx(
            sum(((X[labels == c] - X[labels == c].mean(0)) ** 2).sum() for c in range(row.k))
        )
        assert row.largest == np.bincount(labels).max() / len(X)


def test_scattered_recordings_have_no_clusters(rng):
    found = clustering.estimate_k(rng.uniform(size=(200, 3)), k_max=5, criteria=["gap"], random_state=0)
    assert found.suggestions == {"gap": 1}
    assert found.k == 2
    assert any("no more clustered than scattered" in note for note in found.notes)


def test_silhouette_alone_decides_nothing():
    X, _ = blobs()
    found = clustering.estimate_k(X, k_max=6, criteria=["silhouette"], random_state=0)
    assert found.suggestions == {"silhouette": 4}
    assert found.k is None
    both = clustering.estimate_k(X, k_max=6, criteria=["silhouette", "davies_bouldin"], random_state=0)
    assert both.k is None


def test_the_overall_suggestion_is_the_median():
    assert choosing_k._overall({"elbow": 6, "silhouette": 2, "davies_bouldin": 2, "gap": 7, "stability": 6}) == 6
    assert choosing_k._overall({"elbow": 6, "silhouette": None, "gap": 7}) == 7
    assert choosing_k._overall({"elbow": 5, "silhouette": 2, "davies_bouldin": 2, "gap": 9}) == 5
    assert choosing_k._overall({"silhouette": 3, "gap": None}) is None


def test_a_giant_cluster_is_never_suggested(rng):
    X = np.concatenate([rng.normal(size=(80, 3)), [[60.0, 0, 0]]])
    found = clustering.estimate_k(
        X, algorithm="agglomerative", linkage="single", k_max=3, criteria=["silhouette", "elbow"]
    )
    assert found.curve["silhouette"].iloc[0] > 0.8
    assert found.suggestions["silhouette"] is None
    assert "k=2: one giant cluster: 80 of 81 clustered recordings" in found.notes


def test_order_and_repetition_change_nothing(rng):
    X, _ = blobs(std=4.0)
    settings = {"k_max": 4, "n_references": 2, "n_resamples": 2, "random_state": 5}
    first = clustering.estimate_k(X, **settings)
    again = clustering.estimate_k(X[rng.permutation(len(X))], **settings)
    pd.testing.assert_frame_equal(first.curve, again.curve)
    assert first.suggestions == again.suggestions


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_few_recordings_lower_the_maximum():
    X = np.array([[0.0, 0], [0, 1], [9, 9], [9, 8]])
    found = clustering.estimate_k(X, random_state=0)
    assert found.curve["k"].tolist() == [2, 3]
    assert found.notes[0] == "k_max=15 lowered to 3: there are 4 recordings"
    assert found.suggestions["silhouette"] == 2
    with pytest.raises(ValueError, match="minimum of 3"):
        clustering.estimate_k(X[:2])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_equal_rows_have_no_k():
    found = clustering.estimate_k(np.ones((12, 3)), k_max=3, random_state=0)
    assert found.suggestions["silhouette"] is None
    assert found.curve["silhouette"].isna().all()
    assert any("empty clusters" in note for note in found.notes)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"criteria": ["knee"]}, "criteria=.*'knee'.*elbow, silhouette"),
        ({"criteria": []}, "criteria="),
        ({"k_max": 1}, "k_max=1"),
        ({"algorithm": "dbscan"}, "algorithm='dbscan'.*takes n_clusters"),
        ({"n_clusters": 3}, "not n_clusters"),
        ({"algorithm": "agglomerative", "linkages": "ward"}, "linkages: no parameter"),
    ],
)
def test_wrong_parameters_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        clustering.estimate_k(blobs()[0], **wrong)


# Grids


def test_search_fits_every_combination_and_selects_one():
    X, truth = blobs()
    table = clustering.search(X, "agglomerative", n_clusters=4)
    assert table["linkage"].tolist() == ["ward", "complete", "average", "single"]
    assert table["selected"].sum() == 1
    assert table["n_clusters_found"].eq(4).all()
    assert table.loc[0, "silhouette"] == pytest.approx(metrics.silhouette_score(X, truth), abs=1e-9)


def test_search_never_selects_a_degenerate_clustering(rng):
    X = np.concatenate([blobs(n=100, k=2, std=2.0)[0], [[200.0, 0, 0, 0, 0]]])
    table = clustering.search(
        X, "agglomerative", {"linkage": ["single", "ward"], "n_clusters": [2, 3]}, score="silhouette"
    )
    giant = table["largest"] > 0.9
    assert giant.any()
    assert table.loc[giant, "silhouette"].max() > table.loc[~giant, "silhouette"].max()
    assert not table.loc[giant, "selected"].any()
    assert table.loc[giant, "score"].isna().all()
    assert table["selected"].sum() == 1


def test_search_finds_dbscans_radius():
    X, truth = blobs(n=300)
    table = clustering.search(X, "dbscan")
    chosen = table[table["selected"]].iloc[0]
    labels = clustering.make("dbscan", eps_quantile=chosen.eps_quantile, min_samples=chosen.min_samples).fit_predict(X)
    assert chosen.n_clusters_found == 4
    assert metrics.adjusted_rand_score(truth[labels >= 0], labels[labels >= 0]) == 1
    assert chosen.coverage == np.mean(labels >= 0)


def test_search_selects_nothing_when_all_is_degenerate(caplog):
    X, _ = blobs()
    table = clustering.search(X, "dbscan", {"eps": [1e-6, 1e6]})
    assert not table["selected"].any()
    assert table["problems"].map(len).gt(0).all()
    assert "none is selected" in caplog.text


def test_search_with_a_score_of_ones_own_and_a_combination_that_cannot_be():
    X, _ = blobs()
    grid = {"linkage": ["ward", "average"], "metric": ["euclidean", "cosine"]}
    table = clustering.search(
        X, "agglomerative", grid, n_clusters=4, score=lambda X, labels: -np.ptp(np.bincount(labels))
    )
    impossible = table[(table["linkage"] == "ward") & (table["metric"] == "cosine")].iloc[0]
    assert "needs 'euclidean'" in impossible["problems"][0]
    assert np.isnan(impossible["score"])
    assert table["selected"].sum() == 1


def test_search_sweeps_hdbscan_from_one_tree(monkeypatch):
    """A grid over sizes and ways of selection makes one tree per `min_samples`, and scores what fresh fits give."""
    X, _ = blobs(n=120)
    trees = []
    tree = HDBSCAN._tree
    monkeypatch.setattr(HDBSCAN, "_tree", lambda self, X: trees.append(self.min_samples_) or tree(self, X))
    scored = []
    grid = {"min_cluster_size": [1, 3, 8, 20], "min_samples": [1, 5], "cluster_selection_method": ["eom", "leaf"]}
    table = clustering.search(X, "hdbscan", grid, score=lambda X, labels: scored.append(labels) or len(scored))
    assert trees == [1, 5]
    assert table.loc[table["min_cluster_size"] == 1, "problems"].str[0].str.contains("min_cluster_size=1").all()
    sound = table[table["problems"].map(len) == 0]
    assert len(sound) >= 8
    for labels, row in zip(scored, sound.itertuples(), strict=True):
        fresh = HDBSCAN(**{name: getattr(row, name) for name in grid})
        np.testing.assert_array_equal(labels, fresh.fit_predict(X))
    trees.clear()
    clustering.search(X, "hdbscan", {"min_cluster_size": [3, 8]})
    assert trees == [3, 8]  # without `min_samples` it follows the size, and each needs a tree of its own


@pytest.mark.parametrize("name", list(clustering.GRIDS))
def test_every_grid_can_be_run(name):
    X, _truth = blobs(n=80)
    fixed = {"n_clusters": 4} if "n_clusters" in clustering.parameters(name) else {}
    quick = {"n_init": 1} if "n_init" in clustering.parameters(name) else {}
    table = clustering.search(X, name, random_state=0, **fixed, **quick)
    assert table["selected"].sum() == 1
    assert table.loc[table["selected"], "n_clusters_found"].item() == 4


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("kmean", {}, "clusterer 'kmean' is unknown"),
        ("kmeans", {"grid": {"tols": [1]}}, "tols: no parameter"),
        ("kmeans", {"score": "best"}, "score='best'"),
        ("auto", {}, "has no grid of its own"),
    ],
)
def test_search_names_what_is_wrong(name, settings, message):
    with pytest.raises(ValueError, match=message):
        clustering.search(blobs()[0], name, **settings)
