// features: hand-written for the tests of the SDK gate: Y = gelu(X + bias), Z = alpha * X.
#include <cstdint>

#include "api/compute/bcast.h"
#include "api/compute/common.h"
#include "api/compute/compute_kernel_api.h"
#include "api/compute/compute_kernel_hw_startup.h"
#include "api/compute/eltwise_binary_sfpu.h"
#include "api/compute/eltwise_unary/binop_with_scalar.h"
#include "api/compute/eltwise_unary/eltwise_unary.h"
#include "api/compute/eltwise_unary/gelu.h"
#include "api/compute/pack.h"
#include "api/compute/reconfig_data_format.h"
#include "api/compute/reg_api.h"
#include "api/compute/tile_move_copy.h"

void kernel_main() {
    const uint32_t alpha = get_common_arg_val<uint32_t>(0);

    constexpr uint32_t cb_x = get_compile_time_arg_val(0);
    constexpr uint32_t cb_bias = get_compile_time_arg_val(1);
    constexpr uint32_t cb_y = get_compile_time_arg_val(2);
    constexpr uint32_t cb_z = get_compile_time_arg_val(3);
    constexpr uint32_t rows = get_compile_time_arg_val(4);

    compute_kernel_hw_startup(cb_x, cb_y);
    cb_wait_front(cb_bias, COLUMNS);
    for (uint32_t m = 0; m < rows; ++m) {
        cb_wait_front(cb_x, COLUMNS);
        for (uint32_t n = 0; n < COLUMNS; ++n) {
            tile_regs_acquire();
            reconfig_data_format_srca(cb_x);
            copy_init(cb_x);
            copy_tile(cb_x, n, 0);
            copy_tile(cb_x, n, 2);
            unary_bcast_init<BroadcastType::ROW>(cb_bias);
            unary_bcast<BroadcastType::ROW>(cb_bias, n, 1);
            add_binary_tile_init();
            add_binary_tile(0, 1, 0);
            gelu_tile_init<false>();
            gelu_tile<false>(0);
            binop_with_scalar_tile_init();
            mul_unary_tile(2, alpha);
            tile_regs_commit();
            cb_reserve_back(cb_y, 1);
            cb_reserve_back(cb_z, 1);
            tile_regs_wait();
            pack_reconfig_data_format(cb_y);
            pack_tile(0, cb_y);
            pack_reconfig_data_format(cb_z);
            pack_tile(2, cb_z);
            tile_regs_release();
            cb_push_back(cb_y, 1);
            cb_push_back(cb_z, 1);
        }
        cb_pop_front(cb_x, COLUMNS);
    }
    cb_pop_front(cb_bias, COLUMNS);
}
