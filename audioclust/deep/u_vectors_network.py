"""The networks of u-vectors: frames of sound (n, samples) to vectors (n, latent).

``encoder[0]`` makes mel spectra (n, bands, times) in dB, on the device of the network; ``encoder[1]`` scales each band
and makes the vector. Any number of samples from one analysis window on will do.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from audioclust.deep.densenet import DenseNet121
from audioclust.features import filters

__all__ = ["NETWORKS", "MelSpectra", "UVectorNetwork"]

NETWORKS = ("small", "densenet121")
FLOOR = 1e-10
"""Power of a band that counts as silence."""


class MelSpectra(nn.Module):
    """Waves (n, samples) in -1..1 to mel spectra (n, n_mels, times) in dB, each window centred on a multiple of `hop`.

    Examples
    --------
    >>> MelSpectra(n_fft=512, window=400, hop=160, n_mels=40)(torch.zeros(2, 3200)).shape
    torch.Size([2, 40, 21])
    """

    window: Tensor
    bank: Tensor
    basis: Tensor

    def __init__(self, *, n_fft: int, window: int, hop: int, n_mels: int, sample_rate: int = 16000) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        self.quick = n_fft & (n_fft - 1) == 0
        self.length = n_fft if self.quick else window  # of the pieces: a product needs no zeros around the window
        shape = torch.from_numpy(filters.window("hann", window, self.length)).float()
        bank = filters.mel_bank(filters.Bands(sample_rate=sample_rate, n_fft=n_fft, n_mels=n_mels))
        angles = 2 * torch.pi / n_fft * torch.arange(self.length)[:, None] * torch.arange(n_fft // 2 + 1)
        basis = torch.cat([angles.cos(), angles.sin()], 1) * (shape / shape.sum())[:, None]
        for name, part in (("window", shape / shape.sum()), ("bank", torch.from_numpy(bank)), ("basis", basis)):
            self.register_buffer(name, part.float(), persistent=False)

    def forward(self, waves: Tensor) -> Tensor:
        """Return the spectra."""
        with torch.autocast(waves.device.type, enabled=False):
            waves, half = waves.float(), self.n_fft // 2
            padded = torch.cat([waves[:, 1 : half + 1].flip(1), waves, waves[:, -half - 1 : -1].flip(1)], 1)
            start = (self.n_fft - self.length) // 2  # where a piece lies in the transform changes no power
            pieces = padded[:, start : padded.shape[1] - (self.n_fft - self.length - start)]
            bands = self._power(pieces.unfold(1, self.length, self.hop)) @ self.bank.T
            return 10 * torch.log10(bands.clamp(min=FLOOR)).transpose(1, 2)

    def _power(self, pieces: Tensor) -> Tensor:
        """Return power spectra (n, times, bins); a length that is no power of two is quicker as a product."""
        if self.quick:
            spectra = torch.fft.rfft(pieces * self.window)
            real, imaginary = spectra.real, spectra.imag
        else:
            real, imaginary = (pieces @ self.basis).chunk(2, -1)
        return real.square().addcmul_(imaginary, imaginary)


class _Statistics(nn.Module):
    """Mean and standard deviation over time: (n, channels, times) to (n, 2 channels)."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.float()
        return torch.cat([x.mean(2), (x.var(2, correction=0) + 1e-5).sqrt()], 1)


class _Body(nn.Module):
    """Spectra to vectors: the mean and deviation of each band, as first seen, bring it to mean 0 and variance 1."""

    offset: Tensor
    gain: Tensor

    def __init__(self, n_mels: int, latent_size: int, network: str, channels: int, unit: bool) -> None:
        super().__init__()
        self.register_buffer("offset", torch.zeros(n_mels, 1))
        self.register_buffer("gain", torch.ones(n_mels, 1))
        self.image, self.unit = network != "small", unit
        self.layers = DenseNet121(latent_size) if self.image else _small(n_mels, latent_size, channels)

    def forward(self, spectra: Tensor) -> Tensor:
        scaled = (spectra - self.offset) * self.gain
        vectors = self.layers(scaled[:, None] if self.image else scaled).float()
        return nn.functional.normalize(vectors, dim=1) if self.unit else vectors


class UVectorNetwork(nn.Module):
    """Sound to u-vectors.

    Parameters
    ----------
    samples : int
        Length of the frames that it is trained on.
    network : {"small", "densenet121"}
        A time-delay network of four layers, or DenseNet-121 on the spectrum as an image.
    latent_size : int
        Length of a vector.
    channels : int
        Of the small network.
    unit : bool
        Whether vectors are brought to length 1.
    n_fft, window, hop, n_mels, sample_rate
        Of :class:`MelSpectra`.
    """

    def __init__(self, samples: int, *, network: str, latent_size: int, channels: int, unit: bool, **mel: int) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {
            "network": network, "latent_size": latent_size, "channels": channels, "unit": unit, **mel,
        }  # fmt: skip
        self.body = _Body(mel["n_mels"], latent_size, network, channels, unit)
        self.encoder = nn.Sequential(MelSpectra(**mel), self.body)

    @torch.no_grad()
    def scale_to(self, waves: Tensor) -> None:
        """Set the scale of the bands from waves (n, samples)."""
        spectra = self.encoder[0](waves)
        self.body.offset.copy_(spectra.mean((0, 2))[:, None])
        self.body.gain.copy_(1 / spectra.std((0, 2)).clamp(min=1.0)[:, None])


def _small(n_mels: int, latent_size: int, channels: int) -> nn.Sequential:
    """Return four convolutions over time, and statistics over time through a linear layer."""
    layers: list[nn.Module] = []
    before = n_mels
    for kernel, after in ((5, channels), (3, channels), (3, channels), (1, 2 * channels)):
        layers += [nn.Conv1d(before, after, kernel, padding=kernel // 2), nn.BatchNorm1d(after), nn.ReLU()]
        before = after
    return nn.Sequential(*layers, _Statistics(), nn.BatchNorm1d(2 * before), nn.Linear(2 * before, latent_size))
