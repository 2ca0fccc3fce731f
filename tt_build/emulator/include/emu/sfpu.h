// SFPU calls. Each names its operation, the init that must be in force, and a variant (template arguments) that init and call
// must share. Integer and format arguments follow the scalar parameters.
#pragma once

namespace emu {
using ckernel::VectorMode;
template <typename I, typename... P>
ALWI void sfpu1(Sf op, I init, uint32_t variant, VectorMode mode, uint32_t idst, P... params) {
    const uint32_t dst[] = {idst};
    const uint32_t words[sizeof...(P) + 1] = {static_cast<uint32_t>(params)..., 0};
    emu_sfpu(sf_id(op), sf_id(init), variant, int32_t(mode), dst, 1, idst, words, sizeof...(P));
}
template <typename I, typename... P>
ALWI void sfpu2(Sf op, I init, VectorMode mode, uint32_t a, uint32_t b, uint32_t out, P... params) {
    const uint32_t dst[] = {a, b};
    const uint32_t words[sizeof...(P) + 1] = {static_cast<uint32_t>(params)..., 0};
    emu_sfpu(sf_id(op), sf_id(init), 0, int32_t(mode), dst, 2, out, words, sizeof...(P));
}
template <typename I>
ALWI void sfpu_init(I init, uint32_t variant = 0) { emu_sfpu_init(sf_id(init), variant); }
}  // namespace emu

