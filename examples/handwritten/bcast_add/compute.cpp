// C = A + bias, the bias row broadcast over the rows, then relu on the vector unit.
#include <cstdint>

#include "api/compute/bcast.h"
#include "api/compute/common.h"
#include "api/compute/eltwise_unary/relu.h"

void kernel_main() {
    const uint32_t tiles = get_arg_val<uint32_t>(0);
    constexpr uint32_t cb_a = get_compile_time_arg_val(0);
    constexpr uint32_t cb_bias = get_compile_time_arg_val(1);
    constexpr uint32_t cb_c = get_compile_time_arg_val(2);

    compute_kernel_hw_startup(cb_a, cb_bias, cb_c);
    add_bcast_rows_init(cb_a, cb_bias);
    relu_tile_init();
    for (uint32_t i = 0; i < tiles; ++i) {
        cb_wait_front(cb_a, 1);
        cb_wait_front(cb_bias, 1);
        tile_regs_acquire();
        add_tiles_bcast_rows(cb_a, cb_bias, 0, 0, 0);
        relu_tile(0);
        tile_regs_commit();
        cb_pop_front(cb_a, 1);
        cb_pop_front(cb_bias, 1);

        cb_reserve_back(cb_c, 1);
        tile_regs_wait();
        pack_tile(0, cb_c);
        tile_regs_release();
        cb_push_back(cb_c, 1);
    }
}
