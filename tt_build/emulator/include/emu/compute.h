// The compute API (metalium-api section 4), namespace ckernel. Each call does, in the engine, the part of the thread that runs
// it: the text is executed three times, by the unpack, math and pack threads.
#pragma once
#include "api/debug/dprint.h"
#include "emu/common.h"
#include "emu/accessor.h"
#include "emu/sfpu_ops.h"

#ifndef EMU_FP32_DST
#define EMU_FP32_DST 0
#endif
constexpr bool DST_ACCUM_MODE = EMU_FP32_DST;

namespace ckernel {
using std::int32_t;
using std::uint32_t;
constexpr uint32_t TILE_C_DIM = 32;

// ---- start, sections, circular buffers
template <SrcOrder src_order = SrcOrder::Regular>
ALWI void compute_kernel_hw_startup(uint32_t icb0, uint32_t icb1, uint32_t ocb) {
    if constexpr (src_order == SrcOrder::Reverse) emu_hw_startup(icb1, icb0, ocb);
    else emu_hw_startup(icb0, icb1, ocb);
}
ALWI void compute_kernel_hw_startup(uint32_t icb0, uint32_t ocb) { emu_hw_startup(icb0, icb0, ocb); }
ALWI void tile_regs_acquire() { emu_acquire(); }
ALWI void tile_regs_wait() { emu_regs_wait(); }
template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void tile_regs_commit() { emu_commit(); }
template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void tile_regs_release() { emu_release(); }
ALWI void cb_wait_front(uint32_t cbid, uint32_t ntiles) { emu_cb_wait_front(cbid, ntiles); }
ALWI void cb_pop_front(uint32_t cbid, uint32_t ntiles) { emu_cb_pop_front(cbid, ntiles); }
ALWI void cb_reserve_back(uint32_t cbid, uint32_t ntiles) { emu_cb_reserve_back(cbid, ntiles); }
ALWI void cb_push_back(uint32_t cbid, uint32_t ntiles) { emu_cb_push_back(cbid, ntiles); }
ALWI uint32_t get_tile_address(uint32_t cb_id, uint32_t tile_index) { return emu_tile_address(cb_id, tile_index); }
ALWI uint32_t read_tile_value(uint32_t cb_id, uint32_t tile_index, uint32_t element_offset) {
    return emu_read_tile_value(cb_id, tile_index, element_offset);
}

// ---- formats
template <SrcOrder src_order = SrcOrder::Regular>
ALWI void reconfig_data_format(const uint32_t icb0_new_operand, const uint32_t icb1_new_operand) {
    if constexpr (src_order == SrcOrder::Reverse) emu_reconfig(icb1_new_operand, icb0_new_operand, -1, -1);
    else emu_reconfig(icb0_new_operand, icb1_new_operand, -1, -1);
}
template <SrcOrder src_order = SrcOrder::Regular>
ALWI void reconfig_data_format(const uint32_t icb0_old_operand, const uint32_t icb0_new_operand, const uint32_t icb1_old_operand,
                               const uint32_t icb1_new_operand) {
    if constexpr (src_order == SrcOrder::Reverse) emu_reconfig(icb1_new_operand, icb0_new_operand, icb1_old_operand, icb0_old_operand);
    else emu_reconfig(icb0_new_operand, icb1_new_operand, icb0_old_operand, icb1_old_operand);
}
ALWI void reconfig_data_format_srca(const uint32_t srca_new_operand) { emu_reconfig(srca_new_operand, -1, -1, -1); }
ALWI void reconfig_data_format_srca(const uint32_t srca_old_operand, const uint32_t srca_new_operand) {
    emu_reconfig(srca_new_operand, -1, srca_old_operand, -1);
}
ALWI void reconfig_data_format_srcb(const uint32_t srcb_new_operand) { emu_reconfig(-1, srcb_new_operand, -1, -1); }
ALWI void reconfig_data_format_srcb(const uint32_t srcb_old_operand, const uint32_t srcb_new_operand) {
    emu_reconfig(-1, srcb_new_operand, -1, srcb_old_operand);
}
template <bool is_tile_dim_reconfig_en = false>
ALWI void pack_reconfig_data_format(const uint32_t new_cb_id) { emu_pack_reconfig(new_cb_id, -1); }
template <bool is_tile_dim_reconfig_en = false>
ALWI void pack_reconfig_data_format(const uint32_t old_cb_id, const uint32_t new_cb_id) { emu_pack_reconfig(new_cb_id, old_cb_id); }

// ---- pack
ALWI void pack_init(uint32_t ocb, uint32_t call_line = __builtin_LINE()) { emu_pack_init(ocb); }
template <bool out_of_order_output = false, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void pack_tile(uint32_t ifrom_dst, uint32_t icb, uint32_t output_tile_index = 0) {
    emu_pack_tile(ifrom_dst, icb, output_tile_index, out_of_order_output);
}
template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void pack_block(uint32_t ifrom_dst, uint32_t icb, uint32_t ntiles) {
    for (uint32_t i = 0; i < ntiles; ++i) emu_pack_tile(ifrom_dst + i, icb, 0, false);
}
ALWI void pack_reconfig_l1_acc(const uint32_t l1_acc_en) { emu_pack_l1_acc(l1_acc_en); }
ALWI void pack_relu_config(const ReluConfig& config) { emu_pack_relu(static_cast<uint32_t>(config.mode), config.threshold); }

// ---- matmul
ALWI void matmul_init(uint32_t in0_cb_id, uint32_t in1_cb_id, const uint32_t transpose = 0, uint32_t call_line = __builtin_LINE()) {
    emu_matmul_init(in0_cb_id, in1_cb_id, transpose, 1, 1, 1);
}
ALWI void matmul_tiles(uint32_t in0_cb_id, uint32_t in1_cb_id, uint32_t in0_tile_index, uint32_t in1_tile_index, uint32_t idst) {
    emu_matmul(in0_cb_id, in1_cb_id, in0_tile_index, in1_tile_index, idst);
}
ALWI void matmul_block_init(uint32_t in0_cb_id, uint32_t in1_cb_id, const uint32_t transpose = 0, uint32_t ct_dim = 1,
                            uint32_t rt_dim = 1, uint32_t kt_dim = 1, uint32_t call_line = __builtin_LINE()) {
    emu_matmul_init(in0_cb_id, in1_cb_id, transpose, ct_dim, rt_dim, kt_dim);
}
ALWI void matmul_block(uint32_t in0_cb_id, uint32_t in1_cb_id, uint32_t in0_tile_index, uint32_t in1_tile_index, uint32_t idst,
                       const uint32_t transpose, uint32_t ct_dim, uint32_t rt_dim, uint32_t kt_dim,
                       uint32_t call_line = __builtin_LINE()) {
    emu_matmul_block(in0_cb_id, in1_cb_id, in0_tile_index, in1_tile_index, idst, transpose, ct_dim, rt_dim, kt_dim);
}

// ---- elementwise and broadcast on the matrix unit
#define EMU_BINARY(name, OP, ACC)                                                                                               \
    ALWI void name##_init(uint32_t icb0, uint32_t icb1, bool acc_to_dest = ACC, uint32_t call_line = __builtin_LINE()) {         \
        emu_binary_init(int(EltwiseBinaryType::OP), 0, icb0, icb1, acc_to_dest);                                                 \
    }                                                                                                                            \
    template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>                                                                         \
    ALWI void name##_tiles(uint32_t icb0, uint32_t icb1, uint32_t itile0, uint32_t itile1, uint32_t idst) {                      \
        emu_binary(int(EltwiseBinaryType::OP), 0, icb0, icb1, itile0, itile1, idst, 0);                                          \
    }                                                                                                                            \
    template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>                                                                         \
    ALWI void name##_block(uint32_t icb0, uint32_t icb1, uint32_t start_itile0, uint32_t start_itile1, uint32_t start_idst,      \
                           uint32_t ntiles) {                                                                                    \
        for (uint32_t i = 0; i < ntiles; ++i)                                                                                    \
            emu_binary(int(EltwiseBinaryType::OP), 0, icb0, icb1, start_itile0 + i, start_itile1 + i, start_idst + i, 0);        \
    }                                                                                                                            \
    template <EltwiseBinaryReuseDestType reuse_dest>                                                                             \
    ALWI void name##_reuse_dest_init(uint32_t icb, uint32_t call_line = __builtin_LINE()) {                                      \
        static_assert(reuse_dest != EltwiseBinaryReuseDestType::NONE, "reuse_dest must be DEST_TO_SRCA or DEST_TO_SRCB");        \
        emu_reuse_dest_init(int(EltwiseBinaryType::OP), int(reuse_dest), icb);                                                   \
    }                                                                                                                            \
    template <EltwiseBinaryReuseDestType reuse_dest, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>                                  \
    ALWI void name##_reuse_dest_tiles(uint32_t in_cb_id, uint32_t in_tile_index, uint32_t dst_tile_index) {                      \
        emu_reuse_dest(int(EltwiseBinaryType::OP), int(reuse_dest), in_cb_id, in_tile_index, dst_tile_index);                    \
    }
