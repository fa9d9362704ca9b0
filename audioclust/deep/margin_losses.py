"""Losses that train a speaker network on labels, or on pseudo-labels: softmax, and those with a margin.

With ``c_ij`` the cosine of vector i and the weights of class j, ``y`` the label, ``s`` the scale and ``m`` the margin,
the loss is the cross-entropy of these logits:

==============  ====================================================================================================
softmax         ``w_j . x_i + b_j``: no cosine, no margin
am              ``s (c_y - m)`` for the label, ``s c_j`` for others [1]_
cosface         the same [2]_, with the scale 64 and the margin 0.35 of its paper
aam             ``s cos(angle_y + m)`` for the label [3]_
sub_centre_aam  as aam, ``c_ij`` being the largest of several centres of class j [4]_
adaface         ``s (cos(angle_y - m z) - m z - m)``, z from -1 to 1: how long the vector is beside others [5]_
mv_arc          as aam, and ``s (t c_j + t - 1)`` for classes with ``c_j > cos(angle_y + m)``, with the fixed t of [6]_
boundaryface    as aam; after a warm-up a vector with ``cos(angle_j + m) > c_y`` for another class j is taken for one of
                the class where this is largest, and ``pi max(0, max_j c_j - cos(angle_y + m))`` is added [7]_
oc              no cross-entropy: ``log(1 + exp(s (m - c_y)))`` and, as the mean over other classes,
                ``log(1 + exp(s (c_j - m')))``, s = 20, m = 0.9, m' = 0.2: each class alone against the rest [8]_
==============  ====================================================================================================

At margin 0 (and t = 1, without correction) all but softmax and oc are the cross-entropy of ``s c``; oc is then that of
two classes, with the logits ``s c_j`` and 0. Unless said, s = 30 and m = 0.2, as is usual for speakers; papers on faces
take 32 or 64, and 0.5. AdaFace has the margin 0.4 of its paper. For oc the paper has one class; that the other classes
count as their mean is ours. AdaFace's running mean and spread of lengths start from the first batch: its code starts
from 20 and 100, which a short training never forgets.

References
----------
.. [1] F. Wang et al.: Additive margin softmax, 2018. .. [2] H. Wang et al.: CosFace, CVPR 2018.
.. [3] J. Deng et al.: ArcFace, CVPR 2019. .. [4] J. Deng et al.: Sub-center ArcFace, ECCV 2020.
.. [5] M. Kim et al.: AdaFace, CVPR 2022. .. [6] X. Wang et al.: Mis-classified vector guided softmax, AAAI 2020.
.. [7] S. Wu, X. Gong: BoundaryFace, ECCV 2022. .. [8] Y. Zhang et al.: One-class learning, SPL 2021.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, normalize, softplus

from audioclust.validation import check_choice, check_number

__all__ = ["MARGIN_LOSSES", "MarginLoss"]

_EDGE = 1e-6  # cosines are kept this far from -1 and 1, where the angle has no gradient
_SHARPNESS = 0.333  # of AdaFace: how many standard deviations of length make z = 1
_MEMORY = 0.99  # of AdaFace: share of the past in the mean length
_OTHERS = 2 / 9  # of one-class softmax: the margin of other classes (0.2) as a share of the own one's (0.9)


@dataclass(frozen=True)
class _Usual:
    scale: float = 30.0
    margin: float = 0.2
    centres: int = 1


MARGIN_LOSSES: dict[str, _Usual] = {
    "softmax": _Usual(margin=0.0),
    "am": _Usual(),
    "aam": _Usual(),
    "oc": _Usual(scale=20.0, margin=0.9),
    "cosface": _Usual(scale=64.0, margin=0.35),
    "adaface": _Usual(margin=0.4),
    "sub_centre_aam": _Usual(centres=3),
    "mv_arc": _Usual(),
    "boundaryface": _Usual(),
}
"""Losses by name, with their usual scale, margin (radians or cosine) and number of centres."""


class MarginLoss(nn.Module):
    """A classifier of vectors and its loss.

    Parameters
    ----------
    dimension : int
        Length of the vectors.
    n_classes : int
    kind : str
        One of :data:`MARGIN_LOSSES`.
    scale : float, optional
        By default the usual one of the loss.
    margin : float, optional
        Radians for aam, sub_centre_aam, mv_arc and boundaryface, else of the cosine.
    hardness : float
        The t of mv_arc.
    boundary : float
        Weight of what is missing to the boundary, of boundaryface; its authors advise 0 where many labels are wrong.

    Attributes
    ----------
    corrects : bool
        Whether boundaryface takes vectors for another class; the training sets it after its warm-up.

    Raises
    ------
    ValueError
        When a parameter is out of its range.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> loss = MarginLoss(4, 3, "aam")
    >>> bool(loss(torch.randn(5, 4), torch.tensor([0, 1, 2, 0, 1])) > 0)
    True
    """

    weight: nn.Parameter
    length: Tensor
    spread: Tensor

    def __init__(
        self,
        dimension: int,
        n_classes: int,
        kind: str = "aam",
        *,
        scale: float | None = None,
        margin: float | None = None,
        hardness: float = 1.12,
        boundary: float = math.pi,
    ) -> None:
        super().__init__()
        check_choice("kind", kind, tuple(MARGIN_LOSSES))
        usual = MARGIN_LOSSES[kind]
        self.kind, self.hardness, self.boundary, self.corrects = kind, hardness, boundary, False
        self.scale = usual.scale if scale is None else scale
        self.margin = usual.margin if margin is None else margin
        check_number("scale", self.scale, 0, above=True)
        check_number("margin", self.margin, 0, math.pi / 2)
        check_number("hardness", hardness, 1)
        check_number("boundary", boundary, 0)
        self.centres = usual.centres
        self.weight = nn.Parameter(torch.empty(n_classes * self.centres, dimension))
        nn.init.xavier_normal_(self.weight)
        self.bias = nn.Parameter(torch.zeros(n_classes)) if kind == "softmax" else None
        self.register_buffer("length", torch.tensor(math.nan))  # until a first batch is seen
        self.register_buffer("spread", torch.tensor(math.nan))

    def cosines(self, vectors: Tensor) -> Tensor:
        """Return the cosine of each vector and each class [shape=(batch, n_classes)], the largest of its centres."""
        all_of_them = linear(normalize(vectors), normalize(self.weight))
        return all_of_them.unflatten(1, (-1, self.centres)).amax(2)

    def forward(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss of vectors [shape=(batch, dimension)] with labels [shape=(batch,)]."""
        if self.kind == "softmax":
            return cross_entropy(linear(vectors, self.weight, self.bias), labels)
        cosines = self.cosines(vectors)
        if self.kind == "oc":
            return self._one_class(cosines, labels)
        corrects = self.kind == "boundaryface" and self.corrects
        if corrects:
            labels = self._corrected(cosines, labels)
        own = self._own(_at(cosines, labels), vectors)
        if self.kind == "mv_arc":
            harder = self.hardness * cosines + self.hardness - 1
            cosines = torch.where(cosines > own.detach()[:, None], harder, cosines)
        loss = cross_entropy(self.scale * cosines.scatter(1, labels[:, None], own[:, None]), labels)
        if corrects:
            nearest = cosines.scatter(1, labels[:, None], -torch.inf).amax(1)
            loss = loss + self.boundary * (nearest - own).clamp(min=0).mean()
        return loss

    def _own(self, cosines: Tensor, vectors: Tensor) -> Tensor:
        """Return the cosines to the own class with the margin [shape=(batch,)]."""
        if self.kind in ("am", "cosface"):
            return cosines - self.margin
        if self.kind == "adaface":
            z = self._relative_length(vectors)
            return _turned(cosines, -self.margin * z) - self.margin * z - self.margin
        return _turned(cosines, self.margin)

    def _relative_length(self, vectors: Tensor) -> Tensor:
        """Return how long each vector is beside those seen before, from -1 to 1; no gradient flows through it."""
        lengths = vectors.detach().norm(dim=1).clamp(0.001, 100)
        if len(lengths) > 1 and self.length.isnan():
            self.length, self.spread = lengths.mean(), lengths.std()
        elif len(lengths) > 1 and self.training:
            self.length = _MEMORY * self.length + (1 - _MEMORY) * lengths.mean()
            self.spread = _MEMORY * self.spread + (1 - _MEMORY) * lengths.std()
        return ((lengths - self.length) / (self.spread + 1e-3) * _SHARPNESS).clamp(-1, 1)

    def _corrected(self, cosines: Tensor, labels: Tensor) -> Tensor:
        others, nearest = _turned(cosines.detach(), self.margin).scatter(1, labels[:, None], -torch.inf).max(1)
        return torch.where(others > _at(cosines.detach(), labels), nearest, labels)

    def _one_class(self, cosines: Tensor, labels: Tensor) -> Tensor:
        own = softplus(self.scale * (self.margin - _at(cosines, labels)))
        others = softplus(self.scale * (cosines - _OTHERS * self.margin)).scatter(1, labels[:, None], 0.0)
        return (own + others.sum(1) / max(1, cosines.shape[1] - 1)).mean()


def _at(values: Tensor, labels: Tensor) -> Tensor:
    return values.gather(1, labels[:, None])[:, 0]


def _turned(cosines: Tensor, angle: Tensor | float) -> Tensor:
    """Return the cosines of angles that are larger by `angle`, within 0 and pi."""
    if isinstance(angle, float) and angle == 0:
        return cosines
    return (cosines.clamp(-1 + _EDGE, 1 - _EDGE).acos() + angle).clamp(0, math.pi).cos()
