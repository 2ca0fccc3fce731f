// The part of TT-Metalium's host API that generated host programs use, on the emulator: names, parameters and scopes as in
// SDK 0.81 (tt_build/sdk/host_stub declares the same; the gate looks those up in the SDK's own library).
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace tt {

enum class DataFormat : uint8_t {
    Float32 = 0,
    Float16 = 1,
    Bfp8 = 2,
    Bfp4 = 3,
    Tf32 = 4,
    Float16_b = 5,
    Bfp8_b = 6,
    Bfp4_b = 7,
    Int32 = 8,
    UInt16 = 9,
    UInt32 = 24,
    UInt8 = 30,
    Invalid = 255,
};

struct xy_pair {
    constexpr xy_pair() : x(0), y(0) {}
    constexpr xy_pair(std::size_t x_, std::size_t y_) : x(x_), y(y_) {}
    std::size_t x, y;
    auto operator<=>(const xy_pair&) const = default;
};

}  // namespace tt

template <typename E>
struct Flags {
    constexpr Flags(E value) : bits(static_cast<uint32_t>(value)) {}
    uint32_t bits;
};

namespace tensor_accessor {
enum class ArgConfig : uint8_t { None = 0 };
}

inline constexpr std::uint32_t NUM_CIRCULAR_BUFFERS = 64;

