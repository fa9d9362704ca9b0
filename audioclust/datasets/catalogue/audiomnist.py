"""AudioMNIST: 60 speakers say each digit 50 times; prepared, the ten digits of a take make one recording."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from audioclust.datasets import archives

TITLE = "AudioMNIST"
DESCRIPTION = "60 speakers say each of the ten digits 50 times; here a recording is the ten digits of a take in order."
HOMEPAGE = "https://github.com/soerenab/AudioMNIST"
RECORDINGS = 3000
BYTES = 950_000_000
LICENSE_INFO = "MIT"
BIBTEX = """@article{becker2024audiomnist,
  author = {Becker, S{\\"o}ren and Vielhaben, Johanna and Ackermann, Marcel and M{\\"u}ller, Klaus-Robert
            and Lapuschkin, Sebastian and Samek, Wojciech},
  title = {{AudioMNIST}: Exploring Explainable Artificial Intelligence for audio analysis on a simple benchmark},
  journal = {Journal of the Franklin Institute},
  volume = {361},
  number = {1},
  pages = {418--428},
  year = {2024},
  doi = {10.1016/j.jfranklin.2023.11.038}
}"""
# GitHub packs archives of branches on demand and does not promise that their bytes stay the same.
REMOTES = [
    {
        "url": "https://github.com/soerenab/AudioMNIST/archive/refs/heads/master.zip",
        "filename": "audiomnist.zip",
        "sha256": None,
    }
]
LABELS = {
    "speaker": "number of the speaker, 01 to 60",
    "digit": "the digit said; null where all ten are joined",
    "take": "which repetition, 0 to 49",
}
EXAMPLES = {
    "01/0_01_0.wav": {"speaker": "01", "digit": "0", "take": "0"},
    "60_9_60_49.wav": {"speaker": "60", "digit": "9", "take": "49"},
    "07/07_31.wav": {"speaker": "07", "digit": None, "take": "31"},
    "07_combined_31.wav": {"speaker": "07", "digit": None, "take": "31"},
    "clip.wav": {"speaker": None, "digit": None, "take": None},
}


def columns(path: str) -> dict[str, str | None]:
    """Read ``DIGIT_SPEAKER_TAKE`` from the file's name, ``SPEAKER_TAKE`` of joined and with a prefix of flat copies."""
    name = PurePosixPath(path).stem
    digit = re.fullmatch(r"(?:\d\d_)?(\d)_(\d\d)_(\d+)", name)
    if digit:
        return {"speaker": digit[2], "digit": digit[1], "take": digit[3]}
    joined = re.fullmatch(r"(\d\d)_(?:combined_)?(\d+)", name)
    speaker, take = joined.groups() if joined else (None, None)
    return {"speaker": speaker, "digit": None, "take": take}


def prepare(unpacked: Path, folder: Path, *, flat: bool = False) -> None:
    """Join the ten digits of each speaker's takes, or (`flat`) put the 30 000 digits side by side in one folder."""
    if flat:

        def target(path: str) -> str | None:
            found = columns(path)
            return f"{found['speaker']}_{PurePosixPath(path).name}" if found["digit"] else None

        archives.place(unpacked, folder, target)
        return
    from audioclust.datasets.joining import join_takes
    from audioclust.datasets.metadata import scan

    digits = scan(unpacked, rule=columns)
    join_takes(digits[digits["digit"].notna()], unpacked, folder, by=["speaker", "take"], order="digit")
