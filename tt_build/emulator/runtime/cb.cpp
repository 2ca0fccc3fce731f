// Circular buffers (metalium-api section 3.1): per-processor pointers, shared counters, exact wrap, and what the pages of a
// buffer may be used for at any moment.
#include "machine.h"

namespace emu {
Cb& cb_of(Core* core, int32_t id) {
    if (id < 0 || id >= MAX_CB || !core->cb[id].present)
        fail("EMU101", format("circular buffer %d does not exist on core (%d, %d)", id, core->x, core->y),
             "add it to the plan's circular_buffers for this core, or use the id that the plan has");
    return core->cb[id];
}

const Alloc* find_alloc(const Core* core, uint32_t addr) {
    size_t low = 0, high = core->allocs.size();
    while (low < high) {
        const size_t mid = (low + high) / 2;
        if (core->allocs[mid].addr <= addr) low = mid + 1;
        else high = mid;
    }
    if (!low) return nullptr;
    const Alloc& a = core->allocs[low - 1];
    return addr < a.addr + a.size ? &a : nullptr;
}

static bool inside(uint32_t addr, uint32_t size, uint32_t base, uint32_t bytes) { return addr >= base && addr + size <= base + bytes; }

static const Alloc* allocation(Core* core, uint32_t addr, uint32_t size, Thread* thread, const void* pc, const char* what) {
    const Alloc* a = find_alloc(core, addr);
    if (!a)
        fail("EMU206", format("%s: L1 address 0x%x of core (%d, %d) belongs to no circular buffer, tensor or semaphore", what, addr, core->x, core->y),
             "check the address arithmetic; memory of a kernel comes from a circular buffer of the plan", thread, pc);
    if (addr + size > a->addr + a->size)
        fail("EMU112", format("%s: %u bytes at 0x%x run %u bytes past the end of their %s", what, size, addr, addr + size - a->addr - a->size,
                              a->kind == AllocKind::Cb ? "circular buffer" : "allocation"),
             "make the circular buffer a whole number of blocks, so that no block straddles its end", thread, pc);
    return a;
}

// Bytes up to which the producer of cb may write, from its write pointer on.
static bool held_by_producer(const Cb& cb, uint32_t addr, uint32_t size) {
    for (int p = 0; p < PROCS; ++p) {
        if (cb.producer >= 0 && p != cb.producer) continue;
        if (cb.reserved && inside(addr, size, cb.wr[p], cb.reserved * cb.page)) return true;
        if (cb.producer < 0) break;
    }
    return false;
}

static bool held_by_consumer(const Cb& cb, uint32_t addr, uint32_t size) {
    for (int p = 0; p < PROCS; ++p)
        if (cb.waited[p] && inside(addr, size, cb.rd[p], cb.waited[p] * cb.page)) return true;
    return false;
}

void check_local_write(Core* core, uint32_t addr, uint32_t size, Thread* thread, const void* pc, const char* what) {
    const Alloc* a = allocation(core, addr, size, thread, pc, what);
    if (a->kind == AllocKind::Zeros)
        fail("EMU206", format("%s: writes to the zero block (MEM_ZEROS_BASE)", what), "the zero block is read-only", thread, pc);
    if (a->kind != AllocKind::Cb) return;
    int only = -1;
    for (int i = 0; i < MAX_CB; ++i) {
        const Cb& cb = core->cb[i];
        if (!cb.present || cb.base < a->addr || cb.base >= a->addr + a->size) continue;
        only = i;
        // pages at the front may be changed in place by who has waited for them
        if (cb.bound || held_by_producer(cb, addr, size) || held_by_consumer(cb, addr, size)) return;
    }
    fail("EMU109", format("%s: writes %u bytes at 0x%x, in pages of circular buffer %d that are not reserved", what, size, addr, only),
         "call cb_reserve_back for these pages first; get_write_ptr is that of the first page not yet pushed", thread, pc);
}

void check_local_read(Core* core, uint32_t addr, uint32_t size, Thread* thread, const void* pc, const char* what) {
    const Alloc* a = allocation(core, addr, size, thread, pc, what);
    if (a->kind != AllocKind::Cb) return;
    int only = -1;
    for (int i = 0; i < MAX_CB; ++i) {
        const Cb& cb = core->cb[i];
        if (!cb.present || cb.base < a->addr || cb.base >= a->addr + a->size) continue;
        only = i;
        if (cb.bound || held_by_producer(cb, addr, size) || held_by_consumer(cb, addr, size)) return;
    }
    fail("EMU110", format("%s: reads %u bytes at 0x%x, in pages of circular buffer %d that this core has neither waited for nor reserved", what,
                          size, addr, only),
         "call cb_wait_front for these pages first, and cb_pop_front only after the data has left", thread, pc);
}

static void one_owner(Cb& cb, int id, int& owner, int proc, const char* code, const char* verb, const char* noun) {
    if (owner >= 0 && owner != proc)
        fail(code, format("circular buffer %d has two %s: %s and %s both %s pages", id, noun, proc_name(owner), proc_name(proc), verb),
             "pointers are per processor, so a second one works on the wrong pages: give each its own circular buffer");
    owner = proc;
    (void)cb;
}
}  // namespace emu