EMU_BINARY(add, ELWADD, false)
EMU_BINARY(sub, ELWSUB, false)
EMU_BINARY(mul, ELWMUL, true)
#undef EMU_BINARY

template <EltwiseBinaryType tBcastOp, BroadcastType tBcastDim>
ALWI void bcast_init(uint32_t icb0, uint32_t icb1, uint32_t call_line = __builtin_LINE()) {
    emu_binary_init(int(tBcastOp), int(tBcastDim), icb0, icb1, tBcastOp == EltwiseBinaryType::ELWMUL);
}
template <EltwiseBinaryType tBcastOp, BroadcastType tBcastDim, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void any_tiles_bcast(uint32_t icb0, uint32_t icb1, uint32_t itile0, uint32_t itile1, uint32_t idst, uint32_t bcast_row_idx = 0) {
    emu_binary(int(tBcastOp), int(tBcastDim), icb0, icb1, itile0, itile1, idst, bcast_row_idx);
}
#define EMU_BCAST(name, OP)                                                                                                     \
    template <BroadcastType tBcastDim, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>                                                \
    ALWI void name##_tiles_bcast(uint32_t icb0, uint32_t icb1, uint32_t itile0, uint32_t itile1, uint32_t idst,                  \
                                 uint32_t bcast_row_idx = 0) {                                                                   \
        emu_binary(int(EltwiseBinaryType::OP), int(tBcastDim), icb0, icb1, itile0, itile1, idst, bcast_row_idx);                 \
    }                                                                                                                            \
    template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>                                                                         \
    ALWI void name##_tiles_bcast_rows(uint32_t icb0, uint32_t icb1, uint32_t itile0, uint32_t itile1, uint32_t idst,             \
                                      uint32_t bcast_row_idx = 0) {                                                              \
        emu_binary(int(EltwiseBinaryType::OP), int(BroadcastType::ROW), icb0, icb1, itile0, itile1, idst, bcast_row_idx);        \
    }                                                                                                                            \
    template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>                                                                         \
    ALWI void name##_tiles_bcast_cols(uint32_t icb0, uint32_t icb1, uint32_t itile0, uint32_t itile1, uint32_t idst) {           \
        emu_binary(int(EltwiseBinaryType::OP), int(BroadcastType::COL), icb0, icb1, itile0, itile1, idst, 0);                    \
    }                                                                                                                            \
    template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>                                                                         \
    ALWI void name##_tiles_bcast_scalar(uint32_t icb0, uint32_t icb1, uint32_t itile0, uint32_t itile1, uint32_t idst) {         \
        emu_binary(int(EltwiseBinaryType::OP), int(BroadcastType::SCALAR), icb0, icb1, itile0, itile1, idst, 0);                 \
    }                                                                                                                            \
    ALWI void name##_bcast_rows_init(uint32_t icb0, uint32_t icb1, uint32_t call_line = __builtin_LINE()) {                      \
        emu_binary_init(int(EltwiseBinaryType::OP), int(BroadcastType::ROW), icb0, icb1, false);                                 \
    }                                                                                                                            \
    ALWI void name##_bcast_cols_init(uint32_t icb0, uint32_t icb1, uint32_t call_line = __builtin_LINE()) {                      \
        emu_binary_init(int(EltwiseBinaryType::OP), int(BroadcastType::COL), icb0, icb1, false);                                 \
    }                                                                                                                            \
    ALWI void name##_bcast_scalar_init(uint32_t icb0, uint32_t icb1, uint32_t call_line = __builtin_LINE()) {                    \
        emu_binary_init(int(EltwiseBinaryType::OP), int(BroadcastType::SCALAR), icb0, icb1, false);                              \
    }
