"""Group recordings by what they hold, without labels, and compare every way of doing so.

The rooms, in the order in which sound flows: `datasets`, `audio`, `features` and `embeddings`, `evaluation`,
`clustering`, `deep`, `curation`, `report`, `runs`. Each is imported by its own name::

    from audioclust import clustering, datasets, evaluation, features

The main job is one call, ``audioclust.group(FOLDER)``, in `grouping`.
"""

from typing import Any

from audioclust.installation import show_versions

__version__ = "0.2.0"

__all__ = ["__version__", "group", "show_versions", "similar"]


def __getattr__(name: str) -> Any:
    # the main job uses every room, which takes seconds to import
    if name not in ("group", "similar"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from audioclust import grouping

    return getattr(grouping, name)
