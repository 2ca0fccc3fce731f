"""What the proofs of ``verify_ir`` share: failing."""

from __future__ import annotations

from typing import NoReturn

from tt_build.ir.stages import LoweredKernel
from tt_build.passes.common import refuse


def fail(kernel: LoweredKernel, code: str, message: str) -> NoReturn:
    """Reject the kernel: what came out of our own passes is wrong."""
    refuse(kernel, code, f"internal check failed: {message}", help="this is a fault of tt-build; please report it")
