"""Group recordings by what they hold, without labels, and compare every way of doing so."""

__version__ = "0.1.0"
