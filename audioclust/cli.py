"""The command line: ``audioclust group | similar | fetch | run | sweep | report | forget | notebooks | demo``.

Results go to standard output, progress and messages to standard error. The exit code is 1 when something failed, 2
when what was asked for cannot be done, 130 when it was stopped.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from audioclust import files
from audioclust.project import Project

app = typer.Typer(
    help="Group recordings without labels, and compare every way of doing so.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_connections = ExitStack()  # to clusters, until the command ends

ProjectOption = Annotated[Path, typer.Option("--project", help="Folder with datasets/ features/ results/.")]
JobsOption = Annotated[
    str,
    typer.Option("--jobs", help="Worker processes, -1 for every core; or a cluster: tcp://host:8786, scheduler.json."),
]
NetworksOption = Annotated[bool, typer.Option("--networks", help="Train networks, too; they take most of the time.")]


@app.command()
def group(
    folder: Annotated[Path, typer.Argument(help="Recordings, in sub-folders or not; nothing is written there.")],
    kind: Annotated[str, typer.Option(help="voices (who speaks), sounds (how it sounds), or auto.")] = "auto",
    groups: Annotated[int | None, typer.Option(help="How many; by default as many as there are.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the answer goes; by default FOLDER-groups, here.")] = None,
    sort: Annotated[Path | None, typer.Option(help="Fill this folder with a folder per group.")] = None,
    link: Annotated[bool, typer.Option("--link/--copy", help="What those hold: links, or copies.")] = True,
    corrections: Annotated[list[Path] | None, typer.Option(help="What a listening page saved, once or more.")] = None,
    jobs: JobsOption = "-1",
) -> None:
    """Group the recordings in a folder: how many groups, who is in which, how sure; with a page to listen to."""
    from audioclust import grouping
    from audioclust.curation.folders import sort_into_folders

    found = grouping.grouped(folder, kind, groups, out, corrections=corrections or None, jobs=_jobs(jobs))
    _tell((found.out / "summary.txt").read_text(encoding="utf-8").rstrip("\n"))
    for name in ("groups.csv", "listen.html", "figures"):
        _tell(f"{name:12}{found.out / name}")
    if sort is not None:
        table = found.table
        sort_into_folders(table["path"].tolist(), table["group"], found.source, sort, link=link)
        _tell(f"{'sorted':12}{sort.resolve()}")


@app.command()
def similar(
    file: Annotated[Path, typer.Argument(help="A recording, in the folder or not.")],
    folder: Annotated[Path | None, typer.Option("--in", help="Recordings; by default those around the file.")] = None,
    number: Annotated[int, typer.Option("-n", "--number", help="How many to list.")] = 10,
    kind: Annotated[str, typer.Option(help="voices, sounds, or auto.")] = "auto",
    out: Annotated[Path | None, typer.Option(help="The folder that group wrote its answer to.")] = None,
    jobs: JobsOption = "-1",
) -> None:
    """List the recordings that are most similar to one, in a folder that has been grouped or now is."""
    from audioclust import grouping

    table = grouping.similar(file, folder, number, kind=kind, out=out, jobs=_jobs(jobs))
    _tell(table[["similarity", "group", "path"]].to_string(index=False, float_format="{:.3f}".format))


@app.command()
def fetch(
    name: Annotated[str | None, typer.Argument(help="A dataset of the catalogue; none lists them.")] = None,
    project: ProjectOption = Path(),
    offline: Annotated[bool, typer.Option(help="Use only what is already here.")] = False,
) -> None:
    """Download a dataset of the catalogue, prepare and scan it."""
    from audioclust import datasets, runs

    if name is None:
        table = datasets.catalogue()
        shown = table[["title", "recordings", "size", "licence"]].rename(columns={"size": "GB"}).reset_index()
        _tell(shown.to_string(index=False, float_format="{:.2f}".format))
        return
    metadata = datasets.fetch(name, Project(project), offline=offline or None)
    _tell(f"{name}: {runs.usable(metadata)}; in {Project(project).recordings(name)}")


@app.command()
def run(
    notebook: Annotated[str | None, typer.Argument(help="Such as 04_classical_clustering, or 04; none lists.")] = None,
    parameter: Annotated[list[str] | None, typer.Option("-p", "--parameter", help="NAME=VALUE, in YAML.")] = None,
    data: Annotated[Path | None, typer.Option(help="A folder of recordings, used where it lies.")] = None,
    project: ProjectOption = Path(),
    jobs: JobsOption = "-1",
    resume: Annotated[bool, typer.Option(help="Keep the run if it is complete.")] = False,
) -> None:
    """Execute one notebook headless, after what it needs, and print its run folder."""
    from audioclust import runs

    home = Project(project)
    if notebook is None:
        _list(_notebooks(home), "audioclust run NAME runs one; the number is enough")
        return
    parameters = {"jobs": _jobs(jobs)} | dict(_assignment(text) for text in parameter or [])
    task = runs.Task.of(notebook, home, parameters)
    if data is not None:
        if "dataset" in parameters:
            raise ValueError("--data names the dataset already; leave -p dataset=... out")
        task = runs.Task.of(notebook, home, parameters | {"dataset": home.register(data)})
    _run(runs.needed(task), resume=False)
    _run([task], resume=resume)
    if (home.dataset(task.checked.dataset) / "metadata.parquet").exists():
        typer.echo(f"{task.checked.dataset}: {runs.usable(home.metadata(task.checked.dataset))}", err=True)
    _tell(str(task.folder))


@app.command()
def sweep(
    file: Annotated[str | None, typer.Argument(help="A sweep's YAML file, or the name of one: thesis.")] = None,
    data: Annotated[list[Path] | None, typer.Option(help="A folder of recordings, used where it lies.")] = None,
    dataset: Annotated[list[str] | None, typer.Option(help="A dataset of the project, instead of the file's.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="Label columns to score against.")] = None,
    project: ProjectOption = Path(),
    jobs: JobsOption = "-1",
    networks: NetworksOption = False,
    again: Annotated[bool, typer.Option("--again", help="Run what is complete once more.")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="Run only what failed the last time.")] = False,
) -> None:
    """Run a comparison on datasets or folders, in parallel; then write the tables."""
    from audioclust import runs

    home = Project(project)
    if file is None and not (data or dataset):
        plans = [runs.Sweep.read(name) for name in runs.Sweep.shipped()]
        _list({plan.name: plan.description for plan in plans}, "audioclust sweep NAME --data FOLDER runs one")
        return
    plan = runs.Sweep.read(file or "thesis")
    names = [*(home.register(folder) for folder in data or []), *(dataset or [])]
    known = {entry.name: entry for entry in plan.datasets}
    chosen = [known.get(name) or runs.Dataset(name=name) for name in names] or plan.datasets
    if label:
        chosen = [entry.model_copy(update={"labels": label}) for entry in chosen]
    _compare(plan, home, _jobs(jobs), datasets=chosen, resume=not again, networks=networks, only_failed=failed)


@app.command()
def report(
    project: ProjectOption = Path(),
    dataset: Annotated[list[str] | None, typer.Option(help="Only this dataset, in a folder of its own.")] = None,
) -> None:
    """Write the tables of everything that ran, as Markdown, LaTeX, CSV and HTML."""
    _write_tables(Project(project), dataset)


@app.command()
def forget(
    run: Annotated[list[str], typer.Argument(help="Names of runs, DATASET/RUN, or their folders.")],
    project: ProjectOption = Path(),
) -> None:
    """Remove runs: their folders, with all that is in them. Recordings and features stay."""
    from audioclust import runs

    for name in run:
        folder, count, size = runs.forget(name, Project(project))
        _tell(f"removed {folder} ({count} files, {size / 1e6:.1f} MB)")


@app.command()
def notebooks(folder: Annotated[Path, typer.Argument(help="Where to; PROJECT/notebooks is found by run.")]) -> None:
    """Copy the notebooks out, to read and to edit."""
    from audioclust.installation import shipped

    sources = sorted(shipped("notebooks").glob("*.ipynb"))
    taken = [source.name for source in sources if (folder / source.name).exists()]
    if taken:
        raise ValueError(f"{folder} holds {', '.join(taken)} already; name another folder, or move these")
    folder.mkdir(parents=True, exist_ok=True)
    for source in sources:
        shutil.copyfile(source, folder / source.name)
        _tell(str(folder / source.name))


@app.command()
def demo(project: ProjectOption = Path(), jobs: JobsOption = "-1") -> None:
    """Group the embedded recordings, as group does; then compare a few methods, as sweep does, in tables."""
    from audioclust import datasets, runs

    home = Project(project)
    datasets.fetch("synthetic", home)
    folder = home.recordings("synthetic")
    typer.echo(f"audioclust group {folder}", err=True)
    group(folder, out=home.root / "synthetic-groups", jobs=jobs)
    typer.echo("\naudioclust sweep demo", err=True)
    plan = runs.Sweep.read("demo")
    _compare(plan, home, _jobs(jobs), datasets=plan.datasets)


@app.command()
def show_versions() -> None:
    """Print the versions of the package and of what it stands on, to report a fault with."""
    import audioclust

    audioclust.show_versions()


class _Stopped(BaseException):
    """The user or the system asked this program to stop."""


def main() -> None:
    """Run the command line; what cannot be done is one line, not a traceback."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)
    try:
        with _connections:
            app()
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        typer.echo(f"audioclust: {error}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, _Stopped):
        typer.echo("\naudioclust: stopped; the same command goes on from here", err=True)
        sys.exit(130)


def _stop(number: int, frame: Any) -> None:
    signal.signal(number, signal.SIG_DFL)  # a second one ends at once
    raise _Stopped


def _compare(plan: Any, home: Project, jobs: int | str, *, exits: bool = True, **options: Any) -> int:
    """Run a sweep, write and show its tables; return how many runs failed."""
    from audioclust import runs

    outcome = runs.sweep(plan, home, jobs, **options)
    counts = outcome["status"].value_counts()
    failed = outcome[outcome["status"] == "failed"]
    if len(failed) and runs.collect(home)["algorithm"].isna().all():
        typer.echo("no tables: nothing could be clustered", err=True)
    else:
        _write_tables(home, unless_current=True)
    for name in outcome["dataset"].unique():
        if (home.dataset(name) / "metadata.parquet").exists():
            _tell(f"{name}: {runs.usable(home.metadata(name))}")
    _tell(", ".join(f"{counts.get(status, 0)} {status}" for status in ("done", "kept", "failed")))
    for row in failed.itertuples():
        typer.echo(f"failed: {row.dataset}/{row.run}: {row.error}", err=True)
    if exits and len(failed):
        raise typer.Exit(1)
    return len(failed)


def _write_tables(home: Project, datasets: list[str] | None = None, *, unless_current: bool = False) -> None:
    """Write the tables, then show the most important ones: whoever reads them may stop after a line.

    With `unless_current` those that are there are shown where no run has come or gone since.
    """
    from audioclust import runs
    from audioclust.installation import versions
    from audioclust.report import index, tables

    known_by = home.results / "tables" / "current.json"
    stamps = {str(path): path.stat().st_mtime_ns for path in sorted(home.results.glob("*/*/run.json"))}
    state = files.digest([stamps, versions().get("audioclust")])
    if unless_current and known_by.exists():
        before = files.read_json(known_by)
        if before["state"] == state and all(Path(path).exists() for path in before["written"]):
            _tell(before["shown"])
            return
    collected = runs.collect(home, agreement=True)
    folder = home.results / "tables"
    if datasets:
        known = sorted(collected["dataset"].unique())
        if unknown := [name for name in datasets if name not in known]:
            raise ValueError(f"--dataset {', '.join(unknown)}: there are runs of {', '.join(known) or 'none'}")
        collected = collected[collected["dataset"].isin(datasets)].reset_index(drop=True)
        folder = folder / "-".join(sorted(set(datasets)))
    if collected["algorithm"].isna().all():
        raise ValueError(f"{home.results} holds no runs yet that cluster: audioclust sweep, or audioclust demo")
    written = tables.write(collected, folder, results=home.results)
    if not datasets:
        written.insert(0, index(collected, home.results))
    compared = tables.comparison(collected)["comparison"]
    best = [table for table in compared if table.title.startswith(("Chosen", "Best", "Without labels"))]
    shown = "\n".join([*(table.to_markdown() for table in best), "tables:", *(f"  {path}" for path in written)])
    if not datasets:
        files.write_json(known_by, {"state": state, "written": written, "shown": shown})
    _tell(shown)


def _run(tasks: list[Any], *, resume: bool) -> None:
    from audioclust import runs

    for row in runs.run_tasks(tasks, resume=resume):
        if row["status"] == "failed":
            raise runs.NotebookFailed(row["error"])


def _notebooks(home: Project) -> dict[str, str]:
    """Return the first heading of each notebook that there is."""
    from audioclust import runs

    found = {}
    for name, path in runs.notebooks(home).items():
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        heading = "".join(cells[0]["source"]).partition("\n")[0] if cells else ""
        found[name] = heading.lstrip("# ").removeprefix(name[:3]).strip()
    return found


def _list(lines: dict[str, str], hint: str) -> None:
    width = max(map(len, lines), default=0)
    for name, text in lines.items():
        _tell(f"{name:{width}}  {text}")
    typer.echo(hint, err=True)


def _tell(text: str) -> None:
    """Write a result; when nobody reads any more, the work goes on all the same."""
    try:
        typer.echo(text)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _jobs(text: str) -> int | str:
    """Return what the option names; a cluster is connected to once, until the command ends."""
    from audioclust import parallel

    workers = parallel.Workers(int(text) if text.lstrip("-").isdigit() else text)
    return _connections.enter_context(workers).jobs


def _assignment(text: str) -> tuple[str, Any]:
    from audioclust.bounded_yaml import parse_yaml

    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"-p {text!r}: give NAME=VALUE")
    return name, parse_yaml(value, f"-p {text!r}")


if __name__ == "__main__":
    main()
