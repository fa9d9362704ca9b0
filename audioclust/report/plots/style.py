"""How figures look, and how they are saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import seaborn
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audioclust import files

__all__ = ["MARKERS", "NOISE", "PALETTE", "canvas", "encoding", "figure_of", "plain", "save", "style", "styled"]

# Okabe and Ito's colours without black, told apart with any common colour blindness; the order alternates lightness.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6BB1", "#B8A800")
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "*")
NOISE = "#B0B4BA"

P = ParamSpec("P")
R = TypeVar("R")

_SETTINGS: Any = {
    "axes.edgecolor": "#8A919C",
    "axes.grid": False,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": cycler(color=PALETTE),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "font.size": 9.5,
    "grid.color": "#E3E5E8",
    "image.cmap": "magma",
    "legend.frameon": False,
    "savefig.dpi": 150,
    "xtick.color": "#4A505A",
    "ytick.color": "#4A505A",
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the package's style inside the block; matplotlib's settings are restored after it."""
    with seaborn.axes_style("ticks"), mpl.rc_context(_SETTINGS):
        yield


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function draw inside `style`."""

    @wraps(function)
    def draw(*args: P.args, **kwargs: P.kwargs) -> R:
        with style():
            return function(*args, **kwargs)

    return draw


def canvas(ax: Axes | None, size: tuple[float, float] = (6.4, 4.0)) -> Axes:
    """Return `ax`, or the axes of a new figure of `size` inches."""
    if ax is not None:
        return ax
    return plt.subplots(figsize=size)[1]


def encoding(values: Any) -> dict[Any, tuple[str, str]]:
    """Give every distinct value a colour and a marker, the same for the same values in whatever order.

    Missing values and the cluster -1 (noise) are grey dots.
    """
    distinct = sorted({_value(value) for value in np.asarray(values, dtype=object)}, key=_sort_key)
    result: dict[Any, tuple[str, str]] = {}
    for place, value in enumerate(value for value in distinct if value is not None and value != -1):
        result[value] = (PALETTE[place % len(PALETTE)], MARKERS[place // len(PALETTE) % len(MARKERS)])
    for value in distinct:
        result.setdefault(value, (NOISE, "."))
    return result


def figure_of(drawing: Axes | Figure) -> Figure:
    """Return the figure of an Axes, or the figure itself."""
    return drawing if isinstance(drawing, Figure) else drawing.get_figure(root=True)  # type: ignore[return-value]


def plain(text: Any, length: int = 120) -> str:
    """Shorten text from data, and keep it from being read as mathematics or as an entry that a legend hides."""
    text = str(text).replace("$", r"\$")
    text = text if len(text) <= length else text[: length - 1] + "…"
    return " " + text if text.startswith("_") else text


def save(drawing: Axes | Figure, path: str | Path) -> Path:
    """Write a figure, or the figure of an Axes, as PNG, and close it.

    Parameters
    ----------
    drawing : Axes or Figure
    path : str or Path
        Must end in ``.png``; parent folders are made.

    Returns
    -------
    Path
        `path`.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"path={str(path)!r}: must end in .png")
    figure = figure_of(drawing)
    try:
        with files.atomic(path) as partial, style():
            figure.savefig(partial, format="png")
    finally:
        plt.close(figure)
    return path


def _value(value: Any) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    return None if value is None or value != value else value


def _sort_key(value: Any) -> tuple[int, float, str]:
    number = isinstance(value, (int, float))
    return (0 if number else 1, float(value) if number else 0.0, str(value))
