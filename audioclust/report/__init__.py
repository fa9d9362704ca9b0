"""What a person reads, looks at and listens to: tables, figures, and a page that plays every cluster.

``report.tables`` writes the comparison, ``report.plots`` draws, ``report.listen`` makes a listening page, and
``report.explore`` shows it in JupyterLab; ``report.index`` is a page of all runs. All take what other modules return
(tables, arrays, labels) and know nothing of how it was computed.
"""

from importlib import import_module
from typing import Any

__all__ = ["explore", "index", "listen", "players", "plots", "tables"]


def __getattr__(name: str) -> Any:
    # Loaded on first use: matplotlib alone costs most of a second.
    if name == "listen":
        return import_module("audioclust.report.pages").listen
    if name in ("index", "players"):
        return getattr(import_module(f"audioclust.report.pages.{name}"), name)
    if name == "explore":
        try:
            return import_module("audioclust.report.explorer").explore
        except ModuleNotFoundError as error:
            raise ImportError(f"report.explore needs {error.name}: pip install 'audioclust[widget]'") from None
    if name in ("plots", "tables"):
        return import_module(f"audioclust.report.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
