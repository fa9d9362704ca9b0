"""What a listener said about a clustering: saved as JSON by a listening page, read here and nowhere else.

A file is ``{"format": "audioclust-corrections-2", "recordings": {CHECKSUM: path}, "corrections": [...]}``. Recordings
are named by their checksums, groups by a few recordings that stand for them, so that a file fits another clustering of
the same recordings, too. What can be
said is listed in :mod:`audioclust.curation.correction`; it stands in the order in which it was said.

Files of the former format (``audioclust-corrections-1``: ``names`` by number of the cluster, ``must_link`` and
``cannot_link`` with pairs of paths) are read as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import DisjointSet

from audioclust import files
from audioclust.curation.constraints import apply_constraints
from audioclust.curation.correction import CHECKSUM, Correction, Key, text
from audioclust.validation import check_labels

__all__ = ["FORMAT", "Correction", "Corrections", "apply", "merge", "parse", "read"]

FORMAT = "audioclust-corrections-2"
FORMER = "audioclust-corrections-1"


class Corrections:
    """What a listener said, in order.

    Parameters
    ----------
    names : mapping of int to str
        Names of clusters by their numbers.
    must_link, cannot_link : iterable of tuples
        Recordings that belong together, and pairs that do not: checksums, paths, or row numbers.
    entries : iterable of Correction
        Further ones, behind those.
    recordings : mapping of str to str
        Checksum to path.
    elsewhere : int
        How many corrections are about other recordings and were left out.
    """

    def __init__(
        self,
        names: Mapping[int, str] | None = None,
        *,
        must_link: Iterable[tuple[Key, ...]] = (),
        cannot_link: Iterable[tuple[Key, ...]] = (),
        entries: Iterable[Correction] = (),
        recordings: Mapping[str, str] | None = None,
        elsewhere: int = 0,
    ) -> None:
        named = [Correction("name", name=name, cluster=cluster) for cluster, name in (names or {}).items()]
        pairs = [Correction("same", tuple(each)) for each in must_link]
        pairs += [Correction("different", tuple(each)) for each in cannot_link]
        said = [*named, *pairs, *entries]
        self.entries = tuple(reversed(dict.fromkeys(reversed(said))))  # of what is said twice, the later one stays
        self.recordings = dict(recordings or {})
        self.elsewhere = elsewhere

    def __bool__(self) -> bool:
        return bool(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Corrections) and self.as_dict() == other.as_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Corrections(entries={list(self.entries)!r})"

    @property
    def names(self) -> dict[int, str]:
        """Names of clusters that are named by their number alone."""
        return {each.cluster: each.name for each in self.of_kind("name") if not each.group and each.cluster is not None}

    @property
    def must_link(self) -> tuple[tuple[Key, ...], ...]:
        """Recordings that belong together: two or more at a time."""
        return tuple(each.recordings for each in self.of_kind("same"))

    @property
    def cannot_link(self) -> tuple[tuple[Key, Key], ...]:
        """Pairs of recordings that do not belong together."""
        apart = [each.recordings for each in self.of_kind("different")]
        outside = [(one, other) for each in self.of_kind("outside") for one in each.recordings for other in each.group]
        return tuple(dict.fromkeys([*apart, *outside]))

    @property
    def several(self) -> tuple[Key, ...]:
        """Recordings that hold more than one voice or sound."""
        return tuple(dict.fromkeys(key for each in self.of_kind("several") for key in each.recordings))

    def of_kind(self, *kinds: str) -> list[Correction]:
        """Return those of some kinds, in order."""
        return [each for each in self.entries if each.kind in kinds]

    def as_dict(self) -> dict[str, Any]:
        """Return what a file of these corrections holds."""
        said = [each.as_dict() for each in self.entries]
        return {"format": FORMAT, "recordings": dict(self.recordings), "corrections": said}

    def of(self, index: pd.DataFrame | Iterable[str]) -> Corrections:
        """Return those about some recordings, with row numbers for keys; `elsewhere` counts the others.

        Parameters
        ----------
        index : pd.DataFrame or iterable of str
            Metadata with ``path`` and, where it is known, ``sha256``; or paths.
        """
        row = _row_of(index, self.recordings)
        here = [each.of(row) for each in self.entries]
        kept = [each for each in here if each is not None]
        return Corrections(entries=kept, elsewhere=self.elsewhere + len(here) - len(kept))

    def named(self, labels: ArrayLike) -> dict[int, str]:
        """Return cluster to name for `labels` [shape=(n,)]; the keys are to be row numbers, as `of` gives.

        A cluster that is named twice has the later name.
        """
        labels = np.asarray(labels)
        present, named = set(labels.tolist()) - {-1}, {}
        for each in self.of_kind("name"):
            cluster = _most(labels[list(each.group)]) if each.group else each.cluster
            if cluster in present and cluster is not None:
                named[cluster] = each.name
        return named


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
        When a file is not there, was not saved by a listening page, or contradicts another one; the message names it.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from audioclust.curation import corrections
    >>> saved = Path(tempfile.mkdtemp()) / "heard.json"
    >>> same = {"kind": "same", "recordings": ["path:a.wav", "path:b.wav"]}
    >>> _ = saved.write_text(json.dumps({"format": "audioclust-corrections-2", "corrections": [same]}))
    >>> heard = corrections.read(saved)
    >>> corrections.apply([0, 1, 1], [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]], heard, ["a.wav", "b.wav", "c.wav"]).tolist()
    [0, 0, 0]
    """
    if path is None:
        return Corrections()
    paths = [Path(root) / one for one in ([path] if isinstance(path, (str, Path)) else path)]
    said = [_read(one) for one in paths]
    try:
        return merge(*said)
    except ValueError as error:
        raise ValueError(f"{error}; in {', '.join(one.name for one in paths)}") from None


