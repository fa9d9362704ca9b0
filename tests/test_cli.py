"""The command line, without the notebooks that it starts."""

import os
import subprocess
import sys

import pandas as pd
import pytest

from audioclust import cli, files, runs
from audioclust.runs.display import Display


def call(*arguments, **options):
    return cli.app([str(argument) for argument in arguments], standalone_mode=False, **options)


def test_run_and_sweep_alone_list_what_there_is(tmp_path, capsys):
    call("run", "--project", tmp_path)
    assert "04_classical_clustering" in capsys.readouterr().out
    call("sweep", "--project", tmp_path)
    out = capsys.readouterr().out
    assert all(name in out for name in runs.Sweep.shipped())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "04", "-p", "dataset={"], "'dataset={' is not YAML"),
        (["run", "04", "-p", "project=x"], "project: no parameter to set"),
        (["run", "04", "-p", "resume=true"], "resume: no parameter to set"),
        (["run", "04", "-p", "dataset=nowhere"], "dataset='nowhere': the project has none"),
        (["run", "04", "-p", "dataset=x", "--data", "."], "leave -p dataset"),
        (["run", "04", "--jobs", "0"], "jobs=0"),
        (["forget", "nothing"], "there is no run"),
        (["report", "--dataset", "x"], "there are runs of none"),
    ],
)
def test_mistakes_are_named_and_leave_nothing(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        call(*arguments, "--project", tmp_path)
    assert not any(tmp_path.iterdir())


def test_notebooks_are_copied_and_never_overwritten(tmp_path, capsys):
    call("notebooks", tmp_path / "mine")
    copied = sorted((tmp_path / "mine").glob("*.ipynb"))
    assert len(copied) == len(capsys.readouterr().out.splitlines()) >= 8
    copied[0].write_text("changed")
    with pytest.raises(ValueError, match=copied[0].name):
        call("notebooks", tmp_path / "mine")
    assert copied[0].read_text() == "changed"


def write_run(home, dataset):
    entry = {"feature": "mfcc", "vectors": "mean", "algorithm": "kmeans", "params": {}, "seed": 0, "label": "label"}
    entry |= {"k": 2, "seconds": 0.1, "scores": {"nmi": 0.5}, "nuisance": {}, "warnings": [], "error": None}
    document = {"dataset": dataset, "run": "r", "notebook": "04", "status": "complete", "parameters": {}, "error": None}
    files.write_json(home / "results" / dataset / "r" / "run.json", {**document, "clusterings": [entry]})


@pytest.mark.skipif(os.name != "posix", reason="pipes as on POSIX")
def test_report_writes_its_tables_though_nobody_reads_on(tmp_path):
    write_run(tmp_path, "birds")
    write_run(tmp_path, "frogs")
    program = [sys.executable, "-m", "audioclust.cli", "report", "--project", str(tmp_path)]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()  # as head does when it has its line
    assert process.wait(120) == 0, process.stderr.read()
    assert process.stderr.read() == b""
    assert (tmp_path / "results" / "tables" / "comparison.md").exists()


def test_runs_that_failed_as_a_whole_make_no_tables(tmp_path):
    document = {"dataset": "d", "run": "r", "notebook": "03", "status": "failed", "parameters": {}, "error": "no sound"}
    files.write_json(tmp_path / "results" / "d" / "r" / "run.json", {**document, "clusterings": []})
    with pytest.raises(ValueError, match="no runs yet that cluster"):
        call("report", "--project", tmp_path)


def test_report_of_one_dataset_stands_beside_that_of_all(tmp_path, capsys):
    write_run(tmp_path, "birds")
    write_run(tmp_path, "frogs")
    call("report", "--project", tmp_path, "--dataset", "frogs")
    assert "birds" not in capsys.readouterr().out
    assert "birds" not in (tmp_path / "results" / "tables" / "frogs" / "full.md").read_text()
    assert not (tmp_path / "results" / "tables" / "full.md").exists()


def test_what_cannot_be_used_is_counted_with_reasons():
    problems = [None, "no samples", "no samples", "not a sound file", None, "cut short", "too loud"]
    told = runs.usable(pd.DataFrame({"problem": problems}))
    assert told.startswith("2 recordings usable, 5 not: no samples (2); ")
    assert told.endswith("and 1 for other reasons")


def test_progress_is_plain_lines_where_nobody_watches(monkeypatch, capsys):
    monkeypatch.delenv("AUDIOCLUST_QUIET")
    monkeypatch.setattr("audioclust.runs.display._PLAIN", 0.0)
    with Display() as display:
        display.say("birds: 4 runs")
        display.state("birds", 1, 4, ["mfcc mean, 3 s"], since=0.0)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines()[0] == "birds: 4 runs"
    assert "birds: 1 of 4 done" in told.err
    assert told.err.rstrip().endswith("running: mfcc mean, 3 s")
    assert "\r" not in told.err
