"""Random valid kernels: elementwise chains with broadcasts, matmuls with epilogues, movement of their inputs, under
every schedule and layout.

A program is a kernel's declaration as kernels.yaml has it. ``variants`` gives the same meaning another schedule: no bit
of a result may depend on it (semantics.md, ``Results``).
"""

from __future__ import annotations

import copy
import math
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from tests.programs.moved import is_small, moved

Kernel = dict[str, Any]
Draw = Any

POLICIES = ("contiguous", "strided", "rectangular")
ORDERS = ("row_major", "column_major", "serpentine", "z_order")
MOST_TILES = 40  # of an output: keeps a run on the emulator well under a second

# Functions that are defined everywhere and whose error stays bounded; None marks the operand.
_UNARY = (
    "tanh({})", "sigmoid({})", "relu({})", "abs({})", "-{}", "square({})", "gelu({})", "silu({})", "sin({})",
    "exp(tanh({}))", "sqrt(abs({}) + 0.25)", "1.5 / (abs({}) + 1)", "clip({}, -1, 2)", "leaky_relu({}, 0.125)",
    "log(abs({}) + 1.5)", "({} + 0.75)", "(2 - {})", "({} * 0.3)",
)  # fmt: skip
_BINARY = (
    "({} + {})", "({} - {})", "{} * {}", "maximum({}, {})", "minimum({}, {})", "{} / (abs({}) + 1.25)",
)  # fmt: skip

extents = st.one_of(st.integers(1, 3).map(lambda n: 32 * n), st.integers(1, 100))


@st.composite
def programs(draw: Draw) -> Kernel:
    """A kernel with its target, as ``{"kernel": ..., "target": ...}``."""
    kernel = draw(st.one_of(_elementwise(), _matmul()))
    arch = draw(st.sampled_from(["wormhole_b0", "wormhole_b0", "blackhole"]))
    grid = draw(st.sampled_from([(1, 1), (2, 2), (3, 2), (1, 4), (5, 3), (8, 8)]))
    kernel["math"] = draw(
        st.fixed_dictionaries(
            {"fp32_accumulate": st.booleans()},
            optional={"fidelity": st.sampled_from(["LoFi", "HiFi2", "HiFi3", "HiFi4"])},
        )
    )
    return scheduled({"kernel": kernel, "target": {"arch": arch, "grid": list(grid)}}, draw)


def scheduled(program: Kernel, draw: Draw) -> Kernel:
    """The same program under a drawn policy, order, region and layouts."""
    program = copy.deepcopy(program)
    kernel, (columns, rows) = program["kernel"], program["target"]["grid"]
    schedule: dict[str, Any] = {"policy": draw(st.sampled_from(POLICIES)), "order": draw(st.sampled_from(ORDERS))}
    if draw(st.booleans()):
        x, y = draw(st.integers(0, columns - 1)), draw(st.integers(0, rows - 1))
        size = [draw(st.integers(1, columns - x)), draw(st.integers(1, rows - y))]
        schedule["cores"] = {"at": [x, y], "size": size}
    for tensor in (*kernel["inputs"].values(), *kernel["outputs"].values()):
        tensor["layout"] = draw(st.sampled_from(["dram_interleaved", "l1_interleaved"]))
        if tensor.get("format") == "row_major" and program["target"]["arch"] == "blackhole":
            tensor["layout"] = "l1_interleaved"  # bfloat16 rows in DRAM are refused there
    if draw(st.integers(0, 2)) == 0:
        _shard(draw, kernel, columns, rows)
    if not _places_itself(kernel):
        kernel["schedule"] = schedule
    else:
        kernel["schedule"] = {"order": schedule["order"]}
    return program


def _shard(draw: Draw, kernel: Kernel, columns: int, rows: int) -> None:
    """Shard some tensors; often several of one shape alike, so that circular buffers lie on shards."""
    known: dict[str, Any] = {}
    for tensor in (*kernel["outputs"].values(), *kernel["inputs"].values()):
        if draw(st.integers(0, 2)) == 0 or "format" in tensor:
            continue
        shape = str(tensor["shape"])
        if shape not in known or draw(st.integers(0, 3)) == 0:
            known[shape] = draw(_sharding(tensor["shape"], columns, rows))
        if known[shape] is not None:
            tensor["layout"] = known[shape]


