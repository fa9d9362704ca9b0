"""What is compared while networks learn and after: scores over epochs, and tables whose cells are coloured."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from audioclust.report.plots.style import PALETTE, canvas, figure_of, plain, styled

__all__ = ["curves", "heatmap"]

_PALE = 0.25


@styled
def curves(
    table: pd.DataFrame,
    *,
    level: float | None = None,
    level_name: str = "",
    ylabel: str = "",
    title: str = "Over epochs",
    ax: Axes | None = None,
) -> Axes:
    """Draw a line per column over the table's index, each named at its end.

    Parameters
    ----------
    table : DataFrame
        The index is the horizontal axis (epochs), a column a line; missing values are skipped.
    level : float, optional
        A dashed line is drawn here, such as the true number of clusters.
    level_name : str
        What the dashed line is.
    ylabel, title : str
    ax : Axes, optional

    Examples
    --------
    >>> from audioclust.report import plots
    >>> ax = plots.curves(pd.DataFrame({"K = 8": [8, 5, 4]}), level=4, level_name="truth")
    >>> [text.get_text() for text in ax.texts]
    ['K = 8', 'truth']
    """
    ax = canvas(ax)
    ends: list[tuple[float, str, str]] = []
    for place, name in enumerate(table.columns):
        known = table[name].dropna()
        colour = PALETTE[place % len(PALETTE)]
        ax.plot(known.index, known, color=colour, linewidth=1.6)
        if len(known):
            ends.append((float(known.iloc[-1]), plain(name, 40), colour))
    if level is not None:
        ax.axhline(level, color="black", linewidth=1, linestyle="--")
        ends.append((float(level), level_name, "black"))
    ax.set(xlabel=table.index.name or "epoch", ylabel=ylabel, title=title)
    ax.margins(x=0.01)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if np.isclose(table.to_numpy(dtype=float) % 1, 0).all():  # counts
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    _name_ends(ax, ends)
    return ax


def _name_ends(ax: Axes, ends: list[tuple[float, str, str]], gap: float = 0.06) -> None:
    """Write names right of the axes, at the height where each line ends, apart where they would touch."""
    bottom, top = ax.get_ylim()
    order = sorted(range(len(ends)), key=lambda place: ends[place][0])
    heights = np.array([(ends[place][0] - bottom) / (top - bottom) for place in order])
    for place in range(1, len(heights)):
        heights[place] = max(heights[place], heights[place - 1] + gap)
    heights -= max(0.0, heights[-1] - 1) if len(heights) else 0.0
    for place, (_, name, colour) in enumerate(ends):
        ax.text(
            1.01, heights[order.index(place)], name, transform=ax.transAxes, color=colour, va="center", fontsize=8.5
        )


@styled
def heatmap(
    values: pd.DataFrame,
    *,
    low: pd.DataFrame | None = None,
    high: pd.DataFrame | None = None,
    signed: bool = False,
    percent: bool = False,
    label: str = "",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a table as coloured cells with the values in them.

    Parameters
    ----------
    values : DataFrame
        A row and a column of cells per row and column; missing values are left white.
    low, high : DataFrame, optional
        Ends of intervals, with the same rows and columns; they stand below the values. With `signed`, a cell whose
        interval holds 0 is pale: its sign cannot be told.
    signed : bool
        Values from -1 to 1, such as correlations: two colours that part at 0. Else one colour, darker for larger.
    percent : bool
        Whether shares are drawn and written as percentages.
    label : str
        Of the colour bar.
    title : str
    ax : Axes, optional

    Examples
    --------
    >>> from audioclust.report import plots
    >>> ax = plots.heatmap(pd.DataFrame({"all": [-0.84, 0.19]}, index=["NMI", "Davies-Bouldin"]), signed=True)
    >>> [text.get_text() for text in ax.texts]
    ['-.84', '.19']
    """
    rows, columns = values.shape
    with_ends = low is not None and high is not None
    width, height = (1.0, 0.42) if with_ends else (0.75, 0.3)
    ax = canvas(ax, (float(np.clip(2.6 + width * columns, 4, 14)), 1.1 + height * rows))
    unit = 100 if percent else 1
    numbers = values.to_numpy(dtype=float) * unit
    scale: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -1.0, "vmax": 1.0} if signed else {"cmap": "Blues"}
    ends = [side.to_numpy(dtype=float) * unit for side in (low, high) if side is not None]
    strength = np.ones_like(numbers)
    if with_ends and signed:
        strength[(ends[0] <= 0) & (ends[1] >= 0)] = _PALE
    image = ax.imshow(np.ma.masked_invalid(numbers), aspect="auto", alpha=strength, **scale)
    for (row, column), value in np.ndenumerate(numbers):
        if not np.isfinite(value):
            continue
        ink = _ink(image.cmap(image.norm(value)), float(strength[row, column]))
        if with_ends:
            written = " to ".join(_number(float(side[row, column]), percent) for side in ends)
            ax.text(column, row + 0.24, written, ha="center", va="center", fontsize=6, color=ink)
        place = row - 0.14 if with_ends else row
        ax.text(column, place, _number(value, percent), ha="center", va="center", fontsize=8.5, color=ink)
    for edge in range(1, rows):
        ax.axhline(edge - 0.5, color="white", linewidth=0.8)
    for edge in range(1, columns):
        ax.axvline(edge - 0.5, color="white", linewidth=0.8)
    ax.set_xticks(range(columns), [plain(name, 24) for name in values.columns], rotation=30, ha="right")
    ax.set_yticks(range(rows), [plain(name, 32) for name in values.index])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(title)
    scale_bar = plt.cm.ScalarMappable(image.norm, image.cmap)  # the image's own colours may be pale
    figure_of(ax).colorbar(scale_bar, ax=ax, label=label, pad=0.02)
    return ax


def _ink(colour: Any, strength: float) -> str:
    """Return white for a dark cell, else nearly black; of a colour that is mixed with white down to this strength."""
    red, green, blue = (1 - strength * (1 - part) for part in colour[:3])
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "#1D2430"


def _number(value: float, percent: bool) -> str:
    """Write a percentage with a decimal, another number with two and without a leading 0."""
    if not np.isfinite(value):
        return "?"
    return f"{value:.1f}" if percent else f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.2f}"
