// The SFPU functions that are emulated, by the SDK's own names (NAME_tile, without "_tile"; NAME_tile_int32 is NAME_int32).
#pragma once

#include <cstdint>

// clang-format off
// One operand, floats.
#define EMU_SFPU_UNARY(X) \
    X(exp) X(exp2) X(expm1) X(log) X(log_with_base) X(log1p) X(sqrt) X(rsqrt) X(recip) X(cbrt) X(square) X(power) \
    X(power_iterative) X(abs) X(sign) X(negative) X(floor) X(ceil) X(trunc) X(frac) X(round) X(signbit) X(isnan) \
    X(isinf) X(isposinf) X(isneginf) X(isfinite) X(identity) X(relu) X(leaky_relu) X(prelu) X(relu_max) X(relu_min) \
    X(elu) X(celu) X(selu) X(sigmoid) X(silu) X(tanh) X(gelu) X(gelu_tanh) X(softplus) X(hardsigmoid) X(softsign) \
    X(softshrink) X(hardshrink) X(hardtanh) X(hardmish) X(mish) X(tanhshrink) X(threshold) X(heaviside) X(softcap) X(clamp) X(erf) \
    X(erfc) X(sin) X(cos) X(tan) X(asin) X(acos) X(atan) X(sinh) X(cosh) X(asinh) X(acosh) X(atanh) X(add_unary) \
    X(sub_unary) X(mul_unary) X(div_unary) X(rsub_unary) X(rsub) X(rdiv) X(rpow) X(unary_max) X(unary_min) X(unary_eq) \
    X(unary_ne) X(unary_lt) X(unary_le) X(unary_gt) X(unary_ge) X(eqz) X(nez) X(ltz) X(lez) X(gtz) X(gez) X(fill)
// Two operands, floats.
#define EMU_SFPU_BINARY(X) \
    X(add_binary) X(sub_binary) X(rsub_binary) X(mul_binary) X(div_binary) X(power_binary) X(binary_max) X(binary_min) \
    X(eq_binary) X(ne_binary) X(lt_binary) X(le_binary) X(gt_binary) X(ge_binary) X(atan2_binary) X(xlogy_binary) \
    X(logaddexp_binary) X(logaddexp2_binary)
// Integers; names that take a DataFormat template have its code as their first parameter.
#define EMU_SFPU_INT(X) \
    X(abs_int32) X(negative_int32) X(relu_int32) X(clamp_int32) X(bitwise_not) X(add_unary_int32) X(sub_unary_int32) \
    X(rsub_unary_int32) X(unary_max_int32) X(unary_max_uint32) X(unary_min_int32) X(unary_min_uint32) X(unary_eq_int32) \
    X(unary_ne_int32) X(unary_lt_int32) X(unary_le_int32) X(unary_gt_int32) X(unary_ge_int32) X(eqz_int32) X(nez_int32) \
    X(ltz_int32) X(lez_int32) X(gtz_int32) X(gez_int32) X(fill_int) X(bitwise_and) X(bitwise_or) X(bitwise_xor) \
    X(left_shift) X(right_shift) X(add_int) X(sub_int) X(rsub_int) X(mul_int) X(eq_int) X(ne_int) X(lt_int) X(le_int) \
    X(gt_int) X(ge_int) X(binary_max_int32) X(binary_max_uint32) X(binary_min_int32) X(binary_min_uint32) \
    X(gcd) X(bitwise_and_binary) X(bitwise_or_binary) X(bitwise_xor_binary)
// Any type. logical_not and where: DataFormat first; typecast: input and output DataFormat; sfpu_bcast: BroadcastType as
// emu::num::Bcast, then Bin; sfpu_reduce: Pool (3 = Min), DataFormat, Dim.
#define EMU_SFPU_OTHER(X) \
    X(logical_not) X(where) X(mask) X(mask_posinf) X(typecast) X(sfpu_bcast) X(sfpu_reduce)
// clang-format on

namespace emu::num {

enum class SfpuOp : uint16_t {
#define EMU_ENUMERATOR(name) name,
    EMU_SFPU_UNARY(EMU_ENUMERATOR) EMU_SFPU_BINARY(EMU_ENUMERATOR) EMU_SFPU_INT(EMU_ENUMERATOR)
        EMU_SFPU_OTHER(EMU_ENUMERATOR)
#undef EMU_ENUMERATOR
            count
};

}  // namespace emu::num
