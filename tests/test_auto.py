"""The clusterer with nothing to set, on speakers it has not seen: many and few, even and uneven, clean and noisy."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.utils.estimator_checks import check_estimator
from speaker_vectors import accuracy, audiomnist, speakers

from audioclust.clustering import DegenerateClusteringWarning, make
from audioclust.clustering.speakers import two_covariance
from audioclust.clustering.speakers.auto import AutoSpeakers
from audioclust.clustering.speakers.separation import Cloud, best_level
from audioclust.clustering.speakers.valley import valley_depth


@pytest.mark.parametrize(("sizes", "d", "noise", "least"), [
    ([10] * 40, 128, 0.9, 1.0),
    ([10] * 30, 192, 1.5, 0.97),
    ([3, 4, 5, 8, 12, 20, 35, 60, 100], 192, 1.0, 1.0),
    ([30] * 2, 192, 1.2, 1.0),
    ([15] * 3, 64, 0.8, 1.0),
    ([50] * 6, 256, 1.2, 1.0),
    ([12] * 12, 24, 0.6, 0.97),
])  # fmt: skip
def test_finds_the_speakers(sizes, d, noise, least):
    X, truth = speakers(sizes, d=d, noise=noise, seed=3)
    fitted = AutoSpeakers().fit(X)
    assert fitted.n_clusters_ == len(sizes)
    assert accuracy(truth, fitted.labels_) >= least
    assert 0 < fitted.separation_ <= 1


@pytest.mark.parametrize(("n", "d", "noise"), [(60, 192, 1.0), (200, 64, 0.5), (30, 24, 0.3)])
def test_one_speaker(n, d, noise):
    X, _ = speakers([n], d=d, noise=noise, seed=1)
    with pytest.warns(DegenerateClusteringWarning, match="one cluster holds all"):
        fitted = AutoSpeakers().fit(X)
    assert fitted.n_clusters_ == 1
    assert fitted.separation_ == 0


def test_an_empty_stretch_between_broad_groups(rng):
    """What is said varies more than who speaks, in other directions: separation is low, yet there is a gap."""
    truth = np.repeat([0, 1], 150)
    X = 0.05 * rng.standard_normal((300, 128)) + 3 * rng.standard_normal(128) / np.sqrt(128)
    X[:, 1:20] += 0.2 * rng.standard_normal((300, 19))
    one = AutoSpeakers().fit(X[:150])
    X[:, 0] += 0.8 * truth
    two = AutoSpeakers().fit(X)
    assert one.n_clusters_ == 1
    assert two.separation_ < 0.65
    assert two.n_clusters_ == 2
    assert accuracy(truth, two.labels_) == 1


@pytest.mark.parametrize("draw", ["standard_normal", "uniform"])
def test_a_long_cloud_is_one_speaker(rng, draw):
    """Cut in the middle its halves keep apart; there is as much between them as in them."""
    spread = np.arange(1, 97) ** -1.0
    X = getattr(rng, draw)(size=(600, 96)) * spread + 2 * rng.standard_normal(96) / np.sqrt(96)
    assert AutoSpeakers().fit(X).n_clusters_ == 1


def test_valley(rng):
    random = np.random.RandomState(0)
    cloud = rng.standard_normal((4000, 30)) * np.append(3.0, np.ones(29))
    halves = (cloud[:, 0] > 0).astype(int)
    assert -0.6 < valley_depth(cloud, halves, random) < -0.1  # a normal distribution is fullest in the middle: -0.4
    apart = cloud + np.outer(2 * halves - 1, np.append(15.0, np.zeros(29)))
    assert valley_depth(apart, halves, random) == 1
    wide = rng.standard_normal((60, 400))
    assert valley_depth(wide, (wide[:, 0] > 0).astype(int), random) < 0  # though some direction parts any 60 points
    assert valley_depth(cloud[:3], np.array([0, 0, 1]), random) == 0


def test_high_cosines_and_uneven_noise(rng):
    """Vectors in a narrow cone, with within-speaker variance that differs between directions, as LSTM encoders give."""
    d, truth = 96, np.repeat(np.arange(8), 25)
    voices = rng.standard_normal((8, d)) / np.sqrt(d)
    within = rng.standard_normal((200, d)) @ (np.exp(-np.arange(d) / 15)[:, None] * rng.standard_normal((d, d))) / d
    X = np.maximum(1.5 / np.sqrt(d) + 0.5 * voices[truth] + within, 0)
    X /= np.linalg.norm(X, axis=1)[:, None]
    assert (X @ X.T).min() > 0.5
    assert accuracy(truth, AutoSpeakers().fit_predict(X)) == 1


def test_order_and_duplicates(rng):
    X, _ = speakers([10] * 15, d=96, noise=1.3)
    labels = make("auto").fit_predict(X)
    order = rng.permutation(len(X))
    np.testing.assert_array_equal(make("auto").fit_predict(X[order]), labels[order])
    twice = make("auto").fit_predict(np.vstack([X, X]))
    np.testing.assert_array_equal(twice, np.concatenate([labels, labels]))


@pytest.mark.filterwarnings("ignore::audioclust.evaluation.degenerate.DegenerateClusteringWarning")
def test_too_little_to_tell(rng):
    for X in (np.ones((2, 3)), np.ones((9, 3)), np.zeros((4, 3)), rng.standard_normal((2, 5)), np.eye(3)):
        np.testing.assert_array_equal(AutoSpeakers().fit_predict(X), 0)
    with pytest.raises(ValueError, match="minimum of 2"):
        AutoSpeakers().fit(np.ones((1, 3)))
    with pytest.raises(ValueError, match="NaN"):
        AutoSpeakers().fit(np.full((4, 3), np.nan))
    with pytest.raises(ValueError, match="random_state='x': give a whole number"):
        AutoSpeakers(random_state="x").fit(np.eye(3))


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_the_scale_does_not_matter(scale):
    X, _ = speakers([8] * 3, noise=0.8, shuffle=False)
    X = np.vstack([X, X[:3].repeat(5, axis=0)])
    np.testing.assert_array_equal(AutoSpeakers().fit_predict(X * scale), AutoSpeakers().fit_predict(X))


def test_scikit_learn_contract():
    check_estimator(AutoSpeakers())


def test_two_covariance_model(rng):
    """Estimates near the truth, and gains equal to ratios of Gaussian densities."""
    d, k, each = 3, 400, 10
    between = np.diag([4.0, 1.0, 0.0])
    labels = np.repeat(np.arange(k), each)
    X = rng.multivariate_normal(np.zeros(d), between, k)[labels] + rng.multivariate_normal(
        np.zeros(d), np.eye(d), k * each
    )
    model = two_covariance.fit(X, labels)
    np.testing.assert_allclose(np.sort(model.between)[::-1], [4, 1, 0], atol=0.4)
    np.testing.assert_allclose(model.transform.T @ model.transform, np.eye(3), atol=0.1)

    variance, rows = 2.5, np.array([[0.3], [1.1], [0.8]])
    simple = two_covariance.TwoCovariance(np.eye(1), np.array([variance]))

    def density(values):
        n = len(values)
        return multivariate_normal(np.zeros(n), np.eye(n) + variance).logpdf(values.ravel())

    together = density(rows)
    apart = sum(density(row) for row in rows)
    gain = two_covariance._gain(np.array([3.0]), rows.sum(axis=0, keepdims=True), simple.between)
    alone = two_covariance._gain(np.ones(3), rows, simple.between).sum()
    np.testing.assert_allclose(gain[0] - alone, together - apart, rtol=1e-10)


def test_separation_prefers_the_speakers():
    X, truth = speakers([12] * 10, d=128, noise=1.4, shuffle=False)
    cloud = Cloud.of(X)
    assert 0.6 < cloud.floor / (cloud.vectors**2).sum(axis=1).mean() < 0.9  # of 1 + 1.96 the noise is two thirds
    halves = 2 * truth + np.tile([0, 1], 60)
    separation, labels = best_level(cloud, halves)
    assert accuracy(truth, labels) == 1
    assert labels.max() == 9
    assert separation > best_level(cloud, truth // 2)[0]


def test_clean_real_speakers(shared):
    X, truth = audiomnist(shared)
    some = np.random.default_rng(0).permutation(60)[:10]
    rows = np.isin(truth, some)
    assert accuracy(np.unique(truth[rows], return_inverse=True)[1], AutoSpeakers().fit_predict(X[rows])) == 1


@pytest.mark.parametrize(("noise", "least"), [(1.2, 0.98), (1.6, 0.93)])
def test_real_speakers_in_noise(shared, noise, least):
    """Ten recordings of each of 60 people under noise that leaves plain HDBSCAN with a third of them."""
    X, truth = audiomnist(shared)
    draw = np.random.default_rng(7)
    rows = np.concatenate([draw.choice(np.flatnonzero(truth == who), 10, replace=False) for who in range(60)])
    fitted = AutoSpeakers().fit(X[rows] + noise / np.sqrt(192) * draw.standard_normal((600, 192)))
    assert accuracy(truth[rows], fitted.labels_) >= least
    assert abs(fitted.n_clusters_ - 60) <= 3
