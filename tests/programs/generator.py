"""Random valid kernels: elementwise chains with broadcasts, matmuls with epilogues, movement of their inputs, under
every schedule and layout.

A program is a kernel's declaration as kernels.yaml has it. ``variants`` gives the same meaning another schedule: no bit
of a result may depend on it (semantics.md, ``Results``).
"""

from __future__ import annotations

import math
import re

from hypothesis import assume
from hypothesis import strategies as st

from tests.programs import integer_chains
from tests.programs.moved import INTEGERS, is_small, matrices_broadcast, moved
from tests.programs.schedules import Draw, Kernel, scheduled
from tests.programs.shapes import batch, bounded, broadcast, elementwise_shape, extents

FLOATS = ("bfloat16", "bfloat16", "bfloat16", "float32", "float32", "bfloat8_b", "bfloat4_b")
# Functions that are defined everywhere and whose error stays bounded; None marks the operand.
_UNARY = (
    "tanh({})", "sigmoid({})", "relu({})", "abs({})", "-{}", "square({})", "gelu({})", "silu({})", "sin({})",
    "exp(tanh({}))", "sqrt(abs({}) + 0.25)", "1.5 / (abs({}) + 1)", "clip({}, -1, 2)", "leaky_relu({}, 0.125)",
    "log(abs({}) + 1.5)", "({} + 0.75)", "(2 - {})", "({} * 0.3)",
)  # fmt: skip
_BINARY = (
    "({} + {})", "({} - {})", "{} * {}", "maximum({}, {})", "minimum({}, {})", "{} / (abs({}) + 1.25)",
)  # fmt: skip


@st.composite
def programs(draw: Draw, kernels: st.SearchStrategy[Kernel]) -> Kernel:
    """A kernel with its target, as ``{"kernel": ..., "target": ...}``."""
    kernel = draw(kernels)
    arch = draw(st.sampled_from(["wormhole_b0", "wormhole_b0", "blackhole"]))
    grid = draw(st.sampled_from([(1, 1), (2, 2), (3, 2), (1, 4), (5, 3), (8, 8)]))
    kernel["math"] = draw(
        st.fixed_dictionaries(
            {} if integer_chains.needs_a_dst_of_its_own(kernel) else {"fp32_accumulate": st.booleans()},
            optional={"fidelity": st.sampled_from(["LoFi", "HiFi2", "HiFi3", "HiFi4"])},
        )
    )
    return scheduled({"kernel": kernel, "target": {"arch": arch, "grid": list(grid)}}, draw)


def _tensor(draw: Draw, shape: list[int], dtype: str | None = None) -> Kernel:
    tensor = {"shape": shape, "dtype": dtype or draw(st.sampled_from(FLOATS))}
    by_rows = not tensor["dtype"].endswith("_b") and draw(st.integers(0, 5)) == 0
    return {**tensor, "format": "row_major"} if by_rows else tensor


