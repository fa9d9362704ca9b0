"""A table of results: what its cells show, which are marked, and what each format is made from."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from audioclust.report.tables import formats
from audioclust.report.tables.labels import is_empty, is_number
from audioclust.text import csv, escape_csv

__all__ = ["MISSING", "Table", "concat_csv", "escape_csv", "rank"]

MISSING = "–"


@dataclass
class Table:
    """A table and how its numbers are shown.

    Parameters
    ----------
    title : str
    values : pd.DataFrame
        Numbers and words. Columns are names or, for two rows of heading, (group, name) pairs.
    std : pd.DataFrame, optional
        Standard deviations, with some or all of the columns of `values`; NaN where there is none.
    marks : pd.DataFrame, optional
        1 where a cell is the best, 2 where it is the second best, else 0; some or all of the columns of `values`.
    decimals : mapping or int
        Digits after the point, by column; columns that are not named get `Table.DECIMALS`.
    scale : mapping or float
        Factor by which numbers are shown (100 for per cent), by column; 1 otherwise. CSV keeps the plain number.
    words : mapping of column to function
        How a word is written for a reader ("K-Means" for ``kmeans``), by column. CSV keeps the plain word.
    heads : mapping of column to str
        The same for headings.
    links : mapping of column to sequence of str
        In HTML: where each cell leads, by column; "" for nowhere.
    csv_only : sequence of columns
        Columns that only CSV has.
    stub : int
        How many leading columns say what a row is.
    flagged : sequence of int
        Positions of rows to point out (a coloured edge in HTML).
    landscape : bool
        In LaTeX: a ``longtable`` on turned pages, for a table that is long and wide.
    caption : str
    notes : sequence of str
        Lines below the table.

    Examples
    --------
    >>> import pandas as pd
    >>> from audioclust.report.tables import Table
    >>> values = pd.DataFrame({"algorithm": ["kmeans", "dbscan"], "NMI": [0.9371, None]})
    >>> print(Table("Scores", values, scale={"NMI": 100}, decimals={"NMI": 1}).to_markdown())
    ### Scores
    <BLANKLINE>
    | algorithm | NMI |
    |:---|---:|
    | kmeans | 93.7 |
    | dbscan | – |
    <BLANKLINE>
    """

    title: str
    values: pd.DataFrame
    std: pd.DataFrame | None = None
    marks: pd.DataFrame | None = None
    decimals: Mapping[Any, int] | int = field(default_factory=dict)
    scale: Mapping[Any, float] | float = field(default_factory=dict)
    words: Mapping[Any, Callable[[Any], str]] = field(default_factory=dict)
    heads: Mapping[Any, str] = field(default_factory=dict)
    links: Mapping[Any, Sequence[str]] = field(default_factory=dict)
    csv_only: Sequence[Any] = ()
    stub: int = 1
    flagged: Sequence[int] = ()
    landscape: bool = False
    caption: str = ""
    notes: Sequence[str] = ()

    DECIMALS = 3

    def __post_init__(self) -> None:
        self.values = self.values.reset_index(drop=True)
        for other in (self.std, self.marks):
            if other is not None and len(other) != len(self.values):
                raise ValueError(f"std and marks must have the {len(self.values)} rows of values, not {len(other)}")
        if not 0 <= self.stub <= self.values.shape[1]:
            raise ValueError(f"stub={self.stub}: must lie in 0..{self.values.shape[1]}, the number of columns")
        # Cells are read one by one, and a list gives one a hundred times as fast as a DataFrame.
        self._cells = {column: list(self.values[column]) for column in self.values}
        self._deviations = {} if self.std is None else {column: list(self.std[column]) for column in self.std}
        self._marks = {} if self.marks is None else {column: list(self.marks[column]) for column in self.marks}

    # What is shown -------------------------------------------------------------------------------------------------

    @property
    def columns(self) -> list[Any]:
        """The columns that readers see."""
        return [column for column in self.values.columns if column not in self.csv_only]

    def head(self, column: Any) -> tuple[str, str]:
        """Return a column's heading as (group, name); the group is "" where there is none."""
        group, name = column if isinstance(column, tuple) else ("", column)
        return str(group), self.heads.get(column, str(name))

    def shown(self, row: int, column: Any) -> tuple[str, str]:
        """Return the text of a cell's value and of its deviation; "" where there is no deviation."""
        value = self._cells[column][row]
        if not is_number(value):
            return (MISSING if is_empty(value) else self.words.get(column, str)(value)), ""
        text = self._number(column, float(value))
        if text == MISSING or column not in self._deviations:
            return text, ""
        deviation = float(self._deviations[column][row])
        return text, "" if math.isnan(deviation) else self._number(column, deviation)

    def value(self, row: int, column: Any) -> Any:
        """Return a cell's plain value."""
        return self._cells[column][row]

    def mark(self, row: int, column: Any) -> int:
        """Return 1 for a best cell, 2 for a second best, 0 otherwise."""
        return int(self._marks[column][row]) if column in self._marks else 0

    def link(self, row: int, column: Any) -> str:
        """Return the address that a cell leads to, "" where there is none."""
        return self.links[column][row] if column in self.links else ""

    def deviates(self, column: Any) -> bool:
        """Return whether any cell of a column has a deviation."""
        return any(not math.isnan(float(value)) for value in self._deviations.get(column, ()))

    def is_numeric(self, column: Any) -> bool:
        """Return whether a column holds numbers, among words perhaps."""
        return any(is_number(value) and not is_empty(value) for value in self._cells[column])

    def _number(self, column: Any, value: float) -> str:
        if math.isnan(value):
            return MISSING
        if math.isinf(value):
            return "∞" if value > 0 else "−∞"
        decimals = self.decimals if isinstance(self.decimals, int) else self.decimals.get(column, self.DECIMALS)
        scale = self.scale if isinstance(self.scale, (int, float)) else self.scale.get(column, 1.0)
        return f"{value * scale:.{decimals}f}".replace("-", "−")

    # Formats -------------------------------------------------------------------------------------------------------

    def to_markdown(self) -> str:
        """Return GitHub-flavoured Markdown; two rows of heading become "group: name"."""
        return formats.markdown(self)

    def to_latex(self) -> str:
        """Return a ``table``, or a ``longtable`` where it is long; the packages it needs are `formats.PACKAGES`."""
        return formats.latex(self)

    def to_html(self) -> str:
        """Return a ``<figure>`` with a ``<table>``; `report.tables.page` makes a page of such figures."""
        return formats.html(self)

    def to_frame(self) -> pd.DataFrame:
        """Return plain columns for further work: every value unscaled, each deviation as "NAME std" beside it."""
        columns: dict[str, Any] = {}
        for column in self.values.columns:
            head = ": ".join(map(str, column)).removeprefix(": ") if isinstance(column, tuple) else str(column)
            columns[head] = self.values[column]
            if self.std is not None and self.deviates(column):
                columns[f"{head} std"] = self.std[column].to_numpy()
        return pd.DataFrame(columns)

    def to_csv(self) -> str:
        """Return CSV of `to_frame`: full precision, empty where missing, no cell that a spreadsheet would compute."""
        return csv(self.to_frame())

    def _repr_html_(self) -> str:
        """Show the table in a notebook, in the notebook's own style."""
        return self.to_html()


