"""The loader: what a file becomes, targets, variants, includes, policies, positions."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tt_build.spec.diagnostics import Diagnostic, Where
from tt_build.spec.loader import SpecFile, load_file
from tt_build.spec.model import Declaration, RuntimeScalar, Sharding
from tt_build.spec.source import render

PAGE = """\
# yaml-language-server: $schema=tt_build/spec/kernels.schema.json
version: 1
target: {arch: wormhole_b0, grid: [8, 8]}     # grid: worker cores x, y; default: the whole chip
defaults:                          # what a kernel gets where it says nothing itself, key by key
  dtype: bfloat16
  tile: [32, 32]
  layout: dram_interleaved
  schedule: {policy: contiguous, order: row_major}
  math: {fidelity: HiFi4, fp32_accumulate: true, approximate: false}
policies:                          # named, referred to by name
  schedule:
    stripes: {policy: strided, order: column_major}
    quarter: {policy: rectangular, cores: {at: [0, 0], size: [4, 4]}}
  layout:
    rows_in_l1: {memory: l1, sharding: height, grid: [1, 8]}
kernels:
  gemm:                            # ^[a-z][a-z0-9_]{0,62}$
    description: C = A B, the canonical 256 x 256 matmul
    sizes: {M: 256, N: 256, K: 256}
    inputs:
      A: {shape: [M, K]}
      B: {shape: [K, N]}
    outputs:
      C: {shape: [M, N]}
    compute: C = A @ B
    schedule: {matmul: {algorithm: streaming}}    # or auto: the planner's choice
  mlp_up:
    sizes: {M: 512, K: 256, N: 1024}
    inputs: {X: {shape: [M, K], layout: rows_in_l1}, W: {shape: [K, N]}, b: {shape: [1, N]}}
    outputs: {Y: {shape: [M, N], dtype: bfloat16}}
    compute: |
      h = X @ W + b
      Y = gelu(h)
    grid: [32, "ceildiv(M, 32)"]
    schedule: stripes
  rmsnorm:
    sizes: {M: 64, N: 4096}
    scalars: {eps: 1e-5, gain: {runtime: float32}}
    inputs: {X: {shape: [M, N]}, gamma: {shape: [1, N]}}
    outputs: {Y: {shape: [M, N]}}
    compute: Y = X * rsqrt(mean(X * X, axis=-1) + eps) * gamma * gain
    variants: {M: [32, 64, 128]}   # one kernel each: rmsnorm.M32, rmsnorm.M64, rmsnorm.M128
"""

K = """\
    inputs: {A: {shape: [64, 64]}}
    outputs: {C: {shape: [64, 64]}}
    compute: C = A + 1
"""
SIMPLE = f"version: 1\nkernels:\n  k:\n{K}"


def load(tmp_path: Path, text: str, **options: object) -> SpecFile:
    path = tmp_path / "kernels.yaml"
    path.write_text(text, newline="")
    return load_file(path, **options)  # type: ignore[arg-type]


def codes(spec: SpecFile) -> list[str]:
    return [entry.diagnostic.code for entry in spec.diagnostics]


def by_name(spec: SpecFile) -> dict[str, Declaration]:
    return {declaration.kernel.name: declaration for declaration in spec.declarations}


def test_the_page_of_the_language(tmp_path: Path) -> None:
    spec = load(tmp_path, PAGE)
    assert codes(spec) == []
    found = by_name(spec)
    assert list(found) == ["gemm", "mlp_up", "rmsnorm.M32", "rmsnorm.M64", "rmsnorm.M128"]
    mlp = found["mlp_up"].kernel
    assert mlp.compute == "h = X @ W + b\nY = gelu(h)"
    assert mlp.grid == (32, 16)
    assert mlp.inputs["X"].layout == Sharding(memory="l1", sharding="height", grid=(1, 8))
    assert mlp.schedule is not None
    assert (mlp.schedule.policy, mlp.schedule.order) == ("strided", "column_major")
    norm = found["rmsnorm.M128"].kernel
    assert norm.inputs["X"].shape == (128, 4096)
    assert norm.scalars == {"eps": 1e-5, "gain": RuntimeScalar(runtime="float32")}
    assert found["gemm"].target.grid == (8, 8)
    assert found["gemm"].defaults.dtype == "bfloat16"


def test_comments_blank_lines_and_style_change_nothing(tmp_path: Path) -> None:
    flow = {
        "version": 1,
        "kernels": {
            "k": {
                "sizes": {"M": 64},
                "inputs": {"A": {"shape": ["M", 64]}},
                "outputs": {"C": {"shape": [64, 64]}},
                "compute": "h = A+1\nC = (h) * 2",
            }
        },
    }
    block = """
