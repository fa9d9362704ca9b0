"""Where things lie."""

import pandas as pd
import pytest

from audioclust.project import Project, versions


def test_recordings_lie_in_the_project_or_where_registered(tmp_path):
    home = Project(tmp_path / "home")
    assert home.recordings("mine") == home.datasets / "mine"
    outside = tmp_path / "Meine Aufnahmen (2)"
    outside.mkdir()
    name = home.register(outside)
    assert name == "Meine_Aufnahmen_2"
    assert home.recordings(name) == outside
    assert home.register(outside) == name
    assert list(outside.iterdir()) == []


def test_a_name_stands_for_one_folder(tmp_path):
    home = Project(tmp_path)
    for place in ("a", "b"):
        (tmp_path / place / "set").mkdir(parents=True)
    home.register(tmp_path / "a" / "set")
    with pytest.raises(ValueError, match="already stands for"):
        home.register(tmp_path / "b" / "set")
    assert home.register(tmp_path / "b" / "set", "other") == "other"


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", " a", "a\n"])
def test_names_cannot_leave_the_project(tmp_path, name):
    with pytest.raises(ValueError, match="dataset="):
        Project(tmp_path).dataset(name)


def test_missing_things_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="01_metadata"):
        Project(tmp_path).metadata("nothing")
    with pytest.raises(ValueError, match="is not a folder"):
        Project(tmp_path).register(tmp_path / "nowhere")


def test_metadata_is_read_back(tmp_path):
    home = Project(tmp_path)
    home.dataset("x").mkdir(parents=True)
    table = pd.DataFrame({"path": ["a.wav"], "label": [None]})
    table.to_parquet(home.dataset("x") / "metadata.parquet")
    assert home.metadata("x")["path"].tolist() == ["a.wav"]


def test_versions_name_the_libraries_that_decide():
    assert {"python", "numpy", "librosa", "scikit-learn", "torch", "audioclust"} <= set(versions())
