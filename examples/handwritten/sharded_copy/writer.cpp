// Writes the shard of this core to its pages of the interleaved output.
#include <cstdint>

#include "api/dataflow/dataflow_api.h"

void kernel_main() {
    const uint32_t address = get_arg_val<uint32_t>(0);
    const uint32_t start = get_arg_val<uint32_t>(1);
    const uint32_t tiles = get_arg_val<uint32_t>(2);
    constexpr uint32_t cb = get_compile_time_arg_val(0);
    constexpr auto args = TensorAccessorArgs<1>();
    const auto tensor = TensorAccessor(args, address);
    constexpr uint32_t page_bytes = get_tile_size(cb);

    cb_wait_front(cb, tiles);
    uint32_t l1 = get_read_ptr(cb);
    for (uint32_t tile = 0; tile < tiles; ++tile) {
        noc_async_write_page(start + tile, tensor, l1);
        l1 += page_bytes;
    }
    noc_async_write_barrier();
    cb_pop_front(cb, tiles);
}
