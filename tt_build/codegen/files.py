"""All files of one kernel, as bytes: what SCons builds and ``tt-build compile`` writes, from one place."""

from __future__ import annotations

from collections.abc import Mapping

from tt_build.codegen.host import render_cmake, render_host
from tt_build.codegen.plan import make_plan, plan_text
from tt_build.codegen.render import render_source
from tt_build.ir.handwritten import VerifiedSources
from tt_build.ir.stages import VerifiedKernel

OUTPUTS = ("reader.cpp", "compute.cpp", "writer.cpp", "host_program.cpp", "CMakeLists.txt", "tt.plan.json")


def emit(kernel: VerifiedKernel | VerifiedSources, own: Mapping[str, str] | None = None) -> dict[str, bytes]:
    """The generated files by name, in the order of ``OUTPUTS``; a hand-written source is its own text.

    ``own`` are a repository's templates, by name. Raises ``Rejected`` for what goes wrong in one of them.
    """
    if isinstance(kernel, VerifiedKernel):
        files = {f"{body.role}.cpp": render_source(kernel, body, own).encode() for body in kernel.bodies}
    else:
        files = {f"{role}.cpp": source.text.encode() for role, source in kernel.sources.items()}
    plan = make_plan(kernel)
    files["host_program.cpp"] = render_host(plan, origin=kernel.file, own=own).encode()
    files["CMakeLists.txt"] = render_cmake(plan, own).encode()
    files["tt.plan.json"] = plan_text(kernel)
    return {name: files[name] for name in OUTPUTS}
