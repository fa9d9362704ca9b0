"""Code of one's own, known in every process."""

import os
import sys

import pytest

from audioclust import clustering, plugins

PLUGIN = """
from audioclust import clustering

clustering.register("plugged_birch", "sklearn.cluster:Birch", title="Birch")
"""


def test_a_file_registers_what_it_holds_once(tmp_path):
    (tmp_path / "mine.py").write_text(PLUGIN)
    plugins.load(["mine.py"], tmp_path)
    assert clustering.entry("plugged_birch").title == "Birch"
    assert str(tmp_path / "mine.py") in plugins.loaded()
    before = len(sys.modules)
    plugins.load([str(tmp_path / "mine.py")])
    assert len(sys.modules) == before


def test_a_module_is_imported(tmp_path, monkeypatch):
    (tmp_path / "plugged_module.py").write_text("answer = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "plugged_module" in plugins.load(["plugged_module"])


@pytest.mark.parametrize("name", ["nowhere.py", "no_such_module_here"])
def test_what_is_not_there_is_named(tmp_path, name):
    with pytest.raises(ValueError, match=name):
        plugins.load([name], tmp_path)


def test_an_error_in_the_plugin_is_its_own(tmp_path):
    (tmp_path / "broken.py").write_text("import a_module_that_is_missing\n")
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_missing"):
        plugins.load(["broken.py"], tmp_path)
    (tmp_path / "broken.py").write_text("answer = 42\n")
    plugins.load(["broken.py"], tmp_path)


def test_a_file_is_read_as_it_is_now(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    mine = tmp_path / "mine.py"
    for answer in (1, 2):
        mine.write_text(f"answer = {answer}\n")
        os.utime(mine, (1e9, 1e9))  # within one second, and of one size
        monkeypatch.setattr(plugins, "_LOADED", {})
        plugins.load([str(mine)])
        assert plugins._LOADED[str(mine)].answer == answer
    assert list(tmp_path.iterdir()) == [mine]
