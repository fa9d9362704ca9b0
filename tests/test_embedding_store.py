import importlib.util
import os

import numpy as np
import pandas as pd
import pytest
import soundfile

from audioclust import datasets, embeddings
from audioclust.embeddings import encoder as shared_parts
from audioclust.embeddings import multispeaker as mixtures
from audioclust.embeddings import vectors as vectors_module

RATE = 8000
TONES = {"low": 300.0, "mid": 900.0, "high": 2100.0}


class Spectrum:
    """A cheap encoder: the share of power in eight bands. It counts what it was given."""

    name = "spectrum"
    sample_rate = RATE
    dimension = 8

    def __init__(self, *, power=2.0, fails_after=None):
        self.settings = {"power": power}
        self.power, self.fails_after = power, fails_after
        self.encoded = 0

    def encode(self, waves, sample_rate=16000):
        waves = shared_parts.checked_waves(waves, sample_rate, self.sample_rate)
        rows = np.zeros((len(waves), 8))
        for row, wave in zip(rows, waves, strict=True):
            if len(wave) < 200:
                raise ValueError("too short for this encoder")
            if self.encoded == self.fails_after:
                raise KeyboardInterrupt
            self.encoded += 1
            spectrum = np.abs(np.fft.rfft(wave)) ** self.power
            row[:] = [band.sum() for band in np.array_split(spectrum, 8)]
        return shared_parts.unit(rows)


def tone(frequency, seconds, rng, level=0.3):
    time = np.arange(round(seconds * RATE)) / RATE
    return level * np.sin(2 * np.pi * frequency * time) + 0.05 * rng.standard_normal(len(time))


@pytest.fixture
def recordings(tmp_path, rng):
    root = tmp_path / "recordings"
    for voice, frequency in TONES.items():
        (root / voice).mkdir(parents=True)
        for take in range(3):
            soundfile.write(root / voice / f"{take}.wav", tone(frequency, 0.5, rng), RATE)
    return root


def test_vectors_stand_beside_their_recordings(recordings, tmp_path):
    metadata = datasets.scan(recordings)
    encoder = Spectrum()
    found = embeddings.extract(metadata, recordings, tmp_path / "store", encoder=encoder)
    vectors, index = found.vectors()
    assert vectors.dtype == np.float32
    assert index["path"].tolist() == metadata["path"].tolist()
    for vector, path in zip(vectors, index["path"], strict=True):
        wave = soundfile.read(recordings / path, dtype="float32")[0]
        np.testing.assert_allclose(vector, encoder.encode([wave], RATE)[0], rtol=1e-5)
    assert len(found) == 9
    assert found.problems.empty


def test_metadata_order_and_subsets_decide_the_rows(recordings, tmp_path):
    metadata = datasets.scan(recordings)
    vectors, _ = embeddings.extract(metadata, recordings, tmp_path, encoder=Spectrum()).vectors()
    encoder = Spectrum()
    turned = metadata.iloc[[7, 2, 4]]
    again, index = embeddings.extract(turned, recordings, tmp_path, encoder=encoder).vectors()
    assert encoder.encoded == 0
    np.testing.assert_array_equal(again, vectors[[7, 2, 4]])
    assert index["path"].tolist() == turned["path"].tolist()


def test_only_new_changed_and_otherwise_set_is_computed(recordings, tmp_path, rng):
    metadata = datasets.scan(recordings)
    embeddings.extract(metadata, recordings, tmp_path / "store", encoder=Spectrum())
    soundfile.write(recordings / "low" / "1.wav", tone(500, 0.5, rng), RATE)
    soundfile.write(recordings / "low" / "new.wav", tone(500, 0.5, rng), RATE)
    (recordings / "low" / "copy.wav").write_bytes((recordings / "low" / "new.wav").read_bytes())
    encoder = Spectrum()
    found = embeddings.extract(datasets.scan(recordings), recordings, tmp_path / "store", encoder=encoder)
    assert encoder.encoded == 2
    assert len(found) == 11
    other = Spectrum(power=1.0)
    embeddings.extract(metadata[1:4], recordings, tmp_path / "store", encoder=other)
    assert other.encoded == 3


