"""How many dimensions and how many clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from audioclust.report.plots.style import PALETTE, canvas, styled

if TYPE_CHECKING:
    from audioclust.clustering.selection.n_clusters import KEstimate

__all__ = ["explained_variance", "k_selection", "ladder"]

_PANELS = {
    "inertia": "Elbow: inertia", "silhouette": "Silhouette (higher is better)",
    "davies_bouldin": "Davies-Bouldin (lower is better)", "gap": "Gap statistic", "stability": "Stability",
    "largest": "Share of the largest cluster",
    "calinski_harabasz": "Calinski-Harabasz (higher is better)",
}  # fmt: skip


@styled
def explained_variance(
    values: np.ndarray, *, threshold: float = 0.95, chosen: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the cumulative share of variance that principal components explain.

    Parameters
    ----------
    values : np.ndarray [shape=(n, d)] or [shape=(components,)]
        Vectors; or the share of each component, as in ``PCA.explained_variance_ratio_``.
    threshold : float
        A line is drawn here, and where the curve reaches it.
    chosen : int, optional
        The number of components in use, marked.
    ax : Axes, optional

    Examples
    --------
    >>> import numpy as np
    >>> from audioclust.report import plots
    >>> ax = plots.explained_variance(np.array([0.6, 0.3, 0.07, 0.03]))
    >>> ax.texts[0].get_text()
    '95% with 3 components'
    """
    ax = canvas(ax)
    values = np.asarray(values, dtype=float)
    if values.ndim == 2:
        variance = np.linalg.svd(values - values.mean(axis=0), compute_uv=False) ** 2
        values = variance / max(float(variance.sum()), 1e-300)
    total = np.cumsum(values)
    counts = np.arange(1, len(total) + 1)
    ax.plot(counts, total, marker="o" if len(total) <= 40 else None, markersize=3.5, color=PALETTE[0])
    ax.axhline(threshold, color=PALETTE[5], linewidth=1, linestyle="--")
    text = f"{threshold:.0%} is not reached"
    if len(total) and total[-1] >= threshold:
        needed = int(np.argmax(total >= threshold)) + 1
        ax.axvline(needed, color=PALETTE[5], linewidth=1, linestyle=":")
        text = f"{threshold:.0%} with {needed} components"
    ax.annotate(
        text, (0, threshold), xycoords=("axes fraction", "data"), xytext=(6, -4), textcoords="offset points",
        ha="left", va="top", color=PALETTE[5],
    )  # fmt: skip
    if chosen is not None and 1 <= chosen <= len(total):
        ax.plot([chosen], [total[chosen - 1]], "D", color=PALETTE[1], label=f"{chosen} in use")
        ax.legend(loc="lower right")
    ax.set(xlabel="principal components", ylabel="share of variance", ylim=(0, 1.03), title="Explained variance")
    return ax


@styled
def k_selection(
    scores: KEstimate | pd.DataFrame,
    *,
    suggestions: Mapping[str, int | None] | None = None,
    chosen: int | None = None,
    truth: int | None = None,
) -> Figure:
    """Draw every criterion for the number of clusters in a panel of its own, its suggestion marked.

    Parameters
    ----------
    scores : KEstimate or pd.DataFrame
        What `clustering.estimate_k` returns; or its table, one row per k and one column per criterion (``inertia``,
        ``silhouette``, ``davies_bouldin``, ``gap``, ``stability``, ...). k is the index, or a column ``k``. ``NAME_se``
        or ``NAME_std``, where there, is drawn as a band.
    suggestions : mapping of str to int, optional
        The k that each criterion suggests; ``elbow`` is also known as ``inertia``. An estimate brings its own.
    chosen : int, optional
        The k that was settled on; an estimate brings its own.
    truth : int, optional
        The number of labels, for comparison.

    Raises
    ------
    ValueError
        When there is no criterion with a number.

    Examples
    --------
    >>> import pandas as pd
    >>> from audioclust.report import plots
    >>> figure = plots.k_selection(pd.DataFrame({"k": [2, 3, 4], "silhouette": [0.2, 0.5, 0.3]}), chosen=3)
    >>> figure.get_suptitle()
    'settled on k = 3'
    """
    if not isinstance(scores, pd.DataFrame):
        suggestions = scores.suggestions if suggestions is None else suggestions
        chosen = scores.k if chosen is None else chosen
        scores = scores.curve
    table = (scores.set_index("k") if "k" in scores else scores).select_dtypes("number")
    names = [str(name) for name in table.columns if not str(name).endswith(("_std", "_se"))]
    names = [name for name in names if table[name].notna().any()]
    if not names:
        raise ValueError("scores: holds no criterion with a number")
    marked = {("inertia" if name == "elbow" else name): k for name, k in (suggestions or {}).items()}
    columns = min(3, len(names))
    lines = ceil(len(names) / columns)
    figure, axes = plt.subplots(lines, columns, figsize=(3.9 * columns, 2.7 * lines), squeeze=False)
    for ax, name in zip(axes.flat, names, strict=False):
        _criterion(ax, table, name, marked.get(name))
        if truth is not None:
            ax.axvline(truth, color=PALETTE[2], linewidth=1, linestyle=":")
        if chosen is not None:
            ax.axvline(chosen, color=PALETTE[5], linewidth=1)
    for ax in list(axes.flat)[len(names) :]:
        ax.set_axis_off()
    parts = [f"settled on k = {chosen}"] * (chosen is not None) + [f"dotted: {truth} labels"] * (truth is not None)
    if parts:
        figure.suptitle(", ".join(parts), x=0.01, ha="left")
    return figure


