"""A dataset's vectors, computed once and kept beside their recordings' identity.

``store/ENCODER/KEY/`` holds one row per recording (:mod:`audioclust.embeddings.rows`), keyed by the SHA-256 of the
file and named by what decides the vectors: a changed file or setting is computed again, nothing else is, and a run that
was killed goes on where it stopped. A row holds all vectors of the file: one, or one per window.
"""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audioclust import audio, files, parallel, recording
from audioclust.embeddings import rows
from audioclust.embeddings.encoder import Encoder, factory_of, load, made, unit

__all__ = ["EmbeddingSet", "extract", "read_filenames"]

LONG = 600.0  # s; a longer recording is read, and encoded, in stretches of half of it
BLOCK_SECONDS, BLOCK_FILES = 600.0, 256  # what a killed run loses at most, per worker
VERSION = 1  # raised with every change of the code that changes vectors

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class EmbeddingSet:
    """Vectors of a dataset's usable recordings.

    Attributes
    ----------
    index : DataFrame
        The metadata rows that have a vector, in the metadata's order.
    problems : DataFrame
        Columns ``path`` and ``problem``: the recordings without one, and why.
    encoder : str
        The encoder's name.
    folder : Path
        Where the vectors are kept.
    """

    index: pd.DataFrame
    problems: pd.DataFrame
    encoder: str
    folder: Path
    _vectors: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.index)

    def vectors(self) -> tuple[NDArray[np.float32], pd.DataFrame]:
        """Return the vectors [shape=(n, d), unit length] and the metadata rows they belong to, in the same order."""
        return self._vectors.copy(), self.index.copy()

    def export(self, folder: str | Path) -> Path:
        """Write ``embeddings.npy`` [shape=(n, d), float32] and ``filenames.txt`` (one path per line, same order).

        A path with a line break in it, or with a quotation mark at its start, stands there as JSON text:
        :func:`read_filenames` gives it back.

        Returns
        -------
        Path
            The folder.
        """
        folder = Path(folder)
        with files.atomic(folder / "embeddings.npy") as part:
            np.save(part, self._vectors, allow_pickle=False)
        with files.atomic(folder / "filenames.txt") as part:
            part.write_text("".join(f"{_line(path)}\n" for path in self.index["path"]), encoding="utf-8")
        return folder


def read_filenames(path: str | Path) -> list[str]:
    r"""Read the paths in a ``filenames.txt``, of this or an older version.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "filenames.txt"
    >>> _ = file.write_text('a.wav\n"two\\nlines.wav"\n')
    >>> read_filenames(file)
    ['a.wav', 'two\nlines.wav']
    """
    return [_name(line) for line in Path(path).read_text(encoding="utf-8").split("\n")[:-1]]


def _line(path: str) -> str:
    return json.dumps(path) if path.startswith('"') or len(path.splitlines()) != 1 else path


def _name(line: str) -> str:
    with suppress(ValueError):
        return str(json.loads(line)) if line.startswith('"') else line
    return line


class _Windows(NamedTuple):
    """How a recording is cut, in seconds, when each window gets its own vector."""

    length: float
    hop: float


class _File(NamedTuple):
    path: Path
    sha256: str
    duration: float


def extract(
    metadata: pd.DataFrame,
    root: str | Path,
    store: str | Path,
    encoder: str | Encoder = "ge2e",
    jobs: parallel.Jobs = 1,
    **options: Any,
) -> EmbeddingSet:
    """Compute, or read back, one vector per recording.

    Parameters
    ----------
    metadata : DataFrame
        Of :func:`audioclust.datasets.scan`; rows with a ``problem`` are left out.
    root : str or Path
        Folder that ``path`` is relative to.
    store : str or Path
        Folder for the vectors of this dataset.
    encoder : str or Encoder
        One of :func:`audioclust.embeddings.available`, or an encoder of your own.
    jobs : int or str
        1 encodes in this process, where torch uses every core, or the GPU; more spread files over processes with
        one thread each, which pays off when decoding takes longer than encoding. An encoder on a GPU stays here.
    **options
        The encoder's, see :func:`audioclust.embeddings.load`.

    Returns
    -------
    EmbeddingSet
        A recording beyond 10 min is encoded in stretches of about 5 min, so that an hour needs no more memory than
        that; its vector is their mean.

    Raises
    ------
    ValueError
        For an unknown encoder or option, or metadata without ``path`` and ``sha256``.

    Examples
    --------
    >>> import tempfile, soundfile
    >>> from audioclust import datasets
    >>> root = Path(tempfile.mkdtemp())
    >>> soundfile.write(root / "a.wav", np.sin(np.arange(16000) / 10), 16000)
    >>> vectors, index = extract(datasets.scan(root), root, root / "store", "ge2e").vectors()
    >>> vectors.shape, index["path"].tolist()
    ((1, 256), ['a.wav'])
    """
    folder, found, problems = stored(
        metadata, root, store, encoder=encoder, windows=None, jobs=jobs, options=options, description="vectors"
    )
    usable = metadata["sha256"].isin(found.keys()) & ~metadata["path"].isin(problems["path"])
    index = metadata[usable].reset_index(drop=True)
    dimension = next((vectors.shape[1] for vectors in found.values()), 0)
    vectors = np.zeros((len(index), dimension), np.float32)
    for row, key in zip(vectors, index["sha256"], strict=True):
        row[:] = found[key][0]
    name = encoder if isinstance(encoder, str) else encoder.name
    return EmbeddingSet(index, problems, name, folder, vectors)


