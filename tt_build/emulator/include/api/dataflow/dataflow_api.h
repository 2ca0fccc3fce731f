// Readers and writers: circular buffers, NoC, semaphores (metalium-api section 3). Global namespace, as in the SDK.
#pragma once
#include "api/debug/dprint.h"
#include "emu/accessor.h"
#include "emu/common.h"

#ifdef EMU_OWN_NOC
constexpr uint8_t noc_index = EMU_OWN_NOC;
#else
constexpr uint8_t noc_index = 0xFF;  // "the kernel's own NoC"; kernels see their own constant of this name
#endif

constexpr uint32_t NOC_MAX_BURST_SIZE = 8192;  // kernels see their architecture's, as a macro
constexpr uint32_t NOC_UNICAST_WRITE_VC = 1;
constexpr uint32_t NOC_MULTICAST_WRITE_VC = 4;
constexpr uint32_t MEM_ZEROS_BASE = 0x10000;
constexpr uint32_t MEM_ZEROS_SIZE = 512;
enum class ProgrammableCoreType { TENSIX = 0 };
enum class InlineWriteDst { DEFAULT, L1, REG };

namespace emu {
struct OwnX { uint8_t operator[](int) const { return emu_my_x(); } };
struct OwnY { uint8_t operator[](int) const { return emu_my_y(); } };
}  // namespace emu
constexpr emu::OwnX my_x{};
constexpr emu::OwnY my_y{};

// ---- circular buffers
FORCE_INLINE void cb_push_back(const int32_t operand, const int32_t num_pages) { emu_cb_push_back(operand, num_pages); }
FORCE_INLINE void cb_pop_front(int32_t operand, int32_t num_pages) { emu_cb_pop_front(operand, num_pages); }
FORCE_INLINE void cb_reserve_back(int32_t operand, int32_t num_pages) { emu_cb_reserve_back(operand, num_pages); }
FORCE_INLINE void cb_wait_front(int32_t operand, int32_t num_pages) { emu_cb_wait_front(operand, num_pages); }
FORCE_INLINE bool cb_pages_reservable_at_back(int32_t operand, int32_t num_pages) { return emu_cb_reservable(operand, num_pages); }
FORCE_INLINE bool cb_pages_available_at_front(int32_t operand, int32_t num_pages) { return emu_cb_available(operand, num_pages); }
FORCE_INLINE uint32_t get_write_ptr(uint32_t operand) { return emu_write_ptr(operand); }
FORCE_INLINE uint32_t get_read_ptr(uint32_t operand) { return emu_read_ptr(operand); }
FORCE_INLINE emu::CbInterface& get_local_cb_interface(uint32_t cb_id) { return *emu_cb_interface(cb_id); }

// ---- addresses
inline uint64_t get_noc_addr(uint32_t noc_x, uint32_t noc_y, uint32_t addr, uint8_t noc = noc_index) {
    return (uint64_t(noc_y) << 42) | (uint64_t(noc_x) << 36) | addr;
}
inline uint64_t get_noc_addr(uint32_t addr, uint8_t noc = noc_index) { return get_noc_addr(emu_my_x(), emu_my_y(), addr); }
inline uint64_t get_noc_multicast_addr(uint32_t noc_x_start, uint32_t noc_y_start, uint32_t noc_x_end, uint32_t noc_y_end,
                                       uint32_t addr, uint8_t noc = noc_index) {
    return (uint64_t(1) << 63) | (uint64_t(noc_x_start) << 48) | (uint64_t(noc_y_start) << 54) | (uint64_t(noc_x_end) << 36) |
           (uint64_t(noc_y_end) << 42) | addr;
}
template <bool DRAM>
inline uint64_t get_noc_addr_from_bank_id(uint32_t bank_id, uint32_t bank_address_offset, uint8_t noc = noc_index) {
    return emu_bank_addr(DRAM, bank_id, bank_address_offset);
}
template <typename Args>
inline uint64_t get_noc_addr(const uint32_t id, const TensorAccessor<Args>& s, uint32_t offset = 0, uint8_t noc = noc_index) {
    return s.get_noc_addr(id, offset, noc);
}

