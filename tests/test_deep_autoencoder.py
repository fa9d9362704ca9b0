"""The autoencoder as an estimator: what it learns, keeps, takes up again, and refuses."""

import dataclasses
import json
import logging
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

from audioclust.deep import ConvAutoencoder, PoorReconstructionWarning, autoencoder, hardware, heads, training
from audioclust.deep.data import Augmentation, Scaling
from audioclust.deep.image_module import Reconstruction
from audioclust.deep.networks import ConvNetwork
from audioclust.evaluation import evaluate

pytestmark = pytest.mark.filterwarnings("ignore::audioclust.deep.PoorReconstructionWarning")  # most train briefly
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
    n2d = clone(fitted).set_params(head="n2d", head_runs=2).fit(X)
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


def trained(X, epochs, folder=None):
    """Train a module with changed images, always as for six epochs."""
    how = training.Training(6, -(-len(X) // 64), 64, 3e-3, "cosine", checkpoint_every=1, folder=folder)
    with hardware.seeded(0):
        network = ConvNetwork(8, 8, latent_size=5, channels=(8, 16, 32))
    changes = Augmentation(shift=0.13, time_mask=0.2)
    module = Reconstruction(network, X, how, scaling=Scaling.of(X, "range"), augmentation=changes)
    return module, training.train(module, dataclasses.replace(how, epochs=epochs))


def test_a_resumed_training_equals_an_uninterrupted_one(digits, tmp_path):
    X = digits[0][:150]
    whole, history = trained(X, 6)
    trained(X, 3, tmp_path)
    resumed, continued = trained(X, 6, tmp_path)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert [row["loss"] for row in continued] == [row["loss"] for row in history]
    assert [row["epoch"] for row in continued] == list(range(6))


def test_an_interrupt_stays_an_interrupt(digits, monkeypatch):
    def stop(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Reconstruction, "end_epoch", stop)
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
DCEC(4, autoencoder=start, update_interval=20, max_iter=150, tol=0, batch_size=64, random_state=0,
     folder=folder, checkpoint_every=1).fit(X).save(sys.argv[3])
"""


def test_a_killed_training_goes_on_as_if_it_had_not_been(digits, tmp_path):
    from audioclust.deep import DCEC

    np.save(tmp_path / "X.npy", digits[0][:300])
    where = [str(tmp_path / "X.npy"), str(tmp_path / "kept"), str(tmp_path / "resumed.pt")]
    running = subprocess.Popen([sys.executable, "-c", KILLED, *where])
    until = time.monotonic() + 240
    while not list((tmp_path / "kept").glob("dcec-*/checkpoint.pt")) and time.monotonic() < until:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not (tmp_path / "resumed.pt").exists(), "it was killed in the middle"
    part = torch.load(next((tmp_path / "kept").glob("dcec-*/checkpoint.pt")), weights_only=True)
    assert 0 < part["epoch"] + 1 < 20

    # The rest is run here, in another process than the first part.
    X = digits[0][:300]

    def run(folder):
        start = ConvAutoencoder(epochs=10, folder=folder, **SMALL)
        model = DCEC(4, autoencoder=start, update_interval=20, max_iter=150, tol=0, batch_size=64)
        return model.set_params(random_state=0, folder=folder, checkpoint_every=1).fit(X)

    resumed, whole = run(tmp_path / "kept"), run(tmp_path / "undisturbed")
    assert np.array_equal(resumed.labels_, whole.labels_)
    assert np.array_equal(resumed.embedding_, whole.embedding_)
    assert resumed.history_["loss"].tolist() == whole.history_["loss"].tolist()
    first, second = (
        {path.relative_to(tmp_path / name): path.read_text() for path in (tmp_path / name).glob("*/settings.json")}
        for name in ("kept", "undisturbed")
    )
    assert first == second
    assert len(first) == 2


# Threads


def test_the_number_of_threads_names_the_training_and_stays_with_it(digits, tmp_path, monkeypatch):
    X = digits[0][:100]
    model = ConvAutoencoder(epochs=2, folder=tmp_path, **SMALL)
    fits = {}
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        fits[threads] = clone(model).fit(X)
        assert fits[threads].hardware_.threads == int(threads)
        assert json.loads((fits[threads].folder_ / "settings.json").read_text())["threads"] == int(threads)
    assert fits["1"].folder_ != fits["3"].folder_

    used = []
    monkeypatch.setattr(torch, "set_num_threads", used.append)
    loaded = ConvAutoencoder.load(fits["1"].save(tmp_path / "one.pt"))
    loaded.transform(X)
    assert used[0] == 1, "embedded as it was trained, whatever this process has"
    assert np.array_equal(loaded.transform(X), fits["1"].embedding_)


@pytest.mark.parametrize(
    ("text", "threads"), [("4,2", 4), ("3", 3), (" 2 ,1", 2), ("", None), ("0", None), ("many", None)]
)
def test_threads_are_read_from_any_setting(text, threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert hardware.thread_count() == (threads or hardware.parallel.cores())


# Damaged files


def damage(path, how):
    whole = path.read_bytes()
    if how == "empty":
        path.write_bytes(b"")
    elif how == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif how == "random":
        path.write_bytes(np.random.default_rng(0).bytes(2000))
    elif how == "flipped":
        middle = len(whole) // 2
        path.write_bytes(
            whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 50]) + whole[middle + 50 :]
        )
    elif how == "e":
        path.write_bytes(b"e" * 100)
    else:
        torch.save({"something": "else"}, path)


@pytest.fixture(scope="module")
def kept(digits, tmp_path_factory):
    model = ConvAutoencoder(epochs=3, folder=tmp_path_factory.mktemp("kept"), checkpoint_every=2, **SMALL)
    return model.fit(digits[0][:100])


@pytest.mark.parametrize("how", ["empty", "cut", "random", "flipped", "e", "other"])
@pytest.mark.parametrize("name", ["model.pt", "checkpoint.pt"])
def test_a_damaged_file_is_named_set_aside_and_made_anew(digits, kept, how, name, caplog):
    before = set(kept.folder_.glob("*.damaged*"))
    damage(kept.folder_ / name, how)
    if name == "checkpoint.pt":
        (kept.folder_ / "model.pt").unlink()
    with caplog.at_level(logging.WARNING, "audioclust"):
        again = clone(kept).fit(digits[0][:100])
    assert np.array_equal(again.embedding_, kept.embedding_)
    told = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == 1
    assert str(kept.folder_ / name) in told[0]
    assert len(set(kept.folder_.glob("*.damaged*")) - before) == 1
    assert np.array_equal(ConvAutoencoder.load(kept.folder_ / "model.pt").transform(digits[0][:100]), kept.embedding_)


@pytest.mark.parametrize("how", ["empty", "cut", "random", "flipped", "e", "other"])
def test_a_damaged_model_is_refused_by_name(kept, how, tmp_path):
    damage(kept.save(tmp_path / "model.pt"), how)
    with pytest.raises(ValueError, match=r"model\.pt"):
        ConvAutoencoder.load(tmp_path / "model.pt")


# Defaults


def test_the_defaults_learn_small_sets(rng):
    height, width = np.mgrid[:8, :12]
    places = rng.uniform(2, 6, (160, 2)) * [1, 1.5]
    apart = (height - places[:, :1, None]) ** 2 + (width - places[:, 1:, None]) ** 2
    images = (200 * np.exp(-apart / 6)).astype(np.uint8)
    model = ConvAutoencoder(random_state=0).fit(images)
    assert model.explained_ > 0.9
    rebuilt = model.reconstruct(images)
    left = np.square(rebuilt - images).sum() / np.square(images - images.mean(axis=0)).sum()
    assert model.explained_ == pytest.approx(1 - left, abs=1e-6)


@pytest.mark.parametrize(
    ("n", "batch", "epochs"), [(160, 32, 200), (1000, 125, 125), (10_000, 256, 100), (70_000, 256, 100)]
)
def test_defaults_count_steps(n, batch, epochs):
    how = ConvAutoencoder()._training(n)
    assert (how.batch_size, how.epochs, how.steps) == (batch, epochs, -(-n // batch))
    asked = ConvAutoencoder(epochs=7, batch_size=64)._training(n)
    assert (asked.batch_size, asked.epochs) == (64, 7)


def test_a_poor_reconstruction_is_named(digits):
    with pytest.warns(PoorReconstructionWarning, match=r"explains .*%.*epochs"):
        ConvAutoencoder(epochs=1, **SMALL).fit(digits[0][:40])


def test_equal_images_have_nothing_to_explain():
    model = ConvAutoencoder(epochs=1, **SMALL).fit(np.full((20, 8, 8), 3.0))
    assert np.isnan(model.explained_)


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
        assert hardware.check_hardware("auto", "auto").device == "cuda"
    else:
        with pytest.raises(ValueError, match="device='cuda'"):
            hardware.check_hardware("cuda", "auto")
        assert hardware.check_hardware("auto", "float32") == hardware.Hardware("cpu", False, hardware.thread_count())


def test_embeddings_of_another_length_are_named(fitted):
    with pytest.raises(ValueError, match=r"\(2, 4\).*\(n, 5\)"):
        fitted.inverse_transform(np.zeros((2, 4)))
