"""Where things lie."""

import subprocess
import sys
import threading
import time
from pathlib import PurePosixPath

import pandas as pd
import pytest

from audioclust import columns, files
from audioclust.installation import versions
from audioclust.project import Project, open_table, read_table


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


def test_a_project_is_found_from_any_folder_in_it(tmp_path, monkeypatch):
    inner = tmp_path / "study" / "notebooks"
    inner.mkdir(parents=True)
    assert Project.find(inner) == Project(tmp_path / "study")
    assert Project.find(tmp_path / "study") == Project(tmp_path / "study")
    for name in ("datasets", "results"):
        (tmp_path / name).mkdir()
    assert Project.find(inner) == Project(tmp_path)
    (tmp_path / "study" / "audioclust.yaml").touch()
    monkeypatch.chdir(inner)
    assert Project.find() == Project(tmp_path / "study")
    assert Project(Project.find()).root == tmp_path / "study"


def test_settings_are_checked(tmp_path):
    home = Project(tmp_path)
    assert home.settings() == {}
    for text, settings in (("", {}), ("plugins: [own.py, a.b]", {"plugins": ["own.py", "a.b"]})):
        (tmp_path / "audioclust.yaml").write_text(text)
        assert home.settings() == settings
    for text, message in (
        ("plugin: [own.py]", "holds plugin; only 'plugins'"), ("plugins: own.py", "plugins: give a list"),
        ("[a", "is not YAML"), ("- a", "holds no keys"),
    ):  # fmt: skip
        (tmp_path / "audioclust.yaml").write_text(text)
        with pytest.raises(ValueError, match=message):
            home.settings()


@pytest.mark.parametrize("left", ["downloads/.lock", "downloads/set.zip.part", ".writing-x/source.json"])
def test_a_name_that_stands_for_nothing_is_free(tmp_path, left):
    home, outside = Project(tmp_path / "home"), tmp_path / "set"
    outside.mkdir()
    (home.dataset("set") / left).parent.mkdir(parents=True)
    (home.dataset("set") / left).touch()
    assert home.recordings(home.register(outside)) == outside


def test_a_source_that_went_away_frees_its_name_unless_there_is_metadata(tmp_path):
    home = Project(tmp_path / "home")
    for place in ("a", "b"):
        (tmp_path / place / "set").mkdir(parents=True)
    home.register(tmp_path / "a" / "set")
    (tmp_path / "a" / "set").rmdir()
    (home.dataset("set") / "metadata.parquet").touch()
    with pytest.raises(ValueError, match=r"already stands for .*a.*or delete"):
        home.register(tmp_path / "b" / "set")
    (home.dataset("set") / "metadata.parquet").unlink()
    home.register(tmp_path / "b" / "set")
    assert home.recordings("set") == tmp_path / "b" / "set"


@pytest.mark.parametrize("text", ["{", "[]", '{"root": "relative"}', '{"root": "/a/../b"}', '{"root": 3}', "\xff"])
def test_a_damaged_source_is_named_and_can_be_left(tmp_path, text):
    home, outside = Project(tmp_path / "home"), tmp_path / "set"
    outside.mkdir()
    home.register(outside)
    (home.dataset("set") / "source.json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r"source.json does not name a folder"):
        home.recordings("set")
    home.register(outside)
    assert home.recordings("set") == outside


def test_a_project_inside_the_recordings_is_refused(tmp_path):
    for root in (tmp_path, tmp_path / "home", tmp_path / "home" / "datasets"):
        root.mkdir(exist_ok=True)
        with pytest.raises(ValueError, match="lies inside the recordings"):
            Project(tmp_path / "home").register(root, "all")


def test_several_processes_register_at_once(tmp_path):
    (tmp_path / "set").mkdir()
    code = "import sys; from audioclust.project import Project; print(Project(sys.argv[1]).register(sys.argv[2]))"
    command = [sys.executable, "-c", code, str(tmp_path / "home"), str(tmp_path / "set")]
    starts = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [start.communicate(timeout=60) for start in starts] == [("set\n", "")] * 4


def test_registering_is_one_step_for_others(tmp_path, monkeypatch):
    """Another process that comes in while the file is being written waits and agrees."""
    home = Project(tmp_path / "home")
    (tmp_path / "set").mkdir()
    write, names, threads = files.write_json, [], []

    def slow(path, value):
        if not threads:
            threads.append(threading.Thread(target=lambda: names.append(home.register(tmp_path / "set"))))
            threads[0].start()
            time.sleep(0.2)
        return write(path, value)

    monkeypatch.setattr(files, "write_json", slow)
    (home.dataset("set") / ".writing-x").mkdir(parents=True)
    assert home.register(tmp_path / "set") == "set"
    threads[0].join()
    assert names == ["set"]


def test_paths_of_a_table_stay_below_the_folder(tmp_path):
    home = Project(tmp_path)
    home.dataset("x").mkdir(parents=True)
    bad = ["../a.wav", "/etc/a.wav", "C:\\a.wav", "b\\..\\..\\a.wav", "", None, "b/../../a.wav"]
    for problem in ({}, {"problem": [None] * 9}):
        table = pd.DataFrame({"path": ["a.wav", "b..c/d.wav", *bad]} | problem)
        table.to_parquet(home.dataset("x") / "metadata.parquet")
        found = home.metadata("x")
        assert found["path"].tolist()[:2] == ["a.wav", "b..c/d.wav"]
        assert found["problem"].isna().tolist() == [True] * 2 + [False] * len(bad)
        assert "leaves the dataset's folder: '../a.wav'" in found["problem"][2]
        assert found["path"].map(files.is_below).all()
        assert found["path"].is_unique


def test_blocks_of_a_saved_table_are_what_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "BLOCK", 2)
    path = tmp_path / "metadata.parquet"
    for more in ({}, {"problem": ["a", None, None, "b", None]}):
        table = pd.DataFrame({"path": ["a", "../b", "c", "..", "e"], "n": range(5)} | more)
        columns.write(table, path)
        with open_table(path) as blocks:
            found = pd.concat(blocks.blocks(), ignore_index=True)
            paths = [path for (path,) in blocks.rows(["path"])]
        pd.testing.assert_frame_equal(found, read_table(path), check_dtype=False)
        assert paths == found["path"].tolist()


def test_what_is_below_a_folder():
    for path in ("a", "a.b/c d.wav", "é/..a", ".a", "a/.b", "..", "a/..", ".", "./", "/a", "a//b", "a/"):
        parts = PurePosixPath(path).parts
        assert files.is_below(path) == (bool(parts) and parts[0] != "/" and ".." not in parts), path
        assert not files.is_below(f"C:{path}")
        assert not files.is_below(f"..\\{path}")


def test_a_damaged_table_is_named(tmp_path):
    home = Project(tmp_path)
    path = home.dataset("x") / "metadata.parquet"
    path.parent.mkdir(parents=True)
    pd.DataFrame({"path": ["a.wav"]}).to_parquet(path)
    whole = path.read_bytes()
    pd.DataFrame({"name": ["a.wav"]}).to_parquet(path)
    for content in (b"", whole[:-20], b"PAR1" + whole[9:], path.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"metadata.parquet .*delete it and scan"):
            home.metadata("x")


def test_settings_whose_aliases_multiply_are_refused(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    (tmp_path / "audioclust.yaml").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"audioclust\.yaml: holds more than"):
        Project(tmp_path).settings()