namespace ckernel {
using emu::Sf;
using emu::SfInit;
using emu::sfpu1;
using emu::sfpu2;
constexpr VectorMode EMU_RC = VectorMode::RC;

#define EMU_INIT(name) \
    ALWI void name##_tile_init() { emu::sfpu_init(Sf::name); }
#define EMU_INIT_F(name)                             \
    template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE> \
    ALWI void name##_tile_init() { emu::sfpu_init(Sf::name); }
#define EMU_U(name) EMU_INIT(name) ALWI void name##_tile(uint32_t idst) { sfpu1(Sf::name, Sf::name, 0, EMU_RC, idst); }
#define EMU_UF(name)                                     \
    EMU_INIT(name)                                       \
    template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE> \
    ALWI void name##_tile(uint32_t idst) { sfpu1(Sf::name, Sf::name, 0, EMU_RC, idst); }
#define EMU_UFF(name)                                    \
    EMU_INIT_F(name)                                     \
    template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE> \
    ALWI void name##_tile(uint32_t idst) { sfpu1(Sf::name, Sf::name, 0, EMU_RC, idst); }
#define EMU_U1(name) \
    EMU_INIT(name) ALWI void name##_tile(uint32_t idst, uint32_t param0) { sfpu1(Sf::name, Sf::name, 0, EMU_RC, idst, param0); }
#define EMU_U1F(name)                                    \
    EMU_INIT(name)                                       \
    template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE> \
    ALWI void name##_tile(uint32_t idst, uint32_t param0) { sfpu1(Sf::name, Sf::name, 0, EMU_RC, idst, param0); }

EMU_UF(silu) EMU_UF(square) EMU_UFF(exp2) EMU_UF(sin) EMU_UF(cos) EMU_UF(tan) EMU_UFF(asin) EMU_UFF(acos) EMU_UFF(atan)
EMU_UFF(sinh) EMU_UFF(cosh) EMU_UFF(asinh) EMU_UFF(acosh) EMU_UFF(atanh) EMU_UF(cbrt)
EMU_U(abs) EMU_U(sign) EMU_U(signbit) EMU_U(hardsigmoid) EMU_U(softsign) EMU_U(erfc) EMU_U(negative) EMU_U(relu) EMU_U(identity)
EMU_U(isinf) EMU_U(isposinf) EMU_U(isneginf) EMU_U(isnan) EMU_U(isfinite) EMU_U(bitwise_not)
EMU_U(eqz) EMU_U(nez) EMU_U(gtz) EMU_U(gez) EMU_U(ltz) EMU_U(lez)
EMU_U1F(power) EMU_U1(power_iterative) EMU_U1(heaviside) EMU_U1(relu_max) EMU_U1(relu_min) EMU_U1F(elu) EMU_U1(prelu)
EMU_U1(softshrink) EMU_U1(hardshrink) EMU_U1(unary_max) EMU_U1(unary_min)
EMU_U1(unary_eq) EMU_U1(unary_ne) EMU_U1(unary_gt) EMU_U1(unary_ge) EMU_U1(unary_lt) EMU_U1(unary_le)

// integer forms
#define EMU_INT(name) \
    ALWI void name##_tile_int32(uint32_t idst) { sfpu1(Sf::name##_int32, Sf::name, 0, EMU_RC, idst); }
#define EMU_INT1(name) \
    ALWI void name##_tile_int32(uint32_t idst, uint32_t param0) { sfpu1(Sf::name##_int32, Sf::name, 0, EMU_RC, idst, param0); }
EMU_INT(abs) EMU_INT(negative) EMU_INT(relu) EMU_INT(eqz) EMU_INT(nez) EMU_INT(gtz) EMU_INT(gez) EMU_INT(ltz) EMU_INT(lez)
EMU_INT1(unary_eq) EMU_INT1(unary_ne) EMU_INT1(unary_gt) EMU_INT1(unary_ge) EMU_INT1(unary_lt) EMU_INT1(unary_le)
EMU_U1(unary_max_int32) EMU_U1(unary_max_uint32) EMU_U1(unary_min_int32) EMU_U1(unary_min_uint32)

// with a fast variant
#define EMU_APPROX(name, DEFAULT)                                                                              \
    template <bool fast_and_approx = DEFAULT, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>                        \
    ALWI void name##_tile_init() { emu::sfpu_init(Sf::name, fast_and_approx); }                                 \
    template <bool fast_and_approx = DEFAULT, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>                        \
    ALWI void name##_tile(uint32_t idst) { sfpu1(Sf::name, Sf::name, fast_and_approx, EMU_RC, idst); }
EMU_APPROX(tanh, false) EMU_APPROX(log, false) EMU_APPROX(log1p, false) EMU_APPROX(expm1, false) EMU_APPROX(gelu, true)
#undef EMU_APPROX
template <bool fast_and_approx = true>
ALWI void erf_tile_init() { emu::sfpu_init(Sf::erf, fast_and_approx); }
template <bool fast_and_approx = true>
ALWI void erf_tile(uint32_t idst) { sfpu1(Sf::erf, Sf::erf, fast_and_approx, EMU_RC, idst); }
template <bool fast = false>
ALWI void gelu_tanh_tile_init() { emu::sfpu_init(Sf::gelu_tanh, fast); }
template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE, bool fast = false>
ALWI void gelu_tanh_tile(uint32_t idst) { sfpu1(Sf::gelu_tanh, Sf::gelu_tanh, fast, EMU_RC, idst); }
template <bool fast_and_approx = false>
ALWI void sigmoid_tile_init() { emu::sfpu_init(Sf::sigmoid, fast_and_approx); }
template <VectorMode vec_mode = VectorMode::RC, bool fast_and_approx = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void sigmoid_tile(uint32_t idst) { sfpu1(Sf::sigmoid, Sf::sigmoid, fast_and_approx, vec_mode, idst); }
template <bool fast_and_approx = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void log_with_base_tile_init() { emu::sfpu_init(Sf::log_with_base, fast_and_approx); }
template <bool fast_and_approx = false, bool base_is_two = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void log_with_base_tile(uint32_t idst, uint32_t base_scale) {
    sfpu1(Sf::log_with_base, Sf::log_with_base, fast_and_approx, EMU_RC, idst, base_scale);
}
template <bool approx = false, uint32_t scale = 0x3F800000, InputClamping input_clamping = InputClamping::ClampToNegative,
          bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void exp_tile_init() { emu::sfpu_init(Sf::exp, approx | uint32_t(input_clamping) << 1); }
template <bool approx = false, bool scale_en = false, InputClamping input_clamping = InputClamping::ClampToNegative, int iterations = 8,
          bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void exp_tile(uint32_t idst, VectorMode vector_mode = VectorMode::RC, uint16_t scale = p_sfpu::kCONST_1_FP16B) {
    static_assert(!(approx && scale_en), "not emulated: exp_tile with approx and scale_en");
    static_assert(iterations == 8, "not emulated: exp_tile with another iteration count");
    if constexpr (scale_en) sfpu1(Sf::exp, Sf::exp, approx | uint32_t(input_clamping) << 1, vector_mode, idst, uint32_t(scale) << 16);
    else sfpu1(Sf::exp, Sf::exp, approx | uint32_t(input_clamping) << 1, vector_mode, idst);
}
EMU_INIT(sqrt) EMU_INIT(rsqrt)
template <bool FAST_APPROX = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void sqrt_tile(uint32_t idst) { sfpu1(Sf::sqrt, Sf::sqrt, FAST_APPROX << 16, EMU_RC, idst); }
template <RsqrtMode mode = RsqrtMode::Default, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void rsqrt_tile(uint32_t idst) { sfpu1(Sf::rsqrt, Sf::rsqrt, uint32_t(mode == RsqrtMode::Fast) << 16, EMU_RC, idst); }
template <ReciprocalDestAcc dest_acc = DST_ACCUM_MODE ? ReciprocalDestAcc::FP32 : ReciprocalDestAcc::BF16,
          ReciprocalApproxMode approximation = ReciprocalApproxMode::Default>
ALWI void recip_tile_init() { emu::sfpu_init(Sf::recip, uint32_t(dest_acc) << 4 | uint32_t(approximation) << 1); }
template <ReciprocalDestAcc dest_acc = DST_ACCUM_MODE ? ReciprocalDestAcc::FP32 : ReciprocalDestAcc::BF16,
          ReciprocalApproxMode approximation = ReciprocalApproxMode::Default>
ALWI void recip_tile(uint32_t idst, VectorMode vector_mode = VectorMode::RC) {
    sfpu1(Sf::recip, Sf::recip, uint32_t(dest_acc) << 4 | uint32_t(approximation) << 1, vector_mode, idst);
}

EMU_UFF(tanhshrink) EMU_U(hardmish)
template <bool APPROXIMATION_MODE>
ALWI void mish_tile_init() { emu::sfpu_init(Sf::mish, APPROXIMATION_MODE); }
template <bool APPROXIMATION_MODE, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void mish_tile(uint32_t idst) { sfpu1(Sf::mish, Sf::mish, APPROXIMATION_MODE, EMU_RC, idst); }
EMU_U1(rsub_unary_int32)
EMU_INIT(rsub)
template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void rsub_tile(uint32_t idst, uint32_t scalar) { sfpu1(Sf::rsub, Sf::rsub, 0, EMU_RC, idst, scalar); }
// scalars
EMU_INIT(leaky_relu)
ALWI void leaky_relu_tile(uint32_t idst, uint32_t slope = 0) { sfpu1(Sf::leaky_relu, Sf::leaky_relu, 0, EMU_RC, idst, slope); }
EMU_INIT(softplus)
template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void softplus_tile(uint32_t idst, uint32_t beta, uint32_t beta_reciprocal, uint32_t threshold) {
    sfpu1(Sf::softplus, Sf::softplus, 0, EMU_RC, idst, beta, beta_reciprocal, threshold);
}
EMU_INIT(celu)
template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void celu_tile(uint32_t idst, uint32_t alpha, uint32_t alpha_recip) { sfpu1(Sf::celu, Sf::celu, 0, EMU_RC, idst, alpha, alpha_recip); }
EMU_INIT(selu)
template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void selu_tile(uint32_t idst, uint32_t scale, uint32_t alpha) { sfpu1(Sf::selu, Sf::selu, 0, EMU_RC, idst, scale, alpha); }
EMU_INIT(hardtanh)
ALWI void hardtanh_tile(uint32_t idst, uint32_t param0, uint32_t param1) { sfpu1(Sf::hardtanh, Sf::hardtanh, 0, EMU_RC, idst, param0, param1); }
EMU_INIT(threshold)
ALWI void threshold_tile(uint32_t idst, uint32_t param0, uint32_t param1) { sfpu1(Sf::threshold, Sf::threshold, 0, EMU_RC, idst, param0, param1); }
EMU_INIT(clamp)
ALWI void clamp_tile(uint32_t idst, uint32_t param0, uint32_t param1) { sfpu1(Sf::clamp, Sf::clamp, 0, EMU_RC, idst, param0, param1); }
ALWI void clamp_tile_int32(uint32_t idst, uint32_t param0, uint32_t param1) {
    sfpu1(Sf::clamp_int32, Sf::clamp, 0, EMU_RC, idst, param0, param1);
}
EMU_INIT(rpow)
template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void rpow_tile(uint32_t idst, uint32_t base_val, VectorMode vector_mode = VectorMode::RC) {
    sfpu1(Sf::rpow, Sf::rpow, 0, vector_mode, idst, base_val);
}
EMU_INIT(rdiv)
template <RoundingMode rounding_mode = RoundingMode::None, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void rdiv_tile(uint32_t dst_index, uint32_t value, VectorMode vector_mode = VectorMode::RC) {
    static_assert(rounding_mode == RoundingMode::None, "not emulated: rdiv_tile with rounding");
    sfpu1(Sf::rdiv, Sf::rdiv, 0, vector_mode, dst_index, value);
}
ALWI void binop_with_scalar_tile_init() { emu::sfpu_init(SfInit::binop_with_scalar); }
#define EMU_BINOP(name)                                  \
    template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE> \
    ALWI void name##_tile(uint32_t idst, uint32_t param1) { sfpu1(Sf::name, SfInit::binop_with_scalar, 0, EMU_RC, idst, param1); }
EMU_BINOP(add_unary) EMU_BINOP(sub_unary) EMU_BINOP(mul_unary) EMU_BINOP(div_unary) EMU_BINOP(rsub_unary)
#undef EMU_BINOP
ALWI void add_unary_tile_int32(uint32_t idst, uint32_t param1) {
    sfpu1(Sf::add_unary_int32, SfInit::binop_with_scalar, 0, EMU_RC, idst, param1);
}
ALWI void sub_unary_tile_int32(uint32_t idst, uint32_t param1) {
    sfpu1(Sf::sub_unary_int32, SfInit::binop_with_scalar, 0, EMU_RC, idst, param1);
}
EMU_INIT(fill)
ALWI void fill_tile(uint32_t idst, float param0) {
    uint32_t bits;
    __builtin_memcpy(&bits, &param0, 4);
    sfpu1(Sf::fill, Sf::fill, 0, EMU_RC, idst, bits);
}
ALWI void fill_tile_bitcast(uint32_t idst, uint32_t param0) { sfpu1(Sf::fill, Sf::fill, 0, EMU_RC, idst, param0); }
template <DataFormat DATA_FORMAT>
ALWI void fill_tile_int(uint32_t idst, uint32_t param0) { sfpu1(Sf::fill_int, Sf::fill, 0, EMU_RC, idst, DATA_FORMAT, param0); }
ALWI void rounding_op_tile_init() { emu::sfpu_init(SfInit::rounding_op); }
#define EMU_ROUND(name) \
    ALWI void name##_tile(uint32_t idst) { sfpu1(Sf::name, SfInit::rounding_op, 0, EMU_RC, idst); }
EMU_ROUND(ceil) EMU_ROUND(floor) EMU_ROUND(trunc) EMU_ROUND(frac)
#undef EMU_ROUND
ALWI void round_tile(uint32_t idst, int32_t decimals) { sfpu1(Sf::round, SfInit::rounding_op, 0, EMU_RC, idst, decimals); }
EMU_INIT(logical_not)
template <DataFormat DATA_FORMAT>
ALWI void logical_not_tile(uint32_t idst) { sfpu1(Sf::logical_not, Sf::logical_not, 0, EMU_RC, idst, DATA_FORMAT); }
#define EMU_BITS(name)  \
    EMU_INIT(name)      \
    template <DataFormat data_format> \
    ALWI void name##_tile(uint32_t idst, uint32_t param0) { sfpu1(Sf::name, Sf::name, 0, EMU_RC, idst, data_format, param0); }
EMU_BITS(bitwise_and) EMU_BITS(bitwise_or) EMU_BITS(bitwise_xor) EMU_BITS(left_shift) EMU_BITS(right_shift)
#undef EMU_BITS
template <uint32_t IN_DTYPE, uint32_t OUT_DTYPE>
ALWI void typecast_tile_init() { emu::sfpu_init(Sf::typecast, IN_DTYPE << 8 | OUT_DTYPE << 20); }
template <uint32_t IN_DTYPE, uint32_t OUT_DTYPE, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void typecast_tile(uint32_t idst) { sfpu1(Sf::typecast, Sf::typecast, IN_DTYPE << 8 | OUT_DTYPE << 20, EMU_RC, idst, IN_DTYPE, OUT_DTYPE); }

// two and three operands in DST
#define EMU_B(name) \
    EMU_INIT(name) ALWI void name##_tile(uint32_t idst0, uint32_t idst1, uint32_t odst) { sfpu2(Sf::name, Sf::name, EMU_RC, idst0, idst1, odst); }
#define EMU_BF(name)                                     \
    EMU_INIT(name)                                       \
    template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE> \
    ALWI void name##_tile(uint32_t idst0, uint32_t idst1, uint32_t odst) { sfpu2(Sf::name, Sf::name, EMU_RC, idst0, idst1, odst); }
#define EMU_BFF(name)                                    \
    EMU_INIT_F(name)                                     \
    template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE> \
    ALWI void name##_tile(uint32_t idst0, uint32_t idst1, uint32_t odst) { sfpu2(Sf::name, Sf::name, EMU_RC, idst0, idst1, odst); }
#define EMU_BR(name)                                                                                                \
    EMU_INIT(name)                                                                                                  \
    template <DstRoundingMode dst_rounding_mode = DstRoundingMode::Default, bool is_fp32_dest_acc_en = DST_ACCUM_MODE> \
    ALWI void name##_tile(uint32_t idst0, uint32_t idst1, uint32_t odst) {                                          \
        static_assert(dst_rounding_mode == DstRoundingMode::Default, "not emulated: DstRoundingMode::NearestEven");      \
        sfpu2(Sf::name, Sf::name, EMU_RC, idst0, idst1, odst);                                   \
    }
