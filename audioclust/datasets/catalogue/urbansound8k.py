"""UrbanSound8K: ten classes of sounds from the street."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from audioclust.datasets import archives

TITLE = "UrbanSound8K"
DESCRIPTION = "8 732 excerpts of up to 4 s in 10 classes of urban sounds, 10 folds."
HOMEPAGE = "https://urbansounddataset.weebly.com/urbansound8k.html"
RECORDINGS = 8732
BYTES = 6_023_741_708
LICENSE_INFO = "CC BY-NC 4.0; each clip as stated by its author on Freesound"
BIBTEX = """@inproceedings{salamon2014urbansound,
  author = {Salamon, Justin and Jacoby, Christopher and Bello, Juan Pablo},
  title = {A Dataset and Taxonomy for Urban Sound Research},
  booktitle = {Proceedings of the 22nd ACM International Conference on Multimedia},
  pages = {1041--1044},
  year = {2014},
  doi = {10.1145/2647868.2655045}
}"""
# Zenodo publishes the md5; the sha256 is recorded with the first download.
REMOTES = [
    {
        "url": "https://zenodo.org/records/1203745/files/UrbanSound8K.tar.gz",
        "filename": "UrbanSound8K.tar.gz",
        "sha256": None,
        "md5": "9aa69802bbf37fb986f71ec1483a196e",
    }
]
LABELS = {
    "class": "what sounds",
    "fold": "cross-validation fold, 1 to 10: excerpts of one recording share it",
    "source": "number of the Freesound recording that the excerpt is cut from",
}
EXAMPLES = {
    "dog_bark/fold5_100032-3-0-0.wav": {"label": "dog_bark", "class": "dog_bark", "fold": "5", "source": "100032"},
    "UrbanSound8K/audio/fold10/99812-1-2-0.wav": {
        "label": "car_horn", "class": "car_horn", "fold": "10", "source": "99812"},
    "clip.wav": {"class": None, "fold": None, "source": None},
}  # fmt: skip

CLASSES = ("air_conditioner", "car_horn", "children_playing", "dog_bark", "drilling", "engine_idling", "gun_shot",
           "jackhammer", "siren", "street_music")  # fmt: skip


def columns(path: str) -> dict[str, str | None]:
    """Read ``SOURCE-CLASS-OCCURRENCE-SLICE`` from the file's name, the fold from the folder or the name's prefix."""
    place = PurePosixPath(path)
    found = re.fullmatch(r"(?:fold(\d+)_)?(\d+)-(\d)-\d+-\d+", place.stem)
    if not found:
        return dict.fromkeys(LABELS)
    folder = re.fullmatch(r"fold(\d+)", place.parent.name)
    name = CLASSES[int(found[3])]
    return {"label": name, "class": name, "fold": found[1] or (folder[1] if folder else None), "source": found[2]}


def prepare(unpacked: Path, folder: Path) -> None:
    """Turn the fold folders into class folders; the fold goes into the file's name."""

    def target(path: str) -> str | None:
        found, name = columns(path), PurePosixPath(path).name
        return f"{found['class']}/fold{found['fold']}_{name}" if found["fold"] else None

    archives.place(unpacked, folder, target)
