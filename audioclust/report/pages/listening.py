"""A page to listen to a clustering: open it from the disk, and every cluster plays.

One HTML file holds everything: a contact sheet for each cluster with the recordings that say most about it (its
medoid, typical ones, those at the border to another cluster, outliers), a map whose points play, and the means to name
clusters and to mark pairs as same or different, saved as JSON for the next fit. Nothing is loaded from the network.

What is marked is saved as ``{"format": "audioclust-corrections-1", "names": {cluster: name}, "must_link":
[[path, path], ...], "cannot_link": [[path, path], ...]}``.
"""

from __future__ import annotations

import html
import math
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from audioclust import files, parallel
from audioclust.evaluation import internal
from audioclust.report.pages import budget, sheets
from audioclust.report.pages import template as pages
from audioclust.validation import check_choice, check_labels, check_number

__all__ = ["listen"]

_PROJECTIONS = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
_TSNE_LIMIT = 5000
_SILHOUETTE_LIMIT = 20_000  # the cost of Euclidean ones grows with n²


def listen(
    index: pd.DataFrame,
    labels: Any,
    root: str | Path,
    out: str | Path,
    *,
    X: np.ndarray | None = None,
    review: pd.DataFrame | None = None,
    positions: np.ndarray | None = None,
    silhouettes: np.ndarray | None = None,
    truth: str | None = "label",
    per_cluster: int = 12,
    projection: str = "auto",
    metric: str = "euclidean",
    embed_megabytes: float = 20.0,
    title: str = "Listen to the clusters",
    absolute_links: bool = False,
    random_state: int = 0,
    jobs: parallel.Jobs = 1,
) -> Path:
    """Write a listening page.

    Parameters
    ----------
    index : pd.DataFrame
        Metadata rows of the recordings clustered: ``path``, and, where there, ``duration`` and the column `truth`.
    labels : array-like [shape=(n,)], integer
        Clusters; -1 is noise.
    root : str or Path
        The folder that ``path`` is relative to.
    out : str or Path
        The HTML file.
    X : np.ndarray [shape=(n, d)], optional
        The vectors clustered. They choose the recordings shown, place the map and give silhouettes; without them (or
        `review`, `positions`, `silhouettes`) the first recordings of each cluster are shown, and there is no map.
    review : pd.DataFrame, optional
        Which recordings to show: ``path`` and ``kind``, as `curation.review.review` lists them.
    positions : np.ndarray [shape=(n, 2)], optional
        Where the map's points are, to have them at the same places as in another page or figure.
    silhouettes : np.ndarray [shape=(n,)], optional
        By default computed from `X` by `metric`, up to 20 000 recordings.
    truth : str, optional
        Column of `index` with the true labels; None, or a column that is not there, shows none.
    per_cluster : int
        Recordings shown for each cluster.
    projection : {"auto", "pca", "tsne", "umap"}
        How `X` is placed in the plane; ``auto`` is t-SNE up to 5 000 recordings and PCA above. The page says which;
        with `positions`, it is how those were made.
    metric : {"euclidean", "cosine"}
        How recordings are compared for silhouettes and for what is typical; "cosine" for speaker vectors.
    embed_megabytes : float
        How large the embedded sound and pictures may be. All recordings are embedded if they fit; else excerpts of at
        least a second; else those shown in the sheets; the others are linked, and play while the files stay in place.
    title : str
    absolute_links : bool
        Whether recordings that are not embedded are linked by their full paths, so that the page may be moved; else
        relative to the page, so that page and recordings may be moved together.
    random_state : int
        Of the projection: the same gives the same map.
    jobs : int or str
        As in `parallel`.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    ValueError
        When lengths differ, `index` lacks ``path``, `per_cluster` is below 1, `embed_megabytes` below 0, or
        `projection` or `metric` unknown.

    Examples
    --------
    >>> import numpy as np, pandas as pd, soundfile, tempfile
    >>> from pathlib import Path
    >>> from audioclust import report
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name, hertz in (("low.wav", 200), ("high.wav", 900)):
    ...     soundfile.write(folder / name, 0.3 * np.sin(np.arange(4000) * hertz / 4000), 8000)
    >>> index = pd.DataFrame({"path": ["low.wav", "high.wav"]})
    >>> report.listen(index, [0, 1], folder, folder / "listen.html").name
    'listen.html'
    """
    root, out = Path(root), Path(out)
    check_number("per_cluster", per_cluster, 1, whole=True)
    check_number("embed_megabytes", embed_megabytes, 0)
    check_choice("projection", projection, ("auto", *_PROJECTIONS))
    check_choice("metric", metric, ("euclidean", "cosine"))
    labels = _checked(index, labels, X=X, positions=positions, silhouettes=silhouettes)
    index = index.reset_index(drop=True)
    paths = [str(path) for path in index["path"]]
    if silhouettes is None:
        silhouettes = _silhouettes(X, labels, metric)
    if review is not None:
        chosen = sheets.listed(labels, paths, review)
    elif X is not None and len(labels):
        chosen = sheets.by_review(X, labels, silhouettes, per_cluster, metric)
    else:
        chosen = sheets.by_position(labels, per_cluster)
    if positions is None and X is not None and len(labels):
        positions, projection = _placed(X, projection, random_state)
    seconds = budget.durations(index, root)
    shown = [row for sheet in chosen.values() for row, _ in sheet]
    embedded = budget.embed(root, paths, seconds, shown, embed_megabytes * 1e6, jobs)
    beside = None if absolute_links else out.parent
    data = {
        "title": title,
        "page": files.digest([paths, labels.tolist()]),
        "truth": truth if _truths(index, truth) is not None else None,
        "recordings": _recordings(index, labels, truth, seconds, silhouettes, positions, embedded, root, beside),
        "clusters": _clusters(labels, chosen),
    }
    facts = _facts(labels, embedded)
    facts += [f"map by {_PROJECTIONS[projection]}"] if positions is not None and projection in _PROJECTIONS else []
    facts += [f"{metric} silhouettes"] if X is not None and np.isfinite(silhouettes).any() else []
    return _write(out, title, facts, data, embedded.sounds)


