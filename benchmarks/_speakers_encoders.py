"""GE2E beside resemblyzer's own loop, file by file, over a folder of synthetic voices of 1 to 2 s.

Both sides read the same 16-bit WAV files at 16 kHz and use all cores as torch sees fit; the best of several passes
counts, loading the network does not. resemblyzer's ``VoiceEncoder`` runs unchanged in a process of its own; two
modules that it imports, needed only for the silence removal that neither side does here, are stood in for where they
are missing (webrtcvad needs a compiler, scipy.ndimage.morphology is gone).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from audioclust import datasets, embeddings
from audioclust.datasets import synthetic

THEIRS = """
import json, sys, time, types
import numpy as np, scipy.ndimage, soundfile
try:
    import webrtcvad
except ImportError:
    sys.modules["webrtcvad"] = types.ModuleType("webrtcvad")
try:
    import scipy.ndimage.morphology
except ImportError:
    sys.modules["scipy.ndimage.morphology"] = types.ModuleType("scipy.ndimage.morphology")
    sys.modules["scipy.ndimage.morphology"].binary_dilation = scipy.ndimage.binary_dilation
from resemblyzer import VoiceEncoder
paths, out, passes = json.load(open(sys.argv[1])), sys.argv[2], int(sys.argv[3])
encoder = VoiceEncoder("cpu", verbose=False)
encoder.embed_utterance(soundfile.read(paths[0], dtype="float32")[0])
seconds = []
for _ in range(passes):
    start = time.perf_counter()
    vectors = [encoder.embed_utterance(soundfile.read(path, dtype="float32")[0]) for path in paths]
    seconds.append(time.perf_counter() - start)
np.save(out, np.array(vectors))
print(min(seconds))
"""


def rows(quick: bool) -> list[dict[str, Any]]:
    clips, passes = (40, 1) if quick else (600, 3)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "voices"
        paths = recordings(folder, clips)
        metadata = datasets.scan(folder)
        encoder = embeddings.load("ge2e", device="cpu")
        encoder.encode([soundfile.read(paths[0], dtype="float32")[0]])
        theirs, reference = resemblyzer(paths, Path(scratch), passes)
        ours, seconds = best(
            lambda turn: encoder.encode([soundfile.read(path, dtype="float32")[0] for path in paths]), passes
        )
        kept, seconds_kept = best(
            lambda turn: embeddings.extract(metadata, folder, Path(scratch) / str(turn), encoder=encoder).vectors(),
            passes,
        )
    agreement = float((ours * theirs).sum(axis=1).min())
    assert len(kept[0]) == clips
    return [
        row(f"GE2E, {clips} clips of 1 to 2 s: read, encode", seconds, reference, lowest_cosine=agreement),
        row(f"GE2E, {clips} clips of 1 to 2 s: extract (read, check, encode, keep)", seconds_kept, reference),
    ]


def row(what: str, ours: float, reference: float, **more: float) -> dict[str, Any]:
    name = "resemblyzer, file by file"
    return {"what": what, "ours_s": ours, "reference": name, "reference_s": reference, "ratio": reference / ours} | more


def best(work: Callable[[int], Any], passes: int) -> tuple[Any, float]:
    seconds = []
    for turn in range(passes):
        start = time.perf_counter()
        found = work(turn)
        seconds.append(time.perf_counter() - start)
    return found, min(seconds)


def recordings(folder: Path, count: int) -> list[str]:
    """Write synthetic utterances, cut or repeated to lengths spread evenly over 1 to 2 s."""
    folder.mkdir()
    paths = []
    for number, seconds in enumerate(np.linspace(1, 2, count)):
        samples = synthetic.utterance(number % 20, number // 20, 0)
        path = folder / f"{number:04}.wav"
        soundfile.write(path, np.resize(samples, round(16000 * seconds)), 16000)
        paths.append(str(path))
    return paths


def resemblyzer(paths: list[str], scratch: Path, passes: int) -> tuple[np.ndarray, float]:
    """Run the other side in a process of its own."""
    listed, out = scratch / "paths.json", scratch / "theirs.npy"
    listed.write_text(json.dumps(paths))
    command = [sys.executable, "-c", THEIRS, str(listed), str(out), str(passes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"resemblyzer's loop failed: {done.stderr.strip().splitlines()[-1]}")
    return np.load(out), float(done.stdout)
