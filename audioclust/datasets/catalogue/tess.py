"""TESS, the Toronto Emotional Speech Set: 2 actresses, 7 emotions, 200 words."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from audioclust.datasets import archives

TITLE = "Toronto Emotional Speech Set (TESS)"
DESCRIPTION = "Two actresses, one young and one older, say 'Say the word ...' with 200 words in each of 7 emotions."
HOMEPAGE = "https://doi.org/10.5683/SP2/E8H2MF"
RECORDINGS = 2800
BYTES = 268_000_000
LICENSE_INFO = "CC BY-NC-ND 4.0"
BIBTEX = """@data{pichora2020tess,
  author = {Pichora-Fuller, M. Kathleen and Dupuis, Kate},
  title = {Toronto emotional speech set (TESS)},
  publisher = {Borealis},
  year = {2020},
  doi = {10.5683/SP2/E8H2MF}
}"""
# Borealis packs the archive anew for every download, so that it has no fixed checksum.
REMOTES = [
    {
        "url": "https://borealisdata.ca/api/access/dataset/:persistentId/?persistentId=doi:10.5683/SP2/E8H2MF",
        "filename": "tess.zip",
        "sha256": None,
    }
]
LABELS = {
    "speaker": "the actress: OAF (older) or YAF (younger)",
    "emotion": "the emotion played, spelt alike for both actresses",
    "word": "the word said",
}
EXAMPLES = {
    "OAF_Fear/OAF_food_fear.wav": {"speaker": "OAF", "emotion": "fear", "word": "food"},
    "YAF_pleasant_surprised/YAF_germ_ps.wav": {"speaker": "YAF", "emotion": "pleasant_surprise", "word": "germ"},
    "OAF_Pleasant_surprise/OAF_back_ps.flac": {"speaker": "OAF", "emotion": "pleasant_surprise", "word": "back"},
    "OAF_neutral/OA_bite_neutral.wav": {"speaker": "OAF", "emotion": "neutral", "word": "bite"},
    "YAF_back_sad.wav": {"speaker": "YAF", "emotion": "sad", "word": "back"},
    "elsewhere/clip.wav": {"speaker": None, "emotion": None, "word": None},
}

_EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "sad")


def columns(path: str) -> dict[str, str | None]:
    """Read actress and emotion from the folder (one file's name lacks a letter), else from the name; the word too."""
    place = PurePosixPath(path)
    name = re.fullmatch(r"([A-Z]+)_(.+)_([a-z]+)", place.stem)
    folder = re.fullmatch(r"(OAF|YAF)_(\w+)", place.parent.name, re.IGNORECASE)
    if folder:
        speaker, emotion = folder.groups()
    elif name and name[1] in ("OAF", "YAF"):
        speaker, emotion = name[1], name[3]
    else:
        return dict.fromkeys(LABELS)
    emotion = emotion.lower()
    if emotion == "ps" or emotion.startswith("pleasant_surprise"):
        emotion = "pleasant_surprise"
    known = emotion if emotion in (*_EMOTIONS, "pleasant_surprise") else None
    return {"speaker": speaker.upper(), "emotion": known, "word": name[2] if name else None}


def prepare(unpacked: Path, folder: Path) -> None:
    """Lay the recordings out as ``ACTRESS_emotion/FILE``, whatever folders the archive has."""

    def target(path: str) -> str | None:
        found = columns(path)
        return f"{found['speaker']}_{found['emotion']}/{PurePosixPath(path).name}" if found["emotion"] else None

    archives.place(unpacked, folder, target)
