"""Workers and progress."""

import os

import pytest

from audioclust import parallel


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


@pytest.mark.parametrize(("jobs", "message"), [(0, "jobs=0"), ("two", "jobs='two'")])
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


def test_progress_is_silent_when_asked(capfd, monkeypatch):
    monkeypatch.setenv("AUDIOCLUST_QUIET", "1")
    assert list(parallel.progress(range(3), "counting")) == [0, 1, 2]
    assert capfd.readouterr().err == ""