def _checked(index: pd.DataFrame, labels: Any, **values: Any) -> np.ndarray:
    """Check what there is one of for each recording; return the labels as an array."""
    if "path" not in index:
        raise ValueError("index: lacks the column 'path'")
    for name, given in {"labels": labels, **values}.items():
        if given is not None and len(given) != len(index):
            raise ValueError(f"{name}: {len(given)} values for {len(index)} recordings")
    return check_labels(labels, len(index), rows="index") if len(index) else np.empty(0, dtype=np.intp)


def _silhouettes(X: np.ndarray | None, labels: np.ndarray, metric: str) -> np.ndarray:
    if X is None or (metric == "euclidean" and len(X) > _SILHOUETTE_LIMIT) or not len(X):
        return np.full(len(labels), math.nan)
    return internal.silhouettes(X, labels, metric=metric)


def _placed(X: np.ndarray, projection: str, random_state: int) -> tuple[np.ndarray, str]:
    """Place the vectors in the plane; return where, and by which projection."""
    from audioclust.report.plots.space import project_2d

    if projection == "auto":
        projection = "tsne" if len(X) <= _TSNE_LIMIT else "pca"
    return project_2d(np.asarray(X), projection, random_state=random_state), projection


# What the page holds -----------------------------------------------------------------------------------------------


def _truths(index: pd.DataFrame, truth: str | None) -> list[str | None] | None:
    """Return every recording's label, None where there are no labels at all."""
    if truth is None or truth not in index or not index[truth].notna().any():
        return None
    return [None if pd.isna(value) else str(value) for value in index[truth]]


