"""The autoencoder as an estimator: what it learns, keeps, takes up again, and refuses."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits

from audioclust.deep import ConvAutoencoder, autoencoder, heads, training
from audioclust.evaluation import evaluate

SMALL = {"channels": (8, 16, 32), "latent_size": 5, "batch_size": 64, "learning_rate": 3e-3}
SMALL |= {"schedule": "constant", "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    images, truth = load_digits(return_X_y=True)
    return images.reshape(-1, 8, 8).astype(np.uint8)[:400], truth[:400]


@pytest.fixture(scope="module")
def fitted(digits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    return ConvAutoencoder(epochs=40, n_clusters=10, folder=folder, **SMALL).fit(digits[0])


def test_learns_to_rebuild_and_to_tell_digits_apart(digits, fitted):
    X, truth = digits
    losses = fitted.history_["reconstruction"]
    assert losses.iloc[-1] < losses.iloc[0] / 2
    rebuilt = fitted.reconstruct(X)
    assert rebuilt.shape == X.shape
    assert np.mean((rebuilt - X) ** 2) < 0.9 * X.astype(float).var(axis=0).mean(), "better than the mean image"
    assert evaluate(fitted.labels_, truth)["acc"] > 0.5


def test_every_image_is_embedded_beside_its_recording(digits, fitted):
    X = digits[0][:70]  # no multiple of the batch
    index = pd.DataFrame({"path": [f"{i}.wav" for i in range(70)]}, index=range(100, 170))
    table = fitted.embed(X, index)
    assert list(table.columns) == ["path", "z0", "z1", "z2", "z3", "z4"]
    assert table.index.equals(index.index)
    assert np.allclose(table.drop(columns="path"), fitted.embedding_[:70], atol=1e-5)
    with pytest.raises(ValueError, match="70 images, index 69 rows"):
        fitted.embed(X, index[:69])


def test_the_embedding_does_not_depend_on_the_batch(digits, fitted):
    X = digits[0]
    alone = np.concatenate([fitted.transform(X[i : i + 1]) for i in range(30)])
    assert np.allclose(alone, fitted.embedding_[:30], atol=1e-5)
    assert np.allclose(fitted.transform(X[:, None]), fitted.embedding_, atol=1e-5)


def test_one_seed_gives_one_answer_and_global_generators_stay(digits, fitted):
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_num_threads()  # noqa: NPY002
    again = clone(fitted).set_params(folder=None).fit(digits[0])
    assert np.array_equal(again.embedding_, fitted.embedding_)
    assert np.array_equal(again.labels_, fitted.labels_)
    other = clone(fitted).set_params(random_state=1, epochs=1, folder=None).fit(digits[0])
    assert not np.allclose(other.embedding_, fitted.embedding_)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert torch.get_num_threads() == before[2]


def test_the_order_of_the_recordings_changes_nothing(digits, rng):
    X = digits[0][:150]
    shuffled = rng.permutation(len(X))
    first, second = (ConvAutoencoder(epochs=3, n_clusters=4, **SMALL).fit(images) for images in (X, X[shuffled]))
    assert np.array_equal(second.labels_, first.labels_[shuffled])
    assert np.allclose(second.embedding_, first.embedding_[shuffled], atol=1e-5)


def test_predicts_new_images_with_either_head(digits, fitted):
    X, truth = digits
    assert np.array_equal(fitted.predict(X), fitted.labels_)
    n2d = clone(fitted).set_params(head="n2d").fit(X)
    assert n2d.folder_ == fitted.folder_, "the same network, so it was not trained again"
    assert evaluate(n2d.labels_, truth)["acc"] > 0.5
    assert np.mean(n2d.predict(X) == n2d.labels_) > 0.9
    assert not hasattr(n2d, "cluster_centers_")
    deeper = clone(n2d).set_params(head_on="convolutions").fit(X)
    assert deeper.folder_ == fitted.folder_, "a matter of the head, so the network was not trained again"
    assert np.array_equal(deeper.embedding_, n2d.embedding_)
    assert evaluate(deeper.labels_, truth)["acc"] > evaluate(n2d.labels_, truth)["acc"]
    again = clone(deeper).set_params(folder=None).fit(X)
    assert np.array_equal(again.labels_, deeper.labels_)


def test_components_of_the_convolutions(digits, fitted, monkeypatch):
    X = digits[0]
    first = list(fitted.network_.encoder)[:4]
    inputs = fitted.scaling_(torch.from_numpy(X[:200]))
    with torch.no_grad():
        for layer in first:
            inputs = layer(inputs)
    flat = inputs.flatten(1).numpy().astype(np.float64)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    cosines = flat @ flat.T
    found = fitted._convolved(X[:200], 0)
    assert found.shape == (200, 50)
    squares = np.square(found[:, None] - found[None]).sum(axis=2)
    assert np.corrcoef(squares.ravel(), (2 - 2 * cosines).ravel())[0, 1] > 0.99
    monkeypatch.setattr(autoencoder, "COMPONENTS_FROM", 40)
    assert fitted._convolved(X[:200], 0).shape == (200, 40)


def test_an_unlucky_manifold_is_outvoted(rng):
    truth = np.repeat([0, 1, 2], 40)
    right = np.eye(3)[truth] * 0.8 + 0.1
    torn = np.eye(3)[np.where(np.arange(120) < 20, 1, np.where(truth == 1, 2, truth))]  # splits one, joins two
    labels, central = heads._vote([torn, right[:, [2, 0, 1]], right[:, [1, 2, 0]]])
    assert evaluate(labels, truth)["acc"] == 1
    assert central > 0
    alone, central = heads._vote([torn])
    assert (central, len(alone)) == (0, 120)
    assert np.array_equal(alone, torn.argmax(axis=1))

    blobs = np.concatenate([rng.normal(size=(60, 5)) + 12 * np.eye(5)[group] for group in range(3)]).astype(np.float32)
    labels, manifold = heads.n2d(blobs, 3, seed=0, runs=3)
    assert evaluate(labels, np.repeat([0, 1, 2], 60))["acc"] == 1
    assert manifold.shape == (180, 3)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_scaled_numbers_are_the_same_images(digits, fitted, kind):
    model = ConvAutoencoder(epochs=1, **SMALL).fit((digits[0][:50] / 16).astype(kind))
    same = ConvAutoencoder(epochs=1, **SMALL).fit(digits[0][:50])
    assert model.embedding_.shape == same.embedding_.shape
    assert model.reconstruct(digits[0][:3] / 16).max() < 2, "reconstructions come in the units of the images"


def test_saved_and_loaded_it_says_the_same(digits, fitted, tmp_path):
    path = fitted.save(tmp_path / "model.pt")
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt"]
    loaded = ConvAutoencoder.load(path)
    assert np.array_equal(loaded.transform(digits[0]), fitted.transform(digits[0]))
    assert np.array_equal(loaded.predict(digits[0]), fitted.labels_)
    assert loaded.get_params() == fitted.get_params() | {"channels": [8, 16, 32], "folder": str(fitted.folder)}


def test_the_scaling_is_saved_too(digits, tmp_path):
    model = ConvAutoencoder(epochs=1, scale="pixel", **SMALL).fit(digits[0][:50])
    loaded = ConvAutoencoder.load(model.save(tmp_path / "model.pt"))
    assert np.array_equal(loaded.reconstruct(digits[0]), model.reconstruct(digits[0]))


def test_no_file_can_run_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "evil"),))

    torch.save({"kind": "ConvAutoencoder", "format": 1, "params": Evil()}, tmp_path / "model.pt")
    with pytest.raises(Exception, match=r"[Ww]eights"):
        ConvAutoencoder.load(tmp_path / "model.pt")
    assert not (tmp_path / "evil").exists()


# Checkpoints


def test_a_finished_training_is_taken_from_the_folder(digits, tmp_path, monkeypatch):
    X = digits[0][:100]
    model = ConvAutoencoder(epochs=3, folder=tmp_path, checkpoint_every=2, **SMALL)
    first = clone(model).fit(X)
    assert first.folder_.parent == tmp_path
    history = pd.read_csv(first.folder_ / "history.csv")
    assert list(history["epoch"]) == [0, 1, 2]
    assert np.allclose(history["loss"], first.history_["loss"])
    monkeypatch.setattr("audioclust.deep.base.train", None)
    second = clone(model).set_params(n_clusters=3).fit(X)
    assert np.array_equal(first.embedding_, second.embedding_)
    assert second.labels_.shape == (100,)
    for other, changed in ((model, X[:99]), (clone(model).set_params(latent_size=4), X)):
        with pytest.raises(TypeError):
            clone(other).fit(changed)


def module_on(X, seed=0):
    from audioclust.deep.data import Augmentation, Scaling
    from audioclust.deep.networks import ConvNetwork

    with training.seeded(seed):
        network = ConvNetwork(8, 8, latent_size=5, channels=(8, 16, 32))
    return training.ImageModule(
        network,
        X,
        scaling=Scaling.of(X, "range"),
        augmentation=Augmentation(shift=0.13, time_mask=0.2),
        learning_rate=3e-3,
        batch_size=64,
        steps=-(-len(X) // 64),
        seed=seed,
        decay_epochs=6,
    )


def test_a_resumed_training_equals_an_uninterrupted_one(digits, tmp_path):
    X = digits[0][:150]
    hardware = training.check_hardware("cpu", "auto")
    whole = module_on(X)
    history = training.train(whole, epochs=6, hardware=hardware)
    training.train(module_on(X), epochs=3, hardware=hardware, folder=tmp_path, every=1)
    resumed = module_on(X)
    continued = training.train(resumed, epochs=6, hardware=hardware, folder=tmp_path, every=1)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert [row["loss"] for row in continued] == [row["loss"] for row in history]
    assert [row["epoch"] for row in continued] == list(range(6))


def test_an_interrupt_stays_an_interrupt(digits, monkeypatch):
    def stop(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(training.ImageModule, "end_epoch", stop)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        ConvAutoencoder(epochs=2, **SMALL).fit(digits[0][:20])
    assert signal.getsignal(signal.SIGINT) is handler


KILLED = """
import sys
import numpy as np
from audioclust.deep import ConvAutoencoder, DCEC
X = np.load(sys.argv[1])
folder = sys.argv[2] or None
small = dict(channels=(8, 16, 32), latent_size=5, batch_size=64, learning_rate=3e-3, random_state=0)
small |= dict(schedule="constant")
start = ConvAutoencoder(epochs=10, folder=folder, **small)
DCEC(4, autoencoder=start, update_interval=20, max_iter={max_iter}, tol=0, batch_size=64, random_state=0,
     folder=folder, checkpoint_every=1).fit(X).save(sys.argv[3])
