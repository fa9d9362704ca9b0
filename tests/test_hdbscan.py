"""HDBSCAN: the hdbscan package's partition, the tree re-used, the two variants that work on other spaces."""

import hdbscan as reference
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hdbscan import prediction
from scipy import sparse
from sklearn.datasets import load_wine, make_blobs
from sklearn.metrics import adjusted_rand_score, pairwise_distances
from sklearn.neighbors import kneighbors_graph
from sklearn.utils.estimator_checks import check_estimator
from speaker_vectors import accuracy, audiomnist, speakers
from umap import umap_

from audioclust.clustering import DegenerateClusteringWarning
from audioclust.clustering._spanning_tree import core_distances, spanning_tree
from audioclust.clustering.hdbscan import HDBSCAN
from audioclust.clustering.speakers.nme_spectral import NMESpectral
from audioclust.clustering.speakers.umap_hdbscan import UMAPHDBSCAN

pytestmark = pytest.mark.filterwarnings("ignore::audioclust.evaluation.degenerate.DegenerateClusteringWarning")


def _plain_tree(X, min_samples):
    """Prim's algorithm on the matrix of all distances."""
    distances = np.sqrt(((X[:, None] - X[None]) ** 2).sum(axis=2))
    core = np.sort(distances, axis=1)[:, min(min_samples, len(X) - 1)]
    reach = np.maximum(distances, np.maximum(core[:, None], core))
    joined, weights = [0], []
    while len(joined) < len(X):
        rest = np.setdiff1d(np.arange(len(X)), joined)
        block = reach[np.ix_(joined, rest)]
        weights.append(block.min())
        joined.append(rest[np.unravel_index(block.argmin(), block.shape)[1]])
    return core, np.sort(weights)


DATA = {
    "overlapping speakers": speakers([12] * 30, d=96, noise=1.8)[0],
    "single precision": speakers([20] * 10, d=192, noise=1.2)[0].astype(np.float32),
    "unscaled, far from the origin": speakers([10] * 8)[0] * 300 + 1e4,
    "low-dimensional": np.random.default_rng(1).standard_normal((300, 3)),
    "integers, full of ties": np.random.default_rng(2).integers(0, 3, (150, 3)).astype(float),
    "every row several times": np.repeat(np.random.default_rng(3).standard_normal((12, 6)), 6, axis=0),
    "all distances equal": np.eye(30),
    "all rows equal": np.ones((20, 4)),
    "two rows": np.random.default_rng(4).standard_normal((2, 5)),
    "two equal rows": np.zeros((2, 5)),
}


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize(("size", "samples"), [(2, None), (5, None), (4, 1), (3, 12)])
def test_same_as_the_package(name, size, samples):
    X = DATA[name]
    ours = HDBSCAN(size, min_samples=samples).fit(X)
    theirs = reference.HDBSCAN(size, min_samples=samples).fit(X)
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)
    np.testing.assert_allclose(ours.probabilities_, theirs.probabilities_)
    np.testing.assert_allclose(ours.outlier_scores_, np.nan_to_num(theirs.outlier_scores_, nan=1.0))
    np.testing.assert_allclose(ours.single_linkage_tree_, theirs._single_linkage_tree)


@pytest.mark.parametrize("settings", [
    {"cluster_selection_method": "leaf"},
    {"cluster_selection_epsilon": 0.9},
    {"allow_single_cluster": True},
])  # fmt: skip
def test_selection_as_in_the_package(settings):
    X = DATA["overlapping speakers"]
    ours = HDBSCAN(4, **settings).fit(X)
    np.testing.assert_array_equal(ours.labels_, reference.HDBSCAN(4, **settings).fit(X).labels_)


@pytest.mark.parametrize("dense_rows", [10_000, 60, 25])
def test_tree_in_blocks_and_at_once(dense_rows):
    X = speakers([10] * 13, d=40, noise=1.5)[0]
    edges, core = spanning_tree(X, 4, dense_rows=dense_rows)
    expected_core, weights = _plain_tree(X, 4)
    np.testing.assert_allclose(core, expected_core, rtol=1e-12)
    np.testing.assert_allclose(core_distances(X, 4), expected_core, rtol=1e-12)
    np.testing.assert_allclose(np.sort(edges[:, 2]), weights, rtol=1e-12)
    np.testing.assert_array_equal(np.sort(edges[:, 1]), np.arange(1, len(X)))


