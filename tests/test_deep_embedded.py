"""An autoencoder and any clusterer of vectors as one estimator."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits

from audioclust import clustering
from audioclust.deep import DCEC, ConvAutoencoder, Embedded
from audioclust.evaluation import evaluate


@pytest.fixture(scope="module")
def digits():
    images, truth = load_digits(return_X_y=True)
    return images.reshape(-1, 8, 8).astype(np.uint8)[:300], truth[:300]


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return ConvAutoencoder(
        latent_size=5, channels=(8, 16, 32), epochs=40, batch_size=64, learning_rate=3e-3,
        schedule="constant", precision="float32", folder=tmp_path_factory.mktemp("kept"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def kmeans(digits, template):
    return Embedded("kmeans", n_clusters=10, autoencoder=template, random_state=0).fit(digits[0])


def test_clusters_what_the_autoencoder_learnt(digits, template, kmeans):
    X, truth = digits
    assert evaluate(kmeans.labels_, truth)["acc"] > 0.5
    assert kmeans.embedding_.shape == (300, 5)
    assert np.array_equal(kmeans.embedding_, kmeans.autoencoder_.embedding_)
    assert len(kmeans.history_) == 40
    assert not hasattr(template, "network_"), "a parameter is never fitted"
    assert kmeans.autoencoder_.random_state == 0
    alone = clustering.make("kmeans", n_clusters=10, random_state=0).fit(kmeans.embedding_)
    assert evaluate(kmeans.labels_, alone.labels_)["acc"] == 1
    assert np.array_equal(kmeans.transform(X), kmeans.embedding_)


def test_one_training_serves_every_clusterer(digits, template, kmeans, monkeypatch):
    X, truth = digits
    monkeypatch.setattr("audioclust.deep.base.train", None)  # nothing is trained from here on
    found = {}
    for name, params in (("agglomerative", None), ("hdbscan", {"min_cluster_size": 5}), ("n2d", {"head_runs": 1})):
        model = Embedded(name, n_clusters=10, clusterer_params=params, autoencoder=template, random_state=0)
        found[name] = clone(model).fit(X)
        assert np.array_equal(found[name].embedding_, kmeans.embedding_)
    assert evaluate(found["n2d"].labels_, truth)["acc"] > 0.5
    assert found["n2d"].autoencoder_.n_clusters is None, "the head is a copy"


def test_dcec_starts_from_the_same_training(digits, template, kmeans):
    X = digits[0]
    trainings = {path.name for path in template.folder.glob("convautoencoder-*") if path.is_dir()}
    model = DCEC(10, autoencoder=template, max_iter=5, update_interval=5, random_state=0).fit(X)
    assert {path.name for path in template.folder.glob("convautoencoder-*") if path.is_dir()} == trainings
    assert model.labels_.shape == (300,)


@pytest.mark.filterwarnings("ignore::audioclust.deep.PoorReconstructionWarning")
def test_the_seed_reaches_the_autoencoder(digits, template):
    quick = clone(template).set_params(epochs=1, folder=None, random_state=7)
    X = digits[0][:60]
    one, same, other, own = (
        Embedded("agglomerative", n_clusters=3, autoencoder=quick, random_state=seed).fit(X) for seed in (0, 0, 1, None)
    )
    assert np.array_equal(one.embedding_, same.embedding_)
    assert not np.allclose(one.embedding_, other.embedding_)
    assert np.array_equal(own.embedding_, clone(quick).fit(X).embedding_)


def test_a_fitted_autoencoder_is_used_as_it_is(digits, kmeans):
    model = Embedded("agglomerative", n_clusters=4, autoencoder=kmeans.autoencoder_, random_state=3).fit(digits[0])
    assert model.autoencoder_ is kmeans.autoencoder_
    assert np.array_equal(model.embedding_, kmeans.embedding_)


def test_the_order_of_the_recordings_changes_nothing(digits, kmeans, rng):
    shuffled = rng.permutation(300)
    again = clone(kmeans).fit(digits[0][shuffled])
    assert np.array_equal(again.labels_, kmeans.labels_[shuffled])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"clusterer": "kmeens"}, "clusterer='kmeens'.*kmeans"),
        ({"clusterer": "n2d"}, "n_clusters=None"),
        ({"n_clusters": 1}, "n_clusters=1"),
        ({"n_clusters": 11}, "n_clusters=11.*from 2 to 10"),
        ({"autoencoder": "mine"}, "autoencoder='mine'"),
        ({"random_state": -1}, "random_state=-1"),
        ({"clusterer_params": {"linkage": "ward"}}, "linkage.*kmeans"),
        ({"clusterer": "n2d", "n_clusters": 2, "clusterer_params": {"linkage": "ward"}}, "linkage.*head_runs"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(params, message):
    with pytest.raises(ValueError, match=message):
        Embedded(**params).fit(np.zeros((10, 8, 8)))