EMU_BCAST(add, ELWADD)
EMU_BCAST(sub, ELWSUB)
EMU_BCAST(mul, ELWMUL)
#undef EMU_BCAST
template <BroadcastType bcast_type, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void unary_bcast_init(uint32_t icb) { emu_unary_bcast_init(int(bcast_type), icb); }
template <BroadcastType bcast_type, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void unary_bcast(uint32_t icb, uint32_t in_tile_index, uint32_t dst_tile_index) {
    emu_unary_bcast(int(bcast_type), icb, in_tile_index, dst_tile_index);
}
template <BroadcastType bcast_type>
ALWI void unary_bcast_uninit(uint32_t icb) {}

// ---- reduce
template <PoolType reduce_type, ReduceDim reduce_dim, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void reduce_init(uint32_t icb, uint32_t icb_scaler, uint32_t ocb, uint32_t call_line = __builtin_LINE()) {
    emu_reduce_init(int(reduce_type), int(reduce_dim), icb, icb_scaler, ocb);
}
template <PoolType reduce_type, ReduceDim reduce_dim, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void reduce_tile(uint32_t icb, uint32_t icb_scaler, uint32_t itile, uint32_t itile_scaler, uint32_t idst) {
    emu_reduce(int(reduce_type), int(reduce_dim), icb, icb_scaler, itile, itile_scaler, idst);
}
template <PoolType reduce_type, ReduceDim reduce_dim, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void reduce_block(uint32_t icb, uint32_t icb_scaler, uint32_t start_itile, uint32_t itile_scaler, uint32_t start_idst,
                       uint32_t ntiles) {
    for (uint32_t i = 0; i < ntiles; ++i)
        emu_reduce(int(reduce_type), int(reduce_dim), icb, icb_scaler, start_itile + i, itile_scaler, start_idst + i);
}
ALWI void reduce_uninit(uint32_t icb = 0) { emu_reduce_uninit(); }

