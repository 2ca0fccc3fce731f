"""The op table against itself and against the SDK's headers (skipped, with the reason, where no wheel is unpacked)."""

import functools
import re
from pathlib import Path

import numpy as np
import pytest

from tt_build.lang.functions import FUNCTIONS, Function, SfpuCall, encode_param
from tt_build.sdk import wheel

NAMES = sorted(FUNCTIONS)
LANGUAGE_PAGE = """
    exp exp2 log log1p sqrt rsqrt reciprocal square abs sign neg sigmoid silu tanh gelu gelu_tanh relu leaky_relu elu
    softplus erf sin cos floor ceil round where maximum minimum clip add sub mul div pow lt le gt ge eq ne
"""


@functools.cache
def _sdk() -> Path:
    """The SDK's header folder, from the cache or fetched; fails where neither is possible."""
    return wheel.ensure() / "ttnn" / "tt_metal" / "hw" / "inc"


def test_language_page_is_covered() -> None:
    assert [name for name in LANGUAGE_PAGE.split() if name not in FUNCTIONS] == []


@pytest.mark.parametrize("name", NAMES)
def test_row_is_consistent(name: str) -> None:
    row = FUNCTIONS[name]
    assert row.name == name
    assert row.calls()
    assert row.bound.source
    names = {p.name for p in row.params} | {"value"}
    for call in row.calls():
        slots = set(re.findall(r"\{(\w+)\}", call.call))
        assert {s for s in slots if s.startswith("p")} == {f"p{i}" for i in range(len(call.params))}
        assert slots <= {"d0", "d1", "d2", "out", "dst", "p0", "p1", "p2"}
        encodings = [encoding.split(":") for encoding in call.params]
        assert {name for kind, name in encodings if kind != "word"} <= names
        assert all(int(name, 0) < 2**32 for kind, name in encodings if kind == "word")
        assert call.init.endswith(")")
    if row.float_call is not None:
        wanted = {f"d{i}" for i in range(row.operands)} | ({"out"} if row.operands > 1 else set())
        assert wanted == set(re.findall(r"\{(d\d|out)\}", row.float_call.call))


def _parameters(text: str, name: str) -> list[tuple[str, str]]:
    """(template parameters, function parameters) of every definition of that name in a header's text."""
    found = []
    for match in re.finditer(rf"ALWI void {name}\(([^)]*)\)", text):
        before = text[: match.start()].rstrip()
        template = ""
        if before.endswith(">"):
            start = before.rfind("template")
            template = before[before.index("<", start) + 1 : -1]
        found.append((template, match.group(1)))
    return found


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _check(root: Path, function: Function, call: SfpuCall) -> None:
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", (root / call.header).read_text(), flags=re.DOTALL)
    for use in (call.init, call.call):
        name, targs, args = re.fullmatch(r"(\w+)(?:<(.*?)>)?\((.*)\)", use).groups()  # type: ignore[union-attr]
        definitions = _parameters(text, name)
        assert definitions, f"{function.name}: {name} is not in {call.header}"
        given, passed = _split(targs or ""), _split(args or "")

        def fits(template: str, parameters: str, given: list[str] = given, passed: list[str] = passed) -> bool:
            wanted, taken = _split(template), _split(parameters)
            required = [p for p in taken if "=" not in p]
            if not (len(required) <= len(passed) <= len(taken)) or len(given) > len(wanted):
                return False
            if any("=" not in p for p in wanted[len(given) :]):
                return False
            # Every boolean is written out, but for the DST precision, whose default is the kernel's own.
            loose = [p for p in wanted[len(given) :] if p.startswith("bool") and "is_fp32_dest_acc_en" not in p]
            kinds = {"true": "bool", "false": "bool", "DST_ACCUM_MODE": "bool is_fp32_dest_acc_en"}
            typed = all(p.startswith(kinds[g]) for g, p in zip(given, wanted, strict=False) if g in kinds)
            formats = all(
                p.startswith("DataFormat") for g, p in zip(given, wanted, strict=False) if g[:10] == "DataFormat"
            )
            return not loose and typed and formats

        assert any(fits(*d) for d in definitions), f"{function.name}: {use} does not fit {definitions}"


@pytest.mark.parametrize("name", NAMES)
def test_calls_are_the_sdks(name: str) -> None:
    root = _sdk()
    for call in FUNCTIONS[name].calls():
        _check(root, FUNCTIONS[name], call)


def test_parameters_are_encoded() -> None:
    assert encode_param("f32bits:slope", {"slope": 0.01}) == f"0x{np.float32(0.01).view(np.uint32):08x}u"
    assert encode_param("f32bits_recip:beta", {"beta": 2.0}) == "0x3f000000u"
    assert encode_param("i32:value", {"value": -1}) == "0xffffffffu"
    assert encode_param("i32:value", {"value": 7}) == "7u"
    with pytest.raises(OverflowError):
        encode_param("f32bits:value", {"value": 1e39})
