"""u-vectors: the cutting, the losses against what is written out, the training, the encoder; no label gets in."""

import json

import numpy as np
import pytest
import soundfile
import torch
from scipy import signal
from sklearn.base import clone

from audioclust import embeddings, evaluation
from audioclust.datasets import synthetic
from audioclust.deep import UVectors
from audioclust.deep import u_vectors_losses as losses
from audioclust.deep.data import generator
from audioclust.deep.densenet import DenseNet121
from audioclust.deep.u_vectors_frames import cut, scrambled
from audioclust.deep.u_vectors_module import _members, drawn_pairs
from audioclust.deep.u_vectors_network import MelSpectra, UVectorNetwork
from audioclust.features import filters

QUICK = {"channels": 8, "latent_size": 4, "steps": 12, "check_every": 4, "batch_size": 8,
         "spectrum": {"n_mels": 20}, "patience": None, "random_state": 0, "device": "cpu"}  # fmt: skip


@pytest.fixture(scope="module")
def voices():
    """Four voices, three words each, and who speaks."""
    takes = [(who, word) for who in range(4) for word in range(3)]
    waves = [synthetic.utterance(who, word, 0).astype(np.float32) / 32768 for who, word in takes]
    return waves, np.array([who for who, _ in takes])


@pytest.fixture(scope="module")
def fitted(voices):
    return UVectors(**QUICK).fit(voices[0])


def weights(model):
    return torch.cat([value.flatten().float() for value in model.network_.state_dict().values()])


def unit_rows(n, d, seed):
    rows = torch.randn(n, d, generator=generator(seed))
    return torch.nn.functional.normalize(rows, dim=1)


# ---------------------------------------------------------------- losses


def test_pairwise_is_the_published_loss_in_float64():
    left, right = torch.randn(6, 3, generator=generator(0)) * 60, torch.randn(6, 3, generator=generator(1)) * 60
    together = torch.tensor([True, False, True, False, True, False])
    wanted = 0.0
    for a, b, near in zip(left.double().numpy(), right.double().numpy(), together, strict=True):
        distance = min(np.linalg.norm(a - b), 100.0)
        wanted += (distance - (0.0 if near else 100.0)) ** 2 / 6
    assert float(losses.pairwise(left, right, together, alpha=100.0)) == pytest.approx(wanted, rel=1e-5)


def test_pairwise_has_a_gradient_where_two_vectors_coincide():
    left = torch.zeros(2, 3, requires_grad=True)
    losses.pairwise(left, torch.zeros(2, 3), torch.tensor([True, False])).backward()
    assert torch.isfinite(left.grad).all()


def test_semi_hard_negatives_by_brute_force():
    random = generator(2)
    distances = torch.rand(40, 12, generator=random)
    positive = torch.rand(40, generator=random)
    negatives = torch.rand(40, 12, generator=random) < 0.6
    negatives[:, 0] = True
    chosen = losses.semi_hard(distances, positive, negatives)
    for row in range(40):
        own = [j for j in range(12) if negatives[row, j]]
        farther = [j for j in own if distances[row, j] > positive[row]]
        wanted = min(farther, key=lambda j: distances[row, j]) if farther else max(own, key=lambda j: distances[row, j])
        assert chosen[row] == wanted


def test_triplet_by_brute_force():
    left, right, group = unit_rows(5, 4, 3), unit_rows(5, 4, 4), torch.tensor([0, 1, 2, 1, 3])
    both, groups = torch.cat([left, right]).double().numpy(), [*group.tolist()] * 2
    total = 0.0
    for i in range(10):
        squared = ((both - both[i]) ** 2).sum(1)
        partner = (i + 5) % 10
        others = [j for j in range(10) if groups[j] != groups[i]]
        farther = [j for j in others if squared[j] > squared[partner]]
        negative = min(squared[j] for j in farther) if farther else max(squared[j] for j in others)
        total += max(0.0, squared[partner] - negative + 0.3) / 10
    assert float(losses.triplet(left, right, group, margin=0.3)) == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize("ignored", [0.0, 0.3])
