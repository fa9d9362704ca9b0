"""Public names of a room that are imported when they are first asked for: torch, pandas and matplotlib take seconds."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["getter"]


def getter(room: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package.

    Parameters
    ----------
    room : str
        The package's ``__name__``.
    homes : mapping of str to str
        The module that each public name lives in: a whole name, or ``.module`` of the package itself.

    Examples
    --------
    >>> getter("audioclust.audio", {"loudness": ".level"})("loudness").__module__
    'audioclust.audio.level'
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        value = getattr(import_module(homes[name], room), name)
        setattr(sys.modules[room], name, value)
        return value

    return get