using namespace emu;

// Which thread of a compute kernel does this call: the others pass. Readers and writers do everything.
static bool mine(const Thread* t, int compute_proc) { return t->proc < UNPACK || t->proc == compute_proc; }

extern "C" {
void emu_cb_reserve_back(int32_t id, int32_t n) {
    Thread* t = EMU_ENTER();
    if (!mine(t, PACK)) return;
    Cb& cb = cb_of(t->core, id);
    if (n < 0 || static_cast<uint32_t>(n) > cb.pages)
        fail("EMU102", format("cb_reserve_back(%d, %d): the circular buffer has only %u pages, so this waits for ever", id, n, cb.pages),
             "reserve at most the pages of the buffer, or make it larger in the plan");
    if (n == 0) return;
    one_owner(cb, id, cb.producer, t->proc, "EMU106", "push", "producers");
    if (cb.wr[t->proc] + n * cb.page > cb.limit)
        fail("EMU103", format("cb_reserve_back(%d, %d): the block would run past the end of the buffer: %u of its %u pages are left before the end", id, n,
                              (cb.limit - cb.wr[t->proc]) / cb.page, cb.pages),
             "pushes must add up to exactly the buffer's pages in each lap: make the pages a multiple of the block");
    block(Wait::CbSpace, id, n);
    if (cb.reserved < static_cast<uint32_t>(n)) cb.reserved = n;
}

void emu_cb_push_back(int32_t id, int32_t n) {
    Thread* t = EMU_ENTER();
    if (!mine(t, PACK)) return;
    Cb& cb = cb_of(t->core, id);
    if (n == 0) return;
    one_owner(cb, id, cb.producer, t->proc, "EMU106", "push", "producers");
    if (static_cast<uint32_t>(n) > cb.reserved)
        fail("EMU104", format("cb_push_back(%d, %d): only %u pages are reserved", id, n, cb.reserved),
             "call cb_reserve_back for as many pages before writing and pushing them");
    uint32_t& wr = cb.wr[t->proc];
    check_no_reads_in_flight(t->core, wr, n * cb.page);
    wr += n * cb.page;
    if (wr > cb.limit)
        fail("EMU103", format("cb_push_back(%d, %d): the write pointer passes the end of the buffer instead of landing on it", id, n),
             "pushes must add up to exactly the buffer's pages in each lap: make the pages a multiple of the block");
    if (wr == cb.limit) wr = cb.base;
    cb.reserved -= n;
    cb.received += n;
    cb.pack_offset = 0;
    wake(t->core);
}

void emu_cb_wait_front(int32_t id, int32_t n) {
    Thread* t = EMU_ENTER();
    if (!mine(t, UNPACK)) return;
    Cb& cb = cb_of(t->core, id);
    if (n < 0 || static_cast<uint32_t>(n) > cb.pages)
        fail("EMU102", format("cb_wait_front(%d, %d): the circular buffer has only %u pages, so this waits for ever", id, n, cb.pages),
             "wait for at most the pages of the buffer (the count is a level, not an increment), or make it larger in the plan");
    block(Wait::CbFront, id, n);
    if (cb.waited[t->proc] < static_cast<uint32_t>(n)) cb.waited[t->proc] = n;
    if (cb.acked + n > cb.seen) cb.seen = cb.acked + n;
}

void emu_cb_pop_front(int32_t id, int32_t n) {
    Thread* t = EMU_ENTER();
    if (!mine(t, UNPACK)) return;
    Cb& cb = cb_of(t->core, id);
    if (n == 0) return;
    one_owner(cb, id, cb.consumer, t->proc, "EMU107", "pop", "consumers");
    if (static_cast<uint32_t>(n) > cb.received - cb.acked)
        fail("EMU105", format("cb_pop_front(%d, %d): only %u pages are in the buffer", id, n, cb.received - cb.acked),
             "pop only pages that cb_wait_front has waited for");
    if (static_cast<uint32_t>(n) > cb.waited[t->proc])
        fail("EMU105", format("cb_pop_front(%d, %d): only %u pages were waited for", id, n, cb.waited[t->proc]),
             "call cb_wait_front for as many pages before reading and popping them");
    uint32_t& rd = cb.rd[t->proc];
    check_no_unsent_writes(t->core, rd, n * cb.page);
    if (rd + n * cb.page > cb.limit)
        fail("EMU103", format("cb_pop_front(%d, %d): the read pointer passes the end of the buffer instead of landing on it", id, n),
             "pops must add up to exactly the buffer's pages in each lap: make the pages a multiple of the block");
    // What a compute kernel hands to itself it may accumulate onto in place (L1 accumulation), so those pages keep their data.
    const bool own = cb.producer == PACK && cb.consumer == UNPACK;
    if (!cb.bound && !own) std::memset(t->core->shadow + rd, cb.origin, n * cb.page);
    rd += n * cb.page;
    if (rd == cb.limit) rd = cb.base;
    for (uint32_t& w : cb.waited) w = w > static_cast<uint32_t>(n) ? w - n : 0;
    cb.acked += n;
    wake(t->core);
}

bool emu_cb_reservable(int32_t id, int32_t n) {
    Thread* t = EMU_ENTER();
    Cb& cb = cb_of(t->core, id);
    if (random_below(2)) yield();
    return static_cast<uint32_t>(n) <= cb.pages - (cb.received - cb.acked);
}

bool emu_cb_available(int32_t id, int32_t n) {
    Thread* t = EMU_ENTER();
    Cb& cb = cb_of(t->core, id);
    if (random_below(2)) yield();
    return static_cast<uint32_t>(n) <= cb.received - cb.acked;
}

uint32_t emu_write_ptr(int32_t id) {
    Thread* t = EMU_ENTER();
    Cb& cb = cb_of(t->core, id);
    if (cb.producer >= 0 && cb.producer != t->proc)
        fail("EMU109", format("get_write_ptr(%d): %s pushes this circular buffer, and only its pointer moves; %s sees a stale one", id,
                              proc_name(cb.producer), proc_name(t->proc)),
             "take the write pointer in the kernel that reserves and pushes");
    return cb.wr[t->proc];
}

uint32_t emu_read_ptr(int32_t id) {
    Thread* t = EMU_ENTER();
    return cb_of(t->core, id).rd[t->proc];
}

emu::CbInterface* emu_cb_interface(int32_t id) {
    Thread* t = EMU_ENTER();
    Cb& cb = cb_of(t->core, id);
    CbInterface& v = cb.view[t->proc];
    v = {cb.limit - cb.base, cb.limit, cb.page, cb.pages, cb.rd[t->proc], cb.wr[t->proc]};
    return &v;
}
}
