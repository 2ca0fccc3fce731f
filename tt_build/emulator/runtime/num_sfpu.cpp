// The vector engine: functions on DST tiles. What each means is in tt_build/lang/functions.py, by the same bounds.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <numeric>

#include "emu/num/num.h"

namespace emu::num {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

uint32_t bits(float f) {
    uint32_t u;
    std::memcpy(&u, &f, 4);
    return u;
}

float from_bits(uint32_t u) {
    float f;
    std::memcpy(&f, &u, 4);
    return f;
}

const char* const kNames[] = {
#define EMU_NAME(name) #name,
    EMU_SFPU_UNARY(EMU_NAME) EMU_SFPU_BINARY(EMU_NAME) EMU_SFPU_INT(EMU_NAME) EMU_SFPU_OTHER(EMU_NAME)
#undef EMU_NAME
};

[[noreturn]] void fail(SfpuOp op, const char* what) {
    std::fprintf(stderr, "emu::num::sfpu(%s): %s\n", sfpu_name(op), what);
    std::abort();
}

// ---- bounds -----------------------------------------------------------------------------------------------------

constexpr Bound kExact{};
constexpr Bound kMad{1.0f, 6.0e-8f, 0, 0};
constexpr Bound kRounded{0.5f, 6.0e-8f, 0, 0};
constexpr Bound kTwoMads{1.0f, 2.4e-7f, 6.0e-8f, 0};
constexpr Bound kUlp1{1.0f, 4.8e-7f, 0, 0};
constexpr Bound kNewton{1.0f, 1.2e-6f, 0, 0};
constexpr Bound kLog{2.0f, 1.2e-6f, 3.6e-7f, 0};
constexpr Bound kAssumed2{2.0f, 2.0e-6f, 2.4e-7f, 0};
constexpr Bound kTrig{2.0f, 2.0e-6f, 1.0e-6f, 0};
constexpr Bound kPower{1.5f, 1.2e-6f, 0, 2.0e-3f};

Bound fast_bound(SfpuOp op) {
    switch (op) {
        case SfpuOp::exp: return {16.0f, 0.0625f, 0, 0};
        case SfpuOp::sqrt:
        case SfpuOp::rsqrt: return {2.0f, 2.0e-3f, 0, 0};
        case SfpuOp::recip: return {1.0f, 2.0e-4f, 0, 0};
        case SfpuOp::sigmoid: return {1.0f, 0, 0.12f, 0};
        case SfpuOp::tanh: return {10.0f, 0, 0.019f, 0};
        case SfpuOp::gelu: return {2.0f, 0, 0.05f, 0};
        default: return sfpu_bound(op, false);
    }
}

Bound exact_bound(SfpuOp op) {
    switch (op) {
        case SfpuOp::exp:
        case SfpuOp::exp2:
        case SfpuOp::expm1: return kUlp1;
        case SfpuOp::log:
        case SfpuOp::log_with_base:
        case SfpuOp::log1p: return kLog;
        case SfpuOp::sqrt:
        case SfpuOp::rsqrt:
        case SfpuOp::cbrt: return kNewton;
        case SfpuOp::recip: return {0.5f, 2.4e-7f, 0, 0};
        case SfpuOp::square:
        case SfpuOp::softshrink:
        case SfpuOp::add_unary:
        case SfpuOp::sub_unary:
        case SfpuOp::mul_unary:
        case SfpuOp::div_unary: return kMad;
        case SfpuOp::leaky_relu:
        case SfpuOp::prelu:
        case SfpuOp::round:
        case SfpuOp::hardmish:
        case SfpuOp::hardsigmoid: return kTwoMads;
        case SfpuOp::power:
        case SfpuOp::power_iterative:
        case SfpuOp::rpow:
        case SfpuOp::power_binary: return kPower;
        case SfpuOp::elu:
        case SfpuOp::celu:
        case SfpuOp::selu:
        case SfpuOp::sigmoid:
        case SfpuOp::silu:
        case SfpuOp::tanh:
        case SfpuOp::softsign:
        case SfpuOp::mish:
        case SfpuOp::tanhshrink:
        case SfpuOp::softcap:
        case SfpuOp::asin:
        case SfpuOp::acos:
        case SfpuOp::atan:
        case SfpuOp::sinh:
        case SfpuOp::cosh:
        case SfpuOp::asinh:
        case SfpuOp::acosh:
        case SfpuOp::atanh:
        case SfpuOp::atan2_binary:
        case SfpuOp::xlogy_binary:
        case SfpuOp::logaddexp_binary:
        case SfpuOp::logaddexp2_binary: return kAssumed2;
        case SfpuOp::gelu: return {1.0f, 1.2e-6f, 6.0e-7f, 0};
        case SfpuOp::gelu_tanh: return {1.0f, 1.2e-6f, 1.0e-6f, 0};
        case SfpuOp::softplus: return {1.0f, 1.2e-6f, 6.8e-3f, 0};
        case SfpuOp::erf: return {1.0f, 3.3e-3f, 0, 0};
        case SfpuOp::erfc: return {1.0f, 1.0e-4f, 9.8e-5f, 0};
        case SfpuOp::sin:
        case SfpuOp::cos:
        case SfpuOp::tan: return kTrig;
        case SfpuOp::rsub_unary:
        case SfpuOp::rsub:
        case SfpuOp::add_binary:
        case SfpuOp::sub_binary:
        case SfpuOp::rsub_binary:
        case SfpuOp::mul_binary:
        case SfpuOp::sfpu_bcast: return kRounded;
        case SfpuOp::rdiv:
        case SfpuOp::div_binary: return {1.0f, 3.6e-7f, 0, 0};
        default: return kExact;
    }
}

// ---- from an exact result to what DST holds ----------------------------------------------------------------------

uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
    return x ^ (x >> 31);
}

