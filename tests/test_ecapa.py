import json
import os
import pickle

import numpy as np
import pytest
import torch

from audioclust import embeddings
from audioclust.embeddings import ecapa
from audioclust.embeddings.tdnn import ECAPA

SMALL = {"channels": (16, 16, 16, 16, 48), "attention": 8, "squeezed": 8, "dimension": 12, "scale": 4}


def seeded(**sizes):
    """A network with weights and batch statistics that are not trivial."""
    network = ECAPA(**sizes).eval()
    generator = torch.Generator().manual_seed(3)
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.copy_(0.5 + torch.rand(value.shape, generator=generator))
        elif value.is_floating_point():
            value.copy_(0.3 * torch.randn(value.shape, generator=generator))
    return network


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("ecapa") / "embedding_model.ckpt"
    torch.save(seeded(**SMALL).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def encoder(checkpoint):
    return embeddings.load("ecapa", source=checkpoint, network=SMALL, device="cpu")


@pytest.fixture(scope="module")
def golden(shared):
    return np.load(shared / "golden" / "ecapa_small.npz")


@pytest.fixture(scope="module")
def published_small(golden):
    network = ECAPA(channels=(32, 32, 32, 32, 96), attention=16, squeezed=16, dimension=24)
    state = {name[6:]: torch.from_numpy(golden[name]) for name in golden.files if name.startswith("state/")}
    network.load_state_dict(state, strict=True)
    return network.eval()


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())
    cosine = (found * wanted).sum(-1) / np.linalg.norm(found, axis=-1) / np.linalg.norm(wanted, axis=-1)
    assert np.min(cosine) > 0.9999


def test_golden_filter_bank(golden):
    wave, lengths = torch.from_numpy(golden["wave"]), torch.from_numpy(golden["rel_lens"])
    features = ecapa.fbank(wave)
    np.testing.assert_allclose(features, golden["fbank"], rtol=1e-4, atol=1e-4)
    frames = torch.ceil(lengths * features.shape[1]).long()
    normalised = ecapa.sentence_mean_normalised(features, frames)
    np.testing.assert_allclose(normalised, golden["fbank_normalised"], rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_golden_network_on_the_padded_batch_and_on_each_clip_alone(golden, published_small):
    lengths = torch.from_numpy(golden["rel_lens"])
    found = published_small(torch.from_numpy(golden["fbank_normalised"]), lengths).numpy()
    close(found, golden["embedding"])
    for wave, share, wanted in zip(golden["wave"], golden["rel_lens"], golden["embedding_unpadded"], strict=True):
        own = torch.from_numpy(wave[None, : round(float(share) * len(wave))])
        features = ecapa.sentence_mean_normalised(ecapa.fbank(own))
        close(published_small(features).numpy()[0], wanted)


def test_encode_gives_the_golden_vectors_of_clips_alone(golden, published_small, tmp_path):
    torch.save(published_small.state_dict(), tmp_path / ecapa.FILE)
    sizes = {"channels": (32, 32, 32, 32, 96), "attention": 16, "squeezed": 16, "dimension": 24}
    encoder = embeddings.load("ecapa", source=tmp_path, network=sizes, device="cpu")
    pairs = zip(golden["wave"], golden["rel_lens"], strict=True)
    waves = [wave[: round(float(share) * len(wave))] for wave, share in pairs]
    wanted = golden["embedding_unpadded"]
    close(encoder.encode(waves), wanted / np.linalg.norm(wanted, axis=1, keepdims=True))


def test_every_name_and_shape_of_the_published_checkpoint_is_met(shared):
    published = json.loads((shared / "golden" / "ecapa_voxceleb_state_shapes.json").read_text())
    with torch.device("meta"):
        network = ECAPA(**ecapa.PUBLISHED)
    assert {name: list(value.shape) for name, value in network.state_dict().items()} == published


def test_batching_changes_no_vector(encoder, rng, monkeypatch):
    lengths = [800, 805, 959, 960, 961, 1600, 5000, 5001, 16000, 47999]
    waves = [rng.standard_normal(length) * 0.1 for length in lengths]
    alone = np.concatenate([encoder.encode([wave]) for wave in waves])
    together = encoder.encode(waves)
    np.testing.assert_allclose(together, alone, atol=2e-5)
    assert (together * alone).sum(axis=1).min() > 0.99999
    monkeypatch.setattr(encoder, "batch_seconds", 0.2)
    np.testing.assert_allclose(encoder.encode(waves[::-1])[::-1], alone, atol=2e-5)


@torch.inference_mode()
def test_padding_moves_the_vectors_of_the_other_reading(rng):
    network = seeded(**SMALL)
    features = torch.from_numpy(rng.standard_normal((1, 40, 80)).astype(np.float32))
    alone = network(features)
    padded = torch.nn.functional.pad(features, (0, 0, 0, 20))
    relative = network(padded, torch.tensor([40 / 60]))
    counted = network(padded, frames=torch.tensor([40]))
    torch.testing.assert_close(counted, alone, rtol=1e-4, atol=1e-4)
    assert (relative - alone).abs().max() > 10 * (counted - alone).abs().max()


def test_a_tone_lies_in_its_band_and_quiet_is_cut_80_db_below():
    time = np.arange(16000) / 16000
    tone = torch.from_numpy(np.sin(2 * np.pi * 1000 * time).astype(np.float32))[None]
    tone[:, 8000:] = 0
    features = ecapa.fbank(tone)[0]
    centres = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 82)[1:-1] / 2595) - 1)
    assert abs(centres[features[20].argmax()] - 1000) < 40
    assert float(features.max() - features.min()) == pytest.approx(80)
    silent = ecapa.fbank(torch.zeros(1, 1600))
    assert (silent == -100).all()


