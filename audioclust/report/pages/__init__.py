"""Pages that stand alone: one HTML file each, which opens without a network."""

from audioclust.report.pages.listening import listen

__all__ = ["listen"]