"""


def test_a_killed_training_goes_on_as_if_it_had_not_been(digits, tmp_path):
    from audioclust.deep import DCEC

    np.save(tmp_path / "X.npy", digits[0][:300])
    program = KILLED.format(max_iter=600)
    where = [str(tmp_path / "X.npy"), str(tmp_path / "kept"), str(tmp_path / "resumed.pt")]
    running = subprocess.Popen([sys.executable, "-c", program, *where])
    until = time.monotonic() + 60
    while not list((tmp_path / "kept").glob("dcec-*/checkpoint.pt")) and time.monotonic() < until:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not (tmp_path / "resumed.pt").exists(), "it was killed in the middle"
    part = torch.load(next((tmp_path / "kept").glob("dcec-*/checkpoint.pt")), weights_only=True)
    assert 0 < part["epoch"] + 1 < 30

    # The rest is run here, in another process than the first part.
    X = digits[0][:300]

    def run(folder):
        start = ConvAutoencoder(epochs=10, folder=folder, **SMALL)
        model = DCEC(4, autoencoder=start, update_interval=20, max_iter=600, tol=0, batch_size=64)
        return model.set_params(random_state=0, folder=folder, checkpoint_every=1).fit(X)

    resumed, whole = run(tmp_path / "kept"), run(None)
    assert np.array_equal(resumed.labels_, whole.labels_)
    assert np.array_equal(resumed.embedding_, whole.embedding_)
    assert resumed.history_["loss"].tolist() == whole.history_["loss"].tolist()


# Bad input


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_clusters": 1}, "n_clusters=1"),
        ({"n_clusters": 11}, "n_clusters=11.*from 2 to 10"),
        ({"latent_size": 0}, "latent_size=0"),
        ({"activation": "swish"}, "activation='swish'.*relu"),
        ({"channels": (1, 2)}, r"channels=\(1, 2\)"),
        ({"epochs": 0}, "epochs=0"),
        ({"epochs": 1.5}, "epochs=1.5.*whole"),
        ({"scale": "z"}, "scale='z'"),
        ({"schedule": "step"}, "schedule='step'"),
        ({"head": "svm"}, "head='svm'"),
        ({"head_on": "pixels"}, "head_on='pixels'"),
        ({"head_runs": 0}, "head_runs=0"),
        ({"time_mask": -0.1}, "time_mask=-0.1"),
        ({"frequency_mask": 0.6}, "frequency_mask=0.6"),
        ({"checkpoint_every": 0}, "checkpoint_every=0"),
        ({"random_state": "x"}, "random_state='x'"),
        ({"tensorboard": True}, "folder"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(params, message):
    with pytest.raises(ValueError, match=message):
        ConvAutoencoder(**params).fit(np.zeros((10, 8, 8)))


def test_without_clusters_there_is_nothing_to_predict(digits):
    with pytest.raises(ValueError, match="n_clusters=None"):
        ConvAutoencoder().fit_predict(digits[0])
    with pytest.raises(ValueError, match="n_clusters=None"):
        ConvAutoencoder(epochs=1, **SMALL).fit(digits[0][:20]).predict(digits[0])


def test_a_gpu_that_is_not_there_is_named():
    if torch.cuda.is_available():
        assert training.check_hardware("auto", "auto").device == "cuda"
    else:
        with pytest.raises(ValueError, match="device='cuda'"):
            training.check_hardware("cuda", "auto")
        assert training.check_hardware("auto", "float32") == training.Hardware("cpu", False)


def test_embeddings_of_another_length_are_named(fitted):
    with pytest.raises(ValueError, match=r"\(2, 4\).*\(n, 5\)"):
        fitted.inverse_transform(np.zeros((2, 4)))