def test_long_recordings_are_the_mean_of_equal_windows(checkpoint, rng):
    encoder = embeddings.load("ecapa", source=checkpoint, network=SMALL, window=1, device="cpu")
    wave = rng.standard_normal(40_000) * 0.1
    parts = encoder.encode(np.array_split(wave, 3))
    mean = parts.mean(axis=0)
    np.testing.assert_allclose(encoder.encode([wave])[0], mean / np.linalg.norm(mean), atol=2e-5)


def test_nothing_silence_and_too_short(encoder):
    assert encoder.encode([]).shape == (0, 12)
    assert np.isfinite(encoder.encode([np.zeros(2000)])).all()
    with pytest.raises(ValueError, match=r"waves\[1\] is too short for ecapa: 799 of at least 800 samples"):
        encoder.encode([np.zeros(2000), np.zeros(799)])


def test_weights_come_back_from_folder_and_file(checkpoint, encoder, rng):
    wave = [rng.standard_normal(8000) * 0.1]
    again = embeddings.load("ecapa", source=checkpoint.parent, network=SMALL, device="cpu")
    np.testing.assert_array_equal(again.encode(wave), encoder.encode(wave))
    assert again.settings == encoder.settings


def broken(checkpoint, tmp_path, change):
    state = torch.load(checkpoint, weights_only=True)
    change(state)
    path = tmp_path / "changed.ckpt"
    torch.save(state, path)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("fc.conv.bias"), "fc.conv.bias is missing"),
        (lambda state: state.update(extra=torch.zeros(1)), "extra is unknown"),
        (lambda state: state.update({"fc.conv.bias": torch.zeros(7)}), r"fc.conv.bias is \(7,\) instead of \(12,\)"),
        (lambda state: state["fc.conv.bias"].fill_(torch.nan), "NaN or infinite weights: fc.conv.bias"),
        (lambda state: state.update({"fc.conv.bias": "text"}), "no table of named tensors"),
    ],
)
def test_another_networks_checkpoint_is_named(checkpoint, tmp_path, change, message):
    path = broken(checkpoint, tmp_path, change)
    with pytest.raises(embeddings.CheckpointError, match=message):
        embeddings.load("ecapa", source=path, network=SMALL)


def test_the_small_checkpoint_is_not_the_published_network(checkpoint):
    with pytest.raises(embeddings.CheckpointError, match=r"not of this network: .* and \d+ more"):
        embeddings.load("ecapa", source=checkpoint)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_checkpoint_is_named(checkpoint, tmp_path, share):
    path = tmp_path / "short.ckpt"
    whole = checkpoint.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(embeddings.CheckpointError, match="no whole checkpoint"):
        embeddings.load("ecapa", source=path, network=SMALL)


def test_a_text_file_is_no_checkpoint(tmp_path):
    path = tmp_path / "embedding_model.ckpt"
    path.write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(embeddings.CheckpointError, match="no checkpoint of tensors"):
        embeddings.load("ecapa", source=tmp_path)


class Code:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_code_in_a_checkpoint_is_not_run(checkpoint, tmp_path, save):
    marker = tmp_path / "ran"
    path = tmp_path / "evil.ckpt"
    state = torch.load(checkpoint, weights_only=True)
    save({**state, "fc.conv.bias": Code(marker)}, path)
    with pytest.raises(
        embeddings.CheckpointError, match=r"evil.ckpt (holds code, .*mkdir|is no checkpoint of tensors)"
    ):
        embeddings.load("ecapa", source=path, network=SMALL)
    assert not marker.exists()


def test_without_weights_one_message_says_what_to_put_where(monkeypatch, tmp_path):
    import huggingface_hub

    def unreachable():
        raise ConnectionError("no network")

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *given, **named: None)
    monkeypatch.setattr(huggingface_hub, "get_session", unreachable)
    with pytest.raises(FileNotFoundError) as caught:
        embeddings.load("ecapa")
    for needed in ("no network", ecapa.FILE, ecapa.REVISION, ecapa.SHA256, "source=FOLDER", "ge2e"):
        assert needed in str(caught.value)
    with pytest.raises(FileNotFoundError, match=r"put embedding_model\.ckpt from"):
        embeddings.load("ecapa", source=tmp_path)


def test_a_download_that_is_not_the_published_file_is_refused(monkeypatch, checkpoint):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *given, **named: str(checkpoint))
    with pytest.raises(embeddings.CheckpointError, match="not the published checkpoint"):
        embeddings.load("ecapa", network=SMALL)
    monkeypatch.setattr(ecapa, "SHA256", embeddings.load("ecapa", source=checkpoint, network=SMALL).settings["weights"])
    assert embeddings.load("ecapa", network=SMALL).dimension == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0.5}, "window=0.5"),
        ({"batch_seconds": 0}, "batch_seconds=0"),
        ({"network": {"channels": (8, 8)}}, "at least 3"),
        ({"network": {"channels": (8, 9, 8)}, "source": "x"}, "no ECAPA weights at x"),
        ({"network": {**SMALL, "scale": 5}}, "scale=5"),
        ({"network": {**SMALL, "bands": 40}}, "40 bands"),
    ],
)
def test_bad_options_are_named(checkpoint, options, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        embeddings.load("ecapa", **{"source": checkpoint, **options})