def stored(
    metadata: pd.DataFrame,
    root: str | Path,
    store: str | Path,
    *,
    encoder: str | Encoder,
    windows: tuple[float, float] | None,
    jobs: parallel.Jobs,
    options: dict[str, Any],
    description: str,
) -> tuple[Path, dict[str, NDArray[np.float32]], pd.DataFrame]:
    """Compute what the store lacks, and return its folder, {sha256: vectors [shape=(m, d)]}, and the problems.

    With ``windows=(length, hop)`` in seconds a file has a vector per window, else one.
    """
    missing = {"path", "sha256"} - set(metadata.columns)
    if missing:
        raise ValueError(f"metadata has no column {', '.join(sorted(missing))}: give a table made by datasets.scan")
    parallel.worker_count(jobs)
    if isinstance(encoder, str):
        built = load(encoder, **options)
        source: Callable[[], Encoder] = partial(made, encoder, factory_of(encoder), options)
    else:
        if options:
            raise ValueError(f"{', '.join(options)}: options go with an encoder's name, not with an encoder")
        built = encoder
        source = partial(_same, encoder)
    if jobs != 1 and str(getattr(built, "device", "cpu")) != "cpu":
        _log.info("encoder %s works on %s: jobs=%s is taken as 1", built.name, built.device, jobs)  # type: ignore[attr-defined]
        jobs = 1
    cut = None if windows is None else _Windows(*windows)
    params = {
        "encoder": built.name,
        "settings": getattr(built, "settings", options),
        "sample_rate": built.sample_rate,
        "version": VERSION,
        "windows": cut,
    }
    folder = rows.opened(Path(store) / built.name, params)
    todo, bad = _todo(metadata, Path(root), set(rows.read(folder).index))
    single = (isinstance(jobs, int) and parallel.worker_count(jobs) == 1) or len(todo) == 1
    work = partial(_block, folder=folder, source=partial(_same, built) if single else source, windows=cut)
    for failed in parallel.map(work, todo, jobs=1 if single else jobs, description=description, chunk=1):
        bad += failed
    table = rows.merge(folder)
    found = {}
    if len(table):
        wanted = table[table.index.isin(set(metadata["sha256"].dropna()))]
        found = {
            key: np.asarray(flat, np.float32).reshape(-1, built.dimension)
            for key, flat in zip(wanted.index, wanted["vectors"], strict=True)
        }
    return folder, found, _problems(metadata, bad, found)


def _problems(metadata: pd.DataFrame, bad: list[tuple[str, str]], found: Mapping[str, Any]) -> pd.DataFrame:
    """List what failed in the metadata's order. A copy of a file that failed has its problem too."""
    by_path = dict(bad)
    keys = dict(zip(metadata["path"], metadata["sha256"], strict=True))
    by_key = {keys[path]: problem for path, problem in bad if isinstance(keys[path], str)}
    listed = [
        (path, by_path.get(path, by_key.get(key)))
        for path, key in keys.items()
        if path in by_path or (key in by_key and key not in found)
    ]
    return pd.DataFrame(listed, columns=["path", "problem"])


def _same(encoder: Encoder) -> Encoder:
    return encoder


