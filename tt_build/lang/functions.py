"""The op table: every elementwise function of the compute language, once.

A row holds the SDK call (header, init, template arguments written out), the error bound of each mode and the NumPy
meaning. Lowering, the emulator, the reference, docs and tests all read it; a test searches every header and name in
the SDK's own headers. Signatures: TT-Metalium 0.81.1, ``tt_metal/hw/inc/api/compute``.

Slots of ``SfpuCall.call``: ``{d0} {d1} {d2}`` DST indices of the operands, ``{out}`` of the result (a call without
``{out}`` works in place: its result is ``{d0}``), ``{p0} {p1} {p2}`` parameters encoded as ``params`` says, ``{dst}``
the DataFormat of DST (``Float32`` with fp32 accumulation, else ``Float16_b``).
"""

from __future__ import annotations

import struct

import msgspec


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """The largest error of a call against exact arithmetic on its (already rounded) operands.

    With a bf16 DST: ``bf16_ulp * ulp_bf16(y) + abs``, the store into DST included (plain SFPU stores truncate). With an
    fp32 DST: ``rel * |y| + abs``. ``abs`` is divided by the parameter ``abs_over``. ``exponent_rel`` adds
    ``exponent_rel * |n| * |y|`` for powers, bf16 DST only. ``source`` says where the figure is from; ``assumed`` ones
    are ours and await a measurement on a card.
    """

    bf16_ulp: float
    rel: float
    abs: float = 0.0
    abs_over: str = ""
    exponent_rel: float = 0.0
    source: str


class Param(msgspec.Struct, frozen=True, kw_only=True):
    """An extra number of a function; ``default`` None where it must be given."""

    name: str
    default: float | None = None


class SfpuCall(msgspec.Struct, frozen=True, kw_only=True):
    """One SDK call. ``params[i]`` encodes slot ``{pi}`` as ``kind:parameter``; ``encode_param`` gives its text."""

    header: str
    init: str
    call: str
    params: tuple[str, ...] = ()


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """One row.

    ``float_call`` works on float DST tiles, ``approx_call`` replaces it under ``math: {approximate: true}``.
    ``scalar_call`` takes a number (parameter ``value``) as second operand, ``rscalar_call`` as first. ``int_calls``,
    ``int_scalar_calls`` and ``int_rscalar_calls`` do the same by dtype (int32, uint32, uint16); a dtype that is not
    there is not supported by the SDK. ``numpy`` is the meaning in NumPy terms over x, y, z and the parameters' names.
    """

    name: str
    operands: int
    params: tuple[Param, ...] = ()
    float_call: SfpuCall | None = None
    approx_call: SfpuCall | None = None
    scalar_call: SfpuCall | None = None
    rscalar_call: SfpuCall | None = None
    int_calls: dict[str, SfpuCall] = {}
    int_scalar_calls: dict[str, SfpuCall] = {}
    int_rscalar_calls: dict[str, SfpuCall] = {}
    bound: Bound
    approx_bound: Bound | None = None
    numpy: str
    discontinuous: bool = False

    def bound_for(self, *, approximate: bool, params: tuple[float, ...] = ()) -> Bound:
        """The bound of the call that is emitted in that mode."""
        bound = self.approx_bound if approximate and self.approx_bound is not None else self.bound
        given = {param.name: value for param, value in zip(self.params, params, strict=False)}
        if bound.abs_over not in given:
            return bound
        return msgspec.structs.replace(bound, abs=bound.abs / given[bound.abs_over], abs_over="")

    def calls(self) -> tuple[SfpuCall, ...]:
        """Every SDK call of the row."""
        single = (self.float_call, self.approx_call, self.scalar_call, self.rscalar_call)
        tables = (self.int_calls, self.int_scalar_calls, self.int_rscalar_calls)
        return (*(c for c in single if c is not None), *(c for table in tables for c in table.values()))


