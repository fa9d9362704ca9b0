"""A table as Markdown, LaTeX and HTML: each function takes a `Table` and returns text.

Whatever comes from data is escaped. In LaTeX a table has its natural size and is never squeezed to the page's width:
long words break into lines, and a table of more than `LONG` rows breaks over pages.
"""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any

from audioclust.report.tables.labels import is_number
from audioclust.text import escape_latex, escape_markdown, slug

if TYPE_CHECKING:
    from audioclust.report.tables.table import Table

__all__ = ["LONG", "PACKAGES", "html", "latex", "markdown"]

PACKAGES = ("array", "booktabs", "longtable", "pdflscape")
LONG = 40
"""Rows above which a table breaks over pages in LaTeX."""
_BREAKS = 26
"""Characters above which words break into lines."""
_SIZES = (
    (80, r"\small"),
    (95, r"\footnotesize\setlength{\tabcolsep}{4pt}"),
    (math.inf, r"\scriptsize\setlength{\tabcolsep}{3pt}"),
)
"""Characters in a row, and the size of type."""


def markdown(table: Table) -> str:
    """Return GitHub-flavoured Markdown; two rows of heading become "group: name"."""
    heads = [": ".join(part for part in table.head(column) if part) for column in table.columns]
    lines = [f"### {escape_markdown(table.title)}", ""]
    if table.caption:
        lines += [escape_markdown(table.caption), ""]
    lines.append("| " + " | ".join(map(escape_markdown, heads)) + " |")
    lines.append("|" + "|".join("---:" if table.is_numeric(column) else ":---" for column in table.columns) + "|")
    for row in range(len(table.values)):
        cells = []
        for column in table.columns:
            text, deviation = table.shown(row, column)
            cell = escape_markdown(text) + (f" ± {deviation}" if deviation else "")
            cells.append({1: f"**{cell}**", 2: f"<ins>{cell}</ins>"}.get(table.mark(row, column), cell))
        lines.append("| " + " | ".join(cells) + " |")
    if table.notes:
        lines += ["", *(f"- {escape_markdown(note)}" for note in table.notes)]
    return "\n".join(lines) + "\n"


# LaTeX -------------------------------------------------------------------------------------------------------------


def latex(table: Table) -> str:
    """Return a ``table``, or a ``longtable`` where the table is long; on turned pages for a `Table.landscape`."""
    long = table.landscape or len(table.values) > LONG
    columns = "".join(_column_type(table, column) for column in table.columns)
    short, whole = escape_latex(table.title), escape_latex(f"{table.title}. {table.caption}".strip())
    caption = f"\\caption[{{{short}}}]{{{whole}}}"
    label = f"\\label{{tab:{slug(table.title)}}}"
    heading = [*_groups(table), " & ".join(_latex_head(table, c) for c in table.columns) + r" \\", r"\midrule"]
    # A row that starts with "[" would be read as an argument of the \\ before it.
    body = ["{}" + " & ".join(_latex_cell(table, row, c) for c in table.columns) + r" \\" for row in _rows(table)]
    notes = [rf"\par\smallskip{{\footnotesize {escape_latex(note)}}}" for note in table.notes]
    if not long:
        before = [r"\begin{table}[tbp]", r"\centering", caption, label, _size(table)]
        before += [f"\\begin{{tabular}}{{{columns}}}", r"\toprule"]
        return "\n".join([*before, *heading, *body, r"\bottomrule", r"\end{tabular}", *notes, r"\end{table}"]) + "\n"
    before = [r"\begin{landscape}"] * table.landscape
    before += [r"\begingroup\footnotesize\setlength{\tabcolsep}{4pt}", f"\\begin{{longtable}}{{{columns}}}"]
    before += [f"{caption} {label} \\\\", r"\toprule", *heading, r"\endfirsthead", r"\toprule", *heading, r"\endhead"]
    after = [r"\bottomrule", r"\end{longtable}", *notes, r"\endgroup", *[r"\end{landscape}"] * table.landscape]
    return "\n".join([*before, *body, *after]) + "\n"


def _column_type(table: Table, column: Any) -> str:
    if table.is_numeric(column):
        return "r"
    longest = max((len(table.shown(row, column)[0]) for row in _rows(table)), default=0)
    return "l" if longest <= _BREAKS else r">{\raggedright\arraybackslash}p{11em}"


def _size(table: Table) -> str:
    """Return the largest of three sizes of type in which the table fits a page of usual width."""
    columns = [
        [*_head_lines(table, c), *(" ± ".join(table.shown(row, c)) for row in _rows(table))] for c in table.columns
    ]
    width = sum(min(max(map(len, texts)), _BREAKS) + 2 for texts in columns)
    return next(size for most, size in _SIZES if width <= most)


