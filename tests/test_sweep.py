"""A sweep goes on past what fails, resumes what was killed, and is what the command line says it is."""

import itertools
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import yaml

from audioclust import cli, datasets, files, runs
from audioclust.project import Project

BOMB = "\n".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]" for a, b in itertools.pairwise("abcdefghi"))
HUGE = ", ".join(f"{name}: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]" for name in "abcde")
PLAN = {
    "name": "tiny",
    "datasets": [{"name": "synthetic", "labels": ["speaker"]}],
    "prepare": [{"notebook": "01_metadata"}, {"notebook": "03_features", "parameters": {"features": ["mfcc"]}}],
    "compare": [
        {
            "notebook": "04_classical_clustering",
            "parameters": {"algorithms": ["kmeans"], "seeds": [0], "figures": False},
            "matrix": {"vectors": ["mean", "mean_std"]},
        }
    ],
}


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Project:
    project = Project(tmp_path_factory.mktemp("sweep"))
    datasets.fetch("synthetic", project, speakers=3, words=2, takes=3)
    return project


@pytest.fixture
def command(monkeypatch, capsys):
    """The command line in this process: its exit code, what it writes to standard output and to standard error."""

    def call(home, *arguments):
        monkeypatch.setattr(sys, "argv", ["audioclust", *arguments, "--project", str(home.root)])
        monkeypatch.setattr(signal, "signal", lambda *_: None)  # those of the process that runs the tests stay
        capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        return code, *capsys.readouterr()

    return call


def test_killed_and_resumed_on_the_command_line(home, tmp_path, command):
    plan = tmp_path / "tiny.yaml"
    plan.write_text(yaml.safe_dump(PLAN))
    call = [sys.executable, "-m", "audioclust.cli", "sweep", str(plan), "--project", str(home.root), "--jobs", "1"]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    folder = home.results / "synthetic"
    for _ in range(6000):
        if list(folder.glob("04*/run.json")) or process.poll() is not None:
            break
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    complete = {path: path.stat().st_mtime_ns for path in folder.glob("04*/run.json")}
    assert complete
    assert all((path.parent / "notebook.ipynb").exists() for path in complete)  # the record is the last to come
    code, told, errors = command(home, "sweep", str(plan), "--jobs", "1")
    assert code == 0, errors
    prepared = 2  # notebooks that had nothing to do any more
    assert f"{2 - len(complete)} done, {prepared + len(complete)} kept, 0 failed" in told
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in complete.items())
    assert "mfcc" in told.lower()
    assert (home.results / "tables" / "comparison.md").exists()


def test_a_failing_run_does_not_stop_the_rest(home, tmp_path, command):
    plan = {**PLAN, "name": "broken"}
    plan["prepare"] = []
    plan["compare"] = [
        {
            "notebook": "04_classical_clustering",
            "parameters": {"seeds": [1], "figures": False, "params": {"kmeans": {"n_clusters": 10_000}}},
            "matrix": {"algorithms": [["kmeans"], ["agglomerative"]]},
        }
    ]
    path = tmp_path / "broken.yaml"
    path.write_text(yaml.safe_dump(plan))
    code, told, errors = command(home, "sweep", str(path), "--jobs", "2")
    assert code == 1
    assert "1 done, 0 kept, 1 failed" in told
    assert "failed: synthetic/04_classical_clustering" in errors
    listed = pd.read_csv(home.results / "tables" / "sweep-broken.csv")
    assert sorted(listed["status"]) == ["done", "failed"]
    alone = runs.sweep(path, home, only_failed=True)
    assert alone["status"].tolist() == ["failed"]
    collected = runs.collect(home)
    assert collected.loc[collected["error"].notna(), "algorithm"].unique().tolist() == ["kmeans"]