def encode_param(encoding: str, values: dict[str, float]) -> str:
    """The C++ text of one parameter slot.

    ``f32bits:p`` is the fp32 bit pattern of p, ``f32bits_recip:p`` that of 1 / p, ``i32:p`` the integer itself
    (its two's complement as uint32_t), ``word:w`` the word w, whatever the values. ``values`` maps names to numbers.
    Raises OverflowError where fp32 cannot hold the number.
    """
    kind, name = encoding.split(":")
    if kind == "word":
        return f"{name}u"
    value = values[name]
    if kind == "i32":
        return f"0x{int(value) & 0xFFFFFFFF:x}u" if value < 0 else f"{int(value)}u"
    number = 1.0 / value if kind == "f32bits_recip" else value
    return f"0x{struct.unpack('<I', struct.pack('<f', number))[0]:08x}u"


EXACT = Bound(bf16_ulp=0.0, rel=0.0, source="exact: the result is an operand, its negation or a small integer")
MAD = Bound(bf16_ulp=1.0, rel=6.0e-8, source="one SFPMAD; the SDK's store into a bf16 DST truncates")
TWO_MADS = Bound(bf16_ulp=1.0, rel=2.4e-7, abs=6.0e-8, source="two SFPMADs and a rounded constant")
POWERS_OF_TEN = Bound(bf16_ulp=1.0, rel=2.4e-7, source="two products, the powers of ten rounded")
ULP1 = Bound(bf16_ulp=1.0, rel=4.8e-7, source="SDK kernel comments: 1 bf16 ulp, about 3 fp32 ulp")
NEWTON = Bound(bf16_ulp=1.0, rel=1.2e-6, source="assumed: two Newton steps in fp32, rounded to nearest in bf16")
LOG = Bound(bf16_ulp=2.0, rel=1.2e-6, abs=3.6e-7, source="assumed: fp32 polynomial on [0.75, 1.5) plus k ln 2")
ASSUMED2 = Bound(bf16_ulp=2.0, rel=2.0e-6, abs=2.4e-7, source="assumed")
TRIG = Bound(bf16_ulp=2.0, rel=2.0e-6, abs=1.0e-6, source="assumed, for |x| <= 100: range reduction by two-part pi")
RECIP = Bound(bf16_ulp=0.5, rel=2.4e-7, source="SDK kernel comments: faithful in fp32, correctly rounded in bf16")
FAST_RECIP = Bound(bf16_ulp=1.0, rel=2.0e-4, source="SDK kernel comment: one Newton step on a seed of 0.0118")
FAST_SQRT = Bound(bf16_ulp=2.0, rel=2.0e-3, source="SDK kernel comment: SQRT_10-bits under math_approx_mode")
FAST_EXP = Bound(bf16_ulp=16.0, rel=0.0625, source="assumed: Schraudolph form of the SDK's approximate exp")
FAST_TANH = Bound(bf16_ulp=10.0, rel=0.0, abs=0.019, source="SDK kernel comment: 10 bf16 ulp, 0.0184 absolute")
FAST_SIGMOID = Bound(bf16_ulp=1.0, rel=0.0, abs=0.12, source="computed from the SDK's three-segment table")
FAST_GELU = Bound(bf16_ulp=2.0, rel=0.0, abs=0.05, source="assumed: the SDK's six-segment table (255 ulp off at -4.34)")
ERF = Bound(bf16_ulp=1.0, rel=3.3e-3, source="computed from the SDK's n8/d8 fit, used unless INP_FLOAT32 is defined")
ERFC = Bound(bf16_ulp=1.0, rel=1.0e-4, abs=9.8e-5, source="computed from the SDK's n4/d5 fit; 118 bf16 ulp in the tail")
SOFTPLUS = Bound(
    bf16_ulp=1.0, rel=1.2e-6, abs=6.8e-3, abs_over="beta", source="computed: degree 6 fit, cut to 0 below -5"
)
GELU = Bound(bf16_ulp=1.0, rel=1.2e-6, abs=6.0e-7, source="SDK kernel comments: 1 bf16 ulp; exactly 0 below -5.54")
GELU_TANH = Bound(bf16_ulp=1.0, rel=1.2e-6, abs=1.0e-6, source="SDK kernel comment: about 1e-6 absolute, 1 bf16 ulp")
POWER = Bound(
    bf16_ulp=1.5, rel=1.2e-6, exponent_rel=2.0e-3, source="computed: cubic log2 (2e-3) in bf16; SDK: 4 fp32 ulp"
)

FUNCTIONS: dict[str, Function] = {}

