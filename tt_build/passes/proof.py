"""What the proofs of ``verify_ir`` share: failing, and the program that they prove."""

from __future__ import annotations

from typing import NoReturn

from tt_build.ir.stages import LoweredKernel
from tt_build.lang.program import Program
from tt_build.passes.common import refuse
from tt_build.passes.movement import sunk


def fail(kernel: LoweredKernel, code: str, message: str) -> NoReturn:
    """Reject the kernel: what came out of our own passes is wrong."""
    refuse(kernel, code, f"internal check failed: {message}", help="this is a fault of tt-build; please report it")


def program_of(kernel: LoweredKernel) -> Program:
    """The kernel's program as it was planned: sunk, and in blocks with no first operand that a matmul transposes."""
    return sunk(kernel.program, unturned=kernel.blocking is not None).program
