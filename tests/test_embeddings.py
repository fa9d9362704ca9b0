import subprocess
import sys

import numpy as np
import pytest
import soxr

from audioclust import embeddings
from audioclust.embeddings import encoder as shared_parts


class Loudest:
    """A stand-in encoder: the three strongest bins of a coarse spectrum."""

    name = "loudest"
    sample_rate = 16000
    dimension = 8

    def __init__(self, *, bins=8):
        self.dimension = bins

    def encode(self, waves, sample_rate=16000):
        waves = shared_parts.checked_waves(waves, sample_rate, self.sample_rate)
        spectra = [np.abs(np.fft.rfft(wave, 256))[: 16 * self.dimension] for wave in waves]
        rows = [spectrum.reshape(self.dimension, -1).sum(axis=1) for spectrum in spectra]
        return shared_parts.unit(np.array(rows).reshape(-1, self.dimension))


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(shared_parts, "_FACTORIES", dict(shared_parts._FACTORIES))
    embeddings.register("loudest", Loudest)


def test_importing_the_room_does_not_import_torch():
    code = "import sys, audioclust.embeddings as e; e.available(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_registered_encoder_is_loaded_with_its_options(registered):
    assert embeddings.available() == ["ecapa", "ge2e", "loudest", "uvector"]
    encoder = embeddings.load("loudest", bins=4)
    assert isinstance(encoder, embeddings.Encoder)
    assert encoder.encode([np.ones(400)]).shape == (1, 4)


def test_what_is_no_encoder_is_refused(registered):
    with pytest.raises(ValueError, match=r"encoder='wav2vec': there are ecapa, ge2e, loudest, uvector"):
        embeddings.load("wav2vec")
    with pytest.raises(ValueError, match="bands"):
        embeddings.load("loudest", bands=3)
    with pytest.raises(ValueError, match="built in"):
        embeddings.register("ge2e", Loudest)
    with pytest.raises(ValueError, match="encoder='a/b'"):
        embeddings.register("a/b", Loudest)
    embeddings.register("nothing", lambda: 3)
    with pytest.raises(ValueError, match="int, which is no Encoder"):
        embeddings.load("nothing")


@pytest.mark.parametrize(
    ("waves", "message"),
    [
        (np.zeros(100), "one array of samples"),
        ([np.zeros((2, 100))], r"waves\[0\] has shape \(2, 100\)"),
        ([np.zeros(9), np.zeros(0)], r"waves\[1\] has shape \(0,\)"),
        ([np.zeros(9, np.int16)], r"waves\[0\] is int16"),
        ([np.zeros(9), np.array([0.1, np.nan])], r"waves\[1\] holds NaN"),
        ([np.array([0.1, -np.inf])], "NaN or infinite"),
    ],
)
def test_bad_waves_are_named(waves, message):
    with pytest.raises(ValueError, match=message):
        shared_parts.checked_waves(waves, 16000, 16000)


def test_a_bad_rate_is_named():
    with pytest.raises(ValueError, match="sample_rate=0"):
        shared_parts.checked_waves([np.zeros(9)], 0, 16000)


def test_waves_are_resampled_and_else_left_as_they_are(rng):
    wave = rng.uniform(-1, 1, 4000)
    (kept,) = shared_parts.checked_waves([wave], 16000, 16000)
    np.testing.assert_array_equal(kept, wave.astype(np.float32))
    (doubled,) = shared_parts.checked_waves([wave], 8000, 16000)
    np.testing.assert_allclose(doubled, soxr.resample(wave.astype(np.float32), 8000, 16000))


def test_unit_rows_have_length_one_and_zeros_stay():
    rows = shared_parts.unit(np.array([[3.0, 4.0], [0.0, 0.0], [1e30, 0.0]]))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0], [1, 0]], rtol=1e-6)


def test_an_unknown_device_is_named():
    with pytest.raises(ValueError, match="device='gpu9'"):
        shared_parts.chosen_device("gpu9")