_INT_FORMATS = {"int32": "Int32", "uint32": "UInt32", "uint16": "UInt16"}
_PREFIX = "api/compute/"
_U = "eltwise_unary/"
_API = "compute_kernel_api.h"


def _c(header: str, init: str, call: str, *params: str) -> SfpuCall:
    return SfpuCall(header=_PREFIX + header, init=init, call=call, params=params)


def _by_format(
    header: str, init: str, call: str, dtypes: str = "int32 uint32 uint16", params: tuple[str, ...] = ()
) -> dict[str, SfpuCall]:
    """The same call for several integer dtypes; ``{fmt}`` is their DataFormat."""
    return {
        d: _c(header, init.replace("{fmt}", _INT_FORMATS[d]), call.replace("{fmt}", _INT_FORMATS[d]), *params)
        for d in dtypes.split()
    }


def _unary(
    name: str,
    header: str,
    numpy: str,
    bound: Bound,
    *,
    init: str = "",
    call: str = "",
    params: dict[str, float | None] | None = None,
    encode: tuple[str, ...] = (),
    approx: tuple[str, str] | None = None,
    approx_bound: Bound | None = None,
    ints: dict[str, SfpuCall] | None = None,
    discontinuous: bool = False,
) -> None:
    """A row of one operand; ``init`` and ``call`` default to ``NAME_tile_init()`` and ``NAME_tile({d0}, ...)``."""
    given = params or {}
    encoding = encode or tuple(f"f32bits:{p}" for p in given)
    slots = "".join(f", {{p{i}}}" for i in range(len(encoding)))
    FUNCTIONS[name] = Function(
        name=name,
        operands=1,
        params=tuple(Param(name=p, default=d) for p, d in given.items()),
        float_call=_c(header, init or f"{name}_tile_init()", call or f"{name}_tile({{d0}}{slots})", *encoding),
        approx_call=_c(header, approx[0], approx[1], *encoding) if approx else None,
        int_calls=ints or {},
        bound=bound,
        approx_bound=approx_bound,
        numpy=numpy,
        discontinuous=discontinuous,
    )


def _exponentials() -> None:
    # Clamping written out: the other kind records 32 instructions over what matmul keeps in the replay buffer.
    clamp = "InputClamping::ClampToNegative"
    fast = (f"exp_tile_init<true, 0x3F800000, {clamp}>()", f"exp_tile<true, false, {clamp}>({{d0}})")
    _unary("exp", _U + "exp.h", "exp(x)", ULP1, init="exp_tile_init<false>()", call="exp_tile<false, false>({d0})",
           approx=fast, approx_bound=FAST_EXP)  # fmt: skip
    _unary("exp2", _API, "exp2(x)", ULP1)
    _unary("expm1", _API, "expm1(x)", ULP1, init="expm1_tile_init<false>()", call="expm1_tile<false>({d0})")
    _unary("log", _API, "log(x)", LOG, init="log_tile_init<false>()", call="log_tile<false>({d0})")
    # The base arrives as the fp32 bits of 1 / ln(base).
    _unary("log2", _API, "log2(x)", LOG, init="log_with_base_tile_init<false>()",
           call="log_with_base_tile<false, true>({d0}, 0x3fb8aa3bu)")  # fmt: skip
    _unary("log10", _API, "log10(x)", LOG, init="log_with_base_tile_init<false>()",
           call="log_with_base_tile<false, false>({d0}, 0x3ede5bd9u)")  # fmt: skip
    _unary("log1p", _U + "log1p.h", "log1p(x)", LOG, init="log1p_tile_init<false>()", call="log1p_tile<false>({d0})")
    _unary("sqrt", _U + "sqrt.h", "sqrt(x)", NEWTON, call="sqrt_tile<false>({d0})", approx_bound=FAST_SQRT)
    _unary("rsqrt", _U + "rsqrt.h", "1 / sqrt(x)", NEWTON, approx_bound=FAST_SQRT)
    _unary("reciprocal", _U + "recip.h", "1 / x", RECIP, init="recip_tile_init()", call="recip_tile({d0})",
           approx_bound=FAST_RECIP)  # fmt: skip
    _unary("cbrt", _U + "cbrt.h", "cbrt(x)", NEWTON)
    _unary("square", _API, "x * x", MAD)
    _unary("power", _API, "x ** exponent", POWER, params={"exponent": None})


