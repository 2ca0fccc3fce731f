// One output block a core: for each K block, a block of A (block_h x block_k tiles) and a block of B (block_k x block_w).
#include <cstdint>

#include "api/dataflow/dataflow_api.h"

void kernel_main() {
    const uint32_t a_address = get_arg_val<uint32_t>(0);
    const uint32_t b_address = get_arg_val<uint32_t>(1);
    const uint32_t first_row = get_arg_val<uint32_t>(2);
    const uint32_t first_column = get_arg_val<uint32_t>(3);
    const uint32_t kt = get_arg_val<uint32_t>(4);
    const uint32_t nt = get_arg_val<uint32_t>(5);
    constexpr uint32_t cb_a = get_compile_time_arg_val(0);
    constexpr uint32_t cb_b = get_compile_time_arg_val(1);
    constexpr uint32_t block_h = get_compile_time_arg_val(2);
    constexpr uint32_t block_w = get_compile_time_arg_val(3);
    constexpr uint32_t block_k = get_compile_time_arg_val(4);
    constexpr auto a_args = TensorAccessorArgs<5>();
    constexpr auto b_args = TensorAccessorArgs<a_args.next_compile_time_args_offset()>();
    const auto a = TensorAccessor(a_args, a_address);
    const auto b = TensorAccessor(b_args, b_address);
    constexpr uint32_t tile_bytes = get_tile_size(cb_a);

    for (uint32_t k0 = 0; k0 < kt; k0 += block_k) {
        cb_reserve_back(cb_a, block_h * block_k);
        uint32_t l1 = get_write_ptr(cb_a);
        for (uint32_t r = 0; r < block_h; ++r) {
            for (uint32_t k = 0; k < block_k; ++k) {
                noc_async_read_page((first_row + r) * kt + k0 + k, a, l1);
                l1 += tile_bytes;
            }
        }
        cb_reserve_back(cb_b, block_k * block_w);
        l1 = get_write_ptr(cb_b);
        for (uint32_t k = 0; k < block_k; ++k) {
            for (uint32_t c = 0; c < block_w; ++c) {
                noc_async_read_page((k0 + k) * nt + first_column + c, b, l1);
                l1 += tile_bytes;
            }
        }
        noc_async_read_barrier();
        cb_push_back(cb_a, block_h * block_k);
        cb_push_back(cb_b, block_k * block_w);
    }
}
