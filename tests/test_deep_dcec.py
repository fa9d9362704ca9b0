"""The clustering loss of DCEC, and what the estimator does with it."""

import warnings

import numpy as np
import pytest
import torch
from scipy.special import rel_entr
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score

from audioclust.deep import DCEC, ClusterCollapseWarning, ConvAutoencoder, PoorReconstructionWarning
from audioclust.deep.data import canonical
from audioclust.deep.dcec import divergence, student_t, target_distribution
from audioclust.evaluation import evaluate
from audioclust.evaluation.degenerate import collapse

pytestmark = pytest.mark.filterwarnings("ignore::audioclust.deep.PoorReconstructionWarning")  # some train briefly
SMALL = {"channels": (8, 16, 32), "latent_size": 5, "batch_size": 64, "schedule": "constant"}


@pytest.fixture(scope="module")
def digits():
    images, truth = load_digits(return_X_y=True)
    return images.reshape(-1, 8, 8).astype(np.uint8)[:600], truth[:600]


@pytest.fixture(scope="module")
def autoencoder(digits):
    return ConvAutoencoder(epochs=40, learning_rate=3e-3, random_state=0, **SMALL).fit(digits[0])


@pytest.fixture(scope="module")
def dcec(digits, autoencoder):
    return make(autoencoder).fit(digits[0])


def make(autoencoder, **params):
    settings = {"update_interval": 30, "max_iter": 300, "batch_size": 64, "learning_rate": 3e-3}
    settings |= {"n_clusters": 10, "random_state": 0}
    return DCEC(autoencoder=autoencoder, **(settings | params))


# The loss


def reference(z, centres):
    """Equations 4 to 6 in float64, written out."""
    n, k = len(z), len(centres)
    q = np.array([[1 / (1 + np.sum((z[i] - centres[j]) ** 2)) for j in range(k)] for i in range(n)])
    q = np.array([[q[i, j] / sum(q[i]) for j in range(k)] for i in range(n)])
    f = [sum(q[i, j] for i in range(n)) for j in range(k)]
    p = np.array([[q[i, j] ** 2 / f[j] for j in range(k)] for i in range(n)])
    p = np.array([[p[i, j] / sum(p[i]) for j in range(k)] for i in range(n)])
    return q, p, rel_entr(p, q).sum(axis=1).mean()


def test_assignment_target_and_divergence_agree_with_numpy(rng):
    z, centres = rng.normal(size=(30, 4)), rng.normal(size=(6, 4))
    q, p, kl = reference(z, centres)
    ours = student_t(torch.from_numpy(z), torch.from_numpy(centres))
    assert np.allclose(ours, q, atol=1e-12)
    assert np.allclose(target_distribution(ours), p, atol=1e-12)
    assert float(divergence(target_distribution(ours), ours)) == pytest.approx(kl, abs=1e-12)
    single = student_t(torch.from_numpy(z).float(), torch.from_numpy(centres).float())
    assert float(divergence(target_distribution(single), single)) == pytest.approx(kl, rel=1e-5)


def test_three_points_by_hand():
    z, centres = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[0.0], [3.0]])
    q = student_t(z, centres)
    # squared distances 0, 9 | 1, 4 | 9, 0 give 1, 1/10 | 1/2, 1/5 | 1/10, 1
    by_hand = torch.tensor([[10 / 11, 1 / 11], [5 / 7, 2 / 7], [1 / 11, 10 / 11]])
    assert torch.allclose(q, by_hand)
    # f = 132/77, 99/77; the middle point: (25/49) / (132/77) = 275/924, (4/49) / (99/77) = 44/693
    p = target_distribution(q)
    middle = (275 / 924) / (275 / 924 + 44 / 693)
    assert float(p[1, 0]) == pytest.approx(middle)
    assert float(p[1, 0]) > float(q[1, 0]), "the target is sharper"
    kl = sum(float(a) * np.log(float(a) / float(b)) for a, b in zip(p.flatten(), q.flatten(), strict=True)) / 3
    assert float(divergence(p, q)) == pytest.approx(kl, rel=1e-5)


def test_the_target_of_hard_assignments_is_finite():
    q = torch.eye(3)
    p = target_distribution(q)
    assert torch.equal(p, q)
    assert float(divergence(p, q)) == 0


