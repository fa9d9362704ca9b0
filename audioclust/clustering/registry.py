"""Clusterers by name. A clusterer's module is imported when it is first made, so listing them costs nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["available", "make", "parameters", "register"]

_ROOM = "audioclust.clustering"
_CLUSTERERS: dict[str, str | Callable[..., Any]] = {
    "kmeans": f"{_ROOM}.classical:KMeans",
    "fuzzy_cmeans": f"{_ROOM}.fuzzy_cmeans:FuzzyCMeans",
    "agglomerative": f"{_ROOM}.classical:Agglomerative",
    "dbscan": f"{_ROOM}.classical:DBSCAN",
    "hdbscan": f"{_ROOM}.hdbscan:HDBSCAN",
    "spectral": f"{_ROOM}.spectral:Spectral",
    "umap_hdbscan": f"{_ROOM}.speakers.umap_hdbscan:UMAPHDBSCAN",
    "nme_spectral": f"{_ROOM}.speakers.nme_spectral:NMESpectral",
    "partial_sets": f"{_ROOM}.speakers.partial_sets:PartialSets",
    "auto": f"{_ROOM}.speakers.auto:AutoSpeakers",
}


def available() -> list[str]:
    """Return the names that :func:`make` knows."""
    return list(_CLUSTERERS)


def register(name: str, target: str | Callable[..., Any]) -> None:
    """Make a clusterer of one's own available by name.

    Parameters
    ----------
    name : str
        A new name.
    target : str or class
        A class with scikit-learn's clusterer interface (``fit``, ``fit_predict``, ``labels_``, ``get_params``), or
        where to import it from: ``"package.module:Class"``.

    Raises
    ------
    ValueError
        When the name is taken by another clusterer, or `target` is neither.
    """
    if not isinstance(name, str) or not name:
        raise ValueError(f"name={name!r}: give the clusterer a name")
    if not callable(target) and not (isinstance(target, str) and target.count(":") == 1):
        raise ValueError(f"target={target!r}: give a class or 'package.module:Class'")
    if _CLUSTERERS.get(name, target) != target:
        raise ValueError(f"name={name!r} is taken by {_CLUSTERERS[name]}")
    _CLUSTERERS[name] = target


def parameters(name: str) -> dict[str, Any]:
    """Return the parameters of a clusterer and their defaults.

    Raises
    ------
    ValueError
        When the name is unknown.
    """
    signature = inspect.signature(_load(name))
    return {key: parameter.default for key, parameter in signature.parameters.items()}


def make(name: str, **params: Any) -> Any:
    """Build a clusterer.

    Parameters
    ----------
    name : str
        One of :func:`available`.
    **params
        Parameters of that clusterer, see :func:`parameters`; ``n_clusters`` is the number of clusters for all that
        take one, ``random_state`` the seed for all that draw.

    Returns
    -------
    object
        A scikit-learn estimator, not fitted.

    Raises
    ------
    ValueError
        When the name, or the name of a parameter, is unknown; the message lists what is allowed.
    """
    allowed = parameters(name)
    unknown = sorted(set(params) - set(allowed))
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no parameter of clusterer {name!r}; it takes {', '.join(allowed)}")
    return _load(name)(**params)


def _load(name: str) -> Callable[..., Any]:
    if name not in _CLUSTERERS:
        raise ValueError(f"clusterer {name!r} is unknown; available are {', '.join(_CLUSTERERS)}")
    target = _CLUSTERERS[name]
    if callable(target):
        return target
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)
