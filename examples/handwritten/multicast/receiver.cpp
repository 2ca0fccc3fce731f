// Makes room, tells the sender, waits for its flag.
#include <cstdint>

#include "api/dataflow/dataflow_api.h"

void kernel_main() {
    const uint32_t count = get_arg_val<uint32_t>(0);
    const uint32_t sender_x = get_arg_val<uint32_t>(1);
    const uint32_t sender_y = get_arg_val<uint32_t>(2);
    constexpr uint32_t cb = get_compile_time_arg_val(0);
    const uint32_t ready = get_semaphore(get_compile_time_arg_val(1));
    const uint32_t sent = get_semaphore(get_compile_time_arg_val(2));
    volatile tt_l1_ptr uint32_t* sent_flag = reinterpret_cast<volatile tt_l1_ptr uint32_t*>(sent);

    for (uint32_t page = 0; page < count; ++page) {
        cb_reserve_back(cb, 1);
        noc_semaphore_set(sent_flag, INVALID);
        noc_semaphore_inc(get_noc_addr(sender_x, sender_y, ready), 1);
        noc_semaphore_wait(sent_flag, VALID);
        cb_push_back(cb, 1);
    }
    noc_async_atomic_barrier();
}
