import errno
import io
import os
import re
import stat
import sys
import time
from pathlib import Path

import broken
import numpy as np
import pytest
import soundfile

from audioclust import recording
from audioclust.recording import RecordingError, opening


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    return broken.make(tmp_path_factory.mktemp("broken"))


def test_every_example_is_listed(examples):
    usable = set(examples) - set(broken.UNUSABLE) - set(broken.NOTED)
    assert {"good", "stereo", "window", "no_stem"} <= usable
    assert set(broken.UNUSABLE) | set(broken.NOTED) <= set(examples)


@pytest.mark.parametrize("name", broken.UNUSABLE)
def test_unusable_files_say_why(examples, name):
    found = recording.inspect(examples[name])
    assert broken.UNUSABLE[name] in found["problem"]
    assert found["note"] is None
    with pytest.raises(RecordingError) as caught:
        recording.read(examples[name])
    assert caught.value.problem == found["problem"]
    assert examples[name].name in str(caught.value)


@pytest.mark.parametrize("name", broken.NOTED)
def test_odd_files_are_usable_and_noted(examples, name):
    found = recording.inspect(examples[name])
    assert found["problem"] is None
    assert broken.NOTED[name] in found["note"]
    assert recording.read(examples[name])[0].shape == (broken.RATE, 1)


def test_good_files_pass_without_remark(examples):
    usable = set(examples) - set(broken.UNUSABLE) - set(broken.NOTED)
    for name in usable:
        found = recording.inspect(examples[name])
        assert (found["problem"], found["note"]) == (None, None), name
        samples, rate = recording.read(examples[name])
        assert samples.dtype == np.float32
        assert samples.shape == (round(found["duration"] * rate), found["channels"])
        assert rate == found["sample_rate"]


def test_description_is_right(examples):
    samples, rate = soundfile.read(examples["six_channels"], always_2d=True)
    found = recording.inspect(examples["six_channels"])
    assert found["duration"] == pytest.approx(1.0)
    assert (found["sample_rate"], found["channels"]) == (rate, 6)
    assert found["level"] == pytest.approx(10 * np.log10(np.mean(samples.mean(axis=1) ** 2)), abs=1e-6)
    assert found["sha256"] == recording.files.sha256(examples["six_channels"])


@pytest.mark.parametrize(
    ("name", "error"), [("bits_8", 1 / 128), ("bits_24", 2**-23), ("float", 1e-7), ("good", 2**-15)]
)
def test_samples_are_those_written(examples, name, error):
    samples, _ = recording.read(examples[name])
    np.testing.assert_allclose(samples, broken.tone(), atol=error)


def test_a_part_can_be_read(examples):
    whole, _ = recording.read(examples["stereo"])
    part, _ = recording.read(examples["stereo"], start=1000, frames=500)
    np.testing.assert_array_equal(part, whole[1000:1500])
    end, _ = recording.read(examples["stereo"], start=15_900, frames=500)
    np.testing.assert_array_equal(end, whole[15_900:])
    assert recording.read(examples["stereo"], start=16_000)[0].shape == (0, 2)
    with pytest.raises(ValueError, match=r"start=16001.*16000 frames"):
        recording.read(examples["stereo"], start=16_001)
    with pytest.raises(ValueError, match="start=-1"):
        recording.read(examples["stereo"], start=-1)
    with pytest.raises(ValueError, match="frames=-2"):
        recording.read(examples["stereo"], frames=-2)


def test_silence_is_no_error_in_a_part(tmp_path):
    wave = broken.tone()
    wave[4000:8000] = 0
    soundfile.write(tmp_path / "pause.wav", wave, broken.RATE)
    assert not recording.read(tmp_path / "pause.wav", start=4000, frames=4000)[0].any()


def test_long_files_are_read_in_blocks(tmp_path, monkeypatch, examples):
    whole = recording.inspect(examples["stereo"])
    samples, _ = recording.read(examples["stereo"])
    clipped = recording.inspect(examples["clipped"])
    monkeypatch.setattr(opening, "BLOCK", 1000)
    assert recording.inspect(examples["stereo"]) == pytest.approx(whole)
    np.testing.assert_array_equal(recording.read(examples["stereo"])[0], samples)
    assert recording.inspect(examples["clipped"])["note"] == clipped["note"]


def test_clipping_is_noted_from_a_thousandth_in_runs(tmp_path):
    wave = broken.tone()
    wave[::100] = 1.0  # peaks that touch full scale alone are no clipping
    soundfile.write(tmp_path / "touching.wav", wave, broken.RATE)
    assert recording.inspect(tmp_path / "touching.wav")["note"] is None
    wave[:32] = 1.0
    soundfile.write(tmp_path / "flat.wav", wave, broken.RATE)
    assert recording.inspect(tmp_path / "flat.wav")["note"] == "clipped: 0.2% of the samples at full scale"