def _recordings(
    index: pd.DataFrame,
    labels: np.ndarray,
    truth: str | None,
    seconds: np.ndarray,
    silhouettes: np.ndarray,
    positions: np.ndarray | None,
    embedded: budget.Embedded,
    root: Path,
    folder: Path | None,
) -> list[dict[str, Any]]:
    """Return what the page knows of every recording."""
    truths = _truths(index, truth)
    places = None if positions is None else _unit_square(positions)
    rows = []
    for row, path in enumerate(map(str, index["path"])):
        clip, wanted = embedded.clips.get(row), embedded.seconds[row]
        sounds = row in embedded.sounds
        rows.append(
            {
                "path": path,
                "cluster": int(labels[row]),
                "truth": None if truths is None else truths[row],
                "seconds": _number(seconds[row], 2),
                "part": _number(wanted, 1) if sounds and wanted is not None and wanted < seconds[row] else None,
                "silhouette": _number(silhouettes[row], 2),
                "at": None if places is None else places[row],
                "sound": sounds,
                "link": None if sounds else _link(root / path, folder),
                "picture": clip.thumbnail if clip else None,
                "problem": clip.problem if clip else None,
            }
        )
    return rows


def _clusters(labels: np.ndarray, chosen: sheets.Sheets) -> list[dict[str, Any]]:
    return [
        {
            "cluster": cluster,
            "colour": _colour(place) if cluster != -1 else None,
            "sheet": [{"row": row, "kind": kind} for row, kind in chosen.get(cluster, [])],
        }
        for place, cluster in enumerate(sheets.in_order(labels))
    ]


def _facts(labels: np.ndarray, embedded: budget.Embedded) -> list[str]:
    n, noise = len(labels), int((labels == -1).sum())
    parts = [f"{n} recordings", f"{len(sheets.in_order(labels)) - (noise > 0)} clusters"]
    parts += [f"{noise} unassigned"] if noise else []
    wanted = [seconds for row in embedded.sounds if (seconds := embedded.seconds[row]) is not None]
    excerpt = min(wanted, default=math.inf)
    parts += [f"excerpts of {excerpt:.1f} s"] if excerpt < math.inf else []
    linked = n - len(embedded.sounds)
    return parts + ([f"{linked} play from their files"] if linked else ["all sound in this page"] if n else [])


def _write(out: Path, title: str, facts: list[str], data: dict[str, Any], sounds: dict[int, str]) -> Path:
    blocks = "\n".join(f'<script type="text/plain" id="sound-{row}">{text}</script>' for row, text in sounds.items())
    page = pages.fill(
        "listen",
        title=title,
        facts=html.escape(" · ".join(facts)),
        data=pages.data_block("data", data),
        sounds=blocks,
    )
    with files.atomic(out) as partial:
        partial.write_text(page, encoding="utf-8", newline="\n")
    return out


# Small things ------------------------------------------------------------------------------------------------------


def _number(value: Any, digits: int) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), digits)


def _unit_square(positions: np.ndarray) -> list[list[float]]:
    """Fit positions into the unit square, keeping their proportions."""
    positions = np.asarray(positions, dtype=float)
    low, high = positions.min(axis=0), positions.max(axis=0)
    span = max(float((high - low).max()), 1e-12)
    placed = (positions - (low + high) / 2) / span + 0.5
    return [[round(float(x), 4), round(1 - float(y), 4)] for x, y in placed]


def _link(path: Path, folder: Path | None) -> str:
    """Return the address of a file: as seen from `folder`, or its full path."""
    try:
        if folder is not None:
            return quote(Path(os.path.relpath(path, folder)).as_posix())
    except ValueError:  # another drive
        pass
    return path.resolve().as_uri()


def _colour(place: int) -> str:
    """Give each cluster a colour: neighbours in number far apart in hue, lightness changing as hues come round."""
    hue = (215 + place * 137.508) % 360
    return f"hsl({hue:.0f} {(62, 45, 75)[place // 7 % 3]}% {(48, 60, 38)[place // 3 % 3]}%)"
