import subprocess
import sys
import warnings
from itertools import permutations

import numpy as np
import pytest
import skfuzzy
from scipy import sparse
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial.distance import cdist, pdist, squareform
from sklearn import cluster, metrics
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.neighbors import kneighbors_graph
from sklearn.preprocessing import normalize
from sklearn.utils.estimator_checks import check_estimator

from audioclust import clustering
from audioclust.clustering import DegenerateClusteringWarning
from audioclust.clustering.base import OrderedClusterer
from audioclust.clustering.classical import k_distances, knee
from audioclust.clustering.spectral import connect
from audioclust.evaluation import degenerate
from audioclust.evaluation import internal as indices
from audioclust.geometry import canonical_order

OURS = ("kmeans", "fuzzy_cmeans", "agglomerative", "dbscan", "spectral")


def blobs(n=240, d=6, k=4, std=1.0, seed=3):
    return make_blobs(n, d, centers=k, cluster_std=std, random_state=seed)


def make(name, n_clusters=4, **params):
    allowed = clustering.parameters(name)
    if "n_clusters" in allowed:
        params["n_clusters"] = n_clusters
    if "random_state" in allowed:
        params.setdefault("random_state", 0)
    return clustering.make(name, **params)


# The registry


def test_every_name_makes_a_clusterer():
    assert set(OURS) <= set(clustering.available())
    assert {"hdbscan", "umap_hdbscan", "nme_spectral", "partial_sets", "auto"} <= set(clustering.available())
    assert clustering.make("kmeans", n_clusters=5).get_params()["n_clusters"] == 5


def test_unknown_names_are_answered_with_what_is_allowed():
    with pytest.raises(ValueError, match=r"'k-means' is unknown.*kmeans.*spectral"):
        clustering.make("k-means")
    with pytest.raises(ValueError, match=r"k: no parameter of clusterer 'kmeans'.*n_clusters"):
        clustering.make("kmeans", k=3)


def test_a_clusterer_of_ones_own(monkeypatch):
    monkeypatch.setattr(clustering.registry, "_ENTRIES", dict(clustering.registry._ENTRIES))
    clustering.register("birch", "sklearn.cluster:Birch")
    clustering.register("optics", cluster.OPTICS)
    assert isinstance(clustering.make("birch", n_clusters=3), cluster.Birch)
    assert isinstance(clustering.make("optics", min_samples=3), cluster.OPTICS)
    assert clustering.available()[-2:] == ["birch", "optics"]
    with pytest.raises(ValueError, match="'kmeans' is taken"):
        clustering.register("kmeans", cluster.KMeans)
    with pytest.raises(ValueError, match="module:Class"):
        clustering.register("other", "sklearn.cluster.Birch")


def test_listing_the_clusterers_imports_none_of_them():
    code = "import sys; from audioclust.clustering import available; available()"
    code += "; print({'umap', 'hdbscan', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


# scikit-learn's contract


BRIEF = {"camsat": {"width": 4, "max_iter": 2, "random_state": 0}}


@pytest.mark.parametrize("name", clustering.available())
def test_scikit_learn_accepts_it(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_estimator(clustering.make(name, **BRIEF.get(name, {})), on_fail="raise")


@pytest.mark.parametrize("name", OURS)
def test_two_fits_agree_and_the_order_of_rows_does_not_matter(name, rng):
    X, _ = blobs(std=4.0)  # overlapping, so that starts and ties matter
    X = np.concatenate([X, X[:5]])
    shuffled = rng.permutation(len(X))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateClusteringWarning)
        first, second = make(name).fit_predict(X), make(name).fit_predict(X)
        moved = make(name).fit_predict(X[shuffled])
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first[shuffled], moved)


@pytest.mark.parametrize("name", OURS)
def test_clear_clusters_are_found(name):
    X, truth = blobs(d=8)
    found = make(name).fit_predict(X)
    clustered = found != -1
    assert clustered.mean() > 0.8
    assert metrics.adjusted_rand_score(truth[clustered], found[clustered]) == 1


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(name, bad):
    X, _ = blobs()
    X[3, 2] = bad
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        make(name).fit(X)


