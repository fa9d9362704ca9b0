"""Partial sets: the published steps, and a test for everything that went wrong in an earlier implementation of them."""

import json

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import check_estimator
from speaker_vectors import accuracy, audiomnist, speakers

from audioclust import parallel
from audioclust.clustering.speakers.partial_sets import PartialSets, _suspect_size
from audioclust.curation.cluster_map import read_cluster_map, write_cluster_map

pytestmark = pytest.mark.filterwarnings("ignore::audioclust.evaluation.degenerate.DegenerateClusteringWarning")


def _on_arc(degrees, each=1, d=8):
    """Unit vectors at angles in one plane."""
    angles = np.deg2rad(np.repeat(degrees, each))
    X = np.zeros((len(angles), d))
    X[:, 0], X[:, 1] = np.cos(angles), np.sin(angles)
    return X


def _ready(**settings):
    estimator = PartialSets(**settings)
    estimator.merge_start_, estimator.merge_end_ = estimator.merge_start, estimator.merge_end
    estimator.noise_similarity_ = estimator.noise_similarity
    return estimator


def test_speakers_spread_over_partial_sets():
    X, truth = speakers([40] * 12, d=96, shuffle=False)
    fitted = PartialSets(120).fit(X)
    assert fitted.n_partial_clusters_ > 12  # every speaker is in several sets, so merging has work to do
    assert adjusted_rand_score(truth, fitted.labels_) == 1
    assert fitted.merge_end_ < fitted.merge_start_ < 1


def test_no_cluster_is_suspiciously_large():
    """Equal sizes, no cluster at twice the mean: nothing to split, nothing breaks."""
    X, truth = speakers([20] * 6)
    assert accuracy(truth, PartialSets().fit_predict(X)) == 1


def test_suspect_sizes():
    assert _suspect_size([10] * 50 + [500]) == np.floor(
        4 * np.mean([10] * 50 + [500])
    )  # 5, 4, 3, 2 reached: the second
    assert _suspect_size([10, 10, 10, 25]) == np.inf
    assert _suspect_size([10] * 4 + [40]) == np.floor(2 * 16)
    assert _suspect_size([]) == np.inf


def test_no_noise():
    X = np.repeat(speakers([1] * 5)[0], 8, axis=0)
    labels = PartialSets().fit_predict(X)
    np.testing.assert_array_equal(labels, np.repeat(labels[::8], 8))
    assert len(set(labels)) == 5


def test_no_cluster_keeps_every_recording_as_noise(rng):
    for X in (rng.standard_normal((3, 20)), rng.standard_normal((2, 20)), np.ones((5, 4))):
        fitted = PartialSets().fit(X)
        np.testing.assert_array_equal(fitted.labels_, -1)
        assert np.isnan(fitted.merge_end_)


def test_merging_reaches_the_end_threshold():
    """No pair merges at .98 to .95; the one at .945 still does."""
    X = _on_arc([0, np.rad2deg(np.arccos(0.945)), 120], each=5)
    clusters = [np.arange(5), np.arange(5, 10), np.arange(10, 15)]
    merged = _ready(merge_start=0.98, merge_end=0.94)._merge(X, clusters)
    assert sorted(map(len, merged)) == [5, 10]
    assert len(_ready(merge_start=0.98, merge_end=0.95)._merge(X, clusters)) == 3


def test_merging_does_not_depend_on_the_order_of_clusters(rng):
    X = _on_arc([0, 8, 14, 40, 47, 90, 91, 150])
    clusters = [np.array([i]) for i in range(8)]
    expected = None
    for _ in range(10):
        order = rng.permutation(8)
        merged = _ready(merge_start=0.995, merge_end=0.98)._merge(X, [clusters[i] for i in order])
        groups = {frozenset(group.tolist()) for group in merged}
        expected = expected or groups
        assert groups == expected
    assert frozenset({1, 2}) <= next(group for group in expected if 1 in group)  # nearest first: 8 and 14 degrees


def test_a_thousand_merges_need_no_recursion():
    X = _on_arc(np.linspace(0, 10, 3000))
    merged = _ready(merge_start=0.99, merge_end=0.98)._merge(X, [np.array([i]) for i in range(3000)])
    assert len(merged) == 1


def test_two_fits_share_nothing():
    X, truth = speakers([15] * 6)
    Y, _ = speakers([15] * 9, seed=5)
    estimator = PartialSets(60)
    first = estimator.fit_predict(X)
    estimator.fit(Y)
    np.testing.assert_array_equal(estimator.fit_predict(X), first)
    assert accuracy(truth, first) == 1