EMU_BR(add_binary) EMU_BR(sub_binary) EMU_BR(rsub_binary) EMU_BF(mul_binary) EMU_BF(div_binary) EMU_BF(power_binary)
EMU_B(eq_binary) EMU_B(ne_binary) EMU_B(lt_binary) EMU_B(gt_binary) EMU_B(le_binary) EMU_B(ge_binary)
#define EMU_MAXMIN(name)                                                                                           \
    EMU_INIT(name)                                                                                                 \
    ALWI void name##_tile(uint32_t idst0, uint32_t idst1, uint32_t odst, VectorMode vector_mode = VectorMode::RC) { \
        sfpu2(Sf::name, Sf::name, vector_mode, idst0, idst1, odst);                                                \
    }
EMU_MAXMIN(binary_max) EMU_MAXMIN(binary_min)
EMU_BFF(atan2_binary) EMU_BF(xlogy_binary) EMU_BFF(logaddexp_binary) EMU_BFF(logaddexp2_binary)
EMU_B(binary_max_int32) EMU_B(binary_max_uint32) EMU_B(binary_min_int32) EMU_B(binary_min_uint32) EMU_B(gcd)
#undef EMU_MAXMIN
#define EMU_INT2(name, INIT)          \
    template <DataFormat data_format> \
    ALWI void name##_tile(uint32_t idst0, uint32_t idst1, uint32_t odst) { sfpu2(Sf::name, INIT, EMU_RC, idst0, idst1, odst, data_format); }
