"""What `uvectors` measures: sets, trainings, and what is varied one at a time; settings of none saw the figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

SEEDS = range(1, 6)
PUBLISHED_SPECTRUM = {"n_fft": 191, "window": 128, "hop": 34, "n_mels": 100}


class Part(NamedTuple):
    """One training or baseline on one set with one seed."""

    name: str
    kind: str
    set: str
    seed: int
    settings: dict[str, Any] = {}
    data: dict[str, Any] = {}


CHANGES = {"equaliser": 6.0, "time_mask": 0.4, "frequency_mask": 0.4}
FEW = {"ignored": 0.05}  # about one by the number of people, which has to be guessed
SHORT = {"augmented": 1.0, "augmentation": CHANGES, "loss": FEW, "steps": 400}
"""What is varied one at a time: a training of a quarter of a minute."""
CHOSEN = {**SHORT, "steps": 800, "batch_size": 128, "latent_size": 64, "check_every": 100}
"""The training that the bar is for. Chosen on draw 10, scored on recordings that draws 1 to 5 do not hold out."""
PAIRWISE = {"training": "pairwise", "loss": None}
VOICE = {"split": "voice"}
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "pairwise": (PAIRWISE, VOICE),
    "triplet": ({"training": "triplet", "loss": None}, VOICE),
    "infonce with the leak (true labels)": ({"leak": True}, VOICE),
    "pairwise with the leak (true labels)": ({**PAIRWISE, "leak": True}, VOICE),
    "noise on half alone, as published": ({"augmented": 0.5, "augmentation": None}, VOICE),
    "masks of .2 at most": ({"augmentation": {**CHANGES, "time_mask": 0.2, "frequency_mask": 0.2}}, VOICE),
    "the nearest are pushed away too": ({"loss": {"ignored": 0.0}}, VOICE),
    "the nearest tenth is left alone": ({"loss": {"ignored": 0.1}}, VOICE),
    "pseudo-label file": ({"pseudo_label": "file"}, VOICE),
    "12 numbers": ({"latent_size": 12}, VOICE),
    "silence split, as published": ({}, {}),
    "frames of .5 s": ({}, {"frame": 0.5, **VOICE}),
    "no noise": ({"augmentation": {**CHANGES, "noise": 0.0}}, VOICE),
    "reverberation of half too": ({"augmentation": {**CHANGES, "reverberation": 0.5}}, VOICE),
    "speed too": ({"augmentation": {**CHANGES, "speed": 0.1}}, VOICE),
    "34 people": ({}, {"people": 34, **VOICE}),
    "10 people": ({}, {"people": 10, **VOICE}),
}
"""Of :data:`SHORT`; frames of 1 s do not fit into the words of dspspeech, `fsdd` has them."""

LONG = {
    "training": "pairwise", "latent_size": 12, "batch_size": 128, "schedule": "constant", "steps": 1800,
    "check_every": 300,
}  # fmt: skip
"""Ten people as published but for network and spectrum: about 600 times through their frames, noise on half."""

_TINY = {"people": 3, "seconds": 6, "takes": 4}
QUICK = [
    Part("quick: mfcc", "mfcc", "voices", 0, {}, _TINY),
    Part("quick: infonce", "learned", "voices", 0, {"steps": 4, "check_every": 2}, _TINY),
    Part("quick: throughput", "speed", "", 0, {"steps": 3, "images": 32}),
]


def parts() -> Iterator[Part]:
    """Yield every part, the most telling first."""
    yield from (part for seed in SEEDS for part in _main(seed))
    yield Part("throughput, small network", "speed", "", 0, {"steps": 40, "images": 2000})
    yield from (part for seed in SEEDS for part in _short(seed))
    yield from (part for seed in SEEDS for part in _others(seed))
    for what, leak in {"": {}, " with the leak (true labels)": {"leak": True}}.items():
        name = f"dspspeech, long: pairwise{what}"
        yield Part(name, "learned", "dspspeech", 1, {**LONG, **leak}, {"people": 10, **VOICE})
    for network in ("small", "densenet121"):
        few = {**SHORT, "spectrum": PUBLISHED_SPECTRUM, "steps": 20, "batch_size": 16, "check_every": 20}
        what = f"dspspeech, 10 people: {network}, published spectrum, 20 steps of 16 pairs"
        yield Part(what, "learned", "dspspeech", 1, {**few, "network": network}, {"people": 10, **VOICE})
    few = {**SHORT, "steps": 50}
    for what, settings in {"": few, ", published spectrum": {**few, "spectrum": PUBLISHED_SPECTRUM}}.items():
        yield Part(f"dspspeech: infonce, 50 steps{what}", "learned", "dspspeech", 1, settings, VOICE)
    for people in (50, 100, 150):
        for kind in ("mfcc", "learned"):
            name = f"voices: {'infonce' if kind == 'learned' else kind}, {people} people"
            yield Part(name, kind, "voices", 1, {}, {"people": people})


def _main(seed: int) -> Iterator[Part]:
    for kind in ("mfcc", "ge2e"):
        yield Part(f"dspspeech: {kind}", kind, "dspspeech", seed, {}, VOICE)
    yield Part("dspspeech: infonce", "learned", "dspspeech", seed, CHOSEN, VOICE)
    whole = {"pseudo_label": "file", "batch_size": 128}
    yield Part("dspspeech joined by five, all 34", "moonshot", "joined_by_five", seed, whole)


def _short(seed: int) -> Iterator[Part]:
    for share in (0.0, 0.05, 0.1):
        settings = {**SHORT, "impurity": share} if share else SHORT
        yield Part(f"dspspeech, short: infonce, impurity {share}", "learned", "dspspeech", seed, settings, VOICE)
    for what, (settings, data) in VARIANTS.items():
        yield Part(f"dspspeech, short: {what}", "learned", "dspspeech", seed, {**SHORT, **settings}, data)
        if data != VOICE:
            yield Part(f"dspspeech, {what}: mfcc", "mfcc", "dspspeech", seed, {}, data)


def _others(seed: int) -> Iterator[Part]:
    for name in ("fsdd", "voices"):
        yield Part(f"{name}: mfcc", "mfcc", name, seed)
        for training in ("infonce", "pairwise", "triplet"):
            yield Part(f"{name}: {training}", "learned", name, seed, {"training": training})
    for frame in (0.5, 1.0):
        yield Part(f"fsdd: mfcc, frames of {frame} s", "mfcc", "fsdd", seed, {}, {"frame": frame})
        yield Part(f"fsdd: infonce, frames of {frame} s", "learned", "fsdd", seed, {}, {"frame": frame})
