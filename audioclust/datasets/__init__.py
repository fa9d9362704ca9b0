"""Which recordings: the catalogue, scanning any folder into a metadata table, downloads, synthetic voices."""

from audioclust.datasets.catalogue import rule_for
from audioclust.datasets.catalogue import table as catalogue
from audioclust.datasets.metadata import label_columns, save, scan, summary

__all__ = ["catalogue", "label_columns", "rule_for", "save", "scan", "summary", "synthetic"]


def __getattr__(name: str) -> object:
    if name == "synthetic":  # scipy.signal takes a third of a second to import
        import importlib

        return importlib.import_module("audioclust.datasets.synthetic")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
