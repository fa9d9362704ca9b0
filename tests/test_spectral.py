"""The spectral features against librosa, over lengths, rates and settings."""

import warnings

import librosa
import numpy as np
import pytest
import scipy.fft

from audioclust import audio, features
from audioclust.features import filters, fourier, spectra, spectrum

FEATURES = features.FEATURES


def by_librosa(y, rate, *, n_fft=2048, hop=None, n_mels=128, n_mfcc=20, reference=np.max, **more):
    coarse, fine = hop or n_fft // 2, hop or n_fft // 4
    window = {name: more.pop(name) for name in ("window", "win_length") if name in more}
    shared = {"y": y, "sr": rate, "n_fft": n_fft, **window}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        magnitude = np.abs(librosa.stft(y, n_fft=n_fft, hop_length=coarse, **window))
        mel = librosa.feature.melspectrogram(**shared, hop_length=coarse, n_mels=n_mels, **more)
        mfcc = librosa.feature.mfcc(**shared, hop_length=fine, n_mels=n_mels, n_mfcc=n_mfcc, **more)
        return {
            "spectrogram": librosa.amplitude_to_db(magnitude, ref=reference),
            "mel": librosa.power_to_db(mel, ref=reference),
            "chroma": librosa.feature.chroma_stft(**shared, hop_length=fine),
            "mfcc": mfcc,
            "mfcc_no0": mfcc[1:],
        }


def assert_equal(ours, reference):
    assert list(ours) == list(FEATURES)
    for name, expected in reference.items():
        assert ours[name].shape == expected.shape, name
        assert ours[name].dtype == np.float32
        # single precision shows in bins far below the peak, which the mel bands average away
        decibels = {"spectrogram": 0.02, "mel": 0.002}.get(name, 5e-4)
        tolerance = {"rtol": 1e-5, "atol": 1e-6} if name == "chroma" else {"rtol": 0, "atol": decibels}
        np.testing.assert_allclose(ours[name], expected, **tolerance, err_msg=name)


def voice(rng, rate, samples):
    """Harmonics of a gliding pitch over noise: peaks for the tuning, and low levels between them."""
    time = np.arange(samples) / rate
    phase = 2 * np.pi * np.cumsum(140 + 40 * np.sin(2 * np.pi * time)) / rate
    y = sum(np.sin(k * phase) / k for k in range(1, 20)) * np.exp(-time) + 1e-3 * rng.standard_normal(samples)
    return (0.2 * y).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100])
@pytest.mark.parametrize("samples", [1, 2, 511, 1024, 1025, 2047, 2048, 2049, 3072, 22050, 70001])
def test_equals_librosa_at_every_length_and_rate(rng, rate, samples):
    y = voice(rng, rate, samples)
    assert_equal(features.spectral(y, rate), by_librosa(y, rate))


@pytest.mark.parametrize(
    "settings",
    [
        {"n_fft": 1024},
        {"hop": 256},
        {"hop": 1000},
        {"n_mels": 40, "n_mfcc": 13},
        {"n_fft": 512, "hop": 300, "n_mels": 64},
        {"window": "hamming"},
        {"window": ("kaiser", 9.0), "n_fft": 1024},
        {"win_length": 1102},
        {"win_length": 801, "window": "blackman"},
        {"fmin": 80.0, "fmax": 7600.0},
        {"htk": True},
        {"htk": True, "fmin": 50.0, "n_mels": 64, "win_length": 1024, "window": "boxcar", "hop": 441},
    ],
)
def test_equals_librosa_with_other_settings(rng, settings):
    y = voice(rng, 22050, 33333)
    assert_equal(features.spectral(y, 22050, **settings), by_librosa(y, 22050, **settings))


def test_absolute_reference_equals_librosa(rng):
    y = voice(rng, 22050, 30000)
    assert_equal(features.spectral(y, 22050, reference="absolute"), by_librosa(y, 22050, reference=1.0))


