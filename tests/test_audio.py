"""Samples: every step against scipy, librosa and pyloudnorm, and on what has no samples to speak of."""

import math
from concurrent.futures import ThreadPoolExecutor

import librosa
import numpy as np
import pyloudnorm
import pytest
import soundfile
import soxr
from scipy import signal

from audioclust import audio, recording
from audioclust.audio import filters, wav
from audioclust.audio.settings import Settings

RATE = 22_050


def tone(frequency, seconds=1.0, rate=RATE, amplitude=0.5):
    return (amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.fixture(scope="module")
def utterance():
    """Two vowels with a pause: 0.8 s of near silence, 0.6 s, 0.7 s pause, 0.6 s, 0.8 s, at 16 kHz."""
    rate, rng = 16_000, np.random.default_rng(3)

    def vowel(pitch, formants):
        time = np.arange(round(0.6 * rate)) / rate
        f0 = pitch * (1 + 0.05 * np.sin(2 * np.pi * 3 * time))
        y = np.diff(np.floor(np.cumsum(f0) / rate), prepend=0.0)
        for centre, width in formants:
            radius = np.exp(-np.pi * width / rate)
            y = signal.lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * centre / rate), radius**2], y)
        return 0.4 * y / np.abs(y).max() * np.hanning(len(y)) ** 0.3

    vowels = [
        vowel(120, [(700, 80), (1220, 90), (2600, 120)]),
        vowel(125, [(300, 60), (2300, 100), (3000, 140)]),
    ]
    gaps = [np.zeros(round(s * rate)) for s in (0.8, 0.7, 0.8)]
    y = np.concatenate([gaps[0], vowels[0], gaps[1], vowels[1], gaps[2]])
    return (y + 1e-4 * rng.standard_normal(len(y))).astype(np.float32), rate


@pytest.mark.parametrize("target", [None, 8_000, 16_000, 22_050, 48_000])
def test_load_is_what_librosa_loads(tmp_path, rng, target):
    path = tmp_path / "stéreo file.wav"
    soundfile.write(path, 0.3 * rng.standard_normal((30_001, 2)), 44_100)
    y, rate = audio.load(path, target)
    expected, expected_rate = librosa.load(path, sr=target, res_type="soxr_hq")
    assert y.dtype == np.float32
    assert rate == expected_rate
    np.testing.assert_array_equal(y, expected)


def test_load_names_the_problem(tmp_path):
    (tmp_path / "text.wav").write_text("hello")
    with pytest.raises(recording.RecordingError, match="not audio"):
        audio.load(tmp_path / "text.wav")
    with pytest.raises(recording.RecordingError, match="no such file"):
        audio.load(tmp_path / "gone.wav", 8_000)
    with pytest.raises(ValueError, match="sample_rate=0"):
        audio.load(tmp_path / "text.wav", 0)


def test_resampling_one_after_the_other_is_resampling_each(rng):
    recordings = [rng.normal(size=n).astype(np.float32) for n in (1, 300, 24_414, 70_000)]
    pairs = [(24_414, 22_050), (44_100, 16_000), (8_000, 22_050), *((8_000 + i, 7_000) for i in range(9))]
    wanted = {(n, pair): soxr.resample(y, *pair, quality="HQ") for n, y in enumerate(recordings) for pair in pairs}
    assert len(pairs) > filters._KEPT_STREAMS

    def equal(case):
        number, (rate, target) = case
        y = recordings[number]
        found = audio.resample(y, rate, target)
        assert len(found) == math.ceil(len(y) * (target / rate))
        np.testing.assert_array_equal(found[: len(wanted[case])], wanted[case][: len(found)])
        assert not found[len(wanted[case]) :].any()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(equal, 3 * list(wanted)))


def test_resample_keeps_empty_and_equal_rates(rng):
    y = rng.standard_normal(100).astype(np.float32)
    assert audio.resample(y, 8_000, 8_000) is y
    assert len(audio.resample(y[:0], 8_000, 16_000)) == 0
    assert len(audio.resample(y[:1], 44_100, 8_000)) == 1
    with pytest.raises(ValueError, match="target=-1"):
        audio.resample(y, 8_000, -1)


