// Formats and matrix engine. What each function means is at its declaration in emu/num/num.h.
#include "emu/num/num.h"

#include <cmath>
#include <cstring>

namespace emu::num {
namespace {

constexpr uint32_t kSign = 0x80000000u, kExponent = 0x7F800000u, kInfinity = 0x7F800000u;
constexpr uint32_t kTf32 = 0xFFFFE000u;                                // 10 bits of mantissa
constexpr uint32_t kSrcAHigh = 0xFFF80000u, kSrcAAll = 0xFFFFC000u;    // 4 bits, 9 bits
constexpr uint32_t kSrcBHigh = 0xFFFE0000u, kSrcBAll = kTf32;          // 6 bits, 10 bits

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

// Branch-free, so that loops over it are vectorised. NaN keeps its payload's top bits and stays NaN.
inline uint32_t bf16_bits(uint32_t u) {
    const uint32_t rounded = (u + 0x7FFFu + ((u >> 16) & 1u)) & 0xFFFF0000u;
    const uint32_t nan = (u | 0x00400000u) & 0xFFFF0000u;
    return (u & 0x7FFFFFFFu) > kInfinity ? nan : rounded;
}

inline uint32_t flush(uint32_t u) { return (u & kExponent) == 0 ? u & kSign : u; }

inline uint32_t src_bits(uint32_t u) { return flush(u) & kTf32; }

inline float round_dst_value(float f, bool fp32) {
    const uint32_t u = bits(f);
    return from_bits(flush(fp32 ? u : bf16_bits(u)));
}

// The FPU never yields a NaN: where arithmetic would, the result is an infinity of the NaN's sign.
inline float no_nan(float f) { return f != f ? from_bits(kInfinity | (bits(f) & kSign)) : f; }

inline bool any_poison(const Tile& t) {
    uint64_t any = 0;
    for (int i = 0; i < 1024; i += 8) {
        uint64_t word;
        std::memcpy(&word, t.poison + i, 8);
        any |= word;
    }
    return any != 0;
}

inline bool all_zero(const uint8_t* bytes, uint32_t n) {
    uint64_t any = 0;
    for (uint32_t i = 0; i < n; i += 8) {
        uint64_t word;
        std::memcpy(&word, bytes + i, 8);
        any |= word;
    }
    return any == 0;
}

inline bool all_finite(const uint32_t* u) {
    uint32_t bad = 0;
    for (int i = 0; i < 1024; ++i) bad |= (u[i] & kExponent) == kExponent ? 1u : 0u;
    return bad == 0;
}

// Row-major index of the first element of face row f (0..63 in face order), 16 elements long.
inline int face_row_start(int f) {
    const int face = f / 16, row = f % 16;
    return ((face / 2) * 16 + row) * 32 + (face % 2) * 16;
}

uint32_t element_bytes(Fmt fmt) { return fmt == Fmt::Float16_b || fmt == Fmt::UInt16 ? 2 : 4; }

bool is_block(Fmt fmt) { return fmt == Fmt::Bfp8_b || fmt == Fmt::Bfp4_b; }

// magnitude * 2^(exponent - 127 - fraction bits); a result below the normal range is 0.
float bfp_value(uint32_t exponent, uint32_t sign, uint32_t magnitude, int fraction) {
    if (magnitude == 0) return 0.0f;
    const float value = std::ldexp(static_cast<float>(magnitude), static_cast<int>(exponent) - 127 - fraction);
    const float flushed = from_bits(flush(bits(value)));
    return sign ? -flushed : flushed;
}

// Magnitude of |u| under a shared exponent: truncated in the alignment, then rounded half up and saturated.
uint32_t bfp_magnitude(uint32_t u, uint32_t shared, int width) {
    const uint32_t exponent = (u & kExponent) >> 23;
    if ((u & ~kSign) == 0 || exponent == 0) return 0;
    const uint32_t shift = shared - exponent;
    const uint32_t mantissa = shift > 31 ? 0 : (0x00800000u | (u & 0x007FFFFFu)) >> shift;
    const int drop = 24 - width;
    const uint32_t rounded = (mantissa + (1u << (drop - 1))) >> drop;
    const uint32_t largest = (1u << width) - 1;
    return rounded > largest ? largest : rounded;
}

void unpack_block(Fmt fmt, const uint8_t* l1, const uint8_t* shadow, Tile& out) {
    const bool small = fmt == Fmt::Bfp4_b;
    const uint8_t* data = l1 + 64;
    for (int f = 0; f < 64; ++f) {
        const int start = face_row_start(f);
        for (int c = 0; c < 16; ++c) {
            const int n = f * 16 + c;
            const uint8_t byte = small ? static_cast<uint8_t>((data[n / 2] >> (4 * (n % 2))) & 0xF) : data[n];
            out.v[start + c] = small ? bfp_value(l1[f], byte >> 3, byte & 7u, 2) : bfp_value(l1[f], byte >> 7, byte & 127u, 6);
            uint8_t poison = 0;
            if (shadow != nullptr) {
                poison = shadow[64 + (small ? n / 2 : n)];
                if (small && poison == (n % 2 ? kPoisonLowNibble : kPoisonHighNibble)) poison = 0;
                poison = (poison | shadow[f]) != 0;
            }
            out.poison[start + c] = poison;
        }
    }
}

void pack_block(Fmt fmt, const Tile& in, uint8_t* l1, uint8_t* shadow) {
    const bool small = fmt == Fmt::Bfp4_b;
    const int width = small ? 3 : 7;
    for (int f = 0; f < 64; ++f) {
        const int start = face_row_start(f);
        uint32_t shared = 0;
        uint8_t poison = 0;
        for (int c = 0; c < 16; ++c) {
            const uint32_t exponent = (in.u[start + c] & kExponent) >> 23;
            if (exponent > shared) shared = exponent;
            poison |= in.poison[start + c];
        }
        l1[f] = static_cast<uint8_t>(shared);
        if (shadow != nullptr) shadow[f] = poison != 0;
        for (int c = 0; c < 16; ++c) {
            const int n = f * 16 + c;
            const uint32_t u = in.u[start + c];
            const uint32_t magnitude = (u & kExponent) == kExponent ? (1u << width) - 1 : bfp_magnitude(u, shared, width);
            const bool nan = (u & ~kSign) > kInfinity;
            const uint32_t sign = magnitude == 0 || nan ? 0 : u >> 31;
            const uint8_t code = static_cast<uint8_t>(sign << width | magnitude);
            uint8_t& byte = l1[64 + (small ? n / 2 : n)];
            byte = !small ? code : n % 2 ? static_cast<uint8_t>((byte & 0x0F) | code << 4) : code;
            if (shadow != nullptr) shadow[64 + (small ? n / 2 : n)] = poison != 0;
        }
    }
}

inline uint32_t packed_bf16(uint32_t u) {
    const uint32_t magnitude = u & ~kSign;
    const uint32_t rounded = bf16_bits(u);
    const uint32_t value = magnitude > kInfinity ? kInfinity : rounded;
    return (value & ~kSign) == 0 ? 0 : value;
}

void pack_plain(Fmt fmt, const Tile& in, uint8_t* l1, uint8_t* shadow) {
    const uint32_t size = element_bytes(fmt);
    for (int f = 0; f < 64; ++f) {
        const uint32_t* from = in.u + face_row_start(f);
        uint8_t* to = l1 + static_cast<uint32_t>(f) * 16 * size;
        if (size == 4) {
            std::memcpy(to, from, 64);
        } else {
            uint16_t row[16];
            if (fmt == Fmt::Float16_b)
                for (int c = 0; c < 16; ++c) row[c] = static_cast<uint16_t>(packed_bf16(from[c]) >> 16);
            else
                for (int c = 0; c < 16; ++c) row[c] = static_cast<uint16_t>(from[c]);
            std::memcpy(to, row, 32);
        }
    }
    if (shadow == nullptr) return;
    if (!any_poison(in)) {
        std::memset(shadow, 0, 1024 * size);
        return;
    }
    for (int f = 0; f < 64; ++f)
        for (int c = 0; c < 16; ++c)
            std::memset(shadow + static_cast<uint32_t>(f * 16 + c) * size, in.poison[face_row_start(f) + c] != 0, size);
}

void apply_relu(Tile& t, Relu mode, float threshold) {
    for (float& v : t.v) {
        if (mode == Relu::Zero && v < 0.0f) v = 0.0f;
        if (mode == Relu::MinThreshold && v <= threshold) v = 0.0f;
        if (mode == Relu::MaxThreshold) v = v < 0.0f ? 0.0f : v > threshold ? threshold : v;
    }
}

void apply_mask(Tile& t, EdgeMask mask) {
    for (int i = 0; i < 1024; ++i) {
        const int r = i / 32, c = i % 32;
        const bool kept = mask == EdgeMask::Column0 ? c == 0 : mask == EdgeMask::Row0 ? r == 0 : i == 0;
        if (!kept) t.u[i] = 0, t.poison[i] = 0;
    }
}

// ---- matrix engine ----------------------------------------------------------------------------------------------

// The parts of SrcA and SrcB that meet in each phase, by fidelity.
struct Phase {
    bool a_low, b_low;
};
constexpr Phase kPhases[4] = {{false, false}, {true, false}, {false, true}, {true, true}};

inline uint32_t part_a(uint32_t u, bool low) {
    const float high = from_bits(u & kSrcAHigh);
    return low ? bits(from_bits(u & kSrcAAll) - high) : bits(high);
}

inline uint32_t part_b(uint32_t u, bool low) {
    const float high = from_bits(u & kSrcBHigh);
    return low ? bits(from_bits(u & kSrcBAll) - high) : bits(high);
}

// Multiplication of the FPU: zero times anything is zero.
inline float product(float a, float b) { return a == 0.0f || b == 0.0f ? 0.0f : a * b; }

typedef float Vec __attribute__((vector_size(32), aligned(32)));

// acc[2 rows] += a[2 rows] x b over k in [k0, k1), k ascending.
inline void rows_times(const float* a, const float* b, float* acc, int k0, int k1) {
    Vec s[2][4];
    for (int r = 0; r < 2; ++r)
        for (int j = 0; j < 4; ++j) std::memcpy(&s[r][j], acc + r * 32 + j * 8, 32);
    for (int k = k0; k < k1; ++k) {
        const float* row = b + k * 32;
        for (int j = 0; j < 4; ++j) {
            Vec x;
            std::memcpy(&x, row + j * 8, 32);
            s[0][j] += x * a[k];
            s[1][j] += x * a[32 + k];
        }
    }
    for (int r = 0; r < 2; ++r)
        for (int j = 0; j < 4; ++j) std::memcpy(acc + r * 32 + j * 8, &s[r][j], 32);
}

// One pass with operands that may hold infinities and NaN.
void slow_rows(const float* a, const float* b, float* acc, int k0, int k1) {
    for (int i = 0; i < 2; ++i)
        for (int k = k0; k < k1; ++k)
            for (int j = 0; j < 32; ++j) acc[i * 32 + j] = no_nan(acc[i * 32 + j] + product(a[i * 32 + k], b[k * 32 + j]));
}

struct Operands {
    alignas(32) float a[1024];  // SrcB: in0
    alignas(32) float b[1024];  // SrcA: in1
};

void accumulate_fp32(const Operands& o, bool finite, float* dst) {
    for (int i = 0; i < 32; i += 2)
        (finite ? rows_times : slow_rows)(o.a + i * 32, o.b, dst + i * 32, 0, 32);
}

void accumulate_bf16(const Operands& o, bool finite, float* dst) {
    for (int half = 0; half < 32; half += 16)
        for (int i = 0; i < 32; i += 2) {
            alignas(32) float sum[64] = {};
            (finite ? rows_times : slow_rows)(o.a + i * 32, o.b, sum, half, half + 16);
            uint32_t* to = reinterpret_cast<uint32_t*>(dst + i * 32);
            for (int j = 0; j < 64; ++j) to[j] = flush(bf16_bits(bits(no_nan(dst[i * 32 + j] + sum[j]))));
        }
}

// Bit masks of a tile: poison per row (over k) and "not a clean zero".
void row_masks(const Tile& t, const uint32_t* u, uint32_t* poison, uint32_t* live) {
    for (int r = 0; r < 32; ++r) {
        poison[r] = live[r] = 0;
        for (int c = 0; c < 32; ++c) {
            const uint32_t p = t.poison[r * 32 + c] != 0;
            poison[r] |= p << c;
            live[r] |= (p | ((src_bits(u[r * 32 + c]) & ~kSign) != 0)) << c;
        }
    }
}

void matmul_poison(const Tile& a, const Tile& b_transposed, Tile& dst) {
    uint32_t pa[32], la[32], pb[32], lb[32];
    row_masks(a, a.u, pa, la);
    row_masks(b_transposed, b_transposed.u, pb, lb);
    for (int i = 0; i < 32; ++i)
        for (int j = 0; j < 32; ++j) dst.poison[i * 32 + j] |= ((pa[i] & lb[j]) | (pb[j] & la[i])) != 0;
}

}  // namespace

uint32_t tile_bytes(Fmt fmt) {
    switch (fmt) {
        case Fmt::Float32:
        case Fmt::Tf32:
        case Fmt::Int32:
        case Fmt::UInt32: return 4096;
        case Fmt::Float16_b:
        case Fmt::UInt16: return 2048;
        case Fmt::Bfp8_b: return 1088;
        case Fmt::Bfp4_b: return 576;
    }
    return 0;
}

void unpack(Fmt fmt, const uint8_t* l1, const uint8_t* shadow, Tile& out) {
    if (is_block(fmt)) return unpack_block(fmt, l1, shadow, out);
    const uint32_t size = element_bytes(fmt);
    const int left = fmt == Fmt::Float16_b ? 16 : 0;
    for (int f = 0; f < 64; ++f) {
        uint32_t* to = out.u + face_row_start(f);
        const uint8_t* from = l1 + static_cast<uint32_t>(f) * 16 * size;
        if (size == 4) {
            std::memcpy(to, from, 64);
        } else {
            uint16_t row[16];
            std::memcpy(row, from, 32);
            for (int c = 0; c < 16; ++c) to[c] = static_cast<uint32_t>(row[c]) << left;
        }
    }
    if (shadow == nullptr || all_zero(shadow, 1024 * size)) {
        std::memset(out.poison, 0, 1024);
        return;
    }
    for (int f = 0; f < 64; ++f)
        for (int c = 0; c < 16; ++c) {
            uint8_t any = 0;
            for (uint32_t k = 0; k < size; ++k) any |= shadow[static_cast<uint32_t>(f * 16 + c) * size + k];
            out.poison[face_row_start(f) + c] = any != 0;
        }
}

void pack(Fmt fmt, const Tile& in, uint8_t* l1, uint8_t* shadow, const PackOpts& opts) {
    const Relu relu = opts.relu ? Relu::Zero : opts.relu_mode;
    if (!opts.l1_acc && relu == Relu::None && opts.mask == EdgeMask::None)
        return is_block(fmt) ? pack_block(fmt, in, l1, shadow) : pack_plain(fmt, in, l1, shadow);
    Tile work = in;
    if (relu != Relu::None) apply_relu(work, relu, opts.relu_threshold);
    if (opts.mask != EdgeMask::None) apply_mask(work, opts.mask);
    if (opts.l1_acc) {
        Tile old;
        unpack(fmt, l1, shadow, old);
        for (int i = 0; i < 1024; ++i) {
            if (is_integer(fmt))
                work.u[i] += old.u[i];
            else
                work.v[i] += old.v[i];
            work.poison[i] |= old.poison[i];
        }
    }
    is_block(fmt) ? pack_block(fmt, work, l1, shadow) : pack_plain(fmt, work, l1, shadow);
}

void to_src(Tile& t) {
    for (uint32_t& u : t.u) u = src_bits(u);
}

void round_dst(Tile& t, bool fp32) {
    if (fp32)
        for (uint32_t& u : t.u) u = flush(u);
    else
        for (uint32_t& u : t.u) u = flush(bf16_bits(u));
}

void matmul(const Tile& a, const Tile& b, bool transpose_b, Fidelity fidelity, bool fp32_dst, Tile& dst) {
    Tile turned;
    const bool poisoned = any_poison(a) || any_poison(b);
    if (transpose_b || poisoned) transpose(b, turned);
    const uint32_t* in1 = transpose_b ? turned.u : b.u;
    const bool finite = all_finite(a.u) && all_finite(b.u);
    const int phases = static_cast<int>(fidelity) + 1;
    Operands o;
    auto load = [&](uint32_t mask_a, uint32_t mask_b) {
        for (int i = 0; i < 1024; ++i) o.a[i] = from_bits(flush(a.u[i]) & mask_a);
        for (int i = 0; i < 1024; ++i) o.b[i] = from_bits(flush(in1[i]) & mask_b);
    };
    // With an fp32 DST phases that share an operand add up to one exact product.
    if (fp32_dst) {
        load(fidelity == Fidelity::HiFi4 ? kSrcBAll : kSrcBHigh, fidelity == Fidelity::LoFi ? kSrcAHigh : kSrcAAll);
        accumulate_fp32(o, finite, dst.v);
        if (fidelity == Fidelity::HiFi3) {
            for (int i = 0; i < 1024; ++i) o.a[i] = from_bits(part_b(flush(a.u[i]), true));
            for (int i = 0; i < 1024; ++i) o.b[i] = from_bits(flush(in1[i]) & kSrcAHigh);
            accumulate_fp32(o, finite, dst.v);
        }
        for (float& v : dst.v) v = round_dst_value(no_nan(v), true);
    } else {
        for (int p = 0; p < phases; ++p) {
            uint32_t live = 0;
            for (int i = 0; i < 1024; ++i) {
                const uint32_t u = part_b(flush(a.u[i]), kPhases[p].b_low);
                o.a[i] = from_bits(u);
                live |= u & ~kSign;
            }
            if (live == 0) continue;  // bf16 has no low bits for SrcB's second part, most of the time
            for (int i = 0; i < 1024; ++i) o.b[i] = from_bits(part_a(flush(in1[i]), kPhases[p].a_low));
            accumulate_bf16(o, finite, dst.v);
        }
    }
    if (poisoned) matmul_poison(a, transpose_b ? b : turned, dst);
}

void eltwise(Bin op, Bcast bcast, const Tile& a, const Tile& b, Fidelity fidelity, bool fp32_dst, bool acc, Tile& dst) {
    const int phases = op == Bin::Mul ? static_cast<int>(fidelity) + 1 : 1;
    const bool add_up = acc || op == Bin::Mul;
    for (int i = 0; i < 1024; ++i) {
        const int j = bcast == Bcast::None ? i : bcast == Bcast::Row ? i % 32 : bcast == Bcast::Col ? i / 32 * 32 : 0;
        const uint32_t ua = src_bits(a.u[i]), ub = src_bits(b.u[j]);
        const float old = add_up ? dst.v[i] : 0.0f;
        const bool pa = a.poison[i] != 0, pb = b.poison[j] != 0;
        bool poison = pa || pb;
        if (op == Bin::Mul) {
            const bool zero_a = !pa && (ua & ~kSign) == 0, zero_b = !pb && (ub & ~kSign) == 0;
            poison = poison && !zero_a && !zero_b;
            float sum = old;
            if (fp32_dst) {
                const float x = from_bits(ua & (fidelity == Fidelity::LoFi ? kSrcAHigh : kSrcAAll));
                const float y = from_bits(ub & (fidelity == Fidelity::HiFi4 ? kSrcBAll : kSrcBHigh));
                sum = no_nan(sum + product(x, y));
                if (fidelity == Fidelity::HiFi3)
                    sum = no_nan(sum + product(from_bits(ua & kSrcAHigh), from_bits(part_b(ub, true))));
                dst.v[i] = round_dst_value(sum, true);
            } else {
                for (int p = 0; p < phases; ++p) {
                    const float x = from_bits(part_a(ua, kPhases[p].a_low)), y = from_bits(part_b(ub, kPhases[p].b_low));
                    sum = round_dst_value(no_nan(sum + product(x, y)), false);
                }
                dst.v[i] = sum;
            }
        } else {
            const float x = from_bits(ua), y = from_bits(ub);
            const float result = op == Bin::Add ? x + y : x - y;
            dst.v[i] = round_dst_value(no_nan(add_up ? old + result : result), fp32_dst);
        }
        dst.poison[i] = poison || (add_up && dst.poison[i] != 0);
    }
}

namespace {

// sum over n of data[n] * weight[n] on top of `old`, in halves of 16 with a bf16 DST.
struct Weighted {
    bool data_in_srca;
    Fidelity fidelity;
    bool fp32;

