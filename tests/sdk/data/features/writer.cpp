// features: hand-written for the tests of the SDK gate. Y lies in the shard that its circular buffer is bound to and needs
// no copy; Z is written tile by tile.
#include <cstdint>

#include "api/dataflow/dataflow_api.h"

void kernel_main() {
    const uint32_t z_addr = get_arg_val<uint32_t>(0);
    const uint32_t first_row = get_arg_val<uint32_t>(1);
    const uint32_t first_column = get_arg_val<uint32_t>(2);

    constexpr uint32_t cb_y = get_compile_time_arg_val(0);
    constexpr uint32_t cb_z = get_compile_time_arg_val(1);
    constexpr uint32_t Nt = get_compile_time_arg_val(2);
    constexpr uint32_t rows = get_compile_time_arg_val(3);
    constexpr uint32_t columns = get_compile_time_arg_val(4);
    constexpr auto z_args = TensorAccessorArgs<5>();
    const auto z = TensorAccessor(z_args, z_addr);

    for (uint32_t m = first_row; m < first_row + rows; ++m) {
        for (uint32_t n = first_column; n < first_column + columns; ++n) {
            cb_wait_front(cb_z, 1);
            noc_async_write_page(m * Nt + n, z, get_read_ptr(cb_z));
            noc_async_writes_flushed();
            cb_pop_front(cb_z, 1);
        }
    }
    cb_wait_front(cb_y, rows * columns);
    noc_async_write_barrier();
}
