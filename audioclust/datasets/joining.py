"""Joining short clips into longer recordings: the digits of one take, say, each too short to tell a voice by."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from audioclust import files, parallel, recording
from audioclust.datasets.metadata import scan

__all__ = ["join_takes"]


def join_takes(
    metadata: pd.DataFrame,
    root: str | Path,
    out: str | Path,
    *,
    by: Sequence[str],
    order: str,
    jobs: parallel.Jobs = 1,
) -> pd.DataFrame:
    """Write one WAV file per group of clips, the clips one after the other without a gap.

    Files that an earlier run wrote from the same clips are kept, so that a run that was killed goes on.

    Parameters
    ----------
    metadata : DataFrame
        Table of the clips. Those with a problem are left out.
    root : str or Path
        Folder that its paths are relative to.
    out : str or Path
        Folder for the results, ``FIRST/FIRST_SECOND_....wav`` by the values of `by`, 16-bit PCM at the clips' rate.
    by : sequence of str
        Columns whose values name a group, ``["speaker", "take"]`` for instance. Clips that lack one are left out.
    order : str
        Column that orders the clips of a group, as numbers where its values are numbers.
    jobs : int or str
        Worker processes, see :mod:`audioclust.parallel`.

    Returns
    -------
    DataFrame
        Metadata table of the joined recordings, relative to `out`, with the columns `by`. A group with fewer clips
        than the others says so in ``note``.

    Raises
    ------
    ValueError
        When a column is missing, a value cannot be part of a file's name, or the clips of a group differ in sample
        rate or channels.
    """
    root, out = Path(root), Path(out)
    by = list(by)
    if not by or any(name not in metadata.columns for name in (*by, order)):
        raise ValueError(f"by={by!r}, order={order!r}: the table has the columns {', '.join(metadata.columns)}")
    groups, labels = _groups(metadata, by, order)
    for _ in parallel.map(partial(_join, root, out), groups, jobs=jobs, description="join takes"):
        pass
    out.mkdir(parents=True, exist_ok=True)
    joined = scan(out, rule=lambda path: labels.get(path, dict.fromkeys(by)), jobs=jobs)
    joined = joined[joined["path"].isin(list(labels))].reset_index(drop=True)
    sizes = {path: len(clips) for path, clips, _ in groups}
    usual = max(sizes.values(), default=0)
    fewer = joined["path"].map(sizes) < usual
    notes = [f"{sizes[path]} of {usual} clips" for path in joined.loc[fewer, "path"]]
    joined.loc[fewer, "note"] = joined.loc[fewer, "note"].str.cat(notes, sep="; ", na_rep="").str.removeprefix("; ")
    return joined


def _groups(
    metadata: pd.DataFrame, by: list[str], order: str
) -> tuple[list[tuple[str, list[str], str]], dict[str, dict[str, str]]]:
    """Return (path, clips in order, what they are) for each group, and the columns of each path."""
    clips = metadata[metadata["problem"].isna() & metadata[[*by, order]].notna().all(axis=1)]
    clips = clips.assign(_order=pd.to_numeric(clips[order], errors="coerce"))
    clips = clips.sort_values(["_order", order, "path"], kind="stable")
    groups, labels = [], {}
    for values, rows in clips.groupby(by, sort=True):
        for value in values:
            if not re.fullmatch(r"[\w.+ -]+", str(value)) or str(value).startswith("."):
                raise ValueError(f"by={by!r}: {value!r} cannot be part of a file's name")
        if len(set(zip(rows["sample_rate"], rows["channels"], strict=True))) > 1:
            raise ValueError(f"{dict(zip(by, values, strict=True))}: the clips differ in sample rate or channels")
        path = f"{values[0]}/{'_'.join(map(str, values))}.wav"
        groups.append((path, list(rows["path"]), files.digest(list(rows["sha256"]))))
        labels[path] = dict(zip(by, map(str, values), strict=True))
    return groups, labels


def _join(root: Path, out: Path, group: tuple[str, list[str], str]) -> None:
    path, clips, key = group
    comment = f"joined from {key}"
    target = out / path
    if target.exists():
        with soundfile.SoundFile(target) as held:
            if held.comment == comment:
                return
    read = [recording.read(root / clip) for clip in clips]
    samples, sample_rate = np.concatenate([samples for samples, _ in read]), read[0][1]
    with (
        files.atomic(target) as partial_,
        soundfile.SoundFile(
            partial_, "w", samplerate=sample_rate, channels=samples.shape[1], format="WAV", subtype="PCM_16"
        ) as sound,
    ):
        sound.comment = comment
        sound.write(samples)
