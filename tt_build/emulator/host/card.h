// The card that an executable runs on; tt_build/emulator/host/__init__.py writes the definition for each executable.
#pragma once
#include <cstdint>
#include <vector>

struct Card {
    const char* arch;
    uint32_t dram_banks, dram_page_alignment, l1_page_alignment, l1_base, circular_buffers, semaphores;
    uint64_t dram_base, dram_bank_bytes, l1_top;
    std::vector<uint32_t> columns, rows;  // virtual coordinates of the worker cores
    const char *python, *packages;  // interpreter, and the folder that holds tt_build
};
extern const Card card;
