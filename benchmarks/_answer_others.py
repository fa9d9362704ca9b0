"""Other sets, made here: what speaker vectors of other encoders, rooms and languages may look like. No bars."""

from __future__ import annotations

from functools import partial

import numpy as np

from audioclust.evaluation import equal_error_rate
from audioclust.geometry import unit_rows
from benchmarks._answer_rows import Cases, Row, one_set, several_sets
from benchmarks._answer_sets import audiomnist, available

Pair = tuple[np.ndarray, np.ndarray]


def cases(seed: int = 0) -> Cases:
    """Return every measurement by name; three draws of each."""
    made = {
        "quick 8 people": lambda draw: people(draw, [12] * 8, 64, 0.6),
        "heavy-tailed spread": lambda draw: people(draw, [12] * 40, 192, 0.7, tails=4),
        "narrow cone": lambda draw: narrow(draw, people(draw, [12] * 40, 192, 0.8)),
        "two sexes": lambda draw: hierarchy(draw, (2, 20, 1), 12, (1.0, 0.7, 0.0), 0.5),
        "sessions": lambda draw: hierarchy(draw, (1, 25, 4), 6, (0.0, 1.0, 0.35), 0.45),
        "languages, people, sessions": lambda draw: hierarchy(draw, (3, 12, 3), 5, (0.6, 0.8, 0.3), 0.4),
        "uneven sizes 1 to 300": lambda draw: people(draw, uneven(draw, 50, 300), 192, 0.7),
        "two people, 5 and 200": lambda draw: people(draw, [5, 200], 192, 0.7),
        "20 people, one of them half": lambda draw: people(draw, [300, *[15] * 19], 192, 0.7),
        "pairs: 100 people x 2": lambda draw: people(draw, [2] * 100, 192, 0.5),
        "5 000 single clips": lambda draw: people(draw, [1] * 5000, 192, 0.0),
        "noise isotropic 300": lambda draw: one(draw, 300, 192, decay=0.0),
        "noise decaying 1 000": lambda draw: one(draw, 1000, 192, decay=0.7),
        "noise 3 dimensions": lambda draw: one(draw, 300, 3, decay=0.0),
        "noise heavy-tailed": lambda draw: one(draw, 300, 192, decay=0.7, tails=3),
        "telephone 90 x 10, EER 2.6 %": lambda draw: telephone(draw, 0.026),
        "telephone 90 x 10, EER 7 %": lambda draw: telephone(draw, 0.07),
        "telephone 90 x uneven, EER 2.6 %": lambda draw: telephone(draw, 0.026, sizes=uneven(draw, 90, 30)),
    }
    for d in (3, 8, 32, 128, 512):
        made[f"{d} dimensions"] = partial(
            people, sizes=[20] * (5 if d == 3 else 15), d=d, spread=0.15 if d < 9 else 0.6
        )
    for n in (5, 10, 30, 100, 500):
        made[f"one person, {n}"] = lambda draw, n=n: one(draw, n, 192, decay=0.5)
        made[f"one person in a narrow cone, {n}"] = lambda draw, n=n: narrow(draw, one(draw, n, 256, decay=0.8))
    names: Cases = {name: partial(drawn, name, make, seed) for name, make in made.items()}
    if available():
        for number in (1, 2, 3, 5, 10, 30):
            for noise in (0.0, 0.9, 1.4):
                names[f"audiomnist, {number} people, noise {noise}"] = partial(few, number, noise, seed)
    return names


def drawn(name: str, make, seed: int) -> Row:
    if name.startswith("telephone"):
        sets = [make(np.random.default_rng([number, seed])) for number in range(3)]
        eer = np.mean([equal_error_rate(X, truth) for X, truth in sets])
        return several_sets(f"{name} (measured {eer:.1%})", sets)
    if name.startswith("5 000"):
        return one_set(name, *make(np.random.default_rng([0, seed])))
    return several_sets(name, (make(np.random.default_rng([number, seed])) for number in range(3)))


