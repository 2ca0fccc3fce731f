"""Realistic mistakes: the right code at the right place, and a help that, applied, makes the file valid."""

from __future__ import annotations

from pathlib import Path

import pytest

from tt_build.spec.fixes import fixed_texts
from tt_build.spec.loader import SpecFile, load_file
from tt_build.spec.source import render

BASE = """\
version: 1
target: {arch: wormhole_b0, grid: [8, 8]}
defaults: {dtype: bfloat16, layout: dram_interleaved}
policies:
  schedule: {stripes: {policy: strided}}
  layout: {rows: {memory: l1, sharding: height, grid: [1, 8]}}
kernels:
  mlp:
    description: a layer
    sizes: {M: 512, K: 256, N: 1024}
    scalars: {eps: 1e-5}
    inputs:
      X: {shape: [M, K]}
      W: {shape: [K, N]}
      b: {shape: [1, N]}
    outputs:
      Y: {shape: [M, N]}
    compute: |
      h = X @ W + b
      Y = gelu(h) * (1 + eps)
    schedule: stripes
    math: {fidelity: HiFi4, fp32_accumulate: true}
    block: [32, 32]
"""


def load(tmp_path: Path, text: str) -> SpecFile:
    path = tmp_path / "kernels.yaml"
    path.write_text(text)
    return load_file(path)


def edited(old: str, new: str, text: str = BASE) -> str:
    assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
    return text.replace(old, new)


def test_the_base_is_valid(tmp_path: Path) -> None:
    assert load(tmp_path, BASE).diagnostics == ()


