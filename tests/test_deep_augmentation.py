"""Random changes of training sound, against float64 written out, and what each promises."""

import numpy as np
import pytest
import soundfile
import torch
from scipy.interpolate import CubicHermiteSpline

from audioclust.deep import augmentation
from audioclust.deep.augmentation import SoundAugmentation
from audioclust.deep.data import generator


@pytest.fixture
def waves():
    time = torch.arange(3200) / 16000
    pitches = torch.tensor([110.0, 220.0, 330.0, 440.0, 550.0, 660.0])
    return torch.sin(2 * torch.pi * pitches[:, None] * time) * 0.5


ALL = SoundAugmentation(
    noise=0.07, reverberation=0.5, speed=0.1, gain=6, equaliser=6, time_mask=0.2, frequency_mask=0.2
)


def test_every_change_is_repeatable_differs_per_row_and_leaves_its_input(waves):
    before, spectra = waves.clone(), torch.randn(6, 40, 30, generator=generator(1))
    kept = spectra.clone()
    for name in SoundAugmentation.names():
        how = SoundAugmentation(**{"noise": 0.0, name: getattr(ALL, name)})
        both = [(how.waves(waves, generator(2)), how.spectra(spectra, generator(2))) for _ in range(2)]
        for first, again in zip(*both, strict=True):
            assert torch.equal(first, again), name
        changes = (both[0][0] - waves).flatten(1), (both[0][1] - spectra).flatten(1)
        change = max(changes, key=lambda part: float(part.abs().max()))
        assert torch.unique(change.round(decimals=5), dim=0).shape[0] >= 3, f"{name}: rows draw their own"
    assert torch.equal(waves, before)
    assert torch.equal(spectra, kept)


def test_nothing_asked_for_changes_nothing(waves):
    how = SoundAugmentation(noise=0)
    assert how.waves(waves, generator(0)) is waves
    assert how.spectra(waves[None], generator(0)).data_ptr() == waves.data_ptr()


def test_the_noise_is_mixed_as_published(waves):
    noise = augmentation.synthetic_noise(20000, generator(3))
    mixed = augmentation.mix_noise(waves, noise, generator(4), most=0.07)
    random = generator(4)
    share = torch.rand((6, 1), generator=random).double() * 0.07
    starts = torch.randint(0, 20000 - 3200 + 1, (6, 1), generator=random)
    for row in range(6):
        piece = noise[starts[row] : starts[row] + 3200].double()
        wanted = waves[row].double() * (1 - share[row]) + piece * share[row]
        assert torch.allclose(mixed[row].double(), wanted, atol=1e-6)


def test_the_gain_stays_within_its_decibels_and_uses_them(waves):
    louder = augmentation.change_gain(waves.repeat(50, 1), generator(0), most=6.0)
    decibels = 20 * torch.log10(louder.norm(dim=1) / waves.repeat(50, 1).norm(dim=1))
    assert decibels.abs().max() <= 6.0001
    assert decibels.max() > 5
    assert decibels.min() < -5


def test_the_speed_is_a_cubic_through_the_samples():
    wave = torch.randn(1, 200, generator=generator(9))
    changed = augmentation.change_speed(wave, generator(5), most=0.2)[0].double().numpy()
    factor = 1 + (2 * float(torch.rand((1, 1), generator=generator(5), dtype=torch.float64)) - 1) * 0.2
    mirrored = np.pad(wave[0].double().numpy(), 50, mode="reflect")
    slopes = np.gradient(mirrored)
    places = np.arange(-50, 250)
    curve = CubicHermiteSpline(places, mirrored, slopes)
    assert np.allclose(changed, curve((np.arange(200) - 99.5) * factor + 99.5), atol=1e-5)


def test_a_faster_tone_is_a_higher_one():
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(16000) / 16000)[None]
    changed = augmentation.change_speed(tone, generator(1), most=0.1)
    factor = 1 + (2 * float(torch.rand((1, 1), generator=generator(1), dtype=torch.float64)) - 1) * 0.1
    peak = int(torch.fft.rfft(changed[0, 1000:-1000] * torch.hann_window(14000)).abs().argmax()) * 16000 / 14000
    assert peak == pytest.approx(1000 * factor, abs=2)


def test_reverberation_convolves_and_keeps_the_energy(waves):
    rooms = augmentation.synthetic_rooms(3, 1000, generator(0))
    wet = augmentation.reverberate(waves, rooms, generator(1), share=1.0)
    which = torch.randint(0, 3, (6,), generator=generator(1))
    for row in range(6):
        wanted = np.convolve(waves[row].double().numpy(), rooms[which[row]].double().numpy())[:3200]
        wanted *= np.linalg.norm(waves[row].double().numpy()) / np.linalg.norm(wanted)
        assert np.allclose(wet[row].numpy(), wanted, atol=1e-4)
    assert torch.equal(augmentation.reverberate(waves, rooms, generator(1), share=0.0), waves)
    silent = augmentation.reverberate(torch.zeros(2, 3200), rooms, generator(1), share=1.0)
    assert torch.equal(silent, torch.zeros(2, 3200))


def test_the_equaliser_is_one_smooth_curve_for_all_frames():
    spectra = torch.randn(5, 100, 7, generator=generator(0))
    curve = augmentation.equalise(spectra, generator(1), most=6.0) - spectra
    assert torch.allclose(curve, curve[:, :, :1].expand_as(curve), atol=1e-5)
    assert curve.abs().max() <= 6.0001
    assert curve.abs().max() > 3
    assert curve.diff(dim=1).abs().max() < 12 / (99 / 5) + 1e-4, "linear between six knots"


def test_masks_are_one_stretch_of_each_axis():
    spectra = torch.randn(8, 50, 40, generator=generator(0))
    hidden = augmentation.mask(spectra, generator(1), time=0.25, frequency=0.2) != spectra
    assert hidden.all(dim=1).sum(dim=1).max() <= 10
    assert hidden.all(dim=2).sum(dim=1).max() <= 10
    assert hidden.any()


def test_noise_comes_from_a_folder(tmp_path, waves):
    folder = tmp_path / "noise of streets"
    folder.mkdir()
    soundfile.write(folder / "a.wav", 0.25 * np.sin(np.arange(1000)), 8000)
    (folder / "broken.wav").write_bytes(b"RIFF")
    noise = augmentation.noise_from(folder, 5000)
    assert len(noise) >= 5000
    assert noise.abs().max() == pytest.approx(1, abs=1e-5)
    how = SoundAugmentation(noise=1.0, noise_from=folder)
    assert not torch.allclose(how.waves(waves, generator(0)), waves)


def test_a_noise_folder_that_cannot_be_used_is_named(tmp_path):
    for folder in (tmp_path / "missing", tmp_path):
        with pytest.raises(ValueError, match=r"noise=.*(missing|pytest)"):
            SoundAugmentation(noise_from=folder).prepare(3200)


@pytest.mark.parametrize(("name", "value"), [("noise", 1.5), ("speed", 0.6), ("gain", -1), ("time_mask", "half")])
def test_a_value_that_cannot_be_used_is_named(name, value):
    with pytest.raises(ValueError, match=rf"{name}={value!r}"):
        SoundAugmentation(**{name: value})
