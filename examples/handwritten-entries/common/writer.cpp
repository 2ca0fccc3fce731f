// Writes the output tiles of this core.
#include <cstdint>

#include "api/dataflow/dataflow_api.h"
#include "tiles.h"

void kernel_main() {
    const uint32_t address = get_arg_val<uint32_t>(0);
    const uint32_t start = get_arg_val<uint32_t>(1);
    const uint32_t count = get_arg_val<uint32_t>(2);

    constexpr uint32_t cb = get_named_compile_time_arg_val("cb_out");
    constexpr auto args = TensorAccessorArgs<cb + 1>();  // cb_out is the last circular buffer
    const auto tensor = TensorAccessor(args, address);

    for_each_tile(start, count, [&](uint32_t tile) {
        cb_wait_front(cb, 1);
        noc_async_write_page(tile, tensor, get_read_ptr(cb));
        noc_async_writes_flushed();
        cb_pop_front(cb, 1);
    });
    noc_async_write_barrier();
}