    float term(uint32_t data, uint32_t weight, const Phase& p) const {
        const uint32_t a = part_a(data_in_srca ? data : weight, p.a_low), b = part_b(data_in_srca ? weight : data, p.b_low);
        return product(from_bits(a), from_bits(b));
    }

    float sum(float old, const uint32_t* data, const uint32_t* weight, int n) const {
        float total = old;
        for (int start = 0; start < n; start += 16)
            for (int p = 0; p <= static_cast<int>(fidelity); ++p) {
                float part = 0.0f;
                for (int k = start; k < start + 16; ++k) part = no_nan(part + term(data[k], weight[k], kPhases[p]));
                total = round_dst_value(no_nan(total + part), fp32);
            }
        return total;
    }
};

bool weighted_poison(uint32_t data, bool data_poison, uint32_t weight, bool weight_poison) {
    const bool clean_zero = (!weight_poison && (weight & ~kSign) == 0) || (!data_poison && (data & ~kSign) == 0);
    return (data_poison || weight_poison) && !clean_zero;
}

// Where element (r, c) finds its weight in the scaler tile.
int weight_index(Dim dim, int r, int c) { return dim == Dim::Row ? c : (r / 16) * 16 * 32 + (c / 16) * 16 + r % 16; }

void reduce_line(Dim dim, const Tile& in, const Tile& scaler, const Weighted& w, int line, Tile& dst) {
    uint32_t data[32], weight[32];
    bool poison = false;
    for (int k = 0; k < 32; ++k) {
        const int r = dim == Dim::Row ? line : k, c = dim == Dim::Row ? k : line;
        const int i = r * 32 + c, j = weight_index(dim, r, c);
        data[k] = src_bits(in.u[i]);
        weight[k] = src_bits(scaler.u[j]);
        poison |= weighted_poison(data[k], in.poison[i] != 0, weight[k], scaler.poison[j] != 0);
    }
    const int out = dim == Dim::Row ? line * 32 : line;
    dst.v[out] = w.sum(dst.v[out], data, weight, 32);
    dst.poison[out] |= poison;
}

void reduce_scalar(const Tile& in, const Tile& scaler, const Weighted& w, Tile& dst) {
    uint32_t half[16], last[16];
    bool poison = false;
    for (int c = 0; c < 16; ++c) {
        uint32_t data[64], weight[64];
        bool column = false;
        for (int k = 0; k < 64; ++k) {  // faces in order, 16 rows of each
            const int r = (k / 32) * 16 + k % 16, col = ((k / 16) % 2) * 16 + c, j = weight_index(Dim::Scalar, r, col);
            data[k] = src_bits(in.u[r * 32 + col]);
            weight[k] = src_bits(scaler.u[j]);
            column |= weighted_poison(data[k], in.poison[r * 32 + col] != 0, weight[k], scaler.poison[j] != 0);
        }
        half[c] = src_bits(bits(w.sum(0.0f, data, weight, 64)));
        const int j = 16 * 32 + 16 + c;
        last[c] = src_bits(scaler.u[j]);
        poison |= weighted_poison(half[c], column, last[c], scaler.poison[j] != 0);
    }
    dst.v[0] = w.sum(dst.v[0], half, last, 16);
    dst.poison[0] |= poison;
}

void reduce_max(Dim dim, const Tile& in, const Tile& scaler, bool fp32, bool first, Tile& dst) {
    const float scale = from_bits(src_bits(scaler.u[0]));
    const int lines = dim == Dim::Scalar ? 1 : 32;
    for (int line = 0; line < lines; ++line) {
        const int out = dim == Dim::Row ? line * 32 : line;
        float largest = from_bits(kInfinity | kSign);
        bool poison = scaler.poison[0] != 0;
        for (int k = 0; k < (dim == Dim::Scalar ? 1024 : 32); ++k) {
            const int i = dim == Dim::Row ? line * 32 + k : dim == Dim::Col ? k * 32 + line : k;
            const float v = no_nan(from_bits(src_bits(in.u[i])));
            if (v > largest) largest = v;
            poison |= in.poison[i] != 0;
        }
        largest *= scale;
        if (!first && dst.v[out] > largest) largest = dst.v[out];
        dst.v[out] = round_dst_value(no_nan(largest), fp32);
        dst.poison[out] = poison || (!first && dst.poison[out] != 0);
    }
}

}  // namespace

void reduce(Pool pool, Dim dim, const Tile& in, const Tile& scaler, Fidelity fidelity, bool fp32_dst, bool first, Tile& dst) {
    if (pool == Pool::Max) return reduce_max(dim, in, scaler, fp32_dst, first, dst);
    const Weighted w{dim != Dim::Row, fidelity, fp32_dst};
    if (dim == Dim::Scalar) return reduce_scalar(in, scaler, w, dst);
    for (int line = 0; line < 32; ++line) reduce_line(dim, in, scaler, w, line, dst);
}

void transpose(const Tile& in, Tile& out) {
    for (int r = 0; r < 32; ++r)
        for (int c = 0; c < 32; ++c) {
            out.u[c * 32 + r] = in.u[r * 32 + c];
            out.poison[c * 32 + r] = in.poison[r * 32 + c];
        }
}

}  // namespace emu::num
