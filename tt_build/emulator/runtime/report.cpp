// Reports: one JSON document on the result file, then the end of the run. Places are (library, offset) pairs; the Python side
// turns them into file and line.
#include <cstdarg>
#include <unistd.h>

#include <dlfcn.h>

#include "machine.h"
#include "result.h"

namespace emu {
std::string result_path;
namespace {
struct Event {
    int core, proc;
    const char* name;
    uint64_t begin, end;
};
std::vector<Event> events;

const char* wait_name(Wait w) {
    switch (w) {
        case Wait::CbFront: return "cb_wait_front";
        case Wait::CbSpace: return "cb_reserve_back";
        case Wait::Semaphore: return "noc_semaphore_wait";
        case Wait::SemaphoreMin: return "noc_semaphore_wait_min";
        case Wait::DstFree: return "tile_regs_acquire";
        case Wait::DstReady: return "tile_regs_wait";
        case Wait::SrcSpace: return "unpack (waits for the math thread)";
        case Wait::SrcReady: return "math (waits for the unpack thread)";
        case Wait::Mailbox: return "read_tile_value";
        default: return "yield";
    }
}
}  // namespace

std::string format(const char* f, ...) {
    char buffer[2048];
    va_list args;
    va_start(args, f);
    vsnprintf(buffer, sizeof buffer, f, args);
    va_end(args);
    return buffer;
}

std::string quote(const std::string& s) {
    std::string out = "\"";
    for (unsigned char c : s) {
        if (c == '"' || c == '\\') (out += '\\') += static_cast<char>(c);
        else if (c == '\n') out += "\\n";
        else if (c < 0x20) out += format("\\u%04x", c);
        else out += static_cast<char>(c);
    }
    return out + "\"";
}

const char* format_name(uint8_t fmt) {
    switch (fmt) {
        case 0: return "Float32";
        case 5: return "Float16_b";
        case 6: return "Bfp8_b";
        case 7: return "Bfp4_b";
        case 8: return "Int32";
        case 9: return "UInt16";
        case 24: return "UInt32";
        case 255: return "nothing";
        default: return "a format that is not emulated";
    }
}

static std::string place(const void* pc) {
    Dl_info info;
    if (!pc || !dladdr(pc, &info) || !info.dli_fname) return "null";
    const uint64_t offset = reinterpret_cast<uint64_t>(pc) - reinterpret_cast<uint64_t>(info.dli_fbase) - 1;
    return "[" + quote(info.dli_fname) + "," + std::to_string(offset) + "]";
}

static std::string who(const Thread* t) {
    if (!t) return "null";
    return format("{\"core\":[%d,%d],\"thread\":\"%s\",\"kernel\":", t->core->x, t->core->y, proc_name(t->proc)) + quote(t->kernel->name) + "}";
}

static void write_result(const std::string& json) {
    std::FILE* f = std::fopen(result_path.c_str(), "w");
    if (!f) {
        std::perror(result_path.c_str());
        _exit(70);
    }
    std::fwrite(json.data(), 1, json.size(), f);
    std::fclose(f);
    if (g.print_out) std::fflush(g.print_out);
}

void fail(const char* code, std::string text, std::string help, Thread* thread, const void* pc) {
    Thread* t = thread ? thread : g.current;
    const void* at = pc ? pc : (t ? t->pc : nullptr);
    write_result("{\"status\":\"error\",\"code\":" + quote(code) + ",\"text\":" + quote(text) + ",\"help\":" + quote(help) +
                 ",\"who\":" + who(t) + ",\"place\":" + place(at) + ",\"table\":[]}");
    _exit(0);
}

void fail_deadlock() {
    std::string rows;
    for (Thread* t : g.threads) {
        if (t->finished) continue;
        uint32_t have = 0, size = 0;
        std::string supplier = "null", what;
        const Cb& cb = t->core->cb[t->wait_a < MAX_CB ? t->wait_a : 0];
        int other = -1;
        switch (t->wait) {
            case Wait::CbFront:
                have = cb.received - cb.acked;
                size = cb.pages;
                other = cb.producer;
                what = format("cb %u", t->wait_a);
                break;
            case Wait::CbSpace:
                have = cb.pages - (cb.received - cb.acked);
                size = cb.pages;
                other = cb.consumer;
                what = format("space in cb %u", t->wait_a);
                break;
            case Wait::Semaphore:
            case Wait::SemaphoreMin:
                std::memcpy(&have, t->core->l1 + t->wait_a, 4);
                what = format("semaphore %u", (t->wait_a - g.sem_base) / 16);
                break;
            case Wait::DstFree: what = "a free DST section"; other = PACK; break;
            case Wait::DstReady: what = "a committed DST section"; other = MATH; break;
            case Wait::SrcSpace: what = "room in SrcA/SrcB"; other = MATH; break;
            case Wait::SrcReady: what = "operands in SrcA/SrcB"; other = UNPACK; break;
            case Wait::Mailbox: what = "a value from the unpack thread"; other = UNPACK; break;
            default: break;
        }
        if (other >= 0 && t->core->threads[other])
            supplier = quote(std::string(proc_name(other)) + (t->core->threads[other]->finished ? " (finished)" : ""));
        if (!rows.empty()) rows += ",";
        rows += "{\"who\":" + who(t) + ",\"place\":" + place(t->pc) + ",\"call\":" + quote(wait_name(t->wait)) + ",\"what\":" + quote(what) +
                format(",\"wants\":%u,\"have\":%u,\"size\":%u,\"supplier\":", t->wait_b, have, size) + supplier + "}";
    }
    write_result("{\"status\":\"error\",\"code\":\"EMU601\",\"text\":\"deadlock: every thread that has not finished waits\",\"help\":"
                 "\"the pages that producers push must equal those that consumers wait for, in number and order\","
                 "\"who\":null,\"place\":null,\"table\":[" + rows + "]}");
    _exit(0);
}

void trace_event(Thread* t, const char* name, uint64_t begin, uint64_t end) {
    if (events.size() < 2000000) events.push_back({t->core->slot, t->proc, name ? name : wait_name(t->wait), begin, end});
}

void write_results(const char* status) {
    static const char* const names[] = {"none",   "matmul",  "binary",   "reuse_dest",     "copy",     "transpose", "reduce",
                                        "unary_bcast", "tilize", "untilize", "transpose_dest", "copy_dest"};
    std::string ops;
    for (int i = 1; i < 12; ++i)
        if (g.ops[i]) ops += (ops.empty() ? "" : ",") + quote(names[i]) + ":" + std::to_string(g.ops[i]);
    for (uint32_t i = 0; i < static_cast<uint32_t>(num::SfpuOp::count); ++i)
        if (g.sfpu_ops[i]) ops += (ops.empty() ? "" : ",") + quote(num::sfpu_name(static_cast<num::SfpuOp>(i))) + ":" + std::to_string(g.sfpu_ops[i]);
    if (g.packs) ops += (ops.empty() ? "" : ",") + std::string("\"pack\":") + std::to_string(g.packs);
    uint64_t read = 0, written = 0;
    std::string buffers;
    for (const Buffer& b : g.buffers) {
        if (b.dram) read += b.read_bytes, written += b.write_bytes;
        buffers += (buffers.empty() ? "" : ",") + quote(b.name) + ":{\"dram_read_bytes\":" + std::to_string(b.dram ? b.read_bytes : 0) +
                   ",\"dram_write_bytes\":" + std::to_string(b.dram ? b.write_bytes : 0) + "}";
    }
    std::string json = "{\"status\":" + quote(status) + ",\"counters\":{\"dram_read_bytes\":" + std::to_string(read) +
                       ",\"dram_write_bytes\":" + std::to_string(written) + ",\"noc_unicast_bytes\":" + std::to_string(g.unicast_bytes) +
                       ",\"noc_multicast_sent_bytes\":" + std::to_string(g.mcast_sent) +
                       ",\"noc_multicast_delivered_bytes\":" + std::to_string(g.mcast_delivered) + ",\"tile_ops\":{" + ops +
                       "},\"buffers\":{" + buffers + "}},\"origins\":[";
    for (size_t i = 0; i < g.origins.size(); ++i) json += (i ? "," : "") + quote(g.origins[i]);
    json += "],\"ticks\":" + std::to_string(g.ticks) + ",\"trace\":[";
    for (size_t i = 0; i < events.size(); ++i)
        json += format("%s[%d,%d,\"%s\",%llu,%llu]", i ? "," : "", events[i].core, events[i].proc, events[i].name,
                       static_cast<unsigned long long>(events[i].begin), static_cast<unsigned long long>(events[i].end));
    write_result(json + "]}");
}
}  // namespace emu