def test_no_gradient_flows_through_the_target():
    z = torch.randn(8, 2, generator=torch.Generator().manual_seed(0), requires_grad=True)
    centres = torch.randn(3, 2, generator=torch.Generator().manual_seed(1))
    q = student_t(z, centres)
    p = target_distribution(q)
    assert not p.requires_grad
    (through,) = torch.autograd.grad(divergence(p, q), z)
    q = student_t(z, centres)
    (constant,) = torch.autograd.grad(divergence(p.clone(), q), z)
    assert torch.equal(through, constant)
    assert through.abs().max() > 0


# The estimator


def test_clusters_the_digits_and_improves_on_its_start(digits, dcec):
    scores, start = evaluate(dcec.labels_, digits[1]), evaluate(dcec.initial_labels_, digits[1])
    assert scores["acc"] > 0.6
    assert scores["nmi"] > start["nmi"]
    assert dcec.history_["reconstruction"].iloc[-1] < dcec.history_["reconstruction"].iloc[0]
    assert dcec.n_iter_ == len(dcec.history_) * 30 <= 300
    assert dcec.collapse_ is None


def test_what_is_fitted_fits_together(digits, dcec):
    X = digits[0]
    assert dcec.embedding_.shape == (600, 5)
    assert dcec.cluster_centers_.shape == (10, 5)
    assert np.allclose(dcec.probabilities_.sum(axis=1), 1, atol=1e-5)
    assert np.array_equal(dcec.labels_, dcec.probabilities_.argmax(axis=1))
    assert np.array_equal(dcec.predict(X), dcec.labels_)
    q, _, _ = reference(dcec.embedding_.astype(float), dcec.cluster_centers_.astype(float))
    assert np.allclose(dcec.probabilities_, q, atol=1e-5)


def test_an_image_s_cluster_does_not_depend_on_its_company(digits, dcec, rng):
    X = digits[0]
    one_by_one = np.concatenate([dcec.predict_proba(X[i : i + 1]) for i in range(40)])
    assert np.allclose(one_by_one, dcec.probabilities_[:40], atol=1e-5)
    shuffled = rng.permutation(len(X))
    assert np.array_equal(dcec.predict(X[shuffled]), dcec.labels_[shuffled])


def test_one_seed_gives_one_answer_and_the_autoencoder_stays_as_it_was(digits, autoencoder, dcec):
    before = {name: value.clone() for name, value in autoencoder.network_.state_dict().items()}
    again = make(autoencoder).fit(digits[0])
    assert np.array_equal(again.labels_, dcec.labels_)
    assert np.array_equal(again.embedding_, dcec.embedding_)
    assert all(torch.equal(value, before[name]) for name, value in autoencoder.network_.state_dict().items())


def test_the_order_of_the_recordings_changes_nothing(digits, rng):
    X = digits[0][:200]
    start = ConvAutoencoder(epochs=10, learning_rate=3e-3, random_state=0, **SMALL)
    shuffled = rng.permutation(len(X))
    first = make(start, max_iter=60).fit(X)
    second = make(start, max_iter=60).fit(X[shuffled])
    assert np.array_equal(second.labels_, first.labels_[shuffled])


def test_settled_labels_end_the_training(digits, autoencoder):
    model = make(autoencoder, tol=1.0).fit(digits[0])
    assert model.n_iter_ == 30
    assert model.history_["changed"].iloc[-1] < 1


def test_the_target_is_held_between_updates_and_covers_all_images(digits, autoencoder, monkeypatch):
    seen = []
    original = target_distribution
    monkeypatch.setattr("audioclust.deep.dcec.target_distribution", lambda q: seen.append(len(q)) or original(q))
    make(autoencoder, update_interval=7, max_iter=28, tol=0).fit(digits[0])
    assert seen == [600] * 5, "once at the start and after each of the four intervals"


def test_a_collapse_is_named_and_the_state_before_is_kept(digits, autoencoder, monkeypatch):
    states = []

    def collapse_at_the_third(labels, k):
        states.append(labels.copy())
        return "cluster collapse: 3 of 10 clusters lost all of their images" if len(states) == 3 else None

    monkeypatch.setattr("audioclust.deep.dcec.collapse", collapse_at_the_third)
    with pytest.warns(ClusterCollapseWarning, match="3 of 10 clusters"):
        model = make(autoencoder, tol=0).fit(digits[0])
    assert len(states) == 3
    before = np.empty(600, dtype=int)
    before[canonical(digits[0])[0]] = states[1]
    assert np.array_equal(model.labels_, before)
    assert "3 of 10" in model.collapse_


