"""The ECAPA-TDNN network in torch, with SpeechBrain's names of parameters and buffers.

Tensors are (clips, channels, frames) inside. Clips of a batch are padded at the end, and there are two ways to read
that batch. With ``lengths`` (shares of the longest) it is SpeechBrain's: the padding is left out of means and of the
attention, but convolutions see it, so a clip's last frames, and a little its vector, depend on the batch. With
``frames`` (counts) the convolutions mirror every clip at its own end, and the vector is the clip's own.

References
----------
.. [1] Desplanques, Thienpondt, Demuynck: ECAPA-TDNN, Interspeech 2020, arXiv:2005.07143.
.. [2] Gao et al.: Res2Net, TPAMI 2021, arXiv:1904.01169.
.. [3] Okabe, Koshinaka, Shinoda: Attentive statistics pooling, Interspeech 2018, arXiv:1803.10963.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["ECAPA"]


class Conv(nn.Module):
    """Convolution over time; the ends are mirrored, so that as many frames leave as enter."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels_in, channels_out, kernel, dilation=dilation)
        self.margin = dilation * (kernel - 1) // 2

    def forward(self, x: Tensor, frames: Tensor | None = None) -> Tensor:
        """(n, channels_in, t) -> (n, channels_out, t); `frames` says where each clip ends, if not at t."""
        if self.margin:
            x = nn.functional.pad(x, (self.margin, self.margin), mode="reflect")
            if frames is not None:
                x = self._mirrored(x, frames)
        return self.conv(x)

    def _mirrored(self, padded: Tensor, frames: Tensor) -> Tensor:
        """Put each clip's own mirror image behind its last frame."""
        step = torch.arange(1, self.margin + 1, device=padded.device)
        last = (frames - 1 + self.margin)[:, None]
        behind = (last + step)[:, None].expand(-1, padded.shape[1], -1)
        before = (last - step)[:, None].expand(-1, padded.shape[1], -1)
        return padded.scatter(2, behind, padded.gather(2, before))


class Norm(nn.Module):
    """Batch normalisation of the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        return self.norm(x)


class TDNN(nn.Module):
    """Convolution, ReLU, batch normalisation: a time-delay layer."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = Conv(channels_in, channels_out, kernel, dilation)
        self.norm = Norm(channels_out)

    def forward(self, x: Tensor, frames: Tensor | None = None) -> Tensor:
        """(n, channels_in, t) -> (n, channels_out, t)."""
        return self.norm(torch.relu(self.conv(x, frames)))


class Res2Net(nn.Module):
    """Groups of channels, each but the first convolved after the group before is added [2]_."""

    def __init__(self, channels: int, scale: int, kernel: int, dilation: int) -> None:
        super().__init__()
        width = channels // scale
        self.blocks = nn.ModuleList(TDNN(width, width, kernel, dilation) for _ in range(scale - 1))

    def forward(self, x: Tensor, frames: Tensor | None = None) -> Tensor:
        """Keep the shape."""
        first, *groups = x.chunk(len(self.blocks) + 1, dim=1)
        done = [first]
        for block, group in zip(self.blocks, groups, strict=True):
            done.append(block(group if len(done) == 1 else group + done[-1], frames))
        return torch.cat(done, dim=1)


