"""One number per recording and property: duration, tempo, pitch, speaking rate, level, spectral shape.

Frames are 2 048 samples every 512, as in librosa, whose definitions these are: a Hann-windowed magnitude spectrum for
centroid, bandwidth (p = 2) and rolloff (85 %), onset strength and its autocorrelation for tempo; over time, the mean.

Pitch is YIN's [1]_, as in ``librosa.yin``. A frame is voiced where YIN's difference function falls below 0.4 (about
the share of power that does not repeat with the period) and the level is within 30 dB of the loudest frame.

Syllables are counted as in [2]_: peaks of the intensity (64 ms windows, every 16 ms) less than 25 dB below its 99th
percentile, with a dip of at least 2 dB on both sides, within one frame of voiced sound. The rate is per second of the
whole recording (speech rate, not articulation rate).

References
----------
.. [1] de Cheveigné, A., and Kawahara, H. "YIN, a fundamental frequency estimator for speech and music."
   Journal of the Acoustical Society of America 111.4 (2002): 1917-1930.
.. [2] de Jong, N. H., and Wempe, T. "Praat script to detect syllable nuclei and measure speech rate automatically."
   Behavior Research Methods 41.2 (2009): 385-390.
"""

from __future__ import annotations

import logging
import math
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import fft, signal

from audioclust import parallel, recording
from audioclust.audio import load

__all__ = ["DESCRIPTORS", "describe", "describe_all", "pitch"]

log = logging.getLogger(__name__)

DESCRIPTORS = {
    "duration": "s", "tempo": "beats/min", "f0": "Hz", "f0_iqr": "Hz", "voiced": "share", "speaking_rate": "1/s",
    "rms": "dBFS", "zero_crossing_rate": "share", "centroid": "Hz", "bandwidth": "Hz", "rolloff": "Hz",
}  # fmt: skip
"""The descriptors and their units."""

FRAME, HOP = 2048, 512
LOWEST, HIGHEST = 65.0, 600.0  # Hz; the range of speaking voices
TROUGH, VOICED = 0.1, 0.4  # of YIN's difference function: what ends the search, what counts as voiced
BELOW_LOUDEST = 30.0  # dB
SHORTEST_TEMPO = 1.0  # s; two beats at 120 beats/min, around which librosa's prior stands


def describe(y: np.ndarray, sample_rate: int) -> dict[str, float]:
    """Describe one recording.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
        One channel, full scale at -1 and 1.
    sample_rate : int
        In Hz, at least 1 300 (twice the highest pitch).

    Returns
    -------
    dict
        NaN where a descriptor is undefined, as all but ``duration``, ``rms`` (-inf) and ``voiced`` (0) are in silence:

        - ``duration`` : seconds
        - ``tempo`` : beats per minute; NaN below 1 s
        - ``f0``, ``f0_iqr`` : median and interquartile range of the pitch of voiced frames, Hz
        - ``voiced`` : share of frames, in [0, 1]
        - ``speaking_rate`` : syllable nuclei per second; NaN where there is none
        - ``rms`` : level of the root mean square over all samples, dBFS
        - ``zero_crossing_rate`` : share of samples at which the sign changes, in [0, 1]
        - ``centroid``, ``bandwidth``, ``rolloff`` : Hz, mean over the frames that are not silent

    Raises
    ------
    ValueError
        When `y` is not one channel of finite samples, or `sample_rate` is too low.

    Examples
    --------
    >>> tone = 0.1 * np.sign(np.sin(2 * np.pi * 150 * np.arange(22050) / 22050))
    >>> found = describe(tone, 22050)
    >>> round(found["f0"]), round(found["rms"])
    (150, -20)
    """
    y = np.asarray(y, dtype=np.float32)
    if y.ndim != 1 or not np.isfinite(y).all():
        raise ValueError(f"y: shape {y.shape}: give one channel of finite samples")
    if sample_rate < 2 * HIGHEST:
        raise ValueError(f"sample_rate={sample_rate!r}: give at least {2 * HIGHEST:.0f} Hz")
    found = dict.fromkeys(DESCRIPTORS, math.nan) | {"duration": len(y) / sample_rate}
    power = float(np.mean(np.square(y, dtype=np.float64))) if len(y) else 0.0
    found["rms"] = 10 * math.log10(power) if power > 0 else -math.inf
    if len(y) == 0:
        return found
    f0, voiced = pitch(y, sample_rate)
    found["voiced"] = float(voiced.mean())
    if power == 0:
        return found
    if voiced.any():
        low, middle, high = np.percentile(f0[voiced], [25, 50, 75])
        found |= {"f0": float(middle), "f0_iqr": float(high - low)}
        found["speaking_rate"] = (len(_nuclei(y, sample_rate, voiced)) or math.nan) / found["duration"]
    found["zero_crossing_rate"] = _zero_crossing_rate(y)
    return found | _spectral(y, sample_rate)