def test_near_ties_below_single_precision(rng):
    """Distances that single precision cannot tell apart still come out in the right order."""
    X = np.repeat(rng.standard_normal((6, 50)), 12, axis=0) + 1e-8 * rng.standard_normal((72, 50))
    edges, core = spanning_tree(X, 3)
    expected_core, weights = _plain_tree(X, 3)
    np.testing.assert_allclose(core, expected_core, rtol=1e-12)
    np.testing.assert_allclose(np.sort(edges[:, 2]), weights, rtol=1e-12)


def test_relabel_is_a_fresh_fit():
    X = DATA["overlapping speakers"]
    fitted = HDBSCAN(5, min_samples=3, ties="canonical").fit(X)
    for size in (2, 3, 8, 15):
        for method in ("eom", "leaf"):
            changes = {"min_cluster_size": size, "cluster_selection_method": method}
            fresh = HDBSCAN(min_samples=3, ties="canonical", **changes).fit(X)
            np.testing.assert_array_equal(fitted.relabel(**changes), fresh.labels_)
    with pytest.raises(ValueError, match="min_samples=2 needs another tree"):
        fitted.relabel(min_samples=2)
    with pytest.raises(ValueError, match="set min_samples to a number"):
        HDBSCAN(5).fit(X).relabel(min_cluster_size=6)


@pytest.mark.parametrize("min_samples", [1, 5])
def test_row_order_with_canonical_ties(rng, min_samples):
    X = speakers([10] * 30, d=96, noise=2.0)[0]  # so noisy that ties between clusters abound
    order = rng.permutation(len(X))
    settings = {"min_cluster_size": 5, "min_samples": min_samples, "ties": "canonical"}
    labels = HDBSCAN(**settings).fit_predict(X)
    np.testing.assert_array_equal(HDBSCAN(**settings).fit_predict(X[order]), labels[order])


def test_row_order_and_duplicates(rng):
    X, truth = speakers([15] * 8)
    labels = HDBSCAN(5).fit_predict(X)
    assert adjusted_rand_score(truth, labels) == 1
    order = rng.permutation(len(X))
    assert adjusted_rand_score(HDBSCAN(5).fit_predict(X[order]), labels[order]) == 1
    twice = HDBSCAN(5).fit_predict(np.vstack([X, X]))
    np.testing.assert_array_equal(twice[: len(X)], twice[len(X) :])
    assert adjusted_rand_score(truth, twice[: len(X)]) == 1


def test_cosine_is_the_chord_of_unit_rows(rng):
    X, _ = speakers([15] * 8)
    stretched = X * rng.uniform(0.1, 10, (len(X), 1))
    ours = HDBSCAN(5, metric="cosine").fit(stretched)
    np.testing.assert_array_equal(ours.labels_, HDBSCAN(5).fit_predict(X))
    cosines = np.sort(X @ X.T, axis=1)[:, ::-1]
    np.testing.assert_allclose(ours.core_distances_, np.sqrt(2 - 2 * cosines[:, 5]), rtol=1e-9)
    with pytest.raises(ValueError, match=r"1 of 120 vectors are zero .* rows 3"):
        HDBSCAN(metric="cosine").fit(np.where(np.arange(120)[:, None] == 3, 0.0, X))