def _todo(metadata: pd.DataFrame, root: Path, known: set[str]) -> tuple[list[list[tuple[str, _File]]], list]:
    """Return blocks of files to encode, and what cannot be."""
    blocks: list[list[tuple[str, _File]]] = []
    bad: list[tuple[str, str]] = []
    seconds = 0.0
    seen = set(known)
    for row in metadata.to_dict("records"):
        problem = row.get("problem")
        if isinstance(problem, str):
            bad.append((row["path"], problem))
            continue
        if not isinstance(row["sha256"], str):
            bad.append((row["path"], "not read when the dataset was scanned"))
            continue
        if row["sha256"] in seen:
            continue
        seen.add(row["sha256"])
        duration = row.get("duration")
        duration = float(duration) if duration is not None and np.isfinite(duration) else 0.0
        if not blocks or len(blocks[-1]) == BLOCK_FILES or seconds + duration > BLOCK_SECONDS:
            blocks.append([])
            seconds = 0.0
        blocks[-1].append((row["path"], _File(root / row["path"], row["sha256"], duration)))
        seconds += duration
    return blocks, bad


def _block(
    block: list[tuple[str, _File]], *, folder: Path, source: Callable[[], Encoder], windows: _Windows | None
) -> list[tuple[str, str]]:
    """Encode some files, keep their vectors, and return (path, problem) of those that failed."""
    encoder = source()
    failed: list[tuple[str, str]] = []
    usable: list[tuple[str, _File]] = []
    waves: list[list[NDArray[np.float32]]] = []
    keys: list[str] = []
    values: list[NDArray[np.float32]] = []
    for path, file in block:
        try:
            if files.sha256(file.path) != file.sha256:
                failed.append((path, "changed since the dataset was scanned: scan it again"))
            elif file.duration > LONG:
                values.append(_long(file, encoder, windows))
                keys.append(file.sha256)
            else:
                waves.append(_cut(audio.load(file.path, sample_rate=encoder.sample_rate)[0], encoder, windows))
                usable.append((path, file))
        except (recording.RecordingError, ValueError, OSError) as error:
            failed.append((path, _reason(error)))
    for (path, file), vectors in zip(usable, _encoded(waves, encoder), strict=True):
        if isinstance(vectors, str):
            failed.append((path, vectors))
        else:
            keys.append(file.sha256)
            values.append(vectors)
    rows.add(folder, pd.DataFrame({"sha256": keys, "vectors": [vectors.ravel() for vectors in values]}))
    return failed


def _cut(wave: NDArray[np.float32], encoder: Encoder, windows: _Windows | None) -> list[NDArray[np.float32]]:
    if windows is None:
        return [wave]
    length, hop = (max(1, round(seconds * encoder.sample_rate)) for seconds in windows)
    return [wave[start : start + length] for start in range(0, max(1, len(wave) - length + 1), hop)]


def _encoded(waves: list[list[NDArray[np.float32]]], encoder: Encoder) -> Iterator[NDArray[np.float32] | str]:
    """Encode all files' waves together; where one of them cannot be, file by file, to find out which."""
    flat = [wave for several in waves for wave in several]
    try:
        vectors = _checked(encoder.encode(flat, encoder.sample_rate), len(flat), encoder)
    except ValueError as error:
        if len(waves) == 1:
            yield _reason(error)
            return
        for several in waves:
            yield from _encoded([several], encoder)
        return
    yield from np.split(vectors, np.cumsum([len(several) for several in waves])[:-1]) if waves else []


def _checked(vectors: NDArray, count: int, encoder: Encoder) -> NDArray[np.float32]:
    if np.shape(vectors) != (count, encoder.dimension):
        shape, wanted = np.shape(vectors), (count, encoder.dimension)
        raise TypeError(f"encoder {encoder.name!r} returned shape {shape} instead of {wanted}")
    if not np.isfinite(vectors).all():
        raise ValueError("its vector is not finite")
    return unit(np.asarray(vectors))


def _long(file: _File, encoder: Encoder, windows: _Windows | None) -> NDArray[np.float32]:
    """Encode a long file stretch by stretch, so that its samples are never all in memory."""
    rate = recording.read(file.path, frames=1)[1]
    count = int(np.ceil(file.duration / (LONG / 2)))
    edges = np.linspace(0, round(file.duration * rate), count + 1).astype(int)
    parts = []
    for begin, end in pairwise(edges):
        frames = recording.read(file.path, start=int(begin), frames=int(end - begin))[0]
        wave = audio.resample(recording.mono(frames), rate, encoder.sample_rate)
        pieces = _cut(wave, encoder, windows)
        parts.append(_checked(encoder.encode(pieces, encoder.sample_rate), len(pieces), encoder))
    vectors = np.concatenate(parts)
    return vectors if windows else unit(vectors.mean(axis=0, keepdims=True))


def _reason(error: Exception) -> str:
    if isinstance(error, recording.RecordingError):
        return error.problem
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.errno == errno.EINVAL else f"cannot be read: {error.strerror}"
    return str(error).strip() or type(error).__name__
