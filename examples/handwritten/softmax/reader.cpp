// Two scaler tiles are one: 1 in row 0 of each face serves the maximum and the sum. Then the rows.
#include <cstdint>

#include "api/core_local_mem.h"
#include "api/dataflow/dataflow_api.h"

void kernel_main() {
    const uint32_t address = get_arg_val<uint32_t>(0);
    const uint32_t wt = get_arg_val<uint32_t>(1);
    const uint32_t start_row = get_arg_val<uint32_t>(2);
    const uint32_t rows = get_arg_val<uint32_t>(3);
    constexpr uint32_t cb_in = get_compile_time_arg_val(0);
    constexpr uint32_t cb_scaler = get_compile_time_arg_val(1);
    constexpr auto args = TensorAccessorArgs<2>();
    const auto tensor = TensorAccessor(args, address);
    constexpr uint32_t page_bytes = get_tile_size(cb_in);

    cb_reserve_back(cb_scaler, 1);
    CoreLocalMem<volatile uint32_t> scaler(get_write_ptr(cb_scaler));
    for (uint32_t word = 0; word < 512; ++word) {
        scaler[word] = word % 128 < 8 ? uint32_t{0x3F803F80} : uint32_t{0};
    }
    cb_push_back(cb_scaler, 1);

    for (uint32_t row = start_row; row < start_row + rows; ++row) {
        cb_reserve_back(cb_in, wt);
        uint32_t l1 = get_write_ptr(cb_in);
        for (uint32_t column = 0; column < wt; ++column) {
            noc_async_read_page(row * wt + column, tensor, l1);
            l1 += page_bytes;
        }
        noc_async_read_barrier();
        cb_push_back(cb_in, wt);
    }
}