def _signs_and_rounding() -> None:
    rounding = _U + "rounding.h"
    _unary("abs", _API, "abs(x)", EXACT, ints={"int32": _c(_API, "abs_tile_init()", "abs_tile_int32({d0})")})
    _unary("sign", _API, "sign(x)", EXACT, discontinuous=True)
    _unary("neg", _U + "negative.h", "-x", EXACT, init="negative_tile_init()", call="negative_tile({d0})",
           ints={"int32": _c(_U + "negative.h", "negative_tile_init()", "negative_tile_int32({d0})"),
                 "uint32": _c(_U + "rsub.h", "rsub_unary_int32_tile_init()",
                              "rsub_unary_int32_tile({d0}, {p0})", "word:0x0")})  # fmt: skip
    for name in ("floor", "ceil", "trunc"):
        _unary(name, rounding, f"{name}(x)", EXACT, init="rounding_op_tile_init()", discontinuous=True)
    _unary("frac", rounding, "x - trunc(x)", EXACT, init="rounding_op_tile_init()", discontinuous=True)
    _unary("round", rounding, "round(x, decimals)", POWERS_OF_TEN, init="rounding_op_tile_init()",
           params={"decimals": 0.0}, encode=("i32:decimals",), discontinuous=True)  # fmt: skip
    _unary("signbit", _API, "signbit(x)", EXACT, discontinuous=True)
    for name in ("isnan", "isinf", "isfinite"):
        _unary(name, _U + "isinf_isnan.h", f"{name}(x)", EXACT, discontinuous=True)
    for name, infinity in (("isposinf", "inf"), ("isneginf", "-inf")):
        _unary(name, _U + "isinf_isnan.h", f"x == {infinity}", EXACT, discontinuous=True)
    zero = _by_format(_U + "logical_not.h", "logical_not_tile_init()", "logical_not_tile<DataFormat::{fmt}>({d0})")
    _unary("logical_not", _U + "logical_not.h", "x == 0", EXACT, call="logical_not_tile<DataFormat::{dst}>({d0})",
           ints=zero, discontinuous=True)  # fmt: skip


