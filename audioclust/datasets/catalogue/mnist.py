"""MNIST: images of handwritten digits, for checking that the networks learn what others' do. Holds no sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np

TITLE = "MNIST handwritten digits (images)"
DESCRIPTION = "70 000 gray images of 28 x 28 pixels; for checking networks against published figures."
HOMEPAGE = "https://yann.lecun.org/exdb/mnist/"
RECORDINGS = 0
BYTES = 11_490_434
LICENSE_INFO = "CC BY-SA 3.0"
BIBTEX = """@article{lecun1998gradient,
  author = {LeCun, Yann and Bottou, L{\\'e}on and Bengio, Yoshua and Haffner, Patrick},
  title = {Gradient-based learning applied to document recognition},
  journal = {Proceedings of the IEEE},
  volume = {86},
  number = {11},
  pages = {2278--2324},
  year = {1998},
  doi = {10.1109/5.726791}
}"""
REMOTES = [
    {
        "url": "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
        "filename": "mnist.npz",
        "sha256": "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    }
]
LABELS: dict[str, str] = {}
EXAMPLES: dict[str, dict[str, str | None]] = {"any.wav": {}}


def columns(path: str) -> dict[str, str | None]:
    """Return nothing: there are no recordings to label."""
    return {}


def prepare(unpacked: Path, folder: Path) -> None:
    """Leave the file where it was downloaded to."""


def load(folder: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Return all images and their digits, the training part first.

    Parameters
    ----------
    folder : str or Path
        The dataset's folder, with ``mnist.npz`` in it or in its ``downloads``.

    Returns
    -------
    images : ndarray [shape=(70000, 28, 28), uint8]
        Gray values, 0 to 255.
    digits : ndarray [shape=(70000,), uint8]
        0 to 9.

    Raises
    ------
    FileNotFoundError
        When the file is not there.
    """
    places = [Path(folder) / "mnist.npz", Path(folder) / "downloads" / "mnist.npz"]
    path = next((place for place in places if place.exists()), None)
    if path is None:
        raise FileNotFoundError(f"no mnist.npz in {folder} or its downloads folder: fetch the dataset mnist first")
    with np.load(path, allow_pickle=False) as parts:
        images = np.concatenate([parts["x_train"], parts["x_test"]])
        return images, np.concatenate([parts["y_train"], parts["y_test"]]).astype(np.uint8)
