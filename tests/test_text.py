"""Text from data in Markdown, LaTeX and CSV: nothing in it is read as markup or computed."""

from io import StringIO

import pandas as pd
import pytest

from audioclust import text


def test_escapes():
    assert text.escape_markdown("mean_std _x_ a*b") == r"mean_std \_x\_ a\*b"
    assert text.escape_latex("50 % of a_b & c^2 \\x") == r"50 \% of a\_b \& c\textasciicircum{}2 \textbackslash{}x"
    assert text.slug("Best: tess · <label>") == "best-tess-label"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_no_cell_or_heading_of_a_csv_is_a_formula(start):
    formula = start + 'HYPERLINK("http://f","x")'
    assert text.escape_csv(formula) == "'" + formula
    written = text.csv(pd.DataFrame({formula: [formula, 1.5, None], "n": [-1, 2, 3]}))
    back = pd.read_csv(StringIO(written, newline=""), dtype=str, lineterminator="\n")
    assert back.columns[0].startswith("'")
    assert back.iloc[0, 0].startswith("'")
    assert back["n"].tolist() == ["-1", "2", "3"], "numbers stay numbers"


def test_text_that_is_no_formula_stays():
    assert text.escape_csv("plain - text") == "plain - text"
