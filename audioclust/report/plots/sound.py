"""Recordings and their features: samples, spectrograms before and after a transform, features, a dataset at a glance.

Samples are mono floats in -1..1; features are arrays [shape=(bands, frames)]. Frames are centred: frame t stands at
t * hop / sample_rate seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audioclust.features import available, entry
from audioclust.features.filters import Bands, mel_centres
from audioclust.features.settings import Settings
from audioclust.features.table import Feature
from audioclust.report.plots.style import PALETTE, canvas, figure_of, plain, styled

__all__ = ["before_after", "feature", "features", "overview", "spectrogram", "waveform"]

_NOTES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")


@styled
def waveform(y: np.ndarray, sample_rate: int, *, ax: Axes | None = None, title: str = "Waveform") -> Axes:
    """Draw samples over seconds; long recordings as the envelope of their smallest and largest samples.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
    sample_rate : int
        Hz.
    ax : Axes, optional
    title : str
    """
    ax = canvas(ax, (8, 2.2))
    y = np.asarray(y, dtype=float)
    seconds = len(y) / sample_rate
    step = max(1, len(y) // 2000)
    if step == 1:
        ax.plot(np.arange(len(y)) / sample_rate, y, linewidth=0.7, color=PALETTE[0])
    else:
        parts = y[: len(y) // step * step].reshape(-1, step)
        times = (np.arange(len(parts)) + 0.5) * step / sample_rate
        ax.fill_between(times, parts.min(axis=1), parts.max(axis=1), linewidth=0.3, color=PALETTE[0])
    ax.set(xlim=(0, max(seconds, 1 / sample_rate)), xlabel="time (s)", ylabel="amplitude", title=title)
    return ax


@styled
def spectrogram(
    y: np.ndarray,
    sample_rate: int,
    *,
    ax: Axes | None = None,
    n_fft: int = 1024,
    hop: int = 256,
    max_frequency: float | None = None,
    title: str = "Spectrogram",
) -> Axes:
    """Draw the level of samples over time and frequency, in dB below the loudest point.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
    sample_rate : int
        Hz.
    ax : Axes, optional
    n_fft, hop : int
        Window and step, in samples.
    max_frequency : float, optional
        Upper end of the axis in Hz; half the sample rate by default.
    title : str
    """
    ax = canvas(ax, (8, 3))
    level = _stft_level(np.asarray(y, dtype=float), n_fft, hop)
    extent = (-hop / 2 / sample_rate, (level.shape[1] - 0.5) * hop / sample_rate, 0.0, sample_rate / 2)
    image = ax.imshow(level, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=-80, vmax=0)
    ax.set(
        xlim=(0, max(len(y) / sample_rate, 1 / sample_rate)), ylim=(0, max_frequency or sample_rate / 2),
        xlabel="time (s)", ylabel="frequency (Hz)", title=title,
    )  # fmt: skip
    figure_of(ax).colorbar(image, ax=ax, label="dB", pad=0.01)
    return ax


@styled
def before_after(before: tuple[np.ndarray, int], after: tuple[np.ndarray, int], *, title: str = "") -> Figure:
    """Draw waveform and spectrogram of one recording before and after a transform, over the same axes.

    Parameters
    ----------
    before, after : (np.ndarray [shape=(samples,)], int)
        Samples and their rate in Hz, as `audio.load` returns.
    title : str
    """
    figure, axes = plt.subplots(2, 2, figsize=(11, 5.5), height_ratios=(1, 1.6))
    seconds = max(len(y) / rate for y, rate in (before, after))
    top = max(before[1], after[1]) / 2
    peak = max(float(np.max(np.abs(y), initial=0)) for y, _ in (before, after)) or 1.0
    for column, ((y, rate), name) in enumerate(((before, "before"), (after, "after"))):
        waveform(y, rate, ax=axes[0, column], title=f"Waveform {name}")
        spectrogram(y, rate, ax=axes[1, column], max_frequency=top, title=f"Spectrogram {name}, {rate} Hz")
        axes[0, column].set(ylim=(-1.05 * peak, 1.05 * peak), xlabel="")
        for ax in axes[:, column]:
            ax.set_xlim(0, seconds)
    if title:
        figure.suptitle(plain(title), x=0.01, ha="left", weight="bold")
    return figure


@styled
def feature(
    values: np.ndarray,
    name: str,
    sample_rate: int,
    *,
    hop: int | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw one spectral feature in colour, with time in seconds and the bands in their own unit.

    Parameters
    ----------
    values : np.ndarray [shape=(bands, frames)]
    name : str
        One of :func:`audioclust.features.available`, whose entry says what the bands are; anything else is drawn over
        band numbers.
    sample_rate : int
        Hz, at which the feature was computed.
    hop : int, optional
        Samples from frame to frame; by default the feature's.
    ax : Axes, optional
    title : str, optional

    Raises
    ------
    ValueError
        When `values` is not two-dimensional.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 2:
        raise ValueError(f"values: must be (bands, frames), not of shape {values.shape}")
    ax = canvas(ax, (8, 3))
    known = _known(name)
    step = (_hop(name) if hop is None else hop) / sample_rate
    edges = (np.arange(values.shape[1] + 1) - 0.5) * step
    bands = len(values)
    signed = bool(values.size) and float(np.nanmin(values)) < 0 and known.range is None
    # MFCCs have both signs and a first coefficient far from the others: a few extremes must not set the colours.
    limit = float(np.nanquantile(np.abs(values), 0.94)) if signed else 0.0
    colours: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit} if limit else {"cmap": "magma"}
    lower = np.arange(bands + 1) - 0.5
    if known.axis == "hertz":
        lower *= sample_rate / 2 / max(bands - 1, 1)
    mesh = ax.pcolormesh(edges, lower, values, shading="flat", rasterized=True, **colours)
    _band_axis(ax, known, bands, sample_rate)
    ax.set(xlim=(0, edges[-1]), xlabel="time (s)", title=known.title if title is None else title)
    figure_of(ax).colorbar(mesh, ax=ax, label=known.unit, pad=0.01)
    return ax


@styled
def features(
    arrays: Mapping[str, np.ndarray],
    sample_rate: int = 22050,
    *,
    hop: int | Mapping[str, int] | None = None,
    title: str = "",
) -> Figure:
    """Draw several features of one recording below one another, over the same seconds.

    Parameters
    ----------
    arrays : mapping of str to np.ndarray [shape=(bands, frames)]
        What `features.spectral` returns.
    sample_rate : int
        Hz, at which they were computed.
    hop : int or mapping of str to int, optional
        One hop for all, or one for each feature; by default each one's own.
    title : str
    """
    hops = {name: hop if isinstance(hop, int) else (hop or {}).get(name, _hop(name)) for name in arrays}
    figure, axes = plt.subplots(len(arrays), 1, figsize=(9, 2.1 * len(arrays)), squeeze=False)
    seconds = max(np.asarray(values).shape[1] * hops[name] / sample_rate for name, values in arrays.items())
    for ax, (name, values) in zip(axes[:, 0], arrays.items(), strict=True):
        feature(values, name, sample_rate, hop=hops[name], ax=ax)
        ax.set(xlim=(0, seconds), xlabel="")
    axes[-1, 0].set_xlabel("time (s)")
    if title:
        figure.suptitle(plain(title), x=0.01, ha="left", weight="bold")
    return figure


@styled
def overview(metadata: pd.DataFrame, *, label: str = "label") -> Figure:
    """Draw what a dataset holds: recordings per label, durations, sample rates, levels.

    Parameters
    ----------
    metadata : pd.DataFrame
        The metadata table; recordings with a ``problem`` are counted apart.
    label : str
        Column to count by.
    """
    broken = metadata["problem"].notna() if "problem" in metadata else pd.Series(False, index=metadata.index)
    usable = metadata[~broken]
    figure, axes = plt.subplots(2, 2, figsize=(11, 6.5))
    counts = usable[label].fillna("–").astype(str).value_counts().head(20)[::-1] if label in usable else pd.Series()
    distinct = usable[label].nunique() if label in usable else 0
    places = np.arange(len(counts))
    axes[0, 0].barh(places, counts.to_numpy(), color=PALETTE[0])
    axes[0, 0].set_yticks(places, [plain(name, 28) for name in counts.index])
    shown = f", the largest 20 of {distinct}" if distinct > 20 else ""
    axes[0, 0].set(title=f"Recordings by {label}{shown}", xlabel="recordings")
    _histogram(axes[0, 1], usable, "duration", "Durations", "s")
    rates = pd.Series(dtype=int)
    if "sample_rate" in usable:
        rates = usable["sample_rate"].dropna().astype(int).value_counts().sort_index()
    places = np.arange(len(rates))
    bars = axes[1, 0].bar(places, rates.to_numpy(), width=0.6, color=PALETTE[2])
    axes[1, 0].bar_label(bars, padding=2)
    axes[1, 0].set_xticks(places, [f"{rate:,}".replace(",", " ") for rate in rates.index])
    axes[1, 0].set(title="Sample rates", xlabel="Hz", ylabel="recordings")
    _histogram(axes[1, 1], usable, "level", "Levels", "dBFS")
    problems = f", {int(broken.sum())} more unusable" if broken.any() else ""
    figure.suptitle(f"{len(usable)} recordings{problems}", x=0.01, ha="left", weight="bold")
    return figure


def _histogram(ax: Axes, table: pd.DataFrame, column: str, title: str, unit: str) -> None:
    values = pd.to_numeric(table[column], errors="coerce") if column in table else pd.Series(dtype=float)
    values = values[np.isfinite(values)]
    spread = len(values) and np.ptp(values) > 1e-9 * max(1.0, float(np.abs(values).max()))
    ax.hist(values, bins="auto" if spread and len(values) < 10_000 else 60 if spread else 1, color=PALETTE[1])
    ax.set(title=title, xlabel=unit, ylabel="recordings")


def _known(name: str) -> Feature:
    return entry(name) if name in available() else Feature(name, np.abs)


def _hop(name: str) -> int:
    return _known(name).hop_of(Settings())


def _band_axis(ax: Axes, feature: Feature, bands: int, sample_rate: int) -> None:
    if feature.axis == "hertz":
        ax.set(ylabel="frequency (Hz)", ylim=(0, sample_rate / 2))
    elif feature.axis == "mel":
        centres = mel_centres(Bands(sample_rate, n_fft=2, n_mels=bands))
        ticks = [hz for hz in (512, 1024, 2048, 4096, 8192, 16384) if centres[0] <= hz <= centres[-1]]
        ax.set_yticks(np.interp(ticks, centres, np.arange(bands)), [str(hz) for hz in ticks])
        ax.set(ylabel="frequency (Hz)", ylim=(-0.5, bands - 0.5))
    elif feature.axis == "pitch class" and bands == len(_NOTES):
        ax.set_yticks(np.arange(0, bands, 2), _NOTES[::2])
        ax.set_ylabel(feature.axis)
    else:
        places = np.arange(0, bands, max(1, bands // 4))
        ax.set_yticks(places, [str(place + feature.first) for place in places])
        ax.set_ylabel(feature.axis)


def _stft_level(y: np.ndarray, n_fft: int, hop: int) -> np.ndarray:
    padded = np.pad(y, (n_fft // 2, n_fft // 2 + max(0, hop - len(y) % hop)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop] * np.hanning(n_fft)
    power = np.abs(np.fft.rfft(frames, axis=1)).T ** 2
    return 10 * np.log10(np.maximum(power / max(float(power.max()), 1e-20), 1e-8))