def _activations() -> None:
    act = _U + "activations.h"
    relu_int = {"int32": _c(_U + "relu.h", "relu_tile_init()", "relu_tile_int32({d0})")}
    _unary("relu", _U + "relu.h", "maximum(x, 0)", EXACT, ints=relu_int)
    _unary("leaky_relu", _U + "relu.h", "where(x < 0, x * slope, x)", TWO_MADS, params={"slope": 0.01})
    _unary("relu_max", _U + "relu.h", "minimum(maximum(x, 0), high)", EXACT, params={"high": 6.0})
    _unary("relu_min", _U + "relu.h", "maximum(x, low)", EXACT, params={"low": 0.0})
    _unary("elu", _U + "elu.h", "where(x < 0, alpha * expm1(x), x)", ASSUMED2, params={"alpha": 1.0})
    _unary("celu", act, "where(x < 0, alpha * expm1(x / alpha), x)", ASSUMED2, params={"alpha": 1.0},
           encode=("f32bits:alpha", "f32bits_recip:alpha"))  # fmt: skip
    _unary("selu", _U + "selu.h", "scale * where(x < 0, alpha * expm1(x), x)", ASSUMED2,
           params={"scale": 1.0507009873554805, "alpha": 1.6732632423543772})  # fmt: skip
    _unary("sigmoid", _API, "1 / (1 + exp(-x))", ASSUMED2, init="sigmoid_tile_init<false>()",
           call="sigmoid_tile<VectorMode::RC, false>({d0})",
           approx=("sigmoid_tile_init<true>()", "sigmoid_tile<VectorMode::RC, true>({d0})"),
           approx_bound=FAST_SIGMOID)  # fmt: skip
    _unary("silu", _API, "x / (1 + exp(-x))", ASSUMED2)
    _unary("tanh", _API, "tanh(x)", ASSUMED2, init="tanh_tile_init<false>()", call="tanh_tile<false>({d0})",
           approx=("tanh_tile_init<true>()", "tanh_tile<true>({d0})"), approx_bound=FAST_TANH)  # fmt: skip
    _unary("gelu", _U + "gelu.h", "x * 0.5 * erfc(-x / sqrt(2))", GELU, init="gelu_tile_init<false>()",
           call="gelu_tile<false>({d0})", approx=("gelu_tile_init<true>()", "gelu_tile<true>({d0})"),
           approx_bound=FAST_GELU)  # fmt: skip
    # The only SDK function whose DST precision template comes before the fast flag.
    _unary("gelu_tanh", _U + "gelu.h", "0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3)))", GELU_TANH,
           init="gelu_tanh_tile_init<false>()", call="gelu_tanh_tile<DST_ACCUM_MODE, false>({d0})")  # fmt: skip
    _unary("softplus", _U + "softplus.h", "where(beta * x > threshold, x, log1p(exp(beta * x)) / beta)", SOFTPLUS,
           params={"beta": 1.0, "threshold": 20.0},
           encode=("f32bits:beta", "f32bits_recip:beta", "f32bits:threshold"))  # fmt: skip
    _unary("hardsigmoid", act, "clip(x / 6 + 0.5, 0, 1)", TWO_MADS)
    _unary("softsign", act, "x / (1 + abs(x))", ASSUMED2)
    _unary("softshrink", act, "where(x > lam, x - lam, where(x < -lam, x + lam, 0))", MAD, params={"lam": 0.5})
    _unary("hardshrink", act, "where(abs(x) > lam, x, 0)", EXACT, params={"lam": 0.5}, discontinuous=True)
    _unary("mish", _U + "mish.h", "x * tanh(log1p(exp(x)))", ASSUMED2, init="mish_tile_init<false>()",
           call="mish_tile<false>({d0})")  # fmt: skip
    _unary("hardmish", _U + "hardmish.h", "x * clip(x / 2 + 1, 0, 1)", TWO_MADS)
    _unary("tanhshrink", _U + "tanhshrink.h", "x - tanh(x)", ASSUMED2)
    _unary("threshold", _U + "threshold.h", "where(x > limit, x, value)", EXACT,
           params={"limit": None, "value": None}, discontinuous=True)  # fmt: skip
    _unary("heaviside", _API, "where(x < 0, 0, where(x > 0, 1, value))", EXACT, params={"value": 0.0},
           discontinuous=True)  # fmt: skip
    clamp = {
        "int32": _c(_U + "clamp.h", "clamp_tile_init()", "clamp_tile_int32({d0}, {p0}, {p1})", "i32:low", "i32:high")
    }
    _unary("clip", _U + "clamp.h", "minimum(maximum(x, low), high)", EXACT, init="clamp_tile_init()",
           call="clamp_tile({d0}, {p0}, {p1})", params={"low": None, "high": None}, ints=clamp)  # fmt: skip


def _transcendental() -> None:
    _unary("erf", _U + "erf_erfc.h", "erf(x)", ERF, init="erf_tile_init<false>()", call="erf_tile<false>({d0})")
    _unary("erfc", _U + "erf_erfc.h", "erfc(x)", ERFC)
    for name in ("sin", "cos", "tan"):
        _unary(name, _U + "trigonometry.h", f"{name}(x)", TRIG)
    for name in ("asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh"):
        _unary(name, _U + "trigonometry.h", f"arc{name[1:]}(x)" if name[0] == "a" else f"{name}(x)", ASSUMED2)


def _binary(
    name: str,
    numpy: str,
    bound: Bound,
    *,
    header: str = "eltwise_binary_sfpu.h",
    scalar: SfpuCall | None = None,
    rscalar: SfpuCall | None = None,
    ints: dict[str, SfpuCall] | None = None,
    int_scalars: dict[str, SfpuCall] | None = None,
    int_rscalars: dict[str, SfpuCall] | None = None,
    sdk: str = "",
    discontinuous: bool = False,
) -> None:
    """A row of two operands in DST; ``sdk`` is the SDK's name for it where that differs."""
    tile = f"{sdk or name}_tile" if header != "eltwise_binary_sfpu.h" else f"{sdk or name}_binary_tile"
    FUNCTIONS[name] = Function(
        name=name,
        operands=2,
        float_call=_c(header, f"{tile}_init()", f"{tile}({{d0}}, {{d1}}, {{out}})"),
        scalar_call=scalar,
        rscalar_call=rscalar,
        int_calls=ints or {},
        int_scalar_calls=int_scalars or {},
        int_rscalar_calls=int_rscalars or {},
        bound=bound,
        numpy=numpy,
        discontinuous=discontinuous,
    )


