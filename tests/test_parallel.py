"""Workers and progress."""

import json
import os
import signal
import time
import weakref

import pytest
import threadpoolctl

from audioclust import cluster, parallel, plugins


def _square(x):
    return x * x


def _fail(x):
    raise ValueError(f"no {x}")


def _threads(_):
    return os.environ.get("OMP_NUM_THREADS")


@pytest.mark.parametrize("jobs", [1, 2, -1])
def test_results_come_in_order(jobs):
    assert list(parallel.map(_square, range(20), jobs=jobs)) == [x * x for x in range(20)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_a_worker_raises_is_raised(jobs):
    with pytest.raises(ValueError, match=r"no [12]"):  # two workers: whichever fails first
        list(parallel.map(_fail, [1, 2], jobs=jobs))


def test_workers_run_on_one_thread_each():
    assert set(parallel.map(_threads, range(4), jobs=2)) == {"1"}


@pytest.mark.parametrize(("jobs", "message"), [(0, "jobs=0"), ("two", "jobs='two'"), ("local:0", "local:")])
def test_bad_jobs_are_named(jobs, message):
    with pytest.raises(ValueError, match=message):
        parallel.worker_count(jobs)


def test_a_cluster_without_dask_says_what_to_install():
    pytest.importorskip("joblib")
    try:
        import distributed  # noqa: F401
    except ImportError:
        with pytest.raises(ImportError, match="cluster"):
            list(parallel.map(_square, range(3), jobs="tcp://127.0.0.1:1"))
    else:
        pytest.skip("Dask is installed")


def _end_once(path):
    """Kill this worker, but not twice for the same file."""
    if path.suffix == ".once" and not path.with_suffix(".seen").exists():
        path.with_suffix(".seen").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if path.suffix == ".always":
        os.kill(os.getpid(), signal.SIGKILL)
    return path.name


@pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX")
def test_a_worker_that_the_system_ends_costs_nothing(tmp_path):
    work = [tmp_path / name for name in ("a.ok", "b.once", "c.ok", "d.ok")]
    assert list(parallel.map(_end_once, work, jobs=2, chunk=1)) == [path.name for path in work]
    with pytest.raises(RuntimeError, match=r"ended a worker process.*b\.always"):
        list(parallel.map(_end_once, [tmp_path / "a.ok", tmp_path / "b.always"], jobs=2, chunk=1))


class _Item:
    """Something that can be counted as long as it lives in this process."""

    def __init__(self, number):
        self.number = number


def _number(item):
    return item.number


def _watched(count):
    """A sequence of items, what has been asked for, and what still lives of it."""
    asked, living = [], weakref.WeakSet()

    def make(place):
        item = _Item(place)
        asked.append(place)
        living.add(item)
        return item

    return parallel.OnDemand(count, make), asked, living


def test_items_on_demand_are_a_sequence():
    items = parallel.OnDemand(5, lambda place: 10 * place)
    assert list(items) == [0, 10, 20, 30, 40]
    assert items[-1] == 40
    assert list(items[1:4]) == list(items[-4:-1]) == [10, 20, 30]
    assert 30 in items
    with pytest.raises(IndexError):
        items[5]


def test_items_are_asked_for_when_they_are_sent_and_not_kept():
    items, asked, living = _watched(400)
    for done, number in enumerate(parallel.map(_number, items, jobs=2, chunk=1)):
        assert number == done
        assert len(living) <= len(asked) - done  # never one whose result has been given
    assert asked == list(range(400))
    assert not living


def test_results_do_not_pile_up_where_the_caller_is_slow(monkeypatch):
    monkeypatch.setattr(parallel, "AHEAD", 20)
    items, asked, _ = _watched(60)
    results = parallel.map(_number, items, jobs=2)
    assert next(results) == 0
    time.sleep(0.5)
    assert asked == list(range(20))
    assert list(results) == list(range(1, 60))
    assert asked == list(range(60))


def _known_plugins(_):
    return [name for name in plugins.loaded() if name.endswith("mine.py")]


def test_workers_know_the_plugins(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("VALUE = 1")
    plugins.load([str(path)])
    assert list(parallel.map(_known_plugins, range(2), jobs=2)) == [[str(path)]] * 2


def test_progress_is_written_where_a_headless_run_asks(tmp_path, monkeypatch):
    monkeypatch.setenv(parallel.PROGRESS_FILE, str(tmp_path / "progress"))
    steps = parallel.progress(range(3), "counting")
    next(steps)
    assert (tmp_path / "progress").read_text() == "counting 0/3"
    assert list(steps) == [1, 2]


@pytest.fixture(scope="module")
def scheduler():
    """The address of a scheduler with two workers, and its cluster."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=cluster.NO_DASHBOARD
    ) as started:
        yield started


def test_a_cluster(scheduler):
    address = scheduler.scheduler_address
    assert parallel.worker_count(address) == 2
    assert list(parallel.map(_square, range(20), jobs=address)) == [x * x for x in range(20)]
    with parallel.Workers(address) as workers:
        assert workers.executor().submit(_square, 3).result() == 9
        pools = list(workers.map(_pool_sizes, range(2), chunk=1))
        with parallel.Workers(address) as inner:
            assert inner._cluster is workers._cluster  # one connection
        with pytest.raises(ValueError, match="no 1"):
            list(workers.map(_fail, [1, 2], chunk=1))
    assert all(set(sizes) <= {1} for sizes in pools)
    assert not parallel.Workers._open


def test_the_scheduler_holds_few_tasks_at_once(scheduler, tmp_path):
    with parallel.Workers(scheduler.scheduler_address) as workers:
        results = workers.map(_touch, [tmp_path / str(i) for i in range(300)], chunk=1)
        assert next(results) == "0"
        time.sleep(1)
        assert len(list(tmp_path.iterdir())) <= 1 + 2 * cluster.WINDOW
        assert [next(results) for _ in range(20)] == [str(i) for i in range(1, 21)]
        results.close()  # whoever stops takes nothing, and what is under way is cancelled
        assert list(workers.map(_square, range(3))) == [0, 1, 4]


def test_a_cluster_asks_for_few_items_ahead(scheduler):
    items, asked, living = _watched(200)
    ahead = []
    for done, number in enumerate(parallel.map(_number, items, jobs=scheduler.scheduler_address, chunk=2)):
        assert number == done
        ahead.append(len(asked) - done)
    assert max(ahead) == 2 * 2 * cluster.WINDOW  # two workers, two items per task
    assert asked == list(range(200))
    assert not living


def _touch(path):
    path.touch()
    return path.name


@pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX")
def test_a_lost_worker_costs_nothing(scheduler, tmp_path):
    work = [tmp_path / name for name in ("a.ok", "b.once", "c.ok", "d.ok")]
    jobs = scheduler.scheduler_address
    assert list(parallel.map(_end_once, work, jobs=jobs, chunk=1)) == [path.name for path in work]
    with pytest.raises(RuntimeError, match=r"workers were lost.*b\.always"):
        list(parallel.map(_end_once, [tmp_path / "a.ok", tmp_path / "b.always"], jobs=jobs, chunk=1))


def test_a_scheduler_file_and_workers_of_this_machine(scheduler, tmp_path):
    (tmp_path / "scheduler.json").write_text(json.dumps(scheduler.scheduler.identity()))
    assert list(parallel.map(_square, range(3), jobs=str(tmp_path / "scheduler.json"))) == [0, 1, 4]
    with pytest.raises(OSError, match=r"none\.json"):
        list(parallel.map(_square, range(3), jobs=str(tmp_path / "none.json")))
    with parallel.Workers("local:2") as workers:
        assert workers.jobs.startswith("tcp://")
        assert workers.count == 2
        assert list(parallel.map(_square, range(5), jobs=workers.jobs)) == [0, 1, 4, 9, 16]


def test_a_worker_of_another_version_is_named(scheduler, monkeypatch):
    monkeypatch.setattr("audioclust.__version__", "0.0.0")
    with pytest.raises(RuntimeError, match=r"has audioclust .*, this process 0\.0\.0"):
        parallel.worker_count(scheduler.scheduler_address)


def test_a_scheduler_that_is_gone_is_named():
    distributed = pytest.importorskip("distributed")
    own = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=cluster.NO_DASHBOARD
    )
    with own, parallel.Workers(own.scheduler_address) as workers:
        results = workers.map(_square, range(100), chunk=1)
        next(results)
        own.close()
        with pytest.raises(ConnectionError, match="is gone; the same command"):
            list(results)


def test_no_workers_and_no_scheduler_are_named(monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "SECONDS", 1)
    empty = distributed.LocalCluster(n_workers=0, dashboard_address=cluster.NO_DASHBOARD)
    with empty, pytest.raises(OSError, match="no workers"):
        parallel.worker_count(empty.scheduler_address)
    with pytest.raises(OSError, match="no Dask scheduler answers"):
        parallel.worker_count("tcp://127.0.0.1:9")


def _pool_sizes(_):
    import numpy  # noqa: F401

    return [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]


def test_progress_is_silent_when_asked(capfd, monkeypatch):
    monkeypatch.setenv("AUDIOCLUST_QUIET", "1")
    assert list(parallel.progress(range(3), "counting")) == [0, 1, 2]
    assert capfd.readouterr().err == ""
