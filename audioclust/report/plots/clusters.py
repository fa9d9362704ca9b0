"""What clusters hold: labels in them, sizes, silhouettes, pairs of recordings, and what they follow instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from audioclust.report.plots.style import NOISE, PALETTE, canvas, encoding, figure_of, matched, styled

__all__ = ["cluster_sizes", "confusion", "nuisance", "score_distributions", "silhouettes"]

NUMBERS_LIMIT = 25


@styled
def confusion(labels: Any, truth: Any, *, ax: Axes | None = None, title: str = "Clusters and labels") -> Axes:
    """Draw how many recordings of each label every cluster holds.

    Clusters are put opposite the labels they match best, one to one; further clusters and noise stand below. Colour is
    the share of the row. Above 25 rows or columns the counts are left out.

    Parameters
    ----------
    labels : array-like [shape=(n,)]
        Clusters; -1 is noise.
    truth : array-like [shape=(n,)]
        Recordings whose label is missing are left out.
    ax : Axes, optional
    title : str

    Raises
    ------
    ValueError
        When lengths differ, or every label is missing.

    Examples
    --------
    >>> from audioclust.report import plots
    >>> ax = plots.confusion([1, 1, 0, -1], ["a", "a", "b", "b"])
    >>> [tick.get_text() for tick in ax.get_yticklabels()]
    ['1', '0', 'noise']
    """
    labels, truth = np.asarray(labels), np.asarray(truth, dtype=object)
    if len(labels) != len(truth):
        raise ValueError(f"truth: {len(truth)} labels for {len(labels)} recordings")
    known = pd.notna(truth)
    if not known.any():
        raise ValueError("truth: every label is missing, so there is nothing to compare the clusters with")
    labels, truth = labels[known], np.array([str(label) for label in truth[known]])
    table = pd.crosstab(pd.Series(labels, name="cluster"), pd.Series(truth, name="label"))
    table = table.loc[_opposite(table, matched(labels, truth))]
    counts = table.to_numpy()
    height, width = counts.shape
    ax = canvas(ax, (float(np.clip(2.5 + 0.45 * width, 4, 14)), float(np.clip(1.8 + 0.34 * height, 3, 14))))
    share = counts / counts.sum(axis=1, keepdims=True)
    image = ax.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    if max(height, width) <= NUMBERS_LIMIT:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                ink = "white" if share[row, column] > 0.55 else "#1D2430"
                ax.text(column, row, str(count), ha="center", va="center", fontsize=8, color=ink)
    _ticks(ax, "x", [str(name) for name in table.columns])
    _ticks(ax, "y", ["noise" if name == -1 else str(name) for name in table.index])
    ax.set(xlabel="label", ylabel="cluster", title=title)
    figure_of(ax).colorbar(image, ax=ax, label="share of the cluster", pad=0.02)
    return ax


def _opposite(table: pd.DataFrame, label_of: Mapping[Any, Any]) -> list[Any]:
    """Order clusters as their labels are, then the others from the largest, then noise."""
    columns = list(table.columns)

    def place(cluster: Any) -> tuple[bool, int, int]:
        matches = columns.index(label_of[cluster]) if cluster in label_of else len(columns)
        return cluster == -1, matches, -int(table.loc[cluster].sum())

    return sorted(table.index, key=place)


@styled
def cluster_sizes(labels: Any, *, ax: Axes | None = None, title: str = "Cluster sizes") -> Axes:
    """Draw how many recordings each cluster holds, the largest first; noise is grey, at the end.

    Parameters
    ----------
    labels : array-like [shape=(n,)]
    ax : Axes, optional
    title : str

    Examples
    --------
    >>> from audioclust.report import plots
    >>> plots.cluster_sizes([0, 1, 1, -1]).get_title("left")
    'Cluster sizes (2 clusters)'
    """
    clusters, counts = np.unique(np.asarray(labels), return_counts=True)
    order = sorted(range(len(clusters)), key=lambda i: (clusters[i] == -1, -counts[i], clusters[i]))
    ax = canvas(ax, (float(np.clip(2 + 0.3 * len(clusters), 5, 14)), 3.2))
    noise = [clusters[i] == -1 for i in order]
    places = np.arange(len(order))
    bars = ax.bar(places, counts[order], color=[NOISE if is_noise else PALETTE[0] for is_noise in noise])
    if len(order) <= NUMBERS_LIMIT:
        ax.bar_label(bars, padding=2, fontsize=8)
    _ticks(ax, "x", ["noise" if is_noise else str(clusters[i]) for is_noise, i in zip(noise, order, strict=True)])
    ax.set(xlabel="cluster", ylabel="recordings", title=f"{title} ({len(clusters) - sum(noise)} clusters)")
    return ax


@styled
def silhouettes(values: Any, labels: Any, *, ax: Axes | None = None, title: str = "Silhouettes") -> Axes:
    """Draw the silhouette of every recording, sorted inside its cluster, with the mean as a line.

    Parameters
    ----------
    values : array-like [shape=(n,)]
        Silhouettes, -1..1; NaN is left out.
    labels : array-like [shape=(n,)]
        Clusters; noise is left out.
    ax : Axes, optional
    title : str

    Examples
    --------
    >>> from audioclust.evaluation.internal import silhouettes
    >>> from audioclust.report import plots
    >>> X, labels = [[0.0], [0.1], [9.0], [9.2]], [0, 0, 1, 1]
    >>> plots.silhouettes(silhouettes(X, labels), labels).get_xlabel()
    'silhouette'
    """
    values, labels = np.asarray(values, dtype=float), np.asarray(labels)
    kept = np.isfinite(values) & (labels != -1)
    clusters = np.unique(labels[kept])
    ax = canvas(ax, (6.5, float(np.clip(1.5 + 0.3 * len(clusters), 3.5, 9))))
    looks = encoding(clusters)
    bottom, gap = 0, max(1, int(kept.sum() * 0.01))
    for cluster in clusters:
        bars = np.sort(values[kept & (labels == cluster)])
        heights = np.arange(bottom, bottom + len(bars))
        ax.fill_betweenx(heights, 0, bars, color=looks[cluster.item()][0], linewidth=0, step="mid")
        if len(clusters) <= NUMBERS_LIMIT:
            ax.text(-0.02, bottom + len(bars) / 2, str(cluster), ha="right", va="center", fontsize=8)
        bottom += len(bars) + gap
    mean = float(values[kept].mean()) if kept.any() else float("nan")
    if np.isfinite(mean):
        ax.axvline(mean, color=PALETTE[5], linewidth=1, linestyle="--", label=f"mean {mean:.3f}")
        ax.legend(loc="lower right")
    ax.set(yticks=[], xlabel="silhouette", ylabel="cluster", title=title)
    return ax


@styled
def score_distributions(
    same: Any, different: Any, *, eer: float | None = None, threshold: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how similar pairs of one voice (or label) are, and pairs of two, with the threshold of equal error.

    Parameters
    ----------
    same, different : array-like
        Similarities of pairs, such as cosines.
    eer : float, optional
        Equal error rate, 0..1.
    threshold : float, optional
        Similarity at which both errors are equal.
    ax : Axes, optional

    Examples
    --------
    >>> from audioclust.report import plots
    >>> ax = plots.score_distributions([0.9, 0.8], [0.1, 0.3], threshold=0.5)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['different (2 pairs)', 'same (2 pairs)', 'threshold 0.500']
    """
    ax = canvas(ax, (7, 3.6))
    same, different = np.asarray(same, dtype=float), np.asarray(different, dtype=float)
    together = np.concatenate([same, different])
    edges = np.linspace(together.min(), together.max() + 1e-9, 81) if len(together) else np.linspace(0, 1, 81)
    for scores, name, colour in ((different, "different", PALETTE[1]), (same, "same", PALETTE[0])):
        if len(scores):
            label = f"{name} ({len(scores):,} pairs)".replace(",", " ")
            ax.hist(scores, bins=edges.tolist(), density=True, alpha=0.55, color=colour, label=label)
    if threshold is not None:
        rate = "" if eer is None else f", EER {eer:.2%}"
        ax.axvline(threshold, color="#1D2430", linewidth=1.2, linestyle="--", label=f"threshold {threshold:.3f}{rate}")
    ax.set(xlabel="similarity", ylabel="density", title="Similarity of pairs", yticks=[])
    if ax.get_legend_handles_labels()[0]:
        ax.legend()
    return ax


