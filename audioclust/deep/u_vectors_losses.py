"""The three losses of u-vectors, on pairs of frames: ``left[i]`` and ``right[i]`` come from one group.

References
----------
A. Q. Ohi, M. F. Mridha, F. B. Safir, M. A. Hamid, M. M. Monowar: AutoEmbedder, Knowledge-Based Systems 204, 2020.
F. Schroff, D. Kalenichenko, J. Philbin: FaceNet, CVPR 2015, section 3.2 (semi-hard negatives).
A. van den Oord, Y. Li, O. Vinyals: Contrastive Predictive Coding, arXiv:1807.03748, equation 4; in both directions and
over both sides as T. Chen et al.: SimCLR, ICML 2020, equation 1.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["infonce", "pairwise", "semi_hard", "triplet"]


def pairwise(left: Tensor, right: Tensor, together: Tensor, *, alpha: float = 100.0) -> Tensor:
    """Return the mean squared error of capped distances: to 0 for a pair of one group, to `alpha` for another.

    Parameters
    ----------
    left, right : tensor [shape=(n, d)]
    together : tensor of bool [shape=(n,)]
        Whether the two must be near each other.
    alpha : float
        The largest distance that counts.

    Examples
    --------
    >>> a, b = torch.tensor([[0.0, 0.0], [0.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 200.0]])
    >>> pairwise(a, b, torch.tensor([True, False]))             # (5^2 + 0) / 2
    tensor(12.5000)
    """
    distance = (left - right).square().sum(1).add(1e-12).sqrt().clamp(max=alpha)
    return (distance - torch.where(together, 0.0, alpha)).square().mean()


def semi_hard(distances: Tensor, positive: Tensor, negatives: Tensor) -> Tensor:
    """Return each anchor's negative: the nearest that is farther than its positive, else the farthest of all.

    Parameters
    ----------
    distances : tensor [shape=(n, m)]
        Of n anchors to m others.
    positive : tensor [shape=(n,)]
        Distance of each anchor to its positive.
    negatives : tensor of bool [shape=(n, m)]
        Who is of another group.

    Returns
    -------
    tensor of int [shape=(n,)]

    Examples
    --------
    >>> distances = torch.tensor([[0.2, 0.5, 0.9]])
    >>> semi_hard(distances, torch.tensor([0.4]), torch.tensor([[True, True, True]]))
    tensor([1])
    """
    farther = negatives & (distances > positive[:, None])
    nearest = distances.masked_fill(~farther, torch.inf).argmin(1)
    farthest = distances.masked_fill(~negatives, -torch.inf).argmax(1)
    return torch.where(farther.any(1), nearest, farthest)


def triplet(left: Tensor, right: Tensor, group: Tensor, *, margin: float = 0.2) -> Tensor:
    """Return the mean of ``max(0, d(a, p)^2 - d(a, n)^2 + margin)`` with semi-hard negatives from the batch.

    Every frame of either side is an anchor, its partner the positive.

    Parameters
    ----------
    left, right : tensor [shape=(n, d), unit length]
    group : tensor of int [shape=(n,)]
    margin : float
    """
    both, groups, partner = _both(left, right, group)
    squared = 2 - 2 * (both @ both.T)
    positive = squared.gather(1, partner[:, None])[:, 0]
    negatives = groups[:, None] != groups[None, :]
    chosen = semi_hard(squared.detach(), positive.detach(), negatives)
    negative = squared.gather(1, chosen[:, None])[:, 0]
    return functional.relu(positive - negative + margin)[negatives.any(1)].mean()


def infonce(left: Tensor, right: Tensor, group: Tensor, *, temperature: float = 0.1, ignored: float = 0.0) -> Tensor:
    """Return the cross-entropy of picking each frame's partner among all frames of other groups in the batch.

    Parameters
    ----------
    left, right : tensor [shape=(n, d), unit length]
    group : tensor of int [shape=(n,)]
        Frames of an anchor's own group, other than its partner, are left out.
    temperature : float
        That the cosines are divided by.
    ignored : float in [0, 1)
        Share of an anchor's negatives, the nearest ones, that are left out: some are of the same voice.

    Examples
    --------
    >>> left = torch.eye(2)
    >>> infonce(left, left, torch.tensor([0, 1]), temperature=1.0)      # log(1 + 2 / e)
    tensor(0.5514)
    """
    both, groups, partner = _both(left, right, group)
    cosines = both @ both.T / temperature
    own = groups[:, None] == groups[None, :]
    if ignored > 0:
        negatives = cosines.detach().masked_fill(own, -torch.inf)
        nearest = negatives.topk(int(ignored * (len(both) - 2)), dim=1).indices
        own = own.scatter(1, nearest, True)
    own[torch.arange(len(both)), partner] = False
    return functional.cross_entropy(cosines.masked_fill(own, -torch.inf), partner)


def _both(left: Tensor, right: Tensor, group: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return both sides in one, their groups, and where each one's partner is."""
    n = len(left)
    partner = torch.arange(2 * n, device=left.device).roll(n)
    return torch.cat([left, right]), torch.cat([group, group]), partner
