"""Transforming a long recording block by block, so that its samples are never all in memory.

It is decoded and resampled as a stream into a file. The low-pass reads that file in blocks with a margin on both sides
and cuts the margin off again: the result differs from that of the whole recording by rounding only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from audioclust import recording
from audioclust.audio.decode import streamed
from audioclust.audio.filters import Samples, lowpass
from audioclust.audio.settings import Settings, level_and_fit

__all__ = ["LONG", "WHOLE", "in_blocks", "process_long"]

LONG = 1200.0
"""Seconds from which a recording is transformed block by block."""
WHOLE = 7200.0
"""Seconds that a step which needs the whole recording at once (denoise, voice, loudness in LUFS) takes at most."""
BLOCK = 300  # s


def process_long(path: Path, settings: Settings, folder: Path) -> tuple[Samples, int, list[str]]:
    """Do to a recording what :func:`audioclust.audio.process` does, block by block.

    Parameters
    ----------
    path : Path
        The recording.
    settings : Settings
        Of which :func:`in_blocks` holds.
    folder : Path
        Where the samples are kept meanwhile.

    Returns
    -------
    y : np.memmap [shape=(samples,), float32]
    sample_rate : int
    notes : list of str

    Raises
    ------
    recording.RecordingError
        When the recording cannot be used.
    """
    rate, notes = settings.rate(recording.read(path, frames=1)[1]), list[str]()
    with streamed(path, rate) as source, (folder / "resampled").open("wb") as written:
        for block in source():
            written.write(block.tobytes())
    y = np.memmap(folder / "resampled", np.float32, "r+")
    if settings.lowpass is not None:
        margin = rate * (2 + round(100 / settings.lowpass))  # until what the filter began with has died away
        with (folder / "filtered").open("wb") as written:
            for start in range(0, len(y), BLOCK * rate):
                first = max(0, start - margin)
                part = np.array(y[first : start + BLOCK * rate + margin])
                remarks = None if start else notes
                part = lowpass(part, rate, cutoff=settings.lowpass, order=settings.order, notes=remarks)
                written.write(part[start - first :][: BLOCK * rate].tobytes())
        y = np.memmap(folder / "filtered", np.float32, "r+")
    return level_and_fit(y, rate, settings, notes), rate, notes


def in_blocks(settings: Settings) -> bool:
    """Return whether every step of the settings can be done block by block."""
    return settings.denoise is None and settings.voice is None and settings.loudness != "lufs"