struct Rounding {
    Bound bound;
    bool fp32;
    uint64_t salt;  // of op, params and seed

    double low = -kInf, high = kInf;  // the function's range: the SDK's code saturates there

    float narrow(double y) const {
        const uint32_t u = bits(static_cast<float>(y));
        if ((u & 0x7FFFFFFFu) > 0x7F800000u) return from_bits(0x7FC00000u);
        const uint32_t rounded = fp32 ? u : (u + 0x7FFFu + ((u >> 16) & 1u)) & 0xFFFF0000u;
        return from_bits((rounded & 0x7F800000u) == 0 ? rounded & 0x80000000u : rounded);
    }

    // y moved by at most the bound less the rounding that follows, and rounded. key is made of the operands' bits.
    float store(double y, uint64_t key, double exponent) const {
        // A bound of half an fp32 ulp is correct rounding: no freedom.
        if (!std::isfinite(y) || (fp32 && bound.rel <= 6.01e-8f && bound.abs == 0)) return narrow(y);
        const double size = std::fabs(y), ulp = std::ldexp(1.0, (size < 0x1p-126 ? -126 : std::ilogb(size)) - (fp32 ? 23 : 7));
        const double allowed = (fp32 ? bound.rel * size : bound.bf16_ulp * ulp + bound.exponent_rel * exponent * size) + bound.abs;
        const double room = allowed - 0.5 * ulp;
        if (room <= 0) return narrow(y);
        const double unit = static_cast<double>(mix(salt ^ mix(key)) >> 11) * 0x1p-52 - 1.0;  // [-1, 1)
        const double moved = y + unit * room;
        const float result = narrow(moved < low ? low : moved > high ? high : moved);
        // Above a power of two the spacing doubles, and so does the rounding.
        return std::fabs(result - y) > allowed ? narrow(y) : result;
    }
};

double flush(float f) { return std::fabs(f) < 0x1p-126f ? std::copysign(0.0, static_cast<double>(f)) : f; }

void set_range(SfpuOp op, Rounding& r) {
    switch (op) {
        case SfpuOp::tanh:
        case SfpuOp::erf:
        case SfpuOp::sin:
        case SfpuOp::cos: r.low = -1.0, r.high = 1.0; return;
        case SfpuOp::sigmoid: r.low = 0.0, r.high = 1.0; return;
        case SfpuOp::erfc: r.low = 0.0, r.high = 2.0; return;
        case SfpuOp::softplus: r.low = 0.0; return;
        default: return;
    }
}

// ---- exact results -----------------------------------------------------------------------------------------------

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

