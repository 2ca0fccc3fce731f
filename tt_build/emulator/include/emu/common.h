// What readers, writers and compute kernels share: arguments, position, raw L1.
#pragma once
#include "emu/abi.h"
#include "emu/types.h"

FORCE_INLINE uint32_t get_arg_addr(int arg_idx) { return emu_arg_addr(arg_idx); }
FORCE_INLINE uint32_t get_common_arg_addr(int arg_idx) { return emu_common_arg_addr(arg_idx); }

template <typename T>
FORCE_INLINE T get_arg_val(int arg_idx) {
    static_assert(sizeof(T) == 4, "only 4-byte arguments are supported");
    const uint32_t word = emu_arg(arg_idx);
    T value;
    __builtin_memcpy(&value, &word, 4);
    return value;
}

template <typename T>
FORCE_INLINE T get_common_arg_val(int arg_idx) {
    static_assert(sizeof(T) == 4, "only 4-byte arguments are supported");
    const uint32_t word = emu_common_arg(arg_idx);
    T value;
    __builtin_memcpy(&value, &word, 4);
    return value;
}

inline uint8_t get_absolute_logical_x() { return emu_logical_x(); }
inline uint8_t get_absolute_logical_y() { return emu_logical_y(); }
inline uint8_t get_relative_logical_x() { return emu_relative_x(); }
inline uint8_t get_relative_logical_y() { return emu_relative_y(); }

inline void invalidate_l1_cache() { emu_invalidate_l1(); }

constexpr uint32_t L1_ALIGNMENT = 16;
