"""The stand-in for SFPI lets the whole compute API through: the SDK's own functions, called with plain integers."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import msgspec
import pytest

from tt_build.sdk.gate import check, errors
from tt_build.sdk.headers import headers
from tt_build.targets.sdk import load_sdk

DATA = Path(__file__).parent / "data"
# Not for kernels like ours, or broken in the wheel itself (reverseops.h includes a header that is not there).
SKIPPED = ("experimental", "debug", "sentinel", "reverseops")
FUNCTION = re.compile(
    r"(?:template\s*<(?P<template>[^;{}]*?)>\s*)?(?P<deprecated>\[\[deprecated[^\]]*\]\]\s*)?"
    r"ALWI\s+[\w:]+\s+(?P<name>\w+)\s*\((?P<arguments>[^{}]*?)\)\s*\{"
)
INTEGER = re.compile(r"\s*(?:const )?(?:std::)?(?:u?int(?:8|16|32)_t|int|uint)\b")


def callable_functions(root: Path) -> tuple[dict[str, int], set[str]]:
    """Names with their count of required arguments where all are integers, and the headers that declare them."""
    found: dict[str, int] = {}
    files: set[str] = set()
    base = root / "tt_metal/hw/inc"
    for path in sorted((base / "api/compute").rglob("*.h")):
        if any(part in path.as_posix() for part in SKIPPED):
            continue
        text = re.sub(r"//.*", "", re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL))
        for match in FUNCTION.finditer(text):
            template = [part for part in (match["template"] or "").split(",") if part.strip()]
            required = [part for part in re.sub(r"<[^<>]*>", "", match["arguments"]).split(",") if part.strip()]
            required = [part for part in required if "=" not in part]
            plain = all("=" in part or re.fullmatch(r"\s*\w+>?\s*", part) for part in template)
            if plain and not match["deprecated"] and all(INTEGER.match(part) for part in required):
                found[match["name"]] = len(required)
                files.add(path.relative_to(base).as_posix())
    return found, files


@pytest.mark.parametrize("arch", ["wormhole_b0", "blackhole"])
@pytest.mark.parametrize("sdk", ["0.78", "0.81"])
def test_every_function_instantiates(tmp_path: Path, sdk: str, arch: str) -> None:
    functions, files = callable_functions(headers(load_sdk(sdk)))
    assert len(functions) > 400
    includes = "".join(f'#include "{file}"\n' for file in sorted(files))
    calls = "".join(f"    {name}({', '.join('0' * count)});\n" for name, count in functions.items())
    shutil.copy(DATA / "gemm" / "tt.plan.json", tmp_path)
    plan = msgspec.json.decode((tmp_path / "tt.plan.json").read_bytes())
    plan["kernels"] = [kernel for kernel in plan["kernels"] if kernel["role"] == "compute"]
    (tmp_path / "tt.plan.json").write_bytes(msgspec.json.encode(plan))
    (tmp_path / "compute.cpp").write_text(f"{includes}\nvoid kernel_main() {{\n{calls}}}\n")
    found = errors(check(tmp_path / "tt.plan.json", sdk=sdk, arch=arch))
    # Some functions exist for one architecture or one setting only; that is the SDK's word, not the stand-in's.
    own = re.compile(r"static assertion failed|'\w+' was not declared in this scope|no matching function")
    wrong = [f for f in found if not own.search(f.message) or "builtin" in f.message or "sfpi" in f.message]
    assert wrong == [], "\n".join(str(finding) for finding in wrong[:10])
    assert len({f.line for f in found}) < 30
