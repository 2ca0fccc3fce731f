"""What passes decide, on small kernels: sections, cuts, inits, blocks, padding, streams."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import elementwise, verified
from tt_build.ir.lowered import Loop, SfpuInit, Stmt, TileInit, TileOp, ZeroPadding, walk
from tt_build.ir.stages import FpuStep, LoadStep, SfpuStep, VerifiedKernel


def steps(kernel: VerifiedKernel) -> list[object]:
    return [step for section in kernel.sections for step in section.steps]


def body(kernel: VerifiedKernel, role: str) -> tuple[Stmt, ...]:
    return next(b.body for b in kernel.bodies if b.role == role)


def test_two_tensors_meet_on_the_matrix_engine(tmp_path: Path) -> None:
    kernel = verified(tmp_path, elementwise("C = A - B"))
    assert steps(kernel) == [FpuStep(op="sub", a="cb_a", b="cb_b", out=0)]


@pytest.mark.parametrize(
    ("compute", "mode"), [("C = A + row", "rows"), ("C = column * A", "cols"), ("C = A - scalar", "scalar")]
)
def test_the_broadcast_operand_comes_second(compute: str, mode: str, tmp_path: Path) -> None:
    (step,) = steps(verified(tmp_path, elementwise(compute)))
    assert isinstance(step, FpuStep)
    assert (step.a, step.bcast) == ("cb_a", mode)


def test_a_difference_from_a_broadcast_is_not_swapped(tmp_path: Path) -> None:
    kernel = verified(tmp_path, elementwise("C = row - A"))
    assert [type(step) for step in steps(kernel)] == [LoadStep, LoadStep, SfpuStep]
    assert kernel.sections[0].steps[0] == LoadStep(cb="cb_row", out=0, bcast="rows")


def test_float32_goes_through_the_vector_engine(tmp_path: Path) -> None:
    kernel = verified(tmp_path, elementwise("C = A + B"), defaults={"dtype": "float32"})
    assert not any(isinstance(step, FpuStep) for step in steps(kernel))
    assert all(cb.unpack_to_dest for cb in kernel.circular_buffers if cb.name in ("cb_a", "cb_b"))


def test_a_square_loads_its_operand_once(tmp_path: Path) -> None:
    kernel = verified(tmp_path, elementwise("C = A + (column * column)"))
    assert [type(s) for s in steps(kernel)].count(LoadStep) == 2


def test_a_number_is_an_argument_of_the_call(tmp_path: Path) -> None:
    kernel = verified(tmp_path, elementwise("C = 2 / A"))
    assert steps(kernel)[1:] == [SfpuStep(function="div", form="rscalar", slots=(0,), out=0, params=(0x40000000,))]


def test_a_condition_that_is_no_comparison_loses_its_sign(tmp_path: Path) -> None:
    plain = steps(verified(tmp_path, elementwise("C = where(A, A, B)")))
    assert [s.function for s in plain if isinstance(s, SfpuStep)] == ["abs", "where"]
    compared = steps(verified(tmp_path, elementwise("C = where(A > B, A, B)")))
    assert [s.function for s in compared if isinstance(s, SfpuStep)] == ["gt", "where"]


def test_an_expression_that_does_not_fit_dst_is_cut(tmp_path: Path) -> None:
    wide = "C = ((exp(A) + log(B)) * (sin(A) + cos(B))) / ((tanh(A) + sqrt(B)) * (abs(A) + erf(B)))"
    deep = verified(tmp_path, elementwise(f"{wide} + {wide.replace('C = ', '').replace('exp', 'exp2')}"))
    assert len(deep.sections) > 1
    assert deep.dst_tiles <= 4
    assert all(cb.dtype == "float32" for cb in deep.circular_buffers if cb.name.startswith("cb_t"))
    half = {"math": {"fp32_accumulate": False}}
    assert len(verified(tmp_path, elementwise(wide, **half)).sections) == 1


def test_a_cut_value_that_is_an_output_too_is_read_from_its_own_buffer(tmp_path: Path) -> None:
    names = ["C", "D", "E", "F", "G"]
    kernel = verified(
        tmp_path,
        {
            "inputs": {"A": {"shape": [64, 64]}, "B": {"shape": [64, 64]}},
            "outputs": {name: {"shape": [64, 64]} for name in names},
            "compute": "C = A @ B\nD = exp(C)\nE = sin(C)\nF = cos(C)\nG = abs(C)",
            "schedule": {"matmul": {"algorithm": "streaming"}},
        },
    )
    outputs = {result.cb for result in kernel.results}
    read = {cb for s in walk(body(kernel, "compute")) if isinstance(s, TileOp) for cb in s.cbs}
    assert not read & outputs
    assert sum(isinstance(s, SfpuStep) for s in steps(kernel)) == 4


def test_outputs_share_a_section_as_far_as_they_fit(tmp_path: Path) -> None:
    kernel = verified(
        tmp_path,
        {
            "inputs": {"A": {"shape": [64, 64]}},
            "outputs": {name: {"shape": [64, 64]} for name in "CDEF"},
            "compute": "t = exp(A)\nC = t + 1\nD = t + 2\nE = t + 3\nF = t + 4",
        },
    )
    assert sum(isinstance(s, SfpuStep) and s.function == "exp" for s in steps(kernel)) == 1


def test_a_shared_value_is_computed_once(tmp_path: Path) -> None:
    kernel = verified(tmp_path, elementwise("t = exp(A)\nC = t * t + sqrt(t)"))
    assert sum(isinstance(s, SfpuStep) and s.function == "exp" for s in steps(kernel)) == 1


def test_one_configuration_stands_in_front_of_the_loop(tmp_path: Path) -> None:
    statements = body(verified(tmp_path, elementwise("C = exp(A)", [320, 320])), "compute")
    before_loop = [type(s) for s in statements[: next(i for i, s in enumerate(statements) if isinstance(s, Loop))]]
    assert before_loop[-2:] == [TileInit, SfpuInit]
    inside = [s for s in walk(statements) if isinstance(s, Loop)]
    assert not any(isinstance(s, TileInit | SfpuInit) for loop in inside for s in walk(loop.body))


def test_every_operation_runs_under_its_own_init(tmp_path: Path) -> None:
    kernel = verified(tmp_path, elementwise("C = exp(A) * B + row"))
    configured: TileInit | None = None
    for stmt in walk(body(kernel, "compute")):
        if isinstance(stmt, TileInit):
            configured = stmt
        if isinstance(stmt, TileOp):
            assert configured is not None
            assert (configured.op, configured.cbs, configured.mode) == (stmt.op, stmt.cbs, stmt.mode)


def test_a_single_tile_operand_is_read_once_a_core(tmp_path: Path) -> None:
    kernel = verified(tmp_path, elementwise("C = A + scalar", [640, 640]))
    assert kernel.pages_read == {"A": 400, "scalar": 1}  # one core reads it for all


def test_several_tiles_a_barrier(tmp_path: Path) -> None:
    """The cost model's choice: few tiles one by one, so that all stages work at once; many to spread the latency."""
    assert verified(tmp_path, elementwise("C = exp(A)", [64, 64])).batch == 1
    few = verified(tmp_path, elementwise("C = gelu(A)", [512, 512]))
    many = verified(tmp_path, elementwise("C = A + B", [2048, 2048]))
    assert (few.batch, many.batch) == (1, 8)
    for kernel in (few, many):
        costs = dict(kernel.block_costs)
        assert costs[kernel.batch] <= 1.02 * min(costs.values())
        assert all(cycles > 1.02 * min(costs.values()) for size, cycles in costs.items() if size > kernel.batch)


