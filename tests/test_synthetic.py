import hashlib

import numpy as np
import pytest
import soundfile

from audioclust.datasets import scan, synthetic


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    root = tmp_path_factory.mktemp("voices")
    return root, synthetic.generate(root, speakers=3, words=2, takes=2)


def test_layout_and_labels(small):
    root, found = small
    assert len(found) == 12
    assert found["problem"].isna().all()
    assert found["note"].isna().all()
    assert set(found["speaker"]) == {"s01", "s02", "s03"}
    assert found["word"].nunique() == 2
    assert (found["label"] == found["speaker"]).all()
    row = found.iloc[0]
    assert row["path"] == f"{row['speaker']}/{row['speaker']}_{row['word']}_{row['take']}.wav"
    assert found["duration"].between(0.7, 2.5).all()
    assert soundfile.info(root / row["path"]).subtype == "PCM_16"


def test_same_seed_same_samples(small, tmp_path):
    _, found = small
    again = synthetic.generate(tmp_path / "again", speakers=3, words=2, takes=2)
    assert list(again["sha256"]) == list(found["sha256"])
    other = synthetic.generate(tmp_path / "other", speakers=3, words=2, takes=2, random_state=1)
    assert set(other["sha256"]).isdisjoint(found["sha256"])
    larger = synthetic.generate(tmp_path / "larger", speakers=4, words=3, takes=2)
    assert set(found["sha256"]) <= set(larger["sha256"])


def test_samples_are_those_of_every_machine():
    """Written down once; what rounds differently elsewhere may move a sample by one step of 16 bits."""
    first, second = synthetic.utterance(0, 0, 0), synthetic.utterance(3, 2, 1)
    assert (len(first), len(second)) == (20_095, 22_436)
    np.testing.assert_allclose(first[10_047:10_053], [1078, 1043, 987, 885, 764, 634], atol=1)
    np.testing.assert_allclose(second[11_218:11_224], [93, -503, 1806, -1493, 685, -93], atol=1)
    assert np.abs(second.astype(int)).sum() == pytest.approx(13_696_310, abs=len(second))


def test_no_global_generator_is_used():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    synthetic.utterance(0, 0, 0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_sizes_change_in_place(tmp_path):
    first = synthetic.generate(tmp_path, speakers=2, words=1, takes=1)
    held = {path: (tmp_path / path).stat().st_mtime_ns for path in first["path"]}
    synthetic.generate(tmp_path, speakers=2, words=1, takes=1)
    assert held == {path: (tmp_path / path).stat().st_mtime_ns for path in first["path"]}
    (tmp_path / first["path"][0]).unlink()  # as after a kill
    assert len(synthetic.generate(tmp_path, speakers=2, words=1, takes=1)) == 2
    changed = synthetic.generate(tmp_path, speakers=1, words=2, takes=1, random_state=3)
    assert list(scan(tmp_path)["path"]) == list(changed["path"])
    assert len(changed) == 2


def test_own_recordings_are_left_alone(tmp_path):
    soundfile.write(tmp_path / "mine.wav", np.ones(100) * 0.1, 8000)
    with pytest.raises(ValueError, match=r"holds other recordings \(mine.wav\)"):
        synthetic.generate(tmp_path, speakers=1, words=1, takes=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.wav"]


@pytest.mark.parametrize(("name", "value"), [("speakers", 0), ("words", -1), ("takes", 0), ("sample_rate", 4000)])
def test_sizes_are_checked(tmp_path, name, value):
    with pytest.raises(ValueError, match=f"{name}={value}: give at least"):
        synthetic.generate(tmp_path, **{name: value})


@pytest.mark.parametrize("sample_rate", [8000, 44_100])
def test_other_sample_rates_sound_alike(sample_rate):
    usual = synthetic.utterance(0, 0, 0)
    other = synthetic.utterance(0, 0, 0, sample_rate=sample_rate)
    assert len(other) / sample_rate == pytest.approx(len(usual) / 16_000, abs=0.02)
    assert np.abs(other).max() > 500


def test_voices_have_their_own_pitch_and_keep_it():
    def pitch(speaker, take):
        wave = synthetic.utterance(speaker, 0, take).astype(float)
        middle = wave[len(wave) // 3 : len(wave) // 3 + 8000]
        spectrum = np.abs(np.fft.rfft(middle, 32_768)) ** 2
        correlation = np.fft.irfft(spectrum)[:400]
        return 16_000 / (40 + np.argmax(correlation[40:200]))

    values = np.array([[pitch(speaker, take) for take in range(3)] for speaker in range(4)])
    within = np.ptp(np.log(values), axis=1)
    between = np.ptp(np.log(np.median(values, axis=1)))
    assert np.median(within) < 0.3
    assert between > 0.5


def test_recordings_are_voiced_with_silence_around():
    wave = synthetic.utterance(1, 1, 1).astype(float)
    frames = np.sqrt(np.mean(wave[: len(wave) // 160 * 160].reshape(-1, 160) ** 2, axis=1))
    loud = frames > 0.2 * frames.max()
    assert not loud[:4].any()
    assert not loud[-4:].any()
    assert 0.3 < loud.mean() < 0.95


def test_levels_vary_and_never_clip():
    waves = [synthetic.utterance(speaker, word, 0) for speaker in range(4) for word in range(2)]
    peaks = [np.abs(wave.astype(int)).max() for wave in waves]
    assert max(peaks) < 32_767
    assert max(peaks) > 2 * min(peaks)
    assert len({hashlib.sha256(wave.tobytes()).hexdigest() for wave in waves}) == 8


def test_spectral_features_separate_voices_well_but_not_perfectly():
    import librosa
    from sklearn.cluster import KMeans
    from sklearn.metrics import normalized_mutual_info_score
    from sklearn.preprocessing import StandardScaler

    mfcc, mel, truth = [], [], []
    for speaker in range(8):
        for word in range(3):
            for take in range(3):
                wave = synthetic.utterance(speaker, word, take) / 32_768
                decibels = librosa.power_to_db(librosa.feature.melspectrogram(y=wave, sr=16_000))
                coefficients = librosa.feature.mfcc(S=decibels, n_mfcc=20)
                mfcc.append(np.concatenate([coefficients.mean(axis=1), coefficients.std(axis=1)]))
                mel.append(decibels.mean(axis=1))
                truth.append(speaker)

    def score(vectors):
        scaled = StandardScaler().fit_transform(np.array(vectors))
        labels = KMeans(8, n_init=10, random_state=0).fit_predict(scaled)
        return normalized_mutual_info_score(truth, labels)

    assert 0.7 < score(mfcc) < 0.99
    assert score(mel) < score(mfcc) - 0.2
