// Compute kernels: unpack, math and pack threads, their configuration, SrcA/SrcB hand-over, DST sections (metalium-api
// section 4). Every call does the part of the thread that runs it.
#include "machine.h"

using namespace emu;
using num::Tile;

namespace {
constexpr uint8_t UINT16 = 9;
const char* op_name(Op op) {
    static const char* const names[] = {"nothing", "matmul", "elementwise", "reuse_dest", "copy", "transpose", "reduce",
                                        "unary_bcast", "tilize", "pack_untilize", "transpose_dest", "copy_dest_values"};
    return names[static_cast<int>(op)];
}
const char* binary_name(int op) { return op == 0 ? "mul" : op == 2 ? "add" : op == 3 ? "sub" : "binary"; }
const char* bcast_name(int b) { return b == 0 ? "" : b == 1 ? "_bcast_cols" : b == 2 ? "_bcast_rows" : "_bcast_scalar"; }

std::string setup_name(const Setup& s) {
    switch (s.op) {
        case Op::None: return "no init";
        case Op::Matmul: return format("matmul%s_init (transpose %d, ct %d, rt %d)", s.ct * s.rt * s.kt > 1 ? "_block" : "", s.a, s.ct, s.rt);
        case Op::Binary: return format("%s%s_init", binary_name(s.a), bcast_name(s.b));
        case Op::ReuseDest: return format("%s_reuse_dest_init", binary_name(s.a));
        case Op::Reduce: return format("reduce_init<%s, %s>", s.a == 0 ? "SUM" : s.a == 1 ? "AVG" : "MAX", s.b == 0 ? "REDUCE_ROW" : s.b == 1 ? "REDUCE_COL" : "REDUCE_SCALAR");
        default: return std::string(op_name(s.op)) + "_init" + (s.b ? " of a tile that goes straight into DST" : "");
    }
}

int index_of(const Thread* t) { return t->proc - UNPACK; }

Thread* compute_thread(const void* pc, const char* what) {
    Thread* t = enter(pc);
    if (t->proc < UNPACK) fail("EMU213", format("%s: readers and writers have no compute unit", what), "compute in a compute kernel");
    return t;
}

void need_start(Thread* t, const char* what) {
    if (!t->core->compute.started[index_of(t)])
        fail("EMU310", format("%s before compute_kernel_hw_startup", what), "call compute_kernel_hw_startup once, before anything else");
}

void set_setup(Thread* t, const Setup& s) { t->core->compute.setup[index_of(t)] = s; }

void need_setup(Thread* t, const Setup& s, const char* what) {
    need_start(t, what);
    const Setup& have = t->core->compute.setup[index_of(t)];
    if (have != s)
        fail("EMU305", format("%s runs under %s", what, setup_name(have).c_str()), format("call %s before it", setup_name(s).c_str()));
}

void need_formats(Thread* t, int a, int b, const char* what) {
    Compute& c = t->core->compute;
    const int i = index_of(t);
    if (a >= 0) {
        const uint8_t want = cb_of(t->core, a).fmt;
        if (c.fmt_a[i] != want)
            fail("EMU306", format("%s: SrcA is set up for %s, circular buffer %d holds %s", what, format_name(c.fmt_a[i]), a, format_name(want)),
                 "call reconfig_data_format (or reconfig_data_format_srca) when the format of the operands changes");
    }
    if (b >= 0) {
        const uint8_t want = cb_of(t->core, b).fmt;
        if (c.fmt_b[i] != want)
            fail("EMU306", format("%s: SrcB is set up for %s, circular buffer %d holds %s", what, format_name(c.fmt_b[i]), b, format_name(want)),
                 "call reconfig_data_format (or reconfig_data_format_srcb) when the format of the operands changes");
    }
}

// Its multipliers take floats; integers are the vector engine's (add_int_tile, mul_int_tile).
void need_float(Thread* t, uint32_t cb, const char* what) {
    const uint8_t fmt = cb_of(t->core, cb).fmt;
    if (num::is_integer(static_cast<num::Fmt>(fmt)))
        fail("EMU314", format("%s on circular buffer %u, which holds %s: the matrix engine computes with floats", what, cb, format_name(fmt)),
             "copy_tile the operands into DST and use the vector engine's integer functions");
}

}  // namespace

namespace emu {
uint8_t worse(uint8_t a, uint8_t b) {
    auto rank = [](uint8_t o) { return o == 0 ? 0 : o == SHADOW_COMPUTED ? 1 : g.origins[o].compare(0, 7, "padding") == 0 ? 2 : 3; };
    return rank(b) > rank(a) ? b : a;
}
}  // namespace emu