def test_a_file_changed_since_the_scan_is_a_problem(recordings, tmp_path, rng):
    metadata = datasets.scan(recordings)
    soundfile.write(recordings / "low" / "1.wav", tone(500, 0.5, rng), RATE)
    found = embeddings.extract(metadata, recordings, tmp_path / "store", encoder=Spectrum())
    assert found.problems.to_dict("records") == [
        {"path": "low/1.wav", "problem": "changed since the dataset was scanned: scan it again"}
    ]
    assert "low/1.wav" not in found.index["path"].tolist()


def test_bad_recordings_are_named_and_the_rest_goes_on(recordings, tmp_path, rng):
    (recordings / "low" / "broken.wav").write_bytes(b"RIFF")
    soundfile.write(recordings / "low" / "short.wav", tone(500, 0.02, rng), RATE)
    (recordings / "low" / "twin.wav").write_bytes((recordings / "low" / "short.wav").read_bytes())
    metadata = datasets.scan(recordings)
    (recordings / "mid" / "0.wav").unlink()
    found = embeddings.extract(metadata, recordings, tmp_path / "store", encoder=Spectrum())
    problems = dict(zip(found.problems["path"], found.problems["problem"], strict=True))
    assert set(problems) == {"low/broken.wav", "low/short.wav", "low/twin.wav", "mid/0.wav"}
    assert problems["low/short.wav"] == problems["low/twin.wav"] == "too short for this encoder"
    assert len(found) == 8
    again = embeddings.extract(metadata, recordings, tmp_path / "store", encoder=Spectrum())
    assert again.problems["path"].tolist() == found.problems["path"].tolist()


