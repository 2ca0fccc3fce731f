// gemm: hand-written for the tests of the SDK gate, in the style of the generated kernels.
// Writes the output tiles of this core.
#include <cstdint>

#include "api/dataflow/dataflow_api.h"

void kernel_main() {
    const uint32_t c_addr = get_arg_val<uint32_t>(0);
    const uint32_t start_tile = get_arg_val<uint32_t>(1);
    const uint32_t num_tiles = get_arg_val<uint32_t>(2);

    constexpr uint32_t cb_c = get_compile_time_arg_val(0);
    constexpr auto c_args = TensorAccessorArgs<1>();
    const auto c = TensorAccessor(c_args, c_addr);

    for (uint32_t tile = start_tile; tile < start_tile + num_tiles; ++tile) {
        cb_wait_front(cb_c, 1);
        noc_async_write_page(tile, c, get_read_ptr(cb_c));
        noc_async_writes_flushed();
        cb_pop_front(cb_c, 1);
    }
    noc_async_write_barrier();
}
