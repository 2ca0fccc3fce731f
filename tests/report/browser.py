"""A headless Chromium, driven over WebDriver with nothing but Python's own HTTP.

``python -m tests.report.browser`` installs it where that is possible.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

PACKAGES = ("chromium", "chromium-driver")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key under which WebDriver gives an element."""


def is_there() -> bool:
    """Whether browser and driver are installed."""
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


def install() -> None:
    """Install them where that is possible (root and apt-get); ``SystemExit`` says what to install where not."""
    if not is_there() and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *PACKAGES]):
            subprocess.run(["apt-get", *command], env=environment, check=False, stdout=sys.stderr)
    if not is_there():
        raise SystemExit(f"the tests of the report's page need Chromium: sudo apt-get install {' '.join(PACKAGES)}")


class Browser:
    """Started by ``with``. ``folder`` is for its profile; ``scheme`` is what the page takes for the system's theme."""

    def __init__(self, folder: Path, size: tuple[int, int] = (1400, 1600)) -> None:
        self._folder, self._size = folder, size
        self._session = ""

    def __enter__(self) -> Browser:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._address = f"http://127.0.0.1:{port}"
        self._driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._await_driver()
        flags = [*FLAGS, f"--user-data-dir={self._folder}", f"--window-size={self._size[0]},{self._size[1]}"]
        wanted = {"browserName": "chrome", "goog:chromeOptions": {"args": flags, "binary": shutil.which("chromium")}}
        wanted["goog:loggingPrefs"] = {"browser": "ALL"}
        self._session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        return self

    def __exit__(self, *_: object) -> None:
        if self._session:
            self._call("DELETE", f"/session/{self._session}")
        self._driver.terminate()
        self._driver.wait(20)

    def open(self, page: Path, fragment: str = "") -> None:
        """Load a file and wait until its script has run."""
        self._ask("POST", "/url", {"url": f"{page.as_uri()}{fragment}"})
        for _ in range(100):
            if self.run("return document.documentElement.dataset.ready") == "yes":
                return
            time.sleep(0.1)
        raise AssertionError(f"the page's script did not end: {self.messages()}")

    def run(self, script: str, *arguments: object) -> Any:
        """What a script returns in the page."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def texts(self, selector: str) -> list[str]:
        """Text of every element of that selector."""
        script = "return [...document.querySelectorAll(arguments[0])].map((node) => node.textContent)"
        found: list[str] = self.run(script, selector)
        return found

    def click(self, selector: str) -> None:
        """Click the first element of that selector, as a person would."""
        element = self._ask("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]
        self._ask("POST", f"/element/{element}/click", {})
        self._settle()

    def press(self, keys: str) -> None:
        """Keys, to whatever has the focus."""
        element = self._ask("GET", "/element/active")[ELEMENT]
        self._ask("POST", f"/element/{element}/value", {"text": keys})
        self._settle()

    def _settle(self) -> None:
        """Until the page has dealt with what it was told: a changed fragment is an event of its own, later on."""
        self.run("return new Promise((done) => requestAnimationFrame(() => setTimeout(done, 20)))")

    def messages(self) -> list[str]:
        """What the page wrote to the console, errors and refused loads among it."""
        return [entry["message"] for entry in self._ask("POST", "/se/log", {"type": "browser"})]

    def screenshot(self) -> bytes:
        """PNG of the window."""
        return base64.b64decode(self._ask("GET", "/screenshot"))

    def _await_driver(self) -> None:
        for _ in range(200):
            try:
                if self._call("GET", "/status")["ready"]:
                    return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        raise AssertionError("chromedriver did not start")

    def _ask(self, method: str, path: str, data: object = None) -> Any:
        return self._call(method, f"/session/{self._session}{path}", data)

    def _call(self, method: str, path: str, data: object = None) -> Any:
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(f"{self._address}{path}", body, {"Content-Type": "application/json"})
        request.method = method
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            return json.loads(answer.read())["value"]


if __name__ == "__main__":
    install()
