// The NoC as an adversary: reads land at their barrier (or have landed at once, under the seed; their destination counts as
// undefined until the barrier), writes leave and land as late as barriers allow, increments have a channel of their own.
// Kept in order: transactions of one processor, NoC and channel that go to the same place; all multicasts of a channel.
#include <sys/mman.h>
#include <unistd.h>

#include "machine.h"

namespace emu {
namespace {
constexpr uint32_t DRAM_ROW = 61;  // our encoding of DRAM endpoints: x = bank, y = DRAM_ROW
int l1_fd = -1;
Core* window_owner = nullptr;

struct Address {
    uint32_t x, y;
    uint64_t local;
};
Address split(uint64_t a) { return {uint32_t(a >> 36) & 63, uint32_t(a >> 42) & 63, a & 0xFFFFFFFFFull}; }

Core* core_at(uint32_t x, uint32_t y, Thread* t, const void* pc, const char* what) {
    Core* core = g.by_virtual[y * 64 + x];
    if (core) return core;
    std::string help = "pass the virtual coordinates that the host gives (noc_x / noc_y arguments of the plan)";
    if (x < static_cast<uint32_t>(g.grid_x) && y < static_cast<uint32_t>(g.grid_y))
        help = format("(%u, %u) looks like a logical core; its virtual coordinates are (%d, %d): pass noc_x / noc_y arguments", x, y, g.vcols[x], g.vrows[y]);
    for (size_t i = 0; i < g.vcols.size(); ++i)
        for (size_t j = 0; j < g.vrows.size(); ++j)
            if (g.vcols[i] == static_cast<int>(x) && g.vrows[j] == static_cast<int>(y))
                help = format("core (%zu, %zu) has no kernel, circular buffer or tensor in this plan", i, j);
    fail("EMU207", format("%s: there is no core of this program at NoC coordinates (%u, %u)", what, x, y), help, t, pc);
}

Place resolve(uint64_t addr, uint32_t size, Thread* t, const void* pc, const char* what) {
    if (addr >> 63)
        fail("EMU207", format("%s: the address is a multicast rectangle, not one core", what), "use get_noc_addr for unicast transfers", t, pc);
    const Address a = split(addr);
    if (a.y == DRAM_ROW) {
        if (a.x >= g.dram_banks)
            fail("EMU207", format("%s: DRAM bank %u does not exist; there are %u", what, a.x, g.dram_banks), "bank ids run from 0 to the number of banks - 1", t, pc);
        for (Buffer& b : g.buffers)
            if (b.dram && a.local >= b.base && a.local < b.base + uint64_t(b.bank_bytes)) {
                const uint64_t at = a.local - b.base;
                if (at + size > b.bank_bytes)
                    fail("EMU206", format("%s: %u bytes at 0x%llx run past the end of tensor %s in DRAM bank %u", what, size, (unsigned long long)a.local, b.name.c_str(), a.x),
                         "check page index and size", t, pc);
                return {b.data[a.x] + at, b.shadow[a.x] + at, nullptr, &b, static_cast<uint32_t>(a.local)};
            }
        fail("EMU206", format("%s: DRAM address 0x%llx of bank %u belongs to no tensor", what, (unsigned long long)a.local, a.x),
             "a page index beyond the tensor, or a wrong base address", t, pc);
    }
    Core* core = core_at(a.x, a.y, t, pc, what);
    if (a.local < WINDOW_LOW || a.local + size > g.l1_bytes)
        fail("EMU206", format("%s: 0x%llx is no L1 address (size %u)", what, (unsigned long long)a.local, size), "check the address arithmetic", t, pc);
    const uint32_t at = static_cast<uint32_t>(a.local);
    return {core->l1 + at, core->shadow + at, core, nullptr, at};
}

Core* own_core(Thread* t) { return t->core; }

void check_processor(Thread* t, const char* what) {
    if (t->proc > NCRISC)
        fail("EMU213", format("%s: compute kernels have no NoC", what), "move data in a reader or writer kernel");
}

int noc_of(Thread* t, uint8_t noc) { return noc == 0xFF ? t->kernel->noc : noc & 1; }

void check_alignment(const Place& far, uint32_t near, bool read, const char* what) {
    const uint32_t need = far.core ? g.align_l1 : (read ? g.align_dram_read : g.align_dram_write);
    if ((far.addr ^ near) & (need - 1))
        fail("EMU205", format("%s: source and destination differ modulo %u: %s address 0x%x, local address 0x%x", what, need, far.core ? "L1" : "DRAM", far.addr, near),
             format("source and destination must be congruent modulo %u here: pad pages, or move the aligned superset through scratch and shift", need));
}

void count(const Place& far, Core* near, uint32_t size, bool read) {
    if (far.buffer) (read ? far.buffer->read_bytes : far.buffer->write_bytes) += size;
    else if (far.core != near) g.unicast_bytes += size;
}

void list(Queue& q) {
    if (q.index >= 0) return;
    q.index = static_cast<int>(g.busy.size());
    g.busy.push_back(&q);
}

void unlist(Queue& q) {
    if (!q.txns.empty() || q.index < 0) return;
    g.busy[q.index] = g.busy.back();
    g.busy[q.index]->index = q.index;
    g.busy.pop_back();
    q.index = -1;
}

Queue& queue_of(Thread* t, int noc, Channel channel) {
    Queue& q = t->core->queue[t->proc][noc][channel];
    q.core = t->core;
    q.proc = t->proc;
    q.noc = noc;
    return q;
}

void leave(Txn& x) {
    if (x.left) return;
    x.left = true;
    if (x.kind != TxnKind::Write && x.kind != TxnKind::Multicast) return;
    x.snapshot.resize(size_t(x.size) * 2);
    if (x.inline_value) {
        std::memcpy(x.snapshot.data(), &x.value, 4);
        std::memset(x.snapshot.data() + 4, 0, 4);
        return;
    }
    Core* core = own_core(x.thread);
    std::memcpy(x.snapshot.data(), core->l1 + x.src, x.size);
    std::memcpy(x.snapshot.data() + x.size, core->shadow + x.src, x.size);
}

template <typename F>
void for_rectangle(uint64_t a, F f) {
    uint32_t x0 = uint32_t(a >> 48) & 63, y0 = uint32_t(a >> 54) & 63, x1 = uint32_t(a >> 36) & 63, y1 = uint32_t(a >> 42) & 63;
    if (x0 > x1) std::swap(x0, x1);
    if (y0 > y1) std::swap(y0, y1);
    for (int cx : g.vcols)
        for (int cy : g.vrows)
            if (cx >= int(x0) && cx <= int(x1) && cy >= int(y0) && cy <= int(y1)) f(uint32_t(cx), uint32_t(cy));
}

void land_at(Core* core, uint32_t addr, Txn& x) {
    const char* what = x.kind == TxnKind::Multicast ? "multicast" : "NoC write";
    if (!x.semaphore) check_local_write(core, addr, x.size, x.thread, x.pc, what);
    std::memcpy(core->l1 + addr, x.snapshot.data(), x.size);
    std::memcpy(core->shadow + addr, x.snapshot.data() + x.size, x.size);
    wake(core);
}

void land(Txn& x) {
    switch (x.kind) {
        case TxnKind::Write: {
            const Place p = resolve(x.dst, x.size, x.thread, x.pc, "noc_async_write");
            if (p.core) {
                land_at(p.core, p.addr, x);
            } else {
                std::memcpy(p.data, x.snapshot.data(), x.size);
                std::memcpy(p.shadow, x.snapshot.data() + x.size, x.size);
            }
            break;
        }
        case TxnKind::Multicast: {
            const uint32_t addr = static_cast<uint32_t>(x.dst & 0xFFFFFFFFFull);
            for_rectangle(x.dst, [&](uint32_t vx, uint32_t vy) {
                Core* core = g.by_virtual[vy * 64 + vx];
                if (core == x.thread->core && !x.loopback) return;
                land_at(core, addr, x);
            });
            break;
        }
        case TxnKind::Increment: {
            const Place p = resolve(x.dst, 4, x.thread, x.pc, "noc_semaphore_inc");
            uint32_t value;
            std::memcpy(&value, p.data, 4);
            value += x.value;
            std::memcpy(p.data, &value, 4);
            wake(p.core);
            break;
        }
        case TxnKind::IncrementMulticast: {
            const uint32_t addr = static_cast<uint32_t>(x.dst & 0xFFFFFFFFFull);
            for_rectangle(x.dst, [&](uint32_t vx, uint32_t vy) {
                Core* core = g.by_virtual[vy * 64 + vx];
                if (core == x.thread->core) return;
                uint32_t value;
                std::memcpy(&value, core->l1 + addr, 4);
                value += x.value;
                std::memcpy(core->l1 + addr, &value, 4);
                wake(core);
            });
        }
    }
}

// A transaction may land when none before it in its queue goes to the same endpoint (multicasts: when it is the first).
bool may_land(const Queue& q, size_t index) {
    if (index == 0) return true;
    const Txn& x = q.txns[index];
    if (x.kind == TxnKind::Multicast || x.kind == TxnKind::IncrementMulticast) return false;
    for (size_t i = 0; i < index; ++i) {
        const Txn& y = q.txns[i];
        if (((y.dst ^ x.dst) >> 36) == 0) return false;
    }
    return true;
}

void land_index(Queue& q, size_t index) {
    for (size_t i = 0; i <= index; ++i) leave(q.txns[i]);  // they leave in order
    land(q.txns[index]);
    q.txns.erase(q.txns.begin() + index);
    unlist(q);
}

void drain(Queue& q) {
    while (!q.txns.empty()) {
        size_t index = random_below(static_cast<uint32_t>(q.txns.size() < 4 ? q.txns.size() : 4));
        while (!may_land(q, index)) --index;
        land_index(q, index);
    }
}

void take_time() {  // a barrier takes time: others may run first
    if (random_below(2)) yield();
}

void finish_reads(Core* core, std::vector<Read>& reads) {
    for (size_t left = reads.size(); left; --left) {
        const size_t i = left == 1 ? 0 : random_below(static_cast<uint32_t>(left));
        Read r = reads[i];
        reads[i] = reads[left - 1];
        const Place p = resolve(r.src, r.size, g.current, r.pc, "noc_async_read");
        if (!r.early) std::memcpy(core->l1 + r.dst, p.data, r.size);
        std::memcpy(core->shadow + r.dst, p.shadow, r.size);
    }
    reads.clear();
}

Channel channel_of(TxnKind k) {
    return k == TxnKind::Write ? UNICAST : k == TxnKind::Multicast ? MULTICAST : ATOMIC;
}

Txn& issue(Thread* t, int noc, TxnKind kind, uint32_t src, uint64_t dst, uint32_t size) {
    Queue& q = queue_of(t, noc, channel_of(kind));
    q.txns.emplace_back();
    Txn& x = q.txns.back();
    x.kind = kind;
    x.src = src;
    x.dst = dst;
    x.size = size;
    x.pc = t->pc;
    x.thread = t;
    list(q);
    if (kind == TxnKind::Write || kind == TxnKind::Multicast) {
        t->unacknowledged[noc] = t->pc;
        if (src) t->unflushed[noc].push_back({src, size});
    } else {
        t->unacknowledged_inc[noc] = t->pc;
    }
    return x;
}

uint32_t semaphore_at(const Core* core, uint64_t addr, const char* what) {
    const uint32_t id = static_cast<uint32_t>((addr - g.sem_base) / 16);
    if (addr < g.sem_base || addr >= g.sem_base + 16 * 16 || (addr - g.sem_base) % 16 || !core->semaphore[id])
        fail("EMU401", format("%s: 0x%llx is no semaphore of core (%d, %d)", what, (unsigned long long)addr, core->x, core->y),
             "take the address from get_semaphore(id) of a semaphore that the plan places on that core");
    return id;
}

void check_rectangle(Thread* t, int noc, uint64_t dst, uint32_t size, uint32_t num_dests, bool loopback, const char* what, bool semaphore) {
    if (!(dst >> 63))
        fail("EMU207", format("%s: the address is one core, not a rectangle", what), "use get_noc_multicast_addr for multicasts");
    const uint32_t x0 = uint32_t(dst >> 48) & 63, y0 = uint32_t(dst >> 54) & 63, x1 = uint32_t(dst >> 36) & 63, y1 = uint32_t(dst >> 42) & 63;
    const bool ascending = x0 <= x1 && y0 <= y1, descending = x0 >= x1 && y0 >= y1;
    if (!(noc == 0 ? ascending : descending))
        fail("EMU209", format("%s: rectangle (%u, %u) to (%u, %u) on NoC %d", what, x0, y0, x1, y1, noc),
             noc == 0 ? "on NoC 0 the start is the smaller corner" : "on NoC 1 the start is the larger corner: swap start and end (get_noc_multicast_addr does not)");
    uint32_t cores = 0;
    bool self = false;
    const uint32_t addr = static_cast<uint32_t>(dst & 0xFFFFFFFFFull);
    for_rectangle(dst, [&](uint32_t vx, uint32_t vy) {
        Core* core = core_at(vx, vy, t, t->pc, what);
        ++cores;
        self |= core == t->core;
        if (semaphore) semaphore_at(core, addr, what);
        else if (addr < WINDOW_LOW || addr + size > g.l1_bytes)
            fail("EMU206", format("%s: 0x%x is no L1 address", what, addr), "check the address arithmetic");
    });
    if (!cores) fail("EMU207", format("%s: no core lies in rectangle (%u, %u) to (%u, %u)", what, x0, y0, x1, y1), "pass virtual coordinates");
    const uint32_t others = cores - self;
    if (loopback) {
        if (!self)
            fail("EMU208", format("%s: the sender lies outside the rectangle, so nothing loops back", what), "use the form without loopback_src");
        if (num_dests != cores)
            fail("EMU208", format("%s: num_dests is %u, the rectangle has %u cores with the sender", what, num_dests, cores), "the loopback form counts the sender");
        if (num_dests == 1)
            fail("EMU208", format("%s: num_dests 1 may hang on the card", what), "do not multicast to yourself alone");
    } else {
        if (num_dests == 0) fail("EMU208", format("%s: num_dests is 0", what), "a multicast needs a receiver; skip it when there is none");
        if (num_dests != others)
            fail("EMU208", format("%s: num_dests is %u, the rectangle has %u receivers%s", what, num_dests, others, num_dests == cores ? ": the sender counted itself" : ""),
                 "num_dests counts the cores of the rectangle without the sender");
    }
    g.mcast_sent += semaphore ? 0 : size;
    g.mcast_delivered += semaphore ? 0 : uint64_t(size) * num_dests;
}

void need_no_link(Thread* t, int noc, const char* what) {
    for (int proc : {BRISC, NCRISC}) {
        const Thread* other = t->core->threads[proc];
        if (other && other->linked[noc])
            fail("EMU212", format("%s between a linked multicast and the transfer that closes the chain", what),
                 "end the chain with a linked=false multicast before anything else uses the NoC");
    }
}
// A multicast on that NoC: the next of this thread's chain, or the first of one.
void check_link(Thread* t, int noc, uint64_t dst, bool linked, const char* what) {
    const uint32_t rectangle = static_cast<uint32_t>(dst >> 36);
    if (!t->linked[noc]) need_no_link(t, noc, what);
    else if (t->linked_to[noc] != rectangle)
        fail("EMU212", format("%s to another rectangle than the linked multicast before it", what), "a chain keeps one path: end it with linked=false first");
    t->linked[noc] = linked;
    t->linked_to[noc] = rectangle;
    t->linked_pc = t->pc;
}
}  // namespace

bool deliver_one() {
    if (g.busy.empty()) return false;
    Queue& q = *g.busy[random_below(static_cast<uint32_t>(g.busy.size()))];
    size_t index = random_below(static_cast<uint32_t>(q.txns.size()));
    while (!may_land(q, index)) --index;
    if (!g.ready.empty() && !q.txns[index].left && random_below(2)) {
        for (size_t i = 0; i <= index; ++i) leave(q.txns[i]);
        return true;
    }
    land_index(q, index);
    return true;
}

void check_no_reads_in_flight(Core* core, uint32_t addr, uint32_t size) {
    for (auto& by_noc : core->reads)
        for (auto& reads : by_noc)
            for (const Read& r : reads)
                if (r.dst < addr + size && addr < r.dst + r.size)
                    fail("EMU201", "cb_push_back hands on pages whose NoC read may still be under way", "call noc_async_read_barrier before cb_push_back");
}

void check_no_unsent_writes(Core* core, uint32_t addr, uint32_t size) {
    for (int proc : {BRISC, NCRISC}) {
        if (!core->threads[proc]) continue;
        for (const auto& writes : core->threads[proc]->unflushed)
            for (const Unflushed& w : writes)
                if (w.src < addr + size && addr < w.src + w.size)
                    fail("EMU202", "cb_pop_front frees pages that a NoC write may not have read yet",
                         "call noc_async_writes_flushed (or noc_async_write_barrier) before cb_pop_front");
    }
}

void check_exit(Thread* t) {
    if (t->proc > NCRISC) {
        Compute& c = t->core->compute;
        if (t->proc == MATH && c.math_open) fail("EMU302", "the kernel ends between tile_regs_acquire and tile_regs_commit", "commit every section");
        if (t->proc == PACK && c.pack_open) fail("EMU302", "the kernel ends between tile_regs_wait and tile_regs_release", "release every section");
        if (t->proc == PACK && c.l1_acc) fail("EMU311", "the kernel ends with L1 accumulation on", "call pack_reconfig_l1_acc(0) after the last accumulating pack", t, c.l1_acc_pc);
        return;
    }
    for (int noc = 0; noc < 2; ++noc) {
        if (!t->core->reads[t->proc][noc].empty())
            fail("EMU201", format("the kernel ends with %zu NoC reads under way", t->core->reads[t->proc][noc].size()), "call noc_async_read_barrier after the last read", t,
                 t->core->reads[t->proc][noc].back().pc);
        if (t->linked[noc]) fail("EMU212", "the kernel ends inside a chain of linked multicasts", "the last multicast of a chain has linked=false", t, t->linked_pc);
        if (t->unacknowledged[noc])
            fail("EMU203", format("the kernel ends with writes on NoC %d not acknowledged", noc), "call noc_async_write_barrier before the kernel ends", t, t->unacknowledged[noc]);
        if (t->unacknowledged_inc[noc])
            fail("EMU204", format("the kernel ends with semaphore increments on NoC %d not acknowledged", noc), "call noc_async_atomic_barrier before the kernel ends", t,
                 t->unacknowledged_inc[noc]);
    }
}

// ---- L1 memory: one file, a slot for each core; kernels see their own core's slot at its device addresses.
void map_l1(Core* core) {
    if (l1_fd < 0) {
        l1_fd = memfd_create("l1", 0);
        if (l1_fd < 0 || ftruncate(l1_fd, off_t(256) << 21) != 0) {
            std::perror("memfd for L1");
            _exit(70);
        }
    }
    core->l1 = static_cast<uint8_t*>(mmap(nullptr, 1 << 21, PROT_READ | PROT_WRITE, MAP_SHARED, l1_fd, off_t(core->slot) << 21));
    core->shadow = static_cast<uint8_t*>(mmap(nullptr, 1 << 21, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (core->l1 == MAP_FAILED || core->shadow == MAP_FAILED) {
        std::perror("mapping L1");
        _exit(70);
    }
}

static void open_window(Core* core) {
    if (window_owner == core) return;
    void* at = mmap(reinterpret_cast<void*>(uintptr_t(WINDOW_LOW)), (1 << 21) - WINDOW_LOW, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, l1_fd,
                    (off_t(core->slot) << 21) + WINDOW_LOW);
    if (at == MAP_FAILED) {
        std::perror("mapping the L1 window");
        _exit(70);
    }
    window_owner = core;
}

// Called by the instrumentation of kernel texts before each load and store that may touch shared memory.
static void access(uintptr_t addr, uint32_t size, bool write, const void* pc) {
    Thread* t = g.current;
    if (addr >> 32) {  // the engine is position-independent: nothing of the host lies below 4 GiB
        const uintptr_t stack = reinterpret_cast<uintptr_t>(t->stack);
        if (write && (addr < stack || addr >= stack + STACK_BYTES)) {
            t->pc = pc;
            fail("EMU900", "not emulated: writing to a static or global variable (all cores would share it)", "keep state in local variables or in L1");
        }
        return;
    }
    t->pc = pc;
    if (addr < WINDOW_LOW || addr + size > g.l1_bytes)
        fail("EMU206", format("0x%llx is no L1 address", (unsigned long long)addr), "check the pointer arithmetic");
    const uint32_t at = static_cast<uint32_t>(addr);
    if (write || at != t->polled) {
        t->polled = write ? 0 : at;
        t->polls = 0;
    } else if (++t->polls % 32 == 0) {  // a loop that waits for a word to change
        yield();
    }
    open_window(t->core);
    if (write) {
        check_local_write(t->core, at, size, nullptr, nullptr, "store");
        std::memset(t->core->shadow + at, 0, size);
        if (at < g.l1_base) wake(t->core);
        return;
    }
    const Alloc* a = find_alloc(t->core, at);
    if (!a) fail("EMU206", format("load: L1 address 0x%x belongs to no circular buffer, tensor or semaphore", at), "check the pointer arithmetic");
    const uint8_t* s = t->core->shadow + at;
    for (uint32_t i = 0; i < size; ++i)
        if (s[i] == SHADOW_IN_FLIGHT)
            fail("EMU201", format("load from 0x%x: the NoC read into it may still be under way", at), "call noc_async_read_barrier before looking at the data");
        else if (s[i])
            fail("EMU214", format("load from 0x%x: nobody has written there (%s)", at, g.origins[s[i]].c_str()), "write it first, or wait for who writes it");
}
}  // namespace emu

using namespace emu;

extern "C" {
#define HOOK(n)                                                                                       \
    void __tsan_read##n(void* p) { access(uintptr_t(p), n, false, __builtin_return_address(0)); }      \
    void __tsan_write##n(void* p) { access(uintptr_t(p), n, true, __builtin_return_address(0)); }      \
    void __tsan_volatile_read##n(void* p) { access(uintptr_t(p), n, false, __builtin_return_address(0)); } \
    void __tsan_volatile_write##n(void* p) { access(uintptr_t(p), n, true, __builtin_return_address(0)); } \
    void __tsan_unaligned_read##n(void* p) { access(uintptr_t(p), n, false, __builtin_return_address(0)); } \
    void __tsan_unaligned_write##n(void* p) { access(uintptr_t(p), n, true, __builtin_return_address(0)); } \
    void __tsan_unaligned_volatile_read##n(void* p) { access(uintptr_t(p), n, false, __builtin_return_address(0)); } \
    void __tsan_unaligned_volatile_write##n(void* p) { access(uintptr_t(p), n, true, __builtin_return_address(0)); }
HOOK(1) HOOK(2) HOOK(4) HOOK(8) HOOK(16)
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_read_range(void* p, unsigned long n) { if (n) access(uintptr_t(p), uint32_t(n), false, __builtin_return_address(0)); }
void __tsan_write_range(void* p, unsigned long n) { if (n) access(uintptr_t(p), uint32_t(n), true, __builtin_return_address(0)); }
void __tsan_vptr_update(void*, void*) {}
void __tsan_vptr_read(void*) {}

void* emu_l1_access(uint32_t addr, uint32_t size, bool write) {
    access(addr, size, write, __builtin_return_address(0));
    return g.current->core->l1 + addr;
}
void emu_invalidate_l1() {
    EMU_ENTER();
    yield();
}

uint64_t emu_bank_addr(bool dram, uint32_t bank, uint64_t addr) {
    Thread* t = EMU_ENTER();
    if (dram) return (uint64_t(DRAM_ROW) << 42) | (uint64_t(bank) << 36) | addr;
    const uint32_t cores = static_cast<uint32_t>(g.grid_x * g.grid_y);
    if (bank >= cores) fail("EMU207", format("L1 bank %u does not exist; there are %u", bank, cores), "L1 banks are the cores, row by row", t);
    return (uint64_t(g.vrows[bank / g.grid_x]) << 42) | (uint64_t(g.vcols[bank % g.grid_x]) << 36) | addr;
}

uint64_t emu_interleaved_addr(bool dram, uint32_t base, uint32_t page_size, uint32_t page, uint32_t offset) {
    EMU_ENTER();
    const uint32_t align = dram ? g.align_dram_read : g.align_l1;
    const uint32_t stride = (page_size + align - 1) / align * align;
    const uint32_t banks = dram ? g.dram_banks : static_cast<uint32_t>(g.grid_x * g.grid_y);
    for (const Buffer& b : g.buffers)
        if (b.base == base && b.dram == dram) {
            if (page >= b.pages)
                fail("EMU206", format("page %u of tensor %s: it has %u pages", page, b.name.c_str(), b.pages), "check the page arithmetic and the number of tiles per core");
            break;
        }
    return emu_bank_addr(dram, page % banks, uint64_t(base) + uint64_t(page / banks) * stride + offset);
}

void emu_one_packet_check(uint32_t size) {
    EMU_ENTER();
    if (size > g.burst) fail("EMU210", format("a packet of %u bytes: the NoC's burst is %u", size, g.burst), "use the form without one_packet, which splits");
}

void emu_read(uint64_t src, uint32_t dst, uint32_t size, uint8_t noc_arg) {
    Thread* t = EMU_ENTER();
    check_processor(t, "noc_async_read");
    const int noc = noc_of(t, noc_arg);
    need_no_link(t, noc, "noc_async_read");
    if (!size) return;
    const Place p = resolve(src, size, t, t->pc, "noc_async_read");
    check_alignment(p, dst, true, "noc_async_read");
    check_local_write(t->core, dst, size, nullptr, nullptr, "noc_async_read");
    if (p.core && p.addr >= g.l1_base) {
        if (p.core == t->core) check_local_read(p.core, p.addr, size, nullptr, nullptr, "noc_async_read");
        else if (!find_alloc(p.core, p.addr))
            fail("EMU206", format("noc_async_read: L1 address 0x%x of core (%d, %d) belongs to nothing", p.addr, p.core->x, p.core->y), "check the address arithmetic");
    }
    count(p, t->core, size, true);
    Read r{src, dst, size, t->pc, random_below(2) == 0};
    // The source may be read at once: what is undefined then stays undefined, however late the transfer completes.
    if (any_nonzero(p.shadow, size)) r.early = false;
    if (r.early) std::memcpy(t->core->l1 + dst, p.data, size);
    std::memset(t->core->shadow + dst, SHADOW_IN_FLIGHT, size);
    t->core->reads[t->proc][noc].push_back(r);
    if (random_below(16) == 0) yield();
}

static void write_like(Thread* t, int noc, uint32_t src, uint64_t dst, uint32_t size, bool posted, const char* what) {
    check_processor(t, what);
    need_no_link(t, noc, what);
    if (!size) return;
    const Place p = resolve(dst, size, t, t->pc, what);
    check_alignment(p, src, false, what);
    check_local_read(t->core, src, size, nullptr, nullptr, what);
    for (uint32_t i = 0; i < size; i += 64)
        if (t->core->shadow[src + i] == SHADOW_IN_FLIGHT)
            fail("EMU201", format("%s: sends data whose NoC read may still be under way", what), "call noc_async_read_barrier before sending it on");
    count(p, t->core, size, false);
    Txn& x = issue(t, noc, TxnKind::Write, src, dst, size);
    x.posted = posted;
    if (posted) t->unacknowledged[noc] = nullptr;
    if (random_below(16) == 0) yield();
}

void emu_write(uint32_t src, uint64_t dst, uint32_t size, uint8_t noc, bool posted) {
    Thread* t = EMU_ENTER();
    write_like(t, noc_of(t, noc), src, dst, size, posted, "noc_async_write");
}

void emu_multicast(uint32_t src, uint64_t dst, uint32_t size, uint32_t num_dests, bool linked, bool loopback, uint8_t noc_arg) {
    Thread* t = EMU_ENTER();
    const char* what = loopback ? "noc_async_write_multicast_loopback_src" : "noc_async_write_multicast";
    check_processor(t, what);
    const int noc = noc_of(t, noc_arg);
    check_rectangle(t, noc, dst, size, num_dests, loopback, what, false);
    if ((src ^ static_cast<uint32_t>(dst)) & (g.align_l1 - 1))
        fail("EMU205", format("%s: source 0x%x and destination 0x%x differ modulo %u", what, src, static_cast<uint32_t>(dst), g.align_l1), "align both to 16 bytes");
    check_local_read(t->core, src, size, nullptr, nullptr, what);
    for (uint32_t i = 0; i < size; i += 64)
        if (t->core->shadow[src + i] == SHADOW_IN_FLIGHT)
            fail("EMU201", format("%s: sends data whose NoC read may still be under way", what), "call noc_async_read_barrier before sending it on");
    check_link(t, noc, dst, linked, what);
    Txn& x = issue(t, noc, TxnKind::Multicast, src, dst, size);
    x.loopback = loopback;
    if (random_below(4) == 0) yield();
}

void emu_read_set_state(uint64_t src, uint32_t size, uint8_t noc_arg) {
    Thread* t = EMU_ENTER();
    const int noc = noc_of(t, noc_arg);
    t->read_state[noc] = src;
    t->read_state_size[noc] = size;
    t->read_state_set[noc] = true;
}
void emu_read_with_state(uint32_t src, uint32_t dst, uint32_t size, uint8_t noc_arg) {
    Thread* t = EMU_ENTER();
    const void* pc = t->pc;
    const int noc = noc_of(t, noc_arg);
    if (!t->read_state_set[noc]) fail("EMU215", "a read with_state before any set_state on this NoC", "call the set_state form first");
    emu_read((t->read_state[noc] & ~0xFFFFFFFFull) | src, dst, size ? size : t->read_state_size[noc], noc);
    t->pc = pc;
}
void emu_write_set_state(uint64_t dst, uint32_t size, uint8_t noc_arg) {
    Thread* t = EMU_ENTER();
    const int noc = noc_of(t, noc_arg);
    t->write_state[noc] = dst;
    t->write_state_size[noc] = size;
    t->write_state_set[noc] = true;
}
void emu_write_with_state(uint32_t src, uint32_t dst, uint32_t size, uint8_t noc_arg) {
    Thread* t = EMU_ENTER();
    const int noc = noc_of(t, noc_arg);
    if (!t->write_state_set[noc]) fail("EMU215", "a write with_state before any set_state on this NoC", "call the set_state form first");
    write_like(t, noc, src, (t->write_state[noc] & ~0xFFFFFFFFull) | dst, size ? size : t->write_state_size[noc], false, "noc_async_write_with_state");
}

void emu_read_barrier(uint8_t noc_arg) {
    Thread* t = EMU_ENTER();
    check_processor(t, "noc_async_read_barrier");
    take_time();
    finish_reads(t->core, t->core->reads[t->proc][noc_of(t, noc_arg)]);
}
static void writes_done(Thread* t, int noc, bool acknowledged) {
    take_time();
    t->unflushed[noc].clear();
    if (acknowledged) t->unacknowledged[noc] = nullptr;
    for (int channel : {UNICAST, MULTICAST}) {
        Queue& q = t->core->queue[t->proc][noc][channel];
        if (acknowledged) drain(q);
        else
            for (Txn& x : q.txns) leave(x);
    }
}
void emu_write_barrier(uint8_t noc_arg) {
    Thread* t = EMU_ENTER();
    check_processor(t, "noc_async_write_barrier");
    need_no_link(t, noc_of(t, noc_arg), "noc_async_write_barrier");
    writes_done(t, noc_of(t, noc_arg), true);
}
void emu_writes_flushed(uint8_t noc_arg) {
    Thread* t = EMU_ENTER();
    check_processor(t, "noc_async_writes_flushed");
    writes_done(t, noc_of(t, noc_arg), false);
}
void emu_posted_flushed(uint8_t noc_arg) {
    Thread* t = EMU_ENTER();
    writes_done(t, noc_of(t, noc_arg), false);
}
void emu_atomic_barrier(uint8_t noc_arg) {
    Thread* t = EMU_ENTER();
    check_processor(t, "noc_async_atomic_barrier");
    take_time();
    t->unacknowledged_inc[noc_of(t, noc_arg)] = nullptr;
    drain(t->core->queue[t->proc][noc_of(t, noc_arg)][ATOMIC]);
}
void emu_full_barrier(uint8_t noc_arg) {
    Thread* t = EMU_ENTER();
    check_processor(t, "noc_async_full_barrier");
    const int noc = noc_of(t, noc_arg);
    need_no_link(t, noc, "noc_async_full_barrier");
    take_time();
    finish_reads(t->core, t->core->reads[t->proc][noc]);
    writes_done(t, noc, true);
    t->unacknowledged_inc[noc] = nullptr;
    drain(t->core->queue[t->proc][noc][ATOMIC]);
}

void emu_inline_write(uint64_t dst, uint32_t value, uint8_t noc_arg) {
    Thread* t = EMU_ENTER();
    check_processor(t, "noc_inline_dw_write");
    const Place p = resolve(dst, 4, t, t->pc, "noc_inline_dw_write");
    if (!p.core) fail("EMU206", "noc_inline_dw_write to DRAM", "inline writes go to L1 only");
    need_no_link(t, noc_of(t, noc_arg), "noc_inline_dw_write");
    Txn& x = issue(t, noc_of(t, noc_arg), TxnKind::Write, 0, dst, 4);
    x.inline_value = true;
    x.value = value;
    x.semaphore = p.addr < g.l1_base;
}

// ---- semaphores
uint32_t emu_get_semaphore(uint32_t id) {
    Thread* t = EMU_ENTER();
    if (id >= 16 || !t->core->semaphore[id])
        fail("EMU401", format("get_semaphore(%u): core (%d, %d) has no semaphore of this id", id, t->core->x, t->core->y), "add it to the plan's semaphores for this core");
    return g.sem_base + id * 16;
}
void emu_semaphore_wait(const volatile void* addr, uint32_t value, bool at_least) {
    Thread* t = EMU_ENTER();
    const uintptr_t a = reinterpret_cast<uintptr_t>(addr);
    semaphore_at(t->core, a, at_least ? "noc_semaphore_wait_min" : "noc_semaphore_wait");
    block(at_least ? Wait::SemaphoreMin : Wait::Semaphore, static_cast<uint32_t>(a), value);
}
void emu_semaphore_set(volatile void* addr, uint32_t value) {
    Thread* t = EMU_ENTER();
    const uintptr_t a = reinterpret_cast<uintptr_t>(addr);
    semaphore_at(t->core, a, "noc_semaphore_set");
    const uint64_t here = (uint64_t(t->core->vy) << 42) | (uint64_t(t->core->vx) << 36) | a;
    for (Queue* q : g.busy)
        for (const Txn& x : q->txns) {
            if (x.kind == TxnKind::Increment && x.dst == here)
                fail("EMU402", format("noc_semaphore_set while an increment from core (%d, %d) is under way: one of them is lost", x.thread->core->x, x.thread->core->y),
                     "set a semaphore only when every increment that is due has been waited for");
        }
    for (const auto& writes : t->unflushed)
        for (const Unflushed& w : writes)
            if (w.src == a)
                fail("EMU403", "noc_semaphore_set changes the value that a semaphore write may not have sent yet",
                     "call noc_async_writes_flushed before changing the local value");
    std::memcpy(t->core->l1 + a, &value, 4);
    wake(t->core);
}
void emu_semaphore_inc(uint64_t addr, uint32_t by, uint8_t noc_arg) {
    Thread* t = EMU_ENTER();
    check_processor(t, "noc_semaphore_inc");
    const Place p = resolve(addr, 4, t, t->pc, "noc_semaphore_inc");
    if (!p.core) fail("EMU401", "noc_semaphore_inc on a DRAM address", "semaphores are in L1");
    semaphore_at(p.core, p.addr, "noc_semaphore_inc");
    need_no_link(t, noc_of(t, noc_arg), "noc_semaphore_inc");
    issue(t, noc_of(t, noc_arg), TxnKind::Increment, 0, addr, 4).value = by;
    if (random_below(4) == 0) yield();
}
void emu_semaphore_inc_multicast(uint64_t addr, uint32_t by, uint32_t num_dests, uint8_t noc_arg) {
    Thread* t = EMU_ENTER();
    const int noc = noc_of(t, noc_arg);
    check_rectangle(t, noc, addr, 4, num_dests, false, "noc_semaphore_inc_multicast", true);
    need_no_link(t, noc, "noc_semaphore_inc_multicast");
    issue(t, noc, TxnKind::IncrementMulticast, 0, addr, 4).value = by;
}
void emu_semaphore_set_remote(uint32_t src, uint64_t dst, uint8_t noc_arg) {
    Thread* t = EMU_ENTER();
    const Place p = resolve(dst, 4, t, t->pc, "noc_semaphore_set_remote");
    if (!p.core) fail("EMU401", "noc_semaphore_set_remote on a DRAM address", "semaphores are in L1");
    semaphore_at(t->core, src, "noc_semaphore_set_remote (source)");
    semaphore_at(p.core, p.addr, "noc_semaphore_set_remote");
    need_no_link(t, noc_of(t, noc_arg), "noc_semaphore_set_remote");
    Txn& x = issue(t, noc_of(t, noc_arg), TxnKind::Write, src, dst, 4);
    x.semaphore = true;
}
void emu_semaphore_set_multicast(uint32_t src, uint64_t dst, uint32_t num_dests, bool linked, bool loopback, uint8_t noc_arg) {
    Thread* t = EMU_ENTER();
    const char* what = loopback ? "noc_semaphore_set_multicast_loopback_src" : "noc_semaphore_set_multicast";
    const int noc = noc_of(t, noc_arg);
    semaphore_at(t->core, src, what);
    check_rectangle(t, noc, dst, 4, num_dests, loopback, what, true);
    check_link(t, noc, dst, linked, what);
    Txn& x = issue(t, noc, TxnKind::Multicast, src, dst, 4);
    x.loopback = loopback;
    x.semaphore = true;
    if (random_below(4) == 0) yield();
}

// ---- arguments and position
uint32_t emu_arg(int32_t index) {
    Thread* t = EMU_ENTER();
    if (index < 0 || static_cast<size_t>(index) >= t->args.size())
        fail("EMU216", format("get_arg_val(%d): this kernel has %zu runtime arguments on core (%d, %d)", index, t->args.size(), t->core->x, t->core->y),
             "argument order and count of kernel and plan must agree");
    return t->args[index];
}
uint32_t emu_common_arg(int32_t index) {
    Thread* t = EMU_ENTER();
    if (index < 0 || static_cast<size_t>(index) >= t->kernel->common.size())
        fail("EMU216", format("get_common_arg_val(%d): this kernel has %zu common runtime arguments", index, t->kernel->common.size()),
             "argument order and count of kernel and plan must agree");
    return t->kernel->common[index];
}
uint32_t emu_arg_addr(int32_t index) {
    Thread* t = EMU_ENTER();
    return g.arg_base + t->proc * 2048 + index * 4;
}
uint32_t emu_common_arg_addr(int32_t index) {
    Thread* t = EMU_ENTER();
    return g.arg_base + t->proc * 2048 + static_cast<uint32_t>(t->args.size()) * 4 + index * 4;
}
uint32_t emu_logical_x() { return g.current->core->x; }
uint32_t emu_logical_y() { return g.current->core->y; }
uint32_t emu_relative_x() { return g.current->core->rx; }
uint32_t emu_relative_y() { return g.current->core->ry; }
uint32_t emu_my_x() { return g.current->core->vx; }
uint32_t emu_my_y() { return g.current->core->vy; }
}