double sign_of(double x) { return x > 0 ? 1.0 : x < 0 ? -1.0 : x == 0 ? 0.0 : x; }

double gelu_tanh(double x) {
    constexpr double kScale = 0.7978845608028653558798921;  // sqrt(2 / pi)
    return 0.5 * x * (1.0 + std::tanh(kScale * (x + 0.044715 * x * x * x)));
}

double half_even(double x) { return std::nearbyint(x); }

// Larger of two as SFPSWAP orders them: NaN with a clear sign above infinity.
double larger(double a, double b) { return std::isnan(a) ? a : std::isnan(b) ? b : a > b ? a : b; }
double smaller(double a, double b) { return std::isnan(a) ? b : std::isnan(b) ? a : a < b ? a : b; }

double log_add_exp(double x, double y) {
    const double top = x > y ? x : y;
    return std::isinf(top) ? top : top + std::log1p(std::exp((x > y ? y : x) - top));
}

double unary(SfpuOp op, double x, const double* p) {
    switch (op) {
        case SfpuOp::exp: return std::exp(x);
        case SfpuOp::exp2: return std::exp2(x);
        case SfpuOp::expm1: return std::expm1(x);
        case SfpuOp::log: return std::log(x);
        case SfpuOp::log_with_base: return std::log(x) * p[0];
        case SfpuOp::log1p: return std::log1p(x);
        case SfpuOp::sqrt: return std::sqrt(x);
        case SfpuOp::rsqrt: return 1.0 / std::sqrt(x);
        case SfpuOp::recip: return 1.0 / x;
        case SfpuOp::cbrt: return std::cbrt(x);
        case SfpuOp::square: return x * x;
        case SfpuOp::power: return std::pow(x, p[0]);
        case SfpuOp::abs: return std::fabs(x);
        case SfpuOp::sign: return sign_of(x);
        case SfpuOp::negative: return -x;
        case SfpuOp::floor: return std::floor(x);
        case SfpuOp::ceil: return std::ceil(x);
        case SfpuOp::trunc: return std::trunc(x);
        case SfpuOp::frac: return x - std::trunc(x);
        case SfpuOp::signbit: return std::signbit(x) ? 1.0 : 0.0;
        case SfpuOp::isnan: return std::isnan(x);
        case SfpuOp::isinf: return std::isinf(x);
        case SfpuOp::isposinf: return x == kInf;
        case SfpuOp::isneginf: return x == -kInf;
        case SfpuOp::isfinite: return std::isfinite(x);
        case SfpuOp::identity: return x;
        case SfpuOp::relu: return larger(x, 0.0);
        case SfpuOp::leaky_relu:
        case SfpuOp::prelu: return x < 0 ? x * p[0] : x;
        case SfpuOp::relu_max: return x > p[0] ? (p[0] < 0 ? 0.0 : p[0]) : x < 0 ? 0.0 : x;
        case SfpuOp::relu_min: return larger(x, p[0]);
        case SfpuOp::elu: return x < 0 ? p[0] * std::expm1(x) : x;
        case SfpuOp::celu: return x < 0 ? p[0] * std::expm1(x * p[1]) : x;
        case SfpuOp::selu: return p[0] * (x < 0 ? p[1] * std::expm1(x) : x);
        case SfpuOp::sigmoid: return sigmoid(x);
        case SfpuOp::silu: return x == -kInf ? 0.0 : x * sigmoid(x);
        case SfpuOp::tanh: return std::tanh(x);
        case SfpuOp::gelu: return x == -kInf ? 0.0 : 0.5 * x * std::erfc(-x * 0.7071067811865475244);
        case SfpuOp::gelu_tanh: return x == -kInf ? 0.0 : gelu_tanh(x);
        case SfpuOp::softplus: return p[0] * x > p[2] ? x : std::log1p(std::exp(p[0] * x)) * p[1];
        case SfpuOp::hardsigmoid: return smaller(larger(x / 6.0 + 0.5, 0.0), 1.0);
        case SfpuOp::softsign: return std::isinf(x) ? sign_of(x) : x / (1.0 + std::fabs(x));
        case SfpuOp::softshrink: return x > p[0] ? x - p[0] : x < -p[0] ? x + p[0] : 0.0;
        case SfpuOp::hardshrink: return std::fabs(x) > p[0] ? x : 0.0;
        case SfpuOp::hardtanh:
        case SfpuOp::clamp: return smaller(larger(x, p[0]), p[1]);
        case SfpuOp::hardmish: return x * smaller(larger(x * 0.5 + 1.0, 0.0), 1.0);
        case SfpuOp::mish: return x == -kInf ? 0.0 : x > 40 ? x : x * std::tanh(std::log1p(std::exp(x)));
        case SfpuOp::tanhshrink: return x - std::tanh(x);
        case SfpuOp::threshold: return x > p[0] ? x : p[1];
        case SfpuOp::heaviside: return x < 0 ? 0.0 : x > 0 ? 1.0 : p[0];
        case SfpuOp::softcap: return p[0] * std::tanh(x * p[1]);
        case SfpuOp::erf: return std::erf(x);
        case SfpuOp::erfc: return std::erfc(x);
        case SfpuOp::sin: return std::sin(x);
        case SfpuOp::cos: return std::cos(x);
        case SfpuOp::tan: return std::tan(x);
        case SfpuOp::asin: return std::asin(x);
        case SfpuOp::acos: return std::acos(x);
        case SfpuOp::atan: return std::atan(x);
        case SfpuOp::sinh: return std::sinh(x);
        case SfpuOp::cosh: return std::cosh(x);
        case SfpuOp::asinh: return std::asinh(x);
        case SfpuOp::acosh: return std::acosh(x);
        case SfpuOp::atanh: return std::atanh(x);
        case SfpuOp::add_unary: return x + p[0];
        case SfpuOp::sub_unary: return x - p[0];
        case SfpuOp::mul_unary:
        case SfpuOp::div_unary: return x * p[0];  // div_unary gets the reciprocal
        case SfpuOp::rsub_unary:
        case SfpuOp::rsub: return p[0] - x;
        case SfpuOp::rdiv: return p[0] / x;
        case SfpuOp::rpow: return std::pow(p[0], x);
        case SfpuOp::unary_max: return larger(x, p[0]);
        case SfpuOp::unary_min: return smaller(x, p[0]);
        case SfpuOp::unary_eq: return x == p[0];
        case SfpuOp::unary_ne: return x != p[0];
        case SfpuOp::unary_lt: return x < p[0];
        case SfpuOp::unary_le: return x <= p[0];
        case SfpuOp::unary_gt: return x > p[0];
        case SfpuOp::unary_ge: return x >= p[0];
        case SfpuOp::eqz: return x == 0;
        case SfpuOp::nez: return x != 0;
        case SfpuOp::ltz: return x < 0;
        case SfpuOp::lez: return x <= 0;
        case SfpuOp::gtz: return x > 0;
        case SfpuOp::gez: return x >= 0;
        default: return kNan;
    }
}

