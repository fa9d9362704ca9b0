"""What a user installs: the wheel holds all it needs, and works from an empty folder, without the checkout."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import audioclust
from audioclust.installation import shipped, versions

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
SCRIPTS = "Scripts" if os.name == "nt" else "bin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A fresh environment with the built wheel; the libraries are those of the environment that runs the tests."""
    folder = tmp_path_factory.mktemp("package with a space")
    source = folder / "source"
    for name in ("audioclust", "notebooks", "sweeps"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
    for name in ("pyproject.toml", "setup.py", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run([*pip, *build], check=True, capture_output=True, env=clean())
    home = folder / "environment"
    venv.create(home, with_pip=False)
    python = home / SCRIPTS / "python"
    (wheel,) = folder.glob("*.whl")
    install = ["--python", str(python), "install", "--no-deps", str(wheel)]
    subprocess.run([*pip, *install], check=True, capture_output=True, env=clean())
    places = {"base": str(home), "platbase": str(home)}
    packages = Path(sysconfig.get_path("purelib", vars=places))
    (packages / "libraries.pth").write_text("\n".join({sysconfig.get_path(kind) for kind in ("purelib", "platlib")}))
    return home


def clean() -> dict[str, str]:
    """The environment variables, without a path to the checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def call(installed: Path, *command: str, cwd: Path) -> str:
    program, *arguments = command
    done = subprocess.run(
        [installed / SCRIPTS / program, *arguments], cwd=cwd, env=clean(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_installed_package_holds_all_files(installed, tmp_path):
    where = "import audioclust, pathlib; print(pathlib.Path(audioclust.__file__).parent)"
    package = Path(call(installed, "python", "-c", where, cwd=tmp_path).strip())
    assert installed in package.parents
    kept = {path.relative_to(package) for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    for folder, prefix in ((ROOT / "audioclust", ""), (ROOT / "notebooks", "notebooks"), (ROOT / "sweeps", "sweeps")):
        for path in folder.rglob("*"):
            if path.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts):
                assert Path(prefix) / path.relative_to(folder) in kept


def test_the_installed_command_runs_notebooks_from_an_empty_folder(installed, tmp_path):
    home = tmp_path / "a project"
    home.mkdir()
    assert "demo" in call(installed, "audioclust", "sweep", cwd=home)  # alone, it lists what there is
    small = ["-p", "options={speakers: 2, words: 2, takes: 2}"]
    call(installed, "audioclust", "run", "00_prepare", *small, cwd=home)
    (record,) = (home / "results" / "synthetic").glob("00*/run.json")
    assert json.loads(record.read_text(encoding="utf-8"))["status"] == "complete"
    assert (home / "datasets" / "synthetic" / "metadata.parquet").exists()
    assert {path.name for path in home.iterdir()} <= {"datasets", "features", "checkpoints", "results"}


def test_notebooks_and_sweeps_stand_at_the_top_level():
    assert shipped("notebooks") == ROOT / "notebooks"
    assert {path.stem for path in shipped("sweeps").glob("*.yaml")} >= {"demo", "thesis", "speakers"}


def test_versions_name_the_code_that_runs(capsys):
    assert versions()["audioclust"] == audioclust.__version__
    audioclust.show_versions()
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert {"python", "platform", "processors", "numpy", "torch", "typer"} <= set(lines)


def lines_of(name: str) -> list[str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def requirements() -> dict[str, Requirement]:
    return {canonicalize_name(each.name): each for each in map(Requirement, lines_of("requirements.txt"))}


def imported_distributions() -> set[str]:
    """Names, as on the package index, of everything that the package imports somewhere and that is installed here."""
    modules = set()
    for path in (ROOT / "audioclust").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module.split(".")[0])
    known = packages_distributions()
    modules -= {"audioclust", *sys.stdlib_module_names}
    return {canonicalize_name(name) for module in modules for name in known.get(module, ())}


def test_requirements_are_what_the_package_imports():
    started = {"jupyterlab", "ipykernel"}  # as programs of their own
    brought = {
        "ipython",
        "jupyter-client",
        "jupyter-core",
        "traitlets",
        "nbformat",
        "cycler",
        "nbclient",
    }  # by a library above
    assert set(requirements()) - imported_distributions() <= started
    extras = {Requirement(line).name for lines in EXTRAS.values() for line in lines}
    assert imported_distributions() - set(requirements()) <= brought | extras


def test_the_lock_file_covers_the_requirements():
    locked = [Requirement(line.removesuffix("\\")) for line in lines_of("requirements.lock") if "==" in line]
    for system in ("linux", "darwin", "win32"):
        for python in ("3.11", "3.12", "3.13"):
            here = {"sys_platform": system, "python_version": python, "python_full_version": f"{python}.1"}
            chosen = {
                canonicalize_name(each.name): each for each in locked if not each.marker or each.marker.evaluate(here)
            }
            dev = {each.name: each for each in map(Requirement, PYPROJECT["project"]["optional-dependencies"]["dev"])}
            for name, asked in (requirements() | dev).items():
                if name != "torch":  # its build depends on the machine: the file's head says so
                    (pin,) = chosen[canonicalize_name(name)].specifier
                    assert asked.specifier.contains(pin.version), f"{name} {pin.version} does not fit {asked}"
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert len(re.findall(r"==[^\\]*\\\n    --hash=sha256:", text)) == len(locked)
