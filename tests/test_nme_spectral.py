"""Self-tuning spectral clustering: one voice is one cluster, several are told apart, copies stay together."""

import numpy as np
import pytest
from speaker_vectors import accuracy, audiomnist, speakers

from audioclust.clustering import DegenerateClusteringWarning
from audioclust.clustering.speakers import nme_spectral
from audioclust.clustering.speakers.nme_spectral import NMESpectral

pytestmark = pytest.mark.filterwarnings("ignore::audioclust.evaluation.degenerate.DegenerateClusteringWarning")


@pytest.mark.parametrize("n", [6, 10, 20, 40])
@pytest.mark.parametrize("d", [16, 192])
def test_one_voice(n, d):
    for seed in range(6):
        X, _ = speakers([n], d=d, noise=1.0, seed=seed)
        assert NMESpectral().fit(X).n_clusters_ == 1


@pytest.mark.parametrize(("sizes", "d", "noise"), [
    ([5] * 2, 64, 0.5),
    ([10] * 2, 64, 0.6),
    ([15] * 3, 64, 0.8),
    ([5] * 4, 64, 0.5),
    ([10] * 6, 64, 1.0),
    ([4] * 20, 64, 0.6),
    ([30] * 5, 192, 1.1),
    ([8] * 25, 128, 0.8),
])  # fmt: skip
def test_finds_the_voices(sizes, d, noise):
    X, truth = speakers(sizes, d=d, noise=noise, seed=3)
    fitted = NMESpectral().fit(X)
    assert fitted.n_clusters_ == len(sizes)
    assert accuracy(truth, fitted.labels_) == 1


def test_real_voices(shared):
    X, truth = audiomnist(shared)
    for who in range(10):
        for n in (10, 20):
            assert NMESpectral().fit(X[truth == who][:n]).n_clusters_ == 1
    for k in (2, 5, 10):
        rows = np.concatenate([np.flatnonzero(truth == who)[:10] for who in range(k)])
        assert accuracy(truth[rows], NMESpectral().fit_predict(X[rows])) == 1


@pytest.mark.parametrize("dense", [0, 10_000])
def test_large_components_are_solved_iteratively(monkeypatch, dense):
    """Noisy voices that one graph holds together: the iterative solver and the dense one agree."""
    X, _ = speakers([60] * 5, d=48, noise=1.3, seed=1)
    neighbours = np.argsort(-(X @ X.T), axis=1, kind="stable")[:, 1:31]
    monkeypatch.setattr(nme_spectral, "DENSE", dense)
    spectrum = nme_spectral._spectrum(neighbours, 20)
    graph = np.zeros((300, 300))
    graph[np.arange(300)[:, None], neighbours] = 0.5
    graph = graph + graph.T
    scale = 1 / np.sqrt(graph.sum(axis=1))
    laplacian = np.eye(300) - scale[:, None] * graph * scale
    np.testing.assert_allclose(spectrum.values, np.linalg.eigvalsh(laplacian)[:21], atol=1e-6)
    np.testing.assert_allclose(laplacian @ spectrum.vectors, spectrum.vectors * spectrum.values, atol=1e-3)


def test_a_disconnected_graph_has_one_zero_per_component():
    X, truth = speakers([10] * 7, noise=0.2)
    fitted = NMESpectral().fit(X)
    assert (fitted.eigenvalues_ == 0).sum() == 7
    assert accuracy(truth, fitted.labels_) == 1


def test_more_groups_than_considered_are_named():
    X, _ = speakers([8] * 30, noise=0.2)
    assert NMESpectral().fit(X).n_clusters_ == 30
    with pytest.warns(DegenerateClusteringWarning, match="one cluster, or more than max_clusters=10"):
        NMESpectral(max_clusters=10).fit(X)


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_copies_and_scale(scale):
    X, truth = speakers([10] * 4, noise=0.8, shuffle=False)
    labels = NMESpectral().fit_predict(X)
    copied = NMESpectral().fit_predict(np.vstack([X, X[:3].repeat(5, axis=0)]) * scale)
    np.testing.assert_array_equal(copied[:40], labels)
    np.testing.assert_array_equal(copied[40:], labels[:3].repeat(5))
    assert accuracy(truth, labels) == 1
    assert set(NMESpectral(3).fit_predict(np.ones((6, 4)))) == {0}


def test_bad_input():
    X, _ = speakers([5] * 4)
    for settings, message in [
        ({"max_clusters": 0}, "max_clusters=0"),
        ({"n_counts": 2.5}, r"n_counts=2\.5"),
        ({"max_neighbors": "all"}, "max_neighbors='all'"),
        ({"random_state": "x"}, "random_state='x'"),
    ]:
        with pytest.raises(ValueError, match=message):
            NMESpectral(**settings).fit(X)


def test_too_many_recordings_are_refused_before_the_work(rng):
    X = rng.standard_normal((5001, 2))
    with pytest.raises(ValueError, match=r"5001 different rows, give at most 5000; use auto or partial_sets"):
        NMESpectral().fit(X)
