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
from scipy.optimize import linear_sum_assignment

from audioclust import files

__all__ = [
    "MARKERS",
    "NOISE",
    "PALETTE",
    "canvas",
    "encoding",
    "figure_of",
    "matched",
    "plain",
    "save",
    "style",
    "styled",
]

# Each has a contrast of at least 3 to 1 with white, and is as far as can be from those before it, for readers with the
# common colour blindnesses too: chosen one after the other by their distance in OKLab (a test measures it).
PALETTE = (
    "#0072B2", "#D17C00", "#00704C", "#0000C7", "#580068", "#B83210", "#B770FF", "#582800",
    "#7820FF", "#BF208F", "#004848", "#FF5078", "#870097", "#E718CF", "#309F60", "#870038",
    "#703870", "#8070D7", "#873000", "#606080", "#608050", "#2848B7", "#E73018", "#4820DF",
)  # fmt: skip
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "*")
NOISE = "#8A9099"
_PER_MARKER = 8  # further groups have another marker, not only another colour

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


def encoding(values: Any, *, start: int = 0) -> dict[Any, tuple[str, str]]:
    """Give every distinct value a colour and a marker, the same for the same values in whatever order.

    Missing values and the cluster -1 (noise) are grey dots. The first `start` looks are left to others.
    """
    distinct = sorted({_value(value) for value in np.asarray(values, dtype=object)}, key=_sort_key)
    result: dict[Any, tuple[str, str]] = {}
    for place, value in enumerate((v for v in distinct if v is not None and v != -1), start=start):
        result[value] = (PALETTE[place % len(PALETTE)], MARKERS[place // _PER_MARKER % len(MARKERS)])
    for value in distinct:
        result.setdefault(value, (NOISE, "."))
    return result


def matched(labels: Any, truth: Any) -> dict[Any, Any]:
    """Give clusters the label that each holds most of, one to one, so that most recordings agree.

    Parameters
    ----------
    labels : array-like [shape=(n,)]
        Clusters; noise (-1) gets no label.
    truth : array-like [shape=(n,)]
        Missing values are left out.

    Returns
    -------
    dict
        Label by cluster. With more clusters than labels, some clusters have none.
    """
    pairs = [(_value(c), _value(t)) for c, t in zip(np.asarray(labels), np.asarray(truth, dtype=object), strict=True)]
    pairs = [(cluster, label) for cluster, label in pairs if cluster != -1 and label is not None]
    if not pairs:
        return {}
    clusters, names = (list(dict.fromkeys(values)) for values in zip(*pairs, strict=True))
    counts = np.zeros((len(clusters), len(names)))
    np.add.at(counts, ([clusters.index(c) for c, _ in pairs], [names.index(t) for _, t in pairs]), 1)
    best = zip(*linear_sum_assignment(counts, maximize=True), strict=True)
    return {clusters[row]: names[column] for row, column in best if counts[row, column]}


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

    Raises
    ------
    ValueError
        When `path` has another suffix.

    Examples
    --------
    >>> import tempfile
    >>> from audioclust.report import plots
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plots.save(plots.cluster_sizes([0, 0, 1]), f"{folder}/sizes.png").name
    'sizes.png'
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
