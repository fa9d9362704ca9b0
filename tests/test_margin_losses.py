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
    kind, s, m = loss.kind, loss.scale, loss.margin
    if kind == "softmax":
        return cross_entropy(X @ loss.weight.detach().numpy().T + loss.bias.detach().numpy(), y)
    c, rows = cosines_of(loss, X), np.arange(len(y))
    if kind == "oc":
        own = np.log1p(np.exp(s * (m - c[rows, y])))
        others = np.log1p(np.exp(s * (c - 0.4 * m)))
        others[rows, y] = 0
        return np.mean(own + others.sum(axis=1) / 3)
    turned = np.cos(np.minimum(np.arccos(c[rows, y]) + m, np.pi))
    logits = c.copy()
    if kind in ("am", "cosface"):
        logits[rows, y] -= m
    elif kind == "adaface":
        z = np.clip((np.linalg.norm(X, axis=1) - 20) / (100 + 1e-3) * 0.333, -1, 1)
        logits[rows, y] = np.cos(np.clip(np.arccos(c[rows, y]) - m * z, 0, np.pi)) - m * z - m
    else:
        if kind == "mv_arc":
            logits = np.where(c > turned[:, None], 1.12 * c + 0.12, c)
        logits[rows, y] = turned
    return cross_entropy(s * logits, y)


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


def test_boundaryface_takes_a_vector_that_lies_in_another_class_for_one_of_it():
    loss = made("boundaryface")
    X = loss.weight.detach()[[2]].clone()
    labelled_wrong = loss(X, torch.tensor([0])).item()
    loss.corrects = True
    assert loss(X, torch.tensor([0])).item() == pytest.approx(loss(X, torch.tensor([2])).item())
    assert loss(X, torch.tensor([0])).item() < labelled_wrong
    middle = torch.nn.functional.normalize(loss.weight.detach()[:1]) + torch.nn.functional.normalize(
        loss.weight.detach()[1:2]
    )
    near = middle + 0.02 * torch.nn.functional.normalize(
        loss.weight.detach()[1:2]
    )  # within the margin: kept, but short
    kept = made("boundaryface", boundary=0.0)
    kept.corrects = True
    missing = loss(near, torch.tensor([0])).item() - kept(near, torch.tensor([0])).item()
    cosines = loss.cosines(near)[0]
    assert missing == pytest.approx((cosines.max() - cosines[0]).item())
    assert missing > 0


def test_adaface_asks_less_turn_of_long_vectors_and_learns_their_length(batch):
    X, y = (torch.tensor(part) for part in batch)
    loss = made("adaface")
    loss(X, y)
    assert loss.length.item() == pytest.approx(0.99 * 20 + 0.01 * X.norm(dim=1).mean().item())
    loss.eval()(X, y)
    assert loss.length.item() == pytest.approx(0.99 * 20 + 0.01 * X.norm(dim=1).mean().item())


def test_what_cannot_be_used_is_named():
    for wrong in ({"kind": "arc"}, {"scale": 0}, {"margin": -0.1}, {"hardness": 0.5}, {"boundary": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            MarginLoss(6, 4, **wrong)
