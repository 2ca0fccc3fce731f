// 32 rows of numbers at a time, one after the other: wt pages of the circular buffer hold them.
#include <cstdint>

#include "api/dataflow/dataflow_api.h"

void kernel_main() {
    const uint32_t address = get_arg_val<uint32_t>(0);
    const uint32_t start_block = get_arg_val<uint32_t>(1);
    const uint32_t blocks = get_arg_val<uint32_t>(2);
    constexpr uint32_t cb = get_compile_time_arg_val(0);
    constexpr uint32_t wt = get_compile_time_arg_val(1);
    constexpr uint32_t row_bytes = get_compile_time_arg_val(2);
    constexpr auto args = TensorAccessorArgs<3>();
    const auto tensor = TensorAccessor(args, address);

    for (uint32_t block = start_block; block < start_block + blocks; ++block) {
        cb_reserve_back(cb, wt);
        uint32_t l1 = get_write_ptr(cb);
        for (uint32_t row = 0; row < 32; ++row) {
            noc_async_read(tensor.get_noc_addr(block * 32 + row), l1, row_bytes);
            l1 += row_bytes;
        }
        noc_async_read_barrier();
        cb_push_back(cb, wt);
    }
}
