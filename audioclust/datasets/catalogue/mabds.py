"""The Music Audio Benchmark Data Set of TU Dortmund: excerpts of songs from garageband.com in nine genres."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from audioclust.datasets import archives

TITLE = "Music Audio Benchmark Data Set (garageband)"
DESCRIPTION = "1 886 excerpts of 10 s, MP3, of songs in nine genres from garageband.com."
HOMEPAGE = "https://www-ai.cs.tu-dortmund.de/audio.html"
RECORDINGS = 1886
BYTES = 300_000_000
LICENSE_INFO = "No licence stated; offered by TU Dortmund for research"
BIBTEX = """@inproceedings{homburg2005benchmark,
  author = {Homburg, Helge and Mierswa, Ingo and M{\\"o}ller, B{\\"u}lent and Morik, Katharina and Wurst, Michael},
  title = {A Benchmark Dataset for Audio Classification and Clustering},
  booktitle = {Proceedings of the 6th International Conference on Music Information Retrieval (ISMIR)},
  pages = {528--531},
  year = {2005}
}"""
GENRES = ("alternative", "blues", "electronic", "folkcountry", "funksoulrnb", "jazz", "pop", "raphiphop", "rock")
REMOTES = [
    {"url": f"https://www-ai.cs.tu-dortmund.de/AUDIO/{genre}.zip", "filename": f"{genre}.zip", "sha256": None}
    for genre in GENRES
]
LABELS = {"genre": "the genre under which the song was offered"}
EXAMPLES = {
    "folkcountry/Some Band-Some Song.mp3": {"genre": "folkcountry"},
    "transformed.mp3": {"genre": None},
}


def columns(path: str) -> dict[str, str | None]:
    """Read the genre from the folder's name."""
    return {"genre": next((part for part in PurePosixPath(path).parts[:-1] if part in GENRES), None)}


def prepare(unpacked: Path, folder: Path) -> None:
    """Lay the songs out in genre folders: each genre is an archive of its own."""

    def target(path: str) -> str | None:
        genre = columns(path)["genre"]
        return f"{genre}/{PurePosixPath(path).name}" if genre else None

    archives.place(unpacked, folder, target)
