// Tiles to rows of numbers, a tile row (wt tiles) at a time.
#include <cstdint>

#include "api/compute/common.h"
#include "api/compute/pack_untilize.h"

void kernel_main() {
    const uint32_t rows = get_arg_val<uint32_t>(0);
    constexpr uint32_t cb_in = get_compile_time_arg_val(0);
    constexpr uint32_t cb_out = get_compile_time_arg_val(1);
    constexpr uint32_t wt = get_compile_time_arg_val(2);

    compute_kernel_hw_startup(cb_in, cb_out);
    pack_untilize_init<wt, wt>(cb_in, cb_out);
    for (uint32_t row = 0; row < rows; ++row) {
        cb_wait_front(cb_in, wt);
        cb_reserve_back(cb_out, wt);
        pack_untilize_block<wt, wt>(cb_in, 1, cb_out);
        cb_push_back(cb_out, wt);
        cb_pop_front(cb_in, wt);
    }
    pack_untilize_uninit(cb_out);
}