namespace tt::tt_metal {

using CoreCoord = tt::xy_pair;
using DeviceAddr = std::uint64_t;
using KernelHandle = std::uint32_t;
using CBHandle = std::uintptr_t;
using SubDeviceId = unsigned char;

enum class MathFidelity : uint8_t { LoFi = 0, HiFi2 = 2, HiFi3 = 3, HiFi4 = 4 };
enum class UnpackToDestMode : uint8_t { UnpackToDestFp32, Default };
enum class DataMovementProcessor { RISCV_0 = 0, RISCV_1 = 1 };
enum NOC : uint8_t { RISCV_0_default = 0, RISCV_1_default = 1, NOC_0 = 0, NOC_1 = 1 };
enum NOC_MODE : uint8_t { DM_DEDICATED_NOC = 0, DM_DYNAMIC_NOC = 1 };
enum class KernelBuildOptLevel : uint8_t { O1, O2, O3, O0, Os, Ofast, Oz };
enum class BufferType { DRAM, L1, SYSTEM_MEMORY, L1_SMALL, TRACE };
enum class TensorMemoryLayout { INTERLEAVED = 0, HEIGHT_SHARDED = 2, WIDTH_SHARDED = 3, BLOCK_SHARDED = 4 };
enum class ShardOrientation { ROW_MAJOR = 0, COL_MAJOR };

struct CoreRange {
    CoreRange(const CoreCoord& core) : CoreRange(core, core) {}
    CoreRange(const CoreCoord& start, const CoreCoord& end);
    CoreCoord start_coord, end_coord;
    auto operator<=>(const CoreRange&) const = default;
};

class CoreRangeSet {
public:
    CoreRangeSet(const CoreRange& range) : ranges_{range} {}
    CoreRangeSet(const std::set<CoreRange>& ranges) : ranges_(ranges.begin(), ranges.end()) {}
    CoreRangeSet(std::span<const CoreRange> ranges) : ranges_(ranges.begin(), ranges.end()) {}
    CoreRangeSet(std::vector<CoreRange>&& ranges) : ranges_(std::move(ranges)) {}
    CoreRangeSet(const CoreRangeSet& other) = default;
    CoreRangeSet(CoreRangeSet&& other) noexcept = default;
    const std::vector<CoreRange>& ranges() const { return ranges_; }

private:
    std::vector<CoreRange> ranges_;
};

class Tile {};
class Buffer;
class MeshTensor;
struct DramConfig;
struct EthernetConfig;
enum class DataType;
class DispatchCoreConfig {};

struct ShardSpec {
    CoreRangeSet grid;
    std::array<uint32_t, 2> shape;
    ShardOrientation orientation;
};

struct ShardSpecBuffer {
    ShardSpec tensor_shard_spec;
    std::array<uint32_t, 2> page_shape;
    std::array<uint32_t, 2> tensor2d_shape_in_pages;
    ShardSpecBuffer(
        const CoreRangeSet& cores, const std::array<uint32_t, 2>& shard_shape, const ShardOrientation& orientation,
        const std::array<uint32_t, 2>& page, const std::array<uint32_t, 2>& tensor) :
        tensor_shard_spec{cores, shard_shape, orientation}, page_shape(page), tensor2d_shape_in_pages(tensor) {}
};

class BufferShardingArgs {
public:
    BufferShardingArgs() = default;
    BufferShardingArgs(ShardSpecBuffer shard_spec, TensorMemoryLayout layout) :
        shard_spec_(std::move(shard_spec)), layout_(layout) {}
    const std::optional<ShardSpecBuffer>& shard_spec() const { return shard_spec_; }

private:
    std::optional<ShardSpecBuffer> shard_spec_;
    TensorMemoryLayout layout_ = TensorMemoryLayout::INTERLEAVED;
};

struct DataMovementConfig {
    DataMovementProcessor processor = DataMovementProcessor::RISCV_0;
    NOC noc = NOC::RISCV_0_default;
    NOC_MODE noc_mode = NOC_MODE::DM_DEDICATED_NOC;
    std::vector<uint32_t> compile_args;
    std::map<std::string, std::string> defines;
    std::unordered_map<std::string, uint32_t> named_compile_args;
    KernelBuildOptLevel opt_level = KernelBuildOptLevel::O2;
};

struct ComputeConfig {
    MathFidelity math_fidelity = MathFidelity::HiFi4;
    bool fp32_dest_acc_en = false;
    bool dst_full_sync_en = false;
    std::vector<UnpackToDestMode> unpack_to_dest_mode;
    bool bfp8_pack_precise = false;
    bool math_approx_mode = false;
    std::vector<uint32_t> compile_args;
    std::map<std::string, std::string> defines;
    std::unordered_map<std::string, uint32_t> named_compile_args;
    KernelBuildOptLevel opt_level = KernelBuildOptLevel::O3;
};

namespace detail {
struct Device;
struct Memory;  // one tensor
struct ProgramImpl;
}  // namespace detail

class CircularBufferConfig {
public:
    CircularBufferConfig(uint32_t total_size, const std::map<uint8_t, tt::DataFormat>& data_format_spec);
    CircularBufferConfig(uint32_t total_size, const std::map<uint8_t, DataType>& data_type_spec) = delete;
    CircularBufferConfig& set_page_size(uint8_t buffer_index, uint32_t page_size);
    CircularBufferConfig& set_globally_allocated_address(const Buffer& buffer);
    CircularBufferConfig& set_globally_allocated_address(const MeshTensor& tensor) = delete;
    CircularBufferConfig& set_globally_allocated_address_and_total_size(
        const Buffer& buffer, uint32_t total_size, uint32_t address_offset);

private:
    friend CBHandle CreateCircularBuffer(
        class Program&, const std::variant<CoreCoord, CoreRange, CoreRangeSet>&, const CircularBufferConfig&);
    uint32_t total_size_;
    std::map<uint8_t, tt::DataFormat> formats_;
    std::map<uint8_t, uint32_t> page_sizes_;
    std::shared_ptr<detail::Memory> bound_;
    uint32_t address_offset_ = 0;
};

class Program {
public:
    Program();
    std::shared_ptr<detail::ProgramImpl> impl() const { return internal_; }

private:
    std::shared_ptr<detail::ProgramImpl> internal_;
};

Program CreateProgram();
KernelHandle CreateKernel(
    Program& program, const std::string& file_name,
    const std::variant<CoreCoord, CoreRange, CoreRangeSet>& core_spec,
    const std::variant<DataMovementConfig, ComputeConfig>& config);
CBHandle CreateCircularBuffer(
    Program& program, const std::variant<CoreCoord, CoreRange, CoreRangeSet>& core_spec,
    const CircularBufferConfig& config);
uint32_t CreateSemaphore(
    Program& program, const std::variant<CoreRange, CoreRangeSet>& core_spec, uint32_t initial_value);
void SetRuntimeArgs(
    const Program& program, KernelHandle kernel, const std::variant<CoreCoord, CoreRange, CoreRangeSet>& core_spec,
    std::initializer_list<uint32_t> runtime_args);
void SetRuntimeArgs(
    const Program& program, KernelHandle kernel, const std::variant<CoreCoord, CoreRange, CoreRangeSet>& core_spec,
    std::span<const uint32_t> runtime_args);
void SetRuntimeArgs(
    const Program& program, KernelHandle kernel, const std::vector<CoreCoord>& core_spec,
    const std::vector<std::vector<uint32_t>>& runtime_args);
void SetCommonRuntimeArgs(const Program& program, KernelHandle kernel_id, std::span<const uint32_t> runtime_args);
void SetCommonRuntimeArgs(const Program& program, KernelHandle kernel_id, std::initializer_list<uint32_t> runtime_args);

namespace distributed {

class MeshDevice;

class MeshShape {};

class MeshCoordinateRange {
public:
    explicit MeshCoordinateRange(const MeshShape&) {}
};

struct ReplicatedBufferConfig {
    DeviceAddr size = 0;
};
struct ShardedBufferConfig {
    DeviceAddr global_size = 0;
};
struct DeviceLocalBufferConfig {
    DeviceAddr page_size = 0;
    BufferType buffer_type = BufferType::DRAM;
    BufferShardingArgs sharding_args;
    std::optional<bool> bottom_up;
    std::optional<SubDeviceId> sub_device_id = std::nullopt;
};

class MeshBuffer {
public:
    static std::shared_ptr<MeshBuffer> create(
        const std::variant<ReplicatedBufferConfig, ShardedBufferConfig>& mesh_buffer_config,
        const DeviceLocalBufferConfig& device_local_config, MeshDevice* mesh_device,
        std::optional<DeviceAddr> address = std::nullopt);
    DeviceAddr size() const;
    DeviceAddr address() const;
    Buffer* get_reference_buffer() const;
    const std::shared_ptr<detail::Memory>& memory() const { return memory_; }

private:
    std::shared_ptr<detail::Memory> memory_;
    std::shared_ptr<Buffer> reference_;
};

class MeshWorkload {
public:
    void add_program(const MeshCoordinateRange& device_range, Program&& program);
    const std::vector<Program>& programs() const { return programs_; }

private:
    std::vector<Program> programs_;
};

class MeshCommandQueue {
public:
    explicit MeshCommandQueue(std::shared_ptr<detail::Device> device) : device_(std::move(device)) {}
    void enqueue_write_mesh_buffer(const std::shared_ptr<MeshBuffer>& buffer, const void* host_data, bool blocking);
    void enqueue_read_mesh_buffer(void* host_data, const std::shared_ptr<MeshBuffer>& buffer, bool blocking);
    detail::Device& device() const { return *device_; }

private:
    std::shared_ptr<detail::Device> device_;
};

class MeshDevice {
public:
    static std::shared_ptr<MeshDevice> create_unit_mesh(
        int device_id, std::size_t l1_small_size = 0, std::size_t trace_region_size = 0,
        std::size_t num_command_queues = 1, const DispatchCoreConfig& dispatch_core_config = DispatchCoreConfig{},
        std::span<const std::uint32_t> l1_bank_remap = {}, std::size_t worker_l1_size = 0);
    MeshCommandQueue& mesh_command_queue(std::optional<uint8_t> cq_id = std::nullopt) const;
    CoreCoord compute_with_storage_grid_size() const;
    CoreCoord worker_core_from_logical_core(const CoreCoord& logical_core) const;
    const MeshShape& shape() const { return shape_; }
    bool close();

private:
    friend class MeshBuffer;
    MeshDevice();
    std::shared_ptr<detail::Device> device_;
    mutable MeshCommandQueue queue_;
    MeshShape shape_;
};

void EnqueueMeshWorkload(MeshCommandQueue& mesh_cq, MeshWorkload& mesh_workload, bool blocking);
void Finish(MeshCommandQueue& mesh_cq, std::span<const SubDeviceId> sub_device_ids = {});

template <typename T>
void EnqueueWriteMeshBuffer(
    MeshCommandQueue& mesh_cq, std::shared_ptr<MeshBuffer>& mesh_buffer, const std::vector<T>& src,
    bool blocking = false) {
    if (src.size() * sizeof(T) < mesh_buffer->size()) {
        throw std::runtime_error("EnqueueWriteMeshBuffer: fewer bytes than the buffer has");
    }
    mesh_cq.enqueue_write_mesh_buffer(mesh_buffer, src.data(), blocking);
}

template <typename T>
void EnqueueReadMeshBuffer(
    MeshCommandQueue& mesh_cq, std::vector<T>& dst, std::shared_ptr<MeshBuffer>& mesh_buffer, bool blocking = true) {
    dst.resize(mesh_buffer->size() / sizeof(T));
    mesh_cq.enqueue_read_mesh_buffer(dst.data(), mesh_buffer, blocking);
}

}  // namespace distributed

class TensorAccessorArgs {
public:
    explicit TensorAccessorArgs(
        const Buffer& buffer, Flags<tensor_accessor::ArgConfig> args_config = tensor_accessor::ArgConfig::None);
    explicit TensorAccessorArgs(
        const distributed::MeshBuffer& buffer,
        Flags<tensor_accessor::ArgConfig> args_config = tensor_accessor::ArgConfig::None);
    void append_to(std::vector<uint32_t>& compile_time_args) const;

private:
    std::vector<uint32_t> words_;
};

}  // namespace tt::tt_metal

