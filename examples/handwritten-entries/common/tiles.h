// Tiles [start, start + count) of this core: the contiguous policy.
#pragma once

#include <cstdint>

template <typename Body>
inline __attribute__((always_inline)) void for_each_tile(uint32_t start, uint32_t count, Body body) {
    for (uint32_t tile = start; tile < start + count; ++tile) {
        body(tile);
    }
}
