"""Margin losses against numpy in float64, at margin 0 against the scaled softmax, and by what they ask for."""

import numpy as np
import pytest
import torch

from audioclust.deep.margin_losses import MARGIN_LOSSES, MarginLoss

COSINE = [kind for kind in MARGIN_LOSSES if kind not in ("softmax", "oc")]


@pytest.fixture
def batch(rng):
    return rng.normal(size=(12, 6)), rng.integers(0, 4, 12)


def made(kind, **options):
    torch.manual_seed(3)
    return MarginLoss(6, 4, kind, **options).double()


def cosines_of(loss, X):
    W = loss.weight.detach().numpy()
    every = (X / np.linalg.norm(X, axis=1, keepdims=True)) @ (W / np.linalg.norm(W, axis=1, keepdims=True)).T
    return every.reshape(len(X), 4, -1).max(axis=2)


def cross_entropy(logits, labels):
    logits = logits - logits.max(axis=1, keepdims=True)
    return -np.mean(logits[np.arange(len(labels)), labels] - np.log(np.exp(logits).sum(axis=1)))


def reference(loss, X, y):
    """The loss as its paper defines it, in numpy; constants are written out."""
    kind, s, m = loss.kind, loss.scale, loss.margin
    if kind == "softmax":
        return cross_entropy(X @ loss.weight.detach().numpy().T + loss.bias.detach().numpy(), y)
    c, rows = cosines_of(loss, X), np.arange(len(y))
    if kind == "oc":
        own = np.log1p(np.exp(s * (m - c[rows, y])))
        others = np.log1p(np.exp(s * (c - 0.2 * m / 0.9)))
        others[rows, y] = 0
        return np.mean(own + others.sum(axis=1) / 3)
    if kind == "boundaryface" and loss.corrects:
        beyond = np.cos(np.arccos(c) + m)
        beyond[rows, y] = -np.inf
        y = np.where(beyond.max(axis=1) > c[rows, y], beyond.argmax(axis=1), y)
    turned = np.cos(np.minimum(np.arccos(c[rows, y]) + m, np.pi))
    logits = c.copy()
    if kind in ("am", "cosface"):
        logits[rows, y] -= m
    elif kind == "adaface":
        lengths = np.linalg.norm(X, axis=1)  # of the first batch, which also gives the mean and the spread
        z = np.clip((lengths - lengths.mean()) / (lengths.std(ddof=1) + 1e-3) * 0.333, -1, 1)
        logits[rows, y] = np.cos(np.clip(np.arccos(c[rows, y]) - m * z, 0, np.pi)) - m * z - m
    else:
        if kind == "mv_arc":
            logits = np.where(c > turned[:, None], 1.12 * c + 0.12, c)
        logits[rows, y] = turned
    loss_of_labels = cross_entropy(s * logits, y)
    if kind == "boundaryface" and loss.corrects:
        others = np.where(np.eye(4, dtype=bool)[y], -np.inf, c).max(axis=1)
        return loss_of_labels + np.pi * np.maximum(0, others - turned).mean()
    return loss_of_labels


@pytest.mark.parametrize("kind", MARGIN_LOSSES)
def test_each_agrees_with_numpy(kind, batch):
    X, y = batch
    loss = made(kind).eval()
    assert loss(torch.tensor(X), torch.tensor(y)).item() == pytest.approx(reference(loss, X, y), rel=1e-6)


@pytest.mark.parametrize("kind", COSINE)
def test_without_a_margin_it_is_the_scaled_softmax(kind, batch):
    X, y = batch
    loss = made(kind, margin=0.0, scale=30.0, hardness=1.0)
    wanted = cross_entropy(30 * cosines_of(loss, X), y)
    assert loss(torch.tensor(X), torch.tensor(y)).item() == pytest.approx(wanted, rel=1e-6)


def test_one_class_softmax_without_a_margin_is_that_of_two_classes(batch):
    X, y = batch
    loss = made("oc", margin=0.0)
    c, rows = cosines_of(loss, X), np.arange(len(y))
    two = np.log1p(np.exp(np.where(np.eye(4, dtype=bool)[y], -1, 1) * loss.scale * c))
    own = two[rows, y].mean()
    others = (two.sum(axis=1) - two[rows, y]).mean() / 3
    assert loss(torch.tensor(X), torch.tensor(y)).item() == pytest.approx(own + others, rel=1e-6)


@pytest.mark.parametrize("kind", [kind for kind in MARGIN_LOSSES if kind != "softmax"])
def test_a_larger_margin_asks_for_more(kind, batch):
    X, y = (torch.tensor(part) for part in batch)
    small, large = (made(kind, margin=margin).eval()(X, y).item() for margin in (0.1, 0.3))
    if kind == "oc":  # the others may come nearer by two fifths: the own class must still be nearer
        small, large = (made(kind, margin=m).eval()(X[:1], y[:1]).item() for m in (0.1, 0.9))
    assert large > small


@pytest.mark.parametrize("kind", MARGIN_LOSSES)
def test_gradients_are_finite_at_the_ends_of_the_cosine(kind):
    loss = made(kind)
    centre = loss.weight.detach()[:1]
    X = torch.cat([centre, -centre]).requires_grad_()
    loss(X, torch.tensor([0, 0])).backward()
    assert torch.isfinite(X.grad).all()
    assert torch.isfinite(loss.weight.grad).all()


def test_boundaryface_corrects_as_its_paper_says(batch):
    X, y = batch
    loss = made("boundaryface")
    loss.corrects = True
    assert loss(torch.tensor(X), torch.tensor(y)).item() == pytest.approx(reference(loss, X, y), rel=1e-6)
    corrected = loss._corrected(loss.cosines(torch.tensor(X)), torch.tensor(y))
    assert 0 < (corrected != torch.tensor(y)).sum() < len(y)  # some, and not all


def test_boundaryface_takes_a_vector_that_lies_in_another_class_for_one_of_it():
    loss = made("boundaryface")
    first, second, third = torch.nn.functional.normalize(loss.weight.detach()[:3])
    labelled_wrong = loss(third[None], torch.tensor([0])).item()
    loss.corrects = True
    assert loss(third[None], torch.tensor([0])).item() == loss(third[None], torch.tensor([2])).item()
    assert loss(third[None], torch.tensor([0])).item() < labelled_wrong
    near = (first + 1.02 * second)[None]  # nearer to the other class, but within the margin: kept
    assert loss(near, torch.tensor([0])).item() > loss(near, torch.tensor([1])).item()


def test_adaface_asks_less_turn_of_long_vectors_and_learns_their_length(batch):
    X, y = (torch.tensor(part) for part in batch)
    loss = made("adaface")
    loss(X, y)
    first = X.norm(dim=1).mean().item()
    assert loss.length.item() == pytest.approx(first)
    loss(3 * X, y)
    assert loss.length.item() == pytest.approx(0.99 * first + 0.01 * 3 * first)
    learned = loss.length.item()
    loss.eval()(5 * X, y)
    assert loss.length.item() == learned
    cosines = torch.full((2,), 0.5, dtype=torch.float64)
    short, long = loss._own(cosines, torch.tensor([[0.1 * first] + [0] * 5, [9 * first] + [0] * 5]))
    assert short > 0.5 - 0.4  # a short vector has next to no margin in the cosine, its angle is made larger
    assert long < short


def test_what_cannot_be_used_is_named():
    for wrong in ({"kind": "arc"}, {"scale": 0}, {"margin": -0.1}, {"hardness": 0.5}, {"boundary": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            MarginLoss(6, 4, **wrong)
