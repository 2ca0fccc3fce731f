// Partial sums stay in the circular buffer cb_acc (Float32), where the packer adds to them (L1 accumulation); at the end they are
// copied out. Subblocks of sub_h x sub_w tiles fit a DST section.
#include <cstdint>

#include "api/compute/common.h"
#include "api/compute/matmul.h"
#include "api/compute/tile_move_copy.h"

void kernel_main() {
    const uint32_t k_blocks = get_arg_val<uint32_t>(0);
    constexpr uint32_t cb_a = get_compile_time_arg_val(0);
    constexpr uint32_t cb_b = get_compile_time_arg_val(1);
    constexpr uint32_t cb_acc = get_compile_time_arg_val(2);
    constexpr uint32_t cb_out = get_compile_time_arg_val(3);
    constexpr uint32_t block_h = get_compile_time_arg_val(4);
    constexpr uint32_t block_w = get_compile_time_arg_val(5);
    constexpr uint32_t block_k = get_compile_time_arg_val(6);
    constexpr uint32_t sub_h = get_compile_time_arg_val(7);
    constexpr uint32_t sub_w = get_compile_time_arg_val(8);
    constexpr uint32_t block = block_h * block_w;

    compute_kernel_hw_startup<SrcOrder::Reverse>(cb_a, cb_b, cb_acc);
    matmul_block_init(cb_a, cb_b, 0, sub_w, sub_h, block_k);
    for (uint32_t kb = 0; kb < k_blocks; ++kb) {
        cb_wait_front(cb_a, block_h * block_k);
        cb_wait_front(cb_b, block_k * block_w);
        if (kb > 0) {
            // come back to the same pages: hand the partial sums over to ourselves
            cb_wait_front(cb_acc, block);
            cb_pop_front(cb_acc, block);
        }
        cb_reserve_back(cb_acc, block);
        pack_reconfig_l1_acc(kb > 0 ? 1 : 0);
        for (uint32_t h = 0; h < block_h; h += sub_h) {
            for (uint32_t w = 0; w < block_w; w += sub_w) {
                tile_regs_acquire();
                for (uint32_t k = 0; k < block_k; ++k) {
                    matmul_block(cb_a, cb_b, h * block_k + k, k * block_w + w, 0, 0, sub_w, sub_h, block_k);
                }
                tile_regs_commit();
                tile_regs_wait();
                for (uint32_t r = 0; r < sub_h; ++r) {
                    for (uint32_t c = 0; c < sub_w; ++c) {
                        pack_tile<true>(r * sub_w + c, cb_acc, (h + r) * block_w + w + c);
                    }
                }
                tile_regs_release();
            }
        }
        cb_push_back(cb_acc, block);
        cb_pop_front(cb_a, block_h * block_k);
        cb_pop_front(cb_b, block_k * block_w);
    }

    pack_reconfig_l1_acc(0);
    pack_reconfig_data_format(cb_acc, cb_out);
    reconfig_data_format_srca(cb_b, cb_acc);
    copy_init(cb_acc);
    cb_wait_front(cb_acc, block);
    for (uint32_t tile = 0; tile < block; ++tile) {
        tile_regs_acquire();
        copy_tile(cb_acc, tile, 0);
        tile_regs_commit();
        cb_reserve_back(cb_out, 1);
        tile_regs_wait();
        pack_tile(0, cb_out);
        tile_regs_release();
        cb_push_back(cb_out, 1);
    }
    cb_pop_front(cb_acc, block);
}
