"""A network of one's own, on vectors, with a loss of its own: written outside the package, on its bases."""

import json

import numpy as np
import pytest
import torch
from sklearn.base import ClusterMixin, clone
from sklearn.datasets import make_blobs

from audioclust import clustering
from audioclust.clustering import registry
from audioclust.deep import heads
from audioclust.deep.base import VectorEstimator
from audioclust.deep.parameters import check_training, usual_training
from audioclust.deep.vector_module import VectorModule
from audioclust.evaluation import evaluate


class Dense(torch.nn.Module):
    def __init__(self, size, *, latent_size):
        super().__init__()
        self.settings = {"latent_size": latent_size}
        self.encoder = torch.nn.Sequential(torch.nn.Linear(size, 16), torch.nn.ReLU(), torch.nn.Linear(16, latent_size))
        self.decoder = torch.nn.Linear(latent_size, size)


class SparseModule(VectorModule):
    """Rebuild vectors from a sparse embedding."""

    def losses(self, inputs, index):
        embedding = self.network.encoder(inputs)
        rebuilt = self.network.decoder(embedding)
        error = torch.nn.functional.l1_loss(rebuilt.float(), inputs)
        return {"error": error, "sparsity": 1e-3 * embedding.float().abs().mean()}


class SparseClusters(ClusterMixin, VectorEstimator):
    _network_class = Dense
    _fitted = ("embedding_", "labels_")
    _after = ("n_clusters",)

    def __init__(
        self, n_clusters=3, *, latent_size=4, epochs=30, batch_size=None, learning_rate=0.01, random_state=None,
        device="auto", precision="float32", folder=None, checkpoint_every=5, tensorboard=False,
    ):  # fmt: skip
        self.n_clusters = n_clusters
        self.latent_size = latent_size
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.device = device
        self.precision = precision
        self.folder = folder
        self.checkpoint_every = checkpoint_every
        self.tensorboard = tensorboard

    def fit(self, X, y=None):
        rows = self._check_rows(X, least=2, fitted=False)
        check_training(self)
        order, seed = self._learn(rows)
        self.labels_ = np.empty(len(rows), dtype=np.intp)
        self.labels_[order] = heads.kmeans(self.embedding_[order], self.n_clusters, seed=seed).labels_
        return self

    def _settings(self):
        return {"latent_size": self.latent_size}

    def _training(self, n):
        return usual_training(self, n, epochs=self.epochs, steps=5)

    def _module(self, data, training):
        return SparseModule(self._new_network(training.seed), data, training)


@pytest.fixture(scope="module")
def blobs():
    X, truth = make_blobs(150, 6, centers=3, cluster_std=0.5, random_state=0)
    return X / 5, truth


@pytest.fixture(scope="module")
def fitted(blobs, tmp_path_factory):
    return SparseClusters(random_state=0, folder=tmp_path_factory.mktemp("own")).fit(blobs[0])


def test_it_trains_on_its_own_loss(blobs, fitted):
    assert list(fitted.history_)[:4] == ["epoch", "loss", "error", "sparsity"]
    assert fitted.history_["error"].iloc[-1] < fitted.history_["error"].iloc[0] / 2
    assert fitted.embedding_.shape == (150, 4)
    assert evaluate(fitted.labels_, blobs[1])["acc"] > 0.95
    assert list(fitted.get_feature_names_out()) == [f"sparseclusters{i}" for i in range(4)]


def test_it_is_saved_and_loaded(blobs, fitted, tmp_path):
    loaded = SparseClusters.load(fitted.save(tmp_path / "own.pt"))
    assert np.array_equal(loaded.transform(blobs[0]), fitted.embedding_)
    assert np.array_equal(loaded.labels_, fitted.labels_)
    assert loaded.hardware_ == fitted.hardware_


def test_its_finished_training_is_shared(blobs, fitted, monkeypatch):
    monkeypatch.setattr("audioclust.deep.base.train", None)
    other = clone(fitted).set_params(n_clusters=4).fit(blobs[0])
    assert other.folder_ == fitted.folder_
    assert np.array_equal(other.embedding_, fitted.embedding_)
    settings = json.loads((fitted.folder_ / "settings.json").read_text())
    assert settings["kind"] == "SparseClusters"
    assert settings["latent_size"] == 4


def test_it_goes_on_where_it_was_stopped(blobs, fitted, tmp_path, monkeypatch):
    ended = SparseModule.end_epoch

    def stop(self):
        if self.current_epoch == 12:
            raise KeyboardInterrupt
        return ended(self)

    model = clone(fitted).set_params(folder=tmp_path)
    monkeypatch.setattr(SparseModule, "end_epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        clone(model).fit(blobs[0])
    monkeypatch.undo()
    part = torch.load(next(tmp_path.glob("*/checkpoint.pt")), weights_only=True)
    assert part["epoch"] == 9
    resumed = clone(model).fit(blobs[0])
    assert np.array_equal(resumed.embedding_, fitted.embedding_)
    assert resumed.history_["loss"].tolist() == fitted.history_["loss"].tolist()
    assert (resumed.folder_ / "settings.json").read_text() == (fitted.folder_ / "settings.json").read_text()


def test_the_order_of_the_vectors_changes_nothing(blobs, fitted, rng):
    shuffled = rng.permutation(150)
    again = clone(fitted).set_params(folder=None).fit(blobs[0][shuffled])
    assert np.array_equal(again.labels_, fitted.labels_[shuffled])


def test_it_is_registered_as_a_clusterer(blobs, monkeypatch):
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))  # forgotten after the test
    clustering.register("sparse", SparseClusters, title="Sparse network", takes="vectors", network=True)
    assert "sparse" in clustering.available()
    assert clustering.is_network("sparse")
    assert clustering.title_of("sparse") == "Sparse network"
    labels = clustering.make("sparse", n_clusters=3, random_state=0).fit_predict(blobs[0])
    assert evaluate(labels, blobs[1])["acc"] > 0.95


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((4, 2, 2)), r"\(4, 2, 2\): vectors"),
        (np.full((4, 2), np.nan), "4 of 4 vectors"),
        (np.zeros((1, 2)), "at least 2"),
        (np.full((4, 2), "a"), "numbers"),
    ],
)
def test_vectors_that_cannot_be_used_are_named(X, message):
    with pytest.raises(ValueError, match=message):
        SparseClusters().fit(X)


def test_new_vectors_must_have_the_fitted_length(fitted):
    with pytest.raises(ValueError, match="length 5, fitted were 6"):
        fitted.transform(np.zeros((3, 5)))


def test_a_module_without_a_loss_says_so(blobs):
    class Without(SparseClusters):
        def _module(self, data, training):
            return VectorModule(self._new_network(training.seed), data, training)

    with pytest.raises(NotImplementedError, match="VectorModule gives no losses"):
        Without(random_state=0).fit(blobs[0])