def _head_lines(table: Table, column: Any) -> list[str]:
    """Break a heading of several words into two lines."""
    words = table.head(column)[1].split()
    middle = max(1, len(words) // 2)
    long = len(words) > 1 and len(" ".join(words)) > 10
    return [" ".join(words[:middle]), " ".join(words[middle:])] if long else [" ".join(words)]


def _latex_head(table: Table, column: Any) -> str:
    lines = [escape_latex(line) for line in _head_lines(table, column)]
    side = "r" if table.is_numeric(column) else "l"
    return lines[0] if len(lines) == 1 else f"\\shortstack[{side}]{{{lines[0]}\\\\{lines[1]}}}"


def _groups(table: Table) -> list[str]:
    """Return the upper of two rows of heading and the rules below it; nothing where there is one row."""
    spans, rules, start = [], [], 1
    for group, width in _spans(table):
        spans.append(f"\\multicolumn{{{width}}}{{c}}{{{escape_latex(group)}}}" if group else "&" * (width - 1))
        rules += [f"\\cmidrule(lr){{{start}-{start + width - 1}}}"] if group else []
        start += width
    return [" & ".join(spans) + r" \\", " ".join(rules)] if rules else []


def _latex_cell(table: Table, row: int, column: Any) -> str:
    text, deviation = table.shown(row, column)
    cell = escape_latex(text)
    cell = {1: f"\\textbf{{{cell}}}", 2: f"\\underline{{{cell}}}"}.get(table.mark(row, column), cell)
    return cell + (f" $\\pm$ {deviation}" if deviation else "")


# HTML --------------------------------------------------------------------------------------------------------------


def html(table: Table) -> str:
    """Return a ``<figure>`` with a ``<table>``."""
    groups = "".join(f"<th colspan={width} scope=colgroup>{escape(group)}</th>" for group, width in _spans(table))
    groups = f"<tr class=groups>{groups}</tr>" if any(group for group, _ in _spans(table)) else ""
    names = "".join(
        f"<th scope=col{_class(table.is_numeric(column) and 'num')}>{escape(table.head(column)[1])}</th>"
        for column in table.columns
    )
    flagged = set(table.flagged)
    body = [
        f"<tr{_class(row in flagged and 'flag')}>"
        + "".join(_html_cell(table, row, place, column) for place, column in enumerate(table.columns))
        + "</tr>"
        for row in _rows(table)
    ]
    notes = "".join(f"<li>{escape(note)}</li>" for note in table.notes)
    parts = [
        f"<figure id={slug(table.title) or 'table'}><figcaption><h2>{escape(table.title)}</h2>",
        f"<p>{escape(table.caption)}</p>" if table.caption else "",
        "</figcaption>\n<div class=scroll><table>\n",
        f"<thead>{groups}<tr>{names}</tr></thead>\n<tbody>\n",
        "\n".join(body),
        "\n</tbody></table></div>\n",
        f"<ul class=notes>{notes}</ul>\n" if notes else "",
        "</figure>\n",
    ]
    return "".join(parts)


def _html_cell(table: Table, row: int, place: int, column: Any) -> str:
    text, deviation = table.shown(row, column)
    value = table.value(row, column)
    numeric = is_number(value)
    cell = escape(text)
    cell = {1: f"<b>{cell}</b>", 2: f"<u>{cell}</u>"}.get(table.mark(row, column), cell)
    if address := table.link(row, column):
        cell = f'<a href="{escape(address)}">{cell}</a>'
    if numeric and table.deviates(column):
        # An empty one keeps the numbers of a column below one another.
        cell += f"<small>{'± ' + deviation if deviation else ''}</small>"
    if place < table.stub:
        return f"<th scope=row{_class(len(text) > _BREAKS and 'words')}>{cell}</th>"
    if numeric:
        return f'<td class=num data-v="{float(value):.9g}">{cell}</td>'
    return f"<td{_class('words' if len(text) > _BREAKS else text == '–' and 'none')}>{cell}</td>"


def _class(name: str | bool) -> str:
    return f" class={name}" if name else ""


# Shared ------------------------------------------------------------------------------------------------------------


def _rows(table: Table) -> range:
    return range(len(table.values))


def _spans(table: Table) -> list[tuple[str, int]]:
    """Return the groups of the heading and how many columns each is wide."""
    spans: list[tuple[str, int]] = []
    for column in table.columns:
        group = table.head(column)[0]
        if spans and spans[-1][0] == group:
            spans[-1] = (group, spans[-1][1] + 1)
        else:
            spans.append((group, 1))
    return spans
