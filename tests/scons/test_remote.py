"""The cache on a server: real nginx with WebDAV, TLS and basic authentication; servers that are dead, slow or lie."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.end_to_end.test_scons import SPEC, chain
from tests.scons.nginx import PASSWORD, USER, Nginx
from tests.support import ROOT, Tree
from tt_build.scons.actionresult import Digest, decode, encode
from tt_build.scons.server import credentials_for, problem_of

KEY = "ab" * 32


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with Nginx(tmp_path_factory.mktemp("nginx")) as nginx:
        yield nginx


@pytest.fixture
def nginx(running: Nginx, monkeypatch: pytest.MonkeyPatch) -> Nginx:
    """A server with no entries, trusted, with its password in the environment."""
    subprocess.run(["rm", "-rf", running.files / "tt"], check=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(running.authority))
    monkeypatch.setenv("TT_BUILD_CACHE_USER", USER)
    monkeypatch.setenv("TT_BUILD_CACHE_PASSWORD", PASSWORD)
    return running


def tree_at(folder: Path) -> Tree:
    return Tree(folder, SPEC)


@pytest.fixture
def warm(nginx: Nginx, tmp_path: Path) -> Tree:
    tree = tree_at(tmp_path / "first")
    output = tree.scons(f"cache={nginx.url}")
    assert tree.steps(output) == chain("gemm") + chain("add")
    assert "0 hits, 22 misses, 22 stored" in output
    return tree


def test_a_clean_tree_elsewhere_runs_no_step(warm: Tree, nginx: Nginx, tmp_path: Path) -> None:
    assert len(nginx.entries("ac")) == 22
    puts = nginx.requests("PUT")
    second = tree_at(tmp_path / "elsewhere" / "second")
    output = second.scons(f"cache={nginx.url}", "cache_mode=ro")
    assert second.steps(output) == []
    assert "22 hits, 0 misses, 0 stored" in output
    assert second.files() == warm.files()
    assert nginx.requests("PUT") == puts


def test_entries_name_the_files_in_the_store(warm: Tree, nginx: Nginx) -> None:
    """Six output files for generate, whose blobs are the files."""
    generated = [path for path in nginx.entries("ac") if len(decode(path.name, path.read_bytes())[0]) == 6]
    assert len(generated) == 2
    blobs = {path.name: path.read_bytes() for path in nginx.entries("cas")}
    files = list(warm.files().values())
    for path in generated:
        for digest in decode(path.name, path.read_bytes())[0]:
            assert len(blobs[digest.hash]) == digest.size
            assert blobs[digest.hash] in files


@pytest.mark.parametrize("mode", ["rw", "ro"])
def test_bad_entries_are_misses_and_are_reported(warm: Tree, nginx: Nginx, tmp_path: Path, mode: str) -> None:
    results = nginx.entries("ac")
    blob = max(nginx.entries("cas"), key=lambda path: path.stat().st_size)
    blob.write_bytes(b"#" + blob.read_bytes()[1:])  # poisoned, same size
    results[0].write_bytes(results[1].read_bytes())  # intact, and of another step
    results[2].write_bytes(results[2].read_bytes()[:-3])
    results[3].write_bytes(b"<html>not found</html>")
    second = tree_at(tmp_path / "second")
    output = second.scons(f"cache={nginx.url}", f"cache_mode={mode}")
    assert 1 <= len(second.steps(output)) <= 5
    assert output.count("bad cache entry") == len(second.steps(output))
    assert second.files() == warm.files()
    third = tree_at(tmp_path / "third")
    again = third.steps(third.scons(f"cache={nginx.url}"))
    assert (again == []) == (mode == "rw")  # what was run anew was stored anew
    assert third.files() == warm.files()


def test_read_only_stores_nothing(nginx: Nginx, tmp_path: Path) -> None:
    tree_at(tmp_path / "tree").scons(f"cache={nginx.url}", "cache_mode=ro")
    assert nginx.entries("ac") == nginx.entries("cas") == []


def test_a_folder_in_front_keeps_what_the_server_gives(warm: Tree, nginx: Nginx, tmp_path: Path) -> None:
    argument = f"cache={tmp_path / 'near'},{nginx.url}"
    second = tree_at(tmp_path / "second")
    assert second.steps(second.scons(argument)) == []
    gets = nginx.requests("GET")
    third = tree_at(tmp_path / "third")
    assert third.steps(third.scons(argument)) == []
    assert nginx.requests("GET") == gets
    assert third.files() == warm.files()


def test_many_kernels_share_processes_and_a_cache(nginx: Nginx, tmp_path: Path) -> None:
    kernels = "".join(
        f"  k{n}:\n    inputs: {{A: {{shape: [32, 32]}}}}\n    outputs: {{C: {{shape: [32, 32]}}}}\n"
        f"    compute: C = A * {n}.5\n"
        for n in range(30)
    )
    first, second = (Tree(tmp_path / name, f"version: 1\nkernels:\n{kernels}") for name in ("first", "second"))
    output = first.scons("-j2", f"cache={nginx.url}")
    assert len(first.steps(output)) == 330
    assert "330 stored" in output
    assert second.steps(second.scons("-j2", f"cache={nginx.url}")) == []
    assert second.files() == first.files()


# Passwords


def test_the_password_may_lie_in_netrc(
    warm: Tree, nginx: Nginx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TT_BUILD_CACHE_USER")
    monkeypatch.delenv("TT_BUILD_CACHE_PASSWORD")
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine localhost login {USER} password {PASSWORD}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    second = tree_at(tmp_path / "second")
    assert second.steps(second.scons(f"cache={nginx.url}")) == []
    netrc.write_text(f"machine localhost {PASSWORD} login\n")
    output = tree_at(tmp_path / "third").scons(f"cache={nginx.url}")
    assert "it answers 401" in output
    assert PASSWORD not in output


def test_a_wrong_password_fails_no_build_and_is_never_shown(
    nginx: Nginx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TT_BUILD_CACHE_PASSWORD", "wr0ng-one")
    tree = tree_at(tmp_path / "tree")
    output = tree.scons(f"cache={nginx.url}", "--debug=explain,time")
    assert len(tree.steps(output)) == 22
    assert output.count("it answers 401: give it a name and password") == 1
    state = [path.read_bytes() for path in (tree.folder / "build").rglob("*") if path.is_file()]
    assert "wr0ng" not in output
    assert not any(b"wr0ng" in data for data in state)


def test_a_password_in_the_address_is_refused_and_not_repeated(tmp_path: Path) -> None:
    output = tree_at(tmp_path / "tree").scons("cache=https://me:hunter2@localhost/tt", code=2)
    assert "name and password do not belong into an address" in output
    assert "hunter2" not in output


def test_passwords_go_over_tls_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TT_BUILD_CACHE_USER", "me")
    monkeypatch.setenv("TT_BUILD_CACHE_PASSWORD", "it")
    assert credentials_for("https://host/tt") == "me:it"
    assert credentials_for("http://host/tt") is None


@pytest.mark.parametrize("url", ["ftp://host/x", "https://", "https://host:port/", "https://host/?a=b", "https://[1/"])
def test_what_is_no_address_is_refused(url: str) -> None:
    assert problem_of(url)
    assert not problem_of("https://host:8443/tt")


# Servers that fail


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(
    nginx: Nginx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    tree = tree_at(tmp_path / "tree")
    output = tree.scons(f"cache={nginx.url}")
    assert len(tree.steps(output)) == 22
    assert output.count("CERTIFICATE_VERIFY_FAILED") == 1
    assert nginx.entries("ac") == []


def seconds_with(tree: Tree, url: str) -> tuple[float, str]:
    started = time.monotonic()
    output = tree.scons(f"cache={url}")
    assert len(tree.steps(output)) == 22
    return time.monotonic() - started, output


def test_a_dead_server_costs_little(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/tt"
    seconds, output = seconds_with(tree_at(tmp_path / "tree"), url)
    assert seconds < 8
    assert output.count("Connection refused; the build goes on without it") == 1


@contextlib.contextmanager
def talking(respond: Callable[[socket.socket, bytes], None]) -> Iterator[str]:
    """The address of a server that reads a request and leaves the rest to ``respond``."""

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while request := connection.recv(1 << 20):
                respond(connection, request)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/tt"


HANGS = {
    "nothing": b"",
    "a body, two bytes a second": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
    "a header, two bytes a second": b"HTTP/1.1 200 OK\r\nX-A: ",  # which no timeout of a socket ends
}


@pytest.mark.parametrize("kind", HANGS)
def test_a_server_that_hangs_or_trickles_costs_a_bounded_time(tmp_path: Path, kind: str) -> None:
    def trickle(connection: socket.socket, request: bytes) -> None:
        connection.sendall(HANGS[kind])
        while True:
            time.sleep(0.5)
            connection.sendall(b"x" if HANGS[kind] else b"")

    with talking(trickle) as url:
        seconds, output = seconds_with(tree_at(tmp_path / "tree"), url)
    assert seconds < 5 + 8  # REQUEST_SECONDS once, and the build
    assert output.count("it does not answer in time; the build goes on without it") == 1


def test_uploads_that_do_not_end_hold_no_build_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def respond(connection: socket.socket, request: bytes) -> None:
        if request.startswith(b"GET"):
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    monkeypatch.setenv("TT_BUILD_CACHE_UPLOAD_WAIT", "1")
    with talking(respond) as url:
        seconds, output = seconds_with(tree_at(tmp_path / "tree"), url)
    assert seconds < 1 + 8
    assert "0 stored" in output
    assert "22 not stored in 1 s" in output


def test_a_slow_server_is_left_when_it_costs_more_than_it_saves(
    nginx: Nginx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TT_BUILD_CACHE_PATIENCE", "0.02")
    output = tree_at(tmp_path / "tree").scons(f"cache={nginx.url}")
    assert "more than it saves; steps are run instead" in output
    assert "22 stored" in output  # the next build may have them


def test_a_server_that_dies_during_a_build_fails_nothing(
    warm: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Nginx(tmp_path / "dying") as nginx:
        monkeypatch.setenv("SSL_CERT_FILE", str(nginx.authority))
        tree = tree_at(tmp_path / "tree")
        process = subprocess.Popen(
            [sys.executable, "-m", "SCons", f"cache={nginx.url}"],
            cwd=tree.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
        )
        while not nginx.entries("ac") and process.poll() is None:
            time.sleep(0.005)
    assert process.wait(60) == 0
    assert tree.files() == warm.files()


# Entries


DIGESTS = st.builds(Digest, st.binary(min_size=32, max_size=32).map(bytes.hex), st.integers(0, 2**40))


@given(st.lists(DIGESTS, min_size=1, max_size=8), st.integers(0, 10**12).map(lambda nanos: nanos / 1e9))
def test_entries_read_back(outputs: list[Digest], seconds: float) -> None:
    found, length = decode(KEY, encode(KEY, outputs, seconds))
    assert found == outputs
    assert abs(length - seconds) < 1e-6
    with pytest.raises(ValueError, match="another step"):
        decode("cd" * 32, encode(KEY, outputs, seconds))


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_a_value_error(data: bytes) -> None:
    try:
        outputs, seconds = decode(KEY, data)
    except ValueError:
        return
    assert outputs
    assert seconds >= 0


def test_an_entry_is_the_message_that_the_api_defines() -> None:
    """Written out by hand from remote_execution.proto."""
    path, digest = f"{KEY}/0".encode(), b"\x0a\x40" + b"cd" * 32 + b"\x10\x96\x01"
    file = b"\x0a" + bytes([len(path)]) + path + b"\x12" + bytes([len(digest)]) + digest
    times = b"\x1a\x00\x22\x08\x08\x01\x10\x80\xca\xb5\xee\x01"
    assert len(file) == 139  # as a varint 8b 01
    expected = b"\x12" + b"\x8b\x01" + file + b"\x4a" + bytes([len(times)]) + times
    assert encode(KEY, [Digest("cd" * 32, 150)], 1.5) == expected


def test_what_bazel_remote_adds_to_an_entry_is_passed_over() -> None:
    """It names the worker that stored it: field 1 of the metadata, field 9."""
    key, outputs = "ab" * 32, [Digest("cd" * 32, 7)]
    metadata = encode(key, outputs, 1.5).removeprefix(encode(key, outputs, 0).partition(b"\x4a")[0])
    assert metadata[0] == 0x4A
    worker = b"\x0a\x09127.0.0.1"
    rewritten = bytes([0x4A, metadata[1] + len(worker)]) + worker + metadata[2:]
    assert decode(key, encode(key, outputs, 1.5).removesuffix(metadata) + rewritten) == (outputs, 1.5)