def test_a_real_collapse_is_seen(digits, autoencoder):
    with pytest.warns(ClusterCollapseWarning, match="cluster collapse"):
        model = make(autoencoder, gamma=1e4, learning_rate=0.5, tol=0).fit(digits[0])
    assert len(np.unique(model.labels_)) == 10


@pytest.mark.parametrize(
    ("sizes", "message"),
    [((30, 40, 30), None), ((95, 3, 2), "holds 95 of 100"), ((60, 40, 0), "1 of 3"), ((100, 0, 0), "holds 100 of 100")],
)
def test_collapse_by_sizes(sizes, message):
    found = collapse(np.repeat(np.arange(3), sizes), 3)
    assert (found is None) if message is None else (message in found)


def test_saved_and_loaded_it_says_the_same(digits, dcec, tmp_path):
    path = dcec.save(tmp_path / "models" / "dcec.pt")
    loaded = DCEC.load(path)
    assert np.array_equal(loaded.predict(digits[0]), dcec.labels_)
    assert np.array_equal(loaded.labels_, dcec.labels_)
    assert loaded.history_.equals(dcec.history_)
    assert loaded.get_params()["autoencoder__latent_size"] == 5
    with pytest.raises(ValueError, match="no ConvAutoencoder"):
        ConvAutoencoder.load(path)


def test_an_autoencoder_is_fitted_when_none_is(digits):
    start = ConvAutoencoder(epochs=10, learning_rate=3e-3, random_state=1, **SMALL)
    model = DCEC(3, autoencoder=start, max_iter=10, update_interval=5, random_state=1)
    labels = model.fit_predict(digits[0][:100])
    assert labels.shape == (100,)
    assert not hasattr(model.autoencoder, "network_"), "a parameter is never fitted"
    assert clone(model).get_params()["n_clusters"] == 3


def test_shifts_are_an_option_and_leave_the_target_clean(digits, autoencoder):
    plain, moved = (make(autoencoder, max_iter=60, shift=share).fit(digits[0]) for share in (0.0, 0.13))
    assert adjusted_rand_score(plain.initial_labels_, moved.initial_labels_) == 1
    assert not np.array_equal(plain.embedding_, moved.embedding_)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_clusters": 1}, "n_clusters=1"),
        ({"n_clusters": 21}, "n_clusters=21.*from 2 to 20"),
        ({"n_clusters": 2.5}, "n_clusters=2.5"),
        ({"gamma": -1}, "gamma=-1"),
        ({"update_interval": 0}, "update_interval=0"),
        ({"tol": 2}, "tol=2"),
        ({"max_iter": 0}, "max_iter=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"learning_rate": 0}, "learning_rate=0"),
        ({"shift": 0.7}, "shift=0.7"),
        ({"random_state": -1}, "random_state=-1"),
        ({"autoencoder": "mine"}, "autoencoder='mine'"),
        ({"device": "tpu"}, "device='tpu'"),
        ({"precision": "half"}, "precision='half'"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(params, message):
    with pytest.raises(ValueError, match=message):
        DCEC(**({"n_clusters": 3} | params)).fit(np.zeros((20, 8, 8)))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.full((20, 8, 8), np.nan), "NaN"),
        (np.zeros((1, 8, 8)), r"1 image\(s\)"),
        (np.zeros((20, 64)), r"\(20, 64\)"),
        (np.zeros((20, 8, 9)), "fitted were 8 x 8"),
    ],
)
def test_images_that_cannot_be_used_are_named(X, message, autoencoder):
    with pytest.raises(ValueError, match=message):
        make(autoencoder).fit(X)


def test_nothing_is_said_that_is_not_ours(digits, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", PoorReconstructionWarning)  # ours, and true of so short a training
        start = ConvAutoencoder(epochs=10, learning_rate=3e-3, random_state=0, **SMALL)
        make(start, n_clusters=3, update_interval=5, max_iter=10).fit(digits[0][:200])
    assert capfd.readouterr() == ("", "")
