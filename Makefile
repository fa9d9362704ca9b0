# make demo: set up, group the embedded recordings, compare a few methods, print where page, figures and tables are
# make test: set up, check style and types, run the tests
# make lab:  the notebooks in JupyterLab;  make docs: the documentation as web pages in docs/_build/html

VENV ?= .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
PYTHON ?= python3
# modules are compiled when first imported, and kept compiled also where the environment says otherwise: every kernel,
# worker and test process would compile thousands of them again
unexport PYTHONDONTWRITEBYTECODE
PIP := $(PY) -m pip install --quiet --no-compile
UV := $(VENV)/bin/uv pip install --quiet --python $(PY)
LOCKED := --no-deps --require-hashes --requirement requirements.lock
LOCK = $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --no-header
# a GPU build of torch costs gigabytes that a laptop does not need; pip takes what the index offers
TORCH ?= torch==2.13.0

# Several processes that compile the same function at once can spoil numba's cache: before the tests run side by side,
# processes of their own compile what they use, each the functions of other files.
NUMBA := $(shell grep -rl "from numba import" audioclust --include=*.py)
COMPILED := $(VENV)/.compiled-layout $(VENV)/.compiled-sound $(VENV)/.compiled-groups

define COMPILE_LAYOUT
import numpy
from audioclust.clustering.speakers.umap_hdbscan import umap_class
umap_class()(n_components=5, metric="cosine", random_state=0).fit(numpy.random.default_rng(0).normal(size=(100, 192)))
endef
export COMPILE_LAYOUT

define COMPILE_SOUND
import librosa, numpy
librosa.feature.chroma_stft(y=numpy.random.default_rng(0).normal(size=22050), sr=22050)
endef
export COMPILE_SOUND

define COMPILE_GROUPS
import numpy
from audioclust import clustering
noise = numpy.random.default_rng(0).normal(size=(100, 192))
[clustering.make(name).fit(noise) for name in ("hdbscan", "auto")]
endef
export COMPILE_GROUPS

define LOCK_HEAD
# Made by "make lock": the libraries of requirements.txt and of the extras dev, cluster and widget, for Python 3.11 and newer
# on Linux, macOS and Windows, with the checksums of their files. Not here: torch, whose builds (CPU, GPU) differ by
# machine. So:
#   pip install torch==2.13.0
#   pip install --no-deps --require-hashes -r requirements.lock
endef
export LOCK_HEAD

.PHONY: demo test lab lint lock docs clean

demo: $(READY)
	$(VENV)/bin/audioclust demo

test: $(READY)
	$(MAKE) --jobs 2 lint $(COMPILED)
	$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

lab: $(READY)
	$(VENV)/bin/jupyter lab notebooks

# torch first, as the index offers it; then every other library in the version that the lock names, without resolving:
# by uv in seconds; by pip, in minutes, where uv cannot be had or cannot reach the index that pip is set to
$(READY): requirements.txt requirements.lock pyproject.toml setup.py
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "audioclust needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) "$(TORCH)"
	$(PIP) uv && $(UV) $(LOCKED) || $(PIP) $(LOCKED)
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.compiled-layout: $(READY)
	$(PY) -W ignore -c "$$COMPILE_LAYOUT"
	touch $@

$(VENV)/.compiled-sound: $(READY)
	$(PY) -W ignore -c "$$COMPILE_SOUND"
	touch $@

$(VENV)/.compiled-groups: $(READY) $(NUMBA)
	$(PY) -W ignore -c "$$COMPILE_GROUPS"
	touch $@

# the versions of today; resemblyzer is there for its weights alone: its own dependencies need a compiler
lock:
	$(PIP) uv
	echo 'torch ; python_version < "3"' > $(VENV)/without-torch.txt
	(echo "$$LOCK_HEAD" && \
	$(LOCK) --extra dev --extra cluster --extra widget --override $(VENV)/without-torch.txt pyproject.toml && \
	echo resemblyzer==0.1.4 | $(LOCK) --no-deps -) > $(VENV)/lock.txt
	mv $(VENV)/lock.txt requirements.lock

docs: $(READY)
	$(PIP) --editable '.[docs]'
	$(PY) docs/build.py

clean:
	rm -rf $(VENV)