def test_lowpass_is_scipys_and_halves_the_amplitude_at_the_cutoff():
    impulse = np.zeros(8_192, np.float32)
    impulse[4_096] = 1
    response = audio.lowpass(impulse, RATE, cutoff=4_000)
    expected = signal.sosfiltfilt(signal.butter(8, 4_000, fs=RATE, output="sos"), impulse.astype(float))
    np.testing.assert_allclose(response, expected, atol=1e-7)
    np.testing.assert_allclose(response[4_096:], response[4_096::-1][: len(response) - 4_096], atol=1e-6)
    spectrum = np.abs(np.fft.rfft(response.astype(float)))
    at = np.interp(4_000, np.fft.rfftfreq(len(response), 1 / RATE), spectrum)
    assert 20 * np.log10(at) == pytest.approx(-6.02, abs=0.02)


def test_lowpass_removes_what_is_above_and_keeps_what_is_below():
    low, high = tone(500), tone(9_500)
    cleaned = audio.lowpass(low + high, RATE)
    inner = slice(500, -500)
    np.testing.assert_allclose(cleaned[inner], low[inner], atol=2e-3)
    assert np.square(audio.lowpass(high, RATE, cutoff=4_000)[inner]).mean() < 1e-6 * np.square(high).mean()


@pytest.mark.parametrize("samples", [1, 2, 5, 27, 28])
@pytest.mark.parametrize("order", [1, 7, 8])
def test_lowpass_of_very_short_recordings(samples, order):
    filtered = audio.lowpass(np.full(samples, 0.25, np.float32), RATE, cutoff=2_000, order=order)
    np.testing.assert_allclose(filtered, 0.25, atol=1e-5)


def test_lowpass_above_half_the_rate_does_nothing_and_says_so():
    notes, y = [], tone(1_000, rate=8_000)
    assert audio.lowpass(y, 8_000, notes=notes) is y
    assert notes == ["not filtered: 8192 Hz is not below half the sample rate (4000 Hz)"]
    with pytest.raises(ValueError, match="cutoff=0"):
        audio.lowpass(y, 8_000, cutoff=0)
    with pytest.raises(ValueError, match="order=99"):
        audio.lowpass(y, 8_000, order=99)


def test_voice_activity_cuts_the_ends(utterance):
    y, rate = utterance
    cut = audio.trim_silence(y, rate)
    stretches = audio.speech(y, rate)
    np.testing.assert_array_equal(cut, y[stretches[0][0] : stretches[-1][1]])
    assert stretches[0][0] / rate == pytest.approx(0.8, abs=0.15)
    assert 2.2 < stretches[-1][1] / rate < 2.9


def test_voice_activity_drops_pauses_and_does_not_depend_on_level_or_rate(utterance):
    y, rate = utterance
    stretches = audio.speech(y, rate)
    assert len(stretches) == 2
    assert len(audio.trim_silence(y, rate, mode="all")) == sum(end - start for start, end in stretches)
    assert audio.speech(0.01 * y, rate) == stretches
    assert audio.speech(y, rate) == stretches
    higher = audio.speech(audio.resample(y, rate, 44_100), 44_100)
    np.testing.assert_allclose(np.array(higher) / 44_100, np.array(stretches) / rate, atol=0.04)


def test_without_speech_the_recording_stays(rng):
    noise = (0.1 * rng.standard_normal(RATE)).astype(np.float32)
    for y in (noise, np.zeros(RATE, np.float32), noise[:0]):
        notes = []
        assert audio.trim_silence(y, RATE, mode="all", notes=notes) is y
        assert notes == ["no speech found: kept whole"]
    with pytest.raises(ValueError, match="mode='middle'"):
        audio.trim_silence(noise, RATE, mode="middle")
    with pytest.raises(ValueError, match="threshold=1"):
        audio.speech(noise, RATE, threshold=1)


