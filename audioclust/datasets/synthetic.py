"""Voices that speak: recordings for trying everything out, with nothing to download.

Each speaker is a source-filter model of a voice (Fant, *Acoustic Theory of Speech Production*, 1960). The source is a
train of glottal pulses (Rosenberg, "Effect of glottal pulse shape on the quality of natural vowels", JASA 1971) whose
pitch falls and moves with each syllable, with cycle-to-cycle jitter and shimmer and with breath noise; the filter is a
cascade of formant resonators (Klatt, "Software for a cascade/parallel formant synthesizer", JASA 1980) whose
frequencies scale with the length of the vocal tract. Words are sequences of syllables: a burst, a hiss, a nasal or a
glide, and a vowel it glides into. What separates speakers is pitch, tract length, spectral slope and breath; what hides
them is level, background noise, silence at both ends, speaking rate and mood, different in every take.

A recording depends on the seed, its speaker, word and take alone, so a larger set contains the smaller one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from scipy.signal import lfilter, sosfilt

from audioclust import files, parallel
from audioclust.datasets.metadata import scan
from audioclust.datasets.walking import recordings_under

__all__ = ["generate", "utterance"]

# Formant frequencies in Hz of an adult male's vowels and of the places consonants are made at.
_VOWELS = {"a": (730, 1090, 2440), "e": (530, 1840, 2480), "i": (280, 2250, 2950), "o": (560, 860, 2410),
           "u": (310, 880, 2240)}  # fmt: skip
_LIPS, _RIDGE, _PALATE = (320, 850, 2250), (330, 1750, 2600), (300, 1950, 2350)
_HIGHER = (3450.0, 4350.0)
_BANDWIDTHS = (70.0, 95.0, 130.0, 200.0, 280.0)
_STEP = 0.005  # s between two sets of filter coefficients


@dataclass(frozen=True)
class _Consonant:
    """Where it is made, how long it lasts (s), how loud its voice is, and its hiss: strength, centre, width (Hz)."""

    place: tuple[int, int, int]
    duration: float
    voice: float
    hiss: float = 0.0
    centre: float = 1000.0
    width: float = 1000.0
    burst: bool = False


_CONSONANTS = {
    "p": _Consonant(_LIPS, 0.07, 0.0, 0.5, 900, 900, burst=True),
    "t": _Consonant(_RIDGE, 0.07, 0.0, 0.6, 3900, 1600, burst=True),
    "k": _Consonant(_PALATE, 0.08, 0.0, 0.6, 1900, 800, burst=True),
    "b": _Consonant(_LIPS, 0.06, 0.12, 0.2, 800, 900, burst=True),
    "d": _Consonant(_RIDGE, 0.06, 0.12, 0.25, 3500, 1600, burst=True),
    "s": _Consonant(_RIDGE, 0.10, 0.0, 0.35, 5600, 1800),
    "f": _Consonant(_LIPS, 0.09, 0.0, 0.12, 4000, 6000),
    "m": _Consonant((260, 1000, 2200), 0.07, 0.45),
    "n": _Consonant((270, 1500, 2500), 0.07, 0.45),
    "l": _Consonant((360, 1150, 2700), 0.06, 0.6),
}
_KINDS = ("ptk", "bd", "sf", "mn", "lmn")


@dataclass(frozen=True)
class _Voice:
    """What a speaker keeps from take to take."""

    pitch: float  # Hz
    tract: float  # formant frequencies relative to the tables above
    colour: tuple[float, ...]  # the same, formant by formant
    width: float  # bandwidths relative to the table above
    slope: float  # pole of the low-pass that tilts the source's spectrum
    breath: float  # noise relative to the pulses
    open: float  # share of the cycle in which the glottis opens
    jitter: float
    shimmer: float
    rate: float  # speaking rate relative to the durations above


def generate(
    root: str | Path,
    *,
    speakers: int = 8,
    words: int = 4,
    takes: int = 5,
    sample_rate: int = 16_000,
    random_state: int = 0,
    jobs: parallel.Jobs = 1,
) -> pd.DataFrame:
    """Write the recordings of a synthetic dataset, ``SPEAKER/SPEAKER_WORD_TAKE.wav`` in 16-bit PCM, and scan them.

    Recordings already there from the same parameters are kept; those of other parameters are replaced.

    Parameters
    ----------
    root : str or Path
        Folder to write to; made if missing. It may hold nothing but an earlier synthetic dataset.
    speakers, words, takes : int
        How many voices, how many words (the same for all voices), how often each voice says each word.
    sample_rate : int
        In Hz, at least 8 000.
    random_state : int
        Seed. The same seed gives the same samples on every machine.
    jobs : int or str
        Worker processes, see :mod:`audioclust.parallel`.

    Returns
    -------
    DataFrame
        The metadata table, with the label columns ``speaker``, ``word`` and ``take``.

    Raises
    ------
    ValueError
        When a number is out of range, or `root` holds other recordings.
    """
    for name, value, least in (("speakers", speakers, 1), ("words", words, 1), ("takes", takes, 1),
                               ("sample_rate", sample_rate, 8000), ("random_state", random_state, 0)):  # fmt: skip
        if value < least:
            raise ValueError(f"{name}={value}: give at least {least}")
    root = Path(root)
    parameters = {"speakers": speakers, "words": words, "takes": takes, "sample_rate": sample_rate,
                  "random_state": random_state}  # fmt: skip
    wanted = _plan(speakers, words, takes, random_state)
    root.mkdir(parents=True, exist_ok=True)
    record = root / "synthetic.json"
    earlier = files.read_json(record) if record.exists() else None
    if earlier is not None and earlier != parameters:
        for path in _plan(*(earlier[name] for name in ("speakers", "words", "takes", "random_state"))):
            (root / path).unlink(missing_ok=True)
    foreign = [path for path in recordings_under(root) if path not in wanted]
    if foreign:
        raise ValueError(f"root={str(root)!r}: holds other recordings ({foreign[0]}); give an empty folder")
    files.write_json(record, parameters)
    missing = [(path, *number) for path, number in wanted.items() if not (root / path).exists()]
    write = partial(_write, root, sample_rate=sample_rate, random_state=random_state)
    for _ in parallel.map(write, missing, jobs=jobs, description="synthetic voices"):
        pass
    return scan(root, rule="synthetic", jobs=jobs)


def utterance(speaker: int, word: int, take: int, *, sample_rate: int = 16_000, random_state: int = 0) -> np.ndarray:
    """Return one recording's samples.

    Parameters
    ----------
    speaker, word, take : int
        Numbers from 0.
    sample_rate : int
        In Hz.
    random_state : int
        Seed of the dataset.

    Returns
    -------
    ndarray [shape=(n,), int16]
        About a second of speech.
    """
    voice = _voice(speaker, random_state)
    rng = _generator(random_state, 2, speaker, word, take)
    mood = {  # how this take differs from the speaker's others
        "pitch": rng.uniform(0.93, 1.08),
        "tract": rng.uniform(0.98, 1.02),
        "slope": rng.uniform(-0.05, 0.05),
        "rate": rng.uniform(0.88, 1.12),
        "breath": rng.uniform(0.6, 1.6),
    }
    tracks = _tracks(_word(word, random_state), voice, mood, rng)
    before, after = (int(sample_rate * rng.uniform(0.05, 0.35)) for _ in range(2))
    level, distance, colour = rng.uniform(-34, -18), rng.uniform(25, 45), rng.uniform(0.7, 0.95)
    speech = _speak(tracks, voice, mood, sample_rate, rng)
    speech = np.concatenate([np.zeros(before), speech, np.zeros(after)])
    speech *= 10 ** (level / 20) / np.sqrt(np.mean(speech[before : len(speech) - after] ** 2))
    noise = lfilter([1.0], [1.0, -colour], rng.standard_normal(len(speech)))
    noise *= 10 ** ((level - distance) / 20) / np.sqrt(np.mean(noise**2))
    return np.clip(np.rint((speech + noise) * 32768), -32768, 32767).astype(np.int16)


def _plan(speakers: int, words: int, takes: int, random_state: int) -> dict[str, tuple[int, int, int]]:
    """Return the path of every recording and its speaker, word and take."""
    digits = max(2, len(str(speakers)))
    return {
        f"s{speaker + 1:0{digits}}/s{speaker + 1:0{digits}}_{''.join(_word(word, random_state))}_{take + 1}.wav": (
            speaker,
            word,
            take,
        )
        for speaker in range(speakers)
        for word in range(words)
        for take in range(takes)
    }


def _write(root: Path, what: tuple[str, int, int, int], *, sample_rate: int, random_state: int) -> None:
    path, speaker, word, take = what
    samples = utterance(speaker, word, take, sample_rate=sample_rate, random_state=random_state)
    with files.atomic(root / path) as partial_:
        soundfile.write(partial_, samples, sample_rate, subtype="PCM_16")


def _generator(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


def _word(number: int, random_state: int) -> list[str]:
    """Return the syllables of a word: every vowel and every kind of consonant once, so that words weigh alike."""
    spoken: list[list[str]] = []
    attempt = 0
    while len(spoken) <= number:
        rng = _generator(random_state, 0, attempt)
        heads = [kind[int(rng.integers(len(kind)))] for kind in _KINDS]
        order, vowels = rng.permutation(len(heads)), rng.permutation(len(_VOWELS))
        word = [heads[head] + list(_VOWELS)[vowel] for head, vowel in zip(order, vowels, strict=True)]
        attempt += 1
        if word not in spoken:
            spoken.append(word)
    return spoken[number]


def _voice(speaker: int, random_state: int) -> _Voice:
    """Return a speaker's voice. Pitch and tract length walk through their ranges so that no two speakers coincide."""
    shift = _generator(random_state, 1).uniform(0, 1, 2)
    rng = _generator(random_state, 1, speaker + 1)
    # Steps by the plastic number's powers fill the plane evenly for any number of speakers.
    high, long = (shift + (speaker + 1) * np.array([0.7548776662466927, 0.5698402909980532])) % 1
    return _Voice(
        pitch=85 * 2.9**high,
        tract=0.86 * 1.4 ** (0.75 * long + 0.25 * high),
        colour=tuple(rng.uniform(0.93, 1.07, 5)),
        width=rng.uniform(0.8, 1.5),
        slope=rng.uniform(0.3, 0.85),
        breath=10 ** rng.uniform(-2.2, -0.9),
        open=rng.uniform(0.35, 0.6),
        jitter=rng.uniform(0.003, 0.02),
        shimmer=rng.uniform(0.02, 0.1),
        rate=rng.uniform(0.85, 1.15),
    )


