// Transposes within each tile.
#include <cstdint>

#include "api/compute/common.h"
#include "api/compute/transpose.h"

void kernel_main() {
    const uint32_t tiles = get_arg_val<uint32_t>(0);
    constexpr uint32_t cb_in = get_compile_time_arg_val(0);
    constexpr uint32_t cb_out = get_compile_time_arg_val(1);

    compute_kernel_hw_startup(cb_in, cb_out);
    transpose_init(cb_in);
    for (uint32_t i = 0; i < tiles; ++i) {
        cb_wait_front(cb_in, 1);
        tile_regs_acquire();
        transpose_tile(cb_in, 0, 0);
        tile_regs_commit();
        cb_pop_front(cb_in, 1);
        cb_reserve_back(cb_out, 1);
        tile_regs_wait();
        pack_tile(0, cb_out);
        tile_regs_release();
        cb_push_back(cb_out, 1);
    }
}
