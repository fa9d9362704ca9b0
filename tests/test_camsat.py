"""CAMSAT as an estimator: it clusters, counts, and refuses what it cannot use."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.base import clone

from audioclust import clustering
from audioclust.deep import CAMSAT
from audioclust.deep.camsat import SETTINGS
from audioclust.deep.camsat_module import CamsatModule, Views
from audioclust.deep.camsat_network import ClusterNetwork
from audioclust.deep.training import Training
from audioclust.evaluation import accuracy
from audioclust.validation import DegenerateClusteringWarning

SMALL = {"width": 128, "max_iter": 60, "random_state": 0}


@pytest.fixture(scope="module")
def people():
    draw = np.random.default_rng(5)
    truth = np.repeat(np.arange(8), 12)
    return draw.normal(size=(8, 24))[truth] + 0.5 * draw.normal(size=(96, 24)), truth


@pytest.fixture(scope="module")
def fitted(people):
    return CAMSAT(16, **SMALL).fit(people[0])


def test_finds_the_people_below_a_generous_bound(people, fitted):
    assert accuracy(fitted.labels_, people[1]) > 0.97
    assert fitted.n_clusters_ == 8
    assert fitted.bound_ == 16


def test_both_partitions_are_always_there(people, fitted):
    alone = CAMSAT(16, merge=False, **SMALL).fit(people[0])
    assert np.array_equal(alone.labels_, fitted.network_labels_)
    assert np.array_equal(alone.merged_labels_, fitted.labels_)


def test_people_that_a_low_bound_joins_are_parted_and_predicted_apart(people):
    X, truth = people
    with pytest.warns(DegenerateClusteringWarning, match="n_clusters=5"):
        model = CAMSAT(5, **SMALL).fit(X)
    assert len(set(model.network_labels_)) <= 5
    assert accuracy(model.labels_, truth) > 0.97
    assert np.array_equal(model.predict(X), model.labels_)
    assert accuracy(model.predict(X + 0.01), truth) > 0.97


def test_what_is_fitted_fits_together(people, fitted):
    X, _ = people
    assert fitted.probabilities_.shape == (96, 16)
    assert np.allclose(fitted.probabilities_.sum(axis=1), 1, atol=1e-5)
    assert fitted.embedding_.shape == (96, 128)
    assert np.array_equal(fitted.predict(X), fitted.labels_)
    last = fitted.labels_over_epochs_[-1]
    assert np.array_equal(np.unique(last, return_inverse=True)[1], fitted.network_labels_)
    assert fitted.history_["clusters"].iloc[-1] == len(set(last))


def test_one_seed_gives_one_answer_in_any_order(people, fitted, rng):
    X, _ = people
    order = rng.permutation(len(X))
    again = clone(fitted).fit(X[order])
    assert np.array_equal(again.labels_, fitted.labels_[order])
    assert np.array_equal(again.labels_over_epochs_, fitted.labels_over_epochs_[:, order])


def test_without_a_bound_it_is_twice_what_levels_find(people):
    model = CAMSAT(**SMALL | {"max_iter": 2}).fit(people[0])
    assert model.bound_ == 2 * clustering.Levels().fit(people[0]).n_clusters_


def test_a_low_bound_is_a_warning_and_a_generous_one_is_none(people):
    with pytest.warns(DegenerateClusteringWarning, match="n_clusters=8 is less than twice the 8 groups"):
        CAMSAT(8, **SMALL | {"max_iter": 2}).fit(people[0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        CAMSAT(16, **SMALL | {"max_iter": 2}).fit(people[0])
    assert not any("n_clusters=16" in str(warning.message) for warning in caught)


def test_equal_rows_get_equal_labels(people):
    X = np.concatenate([people[0], people[0][:20]])
    labels = CAMSAT(16, **SMALL | {"max_iter": 20}).fit(X).network_labels_
    assert np.array_equal(labels[:20], labels[96:])


def test_saved_and_loaded_it_says_the_same(people, fitted, tmp_path):
    again = CAMSAT.load(fitted.save(tmp_path / "camsat.pt"))
    assert np.array_equal(again.predict(people[0]), fitted.labels_)
    assert again.n_clusters_ == fitted.n_clusters_
    assert again.bound_ == 16


def test_a_kept_training_is_taken_and_only_the_merge_is_done_again(people, tmp_path, monkeypatch):
    first = CAMSAT(16, folder=tmp_path, **SMALL | {"max_iter": 9}).fit(people[0])
    monkeypatch.setattr(CamsatModule, "training_step", lambda *_: pytest.fail("trained again"))
    second = CAMSAT(16, folder=tmp_path, merge=False, **SMALL | {"max_iter": 9}).fit(people[0])
    assert np.array_equal(second.labels_, first.network_labels_)
    assert np.array_equal(second.labels_over_epochs_, first.labels_over_epochs_)


@pytest.mark.parametrize("name", SETTINGS)
def test_imsat_and_the_steps_to_camsat_are_settings_of_one_class(people, name):
    model = CAMSAT(16, **SMALL | {"max_iter": 3}, **SETTINGS[name]).fit(people[0])
    terms = {"imsat": set(), "imsat_augmentation": {"augmentation"}, "camsat": {"augmentation", "symmetry"}}[name]
    assert set(model.history_) - {"epoch", "loss", "clusters", "seconds"} == {
        "marginal", "conditional", "adversarial", *terms,
    }  # fmt: skip


def test_every_option_changes_the_training(people):
    X, _ = people
    seen = {tuple(CAMSAT(16, **SMALL | {"max_iter": 2}).fit(X[:60]).history_["loss"])}
    for option in (
        {"mixup_weight": 1.0},
        {"mixup_weight": 1.0, "mixup": "latent"},
        {"dropout": 0.2},
        {"mixing": 0.3},
        {"n_positives": 0},
        {"batch_norm": True},
        {"pca": 8},
        {"unit": False},
        {"batch_size": 32},
    ):
        model = CAMSAT(16, **SMALL | {"max_iter": 2}, **option).fit(X[:60])
        losses = tuple(model.history_["loss"])
        assert np.isfinite(losses).all()
        assert losses not in seen, option
        seen.add(losses)


def test_weights_go_evenly_from_the_first_to_the_second(people):
    X, _ = people
    model = CAMSAT(16, **SMALL | {"max_iter": 5, "learning_rate": 1e-9}, marginal_weight=(4.0, 0.0)).fit(X)
    shares = model.history_["marginal"] / model.history_["marginal"].iloc[0]
    assert np.allclose(shares, [1, 0.75, 0.5, 0.25, 0], atol=1e-3)


def unsure(model):
    """H(Y|X) of a fitted model, as a share of its maximum."""
    p = model.probabilities_
    return float(-(p * np.log(p + 1e-12)).sum(axis=1).mean() / np.log(p.shape[1]))


def test_annealing_starts_a_training_that_invariance_would_hold_at_equal_predictions(people):
    X, truth = people
    heavy = SMALL | {"augmentation_weight": 20.0}
    assert unsure(CAMSAT(16, anneal=0.0, **heavy).fit(X)) > 0.7
    led = CAMSAT(16, **heavy).fit(X)
    assert unsure(led) < 0.3
    assert accuracy(led.labels_, truth) > 0.9


def test_invariance_is_held_back_while_predictions_lag_behind_the_schedule(people):
    def share(epoch, h, anneal=0.5):
        module = CamsatModule(
            ClusterNetwork(24, n_clusters=16, latent_size=4, n_components=24, unit=True, batch_norm=False),
            people[0].astype(np.float32), Training(epochs=11, steps=1, batch_size=96), weights={}, views=Views(),
            lengths=np.ones(96), anneal=anneal,
        )  # fmt: skip
        module.trainer = SimpleNamespace(current_epoch=epoch)
        return float(module.invariance(torch.tensor(h * np.log(16))))

    assert share(0, 0.9) == 1  # as wanted at the start
    assert share(0, 1.0) == pytest.approx(np.exp(-20 * 0.1), rel=1e-4)
    assert share(2, 0.7) == pytest.approx(np.exp(-20 * (0.7 - 0.9 * 0.6)), rel=1e-4)  # 0.2 of the 0.5 lie behind
    assert share(10, 0.1) == pytest.approx(np.exp(-20 * 0.1), rel=1e-4)  # the schedule has ended at 0
    assert share(10, 1.0, anneal=0.0) == 1


def test_the_marginal_entropy_remembers_more_rows_than_a_batch(people):
    params = SMALL | {"max_iter": 1, "learning_rate": 1e-9, "marginal_weight": 1.0}
    # predictions are nearly equal at first; 8 rows have an eighth of the weight among 64, 4 for each of 16 clusters
    for size, times in ((8, 8), (96, 1)):
        first = CAMSAT(16, batch_size=size, **params).fit(people[0]).history_["marginal"].iloc[0]
        assert first == pytest.approx(-times * np.log(16), rel=0.1)


def test_vectors_of_augmented_recordings_are_used(people, rng):
    X, truth = people
    views = X + 0.3 * rng.normal(size=(3, *X.shape))
    model = CAMSAT(16, n_positives=0, noise=0.2, **SMALL).fit(X, augmented=views)
    assert accuracy(model.labels_, truth) > 0.8
    order = rng.permutation(len(X))
    brief = {**SMALL, "max_iter": 4, "n_positives": 0}
    first = CAMSAT(16, **brief).fit(X, augmented=views)
    again = CAMSAT(16, **brief).fit(X[order], augmented=views[:, order])
    assert np.array_equal(again.network_labels_, first.network_labels_[order])
    plain = CAMSAT(16, **brief).fit(X)
    assert not np.allclose(first.history_["augmentation"], plain.history_["augmentation"])
    with pytest.raises(ValueError, match="augmented has shape"):
        CAMSAT(16, **SMALL).fit(X, augmented=views[:, :-1])


def test_one_cluster_and_two_rows(people):
    one = CAMSAT(1, **SMALL | {"max_iter": 2})
    with pytest.warns(DegenerateClusteringWarning, match="n_clusters=1 "):
        one.fit(people[0])
    assert set(one.network_labels_) == {0}
    assert len(CAMSAT(2, **SMALL | {"max_iter": 2}).fit(people[0][:2]).labels_) == 2


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_clusters": 97}, "n_clusters=97"),
        ({"n_clusters": 0}, "n_clusters=0"),
        ({"width": 0}, "width=0"),
        ({"pca": 0}, "pca=0"),
        ({"noise": -1}, "noise=-1"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"mixing": 2}, "mixing=2"),
        ({"restart": 0}, "restart=0"),
        ({"anneal": 1.5}, "anneal=1.5"),
        ({"mixup": "l"}, "mixup='l'"),
        ({"merge": "yes"}, "merge='yes'"),
        ({"merge_threshold": 0}, "merge_threshold=0"),
        ({"symmetry_weight": -1}, "symmetry_weight=-1"),
        ({"marginal_weight": (1, 2, 3)}, "marginal_weight"),
        ({"max_iter": 0}, "max_iter=0"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(people, params, message):
    with pytest.raises(ValueError, match=message):
        CAMSAT(**{"n_clusters": 16, **params}).fit(people[0])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.full((4, 3), np.nan), "NaN"),
        (np.ones(4), "Expected 2D array"),
        (np.ones((1, 3)), "minimum of 2"),
        (np.array([["a", "b"]] * 3), "could not convert"),
    ],
)
def test_vectors_that_cannot_be_used_are_named(X, message):
    with pytest.raises(ValueError, match=message):
        CAMSAT().fit(X)


def test_it_is_made_by_name_and_a_run_reports_both_partitions(people):
    from audioclust.runs.clusterings import Task, fit

    assert clustering.entry("camsat").finds_k
    assert clustering.is_network("camsat")
    done = fit(Task("camsat", {**SMALL, "max_iter": 9, "n_clusters": 16}, None, 0, [None]), people[0], {})
    rows = done.partitions("camsat")
    assert list(rows) == ["camsat", "camsat:network"]
    assert np.array_equal(rows["camsat"], done.estimator.merged_labels_)
    assert np.array_equal(rows["camsat:network"], done.estimator.network_labels_)
    assert list(done.partitions("camsat:wide")) == ["camsat:wide", "camsat:wide network"]
