"""The known datasets, one module each, and how to find them by name.

A module states where its recordings come from and what their names mean:

``TITLE``, ``DESCRIPTION``, ``HOMEPAGE``, ``RECORDINGS`` (how many after preparation), ``BYTES`` (to download, about),
``LICENSE_INFO``, ``BIBTEX``;
``REMOTES``: the files to download, each ``{"url", "filename", "sha256"}`` (sha256 None where the publisher gives no
fixed file; the first download is recorded then) and optionally ``"md5"`` where the publisher gives that;
``LABELS``: label column -> its meaning; ``EXAMPLES``: path -> the label columns it must give;
``columns(path) -> dict``: the label rule, from a path relative to the dataset's folder; None for what it does not say;
``prepare(unpacked, folder)``: lays the unpacked download out in the dataset's folder.

A dataset from outside this package is the same, a module or an object with these names, and is added by
:func:`register`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import pandas as pd

from audioclust.project import plain_name

__all__ = ["Dataset", "check", "entry", "module", "names", "of_rule", "register", "rule_for", "table"]

Columns = Callable[[str], Mapping[str, str | None]]


class Dataset(Protocol):
    """What a module of the catalogue, or an object given to :func:`register`, states; see the module's opening."""

    TITLE: str
    DESCRIPTION: str
    HOMEPAGE: str
    RECORDINGS: int
    BYTES: int
    LICENSE_INFO: str
    BIBTEX: str
    REMOTES: Sequence[dict[str, Any]]
    LABELS: Mapping[str, str]
    EXAMPLES: Mapping[str, Mapping[str, str | None]]
    columns: Columns
    prepare: Callable[..., None]


_registered: dict[str, Any] = {}


def register(dataset: Any, name: str | None = None) -> str:
    """Add a dataset from outside the package to the catalogue, for this process.

    Parameters
    ----------
    dataset : module or object
        With the names that the module's opening lists. Registering it again replaces it.
    name : str, optional
        In lower case. Default: ``dataset.NAME``, or the module's own name.

    Returns
    -------
    str
        The name.

    Raises
    ------
    ValueError
        When something is missing or contradicts itself, or the name is one of the package's own datasets.
    """
    name = name or getattr(dataset, "NAME", None) or getattr(dataset, "__name__", "").rpartition(".")[2]
    name = plain_name(name, "name").lower()
    if name in _shipped():
        raise ValueError(f"name={name!r}: is a dataset of the package; give another name")
    faults = check(dataset)
    if faults:
        raise ValueError(f"dataset={name!r}: {'; '.join(faults)}")
    _registered[name] = dataset
    return name


def check(dataset: Any) -> list[str]:
    """Return what a dataset lacks, or where it contradicts itself, each in a few words; [] for a good one.

    Examples
    --------
    >>> import types
    >>> check(types.SimpleNamespace(TITLE="Birds"))[0][:32]
    'lacks DESCRIPTION, HOMEPAGE, REC'
    """
    missing = [name for name in Dataset.__annotations__ if not hasattr(dataset, name)]
    if missing:
        return [f"lacks {', '.join(missing)}"]
    texts = ("TITLE", "DESCRIPTION", "LICENSE_INFO", "BIBTEX")
    faults = [f"{name} is no text" for name in texts if not isinstance(getattr(dataset, name), str)]
    faults += [f"{name} is no function" for name in ("columns", "prepare") if not callable(getattr(dataset, name))]
    for name in ("RECORDINGS", "BYTES"):
        if not isinstance(getattr(dataset, name), int) or getattr(dataset, name) < 0:
            faults.append(f"{name} is no whole number of at least 0")
    if not faults and (dataset.BYTES > 0) != bool(dataset.REMOTES):
        faults.append("BYTES and REMOTES: both, or neither, say that there is something to download")
    for remote in dataset.REMOTES:
        if not {"url", "filename", "sha256"} <= set(remote):
            faults.append(f"REMOTES: {remote!r} lacks url, filename or sha256")
        else:
            plain_name(remote["filename"], "filename")
    for path, expected in dataset.EXAMPLES.items() if not faults else ():
        if (got := dataset.columns(path)) != expected:
            faults.append(f"columns({path!r}) gives {got!r}, not {expected!r}")
        if not set(dataset.LABELS) <= set(got) <= {"label", *dataset.LABELS}:
            faults.append(f"columns({path!r}) gives {', '.join(got)}, where LABELS has {', '.join(dataset.LABELS)}")
    return faults


def _shipped() -> list[str]:
    return [there.name for there in pkgutil.iter_modules(__path__) if not there.name.startswith("_")]


def names() -> list[str]:
    """Return the names of the datasets in the catalogue."""
    return sorted({*_shipped(), *_registered})


def module(name: str) -> Any:
    """Return dataset `name` (upper and lower case are alike): a module, or what was registered.

    Raises
    ------
    ValueError
        When the catalogue has no such dataset.
    """
    return entry(name)[1]


def entry(name: str) -> tuple[str, Any]:
    """Return a dataset's name as the catalogue spells it, and the dataset; errors as in :func:`module`."""
    known = name.lower()
    if known not in names():
        raise ValueError(f"dataset={name!r}: the catalogue has {', '.join(names())}")
    return known, _registered.get(known) or importlib.import_module(f"{__name__}.{known}")


def rule_for(name: str) -> Columns | None:
    """Return the label rule of a dataset by its name, or None when the catalogue does not have it.

    A plain folder of recordings needs no rule: its sub-folders are the labels.
    """
    return module(name).columns if name.lower() in names() else None


def of_rule(rule: Callable[..., Any]) -> Any:
    """Return the dataset of the catalogue that the label rule comes from, or None."""
    return next((dataset for dataset in map(module, names()) if dataset.columns == rule), None)


def table() -> pd.DataFrame:
    """List the datasets of the catalogue.

    Returns
    -------
    DataFrame
        Indexed by name: ``title``, ``recordings``, ``size`` (about how many GB), ``labels`` (the label columns),
        ``licence``, ``url`` (the dataset's page), ``remotes`` (what is downloaded), ``description``, ``citation``.

    Examples
    --------
    >>> from audioclust import datasets
    >>> datasets.catalogue().loc[["synthetic", "tess"], ["recordings", "labels"]]
               recordings                  labels
    name
    synthetic         160     speaker, word, take
    tess             2800  speaker, emotion, word
    """
    rows = {name: _row(module(name)) for name in names()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("name")


def _row(dataset: Dataset) -> dict[str, Any]:
    return {
        "title": dataset.TITLE,
        "recordings": dataset.RECORDINGS,
        "size": dataset.BYTES / 1e9,
        "labels": ", ".join(dataset.LABELS),
        "licence": dataset.LICENSE_INFO,
        "url": dataset.HOMEPAGE,
        "remotes": " ".join(remote["url"] for remote in dataset.REMOTES),
        "description": dataset.DESCRIPTION,
        "citation": dataset.BIBTEX,
    }
