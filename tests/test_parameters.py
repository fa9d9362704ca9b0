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


def test_every_notebook_has_a_model():
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} - {"10_explore"} <= set(MODELS)


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