def test_voice_activity_leaves_the_threads_of_torch_alone(utterance):
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        audio.speech(*utterance)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("level", [-23.0, -35.0])
def test_loudness_is_reached(rng, level):
    y = (0.02 * rng.standard_normal(3 * RATE)).astype(np.float32)
    louder = audio.normalise(y, RATE, to="lufs", level=level)
    assert pyloudnorm.Meter(RATE).integrated_loudness(louder.astype(float)) == pytest.approx(level, abs=0.01)
    assert audio.loudness(louder, RATE) == pytest.approx(level, abs=0.01)
    assert audio.loudness(y * 1e-3, RATE) == pytest.approx(audio.loudness(y, RATE) - 60, abs=0.01)


def test_peak_is_reached_and_loudness_never_clips():
    y = tone(440)
    assert np.abs(audio.normalise(y, RATE, level=-6.0)).max() == pytest.approx(10 ** (-6 / 20), rel=1e-5)
    notes, spiky = [], 0.001 * tone(440)
    spiky[5_000] = 0.9
    held = audio.normalise(spiky, RATE, to="lufs", level=-10, notes=notes)
    assert np.abs(held).max() == pytest.approx(10 ** (-0.1 / 20), rel=1e-5)
    assert "held back by its peak" in notes[0]


def test_short_recordings_get_an_rms_instead_of_a_loudness():
    notes, y = [], tone(1_000, 0.3)
    set_ = audio.normalise(y, RATE, to="lufs", level=-20, notes=notes)
    assert 10 * np.log10(np.square(set_).mean()) == pytest.approx(-20, abs=0.01)
    assert notes == ["shorter than 0.4 s: RMS set instead of loudness"]


def test_silence_keeps_its_level():
    for y in (np.zeros(RATE, np.float32), np.full(RATE, 1e-6, np.float32), np.zeros(0, np.float32)):
        notes = []
        assert audio.normalise(y, RATE, to="lufs", notes=notes) is y
        assert notes == ["silent: level kept"]
    assert audio.loudness(np.zeros(RATE, np.float32), RATE) == -np.inf


@pytest.mark.parametrize("bad", [{"to": "rms"}, {"level": 3.0}, {"level": float("nan")}, {"ceiling": 1.0}])
def test_normalise_names_the_bad_parameter(bad):
    with pytest.raises(ValueError, match=f"{next(iter(bad))}="):
        audio.normalise(tone(440), RATE, **bad)


