// emu_run DESCRIPTION DATA RESULT OUTPUT: builds the machine that the description names, runs it, writes counters and tensors.
// The description is lines of words (tt_build/emulator/describe.py writes it); DATA and OUTPUT are the raw bytes of banks.
#include <csignal>
#include <dlfcn.h>
#include <fstream>
#include <iostream>
#include <sstream>
#include <unistd.h>

#include "machine.h"
#include "result.h"

namespace emu {
void map_l1(Core* core);
}
using namespace emu;

namespace {
[[noreturn]] void bad(const std::string& why) {
    std::fprintf(stderr, "emu_run: %s\n", why.c_str());
    _exit(70);
}

void fill_bytes(uint8_t* p, size_t n) {
    if (g.fill == 0) {  // NaN in every float format
        std::memset(p, 0xFF, n);
        return;
    }
    uint64_t x = g.fill * 0x9E3779B97F4A7C15ull + 1;
    for (size_t i = 0; i < n; ++i) {
        if (i % 8 == 0) x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        p[i] = static_cast<uint8_t>(x >> (i % 8 * 8));
    }
}

struct Chunk {
    uint8_t *data, *shadow;
    size_t size;
};

void read_bytes(std::FILE* f, uint8_t* to, size_t size) {
    if (std::fread(to, 1, size, f) != size) bad("the data file is too short");
}

void build(const char* path, const char* data_path, std::vector<Chunk>& outputs) {
    std::ifstream in(path);
    if (!in) bad(std::string("cannot read ") + path);
    std::FILE* data = std::fopen(data_path, "rb");
    if (!data) bad(std::string("cannot read ") + data_path);
    std::vector<void*> libraries;
    std::string line;
    while (std::getline(in, line)) {
        std::istringstream s(line);
        std::string word;
        if (!(s >> word)) continue;
        if (word == "arch") {
            s >> g.arch >> g.l1_bytes >> g.l1_base >> g.cbs >> g.burst >> g.align_l1 >> g.align_dram_read >> g.align_dram_write >> g.dram_banks >> g.sem_base >> g.arg_base;
        } else if (word == "grid") {
            s >> g.grid_x >> g.grid_y;
            g.vcols.resize(g.grid_x);
            g.vrows.resize(g.grid_y);
            for (int& v : g.vcols) s >> v;
            for (int& v : g.vrows) s >> v;
            g.by_virtual.assign(64 * 64, nullptr);
        } else if (word == "run") {
            s >> g.seed >> g.fill >> g.delivery >> g.trace >> g.numerics_seed;
            g.rng = (g.seed + 1) * 0x9E3779B97F4A7C15ull | 1;
            for (int i = 0; i < 8; ++i) random_bits();
        } else if (word == "origin") {
            size_t id;
            s >> id;
            if (g.origins.size() <= id) g.origins.resize(id + 1);
            std::getline(s >> std::ws, g.origins[id]);
        } else if (word == "core") {
            Core* core = new Core;
            s >> core->x >> core->y >> core->rx >> core->ry;
            core->vx = g.vcols[core->x];
            core->vy = g.vrows[core->y];
            core->slot = static_cast<int>(g.cores.size());
            map_l1(core);
            g.by_virtual[core->vy * 64 + core->vx] = core;
            g.cores.push_back(core);
        } else if (word == "alloc") {  // by rising address on each core
            size_t core;
            int kind;
            Alloc a{};
            s >> core >> kind >> a.id >> a.addr >> a.size;
            a.kind = static_cast<AllocKind>(kind);
            Core* c = g.cores.at(core);
            c->allocs.push_back(a);
            if (a.kind == AllocKind::Cb) {
                fill_bytes(c->l1 + a.addr, a.size);
                unsigned origin = 0;
                s >> origin;
                std::memset(c->shadow + a.addr, static_cast<int>(origin), a.size);
            }
        } else if (word == "buffer") {
            Buffer b;
            int dram = 0;
            unsigned fresh = 0, padding = 0;
            s >> b.name >> dram >> b.base >> b.page >> b.bank_bytes >> b.pages >> fresh >> padding;
            b.dram = dram;
            b.fresh = static_cast<uint8_t>(fresh);
            b.padding = static_cast<uint8_t>(padding);
            g.buffers.push_back(b);
        } else if (word == "bank") {  // bytes of one bank of the last buffer: DRAM, or L1 of core
            int core = -1, given = 0, output = 0;
            s >> core >> given >> output;
            Buffer& b = g.buffers.back();
            Chunk c{};
            c.size = b.bank_bytes;
            if (b.dram) {
                c.data = static_cast<uint8_t*>(std::malloc(c.size + 64));
                c.shadow = static_cast<uint8_t*>(std::calloc(c.size + 64, 1));
                b.data.push_back(c.data);
                b.shadow.push_back(c.shadow);
            } else {
                c.data = g.cores.at(core)->l1 + b.base;
                c.shadow = g.cores.at(core)->shadow + b.base;
            }
            if (given) {  // 2: all of it is defined, no shadow follows
                read_bytes(data, c.data, c.size);
                if (given == 1) read_bytes(data, c.shadow, c.size);
                if (given == 2 && !b.dram) std::memset(c.shadow, 0, c.size);
            } else {
                fill_bytes(c.data, c.size);
                std::memset(c.shadow, b.fresh, c.size);
            }
            if (output) outputs.push_back(c);
        } else if (word == "cb") {
            size_t core, id;
            unsigned fmt, origin, bound, fp32;
            s >> core >> id;
            Cb& cb = g.cores.at(core)->cb[id];
            s >> cb.base >> cb.page >> cb.pages >> fmt >> origin >> bound >> fp32;
            cb.present = true;
            cb.limit = cb.base + cb.page * cb.pages;
            cb.fmt = static_cast<uint8_t>(fmt);
            cb.origin = static_cast<uint8_t>(origin);
            cb.bound = bound;
            cb.unpack_fp32 = fp32;
            for (int p = 0; p < PROCS; ++p) cb.wr[p] = cb.rd[p] = cb.base;
        } else if (word == "semaphore") {
            size_t core, id;
            uint32_t value;
            s >> core >> id >> value;
            Core* c = g.cores.at(core);
            c->semaphore[id] = true;
            std::memcpy(c->l1 + g.sem_base + id * 16, &value, 4);
        } else if (word == "library") {
            std::getline(s >> std::ws, word);
            void* handle = dlopen(word.c_str(), RTLD_NOW | RTLD_LOCAL);
            if (!handle) bad(dlerror());
            libraries.push_back(handle);
        } else if (word == "kernel") {
            Kernel k;
            int compute, fp32, approx, full_sync, entries;
            s >> k.name >> compute >> k.processor >> k.noc >> k.fidelity >> fp32 >> approx >> full_sync >> entries;
            k.compute = compute;
            k.fp32 = fp32;
            k.approx = approx;
            k.full_sync = full_sync;
            for (int i = 0; i < entries; ++i) {
                size_t library;
                std::string symbol;
                s >> library >> symbol;
                k.entry[i] = reinterpret_cast<void (*)()>(dlsym(libraries.at(library), symbol.c_str()));
                if (!k.entry[i]) bad("no symbol " + symbol);
            }
            uint32_t value;
            while (s >> value) k.common.push_back(value);
            g.kernels.push_back(k);
        } else if (word == "thread") {  // kernel, core, capacity of DST, arguments
            size_t kernel, core;
            int capacity;
            std::vector<uint32_t> args;
            s >> kernel >> core >> capacity;
            uint32_t value;
            while (s >> value) args.push_back(value);
            Kernel* k = &g.kernels.at(kernel);
            Core* c = g.cores.at(core);
            for (int i = 0; i < (k->compute ? 3 : 1); ++i) {
                Thread* t = new Thread;
                t->core = c;
                t->kernel = k;
                t->proc = k->compute ? UNPACK + i : k->processor;
                t->entry = k->entry[i];
                t->args = args;
                c->threads[t->proc] = t;
                g.threads.push_back(t);
                const uint32_t at = g.arg_base + t->proc * 2048;
                for (size_t j = 0; j < args.size(); ++j) std::memcpy(c->l1 + at + j * 4, &args[j], 4);
                for (size_t j = 0; j < k->common.size(); ++j) std::memcpy(c->l1 + at + (args.size() + j) * 4, &k->common[j], 4);
            }
            if (k->compute) {
                c->compute.capacity = capacity;
                c->compute.sections = k->full_sync ? 1 : 2;
            }
        } else if (word == "kernels") {  // their number: threads point into the vector
            size_t n;
            s >> n;
            g.kernels.reserve(n);
        } else if (word == "buffers") {
            size_t n;
            s >> n;
            g.buffers.reserve(n);
        } else {
            bad("unknown word " + word);
        }
    }
    std::fclose(data);
}

// A fault inside a kernel text: reported at the very instruction. Stack overflows meet the guard page below a fiber's stack.
void on_fault(int number, siginfo_t* info, void* context) {
    const void* at = reinterpret_cast<const void*>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] + 1);
    Thread* t = g.current;
    if (!t) _exit(70);
    const uintptr_t stack = reinterpret_cast<uintptr_t>(t->stack), addr = reinterpret_cast<uintptr_t>(info->si_addr);
    if (number == SIGFPE) fail("EMU217", "division by zero", "check the arguments that the divisor comes from", t, at);
    if (addr >= stack && addr < stack + 4096)
        fail("EMU218", "the kernel's stack overflows", "no recursion and no large local arrays: the card has less than 4 KiB", t, at);
    fail("EMU218", format("the kernel touches memory at %p, which is no L1", info->si_addr), "check the pointer arithmetic", t, at);
}

