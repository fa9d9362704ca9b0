"""Classes of other packages whose code is compiled in every process that uses them: here it is kept for later ones.

numba keeps compiled code beside its source, or in the user's cache folder, for functions that ask for it. The slow ones
of UMAP and pynndescent do not ask; for those whose arguments are plain arrays and numbers it can be asked from outside.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any

__all__ = ["nn_descent_class", "umap_class"]

_NN_DESCENT = {
    "pynndescent.kernels": ["generate_graph_update_array_batched"],
    "pynndescent.utils": [
        "build_candidates_owner", "apply_sorted_graph_update_array", "sort_updates_by_block", "deheap_sort",
    ],
}  # fmt: skip
_UMAP = {
    "umap.utils": ["fast_knn_indices"],
    "umap.umap_": ["smooth_knn_dist", "compute_membership_strengths"],
}


@cache
def nn_descent_class() -> Any:
    """Return the class NNDescent, imported when it is needed; a process compiles for 11 s instead of 24 s."""
    _keep(_NN_DESCENT)
    from pynndescent import NNDescent

    return NNDescent


@cache
def umap_class() -> Any:
    """Return the class UMAP, imported when it is needed; without this each process compiles for about 20 s."""
    _keep(_UMAP | _NN_DESCENT)  # which finds its neighbours from 4 096 rows on
    from umap import UMAP

    return UMAP


def _keep(functions: dict[str, list[str]]) -> None:
    for module, names in functions.items():
        for name in names:
            with suppress(ImportError, AttributeError, RuntimeError):  # another version; no folder that can be written
                getattr(import_module(module), name).enable_caching()
