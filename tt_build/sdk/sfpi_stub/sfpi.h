// Stand-in for SFPI's sfpi.h, which the wheel does not carry: just enough that the SDK's low-level kernels parse under
// an ordinary g++. Deliberately permissive: it does not judge the SDK's own SFPU code, only lets the compiler reach ours.
#pragma once

#include <cstdint>
#include <type_traits>

#include "lltt.h"
#include "sfpi_constants.h"

#define sfpi_inline inline

// A lane vector has no value here: conditions are parsed, never decided.
#define v_if(condition) { if (::sfpi::stub::truth(condition)) {
#define v_elseif(condition) } else if (::sfpi::stub::truth(condition)) {
#define v_else } else {
#define v_endif } }
#define v_block { {
#define v_endblock } }
#define v_and(condition) (void)::sfpi::stub::truth(condition)

namespace sfpi {

// In this namespace, so that calls without a qualifier find the functions below by their arguments.
struct StubBase {};

namespace stub {

template <class T>
constexpr bool is_lane = std::is_base_of_v<StubBase, std::decay_t<T>>;
template <class A, class B = A>
using if_lanes = std::enable_if_t<is_lane<A> || is_lane<B>, int>;
template <class A, class B>
using first_lane = std::conditional_t<is_lane<A>, std::decay_t<A>, std::decay_t<B>>;

template <int Tag>
struct Lane : StubBase {
    constexpr Lane() = default;
    template <class T, std::enable_if_t<is_lane<T> || std::is_arithmetic_v<T> || std::is_enum_v<T>, int> = 0>
    constexpr Lane(const T&) {}
    template <class T>
    constexpr Lane& operator=(const T&) { return *this; }
    template <class T>
    constexpr Lane& operator+=(const T&) { return *this; }
    template <class T>
    constexpr Lane& operator-=(const T&) { return *this; }
    template <class T>
    constexpr Lane& operator*=(const T&) { return *this; }
    template <class T>
    constexpr Lane& operator&=(const T&) { return *this; }
    template <class T>
    constexpr Lane& operator|=(const T&) { return *this; }
    template <class T>
    constexpr Lane& operator^=(const T&) { return *this; }
    template <class T>
    constexpr Lane& operator<<=(const T&) { return *this; }
    template <class T>
    constexpr Lane& operator>>=(const T&) { return *this; }
    constexpr Lane& operator++() { return *this; }
    constexpr Lane& operator--() { return *this; }
    constexpr Lane operator++(int) { return *this; }
    constexpr Lane operator--(int) { return *this; }
    constexpr int get() const { return 0; }
};

template <class T>
bool truth(const T&);

}  // namespace stub

using vFloat = stub::Lane<0>;
using vInt = stub::Lane<1>;
using vUInt = stub::Lane<2>;
using vBool = stub::Lane<3>;
using vMag = stub::Lane<4>;
using vSMag = stub::Lane<5>;
using vSMag16 = stub::Lane<6>;
using vSMag8 = stub::Lane<7>;
using vFloat16a = stub::Lane<8>;
using vFloat16b = stub::Lane<9>;
using vUInt16 = stub::Lane<10>;
using vUInt8 = stub::Lane<11>;
using vInt16 = stub::Lane<15>;
using vInt8 = stub::Lane<16>;

#define STUB_BINARY(op)                                          \
    template <class A, class B, stub::if_lanes<A, B> = 0>        \
    constexpr stub::first_lane<A, B> operator op(const A&, const B&) { return {}; }
#define STUB_COMPARE(op)                                         \
    template <class A, class B, stub::if_lanes<A, B> = 0>        \
    constexpr vBool operator op(const A&, const B&) { return {}; }
namespace stub {
STUB_BINARY(+)
STUB_BINARY(-)
STUB_BINARY(*)
STUB_BINARY(&)
STUB_BINARY(|)
STUB_BINARY(^)
STUB_BINARY(<<)
STUB_BINARY(>>)
STUB_COMPARE(<)
STUB_COMPARE(<=)
STUB_COMPARE(>)
STUB_COMPARE(>=)
STUB_COMPARE(==)
STUB_COMPARE(!=)
STUB_COMPARE(&&)
STUB_COMPARE(||)
template <class A, if_lanes<A> = 0>
constexpr A operator-(const A& a) { return a; }
template <class A, if_lanes<A> = 0>
constexpr A operator~(const A& a) { return a; }
template <class A, if_lanes<A> = 0>
constexpr vBool operator!(const A&) { return {}; }
}  // namespace stub
#undef STUB_BINARY
#undef STUB_COMPARE

enum class LRegs : std::uint8_t { LReg0, LReg1, LReg2, LReg3, LReg4, LReg5, LReg6, LReg7 };
enum class RoundMode { NearestEven, Nearest, NearestAway, NearestStochastic, Stochastic, Zero, Even };
enum class ExponentMode { Debias, NoDebias, Biased, Unbiased };
enum class MantissaMode { FractionOnly, WithUnitBit, ImplicitOne };
enum class ShiftMode { Logical, Arithmetic };
enum class FractionalHalf { Low, High };
enum class LutSign { Retain, Update };
enum class LutMode { Fp8x3, Fp16x6_HWM3 };
enum class DataLayout { Default, None, FSrcB, F32, F16a, F16b, I32, SM32, M32, U32, U16, SM16, U8, SM8 };

namespace stub {

// A register of DST, a local register or a constant: reads as any lane vector, takes any.
struct Register : Lane<0> {
    template <class T>
    constexpr const Register& operator=(const T&) const { return *this; }
    template <auto...>
    constexpr Register mode(int = 0) const { return {}; }
    template <int Tag>
    constexpr operator Lane<Tag>() const { return {}; }
    struct Use {
        ~Use();
    };
    Use in_use() const;
};

struct RegisterFile {
    template <class Index>
    constexpr Register operator[](Index) const { return {}; }
    void operator++() const;
    void operator++(int) const;
    void operator+=(int) const;
};

struct Pair {
    vFloat smaller, larger;
};

}  // namespace stub

inline constexpr stub::RegisterFile dst_reg, l_reg;
inline constexpr stub::Register vConst0, vConst1, vConstNeg1, vConst0p8373, vConstFloatPrgm0, vConstFloatPrgm1,
    vConstFloatPrgm2, vConstIntPrgm0, vConstIntPrgm1, vConstIntPrgm2, vConstTileId;

struct sFloat16a : vFloat {
    using vFloat::vFloat;
};
struct sFloat16b : vFloat {
    using vFloat::vFloat;
};
template <int Tag>
struct stub_table : stub::Lane<Tag> {
    using stub::Lane<Tag>::Lane;
    template <class... T>
    constexpr explicit stub_table(T...) {}
};

#define STUB_RETURNS(type, name) \
    template <auto..., class... Args> \
    type name(const Args&...);
#define STUB_SAME(name) \
    template <auto..., class First, class... Args> \
    std::conditional_t<stub::is_lane<First>, First, vFloat> name(const First&, const Args&...);
STUB_RETURNS(vFloat, lut)
STUB_RETURNS(vFloat, lut2)
STUB_RETURNS(vFloat, lut_sign)
STUB_RETURNS(vFloat, lut2_sign)
STUB_RETURNS(void, lut_init)
STUB_RETURNS(vInt, exexp)
STUB_RETURNS(vInt, exexp_nodebias)
STUB_RETURNS(vInt, exman)
STUB_RETURNS(vInt, exman8)
STUB_RETURNS(vInt, exman9)
STUB_RETURNS(vFloat, setexp)
STUB_RETURNS(vFloat, copyexp)
STUB_RETURNS(vFloat, setman)
STUB_RETURNS(vFloat, copyman)
STUB_RETURNS(vFloat, addexp)
STUB_RETURNS(vInt, fractional_mul)
STUB_RETURNS(vInt, lz)
STUB_RETURNS(vFloat, approx_recip)
STUB_RETURNS(vFloat, approx_exp)
STUB_RETURNS(vFloat, approx_sqrt)
STUB_RETURNS(vFloat, int32_to_float)
STUB_RETURNS(vFloat, float_to_fp16a)
STUB_RETURNS(vFloat, float_to_fp16b)
STUB_RETURNS(vUInt, int32_to_uint8)
STUB_RETURNS(vUInt, int32_to_int8)
STUB_RETURNS(vBool, is_nan)
STUB_RETURNS(vBool, is_inf)
STUB_RETURNS(vBool, is_finite)
STUB_RETURNS(vBool, is_pos)
STUB_RETURNS(vBool, is_neg)
STUB_RETURNS(vBool, nearby)
STUB_RETURNS(stub::Pair, min_max)
STUB_RETURNS(void, vec_min_max)
STUB_RETURNS(void, vec_swap)
STUB_RETURNS(void, subvec_transp)
STUB_SAME(abs)
STUB_SAME(setsgn)
STUB_SAME(setsgn2)
STUB_SAME(copysgn)
STUB_SAME(shft)
STUB_SAME(min)
STUB_SAME(max)
STUB_SAME(clamp)
STUB_SAME(symmetric_clamp)
STUB_SAME(round)
STUB_SAME(rectified_linear_unit)
STUB_SAME(subvec_shflror1)
STUB_SAME(subvec_shflshr1)
#undef STUB_RETURNS
#undef STUB_SAME

template <class To, auto..., class... Args>
To convert(const Args&...);
template <class To, class From>
To as(const From&);
template <class To, class From>
To reinterpret(const From&);
template <unsigned...>
struct lreg_pressure {
    template <class... Args>
    explicit lreg_pressure(Args...) {}
    ~lreg_pressure();
};

using vLut16ss = stub_table<12>;
using vLut16ii = stub_table<13>;
using vLut8si = stub_table<14>;
using sLut16si = stub_table<17>;
using sLut8si = stub_table<18>;

}  // namespace sfpi

// The compiler's own vector operations, as far as the SDK's headers call them directly.
template <class... Args>
sfpi::vFloat __builtin_rvtt_sfpmad(const Args&...);
template <class... Args>
sfpi::vInt __builtin_rvtt_sfpgt(const Args&...);
template <class... Args>
sfpi::vInt __builtin_rvtt_sfpiadd_i(const Args&...);
