"""A grid of recordings to look at and play, as HTML for a notebook."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from audioclust import audio
from audioclust.recording import RecordingError
from audioclust.report.pages.clips import prepare
from audioclust.report.plots.exploring import sound_card

__all__ = ["players"]


def players(
    index: pd.DataFrame, root: str | Path, *, label: str | None = "label", voices: bool = False, seconds: float = 10.0
) -> str:
    """Return a grid of cards: waveform with silence and speech, spectrogram, and a player.

    Parameters
    ----------
    index : pd.DataFrame
        Metadata rows of the recordings shown; a file that cannot be read shows why.
    root : str or Path
        The folder that ``path`` is relative to.
    label : str, optional
        Column that is written beside the name.
    voices : bool
        Whether to look for speech.
    seconds : float
        How much of each can be played.

    Returns
    -------
    str
        HTML without style or script; names are escaped.
    """
    cards = [_card(Path(root) / row["path"], row, label, voices, seconds) for _, row in index.iterrows()]
    return "<div style='display:flex;flex-wrap:wrap;gap:12px'>" + "".join(cards) + "</div>"


def _card(path: Path, row: pd.Series, label: str | None, voices: bool, seconds: float) -> str:
    said = "" if label is None or label not in row or pd.isna(row[label]) else f" · {row[label]}"
    caption = f"<figcaption>{html.escape(str(row['path']) + said)}</figcaption>"
    try:
        y, rate = audio.load(path)
    except RecordingError as error:
        return f"<figure style='margin:0;width:400px'><p>{html.escape(error.problem)}</p>{caption}</figure>"
    spoken = audio.speech(y, rate) if voices else []
    figure = sound_card(y, rate, silence=audio.silence(y, rate), speech=spoken)
    memory = io.BytesIO()
    figure.savefig(memory, format="png", dpi=100)
    plt.close(figure)
    picture = base64.b64encode(memory.getvalue()).decode("ascii")
    sound = prepare((path, seconds, False)).sound
    player = f"<audio controls preload=none style='width:100%' src='data:audio/mpeg;base64,{sound}'></audio>"
    return (
        f"<figure style='margin:0;width:400px'><img alt='' width=400 src='data:image/png;base64,{picture}'>"
        f"{player}{caption}</figure>"
    )
