"""The sets that `uvectors` measures on: so many seconds of speech per person, cut, and the last of them held out.

A person's recordings come in an order drawn from the seed; those held out are other recordings than those trained on.
Settings were chosen on `dspspeech`'s other 9 people and on another draw of its 25, scored there on recordings that the
draws of the figures do not hold out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from audioclust import audio
from audioclust.datasets import synthetic
from audioclust.deep.u_vectors_frames import Frames, cut
from benchmarks.voices import SHARED

SAMPLE_RATE = 16_000
PEOPLE = 25
Person = Callable[[], list[np.ndarray]]


class Speech(NamedTuple):
    """Frames of people: which to train on, which are held out, and who speaks in each."""

    name: str
    frames: Frames
    speaker: np.ndarray
    held_out: np.ndarray

    def part(self, held_out: bool) -> tuple[Frames, np.ndarray]:
        keep = self.held_out == held_out
        return self.frames.rows(keep), self.speaker[keep]


def of_people(
    name: str, people: Sequence[Person], seed: int, *, seconds: float = 10, out: float = 2, **how: Any
) -> Speech:
    """Cut recordings of each person, in a drawn order, until there are `seconds` of frames; hold out the last `out`."""
    draw = np.random.default_rng([10, seed])
    every: list[Frames] = []
    speaker, held_out = [], []
    for who, recordings in enumerate(people):
        own = recordings()
        mine: list[Frames] = []
        lengths: list[float] = []
        for place in draw.permutation(len(own)):
            if sum(lengths) >= seconds:
                break
            if len(frames := cut([own[place]], **how)):
                mine.append(frames)
                lengths.append(frames.samples.size / SAMPLE_RATE)
        after = np.cumsum(lengths[::-1])[::-1] - lengths  # seconds that come after each recording
        every += mine
        speaker += [who] * len(mine)
        held_out += list(after < out - 0.3)
    frames = joined_up(every)
    return Speech(name, frames, np.array(speaker)[frames.recording], np.array(held_out)[frames.recording])


def joined_up(every: Sequence[Frames]) -> Frames:
    """Return the frames of single recordings as those of many."""
    segments = np.cumsum([0, *(int(frames.segment.max()) + 1 for frames in every)])
    segment = [frames.segment + start for frames, start in zip(every, segments[:-1], strict=True)]
    recording = np.repeat(np.arange(len(every)), [len(frames) for frames in every])
    samples = np.concatenate([frames.samples for frames in every])
    return Frames(samples, np.concatenate(segment), recording, len(every), SAMPLE_RATE)


def dspspeech(seed: int, *, others: bool = False, words: int = 1, people: int = PEOPLE, **how: Any) -> Speech:
    """25 people of `dspspeech` (or the other 9), `words` joined."""
    order = np.random.default_rng(25).permutation(34)
    chosen = order[PEOPLE:] if others else order[:people]
    every = _dspspeech()
    parts = [lambda own=every[place]: joined(own, words, seed) for place in chosen]
    return of_people("dspspeech", parts, seed, **how)


def fsdd(seed: int, **how: Any) -> Speech:
    """Six people of `fsdd`, the ten digits of a take joined."""
    return of_people("fsdd joined", [lambda own=own: own for own in _fsdd()], seed, **how)


def voices(seed: int, *, people: int = 25, takes: int = 12, **how: Any) -> Speech:
    """Synthetic voices, three words joined."""

    def spoken(who: int) -> list[np.ndarray]:
        return [
            np.concatenate([synthetic.utterance(who, word, take, random_state=1) for word in range(3)])
            / np.float32(32768)
            for take in range(takes)
        ]

    return of_people("synthetic voices", [lambda who=who: spoken(who) for who in range(people)], seed, **how)


def joined_by_five(seed: int) -> Speech:
    """Everybody of `dspspeech`, five words joined, nothing held out; the same recordings whatever the seed."""
    draw = np.random.default_rng(60)
    waves, speaker = [], []
    for who, own in enumerate(_dspspeech()):
        order = draw.permutation(len(own))
        mine = [np.concatenate([own[i] for i in order[a : a + 5]]) for a in range(0, len(own) - 4, 5)]
        waves += mine
        speaker += [who] * len(mine)
    frames = cut(waves)
    return Speech("dspspeech joined", frames, np.array(speaker)[frames.recording], np.zeros(len(frames), bool))


def joined(own: list[np.ndarray], words: int, seed: int) -> list[np.ndarray]:
    """Join so many recordings, in a drawn order."""
    if words == 1:
        return own
    order = np.random.default_rng([60, seed]).permutation(len(own))
    return [np.concatenate([own[i] for i in order[a : a + words]]) for a in range(0, len(own) - words + 1, words)]


@lru_cache(maxsize=1)
def _dspspeech() -> list[list[np.ndarray]]:
    folders = sorted(path for path in (SHARED / "datasets" / "dspspeech").iterdir() if path.is_dir())
    return [[audio.load(path, SAMPLE_RATE)[0] for path in sorted(folder.glob("*.flac"))] for folder in folders]


@lru_cache(maxsize=1)
def _fsdd() -> list[list[np.ndarray]]:
    takes: dict[str, dict[str, list[np.ndarray]]] = {}
    for path in sorted((SHARED / "datasets" / "fsdd").rglob("*.flac")):
        _, who, take = path.stem.split("_")
        takes.setdefault(who, {}).setdefault(take, []).append(audio.load(path, SAMPLE_RATE)[0])
    return [[np.concatenate(parts) for parts in own.values()] for own in takes.values()]
