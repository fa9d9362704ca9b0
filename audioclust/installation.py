"""What is installed: the notebooks and sweeps that come with the package, and the versions of what it stands on."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path
from typing import Literal

__all__ = ["shipped", "show_versions", "versions"]

_DECIDING = (
    "numpy", "scipy", "pandas", "soundfile", "soxr", "librosa", "scikit-learn", "scikit-fuzzy", "hdbscan",
    "umap-learn", "torch", "pytorch-lightning", "papermill",
)  # fmt: skip


def shipped(kind: Literal["notebooks", "sweeps"]) -> Path:
    """Return the folder of the notebooks or the sweeps that come with the package.

    An installed package holds them inside; in a checkout they stand beside it, at the top level.

    Parameters
    ----------
    kind : {"notebooks", "sweeps"}
        Which of the two.

    Returns
    -------
    Path
        A folder that is only to be read: a new version replaces what is in it.

    Examples
    --------
    >>> from audioclust.installation import shipped
    >>> sorted(path.stem for path in shipped("sweeps").glob("d*.yaml"))
    ['demo']
    """
    package = Path(__file__).resolve().parent
    inside = package / kind
    return inside if inside.is_dir() else package.parent / kind


def versions() -> dict[str, str]:
    """Return the versions that decide what a run computes: Python, the platform, the libraries.

    Examples
    --------
    >>> from audioclust.installation import versions
    >>> "numpy" in versions()
    True
    """
    from audioclust import __version__  # in a checkout, the code that runs may be newer than what was installed

    described = {"python": platform.python_version(), "platform": platform.platform(), "audioclust": __version__}
    return described | _installed(_DECIDING)


def show_versions() -> None:
    """Print what a report of a fault should name: versions, platform, processors and threads.

    Examples
    --------
    >>> import audioclust
    >>> audioclust.show_versions()  # doctest: +ELLIPSIS
    python ...
    platform ...
    """
    described = versions() | {"executable": sys.executable, "processors": str(os.cpu_count())}
    described |= {name: value for name, value in os.environ.items() if re.fullmatch(r"\w+_NUM_THREADS", name)}
    described |= _installed(_required()) | _installed(("resemblyzer", "dask", "distributed", "tensorboard"))
    described |= _thread_pools()
    width = max(map(len, described)) + 2
    sys.stdout.write("".join(f"{name:{width}}{value}\n" for name, value in described.items()))


def _installed(names: tuple[str, ...]) -> dict[str, str]:
    from importlib import metadata  # here, since every worker imports this module

    versions_of = {}
    for name in names:
        try:
            versions_of[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions_of


def _required() -> tuple[str, ...]:
    """Names of the package's requirements, those of its extras left out."""
    from importlib import metadata

    try:
        lines = metadata.requires("audioclust") or []
    except metadata.PackageNotFoundError:  # a checkout that was never installed
        return ()
    return tuple(re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines if "extra ==" not in line)


def _thread_pools() -> dict[str, str]:
    """Libraries of linear algebra that numpy and scipy have loaded, and how many threads each uses."""
    import numpy  # noqa: F401  (threadpoolctl sees only what is loaded)
    import threadpoolctl

    return {
        f"{pool['internal_api']} {pool.get('version') or ''}".strip(): f"{pool['num_threads']} threads"
        for pool in threadpoolctl.threadpool_info()
    }
