// C entry points for ctypes: arrays of 1024 in row-major order, poison beside them.
#include <cstring>

#include "emu/num/num.h"

using namespace emu::num;

namespace {

Tile load(const uint32_t* u, const uint8_t* poison) {
    Tile t;
    std::memcpy(t.u, u, 4096);
    poison ? std::memcpy(t.poison, poison, 1024) : std::memset(t.poison, 0, 1024);
    return t;
}

void store(const Tile& t, uint32_t* u, uint8_t* poison) {
    std::memcpy(u, t.u, 4096);
    if (poison) std::memcpy(poison, t.poison, 1024);
}

}  // namespace

extern "C" {

uint32_t num_tile_bytes(int fmt) { return tile_bytes(static_cast<Fmt>(fmt)); }

void num_unpack(int fmt, const uint8_t* l1, const uint8_t* shadow, uint32_t* u, uint8_t* poison) {
    Tile t;
    unpack(static_cast<Fmt>(fmt), l1, shadow, t);
    store(t, u, poison);
}

void num_pack(int fmt, const uint32_t* u, const uint8_t* poison, uint8_t* l1, uint8_t* shadow, int l1_acc, int relu,
              float threshold, int mask) {
    PackOpts opts;
    opts.l1_acc = l1_acc != 0;
    opts.relu_mode = static_cast<Relu>(relu);
    opts.relu_threshold = threshold;
    opts.mask = static_cast<EdgeMask>(mask);
    pack(static_cast<Fmt>(fmt), load(u, poison), l1, shadow, opts);
}

void num_to_src(uint32_t* u) {
    Tile t = load(u, nullptr);
    to_src(t);
    store(t, u, nullptr);
}

void num_round_dst(uint32_t* u, int fp32) {
    Tile t = load(u, nullptr);
    round_dst(t, fp32 != 0);
    store(t, u, nullptr);
}

void num_matmul(const uint32_t* a, const uint8_t* pa, const uint32_t* b, const uint8_t* pb, int turn, int fidelity, int fp32,
                uint32_t* dst, uint8_t* pd) {
    Tile d = load(dst, pd);
    matmul(load(a, pa), load(b, pb), turn != 0, static_cast<Fidelity>(fidelity), fp32 != 0, d);
    store(d, dst, pd);
}

void num_matmul_many(int n, const uint32_t* a, const uint32_t* b, int fidelity, int fp32, uint32_t* dst) {
    const Tile x = load(a, nullptr), y = load(b, nullptr);
    Tile d = load(dst, nullptr);
    for (int i = 0; i < n; ++i) matmul(x, y, false, static_cast<Fidelity>(fidelity), fp32 != 0, d);
    store(d, dst, nullptr);
}

void num_eltwise(int op, int bcast, const uint32_t* a, const uint8_t* pa, const uint32_t* b, const uint8_t* pb, int fidelity,
                 int fp32, int acc, uint32_t* dst, uint8_t* pd) {
    Tile d = load(dst, pd);
    eltwise(static_cast<Bin>(op), static_cast<Bcast>(bcast), load(a, pa), load(b, pb), static_cast<Fidelity>(fidelity),
            fp32 != 0, acc != 0, d);
    store(d, dst, pd);
}

void num_reduce(int pool, int dim, const uint32_t* in, const uint8_t* pi, const uint32_t* scaler, const uint8_t* ps,
                int fidelity, int fp32, int first, uint32_t* dst, uint8_t* pd) {
    Tile d = load(dst, pd);
    reduce(static_cast<Pool>(pool), static_cast<Dim>(dim), load(in, pi), load(scaler, ps), static_cast<Fidelity>(fidelity),
           fp32 != 0, first != 0, d);
    store(d, dst, pd);
}

int num_sfpu(const char* name, const uint32_t* params, int n, int approx, int fp32, uint64_t seed, uint32_t* x, uint8_t* px,
             const uint32_t* b, const uint8_t* pb, const uint32_t* c, const uint8_t* pc) {
    const SfpuOp op = sfpu_op(name);
    if (op == SfpuOp::count) return 0;
    Tile t = load(x, px), second, third;
    if (b) second = load(b, pb);
    if (c) third = load(c, pc);
    sfpu(op, params, n, approx != 0, fp32 != 0, seed, t, b ? &second : nullptr, c ? &third : nullptr);
    store(t, x, px);
    return 1;
}

int num_sfpu_bound(const char* name, int approx, float* out) {
    const SfpuOp op = sfpu_op(name);
    if (op == SfpuOp::count) return 0;
    const Bound bound = sfpu_bound(op, approx != 0);
    out[0] = bound.bf16_ulp, out[1] = bound.rel, out[2] = bound.abs, out[3] = bound.exponent_rel;
    return 1;
}
}
