// C = gelu(A) * B with A in bfloat8_b and B in bfloat16: the formats of SrcA change between the two copies.
#include <cstdint>

#include "api/compute/common.h"
#include "api/compute/eltwise_binary_sfpu.h"
#include "api/compute/eltwise_unary/gelu.h"
#include "api/compute/tile_move_copy.h"

void kernel_main() {
    const uint32_t tiles = get_arg_val<uint32_t>(0);
    constexpr uint32_t cb_a = get_named_compile_time_arg_val("cb_a");
    constexpr uint32_t cb_b = get_named_compile_time_arg_val("cb_b");
    constexpr uint32_t cb_c = get_named_compile_time_arg_val("cb_out");

    compute_kernel_hw_startup(cb_a, cb_c);
    for (uint32_t i = 0; i < tiles; ++i) {
        cb_wait_front(cb_a, 1);
        cb_wait_front(cb_b, 1);
        tile_regs_acquire();
        reconfig_data_format_srca(cb_a);
        copy_init(cb_a);
        copy_tile(cb_a, 0, 0);
        reconfig_data_format_srca(cb_a, cb_b);
        copy_init(cb_b);
        copy_tile(cb_b, 0, 1);
        gelu_tile_init<false>();
        gelu_tile<false>(0);
        mul_binary_tile_init();
        mul_binary_tile(0, 1, 0);
        tile_regs_commit();
        cb_pop_front(cb_a, 1);
        cb_pop_front(cb_b, 1);
        cb_reserve_back(cb_c, 1);
        tile_regs_wait();
        pack_tile(0, cb_c);
        tile_regs_release();
        cb_push_back(cb_c, 1);
    }
}