def _arithmetic() -> None:
    binop, init = _U + "binop_with_scalar.h", "binop_with_scalar_tile_init()"

    def number(tile: str, encoding: str = "f32bits:value") -> SfpuCall:
        return _c(binop, init, tile + "({d0}, {p0})", encoding)

    three = "({d0}, {d1}, {out})"
    add, sub = number("add_unary_tile_int32", "i32:value"), number("sub_unary_tile_int32", "i32:value")
    rsub = _c(_U + "rsub.h", "rsub_unary_int32_tile_init()", "rsub_unary_int32_tile({d0}, {p0})", "i32:value")
    _binary("add", "x + y", MAD, scalar=number("add_unary_tile"), rscalar=number("add_unary_tile"),
            ints=_by_format("add_int_sfpu.h", "add_int_tile_init()", "add_int_tile<DataFormat::{fmt}>" + three),
            int_scalars={"int32": add, "uint32": add}, int_rscalars={"int32": add, "uint32": add})  # fmt: skip
    _binary("sub", "x - y", MAD, scalar=number("sub_unary_tile"), rscalar=number("rsub_unary_tile"),
            ints=_by_format("sub_int_sfpu.h", "sub_int_tile_init()", "sub_int_tile<DataFormat::{fmt}>" + three),
            int_scalars={"int32": sub, "uint32": sub}, int_rscalars={"int32": rsub, "uint32": rsub})  # fmt: skip
    _binary("mul", "x * y", MAD, scalar=number("mul_unary_tile"), rscalar=number("mul_unary_tile"),
            ints=_by_format("mul_int_sfpu.h", "mul_int_tile_init<DataFormat::{fmt}>()",
                            "mul_int_tile<DataFormat::{fmt}>" + three))  # fmt: skip
    # A division by a number multiplies by its fp32 reciprocal, as the SDK's host code does.
    _binary("div", "x / y", Bound(bf16_ulp=1.0, rel=3.6e-7, source="SDK kernel comments: 1 ulp"),
            scalar=number("div_unary_tile", "f32bits_recip:value"),
            rscalar=_c(_U + "rdiv.h", "rdiv_tile_init()", "rdiv_tile({d0}, {p0})", "f32bits:value"))  # fmt: skip
    rpow = _c(_U + "rpow.h", "rpow_tile_init()", "rpow_tile({d0}, {p0})", "f32bits:value")
    power = _c(_API, "power_tile_init()", "power_tile({d0}, {p0})", "f32bits:value")
    _binary("pow", "x ** y", POWER, sdk="power", scalar=power, rscalar=rpow)
    for name, numpy in (("maximum", "max"), ("minimum", "min")):
        scalar = _c(_API, f"unary_{numpy}_tile_init()", f"unary_{numpy}_tile({{d0}}, {{p0}})", "f32bits:value")
        ints = {d: _c("binary_max_min.h", f"binary_{numpy}_{d}_tile_init()", f"binary_{numpy}_{d}_tile" + three)
                for d in ("int32", "uint32")}  # fmt: skip
        numbers = {d: _c(_API, f"unary_{numpy}_{d}_tile_init()", f"unary_{numpy}_{d}_tile({{d0}}, {{p0}})", "i32:value")
                   for d in ("int32", "uint32")}  # fmt: skip
        _binary(name, f"{name}(x, y)", EXACT, header="binary_max_min.h", sdk=f"binary_{numpy}", scalar=scalar,
                rscalar=scalar, ints=ints, int_scalars=numbers, int_rscalars=numbers)  # fmt: skip
    for name, header in (("atan2", "atan2.h"), ("xlogy", "xlogy.h"), ("logaddexp", "logaddexp.h"),
                         ("logaddexp2", "logaddexp2.h")):  # fmt: skip
        numpy = {"atan2": "arctan2(x, y)", "xlogy": "where(x == 0, 0, x * log(y))"}.get(name, f"{name}(x, y)")
        _binary(name, numpy, ASSUMED2, header=header, sdk=f"{name}_binary")