def test_infonce_by_brute_force(ignored):
    left, right, group = unit_rows(5, 4, 5), unit_rows(5, 4, 6), torch.tensor([0, 1, 2, 1, 3])
    both, groups = torch.cat([left, right]).double().numpy(), [*group.tolist()] * 2
    total = 0.0
    for i in range(10):
        partner = (i + 5) % 10
        cosines = both @ both[i] / 0.2
        others = sorted((cosines[j] for j in range(10) if groups[j] != groups[i]), reverse=True)[int(ignored * 8) :]
        total += np.log(np.exp([cosines[partner], *others]).sum()) - cosines[partner]
    value = losses.infonce(left, right, group, temperature=0.2, ignored=ignored)
    assert float(value) == pytest.approx(total / 10, rel=1e-4)


# ---------------------------------------------------------------- cutting and pairs


def test_frames_never_cross_segments_nor_recordings():
    waves = [np.linspace(0.1, 0.5, 40_000, dtype=np.float32), np.linspace(-0.5, -0.1, 9_000, dtype=np.float32)]
    frames = cut(waves, split="none", frame=0.2, segment=1.0)
    assert frames.samples.dtype == np.int16
    assert frames.samples.shape == (12 + 2, 3200)
    assert np.bincount(frames.segment).tolist() == [5, 5, 2, 2]
    assert np.bincount(frames.recording).tolist() == [12, 2]
    starts = [*range(0, 16_000, 3200), *range(16_000, 32_000, 3200), 32_000, 35_200]
    for row, start in enumerate(starts):
        assert np.abs(frames.samples[row] / 32767 - waves[0][start : start + 3200]).max() < 1e-4


def test_silence_is_split_away():
    tone = np.sin(np.arange(16_000) / 5).astype(np.float32)
    quiet = np.full(16_000, 1e-4, np.float32)
    frames = cut([np.concatenate([quiet, tone, quiet, tone])])
    assert np.bincount(frames.segment).tolist() == [5, 5]  # a second of each stretch; what is left is too short
    assert (np.abs(frames.samples).max(axis=1) > 5000).all()


def test_problems_are_named_and_the_rest_goes_on(tmp_path, voices):
    broken = tmp_path / "a broken one.wav"
    broken.write_bytes(b"RIFF")
    soundfile.write(tmp_path / "good.wav", voices[0][0], 16_000)
    given = [voices[0][0], np.zeros(16_000, np.float32), broken, np.full(1000, 0.5, np.float32), tmp_path / "good.wav"]
    frames = cut(given)
    assert sorted(frames.problems) == [1, 2, 3]
    assert "a broken one.wav" in frames.problems[2]
    assert np.array_equal(np.unique(frames.recording), [0, 4])
    assert np.array_equal(frames.samples[frames.recording == 0], frames.samples[frames.recording == 4])


def test_impurity_is_exact():
    groups = np.repeat(np.arange(40), 5)
    for share in (0.0, 0.05, 0.1, 1.0):
        changed = scrambled(groups, share, 3)
        assert (changed != groups).sum() == round(share * 200)
        assert set(changed) <= set(groups)


def test_pairs_are_near_or_far_as_asked():
    groups = torch.tensor([0, 0, 0, 1, 1, 2, 3, 3, 3, 3])
    for seed in range(20):
        left, right = drawn_pairs(groups, _members(groups), 8, 4, generator(seed))
        assert torch.equal(groups[left[:4]], groups[right[:4]])
        assert (groups[left[4:]] != groups[right[4:]]).all()
        left, right = drawn_pairs(groups, _members(groups), 8, 0, generator(seed))
        assert groups[left].unique().tolist() == [0, 1, 2, 3], "every group once"
        assert torch.equal(groups[left], groups[right])
        assert (left != right)[groups[left] != 2].all(), "two different frames where there are two"


# ---------------------------------------------------------------- networks


@pytest.mark.parametrize(("n_fft", "window", "hop"), [(512, 400, 160), (191, 128, 34)])
def test_the_spectrum_is_a_mel_spectrum(n_fft, window, hop):
    wave = torch.randn(2, 3200, generator=generator(0)) * 0.1
    found = MelSpectra(n_fft=n_fft, window=window, hop=hop, n_mels=20)(wave)
    import librosa

    for row in range(2):
        power = np.abs(
            librosa.stft(wave[row].numpy(), n_fft=n_fft, win_length=window, hop_length=hop, pad_mode="reflect")
        )
        power = (power / filters.window("hann", window, n_fft).sum()) ** 2
        bank = librosa.filters.mel(sr=16000, n_fft=n_fft, n_mels=20)
        wanted = 10 * np.log10(np.maximum(bank @ power, 1e-10))
        assert found[row].shape == wanted.shape
        assert np.abs(found[row].numpy() - wanted).max() < 0.01


