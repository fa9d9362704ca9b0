import math
import time
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from audioclust.evaluation import evaluate
from audioclust.evaluation.external import LABEL_SCORES, accuracy, singletons
from audioclust.evaluation.scores import SCORES

INTERNAL = ("silhouette", "silhouette_cosine", "davies_bouldin", "calinski_harabasz")


def brute_accuracy(labels, truth):
    """Try every injection of clusters into labels, or of labels into clusters."""
    labels, truth = list(labels), list(truth)
    fresh = iter(range(1000, 2000))
    labels = [next(fresh) if label == -1 else label for label in labels]
    clusters, classes = sorted(set(labels)), sorted(set(truth))
    size = max(len(clusters), len(classes))
    classes += [f"none {i}" for i in range(size - len(classes))]
    best = 0
    for chosen in permutations(classes, len(clusters)):
        names = dict(zip(clusters, chosen, strict=True))
        best = max(best, sum(names[label] == true for label, true in zip(labels, truth, strict=True)))
    return best / len(labels)


def test_perfect():
    truth = np.repeat(["a", "b", "c"], 5)
    X = np.repeat([[0.0, 9], [9, 0], [5, 5]], 5, axis=0) + np.linspace(0, 0.1, 15)[:, None]
    scores = evaluate([2] * 5 + [0] * 5 + [1] * 5, truth, X)
    assert tuple(scores) == SCORES
    for name in LABEL_SCORES:
        assert scores[name] == scores[f"{name}_clustered"] == pytest.approx(1)
    assert scores["n_clusters"] == 3
    assert scores["coverage"] == 1
    assert scores["silhouette"] > 0.9
    assert all(isinstance(value, float) for value in scores.values())


def test_by_hand():
    # clusters: {a a b} {b} noise {a}; as clusters of their own: 0 -> a (2), 1 -> b (1)
    scores = evaluate([0, 0, 0, 1, -1], ["a", "a", "b", "b", "a"])
    assert scores["acc"] == pytest.approx(3 / 5)
    assert scores["purity"] == pytest.approx(4 / 5)
    assert scores["fmi"] == pytest.approx(1 / math.sqrt(3 * 4))
    assert scores["acc_clustered"] == scores["purity_clustered"] == pytest.approx(3 / 4)
    assert scores["fmi_clustered"] == pytest.approx(1 / math.sqrt(3 * 2))
    assert scores["n_clusters"] == 2
    assert scores["coverage"] == pytest.approx(4 / 5)


def test_accuracy_is_the_best_of_all_matchings(rng):
    for _ in range(60):
        n = rng.integers(1, 9)
        labels = rng.integers(-1, rng.integers(1, 5), size=n)
        truth = rng.integers(rng.integers(1, 5), size=n)
        assert evaluate(labels, truth)["acc"] == pytest.approx(brute_accuracy(labels, truth)), (labels, truth)


def test_label_scores_are_scikit_learns(rng):
    for clusters, classes, n in ((5, 3, 60), (2, 7, 60), (9, 9, 40), (30, 4, 50)):
        labels, truth = rng.integers(-1, clusters, n), rng.integers(classes, size=n)
        scores = evaluate(labels, [f"label {value}" for value in truth])
        for suffix, kept in (("", np.ones(n, dtype=bool)), ("_clustered", labels >= 0)):
            ours, true = singletons(labels)[kept], truth[kept]
            expected = {
                "nmi": metrics.normalized_mutual_info_score(true, ours),
                "ari": metrics.adjusted_rand_score(true, ours),
                "ami": metrics.adjusted_mutual_info_score(true, ours),
                "homogeneity": metrics.homogeneity_score(true, ours),
                "completeness": metrics.completeness_score(true, ours),
                "fmi": metrics.fowlkes_mallows_score(true, ours),
                "purity": metrics.cluster.contingency_matrix(true, ours).max(axis=0).sum() / len(true),
            }
            for name, value in expected.items():
                assert scores[name + suffix] == pytest.approx(value, abs=1e-12), name


