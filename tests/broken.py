"""One small example of every sound file that is bad, odd, or merely looks so.

``make(folder)`` writes them and returns ``{name: path}``. Unusable (a problem must be named):

- ``empty``: no bytes; ``header``: a WAV header and no samples; ``one_sample``; ``too_short``: 5 ms
- ``silence``: all zeros; ``constant``: a constant value, nothing to hear; ``nearly_silent``: below -90 dBFS
- ``nan`` and ``infinite``: float WAVs with such samples; ``overdriven``: over half the samples at full scale
- ``text``: text named .wav; ``web_page``: an error page named .mp3; ``zeros``: zero bytes named .wav; ``noise_bytes``
- ``truncated_flac``, ``truncated_wav``, ``truncated_aiff``, ``truncated_ogg``: cut in the middle
- ``no_ffmpeg``: an MPEG-4 header, which needs ffmpeg and is none; ``slow``: a sample rate of 10 Hz
- ``link_to_nowhere``, ``link_to_itself``: symbolic links

Odd but usable (a note): ``clipped``: 5 % at full scale; ``aiff_named_wav``; ``loud_float``: floats beyond full scale.
Usable without a remark: ``good``, ``bits_8``, ``bits_24``, ``float``, ``stereo``, ``six_channels``, ``rate_96k``,
``window``: shorter than one analysis window, ``spaces``, ``umlaut``: non-ASCII in the path, ``no_stem``: named
``.wav``, ``twin_1`` and ``twin_2``: two files with one name in different folders, ``endless``: a WAV from a pipe, whose
header states no length.
"""

from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000

UNUSABLE = {
    "empty": "empty file",
    "header": "no samples",
    "one_sample": "one sample",
    "too_short": "shorter than",
    "silence": "silence",
    "constant": "silence",
    "nearly_silent": "silence",
    "nan": "NaN",
    "infinite": "infinite",
    "overdriven": "clipped",
    "text": "text named .wav",
    "web_page": "web page named .mp3",
    "zeros": "zero bytes",
    "noise_bytes": "not audio",
    "truncated_flac": "truncated",
    "truncated_wav": "truncated: 8 000 of 16 000 samples",
    "truncated_aiff": "truncated",
    "truncated_ogg": "cut off",
    "no_ffmpeg": "ffmpeg",
    "slow": "sample rate of 10 Hz",
    "link_to_nowhere": "link to nowhere",
    "link_to_itself": "link to nowhere",
}
NOTED = {"clipped": "clipped", "aiff_named_wav": "content is AIFF", "loud_float": "exceeds full scale by 6"}


def tone(seconds: float = 1.0, rate: int = RATE, channels: int = 1) -> np.ndarray:
    """A decaying harmonic tone with some noise, peak below half of full scale."""
    time = np.arange(int(seconds * rate)) / rate
    wave = sum(np.sin(2 * np.pi * 150 * k * time) / k for k in range(1, 8)) * np.exp(-2 * time)
    wave = 0.15 * wave + 0.01 * np.random.default_rng(0).standard_normal(len(time))
    return np.stack([wave * (1 - 0.1 * channel) for channel in range(channels)], axis=1)


def make(folder: Path) -> dict[str, Path]:
    """Write every example under `folder`."""
    made: dict[str, Path] = {}

    def sound(name: str, samples: np.ndarray, file: str | None = None, rate: int = RATE, **how: str) -> Path:
        path = folder / (file or f"{name}.wav")
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, rate, **{"format": "WAV", "subtype": "PCM_16"} | how)
        made[name] = path
        return path

    def content(name: str, data: bytes, file: str | None = None) -> None:
        made[name] = folder / (file or f"{name}.wav")
        made[name].write_bytes(data)

    folder.mkdir(parents=True, exist_ok=True)
    wave = tone()
    good = sound("good", wave).read_bytes()
    spoilt = wave.copy()
    spoilt[500] = np.nan
    sound("nan", spoilt, subtype="FLOAT")
    spoilt[500] = np.inf
    sound("infinite", spoilt, subtype="FLOAT")
    sound("one_sample", wave[:1])
    sound("too_short", wave[:80])
    sound("silence", np.zeros(RATE))
    sound("constant", np.full(RATE, 0.25))
    sound("nearly_silent", wave / np.abs(wave).max() * 3e-5, subtype="PCM_24")
    sound("overdriven", np.clip(wave * 400, -1, 1))
    sound("slow", wave[:100], rate=10)
    content("empty", b"")
    content("header", good[:44])
    content("text", b"Recorded on Monday, all went well.\n" * 40)
    content("web_page", b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n" * 10, "web_page.mp3")
    content("zeros", bytes(2000))
    content("noise_bytes", np.random.default_rng(1).bytes(3000))
    content("truncated_wav", good[: 44 + RATE])
    content("no_ffmpeg", b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42" + bytes(500), "no_ffmpeg.m4a")
    for kind, how in (("flac", "PCM_16"), ("aiff", "PCM_16"), ("ogg", "VORBIS")):
        whole = sound("whole", wave, f"whole.{kind}", format=kind.upper(), subtype=how)
        content(f"truncated_{kind}", whole.read_bytes()[: whole.stat().st_size // 2], f"truncated_{kind}.{kind}")
        whole.unlink()
    del made["whole"]
    for name, target in (("link_to_nowhere", "nowhere.wav"), ("link_to_itself", "link_to_itself.wav")):
        made[name] = folder / f"{name}.wav"
        made[name].symlink_to(target)

    spiked = wave.copy()
    spiked[1000:1800] = 1.0
    sound("clipped", spiked)
    sound("aiff_named_wav", wave, format="AIFF")
    sound("loud_float", wave / np.abs(wave).max() * 2, subtype="FLOAT")

    sound("bits_8", wave, subtype="PCM_U8")
    sound("bits_24", wave, subtype="PCM_24")
    sound("float", wave, subtype="FLOAT")
    sound("stereo", tone(channels=2))
    sound("six_channels", tone(channels=6))
    sound("rate_96k", tone(rate=96_000), rate=96_000)
    sound("window", wave[:900])
    sound("spaces", wave, "a folder with spaces/a file with spaces.wav")
    sound("umlaut", wave, "Übung/größe 東京.wav")
    sound("no_stem", wave, "unnamed/.wav")
    sound("twin_1", wave, "one/twin.wav")
    sound("twin_2", wave[::-1], "two/twin.wav")
    content("endless", good[:4] + b"\xff\xff\xff\xff" + good[8:40] + b"\xff\xff\xff\xff" + good[44:])
    return made
