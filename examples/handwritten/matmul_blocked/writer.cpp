// Writes the output block of this core.
#include <cstdint>

#include "api/dataflow/dataflow_api.h"

void kernel_main() {
    const uint32_t address = get_arg_val<uint32_t>(0);
    const uint32_t first_row = get_arg_val<uint32_t>(1);
    const uint32_t first_column = get_arg_val<uint32_t>(2);
    const uint32_t nt = get_arg_val<uint32_t>(3);
    constexpr uint32_t cb_out = get_compile_time_arg_val(0);
    constexpr uint32_t block_h = get_compile_time_arg_val(1);
    constexpr uint32_t block_w = get_compile_time_arg_val(2);
    constexpr auto args = TensorAccessorArgs<3>();
    const auto c = TensorAccessor(args, address);

    for (uint32_t row = first_row; row < first_row + block_h; ++row) {
        for (uint32_t column = first_column; column < first_column + block_w; ++column) {
            cb_wait_front(cb_out, 1);
            noc_async_write_page(row * nt + column, c, get_read_ptr(cb_out));
            noc_async_writes_flushed();
            cb_pop_front(cb_out, 1);
        }
    }
    noc_async_write_barrier();
}
