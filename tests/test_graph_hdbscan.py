"""HDBSCAN on a neighbour graph, and what the means of clusters decide after it."""

import numpy as np
import pytest
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import check_estimator
from speaker_vectors import speakers

from audioclust.clustering.hdbscan import HDBSCAN
from audioclust.clustering.neighbours import nearest
from audioclust.clustering.speakers import means
from audioclust.clustering.speakers.graph_hdbscan import GraphHDBSCAN, graph_labels, graph_tree
from audioclust.evaluation.external import same_partition
from audioclust.geometry import unit_rows

pytestmark = pytest.mark.filterwarnings("ignore::audioclust.evaluation.degenerate.DegenerateClusteringWarning")


def test_scikit_learn_contract():
    check_estimator(GraphHDBSCAN())


def test_the_tree_of_all_neighbours_is_the_exact_one():
    X = unit_rows(speakers([20] * 5)[0])
    edges = graph_tree(X, nearest(X, len(X) - 1))
    assert edges.shape == (len(X) - 1, 3)
    np.testing.assert_allclose(edges[:, 2].sum(), minimum_spanning_tree(cdist(X, X)).sum(), rtol=1e-6)
    exact = HDBSCAN(5, min_samples=1).fit_predict(X)
    assert same_partition(graph_labels(X, nearest(X, len(X) - 1)), exact)


def test_parts_that_do_not_touch_are_joined_last():
    X = unit_rows(np.repeat(np.eye(3), 6, axis=0) + 0.1 * np.random.default_rng(0).standard_normal((18, 3)))
    edges = graph_tree(X, nearest(X, 4))
    assert len(edges) == 17
    assert (edges[:, 2] == 2).sum() == 2
    assert same_partition(graph_labels(X, nearest(X, 4)), np.repeat(np.arange(3), 6))


@pytest.mark.parametrize("exact_up_to", [50_000, 100])
def test_speakers_of_very_different_sizes(exact_up_to):
    """So noisy that HDBSCAN alone leaves recordings out; a speaker of 6 is found beside one of 300."""
    X, truth = speakers([300, 100, *[30] * 10, *[12] * 20, *[6] * 5], d=192, noise=1.4)
    fitted = GraphHDBSCAN(exact_up_to=exact_up_to).fit(X)
    alone = HDBSCAN(5, min_samples=1).fit_predict(X)
    score = adjusted_rand_score(truth, fitted.labels_)
    assert score > 0.99
    assert np.mean(fitted.labels_ < 0) < 0.02
    assert score >= adjusted_rand_score(truth, alone)
    assert abs(fitted.n_clusters_ - 37) <= 1
    sizes = np.bincount(fitted.labels_[fitted.labels_ >= 0])
    assert (np.diff(sizes) <= 0).all()  # the largest cluster is number 0


def test_two_chained_speakers_come_apart():
    """Recordings that do not agree with the mean of their cluster leave it; the other speaker is found among them."""
    X, truth = speakers([60, 20, 40, 40], d=96, noise=0.7, shuffle=False)
    X = unit_rows(X)
    chained = np.where(truth == 1, 0, truth)
    chained = np.unique(chained, return_inverse=True)[1]
    threshold = means.similarity_threshold(X, truth, np.random.RandomState(0))
    released = means.release_far(X, chained, threshold, 5)
    np.testing.assert_array_equal(np.flatnonzero(released < 0), np.flatnonzero(truth == 1))


def test_parts_of_one_speaker_merge_and_others_do_not():
    X, truth = speakers([40, 40, 40], d=96, noise=0.7, shuffle=False)
    X = unit_rows(X)
    parts = np.arange(120) // 10  # four of each speaker
    threshold = means.similarity_threshold(X, truth, np.random.RandomState(0))
    assert same_partition(means.merge_alike(X, parts, threshold), truth)
    left = np.where(np.arange(120) % 4 == 0, -1, truth)
    np.testing.assert_array_equal(means.join_near(X, left, threshold), truth)
    np.testing.assert_array_equal(means.join_near(X, left, 1.1), left)


def test_the_threshold_is_between_own_and_other():
    X, truth = speakers([30] * 6, d=96, noise=0.7)
    X = unit_rows(X)
    centres = unit_rows(np.array([X[truth == who].sum(axis=0) for who in range(6)]))
    cosines = X @ centres.T
    own = cosines[np.arange(len(X)), truth]
    cosines[np.arange(len(X)), truth] = -1
    threshold = means.similarity_threshold(X, truth, np.random.RandomState(0))
    assert np.quantile(cosines.max(axis=1), 0.99) < threshold < np.quantile(own, 0.01)
    assert np.isnan(means.similarity_threshold(X, np.zeros(len(X), dtype=int), np.random.RandomState(0)))


def test_single_precision_and_order_of_files(rng):
    X, _ = speakers([40] * 8, noise=0.9)
    order = rng.permutation(len(X))
    labels = GraphHDBSCAN(exact_up_to=100).fit_predict(X)
    np.testing.assert_array_equal(GraphHDBSCAN(exact_up_to=100).fit_predict(X[order]), labels[order])
    np.testing.assert_array_equal(GraphHDBSCAN(exact_up_to=100).fit_predict(X.astype(np.float32)), labels)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"min_cluster_size": 1}, "min_cluster_size=1"),
        ({"n_neighbors": 1.5}, r"n_neighbors=1\.5"),
        ({"similarity": 2}, "similarity=2"),
        ({"similarity": "high"}, "similarity='high'"),
    ],
)
def test_wrong_parameters_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        GraphHDBSCAN(**wrong).fit(np.eye(4))