def parse(document: Any) -> Corrections:
    """Return the corrections that a document holds, as a page gives it; of two that exclude each other the later one.

    Raises
    ------
    ValueError
        When it is no document of corrections.

    Examples
    --------
    >>> several = {"kind": "several", "recordings": ["path:a.wav"]}
    >>> parse({"format": "audioclust-corrections-2", "corrections": [several]})
    Corrections(entries=[Correction(kind='several', recordings=('a.wav',), group=(), name='', cluster=None)])
    """
    try:
        if document["format"] == FORMER:
            return _former(document)
        if document["format"] != FORMAT:
            raise ValueError(document["format"])
        entries: list[Correction] = []
        for said in document["corrections"]:
            entry = Correction.parse(said)
            entries = [each for each in entries if not entry.replaces(each)] + [entry]
        hints = {str(key): str(path) for key, path in document.get("recordings", {}).items() if CHECKSUM.fullmatch(key)}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError("corrections: this is no document of corrections") from None
    return Corrections(entries=entries, recordings=hints)


def merge(*corrections: Corrections) -> Corrections:
    """Join corrections of several pages; of two names for one cluster the later one counts.

    Raises
    ------
    ValueError
        When one says that recordings belong together and another one that they do not; the message names them.

    Examples
    --------
    >>> from audioclust.curation import corrections
    >>> first = corrections.Corrections({0: "Anna"}, must_link=(("a.wav", "b.wav"),))
    >>> corrections.merge(first, corrections.Corrections({0: "Anne", 2: "music"})).names
    {0: 'Anne', 2: 'music'}
    """
    hints = {key: path for one in corrections for key, path in one.recordings.items()}
    merged = Corrections(entries=[each for one in corrections for each in one.entries], recordings=hints)
    if len(corrections) > 1:
        _check_contradictions(merged, lambda key: hints.get(key, key))
    return merged


