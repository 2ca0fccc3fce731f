"""Codes about programs: what the front end refuses (TTB05x), layouts that differ (TTB220), no room in L1 (TTB305)."""

from __future__ import annotations

from tt_build.spec.codes_lowering import Add


def register(add: Add) -> None:
    """Register them."""
    add(
        "TTB050",
        "A step that names nothing",
        what="A step of a program names a kernel or a program that is not declared.",
        why="Programs are made of the kernels of the same specification, and of programs declared before them.",
        example="steps: [{kernel: rmsnrom, inputs: {X: x}, outputs: {Y: h}}]",
        mend="Take the nearest known name that the message gives; a kernel with variants is named with its variant.",
    )
    add(
        "TTB051",
        "A step that does not fit its kernel",
        what="A step leaves a tensor or a run-time scalar of its kernel open, names one that the kernel does not have, "
        "or names both a kernel and a program.",
        why="A launch needs every tensor and every scalar of the kernel.",
        example="steps: [{kernel: gemm, inputs: {A: x}, outputs: {C: y}}]   # and B?",
        mend="Write one of the program's tensors for each tensor of the kernel.",
    )
    add(
        "TTB052",
        "A tensor of a program without a value, or with two",
        what="A step reads a tensor that is no input and that no earlier step writes; two steps write one tensor; an "
        "input is never read, an output never written, or something is written for nobody.",
        why="A name stands for one value; a misspelt one would silently make another program.",
        example="inputs: [x]\nsteps: [{kernel: norm, inputs: {X: x}, outputs: {Y: h}}, {kernel: up, inputs: {X: hh}}]",
        mend="Correct the name, declare it under `inputs` or `outputs`, or move the step.",
    )
    add(
        "TTB053",
        "Kernels that disagree about a tensor",
        what="Two kernels of a program declare the tensor between them with another shape, dtype or format, at their "
        "`verify.sizes` too, or are built for different architectures.",
        why="A tensor is handed on as it lies in device memory: nothing converts or reshapes it.",
        example="norm: outputs: {Y: {shape: [64, 128]}}, up: inputs: {X: {shape: [128, 128]}}",
        mend="Declare the same in both; where both have `verify: {sizes: ...}`, let these fit together as well.",
    )
    add(
        "TTB054",
        "A tensor that cannot be kept",
        what="`keep` names an input, an output or no tensor of the program, a layout in DRAM, or one that a kernel's "
        "own declaration contradicts.",
        why="Kept are tensors between two steps; `keep` writes a layout into both kernels, and overrides none.",
        example="inputs: [x]\nkeep: {x: l1_interleaved}",
        mend="Keep a tensor that one step writes and another reads, or declare `layout` in the kernels.",
    )
    add(
        "TTB220",
        "Kernels of a program that lay a tensor out differently",
        what="Two kernels that share a tensor have it in other memory, or cut it into other shards.",
        why="A tensor is handed on as it lies: the pages of one layout are not those of the other.",
        example="norm: outputs: {Y: {shape: [M, N], layout: l1_interleaved}}, up: inputs: {X: {shape: [M, N]}}",
        mend="Declare the same layout in both, let `keep` write it, or put a kernel between that moves the tensor.",
    )
    add(
        "TTB305",
        "No room in L1 for what a program keeps",
        what="While a step runs, the program's tensors in L1 and its circular buffers are more than a core's L1.",
        why="The SDK could not launch the step: tensors are allocated, and circular buffers would run into them.",
        example="keep: {h: l1_interleaved}   # of a tensor of 50 MB",
        mend="The help has a table. Keep fewer tensors, or for fewer steps; reshard over more cores.",
    )