def test_internal_scores_are_scikit_learns_without_the_noise(rng):
    X = rng.normal(size=(80, 4))
    labels = rng.integers(-1, 3, 80)
    kept, left = X[labels >= 0], labels[labels >= 0]
    scores = evaluate(labels, X=X)
    assert scores["silhouette"] == pytest.approx(metrics.silhouette_score(kept, left), abs=1e-9)
    assert scores["silhouette_cosine"] == pytest.approx(metrics.silhouette_score(kept, left, metric="cosine"), abs=1e-9)
    assert scores["davies_bouldin"] == pytest.approx(metrics.davies_bouldin_score(kept, left))
    assert scores["calinski_harabasz"] == pytest.approx(metrics.calinski_harabasz_score(kept, left))
    assert all(math.isnan(scores[name]) for name in LABEL_SCORES)


def test_all_noise_is_undefined_where_clusters_are_needed(rng):
    scores = evaluate([-1] * 6, ["a", "a", "b", "b", "c", "c"], rng.normal(size=(6, 2)))
    assert scores["coverage"] == scores["n_clusters"] == 0
    assert scores["acc"] == 3 / 6
    assert scores["homogeneity"] == pytest.approx(1)
    assert math.isnan(scores["fmi"])
    for name in (*(f"{name}_clustered" for name in LABEL_SCORES), *INTERNAL):
        assert math.isnan(scores[name]), name


def test_calling_recordings_noise_costs_accuracy(rng):
    truth = rng.integers(4, size=60)
    labels = truth.copy()
    before = evaluate(labels, truth)["acc"]
    labels[rng.choice(60, 20, replace=False)] = -1
    after = evaluate(labels, truth)
    assert after["acc"] < before
    assert after["ami"] < before
    assert after["acc_clustered"] == 1
    assert after["coverage"] == pytest.approx(40 / 60)


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2], [-1, -1, -1]])
def test_one_label_leaves_nothing_to_find(labels):
    scores = evaluate(labels, ["a", "a", "a"])
    for name in ("nmi", "ari", "ami", "homogeneity", "completeness"):
        assert math.isnan(scores[name])
    assert scores["purity"] == 1
    assert scores["acc"] == (1 if labels == [0, 0, 0] else pytest.approx(1 / 3))


def test_one_giant_cluster_is_worth_nothing(rng):
    scores = evaluate([0] * 10, list("aaaaabbbbb"), rng.normal(size=(10, 2)))
    assert scores["acc"] == 0.5
    assert [scores["nmi"], scores["ari"], scores["homogeneity"]] == pytest.approx([0, 0, 0], abs=1e-12)
    assert all(math.isnan(scores[name]) for name in INTERNAL)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, "", " "])
def test_recordings_without_truth_are_left_out(missing):
    truth = ["a", "a", missing, "b", "b", missing]
    labels = [0, 0, 0, 1, 1, 2]
    scores = evaluate(labels, truth)
    assert scores["acc"] == scores["nmi"] == pytest.approx(1)
    assert scores["n_clusters"] == 3
    series = pd.Series(truth, dtype="string")
    assert evaluate(labels, series)["acc"] == 1
    assert math.isnan(evaluate(labels, [missing] * 6)["acc"])
    assert accuracy(labels, truth) == 1
    assert math.isnan(accuracy(labels, [missing] * 6))


def test_one_recording():
    scores = evaluate([0], ["a"], [[1.0, 2.0]])
    assert scores["acc"] == scores["purity"] == scores["coverage"] == 1
    assert math.isnan(scores["nmi"])
    assert math.isnan(scores["silhouette"])