# what was right, what was written instead, the code, the text under the caret, the words of the help or message that
# say what to write. Writing the right text again is what the help says.
PANEL = {
    "typo in a key": ("schedule: stripes", "shedule: stripes", "TTB006", "shedule", "'schedule'"),
    "typo in a kernel's section": ("inputs:\n", "input:\n", "TTB006", "input", "'inputs'"),
    "typo in a tensor's key": ("X: {shape:", "X: {shpae:", "TTB006", "shpae", "'shape'"),
    "upper-case key": ("version: 1", "Version: 1", "TTB006", "Version", "'version'"),
    "swapped shape": ("W: {shape: [K, N]}", "W: {shape: [N, K]}", "TTB014", "X @ W", "transpose W: W.T"),
    "missing output": ("Y = gelu(h) * (1 + eps)", "Z = gelu(h) * (1 + eps)", "TTB019", "Y", "'Y'"),
    "wrong policy name": ("schedule: stripes", "schedule: stripe", "TTB026", "stripe", "'stripes'"),
    "wrong policy word": ("{policy: strided}", "{policy: stride}", "TTB008", "stride", "'strided'"),
    "unquoted time": ("description: a layer", "description: 12:30", "TTB004", "12:30", '"12:30"'),
    "unquoted no": ("description: a layer", "description: no", "TTB004", "no", '"no"'),
    "tab": ("    sizes:", "\tsizes:", "TTB001", "\t", "indent with spaces"),
    "duplicate key": ("    block: [32, 32]", "    math: {}\n    block: [32, 32]", "TTB002", "math", "remove one"),
    "open bracket": ("grid: [8, 8]}", "grid: [8, 8}", "TTB001", "[", "']'"),
    "unknown size": ("shape: [1, N]", "shape: [1, n]", "TTB010", "n", "'N'"),
    "float division of sizes": ("block: [32, 32]", "block: [M / 16, 32]", "TTB010", "M / 16", "//"),
    "unknown function": ("gelu(h)", "geluu(h)", "TTB013", "geluu", "'gelu'"),
    "unknown name": ("X @ W + b", "X @ W + bias", "TTB012", "bias", "known names: X, W, b"),
    "misspelt name": ("gelu(h) * (1 + eps)", "gelu(h) * (1 + esp)", "TTB012", "esp", "'eps'"),
    "float16": ("dtype: bfloat16", "dtype: float16", "TTB023", "float16", "bfloat16"),
    "bf16": ("dtype: bfloat16", "dtype: bf16", "TTB023", "bf16", "'bfloat16'"),
    "quoted number": ("M: 512", 'M: "512"', "TTB005", '"512"', "512"),
    "yes for true": ("fp32_accumulate: true", "fp32_accumulate: yes", "TTB005", "yes", "true"),
    "no axis": ("gelu(h) *", "(h - sum(h)) *", "TTB017", "sum(h)", "axis=-1"),
    "a row that is a column": ("b: {shape: [1, N]}", "b: {shape: [M]}", "TTB015", "X @ W + b", "1024 and 512"),
    "block of half a tile": ("block: [32, 32]", "block: [16, 32]", "TTB035", "16", "32"),
    "too many cores": ("grid: [8, 8]", "grid: [10, 8]", "TTB032", "[10, 8]", "[8, 8]"),
    "a chip's short name": ("arch: wormhole_b0", "arch: wormhole", "TTB031", "wormhole", "'wormhole_b0'"),
    "layout misspelt": ("layout: dram_interleaved", "layout: dram", "TTB026", "dram", "dram_interleaved"),
    "assigned twice": ("h = X @ W + b\n      Y", "Y = X @ W + b\n      h = Y\n      Y", "TTB020", "Y", "new name"),
    "augmented assignment": ("h = X @ W + b", "h = X @ W\n      h += b", "TTB011", "+=", "h = h + ..."),
    "conditional": ("gelu(h)", "(h if h > 0 else 0)", "TTB011", "if", "where(condition, a, b)"),
    "indexing": ("gelu(h)", "h[0]", "TTB011", "[", "slice"),
    "a method": ("gelu(h)", "h.gelu()", "TTB011", "h.gelu()", "write gelu(h)"),
    "a method of an expression": (
        "h = X @ W + b",
        "h = (X @ W + b).cast(bfloat16)",
        "TTB011",
        "(X @ W + b).cast(bfloat16)",
        "write cast(X @ W + b, bfloat16)",
    ),
    "another library's function": (
        "gelu(h)",
        "torch.nn.functional.gelu(h)",
        "TTB011",
        "torch.nn.functional.gelu(h)",
        "write gelu(h)",
    ),
    "a method that is called otherwise": ("gelu(h)", "h.clamp(0, 6)", "TTB011", "h.clamp(0, 6)", "clip(x, low, high)"),
    "membership": ("gelu(h)", "h in h", "TTB011", "in", "(X == 1) + (X == 2)"),
    "kernel name with a dash": ("  mlp:", "  mlp-up:", "TTB009", "mlp-up", "mlp_up"),
    "capital kernel name": ("  mlp:", "  MLP:", "TTB009", "MLP", "mlp"),
    "anchor": ("schedule: stripes", "schedule: &s stripes", "TTB003", "&s", "write the value out"),
    "newer version": ("version: 1", "version: 2", "TTB028", "2", "version: 1"),
    "comma in a call": (
        "block: [32, 32]",
        "block: [ceildiv(M, 16), 32]",
        "TTB010",
        "ceildiv(M, 16)",
        '"ceildiv(M, 16)"',
    ),
    "wrong output shape": ("Y: {shape: [M, N]}", "Y: {shape: [M, K]}", "TTB018", "gelu(h) * (1 + eps)", "[512, 1024]"),
}


@pytest.mark.parametrize("name", PANEL)
def test_panel(name: str, tmp_path: Path) -> None:
    right, wrong, code, marked, words = PANEL[name]
    spec = load(tmp_path, edited(right, wrong))
    errors = [entry for entry in spec.diagnostics if entry.diagnostic.code == code]
    assert errors, [entry.diagnostic.message for entry in spec.diagnostics]
    span = errors[0].span
    assert spec.source.files[0].text[span.start : span.end] == marked
    assert words in render(errors[0].diagnostic, spec.source)
    assert load(tmp_path, edited(wrong, right, edited(right, wrong))).diagnostics == ()


# Mistakes whose repair is mechanical: --fix makes the file valid.
FIXED = [
    "a method",
    "another library's function",
    "typo in a key",
    "typo in a kernel's section",
    "typo in a tensor's key",
    "upper-case key",
    "wrong policy word",
    "unquoted time",
    "unquoted no",
    "quoted number",
    "yes for true",
    "kernel name with a dash",
    "capital kernel name",
    "unknown function",
    "misspelt name",
    "wrong policy name",
    "bf16",
    "a chip's short name",
    "block of half a tile",
]


