"""Scores of pairs against scikit-learn's ROC on all of them, and stability under resampling."""

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import roc_auc_score, roc_curve
from speaker_vectors import audiomnist, speakers

from audioclust.clustering.hdbscan import HDBSCAN
from audioclust.evaluation import equal_error_rate, min_dcf, score_distributions, stability, verification
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
    accepted, detected, _ = roc_curve(same, scores, drop_intermediate=False)
    missed = 1 - detected
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
        ({"share": "most"}, "share='most'"),
        ({"rounds": 2.5}, r"rounds=2\.5"),
        ({"random_state": "x"}, "random_state='x'"),
        ({"labels": ["a"] * 15}, "labels has .*'a'.*give whole numbers"),
        ({"rounds": 0}, "rounds=0"),
        ({"share": 0.99}, "leaves none out"),
        ({"labels": truth[:3]}, "labels has shape"),
    ]:
        with pytest.raises(ValueError, match=message):
            stability(X, KMeans(3), **settings)


# ---- labels that are missing, and the cost of errors


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, ""])
def test_recordings_without_a_label_are_no_speaker(missing):
    X, truth = speakers([10] * 6, noise=1.5)
    names = np.array(list("abcdef"), dtype=object)[truth]
    unlabelled = np.arange(60) % 3 == 0
    partly = names.copy()
    partly[unlabelled] = missing
    expected = equal_error_rate(X[~unlabelled], names[~unlabelled])
    assert equal_error_rate(X, partly) == equal_error_rate(X, list(partly)) == expected
    assert (
        score_distributions(X, pd.Series(partly)).same.sum()
        == score_distributions(X[~unlabelled], names[~unlabelled]).same.sum()
    )
    assert min_dcf(X, partly) == min_dcf(X[~unlabelled], names[~unlabelled])
    assert np.isnan(equal_error_rate(X, [missing] * 60))


def test_missing_numbers_and_noise_are_no_speaker():
    X, truth = speakers([10] * 4, noise=1.5)
    numbers = truth.astype(float)
    numbers[::5] = np.nan
    numbers[1::5] = -1
    known = numbers >= 0
    assert equal_error_rate(X, numbers) == equal_error_rate(X[known], truth[known])
    assert cluster_uniqueness(truth, np.where(known, truth, np.nan)) == 1


def _brute_force_dcf(X, truth, p_target, c_miss, c_fa):
    scores, same = _pairs(X, truth)
    thresholds = np.append(np.unique(scores), np.inf)
    missed = np.array([np.mean(scores[same] < threshold) for threshold in thresholds])
    accepted = np.array([np.mean(scores[~same] >= threshold) for threshold in thresholds])
    costs = c_miss * p_target * missed + c_fa * (1 - p_target) * accepted
    return costs.min() / min(c_miss * p_target, c_fa * (1 - p_target))


@pytest.mark.parametrize("costs", [(0.01, 1, 1), (0.5, 1, 1), (0.05, 10, 1), (0.9, 1, 3)])
@pytest.mark.parametrize("noise", [0.5, 1.0, 1.5, 4.0])
def test_detection_cost_against_all_thresholds(monkeypatch, costs, noise):
    monkeypatch.setattr(verification, "BINS", 64)  # many scores in every bin
    X, truth = speakers([6] * 12, noise=noise)
    p_target, c_miss, c_fa = costs
    ours = min_dcf(X, truth, p_target=p_target, c_miss=c_miss, c_fa=c_fa)
    assert ours == pytest.approx(_brute_force_dcf(X, truth, *costs), abs=1e-12)
    assert 0 <= ours <= 1


def test_detection_cost_at_its_ends():
    X = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    assert min_dcf(X, ["a", "a", "b", "b"]) == 0
    assert min_dcf(X, ["a", "b", "a", "b"]) == 1  # the scores are reversed: no better than refusing all
    assert np.isnan(min_dcf(X, ["a"] * 4))
    for name, value in [("p_target", 0), ("p_target", 1), ("c_miss", 0), ("c_fa", -1)]:
        with pytest.raises(ValueError, match=f"{name}={value}"):
            min_dcf(X, ["a", "a", "b", "b"], **{name: value})
