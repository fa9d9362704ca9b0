"""What damaged files, kills and concurrent starts do: kinds tried, held, and broken, from one seed.

A trial breaks in one of three ways. *silent*: a wrong result without a word. *stops*: one bad thing ends the rest, or
an error does not say what is wrong. *stuck*: a state that one cannot leave by what the message advises.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from audioclust import audio, datasets, features, recording
from audioclust.datasets import archives
from audioclust.project import Project

ROOT = Path(__file__).parents[1]
RATE = 16_000
CONTAINERS = [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAVEX", "PCM_24"), ("AIFF", "PCM_16"), ("AU", "PCM_16"),
              ("CAF", "PCM_16"), ("W64", "PCM_16"), ("RF64", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"),
              ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")]  # fmt: skip
EXTENSION = {"WAVEX": "wav", "AIFF": "aiff", "RF64": "rf64"}


class Broken(Exception):
    """A trial that did not hold: the class of fault and what happened."""


def run(quick: bool) -> pd.DataFrame:
    """Try every kind of fault; a row for each kind."""
    kinds: list[tuple[str, Callable[[Path, np.random.Generator], Iterator[Callable[[], None]]], int]] = [
        ("recordings cut", cut_recordings, 24 if quick else 800),
        ("recordings with flipped bits", flipped_recordings, 24 if quick else 1200),
        ("a folder of damaged recordings", damaged_folders, 1 if quick else 2),
        ("archives damaged", damaged_archives, 20 if quick else 900),
        ("project files damaged", damaged_projects, 6 if quick else 60),
        ("kills", kills, 1 if quick else 4),
        ("starts at once", starts, 1 if quick else 2),
    ]
    rows = []
    for number, (kind, trials, count) in enumerate(kinds):
        with tempfile.TemporaryDirectory(prefix="audioclust-faults-") as scratch:
            rows.append(row(kind, trials(Path(scratch), np.random.default_rng([17, number])), count))
    return pd.DataFrame(rows)


def row(kind: str, trials: Iterator[Callable[[], None]], count: int) -> dict[str, object]:
    broken: list[tuple[str, str]] = []
    start = time.monotonic()
    for _, trial in zip(range(count), trials, strict=False):
        try:
            trial()
        except Broken as error:
            broken.append((str(error.args[0]), str(error.args[1])))
        except Exception as error:  # an error that nobody named
            broken.append(("stops", f"{type(error).__name__}: {error}"))
    counts = {name: sum(found == name for found, _ in broken) for name in ("silent", "stops", "stuck")}
    example = broken[0][1][:100] if broken else ""
    seconds = time.monotonic() - start
    return {"kind": kind, "tried": count, "held": count - len(broken), **counts, "s": seconds, "example": example}


def sound(kind: str, subtype: str, seed: int = 0, seconds: float = 2.0) -> bytes:
    time_axis = np.arange(int(seconds * RATE)) / RATE
    y = 0.2 * np.sin(2 * np.pi * (150 + 20 * seed) * time_axis) + 0.02 * np.random.default_rng(seed).standard_normal(
        len(time_axis)
    )
    written = io.BytesIO()
    soundfile.write(written, y, RATE, format=kind, subtype=subtype)
    return written.getvalue()


def flip(data: bytes, rng: np.random.Generator) -> bytes:
    """Flip one to eight bits, every other time among the first 200 bytes, where headers are."""
    changed = bytearray(data)
    end = min(200, len(data)) if rng.random() < 0.5 else len(data)
    for at in rng.integers(0, end, rng.integers(1, 9)):
        changed[at] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def containers(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    made = [(EXTENSION.get(kind, kind.lower()), sound(kind, subtype)) for kind, subtype in CONTAINERS]
    while True:
        yield from made


def cut_recordings(scratch: Path, rng: np.random.Generator) -> Iterator[Callable[[], None]]:
    for extension, data in containers(rng):
        length = int(rng.integers(0, int(0.97 * len(data))))

        def trial(extension: str = extension, data: bytes = data, length: int = length) -> None:
            path = scratch / f"a.{extension}"
            path.write_bytes(data[:length])
            found = recording.inspect(path)
            if found["problem"] is None and "ends early" not in (found["note"] or ""):
                raise Broken("silent", f"{extension}: {length} of {len(data)} bytes pass without a word")
            usable(path, found)

        yield trial


def flipped_recordings(scratch: Path, rng: np.random.Generator) -> Iterator[Callable[[], None]]:
    for extension, data in containers(rng):
        spoilt = flip(data, rng)

        def trial(extension: str = extension, spoilt: bytes = spoilt) -> None:
            path = scratch / f"a.{extension}"
            path.write_bytes(spoilt)
            usable(path, recording.inspect(path))

        yield trial


def usable(path: Path, found: dict[str, object]) -> None:
    """Check that what `inspect` says and what `load` gives agree, and that features of it are numbers."""
    try:
        y, rate = audio.load(path)
    except recording.RecordingError as error:
        if error.problem != found["problem"]:
            raise Broken("silent", f"{path.suffix}: read says {error.problem}, inspect {found['problem']}") from None
        return
    if found["problem"] is not None:
        raise Broken("silent", f"{path.suffix}: read although {found['problem']}")
    if not np.isfinite(y).all() or abs(len(y) / rate - float(str(found["duration"]))) > 1e-6:
        raise Broken("silent", f"{path.suffix}: samples that are no numbers, or another duration")
    if 8000 <= rate <= 48_000 and len(y) < 10 * RATE:
        arrays = features.spectral(y, rate)
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise Broken("silent", f"{path.suffix}: features that are no numbers")


def damaged_folders(scratch: Path, rng: np.random.Generator) -> Iterator[Callable[[], None]]:
    for number, _ in enumerate(iter(int, 1)):
        folder = scratch / f"in{number}"

        def trial(folder: Path = folder) -> None:
            folder.mkdir()
            for (extension, data), name in zip(containers(rng), range(60), strict=False):
                bad = flip(data[: int(rng.integers(1, len(data)))], rng)
                (folder / f"bad{name}.{extension}").write_bytes(bad)
                (folder / f"good{name}.{extension}").write_bytes(data)
            (folder / "link.wav").symlink_to("nowhere")
            if hasattr(os, "mkfifo"):
                os.mkfifo(folder / "pipe.wav")
            table = datasets.scan(folder)
            made = audio.transform(table, folder, folder / "transformed", jobs=1)
            good = made["source_path"].str.startswith("good")
            if len(table) != len(list(folder.glob("*.*"))) or made.loc[good, "problem"].notna().any():
                raise Broken("stops", "good recordings are not there, or have a problem")

        yield trial


def damaged_archives(scratch: Path, rng: np.random.Generator) -> Iterator[Callable[[], None]]:
    members = {f"a/{number}.wav": sound("WAV", "PCM_16", number, 0.1) for number in range(4)}
    packed = {"x.zip": io.BytesIO(), "x.tar.gz": io.BytesIO(), "x.tar": io.BytesIO()}
    with zipfile.ZipFile(packed["x.zip"], "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    for archive, mode in (("x.tar.gz", "w:gz"), ("x.tar", "w")):
        with tarfile.open(fileobj=packed[archive], mode=mode) as tarred:  # type: ignore[call-overload]
            for name, content in members.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tarred.addfile(entry, io.BytesIO(content))
    whole = {hashlib.sha256(content).hexdigest() for content in members.values()}
    for number, _ in enumerate(iter(int, 1)):
        archive = list(packed)[number % 3]
        data = packed[archive].getvalue()
        end = len(data) - (11_000 if archive == "x.tar" else 0)  # a tar file is padded with zeros
        data = data[: int(rng.integers(0, end))] if rng.random() < 0.3 else flip(data, rng)

        def trial(archive: str = archive, data: bytes = data, folder: Path = scratch / str(number)) -> None:
            folder.mkdir()
            (scratch / archive).write_bytes(data)
            try:
                archives.unpack(scratch / archive, folder, largest=10_000_000)
            except archives.ArchiveError:
                return
            held = [hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()]
            # A plain tar has no checksum of its contents, so that only what is missing can be noticed.
            if len(held) < 4 or (archive != "x.tar" and set(held) != whole):
                raise Broken("silent", f"{archive}: unpacked to something else")

        yield trial


def damaged_projects(scratch: Path, rng: np.random.Generator) -> Iterator[Callable[[], None]]:
    folder, home = scratch / "in", Project(scratch / "home")
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.wav").write_bytes(sound("WAV", "PCM_16", number, 0.1))
    expected = work(home.root, folder)
    places = [path for path in sorted(home.root.rglob("*")) if path.is_file() and path.stat().st_size]
    while True:
        path = places[int(rng.integers(len(places)))]
        data = path.read_bytes()
        spoilt = data[: int(rng.integers(0, len(data)))] if rng.random() < 0.5 else flip(data, rng)

        def trial(path: Path = path, spoilt: bytes = spoilt) -> None:
            path.write_bytes(spoilt)
            for attempt in range(2):
                try:
                    got = work(home.root, folder)
                    break
                except ValueError as error:
                    if attempt or str(path.name) not in str(error):
                        raise Broken("stuck", f"{path.name}: {error}") from None
                    path.unlink()  # what the message advises
            if got != expected:
                raise Broken("silent", f"{path.name}: another result")

        yield trial


def work(root: str | Path, folder: str | Path) -> str:
    """Register, scan, transform and extract, and return a digest of all that came out."""
    home = Project(root)
    name = home.register(folder, "set")
    known = home.metadata(name) if (home.dataset(name) / "metadata.parquet").exists() else None
    table = datasets.scan(home.recordings(name), known=known)
    datasets.save(table, home.dataset(name))
    made = audio.transform(table, home.recordings(name), home.dataset(name) / "transformed", jobs=1)
    place = home.dataset(name) / "transformed" / audio.settings_key()
    extracted = features.extract(made, place, home.features / name, features=("mfcc",), jobs=1)
    vectors, _ = extracted.vectors("mfcc")
    rows = [rows.drop(columns="note").to_json() for rows in (table, made)]
    return hashlib.sha256(json.dumps([*rows, np.asarray(vectors).tobytes().hex()]).encode()).hexdigest()


def started(root: Path, folder: Path) -> subprocess.Popen[str]:
    code = "import sys; from benchmarks.faults import work; print(work(*sys.argv[1:]))"
    command = [sys.executable, "-W", "ignore", "-c", code, str(root), str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def many(scratch: Path) -> tuple[Path, str]:
    folder = scratch / "in"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.wav").write_bytes(sound("WAV", "PCM_16", number, 1.0))
    return folder, work(scratch / "undisturbed", folder)


def kills(scratch: Path, rng: np.random.Generator) -> Iterator[Callable[[], None]]:
    """Kill at a random moment after the first file was written, then work on to the end."""
    folder, expected = many(scratch)
    for number, _ in enumerate(iter(int, 1)):
        pause = float(rng.uniform(0, 1.5))

        def trial(root: Path = scratch / str(number), pause: float = pause) -> None:
            child = started(root, folder)
            while child.poll() is None and not (root / "datasets").exists():
                time.sleep(0.01)
            time.sleep(pause)
            child.send_signal(signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
            child.communicate()
            if work(root, folder) != expected:
                raise Broken("silent", "another result after a kill")
            if list(root.rglob(".writing-*")):
                raise Broken("stuck", "unfinished folders are left")

        yield trial


def starts(scratch: Path, rng: np.random.Generator) -> Iterator[Callable[[], None]]:
    """Start several processes on one new project at the same moment."""
    folder, expected = many(scratch)
    for number, _ in enumerate(iter(int, 1)):

        def trial(root: Path = scratch / str(number), count: int = 2 + number % 3) -> None:
            children = [started(root, folder) for _ in range(count)]
            for child in children:
                output, error = child.communicate()
                if child.returncode:
                    raise Broken("stops", error.strip().splitlines()[-1])
                if output.strip() != expected:
                    raise Broken("silent", "another result beside other processes")

        yield trial
