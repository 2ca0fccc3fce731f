"""All files of one kernel, as bytes: what SCons builds and ``tt-build compile`` writes, from one place."""

from __future__ import annotations

from tt_build.codegen.host import render_cmake, render_host
from tt_build.codegen.plan import make_plan, plan_text
from tt_build.codegen.render import render_source
from tt_build.ir.stages import VerifiedKernel

OUTPUTS = ("reader.cpp", "compute.cpp", "writer.cpp", "host_program.cpp", "CMakeLists.txt", "tt.plan.json")


def emit(kernel: VerifiedKernel) -> dict[str, bytes]:
    """The generated files by name, in the order of ``OUTPUTS``."""
    files = {f"{body.role}.cpp": render_source(kernel, body).encode() for body in kernel.bodies}
    plan = make_plan(kernel)
    files["host_program.cpp"] = render_host(plan, origin=kernel.file).encode()
    files["CMakeLists.txt"] = render_cmake(plan).encode()
    files["tt.plan.json"] = plan_text(kernel)
    return {name: files[name] for name in OUTPUTS}
