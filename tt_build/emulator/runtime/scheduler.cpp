// Deterministic scheduler: every kernel thread is a fiber; threads switch only where they block or where the seed says so at
// a NoC call. Pending transfers move when a barrier demands it, when nothing else can run, or now and then under the seed.
#include <sys/mman.h>

#include "machine.h"

extern "C" void emu_switch(void** save, void* to);
// Saves the callee-saved registers on the old stack and takes them from the new one (System V x86-64).
asm(R"(
.text
.globl emu_switch
.type emu_switch,@function
emu_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emu_switch,.-emu_switch
)");

namespace emu {
Machine g;

namespace {
void* scheduler_sp = nullptr;

void make_ready(Thread* t) {
    t->ready_index = static_cast<int>(g.ready.size());
    g.ready.push_back(t);
}

void take_ready(Thread* t) {
    Thread* last = g.ready.back();
    g.ready[t->ready_index] = last;
    last->ready_index = t->ready_index;
    g.ready.pop_back();
    t->ready_index = -1;
}

bool holds(Thread* t) {
    Core* core = t->core;
    Compute& c = core->compute;
    switch (t->wait) {
        case Wait::None:
        case Wait::Yield: return true;
        case Wait::CbFront: return core->cb[t->wait_a].received - core->cb[t->wait_a].acked >= t->wait_b;
        case Wait::CbSpace: {
            const Cb& cb = core->cb[t->wait_a];
            return cb.pages - (cb.received - cb.acked) >= t->wait_b;
        }
        case Wait::Semaphore:
        case Wait::SemaphoreMin: {
            uint32_t value;
            std::memcpy(&value, core->l1 + t->wait_a, 4);
            return t->wait == Wait::Semaphore ? value == t->wait_b : value >= t->wait_b;
        }
        case Wait::DstFree: return c.committed < c.sections;
        case Wait::DstReady: return c.committed > 0;
        case Wait::SrcSpace: return c.src_count < 2;
        case Wait::SrcReady: return c.src_count > 0;
        case Wait::Mailbox: return !c.mailbox[t->wait_a].empty();
    }
    return true;
}

void body() {
    Thread* t = g.current;
    t->entry();
    check_exit(t);
    t->finished = true;
    --g.live;
    void* dead;
    emu_switch(&dead, scheduler_sp);
    __builtin_unreachable();
}

Thread* pick() {
    if (g.last_core && random_below(8)) {  // stay on a core for a while: faster, and as legal as any other order
        Thread* mine[PROCS];
        uint32_t n = 0;
        for (Thread* t : g.last_core->threads)
            if (t && t->ready_index >= 0) mine[n++] = t;
        if (n) return mine[n == 1 ? 0 : random_below(n)];
    }
    return g.ready[random_below(static_cast<uint32_t>(g.ready.size()))];
}
}  // namespace

void start_thread(Thread* t) {
    char* base = static_cast<char*>(mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    mprotect(base, 4096, PROT_NONE);
    t->stack = base;
    void** sp = reinterpret_cast<void**>(base + STACK_BYTES - 64);
    *--sp = nullptr;                              // alignment: body must see rsp % 16 == 8 at its entry
    *--sp = reinterpret_cast<void*>(&body);
    for (int i = 0; i < 6; ++i) *--sp = nullptr;
    t->sp = sp;
    ++g.live;
    make_ready(t);
}

void wake(Core* core) {
    for (size_t i = 0; i < core->blocked.size();) {
        Thread* t = core->blocked[i];
        if (!holds(t)) {
            ++i;
            continue;
        }
        core->blocked[i] = core->blocked.back();
        core->blocked.pop_back();
        make_ready(t);
    }
}

void block(Wait wait, uint32_t a, uint32_t b) {
    Thread* t = g.current;
    if (wait != Wait::Yield && (t->linked[0] || t->linked[1]))
        fail("EMU212", "a wait between a linked multicast and the transfer that closes the chain", "end the chain first: while it is open nobody else gets through its path");
    t->wait = wait;
    t->wait_a = a;
    t->wait_b = b;
    if (wait != Wait::Yield && holds(t)) {
        t->wait = Wait::None;
        return;
    }
    const uint64_t begin = g.ticks;
    do {
        if (wait == Wait::Yield) make_ready(t);
        else t->core->blocked.push_back(t);
        emu_switch(&t->sp, scheduler_sp);
    } while (!holds(t));
    if (g.trace && wait != Wait::Yield) trace_event(t, nullptr, begin, g.ticks);
    t->wait = Wait::None;
}

void yield() { block(Wait::Yield); }

void run_all() {
    while (g.live) {
        if (g.delivery && !g.busy.empty() && random_below(g.delivery) == 0) deliver_one();
        if (g.ready.empty()) {
            if (deliver_one()) continue;
            fail_deadlock();
        }
        Thread* t = pick();
        take_ready(t);
        g.last_core = t->core;
        g.current = t;
        emu_switch(&scheduler_sp, t->sp);
        g.current = nullptr;
    }
}
}  // namespace emu