double binary(SfpuOp op, double x, double y) {
    switch (op) {
        case SfpuOp::add_binary: return x + y;
        case SfpuOp::sub_binary: return x - y;
        case SfpuOp::rsub_binary: return y - x;
        case SfpuOp::mul_binary: return x * y;
        case SfpuOp::div_binary: return x / y;
        case SfpuOp::power_binary: return std::pow(x, y);
        case SfpuOp::binary_max: return larger(x, y);
        case SfpuOp::binary_min: return smaller(x, y);
        case SfpuOp::eq_binary: return x == y;
        case SfpuOp::ne_binary: return x != y;
        case SfpuOp::lt_binary: return x < y;
        case SfpuOp::le_binary: return x <= y;
        case SfpuOp::gt_binary: return x > y;
        case SfpuOp::ge_binary: return x >= y;
        case SfpuOp::atan2_binary: return std::atan2(x, y);
        case SfpuOp::xlogy_binary: return x == 0 ? 0.0 : x * std::log(y);
        case SfpuOp::logaddexp_binary: return log_add_exp(x, y);
        case SfpuOp::logaddexp2_binary: return log_add_exp(x * M_LN2, y * M_LN2) / M_LN2;
        default: return kNan;
    }
}

// ---- integers ----------------------------------------------------------------------------------------------------