def few(number: int, noise: float, seed: int) -> Row:
    sets = (audiomnist(15, noise, 1000 + 10 * seed + turn, people=number)[1:] for turn in range(4))
    return several_sets(f"audiomnist_ecapa, {number} people x 15, noise {noise}", sets)


def people(draw: np.random.Generator, sizes, d: int, spread: float, tails: float | None = None) -> Pair:
    """Return random directions with isotropic spread of this norm; with `tails`, of Student's t per recording."""
    truth = np.repeat(np.arange(len(sizes)), sizes)
    centres = unit_rows(draw.standard_normal((len(sizes), d)))
    scale = np.full(len(truth), spread / np.sqrt(d))
    if tails is not None:
        scale *= np.sqrt(tails / draw.chisquare(tails, len(truth)))
    return shuffled(draw, centres[truth] + scale[:, None] * draw.standard_normal((len(truth), d)), truth)


def one(draw: np.random.Generator, n: int, d: int, decay: float, tails: float | None = None) -> Pair:
    """Return one Gaussian whose variances fall as i ** -(2 decay), off the origin: one group, or none."""
    X = draw.standard_normal((n, d)) * np.arange(1, d + 1) ** -decay
    if tails is not None:
        X *= np.sqrt(tails / draw.chisquare(tails, n))[:, None]
    return unit_rows(X @ rotation(draw, d)), np.zeros(n, dtype=int)


def narrow(draw: np.random.Generator, made: Pair, height: float = 3.0) -> Pair:
    """Add one direction to all vectors, as an encoder does whose cosines are all high."""
    X, truth = made
    return unit_rows(X + height * unit_rows(draw.standard_normal((1, X.shape[1])))), truth


def hierarchy(draw, counts: tuple[int, int, int], each: int, norms: tuple[float, float, float], spread: float) -> Pair:
    """Return groups of people of sessions; a direction of its own norm on each level. The people are the truth."""
    d = 192
    leaves = np.arange(np.prod(counts)).repeat(each)
    X = spread / np.sqrt(d) * draw.standard_normal((len(leaves), d))
    for depth, norm in enumerate(norms):
        node = leaves // int(np.prod(counts[depth + 1 :]))
        X += norm * unit_rows(draw.standard_normal((node.max() + 1, d)))[node]
    return shuffled(draw, X, leaves // counts[2])


def telephone(draw: np.random.Generator, eer: float, sizes=(10,) * 90, d: int = 256) -> Pair:
    """Return people whose vectors vary within a person along few directions, until the EER is as wanted."""
    truth = np.repeat(np.arange(len(sizes)), sizes)
    centres = (draw.standard_normal((len(sizes), d)) * np.arange(1, d + 1) ** -0.4) @ rotation(draw, d)
    centres /= np.linalg.norm(centres, axis=1).mean()
    within = (draw.standard_normal((len(truth), d)) * np.arange(1, d + 1) ** -0.9) @ rotation(draw, d)
    within *= np.sqrt(5 / draw.chisquare(5, len(truth)))[:, None]
    within /= np.linalg.norm(within, axis=1).mean()
    cone = 0.8 * unit_rows(draw.standard_normal((1, d)))
    low, high = 0.1, 5.0
    for _ in range(12):
        middle = np.sqrt(low * high)
        X = unit_rows(cone + centres[truth] + middle * within)
        low, high = (middle, high) if equal_error_rate(X, truth) < eer else (low, middle)
    return shuffled(draw, X, truth)


def uneven(draw: np.random.Generator, number: int, most: int) -> np.ndarray:
    """Return sizes from 1 to `most`, drawn with a probability of 1 / size."""
    sizes = np.arange(1, most + 1)
    return draw.choice(sizes, number, p=1 / sizes / (1 / sizes).sum())


def rotation(draw: np.random.Generator, d: int) -> np.ndarray:
    return np.linalg.qr(draw.standard_normal((d, d)))[0]


def shuffled(draw: np.random.Generator, X: np.ndarray, truth: np.ndarray) -> Pair:
    order = draw.permutation(len(X))
    return unit_rows(X[order]), truth[order]