def matmul(m: int, k: int, n: int, compute: str = "C = A @ B", **more: object) -> dict[str, object]:
    return {
        "inputs": {"A": {"shape": [m, k]}, "B": {"shape": [k, n]}},
        "outputs": {"C": {"shape": [m, n]}},
        "compute": compute,
        "schedule": {"matmul": {"algorithm": "streaming"}},
        **more,
    }


def test_ragged_k_is_zeroed_in_the_first_operand_only(tmp_path: Path) -> None:
    kernel = verified(tmp_path, matmul(64, 100, 64))
    (zero,) = [s for s in walk(body(kernel, "reader")) if isinstance(s, ZeroPadding)]
    assert (zero.cb, zero.axis, zero.first) == ("cb_a", "columns", 4)
    assert not [s for s in walk(body(verified(tmp_path, matmul(50, 64, 50)), "reader")) if isinstance(s, ZeroPadding)]


def test_a_transposed_first_operand_is_zeroed_by_rows(tmp_path: Path) -> None:
    spec = matmul(64, 100, 64, "C = A.T @ B")
    spec["inputs"]["A"]["shape"] = [100, 64]  # type: ignore[index]
    kernel = verified(tmp_path, spec)
    (zero,) = [s for s in walk(body(kernel, "reader")) if isinstance(s, ZeroPadding)]
    assert (zero.axis, zero.first) == ("rows", 4)
    assert kernel.transposes[0].k_tiles == 4


