// What kernel texts call in the engine. Every function is out of line in the runtime, so that its return address is the
// kernel's own line (resolved through the debug information when something is reported).
#pragma once
#include <cstdint>

namespace emu {
struct PrintArg {
    enum Kind : uint8_t { Int, Uint, Float, Text, Pointer } kind;
    union {
        int64_t i;
        uint64_t u;
        double f;
        const char* s;
    };
};
struct CbInterface {  // what get_local_cb_interface shows (bytes)
    uint32_t fifo_size, fifo_limit, fifo_page_size, fifo_num_pages, fifo_rd_ptr, fifo_wr_ptr;
};
// Operations whose unpacker and math configuration must agree with the last init.
enum class Op : uint8_t {
    None, Matmul, Binary, ReuseDest, Copy, Transpose, Reduce, UnaryBcast, Tilize, Untilize, TransposeDest, CopyDest,
};
}  // namespace emu

extern "C" {
// arguments and position
uint32_t emu_arg(int32_t index);
uint32_t emu_common_arg(int32_t index);
uint32_t emu_arg_addr(int32_t index);
uint32_t emu_common_arg_addr(int32_t index);
uint32_t emu_logical_x();
uint32_t emu_logical_y();
uint32_t emu_relative_x();
uint32_t emu_relative_y();
uint32_t emu_my_x();
uint32_t emu_my_y();
// circular buffers
void emu_cb_reserve_back(int32_t cb, int32_t n);
void emu_cb_push_back(int32_t cb, int32_t n);
void emu_cb_wait_front(int32_t cb, int32_t n);
void emu_cb_pop_front(int32_t cb, int32_t n);
bool emu_cb_reservable(int32_t cb, int32_t n);
bool emu_cb_available(int32_t cb, int32_t n);
uint32_t emu_write_ptr(int32_t cb);
uint32_t emu_read_ptr(int32_t cb);
emu::CbInterface* emu_cb_interface(int32_t cb);
// NoC
uint64_t emu_bank_addr(bool dram, uint32_t bank, uint64_t addr);
uint64_t emu_interleaved_addr(bool dram, uint32_t base, uint32_t page_size, uint32_t page, uint32_t offset);
void emu_read(uint64_t src, uint32_t dst, uint32_t size, uint8_t noc);
void emu_write(uint32_t src, uint64_t dst, uint32_t size, uint8_t noc, bool posted);
void emu_multicast(uint32_t src, uint64_t dst, uint32_t size, uint32_t num_dests, bool linked, bool loopback, uint8_t noc);
void emu_one_packet_check(uint32_t size);
void emu_read_set_state(uint64_t src, uint32_t size, uint8_t noc);
void emu_read_with_state(uint32_t src, uint32_t dst, uint32_t size, uint8_t noc);
void emu_write_set_state(uint64_t dst, uint32_t size, uint8_t noc);
void emu_write_with_state(uint32_t src, uint32_t dst, uint32_t size, uint8_t noc);
void emu_read_barrier(uint8_t noc);
void emu_write_barrier(uint8_t noc);
void emu_writes_flushed(uint8_t noc);
void emu_posted_flushed(uint8_t noc);
void emu_atomic_barrier(uint8_t noc);
void emu_full_barrier(uint8_t noc);
void emu_inline_write(uint64_t dst, uint32_t value, uint8_t noc);
uint32_t emu_get_semaphore(uint32_t id);
void emu_semaphore_wait(const volatile void* addr, uint32_t value, bool at_least);
void emu_semaphore_set(volatile void* addr, uint32_t value);
void emu_semaphore_inc(uint64_t addr, uint32_t by, uint8_t noc);
void emu_semaphore_inc_multicast(uint64_t addr, uint32_t by, uint32_t num_dests, uint8_t noc);
void emu_semaphore_set_remote(uint32_t src, uint64_t dst, uint8_t noc);
void emu_semaphore_set_multicast(uint32_t src, uint64_t dst, uint32_t num_dests, bool linked, bool loopback, uint8_t noc);
void* emu_l1_access(uint32_t addr, uint32_t size, bool write);
void emu_invalidate_l1();
// compute: each call does the part of the thread that runs it
void emu_hw_startup(uint32_t a, uint32_t b, uint32_t out);
void emu_acquire();
void emu_commit();
void emu_regs_wait();
void emu_release();
void emu_reconfig(int32_t a, int32_t b, int32_t old_a, int32_t old_b);  // -1: unchanged
void emu_pack_reconfig(int32_t out, int32_t old);
void emu_pack_init(uint32_t out);
void emu_pack_l1_acc(uint32_t on);
void emu_pack_relu(uint32_t mode, uint32_t threshold);
void emu_pack_tile(uint32_t dst, uint32_t cb, uint32_t index, bool out_of_order);
void emu_matmul_init(uint32_t in0, uint32_t in1, uint32_t transpose, uint32_t ct, uint32_t rt, uint32_t kt);
void emu_matmul(uint32_t in0, uint32_t in1, uint32_t i0, uint32_t i1, uint32_t dst);
void emu_matmul_block(uint32_t in0, uint32_t in1, uint32_t i0, uint32_t i1, uint32_t dst, uint32_t transpose, uint32_t ct,
                      uint32_t rt, uint32_t kt);
void emu_binary_init(int op, int bcast, uint32_t a, uint32_t b, bool acc);
void emu_binary(int op, int bcast, uint32_t a, uint32_t b, uint32_t ia, uint32_t ib, uint32_t dst, uint32_t bcast_row);
void emu_reuse_dest_init(int op, int reuse, uint32_t cb);
void emu_reuse_dest(int op, int reuse, uint32_t cb, uint32_t i, uint32_t dst);
void emu_copy_init(uint32_t cb, uint32_t transpose);
void emu_copy(uint32_t cb, uint32_t i, uint32_t dst);
void emu_transpose_init(uint32_t cb);
void emu_transpose(uint32_t cb, uint32_t i, uint32_t dst);
void emu_unary_bcast_init(int bcast, uint32_t cb);
void emu_unary_bcast(int bcast, uint32_t cb, uint32_t i, uint32_t dst);
void emu_reduce_init(int pool, int dim, uint32_t in, uint32_t scaler, uint32_t out);
void emu_reduce(int pool, int dim, uint32_t in, uint32_t scaler, uint32_t i, uint32_t is, uint32_t dst);
void emu_reduce_uninit();
void emu_tilize_init(uint32_t in, uint32_t block, uint32_t out);
void emu_tilize_block(uint32_t in, uint32_t block, uint32_t out, uint32_t in_index, uint32_t out_index);
void emu_tilize_uninit(uint32_t in, uint32_t out);
void emu_untilize_init(uint32_t in, uint32_t out, uint32_t block_ct, uint32_t full_ct, bool from_dest);
void emu_untilize_block(uint32_t in, uint32_t rt, uint32_t out, uint32_t block_ct, uint32_t full_ct, uint32_t block_c);
void emu_untilize_dest(uint32_t out, uint32_t rt, uint32_t block_ct, uint32_t full_ct, uint32_t block_c, uint32_t dst_offset);
void emu_untilize_uninit(uint32_t out);
void emu_transpose_dest_init();
void emu_transpose_dest(uint32_t dst);
void emu_copy_dest_init();
void emu_copy_dest(uint32_t from, uint32_t to);
uint32_t emu_read_tile_value(uint32_t cb, uint32_t tile, uint32_t element);
uint32_t emu_tile_address(uint32_t cb, uint32_t tile);
void emu_sfpu_init(uint32_t op, uint32_t variant);
void emu_sfpu(uint32_t op, uint32_t init, uint32_t variant, int32_t vector_mode, const uint32_t* dst, uint32_t num_in,
              uint32_t out, const uint32_t* params, uint32_t num_params);
[[noreturn]] void emu_not_emulated(const char* what, const char* help);
void emu_print(const char* format, const emu::PrintArg* args, uint32_t count);
}
