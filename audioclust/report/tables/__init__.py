"""Tables that compare clusterings, as Markdown, LaTeX, CSV and HTML.

``comparison`` makes them from what `runs.collect` returns, ``write`` puts them into a folder.
"""

from audioclust.report.tables.comparison import Comparison, Table, comparison, page, write

__all__ = ["Comparison", "Table", "comparison", "page", "write"]