#define EMU_INIT_FORMAT(name)         \
    template <DataFormat data_format> \
    ALWI void name##_tile_init() { emu::sfpu_init(Sf::name); }
EMU_INT2(add_int, Sf::add_int) EMU_INIT(add_int) EMU_INT2(sub_int, Sf::sub_int) EMU_INIT(sub_int) EMU_INT2(rsub_int, Sf::rsub_int) EMU_INIT(rsub_int)
EMU_INT2(mul_int, Sf::mul_int) EMU_INIT_FORMAT(mul_int) EMU_INT2(eq_int, Sf::eq_int) EMU_INIT_FORMAT(eq_int) EMU_INT2(ne_int, Sf::ne_int) EMU_INIT_FORMAT(ne_int)
EMU_INT2(lt_int, Sf::lt_int) EMU_INIT_FORMAT(lt_int) EMU_INT2(gt_int, Sf::gt_int) EMU_INIT_FORMAT(gt_int) EMU_INT2(le_int, Sf::le_int) EMU_INIT_FORMAT(le_int)
EMU_INT2(ge_int, Sf::ge_int) EMU_INIT_FORMAT(ge_int)
EMU_INT2(bitwise_and_binary, SfInit::binary_bitwise) EMU_INT2(bitwise_or_binary, SfInit::binary_bitwise)
EMU_INT2(bitwise_xor_binary, SfInit::binary_bitwise)
ALWI void binary_bitwise_tile_init() { emu::sfpu_init(SfInit::binary_bitwise); }
EMU_INIT(mask)
ALWI void mask_tile(uint32_t idst_data, uint32_t idst2_mask, DataFormat = DataFormat::Float16_b) {
    sfpu2(Sf::mask, Sf::mask, EMU_RC, idst_data, idst2_mask, idst_data);
}
ALWI void mask_posinf_tile(uint32_t idst_data, uint32_t idst2_mask) {
    sfpu2(Sf::mask_posinf, Sf::mask, EMU_RC, idst_data, idst2_mask, idst_data);
}
EMU_INIT(where)
template <DataFormat data_format>
ALWI void where_tile(uint32_t idst0, uint32_t idst1, uint32_t idst2, uint32_t odst) {
    const uint32_t dst[] = {idst0, idst1, idst2};
    const uint32_t words[] = {uint32_t(data_format)};
    emu_sfpu(emu::sf_id(Sf::where), emu::sf_id(Sf::where), 0, int32_t(EMU_RC), dst, 3, odst, words, 1);
}

