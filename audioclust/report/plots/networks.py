"""What networks learned: losses, reconstructions, neighbours in latent space.

Images are arrays [shape=(n, height, width)].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audioclust.report.plots.style import PALETTE, canvas, plain, styled

__all__ = ["image_grid", "loss_curves", "nearest_images", "reconstructions"]


@styled
def loss_curves(
    history: pd.DataFrame | Mapping[str, Sequence[float]], *, ax: Axes | None = None, title: str = "Training"
) -> Axes:
    """Draw losses over epochs.

    Parameters
    ----------
    history : pd.DataFrame or mapping
        One column per loss; ``epoch`` (or ``step``) is the horizontal axis, else rows are counted. A CSV log of
        Lightning works as it is read: rows that lack a loss are skipped, other columns' ``step`` is not drawn.
    ax : Axes, optional
    title : str

    Examples
    --------
    >>> from audioclust.report import plots
    >>> plots.loss_curves({"epoch": [1, 2], "loss": [0.5, 0.1]}).get_yscale()
    'log'
    """
    ax = canvas(ax)
    table = pd.DataFrame(history)
    across = next((name for name in ("epoch", "step") if name in table), None)
    times = table[across] if across else pd.Series(np.arange(len(table)), index=table.index)
    drawn = [n for n in table.columns if n not in ("epoch", "step") and pd.api.types.is_numeric_dtype(table[n])]
    smallest = np.inf
    for place, name in enumerate(drawn):
        known = table[name].notna()
        colour = PALETTE[place % len(PALETTE)]
        ax.plot(times[known], table.loc[known, name], label=str(name), color=colour, linewidth=1.5)
        smallest = min(smallest, float(table.loc[known, name].min())) if known.any() else smallest
    if 0 < smallest < np.inf:
        ax.set_yscale("log")
    ax.set(xlabel=across or "epoch", ylabel="loss", title=title)
    if drawn:
        ax.legend()
    return ax


@styled
def reconstructions(
    images: np.ndarray, rebuilt: np.ndarray, *, names: Sequence[str] | None = None, count: int = 8
) -> Figure:
    """Draw images above what the network makes of them.

    Parameters
    ----------
    images, rebuilt : np.ndarray [shape=(n, height, width)]
        On one scale.
    names : sequence of str, optional
        Titles of the images.
    count : int
        How many are drawn, evenly spread over the n.

    Raises
    ------
    ValueError
        When the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> from audioclust.report import plots
    >>> images = np.zeros((20, 4, 8))
    >>> len(plots.reconstructions(images, images, count=3).axes)
    6
    """
    images, rebuilt = np.asarray(images), np.asarray(rebuilt)
    if images.shape != rebuilt.shape or images.ndim != 3:
        raise ValueError(f"images and rebuilt must both be (n, height, width), not {images.shape} and {rebuilt.shape}")
    chosen = np.unique(np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int))
    figure, axes = plt.subplots(2, max(len(chosen), 1), figsize=(1.7 * max(len(chosen), 2), 2.6), squeeze=False)
    for column, row in enumerate(chosen):
        low, high = float(images[row].min()), float(images[row].max())
        for line, image in enumerate((images[row], rebuilt[row])):
            axes[line, column].imshow(image, cmap="magma", vmin=low, vmax=high, aspect="auto")
        if names is not None:
            axes[0, column].set_title(plain(names[row], 20), fontsize=8, weight="normal")
    _bare(axes)
    for line, name in enumerate(("input", "rebuilt")):
        axes[line, 0].set_ylabel(name)
    return figure


@styled
def image_grid(images: np.ndarray, *, titles: Sequence[str] | None = None, columns: int = 6) -> Figure:
    """Draw images side by side.

    Parameters
    ----------
    images : np.ndarray [shape=(n, height, width)]
    titles : sequence of str, optional
        One per image.
    columns : int
        Images in a row.

    Examples
    --------
    >>> import numpy as np
    >>> from audioclust.report import plots
    >>> len(plots.image_grid(np.zeros((5, 4, 8)), columns=3).axes)
    6
    """
    images = np.asarray(images)
    columns = max(1, min(columns, len(images)))
    lines = max(1, ceil(len(images) / columns))
    figure, axes = plt.subplots(lines, columns, figsize=(1.8 * columns, 1.25 * lines + 0.3), squeeze=False)
    for place, (ax, image) in enumerate(zip(axes.flat, images, strict=False)):
        ax.imshow(image, cmap="magma", aspect="auto")
        if titles is not None:
            ax.set_title(plain(titles[place], 22), fontsize=8, weight="normal")
    _bare(axes)
    return figure


@styled
def nearest_images(
    images: np.ndarray,
    neighbours: np.ndarray,
    *,
    queries: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> Figure:
    """Draw, for each query image, the images nearest to it in latent space.

    Parameters
    ----------
    images : np.ndarray [shape=(n, height, width)]
    neighbours : np.ndarray [shape=(q, m)], integer
        Rows of `images` nearest to each query, the nearest first.
    queries : sequence of int, optional
        Rows of the queries; by default the first column of `neighbours`.
    names : sequence of str, optional
        One per image.

    Examples
    --------
    >>> import numpy as np
    >>> from audioclust.report import plots
    >>> len(plots.nearest_images(np.zeros((5, 4, 8)), np.array([[0, 1, 2], [3, 4, 0]])).axes)
    6
    """
    images, neighbours = np.asarray(images), np.asarray(neighbours)
    grid = neighbours if queries is None else np.column_stack([np.asarray(queries, dtype=int), neighbours])
    lines, columns = grid.shape
    figure, axes = plt.subplots(lines, columns, figsize=(1.7 * columns, 1.25 * lines + 0.3), squeeze=False)
    for ax, row in zip(axes.flat, grid.flat, strict=True):
        ax.imshow(images[row], cmap="magma", aspect="auto")
        if names is not None:
            ax.set_title(plain(names[row], 20), fontsize=7, weight="normal")
    _bare(axes)
    for line in range(lines):
        axes[line, 0].set_ylabel("query")
        axes[line, 0].spines[:].set(visible=True, color=PALETTE[5], linewidth=2)
    return figure


def _bare(axes: np.ndarray) -> None:
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
