"""SCons tool ``tenstorrent``: kernels.yaml -> TT-Metalium sources, host programs and plans.

    env = Environment(tools=["tenstorrent"])
    env.TTKernels("kernels.yaml")

Thin on purpose: everything real is in ``tt_build.scons``.
"""

from tt_build.scons.tool import exists, generate, options

__all__ = ["exists", "generate", "options"]