namespace {
// ---- unpack
const uint8_t* front_page(Thread* t, uint32_t id, uint32_t index, const char* what, uint32_t bytes, const uint8_t** shadow) {
    Core* core = t->core;
    const Cb& cb = cb_of(core, id);
    if (index >= cb.waited[UNPACK])
        fail("EMU110", format("%s: tile %u of circular buffer %u, of which %u pages were waited for", what, index, id, cb.waited[UNPACK]),
             "call cb_wait_front for all the tiles that are read; the count is a level");
    const uint32_t at = cb.rd[UNPACK] + index * cb.page;
    if (at + bytes > cb.limit)
        fail("EMU112", format("%s: tile %u of circular buffer %u lies past the end of the buffer", what, index, id), "blocks must not straddle the end of the buffer");
    *shadow = core->shadow + at;
    return core->l1 + at;
}

void unpack_page(Thread* t, uint32_t id, uint32_t index, Tile& out, uint8_t& origin, const char* what) {
    const Cb& cb = cb_of(t->core, id);
    const uint32_t bytes = num::tile_bytes(static_cast<num::Fmt>(cb.fmt));
    if (bytes != cb.page)
        fail("EMU306", format("%s: pages of circular buffer %u have %u bytes, a tile of %s has %u", what, id, cb.page, format_name(cb.fmt), bytes),
             "give the circular buffer the tile size of its format");
    const uint8_t* shadow;
    const uint8_t* data = front_page(t, id, index, what, bytes, &shadow);
    const bool poisoned = any_nonzero(shadow, bytes);
    if (poisoned)
        for (uint32_t i = 0; i < bytes; ++i)
            if (shadow[i] == SHADOW_IN_FLIGHT)
                fail("EMU201", format("%s: tile %u of circular buffer %u is still being read by the NoC", what, index, id), "call noc_async_read_barrier before cb_push_back");
            else origin = worse(origin, shadow[i]);
    num::unpack(static_cast<num::Fmt>(cb.fmt), data, poisoned ? shadow : nullptr, out);
}

SrcEntry& src_give(Thread* t) {
    Compute& c = t->core->compute;
    block(Wait::SrcSpace);
    SrcEntry& e = c.ring[(c.src_head + c.src_count) & 1];
    e.origin = 0;
    return e;
}
void src_given(Thread* t) {
    ++t->core->compute.src_count;
    wake(t->core);
}
SrcEntry& src_take(Thread* t) {
    block(Wait::SrcReady);
    return t->core->compute.ring[t->core->compute.src_head];
}
void src_taken(Thread* t, uint32_t dst, uint32_t tiles = 1) {
    Compute& c = t->core->compute;
    if (const uint8_t origin = c.ring[c.src_head].origin)
        for (uint32_t i = dst; i < dst + tiles; ++i) c.section[c.math_section].origin[i] = worse(c.section[c.math_section].origin[i], origin);
    c.src_head ^= 1;
    --c.src_count;
    wake(t->core);
}
void size_to(std::vector<Tile>& v, size_t n) {
    if (v.size() < n) v.resize(n);
}

// ---- DST
Section& open_section(Thread* t, const char* what) {
    Compute& c = t->core->compute;
    if (!c.math_open)
        fail("EMU303", format("%s outside tile_regs_acquire ... tile_regs_commit", what), "the math thread owns DST only between acquire and commit");
    return c.section[c.math_section];
}

Tile& dst_slot(Thread* t, uint32_t i, const char* what, uint8_t** written) {
    Compute& c = t->core->compute;
    Section& s = open_section(t, what);
    if (i >= static_cast<uint32_t>(c.capacity))
        fail("EMU301", format("%s: DST index %u, but a section holds %d tiles%s", what, i, c.capacity, t->kernel->fp32 ? " (fp32_dest_acc_en halves it)" : ""),
             "work on fewer tiles a section");
    size_to(s.tiles, i + 1 > 1 ? c.capacity : 1);
    if (s.tiles.size() < static_cast<size_t>(c.capacity)) s.tiles.resize(c.capacity);
    *written = &s.written[i];
    return s.tiles[i];
}

void clear(Tile& tile) { std::memset(&tile, 0, sizeof tile); }

// A slot that an accumulating operation adds to: fresh ones count as zero.
Tile& accumulator(Thread* t, uint32_t i, const char* what, Op op, bool preload) {
    uint8_t* written;
    Tile& tile = dst_slot(t, i, what, &written);
    if (!*written) clear(tile);
    else if (!preload && *written != static_cast<uint8_t>(op))
        fail("EMU308", format("%s adds to DST tile %u, which %s has written", what, i, op_name(static_cast<Op>(*written))),
             "use a fresh DST index: this operation accumulates, it does not overwrite");
    *written = static_cast<uint8_t>(op);
    return tile;
}
Tile& overwritten(Thread* t, uint32_t i, const char* what, Op op) {
    uint8_t* written;
    Tile& tile = dst_slot(t, i, what, &written);
    *written = static_cast<uint8_t>(op);
    return tile;
}
Tile& existing(Thread* t, uint32_t i, const char* what) {
    uint8_t* written;
    Tile& tile = dst_slot(t, i, what, &written);
    if (!*written) fail("EMU309", format("%s reads DST tile %u, which nothing has written in this section", what, i), "compute or copy a tile there first");
    return tile;
}

num::Fidelity fidelity(const Thread* t) {
    switch (t->kernel->fidelity) {
        case 0: return num::Fidelity::LoFi;
        case 2: return num::Fidelity::HiFi2;
        case 3: return num::Fidelity::HiFi3;
        default: return num::Fidelity::HiFi4;
    }
}
num::Bin bin(int op) { return op == 0 ? num::Bin::Mul : op == 2 ? num::Bin::Add : num::Bin::Sub; }
num::Bcast bcast_of(int b) { return b == 0 ? num::Bcast::None : b == 1 ? num::Bcast::Col : b == 2 ? num::Bcast::Row : num::Bcast::Scalar; }

void tally(Op op, uint64_t n = 1) { g.ops[static_cast<int>(op)] += n; }

void acquire(Thread* t) {
    Compute& c = t->core->compute;
    if (c.math_open) fail("EMU302", "tile_regs_acquire inside a section that is already acquired", "commit before acquiring again");
    block(Wait::DstFree);
    c.math_open = true;
    std::memset(c.section[c.math_section].written, 0, 16);
    std::memset(c.section[c.math_section].origin, 0, 16);
    std::memset(c.section[c.math_section].high_half, 0, 16);
}
void commit(Thread* t) {
    Compute& c = t->core->compute;
    if (!c.math_open) fail("EMU302", "tile_regs_commit without tile_regs_acquire", "the order is acquire, math, commit, wait, pack, release");
    c.math_open = false;
    c.math_section = (c.math_section + 1) % c.sections;
    ++c.committed;
    wake(t->core);
}
void regs_wait(Thread* t) {
    Compute& c = t->core->compute;
    if (c.pack_open) fail("EMU302", "tile_regs_wait inside a section that is already being packed", "release before waiting again");
    block(Wait::DstReady);
    c.pack_open = true;
}
void release(Thread* t) {
    Compute& c = t->core->compute;
    if (!c.pack_open) fail("EMU302", "tile_regs_release without tile_regs_wait", "the order is acquire, math, commit, wait, pack, release");
    c.pack_open = false;
    c.pack_section = (c.pack_section + 1) % c.sections;
    --c.committed;
    wake(t->core);
}

Tile& packed_slot(Thread* t, uint32_t i, const char* what) {
    Compute& c = t->core->compute;
    need_start(t, what);
    if (!c.pack_open) fail("EMU304", format("%s outside tile_regs_wait ... tile_regs_release", what), "the pack thread owns DST only between wait and release");
    if (i >= static_cast<uint32_t>(c.capacity))
        fail("EMU301", format("%s: DST index %u, but a section holds %d tiles", what, i, c.capacity), "work on fewer tiles a section");
    Section& s = c.section[c.pack_section];
    if (!s.written[i]) fail("EMU309", format("%s: DST tile %u, which nothing has written in this section", what, i), "pack only what the section computed");
    return s.tiles[i];
}

void need_pack_format(Thread* t, uint32_t cb, const char* what) {
    const uint8_t want = cb_of(t->core, cb).fmt, have = t->core->compute.pack_fmt;
    if (want != have)
        fail("EMU307", format("%s: the packer is set up for %s, circular buffer %u holds %s", what, format_name(have), cb, format_name(want)),
             "call pack_reconfig_data_format when the output format changes");
}

// Address of page `index` at the back of a circular buffer, which must be reserved.
uint32_t back_page(Thread* t, uint32_t id, uint32_t index, const char* what) {
    const Cb& cb = cb_of(t->core, id);
    if (index >= cb.reserved)
        fail("EMU111", format("%s: page %u of circular buffer %u, of which %u pages are reserved", what, index, id, cb.reserved),
             "call cb_reserve_back for all the tiles that are packed before cb_push_back");
    const uint32_t at = cb.wr[PACK] + index * cb.page;
    if (at + cb.page > cb.limit)
        fail("EMU112", format("%s: page %u of circular buffer %u lies past the end of the buffer", what, index, id), "blocks must not straddle the end of the buffer");
    return at;
}

// Poison that a tile brought along keeps its origin in L1.
void name_origin(uint8_t* shadow, size_t n, uint8_t origin) {
    if (origin)
        for (size_t i = 0; i < n; ++i)
            if (shadow[i] == SHADOW_COMPUTED) shadow[i] = origin;
}

void pack_at(Thread* t, uint32_t dst, const Tile& tile, uint32_t id, uint32_t index, const char* what) {
    Compute& c = t->core->compute;
    need_pack_format(t, id, what);
    const Cb& cb = cb_of(t->core, id);
    const uint32_t at = back_page(t, id, index, what);
    const uint32_t bytes = num::tile_bytes(static_cast<num::Fmt>(cb.fmt));
    if (bytes != cb.page)
        fail("EMU307", format("%s: pages of circular buffer %u have %u bytes, a tile of %s has %u", what, id, cb.page, format_name(cb.fmt), bytes),
             "give the circular buffer the tile size of its format");
    if (c.l1_acc && any_nonzero(t->core->shadow + at, bytes) && t->core->shadow[at] == cb.origin)
        fail("EMU311", format("%s: adds to page %u of circular buffer %u, which nobody has written", what, index, id),
             "call pack_reconfig_l1_acc(0) for the first pack of an accumulation, and again after the last");
    if (cb.fmt == UINT16 && t->kernel->fp32 && !c.section[c.pack_section].high_half[dst])
        fail("EMU313", format("%s: DST tile %u holds UInt16 in the low half of 32-bit words; the packer reads the high half", what, dst),
             "in a 32-bit DST pack only what typecast_tile has converted to UInt16, or use a 16-bit DST");
    num::PackOpts opts;
    opts.l1_acc = c.l1_acc != 0;
    opts.relu_mode = static_cast<num::Relu>(c.relu);
    opts.relu_threshold = c.relu_threshold;
    if (c.reduce_mask >= 0) opts.mask = c.reduce_mask == 0 ? num::EdgeMask::Column0 : c.reduce_mask == 1 ? num::EdgeMask::Row0 : num::EdgeMask::Corner;
    num::pack(static_cast<num::Fmt>(cb.fmt), tile, t->core->l1 + at, t->core->shadow + at, opts);
    name_origin(t->core->shadow + at, bytes, c.section[c.pack_section].origin[dst]);
    ++g.packs;
}

// typecast_tile: "for input or output to be UInt32 or Int32, Dest must be in 32 bit mode". (Float32 too, but that only rounds.)
bool needs_wide(uint32_t fmt) { return fmt == 8 || fmt == 24; }

uint32_t element_bytes(uint8_t fmt, const char* what) {
    switch (fmt) {
        case 0: case 8: case 24: return 4;
        case 5: case 9: return 2;
        default: fail("EMU306", format("%s: row-major data in %s", what, format_name(fmt)), "row-major data is Float32, Float16_b or an integer format");
    }
}
}  // namespace

