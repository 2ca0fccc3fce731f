// TT-Metalium's host API on the emulator. Tensors live here, as pages of bytes; a workload goes to a folder as JSON and files,
// tt_build.emulator.host.run compiles its kernels and runs them, and the tensors come back from the same folder.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include "card.h"
#include "tt-metalium/emulated_host.hpp"

namespace tt::tt_metal {
namespace detail {

struct Memory {
    std::string name;
    bool dram = true;
    uint64_t address = 0, page = 0, pages = 0;
    std::array<uint32_t, 2> matrix{}, shard{};  // pages as a matrix, and of a shard; empty shard: interleaved
    std::vector<CoreCoord> banks;               // of a sharded tensor, in the order of its shards
    std::vector<uint32_t> words;                // of its accessor
    std::vector<char> data;
    bool written = false;
    std::string undefined;  // why data cannot be read: an element that nobody has written
};

struct Device {
    std::filesystem::path folder;
    std::vector<std::weak_ptr<Memory>> memory;
    uint64_t dram_at = card.dram_base, l1_at = card.l1_top;
    unsigned tensors = 0;
    bool open = true;

    Device() {
        std::string name = (std::filesystem::temp_directory_path() / "tt-build-host-XXXXXX").string();
        if (!mkdtemp(name.data())) throw std::runtime_error("cannot create a folder in " + name);
        folder = name;
    }
    ~Device() { close(); }
    void close() {
        std::error_code ignored;
        if (std::exchange(open, false)) std::filesystem::remove_all(folder, ignored);
    }
    void check() const {
        if (!open) throw std::runtime_error("the device is closed");
    }
};

using Cores = std::vector<CoreCoord>;

struct KernelImpl {
    std::string source, config;  // config: its JSON
    CoreRangeSet ranges;
    Cores cores;
    std::vector<uint32_t> compile_args, common;
    std::map<std::string, std::string> defines;
    std::map<std::string, uint32_t> named;
    std::map<CoreCoord, std::vector<uint32_t>> args;
};

struct ProgramImpl {
    std::vector<KernelImpl> kernels;
    std::vector<std::string> circular_buffers, semaphores;  // JSON
    std::map<CoreCoord, std::set<uint32_t>> semaphore_ids;
};

void check_tiles(std::size_t count, std::size_t m, std::size_t n) {
    if (m % 32 || n % 32 || count != m * n) throw std::runtime_error("tilize: not a matrix of whole tiles");
}

// As the SDK's host code: aligned to the largest exponent by truncation, then half up, saturated.
std::vector<uint32_t> pack_blocks(std::span<const float> data, int bits, bool row_major, bool exponent_a) {
    if (row_major || exponent_a) throw std::runtime_error("not emulated: packing of row-major input or exponent A");
    if (data.size() % 1024) throw std::runtime_error("pack_as_bfp_tiles: no whole tiles");
    const int drop = 24 - bits;
    const uint32_t most = (1u << bits) - 1;
    std::vector<uint8_t> bytes;
    for (std::size_t tile = 0; tile < data.size(); tile += 1024) {
        std::vector<uint8_t> codes;
        for (std::size_t block = 0; block < 64; ++block) {
            const float* values = &data[tile + block * 16];
            uint32_t shared = 0;
            for (int i = 0; i < 16; ++i) shared = std::max(shared, std::bit_cast<uint32_t>(values[i]) >> 23 & 0xFF);
            bytes.push_back(uint8_t(shared));
            for (int i = 0; i < 16; ++i) {
                const uint32_t raw = std::bit_cast<uint32_t>(values[i]), exponent = raw >> 23 & 0xFF;
                const uint32_t aligned = ((raw & 0x7FFFFF) | 0x800000) >> std::min(shared - exponent, 31u);
                uint32_t magnitude = std::min((aligned + (1u << (drop - 1))) >> drop, most);
                if (exponent == 0) magnitude = 0;
                if (exponent == 255) magnitude = most;
                const uint32_t sign = magnitude == 0 || std::isnan(values[i]) ? 0 : raw >> 31;
                codes.push_back(uint8_t(sign << bits | magnitude));
            }
        }
        if (bits == 7) {
            bytes.insert(bytes.end(), codes.begin(), codes.end());
        } else {
            for (std::size_t i = 0; i < codes.size(); i += 2) bytes.push_back(uint8_t(codes[i] | codes[i + 1] << 4));
        }
    }
    std::vector<uint32_t> words(bytes.size() / 4);
    std::memcpy(words.data(), bytes.data(), bytes.size());
    return words;
}

std::vector<float> unpack_blocks(std::span<const uint32_t> tiles, int bits, bool row_major, bool exponent_a) {
    if (row_major || exponent_a) throw std::runtime_error("not emulated: unpacking to row-major output or exponent A");
    const std::size_t tile_bytes = bits == 7 ? 1088 : 576;
    const auto* bytes = reinterpret_cast<const uint8_t*>(tiles.data());
    std::vector<float> values;
    for (std::size_t at = 0; at + tile_bytes <= tiles.size() * 4; at += tile_bytes) {
        for (std::size_t i = 0; i < 1024; ++i) {
            const uint8_t* codes = bytes + at + 64;
            const uint32_t code = bits == 7 ? codes[i] : codes[i / 2] >> (i % 2 * 4) & 0xF;
            const float value = float(std::ldexp(double(code & ((1u << bits) - 1)), bytes[at + i / 16] - 127 - (bits - 1)));
            const float normal = value < 0x1p-126f ? 0.0f : value;
            values.push_back(code >> bits ? -normal : normal);
        }
    }
    return values;
}

}  // namespace detail

namespace {
using detail::Cores;

std::string json_text(const std::string& text) {
    std::ostringstream out;
    out << '"';
    for (const unsigned char c : text) {
        if (c == '"' || c == '\\') {
            out << '\\' << c;
        } else if (c < 0x20) {
            char code[8];
            std::snprintf(code, sizeof code, "\\u%04x", c);
            out << code;
        } else {
            out << c;
        }
    }
    out << '"';
    return out.str();
}

template <typename Range, typename F>
std::string listed(const Range& range, F&& item, char open = '[', char close = ']') {
    std::string out(1, open);
    for (const auto& value : range) {
        if (out.size() > 1) out += ", ";
        out += item(value);
    }
    return out + close;
}

std::string numbers(const std::vector<uint32_t>& values) {
    return listed(values, [](uint32_t v) { return std::to_string(v); });
}

std::string pair(const CoreCoord& c) { return "[" + std::to_string(c.x) + ", " + std::to_string(c.y) + "]"; }

template <typename Map, typename F>
std::string object(const Map& map, F&& value) {
    return listed(map, [&](const auto& item) { return json_text(item.first) + ": " + value(item.second); }, '{', '}');
}

template <typename Spec>
CoreRangeSet ranges_of(const Spec& spec) {
    return std::visit([](const auto& part) { return CoreRangeSet(part); }, spec);
}

std::string json(const CoreRangeSet& set) {
    return listed(set.ranges(), [](const CoreRange& r) {
        return "{\"start\": " + pair(r.start_coord) + ", \"end\": " + pair(r.end_coord) + "}";
    });
}

Cores cores_of(const CoreRangeSet& set, ShardOrientation order = ShardOrientation::ROW_MAJOR) {
    Cores cores;
    for (const CoreRange& r : set.ranges()) {
        const size_t width = r.end_coord.x - r.start_coord.x + 1, height = r.end_coord.y - r.start_coord.y + 1;
        for (size_t i = 0; i < width * height; ++i) {
            const bool rows = order == ShardOrientation::ROW_MAJOR;
            cores.emplace_back(r.start_coord.x + (rows ? i % width : i / height), r.start_coord.y + (rows ? i / width : i % height));
        }
    }
    return cores;
}

const char* name_of(tt::DataFormat format) {
    switch (format) {
        case tt::DataFormat::Float32: return "Float32";
        case tt::DataFormat::Float16_b: return "Float16_b";
        case tt::DataFormat::Bfp8_b: return "Bfp8_b";
        case tt::DataFormat::Bfp4_b: return "Bfp4_b";
        case tt::DataFormat::Int32: return "Int32";
        case tt::DataFormat::UInt16: return "UInt16";
        case tt::DataFormat::UInt32: return "UInt32";
        default: throw std::runtime_error("not emulated: data format " + std::to_string(int(format)));
    }
}

CoreCoord virtual_core(const CoreCoord& c) {
    if (c.x >= card.columns.size() || c.y >= card.rows.size()) {
        throw std::runtime_error("core " + pair(c) + " lies outside the card's grid");
    }
    return {card.columns[c.x], card.rows[c.y]};
}

uint64_t round_up(uint64_t value, uint64_t step) { return (value + step - 1) / step * step; }
uint64_t divided(uint64_t value, uint64_t by) { return (value + by - 1) / by; }

// Words of a sharded accessor: flags, page, rank, banks, shape and shard in pages, then two bank coordinates a word.
std::vector<uint32_t> sharded_words(const detail::Memory& m, uint32_t page) {
    std::vector<uint32_t> shape(m.matrix.begin(), m.matrix.end()), shard(m.shard.begin(), m.shard.end());
    if (shape[1] == shard[1]) {  // whole rows lie in one shard: one dimension
        shape = {shape[0] * shape[1]};
        shard = {shard[0] * shard[1]};
    }
    std::vector<uint32_t> words{1u | (m.dram ? 2u : 0u), page, uint32_t(shape.size()), uint32_t(m.banks.size())};
    words.insert(words.end(), shape.begin(), shape.end());
    words.insert(words.end(), shard.begin(), shard.end());
    for (size_t i = 0; i < m.banks.size(); ++i) {
        const CoreCoord at = m.dram ? CoreCoord(m.banks[i].x, 0) : virtual_core(m.banks[i]);
        const uint32_t packed = uint32_t(at.x << 8 | at.y);
        if (i % 2 == 0) {
            words.push_back(packed);
        } else {
            words.back() |= packed << 16;
        }
    }
    return words;
}

std::string json(const detail::Memory& m) {
    std::ostringstream out;
    out << "{\"name\": " << json_text(m.name) << ", \"dram\": " << (m.dram ? "true" : "false") << ", \"address\": " << m.address
        << ", \"page_size\": " << m.page << ", \"pages\": " << m.pages << ", \"written\": " << (m.written ? "true" : "false");
    if (!m.banks.empty()) {
        out << ", \"matrix\": " << numbers({m.matrix.begin(), m.matrix.end()})
            << ", \"shard\": " << numbers({m.shard.begin(), m.shard.end()}) << ", \"banks\": " << listed(m.banks, pair);
    }
    out << "}";
    return out.str();
}

std::string json(const detail::KernelImpl& k) {
    const auto number = [](uint32_t v) { return std::to_string(v); };
    const auto args = listed(k.args, [](const auto& item) {
        return "{\"core\": " + pair(item.first) + ", \"args\": " + numbers(item.second) + "}";
    });
    return "{\"role\": " + json_text(std::filesystem::path(k.source).stem()) + ", \"source\": " + json_text(k.source) +
           ", \"config\": " + k.config + ", \"core_ranges\": " + json(k.ranges) + ", \"compile_time_args\": " +
           numbers(k.compile_args) + ", \"named_compile_time_args\": " + object(k.named, number) + ", \"defines\": " +
           object(k.defines, json_text) + ", \"runtime_args\": " + args + ", \"common_runtime_args\": " + numbers(k.common) + "}";
}

std::string text_of(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const std::filesystem::path& path, const char* data, size_t size) {
    if (!std::ofstream(path, std::ios::binary).write(data, std::streamsize(size)).flush()) {
        throw std::runtime_error("cannot write " + path.string());
    }
}

// tt_build.emulator.host.run on the folder; what it reports is thrown.
void run_folder(const std::filesystem::path& folder) {
    std::cout.flush();
    const pid_t child = fork();
    if (child == 0) {
        const char* given = getenv("PYTHONPATH");
        setenv("PYTHONPATH", (card.packages + (given ? std::string(":") + given : std::string())).c_str(), 1);
        execlp(card.python, card.python, "-m", "tt_build.emulator.host.run", folder.c_str(), static_cast<char*>(nullptr));
        _exit(127);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0) throw std::runtime_error("cannot start the emulator");
    if (status == 0) return;
    const std::string why = text_of(folder / "error");
    throw std::runtime_error(why.empty() ? std::string("the emulator did not run (") + card.python + ")" : why);
}

void execute(detail::Device& device, const detail::ProgramImpl& program) {
    std::vector<std::shared_ptr<detail::Memory>> tensors;
    for (const auto& entry : device.memory) {
        if (auto tensor = entry.lock()) tensors.push_back(tensor);
    }
    for (const auto& t : tensors) {
        if (t->written) write_file(device.folder / (t->name + ".data"), t->data.data(), t->data.size());
    }
    const auto same = [](const std::string& text) { return text; };
    const std::string text = std::string("{\"arch\": ") + json_text(card.arch) +
        ", \"buffers\": " + listed(tensors, [](const auto& t) { return json(*t); }) +
        ", \"circular_buffers\": " + listed(program.circular_buffers, same) +
        ", \"semaphores\": " + listed(program.semaphores, same) +
        ", \"kernels\": " + listed(program.kernels, [](const auto& k) { return json(k); }) + "}\n";
    write_file(device.folder / "workload.json", text.data(), text.size());
    run_folder(device.folder);
    for (const auto& t : tensors) {
        const std::string data = text_of(device.folder / (t->name + ".data"));
        if (data.size() != t->data.size()) throw std::runtime_error("the emulator left no tensor " + t->name);
        std::copy(data.begin(), data.end(), t->data.begin());
        t->written = true;
        t->undefined = text_of(device.folder / (t->name + ".why"));
    }
}

void set_args(
    const Program& program, KernelHandle handle, const Cores& cores, std::span<const uint32_t> args) {
    auto& kernel = program.impl()->kernels.at(handle);
    for (const CoreCoord& core : cores) {
        if (std::find(kernel.cores.begin(), kernel.cores.end(), core) == kernel.cores.end()) {
            throw std::runtime_error("SetRuntimeArgs: " + kernel.source + " does not run on core " + pair(core));
        }
        const auto [found, fresh] = kernel.args.try_emplace(core, args.begin(), args.end());
        if (!fresh && found->second.size() != args.size()) {
            throw std::runtime_error("SetRuntimeArgs: " + kernel.source + " had another number of arguments on core " + pair(core));
        }
        found->second.assign(args.begin(), args.end());
    }
}
}  // namespace

// A Buffer is the reference to a tensor that the API hands out as a pointer.
class Buffer {
public:
    std::shared_ptr<detail::Memory> memory;
};

CoreRange::CoreRange(const CoreCoord& start, const CoreCoord& end) : start_coord(start), end_coord(end) {
    if (start.x > end.x || start.y > end.y) throw std::runtime_error("a core range ends before it starts");
}

CircularBufferConfig::CircularBufferConfig(uint32_t total_size, const std::map<uint8_t, tt::DataFormat>& spec) :
    total_size_(total_size), formats_(spec) {}

CircularBufferConfig& CircularBufferConfig::set_page_size(uint8_t index, uint32_t page_size) {
    if (!formats_.count(index)) throw std::runtime_error("set_page_size: circular buffer " + std::to_string(index) + " has no format");
    if (page_size == 0 || total_size_ % page_size) throw std::runtime_error("circular buffer " + std::to_string(index) + ": no whole pages");
    page_sizes_[index] = page_size;
    return *this;
}

CircularBufferConfig& CircularBufferConfig::set_globally_allocated_address(const Buffer& buffer) {
    bound_ = buffer.memory;
    return *this;
}

CircularBufferConfig& CircularBufferConfig::set_globally_allocated_address_and_total_size(
    const Buffer& buffer, uint32_t total_size, uint32_t address_offset) {
    total_size_ = total_size;
    address_offset_ = address_offset;
    return set_globally_allocated_address(buffer);
}

Program::Program() : internal_(std::make_shared<detail::ProgramImpl>()) {}

Program CreateProgram() { return {}; }

KernelHandle CreateKernel(
    Program& program, const std::string& file_name, const std::variant<CoreCoord, CoreRange, CoreRangeSet>& core_spec,
    const std::variant<DataMovementConfig, ComputeConfig>& config) {
    const CoreRangeSet ranges = ranges_of(core_spec);
    detail::KernelImpl kernel{std::filesystem::absolute(file_name).lexically_normal().string(), "", ranges, cores_of(ranges), {}, {}, {}, {}, {}};
    if (!std::filesystem::is_regular_file(kernel.source)) throw std::runtime_error("no kernel source " + kernel.source);
    std::visit(
        [&](const auto& c) {
            kernel.compile_args = c.compile_args;
            kernel.defines = c.defines;
            kernel.named = {c.named_compile_args.begin(), c.named_compile_args.end()};
        },
        config);
    if (const auto* move = std::get_if<DataMovementConfig>(&config)) {
        if (move->noc_mode != NOC_MODE::DM_DEDICATED_NOC) throw std::runtime_error("not emulated: DM_DYNAMIC_NOC");
        kernel.config = "{\"type\": \"data_movement\", \"processor\": " + std::to_string(int(move->processor)) +
                        ", \"noc\": " + std::to_string(int(move->noc)) + "}";
    } else {
        const auto& math = std::get<ComputeConfig>(config);
        const auto flag = [](bool value) { return value ? "true" : "false"; };
        std::vector<uint32_t> exact;
        for (size_t i = 0; i < math.unpack_to_dest_mode.size(); ++i) {
            if (math.unpack_to_dest_mode[i] == UnpackToDestMode::UnpackToDestFp32) exact.push_back(uint32_t(i));
        }
        const std::map<MathFidelity, const char*> names{
            {MathFidelity::LoFi, "LoFi"}, {MathFidelity::HiFi2, "HiFi2"}, {MathFidelity::HiFi3, "HiFi3"}, {MathFidelity::HiFi4, "HiFi4"}};
        std::ostringstream out;
        out << "{\"type\": \"compute\", \"math_fidelity\": " << json_text(names.at(math.math_fidelity))
            << ", \"fp32_dest_acc_en\": " << flag(math.fp32_dest_acc_en) << ", \"math_approx_mode\": " << flag(math.math_approx_mode)
            << ", \"dst_full_sync_en\": " << flag(math.dst_full_sync_en) << ", \"unpack_to_dest_fp32\": " << numbers(exact) << "}";
        kernel.config = out.str();
    }
    auto& kernels = program.impl()->kernels;
    kernels.push_back(std::move(kernel));
    return KernelHandle(kernels.size() - 1);
}

CBHandle CreateCircularBuffer(
    Program& program, const std::variant<CoreCoord, CoreRange, CoreRangeSet>& core_spec, const CircularBufferConfig& config) {
    std::string formats;
    uint32_t first_page = 0;
    for (const auto& [id, format] : config.formats_) {
        const auto page = config.page_sizes_.find(id);
        if (page == config.page_sizes_.end()) throw std::runtime_error("circular buffer " + std::to_string(id) + " has no page size");
        const std::string part = "\"id\": " + std::to_string(id) + ", \"data_format\": " + json_text(name_of(format)) +
                                 ", \"page_size\": " + std::to_string(page->second);
        if (!first_page) {
            first_page = page->second;
            formats = part + ", \"num_pages\": " + std::to_string(config.total_size_ / first_page) + ", \"formats\": [";
        } else {
            formats += (formats.back() == '[' ? "{" : ", {") + part + "}";
        }
    }
    if (!first_page) throw std::runtime_error("a circular buffer without format");
    std::string bound;
    if (config.bound_) {
        bound = ", \"buffer\": " + json_text(config.bound_->name) + ", \"address_offset\": " + std::to_string(config.address_offset_);
    }
    auto& list = program.impl()->circular_buffers;
    list.push_back("{\"name\": \"\", " + formats + "], \"core_ranges\": " + json(ranges_of(core_spec)) + bound + "}");
    return CBHandle(list.size());
}

uint32_t CreateSemaphore(Program& program, const std::variant<CoreRange, CoreRangeSet>& core_spec, uint32_t initial_value) {
    auto& impl = *program.impl();
    const CoreRangeSet ranges = ranges_of(core_spec);
    const Cores cores = cores_of(ranges);
    uint32_t id = 0;  // the first that is free on all cores
    while (std::any_of(cores.begin(), cores.end(), [&](const CoreCoord& c) { return impl.semaphore_ids[c].count(id); })) ++id;
    if (id >= card.semaphores) throw std::runtime_error("no semaphore is free on these cores");
    for (const CoreCoord& c : cores) impl.semaphore_ids[c].insert(id);
    impl.semaphores.push_back(
        "{\"id\": " + std::to_string(id) + ", \"initial_value\": " + std::to_string(initial_value) + ", \"core_ranges\": " + json(ranges) + "}");
    return id;
}

void SetRuntimeArgs(
    const Program& program, KernelHandle kernel, const std::variant<CoreCoord, CoreRange, CoreRangeSet>& core_spec,
    std::initializer_list<uint32_t> args) {
    set_args(program, kernel, cores_of(ranges_of(core_spec)), {args.begin(), args.size()});
}

void SetRuntimeArgs(
    const Program& program, KernelHandle kernel, const std::variant<CoreCoord, CoreRange, CoreRangeSet>& core_spec,
    std::span<const uint32_t> args) {
    set_args(program, kernel, cores_of(ranges_of(core_spec)), args);
}

void SetRuntimeArgs(
    const Program& program, KernelHandle kernel, const std::vector<CoreCoord>& cores,
    const std::vector<std::vector<uint32_t>>& args) {
    if (cores.size() != args.size()) throw std::runtime_error("SetRuntimeArgs: as many lists as cores, please");
    for (size_t i = 0; i < cores.size(); ++i) set_args(program, kernel, {cores[i]}, args[i]);
}

void SetCommonRuntimeArgs(const Program& program, KernelHandle kernel, std::span<const uint32_t> args) {
    auto& common = program.impl()->kernels.at(kernel).common;
    if (!common.empty()) throw std::runtime_error("SetCommonRuntimeArgs: they can be set once only");
    common.assign(args.begin(), args.end());
}

void SetCommonRuntimeArgs(const Program& program, KernelHandle kernel, std::initializer_list<uint32_t> args) {
    SetCommonRuntimeArgs(program, kernel, std::span<const uint32_t>(args.begin(), args.size()));
}

TensorAccessorArgs::TensorAccessorArgs(const Buffer& buffer, Flags<tensor_accessor::ArgConfig>) : words_(buffer.memory->words) {}

TensorAccessorArgs::TensorAccessorArgs(const distributed::MeshBuffer& buffer, Flags<tensor_accessor::ArgConfig>) :
    words_(buffer.memory()->words) {}

void TensorAccessorArgs::append_to(std::vector<uint32_t>& args) const { args.insert(args.end(), words_.begin(), words_.end()); }

namespace distributed {

std::shared_ptr<MeshBuffer> MeshBuffer::create(
    const std::variant<ReplicatedBufferConfig, ShardedBufferConfig>& config, const DeviceLocalBufferConfig& local,
    MeshDevice* mesh, std::optional<DeviceAddr> address) {
    const auto* replicated = std::get_if<ReplicatedBufferConfig>(&config);
    if (!replicated) throw std::runtime_error("not emulated: buffers that are sharded over several devices");
    if (local.buffer_type != BufferType::DRAM && local.buffer_type != BufferType::L1) throw std::runtime_error("not emulated: this type of buffer");
    if (local.page_size == 0 || replicated->size == 0 || replicated->size % local.page_size) {
        throw std::runtime_error("a buffer of " + std::to_string(replicated->size) + " bytes has no whole pages of " + std::to_string(local.page_size));
    }
    detail::Device& device = *mesh->device_;
    device.check();
    auto m = std::make_shared<detail::Memory>();
    m->name = "buffer" + std::to_string(device.tensors++);
    m->dram = local.buffer_type == BufferType::DRAM;
    m->page = local.page_size;
    m->pages = replicated->size / local.page_size;
    m->data.resize(replicated->size);
    const uint64_t page = round_up(m->page, m->dram ? card.dram_page_alignment : card.l1_page_alignment);
    uint64_t bank = divided(m->pages, m->dram ? card.dram_banks : card.columns.size() * card.rows.size()) * page;
    m->words = {m->dram ? 2u : 0u, uint32_t(page)};
    if (const auto& spec = local.sharding_args.shard_spec()) {
        const auto& shard = spec->tensor_shard_spec;
        m->matrix = spec->tensor2d_shape_in_pages;
        m->shard = {uint32_t(divided(shard.shape[0], spec->page_shape[0])), uint32_t(divided(shard.shape[1], spec->page_shape[1]))};
        if (uint64_t{m->matrix[0]} * m->matrix[1] != m->pages) throw std::runtime_error("the sharded tensor has another number of pages than its buffer");
        m->banks = cores_of(shard.grid, shard.orientation);
        const uint64_t shards = divided(m->matrix[0], m->shard[0]) * divided(m->matrix[1], m->shard[1]);
        bank = divided(shards, m->banks.size()) * m->shard[0] * m->shard[1] * page;
        m->words = sharded_words(*m, uint32_t(page));
    }
    if (address) {
        m->address = *address;
    } else if (m->dram) {
        m->address = device.dram_at;
        device.dram_at += round_up(bank, card.dram_page_alignment) + std::max<uint64_t>(4096, round_up(page, 64));
        if (m->address + bank > card.dram_bank_bytes) throw std::runtime_error("the tensor does not fit into DRAM");
    } else {
        if (device.l1_at < card.l1_base + bank) throw std::runtime_error("the tensor does not fit into L1");
        m->address = device.l1_at = (device.l1_at - bank) / 64 * 64;
    }
    device.memory.push_back(m);
    auto buffer = std::make_shared<MeshBuffer>();
    buffer->memory_ = m;
    buffer->reference_ = std::make_shared<Buffer>(Buffer{m});
    return buffer;
}

DeviceAddr MeshBuffer::size() const { return memory_->data.size(); }
DeviceAddr MeshBuffer::address() const { return memory_->address; }

Buffer* MeshBuffer::get_reference_buffer() const { return reference_.get(); }

void MeshWorkload::add_program(const MeshCoordinateRange&, Program&& program) { programs_.push_back(std::move(program)); }

void MeshCommandQueue::enqueue_write_mesh_buffer(const std::shared_ptr<MeshBuffer>& buffer, const void* data, bool) {
    device_->check();
    detail::Memory& m = *buffer->memory();
    std::memcpy(m.data.data(), data, m.data.size());
    m.written = true;
    m.undefined.clear();
    std::filesystem::remove(device_->folder / (m.name + ".undefined"));
}

void MeshCommandQueue::enqueue_read_mesh_buffer(void* data, const std::shared_ptr<MeshBuffer>& buffer, bool) {
    device_->check();
    const detail::Memory& m = *buffer->memory();
    if (!m.written) throw std::runtime_error("a tensor is read that nobody has written");
    if (!m.undefined.empty()) throw std::runtime_error(m.undefined);
    std::memcpy(data, m.data.data(), m.data.size());
}

MeshDevice::MeshDevice() : device_(std::make_shared<detail::Device>()), queue_(device_) {}

std::shared_ptr<MeshDevice> MeshDevice::create_unit_mesh(
    int device_id, std::size_t, std::size_t, std::size_t, const DispatchCoreConfig&, std::span<const std::uint32_t>, std::size_t) {
    if (device_id != 0) throw std::runtime_error("the emulator has one device, 0");
    return std::shared_ptr<MeshDevice>(new MeshDevice);
}

MeshCommandQueue& MeshDevice::mesh_command_queue(std::optional<uint8_t> id) const {
    if (id.value_or(0) != 0) throw std::runtime_error("the emulator has one command queue, 0");
    return queue_;
}

CoreCoord MeshDevice::compute_with_storage_grid_size() const { return {card.columns.size(), card.rows.size()}; }
CoreCoord MeshDevice::worker_core_from_logical_core(const CoreCoord& core) const { return virtual_core(core); }

bool MeshDevice::close() {
    device_->close();
    return true;
}

// Everything is done when a call returns, whether it blocks or not: the queue keeps its order.
void EnqueueMeshWorkload(MeshCommandQueue& queue, MeshWorkload& workload, bool) {
    queue.device().check();
    for (const Program& program : workload.programs()) execute(queue.device(), *program.impl());
}

void Finish(MeshCommandQueue& queue, std::span<const SubDeviceId>) { queue.device().check(); }

}  // namespace distributed
}  // namespace tt::tt_metal