def test_truncated_flac_says_how_much_is_there(examples):
    problem = recording.inspect(examples["truncated_flac"])["problem"]
    there = int(problem.removeprefix("truncated: ").split(" of ")[0].replace(" ", ""))
    assert 0 < there < 16_000
    assert problem.endswith("of 16 000 samples")


def test_cut_mp3_is_usable_and_noted(tmp_path):
    soundfile.write(tmp_path / "whole.mp3", np.tile(broken.tone(), (3, 1)), broken.RATE, format="MP3")
    data = (tmp_path / "whole.mp3").read_bytes()
    (tmp_path / "cut.mp3").write_bytes(data[: len(data) * 2 // 3])
    found = recording.inspect(tmp_path / "cut.mp3")
    assert found["problem"] is None
    assert "ends early" in found["note"]


def test_files_that_cannot_be_opened(tmp_path, examples, monkeypatch):
    assert recording.inspect(tmp_path / "missing.wav")["problem"] == "no such file"
    (tmp_path / "folder.wav").mkdir()
    assert recording.inspect(tmp_path / "folder.wav")["problem"] == "not a file"
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.wav")  # opening it would wait for ever
        assert recording.inspect(tmp_path / "pipe.wav")["problem"] == "not a file"

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(recording.files, "open_regular", refuse)
    found = recording.inspect(examples["good"])
    assert found["problem"] == "no read permission"
    assert found["sha256"] is None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_no_read_permission(tmp_path):
    soundfile.write(tmp_path / "mine.wav", broken.tone(), broken.RATE)
    (tmp_path / "mine.wav").chmod(0)
    assert recording.inspect(tmp_path / "mine.wav")["problem"] == "no read permission"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell script")
def test_ffmpeg_decodes_what_libsndfile_does_not(tmp_path, examples, monkeypatch):
    program = tmp_path / "ffmpeg"
    program.write_text(
        '#!/bin/sh\nprintf \'%s\\n\' "$@" > "$(dirname "$0")/arguments"\n'
        f'for last; do :; done\ncp "{examples["float"]}" "${{last#file:}}"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    clip = tmp_path / "-i clip; rm.m4a"
    clip.write_bytes(examples["no_ffmpeg"].read_bytes())
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    samples, rate = recording.read(clip)
    np.testing.assert_array_equal(samples, recording.read(examples["float"])[0])
    assert rate == broken.RATE
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert "-nostdin" in arguments
    assert arguments[arguments.index("-protocol_whitelist") + 1] == "file"
    assert arguments[arguments.index("-i") + 1] == f"file:{clip}"
    assert recording.inspect(clip)["note"] is None
    program.write_text("#!/bin/sh\necho 'moov atom not found' >&2\nexit 1\n")
    with pytest.raises(RecordingError, match="ffmpeg cannot decode it: moov atom not found"):
        recording.read(clip)


def test_without_ffmpeg_it_says_so(examples, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "needs the program ffmpeg" in recording.inspect(examples["no_ffmpeg"])["problem"]


def test_extension():
    assert [recording.extension(name) for name in ("a.WAV", ".wav", "a.b.Flac", "a", "x.d/a")] == [
        "wav", "wav", "flac", "", ""]  # fmt: skip


def test_errors_survive_pickling():
    import pickle

    error = pickle.loads(pickle.dumps(RecordingError("a/b.wav", "silence")))
    assert (error.problem, str(error)) == ("silence", "a/b.wav: silence")


def test_real_recordings_are_quick_and_clean(shared):
    paths = sorted((shared / "datasets" / "tess").rglob("*.*"))
    found = [recording.inspect(path) for path in paths[::20]]
    assert len(found) == 70
    assert all(entry["problem"] is None for entry in found)


def test_opposed_phase_is_judged_and_used_as_its_louder_channel(tmp_path, rng):
    left = broken.tone()[:, 0]
    for name, right in (("opposed", -0.7 * left), ("nearly", -0.99 * left + 1e-4 * rng.standard_normal(len(left)))):
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, np.stack([left, right], axis=1), broken.RATE, subtype="FLOAT")
        found = recording.inspect(path)
        assert found["problem"] is None
        if name == "nearly":
            assert "channel 1 is used instead of their mean" in found["note"]
            np.testing.assert_array_equal(recording.mono(recording.read(path)[0]), left.astype(np.float32))
            assert found["level"] == pytest.approx(10 * np.log10(np.mean(left**2)), abs=1e-3)
        else:
            assert found["level"] == pytest.approx(10 * np.log10(np.mean((0.15 * left) ** 2)), abs=1e-3)


def test_one_silent_channel_is_no_cancellation(tmp_path):
    tone = broken.tone(channels=2) * [1, 0]
    soundfile.write(tmp_path / "one.wav", tone, broken.RATE)
    assert recording.inspect(tmp_path / "one.wav")["note"] is None


LENGTHS = [("AU", "PCM_16"), ("RF64", "PCM_16"), ("W64", "PCM_16"), ("CAF", "PCM_16"), ("NIST", "PCM_16"),
           ("WAV", "PCM_16"), ("WAVEX", "PCM_24"), ("AIFF", "FLOAT"), ("FLAC", "PCM_16")]  # fmt: skip


@pytest.mark.parametrize(("kind", "subtype"), LENGTHS)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.995])
def test_a_cut_file_says_how_much_is_there(tmp_path, kind, subtype, share):
    path = tmp_path / f"cut.{kind.lower()}"
    soundfile.write(path, broken.tone(2.0), broken.RATE, format=kind, subtype=subtype)
    assert recording.inspect(path)["problem"] is None
    data = path.read_bytes()
    path.write_bytes(data[: max(4400 if kind == "NIST" else 0, int(len(data) * share))])
    found = recording.inspect(path)
    text = found["problem"] or found["note"]
    assert re.search(r"of 3[12] \d\d\d samples", text) or "cut off" in text
    assert (found["problem"] is None) == (share > 0.99 and kind != "FLAC")


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_cut_ogg_is_noted(tmp_path, subtype, rng):
    path = tmp_path / "cut.ogg"
    soundfile.write(path, 0.1 * rng.standard_normal(20 * broken.RATE), broken.RATE, format="OGG", subtype=subtype)
    assert recording.inspect(path)["note"] is None
    data = path.read_bytes()
    for length in (len(data) // 2, len(data) - 30):
        path.write_bytes(data[:length])
        assert "the end of the stream is missing" in recording.inspect(path)["note"]


def test_a_read_error_is_a_problem(examples, monkeypatch):
    monkeypatch.setattr(opening, "_WHOLE", 0)
    original = opening._Raw.readinto

    def failing(self, buffer):
        if self.tell() >= 1 << 14:
            self.error = OSError(5, "Input/output error")
            return 0
        return original(self, buffer)

    buffered = io.BufferedReader
    monkeypatch.setattr(opening.files.io, "BufferedReader", lambda raw, _: buffered(raw, 1 << 12))
    monkeypatch.setattr(opening._Raw, "readinto", failing)
    for name in ("good", "stereo"):
        assert recording.inspect(examples[name])["problem"] == "cannot be read: Input/output error"
    monkeypatch.undo()

    def refuse(path):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(opening, "_WHOLE", 0)
        patched.setattr(recording.files, "sha256", refuse)
        assert recording.inspect(examples["good"])["problem"] == "cannot be read: Input/output error"
    monkeypatch.setattr(opening._Raw, "readall", refuse)
    assert recording.inspect(examples["good"])["problem"] == "cannot be read: Input/output error"


@pytest.mark.parametrize("whole", [0, opening._WHOLE])
def test_a_checksum_is_that_of_the_bytes_that_are_decoded(examples, monkeypatch, whole):
    monkeypatch.setattr(opening, "_WHOLE", whole)
    found = recording.inspect(examples["good"])
    samples, _ = recording.read(examples["good"], sha256=found["sha256"])
    np.testing.assert_array_equal(samples, recording.read(examples["good"])[0])
    with pytest.raises(RecordingError, match="changed since the metadata was made"):
        recording.read(examples["good"], sha256="0" * 64)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that refuses to be read")
def test_a_raw_file_keeps_its_read_error():
    with opening._Raw("/proc/self/mem") as raw:  # nothing is mapped at its beginning
        assert raw.readinto(bytearray(3)) == 0
        assert raw.error.errno == errno.EIO


def test_samples_of_a_damaged_exponent_are_a_problem(tmp_path):
    wave = broken.tone()
    wave[500] = 1e38
    soundfile.write(tmp_path / "a.wav", wave, broken.RATE, subtype="FLOAT")
    assert recording.inspect(tmp_path / "a.wav")["problem"] == "samples of up to 1e+38, which is no sound"
    with pytest.raises(RecordingError, match="no sound"):
        recording.read(tmp_path / "a.wav")


def test_a_hollow_file_is_not_read(tmp_path, examples):
    path = tmp_path / "hollow.wav"
    path.write_bytes(examples["endless"].read_bytes()[:8000])
    with path.open("r+b") as handle:
        handle.truncate(4 << 30)
    if path.stat().st_blocks > 1 << 11:
        pytest.skip("this file system keeps no holes")
    start = time.perf_counter()
    assert recording.inspect(path)["problem"] == "only zero bytes after its beginning"
    assert time.perf_counter() - start < 1


def test_what_is_no_sound_is_not_hashed(examples):
    assert recording.inspect(examples["noise_bytes"])["sha256"] is None
    assert recording.inspect(examples["silence"])["sha256"] is not None