namespace tt::tt_metal::detail {
// Where element (row, column) of an m x n matrix lies in tiles of faces: tiles row by row, four faces of 16 x 16 each.
constexpr std::size_t tile_position(std::size_t row, std::size_t column, std::size_t n) {
    const std::size_t tile = row / 32 * (n / 32) + column / 32;
    const std::size_t face = row % 32 / 16 * 2 + column % 32 / 16;
    return tile * 1024 + face * 256 + row % 16 * 16 + column % 16;
}
void check_tiles(std::size_t count, std::size_t m, std::size_t n);
std::vector<uint32_t> pack_blocks(std::span<const float> data, int magnitude_bits, bool row_major, bool exponent_a);
std::vector<float> unpack_blocks(std::span<const uint32_t> tiles, int magnitude_bits, bool row_major, bool exponent_a);
}  // namespace tt::tt_metal::detail

template <typename T>
std::vector<T> tilize_nfaces(const std::vector<T>& input, uint32_t m, uint32_t n) {
    tt::tt_metal::detail::check_tiles(input.size(), m, n);
    std::vector<T> tiles(input.size());
    for (std::size_t i = 0; i < input.size(); ++i) {
        tiles[tt::tt_metal::detail::tile_position(i / n, i % n, n)] = input[i];
    }
    return tiles;
}

