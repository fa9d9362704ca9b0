"""Prototypes, refinement and corrections: what is done with clusters."""

import json

import numpy as np
import pytest
from sklearn.cluster import KMeans
from speaker_vectors import accuracy, speakers

from audioclust.clustering import Prototypes
from audioclust.clustering.hdbscan import HDBSCAN
from audioclust.curation.constraints import Constrained, apply_constraints
from audioclust.curation.refine import confidence, refine
from audioclust.evaluation.thresholds import equal_error, false_accept_threshold, midway

# ---- prototypes


def test_recognises_and_rejects():
    """The threshold, calibrated on known speakers, holds for 200 speakers it has never met."""
    X, truth = speakers([20] * 260, d=48, noise=0.9, seed=2)
    known, strangers = truth < 60, truth >= 60
    half = np.random.default_rng(0).random(len(X)) < 0.5
    for rate in (0.01, 0.05):
        fitted = Prototypes(false_accept_rate=rate).fit(X[known & half], truth[known & half])
        accepted = np.mean(fitted.predict(X[strangers]) != -1)
        assert 0.3 * rate < accepted < 2 * rate
        new = fitted.predict(X[known & ~half])
        assert np.mean(new[new != -1] == truth[known & ~half][new != -1]) > 0.98
        assert abs(np.mean(new == -1) - fitted.miss_rate_) < 0.03


def test_threshold_by_hand():
    """Two speakers at right angles, each with two recordings 30 degrees apart."""
    angles = np.deg2rad([0, 30, 90, 120])
    X = np.column_stack([np.cos(angles), np.sin(angles)])
    fitted = Prototypes(false_accept_rate=0.0).fit(X, [4, 4, 9, 9])
    np.testing.assert_allclose(
        fitted.centroids_, [[np.cos(np.pi / 12), np.sin(np.pi / 12)], [np.cos(7 * np.pi / 12), np.sin(7 * np.pi / 12)]]
    )
    np.testing.assert_allclose(fitted.threshold_, np.cos(np.deg2rad(75)))  # 30 degrees against the mean at 105
    assert fitted.miss_rate_ == 0
    assert fitted.predict([[3.0, 0.1], [0.0, 1.0], [-1.0, -1.0]]).tolist() == [4, 9, -1]
    assert Prototypes(threshold=0.99).fit(X, [4, 4, 9, 9]).predict(X).tolist() == [-1, -1, -1, -1]


def test_noise_is_left_out_and_names_are_kept():
    X, truth = speakers([10] * 4)
    labels = np.where(truth == 3, -1, truth + 5)
    fitted = Prototypes(threshold=0.5).fit(X, labels).name({5: "Ada", 7: "Grace"})
    assert fitted.labels_.tolist() == [5, 6, 7]
    assert set(fitted.predict_names(X[truth == 0])) <= {"Ada", "unknown"}
    assert set(fitted.predict_names(X[truth == 1])) <= {"6", "unknown"}
    with pytest.raises(ValueError, match="no prototype has the label 3"):
        fitted.name({3: "nobody"})


def test_speakers_are_added():
    X, truth = speakers([20] * 6, noise=0.6)
    fitted = Prototypes().fit(X[truth < 4], truth[truth < 4])
    newcomer = X[truth == 5]
    assert set(fitted.predict(newcomer)) == {-1}
    label = fitted.add(newcomer[:5], name="Mary")
    assert label == 4
    assert fitted.predict_names(newcomer[5:]) == ["Mary"] * 15
    before = fitted.centroids_[0].copy()
    assert fitted.add(X[truth == 0] * 3, label=0) == 0
    np.testing.assert_allclose(fitted.centroids_[0], before)  # the same recordings again: the same direction
    assert fitted.counts_.tolist() == [40, 20, 20, 20, 5]


def test_saved_and_loaded(tmp_path):
    X, truth = speakers([10] * 5)
    fitted = Prototypes(false_accept_rate=0.02).fit(X, truth).name({1: "Ada"})
    folder = fitted.save(tmp_path / "voices")
    fitted.add(X[:3], name="late")
    fitted.save(folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["voices"]
    loaded = Prototypes.load(folder)
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))
    assert loaded.names_ == {1: "Ada", 5: "late"}
    assert loaded.get_params() == fitted.get_params()
    assert loaded.miss_rate_ == fitted.miss_rate_
    assert loaded.add(X[:2]) == 6

    settings = json.loads((folder / "prototypes.json").read_text())
    (folder / "prototypes.json").write_text(json.dumps({**settings, "format": 99}))
    with pytest.raises(ValueError, match="format 99"):
        Prototypes.load(folder)
    (folder / "prototypes.json").write_text(json.dumps(settings))
    np.savez(folder / "prototypes.npz", sums=np.array([print], dtype=object), labels=[0], counts=[1])
    with pytest.raises(ValueError, match=r"[Oo]bject arrays|allow_pickle"):
        Prototypes.load(folder)


