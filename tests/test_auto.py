"""The clusterer with nothing to set, on speakers it has not seen: many and few, even and uneven, clean and noisy."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm
from speaker_vectors import accuracy, audiomnist, speakers

from audioclust.clustering import DegenerateClusteringWarning, make
from audioclust.clustering.speakers import annealing, two_covariance
from audioclust.clustering.speakers.auto import AutoSpeakers


@pytest.mark.parametrize(("sizes", "d", "noise", "least"), [
    ([10] * 40, 128, 0.9, 1.0),
    ([10] * 30, 192, 1.5, 0.97),
    ([12, 14, 16, 20, 24, 30], 192, 0.7, 1.0),
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
    assert fitted.likelihood_gain_ > 0.3
    assert len(sizes) in [level.n_clusters for level in fitted.levels_]
    assert ((fitted.confidence_ >= 0) & (fitted.confidence_ <= 1)).all()


@pytest.mark.parametrize(("n", "d", "noise"), [(60, 192, 1.0), (200, 64, 0.5), (30, 24, 0.3)])
def test_one_speaker(n, d, noise):
    X, _ = speakers([n], d=d, noise=noise, seed=1)
    with pytest.warns(DegenerateClusteringWarning, match="one cluster holds all"):
        fitted = AutoSpeakers().fit(X)
    assert fitted.n_clusters_ == 1
    assert fitted.likelihood_gain_ == 0
    assert [level.n_clusters for level in fitted.levels_] == [1]


def test_an_empty_stretch_between_broad_groups(rng):
    """What is said varies more than who speaks, in other directions: separation is low, yet there is a gap."""
    truth = np.repeat([0, 1], 150)
    X = 0.05 * rng.standard_normal((300, 128)) + 3 * rng.standard_normal(128) / np.sqrt(128)
    X[:, 1:20] += 0.2 * rng.standard_normal((300, 19))
    one = AutoSpeakers().fit(X[:150])
    X[:, 0] += 0.8 * truth
    two = AutoSpeakers().fit(X)
    assert one.n_clusters_ == 1
    assert two.n_clusters_ == 2
    assert accuracy(truth, two.labels_) == 1


def test_a_long_cloud_is_one_speaker(rng):
    """Cut in the middle its halves keep apart, and stay the same from rung to rung; one speaker is as likely."""
    spread = np.arange(1, 97) ** -1.0
    X = rng.standard_normal((600, 96)) * spread + 2 * rng.standard_normal(96) / np.sqrt(96)
    assert AutoSpeakers().fit(X).n_clusters_ == 1


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


def conversation(people, each, *, sexes=0.0, seed=0):
    """Vectors as of telephone speech: what varies within a person lies in few directions; two sexes; high cosines."""
    rng = np.random.default_rng(seed)
    spread = np.arange(1, 129.0)
    voices = rng.standard_normal((people, 128)) * spread**-0.5
    voices /= np.sqrt((voices**2).sum(axis=1).mean())
    voices[:, 0] += sexes * np.where(np.arange(people) % 2, 1, -1)
    truth = np.repeat(np.arange(people), each)
    within = rng.standard_normal((len(truth), 128)) * spread**-0.7 @ np.linalg.qr(rng.standard_normal((128, 128)))[0]
    within *= 0.9 / np.sqrt((within**2).sum(axis=1).mean())
    return voices[truth] + within + 1.0, truth


@pytest.mark.parametrize("sexes", [0.0, 0.7])
def test_conversation_is_people_and_not_sexes(sexes):
    X, truth = conversation(40, 10, sexes=sexes)
    fitted = AutoSpeakers().fit(X)
    assert abs(fitted.n_clusters_ - 40) <= 2
    assert accuracy(truth, fitted.labels_) >= 0.95


def test_the_other_levels_are_shown():
    """People who differ by what they say as well: the finer groups are another level, and no answer is hidden."""
    rng = np.random.default_rng(1)
    who, word = np.repeat(np.arange(8), 60), np.tile(np.repeat(np.arange(3), 20), 8)
    voices, words = rng.standard_normal((8, 64)), rng.standard_normal((8 * 3, 64))
    X = 1.5 * voices[who] + words[3 * who + word] + 0.5 * rng.standard_normal((480, 64))
    numbers = [level.n_clusters for level in AutoSpeakers().fit(X).levels_]
    assert {8, 24} <= set(numbers)
    assert numbers == sorted(numbers, reverse=True)


def test_people_with_few_recordings():
    """The ladder joins whoever has one or two recordings to somebody else; the model tells them apart."""
    X, truth = speakers([1] * 10 + [2] * 15 + [3] * 15 + [8] * 3, d=192, noise=0.8, seed=2)
    fitted = AutoSpeakers().fit(X)
    assert accuracy(truth, fitted.labels_) > 0.9
    assert fitted.n_clusters_ > 30


def test_likelihood_gain_prefers_the_speakers():
    X, truth = speakers([12] * 10, d=30, noise=0.8, shuffle=False)
    X = X - X.mean(axis=0)
    halves = 2 * truth + np.tile([0, 1], 60)
    gain = two_covariance.log_likelihood_gain(X, truth)
    assert gain > two_covariance.log_likelihood_gain(X, truth // 2)
    assert gain > two_covariance.log_likelihood_gain(X, halves)
    assert two_covariance.log_likelihood_gain(X, np.zeros(120, dtype=int)) == 0
    assert two_covariance.log_likelihood_gain(X, np.arange(120)) == -np.inf


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


def test_the_search_mends_a_grouping():
    X, truth = speakers([10] * 30, d=40, noise=1.2, seed=4)
    X = X - X.mean(axis=0)
    start = np.where(truth == 1, 0, truth)  # two people joined, and one divided
    start[np.flatnonzero(truth == 2)[:5]] = 1
    given = start.copy()
    labels = annealing.likelier(X, start, random_state=0)
    assert np.array_equal(start, given)
    assert two_covariance.log_likelihood_gain(X, labels) > two_covariance.log_likelihood_gain(X, start)
    assert accuracy(truth, labels) > accuracy(truth, start)
    assert np.array_equal(labels, annealing.likelier(X, start, random_state=0))


def test_two_people_in_one_group_are_divided_and_one_in_a_group_is_not():
    X, truth = speakers([10] * 30, d=16, noise=0.5, seed=5)
    X = X - X.mean(axis=0)
    joined = np.unique(np.where(truth == 1, 0, np.where(truth == 3, 2, truth)), return_inverse=True)[1]
    given = joined.copy()
    assert accuracy(truth, annealing.divided(X, joined)) == 1
    assert np.array_equal(joined, given)
    assert np.array_equal(annealing.divided(X, truth), truth)


def test_what_is_not_gaussian_is_not_divided():
    """Every person says two words that differ as people do: all are likelier in two, so none is one to divide."""
    X, leaf = speakers([10] * 30, d=16, noise=0.5, seed=6)
    truth = leaf // 2
    truth[truth == 1] = 0  # one larger group, which is looked at
    truth = np.unique(truth, return_inverse=True)[1]
    X = X - X.mean(axis=0)
    assert np.mean([gain > 0 for gain, _ in annealing._in_two(X, truth, np.bincount(truth) > 0)]) > 0.8
    assert np.array_equal(annealing.divided(X, truth), truth)


def test_a_sweep_without_noise_takes_the_likeliest_group(rng):
    """The score of a group is its prior size and the density of one more recording, whose mean is not known."""
    Y, between = rng.standard_normal((7, 3)), np.array([2.0, 0.5, 1.0])
    labels = np.array([0, 0, 0, 1, 1, 1, 0])
    sizes, sums = two_covariance.statistics(Y, labels)
    scores = []
    for members in (Y[:3], Y[3:6], Y[:0]):
        alone = np.zeros(3) if not len(members) else members.sum(axis=0)
        spread = between / (1 + len(members) * between)
        density = norm.logpdf(Y[6], alone * spread, np.sqrt(1 + spread)).sum()
        scores.append(np.log(max(len(members), 1)) + density)
    moved = annealing._sweep(
        Y, labels, np.append(sizes, 0.0), np.vstack([sums, np.zeros(3)]), between, np.array([6]), np.zeros((7, 3))
    )
    assert moved[6] == np.argmax(scores)
    assert np.array_equal(moved[:6], labels[:6])