# a comment
version: 1

kernels:
    k:   # here
        sizes:
            M: 64
        inputs:
            A:
                shape:
                - M

                - 64
        outputs: {'C': {"shape": [64, 64]}}
        compute: |
            # a comment inside

            h = A  +  1     # another
            C = h*2
"""
    first, second = load(tmp_path, json.dumps(flow)), load(tmp_path, block)
    assert codes(first) == codes(second) == []
    assert first.declarations == second.declarations
    crlf = load(tmp_path, block.replace("\n", "\r\n"))
    assert crlf.declarations == second.declarations


@pytest.mark.parametrize(
    ("file", "kernel", "arch", "grid", "expected"),
    [
        ("", "", None, None, ("wormhole_b0", (8, 8))),
        ("{arch: blackhole}", "", None, None, ("blackhole", (13, 10))),
        ("{arch: blackhole, grid: [4, 2]}", "", None, None, ("blackhole", (4, 2))),
        ("{arch: blackhole}", "", "wormhole_b0", None, ("wormhole_b0", (8, 8))),
        ("{grid: [4, 2]}", "", "blackhole", None, ("blackhole", (4, 2))),
        ("{grid: [4, 2]}", "", None, (3, 3), ("wormhole_b0", (3, 3))),
        ("", "{arch: blackhole}", "wormhole_b0", (8, 8), ("blackhole", (8, 8))),
        ("{grid: [4, 2]}", "{grid: [2, 1]}", None, (3, 3), ("wormhole_b0", (2, 1))),
    ],
)
def test_target_key_by_key(
    tmp_path: Path,
    file: str,
    kernel: str,
    arch: str | None,
    grid: tuple[int, int] | None,
    expected: tuple[str, tuple[int, int]],
) -> None:
    text = SIMPLE + (f"    target: {kernel}\n" if kernel else "") + (f"target: {file}\n" if file else "")
    spec = load(tmp_path, text, arch=arch, grid=grid)
    assert codes(spec) == []
    target = spec.declarations[0].target
    assert (target.arch, target.grid) == expected


def test_command_line_grid_beyond_the_chip(tmp_path: Path) -> None:
    spec = load(tmp_path, SIMPLE, grid=(13, 10))
    assert codes(spec) == ["TTB032"]
    assert "grid=13x10 of the command line" in spec.diagnostics[0].diagnostic.message


def test_a_grid_beyond_the_chip_is_told_once(tmp_path: Path) -> None:
    two = SIMPLE + f"  l:\n{K}"
    (tmp_path / "two.yaml").write_text(two)
    (tmp_path / "one.yaml").write_text(SIMPLE.replace("  k:", "  m:"))
    includes = "version: 1\ninclude: [one.yaml, two.yaml]\n"
    (told,) = load(tmp_path, includes, grid=(13, 10)).diagnostics
    assert (told.diagnostic.code, Path(told.span.file).name) == ("TTB032", "kernels.yaml")
    (tmp_path / "two.yaml").write_text(two.replace("kernels:", "target: {grid: [13, 10]}\nkernels:"))
    (told,) = load(tmp_path, includes).diagnostics
    assert (told.diagnostic.code, Path(told.span.file).name) == ("TTB032", "two.yaml")


def test_variants_of_keys_and_products(tmp_path: Path) -> None:
    text = """\