@st.composite
def _elementwise(draw: Draw) -> Kernel:
    shape = elementwise_shape(draw)
    inputs = {"X": _tensor(draw, shape)}
    leaves = ["X"]
    for name in ("Y", "r", "s")[: draw(st.integers(0, 3))]:
        inputs[name] = _tensor(draw, broadcast(draw, shape))
        leaves.append(name)
    if len(shape) > 1 and draw(st.integers(0, 5)) == 0:
        turned = draw(st.sampled_from(["bfloat16", "bfloat16", "bfloat8_b", "bfloat4_b"]))
        inputs["W"] = {"shape": [*shape[:-2], shape[-1], shape[-2]], "dtype": turned}
        leaves.append("W.T")
    if len(shape) > 1 and draw(st.booleans()):
        part = matrices_broadcast(draw, shape)
        text = moved(draw, "V", part, inputs, dtype=draw(st.sampled_from(FLOATS)), operand=False)
        if draw(st.integers(0, 3)) == 0:  # an expression is moved
            text = re.sub(r"\b(V2?)\b", r"tanh(\1)", text)
        leaves += [text, text]
    if draw(st.integers(0, 7)) == 0:
        inputs["I"] = {"shape": broadcast(draw, shape), "dtype": draw(st.sampled_from(INTEGERS))}
        leaves.append("cast(I, float32)")
    outputs, lines = _assignments(draw, shape, leaves, "X")
    # Of an input that DST holds exactly: no rounding is in doubt. Uint16 beside it makes DST 16 bits wide (TTB109).
    narrow = inputs["X"]["dtype"] == "float32" and inputs.get("I", {}).get("dtype") == "uint16"
    if draw(st.integers(0, 9)) == 0 and not narrow:
        dtypes = integer_chains.beside(inputs["I"]["dtype"]) if "I" in inputs else INTEGERS
        outputs["N"] = {"shape": shape, "dtype": draw(st.sampled_from(dtypes))}
        lines.insert(0, f"N = cast(abs(X) * 8, {outputs['N']['dtype']})")
    last = outputs[lines[-1].split(" = ")[0]]  # an infinity would take the whole block of a block-float output
    if len(shape) > 1 and not last["dtype"].endswith("_b") and draw(st.integers(0, 5)) == 0:
        head, text = lines[-1].split(" = ", 1)
        lines[-1] = f"{head} = causal({text})"
    return {"inputs": _used(inputs, lines), "outputs": outputs, "compute": "\n".join(lines)}


@st.composite
def _matmul(draw: Draw) -> Kernel:
    m, n, k = draw(extents), draw(extents), draw(st.one_of(extents, st.integers(101, 700)))
    *leading, m, n = bounded([*batch(draw), m, n])
    turn_a, turn_b = draw(st.booleans()), draw(st.booleans())
    batches = [_operand_batch(draw, leading), _operand_batch(draw, leading)]
    if leading not in batches:  # one of them has the output's leading dimensions
        batches[draw(st.integers(0, 1))] = leading
    inputs: Kernel = {}
    operands = []
    for name, operand in (
        ("A", [*batches[0], *((k, m) if turn_a else (m, k))]),
        ("B", [*batches[1], *((n, k) if turn_b else (k, n))]),
    ):
        dtype = draw(st.sampled_from(FLOATS))
        if name == "A" and k % 32 and dtype.endswith("_b"):
            dtype = "bfloat16"  # padding along K of a block-float operand is refused
        is_moved = draw(st.integers(0, 2)) == 0 and 1 not in operand[-2:]
        operands.append(moved(draw, name, operand, inputs, dtype=dtype, operand=True) if is_moved else name)
        if not is_moved:
            inputs[name] = _tensor(draw, operand, dtype)
    assume(is_small(inputs))
    product = f"{operands[0]}{'.T' if turn_a else ''} @ {operands[1]}{'.T' if turn_b else ''}"
    shape = [*leading, m, n]
    if draw(st.booleans()):
        return {"inputs": inputs, "outputs": {"C": _tensor(draw, shape)}, "compute": f"C = {product}"}
    leaves = ["p"]
    for name in ("r", "s")[: draw(st.integers(0, 2))]:
        inputs[name] = _tensor(draw, broadcast(draw, shape))
        leaves.append(name)
    scale = 2.0 ** -round(math.log2(k) / 2)  # keeps the product near one, where functions have their detail
    outputs, lines = _assignments(draw, shape, leaves, "p")
    lines = [f"p = {product} * {scale}", *lines]
    return {"inputs": _used(inputs, lines), "outputs": outputs, "compute": "\n".join(lines)}


def _operand_batch(draw: Draw, leading: list[int]) -> list[int]:
    return draw(st.sampled_from([leading, leading, [], [1] * len(leading)]))


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
    tensors = [name for name in leaves if name in ("X", "Y", "r", "s")] or None

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


def _used(inputs: Kernel, lines: list[str]) -> Kernel:
    """The inputs that the text names, in order: an unused one is an error of the language."""
    text = " " + " ".join(lines) + " "
    for mark in "()+-*/,@.":
        text = text.replace(mark, " ")
    return {name: tensor for name, tensor in inputs.items() if f" {name} " in text}


KINDS = tuple(map(programs, (_elementwise(), _matmul(), _elementwise(), _matmul(), integer_chains.kernels())))
