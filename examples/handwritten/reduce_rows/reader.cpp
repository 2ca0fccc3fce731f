// The scaler tile (1 in row 0 of each face), then the tiles of each row.
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
    constexpr uint32_t scaler_bits = get_compile_time_arg_val(2);  // bfloat16, twice in a word
    constexpr auto args = TensorAccessorArgs<3>();
    const auto tensor = TensorAccessor(args, address);

    cb_reserve_back(cb_scaler, 1);
    CoreLocalMem<volatile uint32_t> scaler(get_write_ptr(cb_scaler));
    for (uint32_t word = 0; word < 512; ++word) {
        scaler[word] = word % 128 < 8 ? scaler_bits : uint32_t{0};
    }
    cb_push_back(cb_scaler, 1);

    for (uint32_t tile = start_row * wt; tile < (start_row + rows) * wt; ++tile) {
        cb_reserve_back(cb_in, 1);
        noc_async_read_page(tile, tensor, get_write_ptr(cb_in));
        noc_async_read_barrier();
        cb_push_back(cb_in, 1);
    }
}