// ---- reads
template <uint32_t max_page_size = NOC_MAX_BURST_SIZE + 1, bool enable_noc_tracing = true>
inline void noc_async_read(uint64_t src_noc_addr, uint32_t dst_local_l1_addr, uint32_t size, uint8_t noc = noc_index,
                           uint32_t read_req_vc = NOC_UNICAST_WRITE_VC) {
    emu_read(src_noc_addr, dst_local_l1_addr, size, noc);
}
template <bool enable_noc_tracing = true>
FORCE_INLINE void noc_async_read_one_packet(uint64_t src_noc_addr, uint32_t dst_local_l1_addr, uint32_t size,
                                            uint8_t noc = noc_index, uint32_t read_req_vc = NOC_UNICAST_WRITE_VC) {
    emu_one_packet_check(size);
    emu_read(src_noc_addr, dst_local_l1_addr, size, noc);
}
template <bool use_vc = false>
FORCE_INLINE void noc_async_read_one_packet_set_state(uint64_t src_noc_addr, uint32_t size, const uint32_t vc = 0,
                                                      uint8_t noc = noc_index) {
    emu_one_packet_check(size);
    emu_read_set_state(src_noc_addr, size, noc);
}
template <bool inc_num_issued = true, bool use_vc = false>
FORCE_INLINE void noc_async_read_one_packet_with_state(uint32_t src_local_l1_addr, uint32_t dst_local_l1_addr,
                                                       const uint32_t vc = 0, uint8_t noc = noc_index) {
    emu_read_with_state(src_local_l1_addr, dst_local_l1_addr, 0, noc);
}
FORCE_INLINE void noc_async_read_set_state(uint64_t src_noc_addr, uint8_t noc = noc_index) { emu_read_set_state(src_noc_addr, 0, noc); }
template <bool inc_num_issued = true, bool skip_cmdbuf_chk = false>
FORCE_INLINE void noc_async_read_with_state(uint32_t src_local_l1_addr, uint32_t dst_local_l1_addr, uint32_t size,
                                            uint8_t noc = noc_index) {
    emu_read_with_state(src_local_l1_addr, dst_local_l1_addr, size, noc);
}
template <typename AddrGen, bool enable_noc_tracing = true>
FORCE_INLINE void noc_async_read_page(const uint32_t id, const AddrGen& addrgen, uint32_t dst_local_l1_addr, uint32_t offset = 0,
                                      uint8_t noc = noc_index) {
    emu_read(addrgen.get_noc_addr(id, offset, noc), dst_local_l1_addr, addrgen.get_aligned_page_size(), noc);
}
template <typename Args>
FORCE_INLINE void noc_async_read_shard(const uint32_t shard_id, const TensorAccessor<Args>& s, uint32_t dst_local_l1_addr,
                                       uint8_t noc = noc_index) {
    emu_read(s.get_shard_noc_addr(shard_id, 0, noc), dst_local_l1_addr, s.get_aligned_page_size() * s.dspec().shard_volume(), noc);
}

// ---- writes
template <uint32_t max_page_size = NOC_MAX_BURST_SIZE + 1, bool enable_noc_tracing = true, bool posted = false>
inline void noc_async_write(uint32_t src_local_l1_addr, uint64_t dst_noc_addr, uint32_t size, uint8_t noc = noc_index,
                            uint32_t vc = NOC_UNICAST_WRITE_VC) {
    emu_write(src_local_l1_addr, dst_noc_addr, size, noc, posted);
}
template <bool enable_noc_tracing = true, bool posted = false>
FORCE_INLINE void noc_async_write_one_packet(uint32_t src_local_l1_addr, uint64_t dst_noc_addr, uint32_t size,
                                             uint8_t noc = noc_index, uint32_t vc = NOC_UNICAST_WRITE_VC) {
    emu_one_packet_check(size);
    emu_write(src_local_l1_addr, dst_noc_addr, size, noc, posted);
}
template <bool posted = false>
FORCE_INLINE void noc_async_write_one_packet_set_state(uint64_t dst_noc_addr, uint32_t size, uint8_t noc = noc_index,
                                                       uint8_t vc = NOC_UNICAST_WRITE_VC) {
    emu_one_packet_check(size);
    emu_write_set_state(dst_noc_addr, size, noc);
}
template <bool posted = false>
FORCE_INLINE void noc_async_write_one_packet_with_state(uint32_t src_local_l1_addr, uint32_t dst_local_l1_addr,
                                                        uint8_t noc = noc_index) {
    emu_write_with_state(src_local_l1_addr, dst_local_l1_addr, 0, noc);
}
template <typename AddrGen, bool enable_noc_tracing = true, bool posted = false>
FORCE_INLINE void noc_async_write_page(const uint32_t id, const AddrGen& addrgen, uint32_t src_local_l1_addr, uint32_t size = 0,
                                       uint32_t offset = 0, uint8_t noc = noc_index) {
    emu_write(src_local_l1_addr, addrgen.get_noc_addr(id, offset, noc), size ? size : addrgen.get_aligned_page_size(), noc, posted);
}
template <typename Args, bool posted = false>
FORCE_INLINE void noc_async_write_shard(const uint32_t shard_id, const TensorAccessor<Args>& s, uint32_t src_local_l1_addr,
                                        uint8_t noc = noc_index) {
    emu_write(src_local_l1_addr, s.get_shard_noc_addr(shard_id, 0, noc), s.get_aligned_page_size() * s.dspec().shard_volume(), noc, posted);
}
template <uint32_t max_page_size = NOC_MAX_BURST_SIZE + 1>
inline void noc_async_write_multicast(uint32_t src_local_l1_addr, uint64_t dst_noc_addr_multicast, uint32_t size,
                                      uint32_t num_dests, bool linked = false, uint8_t noc = noc_index,
                                      uint8_t vc = NOC_MULTICAST_WRITE_VC) {
    emu_multicast(src_local_l1_addr, dst_noc_addr_multicast, size, num_dests, linked, false, noc);
}
template <bool enable_noc_tracing = true>
FORCE_INLINE void noc_async_write_multicast_one_packet(uint32_t src_local_l1_addr, uint64_t dst_noc_addr_multicast, uint32_t size,
                                                       uint32_t num_dests, bool linked = false, uint8_t noc = noc_index) {
    emu_one_packet_check(size);
    emu_multicast(src_local_l1_addr, dst_noc_addr_multicast, size, num_dests, linked, false, noc);
}
inline void noc_async_write_multicast_loopback_src(uint32_t src_local_l1_addr, uint64_t dst_noc_addr_multicast, uint32_t size,
                                                   uint32_t num_dests, bool linked = false, uint8_t noc = noc_index) {
    emu_multicast(src_local_l1_addr, dst_noc_addr_multicast, size, num_dests, linked, true, noc);
}
template <InlineWriteDst dst_type = InlineWriteDst::DEFAULT, bool posted = false, bool flush = true>
FORCE_INLINE void noc_inline_dw_write(uint64_t addr, uint32_t val, uint8_t be = 0xF, uint8_t noc = noc_index,
                                      uint8_t vc = NOC_UNICAST_WRITE_VC, uint32_t customized_src_addr = 0) {
    emu_inline_write(addr, val, noc);
}

