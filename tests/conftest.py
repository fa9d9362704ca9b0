"""What every test may use: the optional folder of real recordings, a seeded generator."""

import os
from pathlib import Path

import numpy as np
import pytest

from audioclust.runs import forking

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real recordings and golden values; tests on it skip where it is absent."""
    folder = Path(os.environ.get("AUDIOCLUST_SHARED", ROOT.parent / "shared"))
    if not (folder / "datasets").is_dir():
        pytest.skip(f"no real recordings at {folder} (set AUDIOCLUST_SHARED)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _kernels_are_forked():
    """As in a sweep: importing the libraries anew would take most of the time of every notebook."""
    with forking.held():
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(440)
