"""A headless Chromium that a test opens a page in; the test is skipped where there is none."""

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def opened(page: Path, profile: Path, *, width: int = 1300) -> "Iterator[Browser]":
    """Open a page in a window of that width; `profile` is an empty folder for the browser's own files."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        pytest.skip("no Chromium here")
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
                f"--user-data-dir={profile}", page.as_uri(),
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        port = self.until(lambda: (profile / "DevToolsActivePort").read_text().split()[0], OSError)
        local = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        targets = self.until(lambda: json.load(local.open(f"http://127.0.0.1:{port}/json/list", timeout=5)), OSError)
        address = next(target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page")
        self.socket = websocket.create_connection(address, timeout=20, http_no_proxy=["127.0.0.1"])
        self.number = 0
        self.send("Page.enable")
        self.loaded(page)

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

    def ask(self, expression):
        return self.send("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def click(self, x, y):
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key):
        text = {"text": key} if len(key) == 1 else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key)

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
