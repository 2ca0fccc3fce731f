"""Which SDK call computes a value: the form of the op table's row, the operands in DST, the words of its parameters.

Used by ``dst_sections``. The form of a call names its column in the op table: ``float``, ``approx``, ``scalar``,
``rscalar`` for floats, ``int32``, ``int32_scalar``, ``int32_rscalar`` (and so for uint32, uint16) for integers. A cast
is a chain of calls, chosen by the SDK's ``typecast_tile``: its conversions to 32-bit integers truncate and those to
uint16 saturate, where the language rounds half to even and wraps.
"""

from __future__ import annotations

import struct

import msgspec

from tt_build.ir.lowered import CallWord
from tt_build.ir.stages import MathMode
from tt_build.lang.functions import Function, SfpuCall, encode_param
from tt_build.lang.ops import row_of
from tt_build.lang.program import Program, Value
from tt_build.lang.signatures import COMPARISONS
from tt_build.targets.dtypes import DTYPES

TYPECAST = "typecast"
_BLOCK = ("bfloat8_b", "bfloat4_b")
_SHORT = ("bfloat16", *_BLOCK)
_WHOLE = ("floor", "ceil", "trunc", "sign", "signbit", "isnan", "isinf", "isfinite", "logical_not", "heaviside")
_OF_UNSIGNED = ("abs", "relu")  # what these leave as it is


class NoCall(Exception):
    """The SDK has no call for that function on that dtype."""

    def __init__(self, function: str, dtype: str) -> None:
        super().__init__(function)
        self.function, self.dtype = function, dtype


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A call: its form, the values that lie in DST and the words of its parameters, in the call's order."""

    form: str
    operands: tuple[int, ...]
    params: tuple[CallWord, ...]


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a chain, in place on its slot."""

    function: str
    form: str
    params: tuple[int, ...] = ()


def is_integer(dtype: str) -> bool:
    """Whether DST holds integers for a value of that dtype."""
    return not DTYPES[dtype].is_float


def is_comparison(op: str) -> bool:
    """Whether a value of that op is 0 or 1."""
    return op in COMPARISONS


def select_call(program: Program, value: Value, math: MathMode) -> Chosen:
    """The call of the op table for a value. Raises ``NoCall`` where the SDK has none for its dtype, ``ValueError`` and
    ``OverflowError`` for numbers that the call cannot take.
    """
    function = row_of(value.op, program.ops)
    columns = _columns(function, value.dtype, math)
    numbers = {param.name: number for param, number in zip(function.params, value.params, strict=True)}
    args = value.args
    if len(args) == 2:
        for form, position in (("scalar", 1), ("rscalar", 0)):
            number = program.values[args[position]]
            call = columns.get(form)
            if call is not None and _takes(call, number):
                words = tuple(_word(encoding, {**numbers, **_number(number)}, number) for encoding in call.params)
                return Chosen(form=_form(value.dtype, form), operands=(args[1 - position],), params=words)
    form = "approx" if columns.get("approx") is not None else "float"
    call = columns.get(form)
    if call is None:
        raise NoCall(value.op, value.dtype)
    words = tuple(param_word(encoding, numbers) for encoding in call.params)
    return Chosen(form=_form(value.dtype, form), operands=args, params=words)


def _columns(function: Function, dtype: str, math: MathMode) -> dict[str, SfpuCall | None]:
    """The calls of the row for that dtype, by form."""
    if is_integer(dtype):
        return {
            "float": function.int_calls.get(dtype),
            "scalar": function.int_scalar_calls.get(dtype),
            "rscalar": function.int_rscalar_calls.get(dtype),
        }
    return {
        "float": function.float_call,
        "approx": function.approx_call if math.approximate else None,
        "scalar": function.scalar_call,
        "rscalar": function.rscalar_call,
    }


def _form(dtype: str, column: str) -> str:
    if not is_integer(dtype):
        return column
    return dtype if column == "float" else f"{dtype}_{column}"


def _takes(call: SfpuCall, number: Value) -> bool:
    """Whether a call takes that operand as its parameter: a run-time scalar only as it is, not its reciprocal."""
    if number.op == "scalar":
        return all(not encoding.startswith("f32bits_recip") for encoding in call.params)
    return number.op == "const"


def _number(number: Value) -> dict[str, float]:
    return {"value": number.params[0]} if number.op == "const" else {}


def _word(encoding: str, numbers: dict[str, float], number: Value) -> CallWord:
    if number.op == "scalar" and encoding.split(":")[1] == "value":
        return number.name
    return param_word(encoding, numbers)


def param_word(encoding: str, numbers: dict[str, float]) -> int:
    """The 32-bit word of a call's parameter; ValueError where it must be a whole number and is none, or too large."""
    kind, name = encoding.split(":")
    if kind == "i32" and numbers[name] != int(numbers[name]):
        raise ValueError(f"'{name}' must be a whole number, not {numbers[name]:g}")
    if kind == "i32" and not -(2**31) <= numbers[name] < 2**32:
        raise ValueError(f"'{name}' is {numbers[name]:g}, which 32 bits cannot hold")
    return int(encode_param(encoding, numbers).rstrip("u"), 0)


