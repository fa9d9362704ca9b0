"""Group recordings by what they hold, without labels, and compare every way of doing so.

The rooms, in the order in which sound flows: `datasets`, `audio`, `features` and `embeddings`, `evaluation`,
`clustering`, `deep`, `curation`, `report`, `runs`. Each is imported by its own name::

    from audioclust import clustering, datasets, evaluation, features
"""

from audioclust.installation import show_versions

__version__ = "0.2.0"

__all__ = ["__version__", "show_versions"]
