#pragma once
#include "dst_format.h"
#include "api/compute/compute_kernel_api.h"
#include "api/compute/copy_dest_values.h"
#include "api/compute/eltwise_binary_sfpu.h"
#include "api/compute/eltwise_unary/binop_with_scalar.h"
#include "api/compute/eltwise_unary/recip.h"

ALWI void soft_ratio_init() {}

// out = a / (1 + |b|). Operands may be read by others after us: we write out, which may be one of them, and scratch.
ALWI void soft_ratio(uint32_t a, uint32_t b, uint32_t out, uint32_t scratch) {
    copy_dest_values_init();
    copy_dest_values<DST_FORMAT>(b, scratch);
    abs_tile_init();
    abs_tile(scratch);
    binop_with_scalar_tile_init();
    add_unary_tile(scratch, 0x3f800000u);
    recip_tile_init();
    recip_tile(scratch);
    mul_binary_tile_init();
    mul_binary_tile(a, scratch, out);
}
