"""The codes of the passes: 2xx cannot be lowered (yet), 3xx resources of the chip, 4xx a fault of tt-build."""

from __future__ import annotations

from typing import Protocol


class Add(Protocol):
    """How a row is added to the registry."""

    def __call__(self, code: str, title: str, *, what: str, why: str, example: str, mend: str) -> None: ...


def register(add: Add) -> None:
    """Add the rows of the passes."""
    _cannot_be_lowered(add)
    _resources(add)
    _our_faults(add)


def _cannot_be_lowered(add: Add) -> None:
    add(
        "TTB201",
        "An expression that cannot be lowered yet",
        what="The expression is right, but this version has no kernel for it; the message names the part.",
        why="Nothing is lowered wrongly: what is not supported is refused.",
        example="compute: Y = softmax(Q @ K.T, axis=-1)",
        mend="Split the expression over kernels, or compute that part elsewhere.",
    )
    add(
        "TTB202",
        "A schedule that cannot be used",
        what="`schedule: {matmul: ...}` on a kernel without a matmul, on one that cannot be blocked, or with blocks, "
        "steps or a policy for which there is no legal plan.",
        why="A schedule that is accepted and not followed would be a lie.",
        example="schedule: {cores: [4, 1], matmul: {algorithm: mcast_2d}}   # needs at least 2 x 2 cores",
        mend="Write what the help says, or leave the key out: the planner chooses.",
    )
    add(
        "TTB203",
        "Cores outside the grid",
        what="`cores` names a rectangle that the target's core grid does not have.",
        why="Work placed there would never run.",
        example="schedule: {cores: {at: [6, 6], size: [4, 4]}}",
        mend="Keep at + size within the grid.",
    )
    add(
        "TTB204",
        "A grid or block that does not cover the output once",
        what="`grid` or `block` says how the output is cut, and the pieces do not make up the output.",
        why="Part of the output would be missing, or computed twice.",
        example="grid: [4, 4]   # of an output of 8 x 8 tiles",
        mend="Write the grid that the help names, or leave both out.",
    )
    add(
        "TTB205",
        "A dtype or format that cannot be lowered yet",
        what="A tensor has a dtype or format that this version cannot lower, the SDK has no call for a function on "
        "that dtype, or two dtypes of a kernel need DST in different widths.",
        why="Nothing is lowered wrongly: what is not supported is refused.",
        example="compute: C = maximum(A, B)   # of uint16",
        mend="Cast as the help says, or use one of the dtypes that it names.",
    )
    add(
        "TTB207",
        "A shard that is no multiple of a tile",
        what="`shard` cuts through tiles of 32 x 32 elements.",
        why="A tile is the unit of memory and of work; it lies on one core.",
        example="layout: {memory: l1, sharding: block, grid: [2, 2], shard: [48, 80]}",
        mend="Round both numbers up to multiples of 32, or leave `shard` out.",
    )
    add(
        "TTB208",
        "Shards that do not add up to the tensor",
        what="`grid` times `shard` does not reach the end of the tensor, or a whole shard lies beyond it.",
        why="Part of the tensor would have no home, or a core would hold nothing.",
        example="layout: {memory: l1, sharding: block, grid: [4, 2], shard: [64, 128]}   # of 128 x 256 elements",
        mend="Write the shard that the help names, or leave `shard` out.",
    )
    add(
        "TTB209",
        "A shard grid that the chip does not have",
        what="A sharded layout names more cores than the kernel's core grid, or more banks than DRAM has.",
        why="Those shards would have no home.",
        example="layout: {memory: l1, sharding: block, grid: [9, 9]}   # on 8 x 8 cores",
        mend="Use a grid within the one that the help names.",
    )
    add(
        "TTB211",
        "A schedule that contradicts the shards",
        what="The output (or first input) is sharded in L1, so work is placed where its shards lie; the kernel's own "
        "schedule places it elsewhere.",
        why="One of the two could not be followed.",
        example="schedule: {policy: strided}   # with an output that is block-sharded in L1",
        mend="Leave the policy or region out, or use an interleaved layout.",
    )
    add(
        "TTB212",
        "Verification sizes that make another kernel",
        what="`verify: {sizes: ...}` names a smaller shape at which the kernel cannot be built, or is lowered "
        "otherwise: another algorithm, other passes over a row, other streams or masks.",
        why="What the emulator proves at the smaller shape must speak for the kernel that is built.",
        example="sizes: {M: 32, N: 4096}, verify: {sizes: {N: 32}}   # one tile a row instead of many",
        mend="Choose sizes that keep what the message names; several tiles stay several, what is ragged stays ragged.",
    )
    add(
        "TTB213",
        "Movement that cuts through tiles",
        what="A slice, concat, repeat, permute or rotate_half along rows or columns, or a head that is split or "
        "joined, does not begin and end at a tile.",
        why="Data is moved in tiles of 32 x 32 elements: the reader fetches other tiles, it does not take them apart.",
        example="compute: Y = slice(X, -1, 16, 48)",
        mend="Use multiples of 32 along rows and columns; leading axes take any number.",
    )
    add(
        "TTB214",
        "Arguments that a hand-written kernel cannot have",
        what="An argument names a word that the kernel's policy does not have, or there are too many arguments.",
        why="A rectangle has no first position, and other policies have no rectangle; the SDK bounds the number.",
        example="schedule: {policy: rectangular}\narguments: {reader: [start, count]}",
        mend="Use the words that the message names, or another policy.",
    )
    add(
        "TTB210",
        "A number that the hardware's call cannot take",
        what="A number of the expression has no 32-bit form for the call: a division by 0, a number beyond float32, a "
        "fraction where a whole number is needed.",
        why="The generated call would do something else than the expression says.",
        example="compute: C = A / 0",
        mend="Write another number, or pass it as a tensor of shape [1, 1].",
    )

    add(
        "TTB215",
        "A locked plan that cannot be used",
        what="The lockfile holds a plan for this very declaration, and this tt-build has no such plan for it: the file "
        "was edited, or limits changed with an upgrade.",
        why="A plan that is locked and not followed would be a lie.",
        example='"plan": {"algorithm": "mcast_2d", "cores": [8, 8], "block": [4096, 4096], ...}',
        mend="Run `tt-build tune KERNEL`, or remove the entry.",
    )


