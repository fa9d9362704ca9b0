# make demo: set up, group the embedded recordings, print where tables, figures and pages are
# make test: set up, check style and types, run the tests

VENV ?= .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
PYTHON ?= python3
# a GPU build of torch costs gigabytes that a laptop does not need; pip takes what the index offers
TORCH ?= torch==2.13.0

# compiled once by one process: several compiling the same function at once have spoilt numba's cache
define WARM
import librosa, numpy
from audioclust import clustering
noise = numpy.random.default_rng(0).normal(size=22050)
librosa.feature.chroma_stft(y=noise, sr=22050), librosa.yin(noise, fmin=65, fmax=400, sr=22050)
[clustering.make(name).fit(noise[:19200].reshape(100, 192)) for name in ("hdbscan", "auto")]
endef
export WARM

.PHONY: demo test lab lint clean

demo: $(READY)
	$(VENV)/bin/audioclust demo

test: $(READY) lint
	$(PY) -m pytest -n 2 --dist loadfile

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

lab: $(READY)
	$(VENV)/bin/jupyter lab notebooks

$(READY): requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "audioclust needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet "$(TORCH)"
	$(PY) -m pip install --quiet --editable '.[dev]'
	$(PY) -m pip install --quiet --no-deps resemblyzer==0.1.4  # its weights; its own dependencies need a compiler
	$(PY) -W ignore -c "$$WARM"
	touch $@

clean:
	rm -rf $(VENV)
