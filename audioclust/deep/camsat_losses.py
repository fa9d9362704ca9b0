"""The terms of CAMSAT's loss, on logits (batch, k) of one network; natural logarithms, means over the batch.

With ``p = softmax(logits)``, ``H`` the entropy and ``KL(p || q) = sum p log(p / q)``:

=====================  ==================================================  ============================================
term                   value                                               no gradient flows through
=====================  ==================================================  ============================================
conditional entropy    mean H(p_i)
marginal entropy       H(mean p_i), of more rows than a batch if need be    what is remembered of earlier batches
adversarial            mean KL(p_i || p(x_i + r_i)), r_i of length eps_i   p_i, and the search of r_i
augmentation           mean KL(p_i || p_aug), over the augmentations       p_i
symmetry               mean KL(p_aug || mixture of them)                   nothing (a Jensen-Shannon divergence)
mixup                  mean KL(mixed targets || p(mixed))                  the targets
=====================  ==================================================  ============================================

References
----------
W. Hu, T. Miyato, S. Tokui, E. Matsumoto, M. Sugiyama: Learning discrete representations via information maximizing
self-augmented training (IMSAT), ICML 2017. T. Miyato et al.: Virtual adversarial training, TPAMI 2019.
A. Fathan, J. Alam: CAMSAT, ICASSP 2024 (the three terms; weights and directions are not public, these are ours).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = [
    "adversarial_direction",
    "adversarial_loss",
    "augmentation_loss",
    "conditional_entropy",
    "divergence_of_logits",
    "entropy",
    "mixture_of",
    "symmetry_loss",
]

Logits = Callable[[Tensor], Tensor]
STEP = 0.1
"""Length of the step along which the adversarial direction is measured, as a share of the final length."""


def entropy(p: Tensor) -> Tensor:
    """Return the entropy of distributions [shape=(..., k)] along their last axis; 0 log 0 counts as 0."""
    return -torch.xlogy(p, p.clamp(min=torch.finfo(p.dtype).tiny)).sum(-1)


def conditional_entropy(logits: Tensor) -> Tensor:
    """Return the mean entropy of the predictions: low when each row is surely in one cluster."""
    log_p = logits.log_softmax(-1)
    return -(log_p.exp() * log_p).sum(-1).mean()


def divergence_of_logits(target: Tensor, other: Tensor) -> Tensor:
    """Return KL(softmax(target) || softmax(other)) of each row [shape=(...)]."""
    log_p, log_q = target.log_softmax(-1), other.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def adversarial_direction(network: Logits, x: Tensor, clean: Tensor, length: Tensor, random: torch.Generator) -> Tensor:
    """Return the change of each row, of the given length, that moves its prediction most (one power iteration).

    Parameters
    ----------
    network : callable
        Vectors [shape=(batch, d)] to logits.
    x : tensor [shape=(batch, d)]
    clean : tensor [shape=(batch, k)]
        Logits of `x`.
    length : tensor [shape=(batch,)]
    random : torch.Generator
        On the CPU; the first direction is drawn from it.
    """
    start = torch.randn(x.shape, generator=random).to(x)
    start = (STEP * length[:, None] * torch.nn.functional.normalize(start, dim=1)).requires_grad_()
    with torch.enable_grad():
        moved = divergence_of_logits(clean.detach(), network(x.detach() + start)).sum()
        (gradient,) = torch.autograd.grad(moved, start)
    # a tiny gradient has a direction all the same: scale before its length is taken
    gradient = gradient / gradient.abs().amax(dim=1, keepdim=True).clamp(min=torch.finfo(gradient.dtype).tiny)
    return length[:, None] * torch.nn.functional.normalize(gradient, dim=1)


def adversarial_loss(network: Logits, x: Tensor, clean: Tensor, length: Tensor, random: torch.Generator) -> Tensor:
    """Return how far the prediction moves along :func:`adversarial_direction`; the clean one is held constant."""
    change = adversarial_direction(network, x, clean, length, random)
    return divergence_of_logits(clean.detach(), network(x + change)).mean()


def augmentation_loss(clean: Tensor, augmented: Tensor) -> Tensor:
    """Return how far augmented predictions lie from the clean ones, which are held constant.

    Parameters
    ----------
    clean : tensor [shape=(batch, k)]
        Logits.
    augmented : tensor [shape=(m, batch, k)]
        Logits of m augmentations of the same rows.
    """
    return divergence_of_logits(clean.detach().expand_as(augmented), augmented).mean()


def symmetry_loss(augmented: Tensor) -> Tensor:
    """Return how far the predictions of m augmentations [shape=(m, batch, k)] lie from their mixture: at most log m."""
    p = augmented.softmax(-1)
    return (entropy(p.mean(0)) - entropy(p).mean(0)).mean()


def mixture_of(values: Tensor, partner: Tensor, share: Tensor) -> Tensor:
    """Return ``share * values + (1 - share) * values[partner]``, row by row."""
    share = share.reshape(-1, *(1,) * (values.ndim - 1))
    return share * values + (1 - share) * values[partner]