// column and row vectors in DST, reduction in DST
ALWI void sfpu_bcast_col_init() { emu::sfpu_init(SfInit::bcast_col); }
ALWI void sfpu_bcast_row_init() { emu::sfpu_init(SfInit::bcast_row); }
#define EMU_VEC(op, OP, dim, DIM)                                                                                     \
    ALWI void sfpu_##op##_bcast_##dim##_init() { emu::sfpu_init(SfInit::bcast_##dim); }                                \
    template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>                                                              \
    ALWI void sfpu_##op##_bcast_##dim(uint32_t dst_data_idx, uint32_t dst_vec_idx) {                                  \
        sfpu2(Sf::sfpu_bcast, SfInit::bcast_##dim, EMU_RC, dst_data_idx, dst_vec_idx, dst_data_idx, DIM, OP);          \
    }
EMU_VEC(add, 0, col, 2) EMU_VEC(sub, 1, col, 2) EMU_VEC(mul, 2, col, 2) EMU_VEC(add, 0, row, 1) EMU_VEC(sub, 1, row, 1) EMU_VEC(mul, 2, row, 1)
#undef EMU_VEC
template <BroadcastType Dim>
ALWI void sfpu_bcast_init() {
    static_assert(Dim == BroadcastType::COL || Dim == BroadcastType::ROW, "not emulated: sfpu_bcast of this dimension");
    emu::sfpu_init(Dim == BroadcastType::COL ? SfInit::bcast_col : SfInit::bcast_row);
}
template <BroadcastType Dim, EltwiseBinaryType Op, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void sfpu_bcast(uint32_t dst_data_idx, uint32_t dst_bcast_idx) {
    constexpr uint32_t op = Op == EltwiseBinaryType::ELWADD ? 0 : Op == EltwiseBinaryType::ELWSUB ? 1 : 2;
    sfpu2(Sf::sfpu_bcast, Dim == BroadcastType::COL ? SfInit::bcast_col : SfInit::bcast_row, EMU_RC, dst_data_idx, dst_bcast_idx,
          dst_data_idx, Dim == BroadcastType::COL ? 2 : 1, op);
}
template <PoolType pool_type, DataFormat format, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void sfpu_reduce_init() { emu::sfpu_init(Sf::sfpu_reduce, uint32_t(pool_type) << 8 | uint32_t(format) << 16); }
template <PoolType pool_type, DataFormat format, ReduceDim reduce_dim = ReduceDim::REDUCE_COL, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void sfpu_reduce(uint32_t idst, uint32_t ct_dim = 1, uint32_t rt_dim = 1) {
    if (ct_dim != 1 || rt_dim != 1) emu_not_emulated("sfpu_reduce over several tiles", "reduce tile by tile, with ct_dim and rt_dim 1");
    sfpu1(Sf::sfpu_reduce, Sf::sfpu_reduce, uint32_t(pool_type) << 8 | uint32_t(format) << 16, EMU_RC, idst, pool_type, format, reduce_dim);
}
#undef EMU_INIT
#undef EMU_INIT_F
#undef EMU_INIT_FORMAT
#undef EMU_U
#undef EMU_UF
#undef EMU_UFF
#undef EMU_U1
#undef EMU_U1F
#undef EMU_INT
#undef EMU_INT1
#undef EMU_INT2
#undef EMU_B
#undef EMU_BF
#undef EMU_BR
#undef EMU_BFF
}  // namespace ckernel
