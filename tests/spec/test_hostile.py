"""No text makes the loader raise, hang, or read beyond its folder."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.spec.test_loader import PAGE
from tt_build.spec.loader import load_file
from tt_build.spec.source import render

MEGABYTE = 1 << 20


def check(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    spec = load_file(path)
    names = [declaration.kernel.name for declaration in spec.declarations]
    assert len(names) == len(set(names))
    for entry in spec.diagnostics:
        text = render(entry.diagnostic, spec.source)
        assert text.startswith(str(path))
        assert all(line.isprintable() for line in text.split("\n"))


KERNEL = b"""version: 1
kernels:
  k:
    inputs: {X: {shape: [32, 32]}}
    outputs: {Y: {shape: [32, 32]}}
    compute: Y = X
"""
HANDWRITTEN = KERNEL.replace(b"compute: Y = X", b"sources: {reader: a, compute: b, writer: c}") + (
    b"    circular_buffers: {c: {of: X, pages: 1}}\n"
)

HOSTILE = {
    "deep flow": b"[" * MEGABYTE,
    "deep mapping": b"{a: " * (MEGABYTE // 4),
    "deep block": b"".join(b" " * at + b"a:\n" for at in range(1400)),
    "deep list": b"- " * (MEGABYTE // 2),
    "questions": b"? " * (MEGABYTE // 2),
    "laughs": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9)),
    "one long scalar": b"version: 1\nkernels: {k: {compute: " + b"A" * MEGABYTE + b"}}",
    "one long key": b"a" * MEGABYTE + b": 1\n",
    "many keys": b"".join(b"k%d: 1\n" % at for at in range(120_000)),
    "many duplicates": b"a: 1\n" * 200_000,
    "many anchors": b"".join(b"- &a%d x\n" % at for at in range(100_000)),
    "many bad kernels": b"version: 1\nkernels:\n" + b"".join(b"  k%d: {x: 1}\n" % at for at in range(60_000)),
    "long compute": b"version: 1\nkernels: {k: {inputs: {A: {shape: [1]}}, outputs: {C: {shape: [1]}}, compute: 'C = "
    + b"+A" * 400_000
    + b"'}}",
    "many lines of compute": b"version: 1\nkernels: {k: {inputs: {A: {shape: [1]}}, outputs: {C: {shape: [1]}}, "
    + b'compute: "'
    + b"x=(\\n" * 9_000
    + b'"}}',
    "variants of variants": b"version: 1\nkernels:\n"
    + b"".join(
        b"  k%d: {sizes: {M: 1}, inputs: {A: {shape: [M]}}, outputs: {C: {shape: [M]}}, compute: C = A, "
        b"variants: {M: [%s]}}\n" % (at, b",".join(b"%d" % n for n in range(1, 1000)))
        for at in range(200)
    ),
    "many arguments": HANDWRITTEN + b"    arguments: {reader: [" + b"p," * 300_000 + b"q]}\n",
    "many allowed codes": KERNEL + b"    allow: [" + b"p," * 300_000 + b"q]\n",
    "many includes": b"version: 1\ninclude: [" + b"p," * 300_000 + b"q]\n",
    "an open call in braces": b"version: 1\nkernels: {k: {compute: (, "
    + b"".join(b"k%d: , " % at for at in range(90_000))
    + b"}}\n",
    "brackets in quotes": b'"' + b"[" * MEGABYTE,
    "control characters": bytes(range(32)) * 30_000,
    "line separators": ("a: \u2028\u2029\x85b\n" * 90_000).encode(),
    "tabs": b"\t" * MEGABYTE,
    "colons": b": " * (MEGABYTE // 2),
    "pipes": b"a: |\n" + b"  x\n" * 250_000,
    "percent": b"%YAML 1.1\n" * 100_000,
    "number": b"version: " + b"9" * MEGABYTE,
    "size": b"version: 1\nkernels: {k: {sizes: {M: "
    + b"9" * 900_000
    + b"}, inputs: {A: {shape: ["
    + b"(" * 900
    + b"]}}}}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_answered_in_bounded_time(name: str, tmp_path: Path) -> None:
    start = time.process_time()
    check(tmp_path / "kernels.yaml", HOSTILE[name])
    assert time.process_time() - start < 2.0


PAGE_BYTES = PAGE.encode()
PIECES = [
    b"[",
    b"]",
    b"{",
    b"}",
    b": ",
    b"- ",
    b"\n",
    b"\t",
    b"'",
    b'"',
    b"&a ",
    b"*a",
    b"!!x ",
    b"|",
    b">",
    b"#",
]
PIECES += [
    b"~",
    b"null",
    b"010",
    b"12:30",
    b"no",
    b"-1",
    b"1e99",
    b"<<: ",
    b"\xff",
    b"\x00",
    "é".encode(),
    b"((",
    b"@",
    b"M",
]


def corrupted(seed: int) -> bytes:
    rng = random.Random(seed)
    data = bytearray(PAGE_BYTES)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data))
        kind = rng.randrange(4)
        if kind == 0:
            data[at : at + rng.randint(1, 30)] = b""
        elif kind == 1:
            data[at:at] = rng.choice(PIECES)
        elif kind == 2:
            data[at : at + 1] = rng.choice(PIECES)
        else:
            other = rng.randrange(len(data))
            data[at:at] = data[other : other + rng.randint(1, 60)]
    return bytes(data)


def test_corrupted_files(tmp_path: Path) -> None:
    for seed in range(300):
        check(tmp_path / "kernels.yaml", corrupted(seed))


@pytest.mark.long
def test_many_corrupted_files(tmp_path: Path) -> None:
    for seed in range(300, 20_000):
        check(tmp_path / "kernels.yaml", corrupted(seed))


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    check(tmp_path / "kernels.yaml", data)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_lockfiles(name: str, tmp_path: Path) -> None:
    refused_lock(tmp_path, HOSTILE[name])


LOCKS = {
    "nothing": b"",
    "a number": b"3",
    "a list": b"[]",
    "no kernels": b'{"version": 1}',
    "kernels are a list": b'{"version": 1, "kernels": [1]}',
    "an entry is a word": b'{"version": 1, "kernels": {"k": "x"}}',
    "many bad entries": b'{"version": 1, "kernels": {' + b", ".join(b'"k%d": 1' % at for at in range(1500)) + b"}}",
    "a huge number": b'{"version": 99999999999999999999999, "kernels": {}}',
    "too large": b'{"version": 1, "kernels": {}}' + b" " * (4 * MEGABYTE),
    "not UTF-8": b'{"version": 1, "kernels": {"\xff": 1}}',
    "an escape in a name": b'{"version": 1, "kernels": {"\\u001b[31m": {}}}',
}


@pytest.mark.parametrize("name", LOCKS)
def test_lockfiles_that_are_none(name: str, tmp_path: Path) -> None:
    refused_lock(tmp_path, LOCKS[name])


def refused_lock(folder: Path, data: bytes) -> None:
    (folder / "kernels.yaml").write_bytes(PAGE if isinstance(PAGE, bytes) else PAGE.encode())
    (folder / "kernels.lock.json").write_bytes(data)
    started = time.monotonic()
    spec = load_file(folder / "kernels.yaml")
    assert spec.errors
    assert time.monotonic() - started < 20
    for entry in spec.diagnostics:
        text = render(entry.diagnostic, spec.source)
        assert text.startswith(str(folder / "kernels.lock.json")), text
        assert all(line.isprintable() for line in text.split("\n"))


def test_a_lockfile_does_not_lead_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    spec, secret = tmp_path / "inside" / "kernels.yaml", tmp_path / "secret"
    spec.write_text("version: 1\nkernels: {}\n")
    secret.write_text("a secret")
    lock = tmp_path / "inside" / "kernels.lock.json"
    for make in (lambda: lock.symlink_to(secret), lambda: lock.symlink_to("nowhere"), lock.mkdir):
        make()
        (error,) = load_file(spec).errors
        assert error.diagnostic.code == "TTB024"
        assert "a secret" not in render(error.diagnostic, load_file(spec).source)
        lock.rmdir() if lock.is_dir() else lock.unlink()
