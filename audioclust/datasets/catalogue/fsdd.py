"""FSDD, the Free Spoken Digit Dataset: 6 speakers, 10 digits, 50 takes."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from audioclust.datasets import archives

TITLE = "Free Spoken Digit Dataset (FSDD)"
DESCRIPTION = "Six speakers say each of the ten digits 50 times in English, 8 kHz, about 0.4 s each."
HOMEPAGE = "https://github.com/Jakobovski/free-spoken-digit-dataset"
RECORDINGS = 3000
BYTES = 16_000_000
LICENSE_INFO = "CC BY-SA 4.0"
BIBTEX = """@software{jackson2018fsdd,
  author = {Jackson, Zohar and Souza, C{\\'e}sar and Flaks, Jason and Pan, Yuxin and Nicolas, Hereman
            and Thite, Adhish},
  title = {Free Spoken Digit Dataset, v1.0.8},
  publisher = {Zenodo},
  year = {2018},
  doi = {10.5281/zenodo.1342401}
}"""
# GitHub packs archives on demand and does not promise that their bytes stay the same.
REMOTES = [
    {
        "url": "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.zip",
        "filename": "fsdd.zip",
        "sha256": None,
    }
]
LABELS = {"speaker": "who speaks", "digit": "the digit said, 0 to 9", "take": "which repetition, 0 to 49"}
EXAMPLES = {
    "george/7_george_12.flac": {"speaker": "george", "digit": "7", "take": "12"},
    "recordings/0_jackson_0.wav": {"speaker": "jackson", "digit": "0", "take": "0"},
    "yweweler/yweweler_3.wav": {"speaker": "yweweler", "digit": None, "take": "3"},
    "george/clip.wav": {"speaker": None, "digit": None, "take": None},
}


def columns(path: str) -> dict[str, str | None]:
    """Read ``DIGIT_SPEAKER_TAKE`` from the file's name, ``SPEAKER_TAKE`` where the digits of a take are joined."""
    found = re.fullmatch(r"(?:(\d)_)?([a-z]+)_(\d+)", PurePosixPath(path).stem)
    digit, speaker, take = found.groups() if found else (None, None, None)
    return {"speaker": speaker, "digit": digit, "take": take}


def prepare(unpacked: Path, folder: Path) -> None:
    """Lay the clips out in speakers' folders."""

    def target(path: str) -> str | None:
        found = columns(path)
        return f"{found['speaker']}/{PurePosixPath(path).name}" if found["digit"] else None

    archives.place(unpacked, folder, target)
