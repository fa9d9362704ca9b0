"""The explorer in JupyterLab: what it answers, and in a real browser: a click plays, a correction arrives in Python."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from browser import Browser, opened

from audioclust import files, report
from audioclust.curation.corrections import Corrections

pytest.importorskip("anywidget", reason="anywidget is not installed: pip install 'audioclust[widget]'")
RATE = 8000


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """A listening page of twelve tones in two groups, its recordings beside it, two in another format and one gone."""
    folder = tmp_path_factory.mktemp("my run")
    paths = [f"<b>{row}</b>.{'mp3' if row == 1 else 'aiff' if row == 2 else 'wav'}" for row in range(12)]
    for row, path in enumerate(path.replace("/", "∕") for path in paths):
        paths[row] = path
        soundfile.write(folder / path, 0.3 * np.sin(np.arange(2 * RATE) * (0.2 + row / 40)), RATE)
    X = np.repeat(np.eye(2), 6, axis=0) + 0.1 * np.random.default_rng(0).normal(size=(12, 2))
    index = pd.DataFrame({"path": paths, "sha256": [files.sha256(folder / path) for path in paths]})
    report.listen(index, np.repeat([0, 1], 6), folder, folder / "listen.html", X=X)
    (folder / paths[11]).unlink()
    return folder / "listen.html"


def answers(explorer, want, number):
    told = []
    explorer.send = lambda content, buffers: told.append((content["type"], *buffers))
    explorer._answer(explorer, {"id": "1", "want": want, "number": number}, [])
    return told[0]


def test_sound_comes_as_bytes(page):
    explorer = report.explore(page.parent)
    wav = page.parent / explorer.data["paths"][0]
    assert answers(explorer, "sound", 0) == ("audio/wav", wav.read_bytes())
    assert answers(explorer, "sound", 1)[0] == "audio/mpeg"
    kind, sound = answers(explorer, "sound", 2)  # no browser plays aiff: a clip is made
    assert kind == "audio/mpeg"
    assert sound[:3] == b"ID3" or sound[0] == 0xFF
    kind, sound = answers(explorer, "sound", 11)  # the file is gone: the page has it
    assert (kind, len(sound) > 1000) == ("audio/mpeg", True)
    assert answers(explorer, "sprite", 0)[1][8:12] == b"WEBP"
    assert answers(explorer, "sprite", 99) == ("image/webp",)


def test_corrections_come_and_go(page, tmp_path):
    keys = report.explore(page).data["sha256"][:2]
    document = {"format": "audioclust-corrections-2", "recordings": {}}
    document["corrections"] = [{"kind": "same", "recordings": keys}]
    saved = files.write_json(tmp_path / "heard.json", document)
    explorer = report.explore(page, corrections=saved, height=400)
    assert explorer.heard == Corrections(must_link=[tuple(keys)])
    assert files.read_json(explorer.save(tmp_path / "again.json")) == document
    assert not report.explore(page).heard


def test_what_is_no_run_is_named(tmp_path, page):
    with pytest.raises(ValueError, match=r"there is no listen\.html"):
        report.explore(tmp_path)
    (tmp_path / "listen.html").write_text("<p>other</p>")
    with pytest.raises(ValueError, match="is no listening page"):
        report.explore(tmp_path)
    with pytest.raises(ValueError, match="height"):
        report.explore(page, height=20)


@contextlib.contextmanager
def jupyterlab(folder: Path):
    """Start JupyterLab on loopback, with settings of its own; give its address."""
    pytest.importorskip("jupyterlab")
    homes = {name: str(folder / ".jupyter" / name) for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR")}
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--port=0", "--allow-root",
        "--IdentityProvider.token=test", "--LabApp.expose_app_in_browser=True", f"--ServerApp.root_dir={folder}",
        "--ServerApp.allow_remote_access=False", "--LabApp.news_url=None",
    ]  # fmt: skip
    with (folder / "lab.log").open("w") as log:
        process = subprocess.Popen(command, env=os.environ | homes, stdout=log, stderr=log)
    try:
        runtime = Path(homes["JUPYTER_RUNTIME_DIR"])
        yield Browser.until(
            lambda: next((files.read_json(path)["url"] for path in runtime.glob("jpserver-*.json")), None),
            OSError, ValueError, seconds=60,
        )  # fmt: skip
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.slow
def test_in_jupyterlab_a_click_plays_and_a_correction_arrives(page, tmp_path):
    said = tmp_path / "said.json"
    cell = (
        f"from audioclust import report\nexplorer = report.explore({str(page)!r})\n"
        f"explorer.observe(lambda change: explorer.save({str(said)!r}), 'corrections')\nexplorer"
    )
    code = {"cell_type": "code", "id": "a", "metadata": {}, "source": cell, "outputs": [], "execution_count": None}
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": [code], "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "look.ipynb").write_text(json.dumps(notebook))
    (tmp_path / "blank.html").write_text("<!doctype html>")
    with opened(tmp_path / "blank.html", tmp_path / "profile") as seen, jupyterlab(tmp_path) as address:
        seen.send("Page.navigate", url=f"{address}lab/tree/look.ipynb?token=test")
        panel = "[...jupyterapp.shell.widgets('main')].find(each => each.sessionContext)"
        kernel = f"{panel}.sessionContext.session.kernel"
        ready = f"{kernel}.connectionStatus == 'connected' && {kernel}.status == 'idle' || null"
        seen.until(lambda: seen.ask(ready), seconds=90)
        run = "jupyterapp.commands.execute('notebook:run-all-cells')"
        seen.ask(f"jupyterapp.shell.activateById({panel}.id); {run}")
        seen.until(lambda: seen.ask("document.querySelector('.jp-OutputArea .audioclust .card') && 1"), seconds=90)
        seen.ask("document.querySelector('.audioclust').scrollIntoView()")
        for_click = "{ const b = %s.getBoundingClientRect(); [b.x + b.width / 2, b.y + b.height / 2] }"
        seen.click(*seen.ask(for_click % "document.querySelector('.audioclust .card')"))
        playing = "document.querySelector('.audioclust audio').currentTime || null"
        seen.until(lambda: seen.ask(playing))
        assert seen.ask("document.querySelector('.audioclust audio').src").startswith(f"blob:{address.rstrip('/')}")
        button = (
            "[...document.querySelectorAll('.audioclust button')].find(b => b.textContent == 'More than one voice')"
        )
        seen.click(*seen.ask(for_click % button))
        (heard,) = seen.until(lambda: files.read_json(said)["corrections"] or None, OSError)
    assert heard == {"kind": "several", "recordings": [report.explore(page).data["sha256"][0]]}