def concat_csv(tables: Sequence[Table]) -> str:
    """Return several tables as one CSV with the union of their columns; the first column names the table."""
    frames = []
    for table in tables:
        frame = table.to_frame()
        frame.insert(0, "table", table.title)
        frames.append(frame.astype(object))
    return csv(pd.concat(frames, ignore_index=True)) if frames else ""


def rank(values: pd.Series, *, decimals: int, largest: bool = True) -> pd.Series:
    """Mark the best numbers 1, the second best 2, the others 0, after rounding to what is shown.

    Parameters
    ----------
    values : pd.Series
        Numbers as shown (already in per cent, say); NaN and words are left out.
    decimals : int
        Digits after the point.
    largest : bool
        Whether the largest is the best.

    Examples
    --------
    >>> import pandas as pd
    >>> from audioclust.report.tables.table import rank
    >>> rank(pd.Series([93.71, 93.69, 90.0]), decimals=1).tolist()
    [1, 1, 2]
    """
    numbers = np.round([float(value) if is_number(value) else math.nan for value in values], decimals)
    finite = numbers[np.isfinite(numbers)]
    marks = np.zeros(len(numbers), dtype=int)
    # A single candidate is not "best of" anything.
    if len(finite) > 1:
        for place, value in enumerate(sorted(set(finite.tolist()), reverse=largest)[:2], start=1):
            marks[numbers == value] = place
    return pd.Series(marks, index=values.index)
