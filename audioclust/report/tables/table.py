"""One table of numbers and words, written as Markdown, LaTeX, CSV or HTML.

A number is a mean, beside it perhaps a standard deviation. The best of a column (or row) is bold, the second best
underlined, ties alike; both are judged on what is shown, so that two equal texts are never marked differently. A
missing number is "–". Words may come from file and folder names: each format escapes them, so that they never become
markup, LaTeX commands or spreadsheet formulas.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["Table", "concat_csv", "escape_csv", "escape_latex", "escape_markdown", "rank"]

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
    stub : int
        How many leading columns say what a row is.
    flagged : sequence of int
        Positions of rows to point out (a coloured edge in HTML).
    caption : str
    notes : sequence of str
        Lines below the table.
    """

    title: str
    values: pd.DataFrame
    std: pd.DataFrame | None = None
    marks: pd.DataFrame | None = None
    decimals: Mapping[Any, int] | int = field(default_factory=dict)
    scale: Mapping[Any, float] | float = field(default_factory=dict)
    stub: int = 1
    flagged: Sequence[int] = ()
    caption: str = ""
    notes: Sequence[str] = ()

    DECIMALS = 3
    LONG = 40

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

    def shown(self, row: int, column: Any) -> tuple[str, str]:
        """Return the text of a cell's value and of its deviation; "" where there is no deviation."""
        value = self._cells[column][row]
        if not _is_number(value):
            return (MISSING if _missing(value) else str(value)), ""
        text = self._number(column, float(value))
        if text == MISSING or column not in self._deviations:
            return text, ""
        deviation = float(self._deviations[column][row])
        return text, "" if math.isnan(deviation) else self._number(column, deviation)

    def mark(self, row: int, column: Any) -> int:
        """Return 1 for a best cell, 2 for a second best, 0 otherwise."""
        return int(self._marks[column][row]) if column in self._marks else 0

    def _deviates(self, column: Any) -> bool:
        return any(not math.isnan(float(value)) for value in self._deviations.get(column, ()))

    def _number(self, column: Any, value: float) -> str:
        if math.isnan(value):
            return MISSING
        if math.isinf(value):
            return "∞" if value > 0 else "−∞"
        decimals = self.decimals if isinstance(self.decimals, int) else self.decimals.get(column, self.DECIMALS)
        scale = self.scale if isinstance(self.scale, (int, float)) else self.scale.get(column, 1.0)
        return f"{value * scale:.{decimals}f}".replace("-", "−")

    @property
    def _grouped(self) -> bool:
        return isinstance(self.values.columns, pd.MultiIndex)

    def _heads(self) -> list[tuple[str, str]]:
        columns = list(self.values.columns)
        return [(str(c[0]), str(c[1])) if isinstance(c, tuple) else ("", str(c)) for c in columns]

    def _groups(self) -> list[tuple[str, int]]:
        spans: list[tuple[str, int]] = []
        for group, _ in self._heads():
            if spans and spans[-1][0] == group:
                spans[-1] = (group, spans[-1][1] + 1)
            else:
                spans.append((group, 1))
        return spans

    def _numeric(self, column: Any) -> bool:
        return any(_is_number(value) and not _missing(value) for value in self.values[column])

    # Formats -------------------------------------------------------------------------------------------------------

    def to_markdown(self) -> str:
        """Return GitHub-flavoured Markdown; two rows of heading become "group: name"."""
        heads = [escape_markdown(f"{group}: {name}" if group else name) for group, name in self._heads()]
        columns = list(self.values.columns)
        right = [self._numeric(column) for column in columns]
        lines = [f"### {escape_markdown(self.title)}", ""]
        if self.caption:
            lines += [escape_markdown(self.caption), ""]
        lines.append("| " + " | ".join(heads) + " |")
        lines.append("|" + "|".join("---:" if is_right else ":---" for is_right in right) + "|")
        for row in range(len(self.values)):
            cells = []
            for column in columns:
                text, deviation = self.shown(row, column)
                cell = escape_markdown(text) + (f" ± {deviation}" if deviation else "")
                cells.append({1: f"**{cell}**", 2: f"<ins>{cell}</ins>"}.get(self.mark(row, column), cell))
            lines.append("| " + " | ".join(cells) + " |")
        if self.notes:
            lines += ["", *(f"- {escape_markdown(note)}" for note in self.notes)]
        return "\n".join(lines) + "\n"

    def to_latex(self) -> str:
        """Return a ``table`` (over `LONG` rows a ``longtable``); it needs booktabs, graphicx and longtable."""
        columns = list(self.values.columns)
        spec = "".join("r" if self._numeric(column) else "l" for column in columns)
        caption = f"\\caption{{{escape_latex(self._caption())}}}"
        long, wide = len(self.values) > self.LONG, len(columns) > 7
        if long:
            lines = ["\\begingroup\\scriptsize\\setlength{\\tabcolsep}{2pt}", f"\\begin{{longtable}}{{{spec}}}"]
            lines += [f"{caption} \\\\", "\\toprule"]
        else:
            lines = ["\\begin{table}", "\\centering", caption, "\\small"]
            lines += ["\\resizebox{\\textwidth}{!}{%"] if wide else []
            lines += [f"\\begin{{tabular}}{{{spec}}}", "\\toprule"]
        if self._grouped:
            start, spans, rules = 1, [], []
            for group, width in self._groups():
                spans.append(f"\\multicolumn{{{width}}}{{c}}{{{escape_latex(group)}}}" if group else "&" * (width - 1))
                if group:
                    rules.append(f"\\cmidrule(lr){{{start}-{start + width - 1}}}")
                start += width
            lines += [" & ".join(spans) + " \\\\", " ".join(rules)]
        lines += [" & ".join(escape_latex(name) for _, name in self._heads()) + " \\\\", "\\midrule"]
        lines += ["\\endhead"] if long else []
        for row in range(len(self.values)):
            cells = []
            for column in columns:
                text, deviation = self.shown(row, column)
                cell = escape_latex(text)
                cell = {1: f"\\textbf{{{cell}}}", 2: f"\\underline{{{cell}}}"}.get(self.mark(row, column), cell)
                cells.append(cell + (f" $\\pm$ {deviation}" if deviation else ""))
            # A row that starts with "[" would be read as an argument of the \\ before it.
            lines.append("{}" + " & ".join(cells) + " \\\\")
        lines += ["\\bottomrule", "\\end{longtable}" if long else "\\end{tabular}" + ("%\n}" if wide else "")]
        lines += [f"\\par\\smallskip\\footnotesize {escape_latex(note)}" for note in self.notes]
        return "\n".join([*lines, "\\endgroup" if long else "\\end{table}"]) + "\n"

    def to_frame(self) -> pd.DataFrame:
        """Return plain columns for further work: every value unscaled, each deviation as "NAME std" beside it."""
        columns: dict[str, Any] = {}
        for column, (group, name) in zip(self.values.columns, self._heads(), strict=True):
            head = f"{group}: {name}" if group else name
            columns[head] = self.values[column]
            if self.std is not None and self._deviates(column):
                columns[f"{head} std"] = self.std[column].to_numpy()
        return pd.DataFrame(columns)

    def to_csv(self) -> str:
        """Return CSV of `to_frame`: full precision, empty where missing, no cell that a spreadsheet would compute."""
        return concat_csv([self], named=False)

    def to_html(self) -> str:
        """Return a ``<figure>`` with a ``<table>``; `report.tables.page` makes a page of such figures."""
        columns = list(self.values.columns)
        heads = self._heads()
        groups = ""
        if self._grouped:
            groups = "<tr class=groups>" + "".join(
                f"<th colspan={width} scope=colgroup>{_text(group)}</th>" for group, width in self._groups()
            )
            groups += "</tr>"
        names = "".join(
            f"<th scope=col{_css(self._numeric(column) and 'num')}>{_text(name)}</th>"
            for column, (_, name) in zip(columns, heads, strict=True)
        )
        flagged = set(self.flagged)
        body = []
        for row in range(len(self.values)):
            cells = "".join(self._html_cell(row, place, column) for place, column in enumerate(columns))
            body.append(f"<tr{_css(row in flagged and 'flag')}>{cells}</tr>")
        notes = "".join(f"<li>{_text(note)}</li>" for note in self.notes)
        parts = [
            f"<figure><figcaption><h2>{_text(self.title)}</h2>",
            f"<p>{_text(self.caption)}</p>" if self.caption else "",
            "</figcaption>\n<div class=scroll><table>\n",
            f"<thead>{groups}<tr>{names}</tr></thead>\n<tbody>\n",
            "\n".join(body),
            "\n</tbody></table></div>\n",
            f"<ul class=notes>{notes}</ul>\n" if notes else "",
            "</figure>\n",
        ]
        return "".join(parts)

    def _html_cell(self, row: int, place: int, column: Any) -> str:
        text, deviation = self.shown(row, column)
        value = self._cells[column][row]
        cell = _text(text)
        cell = {1: f"<b>{cell}</b>", 2: f"<u>{cell}</u>"}.get(self.mark(row, column), cell)
        if _is_number(value) and self._deviates(column):
            # An empty one keeps the numbers of a column below one another.
            cell += f"<small>{'± ' + deviation if deviation else ''}</small>"
        if place < self.stub:
            return f"<th scope=row>{cell}</th>"
        if _is_number(value):
            return f'<td class=num data-v="{float(value):.9g}">{cell}</td>'
        return f"<td{_css(text == MISSING and 'none')}>{cell}</td>"

    def _repr_html_(self) -> str:
        """Show the table in a notebook, in the notebook's own style."""
        return self.to_html()

    def _caption(self) -> str:
        return f"{self.title}. {self.caption}".strip() if self.caption else self.title


