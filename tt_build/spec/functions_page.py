"""``docs/functions.md``: what the op table says of each function, and which calls of the SDK have no function."""

from __future__ import annotations

from collections.abc import Sequence

from tt_build.lang.absent import ABSENT
from tt_build.lang.functions import FUNCTIONS, Bound, Function
from tt_build.lang.signatures import SIGNATURES

_HEAD = """# Elementwise functions

Generated from the op table (`tt_build/lang/functions.py`) and the list beside it (`tt_build/lang/absent.py`).
`tests/docs/test_functions_page.py` keeps it current and looks for calls in the SDK's headers that it lacks;
`tests/programs/test_every_function.py` runs every call of the table on the emulator, through generated kernels.

`dtypes`: `float` is bfloat16, float32, bfloat8_b and bfloat4_b; of the integers those for which the SDK has a call.
`call` is the float one (else that of the first integer dtype), under `api/compute/`; `number` says that a number or
run-time scalar beside the operand is an argument of a call. Errors are against exact arithmetic: with a bfloat16 DST in
units of the result's last place, with a float32 DST relative; `+ a` is absolute. `approximate` is the call, where it is
another one, and the errors under `math: {approximate: true}`.
"""


def functions_page() -> str:
    """The page's text."""
    rows = [_row(FUNCTIONS[name]) for name in sorted(FUNCTIONS)]
    head = (
        "function",
        "meaning in NumPy",
        "dtypes",
        "call",
        "number",
        "bfloat16 error",
        "float32 error",
        "approximate",
    )
    sources = sorted({bound.source for row in FUNCTIONS.values() for bound in _bounds(row)})
    listed = "\n".join(f"- {source}" for source in sources)
    absent = _table(("call", "why"), [(f"`{name}`", reason) for name, reason in sorted(ABSENT.items())])
    return (
        f"{_HEAD}\n{_table(head, rows)}\n\n## Where the errors are from\n\n{listed}\n\n"
        f"## Calls of the SDK without a function\n\n{absent}\n"
    )


def _row(function: Function) -> tuple[str, ...]:
    calls = function.calls()
    numbers = function.scalar_call or function.rscalar_call or function.int_scalar_calls or function.int_rscalar_calls
    floats = ["float"] if function.float_call is not None else []
    approximate = ""
    if function.approx_bound is not None:
        call = f"`{_name(function.approx_call.call)}` " if function.approx_call is not None else ""
        approximate = f"{call}{_bf16(function.approx_bound)}; {_fp32(function.approx_bound)}"
    return (
        f"`{SIGNATURES[function.name]}`",
        f"`{function.numpy}`",
        ", ".join([*floats, *function.int_calls]),
        f"`{_name(calls[0].call)}` in `{calls[0].header.removeprefix('api/compute/')}`",
        "yes" if numbers else "",
        _bf16(function.bound),
        _fp32(function.bound),
        approximate,
    )


def _bounds(function: Function) -> list[Bound]:
    return [bound for bound in (function.bound, function.approx_bound) if bound is not None]


def _name(call: str) -> str:
    return call.split("(")[0].replace("{dst}", "...")


def _bf16(bound: Bound) -> str:
    parts = [f"{bound.bf16_ulp:g} ulp" if bound.bf16_ulp else "", _absolute(bound)]
    if bound.exponent_rel:
        parts.append(f"{bound.exponent_rel:g} times the exponent, relative")
    return " + ".join(part for part in parts if part) or "exact"


def _fp32(bound: Bound) -> str:
    parts = [f"{bound.rel:g}" if bound.rel else "", _absolute(bound)]
    return " + ".join(part for part in parts if part) or "exact"


def _absolute(bound: Bound) -> str:
    over = f" / {bound.abs_over}" if bound.abs_over else ""
    return f"{bound.abs:g}{over}" if bound.abs else ""


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