// ---- barriers
FORCE_INLINE void noc_async_read_barrier(uint8_t noc = noc_index) { emu_read_barrier(noc); }
FORCE_INLINE void noc_async_write_barrier(uint8_t noc = noc_index) { emu_write_barrier(noc); }
FORCE_INLINE void noc_async_writes_flushed(uint8_t noc = noc_index) { emu_writes_flushed(noc); }
FORCE_INLINE void noc_async_posted_writes_flushed(uint8_t noc = noc_index) { emu_posted_flushed(noc); }
FORCE_INLINE void noc_async_atomic_barrier(uint8_t noc_idx = noc_index) { emu_atomic_barrier(noc_idx); }
FORCE_INLINE void noc_async_full_barrier(uint8_t noc_idx = noc_index) { emu_full_barrier(noc_idx); }

// ---- semaphores
template <ProgrammableCoreType type = ProgrammableCoreType::TENSIX>
FORCE_INLINE uintptr_t get_semaphore(uint32_t semaphore_id) { return emu_get_semaphore(semaphore_id); }
FORCE_INLINE void noc_semaphore_wait(volatile tt_l1_ptr uint32_t* sem_addr, uint32_t val) { emu_semaphore_wait(sem_addr, val, false); }
FORCE_INLINE void noc_semaphore_wait_min(volatile tt_l1_ptr uint32_t* sem_addr, uint32_t val) { emu_semaphore_wait(sem_addr, val, true); }
FORCE_INLINE void noc_semaphore_set(volatile tt_l1_ptr uint32_t* sem_addr, uint32_t val) { emu_semaphore_set(sem_addr, val); }
template <bool posted = false>
FORCE_INLINE void noc_semaphore_inc(uint64_t addr, uint32_t incr, uint8_t noc_id = noc_index, uint8_t vc = NOC_UNICAST_WRITE_VC) {
    emu_semaphore_inc(addr, incr, noc_id);
}
template <bool posted = false>
FORCE_INLINE void noc_semaphore_inc_multicast(uint64_t addr, uint32_t incr, uint32_t num_dests, uint8_t noc_id = noc_index,
                                              uint8_t vc = NOC_MULTICAST_WRITE_VC) {
    emu_semaphore_inc_multicast(addr, incr, num_dests, noc_id);
}
inline void noc_semaphore_set_remote(uint32_t src_local_l1_addr, uint64_t dst_noc_addr, uint8_t noc = noc_index) {
    emu_semaphore_set_remote(src_local_l1_addr, dst_noc_addr, noc);
}
inline void noc_semaphore_set_multicast(uint32_t src_local_l1_addr, uint64_t dst_noc_addr_multicast, uint32_t num_dests,
                                        bool linked = false, uint8_t noc = noc_index, uint8_t vc = NOC_MULTICAST_WRITE_VC) {
    emu_semaphore_set_multicast(src_local_l1_addr, dst_noc_addr_multicast, num_dests, linked, false, noc);
}
inline void noc_semaphore_set_multicast_loopback_src(uint32_t src_local_l1_addr, uint64_t dst_noc_addr_multicast,
                                                     uint32_t num_dests, bool linked = false, uint8_t noc = noc_index) {
    emu_semaphore_set_multicast(src_local_l1_addr, dst_noc_addr_multicast, num_dests, linked, true, noc);
}
