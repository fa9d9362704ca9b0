"""The listening page as a widget in JupyterLab: sound comes through the kernel, corrections arrive in Python."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import anywidget
import traitlets

from audioclust import files
from audioclust.curation.corrections import Corrections, parse, read
from audioclust.report.pages.clips import prepare
from audioclust.validation import check_number

__all__ = ["Explorer", "explore"]

BUILT = Path(__file__).parent / "pages" / "built"
PLAYED = {".wav": "audio/wav", ".mp3": "audio/mpeg", ".flac": "audio/flac", ".ogg": "audio/ogg", ".opus": "audio/ogg"}
"""What browsers play, by the suffix of the file."""
LARGEST = 4_000_000  # bytes of a file that is sent as it is
LONGEST = 60.0  # s of any other one
_BLOCK = re.compile(r'<script type="text/plain" id="([^"]*)">([^<]*)</script>')


class Explorer(anywidget.AnyWidget):
    """What `explore` gives.

    Attributes
    ----------
    corrections : dict
        What the listener said so far, as a file of corrections holds it.
    data : dict
        What the page knows of the recordings.
    height : int
        In pixels.
    """

    _esm = BUILT / "widget.js"
    _css = BUILT / "core.css"
    data = traitlets.Dict().tag(sync=True)
    corrections = traitlets.Dict().tag(sync=True)
    height = traitlets.Int(780).tag(sync=True)

    def __init__(self, blocks: Mapping[str, str], root: Path | None, **options: Any) -> None:
        super().__init__(**options)
        self._blocks = blocks
        self._root = root
        self.on_msg(self._answer)

    @property
    def heard(self) -> Corrections:
        """What the listener said so far, to be applied: see `curation.corrections.apply`."""
        return parse(self.corrections) if self.corrections else Corrections()

    def save(self, path: str | Path) -> Path:
        """Write what the listener said so far; ``audioclust group --corrections`` and notebooks take the file."""
        return files.write_json(path, self.corrections or self.heard.as_dict())

    def _answer(self, _: Any, asked: Any, buffers: Any) -> None:
        """Send what the page asks for; nothing where it is not there."""
        number = asked["number"]
        kind, found = (
            self._sound(number) if asked["want"] == "sound" else ("image/webp", self._block(f"sprite-{number}"))
        )
        self.send({"id": asked["id"], "type": kind}, buffers=[] if found is None else [found])

    def _sound(self, row: int) -> tuple[str, bytes | None]:
        """Return the sound of a recording: its file where a browser plays it, else a clip of it, or the page's own."""
        path = None if self._root is None else self._root / self.data["paths"][row]
        if path is not None and path.is_file():
            kind = PLAYED.get(path.suffix.lower())
            if kind is not None and path.stat().st_size <= LARGEST:
                return kind, path.read_bytes()
            if (sound := prepare((path, LONGEST, False)).sound) is not None:
                return "audio/mpeg", base64.b64decode(sound)
        return "audio/mpeg", self._block(f"sound-{row}")

    def _block(self, name: str) -> bytes | None:
        return base64.b64decode(self._blocks[name]) if name in self._blocks else None


def explore(run: Any, *, corrections: str | Path | None = None, height: int = 780) -> Explorer:
    """Show a clustering in JupyterLab: look at it, listen to it, correct it.

    Parameters
    ----------
    run : Run, str or Path
        A run, its folder, or a listening page; it must have a ``listen.html``.
    corrections : str or Path, optional
        What was said before.
    height : int
        In pixels, at least 300.

    Returns
    -------
    Explorer
        A widget; its ``heard`` is what the listener said so far, ``save(path)`` keeps it.

    Raises
    ------
    ValueError
        When there is no listening page, `height` is too small, or `corrections` cannot be read.

    Examples
    --------
    >>> import pandas as pd, soundfile, tempfile
    >>> from audioclust import report
    >>> folder = Path(tempfile.mkdtemp())
    >>> soundfile.write(folder / "a.wav", [0.1, 0.2] * 4000, 8000)
    >>> page = report.listen(pd.DataFrame({"path": ["a.wav"]}), [0], folder, folder / "listen.html")
    >>> explorer = report.explore(folder)
    >>> explorer.data["paths"], len(explorer.heard)
    (['a.wav'], 0)
    """
    check_number("height", height, 300, whole=True)
    page = Path(getattr(run, "folder", run))
    page = page / "listen.html" if page.is_dir() else page
    if not page.is_file():
        raise ValueError(f"run={str(run)!r}: there is no {page.name} in {page.parent}; give a run that was listened to")
    blocks = {unescape(name): text for name, text in _BLOCK.findall(page.read_text(encoding="utf-8"))}
    if "data" not in blocks:
        raise ValueError(f"run={str(run)!r}: {page} is no listening page")
    data = json.loads(gzip.decompress(base64.b64decode(blocks.pop("data"))))
    given = {} if corrections is None else read(corrections).as_dict()
    return Explorer(blocks, _root(data.get("base"), page), data=data, corrections=given, height=height)


def _root(base: str | None, page: Path) -> Path | None:
    """Return the folder of the recordings: its address as a page has it, read from where the page lies."""
    if base is None:
        return None
    parts = urlsplit(base)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else (page.parent / unquote(base)).resolve()