int params_of(SfpuOp op) {
    switch (op) {
        case SfpuOp::clamp_int32:
        case SfpuOp::bitwise_and:
        case SfpuOp::bitwise_or:
        case SfpuOp::bitwise_xor:
        case SfpuOp::left_shift:
        case SfpuOp::right_shift:
        case SfpuOp::fill_int:
        case SfpuOp::celu:
        case SfpuOp::selu:
        case SfpuOp::hardtanh:
        case SfpuOp::clamp:
        case SfpuOp::threshold:
        case SfpuOp::softcap:
        case SfpuOp::typecast:
        case SfpuOp::sfpu_bcast: return 2;
        case SfpuOp::softplus:
        case SfpuOp::sfpu_reduce: return 3;
        case SfpuOp::log_with_base:
        case SfpuOp::power:
        case SfpuOp::power_iterative:
        case SfpuOp::round:
        case SfpuOp::leaky_relu:
        case SfpuOp::prelu:
        case SfpuOp::relu_max:
        case SfpuOp::relu_min:
        case SfpuOp::elu:
        case SfpuOp::softshrink:
        case SfpuOp::hardshrink:
        case SfpuOp::heaviside:
        case SfpuOp::fill:
        case SfpuOp::logical_not:
        case SfpuOp::where: return 1;
        default: break;
    }
    if (op >= SfpuOp::add_unary && op <= SfpuOp::unary_ge) return 1;
    if (op >= SfpuOp::add_unary_int32 && op <= SfpuOp::unary_ge_int32) return 1;
    if (op >= SfpuOp::add_int && op <= SfpuOp::ge_int) return 1;
    if (op >= SfpuOp::bitwise_and_binary && op <= SfpuOp::bitwise_xor_binary) return 1;
    return 0;
}

bool takes_format(SfpuOp op) {
    return (op >= SfpuOp::bitwise_and && op <= SfpuOp::right_shift) || op == SfpuOp::fill_int ||
           (op >= SfpuOp::add_int && op <= SfpuOp::ge_int) ||
           (op >= SfpuOp::bitwise_and_binary && op <= SfpuOp::bitwise_xor_binary);
}

uint32_t pick_signed(bool want_larger, uint32_t a, uint32_t b) {
    return (static_cast<int32_t>(a) > static_cast<int32_t>(b)) == want_larger ? a : b;
}

uint32_t pick_unsigned(bool want_larger, uint32_t a, uint32_t b) { return (a > b) == want_larger ? a : b; }

// a op b; `wide` true compares as signed 32-bit numbers.
uint32_t integer(SfpuOp op, uint32_t a, uint32_t b, const uint32_t* p, bool wide) {
    const int64_t x = wide ? static_cast<int64_t>(static_cast<int32_t>(a)) : static_cast<int64_t>(a);
    const int64_t y = wide ? static_cast<int64_t>(static_cast<int32_t>(b)) : static_cast<int64_t>(b);
    switch (op) {
        case SfpuOp::abs_int32: return x < 0 ? 0u - a : a;
        case SfpuOp::negative_int32: return 0u - a;
        case SfpuOp::relu_int32: return x < 0 ? 0u : a;
        case SfpuOp::clamp_int32: return pick_signed(false, pick_signed(true, a, p[0]), p[1]);
        case SfpuOp::bitwise_not: return ~a;
        case SfpuOp::add_unary_int32:
        case SfpuOp::add_int: return a + b;
        case SfpuOp::sub_unary_int32:
        case SfpuOp::sub_int: return a - b;
        case SfpuOp::rsub_unary_int32:
        case SfpuOp::rsub_int: return b - a;
        case SfpuOp::mul_int: return a * b;
        case SfpuOp::unary_max_int32:
        case SfpuOp::binary_max_int32: return pick_signed(true, a, b);
        case SfpuOp::unary_min_int32:
        case SfpuOp::binary_min_int32: return pick_signed(false, a, b);
        case SfpuOp::unary_max_uint32:
        case SfpuOp::binary_max_uint32: return pick_unsigned(true, a, b);
        case SfpuOp::unary_min_uint32:
        case SfpuOp::binary_min_uint32: return pick_unsigned(false, a, b);
        case SfpuOp::unary_eq_int32:
        case SfpuOp::eqz_int32:
        case SfpuOp::eq_int: return x == y;
        case SfpuOp::unary_ne_int32:
        case SfpuOp::nez_int32:
        case SfpuOp::ne_int: return x != y;
        case SfpuOp::unary_lt_int32:
        case SfpuOp::ltz_int32:
        case SfpuOp::lt_int: return x < y;
        case SfpuOp::unary_le_int32:
        case SfpuOp::lez_int32:
        case SfpuOp::le_int: return x <= y;
        case SfpuOp::unary_gt_int32:
        case SfpuOp::gtz_int32:
        case SfpuOp::gt_int: return x > y;
        case SfpuOp::unary_ge_int32:
        case SfpuOp::gez_int32:
        case SfpuOp::ge_int: return x >= y;
        case SfpuOp::bitwise_and:
        case SfpuOp::bitwise_and_binary: return a & b;
        case SfpuOp::bitwise_or:
        case SfpuOp::bitwise_or_binary: return a | b;
        case SfpuOp::bitwise_xor:
        case SfpuOp::bitwise_xor_binary: return a ^ b;
        case SfpuOp::gcd: return static_cast<uint32_t>(std::gcd(x < 0 ? -x : x, y < 0 ? -y : y));
        case SfpuOp::left_shift: return b > 31 ? 0u : a << b;
        case SfpuOp::right_shift: return static_cast<uint32_t>(x >> (b > 31 ? 31 : b));
        case SfpuOp::fill_int: return b;
        default: return 0;
    }
}