// ---- moves
template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void copy_init(uint32_t cbid, uint32_t transpose = 0, uint32_t transpose_within_16x16_face = false,
                    uint32_t call_line = __builtin_LINE()) {
    emu_copy_init(cbid, transpose);
}
template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void copy_tile(uint32_t in_cb_id, uint32_t in_tile_index, uint32_t dst_tile_index) {
    emu_copy(in_cb_id, in_tile_index, dst_tile_index);
}
template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void copy_block(uint32_t in_cb_id, uint32_t start_in_tile_index, uint32_t start_dst_tile_index, uint32_t ntiles) {
    for (uint32_t i = 0; i < ntiles; ++i) emu_copy(in_cb_id, start_in_tile_index + i, start_dst_tile_index + i);
}
template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
[[deprecated("renamed to copy_init")]] ALWI void copy_tile_init(uint32_t cbid, uint32_t call_line = __builtin_LINE()) {
    emu_copy_init(cbid, 0);
}
template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
[[deprecated("renamed to copy_init")]] ALWI void copy_tile_to_dst_init_short(uint32_t cbid, uint32_t transpose = 0,
                                                                             uint32_t transpose_within_16x16_face = false,
                                                                             uint32_t call_line = __builtin_LINE()) {
    emu_copy_init(cbid, transpose);
}
template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void transpose_init(uint32_t icb, uint32_t call_line = __builtin_LINE()) { emu_transpose_init(icb); }
template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void transpose_tile(uint32_t icb, uint32_t itile, uint32_t idst) { emu_transpose(icb, itile, idst); }
template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void transpose_block(uint32_t icb, uint32_t start_itile, uint32_t start_idst, uint32_t ntiles) {
    for (uint32_t i = 0; i < ntiles; ++i) emu_transpose(icb, start_itile + i, start_idst + i);
}
template <bool is_32bit = false, bool transpose_of_faces = true>
ALWI void transpose_dest_init(uint32_t operand = 0) { emu_transpose_dest_init(); }
template <bool is_32bit = false, bool transpose_of_faces = true>
ALWI void transpose_dest(uint32_t idst) { emu_transpose_dest(idst); }
template <DataFormat DATA_FORMAT>
ALWI void copy_dest_values(uint32_t idst_in, uint32_t idst_out) { emu_copy_dest(idst_in, idst_out); }
ALWI void copy_dest_values_init() { emu_copy_dest_init(); }

