"""ESC-10: ten classes of environmental sounds, the small selection of ESC-50."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from audioclust.datasets import archives
from audioclust.datasets.catalogue import esc50

TITLE = "ESC-10 environmental sounds"
DESCRIPTION = "400 clips of 5 s in 10 classes of environmental sounds, 5 folds."
HOMEPAGE = "https://github.com/karolpiczak/ESC-10"
RECORDINGS = 400
BYTES = 150_000_000
LICENSE_INFO = "CC BY 3.0; each clip as stated by its author on Freesound"
BIBTEX = esc50.BIBTEX  # one paper on both
# GitHub packs archives of branches on demand and does not promise that their bytes stay the same.
REMOTES = [
    {
        "url": "https://github.com/karolpiczak/ESC-10/archive/refs/heads/master.zip",
        "filename": "esc10.zip",
        "sha256": None,
    }
]
LABELS = {name: esc50.LABELS[name] for name in ("class", "fold", "source")}
EXAMPLES = {
    "001 - Dog bark/1-100032-A.ogg": {"class": "dog_bark", "fold": "1", "source": "100032"},
    "010 - Fire crackling/5-186924-A.ogg": {"class": "fire_crackling", "fold": "5", "source": "186924"},
    "clip.ogg": {"class": None, "fold": None, "source": None},
}


def columns(path: str) -> dict[str, str | None]:
    """Read the class from the folder, fold and source from the name."""
    place = PurePosixPath(path)
    folder = re.fullmatch(r"\d+ - (.+)", place.parent.name)
    name = re.fullmatch(r"(\d)-(\d+)-\w", place.stem)
    return {
        "class": folder[1].lower().replace(" ", "_") if folder else None,
        "fold": name[1] if name else None,
        "source": name[2] if name else None,
    }


def prepare(unpacked: Path, folder: Path) -> None:
    """Keep the class folders of the archive."""

    def target(path: str) -> str | None:
        return "/".join(PurePosixPath(path).parts[-2:]) if columns(path)["class"] else None

    archives.place(unpacked, folder, target)