void integers(SfpuOp op, const uint32_t* params, Tile& x, const Tile* b) {
    Fmt fmt = Fmt::Int32;
    const uint32_t* p = params;
    if (takes_format(op)) fmt = static_cast<Fmt>(*p++);
    const uint32_t mask = fmt == Fmt::UInt16 ? 0xFFFFu : 0xFFFFFFFFu;
    const bool has_number = b == nullptr && params_of(op) - (p != params) > 0;
    for (int i = 0; i < 1024; ++i) {
        const uint32_t second = b != nullptr ? b->u[i] : has_number ? p[0] : 0u;
        x.u[i] = integer(op, x.u[i], second, p, fmt == Fmt::Int32) & mask;
        if (op == SfpuOp::fill_int) x.poison[i] = 0;
        if (b != nullptr) x.poison[i] |= b->poison[i];
    }
}

// ---- the rest ----------------------------------------------------------------------------------------------------


// The hardware's test for zero is unspecified for -0.0 (ISA, SFPSETCC): the seed decides.
void select(const Rounding& rounding, Fmt fmt, Tile& x, const Tile& b, const Tile& c) {
    for (int i = 0; i < 1024; ++i) {
        const bool minus_zero = !is_integer(fmt) && x.u[i] == 0x80000000u;
        const bool taken = minus_zero ? (rounding.salt & 1) != 0 : x.u[i] != 0;
        const Tile& from = taken ? b : c;
        x.u[i] = from.u[i];
        x.poison[i] |= from.poison[i];
    }
}

void mask_tile(Tile& x, const Tile& mask, uint32_t fill) {
    for (int i = 0; i < 1024; ++i) {
        const bool drop = (mask.u[i] & 0x7FFFFFFFu) == 0;
        if (drop) x.u[i] = fill;
        x.poison[i] = drop ? mask.poison[i] : x.poison[i] | mask.poison[i];
    }
}

uint32_t to_integer(double x, Fmt out) {
    // The SDK's conversions saturate; those to 32 bits truncate, that to UInt16 rounds (ckernel_sfpu_typecast.h).
    const double r = out == Fmt::UInt16 ? half_even(x) : std::trunc(x), low = out == Fmt::Int32 ? -2147483648.0 : 0.0;
    const double high = out == Fmt::Int32 ? 2147483647.0 : out == Fmt::UInt32 ? 4294967295.0 : 65535.0;
    const double clamped = std::isnan(r) ? high : r < low ? low : r > high ? high : r;
    return static_cast<uint32_t>(static_cast<int64_t>(clamped));
}