extern "C" void emu_print(const char* fmt, const emu::PrintArg* args, uint32_t count) {
    using namespace emu;
    Thread* t = g.current;
    std::string out = format("(%d,%d) %s: ", t->core->x, t->core->y, proc_name(t->proc));
    uint32_t next = 0;
    for (const char* p = fmt; *p; ++p) {
        if (*p == '{' && p[1] == '{') { out += '{'; ++p; continue; }
        if (*p == '}' && p[1] == '}') { out += '}'; ++p; continue; }
        if (*p != '{') { out += *p; continue; }
        std::string spec;
        while (*++p && *p != '}') spec += *p;
        const size_t colon = spec.find(':');
        spec = colon == std::string::npos ? "" : spec.substr(colon + 1);
        if (next >= count) { out += "{?}"; continue; }
        const PrintArg& a = args[next++];
        switch (a.kind) {
            case PrintArg::Text: out += a.s; break;
            case PrintArg::Float: {
                const std::string f = "%" + (spec.empty() ? std::string("g") : spec);
                const char last = f.back();
                out += format((last == 'f' || last == 'e' || last == 'g') ? f.c_str() : "%g", a.f);
                break;
            }
            case PrintArg::Pointer: out += format("0x%llx", static_cast<unsigned long long>(a.u)); break;
            default: {
                const char last = spec.empty() ? 'd' : spec.back();
                const std::string flags = last == 'x' || last == 'X' || last == 'd' || last == 'u' ? spec.substr(0, spec.empty() ? 0 : spec.size() - 1) : "";
                if (last == 'x' || last == 'X') out += format(("%" + flags + "ll" + last).c_str(), static_cast<unsigned long long>(a.u));
                else if (a.kind == PrintArg::Int) out += format(("%" + flags + "lld").c_str(), static_cast<long long>(a.i));
                else out += format(("%" + flags + "llu").c_str(), static_cast<unsigned long long>(a.u));
            }
        }
    }
    if (out.empty() || out.back() != '\n') out += '\n';
    std::fputs(out.c_str(), g.print_out ? g.print_out : stdout);
}
