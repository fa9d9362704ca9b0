"""What the documentation says is true: its Python runs, its commands exist, its links lead somewhere."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer.main

import audioclust
from audioclust import clustering, features, plugins
from audioclust.cli import app
from audioclust.datasets import synthetic
from audioclust.runs import Sweep

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "methods").glob("*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def plain_blocks(text: str) -> list[str]:
    return re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> set[str]:
    """Every ``audioclust ...`` in a code block or between backquotes."""
    lines = [line.partition("#")[0].strip() for block in plain_blocks(text) for line in block.splitlines()]
    return {line for line in [*lines, *re.findall(r"`([^`\n]+)`", text)] if line.startswith("audioclust ")}


def python(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error::SyntaxWarning", "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_readme_in_python(tmp_path):
    synthetic.generate(tmp_path / "voices", speakers=3, words=2, takes=2)
    for number, path in enumerate(sorted((tmp_path / "voices").rglob("*.wav"))):
        folder = tmp_path / "recordings" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        path.rename(folder / path.name)
    (example,) = [block for block in blocks("python") if "datasets.scan" in block]
    *_, last = example.strip().splitlines()
    out = python(example.replace(last, f"scores = {last}\nprint(sorted(scores))"), tmp_path)
    assert "nmi" in out


def test_readme_shows_what_the_main_job_gives(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    synthetic.generate(tmp_path / "recordings", speakers=3, words=3, takes=3)
    assert '`table, folder = audioclust.group("recordings")`' in README
    table, folder = audioclust.group("recordings", jobs=1)
    assert folder.name == "recordings-groups"
    assert len(table) == 27
    one = next((tmp_path / "recordings").rglob("*.wav"))
    assert list(audioclust.similar(one, "recordings", jobs=1).columns) == ["path", "similarity", "group"]
    given = tmp_path / "recordings-groups"
    assert {"groups.csv", "listen.html", "figures", "summary.txt", "work"} <= {path.name for path in given.iterdir()}
    (shown,) = [block for block in plain_blocks(README) if "stability" in block]
    kinds = [re.sub(r"[\d.]+", "#", line).partition("(")[0].partition(":")[0] for line in shown.splitlines()]
    said = [re.sub(r"[\d.]+", "#", line) for line in (given / "summary.txt").read_text(encoding="utf-8").splitlines()]
    for kind in ("voices ", "# voices in # recordings", "recordings in each", "sure of # of # "):
        assert kind in kinds
        assert any(line.startswith(kind) for line in said), kind


def test_readme_plugin(tmp_path):
    (example,) = [block for block in blocks("python") if "clustering.register" in block]
    (tmp_path / "mine.py").write_text(example, encoding="utf-8")
    (sweep,) = blocks("yaml")
    (tmp_path / "mine.yaml").write_text(sweep, encoding="utf-8")
    plan = Sweep.read(tmp_path / "mine.yaml")
    assert plan.plugins == [str((tmp_path / "mine.py").resolve())]
    (step,) = plan.compare
    assert {"feature", "algorithms"} <= set(step.combinations()[0])
    plugins.load(plan.plugins)
    noise = np.random.default_rng(0).normal(size=22050).astype("float32")
    assert features.spectral(noise, 22050, "flux")["flux"].shape[0] == 1
    assert len(set(clustering.make("birch", n_clusters=2).fit_predict([[0.0], [0.1], [9.0]]))) == 2
    assert clustering.title_of("birch") == "BIRCH"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_exist(page):
    program = typer.main.get_command(app)
    for line in commands(page.read_text(encoding="utf-8")):
        words = shlex.split(line)[1:]
        if words[0].startswith("-"):
            continue
        command = program.commands.get(words[0])
        assert command is not None, line
        command.make_context(words[0], words[1:])  # raises for an option or a value that is not allowed


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in headings}, target


def test_reference_and_contents_are_complete():
    spec = importlib.util.spec_from_file_location("build", ROOT / "docs" / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    rooms = {path.parent.name for path in (ROOT / "audioclust").glob("*/__init__.py")} - {"recording"}
    assert rooms <= set(build.ROOMS)
    reference = build.reference()
    for name in ("scan", "spectral", "make", "ConvAutoencoder", "evaluate", "Prototypes", "listen", "sweep", "Project"):
        assert len(re.findall(rf"^   {name}$", reference, re.MULTILINE)) == 1, name
    listed = set(re.findall(r"^([\w/]+\*?)$", (ROOT / "docs" / "index.md").read_text(encoding="utf-8"), re.MULTILINE))
    pages = {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in (ROOT / "docs").glob("*.md")}
    assert pages - {"index"} <= listed
    assert {"methods/*", "notebooks/*", "reference"} <= listed