void typecast(const Rounding& from_dst, Fmt in, Fmt out, Tile& x) {
    // To Float16_b the value is rounded in DST, whatever DST's width.
    Rounding rounding = from_dst;
    rounding.fp32 = from_dst.fp32 && out != Fmt::Float16_b;
    for (int i = 0; i < 1024; ++i) {
        if (is_integer(in) && is_integer(out)) {
            const bool negative = in == Fmt::Int32 && x.i[i] < 0;
            if (out == Fmt::UInt16) x.u[i] = negative ? 0u : x.u[i] > 65535u ? 65535u : x.u[i];
        } else if (is_integer(in)) {
            x.v[i] = rounding.store(in == Fmt::Int32 ? static_cast<double>(x.i[i]) : static_cast<double>(x.u[i]), 0, 0);
        } else if (is_integer(out)) {
            x.u[i] = to_integer(flush(x.v[i]), out);
        } else {
            x.v[i] = rounding.store(x.v[i], 0, 0);
        }
    }
}

void bcast(const Rounding& rounding, Bcast dim, Bin op, Tile& x, const Tile& b) {
    for (int i = 0; i < 1024; ++i) {
        const int j = dim == Bcast::None ? i : dim == Bcast::Row ? i % 32 : dim == Bcast::Col ? i / 32 * 32 : 0;
        const double u = flush(x.v[i]), v = flush(b.v[j]);
        const double y = op == Bin::Add ? u + v : op == Bin::Sub ? u - v : u * v;
        x.v[i] = rounding.store(y, static_cast<uint64_t>(x.u[i]) << 32 | b.u[j], 0);
        x.poison[i] |= b.poison[j];
    }
}

// Columns into row 0 (Dim::Col) or rows into column 0 (Dim::Row), within the tile; other elements stay.
void reduce_in_dst(const Rounding& rounding, uint32_t pool, Fmt fmt, Dim dim, Tile& x) {
    for (int line = 0; line < 32; ++line) {
        const int out = dim == Dim::Row ? line * 32 : line, step = dim == Dim::Row ? 1 : 32;
        double total = 0, largest = -kInf, smallest = kInf;
        uint32_t wrapped = 0;
        uint8_t poison = 0;
        for (int k = 0; k < 32; ++k) {
            const int i = out + k * step;
            const double v = fmt == Fmt::Int32 ? x.i[i] : is_integer(fmt) ? static_cast<double>(x.u[i]) : flush(x.v[i]);
            total += v;
            wrapped += x.u[i];
            largest = larger(largest, v);
            smallest = smaller(smallest, v);
            poison |= x.poison[i];
        }
        const double y = pool == 0 ? total : pool == 1 ? total / 32 : pool == 2 ? largest : smallest;
        if (!is_integer(fmt))
            x.v[out] = rounding.store(y, 0, 0);
        else
            x.u[out] = pool == 0 ? wrapped : static_cast<uint32_t>(static_cast<int64_t>(std::trunc(y)));
        x.poison[out] = poison;
    }
}

void power_iterative(const Rounding& rounding, uint32_t n, Tile& x) {
    for (float& v : x.v) {
        const uint32_t before = bits(v);
        v = rounding.store(std::pow(flush(v), n), before, n);
    }
}

void round_to(const Rounding& rounding, int decimals, Tile& x) {
    const double scale = std::pow(10.0, decimals);
    // Without decimals both multiplications are by one, and exact.
    const Rounding used = decimals == 0 ? Rounding{kExact, rounding.fp32, 0, -kInf, kInf} : rounding;
    for (float& v : x.v) v = used.store(half_even(flush(v) * scale) / scale, bits(v), 0);
}

void other(SfpuOp op, const uint32_t* params, const Rounding& rounding, Tile& x, const Tile* b, const Tile* c) {
    const auto fmt = [&](int i) { return static_cast<Fmt>(params[i]); };
    switch (op) {
        case SfpuOp::where: return select(rounding, fmt(0), x, *b, *c);
        case SfpuOp::mask: return mask_tile(x, *b, 0);
        case SfpuOp::mask_posinf: return mask_tile(x, *b, 0x7F800000u);
        case SfpuOp::typecast: return typecast(rounding, fmt(0), fmt(1), x);
        case SfpuOp::sfpu_bcast: return bcast(rounding, static_cast<Bcast>(params[0]), static_cast<Bin>(params[1]), x, *b);
        case SfpuOp::sfpu_reduce: return reduce_in_dst(rounding, params[0], fmt(1), static_cast<Dim>(params[2]), x);
        case SfpuOp::logical_not:
            for (uint32_t& u : x.u)
                u = is_integer(fmt(0)) ? u == 0 : (u & 0x7F800000u) == 0 ? 0x3F800000u : 0u;
            return;
        default: return;
    }
}

