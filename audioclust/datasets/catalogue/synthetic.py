"""Synthetic voices: written by :mod:`audioclust.datasets.synthetic`, nothing to download."""

from __future__ import annotations

import re
from pathlib import Path

TITLE = "Synthetic voices"
DESCRIPTION = "Source-filter voices saying short words of nonsense syllables, with changing level, noise and silence."
HOMEPAGE = ""
RECORDINGS = 160
BYTES = 0
LICENSE_INFO = "CC0 1.0: computed, free of any rights"
BIBTEX = """@misc{audioclust_synthetic,
  title = {Synthetic voices, written by audioclust},
  note = {Source-filter model after Fant (1960), Rosenberg (1971) and Klatt (1980)}
}"""
REMOTES: list[dict[str, str | None]] = []
LABELS = {"speaker": "the voice", "word": "the syllables spoken", "take": "which repetition"}
EXAMPLES = {
    "s03/s03_bamito_2.wav": {"speaker": "s03", "word": "bamito", "take": "2"},
    "elsewhere.wav": {"speaker": None, "word": None, "take": None},
}


def columns(path: str) -> dict[str, str | None]:
    """Read ``SPEAKER_WORD_TAKE`` from the file's name."""
    found = re.fullmatch(r"(s\d+)_([a-z]+)_(\d+)", Path(path).stem)
    speaker, word, take = found.groups() if found else (None, None, None)
    return {"speaker": speaker, "word": word, "take": take}


def prepare(unpacked: Path, folder: Path, **size: int) -> None:
    """Write the recordings, at their default size or with other ``speakers``, ``words``, ``takes`` and so on."""
    from audioclust.datasets import synthetic

    synthetic.generate(folder, **size)