@styled
def nuisance(
    scores: Mapping[str, float], *, truth: str = "label", nmi: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how well the label, and everything else that is known of the recordings, explains the clusters.

    Parameters
    ----------
    scores : mapping of str to float
        NMI of the clusters with each column, as `evaluation.nuisance` gives.
    truth : str
        Name of the label.
    nmi : float, optional
        NMI of the clusters with the label.
    ax : Axes, optional

    Examples
    --------
    >>> from audioclust.report import plots
    >>> plots.nuisance({"speaker": 0.7, "level": 0.1}, truth="emotion", nmi=0.4).get_title("left")
    'Clusters follow speaker, not emotion'
    """
    bars = {name: float(value) for name, value in scores.items() if value is not None and np.isfinite(value)}
    if nmi is not None:
        bars[truth] = float(nmi)
    names = sorted(bars, key=lambda name: bars[name])
    ax = canvas(ax, (6.5, 1.2 + 0.34 * max(len(names), 1)))
    reference = bars.get(truth, float("nan"))
    colours = [PALETTE[0] if name == truth else PALETTE[5] if bars[name] > reference else NOISE for name in names]
    drawn = ax.barh(np.arange(len(names)), [bars[name] for name in names], color=colours)
    ax.bar_label(drawn, fmt="%.2f", padding=3, fontsize=8)
    ax.set_yticks(np.arange(len(names)), names)
    above = [name for name in reversed(names) if name != truth and bars[name] > reference]
    title = f"Clusters follow {above[0]}, not {truth}" if above else "What the clusters follow"
    ax.set(xlim=(0, 1.08), xlabel="NMI with the clusters", title=title)
    return ax


def _ticks(ax: Axes, axis: str, names: list[str]) -> None:
    """Name every place along an axis, or every so many where they would run into one another."""
    step = max(1, len(names) // 60)
    shown = [name if len(name) <= 22 else name[:21] + "…" for name in names[::step]]
    places = np.arange(0, len(names), step)
    size = 9 if len(names) <= NUMBERS_LIMIT else 6
    if axis == "y":
        ax.set_yticks(places, shown, fontsize=size)
        return
    slanted = max((len(name) for name in shown), default=0) > 6
    ax.set_xticks(places, shown, fontsize=size, rotation=45 if slanted else 0, ha="right" if slanted else "center")
