"""ECAPA-TDNN: convolutions over time, squeeze-excitation, attentive statistics pooling, 192-d [1]_.

The encoder reads the checkpoint that SpeechBrain publishes (Apache-2.0; trained on VoxCeleb 1 and 2), without
SpeechBrain: the network here (:mod:`audioclust.embeddings.tdnn`) has its parameter names, the filter bank its
conventions. Each clip's vector is the one that it has alone, in whatever batch it travels.

``fbank``   (frames, 80), dB, at most 80 dB below the clip's maximum; frame t is centred on sample 160 t at 16 kHz
``vector``  (192,), unit length here; SpeechBrain leaves its own length (around 270)

References
----------
.. [1] Desplanques, Thienpondt, Demuynck: ECAPA-TDNN: Emphasized channel attention, propagation and aggregation in TDNN
   based speaker verification, Interspeech 2020, arXiv:2005.07143.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

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
from audioclust.embeddings.tdnn import ECAPA

__all__ = ["EcapaEncoder", "fbank", "sentence_mean_normalised"]

SAMPLE_RATE = 16000
BANDS = 80
WINDOW, HOP = 400, 160  # samples: 25 and 10 ms
FLOOR, RANGE = 1e-10, 80.0  # of the power; dB below a clip's maximum
SHORTEST = 5 * HOP  # samples: the widest convolution mirrors 4 frames, and a frame cannot mirror itself

REPOSITORY = "speechbrain/spkrec-ecapa-voxceleb"
REVISION = "0f99f2d0ebe89ac095bcc5903c4dd8f72b367286"
FILE = "embedding_model.ckpt"
SHA256 = "0575cb64845e6b9a10db9bcb74d5ac32b326b8dc90352671d345e2ee3d0126a2"
PUBLISHED = {"channels": (1024, 1024, 1024, 1024, 3072)}

_log = logging.getLogger(__name__)


class EcapaEncoder:
    """Encode voices with ECAPA-TDNN.

    Parameters
    ----------
    source : str or Path, optional
        A checkpoint file, or the folder that holds ``embedding_model.ckpt``. By default the published one from the
        Hugging Face hub, at a pinned revision; it is downloaded once (83 MB), and its SHA-256 is checked.
    network : mapping, optional
        Arguments of :class:`~audioclust.embeddings.tdnn.ECAPA`, for a checkpoint of other sizes than the published.
    window : float
        Seconds. A longer recording is cut into equal windows of at most this, and has their vectors' mean.
    batch_seconds : float
        Sound through the network at once. Changes the speed and the memory, not the vectors.
    device : str, optional
        By default a GPU if there is one.

    Raises
    ------
    FileNotFoundError
        When the weights are not there and cannot be downloaded; the message says what to put where.
    CheckpointError
        When the file is damaged, not this network's, or not the published one though it should be.
    """

    name = "ecapa"
    sample_rate = SAMPLE_RATE

    def __init__(
        self,
        *,
        source: str | Path | None = None,
        network: Mapping[str, Any] | None = None,
        window: float = 60.0,
        batch_seconds: float = 60.0,
        device: str | None = None,
    ) -> None:
        if not window >= 1:
            raise ValueError(f"window={window}: must be at least 1 s")
        if not batch_seconds > 0:
            raise ValueError(f"batch_seconds={batch_seconds}: must be above 0 s")
        self.window, self.batch_seconds = window, batch_seconds
        self.device = chosen_device(device)
        path = _download() if source is None else _local(Path(source))
        digest = files.sha256(path)
        if source is None and digest != SHA256:
            raise CheckpointError(f"{path} is not the published checkpoint: its SHA-256 is {digest}, not {SHA256}")
        model = ECAPA(**(PUBLISHED if network is None else network))
        if model.bands != BANDS:
            raise ValueError(f"network: {model.bands} bands, but the filter bank here gives {BANDS}")
        fill(model, read_state(path), path)
        self.network = model.eval().to(self.device)
        self.dimension = model.dimension
        self.settings = {
            "weights": digest,
            "window": window,
            "network": PUBLISHED if network is None else dict(network),
        }

    def encode(self, waves: Sequence[ArrayLike], sample_rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
        """Give each wave its vector.

        Parameters
        ----------
        waves : sequence of array [shape=(samples,)]
            Mono, in -1..1, at least 0.05 s, used as they are.
        sample_rate : int
            Of all of them, in Hz.

        Returns
        -------
        array [shape=(n, dimension), unit length]

        Raises
        ------
        ValueError
            For a wave that is too short, non-finite or many-channelled.
        """
        clips = checked_waves(waves, sample_rate, SAMPLE_RATE)
        pieces, owners = [], []
        for number, clip in enumerate(clips):
            if len(clip) < SHORTEST:
                raise ValueError(
                    f"waves[{number}] is too short for ecapa: {len(clip)} of at least {SHORTEST} samples at 16 kHz"
                )
            parts = np.array_split(clip, math.ceil(len(clip) / (self.window * SAMPLE_RATE)))
            pieces += parts
            owners += [number] * len(parts)
        lengths = np.array([len(piece) for piece in pieces])
        sums = np.zeros((len(clips), self.dimension))
        for batch in _batches(lengths, int(self.batch_seconds * SAMPLE_RATE)):
            vectors = self._encode_batch([pieces[place] for place in batch], lengths[batch])
            np.add.at(sums, [owners[place] for place in batch], unit(vectors))
        return unit(sums)

    def _encode_batch(self, pieces: Sequence[NDArray], lengths: NDArray) -> NDArray[np.float32]:
        padded = np.zeros((len(pieces), lengths.max()), np.float32)
        for row, piece in zip(padded, pieces, strict=True):
            row[: len(piece)] = piece
        frames = torch.from_numpy(1 + lengths // HOP).to(self.device)
        with full_precision():
            features = fbank(torch.from_numpy(padded).to(self.device), frames)
            return self.network(sentence_mean_normalised(features, frames), frames=frames).cpu().numpy()


def fbank(waves: torch.Tensor, frames: torch.Tensor | None = None) -> torch.Tensor:
    """Return log mel energies as SpeechBrain's ``Fbank(n_mels=80)`` computes them.

    Parameters
    ----------
    waves : tensor [shape=(n, samples)]
        At 16 kHz; shorter ones are padded with zeros.
    frames : tensor [shape=(n,), int], optional
        How many frames are each clip's own, 1 + samples // 160: the dynamic range then hangs on its own maximum.

    Returns
    -------
    tensor [shape=(n, 1 + samples // 160, 80), dB]
    """
    window = torch.hamming_window(WINDOW, device=waves.device)
    spectrum = torch.stft(waves, WINDOW, HOP, window=window, center=True, pad_mode="constant", return_complex=True)
    power = torch.view_as_real(spectrum).square().sum(-1).transpose(1, 2)
    level = 10 * torch.log10((power @ _mel_bands().to(waves.device)).clamp(min=FLOOR))
    own = level if frames is None else level.masked_fill(~_mask(frames, level.shape[1])[..., None], -math.inf)
    return level.maximum(own.amax(dim=(1, 2), keepdim=True) - RANGE)


def sentence_mean_normalised(features: torch.Tensor, frames: torch.Tensor | None = None) -> torch.Tensor:
    """Take from each band its mean over each clip's own frames."""
    if frames is None:
        return features - features.mean(dim=1, keepdim=True)
    own = _mask(frames, features.shape[1])[..., None]
    return features - (features * own).sum(dim=1, keepdim=True) / frames[:, None, None]


def _mask(frames: torch.Tensor, length: int) -> torch.Tensor:
    return torch.arange(length, device=frames.device) < frames[:, None]


@lru_cache(maxsize=1)
def _mel_bands() -> torch.Tensor:
    """Triangles as wide to the right as to the left, on the HTK mel scale, of height 1: [shape=(201, 80)]."""
    mel = torch.linspace(0, 2595 * math.log10(1 + SAMPLE_RATE / 2 / 700), BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    width = (edges[1:] - edges[:-1])[:-1]
    frequency = torch.linspace(0, SAMPLE_RATE // 2, WINDOW // 2 + 1)[:, None]
    return (1 - ((frequency - edges[1:-1]) / width).abs()).clamp(min=0)


def _batches(lengths: NDArray, samples: int) -> list[NDArray]:
    """Group clips of like length, so that a padded batch holds at most `samples` (or one clip)."""
    batches: list[list[int]] = []
    for place in np.argsort(lengths, kind="stable"):
        if not batches or lengths[place] * (len(batches[-1]) + 1) > samples:
            batches.append([])
        batches[-1].append(int(place))
    return [np.array(batch) for batch in batches]


def _local(source: Path) -> Path:
    path = source / FILE if source.is_dir() else source
    if not path.is_file():
        raise FileNotFoundError(f"no ECAPA weights at {path}: {_instructions()}")
    return path


def cached() -> Path | None:
    """Return the published checkpoint in the hub's cache, None where it has not been fetched yet."""
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(REPOSITORY, FILE, revision=REVISION)
    return Path(path) if isinstance(path, str) else None


def _download() -> Path:
    """Return the published checkpoint from the hub's cache, fetching it the first time."""
    from huggingface_hub import get_session, hf_hub_download, hf_hub_url

    if (path := cached()) is not None:
        return path
    try:
        # asked once, because the hub's own client says six times in half a minute that there is no network
        get_session().head(hf_hub_url(REPOSITORY, FILE, revision=REVISION), timeout=10)
        return Path(hf_hub_download(REPOSITORY, FILE, revision=REVISION))
    except Exception as error:  # of the hub, or of whichever HTTP library this version of it uses
        _log.debug("no download of %s", FILE, exc_info=True)
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        message = f"the ECAPA weights are not here and cannot be fetched ({reason}): {_instructions()}"
        raise FileNotFoundError(message) from None


def _instructions() -> str:
    return (
        f"put {FILE} from https://huggingface.co/{REPOSITORY}/tree/{REVISION} (SHA-256 {SHA256}) into a folder and "
        f"give embeddings.load('ecapa', source=FOLDER); or use 'ge2e', which needs no download"
    )
