"""A page to look at a clustering and listen to it: open it from the disk, and every recording plays.

One HTML file holds everything: a map whose points play, the recordings that say most about each group (its medoid,
typical ones, those at the border to another group, outliers), a table, and the means to correct the groups and to save
that as JSON for the next time, see :mod:`audioclust.curation.corrections`. Nothing is loaded from the network.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from audioclust import files, parallel
from audioclust.report.pages import budget, contents
from audioclust.report.pages import template as pages
from audioclust.validation import check_number

__all__ = ["listen"]


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
    confidence: np.ndarray | None = None,
    levels: Sequence[Any] = (),
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
        Metadata rows of the recordings clustered: ``path``, and whatever else there is; one can search, sort and
        colour by all columns.
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
    confidence : np.ndarray [shape=(n,)], optional
        How surely each recording belongs to its group, 0 to 1.
    levels : sequence of array-like [shape=(n,)], integer
        Further partitions of the recordings, such as other levels of the ladder; the page switches between them. Those
        that group the recordings as `labels` do are left out.
    truth : str, optional
        Column of `index` that is shown beside the group everywhere; None, or a column that is not there, shows none.
    per_cluster : int
        Recordings of each group that are picked out as medoid, typical, border or outlier.
    projection : {"auto", "pca", "tsne", "umap"}
        How `X` is placed in the plane; ``auto`` is t-SNE up to 5 000 recordings and PCA above. The page says which;
        with `positions`, it is how those were made.
    metric : {"euclidean", "cosine"}
        How recordings are compared for silhouettes and for what is typical; "cosine" for speaker vectors.
    embed_megabytes : float
        How large the embedded sound and pictures may be. Pictures are there for all recordings if they fit into 70 %
        of it, else for those picked out. All sound is embedded if it fits; else excerpts of at least a second; else
        that of those picked out; the others are linked, and play while the files stay in place.
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
    check_number("embed_megabytes", embed_megabytes, 0)
    index = index.reset_index(drop=True)
    data = contents.describe(
        index, labels, X=X, review=review, positions=positions, silhouettes=silhouettes, confidence=confidence,
        levels=levels, truth=truth, per_cluster=per_cluster, projection=projection, metric=metric, title=title,
        random_state=random_state,
    )  # fmt: skip
    shown = [row for grouping in data["groupings"] for _, items in grouping["sheets"] for row, _ in items]
    seconds = budget.durations(index, root)
    embedded = budget.embed(root, data["paths"], seconds, list(dict.fromkeys(shown)), embed_megabytes * 1e6, jobs)
    data |= _sounding(embedded, seconds)
    data["facts"] += _facts(embedded, len(index))
    data["base"] = _address(root, None if absolute_links else out.parent) + "/"
    blocks = [pages.text_block(f"sprite-{number}", image) for number, image in enumerate(embedded.images)]
    blocks += [pages.text_block(f"sound-{row}", sound) for row, sound in embedded.sounds.items()]
    page = pages.fill("listen", title=title, data=pages.packed_block("data", data), blocks="\n".join(blocks))
    with files.atomic(out) as partial:
        partial.write_text(page, encoding="utf-8", newline="\n")
    return out


def _sounding(embedded: budget.Embedded, seconds: np.ndarray) -> dict[str, Any]:
    """Return which recordings are excerpts, which cannot be used, and where the pictures are."""
    parts = {
        str(row): round(wanted, 1)
        for row in embedded.sounds
        if (wanted := embedded.seconds[row]) is not None and wanted < seconds[row]
    }
    problems = {str(row): clip.problem for row, clip in embedded.clips.items() if clip.problem}
    return {"parts": parts, "problems": problems, "thumbnails": embedded.thumbnails}


def _facts(embedded: budget.Embedded, n: int) -> list[str]:
    """Say how much of the sound and how many pictures are in the page."""
    wanted = [seconds for row in embedded.sounds if (seconds := embedded.seconds[row]) is not None]
    excerpt = min(wanted, default=math.inf)
    parts = [f"excerpts of {excerpt:.1f} s"] if excerpt < math.inf else []
    linked = n - len(embedded.sounds)
    parts += [f"{linked:,} play from their files"] if linked else ["all sound in this page"] if n else []
    pictures = 0 if embedded.thumbnails is None else sum(place >= 0 for place in embedded.thumbnails["places"])
    broken = sum(clip.problem is not None for clip in embedded.clips.values())
    if pictures < n - broken:
        parts += [f"pictures of {pictures:,}" if pictures else "no pictures, to keep the page small"]
    return parts


def _address(path: Path, folder: Path | None) -> str:
    """Return the address of a folder: as seen from `folder`, or its full path."""
    try:
        if folder is not None:
            return quote(Path(os.path.relpath(path, folder)).as_posix())
    except ValueError:  # another drive
        pass
    return path.resolve().as_uri()
