"""What `uvectors` measures: sets, trainings, and what is varied one at a time; settings of none saw the figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

SEEDS = range(1, 6)  # draw 0 was looked at while the settings were chosen
FEW_SEEDS = range(1, 3)
PUBLISHED_SPECTRUM = {"n_fft": 191, "window": 128, "hop": 34, "n_mels": 100}


class Part(NamedTuple):
    """One training or baseline on one set with one seed."""

    name: str
    kind: str
    set: str
    seed: int
    settings: dict[str, Any] = {}
    data: dict[str, Any] = {}


CHANGES = {"equaliser": 6.0, "time_mask": 0.2, "frequency_mask": 0.2}
CHOSEN = {"augmented": 1.0, "augmentation": CHANGES, "steps": 1200}
"""For dspspeech: chosen on its 9 other people; the steps after a look at the first draw, which the table leaves out."""
VOICE = {"split": "voice"}
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "noise on half alone, as published": ({"augmented": 0.5, "augmentation": None}, VOICE),
    "silence split, as published": ({}, {}),
    "the nearest are pushed away too": ({"loss": {"ignored": 0.0}}, VOICE),
    "pseudo-label file": ({"pseudo_label": "file"}, VOICE),
    "12 numbers": ({"latent_size": 12}, VOICE),
    "frames of .5 s": ({}, {"frame": 0.5, **VOICE}),
    "34 people": ({}, {"people": 34, **VOICE}),
    "published spectrum, 100 steps": ({"spectrum": PUBLISHED_SPECTRUM, "steps": 100}, VOICE),
    "100 steps": ({"steps": 100}, VOICE),
    "10 people": ({}, {"people": 10, **VOICE}),
    "no noise": ({"augmentation": {**CHANGES, "noise": 0.0}}, VOICE),
    "reverberation of half too": ({"augmentation": {**CHANGES, "reverberation": 0.5}}, VOICE),
    "speed too": ({"augmentation": {**CHANGES, "speed": 0.1}}, VOICE),
}

QUICK = [
    Part("quick: mfcc", "mfcc", "voices", 0, {}, {"people": 3, "seconds": 4}),
    Part("quick: infonce", "learned", "voices", 0, {"steps": 4, "check_every": 2}, {"people": 3, "seconds": 4}),
    Part("quick: throughput", "speed", "", 0, {"steps": 3, "images": 32}),
]


def parts() -> Iterator[Part]:
    """Yield every part, the most telling first."""
    yield from (part for seed in SEEDS for part in _main(seed))
    yield Part("throughput, small network", "speed", "", 0, {"steps": 40, "images": 2000})
    yield from (part for seed in SEEDS for part in _others(seed))
    yield from (part for seed in SEEDS for part in _losses(seed))
    yield from (part for seed in SEEDS for part in _varied(seed))
    for people in (50, 100):
        yield Part(f"voices: infonce, {people} people", "learned", "voices", 0, {}, {"people": people})
    for network in ("small", "densenet121"):
        few = {**CHOSEN, "steps": 50, "batch_size": 32, "check_every": 25, "network": network}
        yield Part(f"dspspeech: infonce, {network}, 50 steps of 32", "learned", "dspspeech", 0, few, VOICE)


def _main(seed: int) -> Iterator[Part]:
    for kind in ("mfcc", "ge2e"):
        yield Part(f"dspspeech: {kind}", kind, "dspspeech", seed, {}, VOICE)
    yield _dspspeech("infonce", seed, {})
    whole = {"pseudo_label": "file", "batch_size": 128}
    yield Part("dspspeech joined by five, all 34", "moonshot", "joined_by_five", seed, whole)


def _others(seed: int) -> Iterator[Part]:
    for name in ("fsdd", "voices"):
        yield Part(f"{name}: mfcc", "mfcc", name, seed)
        yield Part(f"{name}: infonce", "learned", name, seed, {"training": "infonce"})


def _losses(seed: int) -> Iterator[Part]:
    for training in ("pairwise", "triplet"):
        yield _dspspeech(training, seed, {"training": training})
    for name in ("fsdd", "voices"):
        for training in ("pairwise", "triplet"):
            yield Part(f"{name}: {training}", "learned", name, seed, {"training": training})


def _varied(seed: int) -> Iterator[Part]:
    for share in (0.05, 0.1):
        yield _dspspeech(f"infonce, impurity {share}", seed, {"impurity": share})
    if seed not in FEW_SEEDS:
        return
    for training in ("infonce", "pairwise"):
        yield _dspspeech(f"{training} with the leak (true labels)", seed, {"training": training, "leak": True})
    for what, (settings, data) in VARIANTS.items():
        yield _dspspeech(f"infonce, {what}", seed, settings, data)
    for frame in (0.5, 1.0):
        yield Part(f"fsdd: infonce, frames of {frame} s", "learned", "fsdd", seed, {}, {"frame": frame})
    yield _dspspeech("infonce, 400 steps", seed, {"steps": 400})
    yield _dspspeech("pairwise, 4000 steps", seed, {"training": "pairwise", "steps": 4000})


def _dspspeech(what: str, seed: int, settings: dict[str, Any], data: dict[str, Any] = VOICE) -> Part:
    return Part(f"dspspeech: {what}", "learned", "dspspeech", seed, {**CHOSEN, **settings}, data)
