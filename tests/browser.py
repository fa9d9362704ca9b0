"""A headless Chromium that a test opens a page in; the test is skipped where there is none."""

import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock

CODES = {
    "Tab": 9,
    "Enter": 13,
    " ": 32,
    "Escape": 27,
    "End": 35,
    "Home": 36,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
}


@cache
def installed() -> str | None:
    """Return the path of a Chromium; Debian's is installed where there is none and this process may."""
    with FileLock(Path(tempfile.gettempdir()) / "audioclust-chromium.lock"):  # several test processes at once
        found = _found()
        if found or not hasattr(os, "geteuid") or os.geteuid() or not shutil.which("apt-get"):
            return found
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
            if subprocess.run(["apt-get", "-qq", *command], env=environment, capture_output=True).returncode:
                return None
        return _found()


def _found() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


@contextmanager
def opened(page: Path, profile: Path, *, width: int = 1300) -> "Iterator[Browser]":
    """Open a page in a window of that width; `profile` is an empty folder for the browser's own files."""
    program = installed()
    if not program:
        pytest.skip("no Chromium here, and none could be installed by apt-get as root")
    browser = Browser(program, page, profile, width)
    try:
        yield browser
    finally:
        browser.close()


class Browser:
    """A headless Chromium spoken to over its debugging protocol."""

    def __init__(self, program: str, page: Path, profile: Path, width: int) -> None:
        websocket = pytest.importorskip("websocket")
        self.process = subprocess.Popen(
            [
                program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
                "--mute-audio", "--no-first-run", "--remote-debugging-port=0", "--remote-allow-origins=*",
                f"--window-size={width},900", "--autoplay-policy=no-user-gesture-required",
                f"--user-data-dir={profile}", "about:blank",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        port = self.until(lambda: (profile / "DevToolsActivePort").read_text().split()[0], OSError, IndexError)
        local = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        targets = self.until(lambda: json.load(local.open(f"http://127.0.0.1:{port}/json/list", timeout=5)), OSError)
        address = next(target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page")
        self.socket = websocket.create_connection(address, timeout=20, http_no_proxy=["127.0.0.1"])
        self.number = 0
        self.complaints: list[str] = []  # errors, refused loads and dialogs of all pages
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")
        self.go(page)

    def loaded(self, page: Path) -> None:
        state = f"location.href == {json.dumps(page.as_uri())} && document.readyState"
        self.until(lambda: self.ask(state) == "complete" or None)

    def go(self, page: Path) -> None:
        self.send("Page.navigate", url=page.as_uri())
        self.loaded(page)

    def send(self, method, **params):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.number:
                return answer["result"]
            self.heard(answer["method"], answer["params"])

    def heard(self, event, params):
        if event == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(params["entry"]["text"])
        if event == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"])[:2000])
        if event == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.complaints.append(json.dumps(params["args"])[:2000])
        if event == "Page.javascriptDialogOpening":
            self.complaints.append(f"dialog: {params['message']}")

    def ask(self, expression, *, wait=False):
        """Return the value of an expression; of a promise, with `wait`, what it becomes."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=wait)
        return answer["result"].get("value")

    def click(self, x, y):
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, *keys, shift=False):
        """Press keys one after the other: letters, or names such as "Enter"."""
        for key in keys:
            text = {"text": {"Enter": "\r"}.get(key, key)} if len(key) == 1 or key == "Enter" else {}
            code = {"windowsVirtualKeyCode": CODES[key]} if key in CODES else {}
            event = {"key": key, "modifiers": 8 * shift, **code}
            self.send("Input.dispatchKeyEvent", type="keyDown", **event, **text)
            self.send("Input.dispatchKeyEvent", type="keyUp", **event)

    def drag(self, points, *, shift=False):
        """Move the mouse from point to point with its button down."""
        held = {"button": "left", "clickCount": 1, "modifiers": 8 * shift}
        self.send("Input.dispatchMouseEvent", type="mousePressed", x=points[0][0], y=points[0][1], **held)
        for x, y in points[1:]:
            self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, buttons=1, **held)
        self.send("Input.dispatchMouseEvent", type="mouseReleased", x=points[-1][0], y=points[-1][1], **held)

    @staticmethod
    def until(question, *errors, seconds=30):
        end = time.monotonic() + seconds
        while True:
            try:
                if (answer := question()) is not None:
                    return answer
            except errors:
                pass
            if time.monotonic() > end:
                raise TimeoutError
            time.sleep(0.05)

    def close(self):
        self.process.kill()
        self.process.wait()
