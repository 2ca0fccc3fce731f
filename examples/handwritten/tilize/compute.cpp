// Row-major to tiles, a block of wt tiles at a time.
#include <cstdint>

#include "api/compute/common.h"
#include "api/compute/tilize.h"

void kernel_main() {
    const uint32_t blocks = get_arg_val<uint32_t>(0);
    constexpr uint32_t cb_in = get_compile_time_arg_val(0);
    constexpr uint32_t cb_out = get_compile_time_arg_val(1);
    constexpr uint32_t wt = get_compile_time_arg_val(2);

    compute_kernel_hw_startup(cb_in, cb_out);
    tilize_init(cb_in, wt, cb_out);
    for (uint32_t block = 0; block < blocks; ++block) {
        cb_wait_front(cb_in, wt);
        cb_reserve_back(cb_out, wt);
        tilize_block(cb_in, wt, cb_out);
        cb_push_back(cb_out, wt);
        cb_pop_front(cb_in, wt);
    }
    tilize_uninit(cb_in, cb_out);
}