def concat_csv(tables: Sequence[Table], *, named: bool = True) -> str:
    """Return several tables as one CSV with the union of their columns; the first column names the table."""
    frames = []
    for table in tables:
        frame = table.to_frame()
        if named:
            frame.insert(0, "table", table.title)
        frames.append(frame.astype(object))
    if not frames:
        return ""
    together = pd.concat(frames, ignore_index=True)
    together.columns = [escape_csv(str(name)) for name in together.columns]
    safe = together.map(lambda value: escape_csv(value) if isinstance(value, str) else value)
    return str(safe.to_csv(index=False, lineterminator="\n", float_format="%.9g"))


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
    """
    numbers = pd.to_numeric(values, errors="coerce").astype(float).round(decimals)
    finite = numbers[np.isfinite(numbers)]
    best = sorted(finite.unique(), reverse=largest)[:2]
    marks = pd.Series(0, index=values.index)
    for place, value in enumerate(best, start=1):
        marks[numbers == value] = place
    # A single candidate is not "best of" anything.
    return marks if len(finite) > 1 else marks * 0


def escape_markdown(text: str) -> str:
    """Escape text for a cell or line of GitHub-flavoured Markdown."""
    text = _one_line(text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*{}\[\]#|~$!])", r"\\\1", text)
    # An underscore inside a word means nothing to Markdown; leaving it keeps mean_std legible.
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)
    # Addresses would become links by themselves.
    return text.replace("://", "&#58;//").replace("www.", "www&#46;").replace("@", "&#64;")


_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "^": r"\textasciicircum{}",
    "_": r"\_", "~": r"\textasciitilde{}", "%": r"\%", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    '"': r"\char34{}", "·": r"$\cdot$",
    "±": r"$\pm$", "–": "--", "−": "$-$", "∞": r"$\infty$", "…": r"\ldots{}",
}  # fmt: skip


def escape_latex(text: str) -> str:
    """Escape text for LaTeX: nothing in it is a command, a comment or mathematics."""
    return "".join(_LATEX.get(character, character) for character in _one_line(text))


def escape_csv(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would take for a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _one_line(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f\u2028\u2029]+", " ", text)


def _text(text: str) -> str:
    return html.escape(text, quote=True)


def _css(name: str | bool) -> str:
    return f" class={name}" if name else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or value == "" or (isinstance(value, float) and math.isnan(value))
