"""ESC-50: fifty classes of environmental sounds."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from audioclust.datasets import archives

TITLE = "ESC-50 environmental sounds"
DESCRIPTION = "2 000 clips of 5 s in 50 classes of environmental sounds, 5 folds."
HOMEPAGE = "https://github.com/karolpiczak/ESC-50"
RECORDINGS = 2000
BYTES = 646_000_000
LICENSE_INFO = "CC BY-NC 3.0; each clip as stated by its author on Freesound"
BIBTEX = """@inproceedings{piczak2015esc,
  author = {Piczak, Karol J.},
  title = {{ESC}: Dataset for Environmental Sound Classification},
  booktitle = {Proceedings of the 23rd ACM International Conference on Multimedia},
  pages = {1015--1018},
  year = {2015},
  doi = {10.1145/2733373.2806390}
}"""
# Pinned to a commit; GitHub packs it on demand and does not promise that the archive's bytes stay the same.
REMOTES = [
    {
        "url": "https://github.com/karolpiczak/ESC-50/archive/33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6.zip",
        "filename": "esc50.zip",
        "sha256": None,
    }
]
LABELS = {
    "class": "what sounds",
    "group": "animals, nature, human, interior or exterior",
    "fold": "cross-validation fold, 1 to 5",
    "source": "number of the Freesound recording that the clip is cut from",
}
EXAMPLES = {
    "dog/1-100032-A-0.wav": {
        "label": "dog", "class": "dog", "group": "animals", "fold": "1", "source": "100032"},
    "audio/5-263902-A-36.wav": {
        "label": "vacuum_cleaner", "class": "vacuum_cleaner", "group": "interior", "fold": "5", "source": "263902"},
    "clip.wav": {"class": None, "group": None, "fold": None, "source": None},
}  # fmt: skip

CLASSES = (
    "dog", "rooster", "pig", "cow", "frog", "cat", "hen", "insects", "sheep", "crow",
    "rain", "sea_waves", "crackling_fire", "crickets", "chirping_birds", "water_drops", "wind", "pouring_water",
    "toilet_flush", "thunderstorm",
    "crying_baby", "sneezing", "clapping", "breathing", "coughing", "footsteps", "laughing", "brushing_teeth",
    "snoring", "drinking_sipping",
    "door_wood_knock", "mouse_click", "keyboard_typing", "door_wood_creaks", "can_opening", "washing_machine",
    "vacuum_cleaner", "clock_alarm", "clock_tick", "glass_breaking",
    "helicopter", "chainsaw", "siren", "car_horn", "engine", "train", "church_bells", "airplane", "fireworks",
    "hand_saw",
)  # fmt: skip
_GROUPS = ("animals", "nature", "human", "interior", "exterior")


def columns(path: str) -> dict[str, str | None]:
    """Read ``FOLD-SOURCE-TAKE-CLASS`` from the file's name."""
    found = re.fullmatch(r"(\d)-(\d+)-\w-(\d+)", PurePosixPath(path).stem)
    if not found or int(found[3]) >= len(CLASSES):
        return dict.fromkeys(LABELS)
    number = int(found[3])
    name = CLASSES[number]
    return {"label": name, "class": name, "group": _GROUPS[number // 10], "fold": found[1], "source": found[2]}


def prepare(unpacked: Path, folder: Path) -> None:
    """Lay the clips out in class folders."""

    def target(path: str) -> str | None:
        name = columns(path)["class"]
        return f"{name}/{PurePosixPath(path).name}" if name else None

    archives.place(unpacked, folder, target)
