// The vector unit's operations are numerics' (emu/num/sfpu_ops.h); here only the inits that serve several of them.
#pragma once
#include "emu/num/sfpu_ops.h"

namespace emu {
using Sf = num::SfpuOp;
// Inits whose name is no operation; numbered after the operations.
enum class SfInit : uint32_t { binop_with_scalar = 1000, rounding_op, binary_bitwise, bcast_col, bcast_row };
constexpr uint32_t sf_id(Sf op) { return static_cast<uint32_t>(op); }
constexpr uint32_t sf_id(SfInit init) { return static_cast<uint32_t>(init); }
}  // namespace emu
