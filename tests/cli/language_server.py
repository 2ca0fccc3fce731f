"""yaml-language-server, installed once into the cache folder, and spoken to as an editor does."""

from __future__ import annotations

import itertools
import json
import queue
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

from tt_build.sdk.cache import build_folder, cache_root

VERSION = "1.15.0"
_SECONDS = 30.0


def install() -> Path:
    """The server's script. Fails where Node.js, npm or the package cannot be had: the test needs them."""
    npm = shutil.which("npm")
    assert npm, "npm is not installed; the test of editors needs Node.js with npm"

    def fill(folder: Path) -> None:
        package = f"yaml-language-server@{VERSION}"
        command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), package]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"npm cannot install {package}:\n{done.stderr}"

    folder = build_folder(cache_root() / f"yaml-language-server-{VERSION}", fill)
    return folder / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"


class Editor:
    """A client with one open file at a time. The only settings are: no schema from the network."""

    def __init__(self, root: Path) -> None:
        self._server = subprocess.Popen(
            ["node", str(install()), "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._numbers = itertools.count(1)
        self._messages: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        capabilities = {"workspace": {"configuration": True}, "textDocument": {"completion": {}, "hover": {}}}
        self._request(
            "initialize",
            {
                "processId": None,
                "rootUri": root.as_uri(),
                "capabilities": capabilities,
                "workspaceFolders": [{"uri": root.as_uri(), "name": "root"}],
            },
        )
        self._notify("initialized", {})

    def close(self) -> None:
        """End the server."""
        self._server.kill()
        self._server.wait()

    def open(self, path: Path, text: str) -> list[dict[str, Any]]:
        """Open a file with that text; the server's diagnostics."""
        document = {"uri": path.as_uri(), "languageId": "yaml", "version": 1, "text": text}
        self._notify("textDocument/didOpen", {"textDocument": document})
        while True:
            message = self._next()
            if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] == path.as_uri():
                return list(message["params"]["diagnostics"])

    def complete(self, path: Path, line: int, column: int) -> list[str]:
        """What is offered at a place, counted from 0."""
        place = {"textDocument": {"uri": path.as_uri()}, "position": {"line": line, "character": column}}
        answer = self._request("textDocument/completion", place)
        return [item["label"] for item in answer["items"]]

    def hover(self, path: Path, line: int, column: int) -> str:
        """What is shown at a place."""
        place = {"textDocument": {"uri": path.as_uri()}, "position": {"line": line, "character": column}}
        answer = self._request("textDocument/hover", place)
        return str(answer["contents"]["value"]) if answer else ""

    def _request(self, method: str, params: Any) -> Any:
        number = next(self._numbers)
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._next()
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def _notify(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def _next(self) -> dict[str, Any]:
        """The next message; what the server asks in between is answered."""
        message = self._messages.get(timeout=_SECONDS)
        if "id" in message and "method" in message:
            result: Any = None
            if message["method"] == "workspace/configuration":
                settings = {"schemaStore": {"enable": False}, "validate": True, "completion": True, "hover": True}
                items = message["params"]["items"]
                result = [settings if item.get("section") == "yaml" else {} for item in items]
            self._send({"id": message["id"], "result": result})
        return message

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._server.stdin is not None
        self._server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)
        self._server.stdin.flush()

    def _read(self) -> None:
        stream = self._server.stdout
        assert stream is not None
        while True:
            length = 0
            while (line := stream.readline().strip()) != b"":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            if not length:
                return
            self._messages.put(json.loads(stream.read(length)))