def test_a_matmul_reads_two_tiles_a_product(tmp_path: Path) -> None:
    kernel = verified(tmp_path, matmul(256, 320, 192))
    assert kernel.pages_read == {"A": 8 * 10 * 6, "B": 8 * 10 * 6}
    assert kernel.k_block == 10


def test_k_blocks_shrink_until_they_fit(tmp_path: Path) -> None:
    kernel = verified(tmp_path, matmul(64, 32 * 400, 64, "C = A.T @ B") | {
        "inputs": {"A": {"shape": [32 * 400, 64]}, "B": {"shape": [32 * 400, 64]}}
    })  # fmt: skip
    assert kernel.l1_bytes <= 1_393_312
    assert kernel.cb("cb_a_t").num_pages >= 400


shapes = st.tuples(st.integers(1, 200), st.integers(1, 200))
leaves = st.sampled_from(["A", "B", "row", "column", "scalar", "(A + 0.5)", "(3 - row)", "(2 / column)"])


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    unary = st.sampled_from(["exp({})", "sqrt({})", "abs({})", "({})", "gelu({})", "leaky_relu({})", "-{}"])
    binary = st.sampled_from(["({} + {})", "({} - {})", "({} * {})", "maximum({}, {})", "({} / {})", "({} > {})"])
    return st.one_of(
        st.tuples(unary, inner).map(lambda t: t[0].format(t[1])),
        st.tuples(binary, inner, inner).map(lambda t: t[0].format(t[1], t[2])),
        st.tuples(inner, inner, inner).map(lambda t: f"where({t[0]}, {t[1]}, {t[2]})"),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    shape=shapes,
    text=st.recursive(leaves, _grow, max_leaves=16),
    fp32=st.booleans(),
    policy=st.sampled_from(["contiguous", "strided", "rectangular"]),
    order=st.sampled_from(["row_major", "column_major", "serpentine", "z_order"]),
)
def test_any_elementwise_expression_is_lowered_and_verified(
    shape: tuple[int, int], text: str, fp32: bool, policy: str, order: str, tmp_path: Path
) -> None:
    compute = f"C = A + 0 * ({text})"
    kernel = verified(
        tmp_path,
        elementwise(
            compute,
            list(shape),
            math={"fp32_accumulate": fp32},
            schedule={"policy": policy, "order": order},
        ),
    )
    assert kernel.dst_tiles <= (4 if fp32 else 8)


def test_exp_makes_a_matmul_record_its_instructions_again(tmp_path: Path) -> None:
    """With a 16-bit DST the SDK's exp records over the replay buffer on Wormhole: the next unit's matmul inits anew."""
    narrow = {"math": {"fp32_accumulate": False}, "schedule": {"matmul": {"algorithm": "streaming"}, "cores": [1, 1]}}
    kernel = verified(tmp_path, matmul(64, 64, 64, "C = exp(A @ B)") | narrow)
    (loop,) = [s for s in body(kernel, "compute") if isinstance(s, Loop)]
    inside = [s for s in walk(loop.body) if isinstance(s, TileInit)]
    assert [init.op for init in inside] == ["matmul"]
