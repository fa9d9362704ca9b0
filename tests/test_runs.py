"""Kernels end with what started them and leave nothing; records are whole or not there; one process works on a run."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pytest

from audioclust import files, runs
from audioclust.project import Project
from audioclust.runs import forking
from audioclust.runs.kernel import Kernels, Stopped
from audioclust.runs.run import Task, _reason, find_notebook, is_done


@pytest.fixture(params=["forked", "direct"])
def started(request, monkeypatch):
    """Both ways in which a kernel starts."""
    if request.param == "direct":
        monkeypatch.setattr(forking, "server_for", lambda environment: None)
    return request.param


posix = pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX")

BUSY = """
import os, time, pathlib
from audioclust import parallel
def told(_):
    pathlib.Path(note + f".{os.getpid()}").touch()
    time.sleep(60)
list(parallel.map(told, range(2), jobs=2, chunk=1))
"""


def notebook(path: Path, source: str) -> Path:
    cells = [("parameters", "note = ''"), (None, source)]
    made = [
        {"cell_type": "code", "execution_count": None, "id": f"c{i}", "outputs": [], "source": text,
         "metadata": {"tags": [tag]} if tag else {}}
        for i, (tag, text) in enumerate(cells)
    ]  # fmt: skip
    spec = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    path.write_text(json.dumps({"cells": made, "metadata": spec, "nbformat": 4, "nbformat_minor": 5}))
    return path


def wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    assert condition()


@posix
@pytest.mark.usefixtures("started")
def test_a_kernel_that_the_system_ends_is_named_and_nothing_stays(tmp_path, monkeypatch):
    deep = tmp_path / ("long " * 20)  # too long for sockets: another place, or another way, is taken
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    source = notebook(tmp_path / "dies.ipynb", "import os; os.kill(os.getpid(), 9)")
    with Kernels() as kernels, pytest.raises(Exception) as raised:  # noqa: PT011  (nbclient's own)
        kernels.execute(source, tmp_path / "out" / "notebook.ipynb", {"note": ""})
    assert "the system ended the notebook's process" in _reason(raised.value)
    assert (tmp_path / "out" / "notebook.ipynb").exists()
    assert not list(deep.iterdir())
    assert not (tmp_path / "out" / ".running.ipynb").exists()


@posix
@pytest.mark.usefixtures("started")
def test_stop_ends_kernels_with_their_workers(tmp_path):
    source = notebook(tmp_path / "busy.ipynb", BUSY)
    caught = []

    def work(kernels):
        try:
            kernels.execute(source, tmp_path / "out" / "notebook.ipynb", {"note": str(tmp_path / "worker")})
        except Exception as error:
            caught.append(error)

    kernels = Kernels()
    thread = threading.Thread(target=work, args=(kernels,))
    thread.start()
    wait_for(lambda: len(list(tmp_path.glob("worker.*"))) == 2)
    assert kernels.progress(tmp_path / "out").endswith("0/2")
    kernels.stop()
    thread.join(30)
    assert isinstance(caught[0], Stopped)
    wait_for(lambda: not any(psutil.pid_exists(int(path.suffix[1:])) for path in tmp_path.glob("worker.*")), 5)
    assert not any((tmp_path / "out").iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux")
def test_forked_kernels_share_nothing_but_their_imports(tmp_path):
    told = "import json, os, random, numpy; state = [os.getpid(), os.getppid(), os.getsid(0), os.getcwd(),"
    told += " random.random(), numpy.random.random(), os.environ['NOTE']]; open(note, 'w').write(json.dumps(state))"
    source, states = notebook(tmp_path / "told.ipynb", told), []
    for number in range(2):
        with Kernels() as kernels:
            values = {"note": str(tmp_path / f"{number}.json")}
            kernels.execute(source, tmp_path / f"{number}" / "notebook.ipynb", values, {"NOTE": str(number)})
            states.append(json.loads((tmp_path / f"{number}.json").read_text()))
    pids, parents, sessions, folders, *drawn, notes = zip(*states, strict=True)
    assert pids[0] != pids[1]
    assert sessions == pids
    assert parents[0] == parents[1] != os.getpid()
    assert set(folders) == {str(tmp_path)}
    assert all(one != other for one, other in drawn)
    assert notes == ("0", "1")


def test_kernels_share_a_fork_server_where_imports_would_read_the_same():
    here = {"OMP_NUM_THREADS": "1", "PYTHONPATH": "here", "NOTE": "0"}
    assert forking._read_early(here) == forking._read_early(here | {"NOTE": "1"})
    for other in ({"OMP_NUM_THREADS": "2"}, {"PYTHONPATH": "there"}, {"MPLBACKEND": "agg"}):
        assert forking._read_early(here) != forking._read_early(here | other)


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux")
def test_a_fork_server_that_the_system_ends_is_replaced(tmp_path):
    code = "import os, time\nif note:\n    os.kill(os.getppid(), 9)\n    time.sleep(60)"
    source = notebook(tmp_path / "quick.ipynb", code)
    with Kernels() as kernels, pytest.raises(Exception, match="died"):
        kernels.execute(source, tmp_path / "out" / "notebook.ipynb", {"note": "end it"})
    with Kernels() as kernels:
        kernels.execute(source, tmp_path / "out" / "notebook.ipynb", {"note": ""})


@posix
@pytest.mark.parametrize("many", [False, True])
def test_nothing_outlives_a_killed_parent(tmp_path, monkeypatch, many):
    source = notebook(tmp_path / "busy.ipynb", BUSY)
    program = "import sys, pathlib; from audioclust.runs.kernel import Kernels; source, target, note = sys.argv[1:]; "
    program += f"Kernels(many={many}).__enter__()"
    program += ".execute(pathlib.Path(source), pathlib.Path(target), {'note': note})"
    place = Path(tempfile.mkdtemp(dir="/tmp"))
    call = [sys.executable, "-c", program, str(source), str(tmp_path / "out" / "notebook.ipynb"), str(tmp_path / "w")]
    process = subprocess.Popen(call, env=os.environ | {"TMPDIR": str(place)}, start_new_session=True)
    wait_for(lambda: len(list(tmp_path.glob("w.*"))) == 2, 180)
    started = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    assert len(started) >= 3
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: not any(alive(pid) for pid in started), 5)
    assert list(place.glob("audioclust-*"))  # it could not tidy up
    monkeypatch.setattr(files, "_NEW", -60.0)
    files._remove_unlocked(place)
    assert not list(place.glob("audioclust-*"))
    place.rmdir()


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_run_that_another_process_holds_is_left_alone(tmp_path):
    task = Task.of("04", Project(tmp_path), {"algorithms": ["kmeans"]})
    files.write_json(task.folder / "run.json", {"status": "complete"})
    with files.locked(task.folder.with_name(f".{task.folder.name}.lock")), pytest.raises(TimeoutError):
        task.execute(Kernels(), resume=False, patient=False)
    assert (task.folder / "run.json").exists()
    assert task.execute(Kernels(), resume=True) is False  # complete, and of the same (no) recordings


@pytest.mark.parametrize("content", [b"[]", b"\xff\xfe{", b'{"status": "compl', b'{"status": 1}', b"[" * 100_000])
def test_a_damaged_record_is_no_complete_run(tmp_path, content):
    (tmp_path / "run.json").write_bytes(content)
    assert not is_done(tmp_path, Project(tmp_path), "x")


def record(**changes):
    entry = {"feature": "mfcc", "vectors": "mean", "algorithm": "kmeans", "params": {}, "seed": 0, "label": "label"}
    entry |= {
        "k": 2,
        "seconds": 0.1,
        "scores": {"nmi": 0.5, "acc": None},
        "nuisance": {},
        "warnings": [],
        "error": None,
    }
    shared = {"dataset": "d", "run": "r", "notebook": "04", "status": "complete", "parameters": {}, "error": None}
    return {**shared, "clusterings": [entry | changes]}


def test_collect_names_damaged_records_and_leaves_them_out(tmp_path, caplog):
    bad = {
        "list": b"[]",
        "utf8": b"\xff\xfe",
        "text": json.dumps(record(scores={"nmi": "high"})).encode(),
        "name": json.dumps(record(algorithm=["kmeans"])).encode(),
        "half": json.dumps(record()).encode()[:-20],
    }
    for name, content in {**bad, "good": json.dumps(record()).encode()}.items():
        (tmp_path / "results" / "d" / name).mkdir(parents=True)
        (tmp_path / "results" / "d" / name / "run.json").write_bytes(content)
    collected = runs.collect(tmp_path)
    assert collected["nmi"].tolist() == [0.5]
    assert collected["acc"].isna().all()
    named = [message for message in caplog.messages if "is left out" in message]
    assert len(named) == len(bad)
    assert any("clusterings.0.scores.nmi" in message for message in named)


def test_notebooks_are_known_by_their_number(tmp_path):
    home = Project(tmp_path)
    assert find_notebook("04", home).stem == "04_classical_clustering"
    assert find_notebook("04_classical", home).stem == "04_classical_clustering"
    with pytest.raises(ValueError, match="may be"):
        find_notebook("0", home)
    with pytest.raises(FileNotFoundError, match="00_prepare"):
        find_notebook("99", home)
    (tmp_path / "notebooks").mkdir()
    mine = notebook(tmp_path / "notebooks" / "04_classical_clustering.ipynb", "1")
    assert find_notebook("04", home) == mine.resolve()


def test_forget_removes_one_run(tmp_path):
    for name in ("a/one", "a/two", "b/one"):
        (tmp_path / "results" / name).mkdir(parents=True)
        (tmp_path / "results" / name / "run.json").write_text("{}")
    with pytest.raises(ValueError, match="may be a/one, b/one"):
        runs.forget("one", tmp_path)
    with pytest.raises(ValueError, match="there is a/one"):
        runs.forget("../..", tmp_path)
    folder, count, size = runs.forget("b/one", tmp_path)
    assert (folder, count, size) == (tmp_path / "results" / "b" / "one", 1, 2)
    assert not folder.exists()
    assert (tmp_path / "results" / "a" / "one" / "run.json").exists()
