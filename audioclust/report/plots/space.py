"""Vectors in two dimensions, and the tree of their merges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from audioclust.report.plots.style import PALETTE, canvas, encoding, matched, plain, styled
from audioclust.validation import check_choice

__all__ = ["dendrogram", "project_2d", "scatter", "scatter_pair"]

LEGEND_LIMIT = 20


def project_2d(X: np.ndarray, method: str = "pca", *, random_state: int = 0) -> np.ndarray:
    """Place vectors in the plane.

    Parameters
    ----------
    X : np.ndarray [shape=(n, d)]
    method : {"pca", "tsne", "umap"}
        ``tsne`` and ``umap`` fall back to ``pca`` below 5 vectors, and for those of one value.
    random_state : int
        The same gives the same positions on the same machine. (UMAP's differ between machines: keep the positions.)

    Returns
    -------
    np.ndarray [shape=(n, 2), dtype=float64]

    Raises
    ------
    ValueError
        When `method` is unknown, or `X` is not two-dimensional or holds values that are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from audioclust.report import plots
    >>> plots.project_2d(np.eye(4)).shape
    (4, 2)
    """
    X = np.asarray(X, dtype=np.float64)
    if X.ndim != 2 or not np.isfinite(X).all():
        raise ValueError("X: must be an array (n, d) of finite numbers")
    check_choice("method", method, ("pca", "tsne", "umap"))
    n = len(X)
    if method == "pca" or n < 5 or X.shape[1] < 2:
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
    from audioclust.clustering.compiled import umap_class

    model = umap_class()(n_neighbors=min(15, n - 1), random_state=random_state, n_jobs=1, init=_pca(X))
    return np.asarray(model.fit_transform(X), dtype=float)


@styled
def scatter(
    positions: np.ndarray,
    labels: Any,
    *,
    ax: Axes | None = None,
    title: str = "",
    legend: bool | None = None,
    looks: Mapping[Any, tuple[str, str]] | None = None,
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
    looks : mapping of label to (colour, marker), optional
        By default one for each label, in the labels' order.

    Examples
    --------
    >>> import numpy as np
    >>> from audioclust.report import plots
    >>> ax = plots.scatter(np.eye(2), ["a", "b"])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['a', 'b']
    """
    ax = canvas(ax, (6, 5))
    positions, labels = np.asarray(positions, dtype=float), np.asarray(labels, dtype=object)
    if len(labels) != len(positions):
        raise ValueError(f"labels: {len(labels)} for {len(positions)} positions")
    looks = encoding(labels) if looks is None else looks
    missing = np.array([label is None or label != label for label in labels], dtype=bool)
    size = float(np.clip(3000 / max(len(positions), 1), 5, 36))
    edge = 0.3 if size > 12 else 0  # a white line tells points apart that touch
    for label, (colour, marker) in looks.items():
        chosen = missing if label is None else (labels == label) & ~missing
        noise = label is None or label == -1
        look: dict[str, Any] = {"alpha": 0.5, "zorder": 1} if noise else {"zorder": 2}
        look["label"] = "noise" if label == -1 else "–" if label is None else plain(label, 24)
        ax.scatter(
            positions[chosen, 0],
            positions[chosen, 1],
            s=size,
            c=colour,
            marker=marker,
            linewidths=edge,
            edgecolors="white",
            **look,
        )
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
        None, or labels that are all missing, leave that panel out.
    labels : array-like [shape=(n,)]
        A cluster has the colour of the label that it matches best, one to one; further clusters have colours of their
        own.
    title : str
    truth_name : str
        What `truth` is.

    Examples
    --------
    >>> import numpy as np
    >>> from audioclust.report import plots
    >>> figure = plots.scatter_pair(np.eye(3), ["a", "a", "b"], [1, 1, 0])
    >>> [ax.get_title("left") for ax in figure.axes]
    ['by label', 'by cluster (2)']
    """
    name = f"by cluster ({len(set(np.asarray(labels).tolist()) - {-1})})"
    panels: list[tuple[Any, str, Any]] = [(labels, name, None)]
    if truth is not None and pd.notna(np.asarray(truth, dtype=object)).any():
        known = encoding(truth)
        label_of = matched(labels, truth)
        rest = [cluster for cluster in np.asarray(labels).tolist() if cluster not in label_of]
        looks = {cluster: known[label] for cluster, label in label_of.items()} | encoding(rest, start=len(known))
        looks = dict(sorted(looks.items(), key=lambda item: (item[0] == -1, item[0])))
        panels = [(truth, f"by {truth_name}", known), (labels, name, looks)]
    figure, axes = plt.subplots(1, len(panels), figsize=(6.5 * len(panels), 5), sharex=True, sharey=True, squeeze=False)
    for ax, (values, name, looks) in zip(axes[0], panels, strict=True):
        scatter(positions, values, ax=ax, title=name, looks=looks)
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

    Raises
    ------
    ValueError
        When `X` has fewer than 2 rows.

    Examples
    --------
    >>> import numpy as np
    >>> from audioclust.report import plots
    >>> plots.dendrogram(np.eye(4), n_clusters=2).get_title("left")
    'Dendrogram (ward, 4 recordings)'
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
