"""What the planner is told of a matmul and what the kernel that it becomes is found to cost agree within a fifth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import verified
from tt_build.ir.stages import VerifiedKernel
from tt_build.model.kernel import estimate

CASES = [
    ("wormhole_b0", (256, 256, 256), {}, {}),
    ("wormhole_b0", (512, 512, 512), {}, {}),
    ("wormhole_b0", (1024, 1024, 1024), {"algorithm": "mcast_2d"}, {"fp32_accumulate": False}),
    ("wormhole_b0", (1024, 512, 2048), {"algorithm": "reuse"}, {"fidelity": "HiFi2"}),
    ("wormhole_b0", (64, 1024, 4096), {"algorithm": "mcast_1d_in0"}, {}),
    ("wormhole_b0", (4096, 256, 64), {"algorithm": "mcast_1d_in1"}, {}),
    ("wormhole_b0", (32, 4096, 4096), {"algorithm": "mcast_1d_in0", "noc": 0, "k_split": 1}, {}),
    ("wormhole_b0", (64, 1024, 4096), {"algorithm": "mcast_1d_in0", "noc": 0, "k_split": 1}, {}),
    ("wormhole_b0", (784, 2048, 512), {"algorithm": "mcast_2d", "noc": 1}, {}),
    ("wormhole_b0", (1024, 1024, 1024), {"algorithm": "mcast_2d", "noc": 1}, {}),
    ("blackhole", (256, 512, 2048), {"algorithm": "mcast_1d_in0", "noc": 0, "k_split": 1}, {}),
    ("blackhole", (6144, 1024, 32), {"algorithm": "mcast_1d_in1"}, {}),
    ("blackhole", (1280, 1664, 1664), {}, {}),
    ("blackhole", (640, 832, 832), {"algorithm": "mcast_2d"}, {"fidelity": "LoFi"}),
]


@pytest.mark.parametrize(("arch", "shape", "schedule", "math"), CASES)
def test_plan_and_kernel_agree(
    arch: str, shape: tuple[int, int, int], schedule: dict[str, Any], math: dict[str, Any], tmp_path: Path
) -> None:
    declared = matmul(shape) | {"math": math, "target": {"arch": arch}}
    if schedule:
        declared["schedule"] = {"matmul": schedule}
    check_agreement(verified(tmp_path, declared))


def test_weights_in_dram_shards_are_no_faster_than_cores_that_lie_anywhere(tmp_path: Path) -> None:
    declared = matmul((32, 4096, 4096))
    declared["inputs"]["B"]["layout"] = {"memory": "dram", "sharding": "width", "grid": [8, 1]}
    check_agreement(verified(tmp_path, declared))


def test_a_second_operand_that_is_computed_comes_before_the_steps(tmp_path: Path) -> None:
    declared = matmul((32, 2048, 4096)) | {"compute": "C = A @ cast(B + D, bfloat16)"}
    declared["inputs"]["D"] = declared["inputs"]["B"]
    check_agreement(verified(tmp_path, declared))


def matmul(shape: tuple[int, int, int]) -> dict[str, Any]:
    """The declaration of a plain one."""
    m, k, n = shape
    return {
        "inputs": {"A": {"shape": [m, k]}, "B": {"shape": [k, n]}},
        "outputs": {"C": {"shape": [m, n]}},
        "compute": "C = A @ B",
    }


def check_agreement(kernel: VerifiedKernel) -> None:
    """The bytes of plan and kernel are the same, the cycles nearly."""
    assert kernel.matmul_choice is not None
    planned, found = kernel.matmul_choice.taken, estimate(kernel)
    assert found.traffic.dram_read + found.traffic.dram_written == planned.dram_bytes
    assert found.traffic.unicast + found.traffic.total("multicast_delivered") == planned.noc_bytes
    assert planned.cycles == pytest.approx(found.cycles, rel=0.2)