def _tracks(word: list[str], voice: _Voice, mood: dict[str, float], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return formants, loudness of voice and hiss, and pitch, one value every 5 ms, gliding from sound to sound."""
    rate = voice.rate * mood["rate"]
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ("formants", "voice", "hiss", "centre", "width")}

    def hold(duration: float, formants: tuple[int, ...], voiced: float, hiss: float, consonant: _Consonant) -> None:
        count = max(1, round(duration / rate / _STEP))
        for name, value in (("formants", [*formants, *_HIGHER]), ("voice", [voiced]), ("hiss", [hiss]),
                            ("centre", [consonant.centre]), ("width", [consonant.width])):  # fmt: skip
            parts[name].append(np.tile(np.asarray(value, float), (count, 1)))

    accents = []
    for syllable in word:
        consonant, vowel = _CONSONANTS[syllable[0]], _VOWELS[syllable[1]]
        length = consonant.duration * rng.uniform(0.85, 1.15)
        if consonant.burst:
            hold(length, consonant.place, consonant.voice, 0.0, consonant)
            hold(0.02, consonant.place, consonant.voice, consonant.hiss, consonant)
        else:
            hold(length, consonant.place, consonant.voice, consonant.hiss, consonant)
        target = tuple(np.asarray(vowel) * rng.uniform(0.95, 1.05, 3))
        accents.append(sum(map(len, parts["voice"])))
        hold(rng.uniform(0.09, 0.16), target, rng.uniform(0.75, 1.0), 0.0, consonant)
    joined = {name: np.concatenate(pieces) for name, pieces in parts.items()}
    scale = voice.tract * mood["tract"] * np.asarray(voice.colour)
    joined["formants"] = _glide(joined["formants"], 11) * scale
    joined["voice"] = _glide(joined["voice"], 5)
    joined["hiss"] = _glide(joined["hiss"], 3)
    time = np.arange(len(joined["voice"])) / len(joined["voice"])
    contour = 1.08 - 0.2 * time  # pitch falls over the word and rises a little on each vowel
    for start in accents:
        contour += rng.uniform(0.0, 0.1) * np.exp(-((np.arange(len(time)) - start - 8) ** 2) / 72)
    joined["pitch"] = voice.pitch * mood["pitch"] * contour
    return joined


def _glide(track: np.ndarray, length: int) -> np.ndarray:
    """Smooth a track of targets into movement."""
    weights = np.hanning(length + 2)[1:-1]
    padded = np.pad(track, ((length // 2, length // 2), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, length, axis=0)
    return (windows * (weights / weights.sum())).sum(axis=-1)


def _speak(
    tracks: dict[str, np.ndarray], voice: _Voice, mood: dict[str, float], sample_rate: int, rng: np.random.Generator
) -> np.ndarray:
    """Drive the formant filter with the glottal source, and add the hiss."""
    step = round(_STEP * sample_rate)
    count = len(tracks["pitch"]) * step
    at = np.arange(count) / step
    loud, hiss = (np.interp(at, np.arange(len(at) // step), tracks[name][:, 0]) for name in ("voice", "hiss"))
    source = _source(np.interp(at, np.arange(len(at) // step), tracks["pitch"]), voice, mood, sample_rate, rng) * loud
    low = tracks["formants"] < 0.46 * sample_rate
    formants = np.minimum(tracks["formants"], 0.46 * sample_rate)
    widths = np.where(low, np.asarray(_BANDWIDTHS) * voice.width, 0.4 * sample_rate)
    voiced = _resonate(source, formants, widths, step, sample_rate)
    centre = np.minimum(tracks["centre"] * voice.tract**0.5, 0.42 * sample_rate)
    noise = _resonate(rng.standard_normal(count) * hiss, centre, tracks["width"], step, sample_rate)
    reference = np.sqrt(np.mean(voiced**2))
    noise *= reference / max(float(np.sqrt(np.mean(noise**2))), 1e-9) * min(1.0, 3 * float(np.mean(hiss)) + 0.05)
    edge = np.minimum(1, np.minimum(np.arange(count), np.arange(count)[::-1]) / (0.015 * sample_rate))
    return (voiced + noise) * edge


def _source(
    pitch: np.ndarray, voice: _Voice, mood: dict[str, float], sample_rate: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the derivative of the flow through the glottis, breath included."""
    starts, lengths, strengths = [], [], []
    position = 0.0
    while position < len(pitch):
        length = sample_rate / pitch[int(position)] * (1 + voice.jitter * rng.standard_normal())
        starts.append(position)
        lengths.append(length)
        strengths.append(1 + voice.shimmer * rng.standard_normal())
        position += length
    sample = np.arange(len(pitch))
    cycle = np.searchsorted(starts, sample, side="right") - 1
    phase = (sample - np.asarray(starts)[cycle]) / np.asarray(lengths)[cycle]
    closing = 0.16
    rising = 0.5 * (1 - np.cos(np.pi * phase / voice.open))
    falling = np.cos(0.5 * np.pi * (phase - voice.open) / closing)
    flow = np.where(phase < voice.open, rising, np.where(phase < voice.open + closing, falling, 0.0))
    flow *= np.asarray(strengths)[cycle]
    pulses = np.diff(flow, prepend=0.0) * (sample_rate / 16_000)
    breath = voice.breath * mood["breath"] * rng.standard_normal(len(pitch)) * (0.25 + flow)
    slope = float(np.clip(voice.slope + mood["slope"], 0.0, 0.95)) ** (16_000 / sample_rate)
    return lfilter([1 - slope], [1.0, -slope], pulses + 0.3 * breath)


def _resonate(
    signal: np.ndarray, frequencies: np.ndarray, widths: np.ndarray, step: int, sample_rate: int
) -> np.ndarray:
    """Filter with a cascade of resonators of gain 1 at 0 Hz, whose coefficients change every `step` samples."""
    radius = np.exp(-np.pi * widths / sample_rate)
    first = -2 * radius * np.cos(2 * np.pi * frequencies / sample_rate)
    second = radius**2
    sections = np.zeros((*frequencies.shape, 6))
    sections[..., 0], sections[..., 3] = 1 + first + second, 1.0
    sections[..., 4], sections[..., 5] = first, second
    output = np.empty_like(signal)
    state = np.zeros((frequencies.shape[1], 2))
    for index, section in enumerate(sections):
        piece = slice(index * step, (index + 1) * step)
        output[piece], state = sosfilt(section, signal[piece], zi=state)
    return output