@pytest.mark.parametrize("level", [0.0, 1e-9, 1e-6, 1e-3])
def test_silence_and_near_silence_equal_librosa_without_a_warning(rng, level):
    y = (level * rng.standard_normal(20000)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = features.spectral(y, 22050)
        features.spectral(y[:300], 22050)
    assert_equal(ours, by_librosa(y, 22050))


@pytest.mark.parametrize("cents", [-41, -20, 0, 13, 37])
def test_chroma_follows_the_tuning_as_librosa_does(cents):
    time = np.arange(22050) / 22050
    y = sum(np.sin(2 * np.pi * 440 * 2 ** ((note + cents / 100) / 12) * time) for note in (0, 4, 7)).astype(np.float32)
    ours = features.spectral(y, 22050, "chroma")["chroma"]
    np.testing.assert_allclose(ours, librosa.feature.chroma_stft(y=y, sr=22050), rtol=1e-5, atol=1e-6)
    assert set(np.argsort(ours.mean(axis=1))[-3:]) == {9, 1, 4}  # A, C sharp, E


@pytest.mark.parametrize("kept", [0, 4, 99])
def test_long_recordings_in_blocks_equal_one_block(rng, monkeypatch, kept):
    y = voice(rng, 22050, 100_000)
    whole = features.spectral(y, 22050)
    monkeypatch.setattr(spectra, "_BLOCK", 32)
    monkeypatch.setattr(spectra, "_KEPT", kept)
    monkeypatch.setattr(spectrum, "_BATCH", 7)
    for name, values in features.spectral(y, 22050).items():
        np.testing.assert_allclose(values, whole[name], rtol=1e-6, atol=1e-4, err_msg=name)


def test_equals_librosa_on_real_recordings(shared):
    paths = [
        *sorted((shared / "datasets/tess").glob("*/*.flac"))[::140],
        *sorted((shared / "datasets/esc10").glob("*/*"))[::100],
        *sorted((shared / "datasets/fsdd").glob("*/*"))[::400],
    ]
    assert len(paths) > 15
    for path in paths:
        y, rate = audio.load(path, 22050)
        assert_equal(features.spectral(y, rate), by_librosa(y, rate))


def test_asked_features_alone_are_those_of_all(rng):
    y = voice(rng, 22050, 30000)
    every = features.spectral(y, 22050)
    for name in FEATURES:
        alone = features.spectral(y, 22050, name)
        assert list(alone) == [name]
        np.testing.assert_allclose(alone[name], every[name], rtol=0, atol=1e-4)


@pytest.mark.parametrize(("rate", "n_fft", "n_mels"), [(22050, 2048, 128), (8000, 512, 40), (44100, 4096, 64)])
@pytest.mark.parametrize("limits", [{}, {"fmin": 60.0, "fmax": 3500.0}, {"htk": True}, {"fmin": 300.0, "htk": True}])
def test_banks_equal_librosas(rate, n_fft, n_mels, limits):
    mel = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels, **limits)
    bands = filters.Bands(rate, n_fft, n_mels, **limits)
    np.testing.assert_allclose(filters.mel_bank(bands), mel, rtol=1e-4, atol=1e-8)
    assert filters.empty_bands(bands) == (mel.max(axis=1) == 0).sum()
    for tuning in (-0.5, 0.0, 0.07, 0.49):
        chroma = librosa.filters.chroma(sr=rate, n_fft=n_fft, tuning=tuning)
        np.testing.assert_allclose(filters.chroma_bank(rate, n_fft, tuning), chroma, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", ["hann", "hamming", "blackmanharris", "boxcar", ("kaiser", 8.0)])
@pytest.mark.parametrize("length", [2048, 1200, 801])
def test_windows_equal_librosas(name, length):
    ours = filters.window(name, length, 2048)
    theirs = librosa.util.pad_center(librosa.filters.get_window(name, length), size=2048)
    np.testing.assert_allclose(ours, theirs, atol=1e-15)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(0, np.float32), "shape"),
        (np.zeros((2, 100), np.float32), "one channel"),
        (np.array([0, np.nan], np.float32), "NaN"),
        (np.array([0, np.inf], np.float32), "infinite"),
        (np.zeros(100, np.int16), "int16"),
    ],
)
def test_samples_that_cannot_be_used_are_named(y, message):
    with pytest.raises(ValueError, match=message):
        features.spectral(y, 22050)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"features": ["mel", "mels"]}, "features='mels'.*spectrogram"),
        ({"features": []}, "at least one"),
        ({"n_ftt": 1024}, "n_ftt=1024.*n_fft"),
        ({"n_fft": 1001}, "n_fft=1001"),
        ({"n_fft": "2048"}, "n_fft='2048'"),
        ({"hop": 0}, "hop=0"),
        ({"n_mels": 5000}, "n_mels=5000"),
        ({"n_mfcc": 200}, "n_mfcc=200"),
        ({"reference": "loudest"}, "reference='loudest'.*file"),
        ({"reference": "dataset"}, "one recording"),
        ({"top_db": -1}, "top_db=-1"),
        ({"window": "hahn"}, "window='hahn'"),
        ({"window": "kaiser"}, "window='kaiser'"),
        ({"window": 3.5j}, "window="),
        ({"win_length": 4096}, "win_length=4096.*2048"),
        ({"fmin": -1}, "fmin=-1"),
        ({"fmax": 12000}, "fmax=12000"),
        ({"fmin": 500, "fmax": 400}, "fmin=500"),
        ({"htk": "yes"}, "htk='yes'"),
    ],
)
def test_settings_that_cannot_be_used_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        features.spectral(np.zeros(100, np.float32), 22050, **settings)


def test_empty_mel_bands_are_counted_in_one_warning(rng):
    y = voice(rng, 44100, 44100)
    with pytest.warns(features.EmptyBandsWarning, match=r"\d+ of 128 mel bands are empty.*n_fft=512") as caught:
        ours = features.spectral(y, 44100, n_fft=512)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bank = librosa.filters.mel(sr=44100, n_fft=512, n_mels=128)
    assert str(caught[0].message).startswith(f"{(bank.max(axis=1) == 0).sum()} of")
    assert_equal(ours, by_librosa(y, 44100, n_fft=512))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        features.spectral(y, 44100, "chroma", n_fft=512)  # reads no mel bands


@pytest.mark.parametrize("peak", [3e38, 1e38, 1e25])
def test_samples_too_large_for_the_spectrum_are_named(rng, peak):
    y = voice(rng, 22050, 22050)
    y[7000] = peak
    with pytest.raises(ValueError, match="too large"):
        features.spectral(y, 22050)


def test_import_is_light():
    import subprocess
    import sys

    heavy = "{'librosa', 'pandas', 'sklearn', 'torch'}"
    code = f"import sys, audioclust.features as f; f.spectral; assert not {heavy} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("shape", [(1, 2), (7, 400), (33, 2048)])
def test_the_transform_is_scipys_with_or_without_its_compiled_part(rng, monkeypatch, shape):
    frames = rng.normal(size=shape).astype(np.float32)
    assert fourier.rfft(frames).dtype == np.complex64
    np.testing.assert_array_equal(fourier.rfft(frames), scipy.fft.rfft(frames))
    monkeypatch.setattr(fourier, "_KERNEL", "nowhere")
    assert fourier._chosen() is scipy.fft.rfft