def _criterion(ax: Axes, table: pd.DataFrame, name: str, k: int | None) -> None:
    """Draw one criterion over k, its spread as a band, its suggestion `k` as a circle."""
    ax.plot(table.index, table[name], marker="o", markersize=4, color=PALETTE[0])
    spread = next((table[f"{name}_{kind}"] for kind in ("std", "se") if f"{name}_{kind}" in table), None)
    if spread is not None:
        band = (table[name] - spread, table[name] + spread)
        ax.fill_between(table.index, *band, alpha=0.2, color=PALETTE[0], linewidth=0)
    if k is not None and k in table.index:
        at = (k, float(table[name].loc[k]))
        ax.plot(*at, "o", markersize=10, color=PALETTE[5], fillstyle="none", markeredgewidth=2)
        ax.annotate(f"k = {k}", at, xytext=(8, 6), textcoords="offset points", color=PALETTE[5])
    ax.set(title=_PANELS.get(name, name.replace("_", " ")), xlabel="clusters k")


@styled
def ladder(rungs: Sequence[Any], levels: Sequence[Any] = ()) -> Figure:
    """Draw how many groups there are as the number of neighbours grows, and how well each rung agrees with the next.

    Parameters
    ----------
    rungs : sequence of Rung
        `rungs_` of `clustering.Levels`: ``neighbours``, ``n_clusters`` and ``agreement`` (adjusted mutual information).
    levels : sequence of Level
        `levels_`: their ranges of neighbours are shaded and named.

    Examples
    --------
    >>> import numpy as np
    >>> from audioclust import clustering
    >>> from audioclust.report import plots
    >>> X = np.repeat(np.eye(3), 20, axis=0) + 0.05 * np.random.default_rng(0).normal(size=(60, 3))
    >>> found = clustering.Levels().fit(X)
    >>> plots.ladder(found.rungs_, found.levels_).axes[0].get_ylabel()
    'groups'
    """
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(6.4, 5.2), sharex=True, height_ratios=(2, 1))
    neighbours = [rung.neighbours for rung in rungs]
    upper.plot(neighbours, [rung.n_clusters for rung in rungs], "o-", markersize=4, color=PALETTE[0])
    middles = np.sqrt(np.multiply(neighbours[1:], neighbours[:-1]))
    lower.plot(middles, [rung.agreement for rung in rungs[:-1]], "o-", markersize=4, color=PALETTE[1])
    for level in levels:
        first, last = level.neighbours
        for ax in (upper, lower):
            ax.axvspan(first / 1.05, last * 1.05, color=PALETTE[2], alpha=0.15, linewidth=0)
        upper.annotate(
            str(level.n_clusters), (np.sqrt(first * last), level.n_clusters), xytext=(0, 8), ha="center",
            textcoords="offset points", fontweight="bold",
        )  # fmt: skip
    counts = [rung.n_clusters for rung in rungs]
    upper.set(xscale="log", yscale="log", ylabel="groups", ylim=(0.8, 1.6 * max(counts, default=1)))
    lower.set(xlabel="nearest neighbours looked at", ylabel="agreement with\nthe next (AMI)", ylim=(0, 1.05))
    for axis in (upper.yaxis, lower.xaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())
    upper.set_title("Levels: ranges in which the groups stay the same")
    return figure
