"""The known datasets, one module each, and how to find them by name.

A module states where its recordings come from and what their names mean:

``TITLE``, ``DESCRIPTION``, ``HOMEPAGE``, ``RECORDINGS`` (how many after preparation), ``BYTES`` (to download, about),
``LICENSE_INFO``, ``BIBTEX``;
``REMOTES``: the files to download, each ``{"url", "filename", "sha256"}`` (sha256 None where the publisher gives no
fixed file; the first download is recorded then) and optionally ``"md5"`` where the publisher gives that;
``LABELS``: label column -> its meaning; ``EXAMPLES``: path -> the label columns it must give;
``columns(path) -> dict``: the label rule, from a path relative to the dataset's folder; None for what it does not say;
``prepare(unpacked, folder)``: lays the unpacked download out in the dataset's folder.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pandas as pd

__all__ = ["module", "names", "of_rule", "rule_for", "table"]


def names() -> list[str]:
    """Return the names of the datasets in the catalogue."""
    return sorted(found.name for found in pkgutil.iter_modules(__path__) if not found.name.startswith("_"))


def module(name: str) -> ModuleType:
    """Return the module of dataset `name` (upper and lower case are alike).

    Raises
    ------
    ValueError
        When the catalogue has no such dataset.
    """
    if name.lower() not in names():
        raise ValueError(f"dataset={name!r}: the catalogue has {', '.join(names())}")
    return importlib.import_module(f"{__name__}.{name.lower()}")


def rule_for(name: str) -> Callable[[str], dict[str, str | None]] | None:
    """Return the label rule of a dataset by its name, or None when the catalogue does not have it.

    A plain folder of recordings needs no rule: its sub-folders are the labels.
    """
    return module(name).columns if name.lower() in names() else None


def of_rule(rule: Callable[..., Any]) -> ModuleType | None:
    """Return the catalogue's module that the label rule comes from, if any."""
    return next((found for found in map(module, names()) if found.columns is rule), None)


def table() -> pd.DataFrame:
    """List the datasets of the catalogue.

    Returns
    -------
    DataFrame
        Indexed by name: ``title``, ``recordings``, ``size`` (about how many GB), ``labels`` (the label columns),
        ``licence``, ``url`` (the dataset's page), ``remotes`` (what is downloaded), ``description``, ``citation``.
    """
    rows = {name: _row(module(name)) for name in names()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("name")


def _row(found: ModuleType) -> dict[str, Any]:
    return {
        "title": found.TITLE,
        "recordings": found.RECORDINGS,
        "size": found.BYTES / 1e9,
        "labels": ", ".join(found.LABELS),
        "licence": found.LICENSE_INFO,
        "url": found.HOMEPAGE,
        "remotes": " ".join(remote["url"] for remote in found.REMOTES),
        "description": found.DESCRIPTION,
        "citation": found.BIBTEX,
    }
