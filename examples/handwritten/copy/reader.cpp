// Reads pages in batches: several transfers under one barrier.
#include <cstdint>

#include "api/dataflow/dataflow_api.h"

void kernel_main() {
    const uint32_t address = get_arg_val<uint32_t>(0);
    const uint32_t start = get_arg_val<uint32_t>(1);
    const uint32_t count = get_arg_val<uint32_t>(2);
    constexpr uint32_t cb = get_compile_time_arg_val(0);
    constexpr uint32_t batch = get_compile_time_arg_val(1);
    constexpr auto args = TensorAccessorArgs<2>();
    const auto tensor = TensorAccessor(args, address);
    const uint32_t page_bytes = get_tile_size(cb);

    for (uint32_t done = 0; done < count; done += batch) {
        cb_reserve_back(cb, batch);
        uint32_t l1 = get_write_ptr(cb);
        for (uint32_t i = 0; i < batch; ++i) {
            noc_async_read_page(start + done + i, tensor, l1);
            l1 += page_bytes;
        }
        noc_async_read_barrier();
        cb_push_back(cb, batch);
    }
}