@pytest.mark.parametrize("name", ["kmeans", "fuzzy_cmeans", "agglomerative", "spectral"])
def test_more_clusters_than_recordings_are_refused(name):
    X, _ = blobs(n=5)
    for wrong in (6, 0, 2.5):
        with pytest.raises(ValueError, match=f"n_clusters={wrong}: give a whole number from 1 to n_samples=5"):
            make(name, n_clusters=wrong).fit(X)
    assert len(set(make(name, n_clusters=2).fit_predict(X[:2]))) == 2


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", OURS)
def test_equal_rows_do_not_break_it(name):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        labels = make(name, n_clusters=3).fit_predict(np.ones((20, 4)))
    assert labels.shape == (20,)
    assert any(issubclass(w.category, DegenerateClusteringWarning) for w in caught)


def test_canonical_order_sorts_rows_and_breaks_ties():
    X = np.array([[1.0, 5.0], [0.0, 9.0], [1.0, 2.0]])
    assert canonical_order(X).tolist() == [1, 2, 0]
    assert canonical_order(X[:2]).tolist() == [1, 0]


# Against the libraries


def test_kmeans_is_scikit_learns():
    X, _ = blobs(std=4.0)
    order = canonical_order(X)
    reference = cluster.KMeans(4, n_init=10, random_state=1).fit(X[order])
    ours = clustering.make("kmeans", n_clusters=4, random_state=1).fit(X)
    np.testing.assert_array_equal(ours.labels_[order], reference.labels_)
    assert ours.inertia_ == pytest.approx(reference.inertia_, rel=1e-12)
    np.testing.assert_array_equal(ours.predict(X), ours.labels_)


def test_kmeans_by_cosine_sees_directions_only(rng):
    X, truth = blobs(std=0.5)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    lengths = rng.uniform(0.1, 50, size=(len(X), 1))
    model = clustering.make("kmeans", n_clusters=4, metric="cosine", random_state=0).fit(X * lengths)
    assert metrics.adjusted_rand_score(truth, model.labels_) == 1
    np.testing.assert_array_equal(model.predict(3 * X), model.labels_)
    with pytest.raises(ValueError, match="metric='l1': give one of euclidean, cosine"):
        clustering.make("kmeans", metric="l1").fit(X)


@pytest.mark.parametrize("linkage", ["ward", "complete", "average", "single"])
def test_agglomerative_is_scikit_learns(linkage):
    X, _ = blobs(std=3.0)
    reference = cluster.AgglomerativeClustering(5, linkage=linkage).fit_predict(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateClusteringWarning)
        ours = clustering.make("agglomerative", n_clusters=5, linkage=linkage).fit_predict(X)
    assert metrics.adjusted_rand_score(reference, ours) == 1


def test_agglomerative_takes_a_threshold_or_a_number():
    X, truth = blobs()
    found = clustering.make("agglomerative", n_clusters=None, distance_threshold=30.0).fit(X)
    assert found.n_clusters_ == 4
    assert metrics.adjusted_rand_score(truth, found.labels_) == 1
    for params in ({"n_clusters": None}, {"n_clusters": 3, "distance_threshold": 1.0}):
        with pytest.raises(ValueError, match="give one, the other None"):
            clustering.make("agglomerative", **params).fit(X)
    with pytest.raises(ValueError, match="linkage='wards': give one of ward, complete"):
        clustering.make("agglomerative", linkage="wards").fit(X)
    with pytest.raises(ValueError, match="'ward' needs 'euclidean'"):
        clustering.make("agglomerative", metric="cosine").fit(X)


def test_dbscan_is_scikit_learns_at_the_radius_it_chose():
    X, _truth = blobs()
    ours = clustering.make("dbscan", min_samples=4).fit(X)
    reference = cluster.DBSCAN(eps=ours.eps_, min_samples=4).fit_predict(X)
    assert metrics.adjusted_rand_score(ours.labels_, reference) == 1
    assert len(set(ours.labels_) - {-1}) == 4
    assert clustering.make("dbscan", eps=2.5).fit(X).eps_ == 2.5
    half = clustering.make("dbscan", eps_quantile=0.5, min_samples=4).fit(X)
    assert half.eps_ == pytest.approx(np.median(np.sort(cdist(X, X))[:, 3]))
    with pytest.raises(ValueError, match="eps=0"):
        clustering.make("dbscan", eps=0).fit(X)
    with pytest.raises(ValueError, match="eps='best'"):
        clustering.make("dbscan", eps="best").fit(X)
    with pytest.raises(ValueError, match="eps_quantile=2"):
        clustering.make("dbscan", eps_quantile=2).fit(X)