def test_densenet121_is_the_published_network():
    network = DenseNet121(12)
    # 6 953 856 with three input channels and without a head, as published; one channel less twice, and the head
    assert sum(p.numel() for p in network.parameters()) == 6_953_856 - 2 * 64 * 49 + 1024 * 12 + 12
    assert network(torch.zeros(2, 1, 100, 94)).shape == (2, 12)


def test_vectors_are_of_length_one_but_for_the_published_loss():
    mel = {"n_fft": 512, "window": 400, "hop": 160, "n_mels": 20, "sample_rate": 16000}
    for is_unit in (True, False):
        network = UVectorNetwork(3200, network="small", latent_size=4, channels=8, unit=is_unit, **mel).eval()
        lengths = network.encoder(torch.randn(3, 3200, generator=generator(0))).norm(dim=1)
        assert bool(torch.allclose(lengths, torch.ones(3))) == is_unit


# ---------------------------------------------------------------- training


def test_no_label_reaches_the_training(voices, fitted):
    """Whoever is said to speak, the weights are the same to the bit; so is the row that the training chose."""
    waves, who = voices
    for labels in (who, np.random.default_rng(0).permutation(who), None):
        model = UVectors(**QUICK).fit(waves, labels)
        assert torch.equal(weights(model), weights(fitted))
        assert model.chosen_ == fitted.chosen_


def test_what_is_watched_changes_nothing_and_is_not_learned_from(voices, fitted):
    waves = voices[0]
    frames = fitted.cut(waves)
    held_out = fitted.cut([wave[::-1].copy() for wave in waves[:2]])
    known = {row.tobytes() for row in frames.samples}
    assert not any(row.tobytes() in known for row in held_out.samples)
    seen = []
    original = UVectorNetwork.scale_to

    def noted(self, given):
        seen.extend(np.round(given.numpy() * 32767).astype(np.int16))
        return original(self, given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UVectorNetwork, "scale_to", noted)
        model = UVectors(**QUICK).fit(frames, watch=held_out)
    assert torch.equal(weights(model), weights(fitted))
    assert {row.tobytes() for row in seen} <= known, "the scale is of what is trained on"
    assert model.watched_.shape == (3, len(held_out), 4)
    last = model.transform_frames(held_out)
    assert np.allclose(model.watched_[-1], last, atol=2e-3)


def test_the_benchmark_trains_on_nothing_that_it_holds_out(monkeypatch):
    """What the training is handed, frame by frame, is none of the held-out sound."""
    from audioclust.deep import u_vectors
    from benchmarks import uvectors

    given = []

    class Noting(u_vectors.PairTraining):
        def __init__(self, network, data, *args, **kwargs):
            given.append({row.tobytes() for row in data})
            super().__init__(network, data, *args, **kwargs)

    monkeypatch.setattr(u_vectors, "PairTraining", Noting)
    part = uvectors.QUICK[1]
    uvectors.measure(part)
    speech = uvectors.made(part.set, part.seed, tuple(part.data.items()))
    (held_out, others), (train, who) = speech.part(True), speech.part(False)
    assert given == [{row.tobytes() for row in train.samples}]
    assert len(held_out)
    assert not given[0] & {row.tobytes() for row in held_out.samples}
    assert not set(held_out.recording) & set(train.recording)
    assert set(others) == set(who) == {0, 1, 2}, "people are on both sides"


def test_the_order_and_the_names_of_groups_do_not_matter(voices, fitted):
    waves = voices[0]
    order = np.random.default_rng(1).permutation(len(waves))
    model = UVectors(**QUICK).fit([waves[i] for i in order])
    assert torch.equal(weights(model), weights(fitted))
    assert np.allclose(model.embedding_, fitted.embedding_[order], atol=1e-6)


def test_another_seed_is_another_training(voices, fitted):
    assert not torch.equal(weights(UVectors(**QUICK | {"random_state": 1}).fit(voices[0])), weights(fitted))


def test_the_published_loss_falls(voices):
    model = UVectors("pairwise", **QUICK | {"steps": 60, "check_every": 20, "learning_rate": 1e-2}).fit(voices[0])
    assert model.history_["pairwise"].iloc[-1] < 0.9 * model.history_["pairwise"].iloc[0]
    assert model.embedding_.shape == (12, 4)


