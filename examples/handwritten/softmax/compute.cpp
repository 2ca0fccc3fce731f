// A row at a time: maximum, exp(x - maximum), sum, reciprocal, product. Rows stay in L1 between the stages.
#include <cstdint>

#include "api/compute/bcast.h"
#include "api/compute/common.h"
#include "api/compute/eltwise_unary/exp.h"
#include "api/compute/eltwise_unary/recip.h"
#include "api/compute/reduce.h"

void kernel_main() {
    const uint32_t rows = get_arg_val<uint32_t>(0);
    constexpr uint32_t wt = get_compile_time_arg_val(0);
    constexpr uint32_t cb_in = get_compile_time_arg_val(1);
    constexpr uint32_t cb_scaler = get_compile_time_arg_val(2);
    constexpr uint32_t cb_max = get_compile_time_arg_val(3);
    constexpr uint32_t cb_exp = get_compile_time_arg_val(4);
    constexpr uint32_t cb_sum = get_compile_time_arg_val(5);
    constexpr uint32_t cb_out = get_compile_time_arg_val(6);

    compute_kernel_hw_startup(cb_in, cb_scaler, cb_max);
    cb_wait_front(cb_scaler, 1);
    for (uint32_t row = 0; row < rows; ++row) {
        cb_wait_front(cb_in, wt);

        reduce_init<PoolType::MAX, ReduceDim::REDUCE_ROW>(cb_in, cb_scaler, cb_max);
        tile_regs_acquire();
        for (uint32_t i = 0; i < wt; ++i) {
            reduce_tile<PoolType::MAX, ReduceDim::REDUCE_ROW>(cb_in, cb_scaler, i, 0, 0);
        }
        tile_regs_commit();
        cb_reserve_back(cb_max, 1);
        tile_regs_wait();
        pack_tile(0, cb_max);
        tile_regs_release();
        cb_push_back(cb_max, 1);
        reduce_uninit();

        cb_wait_front(cb_max, 1);
        cb_reserve_back(cb_exp, wt);
        sub_bcast_cols_init(cb_in, cb_max);
        exp_tile_init<false>();
        for (uint32_t i = 0; i < wt; ++i) {
            tile_regs_acquire();
            sub_tiles_bcast_cols(cb_in, cb_max, i, 0, 0);
            exp_tile<false>(0);
            tile_regs_commit();
            tile_regs_wait();
            pack_tile(0, cb_exp);
            tile_regs_release();
        }
        cb_push_back(cb_exp, wt);
        cb_pop_front(cb_max, 1);
        cb_pop_front(cb_in, wt);

        cb_wait_front(cb_exp, wt);
        reduce_init<PoolType::SUM, ReduceDim::REDUCE_ROW>(cb_exp, cb_scaler, cb_sum);
        recip_tile_init();
        tile_regs_acquire();
        for (uint32_t i = 0; i < wt; ++i) {
            reduce_tile<PoolType::SUM, ReduceDim::REDUCE_ROW>(cb_exp, cb_scaler, i, 0, 0);
        }
        recip_tile(0);
        tile_regs_commit();
        cb_reserve_back(cb_sum, 1);
        tile_regs_wait();
        pack_tile(0, cb_sum);
        tile_regs_release();
        cb_push_back(cb_sum, 1);
        reduce_uninit();

        cb_wait_front(cb_sum, 1);
        mul_bcast_cols_init(cb_exp, cb_sum);
        for (uint32_t i = 0; i < wt; ++i) {
            tile_regs_acquire();
            mul_tiles_bcast_cols(cb_exp, cb_sum, i, 0, 0);
            tile_regs_commit();
            cb_reserve_back(cb_out, 1);
            tile_regs_wait();
            pack_tile(0, cb_out);
            tile_regs_release();
            cb_push_back(cb_out, 1);
        }
        cb_pop_front(cb_sum, 1);
        cb_pop_front(cb_exp, wt);
    }
    cb_pop_front(cb_scaler, 1);
}