@pytest.mark.parametrize("noise", ["stationary", "nonstationary"])
def test_denoise_raises_the_signal_over_the_noise(rng, noise):
    noise_floor = (0.003 * rng.standard_normal(3 * RATE)).astype(np.float32)
    burst = slice(RATE, RATE + 6_000)
    clean = np.zeros(3 * RATE, np.float32)
    clean[burst] = 0.2 * rng.standard_normal(6_000)
    cleaned = audio.denoise(clean + noise_floor, RATE, noise=noise)
    assert cleaned.shape == clean.shape
    assert np.square(cleaned[: RATE // 2]).mean() < 0.2 * np.square(noise_floor[: RATE // 2]).mean()
    assert np.square(cleaned[burst]).mean() > 0.8 * np.square(clean[burst]).mean()


def test_denoise_leaves_very_short_recordings_and_names_bad_parameters():
    notes, y = [], tone(440, 0.1)
    assert audio.denoise(y, RATE, notes=notes) is y
    assert notes == ["too short to denoise"]
    with pytest.raises(ValueError, match="strength=0"):
        audio.denoise(y, RATE, strength=0)
    with pytest.raises(ValueError, match="noise='pink'"):
        audio.denoise(y, RATE, noise="pink")


def test_fixed_duration():
    y = np.array([1, 2, 3], np.float32)
    assert audio.fit_duration(y, 10, duration=0.5).tolist() == [1, 2, 3, 0, 0]
    assert audio.fit_duration(y, 10, duration=0.7, how="loop").tolist() == [1, 2, 3, 1, 2, 3, 1]
    assert audio.fit_duration(y, 10, duration=0.7, how="trim").tolist() == [1, 2, 3]
    assert [len(audio.fit_duration(y, 10, duration=0.2, how=how)) for how in ("pad", "loop", "trim")] == [2, 2, 2]
    assert audio.fit_duration(y[:0], 10, duration=0.2, how="loop").tolist() == [0, 0]
    for bad in (0, -1, float("nan"), 0.01):
        with pytest.raises(ValueError, match="duration="):
            audio.fit_duration(y, 10, duration=bad)
    with pytest.raises(ValueError, match="how='stretch'"):
        audio.fit_duration(y, 10, duration=1, how="stretch")


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_wav_files_are_read_back_by_soundfile(tmp_path, rng, subtype):
    y = rng.uniform(-1, 1, 1_001).astype(np.float32)
    y[:4] = [1, -1, 0.999999, 1.5 if subtype == "FLOAT" else 1]
    for name in ("one.wav", "two.wav"):
        wav.write(tmp_path / name, y, 11_025, subtype=subtype, origin={"source": "é"})
    assert (tmp_path / "one.wav").read_bytes() == (tmp_path / "two.wav").read_bytes()
    back, rate = soundfile.read(tmp_path / "one.wav", dtype="float32")
    assert rate == 11_025
    assert soundfile.info(tmp_path / "one.wav").subtype == subtype
    np.testing.assert_allclose(back, y, atol=0 if subtype == "FLOAT" else 1.01 / 32_768)
    assert back[0] > 0.9999
    assert wav.read_origin(tmp_path / "one.wav") == {"source": "é", "samples": 1_001}


def test_origin_of_foreign_and_truncated_files_is_unknown(tmp_path):
    wav.write(tmp_path / "cut.wav", tone(440), RATE, subtype="PCM_16", origin={})
    (tmp_path / "cut.wav").write_bytes((tmp_path / "cut.wav").read_bytes()[:9_000])
    soundfile.write(tmp_path / "foreign.wav", tone(440), RATE)
    (tmp_path / "text.wav").write_text("hello")
    assert [wav.read_origin(tmp_path / f"{name}.wav") for name in ("cut", "foreign", "text", "gone")] == [{}] * 4


def test_pcm_saturates():
    assert wav.to_pcm16(np.array([1.0, 2.0, -1.0, -2.0, 0.5])).tolist() == [32767, 32767, -32768, -32768, 16384]


def test_process_takes_the_steps_in_order(utterance):
    y, rate = utterance
    settings = Settings(voice="ends", loudness="lufs", level=-30, duration=4.0)
    done, new_rate, notes = audio.process(y, rate, settings)
    assert new_rate == 22_050
    assert len(done) == 4 * 22_050
    spoken = len(audio.trim_silence(audio.lowpass(audio.resample(y, rate, 22_050), 22_050), 22_050))
    assert not done[spoken:].any()
    assert audio.loudness(done[:spoken], 22_050) == pytest.approx(-30, abs=0.01)
    assert notes == []


def test_sixteen_bit_results_are_lowered_rather_than_clipped():
    loud = tone(440, amplitude=1.5)
    done, _, notes = audio.process(loud, RATE, Settings())
    assert np.abs(done).max() <= 1
    assert notes[0].startswith("lowered by 3.")
    assert np.abs(audio.process(loud, RATE, Settings(subtype="FLOAT"))[0]).max() > 1.4


def test_rates_are_raised_but_not_lowered():
    for rate, expected in ((8_000, 22_050), (24_414, 24_414), (96_000, 96_000)):
        assert audio.process(tone(200, 0.1, rate), rate, Settings())[1] == expected
    assert audio.process(tone(200, 0.1, 96_000), 96_000, Settings(sample_rate=16_000))[1] == 16_000
    assert audio.process(tone(200, 0.1, 8_000), 8_000, Settings(minimum_rate=None))[1] == 8_000


def test_settings_with_one_effect_have_one_key():
    assert audio.settings_key() == audio.settings_key(lowpass=8192, order=8, level=-3, fit="loop")
    assert audio.settings_key(loudness="peak") == audio.settings_key(loudness="peak", level=-1)
    assert audio.settings_key(sample_rate=16_000) == audio.settings_key(sample_rate=16_000, minimum_rate=8_000)
    keys = [{}, {"lowpass": None}, {"lowpass": 4_000}, {"sample_rate": 16_000}, {"voice": "ends"}, {"voice": "all"}]
    keys += [{"loudness": "peak"}, {"loudness": "peak", "level": -3}, {"duration": 1}, {"subtype": "FLOAT"}]
    assert len({audio.settings_key(**settings) for settings in keys}) == len(keys)


@pytest.mark.parametrize(
    "bad",
    [
        {"sample_rate": 0}, {"sample_rate": 16e3}, {"minimum_rate": -5}, {"lowpass": 0}, {"lowpass": "8k"},
        {"order": 0},
        {"order": 2.5}, {"denoise": "yes"}, {"strength": 2}, {"strength": None}, {"voice": True}, {"threshold": 1.0},
        {"loudness": "rms"}, {"level": 1}, {"duration": 0}, {"duration": float("inf")}, {"fit": None},
        {"subtype": "MP3"},
    ],
)  # fmt: skip
def test_settings_name_what_is_wrong(bad):
    with pytest.raises(ValueError, match=f"{next(iter(bad))}=.*(give|there is)"):
        audio.settings_key(**bad)


def test_unknown_settings_are_named():
    with pytest.raises(ValueError, match="low_pass: no such setting; there is sample_rate"):
        audio.settings_key(low_pass=3)


@pytest.mark.parametrize("extension", ["wav", "flac", "mp3", "ogg"])
@pytest.mark.parametrize("channels", [1, 2])
def test_streamed_gives_what_load_gives_each_time(tmp_path, rng, extension, channels):
    y = 0.1 * rng.standard_normal((600_001, channels))
    if extension == "wav" and channels == 2:
        y[:, 0] = -0.9 * y[:, 1]  # channels that cancel each other out
    path = tmp_path / f"a.{extension}"
    soundfile.write(path, y, 44_100)
    for rate in (22_050, 44_100):
        expected, _ = audio.load(path, rate)
        with audio.streamed(path, rate) as source:
            for _ in range(2):
                np.testing.assert_array_equal(np.concatenate(list(source())), expected)


def test_streamed_names_what_load_names(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(9000), 16_000)
    with pytest.raises(recording.RecordingError, match="silence"), audio.streamed(tmp_path / "a.wav", 8000):
        pass


@pytest.mark.parametrize(("order", "cutoff", "length"), [(8, 1000, 5000), (5, 300.5, 40), (1, 3000, 1), (8, 100, 3)])
def test_lowpass_is_scipys_to_the_last_bit(order, cutoff, length, rng, monkeypatch):
    from scipy import signal

    from audioclust.audio import filters

    y = rng.standard_normal(length).astype(np.float32)
    sections = signal.butter(order, cutoff, fs=8000, output="sos")
    padding = min(3 * (2 * len(sections) + 1 - order % 2), length - 1)
    expected = signal.sosfiltfilt(sections, y.astype(np.float64), padlen=padding).astype(np.float32)
    monkeypatch.setattr(filters, "BLOCK", 700)
    np.testing.assert_array_equal(audio.lowpass(y, 8000, cutoff=cutoff, order=order), expected)


def test_what_lies_below_the_gate_is_said_and_finite():
    time = np.arange(480_000) / 48_000
    for frequency, gain, remark in ((0.2, 0.5, "hardly anything to hear"), (997, 1e-4, "very quiet: -83.1 LUFS")):
        y = (gain * np.sin(2 * np.pi * frequency * time)).astype(np.float32)
        notes = []
        assert np.isfinite(audio.loudness(y, 48_000))
        raised = audio.normalise(y, 48_000, to="lufs", notes=notes)
        assert np.isfinite(raised).all()
        assert np.abs(raised).max() <= 1
        assert remark in notes[0]
