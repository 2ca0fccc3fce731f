// The machine: cores with their L1, circular buffers, compute units; DRAM banks; kernel threads. One global instance.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "emu/abi.h"
#include "emu/sfpu_ops.h"
#include "emu/num/num.h"

namespace emu {

constexpr uint32_t WINDOW_LOW = 0x10000;  // L1 is visible to kernel texts from here on, at its device offsets
constexpr int MAX_CB = 64;
constexpr size_t STACK_BYTES = 256 * 1024;
// Shadow bytes: 0 clean; 1 undefined through a computation; 2 destination of a NoC read before its barrier; others name an origin.
constexpr uint8_t SHADOW_COMPUTED = 1;
constexpr uint8_t SHADOW_IN_FLIGHT = 2;
constexpr uint32_t NO_INDEX = 0xFFFFFFFFu;

enum Proc : int { BRISC = 0, NCRISC = 1, UNPACK = 2, MATH = 3, PACK = 4, PROCS = 5 };
inline const char* proc_name(int p) {
    static const char* const names[] = {"riscv_0", "riscv_1", "unpack", "math", "pack"};
    return names[p];
}

struct Core;
struct Thread;

struct Kernel {
    std::string name;  // role and source, for messages
    int library = 0, fidelity = 4;
    bool compute = false, fp32 = false, approx = false, full_sync = false;
    int processor = 0, noc = 0;
    std::vector<uint32_t> common;
    std::vector<bool> unpack_fp32;
    void (*entry[3])() = {};
};

struct Buffer {
    std::string name;
    bool dram = false;
    uint32_t base = 0, page = 0, bank_bytes = 0, pages = 0;
    uint8_t fresh = 0, padding = 0;  // shadow origins
    std::vector<uint8_t*> data, shadow;  // per bank (DRAM only)
    uint64_t read_bytes = 0, write_bytes = 0;
};

enum class AllocKind : uint8_t { Cb, Buffer, Semaphores, Args, Zeros };
struct Alloc {
    uint32_t addr, size;
    AllocKind kind;
    int id;
};

struct Cb {
    bool present = false, bound = false, unpack_fp32 = false;
    uint32_t base = 0, limit = 0, page = 0, pages = 0;
    uint8_t fmt = 255, origin = 0;
    uint32_t received = 0, acked = 0;
    uint32_t reserved = 0;             // pages beyond the write pointer that the producer holds
    uint32_t waited[PROCS] = {};       // pages at the front that each processor has seen
    uint32_t seen = 0;                 // received pages that some consumer has waited for, ever
    uint32_t wr[PROCS] = {}, rd[PROCS] = {};
    uint32_t pack_offset = 0;
    int producer = -1, consumer = -1;
    CbInterface view[PROCS];
};

// How unpacker and matrix unit are set up: the operation and what its init fixed.
struct Setup {
    Op op = Op::None;
    uint8_t a = 0, b = 0, c = 0;
    uint16_t ct = 0, rt = 0, kt = 0;
    bool operator==(const Setup& o) const {
        return op == o.op && a == o.a && b == o.b && c == o.c && ct == o.ct && rt == o.rt && kt == o.kt;
    }
    bool operator!=(const Setup& o) const { return !(*this == o); }
};

struct SrcEntry {  // what the unpacker hands to the matrix unit in one go
    std::vector<num::Tile> a, b;
    uint8_t origin = 0;  // where their poison comes from, if they have any
};

struct Section {
    std::vector<num::Tile> tiles;
    uint8_t written[16] = {};  // Op that wrote the slot, 0 = none yet
    uint8_t origin[16] = {};   // where its poison comes from
    uint8_t high_half[16] = {};  // 1 where typecast_tile left UInt16 in the high half of 32-bit words
};

struct Compute {
    bool started[3] = {};
    Setup setup[3];          // by thread: unpack, math, pack (pack uses op Untilize or None)
    uint8_t fmt_a[3] = {255, 255, 255}, fmt_b[3] = {255, 255, 255};
    uint8_t pack_fmt = 255;
    int reduce_mask = -1;    // ReduceDim that the packer masks for
    uint32_t l1_acc = 0, relu = 0;
    float relu_threshold = 0;
    const void* l1_acc_pc = nullptr;
    uint32_t sfpu_init = NO_INDEX, sfpu_variant = 0;
    const char* recorded = nullptr;  // who has written over the replay buffer since a matmul's init recorded into it
    Section section[2];
    int sections = 2, capacity = 8;
    int math_section = 0, pack_section = 0, committed = 0;
    bool math_open = false, pack_open = false;
    SrcEntry ring[2];
    int src_head = 0, src_count = 0;
    std::deque<uint32_t> mailbox[2];  // unpack -> math, unpack -> pack
};

enum class Wait : uint8_t { None, CbFront, CbSpace, Semaphore, SemaphoreMin, DstFree, DstReady, SrcSpace, SrcReady, Mailbox, Yield };

struct Unflushed {
    uint32_t src, size;
};

struct Thread {
    Core* core = nullptr;
    Kernel* kernel = nullptr;
    int proc = 0;
    void (*entry)() = nullptr;
    void* sp = nullptr;
    void* stack = nullptr;
    std::vector<uint32_t> args;
    const void* pc = nullptr;  // the kernel's own line of the call under way
    Wait wait = Wait::None;
    uint32_t wait_a = 0, wait_b = 0;
    bool finished = false;
    int ready_index = -1;
    // state of the *_set_state forms, per NoC
    uint64_t read_state[2] = {}, write_state[2] = {};
    uint32_t read_state_size[2] = {}, write_state_size[2] = {};
    bool read_state_set[2] = {}, write_state_set[2] = {};
    bool linked[2] = {};        // inside a chain of linked multicasts, per NoC
    uint32_t linked_to[2] = {};  // the rectangle that it goes to
    const void* linked_pc = nullptr;
    uint32_t polled = 0, polls = 0;  // the L1 word that the text reads again and again
    // What this thread has issued and not yet waited for, whether or not it happens to be done: luck is no barrier.
    const void* unacknowledged[2] = {};      // line of a write since the last write barrier, per NoC
    const void* unacknowledged_inc[2] = {};  // line of an increment since the last atomic barrier
    std::vector<Unflushed> unflushed[2];     // sources of writes since the last flush
};

struct Read {
    uint64_t src;
    uint32_t dst, size;
    const void* pc;
    bool early;
};

enum class TxnKind : uint8_t { Write, Multicast, Increment, IncrementMulticast };
struct Txn {
    TxnKind kind;
    bool left = false, loopback = false, posted = false, semaphore = false, inline_value = false;
    uint32_t src = 0, size = 0, value = 0;
    uint64_t dst = 0;
    std::vector<uint8_t> snapshot;  // data then shadow, once it has left
    const void* pc = nullptr;
    Thread* thread = nullptr;
};

struct Queue {  // transactions of one processor on one NoC and channel, in order of issue
    Core* core = nullptr;
    int proc = 0, noc = 0;
    std::deque<Txn> txns;
    int index = -1;  // in Machine::busy
};
enum Channel { UNICAST = 0, MULTICAST = 1, ATOMIC = 2, CHANNELS = 3 };

struct Core {
    int x = 0, y = 0, vx = 0, vy = 0, rx = 0, ry = 0, slot = 0;
    uint8_t* l1 = nullptr;
    uint8_t* shadow = nullptr;
    std::vector<Alloc> allocs;
    Cb cb[MAX_CB];
    Thread* threads[PROCS] = {};
    std::vector<Thread*> blocked;
    bool semaphore[16] = {};
    Compute compute;
    std::vector<Read> reads[2][2];       // processor, NoC
    Queue queue[2][2][CHANNELS];
};

struct Machine {
    std::string arch;
    uint32_t l1_bytes = 0, l1_base = 0, cbs = 32, burst = 8192;
    uint32_t align_l1 = 16, align_dram_read = 32, align_dram_write = 16;
    uint32_t sem_base = 0, arg_base = 0;
    int grid_x = 0, grid_y = 0;
    std::vector<int> vcols, vrows;
    uint32_t dram_banks = 0;
    uint64_t seed = 0, fill = 0, numerics_seed = 0, rng = 1;
    int delivery = 0;  // 0: transfers move only when they must; n: one in n scheduling steps moves one
    std::vector<Core*> cores;
    std::vector<Core*> by_virtual;  // 64 x 64
    std::vector<Buffer> buffers;
    std::vector<Kernel> kernels;
    std::vector<Thread*> threads;
    std::vector<Thread*> ready;
    std::vector<Queue*> busy;
    Thread* current = nullptr;
    Core* last_core = nullptr;
    int live = 0;
    uint64_t ticks = 0;
    std::vector<std::string> origins;  // shadow byte -> where that poison comes from
    // counters
    uint64_t unicast_bytes = 0, mcast_sent = 0, mcast_delivered = 0;
    uint64_t ops[16] = {};
    uint64_t sfpu_ops[256] = {};
    uint64_t packs = 0;
    bool trace = false;
    std::FILE* print_out = nullptr;
};
extern Machine g;

inline uint64_t random_bits() {
    g.rng ^= g.rng << 13;
    g.rng ^= g.rng >> 7;
    g.rng ^= g.rng << 17;
    return g.rng * 0x2545F4914F6CDD1Dull >> 11;
}
inline uint32_t random_below(uint32_t n) { return static_cast<uint32_t>(random_bits() % n); }

// ---- scheduler (scheduler.cpp)
void start_thread(Thread* t);
void run_all();
void block(Wait wait, uint32_t a = 0, uint32_t b = 0);  // returns when the condition holds
void yield();                                            // lets others go first, under the seed
void wake(Core* core);
bool deliver_one();                                      // moves one pending transfer; false when there is none

// ---- reports (report.cpp); every one ends the run
struct Report {
    const char* code;
    Thread* thread;
    const void* pc;
    std::string text, help;
};
[[noreturn]] void fail(const char* code, std::string text, std::string help, Thread* thread = nullptr, const void* pc = nullptr);
[[noreturn]] void fail_deadlock();
std::string format(const char* f, ...) __attribute__((format(printf, 1, 2)));
const char* format_name(uint8_t fmt);
void write_results(const char* status);
void trace_event(Thread* t, const char* name, uint64_t begin, uint64_t end);

// ---- circular buffers (cb.cpp)
Cb& cb_of(Core* core, int32_t cb);
const Alloc* find_alloc(const Core* core, uint32_t addr);
// The circular buffer whose pages [addr, addr + size) a producer holds; errors name the thread.
void check_local_write(Core* core, uint32_t addr, uint32_t size, Thread* thread, const void* pc, const char* what);
void check_local_read(Core* core, uint32_t addr, uint32_t size, Thread* thread, const void* pc, const char* what);

// ---- NoC (noc.cpp)
struct Place {
    uint8_t* data;
    uint8_t* shadow;
    Core* core;      // null: DRAM
    Buffer* buffer;  // null: L1
    uint32_t addr;
};
void check_no_reads_in_flight(Core* core, uint32_t addr, uint32_t size);
void check_no_unsent_writes(Core* core, uint32_t addr, uint32_t size);
void check_exit(Thread* thread);
void leave_and_land(Queue& q, size_t index);

// entry of every API function: remembers the kernel's line
inline Thread* enter(const void* pc) {
    Thread* t = g.current;
    t->pc = pc;
    ++g.ticks;
    return t;
}
#define EMU_ENTER() ::emu::enter(__builtin_return_address(0))

// The more telling of two origins: padding is expected, everything else is suspicious.
uint8_t worse(uint8_t a, uint8_t b);

inline bool any_nonzero(const uint8_t* p, size_t n) {
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        uint64_t w[8];
        std::memcpy(w, p + i, 64);
        if (w[0] | w[1] | w[2] | w[3] | w[4] | w[5] | w[6] | w[7]) return true;
    }
    for (; i < n; ++i)
        if (p[i]) return true;
    return false;
}
}  // namespace emu
