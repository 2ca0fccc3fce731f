"""Attention on the emulator: as ``softmax`` or by hand, masked, causal, with fewer heads of keys, ragged, long."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.programs.generator import Kernel
from tests.programs.prove import build, prove
from tt_build.emulator.run import run
from tt_build.ir.flash_blocks import walk_of
from tt_build.ir.plan import load_plan
from tt_build.spec.model import VerifySpec
from tt_build.verify.driver import Job, examine

SOFTMAX = "O = softmax(Q @ K.T * 0.125, axis=-1) @ V"
BY_HAND = "s = Q @ K.T * 0.125\ne = exp(s - max(s, axis=-1))\nO = (e / sum(e, axis=-1)) @ V"
GROUPED = "O = softmax(Q @ repeat(K, 2, 1).T * 0.125, axis=-1) @ repeat(V, 2, 1)"
MASKED = "O = softmax(Q @ K.T * 0.125 + M, axis=-1) @ V"
GROUPED_CAUSAL = "O = softmax(causal(Q @ repeat(K, 4, 1).T * 0.125), axis=-1) @ repeat(V, 4, 1)"
CAUSAL = "O = softmax(causal(Q @ K.T * 0.125), axis=-1) @ V"


def attention(
    compute: str,
    sizes: tuple[int, int, int, int, int, int],
    *,
    heads_of_keys: int = 0,
    dtype: str = "bfloat16",
    grid: tuple[int, int] = (4, 4),
    schedule: dict[str, Any] | None = None,
    narrow: bool = False,
    **inputs: list[int],
) -> Kernel:
    """Batch, heads, queries, keys, head size, size of a value."""
    batch, heads, queries, keys, inner, width = sizes
    held = [batch, heads_of_keys or heads, keys]
    shapes = {"Q": [batch, heads, queries, inner], "K": [*held, inner], "V": [*held, width], **inputs}
    kernel: dict[str, Any] = {
        "inputs": {name: {"shape": shape, "dtype": dtype} for name, shape in shapes.items()},
        "outputs": {"O": {"shape": [batch, heads, queries, width], "dtype": dtype}},
        "compute": compute,
    }
    if schedule:
        kernel["schedule"] = schedule
    if narrow:
        kernel["math"] = {"fp32_accumulate": False}
    return {"target": {"arch": "wormhole_b0", "grid": list(grid)}, "kernel": kernel}


CASES = {
    "plain": attention(SOFTMAX, (1, 2, 64, 128, 64, 64)),
    "ragged": attention(SOFTMAX, (2, 2, 100, 130, 64, 96)),
    "by_hand": attention(BY_HAND, (1, 2, 64, 128, 64, 64)),
    "causal": attention(CAUSAL, (1, 3, 128, 128, 64, 64)),
    "causal_ragged": attention(CAUSAL, (1, 3, 100, 100, 40, 64)),
    "grouped": attention(GROUPED, (1, 4, 64, 96, 64, 64), heads_of_keys=2),
    "mask": attention(MASKED, (1, 2, 96, 160, 64, 64), M=[1, 1, 96, 160]),
    "mask_row": attention(MASKED, (2, 2, 70, 160, 64, 64), M=[2, 1, 1, 160]),
    "bfloat16_dst": attention(SOFTMAX, (1, 2, 64, 256, 64, 64), narrow=True),
    "decode": attention(SOFTMAX, (2, 4, 1, 300, 64, 64)),
    "float32": attention(SOFTMAX, (1, 2, 64, 128, 64, 64), dtype="float32"),
    "wide_head": attention(SOFTMAX, (1, 1, 64, 128, 256, 256)),
    "many_steps": attention(SOFTMAX, (1, 2, 256, 1024, 64, 64), grid=(8, 8)),
    "one_core": attention(CAUSAL, (1, 2, 64, 64, 32, 32), grid=(1, 1)),
    "causal_grouped": attention(GROUPED_CAUSAL, (1, 8, 128, 128, 64, 64), heads_of_keys=2),
    "causal_pairs": attention(CAUSAL, (1, 1, 512, 512, 32, 32)),
    "causal_apart": attention(GROUPED_CAUSAL, (1, 4, 512, 512, 32, 32), heads_of_keys=1, grid=(8, 8)),
    "causal_ragged_grouped": attention(GROUPED_CAUSAL, (2, 8, 490, 490, 40, 32), heads_of_keys=2),
    "grouped_shared": attention(GROUPED, (1, 16, 32, 128, 64, 64), heads_of_keys=8),
}

PARTS = {
    "one_row": attention(SOFTMAX, (1, 2, 1, 1024, 64, 64)),
    "ragged": attention(SOFTMAX, (1, 3, 4, 1190, 40, 96), grid=(4, 2)),
    "two_rows": attention(BY_HAND, (1, 1, 50, 700, 64, 64)),
    "mask": attention(MASKED, (2, 1, 1, 768, 64, 64), M=[2, 1, 1, 768]),
    "bfloat16_dst": attention(SOFTMAX, (1, 2, 8, 1024, 64, 64), narrow=True),
    "float32": attention(SOFTMAX, (1, 1, 32, 512, 64, 32), dtype="float32"),
    "grouped": attention(GROUPED, (1, 4, 1, 640, 64, 64), heads_of_keys=2, grid=(4, 3)),
}
"""Few queries, a long cache, and more cores than heads: cores share the keys."""


@pytest.mark.parametrize("name", CASES)
def test_attention(name: str) -> None:
    program = CASES[name]
    other = {**program, "kernel": {**program["kernel"], "schedule": {"policy": "contiguous", "cores": [1, 1]}}}
    if name in ("plain", "causal", "grouped"):
        prove(program, [other] if _same_block(program, other) else [])
    else:
        prove(program, [])


@pytest.mark.parametrize("name", PARTS)
def test_keys_shared_between_cores(name: str, tmp_path: Path) -> None:
    """As many cores as pay share the keys of a head, and with fewer cores fewer; right either way.

    The derived bounds are wide, since a bound of weights grows with the keys; correlation is what tells more here.
    """
    program = PARTS[name]
    fewer = {**program, "kernel": {**program["kernel"], "schedule": {"cores": [2, 1]}}}
    alone = {**program, "kernel": {**program["kernel"], "schedule": {"policy": "contiguous"}}}
    counts = []
    for number, schedule in enumerate((program, fewer, alone)):
        kernel, plan = build(schedule, tmp_path / str(number))
        counts.append(kernel.parts.count if kernel.parts is not None else 1)
        assert load_plan(plan).attrs["tt_attention"].get("parts", {"count": 1})["count"] == counts[-1]
        assert len(kernel.work) <= kernel.region.size[0] * kernel.region.size[1]
        prove(schedule, [])
        verdict, *_ = examine(Job(kernel=kernel, verify=VerifySpec(), sizes={}, scalars={}), plan, runs=((0, 0),))
        assert verdict.outputs["O"].pcc > 0.9998
    assert counts[0] > counts[2] == 1, counts
    assert counts[0] >= counts[1], counts


def test_a_declared_grid_is_the_units_that_there_are(tmp_path: Path) -> None:
    program = PARTS["one_row"]
    declared = {**program, "kernel": {**program["kernel"], "grid": [1, 1, 2]}}
    assert build(program, tmp_path / "one")[0].grid.x > 1
    assert build(declared, tmp_path / "two")[0].grid.x == 1


@pytest.mark.parametrize("seed", range(4))
def test_random_long_caches(seed: int) -> None:
    prove(long_cache(random.Random(seed)), [])


def long_cache(rng: random.Random) -> Kernel:
    """An attention of few queries and many keys on any grid of cores: masked or not, grouped or not, ragged or not."""
    heads, inner, width = rng.randint(1, 3), rng.randint(1, 96), rng.choice((32, 64, 96))
    queries, keys = rng.choice((1, 4, 31, rng.randint(33, 128))), rng.randint(256, 1500)
    compute, mask = rng.choice((SOFTMAX, BY_HAND, GROUPED, MASKED)), [1, 1, rng.choice((1, queries)), keys]
    return attention(
        compute,
        (rng.randint(1, 2), heads * (2 if compute == GROUPED else 1), queries, keys, inner, width),
        heads_of_keys=heads,
        dtype=rng.choice(("bfloat16", "bfloat16", "float32")),
        grid=(rng.randint(2, 8), rng.randint(1, 4)),
        narrow=rng.random() < 0.25,
        **({"M": mask} if compute == MASKED else {}),
    )


@pytest.mark.parametrize("seed", range(4))
def test_random_heads(seed: int) -> None:
    prove(heads_that_share_keys(random.Random(seed)), [])


def heads_that_share_keys(rng: random.Random) -> Kernel:
    """An attention whose cores may go through keys together: causal or not, grouped or not, on any grid of cores."""
    columns, rows = rng.choice(((2, 2), (4, 2), (4, 4), (8, 2), (8, 4)))
    shared, held = rng.choice((1, 2, 4)), rng.choice((1, 2, 4))
    length = rng.choice((64, 128, 256, 250, 384))
    keys, values = f"repeat(K, {shared}, 1)", f"repeat(V, {shared}, 1)"
    scores = f"Q @ {keys}.T * 0.125"
    if rng.random() < 0.7:
        scores = f"causal({scores})"
    return attention(
        f"O = softmax({scores}, axis=-1) @ {values}",
        (rng.choice((1, 1, 2)), shared * held, length, length, rng.choice((32, 64, 40)), rng.choice((32, 64))),
        heads_of_keys=held,
        grid=(columns, rows),
    )


def _same_block(program: Kernel, other: Kernel) -> bool:
    """Whether two schedules take the same steps, so that no bit may differ."""
    with tempfile.TemporaryDirectory() as folder:
        one, _ = build(program, Path(folder) / "one")
        two, _ = build(other, Path(folder) / "two")
    assert one.flash is not None
    assert two.flash is not None
    return (one.flash.rows, one.flash.keys) == (two.flash.rows, two.flash.keys)


def test_keys_and_values_are_read_once_a_matrix_and_no_score_leaves(tmp_path: Path) -> None:
    """All cores go through the heads together: compulsory bytes, as the counters have them."""
    kernel, plan = build(attention(SOFTMAX, (1, 2, 512, 512, 64, 64), grid=(4, 4)), tmp_path / "k")
    assert kernel.flash is not None
    assert kernel.flash.shared
    inputs = {t.name: np.ones(t.shape, np.float32) for t in kernel.inputs}
    counters = run(load_plan(plan), plan.parent, inputs).counters
    compulsory = sum(b.pages * b.page_size for b in kernel.buffers)
    assert counters["dram_read_bytes"] + counters["dram_write_bytes"] == compulsory


@pytest.mark.parametrize(
    ("name", "members", "apart"),
    [("causal_grouped", 4, 1), ("causal_pairs", 2, 1), ("causal_apart", 8, 2), ("causal_ragged_grouped", 4, 1)],
)
def test_causal_cores_that_take_as_many_steps_share_keys(name: str, members: int, apart: int, tmp_path: Path) -> None:
    """Each group reads keys and values once, as the counters have them; cores with several units take as many steps."""
    kernel, plan = build(CASES[name], tmp_path / "k")
    assert kernel.flash is not None
    assert (kernel.flash.shared, kernel.flash.apart) == (True, apart)
    met = [sum(steps for _, steps in walk_of(w, kernel.flash, kernel.order, kernel.grid)) for w in kernel.work]
    assert len(set(met)) == 1 or kernel.grid.units == len(kernel.work)
    alike = Counter(walk_of(w, kernel.flash, kernel.order, kernel.grid) for w in kernel.work)
    assert set(alike.values()) == {members}
    keys = kernel.flash.keys * kernel.buffer("V").tiles[1]
    assert kernel.pages_read["V"] == sum(met) * keys // members
    inputs = {t.name: np.ones(t.shape, np.float32) for t in kernel.inputs}
    counters = run(load_plan(plan), plan.parent, inputs).counters
    assert counters["dram_read_bytes"] == sum(kernel.pages_read[t] * kernel.buffer(t).page_size for t in "QKV")


def test_a_causal_unit_reads_no_later_keys(tmp_path: Path) -> None:
    kernel, _ = build(attention(CAUSAL, (1, 2, 512, 512, 64, 64), grid=(2, 2)), tmp_path / "k")
    assert kernel.flash is not None
    blocks, keys = 16 // kernel.flash.rows, kernel.flash.keys
    met = sum(min(16, ((block + 1) * kernel.flash.rows - 1) // keys * keys + keys) for block in range(blocks))
    assert kernel.pages_read["K"] == kernel.pages_read["V"] == 2 * 2 * met
    assert met < 16 * blocks
