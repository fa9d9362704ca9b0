"""What `uvectors` measures: sets, trainings, and what is varied one at a time; settings of none saw the figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

SEEDS = range(5)
FEW_SEEDS = range(2)
TRAININGS = ("infonce", "pairwise", "triplet")
PUBLISHED_SPECTRUM = {"n_fft": 191, "window": 128, "hop": 34, "n_mels": 100}


class Part(NamedTuple):
    """One training or baseline on one set with one seed."""

    name: str
    kind: str
    set: str
    seed: int
    settings: dict[str, Any] = {}
    data: dict[str, Any] = {}


VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the nearest are pushed away too": ({"loss": {"ignored": 0.0}}, {}),
    "12 numbers": ({"latent_size": 12}, {}),
    "frames of .5 s": ({}, {"frame": 0.5}),
    "no noise": ({"augmented": 0.0}, {}),
    "noise, equaliser and masks on all": (
        {"augmented": 1.0, "augmentation": {"equaliser": 6.0, "time_mask": 0.2, "frequency_mask": 0.2}},
        {},
    ),
    "reverberation of half": ({"augmentation": {"reverberation": 0.5}}, {}),
    "speed": ({"augmentation": {"speed": 0.1}}, {}),
    "pseudo-label file, words joined by three": ({"pseudo_label": "file"}, {"words": 3}),
    "pseudo-label segment, words joined by three": ({}, {"words": 3}),
    "published spectrum, 100 steps": ({"spectrum": PUBLISHED_SPECTRUM, "steps": 100}, {}),
    "100 steps": ({"steps": 100}, {}),
    "10 people": ({}, {"people": 10}),
    "34 people": ({}, {"people": 34}),
}

QUICK = [
    Part("quick: mfcc", "mfcc", "voices", 0, {}, {"people": 3, "seconds": 4}),
    Part("quick: infonce", "learned", "voices", 0, {"steps": 4, "check_every": 2}, {"people": 3, "seconds": 4}),
    Part("quick: throughput", "speed", "", 0, {"steps": 3, "images": 32}),
]


def parts() -> Iterator[Part]:
    """Yield every part, the most telling first."""
    for seed in SEEDS:
        for kind in ("mfcc", "ge2e"):
            yield Part(f"dspspeech: {kind}", kind, "dspspeech", seed)
        for training in TRAININGS:
            yield Part(f"dspspeech: {training}", "learned", "dspspeech", seed, {"training": training})
    yield Part("throughput, small network", "speed", "", 0, {"steps": 40, "images": 2000})
    for seed in SEEDS:
        yield Part(
            "moonshot: dspspeech joined by five, all 34", "moonshot", "joined_by_five", seed,
            {"pseudo_label": "file", "batch_size": 128},
        )  # fmt: skip
    for seed in SEEDS:
        for name in ("fsdd", "voices"):
            yield Part(f"{name}: mfcc", "mfcc", name, seed)
            for training in TRAININGS:
                yield Part(f"{name}: {training}", "learned", name, seed, {"training": training})
    for seed in SEEDS:
        for share in (0.05, 0.1):
            yield Part(f"dspspeech: infonce, impurity {share}", "learned", "dspspeech", seed, {"impurity": share})
    for seed in FEW_SEEDS:
        for training in ("infonce", "pairwise"):
            leak = {"training": training, "leak": True}
            yield Part(f"dspspeech: {training} with the leak (true labels)", "learned", "dspspeech", seed, leak)
        for what, (settings, data) in VARIANTS.items():
            yield Part(f"dspspeech: infonce, {what}", "learned", "dspspeech", seed, settings, data)
        yield Part(
            "dspspeech: pairwise, 1600 steps", "learned", "dspspeech", seed, {"training": "pairwise", "steps": 1600}
        )
    for people in (50, 100):
        yield Part(f"voices: infonce, {people} people", "learned", "voices", 0, {}, {"people": people})
    few = {"steps": 50, "batch_size": 32, "check_every": 25}
    for network in ("small", "densenet121"):
        yield Part(
            f"dspspeech: infonce, {network}, 50 steps of 32", "learned", "dspspeech", 0, {**few, "network": network}
        )
    published = {"training": "pairwise", "network": "densenet121", "latent_size": 12, "schedule": "constant",
                 "spectrum": PUBLISHED_SPECTRUM, "steps": 20, "check_every": 10, "batch_size": 32}  # fmt: skip
    yield Part("dspspeech: as published, 20 steps of 32", "learned", "dspspeech", 0, published)
