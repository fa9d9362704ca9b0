"""CAMSAT's terms against numpy in float64, where gradients stop, and what the adversarial direction is good for."""

import numpy as np
import pytest
import torch
from scipy.special import rel_entr, softmax

from audioclust.deep import camsat_losses as losses
from audioclust.deep.data import generator


@pytest.fixture
def logits(rng):
    return rng.normal(size=(7, 5)) * 3


@pytest.fixture
def augmented(rng):
    return rng.normal(size=(3, 7, 5)) * 3


def tensor(values, **options):
    return torch.tensor(values, dtype=torch.float64, **options)


def entropies(p):
    return -np.sum(p * np.log(p), axis=-1)


def test_every_term_agrees_with_numpy(logits, augmented):
    p, q = softmax(logits, axis=-1), softmax(augmented, axis=-1)
    clean, views = tensor(logits), tensor(augmented)
    assert losses.conditional_entropy(clean).item() == pytest.approx(entropies(p).mean(), abs=1e-12)
    assert losses.entropy(clean.softmax(-1).mean(0)).item() == pytest.approx(entropies(p.mean(0)), abs=1e-12)
    assert losses.augmentation_loss(clean, views).item() == pytest.approx(rel_entr(p, q).sum(-1).mean(), abs=1e-12)
    symmetry = rel_entr(q, q.mean(0)).sum(-1).mean()
    assert losses.symmetry_loss(views).item() == pytest.approx(symmetry, abs=1e-12)


def test_terms_at_their_ends():
    sure = torch.tensor([[1000.0, 0.0, 0.0], [0.0, 1000.0, 0.0]])
    assert losses.conditional_entropy(sure).item() == 0
    assert losses.entropy(torch.tensor([1.0, 0.0])).item() == 0
    assert losses.conditional_entropy(torch.zeros(4, 3)).item() == pytest.approx(np.log(3))
    assert losses.symmetry_loss(sure[:, None]).item() == pytest.approx(np.log(2))  # as far apart as two can be
    assert losses.augmentation_loss(sure, sure.expand(3, 2, 3)).item() == 0


def test_mixtures(rng):
    values, partner, share = tensor(rng.normal(size=(4, 3))), torch.tensor([1, 0, 3, 2]), tensor([0.0, 0.25, 0.5, 1.0])
    mixed = losses.mixture_of(values, partner, share)
    assert torch.equal(mixed[0], values[1])
    assert torch.equal(mixed[3], values[3])
    assert torch.allclose(mixed[1], 0.25 * values[1] + 0.75 * values[0])


def test_gradients_stop_at_the_clean_prediction(logits, augmented):
    clean, views = tensor(logits, requires_grad=True), tensor(augmented, requires_grad=True)
    losses.augmentation_loss(clean, views).backward()
    assert clean.grad is None
    assert views.grad.abs().sum() > 0
    losses.symmetry_loss(views).backward()
    assert views.grad.abs().sum() > 0


@pytest.fixture
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = torch.nn.Linear(6, 20), torch.nn.Tanh(), torch.nn.Linear(20, 4)
        return torch.nn.Sequential(*layers).double()


def test_the_adversarial_direction_is_the_worst_of_many(network, rng):
    x, length = tensor(rng.normal(size=(30, 6))), torch.full((30,), 0.3, dtype=torch.float64)
    clean = network(x)
    worst = losses.adversarial_direction(network, x, clean, length, generator(1))
    assert torch.allclose(worst.norm(dim=1), length)
    moved = losses.divergence_of_logits(clean, network(x + worst)).mean()
    for _ in range(5):
        other = 0.3 * torch.nn.functional.normalize(tensor(rng.normal(size=(30, 6))), dim=1)
        assert moved > 1.5 * losses.divergence_of_logits(clean, network(x + other)).mean()


def test_the_adversarial_search_leaves_no_gradient(network, rng):
    x, length = tensor(rng.normal(size=(9, 6)), requires_grad=True), torch.full((9,), 0.3, dtype=torch.float64)
    clean = network(x)
    clean.retain_grad()
    change = losses.adversarial_direction(network, x, clean, length, generator(1))
    assert not change.requires_grad
    assert all(parameter.grad is None for parameter in network.parameters())
    losses.adversarial_loss(network, x, clean, length, generator(1)).backward()
    assert clean.grad is None  # the clean prediction is held constant
    assert all(parameter.grad.abs().sum() > 0 for parameter in list(network.parameters())[:3])


def test_a_direction_is_there_where_the_gradient_underflows(network, rng):
    single = network.float()
    x, length = torch.tensor(rng.normal(size=(4, 6)), dtype=torch.float32), torch.full((4,), 1e-6)
    change = losses.adversarial_direction(single, x, single(x), length, generator(1))
    assert torch.isfinite(change).all()