@pytest.mark.parametrize("training", ["infonce", "triplet"])
def test_it_tells_apart_what_it_was_not_trained_on(training):
    """Four resonances, excited by noise that changes within a recording; half of the recordings are held out."""
    draw = np.random.default_rng(0)
    waves = []
    for number in range(32):
        resonance = 0.97 * np.exp(2j * np.pi * (0.05 + 0.1 * (number % 4)))
        noise = draw.standard_normal(12_800) * np.exp(draw.uniform(-1, 1, 8)).repeat(1600)
        filtered = signal.lfilter([1], np.poly([resonance, resonance.conj()]).real, noise)
        waves.append((0.3 * filtered / np.abs(filtered).max()).astype(np.float32))
    who = np.arange(32) % 4
    quick = QUICK | {"learning_rate": 3e-3, "loss": {"ignored": 0.3} if training == "infonce" else None}
    model = UVectors(training, **quick | {"steps": 60, "check_every": 20}).fit(waves[:16])
    assert evaluation.equal_error_rate(model.transform(waves[16:]), who[16:]) < 0.1
    untrained = UVectors(training, **quick | {"steps": 1, "learning_rate": 1e-9}).fit(waves[:16])
    assert evaluation.equal_error_rate(untrained.transform(waves[16:]), who[16:]) > 0.1


def test_it_stops_when_the_partition_has_settled(voices):
    quick = QUICK | {"steps": 60, "check_every": 2, "patience": 2, "tolerance": 1.0}
    model = UVectors(**quick).fit(voices[0])
    assert len(model.history_) == model.chosen_ + 1 == 2
    longer = UVectors(**quick | {"patience": None, "steps": 8}).fit(voices[0])
    assert len(longer.history_) == 4
    assert longer.chosen_ == 2, "settled for three checks"


class Killed(RuntimeError):
    pass


def test_resumed_equals_uninterrupted(voices, fitted, tmp_path, monkeypatch):
    from audioclust.deep.u_vectors_module import PairTraining

    original = PairTraining.end_epoch

    def killed(self):
        if self.current_epoch == 2:
            raise Killed
        return original(self)

    held_out = fitted.cut(voices[0][:1])
    whole = UVectors(**QUICK).fit(voices[0], watch=held_out)
    monkeypatch.setattr(PairTraining, "end_epoch", killed)
    with pytest.raises(Killed):
        UVectors(**QUICK, folder=tmp_path).fit(voices[0], watch=held_out)
    monkeypatch.setattr(PairTraining, "end_epoch", original)
    model = UVectors(**QUICK, folder=tmp_path).fit(voices[0], watch=held_out)
    assert torch.equal(weights(model), weights(whole))
    assert model.history_["infonce"].tolist() == whole.history_["infonce"].tolist()
    assert np.array_equal(model.watched_, whole.watched_)
    monkeypatch.setattr("audioclust.deep.base.train", None)
    again = UVectors(**QUICK, folder=tmp_path).fit(voices[0], watch=held_out)
    assert np.array_equal(again.embedding_, whole.embedding_)


# ---------------------------------------------------------------- the estimator and the encoder


def test_scikit_learns_contract(voices, fitted):
    params = fitted.get_params()
    assert clone(fitted).get_params() == params
    assert UVectors(**params).get_params() == params
    assert fitted.get_feature_names_out().tolist() == [f"uvectors{i}" for i in range(4)]
    assert np.allclose(fitted.transform(voices[0]), fitted.embedding_, atol=1e-5)
    assert json.dumps(params, default=str)


def test_published_settings():
    model = UVectors.published(steps=10)
    assert (model.training, model.network, model.latent_size, model.learning_rate) == (
        "pairwise",
        "densenet121",
        12,
        5e-4,
    )
    assert model.spectrum == {"n_fft": 191, "window": 128, "hop": 34, "n_mels": 100}