void catch_faults() {
    static char stack[65536];
    stack_t alternate{};
    alternate.ss_sp = stack;
    alternate.ss_size = sizeof stack;
    sigaltstack(&alternate, nullptr);
    struct sigaction action {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    for (int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) sigaction(number, &action, nullptr);
}

void check_end() {
    while (deliver_one()) {
    }
    for (Core* core : g.cores)
        for (int i = 0; i < MAX_CB; ++i) {
            Cb& cb = core->cb[i];
            if (!cb.present || cb.bound) continue;
            const uint32_t left = cb.received - cb.acked;
            if (!left) continue;
            const uint32_t unseen = cb.received - cb.seen;
            Thread* t = cb.producer >= 0 ? core->threads[cb.producer] : nullptr;
            if (unseen)
                fail("EMU108", format("at the end circular buffer %d holds %u pages that nobody has waited for (%u pushed, %u popped)", i, unseen, cb.received, cb.acked),
                     "producer and consumer must agree on the number of pages", t);
            fail("EMU108", format("at the end circular buffer %d holds %u pages that were never popped (%u pushed, %u popped)", i, left, cb.received, cb.acked),
                 "pop what was pushed, constants such as scaler tiles too, before the kernel ends", t);
        }
}
}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) bad("usage: emu_run DESCRIPTION DATA RESULT OUTPUT");
    result_path = argv[3];
    g.print_out = stdout;
    std::vector<Chunk> outputs;
    build(argv[1], argv[2], outputs);
    catch_faults();
    for (Thread* t : g.threads) start_thread(t);
    run_all();
    check_end();
    std::FILE* out = std::fopen(argv[4], "wb");
    if (!out) bad(std::string("cannot write ") + argv[4]);
    for (const Chunk& c : outputs) {
        std::fwrite(c.data, 1, c.size, out);
        std::fwrite(c.shadow, 1, c.size, out);
    }
    std::fclose(out);
    write_results("ok");
    std::fflush(stdout);
    _exit(0);
}
