"""For the tests and for the examples in docstrings: one thread per process, no windows, no progress bars."""

import os

for _library in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMBA", "NUMEXPR"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ["AUDIOCLUST_QUIET"] = "1"

from importlib import import_module

import pytest

# by their whole names: some rooms have a function that is called like the module
_TABLES = {
    import_module("audioclust.plugins"): "_LOADED",
    import_module("audioclust.clustering.registry"): "_ENTRIES",
    import_module("audioclust.features.table"): "_TABLE",
    import_module("audioclust.embeddings.encoder"): "_FACTORIES",
    import_module("audioclust.datasets.catalogue"): "_registered",
}

# the files whose tests take longest, longest first: they are started first, or one worker ends with them alone
_LONG = [
    f"test_{name}.py"
    for name in (
        "notebooks", "benchmarks", "cluster", "levels", "clustering", "sweep", "runs", "auto", "deep_autoencoder",
        "parallel", "docs", "page", "group", "explorer", "outside", "package", "deep_u_vectors", "camsat", "transform",
        "datasets", "deep_dcec", "store", "descriptors",
    )
]  # fmt: skip


def pytest_collection_modifyitems(items):
    place = {name: number for number, name in enumerate(_LONG)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.fixture(autouse=True)
def _examples_run_in_an_empty_folder(request):
    """What an example of a docstring writes must not land in the checkout."""
    if isinstance(request.node, pytest.DoctestItem):
        request.getfixturevalue("monkeypatch").chdir(request.getfixturevalue("tmp_path"))


@pytest.fixture(autouse=True)
def _what_is_registered_is_forgotten(monkeypatch):
    """What a test or an example registers, or loads as a plugin, is not known to those that come after it."""
    for module, table in _TABLES.items():
        monkeypatch.setattr(module, table, dict(getattr(module, table)))