version: 1
kernels:
  k:
    sizes: {M: 64, N: 64}
    inputs: {A: {shape: [M, N]}}
    outputs: {C: {shape: [M, N]}}
    compute: C = A + 1
    variants:
      N: [32, 64]
      schedule: {fast: {policy: strided}, plain: {order: serpentine}}
      M: {tall: 1024}
"""
    spec = load(tmp_path, text)
    assert codes(spec) == []
    assert list(by_name(spec)) == ["k.N32.fast.tall", "k.N32.plain.tall", "k.N64.fast.tall", "k.N64.plain.tall"]
    kernel = by_name(spec)["k.N32.plain.tall"].kernel
    assert kernel.inputs["A"].shape == (1024, 32)
    assert kernel.schedule is not None
    assert kernel.schedule.order == "serpentine"
    place = spec.source.locate(Where(path=("kernels", "k.N32.plain.tall", "schedule", "order")))
    assert (place.line, place.column) == (10, 58)
    place = spec.source.locate(Where(path=("kernels", "k.N32.plain.tall", "sizes", "N")))
    assert (place.line, place.column) == (9, 11)


def test_a_mistake_of_every_variant_is_told_once(tmp_path: Path) -> None:
    text = SIMPLE.replace("A + 1", "A + b").replace("    inputs", "    sizes: {M: 64}\n    inputs")
    spec = load(tmp_path, text + "    variants: {M: [32, 64, 96]}\n")
    assert codes(spec) == ["TTB012"]
    assert spec.rejected == ("k.M32", "k.M64", "k.M96")


@pytest.mark.parametrize(
    ("variants", "code"),
    [
        ("{M: [32, 32]}", "TTB030"),
        ("{M: []}", "TTB030"),
        ("{}", "TTB030"),
        ("{M: 32}", "TTB005"),
        ("[M]", "TTB005"),
        ("{M: {a-b: 32}}", "TTB030"),
        ("{M: [1.5]}", "TTB030"),
        ("{M: {x: 1.5}}", "TTB005"),
        ("{description: [a, b]}", "TTB030"),
        ("{M: {aa: 32, AA: 64}}", "TTB030"),
        ("{M: [" + ", ".join(map(str, range(1, 50))) + "], N: [" + ", ".join(map(str, range(1, 50))) + "]}", "TTB030"),
    ],
)
def test_variants_refused(tmp_path: Path, variants: str, code: str) -> None:
    text = SIMPLE.replace("    inputs", "    sizes: {M: 64, N: 64}\n    inputs") + f"    variants: {variants}\n"
    assert set(codes(load(tmp_path, text))) == {code}


def test_includes(tmp_path: Path) -> None:
    (tmp_path / "library" / "deep").mkdir(parents=True)
    (tmp_path / "library" / "b.yaml").write_text(SIMPLE.replace("  k:", "  kb:") + "defaults: {dtype: float32}\n")
    (tmp_path / "library" / "a.yaml").write_text(
        "version: 1\ninclude: [deep/c.yaml]\npolicies: {schedule: {s: {policy: strided}}}\n"
        + SIMPLE.replace("version: 1\n", "").replace("  k:", "  ka:")
    )
    (tmp_path / "library" / "deep" / "c.yaml").write_text(SIMPLE.replace("  k:", "  kc:") + "    schedule: s\n")
    spec = load(tmp_path, "include: [library/*.yaml, library/b.yaml]\n" + SIMPLE + "    schedule: s\n")
    assert codes(spec) == []
    assert list(by_name(spec)) == ["k", "ka", "kc", "kb"]
    assert by_name(spec)["kb"].defaults.dtype == "float32"
    assert by_name(spec)["k"].defaults.dtype is None
    place = spec.source.locate(Where(path=("kernels", "kc", "compute"), value=0))
    assert place.file == str(tmp_path / "library/deep/c.yaml")
    assert (place.line, place.column) == (6, 18)


def test_includes_stay_in_their_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text(SIMPLE.replace("  k:", "  o:"))
    home = tmp_path / "home"
    home.mkdir()
    os.symlink(outside, home / "link.yaml")
    os.symlink(tmp_path, home / "folder")
    text = "include: [../outside.yaml, link.yaml, folder/outside.yaml, /etc/passwd, '**/x.yaml', ~/x.yaml]\n" + SIMPLE
    spec = load(home, text)
    assert codes(spec) == ["TTB025"] * 6
    assert len(spec.source.files) == 1
    assert list(by_name(spec)) == ["k"]


def test_names_and_policies_are_global(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("policies: {schedule: {s: {}}}\n" + SIMPLE)
    spec = load(tmp_path, "include: [a.yaml]\npolicies: {schedule: {s: {policy: strided}}}\n" + SIMPLE)
    assert codes(spec) == ["TTB027", "TTB029"]
    text = render(spec.diagnostics[1].diagnostic, spec.source)
    assert f"in {tmp_path / 'kernels.yaml'}:5:3" in text


def test_include_cycles_and_strange_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("include: [b.yaml]\nversion: 1\n")
    (tmp_path / "b.yaml").write_text("include: [a.yaml]\nversion: 1\n")
    (tmp_path / "bin.yaml").write_bytes(b"\x00\x01\xff")
    (tmp_path / "utf16.yaml").write_bytes("version: 1".encode("utf-16"))
    (tmp_path / "dir.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    names = "a.yaml, bin.yaml, utf16.yaml, dir.yaml, pipe.yaml"
    spec = load(tmp_path, f"include: [{names}]\n" + SIMPLE)
    assert codes(spec) == ["TTB025", "TTB024", "TTB024", "TTB024", "TTB024"]
    assert codes(load_file(tmp_path / "missing.yaml")) == ["TTB024"]
    assert codes(load_file(tmp_path)) == ["TTB024"]


def test_byte_order_mark_and_wide_characters(tmp_path: Path) -> None:
    path = tmp_path / "kernels.yaml"
    path.write_bytes("﻿".encode() + SIMPLE.replace("C = A + 1", "C = A + b # 漢字").encode())
    assert codes(load_file(path)) == ["TTB012"]
    text = SIMPLE + "    description: 漢字 and é\n    blok: 1\n"
    spec = load(tmp_path, text)
    assert spec.diagnostics[0].span.line == 8


STYLES = {
    "plain": ("    compute: Y = gelu(X @ W + b)\n", 1),
    "plain on two lines": ("    compute:\n      Y = gelu(\n        X @ W + b)\n", 3),
    "single": ("    compute: 'Y = gelu(X @ W + b)'\n", 1),
    "double": ('    compute: "h = 1\\nY = gelu(\\u0058 @ W + b)"\n', 1),
    "double on two lines": ('    compute: "Y = gelu(\n\n      X @ W + b)"\n', 3),
    "literal": ("    compute: |\n      # a comment\n      h = X * 2   # unused\n\n      Y = gelu(X @ W + b)\n", 5),
    "literal, stripped": ("    compute: |-\n        Y = gelu(X @ W + b)\n\n\n", 2),
    "folded": ("    compute: >\n      Y = gelu(\n      X @ W + b)\n", 3),
    "literal, indented": ("    compute: |2\n        Y = gelu(X @ W + b)\n", 2),
}


@pytest.mark.parametrize("style", STYLES)
def test_values_are_found_in_every_style(tmp_path: Path, style: str) -> None:
    text, line = STYLES[style]
    head = "version: 1\nkernels:\n  k:\n    inputs: {X: {shape: [8, 4]}, W: {shape: [4, 6]}, b: {shape: [6]}}\n"
    spec = load(tmp_path, head + "    outputs: {Y: {shape: [8, 6]}}\n" + text)
    assert [code for code in codes(spec) if code != "TTB103"] == []
    shown = render(Diagnostic("TTB200", "here", Where(path=("kernels", "k", "compute"), value=2)), spec.source)
    lines = shown.split("\n")
    caret = lines[2].index("^")
    marked = lines[1][caret : caret + lines[2].count("^")]
    assert marked in ("X @ W", "\\u0058 @ W")
    assert lines[0].split(":")[1] == str(5 + line)


def test_a_place_that_was_not_written_is_the_nearest_one(tmp_path: Path) -> None:
    spec = load(tmp_path, "defaults: {math: {fidelity: LoFi}}\n" + SIMPLE)
    inherited = spec.source.locate(Where(path=("kernels", "k", "math", "fidelity")))
    assert (inherited.line, inherited.column) == (1, 29)
    kernel = spec.source.locate(Where(path=("kernels", "k", "schedule", "policy")))
    assert (kernel.line, kernel.column) == (4, 3)
    nothing = spec.source.locate(Where(path=("kernels", "unknown", "x")))
    assert nothing.line >= 1


def test_accepted_warnings_are_dropped(tmp_path: Path) -> None:
    text = SIMPLE.replace("[64, 64]}}\n    out", "[64, 64]}, B: {shape: [1]}}\n    out", 1)
    assert codes(load(tmp_path, text)) == ["TTB101"]
    assert codes(load(tmp_path, text + "    allow: [TTB101]\n")) == []
    assert codes(load(tmp_path, text + "    allow: [TTB101, TTB103]\n")) == ["TTB104"]
    assert codes(load(tmp_path, text + "    allow: [TTB014]\n")) == ["TTB101", "TTB008"]


def test_what_a_reference_casts_is_not_judged_by_the_width_of_dst(tmp_path: Path) -> None:
    for name in ("r", "c", "w"):
        (tmp_path / f"{name}.cpp").write_text("void kernel_main() {}\n")
    text = """version: 1
