"""The speaker network learns from labels with every loss, and what it cannot use is named."""

import numpy as np
import pytest

from audioclust.deep.margin_losses import MARGIN_LOSSES
from audioclust.deep.speaker_network import SpeakerNetwork, speaker_spectra
from audioclust.evaluation import equal_error_rate

SMALL = {"channels": 8, "dimension": 8, "blocks": 1, "epochs": 5, "random_state": 0}


@pytest.fixture(scope="module")
def voices():
    draw = np.random.default_rng(2)
    who = np.repeat(np.arange(4), 24)
    return draw.normal(size=(4, 1, 10))[who] + 0.8 * draw.normal(size=(96, 12, 10)), who


@pytest.mark.parametrize("loss", MARGIN_LOSSES)
def test_every_loss_trains(voices, loss):
    X, who = voices
    model = SpeakerNetwork(loss, **SMALL).fit(X, who)
    assert model.history_["loss"].iloc[-1] < model.history_["loss"].iloc[0]
    assert equal_error_rate(model.transform(X), who) < 0.25


def test_one_seed_gives_one_network_in_any_order(voices, rng):
    X, who = voices
    first = SpeakerNetwork(**SMALL | {"epochs": 1}).fit(X, who)
    order = rng.permutation(len(X))
    again = SpeakerNetwork(**SMALL | {"epochs": 1}).fit(X[order], who[order])
    assert np.allclose(again.embedding_, first.embedding_[order], atol=1e-6)
    changed = SpeakerNetwork(**SMALL | {"epochs": 1}).fit(X, who[order])
    assert not np.allclose(changed.embedding_, first.embedding_)


def test_noise_is_left_out_of_the_training_and_has_vectors_all_the_same(voices):
    X, who = voices
    labels = np.where(np.arange(96) % 2, who, -1)
    model = SpeakerNetwork(**SMALL | {"epochs": 1}).fit(X, labels)
    part = SpeakerNetwork(**SMALL | {"epochs": 1}).fit(X[1::2], who[1::2])
    assert np.allclose(model.embedding_[1::2], part.embedding_, atol=1e-6)
    assert len(model.embedding_) == 96


def test_saved_and_loaded_it_says_the_same(voices, tmp_path):
    X, who = voices
    model = SpeakerNetwork(**SMALL | {"epochs": 1}).fit(X, who)
    assert np.allclose(SpeakerNetwork.load(model.save(tmp_path / "net.pt")).transform(X), model.embedding_)


def test_spectra_are_of_the_loudest_stretch(rng):
    wave = 1e-4 * rng.normal(size=16000)
    wave[8000:12000] += 0.5 * np.sin(np.arange(4000) * 0.3)
    whole, later = speaker_spectra([wave, np.roll(wave, 20 * 160)], frames=20)  # 20 frames later, the same stretch
    assert np.allclose(whole, later, atol=1e-2)
    assert whole.std() > 1
    assert np.allclose(whole.mean(axis=0), 0, atol=1e-3)
    assert speaker_spectra([wave[:800]], frames=40).shape == (1, 40, 80)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"loss": "arc"}, "loss='arc'"),
        ({"channels": 6}, "channels=6"),
        ({"blocks": 4}, "blocks=4"),
        ({"crop": 0}, "crop=0"),
        ({"time_mask": 1}, "time_mask=1"),
        ({"epochs": 0}, "epochs=0"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(voices, params, message):
    with pytest.raises(ValueError, match=message):
        SpeakerNetwork(**SMALL | params).fit(*voices)


def test_data_that_cannot_be_used_is_named(voices):
    X, who = voices
    for wrong, labels, message in (
        (X[:, :, 0], who, "X has shape"),
        (np.where(X > 3, np.nan, X), who, "finite"),
        (X, who[:-1], "labels has shape"),
        (X, np.zeros(96, int), "fewer than two"),
    ):
        with pytest.raises(ValueError, match=message):
            SpeakerNetwork(**SMALL).fit(wrong, labels)
