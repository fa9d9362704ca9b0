"""The command line: ``audioclust fetch | run | sweep | report | demo``.

Results go to standard output, progress and messages to standard error. The exit code is 1 when something failed, 2
when what was asked for cannot be done.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from audioclust.project import Project

app = typer.Typer(
    help="Group recordings without labels, and compare every way of doing so.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ProjectOption = Annotated[Path, typer.Option("--project", help="Folder with datasets/ features/ results/.")]
JobsOption = Annotated[str, typer.Option("--jobs", help="Worker processes, -1 for every core, or a Dask address.")]


@app.command()
def fetch(
    name: Annotated[str | None, typer.Argument(help="A dataset of the catalogue; none lists them.")] = None,
    project: ProjectOption = Path(),
    offline: Annotated[bool, typer.Option(help="Use only what is already here.")] = False,
) -> None:
    """Download a dataset of the catalogue, prepare and scan it."""
    from audioclust import datasets

    if name is None:
        table = datasets.catalogue()
        shown = table[["title", "recordings", "size", "licence"]].rename(columns={"size": "GB"}).reset_index()
        typer.echo(shown.to_string(index=False, float_format="{:.2f}".format))
        return
    metadata = datasets.fetch(name, Project(project), offline=offline or None)
    problems = int(metadata["problem"].notna().sum())
    typer.echo(f"{name}: {len(metadata)} recordings, {problems} with a problem, in {Project(project).recordings(name)}")


@app.command()
def run(
    notebook: Annotated[str, typer.Argument(help="Such as 04_classical_clustering.")],
    parameter: Annotated[list[str] | None, typer.Option("-p", "--parameter", help="NAME=VALUE, in YAML.")] = None,
    data: Annotated[Path | None, typer.Option(help="A folder of recordings, used where it lies.")] = None,
    project: ProjectOption = Path(),
    resume: Annotated[bool, typer.Option(help="Keep the run if it is complete.")] = False,
) -> None:
    """Execute one notebook headless, and print its run folder."""
    from audioclust import runs

    parameters = dict(_assignment(text) for text in parameter or [])
    home = Project(project)
    if data is not None:
        parameters["dataset"] = _use(home, data, None)
    typer.echo(runs.run(notebook, home, resume=resume, **parameters))


@app.command()
def sweep(
    file: Annotated[str, typer.Argument(help="A sweep's YAML file, or the name of one: thesis.")] = "thesis",
    data: Annotated[list[Path] | None, typer.Option(help="A folder of recordings, used where it lies.")] = None,
    dataset: Annotated[list[str] | None, typer.Option(help="A dataset of the project, instead of the file's.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="Label columns to score against.")] = None,
    project: ProjectOption = Path(),
    jobs: JobsOption = "-1",
    again: Annotated[bool, typer.Option("--again", help="Run what is complete once more.")] = False,
) -> None:
    """Run a comparison on datasets or folders, in parallel; then write the tables."""
    from audioclust import runs

    home = Project(project)
    names = [*(_use(home, folder, None) for folder in data or []), *(dataset or [])]
    known = {chosen.name: chosen for chosen in runs.Sweep.read(file).datasets}
    chosen = [known.get(name) or _dataset(name, label) for name in names] or None
    if chosen and label:
        chosen = [entry.model_copy(update={"labels": label}) for entry in chosen]
    outcome = runs.sweep(file, home, _jobs(jobs), datasets=chosen, resume=not again)
    counts = outcome["status"].value_counts()
    typer.echo(", ".join(f"{counts.get(status, 0)} {status}" for status in ("done", "kept", "failed")))
    for row in outcome[outcome["status"] == "failed"].itertuples():
        typer.echo(f"failed: {row.dataset}/{row.run}: {row.error}", err=True)
    _write_tables(home)
    if counts.get("failed", 0):
        raise typer.Exit(1)


@app.command()
def report(project: ProjectOption = Path()) -> None:
    """Write the tables of everything that ran, as Markdown, LaTeX, CSV and HTML."""
    _write_tables(Project(project))


@app.command()
def demo(project: ProjectOption = Path(), jobs: JobsOption = "-1") -> None:
    """Do the main job on the embedded recordings: fetch, compare, tables, figures, a page to listen to."""
    from audioclust import datasets, runs

    home = Project(project)
    if not (home.dataset("synthetic") / "metadata.parquet").exists():
        datasets.fetch("synthetic", home)
    outcome = runs.sweep("demo", home, _jobs(jobs))
    _write_tables(home)
    failed = outcome[outcome["status"] == "failed"]
    for row in failed.itertuples():
        typer.echo(f"failed: {row.dataset}/{row.run}: {row.error}", err=True)
    typer.echo("\nfigures, as each notebook drew them:")
    for path in sorted((home.results / "synthetic").glob("*/figures")):
        typer.echo(f"  {path}")
    typer.echo("pages to listen to:")
    for path in sorted((home.results / "synthetic").glob("*/listen.html")):
        typer.echo(f"  {path}")
    if len(failed):
        raise typer.Exit(1)


def main() -> None:
    """Run the command line; what cannot be done is one line, not a traceback."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        app()
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        typer.echo(f"audioclust: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("audioclust: stopped; the same command goes on from here", err=True)
        sys.exit(130)


def _write_tables(home: Project) -> None:
    from audioclust import runs
    from audioclust.report import tables

    collected = runs.collect(home)
    if collected.empty:
        raise ValueError(f"{home.results} holds no runs yet: audioclust sweep, or audioclust demo")
    for table in tables.comparison(collected)["comparison"]:
        if table.title.startswith("Best"):
            typer.echo(table.to_markdown())
    typer.echo("tables:")
    for path in tables.write(collected, home.results / "tables"):
        typer.echo(f"  {path}")


def _use(home: Project, folder: Path, name: str | None) -> str:
    """Register a folder, and scan it by notebook 01 when it runs."""
    return home.register(folder, name)


def _dataset(name: str, labels: list[str] | None) -> Any:
    from audioclust.runs.sweep import Dataset

    return Dataset(name=name, labels=labels or ["label"])


def _jobs(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdigit() else text


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"-p {text!r}: give NAME=VALUE")
    return name, yaml.safe_load(value)


if __name__ == "__main__":
    main()
