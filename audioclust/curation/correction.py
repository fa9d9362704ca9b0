"""One thing that a listener said about recordings and groups, and how it stands in a file.

=========== ========================= ==========================================================================
kind        holds                     means
=========== ========================= ==========================================================================
name        name, group (, cluster)   the name of the group
same        recordings                they belong together: must-link
different   two recordings            they do not: cannot-link; such rejected pairs are kept
outside     recordings, group         they are not in that group ("not this voice"): cannot-link with it
move        recordings, group         they belong to that group, and nothing else changes
split       recordings, group         they leave that group together, and nothing else changes
several     recordings                each holds more than one voice or sound; they make no prototype
=========== ========================= ==========================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from audioclust.validation import is_whole

__all__ = ["CHECKSUM", "KINDS", "Correction", "Key", "text"]

CHECKSUM = re.compile("[0-9a-f]{64}")
Key = Any  # of a recording: its checksum, its path, or its row
KINDS = {
    "name": ("group",),
    "same": ("recordings",),
    "different": ("recordings",),
    "outside": ("recordings", "group"),
    "move": ("recordings", "group"),
    "split": ("recordings", "group"),
    "several": ("recordings",),
}
"""What is said, and the lists of recordings that it needs."""

_PAIRS, _PLACES = ("same", "different"), ("outside", "move", "split")


class Correction(NamedTuple):
    """One thing that a listener said; see the table above."""

    kind: str
    recordings: tuple[Key, ...] = ()
    group: tuple[Key, ...] = ()
    name: str = ""
    cluster: int | None = None

    def of(self, row: Any) -> Correction | None:
        """Return it about rows, where `row` gives the row of a key or None; None where too little is here."""
        recordings, group = (
            tuple(dict.fromkeys(found for key in keys if (found := row(key)) is not None))
            for keys in (self.recordings, self.group)
        )
        by_number = self.kind == "name" and not self.group
        enough = 2 if self.kind in _PAIRS else 1
        fits = all(
            len(each) >= enough
            for name, each in (("recordings", recordings), ("group", group))
            if name in KINDS[self.kind]
        )
        return self._replace(recordings=recordings, group=group) if fits or by_number else None

    def as_dict(self) -> dict[str, Any]:
        """Return it as it stands in a file."""
        lists = {name: [_written(key) for key in getattr(self, name)] for name in KINDS[self.kind]}
        number = {} if self.cluster is None else {"cluster": self.cluster}
        return {"kind": self.kind, **lists} | ({"name": self.name, **number} if self.kind == "name" else {})

    @classmethod
    def parse(cls, said: Mapping[str, Any]) -> Correction:
        """Return what stands in a file; raises a ValueError, KeyError or TypeError where it is no correction."""
        kind = said["kind"]
        recordings, group = (
            tuple(map(_key, said[name])) if name in KINDS[kind] else () for name in ("recordings", "group")
        )
        if kind == "different" and len(recordings) != 2:
            raise ValueError("different: not two recordings")
        cluster = said.get("cluster") if kind == "name" else None
        if cluster is not None and not is_whole(cluster):
            raise ValueError("cluster: no whole number")
        return cls(kind, recordings, group, text(said["name"]) if kind == "name" else "", cluster)

    def replaces(self, earlier: Correction) -> bool:
        """Return whether it stands for an earlier one about the same recordings or group."""
        if self.kind == "name" or earlier.kind == "name":
            return self.kind == earlier.kind and set(self.group) == set(earlier.group) != set()
        families = (_PAIRS, _PLACES, (self.kind,))
        alike = any(self.kind in kinds and earlier.kind in kinds for kinds in families)
        return alike and set(self.recordings) == set(earlier.recordings)


def text(value: Any) -> str:
    """Return a text as it is; raise a TypeError for anything else."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _key(written: Any) -> str:
    return text(written).removeprefix("path:")


def _written(key: Key) -> Key:
    return key if not isinstance(key, str) or CHECKSUM.fullmatch(key) else f"path:{key}"
