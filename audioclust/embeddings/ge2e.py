"""GE2E: a three-layer LSTM over mel frames, averaged over partial utterances of 1.6 s [1]_.

The weights are those inside the ``resemblyzer`` wheel (MIT and Apache licences), of which nothing else is used: it
need not be importable. The vectors equal that package's ``VoiceEncoder.embed_utterance``; its level and silence
preprocessing is left to the caller. All clips' mel frames come from one STFT and their partial utterances pass the
LSTM together, in batches of hundreds, which is what makes it fast: alone, a clip leaves the processor waiting.

``mel``       (frames, 40), power in Slaney's mel bands, no logarithm; frame t is centred on sample 160 t at 16 kHz
``partials``  (n, 256), unit length, no component below 0

References
----------
.. [1] Wan, Wang, Papir, Lopez Moreno: Generalized end-to-end loss for speaker verification, ICASSP 2018,
   arXiv:1710.10467; partial utterances: section 3.2.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from audioclust import files
from audioclust.embeddings.encoder import (
    CheckpointError,
    checked_waves,
    chosen_device,
    fill,
    full_precision,
    read_state,
    unit,
)

__all__ = ["GE2E", "GE2EEncoder", "mel", "partial_starts"]

SAMPLE_RATE = 16000
BANDS = 40
WINDOW, HOP = 400, 160  # samples: 25 and 10 ms
FRAMES = 160  # of a partial utterance: 1.6 s
LONGEST_PIECE = 256  # partial utterances (3.3 min at the default rate) of one clip in one STFT


class GE2E(torch.nn.Module):
    """The network: (n, frames, 40) mel power -> (n, 256) unit vectors. Parameter names are the checkpoint's."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(BANDS, 256, num_layers=3, batch_first=True)
        self.linear = torch.nn.Linear(256, 256)

    def forward(self, mels: torch.Tensor) -> torch.Tensor:
        """Encode a batch of equally long mel spectrograms."""
        _, (hidden, _) = self.lstm(mels)
        return torch.nn.functional.normalize(torch.relu(self.linear(hidden[-1])), dim=1)


class _Piece(NamedTuple):
    """A stretch of one clip that goes through the STFT at once, with the partial utterances that lie in it."""

    clip: int
    samples: NDArray[np.float32]  # from half a window before the first frame's centre, a whole number of hops long
    starts: NDArray[np.int64]  # frames, relative to the piece


