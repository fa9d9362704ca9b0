"""Which recordings: the catalogue, scanning any folder into a metadata table, downloads, synthetic voices."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from audioclust.datasets.catalogue import register, rule_for
from audioclust.datasets.catalogue import table as catalogue
from audioclust.datasets.download import DownloadError
from audioclust.datasets.fetching import fetch
from audioclust.datasets.joining import join_takes
from audioclust.datasets.metadata import is_unchanged, label_columns, save, scan, summary

if TYPE_CHECKING:
    from audioclust.datasets import synthetic

__all__ = [
    "DownloadError",
    "catalogue",
    "fetch",
    "is_unchanged",
    "join_takes",
    "label_columns",
    "register",
    "rule_for",
    "save",
    "scan",
    "summary",
    "synthetic",
]


def __getattr__(name: str) -> object:
    if name == "synthetic":  # its filters take a third of a second to import
        return importlib.import_module("audioclust.datasets.synthetic")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
