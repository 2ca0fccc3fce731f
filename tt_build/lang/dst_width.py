"""How wide an element of DST is: 32 bits by default, 16 where the kernel says so or computes on uint16.

Used by the pass ``apply_defaults``, and for a warning about what the width rounds. The SDK keeps 32-bit integers in a
32-bit DST only, and computes on uint16 in a 16-bit DST only: in a 32-bit one a uint16 that was unpacked lies in the low
half of its word, among other bits, while the packer reads the high half. There only conversions from and to uint16 work
(``ckernel_sfpu_typecast.h``, ``ckernel_sfpu_topk.h``).
"""

from __future__ import annotations

import math

from tt_build.lang.ops import is_elementwise
from tt_build.lang.program import Program, Value
from tt_build.lang.signatures import COMPARISONS, SIGNATURES
from tt_build.spec.diagnostics import Diagnostic, Rejected, Where
from tt_build.spec.model import DefaultsSpec, KernelSpec
from tt_build.targets.dtypes import DTYPES

WIDE = ("int32", "uint32")
NARROW = "uint16"
SHORT = ("bfloat16", "bfloat8_b", "bfloat4_b")

# What has no more than the bits of bfloat16 where all operands have.
_KEEP_SHORT = (
    *("cast", "abs", "neg", "relu", "sign", "maximum", "minimum", "where", "max", "min", "transpose"),
    *(name for name, signature in SIGNATURES.items() if signature.kind == "movement"),
)


def wide_dst(kernel: str, program: Program, stated: bool | None) -> bool:
    """Whether DST has 32 bits an element.

    ``stated`` is the declaration's ``fp32_accumulate``. Raises ``Rejected`` (TTB205) where a value needs the other
    width than another value, or than what is stated.
    """
    wide = next((i for i, value in enumerate(program.values) if value.dtype in WIDE), None)
    narrow = computed_on_uint16(program)
    if narrow is not None and wide is not None:
        raise _refusal(
            kernel,
            narrow,
            f"uint16 is computed on in a 16-bit DST, and {program.values[wide].dtype} needs a 32-bit one",
            "cast the uint16 operands first, as in cast(x, int32)",
        )
    if wide is not None and stated is False:
        name = program.values[wide].dtype
        raise _refusal(kernel, wide, f"{name} needs a 32-bit DST", "leave 'fp32_accumulate: false' out")
    if narrow is not None and stated is True:
        help_ = "leave 'fp32_accumulate: true' out, or cast the uint16 operands, as in cast(x, int32)"
        raise _refusal(kernel, narrow, "uint16 is computed on in a 16-bit DST", help_)
    if stated is not None:
        return stated
    return narrow is None


def stated_width(kernel: KernelSpec, defaults: DefaultsSpec) -> bool | None:
    """``fp32_accumulate`` of the kernel, else of the file; None where neither has it."""
    own, default = (spec.fp32_accumulate if spec else None for spec in (kernel.math, defaults.math))
    return default if own is None else own


def rounded_casts(program: Program, stated: bool | None) -> tuple[list[int], int | None]:
    """The casts from float32 to an integer whose operand a 16-bit DST rounds to bfloat16 first.

    Also the value that makes DST 16 bits wide; None where ``stated`` does. No casts where ``wide_dst`` is true, or
    refuses.
    """
    values = program.values
    casts = [i for i, v in enumerate(values) if v.op == "cast" and not DTYPES[v.dtype].is_float]
    casts = [index for index in casts if values[values[index].args[0]].dtype == "float32"]
    if not casts or stated is True or any(value.dtype in WIDE for value in values):
        return [], None
    short = _short(values)
    found = [index for index in casts if values[index].args[0] not in short]
    narrow = None if stated is False else computed_on_uint16(program)
    return ([], None) if stated is None and narrow is None else (found, narrow)


def _short(values: tuple[Value, ...]) -> set[int]:
    """The values that bfloat16 holds exactly."""
    found: set[int] = set()
    for index, value in enumerate(values):
        kept = value.op in _KEEP_SHORT and found.issuperset(value.args)
        number = value.op == "const" and (math.frexp(value.params[0])[0] * 256).is_integer()
        if value.dtype in SHORT or value.op in COMPARISONS or kept or number:
            found.add(index)
    return found


def computed_on_uint16(program: Program) -> int | None:
    """The first value that needs uint16 in DST for more than a conversion that is stored at once."""
    outputs = {binding.value for binding in program.outputs}
    for index, value in enumerate(program.values):
        if value.dtype != NARROW or value.op in ("const", "scalar"):
            continue
        readers = [other for other in program.values if index in other.args]
        if value.op == "cast":
            if readers or program.values[value.args[0]].dtype == NARROW:
                return index
        elif value.op != "input" or index in outputs or _is_moved(program, index):
            return index
    return None


def _is_moved(program: Program, index: int) -> bool:
    """Whether an input comes to DST in another way than tile by tile: broadcast to what is computed with it
    elementwise, transposed by a matmul, or moved.
    """
    values, todo, seen = program.values, [index], {index}
    while todo:
        at = todo.pop()
        for number, reader in enumerate(values):
            if at not in reader.args or number in seen:
                continue
            seen.add(number)
            if reader.op == "matmul":
                if reader.transpose[0] and reader.args[0] == at:
                    return True
            elif reader.op == "cast" or is_elementwise(reader.op, program.ops):
                if reader.shape[-2:] != values[index].shape[-2:]:
                    return True
                todo.append(number)
            elif not reader.axes:
                return True
    return False


def _refusal(kernel: str, value: int, message: str, help_: str) -> Rejected:
    where = Where(path=("kernels", kernel, "compute"), value=value)
    return Rejected(Diagnostic(code="TTB205", message=message, where=where, help=help_))