@st.composite
def _sharding(draw: Draw, shape: list[int], columns: int, rows: int) -> Any:
    """A sharded layout that fits the tensor, None where the drawn one does not."""
    lines = math.prod(shape[:-2]) * -(-(shape[-2] if len(shape) > 1 else 1) // 32)
    tiles = lines, -(-shape[-1] // 32)
    memory = draw(st.sampled_from(["l1", "l1", "dram"]))
    kind = draw(st.sampled_from(["height", "width", "block"] if memory == "l1" else ["height", "width"]))
    order = draw(st.sampled_from(["row_major", "column_major"]))
    limit = (columns, rows) if memory == "l1" else (7, 1)
    grid = draw(st.integers(1, limit[0])), draw(st.integers(1, limit[1]))
    counts = (grid[1], grid[0]) if order == "row_major" else grid
    if kind != "block":
        counts = (grid[0] * grid[1], 1) if kind == "height" else (1, grid[0] * grid[1])
    for total, count in zip(tiles, counts, strict=True):
        if (count - 1) * -(-total // count) >= total:
            return None
    return {"memory": memory, "sharding": kind, "grid": list(grid), "order": order}


def _places_itself(kernel: Kernel) -> bool:
    """Whether a schedule may contradict the shards: work may be placed where they lie."""
    first = [next(iter(kernel["outputs"].values())), next(iter(kernel["inputs"].values()))]
    return any(isinstance(t["layout"], dict) and t["layout"]["memory"] == "l1" for t in first)


@st.composite
def variants(draw: Draw, program: Kernel) -> Kernel:
    """The program under another schedule, perhaps on another grid of cores."""
    other = copy.deepcopy(program)
    other["target"]["grid"] = list(draw(st.sampled_from([(1, 1), (2, 3), (4, 4), (8, 8)])))
    return scheduled(other, draw)


def _batch(draw: Draw) -> list[int]:
    return draw(st.one_of(st.just([]), st.lists(st.integers(1, 3), min_size=1, max_size=2)))


def _broadcast(draw: Draw, shape: list[int]) -> list[int]:
    """A shape that broadcasts to ``shape``: some extents 1, some leading dimensions left out."""
    if draw(st.booleans()):
        return shape
    found = [1 if draw(st.booleans()) else extent for extent in shape]
    return found[draw(st.integers(0, len(found) - 1)) :]


def _tensor(draw: Draw, shape: list[int]) -> Kernel:
    tensor = {"shape": shape, "dtype": draw(st.sampled_from(["bfloat16", "bfloat16", "float32"]))}
    return {**tensor, "format": "row_major"} if draw(st.integers(0, 5)) == 0 else tensor


@st.composite
def _elementwise(draw: Draw) -> Kernel:
    shape = [*_batch(draw), draw(extents), draw(extents)]
    if draw(st.integers(0, 7)) == 0:
        shape = shape[-1:]
    shape = _bounded(shape)
    inputs = {"X": _tensor(draw, shape)}
    leaves = ["X"]
    for name in ("Y", "r", "s")[: draw(st.integers(0, 3))]:
        inputs[name] = _tensor(draw, _broadcast(draw, shape))
        leaves.append(name)
    if len(shape) > 1 and draw(st.integers(0, 5)) == 0:
        inputs["W"] = {"shape": [*shape[:-2], shape[-1], shape[-2]], "dtype": "bfloat16"}
        leaves.append("W.T")
    if len(shape) > 1 and draw(st.booleans()):
        dtype = draw(st.sampled_from(["bfloat16", "bfloat16", "float32"]))
        text = moved(draw, "V", shape, inputs, dtype=dtype, operand=False)
        leaves += [text, text]
    outputs, lines = _assignments(draw, shape, leaves, "X")
    if len(shape) > 1 and draw(st.integers(0, 5)) == 0:  # last, since few functions have a meaning at minus infinity
        head, text = lines[-1].split(" = ", 1)
        lines[-1] = f"{head} = causal({text})"
    return {"inputs": _used(inputs, lines), "outputs": outputs, "compute": "\n".join(lines)}


@st.composite
def _matmul(draw: Draw) -> Kernel:
    m, n, k = draw(extents), draw(extents), draw(st.one_of(extents, st.integers(101, 700)))
    batch = _batch(draw)
    *batch, m, n = _bounded([*batch, m, n])
    turn_a, turn_b = draw(st.booleans()), draw(st.booleans())
    batches = [_operand_batch(draw, batch), _operand_batch(draw, batch)]
    if batch not in batches:  # one of them has the output's leading dimensions
        batches[draw(st.integers(0, 1))] = batch
    inputs: Kernel = {}
    operands = []
    for name, operand in (
        ("A", [*batches[0], *((k, m) if turn_a else (m, k))]),
        ("B", [*batches[1], *((n, k) if turn_b else (k, n))]),
    ):
        dtype = draw(st.sampled_from(["bfloat16", "bfloat16", "float32"]))
        is_moved = draw(st.integers(0, 2)) == 0 and 1 not in operand[-2:]
        operands.append(moved(draw, name, operand, inputs, dtype=dtype, operand=True) if is_moved else name)
        if not is_moved:
            inputs[name] = _tensor(draw, operand)
    assume(is_small(inputs))
    product = f"{operands[0]}{'.T' if turn_a else ''} @ {operands[1]}{'.T' if turn_b else ''}"
    shape = [*batch, m, n]
    if draw(st.booleans()):
        return {"inputs": inputs, "outputs": {"C": _tensor(draw, shape)}, "compute": f"C = {product}"}
    leaves = ["p"]
    for name in ("r", "s")[: draw(st.integers(0, 2))]:
        inputs[name] = _tensor(draw, _broadcast(draw, shape))
        leaves.append(name)
    scale = 2.0 ** -round(math.log2(k) / 2)  # keeps the product near one, where functions have their detail
    outputs, lines = _assignments(draw, shape, leaves, "p")
    lines = [f"p = {product} * {scale}", *lines]
    return {"inputs": _used(inputs, lines), "outputs": outputs, "compute": "\n".join(lines)}


def _operand_batch(draw: Draw, batch: list[int]) -> list[int]:
    return draw(st.sampled_from([batch, batch, [], [1] * len(batch)]))


def _assignments(draw: Draw, shape: list[int], leaves: list[str], full: str) -> tuple[Kernel, list[str]]:
    """One or two outputs of that shape; ``full`` is a leaf of the whole shape, which each of them uses."""
    lines: list[str] = []
    if draw(st.integers(0, 2)) == 0:
        lines.append(f"t = {draw(_expression(leaves))}")
        leaves = [*leaves, "t"]
    outputs: Kernel = {}
    for name in ("C", "D")[: draw(st.sampled_from([1, 1, 1, 2]))]:
        outputs[name] = _tensor(draw, shape)
        text = draw(_expression(leaves))
        lines.append(f"{name} = {text} + {full}")
    return outputs, lines


def _expression(leaves: list[str]) -> st.SearchStrategy[str]:
    leaf = st.sampled_from(leaves)
    tensors = [name for name in leaves if name not in ("p", "t", "W.T") and "V" not in name] or None

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        kinds = [
            st.tuples(st.sampled_from(_UNARY), inner).map(lambda t: t[0].format(t[1])),
            st.tuples(st.sampled_from(_BINARY), inner, inner).map(lambda t: t[0].format(t[1], t[2])),
        ]
        if tensors:  # comparisons of inputs only: they are exact, so no branch is in doubt
            pair = st.tuples(st.sampled_from(tensors), st.sampled_from([*tensors, "0.25"]))
            kinds.append(st.tuples(pair, inner, inner).map(lambda t: f"where({t[0][0]} > {t[0][1]}, {t[1]}, {t[2]})"))
        return st.one_of(kinds)

    return st.recursive(leaf, grow, max_leaves=6)


def _bounded(shape: list[int]) -> list[int]:
    """The shape with its leading extents cut until it has few tiles."""
    shape = list(shape)
    while math.prod(shape[:-2]) * -(-shape[-1] // 32) * -(-(shape[-2] if len(shape) > 1 else 1) // 32) > MOST_TILES:
        largest = max(range(len(shape) - 2), key=lambda i: shape[i])
        shape[largest] -= 1
    return shape


def _used(inputs: Kernel, lines: list[str]) -> Kernel:
    """The inputs that the text names, in order: an unused one is an error of the language."""
    text = " " + " ".join(lines) + " "
    for mark in "()+-*/,@.":
        text = text.replace(mark, " ")
    return {name: tensor for name, tensor in inputs.items() if f" {name} " in text}