def const_word(value: Value) -> tuple[str, int]:
    """The DataFormat of an integer fill (empty for floats), and the number's 32-bit word."""
    if is_integer(value.dtype):
        return DTYPES[value.dtype].data_format, int(value.params[0]) & 0xFFFFFFFF
    return "", float_bits(value.params[0])


def float_bits(number: float) -> int:
    """The fp32 bit pattern of a number, rounded to nearest."""
    return int(struct.unpack("<I", struct.pack("<f", number))[0])


def chain(program: Program, value: Value, *, wide_dst: bool) -> tuple[Link, ...] | None:
    """The calls of a value of one operand that is no single call of the op table; None where it is one."""
    if value.op == "cast":
        return conversions(program, value, wide_dst=wide_dst)
    if value.op in _OF_UNSIGNED and value.dtype in ("uint32", "uint16"):
        return ()
    if value.op == "clip" and value.dtype == "uint32":
        low, high = (
            param_word(f"i32:{name}", {name: n}) for name, n in zip(("low", "high"), value.params, strict=True)
        )
        if min(value.params) < 0:
            raise ValueError("a limit below 0 is no uint32")
        form = "uint32_scalar"
        return (
            Link(function="maximum", form=form, params=(low,)),
            Link(function="minimum", form=form, params=(high,)),
        )
    return None


def conversions(program: Program, value: Value, *, wide_dst: bool) -> tuple[Link, ...]:
    """The calls of a cast; none where unpacker, packer or the bits themselves do it.

    ``wide_dst``: DST has 32 bits an element. A cast to a block-float format rounds to bfloat16 at most; the packer does
    the rest, so such a value must be packed next.
    """
    source = program.values[value.args[0]]
    old, new = source.dtype, value.dtype
    if not is_integer(old):
        return _from_float(source, new, wide_dst=wide_dst)
    if is_integer(new):
        return _between_integers(old, new)
    float_format = "Float32" if wide_dst and new == "float32" else "Float16_b"
    if old == "uint16" and wide_dst:  # the only conversion that reads uint16 from a 32-bit DST goes to 32 bits
        rounded = () if new == "float32" else (_typecast("Float32", "Float16_b"),)
        return (_typecast("UInt16", "Float32"), *rounded)
    return (_typecast(DTYPES[old].data_format, float_format),)


def _from_float(source: Value, new: str, *, wide_dst: bool) -> tuple[Link, ...]:
    if not is_integer(new):
        exact = source.op in ("input", "cast") and source.dtype in _SHORT
        packed = new == "float32" or new in _BLOCK
        return () if packed or not wide_dst or exact else (_typecast("Float32", "Float16_b"),)
    whole = source.op in _WHOLE or is_comparison(source.op)
    rounded = () if whole else (Link(function="round", form="float", params=(0,)),)
    return (*rounded, _typecast("Float32" if wide_dst else "Float16_b", DTYPES[new].data_format))


def _between_integers(old: str, new: str) -> tuple[Link, ...]:
    if old == new or (old != "uint16" and new != "uint16"):
        return ()  # int32 and uint32 share their bits
    if new == "uint16":
        low_half = Link(function="low_half", form=old)
        return (low_half, _typecast(DTYPES[old].data_format, "UInt16"))
    return (_typecast("UInt16", DTYPES[new].data_format),)


def _typecast(old: str, new: str) -> Link:
    return Link(function=TYPECAST, form=f"{old}_{new}")
