"""Voices: speaker vectors of the shared recordings, the number of people unknown and nothing set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks._answer_rows import Cases, Row, accuracy, answer, best_level, one_set, row, several_sets
from benchmarks._answer_sets import audiomnist, dspspeech, fsdd

HARD = {0.9: 0.995, 1.2: 0.995, 1.4: 0.99, 1.6: 0.96}
SINGLE_WORDS = {"fsdd": 0.96, "dspspeech": 0.87}
Vectors = dict[str, np.ndarray]
Pair = tuple[np.ndarray, np.ndarray]
Pairs = Iterator[Pair]


def cases(seed: int = 0) -> Cases:
    """Return every measurement by name; another seed draws other subsets, sizes and noise."""
    names: Cases = {
        "dspspeech joined": partial(
            whole, "dspspeech joined by five words", dspspeech, 5, "34 people, ACC >= .995", 0.995
        ),
        "dspspeech subsets": lambda: several_sets(
            "dspspeech, 40 subsets of 1 to 20 people",
            subsets(seed),
            bar="the number exactly right in >= 95 %",
            exact=0.95,
        ),
        "dspspeech one person": lambda: several_sets(
            "dspspeech, each of 34 people alone", alone(), bar="one voice in >= 95 %", exact=0.95
        ),
        "dspspeech power law joined": lambda: several_sets(
            "dspspeech, power law of 1 to 12 joined", power_law(5, 1, 12, seed), bar="ACC >= .95", least=0.95
        ),
        "dspspeech power law words": lambda: several_sets(
            "dspspeech, power law of 2 to 60 single words", power_law(1, 2, 60, seed)
        ),
        "fsdd joined": partial(whole, "fsdd, ten digits joined", fsdd, True, "6 people, ARI 1", 1.0),
        "single words": single_words,
        "audiomnist clean": lambda: one_set(
            "audiomnist_ecapa, 60 x 50", *audiomnist(50, 0.0, 0)[1:], bar="60 people, ACC 1", least=1.0
        ),
    }
    for per_person in (10, 5, 20, 50):
        for noise in HARD:
            names[f"audiomnist hard {per_person} {noise}"] = partial(hard, per_person, noise, seed)
    return names


def whole(what: str, vectors: Callable[[Any], Vectors], kind: int, bar: str, least: float) -> Row:
    made = vectors(kind)
    return one_set(what, made["X"], made["speaker"], bar=bar, least=least)


def hard(per_person: int, noise: float, seed: int) -> Row:
    least = HARD[noise]
    sets = (
        audiomnist(per_person, noise, 500 + 10 * seed + number)[1:] for number in range(2 if per_person == 50 else 4)
    )
    bar = f"every noise seed: ACC >= {least}, k within 3 of 60"
    return several_sets(f"audiomnist_ecapa, {per_person} each, noise {noise}", sets, bar=bar, least=least, within=3)


def subsets(seed: int, number: int = 40) -> Pairs:
    """Yield random people of `dspspeech`, 6 to 12 utterances of five words each."""
    made = dspspeech(5)
    draw = np.random.default_rng([40, seed])
    for turn in range(number):
        people = draw.choice(np.unique(made["speaker"]), (1, 2, 3, 5, 10, 20)[turn % 6], replace=False)
        yield rows_of(made, people, draw.integers(6, 13, len(people)), draw)


def alone() -> Pairs:
    made = dspspeech(5)
    for who in np.unique(made["speaker"]):
        own = made["speaker"] == who
        yield made["X"][own], made["speaker"][own]


def power_law(words: int, least: int, most: int, seed: int, number: int = 5) -> Pairs:
    """Yield all people of `dspspeech`, their numbers of recordings drawn with a probability of 1 / number."""
    made = dspspeech(words)
    people = np.unique(made["speaker"])
    allowed = np.arange(least, most + 1)
    for turn in range(number):
        draw = np.random.default_rng([60, seed, turn])
        yield rows_of(made, people, draw.choice(allowed, len(people), p=1 / allowed / (1 / allowed).sum()), draw)


def rows_of(made: Vectors, people: np.ndarray, sizes: np.ndarray, draw: np.random.Generator) -> Pair:
    """Return so many random rows of each of these people, and who speaks."""
    own = [np.flatnonzero(made["speaker"] == who) for who in people]
    rows = np.concatenate(
        [draw.choice(mine, min(size, len(mine)), replace=False) for mine, size in zip(own, sizes, strict=True)]
    )
    return made["X"][rows], made["speaker"][rows]


def single_words() -> Row:
    """Measure both sets of single words: the people are on a level shown, and recommended on one of the two."""
    shown, recommended, told, seconds = [], [], [], 0.0
    for name, least in SINGLE_WORDS.items():
        made = fsdd(False) if name == "fsdd" else dspspeech(1)
        given = answer(made["X"])
        best, at = best_level(given, made["speaker"])
        acc = accuracy(given.labels, made["speaker"])
        shown.append(best >= least and len(given.levels) <= 4)
        recommended.append(acc >= least)
        seconds += given.seconds
        told.append(f"{name}: {given.k} recommended, ACC {acc:.3f}; levels {given.shown}, best {best:.3f} at {at}")
    bar = "fsdd >= .96 and dspspeech >= .87 on one of at most four levels; recommended on one of the two"
    return row("single words", "; ".join(told), bar=bar, reached=all(shown) and any(recommended), seconds=seconds)
