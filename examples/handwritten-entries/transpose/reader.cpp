// Tiles of X in the order of the transposed tensor: tile (r, c) of the output is tile (c, r) of X.
#include <cstdint>

#include "api/dataflow/dataflow_api.h"

void kernel_main() {
    const uint32_t address = get_arg_val<uint32_t>(0);
    const uint32_t rows = get_arg_val<uint32_t>(1);     // tile rows of the output
    const uint32_t columns = get_arg_val<uint32_t>(2);  // tile columns of the output
    const uint32_t start = get_arg_val<uint32_t>(3);
    const uint32_t count = get_arg_val<uint32_t>(4);
    constexpr uint32_t cb = get_compile_time_arg_val(0);
    constexpr auto args = TensorAccessorArgs<2>();
    const auto tensor = TensorAccessor(args, address);

    for (uint32_t tile = start; tile < start + count; ++tile) {
        cb_reserve_back(cb, 1);
        noc_async_read_page(tile % columns * rows + tile / columns, tensor, get_write_ptr(cb));
        noc_async_read_barrier();
        cb_push_back(cb, 1);
    }
}