template <typename T>
std::vector<T> untilize_nfaces(const std::vector<T>& input, uint32_t m, uint32_t n) {
    tt::tt_metal::detail::check_tiles(input.size(), m, n);
    std::vector<T> matrix(input.size());
    for (std::size_t i = 0; i < input.size(); ++i) {
        matrix[i] = input[tt::tt_metal::detail::tile_position(i / n, i % n, n)];
    }
    return matrix;
}

template <typename T>
std::vector<uint32_t> pack_as_bfp8_tiles(
    std::span<const T> data, bool row_major_input, bool is_exp_a,
    const std::optional<tt::tt_metal::Tile>& = std::nullopt) {
    const std::vector<float> values(data.begin(), data.end());
    return tt::tt_metal::detail::pack_blocks(values, 7, row_major_input, is_exp_a);
}

template <typename T>
std::vector<uint32_t> pack_as_bfp4_tiles(
    std::span<const T> data, bool row_major_input, bool is_exp_a,
    const std::optional<tt::tt_metal::Tile>& = std::nullopt) {
    const std::vector<float> values(data.begin(), data.end());
    return tt::tt_metal::detail::pack_blocks(values, 3, row_major_input, is_exp_a);
}

inline std::vector<float> unpack_bfp8_tiles_into_float_vec(
    std::span<const uint32_t> tiles, bool row_major_output, bool is_exp_a,
    const std::optional<tt::tt_metal::Tile>& = std::nullopt) {
    return tt::tt_metal::detail::unpack_blocks(tiles, 7, row_major_output, is_exp_a);
}

inline std::vector<float> unpack_bfp4_tiles_into_float_vec(
    std::span<const uint32_t> tiles, bool row_major_output, bool is_exp_a,
    const std::optional<tt::tt_metal::Tile>& = std::nullopt) {
    return tt::tt_metal::detail::unpack_blocks(tiles, 3, row_major_output, is_exp_a);
}
