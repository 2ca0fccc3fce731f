"""A real nginx with WebDAV in a temporary folder, over TLS with basic authentication: what a cache server may be."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

PACKAGES = ("nginx-light", "openssl")
USER, PASSWORD = "builder", "s3cret-Pässword"

_CONFIGURATION = """
daemon off; master_process off; worker_processes 1; {user}
pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/t1; fastcgi_temp_path {folder}/t2;
    uwsgi_temp_path {folder}/t3; scgi_temp_path {folder}/t4;
    client_max_body_size 64m;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.key;
        root {folder}/files;
        auth_basic cache; auth_basic_user_file {folder}/users;
        location / {{ dav_methods PUT DELETE; create_full_put_path on; {limit} }}
    }}
}}
"""


def find() -> str | None:
    """nginx, which Debian keeps where only root's PATH looks."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def install() -> None:
    """Install it where that is possible (root and apt-get); ``SystemExit`` says what to install where not."""
    if find() and shutil.which("openssl"):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *PACKAGES]):
            subprocess.run(["apt-get", *command], env=environment, check=False, stdout=sys.stderr)
    if not (find() and shutil.which("openssl")):
        raise SystemExit(f"the tests of the remote cache need nginx: sudo apt-get install {' '.join(PACKAGES)}")


class Nginx:
    """Started by ``with``; ``files`` is what it serves, ``authority`` the certificate to trust."""

    def __init__(self, folder: Path, limit: str = "") -> None:
        self.folder, self.files, self.authority = folder, folder / "files", folder / "server.pem"
        self.files.mkdir(parents=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"https://localhost:{self.port}/tt"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "server.key", "-out", self.authority],
            check=True, capture_output=True,
        )  # fmt: skip
        made = subprocess.run(
            ["openssl", "passwd", "-apr1", "-stdin"], input=PASSWORD, text=True, check=True, capture_output=True
        )
        (folder / "users").write_text(f"{USER}:{made.stdout}")
        user = "user root;" if os.geteuid() == 0 else ""
        text = _CONFIGURATION.format(folder=folder, port=self.port, user=user, limit=limit)
        (folder / "nginx.conf").write_text(text)

    def __enter__(self) -> Nginx:
        program = find()
        assert program, f"./dev test installs nginx; by hand: sudo apt-get install {' '.join(PACKAGES)}"
        self._process = subprocess.Popen(
            [program, "-p", self.folder, "-c", self.folder / "nginx.conf"], stderr=subprocess.DEVNULL
        )
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.05)
        self.__exit__()
        raise AssertionError((self.folder / "error.log").read_text())

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    def requests(self, method: str) -> int:
        """How many requests of a method it answered so far."""
        return sum(f'"{method} ' in line for line in (self.folder / "access.log").read_text().splitlines())

    def entries(self, kind: str) -> list[Path]:
        """The files that it holds under ``ac`` or ``cas``."""
        return sorted(path for path in (self.files / "tt" / kind).glob("*") if path.is_file())


if __name__ == "__main__":
    install()
