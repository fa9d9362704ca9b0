"""Scalar descriptors against librosa and against sounds whose values are known."""

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile

from audioclust.features.descriptors import DESCRIPTORS, describe, describe_all, pitch

RATE = 22_050


def harmonic(f0, seconds=1.0, rate=RATE):
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(f0, round(seconds * rate))) / rate
    return (0.1 * sum(np.sin(k * phase) / k for k in range(1, 8))).astype(np.float32)


@pytest.fixture(scope="module")
def sounds():
    rng = np.random.default_rng(5)
    glide = harmonic(np.linspace(100, 300, 2 * RATE), 2.0)
    noise = (0.1 * rng.standard_normal(2 * RATE)).astype(np.float32)
    clicks = np.zeros(4 * RATE, np.float32)
    clicks[RATE // 4 :: RATE // 2] = 0.8
    return {"glide": glide, "noise": noise, "clicks": clicks + 1e-3 * np.tile(noise, 2), "mixed": glide + 0.05 * noise}


@pytest.mark.parametrize("name", ["glide", "noise", "clicks", "mixed"])
@pytest.mark.parametrize("rate", [RATE, 8_000, 44_100])
def test_definitions_are_librosas(sounds, name, rate):
    y = sounds[name]
    found = describe(y, rate)
    expected = {
        "zero_crossing_rate": librosa.feature.zero_crossing_rate(y).mean(),
        "centroid": librosa.feature.spectral_centroid(y=y, sr=rate).mean(),
        "bandwidth": librosa.feature.spectral_bandwidth(y=y, sr=rate).mean(),
        "rolloff": librosa.feature.spectral_rolloff(y=y, sr=rate).mean(),
        "tempo": librosa.feature.tempo(y=y, sr=rate)[0],
    }
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=1e-4), key
    assert found["rms"] == pytest.approx(20 * np.log10(np.sqrt(np.mean(y.astype(float) ** 2))))
    assert found["duration"] == len(y) / rate


@pytest.mark.parametrize("name", ["glide", "noise", "clicks", "mixed"])
def test_pitch_is_librosas_yin(sounds, name):
    f0, voiced = pitch(sounds[name], RATE)
    expected = librosa.yin(sounds[name].astype(np.float64), fmin=65, fmax=600, sr=RATE)
    agree = np.isclose(f0, expected, rtol=1e-3)
    assert f0.shape == voiced.shape == expected.shape
    assert agree.mean() > 0.98
    assert agree[voiced].all()


@pytest.mark.parametrize("f0", [80.0, 141.5, 220.0, 433.0])
def test_pitch_and_voiced_share_of_a_voice(f0):
    rng = np.random.default_rng(1)
    silence = 1e-5 * rng.standard_normal(RATE)
    found = describe(np.concatenate([silence, harmonic(f0, 2.0), silence]), RATE)
    assert found["f0"] == pytest.approx(f0, rel=0.005)
    assert found["f0_iqr"] < 0.01 * f0
    assert found["voiced"] == pytest.approx(0.5, abs=0.03)


def test_noise_has_no_pitch(sounds):
    found = describe(sounds["noise"], RATE)
    assert found["voiced"] == 0
    assert np.isnan([found["f0"], found["f0_iqr"], found["speaking_rate"]]).all()
    assert np.isfinite([found["centroid"], found["tempo"], found["rms"]]).all()


@pytest.mark.parametrize("syllables", [2, 4, 6, 8])
def test_speaking_rate_counts_syllables(syllables):
    time = np.arange(2 * RATE) / RATE
    envelope = 0.02 + 0.98 * np.sin(np.pi * syllables * time / 2) ** 2
    found = describe((harmonic(150, 2.0) * envelope).astype(np.float32), RATE)
    assert found["speaking_rate"] * 2 == pytest.approx(syllables, abs=0.01)


def test_shallow_dips_and_unvoiced_bursts_are_no_syllables():
    rng = np.random.default_rng(2)
    time = np.arange(2 * RATE) / RATE
    shallow = harmonic(150, 2.0) * (1 + 0.08 * np.sin(2 * np.pi * 5 * time)) * np.hanning(2 * RATE)
    assert describe(shallow.astype(np.float32), RATE)["speaking_rate"] == pytest.approx(0.5)
    burst = np.concatenate([harmonic(150, 1.0) * np.hanning(RATE), 0.1 * rng.standard_normal(RATE) * np.hanning(RATE)])
    assert describe(burst.astype(np.float32), RATE)["speaking_rate"] == pytest.approx(0.5)


@pytest.mark.parametrize("samples", [1, 100, RATE])
def test_silence_is_undefined_and_not_zero(samples):
    found = describe(np.zeros(samples, np.float32), RATE)
    assert found.keys() == DESCRIPTORS.keys()
    assert found["rms"] == -np.inf
    assert found["voiced"] == 0
    undefined = set(DESCRIPTORS) - {"duration", "rms", "voiced"}
    assert all(np.isnan(found[key]) for key in undefined)


def test_silent_frames_do_not_pull_the_spectrum_down(sounds):
    padded = np.concatenate([sounds["noise"], np.zeros(10 * RATE, np.float32)])
    assert describe(padded, RATE)["centroid"] == pytest.approx(describe(sounds["noise"], RATE)["centroid"], rel=0.02)


def test_shorter_than_a_frame_and_empty():
    short = describe(harmonic(200, 0.05), RATE)
    assert np.isnan(short["tempo"])
    assert 0 < short["centroid"] < RATE / 2
    empty = describe(np.zeros(0, np.float32), RATE)
    assert empty["duration"] == 0
    assert np.isnan(empty["voiced"])


def test_bad_samples_are_named():
    with pytest.raises(ValueError, match="one channel"):
        describe(np.zeros((10, 2)), RATE)
    with pytest.raises(ValueError, match="finite"):
        describe(np.array([0.0, np.nan]), RATE)
    with pytest.raises(ValueError, match="sample_rate=500"):
        describe(np.zeros(10), 500)


def test_a_dataset_row_by_row(tmp_path, rng):
    soundfile.write(tmp_path / "a.wav", harmonic(150), RATE)
    soundfile.write(tmp_path / "b.wav", 0.1 * rng.standard_normal(44_100), 44_100)
    rows = {"path": ["b.wav", "bad.wav", "a.wav", "gone.wav"], "sha256": ["2", None, "1", "3"]}
    metadata = pd.DataFrame(rows | {"problem": [None, "silence", None, None]}, index=[7, 3, 5, 1])
    table = describe_all(metadata, tmp_path, jobs=1)
    assert table.index.tolist() == [7, 3, 5, 1]
    assert table["path"].tolist() == metadata["path"].tolist()
    assert table.loc[5, "f0"] == pytest.approx(150, rel=0.01)
    assert table.loc[7, "duration"] == pytest.approx(1.0)
    assert table.loc[[3, 1], list(DESCRIPTORS)].isna().all(axis=None)
    pd.testing.assert_frame_equal(describe_all(metadata, tmp_path, jobs=2), table)
    with pytest.raises(ValueError, match="sha256"):
        describe_all(metadata.drop(columns="sha256"), tmp_path)
