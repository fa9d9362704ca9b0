"""Tables of very many recordings: made from rows as they come, read row by row, and written, block by block.

A cell takes as many bytes as its text has characters, or eight; as a Python object it takes some fifty more. So no more
than a block of rows is ever there as Python objects, and columns that are equal share their memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import is_numeric_dtype

__all__ = ["gathered", "interleaved", "rows_of", "write"]

BLOCK = 4096  # rows that are Python objects at once
GROUP = 4 * BLOCK  # rows that a parquet file holds together


def gathered(
    rows: Iterable[Mapping[str, Any]], kinds: Mapping[str, str], *, like: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Make a table of rows that come one after the other.

    Parameters
    ----------
    rows : iterable of mapping
        What a row lacks is null. Keys that `kinds` does not have become columns of text, behind the others.
    kinds : mapping of str to str
        The columns in their order, and their dtypes.
    like : DataFrame, optional
        A table of as many rows. A column that equals the one of its name there shares the memory with it.

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
    same = {} if like is None else {name: like[name].reset_index(drop=True) for name in kinds if name in like}
    while block := list(islice(rows, BLOCK)):
        for name in dict.fromkeys(chain.from_iterable(block)):
            if name not in kinds:
                kinds[name], pieces[name] = "str", [pd.Series([None] * count, dtype="str")]
        for name, kind in kinds.items():
            piece = pd.Series([row.get(name) for row in block], dtype=kind)
            if name in same and not _equal(piece, same[name].iloc[count : count + len(piece)]):
                pieces[name] = [same.pop(name).iloc[:count]]
            if name not in same:
                pieces[name].append(piece)
        count += len(block)
        del block  # before the next one comes
    columns = {name: same[name] if name in same else _joined(pieces.pop(name), kind) for name, kind in kinds.items()}
    return pd.DataFrame(columns, index=pd.RangeIndex(count), copy=False)


def _equal(one: pd.Series, other: pd.Series) -> bool:
    return bool(one.dtype == other.dtype and one.array.equals(other.array))


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


def rows_of(table: pd.DataFrame, names: Sequence[str]) -> Sequence[tuple[Any, ...]]:
    """Return a table's rows as plain values, None for null and for columns it lacks, each made when it is asked for.

    Quick where rows are asked for in their order, or nearly.

    Examples
    --------
    >>> rows = rows_of(pd.DataFrame({"path": ["a.wav", "b.wav"], "level": [-3.5, None]}), ["path", "level", "note"])
    >>> rows[1], len(rows)
    (('b.wav', None, None), 2)
    """
    from audioclust.parallel import OnDemand  # here, since projects need no workers

    columns = [table.get(name) for name in names]
    latest: tuple[int, list[tuple[Any, ...]]] = -1, []

    def row(place: int) -> tuple[Any, ...]:
        nonlocal latest
        block, rows = latest  # another thread may ask for another block meanwhile
        if block != place // BLOCK:
            block = place // BLOCK
            part = slice(block * BLOCK, min((block + 1) * BLOCK, len(table)))
            rows = list(zip(*(_values(column, part) for column in columns), strict=True))
            latest = block, rows
        return rows[place % BLOCK]

    return OnDemand(len(table), row)


def _values(column: pd.Series | None, part: slice) -> list[Any]:
    if column is None:
        return [None] * (part.stop - part.start)
    values = column.iloc[part]
    return list(values.astype(object).where(values.notna(), None))


def write(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table to a parquet file that `pandas.read_parquet` gives back, ``attrs`` too.

    ``DataFrame.to_parquet`` puts ``attrs`` into the file three times, in all four times their size.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Arrow's own schema, which holds all that is said of the table, is needed for other types alone.
    plain = all(isinstance(kind, pd.StringDtype) or is_numeric_dtype(kind) for kind in table.dtypes)
    bare = table.copy(deep=False)
    bare.attrs = {}
    held = pa.Table.from_pandas(bare, nthreads=1)
    said = {**held.schema.metadata, b"PANDAS_ATTRS": json.dumps(table.attrs)}
    if not plain:
        held = held.replace_schema_metadata(said)
    with pq.ParquetWriter(path, held.schema, store_schema=not plain) as writer:
        writer.write_table(held, GROUP)
        if plain:
            writer.add_key_value_metadata(said)
