"""``extensions`` as hostile data: bounded time, nothing outside the folder, one message a cause, fixes that mend."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import ROOT
from tt_build.cli.validate import fix
from tt_build.spec.loader import SpecFile, load_file
from tt_build.spec.source import render
from tt_build.spec.templates import packaged

MEGABYTE = 1 << 20
MAIN = """version: 1
extensions: ops
kernels:
  k:
    inputs: {X: {shape: [32, 32]}}
    outputs: {Y: {shape: [32, 32]}}
    compute: Y = f(X)
"""
VALID = """version: 1
ops:
  g: {operands: [x], parameters: {by: 2.0}, define: x * by}
  f:
    operands: [x]
    parameters: {scale: required}
    sfpu: {header: f.h, init: f_init, call: f_tile, words: [scale, 1 / scale], scratch: 1}
    reference: g(x) * scale
    ulp: {bfloat16: 2, float32: 4}
    absolute: 1e-6
    dtypes: [bfloat16, float32]
"""


def write(folder: Path, ops: bytes | str, main: str = MAIN) -> Path:
    """The specification."""
    (folder / "ops").mkdir(exist_ok=True)
    (folder / "ops" / "ops.yaml").write_bytes(ops if isinstance(ops, bytes) else ops.encode())
    (folder / "ops" / "f.h").write_text("ALWI void f_init() {}\nALWI void f_tile(uint32_t d) {}\n")
    (folder / "kernels.yaml").write_text(main)
    return folder / "kernels.yaml"


def check(path: Path) -> SpecFile:
    """Loads it; every message can be printed."""
    spec = load_file(path)
    for entry in spec.diagnostics:
        text = render(entry.diagnostic, spec.source)
        assert all(line.isprintable() for line in text.split("\n"))
    return spec


def test_ops_that_grow_too_high_are_refused_once(tmp_path: Path) -> None:
    text = "version: 1\nops:\n  f0: {operands: [x], define: x + x}\n"
    text += "".join(f"  f{i}: {{operands: [x], define: f{i - 1}(f{i - 1}(x)) + f{i - 1}(x)}}\n" for i in range(1, 30))
    spec = check(write(tmp_path, text, MAIN.replace("f(X)", "f29(X)")))
    assert [entry.diagnostic.code for entry in spec.diagnostics] == ["TTB034"]


HOSTILE = {
    "deep": b"{a: " * (MEGABYTE // 4),
    "many ops": b"version: 1\nops:\n" + b"".join(b"  f%d: {operands: [x], define: x}\n" % at for at in range(30_000)),
    "many bad ops": b"version: 1\nops:\n" + b"".join(b"  f%d: {x: 1}\n" % at for at in range(60_000)),
    "a long definition": b"version: 1\nops: {f: {operands: [x], define: '" + b"x+" * (MEGABYTE // 2) + b"x'}}",
    "many operands": b"version: 1\nops: {f: {operands: [" + b"x," * (MEGABYTE // 2) + b"y], define: x}}",
    "many parameters": b"version: 1\nops:\n  f:\n    operands: [x]\n    define: x\n    parameters:\n"
    + b"".join(b"      p%d: 1\n" % at for at in range(60_000)),
    "many words": b"version: 1\nops:\n  f:\n    operands: [x]\n    reference: x\n    ulp: 1\n"
    + b"    sfpu: {header: f.h, init: f_init, call: f_tile, words: [" + b"p," * 200_000 + b"q]}\n",
    "no text": bytes(range(256)) * 4096,
    "ops of ops": b"version: 1\nops:\n  f0: {operands: [x], define: abs(x)}\n"
    + b"".join(b"  f%d: {operands: [x], define: %s}\n" % (at, b"*".join([b"f%d(x)" % (at - 1)] * 30))
               for at in range(1, 400)),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_of_ops_is_answered_in_bounded_time(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, HOSTILE[name])
    start = time.process_time()
    assert check(path).errors
    assert time.process_time() - start < 2.0


def test_many_kernels_of_large_ops_take_little_more_than_of_small_ones(tmp_path: Path) -> None:
    def seconds(factors: int) -> tuple[float, set[str]]:
        define = " * ".join(["f0(x)"] * factors)
        ops = f"version: 1\nops:\n  f0: {{operands: [x], define: abs(x)}}\n  f: {{operands: [x], define: {define}}}\n"
        text = MAIN + "".join(MAIN.split("kernels:\n")[1].replace("  k:", f"  k{n}:") for n in range(7000))
        path = write(tmp_path, ops, text)
        assert path.stat().st_size < MEGABYTE
        start = time.process_time()
        spec = check(path)
        return time.process_time() - start, {entry.diagnostic.code for entry in spec.errors}

    small, none = seconds(1)
    large, codes = seconds(30)
    assert not none
    assert "TTB034" in codes
    assert large < 3 * small  # without a bound on what ops unfold to: thirty times


def corrupted(seed: int) -> bytes:
    """The valid file with a few bytes changed."""
    rng, data = random.Random(seed), bytearray(VALID.encode())
    pieces = [
        b"[",
        b"]",
        b"{",
        b"}",
        b": ",
        b"\n",
        b"'",
        b"&a ",
        b"12:30",
        b"no",
        b"-1",
        b"((",
        b"@",
        b"x",
        b"1 / ",
        b"../",
    ]
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data))
        if rng.randrange(2):
            data[at : at + rng.randint(1, 20)] = b""
        else:
            data[at : at + rng.randrange(2)] = rng.choice(pieces)
    return bytes(data)


def test_corrupted_files(tmp_path: Path) -> None:
    path = write(tmp_path, VALID, MAIN.replace("f(X)", "f(X, 2)"))
    assert not check(path).diagnostics
    for seed in range(300):
        check(write(tmp_path, corrupted(seed), MAIN.replace("f(X)", "f(X, 2)")))


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    check(write(tmp_path, data))


@pytest.mark.parametrize(
    ("wrong", "right", "code"),
    [
        ("parameters: {by", "parametres: {by", "TTB006"),
        ("x * by", "x * bye", "TTB012"),
        ("reference: g(x)", "reference: sigmod(x)", "TTB013"),
        ("scratch: 1", 'scratch: "1"', "TTB005"),
        ("dtypes: [bfloat16", "dtypes: [bfloat", "TTB023"),
        ("words: [scale, ", "words: [scal, ", "TTB041"),
        ("  g: {operands: [x]", "  g: {operands: [no]", "TTB004"),
        ("define: x * by}", "define: maximum(x, by)}", "TTB010"),
    ],
)
def test_a_realistic_mistake_is_mended_by_its_help(wrong: str, right: str, code: str, tmp_path: Path) -> None:
    """The first code is that of the mistake; what ``--fix`` writes is valid, up to a name that is then another's."""
    path = write(tmp_path, VALID.replace(wrong, right), MAIN.replace("f(X)", "f(X, 2)"))
    spec = check(path)
    assert spec.errors[0].diagnostic.code == code
    assert spec.errors[0].diagnostic.help
    fix(path)
    left = [entry.diagnostic.code for entry in load_file(path).errors]
    assert left == [] or code in ("TTB004",)


