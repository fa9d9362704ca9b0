"""YAML of a bounded size: a short file whose aliases multiply must not take a machine's memory."""

from __future__ import annotations

from typing import Any

import yaml

__all__ = ["parse_yaml"]

_LENGTH, _NODES = 100_000, 20_000  # characters and values of a file


def parse_yaml(text: str, where: str) -> Any:
    """Read YAML of a bounded size, aliases counted each time they are used.

    Raises
    ------
    ValueError
        When the text is no YAML, or too much of it; the message begins with `where`.

    Examples
    --------
    >>> parse_yaml("{a: [1, 2]}", "example")
    {'a': [1, 2]}
    >>> parse_yaml("{a: ", "example")
    Traceback (most recent call last):
    ValueError: example is not YAML: expected the node content, but found '<stream end>'
    """
    if len(text) > _LENGTH:
        raise ValueError(f"{where}: has {len(text)} characters, more than {_LENGTH}")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None and _size(node, {}) > _NODES:
            raise ValueError(f"{where}: holds more than {_NODES} values once its aliases are filled in")
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        raise ValueError(f"{where} is not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ValueError(f"{where} is not YAML: {error}") from None
    except RecursionError:
        raise ValueError(f"{where}: is nested too deeply, or holds itself") from None


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Count the values of a node, each alias as often as it is used; one that holds itself recurses without end."""
    if id(node) not in known:
        size = 1
        if isinstance(node, yaml.CollectionNode):
            for child in node.value:
                size += sum(_size(part, known) for part in (child if isinstance(child, tuple) else (child,)))
        known[id(node)] = size
    return known[id(node)]
