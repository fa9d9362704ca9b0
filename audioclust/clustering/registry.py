"""Clusterers by name: what each takes, whether it finds the number of clusters, whether it is a network.

A clusterer's module is imported when it is first made, so listing them costs nothing. ``NAME:VARIANT`` is the clusterer
NAME with other parameters, to be kept apart in tables; ``ae_NAME`` is the clusterer NAME on the embedding that an
autoencoder learns from images.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from audioclust.validation import check_choice

__all__ = ["Entry", "available", "entry", "is_network", "make", "parameters", "register", "title_of"]

TAKES = ("vectors", "images")
_EMBEDDED = "audioclust.deep.embedded:Embedded"


@dataclass(frozen=True)
class Entry:
    """A clusterer, and what a run must know of it.

    Attributes
    ----------
    name : str
    title : str
        As printed in a table, "K-Means".
    target : str or callable
        The class, or ``"package.module:Class"``.
    takes : {"vectors", "images"}
        What it is fitted on: (n, d), or (n, height, width).
    finds_k : bool
        Whether it finds the number of clusters itself. If not, ``n_clusters`` says it.
    network : bool
        Whether it trains a network on the recordings that it clusters.
    inner : str or None
        The clusterer of vectors inside, of a clusterer ``ae_NAME``.
    partitions : tuple of (str, str)
        Partitions besides ``labels_`` that a run reports in rows of their own: a variant's name, and the attribute.
    """

    name: str
    title: str
    target: str | Callable[..., Any]
    takes: str = "vectors"
    finds_k: bool = False
    network: bool = False
    inner: str | None = None
    partitions: tuple[tuple[str, str], ...] = ()

    def load(self) -> Callable[..., Any]:
        """Import the class."""
        if not isinstance(self.target, str):
            return self.target
        module, _, attribute = self.target.partition(":")
        return getattr(import_module(module), attribute)

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the class and their defaults."""
        signature = inspect.signature(self.load())
        return {key: parameter.default for key, parameter in signature.parameters.items()}


_ENTRIES: dict[str, Entry] = {}


def available(takes: str = "vectors") -> list[str]:
    """Return the names that :func:`make` knows of clusterers that take `takes`.

    Examples
    --------
    >>> from audioclust import clustering
    >>> clustering.available()[:3]
    ['kmeans', 'fuzzy_cmeans', 'agglomerative']
    >>> clustering.available("images")
    ['ae_kmeans', 'ae_agglomerative', 'ae_n2d', 'dcec']
    """
    check_choice("takes", takes, TAKES)
    return [name for name, known in _ENTRIES.items() if known.takes == takes]


def entry(name: str) -> Entry:
    """Return what is known of a clusterer.

    Parameters
    ----------
    name : str
        One of :func:`available`, ``NAME:VARIANT``, or ``ae_NAME`` for any clusterer NAME of vectors.

    Raises
    ------
    ValueError
        When the name is unknown; the message lists what is allowed.

    Examples
    --------
    >>> from audioclust import clustering
    >>> clustering.entry("hdbscan").finds_k
    True
    """
    base = str(name).partition(":")[0]
    if base in _ENTRIES:
        return _ENTRIES[base]
    inner = _ENTRIES.get(base.removeprefix("ae_"))
    if base.startswith("ae_") and inner is not None and inner.takes == "vectors":
        return Entry(base, f"AE + {inner.title}", _EMBEDDED, "images", inner.finds_k, True, inner.name)
    known = ", ".join(_ENTRIES)
    raise ValueError(
        f"clusterer {name!r} is unknown; available are {known} (and ae_NAME on an autoencoder's embedding)"
    )


def title_of(name: Any) -> str:
    """Return how a clusterer is printed in a table: "K-Means", "K-Means: cosine"; an unknown name stays as it is.

    Examples
    --------
    >>> from audioclust import clustering
    >>> clustering.title_of("kmeans:cosine")
    'K-Means: cosine'
    """
    _, colon, variant = str(name).partition(":")
    try:
        return entry(name).title + (f": {variant}" if colon else "")
    except ValueError:
        return str(name)


def is_network(name: Any) -> bool:
    """Return whether a clusterer trains a network; an unknown one counts as none.

    Examples
    --------
    >>> from audioclust import clustering
    >>> clustering.is_network("kmeans"), clustering.is_network("ae_kmeans"), clustering.is_network("of_a_plugin")
    (False, True, False)
    """
    try:
        return entry(name).network
    except ValueError:
        return False


