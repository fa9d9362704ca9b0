"""How much of some recordings is speech: what tells a folder of voices from one of other sounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from audioclust import parallel, recording
from audioclust.audio.voice import speech
from audioclust.validation import check_number

__all__ = ["speech_shares"]

LISTENED = 10.0  # s; of a longer recording the beginning is heard


def speech_shares(metadata: pd.DataFrame, root: str | Path, *, most: int = 24, random_state: int = 0) -> pd.DataFrame:
    """Measure how much of each recording is speech, on a sample of a dataset.

    Parameters
    ----------
    metadata : pd.DataFrame
        Of `datasets.scan`; rows with a ``problem`` are left out.
    root : str or Path
        Folder that ``path`` is relative to.
    most : int
        Recordings in the sample.
    random_state : int
        Which ones.

    Returns
    -------
    pd.DataFrame
        ``path`` and ``speech``, the share of the first 10 s that is speech, in [0, 1].

    Raises
    ------
    ValueError
        When `most` is below 1.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> from audioclust import datasets
    >>> root = Path(tempfile.mkdtemp())
    >>> soundfile.write(root / "tone.wav", np.sin(np.arange(16000) / 10), 16000)
    >>> speech_shares(datasets.scan(root), root)
           path  speech
    0  tone.wav     0.0
    """
    check_number("most", most, 1, whole=True)
    usable = metadata[metadata["problem"].isna()]
    chosen = usable.sample(min(most, len(usable)), random_state=random_state).sort_index()
    rows = []
    for path in parallel.progress(chosen["path"], "listening for speech", len(chosen)):
        try:
            share = _share(Path(root) / path)
        except recording.RecordingError:  # it changed since it was scanned: whoever reads all of it will say so
            continue
        rows.append((path, share))
    return pd.DataFrame(rows, columns=["path", "speech"])


def _share(path: Path) -> float:
    rate = recording.read(path, frames=1)[1]
    samples = recording.mono(recording.read(path, frames=int(LISTENED * rate))[0])
    return sum(end - start for start, end in speech(np.asarray(samples), rate)) / max(1, len(samples))
