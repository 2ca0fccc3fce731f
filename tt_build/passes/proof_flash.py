from __future__ import annotations
from tt_build.ir.stages import LoweredKernel
def check_attention(kernel: LoweredKernel) -> tuple[dict[str, int], dict[str, int]]:
    return {}, {}
