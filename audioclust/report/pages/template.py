"""Self-contained HTML pages from the templates beside this module.

A page loads nothing from anywhere: the style and the script beside its template are put into it, and its
Content-Security-Policy forbids the network and every script but that one, which it names by hash. Text that comes from
data is escaped by whoever puts it in; should some slip through, the policy keeps it from running.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib import resources
from string import Template
from typing import Any

__all__ = ["data_block", "fill"]


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
    folder = resources.files("audioclust.report.pages").joinpath("templates")
    names = ("page.html", f"{template}.html", f"{template}.css", f"{template}.js")
    page, text, style, script = (folder.joinpath(name).read_text(encoding="utf-8") for name in names)
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src 'unsafe-inline'; img-src data:; "
        "media-src data: blob: file: 'self'; base-uri 'none'; form-action 'none'"
    )
    title = html.escape(title)
    content = _Page(text).substitute(title=title, script=script, **parts)
    return _Page(page).substitute(title=title, policy=policy, style=style, content=content)


def data_block(name: str, value: Any) -> str:
    """Return a ``<script type="application/json">`` that holds `value` and cannot be closed by what is in it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return f'<script type="application/json" id="{html.escape(name)}">{text}</script>'


def _hash(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"
