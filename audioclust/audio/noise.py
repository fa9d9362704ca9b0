"""Spectral gating: lower what does not rise above the noise, by noisereduce [1]_.

It can take features along with the noise, so it is off unless asked for.

References
----------
.. [1] Sainburg, T., Thielk, M., and Gentner, T. Q. "Finding, visualizing, and quantifying latent structure across
   diverse animal vocal repertoires." PLoS Computational Biology 16.10 (2020): e1008228.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from audioclust.audio.filters import Samples, check_rate

__all__ = ["NOISES", "denoise"]

NOISES = ("stationary", "nonstationary")
WINDOW = 1024  # samples, of the gate's spectrogram


def denoise(
    y: Samples,
    sample_rate: int,
    *,
    noise: Literal["stationary", "nonstationary"] = "stationary",
    strength: float = 1.0,
    notes: list[str] | None = None,
) -> Samples:
    """Lower the noise of a recording.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
        Samples at `sample_rate` Hz.
    sample_rate : int
        In Hz.
    noise : {"stationary", "nonstationary"}
        Whether one threshold per frequency serves the whole recording, or a moving one.
    strength : float
        Share of what lies under the threshold that is removed, in (0, 1].
    notes : list of str, optional
        A remark is appended when the recording is too short to tell noise from sound.

    Returns
    -------
    np.ndarray [shape=(samples,), float32]

    Raises
    ------
    ValueError
        When `noise` is unknown, or `strength` out of range.
    """
    check_rate(sample_rate)
    if noise not in NOISES:
        raise ValueError(f"noise={noise!r}: there is {', '.join(NOISES)}")
    if not 0 < strength <= 1:
        raise ValueError(f"strength={strength!r}: give a share above 0, at most 1")
    if len(y) < 4 * WINDOW:
        if notes is not None:
            notes.append("too short to denoise")
        return y
    import noisereduce

    cleaned = noisereduce.reduce_noise(
        y=y, sr=sample_rate, stationary=noise == "stationary", prop_decrease=strength, n_fft=WINDOW, n_jobs=1
    )
    return np.nan_to_num(np.asarray(cleaned, dtype=np.float32))
