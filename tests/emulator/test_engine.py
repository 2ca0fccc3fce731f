"""Counters against closed forms, the host's rules, architectures, formats, traces, prints."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.emulator.examples import EXAMPLES, FOLDER, inputs
from tests.emulator.plans import cb, grid, kernel, matmul_streaming, plan, split, tensor
from tt_build.emulator.report import EmulationError
from tt_build.emulator.run import run
from tt_build.ir.plan import Plan, PlanSharding, Semaphore

STREAMING = FOLDER / "matmul_streaming"
TILE = 2048


def random(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).integers(-32, 33, shape) / 16).astype(np.float32)


def refused(changed: Plan, root: Path = STREAMING) -> str:
    with pytest.raises(EmulationError) as caught:
        run(changed, root, {n: random(b.shape) for n, b in changed.buffers.items() if b.role == "input"}, timeout=30)
    return str(caught.value)


def test_streaming_matmul_counters_are_closed_forms() -> None:
    mt, kt, nt = 8, 4, 6
    made = matmul_streaming(mt * 32, kt * 32, nt * 32, grid(8, 8))
    result = run(made, STREAMING, {"A": random((mt * 32, kt * 32)), "B": random((kt * 32, nt * 32))})
    pages = mt * nt * kt
    assert result.counters == {
        "dram_read_bytes": 2 * pages * TILE,
        "dram_write_bytes": mt * nt * TILE,
        "noc_unicast_bytes": 0,
        "noc_multicast_sent_bytes": 0,
        "noc_multicast_delivered_bytes": 0,
        "tile_ops": {"matmul": pages, "pack": mt * nt},
        "cores_with_work": 48,
        "buffers": {
            "A": {"dram_read_bytes": pages * TILE, "dram_write_bytes": 0},
            "B": {"dram_read_bytes": pages * TILE, "dram_write_bytes": 0},
            "C": {"dram_read_bytes": 0, "dram_write_bytes": mt * nt * TILE},
        },
    }


def test_multicast_counters_are_closed_forms() -> None:
    example = EXAMPLES["multicast"]()
    counters = run(example.plan, FOLDER / "multicast", inputs(example)).counters
    assert counters["dram_read_bytes"] == 6 * TILE
    assert counters["noc_multicast_sent_bytes"] == 6 * TILE
    assert counters["noc_multicast_delivered_bytes"] == 3 * 6 * TILE
    assert counters["dram_write_bytes"] == 4 * 6 * TILE


def test_blackhole_runs_the_same_kernels() -> None:
    a, b = random((256, 96)), random((96, 256), 1)
    made = matmul_streaming(256, 96, 256, grid(13, 10), arch="blackhole", fp32_dest_acc_en=True)
    result = run(made, STREAMING, {"A": a, "B": b}, seed=5)
    assert np.abs(result.outputs["C"] - a @ b).max() <= np.abs(a @ b).max() * 2**-8


def copy_through_dst(dtype: str, exact: bool) -> Plan:
    work = split(4, grid(2, 1))
    # UInt16 lies in the low half of a 32-bit word of DST, where the packer does not look (EMU313)
    config = {"fp32_dest_acc_en": dtype != "uint16", "unpack_to_dest_fp32": (0,) if exact else ()}
    return plan(
        "copy_through_dst",
        {"A": tensor("input", (64, 64), dtype), "C": tensor("output", (64, 64), dtype)},
        [cb(0, 8, work, dtype), cb(16, 8, work, dtype)],
        [
            kernel("reader", "reader.cpp", {c: ["A", s, n] for c, (s, n) in work.items()}, [0, 2, "A"]),
            kernel("compute", "compute.cpp", {c: [n] for c, (_, n) in work.items()}, **config),
            kernel("writer", "writer.cpp", {c: ["C", s, n] for c, (s, n) in work.items()}, [16, 2, "C"]),
        ],
    )


COPY = """
#include "api/compute/common.h"
#include "api/compute/tile_move_copy.h"
void kernel_main() {
    const uint32_t tiles = get_arg_val<uint32_t>(0);
    compute_kernel_hw_startup(0, 16);
    copy_init(0);
    for (uint32_t i = 0; i < tiles; ++i) {
        cb_wait_front(0, 1);
        tile_regs_acquire();
        copy_tile(0, 0, 0);
        tile_regs_commit();
        cb_pop_front(0, 1);
        cb_reserve_back(16, 1);
        tile_regs_wait();
        pack_tile(0, 16);
        tile_regs_release();
        cb_push_back(16, 1);
    }
}
"""


@pytest.fixture
def copy_folder(tmp_path: Path) -> Path:
    for name in ("reader.cpp", "writer.cpp"):
        shutil.copy(FOLDER / "copy" / name, tmp_path)
    (tmp_path / "compute.cpp").write_text(COPY)
    return tmp_path


def test_float32_keeps_its_bits_only_when_unpacked_to_dst(copy_folder: Path) -> None:
    a = np.random.default_rng(3).standard_normal((64, 64)).astype(np.float32)
    exact = run(copy_through_dst("float32", True), copy_folder, {"A": a}).outputs["C"]
    through_src = run(copy_through_dst("float32", False), copy_folder, {"A": a}).outputs["C"]
    assert exact.tobytes() == a.tobytes()
    truncated = (a.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)
    assert through_src.tobytes() == truncated.tobytes()


@pytest.mark.parametrize("dtype", ["int32", "uint32", "uint16", "bfloat8_b", "bfloat4_b", "bfloat16"])
def test_copy_keeps_every_format(copy_folder: Path, dtype: str) -> None:
    a = np.random.default_rng(4).integers(0, 8, (64, 64))
    a = a.astype(dtype) if "int" in dtype else (a - 4).astype(np.float32)
    out = run(copy_through_dst(dtype, False), copy_folder, {"A": a}).outputs["C"]
    if dtype == "bfloat4_b":  # 3 bits of magnitude for the largest of 16 elements
        assert np.abs(out - a).max() <= 1.0
    else:
        assert np.array_equal(out, a)


def copy_of_two(init: str) -> str:
    """A kernel that copies a tile of circular buffer 0, then after ``init`` one of circular buffer 1, for each tile."""
    first = "        reconfig_data_format_srca(0);\n        copy_init(0);\n        copy_tile(0, 0, 0);\n"
    second = f"        reconfig_data_format_srca(1);\n        {init}\n        copy_tile(1, 0, 0);\n"
    text = COPY.replace("    copy_init(0);\n", "").replace("        copy_tile(0, 0, 0);\n", first + second)
    text = text.replace("    cb_wait_front(0, 1);\n", "    cb_wait_front(0, 1);\n        cb_wait_front(1, 1);\n")
    return text.replace("    cb_pop_front(0, 1);\n", "    cb_pop_front(0, 1);\n        cb_pop_front(1, 1);\n")


@pytest.mark.parametrize(("dtype", "exact"), [("float32", True), ("float32", False), ("int32", False)])
def test_tiles_that_go_straight_into_dst_have_an_init_of_their_own(copy_folder: Path, dtype: str, exact: bool) -> None:
    made, work = copy_through_dst(dtype, exact), split(4, grid(2, 1))
    reads = {c: ["A", "B", s, n] for c, (s, n) in work.items()}
    both = msgspec.structs.replace(
        made,
        buffers={**made.buffers, "B": tensor("input", (64, 64))},
        circular_buffers=(*made.circular_buffers, cb(1, 8, work)),
        kernels=(kernel("reader", "reader.cpp", reads, [0, 1, "A", "B"]), *made.kernels[1:]),
    )
    shutil.copy(FOLDER / "gelu_mixed" / "reader.cpp", copy_folder)
    given = {"A": np.ones((64, 64), np.int32 if dtype == "int32" else np.float32), "B": random((64, 64))}
    (copy_folder / "compute.cpp").write_text(copy_of_two("copy_init(1);"))
    run(both, copy_folder, given, timeout=30)
    (copy_folder / "compute.cpp").write_text(copy_of_two(""))
    if dtype == "float32" and not exact:
        run(both, copy_folder, given, timeout=30)
        return
    with pytest.raises(EmulationError, match=r"EMU305.*copy_tile runs under copy_init of a tile that goes straight"):
        run(both, copy_folder, given, timeout=30)


def test_host_refuses_what_the_sdk_refuses() -> None:
    made = matmul_streaming(64, 64, 64, grid(2, 1))
    buffers = made.circular_buffers
    large = msgspec.structs.replace(buffers[0], num_pages=700)
    assert "EMU701" in refused(msgspec.structs.replace(made, circular_buffers=(large, *buffers[1:])))
    beyond = msgspec.structs.replace(buffers[0], id=32)
    assert "EMU704" in refused(msgspec.structs.replace(made, circular_buffers=(beyond, *buffers)))
    twice = msgspec.structs.replace(made, circular_buffers=(buffers[0], *buffers))
    assert "EMU704" in refused(twice)
    reader = made.kernels[0]
    many = msgspec.structs.replace(reader, common_runtime_args=(0,) * 340)
    assert "EMU702" in refused(msgspec.structs.replace(made, kernels=(many, *made.kernels[1:])))
    semaphore = Semaphore(id=16, initial_value=0, core_ranges=reader.core_ranges)
    assert "EMU703" in refused(msgspec.structs.replace(made, semaphores=(semaphore,)))
    assert "EMU707" in refused(msgspec.structs.replace(made, kernels=(*made.kernels, reader)))
    outside = matmul_streaming(288, 32, 32, [(x, 0) for x in range(9)])
    assert "EMU706" in refused(outside)


def test_kernels_with_headers_and_namespaces_of_their_own(copy_folder: Path) -> None:
    (copy_folder / "start.hpp").write_text("#pragma once\ninline void start() { compute_kernel_hw_startup(0, 16); }\n")
    text = COPY.replace(
        "void kernel_main", '#include "start.hpp"\nnamespace mine { constexpr uint32_t one = 1; }\nvoid kernel_main'
    )
    text = text.replace("compute_kernel_hw_startup(0, 16)", "start()").replace(
        "cb_wait_front(0, 1)", "cb_wait_front(0, mine::one)"
    )
    (copy_folder / "compute.cpp").write_text(text)
    a = random((64, 64))
    assert np.array_equal(run(copy_through_dst("bfloat16", False), copy_folder, {"A": a}).outputs["C"], a)


def test_static_state_is_refused(copy_folder: Path) -> None:
    text = COPY.replace(
        "void kernel_main() {",
        "static uint32_t calls = 0;\nvoid kernel_main() {\n    ++calls;\n    if (calls > 99) return;",
    )
    (copy_folder / "compute.cpp").write_text(text)
    message = refused(copy_through_dst("bfloat16", False), copy_folder)
    assert message.startswith("error[EMU900]: not emulated: writing to a static or global variable")
    assert "at compute.cpp:6 " in message


def test_endless_loop_ends_by_the_clock(copy_folder: Path) -> None:
    (copy_folder / "compute.cpp").write_text(COPY.replace("copy_init(0);", "copy_init(0);\n    while (true) {}"))
    with pytest.raises(EmulationError, match="EMU602"):
        run(copy_through_dst("bfloat16", False), copy_folder, {"A": random((64, 64))}, timeout=2)


def test_polling_a_semaphore_by_hand_lets_others_run(tmp_path: Path) -> None:
    for source in (FOLDER / "multicast").glob("*.cpp"):
        shutil.copy(source, tmp_path)
    text = (tmp_path / "receiver.cpp").read_text()
    (tmp_path / "receiver.cpp").write_text(
        text.replace("noc_semaphore_wait(sent_flag, VALID);", "while (*sent_flag != VALID) {}")
    )
    example = EXAMPLES["multicast"]()
    given = inputs(example)
    result = run(example.plan, tmp_path, given, seed=3, timeout=30)
    assert np.array_equal(result.outputs["C"], example.expect(given)["C"])


def test_prints_and_trace(copy_folder: Path) -> None:
    line = '    DPRINT_PACK("{} tiles, {:x}, {:.2f}\\n", tiles, 255u, 1.5f);\n    compute_kernel_hw_startup(0, 16);\n'
    (copy_folder / "compute.cpp").write_text(COPY.replace("    compute_kernel_hw_startup(0, 16);\n", line))
    result = run(copy_through_dst("bfloat16", False), copy_folder, {"A": random((64, 64))}, trace=True)
    assert sorted(result.printed.splitlines()) == ["(0,0) pack: 2 tiles, ff, 1.50", "(1,0) pack: 2 tiles, ff, 1.50"]
    assert result.trace is not None
    names = {event["name"] for event in result.trace["traceEvents"]}
    assert {"process_name", "cb_wait_front", "tile_regs_wait"} <= names


SHARDINGS = {
    "l1_interleaved": "l1_interleaved",
    "height": PlanSharding(memory="l1", sharding="height", grid=(1, 3), shard=(96, 96)),
    "width": PlanSharding(memory="l1", sharding="width", grid=(3, 1), shard=(256, 32)),
    "block": PlanSharding(memory="l1", sharding="block", grid=(2, 4), shard=(64, 64)),
    "dram": PlanSharding(memory="dram", sharding="height", grid=(4, 1), shard=(64, 96)),
}


@pytest.mark.parametrize("name", SHARDINGS)
def test_accessors_reach_every_layout(name: str) -> None:
    """256 x 96 is 8 x 3 tiles: the last shard of height and of block is uneven."""
    work = split(24, grid(3, 2))
    made = plan(
        "layouts",
        {
            "A": tensor("input", (250, 90), layout=SHARDINGS[name]),
            "C": tensor("output", (250, 90), layout=SHARDINGS[name]),
        },
        [cb(0, 4, work)],
        [
            kernel("reader", "reader.cpp", {c: ["A", s, n] for c, (s, n) in work.items()}, [0, 4, "A"]),
            kernel("writer", "writer.cpp", {c: ["C", s, n] for c, (s, n) in work.items()}, [0, 4, "C"]),
        ],
    )
    a = random((250, 90))
    for seed in range(2):
        assert np.array_equal(run(made, FOLDER / "copy", {"A": a}, seed=seed).outputs["C"], a)


def test_zero_block_and_stateful_reads(copy_folder: Path) -> None:
    text = (copy_folder / "reader.cpp").read_text()
    zeros = "noc_async_read(get_noc_addr(MEM_ZEROS_BASE), l1, MEM_ZEROS_SIZE);\n            "
    stateful = (
        "const uint64_t from = tensor.get_noc_addr(start + done + i);\n"
        "noc_async_read_one_packet_set_state(from, page_bytes);\n"
        "noc_async_read_one_packet_with_state(static_cast<uint32_t>(from), l1);"
    )
    old = "noc_async_read_page(start + done + i, tensor, l1);"
    (copy_folder / "reader.cpp").write_text(text.replace(old, zeros + "noc_async_read_barrier();\n" + stateful))
    a = random((64, 64))
    assert np.array_equal(run(copy_through_dst("bfloat16", False), copy_folder, {"A": a}).outputs["C"], a)


def test_wrong_inputs_are_named() -> None:
    made = matmul_streaming(64, 64, 64, grid(2, 1))
    with pytest.raises(EmulationError, match="no input for tensor B"):
        run(made, STREAMING, {"A": random((64, 64))})
    with pytest.raises(EmulationError, match=r"tensor A has shape \[64, 64\], the input has \[64, 32\]"):
        run(made, STREAMING, {"A": random((64, 32)), "B": random((64, 64))})
