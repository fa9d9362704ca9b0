"""Vectors in two dimensions, and the tree of their merges."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audioclust.report.plots.style import PALETTE, canvas, encoding, plain, styled

__all__ = ["dendrogram", "project_2d", "scatter", "scatter_pair"]

LEGEND_LIMIT = 20


def project_2d(X: np.ndarray, method: str = "pca", *, random_state: int = 0) -> np.ndarray:
    """Place vectors in the plane.

    Parameters
    ----------
    X : np.ndarray [shape=(n, d)]
    method : {"pca", "tsne", "umap"}
        ``tsne`` and ``umap`` fall back to ``pca`` below 5 vectors.
    random_state : int
        The same gives the same positions on the same machine. (UMAP's differ between machines: keep the positions.)

    Returns
    -------
    np.ndarray [shape=(n, 2), dtype=float64]

    Raises
    ------
    ValueError
        When `method` is unknown, or `X` is not two-dimensional or holds values that are not finite.
    """
    X = np.asarray(X, dtype=np.float64)
    if X.ndim != 2 or not np.isfinite(X).all():
        raise ValueError("X: must be an array (n, d) of finite numbers")
    if method not in ("pca", "tsne", "umap"):
        raise ValueError(f"method={method!r}: must be 'pca', 'tsne' or 'umap'")
    n = len(X)
    if method == "pca" or n < 5:
        return _pca(X)
    if method == "tsne":
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits

        # More than some tens of dimensions add time and noise, not neighbours.
        compact = _pca(X, 50) if X.shape[1] > 50 else X
        model = TSNE(perplexity=min(30.0, (n - 1) / 3), init="pca", random_state=random_state)
        # Threads add in an order of their own, and t-SNE amplifies the difference: one thread, one map.
        with threadpool_limits(1):
            return np.asarray(model.fit_transform(compact), dtype=float)
    from umap import UMAP

    placed = UMAP(n_neighbors=min(15, n - 1), random_state=random_state, n_jobs=1, init=_pca(X)).fit_transform(X)
    return np.asarray(placed, dtype=float)


@styled
def scatter(
    positions: np.ndarray, labels: Any, *, ax: Axes | None = None, title: str = "", legend: bool | None = None
) -> Axes:
    """Draw points in the plane, coloured by label; -1 and missing labels are grey.

    Parameters
    ----------
    positions : np.ndarray [shape=(n, 2)]
        From `project_2d`.
    labels : array-like [shape=(n,)]
        Clusters or names.
    ax : Axes, optional
    title : str
    legend : bool, optional
        By default where there are at most 20 labels.
    """
    ax = canvas(ax, (6, 5))
    positions = np.asarray(positions, dtype=float)
    labels = np.asarray(labels, dtype=object)
    if len(labels) != len(positions):
        raise ValueError(f"labels: {len(labels)} for {len(positions)} positions")
    looks = encoding(labels)
    missing = np.array([label is None or label != label for label in labels], dtype=bool)
    size = float(np.clip(3000 / max(len(positions), 1), 5, 36))
    for label, (colour, marker) in looks.items():
        chosen = missing if label is None else (labels == label) & ~missing
        noise = label is None or label == -1
        look: dict[str, Any] = {"alpha": 0.5, "zorder": 1} if noise else {"alpha": 0.8, "zorder": 2}
        look["label"] = "noise" if label == -1 else "–" if label is None else plain(label, 24)
        ax.scatter(positions[chosen, 0], positions[chosen, 1], s=size, c=colour, marker=marker, linewidths=0, **look)
    ax.set(xticks=[], yticks=[], title=title)
    ax.spines[["left", "bottom"]].set_visible(False)
    if legend if legend is not None else 1 < len(looks) <= LEGEND_LIMIT:
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, markerscale=1.4, handletextpad=0.3)
    return ax


@styled
def scatter_pair(
    positions: np.ndarray, truth: Any, labels: Any, *, title: str = "", truth_name: str = "label"
) -> Figure:
    """Draw the same points twice, at the same places: by what they are, and by the cluster they were put in.

    Parameters
    ----------
    positions : np.ndarray [shape=(n, 2)]
    truth : array-like [shape=(n,)], or None
        None leaves that panel out.
    labels : array-like [shape=(n,)]
    title : str
    truth_name : str
        What `truth` is.
    """
    found = f"by cluster ({len(set(np.asarray(labels).tolist()) - {-1})})"
    panels = [(labels, found)] if truth is None else [(truth, f"by {truth_name}"), (labels, found)]
    figure, axes = plt.subplots(1, len(panels), figsize=(6.5 * len(panels), 5), sharex=True, sharey=True, squeeze=False)
    for ax, (values, name) in zip(axes[0], panels, strict=True):
        scatter(positions, values, ax=ax, title=name)
    if title:
        figure.suptitle(plain(title), x=0.01, ha="left", weight="bold")
    return figure


@styled
def dendrogram(
    X: np.ndarray, *, method: str = "ward", levels: int = 4, n_clusters: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the last merges of hierarchical clustering, with the number of recordings below each leaf.

    Parameters
    ----------
    X : np.ndarray [shape=(n, d)]
        n of at least 2; the tree needs memory in n².
    method : {"ward", "complete", "average", "single"}
    levels : int
        Levels of the tree shown, from the top.
    n_clusters : int, optional
        Draws a line where the tree falls into this many clusters.
    ax : Axes, optional
    """
    from scipy.cluster import hierarchy

    X = np.asarray(X, dtype=float)
    if len(X) < 2:
        raise ValueError(f"X: a tree needs at least 2 rows, not {len(X)}")
    merges = hierarchy.linkage(X, method=method)
    ax = canvas(ax, (9, 3.8))
    cut = None
    if n_clusters is not None and 2 <= n_clusters <= len(merges):
        cut = float(merges[-(n_clusters - 1), 2] + merges[-n_clusters, 2]) / 2
    hierarchy.dendrogram(
        merges, truncate_mode="level", p=levels, ax=ax, color_threshold=cut or 0, above_threshold_color="#6B7280"
    )
    if cut is not None:
        ax.axhline(cut, color=PALETTE[5], linewidth=1, linestyle="--")
    ax.tick_params(axis="x", labelsize=7, rotation=90)
    ax.set(title=f"Dendrogram ({method}, {len(X)} recordings)", ylabel="distance", xlabel="(recordings) below a branch")
    return ax


def _pca(X: np.ndarray, components: int = 2) -> np.ndarray:
    """Project on the first principal components; the sign is fixed so that equal data gives equal places."""
    centred = X - X.mean(axis=0) if len(X) else X
    if not len(X) or not X.shape[1]:
        return np.zeros((len(X), components))
    axes = np.linalg.svd(centred, full_matrices=False)[2][:components]
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(len(axes)), largest])[:, None]
    placed = centred @ axes.T
    return np.pad(placed, ((0, 0), (0, max(0, components - placed.shape[1]))))
