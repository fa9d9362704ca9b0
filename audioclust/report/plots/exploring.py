"""Many recordings at a glance: silence and speech over the waveform, measures by label, features side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audioclust.report.plots.sound import spectrogram, waveform
from audioclust.report.plots.space import scatter
from audioclust.report.plots.style import NOISE, PALETTE, canvas, plain, styled

__all__ = ["distributions", "projections", "sound_card", "stretches"]

Stretches = Sequence[tuple[int, int]]
_MOST = 20  # labels
_ACROSS = 3


@styled
def stretches(
    y: np.ndarray,
    sample_rate: int,
    *,
    silence: Stretches = (),
    speech: Stretches = (),
    ax: Axes | None = None,
    title: str = "Silence and speech",
) -> Axes:
    """Draw a waveform with its silence shaded and its speech underlined.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
    sample_rate : int
        Hz.
    silence, speech : sequence of (start, end)
        In samples, as `audio.silence` and `audio.speech` give.
    ax : Axes, optional
    title : str

    Examples
    --------
    >>> from audioclust.report import plots
    >>> ax = plots.stretches(np.zeros(8000), 8000, silence=[(0, 4000)])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['silence']
    """
    ax = waveform(y, sample_rate, ax=canvas(ax, (8, 2.2)), title=plain(title, 60))
    low = ax.get_ylim()[0]
    for name, parts in (("silence", silence), ("speech", speech)):
        for place, (start, end) in enumerate(parts):
            span, label = (start / sample_rate, end / sample_rate), name if place == 0 else None
            if name == "silence":
                ax.axvspan(*span, color=NOISE, alpha=0.3, linewidth=0, label=label)
            else:
                ax.plot(span, (low, low), color=PALETTE[1], linewidth=4, solid_capstyle="butt", label=label)
    if silence or speech:
        ax.legend(loc="upper right", fontsize=7, ncols=2)
    return ax


@styled
def sound_card(
    y: np.ndarray, sample_rate: int, *, silence: Stretches = (), speech: Stretches = (), title: str = ""
) -> Figure:
    """Draw a small card of one recording: its waveform, with silence and speech, over its spectrogram.

    Parameters
    ----------
    y, sample_rate, silence, speech, title
        As for `stretches`.
    """
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(4, 2.6), height_ratios=(1, 1.3))
    stretches(y, sample_rate, silence=silence, speech=speech, ax=top, title=title)
    spectrogram(y, sample_rate, ax=bottom, title="")
    figure.axes[-1].remove()  # the scale: too wide for a card
    top.set(xlabel="", ylabel="", xticks=[])
    return figure


@styled
def distributions(table: pd.DataFrame, columns: Mapping[str, str], *, by: str | None = None, title: str = "") -> Figure:
    """Draw how columns are distributed, over all recordings or per label.

    Parameters
    ----------
    table : pd.DataFrame
    columns : mapping of str to str
        Columns of `table` and their units; those that are not there, or have no number, are left out.
    by : str, optional
        Column to part by, the 20 most frequent values; without it, or where it has one value, histograms are drawn.
    title : str

    Raises
    ------
    ValueError
        When no column has a number.

    Examples
    --------
    >>> from audioclust.report import plots
    >>> table = pd.DataFrame({"who": ["a", "a", "b"], "level": [-20.0, -21.0, -30.0]})
    >>> [ax.get_xlabel() for ax in plots.distributions(table, {"level": "dBFS"}, by="who").axes]
    ['dBFS']
    """
    numbers = {name: pd.to_numeric(table[name], errors="coerce") for name in columns if name in table}
    numbers = {name: values.where(np.isfinite(values)) for name, values in numbers.items() if np.isfinite(values).any()}
    if not numbers:
        raise ValueError(f"columns={list(columns)}: none of them has a number in table")
    names = [] if by is None or by not in table else table[by].value_counts().head(_MOST).index.sort_values().tolist()
    across = min(_ACROSS, len(numbers))
    down = -(-len(numbers) // across)
    height = 2.4 if len(names) < 2 else 1.0 + 0.24 * len(names)
    figure, axes = plt.subplots(down, across, figsize=(4.2 * across, height * down), squeeze=False)
    for ax, (name, values) in zip(axes.flat, numbers.items(), strict=False):
        if len(names) < 2:
            ax.hist(values.dropna(), bins=min(60, max(5, len(table) // 5)), color=PALETTE[1])
        else:
            parts = [values[table[by] == each].dropna().to_numpy() for each in names]
            ax.boxplot(
                parts, orientation="horizontal", patch_artist=True, widths=0.6, flierprops={"markersize": 2},
                boxprops={"facecolor": "#DCE9F2"}, medianprops={"color": PALETTE[5], "linewidth": 1.6},
            )  # fmt: skip
            ax.set_yticks(range(1, len(names) + 1), [plain(each, 24) for each in names], fontsize=8)
            ax.invert_yaxis()
        ax.set(title=name.replace("_", " "), xlabel=columns[name])
    for ax in axes.flat[len(numbers) :]:
        ax.set_visible(False)
    if title:
        figure.suptitle(plain(title), x=0.01, ha="left", weight="bold")
    return figure


@styled
def projections(positions: Mapping[str, np.ndarray], labels: Any, *, title: str = "") -> Figure:
    """Draw the same recordings by several features side by side, coloured by label.

    Parameters
    ----------
    positions : mapping of str to np.ndarray [shape=(n, 2)]
        By feature, as `project_2d` gives.
    labels : array-like [shape=(n,)]
    title : str

    Examples
    --------
    >>> from audioclust.report import plots
    >>> [ax.get_title("left") for ax in plots.projections({"mel": np.eye(2), "mfcc": np.eye(2)}, ["a", "b"]).axes]
    ['mel', 'mfcc']
    """
    across = min(_ACROSS, len(positions))
    down = -(-len(positions) // across)
    figure, axes = plt.subplots(down, across, figsize=(4.4 * across, 3.6 * down), squeeze=False)
    for place, (name, points) in enumerate(positions.items()):
        scatter(points, labels, ax=axes.flat[place], title=plain(name, 40), legend=None if place == 0 else False)
    for ax in axes.flat[len(positions) :]:
        ax.set_visible(False)
    if legend := axes.flat[0].get_legend():
        handles, names = legend.legend_handles, [text.get_text() for text in legend.get_texts()]
        legend.remove()
        figure.legend(handles, names, loc="outside right upper", fontsize=8)
    if title:
        figure.suptitle(plain(title), x=0.01, ha="left", weight="bold")
    return figure
