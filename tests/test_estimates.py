"""Scores from samples: right on average, with an error that says how far off they are."""

import numpy as np
import pytest
from sklearn.metrics import silhouette_score
from speaker_vectors import speakers

from audioclust.evaluation import equal_error_rate, estimates


def test_all_recordings_give_the_exact_silhouette():
    X, truth = speakers([30, 20, 10, 1])
    assert estimates.silhouette(X, truth) == (pytest.approx(silhouette_score(X, truth)), 0)
    assert np.isnan(estimates.silhouette(X, np.zeros(len(X))).value)


def test_the_silhouette_of_small_clusters_is_not_lost_in_a_sample():
    """Of 300 clusters of six, 200 recordings among themselves would be singletons mostly."""
    X, truth = speakers([6] * 300, noise=0.6)
    exact = silhouette_score(X, truth)
    found = [estimates.silhouette(X, truth, samples=200, random_state=seed) for seed in range(20)]
    deviations = np.array([(estimate.value - exact) / estimate.error for estimate in found])
    assert np.abs(deviations).max() < 4
    assert 0.5 < deviations.std() < 1.6
    assert found[0] == estimates.silhouette(X, truth, samples=200, random_state=0)


def test_the_equal_error_rate_of_parts():
    X, truth = speakers([20] * 100, noise=1.3, d=48)
    exact = equal_error_rate(X, truth)
    found = [estimates.of_parts(equal_error_rate, X, truth, samples=200, parts=10, random_state=s) for s in range(3)]
    for estimate in found:
        assert estimate.error > 0
        assert abs(estimate.value - exact) < 4 * estimate.error
    assert estimates.of_parts(equal_error_rate, X, truth, samples=1500) == (exact, 0)
    with pytest.raises(ValueError, match="samples=1"):
        estimates.of_parts(equal_error_rate, X, truth, samples=1)
