"""One HTTP server: bytes by path. Name and password, from the environment or netrc, go into its TLS connection only."""

from __future__ import annotations

import base64
import contextlib
import netrc
import os
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import urllib3

from tt_build.scons.messages import say

CONNECT_SECONDS, READ_SECONDS = 3.0, 5.0
USER, PASSWORD = "TT_BUILD_CACHE_USER", "TT_BUILD_CACHE_PASSWORD"


class ServerError(Exception):
    """A request that failed, said in a few words; ``final`` when no later one will fare better."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        self.final = final
        super().__init__(message)


class Server:
    """Safe for many threads; a connection is kept for each. Certificates are verified; ``SSL_CERT_FILE`` may name
    the authority. Redirections are not followed.
    """

    def __init__(self, url: str, connections: int) -> None:
        """``url`` is one that ``problem_of`` finds nothing wrong with."""
        self._url = url.rstrip("/")
        headers = {"Accept-Encoding": "identity", "User-Agent": "tt-build"}
        credentials = credentials_for(url)
        if credentials:
            headers["Authorization"] = f"Basic {base64.b64encode(credentials.encode()).decode()}"
        self._pool = urllib3.PoolManager(
            num_pools=1,
            maxsize=connections,
            headers=headers,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            # One more try: a kept connection may have been closed by the server.
            retries=urllib3.Retry(total=1, redirect=0, status=0, raise_on_redirect=False),
            ssl_context=ssl.create_default_context(),
        )

    def get(self, path: str, most: int) -> bytes | None:
        """The bytes at a path, at most ``most``; None where there are none. Raises ``ServerError``."""
        try:
            response = self._pool.request("GET", f"{self._url}/{path}", preload_content=False)
            data = response.read(most + 1)
            if len(data) <= most:
                response.drain_conn()
                response.release_conn()
            else:
                response.close()
        except urllib3.exceptions.HTTPError as error:
            raise _failure(error) from None
        if response.status == 404:
            return None
        if response.status != 200:
            raise _refusal(response.status)
        if len(data) > most:
            raise ServerError("an answer was longer than it may be")
        return data

    def put(self, path: str, data: bytes) -> None:
        """Store bytes at a path. Raises ``ServerError``."""
        try:
            response = self._pool.request("PUT", f"{self._url}/{path}", body=data)
        except urllib3.exceptions.HTTPError as error:
            raise _failure(error) from None
        if not 200 <= response.status < 300:
            raise _refusal(response.status)


def problem_of(url: str) -> str:
    """Why this is no address of a cache; an empty text when it is one. Never repeats a password."""
    try:
        parts = urlsplit(url)
        port_is_sound = parts.port is None or parts.port > 0
    except ValueError:
        return "the address cannot be read"
    if "@" in parts.netloc:
        return f"name and password do not belong into an address; use ~/.netrc, or {USER} and {PASSWORD}"
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_sound:
        return "write https://HOST/PATH"
    if parts.query or parts.fragment:
        return "an address of a cache has neither '?' nor '#'"
    return ""


def credentials_for(url: str) -> str | None:
    """``name:password`` for a server, out of the environment or netrc; never for one that is spoken to without TLS."""
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.hostname is None:
        return None
    if os.environ.get(USER):
        return f"{os.environ[USER]}:{os.environ.get(PASSWORD, '')}"
    path = Path(os.environ.get("NETRC") or os.path.expanduser("~/.netrc"))
    if os.environ.get("NETRC") and not path.exists():
        say(f"tt-build: NETRC names {path}, which does not exist; the cache is asked without a password")
    with contextlib.suppress(FileNotFoundError):
        try:
            found = netrc.netrc(path).authenticators(parts.hostname)
        except (netrc.NetrcParseError, OSError, UnicodeDecodeError):
            say(f"tt-build: {path} cannot be read; the cache is asked without a password")
            return None
        if found is not None:
            return f"{found[0]}:{found[2] or ''}"
    return None


def _refusal(status: int) -> ServerError:
    if status in (401, 403):
        return ServerError(f"it answers {status}: give it a name and password in ~/.netrc or {USER}", final=True)
    return ServerError(f"it answers {status}")


def _failure(error: Exception) -> ServerError:
    """The innermost cause: urllib3 wraps it in the names of its own objects."""
    reason: object = error
    while isinstance(getattr(reason, "reason", None), Exception):
        reason = reason.reason  # type: ignore[attr-defined]
    if isinstance(reason, urllib3.exceptions.NameResolutionError):
        return ServerError("its name is not known", final=True)
    if isinstance(reason, urllib3.exceptions.NewConnectionError):
        return ServerError(str(reason).rpartition(": ")[2])
    if isinstance(reason, urllib3.exceptions.TimeoutError):
        return ServerError("it does not answer in time")
    return ServerError(str(reason), final=isinstance(reason, urllib3.exceptions.SSLError))
