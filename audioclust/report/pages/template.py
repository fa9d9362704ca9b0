"""Self-contained HTML pages from the templates beside this module.

A page loads nothing from anywhere: its style and its script (those of ``listen`` are built from ``js/``) are put into
it, and its Content-Security-Policy forbids the network and every script and style but those, which it names by hash.
Text that comes from data is escaped by whoever puts it in; should some slip through, the policy keeps it from running.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
from importlib import resources
from string import Template
from typing import Any

__all__ = ["fill", "packed_block", "text_block"]


class _Page(Template):
    # "$" is common in scripts.
    delimiter = "@@"


def fill(template: str, *, title: str, **parts: str) -> str:
    """Return ``page.html`` around ``TEMPLATE.html``, their places filled, with the template's style and script in it.

    Parameters
    ----------
    template : str
        The template's name.
    title : str
        Plain text; it is escaped here.
    **parts : str
        HTML for the other places.
    """
    page, text = _read("templates/page.html"), _read(f"templates/{template}.html")
    style, script = (
        _read(f"{'built' if template == 'listen' else 'templates'}/{template}.{kind}") for kind in ("css", "js")
    )
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data: file: 'self'; "
        "media-src data: blob: file: 'self'; base-uri 'none'; form-action 'none'"
    )
    title = html.escape(title)
    content = _Page(text).substitute(title=title, script=script, **parts)
    return _Page(page).substitute(title=title, policy=policy, style=style, content=content)


def packed_block(name: str, value: Any) -> str:
    """Return a ``<script type="text/plain">`` that holds `value` as JSON, by gzip and base64."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text_block(name, gzip.compress(text.encode("ascii"), compresslevel=6, mtime=0))


def text_block(name: str, data: bytes | str) -> str:
    """Return a ``<script type="text/plain">`` that holds bytes as base64, or what is base64 already."""
    text = data if isinstance(data, str) else base64.b64encode(data).decode("ascii")
    return f'<script type="text/plain" id="{html.escape(name)}">{text}</script>'


def _read(name: str) -> str:
    return resources.files("audioclust.report.pages").joinpath(*name.split("/")).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"
