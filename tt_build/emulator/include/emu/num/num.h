// Numerics of a Tensix core: formats, matrix engine (FPU), vector engine (SFPU). Declarations only; the definitions are in
// runtime/num.cpp (formats, FPU) and runtime/num_sfpu.cpp, compiled once.
//
// Exact here: format conversions, tf32 truncation, fidelity phases, bf16 rounding of DST, the FPU's rule 0 x NaN = 0.
// Ours, fixed and documented at the functions: the order of accumulation. Within a stated bound: SFPU functions.
// Poison (read of something never written) is a flag beside every element, never a value.
#pragma once

#include <cstdint>

#include "emu/num/sfpu_ops.h"

namespace emu::num {

// A 32 x 32 tile in row-major order. poison[i] != 0: element i depends on something undefined.
struct alignas(32) Tile {
    union {
        float v[1024];
        int32_t i[1024];
        uint32_t u[1024];
    };
    uint8_t poison[1024];
};

enum class Fmt : uint8_t {
    Float32 = 0,
    Tf32 = 4,
    Float16_b = 5,
    Bfp8_b = 6,
    Bfp4_b = 7,
    Int32 = 8,
    UInt16 = 9,
    UInt32 = 24
};

inline bool is_integer(Fmt f) { return f == Fmt::Int32 || f == Fmt::UInt16 || f == Fmt::UInt32; }

// Bytes of a tile in L1; 0 for a format that is not emulated.
uint32_t tile_bytes(Fmt);

// Shadow bytes: one per L1 byte, nonzero = poison. Only in Bfp4_b, where two elements share a byte, these two values mean
// one nibble; any other nonzero value means both.
constexpr uint8_t kPoisonLowNibble = 0x40;
constexpr uint8_t kPoisonHighNibble = 0x80;

// L1 (face order) -> tile (row-major). Integers are widened to 32 bits. shadow may be null: all clean. An element of a
// block-float tile is poison when its own byte or its block's shared exponent is.
void unpack(Fmt, const uint8_t* l1, const uint8_t* shadow, Tile& out);

// What the packer keeps of a tile while a reduce_init is in force: column 0, row 0 or element [0, 0]; the rest is clean 0.
enum class EdgeMask : uint8_t { None, Column0, Row0, Corner };

enum class Relu : uint8_t { None, Zero, MinThreshold, MaxThreshold };

struct PackOpts {
    bool l1_acc = false;  // add to what lies in L1 (in fp32, rounded to the format again)
    bool relu = false;    // short for relu_mode = Zero
    Relu relu_mode = Relu::None;
    float relu_threshold = 0.0f;  // Min: x <= t becomes 0; Max: x < 0 becomes 0, x > t becomes t
    EdgeMask mask = EdgeMask::None;
};

// Tile -> L1. Floats are rounded to nearest even (block-float: aligned to the largest exponent of 16 elements by
// truncation, then 7 or 3 bits rounded half up, as the SDK's host code does). In Float16_b and block-float NaN becomes
// +inf resp. the largest magnitude and -0 becomes +0. Integers wrap. One poison element of a block poisons the block,
// because it may have set the exponent. shadow may be null.
void pack(Fmt, const Tile& in, uint8_t* l1, uint8_t* shadow, const PackOpts&);

// What SrcA and SrcB hold of a value: tf32 (10 bits of mantissa, truncated), denormals flushed to zero.
void to_src(Tile&);

// What DST holds: fp32 as it is, else bf16 rounded to nearest even; denormals flushed to zero.
void round_dst(Tile&, bool fp32);

enum class Fidelity : uint8_t { LoFi, HiFi2, HiFi3, HiFi4 };

// dst += a x b, b transposed first where asked. SrcA = b (hidden + 4 bits, then 5 more), SrcB = a (hidden + 6, then 4).
// fp32: dst = ((dst + a0 b0) + a1 b1) + ..., k ascending, each product exact; HiFi3's second term follows in the same way.
// bf16: for each phase, for each half of k: dst = bf16(dst + sum of 16 products, k ascending).
// NaN and infinity times zero are zero; a NaN result becomes an infinity. Poison times a clean zero is clean.
void matmul(const Tile& a, const Tile& b, bool transpose_b, Fidelity, bool fp32_dst, Tile& dst_acc);

enum class Bin : uint8_t { Add, Sub, Mul };
enum class Bcast : uint8_t { None, Row, Col, Scalar };

// dst = a op bcast(b); acc adds to dst, and Mul always does. Row uses b[0, c], Col b[r, 0], Scalar b[0, 0]. Only Mul has
// fidelity phases: SrcA = a, SrcB = b; without fp32 each phase rounds.
void eltwise(Bin, Bcast, const Tile& a, const Tile& b, Fidelity, bool fp32_dst, bool acc, Tile& dst);

enum class Pool : uint8_t { Sum, Avg, Max };
enum class Dim : uint8_t { Row, Col, Scalar };

// Row: sums over columns into column 0, weights scaler[0, c]. Col: over rows into row 0, weights row 0 of the scaler's face
// of that element, indexed by r % 16. Scalar: both, the second pass weighted by row 0 of the last face. Sum and Avg add to
// dst; Max takes the maximum with dst unless first, times scaler[0, 0] (which must be 1). Other elements stay as they are.
// Row keeps the data in SrcB, Col and Scalar in SrcA (fewer bits in LoFi).
void reduce(Pool, Dim, const Tile& in, const Tile& scaler, Fidelity, bool fp32_dst, bool first, Tile& dst);

void transpose(const Tile& in, Tile& out);

// An SFPU function on DST tiles: x in place; b and c are the second and third operand where the function has them.
// params are the SDK call's arguments after the DST indices, and its DataFormat template arguments as codes before them.
// The exact result in double is moved within the stated bound (sfpu_bound) by an amount that depends on op, operands'
// bits, params and seed only, then rounded to DST's precision. Poison of any operand is poison, except for select.
// Aborts on an operand or parameter that the function needs and did not get.
void sfpu(SfpuOp, const uint32_t* params, int n, bool approx, bool fp32_dst, uint64_t seed, Tile& x, const Tile* b,
          const Tile* c);

// Largest error: bf16_ulp * ulp_bf16(y) + abs with a bf16 DST, rel * |y| + abs with an fp32 DST; exponent_rel * |n| * |y|
// more for powers with a bf16 DST. The same figures as in tt_build/lang/functions.py, and a test holds them equal.
struct Bound {
    float bf16_ulp = 0, rel = 0, abs = 0, exponent_rel = 0;
};
Bound sfpu_bound(SfpuOp, bool approx);

// The SDK's name without "_tile", and back; SfpuOp::count for a name that is not emulated.
// The DataFormat of integers that an operation was told to work on, or -1.
int sfpu_format(SfpuOp op, const uint32_t* params);
const char* sfpu_name(SfpuOp);
SfpuOp sfpu_op(const char* name);

}  // namespace emu::num
