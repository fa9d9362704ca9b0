"""The built script and style of the page are those that its source gives; the lock file names no registry."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "audioclust" / "report" / "pages"


def test_what_is_kept_is_what_the_source_gives(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node here")
    if not (ROOT / "node_modules" / "esbuild").is_dir():
        pytest.skip("esbuild is not installed here: npm ci")
    subprocess.run([node, PAGES / "js" / "build.mjs", tmp_path], check=True, cwd=ROOT)
    built = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes() for path in (PAGES / "built").iterdir()}
    assert sorted(built) == sorted(kept)
    assert [name for name in built if built[name] != kept[name]] == [], "npm run build, and commit what it writes"


def test_the_lock_file_names_no_registry():
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
    assert all(package.get("integrity") for name, package in lock["packages"].items() if name)


def test_source_files_stay_short():
    for path in (PAGES / "js").iterdir():
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path.name
