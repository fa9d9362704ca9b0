"""For the tests and for the examples in docstrings: one thread per process, no windows, no progress bars."""

import os

for _library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ["AUDIOCLUST_QUIET"] = "1"

import pytest

from audioclust import plugins


@pytest.fixture(autouse=True)
def _examples_run_in_an_empty_folder(request):
    """What an example of a docstring writes must not land in the checkout."""
    if isinstance(request.node, pytest.DoctestItem):
        request.getfixturevalue("monkeypatch").chdir(request.getfixturevalue("tmp_path"))


@pytest.fixture(autouse=True)
def own_plugins(monkeypatch):
    """What a test loads as a plugin is not carried to the workers of later tests."""
    monkeypatch.setattr(plugins, "_LOADED", dict(plugins._LOADED))