def test_a_trained_one_is_an_encoder(voices, fitted, tmp_path):
    path = fitted.save(tmp_path / "my voices.pt")
    encoder = embeddings.load("uvector", checkpoint=path)
    assert isinstance(encoder, embeddings.Encoder)
    assert (encoder.name, encoder.sample_rate, encoder.dimension) == ("uvector", 16000, 4)
    vectors = encoder.encode(voices[0])
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(vectors, fitted.embedding_, atol=1e-5)
    short = encoder.encode([voices[0][0][4000:5000], np.zeros(100, np.float32)])
    assert np.isfinite(short).all()
    damaged = tmp_path / "damaged.pt"
    damaged.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(embeddings.CheckpointError, match="damaged"):
        embeddings.load("uvector", checkpoint=damaged)
    with pytest.raises(ValueError, match="checkpoint"):
        embeddings.load("uvector")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda waves: waves[0], "give a list"),
        (lambda waves: [], "one segment|at least two"),
        (lambda waves: [waves[0][:8000]], "at least two"),
        (lambda waves: [waves[0], np.zeros(16000, np.float32)], r"X\[1\] holds no 0.2 s"),
        (lambda waves: [waves[0], np.ones(100, np.float32)], r"X\[1\] holds no 0.2 s"),
        (lambda waves: [waves[0], np.array([np.nan] * 5000, np.float32)], r"X\[1\] holds NaN"),
        (lambda waves: [waves[0], np.array([], np.float32)], r"X\[1\] is empty"),
    ],
)
def test_recordings_that_cannot_be_used_are_named(voices, given, message):
    with pytest.raises(ValueError, match=message):
        UVectors(**QUICK).fit(given(voices[0]))


def test_segments_of_one_frame_are_told(voices):
    short = [wave[4000:8000] for wave in voices[0][:3]]
    with pytest.warns(UserWarning, match="3 of 3 segments hold one frame"):
        UVectors(**QUICK | {"steps": 1, "split": "none"}).fit(short)


def test_one_segment_is_not_enough(voices):
    with pytest.raises(ValueError, match="one file: at least two"):
        UVectors(**QUICK, pseudo_label="file").fit([voices[0][0]])


@pytest.mark.parametrize(
    ("name", "value"),
    [("training", "simclr"), ("network", "resnet"), ("pseudo_label", "speaker"), ("split", "vad"), ("steps", 0),
     ("augmented", 2), ("frame", 0.001), ("learning_rate", -1.0), ("device", "tpu"), ("patience", 0)],
)  # fmt: skip
def test_parameters_that_cannot_be_used_are_named(voices, name, value):
    with pytest.raises(ValueError, match=rf"{name}={value!r}"):
        UVectors(**QUICK | {name: value}).fit(voices[0])


@pytest.mark.parametrize(
    ("name", "part", "value"),
    [("loss", "temperature", 0.0), ("loss", "ignored", 0.95), ("spectrum", "window", 600),
     ("augmentation", "noise", 1.5),
     ("loss", "alpha", 3.0), ("spectrum", "bands", 3), ("augmentation", "echo", 1)],
)  # fmt: skip
def test_a_part_that_cannot_be_used_is_named(voices, name, part, value):
    with pytest.raises(ValueError, match=rf"{name}.*{part}|{part}={value}"):
        UVectors(**QUICK | {name: {part: value}}).fit(voices[0])


@pytest.mark.parametrize(("n_mels", "hop", "fits"), [(28, 40, False), (29, 115, False), (29, 114, True)])
def test_the_smallest_image_for_densenet(voices, n_mels, hop, fits):
    network = UVectors(network="densenet121", spectrum={"n_mels": n_mels, "hop": hop})
    images = torch.zeros(1, 1, n_mels, 1 + 3200 // hop)
    if fits:
        assert DenseNet121(4).eval()(images).shape == (1, 4)
    else:
        with pytest.raises(RuntimeError, match="too small"):
            DenseNet121(4).eval()(images)
        with pytest.raises(ValueError, match=f"needs spectra of 29 .* give {n_mels} x"):
            network.fit(voices[0])


def test_a_missing_noise_folder_is_named(voices, tmp_path):
    with pytest.raises(ValueError, match="no such folder"):
        UVectors(**QUICK, augmentation={"noise_from": tmp_path / "missing"}).fit(voices[0])


def test_a_segment_may_be_heard_as_one_stretch(voices, fitted):
    frames = fitted.cut(voices[0][:2])
    as_one = fitted.transform_frames(frames, by=frames.segment)
    assert as_one.shape == (len(np.unique(frames.segment)), 4)
    wave = torch.from_numpy(frames.samples[frames.segment == 1].ravel() / np.float32(32767))[None]
    with torch.no_grad():
        assert np.allclose(as_one[1], fitted.network_.encoder(wave)[0].numpy(), atol=1e-5)
