#pragma once
#include "api/compute/compute_kernel_api.h"
#include "api/compute/eltwise_unary/binop_with_scalar.h"

// cap * tanh(x / cap) in place; the words are the float bits of 1 / cap and of cap. Each call sets what it needs itself,
// so there is nothing for init to do.
ALWI void softcap_tile_init() {}

ALWI void softcap_tile(uint32_t dst, uint32_t inverse, uint32_t cap) {
    binop_with_scalar_tile_init();
    mul_unary_tile(dst, inverse);
    tanh_tile_init<false>();
    tanh_tile<false>(dst);
    binop_with_scalar_tile_init();
    mul_unary_tile(dst, cap);
}
