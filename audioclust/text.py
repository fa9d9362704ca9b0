"""Text that comes from data, made safe for where it is written: nothing in it becomes markup, a command or a formula.

HTML has `html.escape` of the standard library; this module has the other formats.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # importing it costs every worker a second
    import pandas as pd

__all__ = ["csv", "escape_csv", "escape_latex", "escape_markdown", "one_line", "slug"]

# What spreadsheets read as the start of a formula, in its East Asian wide form too.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "^": r"\textasciicircum{}",
    "_": r"\_", "~": r"\textasciitilde{}", "%": r"\%", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    '"': r"\char34{}", "·": r"$\cdot$",
    "±": r"$\pm$", "–": "--", "−": "$-$", "∞": r"$\infty$", "…": r"\ldots{}",
}  # fmt: skip


def one_line(text: str) -> str:
    r"""Replace control characters and line breaks by a space.

    Examples
    --------
    >>> from audioclust import text
    >>> text.one_line("two\nlines")
    'two lines'
    """
    return re.sub(r"[\x00-\x1f\x7f\u2028\u2029]+", " ", text)


def escape_markdown(text: str) -> str:
    r"""Escape text for a cell or line of GitHub-flavoured Markdown.

    Examples
    --------
    >>> from audioclust import text
    >>> print(text.escape_markdown("a|b <i> mean_std"))
    a\|b &lt;i&gt; mean_std
    """
    text = one_line(text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*{}\[\]#|~$!])", r"\\\1", text)
    # An underscore inside a word means nothing to Markdown; leaving it keeps mean_std legible.
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)
    # Addresses would become links by themselves.
    return text.replace("://", "&#58;//").replace("www.", "www&#46;").replace("@", "&#64;")


def escape_latex(text: str) -> str:
    r"""Escape text for LaTeX: nothing in it is a command, a comment or mathematics.

    Examples
    --------
    >>> from audioclust import text
    >>> print(text.escape_latex("50 % of a_b"))
    50 \% of a\_b
    """
    return "".join(_LATEX.get(character, character) for character in one_line(text))


def escape_csv(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would compute as a formula.

    Examples
    --------
    >>> from audioclust import text
    >>> text.escape_csv("=1+1"), text.escape_csv("plain - text")
    ("'=1+1", 'plain - text')
    """
    return "'" + text if text.startswith(_FORMULA) else text


def csv(table: pd.DataFrame) -> str:
    r"""Write a table as CSV that a spreadsheet opens without computing anything in it.

    Parameters
    ----------
    table : pd.DataFrame
        Its index is not written.

    Returns
    -------
    str
        Numbers with nine digits, missing values empty, text and headings through `escape_csv`.

    Examples
    --------
    >>> import pandas as pd
    >>> from audioclust import text
    >>> print(text.csv(pd.DataFrame({"path": ["=a.wav"], "score": [1 / 3]})), end="")
    path,score
    '=a.wav,0.333333333
    """
    safe = table.astype(object).map(lambda value: escape_csv(value) if isinstance(value, str) else value)
    safe.columns = [escape_csv(str(name)) for name in table.columns]  # type: ignore[assignment]
    return str(safe.to_csv(index=False, lineterminator="\n", float_format="%.9g"))


def slug(text: str, *, length: int = 100) -> str:
    """Return text as lower-case letters, digits and single hyphens, for a label or an address.

    Examples
    --------
    >>> from audioclust import text
    >>> text.slug("Best algorithm: tess · label")
    'best-algorithm-tess-label'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:length].strip("-")