// ---- row-major in and out
template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void tilize_init(uint32_t icb, uint32_t block, uint32_t ocb, uint32_t call_line = __builtin_LINE()) { emu_tilize_init(icb, block, ocb); }
template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void tilize_block(uint32_t icb, uint32_t block, uint32_t ocb, uint32_t input_tile_index = 0, uint32_t output_tile_index = 0) {
    emu_tilize_block(icb, block, ocb, input_tile_index, output_tile_index);
}
ALWI void tilize_uninit(uint32_t icb, uint32_t ocb) { emu_tilize_uninit(icb, ocb); }
template <uint32_t block_ct_dim = 8, uint32_t full_ct_dim = block_ct_dim, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void pack_untilize_init(uint32_t icb, uint32_t ocb, uint32_t call_line = __builtin_LINE()) {
    static_assert(full_ct_dim % block_ct_dim == 0, "full_ct_dim must be a multiple of block_ct_dim");
    emu_untilize_init(icb, ocb, block_ct_dim, full_ct_dim, false);
}
template <uint32_t block_ct_dim = 8, uint32_t full_ct_dim = block_ct_dim, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void pack_untilize_block(uint32_t icb, uint32_t block_rt_dim, uint32_t ocb, uint32_t block_c_index = 0) {
    emu_untilize_block(icb, block_rt_dim, ocb, block_ct_dim, full_ct_dim, block_c_index);
}
template <uint32_t block_ct_dim = 8, uint32_t full_ct_dim = block_ct_dim, bool narrow_row = false, uint32_t row_num_datums = TILE_C_DIM,
          bool dense = false, bool configure_remap = true, bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void pack_untilize_dest_init(uint32_t ocb, uint32_t call_line = __builtin_LINE()) {
    static_assert(!narrow_row && !dense && row_num_datums == TILE_C_DIM, "not emulated: pack_untilize_dest_init of narrow or dense rows");
    emu_untilize_init(0xFFFFFFFFu, ocb, block_ct_dim, full_ct_dim, true);
}
template <uint32_t block_ct_dim = 8, uint32_t full_ct_dim = block_ct_dim, bool diagonal = false, bool narrow_row = false,
          uint32_t row_num_datums = TILE_C_DIM, uint32_t tile_dst_ct_offset = 0, bool dense = false>
ALWI void pack_untilize_dest(uint32_t ocb, uint32_t block_rt_dim = 1, uint32_t block_c_index = 0, uint32_t tile_dst_rt_offset = 0) {
    static_assert(!diagonal && !narrow_row && !dense, "not emulated: pack_untilize_dest of diagonal, narrow or dense rows");
    emu_untilize_dest(ocb, block_rt_dim, block_ct_dim, full_ct_dim, block_c_index,
                      tile_dst_ct_offset + tile_dst_rt_offset * block_ct_dim);
}
template <bool is_fp32_dest_acc_en = DST_ACCUM_MODE>
ALWI void pack_untilize_uninit(uint32_t ocb) { emu_untilize_uninit(ocb); }
}  // namespace ckernel

#include "emu/sfpu.h"

using namespace ckernel;
