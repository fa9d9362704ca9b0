"""Tables of very many recordings, in memory or in a file, of which a block of rows is looked at at a time.

A cell takes as many bytes as its text has characters, or eight; as a Python object it takes some fifty more. So no more
than a block of rows is ever there as Python objects, and of a table in a file no more than that is there at all.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import is_numeric_dtype

if TYPE_CHECKING:
    from pyarrow import Table

__all__ = ["Blocks", "gathered", "interleaved", "write", "writer"]

BLOCK = 8192  # rows that are Python objects at once, and that a parquet file holds together


@dataclass(frozen=True)
class Blocks:
    """A table whose rows are given out a block at a time.

    Attributes
    ----------
    empty : DataFrame
        Its columns, without a row.
    starts : list of int
        The first row of each block, and the number of rows.
    read : callable
        From the number of a block, and names of columns that the table has, to these rows and columns.

    Examples
    --------
    >>> table = Blocks.of(pd.DataFrame({"path": ["a.wav", "b.wav"], "level": [-3.5, None]}))
    >>> rows = table.rows(["path", "level", "note"])
    >>> rows[1], len(rows)
    (('b.wav', None, None), 2)
    """

    empty: pd.DataFrame
    starts: list[int]
    read: Callable[[int, Sequence[str]], pd.DataFrame]

    @classmethod
    def of(cls, table: pd.DataFrame) -> Blocks:
        """Take a table in memory."""
        starts = [*range(0, len(table), BLOCK), len(table)]

        def read(number: int, names: Sequence[str]) -> pd.DataFrame:
            return table[[*names]].iloc[starts[number] : starts[number + 1]]

        return cls(table[:0], starts, read)

    @classmethod
    @contextmanager
    def saved(cls, path: str | Path) -> Iterator[Blocks]:
        """Open a table in a parquet file.

        A file with groups of many rows, as other programs write them, is read a group at a time.

        Raises
        ------
        OSError, ValueError
            When it is no such file.
        """
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            said = {name: text for name, text in (file.schema_arrow.metadata or {}).items() if name == b"pandas"}
            sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
            places = [(group, first) for group, size in enumerate(sizes) for first in range(0, size, BLOCK)]
            begins = np.cumsum([0, *sizes]).tolist()
            empty = file.schema_arrow.empty_table().replace_schema_metadata(said).to_pandas()

            @lru_cache(maxsize=1)
            def group_of(number: int, names: tuple[str, ...]) -> Table:
                return file.read_row_group(number, [*names], use_threads=False).replace_schema_metadata(said)

            def read(number: int, names: Sequence[str]) -> pd.DataFrame:
                group, first = places[number]
                return group_of(group, tuple(names)).slice(first, BLOCK).to_pandas(use_threads=False)

            yield cls(empty, [*(begins[group] + first for group, first in places), begins[-1]], read)

    def __len__(self) -> int:
        return self.starts[-1]

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return self.empty.columns.tolist()

    def block(self, number: int, names: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the rows of a block: all columns, or those of `names`, null where there is none."""
        if names is None:
            return self.read(number, self.names)
        return self.read(number, [name for name in names if name in self.empty]).reindex(columns=[*names])

    def blocks(self, names: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """Yield the rows, block by block."""
        return (self.block(number, names) for number in range(len(self.starts) - 1))

    def rows(self, names: Sequence[str]) -> Sequence[tuple[Any, ...]]:
        """Return the rows as plain values, None for null and for columns that are not there.

        Each is made when it is asked for, quickly where they are asked for in their order, or nearly.
        """
        from audioclust.parallel import OnDemand  # here, since a project needs no workers

        @lru_cache(maxsize=1)
        def block(number: int) -> list[tuple[Any, ...]]:
            part = self.block(number, names).astype(object)
            return list(zip(*(part[name].where(part[name].notna(), None) for name in names), strict=True))

        def row(place: int) -> tuple[Any, ...]:
            number = bisect_right(self.starts, place) - 1
            return block(number)[place - self.starts[number]]

        return OnDemand(len(self), row)


def gathered(rows: Iterable[Mapping[str, Any]], kinds: Mapping[str, str]) -> pd.DataFrame:
    """Make a table of rows that come one after the other.

    Parameters
    ----------
    rows : iterable of mapping
        What a row lacks is null. Keys that `kinds` does not have become columns of text, behind the others.
    kinds : mapping of str to str
        The columns in their order, and their dtypes.

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> gathered([{"path": "a.wav", "channels": 1}, {"path": "b.wav"}], {"path": "str", "channels": "Int64"})
        path  channels
    0  a.wav         1
    1  b.wav      <NA>
    """
    kinds, rows, count = dict(kinds), iter(rows), 0
    pieces: dict[str, list[pd.Series]] = {name: [] for name in kinds}
    while block := list(islice(rows, BLOCK)):
        for name in dict.fromkeys(chain.from_iterable(block)):
            if name not in kinds:
                kinds[name], pieces[name] = "str", [pd.Series([None] * count, dtype="str")]
        for name, kind in kinds.items():
            pieces[name].append(pd.Series([row.get(name) for row in block], dtype=kind))
        count += len(block)
        del block  # before the next one comes
    columns = {name: _joined(pieces.pop(name), kind) for name, kind in kinds.items()}
    return pd.DataFrame(columns, index=pd.RangeIndex(count), copy=False)


def _joined(pieces: list[pd.Series], kind: str) -> pd.Series:
    """Join the pieces of a column; those of text stay where they are, and only numbers are copied."""
    return pd.concat(pieces, ignore_index=True) if pieces else pd.Series([], dtype=kind)


def interleaved(parts: Sequence[tuple[npt.NDArray[np.intp], pd.DataFrame]]) -> pd.DataFrame:
    """Put the rows of several tables with the same columns into one, each at the place that stands beside it.

    Examples
    --------
    >>> parts = [(np.array([0, 2]), pd.DataFrame({"n": [1, 3]})), (np.array([1]), pd.DataFrame({"n": [2]}))]
    >>> interleaved(parts)["n"].tolist()
    [1, 2, 3]
    """
    parts = [part for part in parts if len(part[0])] or parts[:1]
    if len(parts) == 1:
        return parts[0][1].reset_index(drop=True)
    order = np.argsort(np.concatenate([places for places, _ in parts]))
    tables = [table for _, table in parts]
    joined = {name: pd.concat([table[name] for table in tables]).iloc[order] for name in tables[0]}
    return pd.DataFrame({name: column.reset_index(drop=True) for name, column in joined.items()}, copy=False)


def write(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table to a parquet file that `pandas.read_parquet` gives back, ``attrs`` too.

    ``DataFrame.to_parquet`` puts ``attrs`` into the file three times, in all four times their size.
    """
    with writer(path, table, len(table)) as add:
        for start in range(0, len(table), BLOCK):
            add(table.iloc[start : start + BLOCK])


@contextmanager
def writer(path: str | Path, like: pd.DataFrame, count: int) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Write a table as its blocks come: give what takes them.

    Parameters
    ----------
    path : str or Path
    like : DataFrame
        Columns, their dtypes and ``attrs`` as of the whole table; it may have no rows.
    count : int
        Rows of the whole table.

    Examples
    --------
    >>> table = pd.DataFrame({"path": ["a.wav", "b.wav"]})
    >>> with writer("table.parquet", table[:0], len(table)) as add:
    ...     add(table[:1])
    ...     add(table[1:])
    >>> pd.read_parquet("table.parquet").equals(table)
    True
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Arrow's own schema, which holds all that is said of the table, is needed for other types alone.
    plain = all(isinstance(kind, pd.StringDtype) or is_numeric_dtype(kind) for kind in like.dtypes)
    bare = like.copy(deep=False)
    bare.attrs = {}
    schema = pa.Schema.from_pandas(bare)
    said = {b"pandas": _of_rows(schema.metadata[b"pandas"], count), b"PANDAS_ATTRS": json.dumps(like.attrs).encode()}
    schema = schema.with_metadata(None if plain else said)
    with pq.ParquetWriter(path, schema, store_schema=not plain) as file:

        def add(block: pd.DataFrame) -> None:
            bare = block.copy(deep=False)
            bare.attrs = {}
            held = pa.Table.from_pandas(bare, schema=schema, nthreads=1)
            file.write_table(held.replace_schema_metadata(schema.metadata), BLOCK)

        yield add
        if plain:
            file.add_key_value_metadata(said)


def _of_rows(said: bytes, count: int) -> bytes:
    """Say how many rows there are, in what pandas keeps of a table that numbers them."""
    known = json.loads(said)
    for index in known["index_columns"]:
        if isinstance(index, dict) and index["start"] == 0:
            index["stop"] = count
    return json.dumps(known).encode()