@pytest.mark.parametrize(("changes", "message"), [
    ({"threshold_": "0.5"}, "threshold_='0.5'"),
    ({"threshold_": None}, "threshold_=None"),
    ({"false_accept_rate": 3}, "false_accept_rate=3"),
    ({"miss_rate_": -1}, "miss_rate_=-1"),
    ({"names": ["Ada"]}, "items"),
    ({"names": {"9": "Ada"}}, "no prototype has the label 9"),
    ({"names": {"x": "Ada"}}, "'x'"),
    ({"sums": [[1, 2], [3, 4]]}, "sums is an array of int64"),
    ({"sums": [[1.0, 2.0], [np.nan, 4.0]]}, "sums must be finite"),
    ({"sums": [1.0, 2.0]}, r"sums is an array of float64 with shape \(2,\)"),
    ({"labels": [0, 0]}, "labels different"),
    ({"labels": [0, -1]}, "labels different"),
    ({"labels": [0.0, 1.0]}, "labels is an array of float64"),
    ({"labels": [0, 1, 2]}, r"labels is an array of int64 with shape \(3,\)"),
    ({"counts": [2, 0]}, "counts at least 1"),
])  # fmt: skip
def test_what_is_loaded_is_checked(tmp_path, changes, message):
    folder = Prototypes().fit([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], [0, 0, 1, 1]).save(tmp_path / "voices")
    settings = json.loads((folder / "prototypes.json").read_text())
    with np.load(folder / "prototypes.npz") as saved:
        arrays = dict(saved)
    settings |= {name: value for name, value in changes.items() if name in settings}
    arrays |= {name: np.array(value) for name, value in changes.items() if name in arrays}
    (folder / "prototypes.json").write_text(json.dumps(settings))
    np.savez(folder / "prototypes.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        Prototypes.load(folder)


def test_damaged_folders_are_named(tmp_path):
    folder = Prototypes().fit([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], [0, 0, 1, 1]).save(tmp_path / "voices")
    data = (folder / "prototypes.npz").read_bytes()
    for damaged in (data[: len(data) // 2], b"", b"no archive", data[:200] + bytes(60) + data[260:]):
        (folder / "prototypes.npz").write_bytes(damaged)
        with pytest.raises(ValueError, match="cannot be read as prototypes"):
            Prototypes.load(folder)
    with (folder / "prototypes.npz").open("wb") as handle:
        np.save(handle, np.ones(3))
    with pytest.raises(ValueError, match="cannot be read as prototypes"):
        Prototypes.load(folder)
    (folder / "prototypes.json").write_text("[]")
    with pytest.raises(ValueError, match=r"format \[\] is not 1"):
        Prototypes.load(folder)


def test_bad_input():
    X, truth = speakers([5] * 3)
    for settings, labels, message in [
        ({"false_accept_rate": 1.0}, truth, r"false_accept_rate=1\.0"),
        ({"threshold": 3}, truth, "threshold=3"),
        ({}, truth[:4], r"labels has shape \(4,\)"),
        ({}, np.full(15, -1), "every recording is noise"),
        ({}, np.zeros(15, dtype=int), "one cluster has no strangers"),
        ({"threshold": "low"}, truth, "threshold='low'"),
        ({}, truth.astype(str), "give whole numbers"),
    ]:
        with pytest.raises(ValueError, match=message):
            Prototypes(**settings).fit(X, labels)
    with pytest.raises(ValueError, match="zero"):
        Prototypes().fit(np.vstack([X[1:], np.zeros(X.shape[1])]), truth)
    with pytest.raises(ValueError, match="NaN"):
        Prototypes().fit(np.full_like(X, np.nan), truth)
    with pytest.raises(ValueError, match="X has 3 columns"):
        Prototypes().fit(X, truth).predict(np.ones((1, 3)))
    assert np.isnan(Prototypes(threshold=0.5).fit(X[:1], [0]).miss_rate_)


# ---- thresholds between scores


def test_equal_error_by_hand():
    assert equal_error([0.8, 0.9], [0.1, 0.2]) == (0.0, 0.5)
    assert equal_error([1, 2, 3, 4], [0, 1.5, -1, -2]) == (0.25, 1.5)
    assert equal_error([0.1, 0.2], [0.8, 0.9])[0] == 1
    assert equal_error([1.0], [1.0])[0] == 0.5
    assert np.isnan(equal_error([], [1.0])).all()
    assert midway(np.array([0.8] * 5), np.array([0.2] * 5)) == 0.5


def test_false_accept_threshold():
    scores = np.arange(100) / 100
    assert np.mean(scores >= false_accept_threshold(scores, 0.05)) == 0.05
    assert np.mean(scores >= false_accept_threshold(scores, 0.0)) == 0
    assert np.mean(np.ones(9) >= false_accept_threshold(np.ones(9), 0.3)) == 0  # ties: never more than asked


# ---- refinement


def test_refinement_repairs_labels():
    X, truth = speakers([30] * 8, noise=0.9)
    rng = np.random.default_rng(0)
    labels = truth.copy()
    wrong = rng.choice(len(X), 48, replace=False)
    labels[wrong] = rng.integers(0, 8, 48)
    labels[rng.choice(len(X), 24, replace=False)] = -1
    refined = refine(X, labels)
    assert accuracy(truth, labels) < 0.8
    assert np.mean(refined == -1) < 0.03
    np.testing.assert_array_equal(refined[refined != -1], truth[refined != -1])
    kept = refine(X, labels, include_noise=False)
    np.testing.assert_array_equal(kept[labels == -1], -1)
    assert np.median(confidence(X, refined)) > np.median(confidence(X, labels)[labels != -1])


def test_refinement_leaves_alone_what_is_right():
    X, truth = speakers([10] * 5, noise=0.4)
    np.testing.assert_array_equal(refine(X, truth * 3), truth * 3)
    np.testing.assert_array_equal(refine(X, np.full(50, -1)), -1)
    np.testing.assert_array_equal(refine(X, np.zeros(50, dtype=int)), 0)
    with pytest.raises(ValueError, match="core_share=0"):
        refine(X, truth, core_share=0)
    with pytest.raises(ValueError, match=r"labels has shape \(49,\), X has 50 rows"):
        refine(X, truth[:49])


# ---- corrections


def _kept(labels, must, cannot):
    return all(labels[i] == labels[j] != -1 for i, j in must) and all(labels[i] != labels[j] for i, j in cannot)


@pytest.mark.parametrize("seed", range(20))
def test_every_constraint_is_kept(seed):
    """Constraints drawn from the truth are feasible, whatever labels they meet."""
    rng = np.random.default_rng(seed)
    X, truth = speakers([8] * 6, noise=1.0, seed=seed)
    labels = rng.integers(-1, 5, len(X))
    pairs = [tuple(map(int, pair)) for pair in rng.integers(0, len(X), (60, 2)) if pair[0] != pair[1]]
    must = [pair for pair in pairs if truth[pair[0]] == truth[pair[1]]]
    cannot = [pair for pair in pairs if truth[pair[0]] != truth[pair[1]]]
    corrected = apply_constraints(labels, X, must_link=must, cannot_link=cannot)
    assert _kept(corrected, must, cannot)
    np.testing.assert_array_equal(apply_constraints(corrected, X, must_link=must, cannot_link=cannot), corrected)


def test_corrections_of_a_clusterer():
    X, truth = speakers([15] * 4, noise=0.5, shuffle=False)
    joined = np.where(truth == 1, 0, truth)  # what a clusterer with k = 3 may find: two speakers in one
    corrected = apply_constraints(joined, X, cannot_link=[(0, 15)])
    assert accuracy(truth, corrected) == 1  # the whole cluster is parted, not the pair alone
    parted = np.where(np.arange(60) < 7, 9, truth)
    corrected = apply_constraints(parted, X, must_link=[(0, 10)])
    assert accuracy(truth, corrected) == 1  # the whole clusters are joined
    np.testing.assert_array_equal(apply_constraints(truth, X), truth)
    fitted = Constrained(KMeans(4, n_init=5, random_state=0), must_link=[(0, 20)], cannot_link=[(0, 30)]).fit(X)
    assert fitted.labels_[0] == fitted.labels_[20] != fitted.labels_[30]
    assert len(set(fitted.labels_)) == 3
    assert len(set(fitted.clusterer_.labels_)) == 4
    once = Constrained(KMeans(4, n_init=5, random_state=0), must_link=iter([(0, 20)])).fit(X)
    assert once.labels_[0] == once.labels_[20]  # an iterator that can be read only once
    noisy = Constrained(HDBSCAN(5), must_link=[(0, 1), (1, 2)], cannot_link=[(0, 59)])
    assert _kept(noisy.fit_predict(X), [(0, 2)], [(2, 59)])


def test_must_links_move_recordings_where_clusters_may_not_join():
    X, truth = speakers([5] * 2, noise=0.3, shuffle=False)
    corrected = apply_constraints(truth, X, must_link=[(0, 5)], cannot_link=[(1, 6)])
    assert corrected[0] == corrected[5]
    assert corrected[1] != corrected[6]
    assert len(set(corrected)) == 2


def test_contradictions_are_named():
    X, truth = speakers([5] * 2)
    with pytest.raises(ValueError, match="cannot_link: rows 0 and 2 are tied together by must_link"):
        apply_constraints(truth, X, must_link=[(0, 1), (1, 2)], cannot_link=[(0, 2)])
    with pytest.raises(ValueError, match="cannot_link: rows 3 and 3"):
        apply_constraints(truth, X, cannot_link=[(3, 3)])
    with pytest.raises(ValueError, match=r"must_link: \(0, 10\) is no pair of rows from 0 to 9"):
        Constrained(KMeans(2), must_link=[(0, 10)]).fit(X)
