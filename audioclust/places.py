"""Where recordings stand in an order, known by their names, without keeping the names: 20 bytes for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

__all__ = ["Keys", "Places", "keys"]

Keys = npt.NDArray[np.bytes_]

_BYTES = 16  # no two names of any collection share as many


def keys(names: Iterable[str]) -> Keys:
    """Return a short stand-in for each name (a checksum, a path), equal where names are [shape=(n,), 16 bytes]."""
    digests = (blake2b(name.encode(errors="surrogatepass"), digest_size=_BYTES).digest() for name in names)
    return np.fromiter(digests, dtype=f"S{_BYTES}")


@dataclass(frozen=True)
class Places:
    """An order of recordings that can be asked where each stands.

    Attributes
    ----------
    sorted_keys : np.ndarray [shape=(n,), 16 bytes]
        What :func:`keys` makes of their names, sorted.
    order : np.ndarray [shape=(n,), int]
        The place of each of these.

    Examples
    --------
    >>> places = Places.among(["wren", "robin", "wren"])
    >>> places.of(keys(["robin", "wren", "crow"])).tolist()
    [1, 0, -1]
    >>> places.first().tolist()
    [True, True, False]
    """

    sorted_keys: Keys
    order: npt.NDArray[np.signedinteger]

    @classmethod
    def among(cls, names: Iterable[str]) -> Places:
        """Take names in their order."""
        return cls.of_keys(keys(names))

    @classmethod
    def of_keys(cls, found: Keys) -> Places:
        """Take what :func:`keys` made of names, in their order."""
        order = np.argsort(found, kind="stable")
        if len(found) < 2**31:
            order = order.astype(np.int32)
        return cls(found[order], order)

    def __len__(self) -> int:
        return len(self.order)

    def of(self, wanted: Keys) -> npt.NDArray[np.signedinteger]:
        """Return the first place of each [shape=(len(wanted),)], -1 where it has none."""
        if not len(self):
            return np.full(len(wanted), -1, self.order.dtype)
        at = np.minimum(np.searchsorted(self.sorted_keys, wanted), len(self) - 1)
        return np.where(self.sorted_keys[at] == wanted, self.order[at], self.order.dtype.type(-1))

    def first(self) -> npt.NDArray[np.bool_]:
        """Return which places hold a name for the first time [shape=(n,)]."""
        new = np.ones(len(self), dtype=bool)
        new[self.order] = np.append(True, self.sorted_keys[1:] != self.sorted_keys[:-1])[: len(self)]
        return new
