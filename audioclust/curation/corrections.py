"""What a listener said about a clustering, as a listening page saves it.

A file of corrections is JSON: ``{"format": "audioclust-corrections-1", "names": {cluster: name}, "must_link": [[path,
path], ...], "cannot_link": [[path, path], ...]}``. Paths are those of the metadata. Everything that reads corrections
reads them here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audioclust import files
from audioclust.curation.constraints import apply_constraints

__all__ = ["FORMAT", "Corrections", "apply", "merge", "read"]

FORMAT = "audioclust-corrections-1"
Pair = tuple[Any, Any]


@dataclass(frozen=True)
class Corrections:
    """Pairs of recordings that belong together or apart, and names of clusters.

    Attributes
    ----------
    names : dict of int to str
        Cluster to name.
    must_link, cannot_link : tuple of pairs
        Of paths, or of row numbers.
    """

    names: dict[int, str] = field(default_factory=dict)
    must_link: tuple[Pair, ...] = ()
    cannot_link: tuple[Pair, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.names or self.must_link or self.cannot_link)

    def as_dict(self) -> dict[str, Any]:
        """Return what a file of these corrections holds."""
        names = {str(cluster): name for cluster, name in sorted(self.names.items())}
        pairs = {kind: [list(pair) for pair in getattr(self, kind)] for kind in ("must_link", "cannot_link")}
        return {"format": FORMAT, "names": names, **pairs}

    def of(self, paths: Iterable[str]) -> Corrections:
        """Return those about the recordings `paths`, with pairs of their row numbers."""
        row = {path: number for number, path in enumerate(paths)}
        pairs = {
            kind: tuple((row[a], row[b]) for a, b in getattr(self, kind) if a in row and b in row)
            for kind in ("must_link", "cannot_link")
        }
        return Corrections(self.names, **pairs)


def read(path: str | Path | Sequence[str | Path] | None, root: str | Path = ".") -> Corrections:
    """Read corrections that a listening page saved.

    Parameters
    ----------
    path : path or sequence of paths or None
        One file, or several that are merged; None gives none.
    root : str or Path
        The folder that relative paths start at.

    Returns
    -------
    Corrections

    Raises
    ------
    ValueError
        When a file is not there, or was not saved by a listening page; the message names it.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from audioclust.curation import corrections
    >>> saved = Path(tempfile.mkdtemp()) / "heard.json"
    >>> _ = saved.write_text(json.dumps({"format": "audioclust-corrections-1", "names": {"0": "Anna"},
    ...                                  "must_link": [["a.wav", "b.wav"]], "cannot_link": []}))
    >>> heard = corrections.read(saved)
    >>> corrections.apply([0, 1, 1], [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]], heard, ["a.wav", "b.wav", "c.wav"]).tolist()
    [0, 0, 0]
    """
    if path is None:
        return Corrections()
    paths = [path] if isinstance(path, (str, Path)) else path
    return merge(*(_read(Path(root) / one) for one in paths))


def merge(*corrections: Corrections) -> Corrections:
    """Join corrections of several pages; of two names for one cluster the later one counts.

    Examples
    --------
    >>> from audioclust.curation import corrections
    >>> first = corrections.Corrections({0: "Anna"}, must_link=(("a.wav", "b.wav"),))
    >>> corrections.merge(first, corrections.Corrections({0: "Anne", 2: "music"})).names
    {0: 'Anne', 2: 'music'}
    """
    names = {cluster: name for one in corrections for cluster, name in one.names.items()}
    pairs = {
        kind: tuple(dict.fromkeys(pair for one in corrections for pair in getattr(one, kind)))
        for kind in ("must_link", "cannot_link")
    }
    return Corrections(names, **pairs)


def apply(
    labels: ArrayLike, X: ArrayLike, corrections: Corrections, paths: Iterable[str] | None = None
) -> NDArray[np.intp]:
    """Change labels as little as the corrections ask for.

    Parameters
    ----------
    labels : array-like of int [shape=(n,)]
        -1 for noise.
    X : array-like [shape=(n, d)]
        The vectors, see :func:`audioclust.curation.constraints.apply_constraints`.
    corrections : Corrections
    paths : iterable of str [length n], optional
        The recordings' paths; pairs about other recordings are left out. Without them the pairs are row numbers.

    Returns
    -------
    array of int [shape=(n,)]

    Raises
    ------
    ValueError
        When corrections contradict each other.

    Examples
    --------
    >>> from audioclust.curation import corrections
    >>> apart = corrections.Corrections(cannot_link=((0, 1),))
    >>> corrections.apply([0, 0, 1], [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], apart).tolist()
    [0, 2, 1]
    """
    here = corrections if paths is None else corrections.of(paths)
    return apply_constraints(labels, X, must_link=here.must_link, cannot_link=here.cannot_link)


def _read(path: Path) -> Corrections:
    if not path.is_file():
        raise ValueError(f"corrections: there is no {path}")
    try:
        said = files.read_json(path)
        if said["format"] != FORMAT:
            raise ValueError(said["format"])
        names = {int(cluster): str(name) for cluster, name in said["names"].items()}
        pairs = {kind: tuple((str(a), str(b)) for a, b in said[kind]) for kind in ("must_link", "cannot_link")}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"corrections: {path} was not saved by a listening page") from None
    return Corrections(names, **pairs)
