"""Faults: each is one edit of a hand-written example, and what the emulator must say about it.

The example without the edit is the mended kernel; test_examples.py shows that it runs clean.
"""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """Replace ``old`` by ``new`` in ``file`` of ``example``; expect ``code`` (whole message: fault_messages.txt)."""

    name: str
    example: str
    file: str
    old: str
    new: str
    code: str


FAULTS = [
    Fault("missing_read_barrier", "bcast_add", "reader.cpp", "            noc_async_read_barrier();\n", "", "EMU201"),
    Fault(
        "read_barrier_missing_at_exit",
        "multicast",
        "sender.cpp",
        "    noc_async_write_barrier();\n",
        "    noc_async_write_barrier();\n"
        "    cb_reserve_back(cb, 1);\n"
        "    noc_async_read_page(0, tensor, get_write_ptr(cb));\n",
        "EMU201",
    ),
    Fault(
        "missing_write_flush", "matmul_streaming", "writer.cpp", "        noc_async_writes_flushed();\n", "", "EMU202"
    ),
    Fault(
        "missing_final_write_barrier",
        "matmul_streaming",
        "writer.cpp",
        "    noc_async_write_barrier();\n",
        "",
        "EMU203",
    ),
    Fault("missing_atomic_barrier", "multicast", "receiver.cpp", "    noc_async_atomic_barrier();\n", "", "EMU204"),
    Fault("missing_reserve", "bcast_add", "reader.cpp", "            cb_reserve_back(cb_a, 1);\n", "", "EMU109"),
    Fault(
        "reserve_beyond_size",
        "bcast_add",
        "reader.cpp",
        "cb_reserve_back(cb_bias, 1)",
        "cb_reserve_back(cb_bias, 3)",
        "EMU102",
    ),
    Fault("inexact_wrap", "copy", "reader.cpp", "batch = get_compile_time_arg_val(1)", "batch = 3", "EMU103"),
    Fault(
        "push_without_reserve",
        "multicast",
        "receiver.cpp",
        "        cb_push_back(cb, 1);\n",
        "        cb_push_back(cb, 2);\n",
        "EMU104",
    ),
    Fault(
        "pop_too_many", "matmul_streaming", "compute.cpp", "cb_pop_front(cb_b, 1)", "cb_pop_front(cb_b, 2)", "EMU105"
    ),
    Fault("wait_missing", "matmul_streaming", "compute.cpp", "            cb_wait_front(cb_b, 1);\n", "", "EMU110"),
    Fault(
        "two_consumers",
        "bcast_add",
        "writer.cpp",
        "        cb_pop_front(cb_c, 1);\n",
        "        cb_pop_front(cb_c, 1);\n        cb_wait_front(0, 1);\n        cb_pop_front(0, 1);\n",
        "EMU107",
    ),
    Fault(
        "two_producers",
        "bcast_add",
        "compute.cpp",
        "        cb_push_back(cb_c, 1);\n",
        "        cb_push_back(cb_c, 1);\n        cb_reserve_back(cb_a, 1);\n        cb_push_back(cb_a, 1);\n",
        "EMU106",
    ),
    Fault(
        "one_tile_too_many",
        "copy",
        "reader.cpp",
        "done < count; done += batch",
        "done <= count; done += batch",
        "EMU206",
    ),
    Fault("pushed_and_never_consumed", "transpose", "compute.cpp", "i < tiles; ++i", "i + 1 < tiles; ++i", "EMU601"),
    Fault(
        "no_such_buffer",
        "reduce_rows",
        "reader.cpp",
        "    cb_push_back(cb_scaler, 1);\n",
        "    cb_push_back(cb_scaler, 1);\n    cb_reserve_back(2, 1);\n    cb_push_back(2, 1);\n",
        "EMU101",
    ),
    Fault("unbalanced_at_exit", "transpose", "reader.cpp", "tile < start + count", "tile <= start + count", "EMU108"),
    Fault(
        "tile_before_wait",
        "matmul_streaming",
        "compute.cpp",
        "matmul_tiles(cb_a, cb_b, 0, 0, 0)",
        "matmul_tiles(cb_a, cb_b, 0, 1, 0)",
        "EMU110",
    ),
    Fault(
        "pack_beyond_reserve",
        "bcast_add",
        "compute.cpp",
        "        pack_tile(0, cb_c);\n",
        "        pack_tile(0, cb_c);\n        pack_tile(0, cb_c);\n",
        "EMU111",
    ),
    Fault(
        "dst_index",
        "matmul_streaming",
        "compute.cpp",
        "matmul_tiles(cb_a, cb_b, 0, 0, 0)",
        "matmul_tiles(cb_a, cb_b, 0, 0, 4)",
        "EMU301",
    ),
    Fault(
        "commit_twice",
        "bcast_add",
        "compute.cpp",
        "        tile_regs_commit();\n",
        "        tile_regs_commit();\n        tile_regs_commit();\n",
        "EMU302",
    ),
    Fault(
        "math_outside_section",
        "bcast_add",
        "compute.cpp",
        "        tile_regs_acquire();\n        add_tiles_bcast_rows(cb_a, cb_bias, 0, 0, 0);\n",
        "        add_tiles_bcast_rows(cb_a, cb_bias, 0, 0, 0);\n        tile_regs_acquire();\n",
        "EMU303",
    ),
    Fault(
        "pack_outside_section",
        "bcast_add",
        "compute.cpp",
        "        tile_regs_wait();\n        pack_tile(0, cb_c);\n",
        "        pack_tile(0, cb_c);\n        tile_regs_wait();\n",
        "EMU304",
    ),
    Fault("other_ops_init", "softmax", "compute.cpp", "        mul_bcast_cols_init(cb_exp, cb_sum);\n", "", "EMU305"),
    Fault(
        "sfpu_reduce_over_several_tiles",
        "gelu_mixed",
        "compute.cpp",
        "        mul_binary_tile_init();\n",
        "        sfpu_reduce_init<PoolType::MAX, DataFormat::Float32>();\n"
        "        sfpu_reduce<PoolType::MAX, DataFormat::Float32>(0, 2, 1);\n"
        "        mul_binary_tile_init();\n",
        "EMU900",
    ),
    Fault("other_sfpu_init", "gelu_mixed", "compute.cpp", "        mul_binary_tile_init();\n", "", "EMU312"),
    Fault(
        "sfpu_template_differs", "softmax", "compute.cpp", "exp_tile_init<false>()", "exp_tile_init<true>()", "EMU312"
    ),
    Fault(
        "format_not_reconfigured",
        "gelu_mixed",
        "compute.cpp",
        "        reconfig_data_format_srca(cb_a, cb_b);\n",
        "",
        "EMU306",
    ),
    Fault(
        "pack_format_not_reconfigured",
        "matmul_blocked",
        "compute.cpp",
        "    pack_reconfig_data_format(cb_acc, cb_out);\n",
        "",
        "EMU307",
    ),
    Fault(
        "stale_accumulation",
        "bcast_add",
        "compute.cpp",
        "        relu_tile(0);\n",
        "        relu_tile(0);\n"
        "        mul_init(cb_a, cb_a);\n"
        "        mul_tiles(cb_a, cb_a, 0, 0, 0);\n"
        "        add_bcast_rows_init(cb_a, cb_bias);\n",
        "EMU308",
    ),
    Fault("dst_never_written", "bcast_add", "compute.cpp", "relu_tile(0)", "relu_tile(1)", "EMU309"),
    Fault("no_startup", "transpose", "compute.cpp", "    compute_kernel_hw_startup(cb_in, cb_out);\n", "", "EMU310"),
    Fault("l1_accumulation_left_on", "matmul_blocked", "compute.cpp", "    pack_reconfig_l1_acc(0);\n", "", "EMU311"),
    Fault(
        "l1_accumulation_from_the_start",
        "matmul_blocked",
        "compute.cpp",
        "pack_reconfig_l1_acc(kb > 0 ? 1 : 0)",
        "pack_reconfig_l1_acc(1)",
        "EMU311",
    ),
    Fault(
        "misaligned",
        "copy",
        "reader.cpp",
        "uint32_t l1 = get_write_ptr(cb);",
        "uint32_t l1 = get_write_ptr(cb) + 8;",
        "EMU205",
    ),
    Fault(
        "past_the_end",
        "copy",
        "reader.cpp",
        "noc_async_read_page(start + done + i, tensor, l1);",
        "noc_async_read(tensor.get_noc_addr(start + done + i), l1, page_bytes * 16);",
        "EMU206",
    ),
    Fault(
        "overrun_of_the_buffer",
        "copy",
        "reader.cpp",
        "            l1 += page_bytes;\n",
        "            l1 += 3 * page_bytes;\n",
        "EMU109",
    ),
    Fault(
        "logical_coordinates",
        "multicast",
        "receiver.cpp",
        "get_noc_addr(sender_x, sender_y, ready)",
        "get_noc_addr(0, 0, ready)",
        "EMU207",
    ),
    Fault(
        "multicast_counts_itself",
        "multicast",
        "sender.cpp",
        "get_noc_multicast_addr(x0, y0, x1, y1, l1), page_bytes, receivers)",
        "get_noc_multicast_addr(my_x[0], y0, x1, y1, l1), page_bytes, receivers + 1)",
        "EMU208",
    ),
    Fault(
        "corners_on_noc1",
        "multicast",
        "sender.cpp",
        "noc_async_write_multicast(l1, get_noc_multicast_addr(x0, y0, x1, y1, l1), page_bytes, receivers)",
        "noc_async_write_multicast(l1, get_noc_multicast_addr(x0, y0, x1, y1, l1), page_bytes, receivers, false, 1)",
        "EMU209",
    ),
    Fault(
        "no_such_semaphore",
        "multicast",
        "receiver.cpp",
        "get_semaphore(get_compile_time_arg_val(2))",
        "get_semaphore(5)",
        "EMU401",
    ),
    Fault(
        "semaphore_set_loses_increment",
        "multicast",
        "sender.cpp",
        "        noc_semaphore_wait(ready_flag, receivers);\n        noc_semaphore_set(ready_flag, 0);\n",
        "        noc_semaphore_wait_min(ready_flag, 1);\n        noc_semaphore_set(ready_flag, 0);\n",
        "EMU402",
    ),
    Fault(
        "flag_changed_before_it_left",
        "multicast",
        "sender.cpp",
        "        noc_semaphore_set_multicast(sent, get_noc_multicast_addr(x0, y0, x1, y1, sent), receivers);\n",
        "        noc_semaphore_set_multicast(sent, get_noc_multicast_addr(x0, y0, x1, y1, sent), receivers);\n"
        "        noc_semaphore_set(sent_flag, INVALID);\n",
        "EMU403",
    ),
    Fault(
        "deadlock",
        "multicast",
        "sender.cpp",
        "noc_semaphore_wait(ready_flag, receivers)",
        "noc_semaphore_wait(ready_flag, receivers + 1)",
        "EMU601",
    ),
    Fault(
        "undefined_output",
        "reduce_rows",
        "reader.cpp",
        "uint32_t word = 0; word < 512",
        "uint32_t word = 1; word < 512",
        "EMU501",
    ),
    Fault(
        "load_before_barrier",
        "reduce_rows",
        "reader.cpp",
        "        noc_async_read_barrier();\n",
        "        if (*reinterpret_cast<volatile tt_l1_ptr uint32_t*>(get_write_ptr(cb_in)) == 7) return;\n"
        "        noc_async_read_barrier();\n",
        "EMU201",
    ),
    Fault(
        "pointer_out_of_l1",
        "reduce_rows",
        "reader.cpp",
        "get_write_ptr(cb_scaler))",
        "get_write_ptr(cb_scaler) + 0x200000)",
        "EMU206",
    ),
    Fault(
        "load_of_undefined",
        "reduce_rows",
        "reader.cpp",
        "    cb_push_back(cb_scaler, 1);\n",
        "    cb_push_back(cb_scaler, 1);\n"
        "    cb_reserve_back(cb_in, 1);\n"
        "    const uint32_t junk = *reinterpret_cast<volatile tt_l1_ptr uint32_t*>(get_write_ptr(cb_in));\n"
        "    if (junk == 7) return;\n",
        "EMU214",
    ),
    Fault("argument_index", "copy", "writer.cpp", "get_arg_val<uint32_t>(2)", "get_arg_val<uint32_t>(3)", "EMU216"),
    Fault(
        "packet_too_large",
        "copy",
        "reader.cpp",
        "noc_async_read_page(start + done + i, tensor, l1);",
        "noc_async_read_one_packet(tensor.get_noc_addr(start + done + i), l1, 8224);",
        "EMU210",
    ),
    Fault(
        "open_chain",
        "multicast",
        "sender.cpp",
        "        noc_semaphore_set_multicast(sent, get_noc_multicast_addr(x0, y0, x1, y1, sent), receivers);\n",
        "        noc_semaphore_set_multicast(sent, get_noc_multicast_addr(x0, y0, x1, y1, sent), receivers, true);\n",
        "EMU212",
    ),
    *(
        Fault(
            f"{name}_in_a_chain",
            "multicast",
            "sender.cpp",
            "page_bytes, receivers);\n        noc_async_writes_flushed();\n",
            f"page_bytes, receivers, true);\n        {between}\n",
            "EMU212",
        )
        for name, between in {
            "wait": "noc_semaphore_wait(sent_flag, VALID);",
            "write_barrier": "noc_async_write_barrier();",
            "increment": "noc_semaphore_inc(get_noc_addr(x0, y0, ready), 1);",
            "unicast": "noc_async_write(l1, get_noc_addr(x0, y0, l1), page_bytes);",
            "other_rectangle": "noc_async_write_multicast(l1, get_noc_multicast_addr(x1, y1, x1, y1, l1), 32, 1);",
        }.items()
    ),
    Fault(
        "removed_name",
        "matmul_streaming",
        "compute.cpp",
        "matmul_init(cb_a, cb_b)",
        "mm_init(cb_a, cb_b, cb_c)",
        "EMU801",
    ),
    Fault("old_header", "matmul_streaming", "reader.cpp", "api/dataflow/dataflow_api.h", "dataflow_api.h", "EMU801"),
    Fault(
        "compile_argument_index",
        "matmul_streaming",
        "writer.cpp",
        "get_compile_time_arg_val(0)",
        "get_compile_time_arg_val(7)",
        "EMU801",
    ),
    Fault(
        "stale_write_pointer", "matmul_streaming", "writer.cpp", "get_read_ptr(cb_c)", "get_write_ptr(cb_c)", "EMU109"
    ),
    Fault("division_by_zero", "transpose", "reader.cpp", "tile / columns", "tile / (columns - 2)", "EMU217"),
    Fault("never_popped", "reduce_rows", "compute.cpp", "    cb_pop_front(cb_scaler, 1);\n", "", "EMU108"),
]