def test_nothing_outside_the_folder_is_read(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.h").write_text("ALWI void f_init() {}\nALWI void f_tile(uint32_t d) {}\n")
    (tmp_path / "secret.j2").write_text("secret")
    path = write(inside, VALID.replace("f.h", "../../secret.h"))
    assert "TTB038" in {entry.diagnostic.code for entry in check(path).errors}
    write(inside, VALID)
    (inside / "ops" / "f.h").unlink()
    (inside / "ops" / "f.h").symlink_to(tmp_path / "secret.h")
    assert "TTB038" in {entry.diagnostic.code for entry in check(path).errors}
    write(inside, VALID.replace("f.h", "own.h"))
    templates = inside / "ops" / "templates"
    templates.mkdir()
    (templates / "compute.cpp.j2").symlink_to(tmp_path / "secret.j2")
    spec = check(path)
    assert "TTB042" in {entry.diagnostic.code for entry in spec.errors}
    assert spec.templates == {}
    (inside / "elsewhere").symlink_to(tmp_path)
    spec = check(write(inside, VALID, MAIN.replace("extensions: ops", "extensions: elsewhere")))
    assert next(entry.diagnostic.code for entry in spec.errors) == "TTB040"


def test_a_template_of_every_name_of_the_package_replaces_it(tmp_path: Path) -> None:
    path = write(tmp_path, VALID, MAIN.replace("f(X)", "X + 1"))
    for name, text in packaged().items():
        own = tmp_path / "ops" / "templates" / name
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text(text)
    spec = check(path)
    assert not spec.diagnostics
    assert spec.templates == packaged()
    (tmp_path / "ops" / "templates" / "README.md").write_text("no template")
    assert [entry.diagnostic.code for entry in check(path).errors] == ["TTB042"]


def test_the_example_is_valid() -> None:
    assert not check(ROOT / "examples" / "extensions" / "kernels.yaml").diagnostics


def test_a_missing_ops_file_is_said_where_an_op_is_called(tmp_path: Path) -> None:
    (tmp_path / "ops" / "templates").mkdir(parents=True)
    (tmp_path / "kernels.yaml").write_text(MAIN.replace("f(X)", "softcap(X)"))
    (entry,) = check(tmp_path / "kernels.yaml").diagnostics
    assert entry.diagnostic.message == "unknown function 'softcap'"
    assert entry.diagnostic.help == (
        "ops/ops.yaml, which would define ops of your own, does not exist\ndid you mean 'softmax'?"
    )
    assert entry.diagnostic.fix is None
