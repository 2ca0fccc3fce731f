// Per tile row of A: its tiles, and the tiles of the bias row beneath which they stand.
#include <cstdint>

#include "api/dataflow/dataflow_api.h"

void kernel_main() {
    const uint32_t a_address = get_arg_val<uint32_t>(0);
    const uint32_t bias_address = get_arg_val<uint32_t>(1);
    const uint32_t wt = get_arg_val<uint32_t>(2);
    const uint32_t start_row = get_arg_val<uint32_t>(3);
    const uint32_t rows = get_arg_val<uint32_t>(4);
    constexpr uint32_t cb_a = get_compile_time_arg_val(0);
    constexpr uint32_t cb_bias = get_compile_time_arg_val(1);
    constexpr auto a_args = TensorAccessorArgs<2>();
    constexpr auto bias_args = TensorAccessorArgs<a_args.next_compile_time_args_offset()>();
    const auto a = TensorAccessor(a_args, a_address);
    const auto bias = TensorAccessor(bias_args, bias_address);

    for (uint32_t row = start_row; row < start_row + rows; ++row) {
        for (uint32_t column = 0; column < wt; ++column) {
            cb_reserve_back(cb_a, 1);
            noc_async_read_page(row * wt + column, a, get_write_ptr(cb_a));
            cb_reserve_back(cb_bias, 1);
            noc_async_read_page(column, bias, get_write_ptr(cb_bias));
            noc_async_read_barrier();
            cb_push_back(cb_a, 1);
            cb_push_back(cb_bias, 1);
        }
    }
}
