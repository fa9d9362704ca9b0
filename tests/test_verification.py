"""Scores of pairs against scikit-learn's ROC on all of them, and stability under resampling."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import roc_auc_score, roc_curve
from speaker_vectors import audiomnist, speakers

from audioclust.clustering.hdbscan import HDBSCAN
from audioclust.evaluation import equal_error_rate, score_distributions, stability, verification
from audioclust.evaluation.verification import cluster_uniqueness


def _pairs(X, truth):
    first, second = np.triu_indices(len(X), 1)
    return (X @ X.T)[first, second], truth[first] == truth[second]


@pytest.mark.parametrize("noise", [0.5, 1.2, 2.0, 4.0])
@pytest.mark.parametrize("block", [1 << 23, 500])
def test_same_as_the_roc_of_all_pairs(monkeypatch, noise, block):
    monkeypatch.setattr(verification, "BLOCK", block)
    X, truth = speakers([7] * 20, noise=noise)
    scores, same = _pairs(X, truth)
    accepted, found, _ = roc_curve(same, scores, drop_intermediate=False)
    missed = 1 - found
    place = np.argmax(missed <= accepted)
    share = (missed - accepted)[place - 1] / ((missed - accepted)[place - 1] - (missed - accepted)[place])
    expected = accepted[place - 1] + share * (accepted[place] - accepted[place - 1])
    described = score_distributions(X, truth)
    np.testing.assert_allclose(described.equal_error_rate, expected, atol=1e-12)
    np.testing.assert_allclose(described.auc, roc_auc_score(same, scores), atol=1e-4)
    np.testing.assert_allclose(described.same_mean, scores[same].mean(), atol=1e-5)
    np.testing.assert_allclose(described.different_std, scores[~same].std(), atol=1e-5)
    assert described.same.sum() == same.sum()
    assert described.different.sum() == (~same).sum()
    misses, accepts = np.mean(scores[same] < described.threshold), np.mean(scores[~same] >= described.threshold)
    assert abs(misses - accepts) <= 2 / same.sum()
    assert equal_error_rate(X, truth) == described.equal_error_rate


def test_perfect_and_reversed():
    X = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    described = score_distributions(X, ["a", "a", "b", "b"])
    assert (described.equal_error_rate, described.threshold, described.auc) == (0.0, 0.5, 1.0)
    assert equal_error_rate(X, [0, 1, 0, 1]) == pytest.approx(2 / 3)  # ties: on the line from (0, 1) to (1, 1/2)


def test_one_kind_of_pairs_is_undefined():
    X, _ = speakers([4] * 3)
    assert np.isnan(equal_error_rate(X, np.zeros(12)))
    assert np.isnan(equal_error_rate(X, np.arange(12)))
    assert np.isnan(equal_error_rate(X[:1], [0]))


def test_malformed():
    X, truth = speakers([4] * 3)
    with pytest.raises(ValueError, match=r"labels has shape \(5,\), X has 12 rows"):
        equal_error_rate(X, truth[:5])
    with pytest.raises(ValueError, match="zero"):
        equal_error_rate(np.zeros((12, 3)), truth)
    with pytest.raises(ValueError, match="NaN"):
        equal_error_rate(np.full((12, 3), np.nan), truth)


def test_noise_is_left_out():
    X, truth = speakers([10] * 5, noise=1.5)
    labels = np.where(np.arange(50) % 4 == 0, -1, truth)
    assert equal_error_rate(X, labels) == equal_error_rate(X[labels != -1], labels[labels != -1])


def test_uniqueness():
    assert cluster_uniqueness([0, 0, 1, 1, 2, 2, -1], ["a", "a", "b", "b", "b", "b", "c"]) == pytest.approx(1 / 3)
    assert cluster_uniqueness([0, 0, 1], ["a", "a", "b"]) == 1
    assert np.isnan(cluster_uniqueness([-1, -1], ["a", "b"]))


def test_real_speakers(shared):
    X, truth = audiomnist(shared)
    described = score_distributions(X, truth)
    assert described.equal_error_rate < 1e-4
    assert described.auc > 0.99999
    assert described.same_mean == pytest.approx(0.851, abs=5e-4)
    assert described.different_mean == pytest.approx(0.145, abs=5e-4)
    assert 0.55 < described.threshold < 0.65


def test_stability_tells_structure_from_none(rng):
    X, truth = speakers([15] * 6, noise=0.6)
    firm = stability(X, KMeans(6, n_init=5, random_state=0), rounds=5)
    assert firm.mean == 1
    assert firm.std == 0
    assert set(firm.n_clusters) == {6}
    assert np.nanmin(firm.recordings) == 1
    loose = stability(rng.standard_normal((90, 64)), KMeans(6, n_init=1, random_state=0), rounds=5)
    assert loose.mean < 0.6
    again = stability(X, HDBSCAN(4), labels=truth, rounds=3, random_state=7)
    np.testing.assert_array_equal(again.scores, stability(X, HDBSCAN(4), labels=truth, rounds=3, random_state=7).scores)


def test_stability_malformed():
    X, truth = speakers([5] * 3)
    for settings, message in [
        ({"share": 1.0}, r"share=1\.0"),
        ({"rounds": 0}, "rounds=0"),
        ({"share": 0.99}, "leaves none out"),
        ({"labels": truth[:3]}, "labels has shape"),
    ]:
        with pytest.raises(ValueError, match=message):
            stability(X, KMeans(3), **settings)
