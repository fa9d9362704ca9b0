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
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from audioclust import files, parallel
from audioclust.evaluation import internal
from audioclust.report.pages import clips
from audioclust.report.pages import template as pages

__all__ = ["listen"]

KINDS = ("medoid", "typical", "border", "outlier", "noise")
_SHORTEST = 1.0  # s, below which an excerpt says nothing
_TSNE_LIMIT = 5000
_SILHOUETTE_LIMIT = 20_000  # their cost grows with n²


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
    embed_megabytes: float = 20.0,
    title: str = "Listen to the clusters",
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
        Which recordings to show: ``path`` and ``kind`` (some of `KINDS`), as `evaluation.review` lists them.
    positions : np.ndarray [shape=(n, 2)], optional
        Where the map's points are, to have them at the same places as in another page or figure.
    silhouettes : np.ndarray [shape=(n,)], optional
        By default computed from `X`, up to 20 000 recordings.
    truth : str, optional
        Column of `index` with the true labels; None, or a column that is not there, shows none.
    per_cluster : int
        Recordings shown for each cluster.
    projection : {"auto", "pca", "tsne", "umap"}
        How `X` is placed in the plane; ``auto`` is t-SNE up to 5 000 recordings and PCA above.
    embed_megabytes : float
        How large the embedded sound and pictures may be. All recordings are embedded if they fit; else excerpts of at
        least a second; else those shown in the sheets; the others are linked, and play while the files stay in place.
    title : str
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
        When lengths differ, `index` lacks ``path``, `per_cluster` is below 1 or `embed_megabytes` below 0.
    """
    root, out = Path(root), Path(out)
    labels = np.asarray(labels)
    n = len(index)
    if "path" not in index:
        raise ValueError("index: lacks the column 'path'")
    named = {"labels": labels, "X": X, "positions": positions, "silhouettes": silhouettes}
    for name, values in named.items():
        if values is not None and len(values) != n:
            raise ValueError(f"{name}: {len(values)} values for {n} recordings")
    if per_cluster < 1:
        raise ValueError(f"per_cluster={per_cluster}: must be at least 1")
    if not embed_megabytes >= 0:
        raise ValueError(f"embed_megabytes={embed_megabytes}: must not be negative")

    index = index.reset_index(drop=True)
    paths = [str(path) for path in index["path"]]
    durations = _durations(index, root)
    if silhouettes is None and X is not None and n <= _SILHOUETTE_LIMIT:
        silhouettes = internal.silhouettes(X, labels)
    sheets = _sheets(labels, X, silhouettes, per_cluster) if review is None else _reviewed(labels, paths, review)
    if positions is None and X is not None and n:
        from audioclust.report.plots.space import project_2d

        method = ("tsne" if n <= _TSNE_LIMIT else "pca") if projection == "auto" else projection
        positions = project_2d(np.asarray(X), method, random_state=random_state)

    shown = [row for sheet in sheets.values() for row, _ in sheet]
    wanted = _embedding(durations, shown, embed_megabytes * 1e6)
    in_sheet = set(shown)
    needed = [row for row in range(n) if wanted[row] is not None or row in in_sheet]
    work = [(root / paths[row], wanted[row], row in in_sheet) for row in needed]
    made = dict(zip(needed, parallel.map(clips.prepare, work, jobs=jobs, description="clips"), strict=True))
    sounds = _within(made, shown, embed_megabytes * 1e6)

    names = truth is not None and truth in index and index[truth].notna().any()
    map_places = _unit_square(positions) if positions is not None else None
    recordings = []
    for row, path in enumerate(paths):
        clip = made.get(row)
        recordings.append(
            {
                "path": path,
                "cluster": int(labels[row]),
                "truth": None if not names or pd.isna(index[truth][row]) else str(index[truth][row]),
                "seconds": _number(durations[row], 2),
                "part": _part(durations[row], wanted[row]) if row in sounds else None,
                "silhouette": _number(silhouettes[row], 2) if silhouettes is not None else None,
                "at": map_places[row] if map_places is not None else None,
                "sound": row in sounds,
                "link": None if row in sounds else _link(root / path, out.parent),
                "picture": clip.thumbnail if clip else None,
                "problem": clip.problem if clip else None,
            }
        )
    clusters = [
        {
            "cluster": int(cluster),
            "colour": _colour(place) if cluster != -1 else None,
            "sheet": [{"row": row, "kind": kind} for row, kind in sheets.get(cluster, [])],
        }
        for place, cluster in enumerate(_in_order(labels))
    ]
    data = {
        "title": title,
        "page": files.digest([paths, labels.tolist()]),
        "truth": truth if names else None,
        "recordings": recordings,
        "clusters": clusters,
    }
    blocks = "\n".join(f'<script type="text/plain" id="sound-{row}">{text}</script>' for row, text in sounds.items())
    page = pages.fill(
        "listen",
        title=title,
        facts=html.escape(_facts(labels, sounds, wanted, n)),
        data=pages.data_block("data", data),
        sounds=blocks,
    )
    with files.atomic(out) as partial:
        partial.write_text(page, encoding="utf-8", newline="\n")
    return out


# Which recordings --------------------------------------------------------------------------------------------------


def _in_order(labels: np.ndarray) -> list[int]:
    """Clusters by number, noise last."""
    return sorted({int(label) for label in labels}, key=lambda cluster: (cluster == -1, cluster))


def _sheets(
    labels: np.ndarray, X: np.ndarray | None, silhouettes: np.ndarray | None, per_cluster: int
) -> dict[int, list[tuple[int, str]]]:
    """Choose the recordings of each cluster that say most about it, as (row, kind)."""
    sheets: dict[int, list[tuple[int, str]]] = {}
    for cluster in _in_order(labels):
        rows = np.flatnonzero(labels == cluster)
        if cluster == -1 or X is None:
            kind = "noise" if cluster == -1 else "typical"
            spread = np.unique(np.linspace(0, len(rows) - 1, min(per_cluster, len(rows))).round().astype(int))
            sheets[cluster] = [(int(row), kind) for row in rows[spread]]
            continue
        inside = np.asarray(X, dtype=float)[rows]
        # The recording nearest to the mean: the medoid of squared distances, without n² of them.
        centre = int(np.argmin(((inside - inside.mean(axis=0)) ** 2).sum(axis=1)))
        distances = np.linalg.norm(inside - inside[centre], axis=1)
        order = [int(row) for row in rows[np.argsort(distances, kind="stable")]]
        third = (per_cluster - 1) // 3
        by_silhouette = order if silhouettes is None else sorted(order, key=lambda row: _last(float(silhouettes[row])))
        chosen = {order[0]: "medoid"}
        for kind, candidates, count in (
            ("outlier", order[::-1], third),
            ("border", by_silhouette if silhouettes is not None else [], third),
            ("typical", order, per_cluster),
        ):
            free = [row for row in candidates if row not in chosen]
            chosen |= dict.fromkeys(free[: min(count, per_cluster - len(chosen))], kind)
        sheets[cluster] = sorted(chosen.items(), key=lambda item: KINDS.index(item[1]))
    return sheets


def _reviewed(labels: np.ndarray, paths: Sequence[str], review: pd.DataFrame) -> dict[int, list[tuple[int, str]]]:
    missing = {"path", "kind"} - set(review.columns)
    if missing:
        raise ValueError(f"review: lacks the columns {sorted(missing)}")
    rows = {path: row for row, path in enumerate(paths)}
    sheets: dict[int, list[tuple[int, str]]] = {}
    for path, kind in zip(review["path"].map(str), review["kind"].map(str), strict=True):
        if path not in rows:
            raise ValueError(f"review: {path!r} is not in index")
        sheet = sheets.setdefault(int(labels[rows[path]]), [])
        if rows[path] not in {row for row, _ in sheet}:
            sheet.append((rows[path], kind))
    return sheets


# What is embedded --------------------------------------------------------------------------------------------------


def _durations(index: pd.DataFrame, root: Path) -> np.ndarray:
    if "duration" in index:
        return pd.to_numeric(index["duration"], errors="coerce").to_numpy(dtype=float)
    from audioclust import recording

    found = [recording.inspect(root / str(path)).get("duration") for path in index["path"]]
    return pd.to_numeric(pd.Series(found, dtype=object), errors="coerce").to_numpy(dtype=float)


def _embedding(durations: np.ndarray, shown: Sequence[int], limit: float) -> list[float | None]:
    """Say how many seconds of each recording are embedded: infinity for all of it, None for nothing."""
    seconds = np.nan_to_num(durations, nan=5.0)
    pictures = 4000.0 * len(shown)
    everything = float(clips.embedded_bytes(seconds).sum())
    if everything + pictures <= limit:
        return [math.inf] * len(seconds)
    for rows in (range(len(seconds)), sorted(set(shown))):
        chosen = seconds[list(rows)]
        if len(chosen) == 0:
            continue
        longest = _longest(chosen, limit - pictures)
        if longest >= min(_SHORTEST, float(chosen.max(initial=0))):
            return [longest if row in set(rows) else None for row in range(len(seconds))]
    return [None] * len(seconds)


def _longest(seconds: np.ndarray, limit: float) -> float:
    """Return the longest excerpt that fits `limit` when every recording is cut to it."""
    low, high = 0.0, float(seconds.max(initial=0))
    if clips.embedded_bytes(seconds).sum() <= limit:
        return math.inf
    for _ in range(40):
        middle = (low + high) / 2
        fits = clips.embedded_bytes(np.minimum(seconds, middle)).sum() <= limit
        low, high = (middle, high) if fits else (low, middle)
    return low


def _within(made: dict[int, clips.Clip], shown: Sequence[int], limit: float) -> dict[int, str]:
    """Keep sounds, those of the sheets first, until the limit is reached: estimates may be wrong, the limit not."""
    used = sum(len(clip.thumbnail or "") for clip in made.values())
    kept: dict[int, str] = {}
    for row in [*dict.fromkeys(shown), *made]:
        sound = made[row].sound
        if sound is not None and row not in kept and used + len(sound) <= limit:
            kept[row] = sound
            used += len(sound)
    return kept


# Small things ------------------------------------------------------------------------------------------------------


def _facts(labels: np.ndarray, sounds: dict[int, str], wanted: Sequence[float | None], n: int) -> str:
    noise = int((labels == -1).sum())
    parts = [f"{n} recordings", f"{len(_in_order(labels)) - (noise > 0)} clusters"]
    parts += [f"{noise} unassigned"] if noise else []
    excerpt = min((seconds for row in sounds if (seconds := wanted[row]) is not None), default=math.inf)
    parts += [f"excerpts of {excerpt:.1f} s"] if excerpt < math.inf else []
    linked = n - len(sounds)
    parts += [f"{linked} play from their files"] if linked else ["all sound in this page"] if n else []
    return " · ".join(parts)


def _part(seconds: float, wanted: float | None) -> float | None:
    return _number(wanted, 1) if wanted is not None and wanted < seconds else None


def _number(value: Any, digits: int) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), digits)


def _last(value: float) -> float:
    return math.inf if math.isnan(value) else float(value)


def _unit_square(positions: np.ndarray) -> list[list[float]]:
    """Fit positions into the unit square, keeping their proportions."""
    positions = np.asarray(positions, dtype=float)
    low, high = positions.min(axis=0), positions.max(axis=0)
    span = max(float((high - low).max()), 1e-12)
    placed = (positions - (low + high) / 2) / span + 0.5
    return [[round(float(x), 4), round(1 - float(y), 4)] for x, y in placed]


def _link(path: Path, folder: Path) -> str:
    try:
        return quote(Path(os.path.relpath(path, folder)).as_posix())
    except ValueError:  # another drive
        return path.resolve().as_uri()


def _colour(place: int) -> str:
    """Give each cluster a colour: neighbours in number far apart in hue, lightness changing as hues come round."""
    hue = (215 + place * 137.508) % 360
    return f"hsl({hue:.0f} {(62, 45, 75)[place // 7 % 3]}% {(48, 60, 38)[place // 3 % 3]}%)"
