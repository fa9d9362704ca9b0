import importlib.util

import librosa
import numpy as np
import pytest
import torch

from audioclust import embeddings
from audioclust.embeddings import ge2e


@pytest.fixture(scope="module")
def encoder():
    if importlib.util.find_spec("resemblyzer") is None:
        pytest.skip("the resemblyzer wheel, which holds the weights, is not installed")
    return embeddings.load("ge2e", device="cpu")


def one_by_one(network, wave, *, rate=1.3, min_coverage=0.75):
    """The same vectors the plain way: one clip, padded, librosa's mel, a loop over its partial utterances."""
    frames = int(np.ceil((len(wave) + 1) / 160))
    step = int(np.round(16000 / rate / 160))
    firsts = list(range(0, max(1, frames - 160 + step + 1), step))
    if len(firsts) > 1 and (len(wave) - firsts[-1] * 160) / 25600 < min_coverage:
        firsts.pop()
    padded = np.pad(wave, (0, max(0, (firsts[-1] + 160) * 160 - len(wave))))
    power = librosa.feature.melspectrogram(y=padded, sr=16000, n_fft=400, hop_length=160, n_mels=40).T
    with torch.inference_mode():
        vectors = [network(torch.tensor(power[None, first : first + 160])).numpy()[0] for first in firsts]
    mean = np.mean(vectors, axis=0)
    return mean / np.linalg.norm(mean)


def test_golden_values(encoder, shared):
    golden = np.load(shared / "golden" / "ge2e.npz")
    waves = [golden[f"wave_{i}"] for i in range(3)]
    for i, wave in enumerate(waves):
        wanted = golden[f"mel_{i}"]
        np.testing.assert_allclose(ge2e.mel(wave), wanted, rtol=1e-4, atol=1e-6 * wanted.max())
        np.testing.assert_allclose(encoder.partials(wave), golden[f"partials_{i}"], rtol=1e-4, atol=1e-6)
    vectors = encoder.encode(waves)
    np.testing.assert_allclose(vectors, golden["embedding"], rtol=1e-4, atol=1e-6)
    assert (vectors * golden["embedding"]).sum(axis=1).min() > 0.99999


def test_vectors_equal_those_of_the_plain_way_at_every_length(encoder, rng):
    lengths = [1, 159, 160, 400, 8000, 25599, 25600, 25601, 31000, 31600, 37919, 37920, 50000]
    waves = [0.1 * rng.standard_normal(length).astype(np.float32) for length in lengths]
    vectors = encoder.encode(waves)
    wanted = np.array([one_by_one(encoder.network, wave) for wave in waves])
    np.testing.assert_allclose(vectors, wanted, atol=2e-6)


def test_batches_and_pieces_change_nothing(encoder, rng, monkeypatch):
    waves = [0.1 * rng.standard_normal(length) for length in (9000, 100_000, 20_000, 30_000)]
    together = encoder.encode(waves)
    monkeypatch.setattr(encoder, "batch_size", 1)
    np.testing.assert_allclose(encoder.encode(waves), together, atol=2e-6)
    monkeypatch.setattr(encoder, "batch_size", 3)
    monkeypatch.setattr(ge2e, "LONGEST_PIECE", 2)
    np.testing.assert_allclose(encoder.encode(waves), together, atol=2e-6)
    order = [2, 0, 3, 1]
    np.testing.assert_allclose(encoder.encode([waves[i] for i in order]), together[order], atol=2e-6)


def test_rate_and_coverage_choose_the_partial_utterances():
    assert ge2e.partial_starts(1).tolist() == [0]
    assert ge2e.partial_starts(25600).tolist() == [0]  # 161 frames; a second would cover 84 of 160
    assert ge2e.partial_starts(32000).tolist() == [0, 77]  # 2 s: the second covers 123 of 160
    assert ge2e.partial_starts(32000, min_coverage=0.8).tolist() == [0]
    assert ge2e.partial_starts(25600 * 2, rate=0.625).tolist() == [0, 160]


def test_silence_and_nothing(encoder):
    vectors = encoder.encode([np.zeros(3000)])
    assert np.isfinite(vectors).all()
    assert encoder.encode([]).shape == (0, 256)


@pytest.mark.parametrize("options", [{"rate": 0.6}, {"rate": 101}, {"min_coverage": 0}, {"batch_size": 0}])
def test_bad_options_are_named(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"{name}="):
        embeddings.load("ge2e", **options)


def test_without_the_wheel_one_message_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"pip install --no-deps resemblyzer==0\.1\.4"):
        embeddings.load("ge2e")


def test_a_foreign_or_damaged_checkpoint_is_named(encoder, tmp_path):
    path = tmp_path / "pretrained.pt"
    torch.save({"state": {}}, path)
    with pytest.raises(embeddings.CheckpointError, match="no 'model_state'"):
        embeddings.load("ge2e", source=path)
    state = encoder.network.state_dict()
    state["lstm.weight_ih_l0"] = state["lstm.weight_ih_l0"][:, :13].clone()
    torch.save({"model_state": state}, path)
    with pytest.raises(embeddings.CheckpointError, match=r"lstm.weight_ih_l0 is \(1024, 13\) instead of \(1024, 40\)"):
        embeddings.load("ge2e", source=path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(embeddings.CheckpointError, match="no whole checkpoint"):
        embeddings.load("ge2e", source=path)


def test_a_saved_checkpoint_gives_the_same_vectors(encoder, tmp_path, rng):
    path = tmp_path / "mine.pt"
    torch.save({"model_state": encoder.network.state_dict()}, path)
    wave = [0.1 * rng.standard_normal(20_000)]
    again = embeddings.load("ge2e", source=path, device="cpu")
    np.testing.assert_array_equal(again.encode(wave), encoder.encode(wave))
    assert again.settings["weights"] != encoder.settings["weights"]


def test_voices_of_real_digits_lie_apart(encoder, shared):
    import soundfile

    folder = shared / "datasets" / "fsdd"
    speakers = sorted(path.name for path in folder.iterdir())
    waves, truth = [], []
    for speaker in speakers:
        for take in range(4):
            clips = [
                soundfile.read(folder / speaker / f"{digit}_{speaker}_{take}.flac", dtype="float32")[0]
                for digit in range(10)
            ]
            waves.append(np.concatenate(clips))
            truth.append(speaker)
    vectors = encoder.encode(waves, 8000)
    cosine = vectors @ vectors.T
    same = np.equal.outer(truth, truth)
    np.fill_diagonal(cosine, -1)
    nearest = cosine.argmax(axis=1)
    assert same[np.arange(len(truth)), nearest].all()
    assert np.median(cosine[same & (cosine > -1)]) > np.quantile(cosine[~same], 0.99)
