// Reads each page once from DRAM and multicasts it to the other cores of the row; see receiver.cpp for the handshake.
#include <cstdint>

#include "api/dataflow/dataflow_api.h"

void kernel_main() {
    const uint32_t address = get_arg_val<uint32_t>(0);
    const uint32_t count = get_arg_val<uint32_t>(1);
    const uint32_t x0 = get_arg_val<uint32_t>(2);
    const uint32_t y0 = get_arg_val<uint32_t>(3);
    const uint32_t x1 = get_arg_val<uint32_t>(4);
    const uint32_t y1 = get_arg_val<uint32_t>(5);
    const uint32_t receivers = get_arg_val<uint32_t>(6);
    constexpr uint32_t cb = get_compile_time_arg_val(0);
    const uint32_t ready = get_semaphore(get_compile_time_arg_val(1));
    const uint32_t sent = get_semaphore(get_compile_time_arg_val(2));
    constexpr auto args = TensorAccessorArgs<3>();
    const auto tensor = TensorAccessor(args, address);
    constexpr uint32_t page_bytes = get_tile_size(cb);

    volatile tt_l1_ptr uint32_t* ready_flag = reinterpret_cast<volatile tt_l1_ptr uint32_t*>(ready);
    volatile tt_l1_ptr uint32_t* sent_flag = reinterpret_cast<volatile tt_l1_ptr uint32_t*>(sent);
    noc_semaphore_set(sent_flag, VALID);

    for (uint32_t page = 0; page < count; ++page) {
        cb_reserve_back(cb, 1);
        const uint32_t l1 = get_write_ptr(cb);
        noc_async_read_page(page, tensor, l1);
        noc_async_read_barrier();

        noc_semaphore_wait(ready_flag, receivers);
        noc_semaphore_set(ready_flag, 0);
        noc_async_write_multicast(l1, get_noc_multicast_addr(x0, y0, x1, y1, l1), page_bytes, receivers);
        noc_async_writes_flushed();
        noc_semaphore_set_multicast(sent, get_noc_multicast_addr(x0, y0, x1, y1, sent), receivers);
        noc_async_writes_flushed();
        cb_push_back(cb, 1);
    }
    noc_async_write_barrier();
}
