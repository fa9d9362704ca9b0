"""The same work on a Dask cluster: the same files as here, also when a worker is killed in the middle of it."""

import os
import signal
import threading
import time
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from audioclust import cluster, clustering, datasets, embeddings, features, files, parallel, runs
from audioclust.project import Project

dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX")


@pytest.fixture(scope="module")
def scheduler():
    """A scheduler with two workers; killed ones come back, however busy the machine is."""
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "300s", "distributed.comm.timeouts.tcp": "300s"}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=cluster.NO_DASHBOARD
        ) as started,
    ):
        yield started


@pytest.fixture
def address(scheduler):
    scheduler.wait_for_workers(2)
    return scheduler.scheduler_address


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Project:
    project = Project(tmp_path_factory.mktemp("cluster"))
    datasets.fetch("synthetic", project, speakers=3, words=2, takes=3)
    return project


def _killed_once(function, mark, item, *arrays):
    """Call a function; the worker that calls it first is killed when it is done, before anyone hears of it."""
    result = function(item, *arrays)
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return result
    os.kill(os.getpid(), signal.SIGKILL)
    return result


@pytest.fixture
def killing(monkeypatch, tmp_path):
    """Kill one worker in the middle of whatever a cluster is given; the file that it leaves."""
    plain, mark = cluster.Cluster.map, tmp_path / "killed"
    monkeypatch.setattr(
        cluster.Cluster,
        "map",
        lambda self, function, items, **options: plain(self, partial(_killed_once, function, mark), items, **options),
    )
    return mark


def test_extraction(address, home, tmp_path, killing, monkeypatch):
    monkeypatch.setattr("audioclust.features.extraction._SHARD", 5)
    metadata, root = home.metadata("synthetic"), home.recordings("synthetic")
    here, there = tmp_path / "here", tmp_path / "there"
    features.extract(metadata, root, here, ["mfcc"], jobs=1)
    features.extract(metadata, root, there, ["mfcc"], jobs=address)
    assert killing.exists()
    for name in ("vectors.parquet", "images.npy", "params.json"):
        (one,), (other,) = here.rglob(name), there.rglob(name)
        assert one.read_bytes() == other.read_bytes()
    assert not list(there.rglob("shards/*.npy"))


def test_embedding(address, home, tmp_path, killing, monkeypatch):
    monkeypatch.setattr("audioclust.embeddings.vectors.BLOCK_FILES", 6)
    metadata, root = home.metadata("synthetic"), home.recordings("synthetic")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as workers have
    here = embeddings.extract(metadata, root, tmp_path / "here", jobs=1)
    torch.set_num_threads(threads)
    there = embeddings.extract(metadata, root, tmp_path / "there", jobs=address)
    assert killing.exists()
    np.testing.assert_array_equal(here.vectors()[0], there.vectors()[0])
    assert pd.read_parquet(there.folder / "rows.parquet")["sha256"].is_unique
    assert not list((there.folder / "shards").glob("*"))


@pytest.mark.parametrize(("name", "settings"), [("partial_sets", {"partial_set_size": 100}), ("levels", {})])
def test_clustering(address, name, settings, killing, monkeypatch):
    monkeypatch.setattr("audioclust.clustering.ladder.ALONE", 0)
    rng = np.random.default_rng(0)
    X = np.repeat(rng.standard_normal((5, 32)), 60, axis=0) + 0.4 * rng.standard_normal((300, 32))
    here = clustering.make(name, **settings).fit(X)
    there = clustering.make(name, jobs=address, **settings).fit(X)
    assert killing.exists()
    np.testing.assert_array_equal(here.labels_, there.labels_)


def test_a_sweep(address, home, monkeypatch):
    """One worker is killed with its notebook; the run is done again by another, and each stands there once."""
    step = {"notebook": "04_classical_clustering", "matrix": {"vectors": ["mean", "mean_std"]}}
    step["parameters"] = {"algorithms": ["kmeans"], "k": 3, "seeds": [0], "figures": False, "labels": ["speaker"]}
    plan = runs.Sweep.model_validate({"name": "two", "datasets": [{"name": "synthetic"}], "compare": [step]})
    folder = home.results / "synthetic"
    victims = threading.Thread(target=_kill_the_first, args=(address, folder))
    victims.start()
    outcome = runs.sweep(plan, home, address)
    victims.join()
    assert outcome["status"].tolist() == ["done", "done"], outcome.to_string()
    listed = pd.read_csv(home.results / "tables" / "sweep-two.csv")
    assert sorted(listed["run"]) == sorted(path.parent.name for path in folder.glob("*/run.json"))
    there = {path.parent: pd.read_parquet(path) for path in sorted(folder.glob("*/labels.parquet"))}
    assert runs.sweep(plan, home, address)["status"].tolist() == ["kept", "kept"]
    first = next(iter(there))
    record = files.read_json(first / "run.json")
    assert runs.run(record["notebook"], home, **record["parameters"]) == first
    pd.testing.assert_frame_equal(pd.read_parquet(first / "labels.parquet"), there[first])


def _kill_the_first(address, folder):
    """Kill a worker of the cluster as soon as it executes a notebook."""
    while not (begun := list(folder.glob("*/.running.ipynb"))):
        time.sleep(0.05)
    assert begun
    with distributed.Client(address, set_as_default=False) as client:
        busy = [worker for worker, tasks in client.processing().items() if tasks]
        pids = client.run(os.getpid, workers=busy[:1])
    os.kill(next(iter(pids.values())), signal.SIGKILL)


def _wait_for_the_end(mark):
    with cluster.when_withdrawn(mark.with_suffix(".withdrawn").touch):
        mark.touch()
        for _ in range(600):
            if mark.with_suffix(".withdrawn").exists():
                return True
            time.sleep(0.1)
    return False


def test_a_task_that_nobody_waits_for_is_told(address, tmp_path):
    with parallel.Workers(address) as workers:
        future = workers.executor().submit(_wait_for_the_end, tmp_path / "a")
        while not (tmp_path / "a").exists():
            time.sleep(0.05)
        future.cancel()
    for _ in range(100):
        if (tmp_path / "a.withdrawn").exists():
            break
        time.sleep(0.1)
    assert (tmp_path / "a.withdrawn").exists()


def test_arrays_lie_in_a_file_until_the_end(address, tmp_path, monkeypatch):
    monkeypatch.setenv(parallel.SCRATCH, str(tmp_path))
    with parallel.Workers(address) as workers:
        array = np.arange(6.0).reshape(2, 3)
        assert list(workers.map(_row, range(2), arrays=[array])) == [3.0, 12.0]
        assert list(workers.map(_row, range(2), arrays=[array])) == [3.0, 12.0]
        assert len(list(tmp_path.rglob("*.npy"))) == 1
    assert not list(tmp_path.iterdir())


def _row(i, array):
    return float(array[i].sum())


def test_a_sweep_whose_scheduler_is_lost_says_so(home):
    own = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=cluster.NO_DASHBOARD
    )
    step = {"notebook": "04_classical_clustering", "matrix": {"vectors": ["mean"]}}
    step["parameters"] = {"algorithms": ["kmeans"], "k": 2, "seeds": [1], "figures": False, "labels": ["speaker"]}
    plan = runs.Sweep.model_validate({"name": "lost", "datasets": [{"name": "synthetic"}], "compare": [step]})
    threading.Timer(3, own.close).start()
    with pytest.raises(ConnectionError, match="is gone; the same command"):
        runs.sweep(plan, home, own.scheduler_address)