@pytest.mark.parametrize("name", FIXED)
def test_fix(name: str, tmp_path: Path) -> None:
    right, wrong = PANEL[name][:2]
    text = edited(right, wrong)
    for _ in range(3):  # a second mistake may come to light once the first is mended
        texts = fixed_texts(load(tmp_path, text))
        text = texts.get(0, text)
    assert load(tmp_path, text).errors == ()


def test_fixes_keep_the_rest_of_the_file(tmp_path: Path) -> None:
    text = edited("  mlp:", "  mlp-up:   # a comment", edited("fp32_accumulate: true", "fp32_accumulate: on"))
    texts = fixed_texts(load(tmp_path, text))
    assert texts == {0: text.replace("mlp-up", "mlp_up").replace("accumulate: on", "accumulate: true")}


# Right text, wrong text, code, text under the caret.
TABLE = [
    ("version: 1", "version: one", "TTB005", "one"),
    ("version: 1", "version: '1'", "TTB005", "'1'"),
    ("version: 1", "version:", "TTB005", "version"),
    ("version: 1\n", "", "TTB007", None),
    ("version: 1", "version: -1", "TTB028", "-1"),
    ("version: 1", "version: [1]", "TTB005", "[1]"),
    ("{arch: wormhole_b0, grid: [8, 8]}", "wormhole_b0", "TTB005", "wormhole_b0"),
    ("grid: [8, 8]", "grid: 8x8", "TTB005", "8x8"),
    ("grid: [8, 8]", "grid: [8]", "TTB005", "[8]"),
    ("grid: [8, 8]", "grid: [8, 0]", "TTB036", "0"),
    ("grid: [8, 8]", "grid: [8, eight]", "TTB005", "eight"),
    ("grid: [8, 8]", "grid: [8, 8.0]", "TTB005", "8.0"),
    ("grid: [8, 8]", "grid: [8, 0x8]", "TTB005", "0x8"),
    ("arch: wormhole_b0", "arch: no", "TTB004", "no"),
    ("arch: wormhole_b0", "arch: ~", "TTB005", "arch"),
    ("arch: wormhole_b0", "arch: [wormhole_b0]", "TTB005", "[wormhole_b0]"),
    ("dtype: bfloat16", "dtype: 16", "TTB004", "16"),
    ("dtype: bfloat16", "dtype: {}", "TTB005", "{}"),
    ("layout: dram_interleaved", "tile: [16, 16]", "TTB008", "[16, 16]"),
    ("layout: dram_interleaved", "tile: 32", "TTB005", "32"),
    ("layout: dram_interleaved", "tiles: [32, 32]", "TTB006", "tiles"),
    ("layout: dram_interleaved", "layout: {memory: l1}", "TTB007", "layout"),
    ("layout: dram_interleaved", "layout: {memory: sram, sharding: block}", "TTB008", "sram"),
    ("layout: dram_interleaved", "layout: {memory: l1, sharding: rows}", "TTB008", "rows"),
    ("layout: dram_interleaved", "layout: [l1]", "TTB005", "[l1]"),
    ("{stripes: {policy: strided}}", "{stripes: strided}", "TTB005", "strided"),
    ("{stripes: {policy: strided}}", "[stripes]", "TTB005", "[stripes]"),
    ("{stripes: {policy: strided}}", "{stripes: {policy: strided, cores: 4}}", "TTB005", "4"),
    ("{stripes: {policy: strided}}", "{stripes: {policy: strided, cores: [4]}}", "TTB005", "[4]"),
    ("{stripes: {policy: strided}}", "{stripes: {policy: strided, cores: {at: [0, 0]}}}", "TTB007", "cores"),
    ("{stripes: {policy: strided}}", "{stripes: {policy: strided, order: rowmajor}}", "TTB008", "rowmajor"),
    ("{stripes: {policy: strided}}", "{stripes: {matmul: streaming}}", "TTB005", "streaming"),
    ("{stripes: {policy: strided}}", "{stripes: {matmul: {algorithm: fast}}}", "TTB008", "fast"),
    ("{stripes: {policy: strided}}", "{stripes: {matmul: {noc: 2}}}", "TTB036", "2"),
    ("{stripes: {policy: strided}}", "{stripes: {matmul: {k_block: 0}}}", "TTB036", "0"),
    ("{stripes: {policy: strided}}", "{stripes: {matmul: {block: 4}}}", "TTB005", "4"),
    ("{stripes: {policy: strided}}", "{'stripes 2': {}}", "TTB009", "'stripes 2'"),
    ("grid: [1, 8]}", "grid: [1, M]}", "TTB010", "M"),
    ("grid: [1, 8]}", "grid: [1, 8], order: z_order}", "TTB008", "z_order"),
    ("  mlp:", "  mlp up:", "TTB009", "mlp up"),
    ("  mlp:", "  2mlp:", "TTB009", "2mlp"),
    ("  mlp:", "  12:", "TTB004", "12"),
    ("  mlp:", "  null:", "TTB004", "null"),
    ("  mlp:", "  " + "m" * 64 + ":", "TTB009", "m" * 64),
    ("  mlp:", "  ../mlp:", "TTB009", "../mlp"),
    ("  mlp:", "  'mlp\\n':", "TTB009", "'mlp\\n'"),
    ("description: a layer", "description: [a, layer]", "TTB005", "[a, layer]"),
    ("description: a layer", "description: 3.5", "TTB004", "3.5"),
    ("description: a layer", "description: 0x1F", "TTB004", "0x1F"),
    ("description: a layer", "description: 1_000", "TTB004", "1_000"),
    ("description: a layer", "description: .inf", "TTB004", ".inf"),
    ("description: a layer", "description: 2024-01-31T10:00:00Z", "TTB004", "2024-01-31T10:00:00Z"),
    ("description: a layer", "description: ~", "TTB005", "description"),
    ("description: a layer", "description: *x", "TTB003", "*x"),
    ("description: a layer", "description: !!python/object:os.system x", "TTB003", "!!python/object:os.system"),
    ("description: a layer", "description: @x", "TTB001", "@"),
    ("description: a layer", "description: `x`", "TTB001", "`"),
    ("M: 512", "M: 512.0", "TTB005", "512.0"),
    ("M: 512", "M: -1", "TTB036", "-1"),
    ("M: 512", "M: 99999999999", "TTB036", "99999999999"),
    ("M: 512", "M: 99999999999999999999999999", "TTB036", "99999999999999999999999999"),
    ("M: 512", "M: 1_024", "TTB005", "1_024"),
    ("M: 512", "M: 0o17", "TTB005", "0o17"),
    ("M: 512", "M: 017", "TTB004", "017"),
    ("M: 512", "M: 12:30", "TTB004", "12:30"),
    ("M: 512", "M: K * 2", "TTB005", "K * 2"),
    ("M: 512", "M: yes", "TTB005", "yes"),
    ("M: 512", "M: ~", "TTB005", "M"),
    ("{M: 512, K: 256, N: 1024}", "[512, 256, 1024]", "TTB005", "[512, 256, 1024]"),
    ("M: 512, ", "M: 512, 'a b': 3, ", "TTB009", "'a b'"),
    ("M: 512, ", "M: 512, if: 3, ", "TTB009", "if"),
    ("M: 512, ", "M: 512, on: 3, ", "TTB004", "on"),
    ("M: 512, ", "M: 512, X: 3, ", "TTB029", "X"),
    ("eps: 1e-5", "eps: '1e-5'", "TTB005", "'1e-5'"),
    ("eps: 1e-5", "eps: .nan", "TTB005", ".nan"),
    ("eps: 1e-5", "eps: 1e999", "TTB036", "1e999"),
    ("eps: 1e-5", "eps: small", "TTB005", "small"),
    ("eps: 1e-5", "eps: 1:30", "TTB004", "1:30"),
    ("eps: 1e-5", "eps: 010", "TTB004", "010"),
    ("eps: 1e-5", "eps: {runtime: float16}", "TTB008", "float16"),
    ("eps: 1e-5", "eps: {run_time: float32}", "TTB006", "run_time"),
    ("X: {shape: [M, K]}", "X: [M, K]", "TTB005", "[M, K]"),
    ("X: {shape: [M, K]}", "X: {}", "TTB007", "X"),
    ("X: {shape: [M, K]}", "X: {shape: M}", "TTB005", "M"),
    ("X: {shape: [M, K]}", "X: {shape: []}", "TTB005", "[]"),
    ("X: {shape: [M, K]}", "X: {shape: [1, 1, 1, M, K]}", "TTB005", "[1, 1, 1, M, K]"),
    ("X: {shape: [M, K]}", "X: {shape: [M, [K]]}", "TTB005", "[K]"),
    ("X: {shape: [M, K]}", "X: {shape: [M, K - 256]}", "TTB036", "K - 256"),
    ("X: {shape: [M, K]}", "X: {shape: [M, K // 0]}", "TTB010", "K // 0"),
    ("X: {shape: [M, K]}", "X: {shape: [M, K % 2]}", "TTB010", "%"),
    ("X: {shape: [M, K]}", "X: {shape: [M, 'sqrt(K)']}", "TTB010", "sqrt"),
    ("X: {shape: [M, K]}", "X: {shape: [M, 'min(K)']}", "TTB010", "min(K)"),
    ("X: {shape: [M, K]}", "X: {shape: [M, 'K * 1000000000']}", "TTB010", "K * 1000000000"),
    ("X: {shape: [M, K]}", "X: {shape: [M, K.T]}", "TTB010", "K.T"),
    ("X: {shape: [M, K]}", "X: {shape: [M, 2.5]}", "TTB005", "2.5"),
    ("X: {shape: [M, K]}", "X: {shape: [2000000000, 2000000000]}", "TTB036", "[2000000000, 2000000000]"),
    ("X: {shape: [M, K]}", "X: {shape: [M, K], format: rows}", "TTB008", "rows"),
    ("X: {shape: [M, K]}", "X: {shape: [M, K], format: row_major, dtype: bfloat8_b}", "TTB016", "row_major"),
    ("X: {shape: [M, K]}", "X: {shape: [M, K], layout: l2_interleaved}", "TTB026", "l2_interleaved"),
    ("X: {shape: [M, K]}", "X: {shape: [M, K], dtype: int32}", "TTB016", "X @ W"),
    ("    outputs:\n      Y: {shape: [M, N]}\n", "", "TTB007", "mlp"),
    ("    outputs:\n      Y: {shape: [M, N]}\n", "    outputs: {}\n", "TTB007", "outputs"),
    ("    outputs:\n      Y: {shape: [M, N]}\n", "    outputs: Y\n", "TTB005", "Y"),
    ("Y: {shape: [M, N]}", "Y: {shape: [M, N], dtype: int32}", "TTB016", "gelu(h) * (1 + eps)"),
    ("h = X @ W + b\n", "h = X @ W + b;\n", "TTB011", ";"),
    ("h = X @ W + b\n", "h: X @ W + b\n", "TTB011", ":"),
    ("h = X @ W + b\n", "h == X @ W + b\n", "TTB011", "=="),
    ("h = X @ W + b\n", "h = (X @ W + b\n", "TTB011", "("),
    ("h = X @ W + b\n", "h = X @ W + 'b'\n", "TTB011", "'"),
    ("h = X @ W + b\n", "h = X @ W + b, b\n", "TTB011", ","),
    ("h = X @ W + b\n", "h = X W + b\n", "TTB011", "W"),
    ("h = X @ W + b\n", "h = import_x @ W + b\n", "TTB012", "import_x"),
    ("h = X @ W + b\n", "h = __import__(W) + b\n", "TTB013", "__import__"),
    ("h = X @ W + b\n", "h = X.real @ W + b\n", "TTB011", "real"),
    ("h = X @ W + b\n", "h = X @ W.T + b\n", "TTB014", "X @ W.T"),
    ("h = X @ W + b\n", "h = X.T @ W + b\n", "TTB014", "X.T @ W"),
    ("h = X @ W + b\n", "h = X @ W + b.TT\n", "TTB011", "TT"),
    ("h = X @ W + b\n", "h = X + b\n", "TTB015", "X + b"),
    ("h = X @ W + b\n", "h = X * W + b\n", "TTB015", "X * W"),
    ("h = X @ W + b\n", "h = X @ W @ b\n", "TTB014", "X @ W @ b"),
    ("h = X @ W + b\n", "h = matmul(X, W) + b\n", "TTB013", "matmul"),
    ("gelu(h) *", "gelu() *", "TTB017", "gelu()"),
    ("gelu(h) *", "gelu(h, tanh=1) *", "TTB017", "tanh"),
    ("gelu(h) *", "max(h, 0) *", "TTB033", "0"),
    ("gelu(h) *", "clip(h) *", "TTB017", "clip(h)"),
    ("gelu(h) *", "softmax(h, axis=1) *", "TTB033", "1"),
    ("gelu(h) *", "layernorm(h) *", "TTB017", "layernorm(h)"),
    ("gelu(h) *", "cast(h, fp32) *", "TTB023", "fp32"),
    ("gelu(h) *", "causal(3) *", "TTB017", "causal(3)"),
    ("gelu(h) *", "permute(h, (0, 2)) *", "TTB033", "(0, 2)"),
    ("gelu(h) *", "repeat(h, 1.5, 0) *", "TTB017", "1.5"),
    ("schedule: stripes", "schedule: strided", "TTB026", "strided"),
    ("schedule: stripes", "schedule: [stripes]", "TTB005", "[stripes]"),
    ("schedule: stripes", "schedule:", "TTB005", "schedule"),
    ("schedule: stripes", "verify: {pcc: 2}", "TTB036", "2"),
    ("schedule: stripes", "verify: {rtol: -1}", "TTB036", "-1"),
    ("schedule: stripes", "verify: {inputs: random}", "TTB008", "random"),
    ("schedule: stripes", "verify: {sizes: {Q: 3}}", "TTB010", "Q"),
    ("schedule: stripes", "verify: {tolerance: 3}", "TTB006", "tolerance"),
    ("schedule: stripes", "verify: {seed: x}", "TTB005", "x"),
    ("schedule: stripes", "allow: TTB101", "TTB005", "TTB101"),
    ("schedule: stripes", "allow: [101]", "TTB004", "101"),
    ("schedule: stripes", "allow: [TTB999]", "TTB008", "TTB999"),
    ("schedule: stripes", "target: {grid: [9, 1]}", "TTB032", "[9, 1]"),
    ("schedule: stripes", "variants: [M]", "TTB005", "[M]"),
    ("schedule: stripes", "grid: 4", "TTB005", "4"),
    ("schedule: stripes", "grid: [1, 2, 3, 4]", "TTB005", "[1, 2, 3, 4]"),
    ("fidelity: HiFi4", "fidelity: 4", "TTB008", "4"),
    ("fp32_accumulate: true", "fp32_accumulate: 1", "TTB005", "1"),
    ("fp32_accumulate: true", "fp32_accumulate: 'true'", "TTB005", "'true'"),
    ("{fidelity: HiFi4, fp32_accumulate: true}", "HiFi4", "TTB005", "HiFi4"),
    ("block: [32, 32]", "block: 32", "TTB005", "32"),
    ("block: [32, 32]", "block: [32, 32, 32]", "TTB005", "[32, 32, 32]"),
    ("    block: [32, 32]", "   block: [32, 32]", "TTB001", "b"),
    ("    block: [32, 32]", "    block: [32, 32]]", "TTB001", "]"),
    ("    block: [32, 32]", "    block [32, 32]", "TTB001", None),
    ("    block: [32, 32]", "    ? [a]\n    : b", "TTB005", "["),
    ("    block: [32, 32]", "    block: [32, 32]\n...\nmore: 1", "TTB001", None),
]


@pytest.mark.parametrize(("right", "wrong", "code", "marked"), TABLE, ids=lambda value: str(value)[:40])
def test_malformed(right: str, wrong: str, code: str, marked: str | None, tmp_path: Path) -> None:
    spec = load(tmp_path, edited(right, wrong))
    errors = [entry for entry in spec.diagnostics if entry.diagnostic.severity == "error"]
    shown = [render(entry.diagnostic, spec.source) for entry in errors]
    assert [entry.diagnostic.code for entry in errors] == [code], "\n".join(shown)
    if marked is not None:
        span = errors[0].span
        assert spec.source.files[0].text[span.start : span.end] == marked, shown[0]


def test_there_are_a_hundred_and_fifty() -> None:
    assert len(TABLE) >= 150