def test_a_killed_run_goes_on_where_it_stopped(recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(vectors_module, "BLOCK_FILES", 2)
    metadata = datasets.scan(recordings)
    with pytest.raises(KeyboardInterrupt):
        embeddings.extract(metadata, recordings, tmp_path, encoder=Spectrum(fails_after=5))
    encoder = Spectrum()
    found = embeddings.extract(metadata, recordings, tmp_path, encoder=encoder)
    assert encoder.encoded == 5  # two blocks of two had been kept
    assert len(found) == 9


def test_workers_give_the_same_vectors(recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(shared_parts, "_FACTORIES", {**shared_parts._FACTORIES, "spectrum": Spectrum})
    monkeypatch.setattr(vectors_module, "BLOCK_FILES", 4)
    metadata = datasets.scan(recordings)
    one, _ = embeddings.extract(metadata, recordings, tmp_path / "one", "spectrum", power=1.5).vectors()
    two, _ = embeddings.extract(metadata, recordings, tmp_path / "two", "spectrum", jobs=2, power=1.5).vectors()
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("right", [1.0, -1.0], ids=["in_phase", "opposed_phase"])
def test_long_recordings_are_encoded_in_stretches(recordings, tmp_path, rng, monkeypatch, right):
    monkeypatch.setattr(vectors_module, "LONG", 2.0)
    wave = np.concatenate([tone(frequency, 2.5, rng) for frequency in (300, 2100)])
    soundfile.write(recordings / "long.wav", np.stack([wave, right * wave], axis=1), RATE, subtype="FLOAT")
    metadata = datasets.scan(recordings)
    metadata = metadata[metadata["path"] == "long.wav"]
    encoder = Spectrum()
    vectors, _ = embeddings.extract(metadata, recordings, tmp_path / "store", encoder=encoder).vectors()
    assert encoder.encoded == 5
    parts = encoder.encode(np.split(wave, 5), RATE)
    mean = parts.mean(axis=0)
    np.testing.assert_allclose(vectors[0], mean / np.linalg.norm(mean), rtol=1e-4)


def test_export_writes_vectors_and_names_in_one_order(recordings, tmp_path):
    metadata = datasets.scan(recordings)
    found = embeddings.extract(metadata, recordings, tmp_path / "store", encoder=Spectrum())
    folder = found.export(tmp_path / "exported")
    np.testing.assert_array_equal(np.load(folder / "embeddings.npy", allow_pickle=False), found.vectors()[0])
    assert (folder / "filenames.txt").read_text().splitlines() == metadata["path"].tolist()
    odd = ["a\nb.wav", '"quoted".wav', "c\u2028d.wav", "back\\slash.wav", "\r.wav", " .wav"]
    index = pd.DataFrame({"path": odd})
    vectors_module.EmbeddingSet(index, index[:0], "ge2e", folder, np.zeros((6, 2), np.float32)).export(folder)
    assert vectors_module.read_filenames(folder / "filenames.txt") == odd
    assert len((folder / "filenames.txt").read_text().splitlines()) == 6


def test_an_empty_dataset_gives_an_empty_set(tmp_path):
    (tmp_path / "nothing").mkdir()
    found = embeddings.extract(datasets.scan(tmp_path / "nothing"), tmp_path / "nothing", tmp_path, encoder=Spectrum())
    assert found.vectors()[0].shape[0] == 0
    assert len(found) == 0


def test_bad_arguments_are_named(recordings, tmp_path):
    metadata = datasets.scan(recordings)
    with pytest.raises(ValueError, match="no column sha256"):
        embeddings.extract(metadata.drop(columns="sha256"), recordings, tmp_path, encoder=Spectrum())
    with pytest.raises(ValueError, match="encoder='none'"):
        embeddings.extract(metadata, recordings, tmp_path, encoder="none")
    with pytest.raises(ValueError, match="power"):
        embeddings.extract(metadata, recordings, tmp_path, encoder=Spectrum(), power=3)
    with pytest.raises(ValueError, match="jobs=0"):
        embeddings.extract(metadata, recordings, tmp_path, encoder=Spectrum(), jobs=0)
    with pytest.raises(ValueError, match="hop=0"):
        embeddings.mixed(metadata, recordings, tmp_path, encoder=Spectrum(), hop=0)
    with pytest.raises(ValueError, match="below=3"):
        embeddings.mixed(metadata, recordings, tmp_path, encoder=Spectrum(), below=3)


class Voiceprint(Spectrum):
    """Each band's power speaks for another voice in 64 dimensions, and every window strays from its voice a little."""

    name = "voiceprint"
    dimension = 64

    def encode(self, waves, sample_rate=16000):
        voices = np.random.default_rng(0).standard_normal((8, 64)) / 8
        shares = super().encode(waves, sample_rate)
        seeds = [int(1e6 * abs(float(np.sum(wave)))) for wave in waves]
        strays = np.array([np.random.default_rng(seed).standard_normal(64) for seed in seeds]).reshape(-1, 64)
        return shared_parts.unit(shares @ voices + 0.07 * strays)


@pytest.fixture
def conversations(tmp_path, rng):
    root = tmp_path / "conversations"
    root.mkdir()
    for number in range(12):
        voice = list(TONES.values())[number % 3]
        soundfile.write(root / f"one_{number:02}.wav", tone(voice, 8, rng), RATE)
    turns = [tone(TONES[voice], 2.5, rng) for voice in ("low", "high", "low")]
    soundfile.write(root / "two.wav", np.concatenate(turns), RATE)
    soundfile.write(root / "word.wav", tone(300, 0.5, rng), RATE)
    return root


def test_recordings_of_two_voices_are_flagged(conversations, tmp_path):
    metadata = datasets.scan(conversations)
    encoder = Voiceprint()
    table = embeddings.mixed(metadata, conversations, tmp_path / "store", encoder=encoder)
    assert table["path"].tolist() == metadata["path"].tolist()
    assert table.loc[table["mixed"], "path"].tolist() == ["two.wav"]
    two, word = (table[table["path"] == name].iloc[0] for name in ("two.wav", "word.wav"))
    assert two["windows"] == 8
    assert two["share"] == pytest.approx(3 / 8, abs=0.13)
    assert two["agreement"] < table.attrs["below"] < table["agreement"].drop(two.name).min()
    assert np.isnan(word["agreement"])
    count = encoder.encoded
    embeddings.mixed(metadata, conversations, tmp_path / "store", encoder=encoder)
    assert encoder.encoded == count
    given = embeddings.mixed(metadata, conversations, tmp_path / "store", encoder=encoder, below=-1.0)
    assert not given["mixed"].any()


def test_sides_that_differ_most_by_hand():
    first, second = np.array([1.0, 0.0]), np.array([0.6, 0.8])
    agreement, share = mixtures.disagreement(np.array([first, first, first, second]))
    assert agreement == pytest.approx(0.6)
    assert share == pytest.approx(0.25)
    assert mixtures.disagreement(np.array([first] * 5)) == (1.0, 0.0)
    assert np.isnan(mixtures.disagreement(np.array([first, second]))[0])


def test_threshold_mirrors_the_narrower_half():
    angles = np.linspace(0.5, 0.7, 201)
    assert mixtures.threshold(np.cos(angles)) == pytest.approx(np.cos(0.69))
    changes = np.concatenate([angles, np.full(20, 1.5)])  # a tenth crosses between voices
    assert mixtures.threshold(np.cos(changes)) == pytest.approx(np.cos(0.71), abs=0.01)
    assert mixtures.threshold(np.array([])) == -1.0


def test_joined_real_voices_are_flagged(shared, tmp_path):
    if importlib.util.find_spec("resemblyzer") is None:
        pytest.skip("the resemblyzer wheel, which holds the weights, is not installed")
    folder = shared / "datasets" / "fsdd"
    root = tmp_path / "voices"
    root.mkdir()

    def spoken(speaker, takes):
        clips = [
            soundfile.read(folder / speaker / f"{digit}_{speaker}_{take}.flac", dtype="float32")[0]
            for take in takes
            for digit in range(10)
        ]
        return np.concatenate(clips)

    speakers = sorted(path.name for path in folder.iterdir())
    for speaker in speakers:
        for take in (0, 2):
            soundfile.write(root / f"one_{speaker}_{take}.wav", spoken(speaker, (take, take + 1)), RATE)
    pairs = [(speakers[i], speakers[(i + 2) % 6]) for i in range(3)]
    for first, second in pairs:
        joined = np.concatenate([spoken(first, (4,)), spoken(second, (4,))])
        soundfile.write(root / f"two_{first}_{second}.wav", joined, RATE)
    table = embeddings.mixed(datasets.scan(root), root, tmp_path / "store", device="cpu")
    flagged = table.loc[table["mixed"], "path"]
    assert flagged.str.startswith("two").sum() == 3
    assert flagged.str.startswith("one").sum() <= 1


def test_an_encoder_that_breaks_its_promise_is_named(recordings, tmp_path):
    class Wide(Spectrum):
        def encode(self, waves, sample_rate=16000):
            return np.ones((len(waves), 9), np.float32)

    class Hollow(Spectrum):
        def encode(self, waves, sample_rate=16000):
            return np.full((len(waves), 8), np.nan, np.float32)

    metadata = datasets.scan(recordings)
    with pytest.raises(TypeError, match=r"'spectrum' returned shape \(9, 9\) instead of \(9, 8\)"):
        embeddings.extract(metadata, recordings, tmp_path / "wide", encoder=Wide())
    found = embeddings.extract(metadata, recordings, tmp_path / "hollow", encoder=Hollow())
    assert len(found) == 0
    assert set(found.problems["problem"]) == {"its vector is not finite"}
    assert isinstance(found.index, pd.DataFrame)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_file_that_became_a_pipe_is_named(recordings, tmp_path):
    metadata = datasets.scan(recordings)
    (recordings / "low" / "0.wav").unlink()
    os.mkfifo(recordings / "low" / "0.wav")
    found = embeddings.extract(metadata, recordings, tmp_path / "store", encoder=Spectrum())
    assert found.problems.to_dict("records") == [{"path": "low/0.wav", "problem": "not a file"}]