class SqueezeExcitation(nn.Module):
    """Weigh channels by what their means over time say."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.conv1 = Conv(channels, squeezed)
        self.conv2 = Conv(squeezed, channels)

    def forward(self, x: Tensor, own: Tensor) -> Tensor:
        """Keep the shape; `own` marks frames that count."""
        mean = (x * own).sum(dim=2, keepdim=True) / own.sum(dim=2, keepdim=True)
        return x * torch.sigmoid(self.conv2(torch.relu(self.conv1(mean))))


class Block(nn.Module):
    """TDNN, Res2Net, TDNN, squeeze-excitation, around which the input is added."""

    def __init__(
        self, channels_in: int, channels: int, *, kernel: int, dilation: int, scale: int, squeezed: int
    ) -> None:
        super().__init__()
        self.tdnn1 = TDNN(channels_in, channels)
        self.res2net_block = Res2Net(channels, scale, kernel, dilation)
        self.tdnn2 = TDNN(channels, channels)
        self.se_block = SqueezeExcitation(channels, squeezed)
        self.shortcut = Conv(channels_in, channels) if channels_in != channels else None

    def forward(self, x: Tensor, own: Tensor, frames: Tensor | None = None) -> Tensor:
        """(n, channels_in, t) -> (n, channels, t)."""
        y = self.tdnn2(self.res2net_block(self.tdnn1(x), frames))
        return self.se_block(y, own) + (x if self.shortcut is None else self.shortcut(x))


class AttentivePooling(nn.Module):
    """Mean and standard deviation over time, weighted per channel by attention that knows the whole clip [3]_."""

    def __init__(self, channels: int, attention: int) -> None:
        super().__init__()
        self.tdnn = TDNN(3 * channels, attention)
        self.conv = Conv(attention, channels)

    def forward(self, x: Tensor, own: Tensor) -> Tensor:
        """(n, channels, t) -> (n, 2 channels, 1)."""
        context = _statistics(x, own / own.sum(dim=2, keepdim=True))
        scores = self.conv(torch.tanh(self.tdnn(torch.cat([x, *(part.expand_as(x) for part in context)], dim=1))))
        weights = scores.masked_fill(~own, -torch.inf).softmax(dim=2)
        return torch.cat(_statistics(x, weights), dim=1)


def _statistics(x: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    mean = (weights * x).sum(dim=2, keepdim=True)
    variance = (weights * (x - mean).square()).sum(dim=2, keepdim=True)
    return mean, variance.clamp(min=1e-12).sqrt()


class ECAPA(nn.Module):
    """The network: (n, frames, bands) normalised log mel energies -> (n, dimension), not of unit length.

    Parameters
    ----------
    bands : int
        Of the filter bank.
    dimension : int
        Of the vectors.
    channels, kernels, dilations : sequence of int
        Per layer: the first TDNN, the blocks between, the aggregation over their outputs.
    attention, squeezed : int
        Width of the attention and of the squeeze-excitation.
    scale : int
        Groups of channels in a block.

    Raises
    ------
    ValueError
        When the lists differ in length, or `scale` does not divide a block's channels.
    """

    def __init__(
        self,
        *,
        bands: int = 80,
        dimension: int = 192,
        channels: Sequence[int] = (1024, 1024, 1024, 1024, 3072),
        kernels: Sequence[int] = (5, 3, 3, 3, 1),
        dilations: Sequence[int] = (1, 2, 3, 4, 1),
        attention: int = 128,
        squeezed: int = 128,
        scale: int = 8,
    ) -> None:
        super().__init__()
        if not len(channels) == len(kernels) == len(dilations) >= 3:
            raise ValueError(
                f"channels={channels}, kernels={kernels}, dilations={dilations}: give as many of each, at least 3"
            )
        if any(width % scale for width in channels[1:-1]):
            raise ValueError(f"scale={scale}: must divide the blocks' channels {list(channels[1:-1])}")
        self.bands, self.dimension = bands, dimension
        self.blocks = nn.ModuleList([TDNN(bands, channels[0], kernels[0], dilations[0])])
        for before, width, kernel, dilation in zip(
            channels[:-2], channels[1:-1], kernels[1:-1], dilations[1:-1], strict=True
        ):
            self.blocks.append(Block(before, width, kernel=kernel, dilation=dilation, scale=scale, squeezed=squeezed))
        self.mfa = TDNN(sum(channels[1:-1]), channels[-1], kernels[-1], dilations[-1])
        self.asp = AttentivePooling(channels[-1], attention)
        self.asp_bn = Norm(2 * channels[-1])
        self.fc = Conv(2 * channels[-1], dimension)

    def forward(self, features: Tensor, lengths: Tensor | None = None, *, frames: Tensor | None = None) -> Tensor:
        """Encode a batch of clips.

        Parameters
        ----------
        features : tensor [shape=(n, t, bands)]
            See :func:`audioclust.embeddings.ecapa.fbank`.
        lengths : tensor [shape=(n,)], optional
            Shares of t that are the clips' own, read as SpeechBrain reads them.
        frames : tensor [shape=(n,), int], optional
            Counts instead: each clip then has exactly the vector that it has alone. At least 5.

        Returns
        -------
        tensor [shape=(n, dimension)]
        """
        x = features.transpose(1, 2)
        count = x.shape[2]
        ends = frames
        if ends is None:
            ends = x.new_full((len(x),), count) if lengths is None else lengths * count
        own = (torch.arange(count, device=x.device) < ends[:, None])[:, None]
        x = self.blocks[0](x, frames)
        outputs = []
        for block in self.blocks[1:]:
            x = block(x, own, frames)
            outputs.append(x)
        x = self.mfa(torch.cat(outputs, dim=1), frames)
        return self.fc(self.asp_bn(self.asp(x, own))).squeeze(2)