def test_order_of_files_has_no_say(rng):
    X, _ = speakers([40] * 8, noise=0.9)
    order = rng.permutation(len(X))
    labels = PartialSets(110).fit_predict(X)
    np.testing.assert_array_equal(PartialSets(110).fit_predict(X[order]), labels[order])
    assert adjusted_rand_score(labels, PartialSets(110, random_state=1).fit_predict(X)) > 0.95


def test_equal_vectors_stay_different_recordings(tmp_path):
    """Mapping back goes by row: equal vectors are neither doubled nor lost."""
    X, _ = speakers([12] * 5, shuffle=False)
    X[7] = X[3]
    X[50] = X[49]
    labels = PartialSets().fit_predict(X)
    assert labels[7] == labels[3]
    names = [f"{i:03}.wav" for i in range(len(X))]
    write_cluster_map(tmp_path / "cluster_map.json", names, labels)
    assert list(json.loads((tmp_path / "cluster_map.json").read_text())) == names
    assert list(read_cluster_map(tmp_path / "cluster_map.json").values()) == labels.tolist()
    with pytest.raises(ValueError, match=r"'a\.wav' occurs more than once"):
        write_cluster_map(tmp_path / "map.json", ["a.wav", "a.wav"], [0, 1])
    with pytest.raises(ValueError, match="names has 1 entries, labels 2"):
        write_cluster_map(tmp_path / "map.json", ["a.wav"], [0, 1])
    assert not (tmp_path / "map.json").exists()
    for wrong in ('{"a.wav": "x"}', '{"a.wav": -2}', '["a.wav"]'):
        (tmp_path / "map.json").write_text(wrong)
        with pytest.raises(ValueError, match=r"map\.json: not a map from files to clusters"):
            read_cluster_map(tmp_path / "map.json")


def test_a_large_speaker_is_not_torn_apart():
    """A cluster far above the mean size is examined, and kept whole if it does not fall apart."""
    X, truth = speakers([150, 8, 8, 8, 8, 8, 8, 8, 8, 8], d=96, noise=0.6)
    assert accuracy(truth, PartialSets().fit_predict(X)) == 1


def test_suspects_that_fall_apart_are_split():
    X, truth = speakers([30] * 4, noise=0.5, shuffle=False)
    estimator = _ready(merge_start=0.9, merge_end=0.8, noise_similarity=0.5)
    joined = [np.arange(60)] + [np.arange(60 + 10 * i, 70 + 10 * i) for i in range(6)]
    clusters, noise = estimator._split_suspects(X, joined, np.random.RandomState(0), parallel.Workers())
    assert {tuple(np.unique(truth[cluster])) for cluster in clusters} == {(0,), (1,), (2,), (3,)}
    assert sum(map(len, clusters)) + len(noise) == 120


def test_noise_joins_or_stays():
    X = np.vstack([_on_arc([0, 1, 2, 3]), _on_arc([90, 91, 92, 93]), _on_arc([20, 50])])
    labels = np.array([0] * 4 + [1] * 4 + [-1, -1])
    _ready(noise_similarity=0.9)._fit_noise(X, labels, np.array([8, 9]))
    assert labels[8:].tolist() == [0, -1]


def test_bad_input():
    X, _ = speakers([5] * 4)
    for settings, message in [
        ({"partial_set_size": 1}, "partial_set_size=1"),
        ({"merge_end": 2.0}, r"merge_end=2\.0: give a cosine"),
        ({"merge_start": 0.5, "merge_end": 0.9}, "merging falls"),
        ({"noise_similarity": "high"}, "noise_similarity='high'"),
    ]:
        with pytest.raises(ValueError, match=message):
            PartialSets(**settings).fit(X)
    with pytest.raises(ValueError, match="NaN"):
        PartialSets().fit(np.full((5, 2), np.nan))
    with pytest.raises(ValueError, match="minimum of 2"):
        PartialSets().fit(X[:1])


def test_zero_vectors_are_named():
    X, _ = speakers([12] * 5)
    X[4] = 0
    with pytest.warns(UserWarning, match=r"1 of 60 vectors are zero and have no direction"):
        labels = PartialSets().fit_predict(X)
    assert labels.max() == 4


def test_scikit_learn_contract():
    check_estimator(PartialSets())


def test_real_speakers(shared):
    X, truth = audiomnist(shared)
    assert adjusted_rand_score(truth, PartialSets(1000).fit_predict(X)) == 1
    for seed in range(3):
        assert adjusted_rand_score(truth, PartialSets(500, random_state=seed).fit_predict(X)) >= 0.99


def test_copies_and_scale():
    X, _ = speakers([30] * 4, noise=0.9, shuffle=False)
    several = np.vstack([X, X[:4].repeat(6, axis=0)])
    labels = PartialSets(40).fit_predict(several)
    np.testing.assert_array_equal(labels[120:], labels[:4].repeat(6))
    np.testing.assert_array_equal(PartialSets(40).fit_predict(several * 1e150), labels)