bool needs_second(SfpuOp op) {
    return (op >= SfpuOp::add_binary && op <= SfpuOp::logaddexp2_binary) ||
           (op >= SfpuOp::add_int && op <= SfpuOp::bitwise_xor_binary) || op == SfpuOp::where || op == SfpuOp::mask ||
           op == SfpuOp::mask_posinf || op == SfpuOp::sfpu_bcast;
}

}  // namespace

Bound sfpu_bound(SfpuOp op, bool approx) { return approx ? fast_bound(op) : exact_bound(op); }

int sfpu_format(SfpuOp op, const uint32_t* params) {
    const bool told = takes_format(op) || op == SfpuOp::logical_not || op == SfpuOp::where;
    return told ? static_cast<int>(params[0]) : -1;
}

const char* sfpu_name(SfpuOp op) { return op < SfpuOp::count ? kNames[static_cast<int>(op)] : "?"; }

SfpuOp sfpu_op(const char* name) {
    for (int i = 0; i < static_cast<int>(SfpuOp::count); ++i)
        if (std::strcmp(kNames[i], name) == 0) return static_cast<SfpuOp>(i);
    return SfpuOp::count;
}

void sfpu(SfpuOp op, const uint32_t* params, int n, bool approx, bool fp32_dst, uint64_t seed, Tile& x, const Tile* b,
          const Tile* c) {
    if (op >= SfpuOp::count) fail(op, "no such function");
    if (n < params_of(op)) fail(op, "too few parameters");
    if (needs_second(op) && b == nullptr) fail(op, "needs a second operand");
    if (op == SfpuOp::where && c == nullptr) fail(op, "needs a third operand");
    uint64_t salt = mix(seed * 0x9E3779B97F4A7C15ull + static_cast<uint64_t>(op));
    double p[4] = {};
    for (int i = 0; i < n; ++i) {
        salt = mix(salt ^ params[i]);
        if (i < 4) p[i] = from_bits(params[i]);
    }
    Rounding rounding{sfpu_bound(op, approx), fp32_dst, salt};
    set_range(op, rounding);
    if (op >= SfpuOp::abs_int32 && op <= SfpuOp::bitwise_xor_binary) return integers(op, params, x, needs_second(op) ? b : nullptr);
    if (op >= SfpuOp::logical_not) return other(op, params, rounding, x, b, c);
    if (op == SfpuOp::power_iterative) return power_iterative(rounding, params[0], x);
    if (op == SfpuOp::round) return round_to(rounding, static_cast<int32_t>(params[0]), x);
    if (op == SfpuOp::fill) {
        for (float& v : x.v) v = rounding.store(p[0], 0, 0);
        std::memset(x.poison, 0, sizeof x.poison);
        return;
    }
    if (needs_second(op)) {
        for (int i = 0; i < 1024; ++i) {
            const double y = binary(op, flush(x.v[i]), flush(b->v[i]));
            const double exponent = op == SfpuOp::power_binary ? std::fabs(b->v[i]) : 0.0;
            x.v[i] = rounding.store(y, static_cast<uint64_t>(x.u[i]) << 32 | b->u[i], exponent);
            x.poison[i] |= b->poison[i];
        }
        return;
    }
    const double exponent = op == SfpuOp::power ? std::fabs(p[0]) : 0.0;
    for (int i = 0; i < 1024; ++i) {
        const double v = flush(x.v[i]), y = unary(op, v, p);
        const double power = op == SfpuOp::rpow ? std::fabs(v) : exponent;
        // What maps zero to zero does so exactly: the SDK's polynomials have no constant term.
        x.v[i] = v == 0.0 && y == 0.0 ? static_cast<float>(y) : rounding.store(y, x.u[i], power);
    }
}

}  // namespace emu::num