def test_the_knee_of_the_k_distance_curve(rng):
    X = rng.normal(size=(30, 3))
    np.testing.assert_allclose(k_distances(X, 4), np.sort(np.sort(cdist(X, X))[:, 3]))
    assert knee([0, 0.1, 0.2, 0.3, 5, 10]) == 3
    assert knee([1, 1, 1]) == 2
    assert knee([2.0]) == 0


@pytest.mark.parametrize("m", [1.05, 1.15, 2.0])
def test_fuzzy_c_means_is_scikit_fuzzys_from_the_same_start(m, rng):
    X, _ = blobs(n=120, d=3, std=2.0)
    start = rng.uniform(size=(len(X), 4))
    start /= start.sum(axis=1, keepdims=True)
    ours = clustering.make("fuzzy_cmeans", n_clusters=4, m=m, init=start, tol=1e-6, max_iter=500).fit(X)
    centres, memberships, _, _, objective, turns, coefficient = skfuzzy.cmeans(
        X.T, 4, m, error=1e-6, maxiter=500, init=start.T
    )
    assert ours.n_iter_ == turns
    np.testing.assert_allclose(ours.cluster_centers_, centres, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(ours.memberships_, memberships.T, atol=1e-8)
    assert ours.partition_coefficient_ == pytest.approx(coefficient, abs=1e-8)
    assert ours.objective_ == pytest.approx(objective[-1], rel=1e-10)


def test_fuzzy_c_means_memberships():
    X, _ = blobs()
    model = clustering.make("fuzzy_cmeans", n_clusters=4, random_state=0).fit(X)
    np.testing.assert_allclose(model.memberships_.sum(axis=1), 1)
    np.testing.assert_array_equal(model.memberships_.argmax(axis=1), model.labels_)
    np.testing.assert_allclose(model.predict_memberships(X), model.memberships_, atol=1e-4)
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    assert 0.99 < model.partition_coefficient_ <= 1
    assert 0 <= model.partition_entropy_ < 0.05
    with pytest.raises(ValueError, match=r"m=1: give a number above 1"):
        clone(model).set_params(m=1).fit(X)
    with pytest.raises(ValueError, match=r"init of shape \(3, 2\)"):
        clone(model).set_params(init=np.ones((3, 2))).fit(X)


def test_a_collapsed_fuzzy_partition_is_named():
    X, _ = make_blobs(300, 60, centers=5, cluster_std=4, random_state=0)
    warnings.simplefilter("ignore", DegenerateClusteringWarning)  # empty clusters are another finding
    with pytest.warns(DegenerateClusteringWarning, match=r"partition coefficient 0\.2\d\d is 1/5"):
        model = clustering.make("fuzzy_cmeans", n_clusters=5, m=2.0, init="random", n_init=1, random_state=0).fit(X)
    assert model.partition_coefficient_ == pytest.approx(1 / 5, abs=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DegenerateClusteringWarning)
        clustering.make("fuzzy_cmeans", n_clusters=5, random_state=0).fit(X)


# Spectral clustering


@pytest.mark.parametrize("params", [{}, {"affinity": "rbf"}, {"affinity": "rbf", "gamma": "local"}])
def test_spectral_finds_rings_or_blobs(params, rng):
    angle = rng.uniform(0, 2 * np.pi, 300)
    radius = np.repeat([1.0, 4.0], 150)
    rings = np.c_[np.cos(angle), np.sin(angle)] * radius[:, None] + rng.normal(scale=0.1, size=(300, 2))
    found = clustering.make("spectral", n_clusters=2, random_state=0, **params).fit_predict(rings)
    if params.get("gamma") == "local" or not params:
        assert metrics.adjusted_rand_score(radius, found) == 1
    else:
        assert len(set(found)) == 2


@pytest.mark.parametrize("seed", range(3))
def test_spectral_survives_a_graph_in_pieces(seed):
    X, truth = make_blobs(700, 10, centers=14, cluster_std=0.5, random_state=5)  # fewer neighbours than a blob holds
    model = clustering.make("spectral", n_clusters=14, random_state=seed).fit(X)
    assert model.n_components_ == 14
    assert metrics.adjusted_rand_score(truth, model.labels_) == 1


def test_pieces_are_joined_by_their_shortest_edges(rng):
    X = np.concatenate([rng.normal(size=(15, 2)) + offset for offset in ([0, 0], [30, 0], [0, 40], [60, 60])])
    graph = kneighbors_graph(X, 4)
    graph = (graph + graph.T) / 2
    before, pieces = connected_components(graph, directed=False)
    joined, counted = connect(graph, X)
    assert counted == before >= 4
    assert connected_components(joined, directed=False)[0] == 1
    added = sparse.triu(joined - graph).tocoo()
    distances = squareform(pdist(X))
    between = np.array(
        [[distances[np.ix_(pieces == i, pieces == j)].min() for j in range(before)] for i in range(before)]
    )
    expected = minimum_spanning_tree(between).sum()
    assert distances[added.row, added.col].sum() == pytest.approx(expected)
    assert added.nnz == before - 1
    assert set(added.data) == {0.5}
    assert (abs(joined - joined.T)).nnz == 0


def test_spectral_refuses_what_it_cannot_use():
    X, _ = blobs(n=30)
    for params, message in (
        ({"affinity": "cosine"}, "affinity='cosine': give one of nearest_neighbors, rbf"),
        ({"affinity": "rbf", "gamma": 0}, "gamma=0: give a number above 0, 'auto' or 'local'"),
        ({"affinity": "rbf", "gamma": "wide"}, "gamma='wide'"),
        ({"n_neighbors": 0}, "n_neighbors=0"),
    ):
        with pytest.raises(ValueError, match=message):
            clustering.make("spectral", n_clusters=2, **params).fit(X)


def test_real_speaker_vectors_are_grouped_by_every_clusterer(shared):
    folder = shared / "datasets" / "audiomnist_ecapa"
    names = (folder / "filenames.txt").read_text().split()
    speakers = np.array([name[:2] for name in names])
    X = np.load(folder / "embeddings.npy", allow_pickle=False)
    chosen = np.isin(speakers, sorted(set(speakers))[:20])
    X, speakers = X[chosen] / np.linalg.norm(X[chosen], axis=1, keepdims=True), speakers[chosen]
    for name, params in (
        ("agglomerative", {}),
        ("agglomerative", {"linkage": "average", "metric": "cosine"}),
        ("spectral", {}),
        ("spectral", {"affinity": "rbf"}),
        ("kmeans", {"n_init": 20}),
    ):
        found = make(name, n_clusters=20, **params).fit_predict(X)
        assert metrics.adjusted_rand_score(speakers, found) == 1, (name, params)


# Equal rows, keywords, what scikit-learn's clusterers have


@pytest.mark.parametrize("name", [*OURS, "hdbscan"])
def test_copies_of_a_row_share_a_label(name, rng):
    X = np.repeat(rng.integers(0, 5, (30, 3)).astype(float), rng.integers(1, 15, 30), axis=0)
    model = make(name, ties="canonical") if name == "hdbscan" else make(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels = model.fit_predict(X)
    for row in np.unique(X, axis=0):
        assert len(set(labels[(row == X).all(axis=1)])) == 1


def test_one_row_in_many_copies_is_one_node_of_the_graph():
    X, truth = blobs(n=80)
    many = np.concatenate([X, np.repeat(X[:1], 200, axis=0)])  # more copies than neighbours
    labels = make("spectral").fit_predict(many)
    assert set(labels[80:]) == {labels[0]}
    assert metrics.adjusted_rand_score(truth, labels[:80]) == 1
    distinct = make("spectral", n_clusters=3).fit_predict(np.repeat(np.eye(3), 5, axis=0))
    assert len(set(distinct)) == 3


def test_labels_whose_copies_were_apart_have_no_gap():
    class Apart(OrderedClusterer):
        def _cluster(self, X):
            self.n_clusters_ = len(X)
            return np.arange(len(X))

    model = Apart().fit(np.array([[2.0], [1.0], [1.0], [0.0]]))
    assert model.labels_.tolist() == [2, 1, 1, 0]
    assert model.n_clusters_ == 3


@pytest.mark.parametrize("name", [*OURS, "hdbscan"])
def test_unknown_keywords_are_refused_in_scikit_learns_words(name):
    estimator = clustering.make(name)
    with pytest.raises(TypeError, match="unexpected keyword argument 'n_neighbours'"):
        type(estimator)(n_neighbours=3)
    with pytest.raises(ValueError, match="Invalid parameter 'n_neighbours' for estimator"):
        estimator.set_params(n_neighbours=3)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_kmeans_transforms_and_scores_as_scikit_learns(metric):
    X, _ = blobs(std=3.0)
    new = X[:30] + 0.5
    ours = clustering.make("kmeans", n_clusters=4, metric=metric, random_state=1).fit(X)
    scaled = normalize(X) if metric == "cosine" else X
    reference = cluster.KMeans(4, n_init=10, random_state=1).fit(scaled[canonical_order(X)])
    new_scaled = normalize(new) if metric == "cosine" else new
    np.testing.assert_allclose(ours.transform(new), reference.transform(new_scaled))
    np.testing.assert_array_equal(ours.predict(new), reference.predict(new_scaled))
    assert ours.score(new) == pytest.approx(reference.score(new_scaled))
    np.testing.assert_allclose(ours.cluster_centers_, reference.cluster_centers_)
    assert ours.get_feature_names_out().tolist() == [f"kmeans{c}" for c in range(4)]


@pytest.mark.parametrize("linkage", ["ward", "average"])
def test_the_tree_of_merges_is_scikit_learns(linkage):
    X, _ = blobs(n=60)
    ours = clustering.make("agglomerative", n_clusters=4, linkage=linkage).fit(X)
    reference = cluster.AgglomerativeClustering(4, linkage=linkage, compute_distances=True).fit(X)
    np.testing.assert_allclose(ours.distances_, reference.distances_)
    np.testing.assert_array_equal(np.sort(ours.children_, axis=1), np.sort(reference.children_, axis=1))


def test_the_cores_are_scikit_learns():
    X, _ = blobs(n=60, std=2.0)
    ours = clustering.make("dbscan", eps=4.0, min_samples=4).fit(X)
    reference = cluster.DBSCAN(eps=4.0, min_samples=4).fit(X)
    assert 0 < len(reference.core_sample_indices_) < 60
    np.testing.assert_array_equal(ours.core_sample_indices_, reference.core_sample_indices_)
    with pytest.raises(ValueError, match=r"min_samples=0: give a whole number of at least 1"):
        clustering.make("dbscan", min_samples=0).fit(X)


def test_spectral_with_given_affinities(rng):
    X, _ = blobs(n=90, std=2.5)
    affinity = rbf_kernel(X, gamma=0.02)
    ours = clustering.make("spectral", n_clusters=4, affinity="precomputed", random_state=0).fit(affinity)
    reference = cluster.SpectralClustering(4, affinity="precomputed", random_state=0).fit_predict(affinity)
    assert metrics.adjusted_rand_score(reference, ours.labels_) > 0.95
    order = rng.permutation(len(X))
    moved = clone(ours).fit_predict(affinity[np.ix_(order, order)])
    np.testing.assert_array_equal(moved, ours.labels_[order])
    blocks = np.kron(np.eye(4), np.ones((5, 5)))
    blocks[-1] = blocks[:, -1] = 0  # one recording has no neighbour at all
    model = clustering.make("spectral", n_clusters=5, affinity="precomputed", random_state=0).fit(blocks)
    assert np.bincount(model.labels_).tolist() in [list(sizes) for sizes in set(permutations([5, 5, 5, 4, 1]))]
    for matrix, message in (
        (blocks, "fall into 5 parts that nothing joins, more than n_clusters=2"),
        (-affinity, "give symmetric values of at least 0"),
        (np.triu(affinity), "give symmetric values of at least 0"),
        (affinity[:, :9], r"shape \(90, 9\): give a square matrix"),
    ):
        with pytest.raises(ValueError, match=message):
            clustering.make("spectral", n_clusters=2, affinity="precomputed").fit(matrix)


def test_fuzzy_c_means_leaves_the_global_generator_alone_and_has_no_scale():
    X, _ = blobs(n=80)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    model = clustering.make("fuzzy_cmeans", n_clusters=4, random_state=0).fit(X)
    expected = skfuzzy.cmeans_predict(
        (X + 1).T, model.cluster_centers_, 1.15, error=1e-9, maxiter=100, init=np.ones((4, 80))
    )
    np.testing.assert_allclose(model.predict_memberships(X + 1), expected[0].T, atol=1e-8)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    for scale in (2.0**-200, 2.0**200):
        scaled = clone(model).fit(X * scale)
        np.testing.assert_array_equal(scaled.labels_, model.labels_)
        np.testing.assert_allclose(scaled.cluster_centers_, model.cluster_centers_ * scale)


# Degenerate results


def test_what_is_degenerate_is_named():
    assert degenerate.check([0, 1, 1, 0], 2) == []
    assert degenerate.check([-1, -1]) == ["all noise: no recording belongs to a cluster"]
    assert degenerate.check([0, 0, 1, 1, -1, -1, -1, -1, -1]) == [
        "mostly noise: 5 of 9 recordings belong to no cluster"
    ]
    assert degenerate.check([0, 0, 0, -1]) == ["one cluster holds all 3 clustered recordings"]
    assert degenerate.check([0] * 20 + [1]) == ["one giant cluster: 20 of 21 clustered recordings"]
    assert degenerate.check([0, 0, 1], 3) == ["empty clusters: 2 clusters found, 3 asked for"]
    assert degenerate.check([0, 1, 2], 2) == ["3 clusters found, 2 asked for"]
    assert "1/2" in degenerate.check([0, 1], 2, partition_coefficient=0.5)[0]
    assert degenerate.check([0, 0], 1) == []


def test_a_giant_cluster_is_warned_of_once(rng):
    X = np.concatenate([rng.normal(size=(60, 3)), [[50.0, 0, 0]]])
    with pytest.warns(DegenerateClusteringWarning, match="Agglomerative: one giant cluster: 60 of 61") as caught:
        clustering.make("agglomerative", n_clusters=2, linkage="single").fit(X)
    assert len(caught) == 1


# Internal indices


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_silhouettes_are_scikit_learns(metric, rng, monkeypatch):
    monkeypatch.setattr(indices, "_BLOCK", 1000)  # several blocks
    X = rng.normal(size=(90, 5)) + 100 * (metric == "euclidean")
    labels = rng.integers(4, size=90)
    labels[0] = 7  # a cluster of one
    expected = metrics.silhouette_samples(X, labels, metric=metric)
    np.testing.assert_allclose(indices.silhouette_samples(X, labels, metric=metric), expected, atol=1e-9)
    assert indices.silhouette(X, labels, metric=metric) == pytest.approx(expected.mean(), abs=1e-9)


def test_a_cosine_silhouette_with_rows_of_zeros(rng):
    X = rng.normal(size=(30, 4))
    X[[3, 9]] = 0
    labels = rng.integers(3, size=30)
    expected = metrics.silhouette_samples(X, labels, metric="cosine")
    np.testing.assert_allclose(indices.silhouette_samples(X, labels, metric="cosine"), expected, atol=1e-9)


def test_indices_are_nan_where_undefined():
    X = np.arange(8.0).reshape(4, 2)
    for labels in ([0, 0, 0, 0], [0, 1, 2, 3]):
        for index in (indices.silhouette, indices.davies_bouldin, indices.calinski_harabasz):
            assert np.isnan(index(X, np.array(labels)))
    assert np.isnan(indices.silhouette(np.ones((4, 2)), np.array([0, 0, 1, 1])))
    assert np.isnan(indices.calinski_harabasz(np.array([[0.0], [0], [1], [1]]), np.array([0, 0, 1, 1])))
    with pytest.raises(ValueError, match="metric='l1'"):
        indices.silhouette_samples(X, np.array([0, 1, 0, 1]), metric="l1")


def test_a_large_silhouette_is_measured_on_a_fixed_part(rng):
    X, labels = make_blobs(1500, 3, centers=3, random_state=0)
    whole = indices.silhouette(X, labels)
    part = indices.silhouette(X, labels, max_samples=500)
    assert part != whole
    assert part == pytest.approx(whole, abs=0.03)
    assert part == indices.silhouette(X, labels, max_samples=500)
