"""Which recordings: the catalogue, scanning any folder into a metadata table, downloads, synthetic voices."""

from audioclust.datasets.catalogue import rule_for
from audioclust.datasets.catalogue import table as catalogue
from audioclust.datasets.metadata import label_columns, save, scan, summary

__all__ = ["catalogue", "label_columns", "rule_for", "save", "scan", "summary"]