def _comparisons() -> None:
    swapped = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}
    sign = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}

    def number(op: str, suffix: str = "", encoding: str = "f32bits:value") -> SfpuCall:
        return _c(_U + "comp.h", f"unary_{op}_tile_init()", f"unary_{op}_tile{suffix}({{d0}}, {{p0}})", encoding)

    for name, flipped in swapped.items():
        ints = _by_format("binary_comp.h", f"{name}_int_tile_init<DataFormat::{{fmt}}>()",
                          f"{name}_int_tile<DataFormat::{{fmt}}>({{d0}}, {{d1}}, {{out}})")  # fmt: skip
        _binary(name, f"x {sign[name]} y", EXACT, scalar=number(name), rscalar=number(flipped), ints=ints,
                int_scalars={"int32": number(name, "_int32", "i32:value")},
                int_rscalars={"int32": number(flipped, "_int32", "i32:value")}, discontinuous=True)  # fmt: skip


def _integers() -> None:
    """Bit operations: integers only."""
    three, header = "({d0}, {d1}, {out})", "binary_bitwise_sfpu.h"
    for name, op in (("bitwise_and", "&"), ("bitwise_or", "|"), ("bitwise_xor", "^")):
        ints = _by_format(header, "binary_bitwise_tile_init()", f"{name}_binary_tile<DataFormat::{{fmt}}>" + three)
        call = f"{name}_tile<DataFormat::{{fmt}}>({{d0}}, {{p0}})"
        numbers = _by_format(_U + "bitwise.h", f"{name}_tile_init()", call, params=("i32:value",))
        FUNCTIONS[name] = Function(
            name=name,
            operands=2,
            int_calls=ints,
            int_scalar_calls=numbers,
            int_rscalar_calls=numbers,
            bound=EXACT,
            numpy=f"x {op} y",
        )
    for name, op in (("left_shift", "<<"), ("right_shift", ">>")):
        call = f"{name}_tile<DataFormat::{{fmt}}>({{d0}}, {{p0}})"
        FUNCTIONS[name] = Function(
            name=name,
            operands=1,
            params=(Param(name="bits"),),
            int_calls=_by_format(_U + "shift.h", f"{name}_tile_init()", call, params=("i32:bits",)),
            bound=EXACT,
            numpy=f"x {op} bits",
        )
    gcd = _c("gcd.h", "gcd_tile_init()", "gcd_tile" + three)
    FUNCTIONS["gcd"] = Function(name="gcd", operands=2, int_calls={"int32": gcd}, bound=EXACT, numpy="gcd(x, y)")

    def flipped(data_format: str, ones: str) -> SfpuCall:
        call = f"bitwise_xor_tile<DataFormat::{data_format}>({{d0}}, {{p0}})"
        return _c(_U + "bitwise.h", "bitwise_xor_tile_init()", call, f"word:{ones}")

    FUNCTIONS["bitwise_not"] = Function(
        name="bitwise_not",
        operands=1,
        int_calls={
            "int32": _c(_U + "bitwise_not.h", "bitwise_not_tile_init()", "bitwise_not_tile({d0})"),
            "uint32": flipped("UInt32", "0xffffffff"),
            "uint16": flipped("UInt16", "0xffff"),
        },
        bound=EXACT,
        numpy="~x",
    )


def _ternary() -> None:
    # The header's comment promises UInt16, but the kernel's static_assert refuses it.
    call = "where_tile<DataFormat::{fmt}>({d0}, {d1}, {d2}, {out})"
    FUNCTIONS["where"] = Function(
        name="where",
        operands=3,
        float_call=_c(_U + "where.h", "where_tile_init()", call.replace("{fmt}", "{dst}")),
        int_calls=_by_format(_U + "where.h", "where_tile_init()", call, "int32 uint32"),
        bound=EXACT,
        numpy="where(x != 0, y, z)",
        discontinuous=True,
    )


for _table in (
    _exponentials,
    _signs_and_rounding,
    _activations,
    _transcendental,
    _arithmetic,
    _comparisons,
    _integers,
    _ternary,
):
    _table()