kernels:
  k:
    inputs: {X: {shape: [32, 32], dtype: float32}, I: {shape: [32, 32], dtype: uint16}}
    outputs: {Y: {shape: [32, 32], dtype: uint16}}
    sources: {reader: r.cpp, compute: c.cpp, writer: w.cpp}
    circular_buffers: {cb_x: {of: X, pages: 2}, cb_i: {of: I, pages: 2}, cb_y: {of: Y, pages: 2}}
    arguments: {reader: [], compute: [], writer: []}
    reference: Y = cast(X, uint16) + I
"""
    assert codes(load(tmp_path, text)) == []


def test_a_thousand_kernels_in_half_a_second(tmp_path: Path) -> None:
    text = "version: 1\nkernels:\n" + "".join(
        PAGE.split("kernels:\n")[1].split("  mlp_up")[0].replace("gemm:", f"gemm{at}:") for at in range(1000)
    )
    path = tmp_path / "kernels.yaml"
    path.write_text(text)
    best = 9.0
    for _ in range(3):
        start = time.process_time()
        spec = load_file(path)
        best = min(best, time.process_time() - start)
    assert len(spec.declarations) == 1000
    assert best < 0.5


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("version: 1\ndefaults: {dtype: bfloat16}\n", ["TTB108"]),
        ("version: 1\ninclude: [bare.yaml]\n", []),
        ("version: 1\npolicies: {schedule: {s: {policy: strided}}}\n", []),
        ("version: 1\nkernels: {}\n", []),
        ("version: 1\nkernel: {}\n", ["TTB006"]),
        ("version: 2\n", ["TTB028"]),
    ],
)
def test_a_file_without_kernels_is_warned_of(text: str, codes: list[str], tmp_path: Path) -> None:
    (tmp_path / "bare.yaml").write_text("version: 1\n")
    (tmp_path / "kernels.yaml").write_text(text)
    spec = load_file(tmp_path / "kernels.yaml")
    assert [entry.diagnostic.code for entry in spec.diagnostics] == codes