def apply(
    labels: ArrayLike, X: ArrayLike, corrections: Corrections, paths: pd.DataFrame | Iterable[str] | None = None
) -> NDArray[np.intp]:
    """Change labels as little as the corrections ask for.

    What was moved or split off is placed first, by itself; then must-links and cannot-links are met.

    Parameters
    ----------
    labels : array-like of int [shape=(n,)]
        -1 for noise.
    X : array-like [shape=(n, d)]
        The vectors, see :func:`audioclust.curation.constraints.apply_constraints`.
    corrections : Corrections
    paths : pd.DataFrame of n rows or iterable of str [length n], optional
        The recordings' metadata (``path``, ``sha256``), or their paths; corrections of other recordings are left out.
        Without them the corrections are about row numbers.

    Returns
    -------
    array of int [shape=(n,)]

    Raises
    ------
    ValueError
        When corrections contradict each other; the message names the recordings.

    Examples
    --------
    >>> from audioclust.curation import corrections
    >>> apart = corrections.Corrections(cannot_link=((0, 1),))
    >>> corrections.apply([0, 0, 1], [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], apart).tolist()
    [0, 2, 1]
    """
    here = corrections
    if paths is not None:
        paths = paths if isinstance(paths, pd.DataFrame) else list(paths)
        here = corrections.of(paths)
        named = list(paths["path"]) if isinstance(paths, pd.DataFrame) else paths
        _check_contradictions(here, lambda row: named[row])
    placed = _place(check_labels(labels, len(np.asarray(X))), here)
    together = [pair for tied in here.must_link for pair in pairwise(tied)]
    return apply_constraints(placed, X, must_link=together, cannot_link=here.cannot_link)


def _place(labels: NDArray[Any], here: Corrections) -> NDArray[Any]:
    """Give the recordings that were moved or split off their new labels."""
    for each in here.of_kind("move", "split"):
        rows, group = list(each.recordings), list(each.group)
        target = _most(labels[group])
        if each.kind == "move":
            target = labels.max(initial=-1) + 1 if target is None else target
            labels[[*rows, *(row for row in group if labels[row] == -1)]] = target
        else:
            inside = [row for row in rows if target is not None and labels[row] == target]
            labels[inside] = labels.max(initial=-1) + 1
    return labels


def _most(labels: NDArray[Any]) -> int | None:
    """Return the label that most of them have, noise left out; None where there is none."""
    values, counts = np.unique(labels[labels != -1], return_counts=True)
    return int(values[np.argmax(counts)]) if len(values) else None


def _check_contradictions(corrections: Corrections, name: Any) -> None:
    """Raise where a pair that does not belong together is tied together, by way of others perhaps."""
    apart = corrections.cannot_link
    tied = DisjointSet(dict.fromkeys(key for keys in (*corrections.must_link, *apart) for key in keys))
    for keys in corrections.must_link:
        for a, b in pairwise(keys):
            tied.merge(a, b)
    for a, b in apart:
        if tied.connected(a, b):
            raise ValueError(
                f"corrections: {name(a)} and {name(b)} do not belong together (cannot_link), and are tied "
                "together by others (must_link)"
            )


def _row_of(index: pd.DataFrame | Iterable[str], hints: Mapping[str, str]) -> Any:
    """Return a function that gives the row of a key: of its checksum, else of its path; None where it is not there."""
    frame = index if isinstance(index, pd.DataFrame) else pd.DataFrame({"path": list(index)})
    by_path = {str(path): row for row, path in enumerate(frame["path"])}
    by_sum: dict[str, list[int]] = {}
    for column in ("sha256", "source_sha256"):
        for row, key in enumerate(frame.get(column, ())):
            by_sum.setdefault(str(key), []).append(row)

    def row_of(key: str) -> int | None:
        hinted = by_path.get(hints.get(key, key))
        if key in by_sum:  # exact copies have one checksum
            return hinted if hinted in by_sum[key] else by_sum[key][0]
        return None if by_sum and key in hints else hinted

    return row_of


def _read(path: Path) -> Corrections:
    if not path.is_file():
        raise ValueError(f"corrections: there is no {path}")
    try:
        return parse(files.read_json(path))
    except ValueError:
        raise ValueError(f"corrections: {path} was not saved by a listening page") from None


def _former(said: Mapping[str, Any]) -> Corrections:
    names = {int(cluster): str(name) for cluster, name in said["names"].items()}
    must, cannot = ([(text(a), text(b)) for a, b in said[kind]] for kind in ("must_link", "cannot_link"))
    return Corrections(names, must_link=must, cannot_link=cannot)