def describe_all(
    metadata: pd.DataFrame, root: str | Path, jobs: parallel.Jobs = -1, *, sample_rate: int | None = 22_050
) -> pd.DataFrame:
    """Describe every recording of a dataset.

    Parameters
    ----------
    metadata : pd.DataFrame
        One row per recording, with ``path``, ``sha256`` and ``problem``.
    root : str or Path
        Folder of the recordings.
    jobs : int or str
        Worker processes, see `audioclust.parallel`.
    sample_rate : int or None
        Rate in Hz that all are changed to first, for the spectral descriptors to be comparable; None keeps each own.

    Returns
    -------
    pd.DataFrame
        One row per row of `metadata`, in its order and with its index: ``path``, ``sha256``, and the descriptors; these
        are NaN for recordings with a problem.

    Raises
    ------
    ValueError
        When `metadata` lacks a column.
    """
    missing = [name for name in ("path", "sha256", "problem") if name not in metadata]
    if missing:
        raise ValueError(f"metadata: it has no column {', '.join(missing)}")
    fine = metadata["problem"].isna().to_numpy()
    one = partial(_one, root=Path(root), sample_rate=sample_rate)
    found = list(parallel.map(one, metadata["path"][fine], jobs=jobs, description="describe"))
    values = pd.DataFrame(found, index=metadata.index[fine], columns=list(DESCRIPTORS), dtype="float64")
    table = metadata[["path", "sha256"]].copy()
    table[list(DESCRIPTORS)] = np.nan
    table.loc[fine, list(DESCRIPTORS)] = values.to_numpy()
    return table