def _resources(add: Add) -> None:
    add(
        "TTB301",
        "Circular buffers that do not fit L1",
        what="Even with blocks of one tile the kernel's circular buffers are larger than the L1 of a core.",
        why="The SDK would refuse the program at launch.",
        example="compute: C = A.T @ B   # with a very long first dimension of A",
        mend="The help has a table of the buffers and the smallest change that fits.",
    )
    add(
        "TTB302",
        "Too many circular buffers",
        what="The kernel needs more circular buffers than a core of the architecture has.",
        why="Each tensor that an expression reads needs one.",
        example="compute: Y = a1 + a2 + ... + a40",
        mend="Split the expression over two kernels.",
    )
    add(
        "TTB303",
        "Tensors that do not fit L1",
        what="The kernel's own tensors in L1 are larger than what a core has.",
        why="The SDK could not allocate them.",
        example="layout: l1_interleaved   # of a tensor of 200 MB",
        mend="The help has a table; spread the tensors over more cores, or keep them in DRAM.",
    )
    add(
        "TTB304",
        "Tensors that do not fit DRAM",
        what="The tensors in DRAM of a kernel, or of a program while a step runs, are together larger than what the "
        "target's card has, bank by bank: "
        "12 banks of 1,072,693,184 B (wormhole_b0, an n150), 8 banks of 4,277,141,376 B (blackhole, a p150).",
        why="The SDK could not allocate them.",
        example="inputs: {X: {shape: [100000, 1000000]}}   # 200 GB",
        mend="Declare smaller shapes, a smaller dtype, or parts of the tensor that are worked on one after the other.",
    )


def _our_faults(add: Add) -> None:
    for code, title in (
        ("TTB401", "Work is not covered exactly once"),
        ("TTB402", "Circular buffers do not agree"),
        ("TTB403", "Pages outside a tensor, or not written exactly once"),
        ("TTB404", "DST slots beyond the capacity"),
        ("TTB405", "Arguments do not agree"),
        ("TTB406", "Circular buffers beyond L1"),
        ("TTB407", "Tensors, shards or accessor words do not agree"),
        ("TTB408", "Padding of the reduced dimension is not zeroed"),
    ):
        add(
            code,
            title,
            what="`verify_ir` found a kernel that was lowered wrongly: a fault of tt-build, not of the file.",
            why="A kernel that cannot be proven right is not generated.",
            example="(none is known)",
            mend="Report it with the kernel's declaration; a change of shape or schedule may avoid it meanwhile.",
        )
