"""What a notebook may be told."""

import json
from pathlib import Path

import pytest

from audioclust.runs.parameters import MODELS, check

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_model_and_the_parameters_cell_have_the_same_defaults(name):
    cells = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    (cell,) = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    namespace: dict = {}
    exec("".join(cell["source"]), namespace)
    namespace.pop("__builtins__")
    assert namespace.pop("project") is None  # looked for from the working folder upwards
    assert namespace == MODELS[name]().model_dump(exclude={"project"})


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_run_with_the_defaults_is_named_as_its_notebook_names_it(name):
    unset = MODELS[name]()
    assert MODELS[name](**unset.model_dump()).run_name() == unset.run_name()


def test_every_notebook_has_a_model():
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == set(MODELS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"feture": "mfcc"}, "no parameter feture; it has"),
        ({"feature": "mfc"}, "feature='mfc'"),
        ({"k": 1}, "at least 2"),
        ({"k": "many"}, "k"),
        ({"algorithms": []}, "algorithms"),
        ({"seeds": ["a"]}, "seeds"),
        ({"k_max": 1}, "k_max=1"),
    ],
)
def test_what_is_wrong_is_named(values, message):
    with pytest.raises(ValueError, match=message):
        check("04_classical_clustering", values)


def test_what_papermill_injects_unasked_is_unknown():
    namespace = {"__name__": "__main__", "In": ["", "feature = 'mfcc'", "# Parameters\nfeture = 'mel'\n"]}
    with pytest.raises(ValueError, match="no parameter feture"):
        check("04_classical_clustering", {**namespace, "feature": "mfcc", "feture": "mel"})


def test_a_namespace_may_hold_more_than_parameters():
    p = check("04_classical_clustering", {"__name__": "__main__", "feature": "mel", "np": object(), "home": 1})
    assert p.feature == "mel"


def test_runs_are_named_for_what_they_compute():
    one = check("04_classical_clustering", {"feature": "mel"})
    assert one.run_name().startswith("04_classical_clustering-mel-mean_std-")
    assert one.run_name() == check("04_classical_clustering", {"feature": "mel", "jobs": 2, "project": "x"}).run_name()
    assert one.run_name() != check("04_classical_clustering", {"feature": "mel", "seeds": [5]}).run_name()


def test_an_unknown_notebook_lists_the_known_ones():
    with pytest.raises(ValueError, match="09_results"):
        check("11_magic", {})


CELL = """project = None
plugins = []
dataset = "synthetic"
transform = None
settings = {}
feature = "mfcc"
vectors = "mean_std"
scale = "standard"
pca = None
labels = ["label"]
algorithms = ["kmeans"]
params = {}
k = "labels"
seeds = [0]
"""


def namespace(*cells: str) -> dict:
    """What a notebook's kernel knows after these cells were run."""
    known: dict = {"__name__": "__main__", "In": ["", *cells]}
    for cell in cells:
        exec(cell, known)
    return known


def test_a_misspelt_name_in_the_parameters_cell_is_unknown():
    with pytest.raises(ValueError, match="no parameter featur;"):
        check("04_classical_clustering", namespace(CELL + 'featur = "mel"\n'))


def test_a_corrected_parameter_is_right_without_a_new_kernel():
    wrong, right = CELL + 'featur = "mel"\n', CELL + 'feature = "mel"\n'
    assert check("04_classical_clustering", namespace(wrong, "import numpy", right)).feature == "mel"
    injected = '# Parameters\nfeture = "mel"\n', '# Parameters\nfeature = "chroma"\n'
    with pytest.raises(ValueError, match="no parameter feture"):
        check("04_classical_clustering", namespace(CELL, injected[0]))
    assert check("04_classical_clustering", namespace(CELL, *injected)).feature == "chroma"


def test_other_cells_may_assign_what_they_like():
    cells = ("%matplotlib inline\n", "dataset_of_mine = 1\n")
    known = namespace(CELL, cells[1])
    known["In"].append(cells[0])
    assert check("04_classical_clustering", known).feature == "mfcc"


@pytest.mark.parametrize(
    ("notebook", "values", "message"),
    [
        ("04_classical_clustering", {"algorithms": ["kmean"]}, "'kmean' is unknown; available are kmeans"),
        ("04_classical_clustering", {"algorithms": ["dcec"]}, "'dcec' does not take vectors"),
        ("05_autoencoder_dcec", {"algorithms": ["kmeans"]}, "'kmeans' does not take images; give some of ae_kmeans"),
        ("04_classical_clustering", {"listen": "hdbscan", "algorithms": ["kmeans"]}, "listen='hdbscan'"),
        ("04_classical_clustering", {"vectors": "median"}, "vectors='median'"),
        ("04_classical_clustering", {"plugins": ["nowhere.py"]}, "nowhere.py"),
        ("06_speaker_embeddings", {"encoder": "x-vector"}, "encoder='x-vector'"),
        ("03_features", {"features": ["mell"]}, "mell"),
        ("08_camsat", {"losses": ["arc"]}, "loss='arc'"),
        ("08_camsat", {"network": {"widht": 8}}, "network='widht'"),
        ("08_camsat", {"bounds": [0]}, "factor=0"),
        ("08_camsat", {"flips": [1.5]}, r"share=1\.5"),
    ],
)
def test_names_are_checked_against_what_there_is(notebook, values, message):
    with pytest.raises(ValueError, match=message):
        check(notebook, values)


def test_the_algorithm_to_listen_to_is_one_of_those_that_run():
    assert check("06_speaker_embeddings", {"algorithms": ["kmeans", "auto"]}).listen == "auto"
    assert check("06_speaker_embeddings", {"algorithms": ["kmeans", "hdbscan"]}).listen == "kmeans"


def test_the_project_is_found_from_wherever_a_notebook_is_started(tmp_path, monkeypatch):
    for folder in ("datasets", "results", "notebooks/drafts"):
        (tmp_path / folder).mkdir(parents=True)
    for place in (".", "notebooks", "notebooks/drafts"):
        monkeypatch.chdir(tmp_path / place)
        assert check("01_metadata", {}).project == str(tmp_path)