class GE2EEncoder:
    """Encode voices with GE2E.

    Parameters
    ----------
    rate : float
        Partial utterances per second, at least 0.625 (no overlap).
    min_coverage : float
        The last partial utterance counts if the clip fills this share of it; the rest of it is silence.
    batch_size : int
        Partial utterances through the LSTM at once. Changes the speed and the memory, not the vectors.
    device : str, optional
        By default a GPU if there is one.
    source : str or Path, optional
        A checkpoint ``pretrained.pt`` elsewhere. By default the one in the installed resemblyzer wheel.

    Raises
    ------
    FileNotFoundError
        When the wheel is not installed.
    CheckpointError
        When its weights are damaged.
    """

    name = "ge2e"
    sample_rate = SAMPLE_RATE
    dimension = 256

    def __init__(
        self,
        *,
        rate: float = 1.3,
        min_coverage: float = 0.75,
        batch_size: int = 128,
        device: str | None = None,
        source: str | Path | None = None,
    ) -> None:
        if not SAMPLE_RATE / HOP / FRAMES <= rate <= SAMPLE_RATE / HOP:
            raise ValueError(f"rate={rate}: must be in 0.625..100 partial utterances per second")
        if not 0 < min_coverage <= 1:
            raise ValueError(f"min_coverage={min_coverage}: must be above 0, at most 1")
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size}: must be at least 1")
        self.rate, self.min_coverage, self.batch_size = rate, min_coverage, batch_size
        self.device = chosen_device(device)
        path = _weights() if source is None else Path(source)
        self.network = _read(path).to(self.device)
        self.settings = {"weights": files.sha256(path), "rate": rate, "min_coverage": min_coverage}

    def encode(self, waves: Sequence[ArrayLike], sample_rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
        """Give each wave its vector.

        Parameters
        ----------
        waves : sequence of array [shape=(samples,)]
            Mono, in -1..1, used as they are. A clip below 1.6 s is followed by silence, as in training.
        sample_rate : int
            Of all of them, in Hz.

        Returns
        -------
        array [shape=(n, 256), unit length, no component below 0]

        Raises
        ------
        ValueError
            For an empty, non-finite or many-channelled wave.
        """
        clips = checked_waves(waves, sample_rate, SAMPLE_RATE)
        sums = np.zeros((len(clips), self.dimension))
        for owners, vectors in self._partials(clips):
            np.add.at(sums, owners, vectors)
        return unit(sums)

    def partials(self, wave: ArrayLike, sample_rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
        """Return the vectors of one wave's partial utterances, in time: [shape=(n, 256)]."""
        found = self._partials(checked_waves([wave], sample_rate, SAMPLE_RATE))
        return np.concatenate([vectors for _, vectors in found])

    def _partials(self, clips: Sequence[NDArray]) -> Iterator[tuple[NDArray, NDArray[np.float32]]]:
        """Yield (clip numbers, vectors) of partial utterances, batch after batch."""
        waiting: list[_Piece] = []
        ready = 0
        for number, clip in enumerate(clips):
            for piece in self._pieces(number, clip):
                waiting.append(piece)
                ready += len(piece.starts)
                if ready >= self.batch_size:
                    yield self._encode_pieces(waiting)
                    waiting, ready = [], 0
        if waiting:
            yield self._encode_pieces(waiting)

    def _pieces(self, number: int, clip: NDArray) -> Iterator[_Piece]:
        """Cut a clip where memory asks for it. Frames look at nearby samples only, so cutting changes no value."""
        starts = partial_starts(len(clip), rate=self.rate, min_coverage=self.min_coverage)
        for first in range(0, len(starts), LONGEST_PIECE):
            some = starts[first : first + LONGEST_PIECE]
            frames = some[-1] - some[0] + FRAMES
            yield _Piece(number, _stretch(clip, int(some[0]), int(frames)), some - some[0])

    def _encode_pieces(self, pieces: Sequence[_Piece]) -> tuple[NDArray, NDArray[np.float32]]:
        hops = np.array([len(piece.samples) // HOP for piece in pieces])
        offsets = np.cumsum(hops) - hops
        starts = np.concatenate([piece.starts + offset for piece, offset in zip(pieces, offsets, strict=True)])
        # batches of equal size: a small last one would take nearly as long as a full one
        batches = max(1, round(len(starts) / self.batch_size))
        with full_precision():
            power = _mel_power(np.concatenate([piece.samples for piece in pieces]), self.device)
            windows = power.unfold(0, FRAMES, 1)[torch.from_numpy(starts).to(power.device)].transpose(1, 2)
            vectors = torch.cat([self.network(part.contiguous()) for part in windows.chunk(batches)]).cpu().numpy()
        owners = np.repeat([piece.clip for piece in pieces], [len(piece.starts) for piece in pieces])
        return owners, vectors


def partial_starts(samples: int, *, rate: float = 1.3, min_coverage: float = 0.75) -> NDArray[np.int64]:
    """Return the first mel frame of each partial utterance of a wave of so many samples at 16 kHz; at least one.

    Every partial utterance spans 160 frames and may reach beyond the end, into silence.
    """
    frames = -(-(samples + 1) // HOP)
    step = round(SAMPLE_RATE / rate / HOP)
    starts = np.arange(0, max(1, frames - FRAMES + step + 1), step)
    coverage = (samples - starts[-1] * HOP) / (FRAMES * HOP)
    return starts[:-1] if coverage < min_coverage and len(starts) > 1 else starts


def mel(wave: ArrayLike) -> NDArray[np.float32]:
    """Return the mel power of a wave at 16 kHz: [shape=(1 + samples // 160, 40)]."""
    (clip,) = checked_waves([wave], SAMPLE_RATE, SAMPLE_RATE)
    frames = 1 + len(clip) // HOP
    return _mel_power(_stretch(clip, 0, frames), "cpu")[:frames].numpy()


def _stretch(clip: NDArray, first: int, frames: int) -> NDArray[np.float32]:
    """Return the samples that `frames` frames from `first` on look at, zeros where the clip has none."""
    begin = first * HOP - WINDOW // 2
    length = -(-((frames - 1) * HOP + WINDOW) // HOP) * HOP
    samples = np.zeros(length, np.float32)
    source = clip[max(begin, 0) : max(begin + length, 0)]
    offset = max(-begin, 0)
    # a frame of the next piece must not reach back: what lies beyond the last frame stays zero
    source = source[: (frames - 1) * HOP + WINDOW - offset]
    samples[offset : offset + len(source)] = source
    return samples


def _mel_power(samples: NDArray[np.float32], device: str) -> torch.Tensor:
    """Return the mel power of every frame, the first one centred on sample 200: [shape=(frames, 40)]."""
    wave = torch.from_numpy(samples).to(device)
    frames = wave.unfold(0, WINDOW, HOP) * torch.hann_window(WINDOW, device=device)
    power = torch.view_as_real(torch.fft.rfft(frames)).square().sum(-1)
    return power @ torch.from_numpy(_mel_bands()).to(device)


@lru_cache(maxsize=1)
def _mel_bands() -> NDArray[np.float32]:
    from librosa.filters import mel as bands

    return np.ascontiguousarray(bands(sr=SAMPLE_RATE, n_fft=WINDOW, n_mels=BANDS).T)


def _weights() -> Path:
    """Find the checkpoint in the installed wheel. The package itself is not imported: its imports break."""
    spec = importlib.util.find_spec("resemblyzer")
    for folder in (spec and spec.submodule_search_locations) or []:
        path = Path(folder) / "pretrained.pt"
        if path.is_file():
            return path
    raise FileNotFoundError(
        "encoder 'ge2e' reads its weights from the resemblyzer wheel, which is not installed: "
        "pip install --no-deps resemblyzer==0.1.4"
    )


def _read(path: Path) -> GE2E:
    state = read_state(path)
    if not isinstance(state, dict) or not isinstance(state.get("model_state"), dict):
        raise CheckpointError(f"{path} is no GE2E checkpoint: it has no 'model_state'")
    # the checkpoint also holds the training loss's two scalars
    weights = {name: value for name, value in state["model_state"].items() if not name.startswith("similarity_")}
    network = GE2E()
    fill(network, weights, path)
    return network.eval()