def test_changed_recordings_make_runs_stale(home):
    (record, *_) = (home.results / "synthetic").glob("04*/run.json")
    from audioclust.runs.run import is_done

    document = files.read_json(record)
    assert is_done(record.parent, home, "synthetic") == (document["status"] == "complete")
    files.write_json(record, {**document, "data": "other"})
    assert not is_done(record.parent, home, "synthetic")
    files.write_json(record, document)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "is not YAML"),
        ("name: x\ncompare: [{notebok: a}]", "notebok"),
        ("datasets: []", "name"),
        ("name: x\ncompare: [{notebook: 04_classical_clustering, matrix: {feature: []}}]", "matrix.feature"),
        ("name: x\ncompare: [{notebook: 04_classical_clustering, parameters: {project: y}}]", "project cannot be set"),
        ("a: &a [x, x, x, x, x, x, x, x, x, x]\n" + BOMB, "aliases"),
        ("name: &a [*a]", "holds itself"),
        ("name: " + "[" * 5000, "nested too deeply"),
        ("#" * 200_000, "characters"),
        (f"name: x\ncompare: [{{notebook: a, matrix: {{{HUGE}}}}}]", "more than 10000"),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        runs.Sweep.read(path)


def test_a_bad_parameter_stops_before_anything_runs(home):
    bad = {**PLAN, "compare": [{"notebook": "04_classical_clustering", "matrix": {"feature": ["mfcc", "mfc"]}}]}
    with pytest.raises(ValueError, match="mfc"):
        runs.sweep(runs.Sweep.model_validate(bad), home)


def test_a_typo_is_named_before_anything_runs_and_leaves_nothing(home):
    before = set(home.root.rglob("*"))
    for step, message in (
        ({"notebook": "04_classical_clustering", "matrix": {"featur": ["mfcc"]}}, "no parameter featur; it has"),
        ({"notebook": "04_classical"}, "04_classical_clustering"),
    ):
        with pytest.raises(ValueError, match=message):
            runs.sweep(runs.Sweep.model_validate({**PLAN, "compare": [*PLAN["compare"], step]}), home)
    nowhere = {**PLAN, "datasets": [*PLAN["datasets"], {"name": "nowhere"}]}
    with pytest.raises(ValueError, match=r"dataset='nowhere': the project has synthetic; the catalogue has .*esc10"):
        runs.sweep(runs.Sweep.model_validate(nowhere), home)
    assert set(home.root.rglob("*")) == before


def test_networks_are_left_out_unless_asked_for(home, monkeypatch, capsys):
    monkeypatch.delenv("AUDIOCLUST_QUIET")
    step = {"notebook": "05_autoencoder_dcec", "networks": True, "matrix": {"feature": ["mel", "mfcc"]}}
    plan = runs.Sweep.model_validate({**PLAN, "prepare": [], "compare": [step]})
    assert runs.sweep(plan, home).empty
    assert "left out: 05_autoencoder_dcec (2 runs that train networks; --networks" in capsys.readouterr().err


def test_shipped_sweeps_are_valid():
    for name in ("thesis", "demo", "speakers", "uvectors", "camsat"):
        plan = runs.Sweep.read(name)
        assert plan.tasks(plan.datasets[0], plan.compare)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "04_classical_clustering", "-p", "feture=mel"], 2, "no parameter feture"),
        (["run", "04_classical_clustering", "-p", "feature"], 2, "NAME=VALUE"),
        (["run", "44_nothing"], 2, "44_nothing"),
        (["sweep", "nothing"], 2, "nothing"),
        (["fetch", "nothing"], 2, "nothing"),
    ],
)
def test_mistakes_on_the_command_line_are_one_line(home, arguments, code, message, command):
    ended, _, errors = command(home, *arguments)
    assert ended == code
    assert message in errors
    assert len(errors.splitlines()) == 1


def test_report_without_runs_says_what_to_do(tmp_path, command):
    code, _, errors = command(Project(tmp_path), "report")
    assert code == 2
    assert "holds no runs yet that cluster" in errors


def test_a_folder_of_ones_own(home, tmp_path, command):
    source = home.recordings("synthetic")
    plan = tmp_path / "tiny.yaml"
    plan.write_text(yaml.safe_dump({**PLAN, "datasets": []}))
    mine = tmp_path / "my recordings"
    for path in sorted(source.rglob("*.wav")):
        target = mine / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    other = Project(tmp_path / "elsewhere")
    code, told, errors = command(other, "sweep", str(plan), "--data", str(mine), "--jobs", "2")
    assert code == 0, errors
    assert "my_recordings" in told
    assert len(list(mine.rglob("*"))) == 3 + 18


def test_the_thesis_trains_networks_only_when_asked():
    steps = runs.Sweep.read("thesis").compare
    assert {step.notebook for step in steps if step.networks} == {"05_autoencoder_dcec"}
    assert not any(step.networks for step in steps if step.notebook != "05_autoencoder_dcec")
