"""Build the documentation: every notebook executed on the synthetic recordings, the pages, the reference.

``python docs/build.py`` writes ``docs/_build/html``; ``--quick`` takes the notebooks as they are, without outputs.
Warnings are errors.
"""

import argparse
import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS, BUILD = ROOT / "docs", ROOT / "docs" / "_build"
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")
QUICK: dict[str, dict] = {  # outputs to look at, not results: those are in docs/results.md
    "00_prepare": {"options": {"speakers": 4, "words": 3, "takes": 4}},
    "04_classical_clustering": {"labels": ["speaker"], "seeds": [0]},
    "05_autoencoder_dcec": {
        "labels": ["speaker"], "seeds": [0], "epochs": 30,
        "params": {"autoencoder": {"scale": "pixel"}, "dcec": {"max_iter": 400}},
    },
    "07_u_vectors": {"settings": {"steps": 200, "check_every": 50, "channels": 32}},
    "08_camsat": {"losses": ["aam", "softmax"], "flips": [0.4], "many": [1, 2]},
}  # fmt: skip
ROOMS = (
    "project", "datasets", "audio", "features", "embeddings", "evaluation", "clustering", "deep", "curation", "report",
    "report.plots", "report.tables", "runs", "grouping", "plugins", "parallel", "installation",
)  # fmt: skip


def main(quick: bool) -> int:
    """Gather everything in one folder, and run Sphinx on it."""
    source = BUILD / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(DOCS, source, ignore=shutil.ignore_patterns("_build", "build.py", "__pycache__"))
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        text = re.sub(r"\]\(docs/", "](", text).replace("](LICENSE)", "](../LICENSE)")
        (source / page.lower()).write_text(text, encoding="utf-8")
    (source / "reference.md").write_text(reference(), encoding="utf-8")
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    (source / "notebooks").mkdir()
    for notebook in notebooks:
        shutil.copy(notebook if quick else executed(notebook), source / "notebooks" / notebook.name)
    command = ["-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", str(source), str(BUILD / "html")]
    return subprocess.run([sys.executable, *command], check=False).returncode


def executed(notebook: Path) -> Path:
    """Run a notebook in a project of its own under ``_build``, and return it as executed."""
    from audioclust import runs

    return runs.run(notebook.stem, BUILD / "project", resume=True, **QUICK.get(notebook.stem, {})) / "notebook.ipynb"


def reference() -> str:
    """Return a page that lists the public names of every room, each with a page of its own."""
    modules = {room: importlib.import_module(f"audioclust.{room}") for room in ROOMS}
    lines = ["# Reference", ""]
    for room, module in modules.items():
        names = sorted(name for name in module.__all__ if belongs(getattr(module, name), name, room, modules))
        summary = (module.__doc__ or "").strip().partition("\n\n")[0]
        lines += [
            f"## audioclust.{room}",
            "",
            "```{eval-rst}",
            summary,
            "",
            f".. currentmodule:: {module.__name__}",
            "",
        ]
        lines += [".. autosummary::", "   :toctree: reference", "   :nosignatures:", ""]
        lines += [f"   {name}" for name in names] + ["```", ""]
    return "\n".join(lines)


def belongs(thing: object, name: str, room: str, modules: dict) -> bool:
    """Say whether a public name is described here: what two rooms offer is described where it is defined."""
    if not callable(thing) or not thing.__doc__:
        return False
    home = next((each for each in ROOMS if f"{thing.__module__}.".startswith(f"audioclust.{each}.")), room)
    return home == room or name not in modules[home].__all__


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="notebooks without outputs")
    sys.exit(main(parser.parse_args().quick))