def register(
    name: str,
    target: str | Callable[..., Any],
    *,
    title: str | None = None,
    takes: str = "vectors",
    finds_k: bool | None = None,
    network: bool = False,
) -> None:
    """Make a clusterer of one's own available by name.

    To have it in a sweep, put the call into a file and name that file under ``plugins`` (:mod:`audioclust.plugins`):
    every notebook runs in a process of its own.

    Parameters
    ----------
    name : str
        A new name, without a colon.
    target : str or class
        A class with scikit-learn's clusterer interface (``fit``, ``fit_predict``, ``labels_``, ``get_params``), or
        where to import it from: ``"package.module:Class"``.
    title : str, optional
        As printed in tables; by default the name.
    takes : {"vectors", "images"}
        What it is fitted on.
    finds_k : bool, optional
        Whether it finds the number of clusters itself; by default, whether it has no parameter ``n_clusters``.
    network : bool
        Whether it trains a network on the recordings.

    Raises
    ------
    ValueError
        When the name is taken by another clusterer, `target` is neither, or `takes` is not allowed.

    Examples
    --------
    >>> from audioclust import clustering
    >>> clustering.register("birch", "sklearn.cluster:Birch")
    >>> clustering.make("birch", n_clusters=2).fit_predict([[0.0], [0.1], [9.0]]).tolist()
    [1, 1, 0]
    """
    if not isinstance(name, str) or not name or ":" in name:
        raise ValueError(f"name={name!r}: give the clusterer a name without a colon")
    if not callable(target) and not (isinstance(target, str) and target.count(":") == 1):
        raise ValueError(f"target={target!r}: give a class or 'package.module:Class'")
    check_choice("takes", takes, TAKES)
    if name in _ENTRIES and not _same_class(_ENTRIES[name].target, target):
        raise ValueError(f"name={name!r} is taken by {_ENTRIES[name].target}")
    new = Entry(name, title or name, target, takes, bool(finds_k), network)
    if finds_k is None:
        new = Entry(name, new.title, target, takes, "n_clusters" not in new.parameters(), network)
    _ENTRIES[name] = new


def parameters(name: str) -> dict[str, Any]:
    """Return the parameters of a clusterer and their defaults.

    Raises
    ------
    ValueError
        When the name is unknown.
    """
    return entry(name).parameters()


def make(name: str, **params: Any) -> Any:
    """Build a clusterer.

    Parameters
    ----------
    name : str
        See :func:`entry`.
    **params
        Parameters of that clusterer, see :func:`parameters`; ``n_clusters`` is the number of clusters for all that
        take one, ``random_state`` the seed for all that draw. Those of ``ae_NAME`` that the autoencoder's side does
        not have go to the clusterer NAME.

    Returns
    -------
    object
        A scikit-learn estimator, not fitted.

    Raises
    ------
    ValueError
        When the name, or the name of a parameter, is unknown; the message lists what is allowed.

    Examples
    --------
    >>> from audioclust import clustering
    >>> clustering.make("kmeans", n_clusters=2, random_state=0).fit_predict([[0.0], [0.1], [9.0]]).tolist()
    [0, 0, 1]
    """
    known = entry(name)
    allowed = known.parameters()
    if known.inner is not None:
        allowed.pop("clusterer")
        mine = {key: value for key, value in params.items() if key in allowed}
        passed_on = {key: value for key, value in params.items() if key not in allowed}
        mine["clusterer_params"] = {**(mine.get("clusterer_params") or {}), **passed_on}
        if known.inner != "n2d":
            make(known.inner, **mine["clusterer_params"])  # an unknown parameter is named now
        return known.load()(known.inner, **mine)
    unknown = sorted(set(params) - set(allowed))
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no parameter of clusterer {name!r}; it takes {', '.join(allowed)}")
    return known.load()(**params)


def _same_class(one: str | Callable[..., Any], other: str | Callable[..., Any]) -> bool:
    """Whether both are the same class, or the same name of one imported twice."""
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return one is other or (one.__module__, one.__qualname__) == (other.__module__, other.__qualname__)


def _built_in() -> None:
    room = "audioclust.clustering"
    speakers = f"{room}.speakers"
    for known in (
        Entry("kmeans", "K-Means", f"{room}.classical:KMeans"),
        Entry("fuzzy_cmeans", "Fuzzy C-Means", f"{room}.fuzzy_cmeans:FuzzyCMeans"),
        Entry("agglomerative", "Agglomerative", f"{room}.classical:Agglomerative"),
        Entry("dbscan", "DBSCAN", f"{room}.classical:DBSCAN", finds_k=True),
        Entry("hdbscan", "HDBSCAN", f"{room}.hdbscan:HDBSCAN", finds_k=True),
        Entry("spectral", "Spectral", f"{room}.spectral:Spectral"),
        Entry("levels", "Levels", f"{room}.levels:Levels", finds_k=True),
        Entry("umap_hdbscan", "UMAP + HDBSCAN", f"{speakers}.umap_hdbscan:UMAPHDBSCAN", finds_k=True),
        Entry("nme_spectral", "NME spectral", f"{speakers}.nme_spectral:NMESpectral", finds_k=True),
        Entry("partial_sets", "Partial sets", f"{speakers}.partial_sets:PartialSets", finds_k=True),
        Entry("graph_hdbscan", "Graph HDBSCAN", f"{speakers}.graph_hdbscan:GraphHDBSCAN", finds_k=True),
        Entry("auto", "Auto (speakers)", f"{speakers}.auto:AutoSpeakers", finds_k=True),
        Entry(
            "camsat",
            "CAMSAT",
            "audioclust.deep.camsat:CAMSAT",
            finds_k=True,
            network=True,
            partitions=(("network", "network_labels_"),),
        ),
        Entry("ae_kmeans", "AE + K-Means", _EMBEDDED, "images", False, True, "kmeans"),
        Entry("ae_agglomerative", "AE + Agglomerative", _EMBEDDED, "images", False, True, "agglomerative"),
        Entry("ae_n2d", "N2D", _EMBEDDED, "images", False, True, "n2d"),
        Entry("dcec", "DCEC", "audioclust.deep.dcec:DCEC", "images", False, True),
    ):
        _ENTRIES[known.name] = known


_built_in()
