// features: hand-written for the tests of the SDK gate: Y = gelu(X + bias), Z = alpha * X on a 2 x 2 grid of cores.
// Reads the X tiles of this core; the core (0, 0) of each column of cores reads the bias and multicasts it downwards.
#include <cstdint>

#include "api/core_local_mem.h"
#include "api/dataflow/dataflow_api.h"

void kernel_main() {
    const uint32_t first_row = get_arg_val<uint32_t>(0);
    const uint32_t first_column = get_arg_val<uint32_t>(1);
    const uint32_t sender_x = get_arg_val<uint32_t>(2);
    const uint32_t sender_y = get_arg_val<uint32_t>(3);
    const uint32_t receiver_y = get_arg_val<uint32_t>(4);
    const uint32_t x_addr = get_common_arg_val<uint32_t>(0);
    const uint32_t bias_addr = get_common_arg_val<uint32_t>(1);
    const uint32_t ready_sem = get_semaphore(get_common_arg_val<uint32_t>(2));
    const uint32_t valid_sem = get_semaphore(get_common_arg_val<uint32_t>(3));

    constexpr uint32_t cb_x = get_compile_time_arg_val(0);
    constexpr uint32_t cb_bias = get_compile_time_arg_val(1);
    constexpr uint32_t Nt = get_named_compile_time_arg_val("Nt");
    constexpr uint32_t rows = get_named_compile_time_arg_val("rows");
    constexpr uint32_t columns = get_named_compile_time_arg_val("columns");
    constexpr auto x_args = TensorAccessorArgs<2>();
    const auto x = TensorAccessor(x_args, x_addr);

    auto* ready = reinterpret_cast<volatile tt_l1_ptr uint32_t*>(ready_sem);
    auto* valid = reinterpret_cast<volatile tt_l1_ptr uint32_t*>(valid_sem);
    cb_reserve_back(cb_bias, columns);
    const uint32_t bias_l1 = get_write_ptr(cb_bias);
    constexpr uint32_t bias_bytes = columns * get_tile_size(cb_bias);
#if IS_SENDER
    constexpr auto bias_args = TensorAccessorArgs<x_args.next_compile_time_args_offset()>();
    const auto bias = TensorAccessor(bias_args, bias_addr);
    for (uint32_t n = 0; n < columns; ++n) {
        noc_async_read_page(first_column + n, bias, bias_l1 + n * get_tile_size(cb_bias));
    }
    noc_async_read_barrier();
    noc_semaphore_wait(ready, 1);
    noc_semaphore_set(ready, 0);
    noc_async_write_multicast(
        bias_l1, get_noc_multicast_addr(sender_x, receiver_y, sender_x, receiver_y, bias_l1), bias_bytes, 1);
    noc_async_writes_flushed();
    noc_semaphore_set(valid, 1);
    noc_semaphore_set_multicast(
        valid_sem, get_noc_multicast_addr(sender_x, receiver_y, sender_x, receiver_y, valid_sem), 1);
    noc_async_write_barrier();
#else
    noc_semaphore_set(valid, 0);
    noc_semaphore_inc(get_noc_addr(sender_x, sender_y, ready_sem), 1);
    noc_semaphore_wait(valid, 1);
    noc_async_atomic_barrier();
#endif
    cb_push_back(cb_bias, columns);

    for (uint32_t m = first_row; m < first_row + rows; ++m) {
        cb_reserve_back(cb_x, columns);
        uint32_t l1 = get_write_ptr(cb_x);
        for (uint32_t n = first_column; n < first_column + columns; ++n) {
            noc_async_read_page(m * Nt + n, x, l1);
            l1 += get_tile_size(cb_x);
        }
        noc_async_read_barrier();
        cb_push_back(cb_x, columns);
    }
}