def test_strings_and_numbers_mean_the_same():
    truth = [10, 10, 20, 20, 30]
    expected = evaluate([0, 0, 1, 1, 1], truth)
    np.testing.assert_equal(evaluate(["x", "x", "y", "y", "y"], [str(value) for value in truth]), expected)
    np.testing.assert_equal(evaluate(np.array([0.0, 0, 1, 1, 1]), np.array(truth, dtype=float)), expected)
    np.testing.assert_equal(evaluate(pd.Series([5, 5, 9, 9, 9]), pd.Series(truth)), expected)
    assert accuracy([0, 0, 1, 1, 1], truth) == expected["acc"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "labels is empty"),
        (([0, 1], ["a"]), "truth has 1 values, labels has 2"),
        (([0, 1], None, [[1.0]]), "X has 1 rows, labels has 2"),
        (([0, 1], None, [1.0, 2.0]), "X must have the shape"),
        (([0, 1], None, [[1.0], [math.nan]]), "X has NaN or infinite values"),
        (([0, 1], None, [[1.0], [math.inf]]), "X has NaN or infinite values"),
        (([0, math.nan],), "labels has missing values"),
        (([0, 0.5],), "whole numbers"),
        (([0, -2],), "whole numbers from -1"),
        (([0, "a", None],), "labels has missing values"),
        (([[0, 1]],), "labels must be one-dimensional"),
        (([0, 1], [["a"], ["b"]]), "truth must be one-dimensional"),
    ],
)
def test_malformed(arguments, message):
    with pytest.raises(ValueError, match=message):
        evaluate(*arguments)


def test_five_thousand_recordings_are_scored_quickly(rng):
    X = rng.normal(size=(5000, 40))
    truth, labels = rng.integers(20, size=5000), rng.integers(-1, 30, 5000)
    began = time.process_time()
    evaluate(labels, truth, X)
    ours = time.process_time() - began
    began = time.process_time()
    metrics.silhouette_score(X, labels)
    assert ours < 2 * (time.process_time() - began) + 1


def test_all_noise_earns_next_to_nothing_but_nmi(rng):
    scores = evaluate([-1] * 400, rng.integers(4, size=400))
    assert scores["acc"] == pytest.approx(4 / 400)
    assert [scores["ari"], scores["ami"]] == pytest.approx([0, 0], abs=1e-9)
    assert scores["nmi"] > 0.3  # why a best row is never taken by NMI where coverage is low


def test_many_noise_recordings_do_not_fill_the_memory(rng):
    truth = rng.integers(50, size=60_000)
    scores = evaluate(np.full(60_000, -1), truth)
    assert scores["acc"] == pytest.approx(50 / 60_000)


def test_a_large_silhouette_is_sampled_reproducibly(rng):
    X = rng.normal(size=(400, 3)) + np.repeat([[0], [4]], 200, axis=0)
    labels = np.repeat([0, 1], 200)
    sampled = evaluate(labels, X=X, max_silhouette=100)
    assert sampled["silhouette"] == evaluate(labels, X=X, max_silhouette=100)["silhouette"]
    assert sampled["silhouette"] == pytest.approx(evaluate(labels, X=X)["silhouette"], abs=0.05)
    assert sampled["davies_bouldin"] == evaluate(labels, X=X)["davies_bouldin"]


@pytest.mark.parametrize("scale", [1e-150, 1e150, 1e250])
def test_inner_scores_do_not_depend_on_the_scale(scale, rng):
    X = rng.normal(size=(60, 3)) + np.repeat([[0], [4], [9]], 20, axis=0)
    labels = np.repeat([0, 1, 2], 20)
    expected, scaled = evaluate(labels, X=X), evaluate(labels, X=X * scale)
    for name in INTERNAL:
        assert scaled[name] == pytest.approx(expected[name], rel=1e-9)


def test_noise_as_singletons():
    assert singletons([3, -1, 7, -1]).tolist() == [0, 2, 1, 3]
    assert singletons(["b", "a", "b"]).tolist() == [0, 1, 0]
    assert singletons([-1, -1]).tolist() == [0, 1]