def pitch(
    y: np.ndarray, sample_rate: int, *, lowest: float = LOWEST, highest: float = HIGHEST
) -> tuple[np.ndarray, np.ndarray]:
    """Follow the pitch by YIN.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
        One channel.
    sample_rate : int
        In Hz.
    lowest, highest : float
        Range of the pitch in Hz.

    Returns
    -------
    f0 : np.ndarray [shape=(frames,), Hz]
        Equal to ``librosa.yin`` with the same range, frame length 2 048 and hop 512; meaningful where `voiced`.
    voiced : np.ndarray [shape=(frames,), bool]
        Where the sound repeats and is not far below the loudest frame.
    """
    shortest = int(sample_rate / highest)
    longest = min(math.ceil(sample_rate / lowest), FRAME - 1)
    frames = _frames(y, FRAME, HOP)
    energy = np.square(frames, dtype=np.float64)
    loudness = energy.sum(axis=1)
    # Equation (6) by way of the autocorrelation, for all lags of all frames at once; then (8).
    size = fft.next_fast_len(FRAME + longest + 1, real=True)
    spectrum = fft.rfft(frames.astype(np.float64), size, axis=1)
    same = fft.irfft(spectrum.real**2 + spectrum.imag**2, size, axis=1)[:, : longest + 1]
    left = np.cumsum(energy[:, :longest], axis=1)
    difference = 2 * (same[:, :1] - same[:, 1:]) - left
    mean = np.cumsum(difference, axis=1) / np.arange(1, longest + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(mean > 0, difference / mean, 1.0)[:, shortest - 1 :]
    middle = ratio[:, 1:-1]
    trough = np.zeros(ratio.shape, dtype=bool)
    trough[:, 1:-1] = (middle < ratio[:, :-2]) & (middle <= ratio[:, 2:])
    trough[:, 0] = ratio[:, 0] < ratio[:, 1]
    deep = trough & (ratio < TROUGH)
    rows = np.arange(len(ratio))
    at = np.where(deep.any(axis=1), deep.argmax(axis=1), ratio.argmin(axis=1))
    inner = np.clip(at, 1, ratio.shape[1] - 2)
    before, here, after = ratio[rows, inner - 1], ratio[rows, inner], ratio[rows, inner + 1]
    curve, slope = before + after - 2 * here, (after - before) / 2
    safe = (inner == at) & (np.abs(slope) < np.abs(curve))
    shift = np.where(safe, -slope / np.where(safe, curve, 1.0), 0.0)
    f0 = sample_rate / (shortest + at + shift)
    loud = loudness > loudness.max() * 10 ** (-BELOW_LOUDEST / 10)
    return f0, loud & (ratio[rows, at] < VOICED)


def _one(path: str, *, root: Path, sample_rate: int | None) -> dict[str, float]:
    try:
        return describe(*load(root / path, sample_rate))
    except recording.RecordingError as error:
        log.warning("%s", error)
        return dict.fromkeys(DESCRIPTORS, math.nan)


def _frames(y: np.ndarray, length: int, hop: int) -> np.ndarray:
    """Cut into frames [shape=(frames, length)], the first centred on the first sample."""
    padded = np.pad(y, length // 2)
    return np.lib.stride_tricks.sliding_window_view(padded, length)[::hop]


def _zero_crossing_rate(y: np.ndarray) -> float:
    """Mean over frames of the share of sign changes; as ``librosa.feature.zero_crossing_rate``, edges repeated."""
    negative = np.signbit(np.where(np.abs(y) <= 1e-10, 0.0, y))
    padded = np.pad(negative, FRAME // 2, mode="edge")
    changes = np.concatenate([[0], np.cumsum(padded[1:] != padded[:-1])])
    starts = np.arange(0, len(padded) - FRAME + 1, HOP)
    return float(np.mean(changes[starts + FRAME - 1] - changes[starts]) / FRAME)


def _spectral(y: np.ndarray, sample_rate: int) -> dict[str, float]:
    """Centroid, bandwidth, rolloff and tempo from one spectrogram."""
    window = signal.get_window("hann", FRAME).astype(np.float32)
    spectra = np.abs(fft.rfft(_frames(y, FRAME, HOP) * window, axis=1))
    total = spectra.sum(axis=1)
    audible = total > np.finfo(np.float32).tiny
    found = {"tempo": _tempo(spectra.T, len(y), sample_rate)}
    if not audible.any():
        return found
    spectra, total = spectra[audible], total[audible]
    frequencies = np.fft.rfftfreq(FRAME, 1 / sample_rate).astype(np.float32)
    share = spectra / total[:, np.newaxis]
    centroid = share @ frequencies
    bandwidth = np.sqrt(np.maximum(0, np.einsum("tf,tf->t", share, (frequencies - centroid[:, np.newaxis]) ** 2)))
    below = np.cumsum(spectra, axis=1)
    rolloff = frequencies[np.argmax(below >= 0.85 * below[:, -1:], axis=1)]
    return found | {
        "centroid": float(centroid.mean()),
        "bandwidth": float(bandwidth.mean()),
        "rolloff": float(rolloff.mean()),
    }


def _tempo(magnitudes: np.ndarray, samples: int, sample_rate: int) -> float:
    """Tempo by librosa, from magnitudes [shape=(bins, frames)]; NaN where nothing sets in."""
    if samples < SHORTEST_TEMPO * sample_rate:
        return math.nan
    import librosa

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Empty filters detected")  # at low sample rates
        mel = librosa.feature.melspectrogram(S=magnitudes**2, sr=sample_rate, fmax=sample_rate / 2)
    onset = librosa.onset.onset_strength(S=librosa.power_to_db(mel), sr=sample_rate, n_fft=FRAME, hop_length=HOP)
    if not onset.any():
        return math.nan
    return float(librosa.feature.tempo(onset_envelope=onset, sr=sample_rate, hop_length=HOP)[0])


def _nuclei(y: np.ndarray, sample_rate: int, voiced: np.ndarray) -> np.ndarray:
    """Find syllable nuclei: frames of the intensity, every 16 ms."""
    length, hop = max(2, round(0.064 * sample_rate)), max(1, round(0.016 * sample_rate))
    window = np.hanning(length + 2)[1:-1]
    power = _frames(np.square(y, dtype=np.float64), length, hop) @ (window / window.sum())
    intensity = 10 * np.log10(np.maximum(power, 1e-12))
    peaks, _ = signal.find_peaks(intensity, height=np.percentile(intensity, 99) - 25)
    frame = np.minimum(np.round(peaks * hop / HOP).astype(int), len(voiced) - 1)
    near = np.convolve(voiced, [1, 1, 1])[1:-1] > 0
    return _with_dips(intensity, peaks[near[frame]], dip=2.0)


def _with_dips(intensity: np.ndarray, peaks: np.ndarray, *, dip: float) -> np.ndarray:
    """Keep peaks parted by dips: of two with less than `dip` dB between them and the lower one, the higher stays."""
    kept: list[int] = []
    for peak in peaks:
        while kept:
            valley = intensity[kept[-1] : peak + 1].min()
            if min(intensity[kept[-1]], intensity[peak]) - valley >= dip or intensity[peak] <= intensity[kept[-1]]:
                break
            kept.pop()
        if not kept or intensity[peak] - intensity[kept[-1] : peak + 1].min() >= dip:
            kept.append(int(peak))
    return np.array(kept, dtype=int)