def test_bad_input():
    X = np.random.default_rng(0).standard_normal((10, 3))
    for settings, message in [
        ({"min_cluster_size": 1}, "min_cluster_size=1: give a whole number of at least 2"),
        ({"min_samples": 0}, "min_samples=0"),
        ({"metric": "manhattan"}, "metric='manhattan': give one of euclidean, cosine"),
        ({"cluster_selection_method": "best"}, "cluster_selection_method='best'"),
        ({"cluster_selection_epsilon": -1}, "cluster_selection_epsilon=-1"),
        ({"ties": "random"}, "ties='random'"),
    ]:
        with pytest.raises(ValueError, match=message):
            HDBSCAN(**settings).fit(X)
    X[2, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        HDBSCAN().fit(X)
    with pytest.raises(ValueError, match="minimum of 2"):
        HDBSCAN().fit(np.ones((1, 3)))
    with pytest.warns(DegenerateClusteringWarning, match="HDBSCAN: all noise"):
        assert set(HDBSCAN().fit_predict(np.ones((3, 2)))) == {-1}


@pytest.mark.parametrize("estimator", [HDBSCAN(), HDBSCAN(ties="canonical"), NMESpectral()])
def test_scikit_learn_contract(estimator):
    check_estimator(estimator)


def test_real_speakers(shared):
    X, truth = audiomnist(shared)
    for estimator in (HDBSCAN(2), HDBSCAN(10, metric="cosine")):
        labels = estimator.fit_predict(X)
        assert accuracy(truth, labels) == 1
        assert labels.max() == 59


def test_nme_spectral_finds_k(rng):
    for sizes in ([20] * 7, [10, 40, 25], [30] * 2):
        X, truth = speakers(sizes, noise=1.0)
        fitted = NMESpectral().fit(X)
        assert fitted.n_clusters_ == len(sizes)
        assert accuracy(truth, fitted.labels_) == 1
        order = rng.permutation(len(X))
        np.testing.assert_array_equal(NMESpectral().fit_predict(X[order]), fitted.labels_[order])
    assert len(set(NMESpectral(4).fit_predict(X))) == 4
    for X in (np.ones((2, 3)), np.ones((6, 3)), rng.standard_normal((2, 3)), rng.standard_normal((3, 3))):
        assert len(NMESpectral().fit_predict(X)) == len(X)
    with pytest.raises(ValueError, match="max_neighbors=0"):
        NMESpectral(max_neighbors=0).fit(X)


def test_umap_hdbscan(rng):
    X, truth = speakers([12] * 5, noise=0.9)
    labels = UMAPHDBSCAN().fit_predict(X)
    assert accuracy(truth, labels) > 0.95
    order = rng.permutation(len(X))
    np.testing.assert_array_equal(UMAPHDBSCAN().fit_predict(X[order]), labels[order])
    for few in (np.ones((2, 3)), rng.standard_normal((5, 3)), np.ones((6, 4))):
        assert len(UMAPHDBSCAN().fit_predict(few)) == len(few)
    with pytest.raises(ValueError, match="n_neighbors=1"):
        UMAPHDBSCAN(n_neighbors=1).fit(X)
    with pytest.raises(ValueError, match="NaN"):
        UMAPHDBSCAN().fit(np.full((4, 2), np.nan))


def test_what_umap_compiles_is_kept_for_other_processes():
    UMAPHDBSCAN().fit(speakers([12] * 3)[0])
    stats = umap_.smooth_knn_dist.stats
    assert stats.cache_path
    assert sum(stats.cache_hits.values()) + sum(stats.cache_misses.values()) > 0


# As the package, whatever decides ties


def test_ties_are_decided_as_by_default_in_the_package(rng):
    wine = load_wine().data
    np.testing.assert_array_equal(HDBSCAN(20).fit_predict(wine), reference.HDBSCAN(20).fit_predict(wine))
    for case in range(60):
        n, d = rng.integers(10, 150), rng.integers(1, 8)
        X = rng.standard_normal((n, d)).round(1) if case % 2 else rng.integers(0, 4, (n, d)).astype(float)
        settings = {"min_cluster_size": int(rng.integers(2, 12)), "min_samples": [None, 1, 3, 8][case % 4]}
        expected = reference.HDBSCAN(**settings).fit_predict(X)
        np.testing.assert_array_equal(HDBSCAN(**settings).fit_predict(X), expected, err_msg=str((case, settings)))


@pytest.mark.parametrize("min_samples", [1, 5, 12])
def test_copies_of_a_row_share_a_label_in_every_order(rng, min_samples):
    X = np.repeat(rng.integers(0, 6, (40, 3)).astype(float), rng.integers(1, 9, 40), axis=0)
    settings = {"min_cluster_size": 4, "min_samples": min_samples, "ties": "canonical"}
    labels = HDBSCAN(**settings).fit_predict(X)
    for row in np.unique(X, axis=0):
        assert len(set(labels[(row == X).all(axis=1)])) == 1
    order = rng.permutation(len(X))
    np.testing.assert_array_equal(HDBSCAN(**settings).fit_predict(X[order]), labels[order])


def test_outlier_scores_beside_copies_are_numbers():
    fitted = HDBSCAN(4, min_samples=2).fit(DATA["every row several times"])
    assert fitted.outlier_scores_.min() >= 0
    assert fitted.outlier_scores_.max() <= 1
    X = np.concatenate([np.zeros((6, 2)), np.random.default_rng(0).standard_normal((30, 2))])
    fitted = HDBSCAN(4, min_samples=2).fit(X)
    assert np.isnan(reference.HDBSCAN(4, min_samples=2).fit(X).outlier_scores_).any()
    assert fitted.outlier_scores_.max() == 1


@pytest.mark.parametrize("d", [5, 80])
@pytest.mark.parametrize("ties", ["rows", "canonical"])
def test_no_scale_changes_the_clusters(d, ties):
    X = make_blobs(120, d, centers=4, cluster_std=1.5, random_state=3)[0]
    model = HDBSCAN(5, ties=ties, cluster_selection_epsilon=0.5).fit(X)
    assert model.labels_.max() > 1
    for scale in 10.0 ** np.arange(-150, 151, 50):
        scaled = HDBSCAN(5, ties=ties, cluster_selection_epsilon=0.5 * scale).fit(X * scale)
        np.testing.assert_array_equal(scaled.labels_, model.labels_)
        np.testing.assert_allclose(scaled.core_distances_, model.core_distances_ * scale)
        np.testing.assert_allclose(scaled.single_linkage_tree_[:, 2], model.single_linkage_tree_[:, 2] * scale)


# Given distances


def test_given_distances_are_clustered_as_in_the_package(rng):
    X = DATA["low-dimensional"]
    full = pairwise_distances(X)
    nearest = kneighbors_graph(X, 60, mode="distance")
    nearest = nearest.maximum(nearest.T)
    for distances in (full, nearest):
        ours = HDBSCAN(6, min_samples=4, metric="precomputed").fit(distances)
        theirs = reference.HDBSCAN(6, min_samples=4, metric="precomputed").fit(distances.copy())
        np.testing.assert_array_equal(ours.labels_, theirs.labels_)
        np.testing.assert_allclose(ours.probabilities_, theirs.probabilities_)
        np.testing.assert_allclose(ours.core_distances_, core_distances(X, 4))
    order = rng.permutation(len(X))
    canonical = HDBSCAN(6, metric="precomputed", ties="canonical")
    labels = canonical.fit_predict(full)
    np.testing.assert_array_equal(canonical.fit_predict(full[np.ix_(order, order)]), labels[order])
    with pytest.raises(ValueError, match="new recordings need vectors"):
        canonical.approximate_predict(full)


def test_what_are_no_distances():
    full = pairwise_distances(DATA["low-dimensional"][:20])
    wrong = [full - 1, np.triu(full), np.where(full > 3, np.nan, full), sparse.csr_matrix(np.triu(full))]
    for matrix in wrong:
        with pytest.raises(ValueError, match="give symmetric values of at least 0"):
            HDBSCAN(metric="precomputed").fit(matrix)
    with pytest.raises(ValueError, match=r"shape \(20, 19\).*square"):
        HDBSCAN(metric="precomputed").fit(full[:, :19])
    with pytest.raises(ValueError, match="ties='canonical': with a sparse"):
        HDBSCAN(metric="precomputed", ties="canonical").fit(sparse.csr_matrix(np.maximum(full, full.T)))


# New recordings, the tree


@pytest.mark.parametrize("scale", [1.0, 2.0**400])
def test_new_recordings_as_in_the_package(rng, scale):
    X = make_blobs(200, 5, centers=5, cluster_std=1.5, random_state=0)[0]
    new = 5 * rng.standard_normal((50, 5))
    ours = HDBSCAN(8, min_samples=4).fit(X * scale)
    theirs = reference.HDBSCAN(8, min_samples=4, prediction_data=True).fit(X)
    labels, probabilities = ours.approximate_predict(new * scale)
    expected = prediction.approximate_predict(theirs, new)
    np.testing.assert_array_equal(labels, expected[0])
    np.testing.assert_allclose(probabilities, expected[1])
    np.testing.assert_allclose(ours.membership_vectors(), prediction.all_points_membership_vectors(theirs), atol=1e-6)
    np.testing.assert_allclose(
        ours.membership_vectors(new * scale), prediction.membership_vector(theirs, new), atol=1e-6
    )


def test_membership_vectors_with_copies_and_without_clusters(rng):
    X = np.repeat(rng.standard_normal((12, 4)), 6, axis=0)
    fitted = HDBSCAN(4, min_samples=2).fit(X)
    for vectors in (fitted.membership_vectors(), fitted.membership_vectors(X + 0.01)):
        assert vectors.shape == (len(X), fitted.labels_.max() + 1)
        assert ((vectors >= 0) & (vectors <= 1)).all()
    noise = HDBSCAN(20).fit(rng.standard_normal((25, 2)))
    assert noise.membership_vectors().shape == (25, 0)
    assert set(noise.approximate_predict(np.zeros((3, 2)))[0]) == {-1}


def test_the_condensed_tree_is_the_packages():
    X = DATA["low-dimensional"]
    ours, theirs = HDBSCAN(5).fit(X).condensed_tree_, reference.HDBSCAN(5).fit(X).condensed_tree_
    pd.testing.assert_frame_equal(ours.to_pandas(), theirs.to_pandas())
    axes = ours.plot(select_clusters=True)
    assert axes.get_ylabel() == "$\\lambda$ value"
    plt.close("all")