extern "C" {
void emu_hw_startup(uint32_t a, uint32_t b, uint32_t out) {
    Thread* t = compute_thread(__builtin_return_address(0), "compute_kernel_hw_startup");
    Compute& c = t->core->compute;
    const int i = index_of(t);
    if (c.started[i]) fail("EMU310", "compute_kernel_hw_startup is called a second time", "call it once, first; use reconfig_data_format and pack_reconfig_data_format later");
    c.started[i] = true;
    c.fmt_a[i] = cb_of(t->core, a).fmt;
    c.fmt_b[i] = cb_of(t->core, b).fmt;
    if (t->proc == PACK) c.pack_fmt = cb_of(t->core, out).fmt;
}
void emu_acquire() {
    Thread* t = compute_thread(__builtin_return_address(0), "tile_regs_acquire");
    if (t->proc == MATH) acquire(t);
}
void emu_commit() {
    Thread* t = compute_thread(__builtin_return_address(0), "tile_regs_commit");
    if (t->proc == MATH) commit(t);
}
void emu_regs_wait() {
    Thread* t = compute_thread(__builtin_return_address(0), "tile_regs_wait");
    if (t->proc == PACK) regs_wait(t);
}
void emu_release() {
    Thread* t = compute_thread(__builtin_return_address(0), "tile_regs_release");
    if (t->proc == PACK) release(t);
}

void emu_reconfig(int32_t a, int32_t b, int32_t old_a, int32_t old_b) {
    Thread* t = compute_thread(__builtin_return_address(0), "reconfig_data_format");
    if (t->proc == PACK) return;
    need_start(t, "reconfig_data_format");
    Compute& c = t->core->compute;
    const int i = index_of(t);
    // the forms with an old operand do nothing where old and new format are equal
    if (a >= 0 && (old_a < 0 || cb_of(t->core, old_a).fmt != cb_of(t->core, a).fmt)) c.fmt_a[i] = cb_of(t->core, a).fmt;
    if (b >= 0 && (old_b < 0 || cb_of(t->core, old_b).fmt != cb_of(t->core, b).fmt)) c.fmt_b[i] = cb_of(t->core, b).fmt;
}
void emu_pack_reconfig(int32_t out, int32_t old) {
    Thread* t = compute_thread(__builtin_return_address(0), "pack_reconfig_data_format");
    if (t->proc != PACK) return;
    need_start(t, "pack_reconfig_data_format");
    if (old < 0 || cb_of(t->core, old).fmt != cb_of(t->core, out).fmt) t->core->compute.pack_fmt = cb_of(t->core, out).fmt;
}
void emu_pack_init(uint32_t) {
    Thread* t = compute_thread(__builtin_return_address(0), "pack_init");
    if (t->proc == PACK) t->core->compute.setup[2] = Setup{};
}
void emu_pack_l1_acc(uint32_t on) {
    Thread* t = compute_thread(__builtin_return_address(0), "pack_reconfig_l1_acc");
    if (t->proc != PACK) return;
    t->core->compute.l1_acc = on;
    t->core->compute.l1_acc_pc = t->pc;
}
void emu_pack_relu(uint32_t mode, uint32_t threshold) {
    Thread* t = compute_thread(__builtin_return_address(0), "pack_relu_config");
    if (t->proc != PACK) return;
    t->core->compute.relu = mode;
    const uint32_t bits = threshold << 16;
    std::memcpy(&t->core->compute.relu_threshold, &bits, 4);
}
void emu_pack_tile(uint32_t dst, uint32_t cb, uint32_t index, bool out_of_order) {
    Thread* t = compute_thread(__builtin_return_address(0), "pack_tile");
    if (t->proc != PACK) return;
    Tile& tile = packed_slot(t, dst, "pack_tile");
    if (t->core->compute.setup[2].op == Op::Untilize)
        fail("EMU305", "pack_tile while the packer is set up for pack_untilize", "call pack_untilize_uninit first");
    pack_at(t, dst, tile, cb, out_of_order ? index : cb_of(t->core, cb).pack_offset++, "pack_tile");
}

// ---- matmul
void emu_matmul_init(uint32_t in0, uint32_t in1, uint32_t transpose, uint32_t ct, uint32_t rt, uint32_t kt) {
    Thread* t = compute_thread(__builtin_return_address(0), "matmul_init");
    if (t->proc == PACK) return;
    need_start(t, "matmul_init");
    cb_of(t->core, in0);
    cb_of(t->core, in1);
    Setup s;
    s.op = Op::Matmul;
    s.a = transpose != 0;
    s.ct = ct;
    s.rt = rt;
    s.kt = t->proc == UNPACK ? kt : 0;
    set_setup(t, s);
    if (t->proc == MATH) t->core->compute.recorded = nullptr;
}

static void matmul(Thread* t, uint32_t in0, uint32_t in1, uint32_t i0, uint32_t i1, uint32_t dst, int transpose, uint32_t ct, uint32_t rt,
                   uint32_t kt, const char* what) {
    if (t->proc == PACK) return;
    Setup s;
    s.op = Op::Matmul;
    s.a = transpose >= 0 ? transpose != 0 : t->core->compute.setup[index_of(t)].a;
    s.ct = ct;
    s.rt = rt;
    s.kt = t->proc == UNPACK ? kt : 0;
    need_setup(t, s, what);
    need_float(t, in0, what);
    need_float(t, in1, what);
    need_formats(t, in1, in0, what);
    if (t->proc == UNPACK) {
        SrcEntry& e = src_give(t);
        size_to(e.a, rt);
        size_to(e.b, ct);
        for (uint32_t r = 0; r < rt; ++r) {
            unpack_page(t, in0, i0 + r * kt, e.a[r], e.origin, what);
            num::to_src(e.a[r]);
        }
        for (uint32_t c = 0; c < ct; ++c) {
            unpack_page(t, in1, i1 + c, e.b[c], e.origin, what);
            num::to_src(e.b[c]);
        }
        src_given(t);
        return;
    }
    if (t->core->compute.recorded)
        fail("EMU315", format("%s runs over instructions that %s has recorded over the matmul's own", what, t->core->compute.recorded),
             "call matmul_init (or matmul_block_init) again after it: both use the replay buffer");
    open_section(t, what);
    SrcEntry& e = src_take(t);
    for (uint32_t r = 0; r < rt; ++r)
        for (uint32_t c = 0; c < ct; ++c)
            num::matmul(e.a[r], e.b[c], s.a, fidelity(t), t->kernel->fp32, accumulator(t, dst + r * ct + c, what, Op::Matmul, true));
    tally(Op::Matmul, uint64_t(rt) * ct);
    src_taken(t, dst, rt * ct);
}
void emu_matmul(uint32_t in0, uint32_t in1, uint32_t i0, uint32_t i1, uint32_t dst) {
    matmul(compute_thread(__builtin_return_address(0), "matmul_tiles"), in0, in1, i0, i1, dst, -1, 1, 1, 1, "matmul_tiles");
}
void emu_matmul_block(uint32_t in0, uint32_t in1, uint32_t i0, uint32_t i1, uint32_t dst, uint32_t transpose, uint32_t ct, uint32_t rt, uint32_t kt) {
    matmul(compute_thread(__builtin_return_address(0), "matmul_block"), in0, in1, i0, i1, dst, transpose != 0, ct, rt, kt, "matmul_block");
}

// ---- elementwise and broadcast
void emu_binary_init(int op, int bcast, uint32_t a, uint32_t b, bool acc) {
    Thread* t = compute_thread(__builtin_return_address(0), "elementwise init");
    if (t->proc == PACK) return;
    need_start(t, "elementwise init");
    cb_of(t->core, a);
    cb_of(t->core, b);
    Setup s;
    s.op = Op::Binary;
    s.a = op;
    s.b = bcast;
    set_setup(t, s);
    t->core->compute.setup[index_of(t)].kt = 0;
    t->core->compute.setup[index_of(t)].c = acc && op != 0;
}
void emu_binary(int op, int bcast, uint32_t a, uint32_t b, uint32_t ia, uint32_t ib, uint32_t dst, uint32_t bcast_row) {
    Thread* t = compute_thread(__builtin_return_address(0), "elementwise operation");
    if (t->proc == PACK) return;
    char what[40];
    std::snprintf(what, sizeof what, "%s_tiles%s", binary_name(op), bcast_name(bcast));
    if (bcast_row) fail("EMU900", format("not emulated: %s with bcast_row_idx other than 0", what), "broadcast row 0");
    Setup s;
    s.op = Op::Binary;
    s.a = op;
    s.b = bcast;
    s.c = t->core->compute.setup[index_of(t)].c;
    need_setup(t, s, what);
    need_float(t, a, what);
    need_float(t, b, what);
    need_formats(t, a, b, what);
    if (t->proc == UNPACK) {
        SrcEntry& e = src_give(t);
        size_to(e.a, 1);
        size_to(e.b, 1);
        unpack_page(t, a, ia, e.a[0], e.origin, what);
        unpack_page(t, b, ib, e.b[0], e.origin, what);
        num::to_src(e.a[0]);
        num::to_src(e.b[0]);
        src_given(t);
        return;
    }
    open_section(t, what);
    SrcEntry& e = src_take(t);
    const bool acc = s.c || op == 0;
    Tile& d = acc ? accumulator(t, dst, what, Op::Binary, s.c) : overwritten(t, dst, what, Op::Binary);
    num::eltwise(bin(op), bcast_of(bcast), e.a[0], e.b[0], fidelity(t), t->kernel->fp32, acc, d);
    tally(Op::Binary);
    src_taken(t, dst);
}
void emu_reuse_dest_init(int op, int reuse, uint32_t cb) {
    Thread* t = compute_thread(__builtin_return_address(0), "reuse_dest_init");
    if (t->proc == PACK) return;
    need_start(t, "reuse_dest_init");
    cb_of(t->core, cb);
    Setup s;
    s.op = Op::ReuseDest;
    s.a = op;
    s.b = reuse;
    set_setup(t, s);
}
void emu_reuse_dest(int op, int reuse, uint32_t cb, uint32_t i, uint32_t dst) {
    Thread* t = compute_thread(__builtin_return_address(0), "reuse_dest_tiles");
    if (t->proc == PACK) return;
    char what[40];
    std::snprintf(what, sizeof what, "%s_reuse_dest_tiles", binary_name(op));
    Setup s;
    s.op = Op::ReuseDest;
    s.a = op;
    s.b = reuse;
    need_setup(t, s, what);
    need_float(t, cb, what);
    // the tile from the circular buffer goes to the source that DST does not take
    if (reuse == 1) need_formats(t, -1, cb, what);
    else need_formats(t, cb, -1, what);
    if (t->proc == UNPACK) {
        SrcEntry& e = src_give(t);
        size_to(e.a, 1);
        unpack_page(t, cb, i, e.a[0], e.origin, what);
        num::to_src(e.a[0]);
        src_given(t);
        return;
    }
    open_section(t, what);
    SrcEntry& e = src_take(t);
    Tile& d = existing(t, dst, what);
    Tile old = d;
    num::to_src(old);
    clear(d);
    num::eltwise(bin(op), num::Bcast::None, reuse == 1 ? old : e.a[0], reuse == 1 ? e.a[0] : old, fidelity(t), t->kernel->fp32, false, d);
    overwritten(t, dst, what, Op::ReuseDest);
    tally(Op::ReuseDest);
    src_taken(t, dst);
}

// ---- moves
// Whether the unpacker writes 32-bit tiles into DST itself: other instructions than those for SrcA (llk_unpack_A.h).
static bool goes_into_dst(const Thread* t, uint32_t cb) {
    const Cb& buffer = cb_of(t->core, cb);
    return buffer.unpack_fp32 || buffer.fmt == 8 || buffer.fmt == 24;
}
static void move_init(const void* pc, Op op, uint8_t a, uint32_t cb, const char* what) {
    Thread* t = compute_thread(pc, what);
    if (t->proc == PACK) return;
    need_start(t, what);
    Setup s;
    s.op = op;
    s.a = a;
    s.b = goes_into_dst(t, cb);
    set_setup(t, s);
}
static void move(const void* pc, Op op, int a, uint32_t cb, uint32_t i, uint32_t dst, const char* what) {
    Thread* t = compute_thread(pc, what);
    if (t->proc == PACK) return;
    Setup s;
    s.op = op;
    s.a = a >= 0 ? a : t->core->compute.setup[index_of(t)].a;
    s.b = goes_into_dst(t, cb);
    need_setup(t, s, what);
    const bool exact = cb_of(t->core, cb).unpack_fp32;
    // A broadcast goes through SrcB, 32-bit formats through unpacker A straight into DST (unary_bcast_init).
    if (op == Op::UnaryBcast && !exact) need_formats(t, -1, cb, what);
    else need_formats(t, cb, -1, what);
    if (t->proc == UNPACK) {
        SrcEntry& e = src_give(t);
        size_to(e.a, 1);
        unpack_page(t, cb, i, e.a[0], e.origin, what);
        const uint8_t fmt = cb_of(t->core, cb).fmt;
        if (!exact && fmt != 8 && fmt != 9 && fmt != 24) num::to_src(e.a[0]);
        src_given(t);
        return;
    }
    open_section(t, what);
    SrcEntry& e = src_take(t);
    Tile& d = overwritten(t, dst, what, op);
    t->core->compute.section[t->core->compute.math_section].high_half[dst] = 0;
    const uint8_t fmt = cb_of(t->core, cb).fmt;
    const bool integer = fmt == 8 || fmt == 9 || fmt == 24;
    if ((fmt == 8 || fmt == 24) && !t->kernel->fp32)
        fail("EMU306", format("%s: %s needs 32-bit DST", what, format_name(fmt)), "set fp32_dest_acc_en in the kernel's config");
    if (op == Op::Transpose || (op == Op::Copy && s.a)) {
        num::transpose(e.a[0], d);
    } else if (op == Op::UnaryBcast) {
        const Tile& x = e.a[0];
        for (int r = 0; r < 32; ++r)
            for (int c = 0; c < 32; ++c) {
                const int from = s.a == 1 ? r * 32 : s.a == 2 ? c : s.a == 3 ? 0 : r * 32 + c;
                d.u[r * 32 + c] = x.u[from];
                d.poison[r * 32 + c] = x.poison[from];
            }
    } else {
        d = e.a[0];
    }
    if (!integer) num::round_dst(d, t->kernel->fp32);
    tally(op);
    src_taken(t, dst);
}
void emu_copy_init(uint32_t cb, uint32_t transpose) { move_init(__builtin_return_address(0), Op::Copy, transpose != 0, cb, "copy_init"); }
void emu_copy(uint32_t cb, uint32_t i, uint32_t dst) { move(__builtin_return_address(0), Op::Copy, -1, cb, i, dst, "copy_tile"); }
void emu_transpose_init(uint32_t cb) { move_init(__builtin_return_address(0), Op::Transpose, 0, cb, "transpose_init"); }
void emu_transpose(uint32_t cb, uint32_t i, uint32_t dst) { move(__builtin_return_address(0), Op::Transpose, 0, cb, i, dst, "transpose_tile"); }
void emu_unary_bcast_init(int bcast, uint32_t cb) { move_init(__builtin_return_address(0), Op::UnaryBcast, bcast, cb, "unary_bcast_init"); }
void emu_unary_bcast(int bcast, uint32_t cb, uint32_t i, uint32_t dst) {
    move(__builtin_return_address(0), Op::UnaryBcast, bcast, cb, i, dst, "unary_bcast");
}
void emu_transpose_dest_init() {
    Thread* t = compute_thread(__builtin_return_address(0), "transpose_dest_init");
    if (t->proc == PACK) return;
    Setup s;
    s.op = Op::TransposeDest;
    set_setup(t, s);
}
void emu_transpose_dest(uint32_t dst) {
    Thread* t = compute_thread(__builtin_return_address(0), "transpose_dest");
    if (t->proc != MATH) return;
    Setup s;
    s.op = Op::TransposeDest;
    need_setup(t, s, "transpose_dest");
    Tile& d = existing(t, dst, "transpose_dest");
    const Tile old = d;
    num::transpose(old, d);
    tally(Op::TransposeDest);
}
void emu_copy_dest_init() {
    Thread* t = compute_thread(__builtin_return_address(0), "copy_dest_values_init");
    if (t->proc == MATH) t->core->compute.sfpu_init = 2000;
}
void emu_copy_dest(uint32_t from, uint32_t to) {
    Thread* t = compute_thread(__builtin_return_address(0), "copy_dest_values");
    if (t->proc != MATH) return;
    if (t->core->compute.sfpu_init != 2000) fail("EMU305", "copy_dest_values under another operation's init", "call copy_dest_values_init before it");
    const Tile old = existing(t, from, "copy_dest_values");
    overwritten(t, to, "copy_dest_values", Op::CopyDest) = old;
    Section& section = t->core->compute.section[t->core->compute.math_section];
    section.origin[to] = section.origin[from];
    section.high_half[to] = section.high_half[from];
    tally(Op::CopyDest);
}

void emu_not_emulated(const char* what, const char* help) {
    Thread* t = compute_thread(__builtin_return_address(0), what);
    fail("EMU900", format("not emulated: %s", what), help, t);
}

// ---- reduce
void emu_reduce_init(int pool, int dim, uint32_t in, uint32_t scaler, uint32_t out) {
    Thread* t = compute_thread(__builtin_return_address(0), "reduce_init");
    need_start(t, "reduce_init");
    if (pool == 3) fail("EMU900", "not emulated: reduce with PoolType::MIN", "use -max(-x), or sfpu_reduce");
    cb_of(t->core, out);
    if (t->proc == PACK) {
        t->core->compute.reduce_mask = dim;
        return;
    }
    Setup s;
    s.op = Op::Reduce;
    s.a = pool;
    s.b = dim;
    set_setup(t, s);
    cb_of(t->core, in);
    cb_of(t->core, scaler);
}
void emu_reduce_uninit() {
    Thread* t = compute_thread(__builtin_return_address(0), "reduce_uninit");
    if (t->proc == PACK) t->core->compute.reduce_mask = -1;
    else set_setup(t, Setup{});
}
void emu_reduce(int pool, int dim, uint32_t in, uint32_t scaler, uint32_t i, uint32_t is, uint32_t dst) {
    Thread* t = compute_thread(__builtin_return_address(0), "reduce_tile");
    if (t->proc == PACK) return;
    Setup s;
    s.op = Op::Reduce;
    s.a = pool;
    s.b = dim;
    need_setup(t, s, "reduce_tile");
    // SUM and AVG over rows of numbers swap the operands: the scaler goes to SrcA
    need_float(t, in, "reduce_tile");
    if (dim == 0 && pool != 2) need_formats(t, scaler, in, "reduce_tile");
    else need_formats(t, in, scaler, "reduce_tile");
    if (t->proc == UNPACK) {
        SrcEntry& e = src_give(t);
        size_to(e.a, 1);
        size_to(e.b, 1);
        unpack_page(t, in, i, e.a[0], e.origin, "reduce_tile");
        unpack_page(t, scaler, is, e.b[0], e.origin, "reduce_tile");
        num::to_src(e.a[0]);
        num::to_src(e.b[0]);
        src_given(t);
        return;
    }
    open_section(t, "reduce_tile");
    SrcEntry& e = src_take(t);
    uint8_t* written;
    Tile& d = dst_slot(t, dst, "reduce_tile", &written);
    const bool first = !*written;
    // a tile copied there before is a start value; what another operation left is a mistake
    accumulator(t, dst, "reduce_tile", Op::Reduce, *written == static_cast<uint8_t>(Op::Copy));
    num::reduce(pool == 0 ? num::Pool::Sum : pool == 1 ? num::Pool::Avg : num::Pool::Max,
                dim == 0 ? num::Dim::Row : dim == 1 ? num::Dim::Col : num::Dim::Scalar, e.a[0], e.b[0], fidelity(t), t->kernel->fp32, first, d);
    tally(Op::Reduce);
    src_taken(t, dst);
}

// ---- row-major in and out
void emu_tilize_init(uint32_t in, uint32_t block, uint32_t) {
    Thread* t = compute_thread(__builtin_return_address(0), "tilize_init");
    need_start(t, "tilize_init");
    if (t->proc == PACK) return;
    cb_of(t->core, in);
    Setup s;
    s.op = Op::Tilize;
    s.ct = t->proc == UNPACK ? block : 0;
    set_setup(t, s);
}
void emu_tilize_uninit(uint32_t, uint32_t) {
    Thread* t = compute_thread(__builtin_return_address(0), "tilize_uninit");
    if (t->proc != PACK) set_setup(t, Setup{});
}
void emu_tilize_block(uint32_t in, uint32_t block_tiles, uint32_t out, uint32_t in_index, uint32_t out_index) {
    Thread* t = compute_thread(__builtin_return_address(0), "tilize_block");
    const char* what = "tilize_block";
    if (t->proc == PACK) {
        for (uint32_t k = 0; k < block_tiles; ++k) {
            regs_wait(t);
            pack_at(t, 0, packed_slot(t, 0, what), out, k + out_index, what);
            release(t);
        }
        return;
    }
    Setup s;
    s.op = Op::Tilize;
    s.ct = t->proc == UNPACK ? block_tiles : 0;
    need_setup(t, s, what);
    need_formats(t, in, -1, what);
    const Cb& cb = cb_of(t->core, in);
    if (t->proc == UNPACK) {
        const uint32_t size = element_bytes(cb.fmt, what);
        for (uint32_t k = 0; k < block_tiles; ++k) {
            SrcEntry& e = src_give(t);
            size_to(e.a, 1);
            Tile& tile = e.a[0];
            const uint8_t* shadow;
            front_page(t, in, in_index + block_tiles - 1, what, cb.page, &shadow);
            const uint8_t* data = front_page(t, in, in_index, what, cb.page, &shadow);
            for (uint32_t r = 0; r < 32; ++r)
                for (uint32_t c = 0; c < 32; ++c) {
                    const size_t at = ((size_t(r) * block_tiles + k) * 32 + c) * size;
                    uint32_t bits = 0;
                    std::memcpy(&bits, data + at, size);
                    if (cb.fmt == 5) bits <<= 16;
                    tile.u[r * 32 + c] = bits;
                    uint8_t p = 0;
                    for (uint32_t b = 0; b < size; ++b) p = worse(p, shadow[at + b]);
                    tile.poison[r * 32 + c] = p != 0;
                    e.origin = worse(e.origin, p);
                }
            if (cb.fmt == 0 || cb.fmt == 5) num::to_src(tile);
            src_given(t);
        }
        return;
    }
    for (uint32_t k = 0; k < block_tiles; ++k) {
        acquire(t);
        SrcEntry& e = src_take(t);
        Tile& d = overwritten(t, 0, what, Op::Tilize);
        d = e.a[0];
        if (cb.fmt == 0 || cb.fmt == 5) num::round_dst(d, t->kernel->fp32);
        src_taken(t, 0);
        commit(t);
        tally(Op::Tilize);
    }
}

void emu_untilize_init(uint32_t in, uint32_t out, uint32_t block_ct, uint32_t full_ct, bool from_dest) {
    Thread* t = compute_thread(__builtin_return_address(0), "pack_untilize_init");
    need_start(t, "pack_untilize_init");
    cb_of(t->core, out);
    if (static_cast<int>(block_ct) > t->core->compute.capacity)
        fail("EMU301", format("pack_untilize with a block of %u tiles, but a DST section holds %d", block_ct, t->core->compute.capacity), "use a smaller block_ct_dim");
    Setup s;
    s.op = Op::Untilize;
    if (t->proc == PACK) {
        s.ct = block_ct;
        s.rt = full_ct;
    } else if (from_dest) {
        return;
    } else {
        cb_of(t->core, in);
    }
    set_setup(t, s);
}
void emu_untilize_uninit(uint32_t) {
    Thread* t = compute_thread(__builtin_return_address(0), "pack_untilize_uninit");
    if (t->proc == PACK || t->core->compute.setup[index_of(t)].op == Op::Untilize) set_setup(t, Setup{});
}

static void untilize_rows(Thread* t, uint32_t out, uint32_t row_of_tiles, uint32_t block_ct, uint32_t full_ct, uint32_t block_c, uint32_t dst0, const char* what) {
    Setup s;
    s.op = Op::Untilize;
    s.ct = block_ct;
    s.rt = full_ct;
    need_setup(t, s, what);
    need_pack_format(t, out, what);
    const Cb& cb = cb_of(t->core, out);
    const uint32_t size = element_bytes(cb.fmt, what);
    back_page(t, out, (row_of_tiles + 1) * full_ct - 1, what);
    const uint32_t base = back_page(t, out, row_of_tiles * full_ct, what);
    for (uint32_t k = 0; k < block_ct; ++k) {
        const Tile& tile = packed_slot(t, dst0 + k, what);
        // the packer's rounding is that of a tile in L1: pack, then spread the rows
        uint8_t data[4096], shadow[4096] = {};
        num::pack(static_cast<num::Fmt>(cb.fmt), tile, data, shadow, num::PackOpts{});
        name_origin(shadow, sizeof shadow, t->core->compute.section[t->core->compute.pack_section].origin[dst0 + k]);
        for (uint32_t r = 0; r < 32; ++r)
            for (uint32_t c = 0; c < 32; ++c) {
                const uint32_t face = (r / 16) * 2 + c / 16, from = (face * 256 + (r % 16) * 16 + c % 16) * size;
                const uint32_t to = base + ((r * full_ct + block_c * block_ct + k) * 32 + c) * size;
                std::memcpy(t->core->l1 + to, data + from, size);
                std::memcpy(t->core->shadow + to, shadow + from, size);
            }
        ++g.packs;
    }
}
void emu_untilize_block(uint32_t in, uint32_t rt, uint32_t out, uint32_t block_ct, uint32_t full_ct, uint32_t block_c) {
    Thread* t = compute_thread(__builtin_return_address(0), "pack_untilize_block");
    const char* what = "pack_untilize_block";
    for (uint32_t r = 0; r < rt; ++r) {
        if (t->proc == PACK) {
            regs_wait(t);
            untilize_rows(t, out, r, block_ct, full_ct, block_c, 0, what);
            release(t);
            continue;
        }
        Setup s;
        s.op = Op::Untilize;
        need_setup(t, s, what);
        need_formats(t, in, -1, what);
        if (t->proc == MATH) acquire(t);
        for (uint32_t c = 0; c < block_ct; ++c) {
            if (t->proc == UNPACK) {
                SrcEntry& e = src_give(t);
                size_to(e.a, 1);
                unpack_page(t, in, c, e.a[0], e.origin, what);
                const uint8_t fmt = cb_of(t->core, in).fmt;
                if (!cb_of(t->core, in).unpack_fp32 && fmt != 8 && fmt != 9 && fmt != 24) num::to_src(e.a[0]);
                src_given(t);
            } else {
                SrcEntry& e = src_take(t);
                Tile& d = overwritten(t, c, what, Op::Untilize);
                d = e.a[0];
                const uint8_t fmt = cb_of(t->core, in).fmt;
                if (fmt != 8 && fmt != 9 && fmt != 24) num::round_dst(d, t->kernel->fp32);
                src_taken(t, c);
                tally(Op::Untilize);
            }
        }
        if (t->proc == MATH) commit(t);
    }
}
void emu_untilize_dest(uint32_t out, uint32_t rt, uint32_t block_ct, uint32_t full_ct, uint32_t block_c, uint32_t dst_offset) {
    Thread* t = compute_thread(__builtin_return_address(0), "pack_untilize_dest");
    if (t->proc != PACK) return;
    for (uint32_t r = 0; r < rt; ++r) untilize_rows(t, out, r, block_ct, full_ct, block_c, dst_offset + r * block_ct, "pack_untilize_dest");
}

// ---- values to all threads
uint32_t emu_tile_address(uint32_t cb, uint32_t tile) {
    Thread* t = compute_thread(__builtin_return_address(0), "get_tile_address");
    Compute& c = t->core->compute;
    if (t->proc == UNPACK) {
        const uint8_t* shadow;
        const uint8_t* p = front_page(t, cb, tile, "get_tile_address", 4, &shadow);
        const uint32_t value = static_cast<uint32_t>(p - t->core->l1);
        for (auto& box : c.mailbox) box.push_back(value);
        wake(t->core);
        return value;
    }
    const int box = t->proc - MATH;
    block(Wait::Mailbox, box);
    const uint32_t value = c.mailbox[box].front();
    c.mailbox[box].pop_front();
    return value;
}
uint32_t emu_read_tile_value(uint32_t cb, uint32_t tile, uint32_t element) {
    Thread* t = compute_thread(__builtin_return_address(0), "read_tile_value");
    Compute& c = t->core->compute;
    if (t->proc == UNPACK) {
        const uint8_t* shadow;
        const uint8_t* p = front_page(t, cb, tile, "read_tile_value", element * 4 + 4, &shadow);
        if (any_nonzero(shadow + element * 4, 4))
            fail("EMU214", format("read_tile_value: nobody has written element %u (%s)", element, g.origins[shadow[element * 4]].c_str()), "write it first");
        uint32_t value;
        std::memcpy(&value, p + element * 4, 4);
        for (auto& box : c.mailbox) box.push_back(value);
        wake(t->core);
        return value;
    }
    const int box = t->proc - MATH;
    block(Wait::Mailbox, box);
    const uint32_t value = c.mailbox[box].front();
    c.mailbox[box].pop_front();
    return value;
}

// ---- vector unit
void emu_sfpu_init(uint32_t init, uint32_t variant) {
    Thread* t = compute_thread(__builtin_return_address(0), "SFPU init");
    if (t->proc != MATH) return;
    need_start(t, "SFPU init");
    t->core->compute.sfpu_init = init;
    t->core->compute.sfpu_variant = variant & 0xFFFF;
    // Both record 28 and more instructions from slot 0 of the replay buffer on; a matmul has its own from slot 16 on.
    if (init == static_cast<uint32_t>(num::SfpuOp::gcd)) t->core->compute.recorded = "gcd_tile_init";
    if (init == static_cast<uint32_t>(num::SfpuOp::exp) && (variant & 1) && !(variant >> 1 & 1))
        t->core->compute.recorded = "exp_tile_init without clamping";
}
static std::string init_name(uint32_t init) {
    switch (init) {
        case NO_INDEX: return "no SFPU init";
        case 1000: return "binop_with_scalar_tile_init";
        case 1001: return "rounding_op_tile_init";
        case 1002: return "binary_bitwise_tile_init";
        case 1003: return "sfpu_bcast_col_init";
        case 1004: return "sfpu_bcast_row_init";
        case 2000: return "copy_dest_values_init";
        default: return std::string(num::sfpu_name(static_cast<num::SfpuOp>(init))) + "_tile_init";
    }
}
void emu_sfpu(uint32_t op, uint32_t init, uint32_t variant, int32_t vector_mode, const uint32_t* dst, uint32_t num_in, uint32_t out,
              const uint32_t* params, uint32_t num_params) {
    Thread* t = compute_thread(__builtin_return_address(0), "SFPU operation");
    if (t->proc != MATH) return;
    const num::SfpuOp sf = static_cast<num::SfpuOp>(op);
    const std::string what = std::string(num::sfpu_name(sf)) + "_tile";
    need_start(t, what.c_str());
    Compute& c = t->core->compute;
    if (c.sfpu_init != init)
        fail("EMU312", format("%s runs under %s", what.c_str(), init_name(c.sfpu_init).c_str()),
             format("call %s before it: SFPU inits overwrite each other's constants", init_name(init).c_str()));
    if (c.sfpu_variant != (variant & 0xFFFF))
        fail("EMU312", format("%s has other template arguments than its init", what.c_str()), "give init and operation the same template arguments");
    if (vector_mode != 4) fail("EMU900", format("not emulated: %s with a vector mode other than RC", what.c_str()), "use VectorMode::RC");
    const bool typecast = sf == num::SfpuOp::typecast;
    if (t->kernel->fp32 && !typecast && num_params > 0 && num::sfpu_format(sf, params) == UINT16)
        fail("EMU313", format("%s on UInt16 in a 32-bit DST", what.c_str()), "compute on UInt16 in a 16-bit DST (fp32_dest_acc_en off), or convert it with typecast_tile");
    if (typecast && !t->kernel->fp32 && (needs_wide(params[0]) || needs_wide(params[1])))
        fail("EMU306", format("typecast_tile from %s to %s needs 32-bit DST", format_name(params[0]), format_name(params[1])), "set fp32_dest_acc_en in the kernel's config");
    if (typecast && t->kernel->fp32 && params[0] == UINT16 && c.section[c.math_section].high_half[dst[0]])
        fail("EMU313", "typecast_tile from UInt16 that another typecast_tile has left in the high half of 32-bit words", "pack it first");
    const Tile* more[2] = {nullptr, nullptr};
    static Tile x;
    if (sf == num::SfpuOp::fill || sf == num::SfpuOp::fill_int) {
        open_section(t, what.c_str());
        clear(x);
    } else {
        x = existing(t, dst[0], what.c_str());
    }
    for (uint32_t i = 1; i < num_in; ++i) more[i - 1] = &existing(t, dst[i], what.c_str());
    // Accurate, with results of 16 bits, it records 20 instructions (on Blackhole fewer).
    if (sf == num::SfpuOp::exp && !(variant & 1) && !t->kernel->fp32 && g.arch == "wormhole_b0") c.recorded = "exp_tile";
    Section& section = c.section[c.math_section];
    uint8_t origin = 0;
    for (uint32_t i = 0; i < num_in; ++i) origin = worse(origin, section.origin[dst[i]]);
    const bool approx = t->kernel->approx || (variant & 1) || (variant >> 16 & 1) || ((sf == num::SfpuOp::recip) && (variant >> 1 & 7) == 2);
    num::sfpu(sf, params, static_cast<int>(num_params), approx, t->kernel->fp32, g.numerics_seed, x, more[0], more[1]);
    uint8_t* written;
    Tile& d = dst_slot(t, out, what.c_str(), &written);
    d = x;
    section.origin[out] = origin;
    section.high_half[out] = typecast && params[1] == UINT16;
    *written = static_cast<uint8_t>(Op::Copy);
    ++g.sfpu_ops[op];
}
}
