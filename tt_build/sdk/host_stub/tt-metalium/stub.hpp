// Stand-in for TT-Metalium's host headers, which the wheel does not carry: the declarations that generated host programs
// use, so that their object files name the SDK's symbols, which the gate then looks up in the wheel's libtt_metal.so.
// Only names, parameters and scopes matter; members that a program does not touch are left out, overloads that could
// make a call ambiguous are not.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
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
    constexpr xy_pair(std::size_t x_, std::size_t y_) : x(x_), y(y_) {}
    std::size_t x, y;
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

namespace ttsl {
template <typename T, typename Tag>
class StrongType {
    T value;
};
}  // namespace ttsl

namespace tt::tt_metal {

using CoreCoord = tt::xy_pair;
using DeviceAddr = std::uint64_t;
using KernelHandle = std::uint32_t;
using CBHandle = std::uintptr_t;
struct SubDeviceIdTag;
using SubDeviceId = ttsl::StrongType<unsigned char, SubDeviceIdTag>;

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
    CoreRange(const CoreCoord& core);
    CoreRange(const CoreCoord& start, const CoreCoord& end);
    CoreCoord start_coord, end_coord;
};

class CoreRangeSet {
public:
    CoreRangeSet(const CoreRange& range);
    CoreRangeSet(const std::set<CoreRange>& ranges);
    CoreRangeSet(std::span<const CoreRange> ranges);
    CoreRangeSet(std::vector<CoreRange>&& ranges);
    CoreRangeSet(const CoreRangeSet& other);
    CoreRangeSet(CoreRangeSet&& other) noexcept;

private:
    std::vector<CoreRange> ranges_;
};

class Tile {
    uint32_t words[16];
};
class Buffer;
class MeshTensor;
class Program;
struct DramConfig;
struct EthernetConfig;
enum class DataType;
class DispatchCoreConfig {
public:
    DispatchCoreConfig() = default;
};

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
    BufferShardingArgs();
    BufferShardingArgs(ShardSpecBuffer shard_spec, TensorMemoryLayout layout);
    BufferShardingArgs(const BufferShardingArgs& other);
    BufferShardingArgs(BufferShardingArgs&& other) noexcept;
    ~BufferShardingArgs();
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

class CircularBufferConfig {
public:
    CircularBufferConfig(uint32_t total_size, const std::map<uint8_t, tt::DataFormat>& data_format_spec);
    CircularBufferConfig(uint32_t total_size, const std::map<uint8_t, DataType>& data_type_spec);
    CircularBufferConfig& set_page_size(uint8_t buffer_index, uint32_t page_size);
    CircularBufferConfig& set_globally_allocated_address(const Buffer& buffer);
    CircularBufferConfig& set_globally_allocated_address(const MeshTensor& tensor);
    CircularBufferConfig& set_globally_allocated_address_and_total_size(
        const Buffer& buffer, uint32_t total_size, uint32_t address_offset);
};

namespace detail {
class ProgramImpl;
}

class Program {
public:
    Program();
    Program(Program&& other) noexcept;
    ~Program();

private:
    std::shared_ptr<detail::ProgramImpl> internal_;
};

Program CreateProgram();
KernelHandle CreateKernel(
    Program& program, const std::string& file_name,
    const std::variant<CoreCoord, CoreRange, CoreRangeSet>& core_spec,
    const std::variant<DataMovementConfig, ComputeConfig>& config);
KernelHandle CreateKernel(
    Program& program, const std::string& file_name,
    const std::variant<CoreCoord, CoreRange, CoreRangeSet>& core_spec, const EthernetConfig& config);
KernelHandle CreateKernel(
    Program& program, const std::string& file_name,
    const std::variant<CoreCoord, CoreRange, CoreRangeSet>& core_spec, const DramConfig& config);
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

class MeshShape {
public:
    ~MeshShape() = default;
};

class MeshCoordinateRange {
public:
    explicit MeshCoordinateRange(const MeshShape& shape);
};

struct ReplicatedBufferConfig {
    DeviceAddr size = 0;
};
struct ShardedBufferConfig;
struct DeviceLocalBufferConfig {
    DeviceAddr page_size = 0;
    BufferType buffer_type = BufferType::DRAM;
    BufferShardingArgs sharding_args;
    std::optional<bool> bottom_up;
    std::optional<SubDeviceId> sub_device_id = std::nullopt;
};
struct ShardedBufferConfig {
    DeviceAddr global_size = 0;
};

class MeshBuffer {
public:
    static std::shared_ptr<MeshBuffer> create(
        const std::variant<ReplicatedBufferConfig, ShardedBufferConfig>& mesh_buffer_config,
        const DeviceLocalBufferConfig& device_local_config, MeshDevice* mesh_device,
        std::optional<DeviceAddr> address = std::nullopt);
    DeviceAddr size() const;
    DeviceAddr address() const { return address_; }
    Buffer* get_reference_buffer() const;

private:
    DeviceAddr address_ = 0;
};

class MeshWorkload {
public:
    MeshWorkload();
    ~MeshWorkload();
    void add_program(const MeshCoordinateRange& device_range, Program&& program);
};

class MeshCommandQueue {
public:
    virtual ~MeshCommandQueue() = default;
    virtual void enqueue_write_mesh_buffer(
        const std::shared_ptr<MeshBuffer>& buffer, const void* host_data, bool blocking) = 0;
    virtual void enqueue_read_mesh_buffer(
        void* host_data, const std::shared_ptr<MeshBuffer>& buffer, bool blocking) = 0;
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
    const MeshShape& shape() const;
    bool close();
};

void EnqueueMeshWorkload(MeshCommandQueue& mesh_cq, MeshWorkload& mesh_workload, bool blocking);
void Finish(MeshCommandQueue& mesh_cq, std::span<const SubDeviceId> sub_device_ids = {});

template <typename T>
void EnqueueWriteMeshBuffer(
    MeshCommandQueue& mesh_cq, std::shared_ptr<MeshBuffer>& mesh_buffer, const std::vector<T>& src,
    bool blocking = false) {
    mesh_cq.enqueue_write_mesh_buffer(mesh_buffer, src.data(), blocking);
}

template <typename T>
void EnqueueReadMeshBuffer(
    MeshCommandQueue& mesh_cq, std::vector<T>& dst, std::shared_ptr<MeshBuffer>& mesh_buffer, bool blocking = true) {
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
};

}  // namespace tt::tt_metal

template <typename T>
std::vector<T> tilize_nfaces(const std::vector<T>& input, uint32_t m, uint32_t n);
template <typename T>
std::vector<T> untilize_nfaces(const std::vector<T>& input, uint32_t m, uint32_t n);

template <typename T>
std::vector<uint32_t> pack_as_bfp8_tiles(
    std::span<const T> data, bool row_major_input, bool is_exp_a,
    const std::optional<tt::tt_metal::Tile>& tile = std::nullopt);
template <typename T>
std::vector<uint32_t> pack_as_bfp4_tiles(
    std::span<const T> data, bool row_major_input, bool is_exp_a,
    const std::optional<tt::tt_metal::Tile>& tile = std::nullopt);
std::vector<float> unpack_bfp8_tiles_into_float_vec(
    std::span<const uint32_t> tiles, bool row_major_output, bool is_exp_a,
    const std::optional<tt::tt_metal::Tile>& tile = std::nullopt);
std::vector<float> unpack_bfp4_tiles_into_float_vec(
    std::span<const uint32_t> tiles, bool row_major_output, bool is_exp_a,
    const std::optional<tt::tt_metal::Tile>& tile = std::nullopt);
