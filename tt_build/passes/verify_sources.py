"""Pass ``verify_sources``: BoundSources -> VerifiedSources. What can be checked of sources that nobody here wrote.

Needs   circular buffers and arguments.
Gives   the bytes of L1, and the names of the checks, which the plan repeats. What the sources do with what they are
        given is proven by no pass: ``scons verify`` runs them.
Rejects circular buffers that do not fit L1 (TTB301), more of them than there are (TTB302), tensors that fill L1
        themselves (TTB303), too many runtime arguments (TTB214), work that is not covered once (TTB401: ours).
"""

from __future__ import annotations

from tt_build.ir.handwritten import BoundSources, VerifiedSources
from tt_build.ir.work import tile_ids
from tt_build.passes.common import extend, refuse
from tt_build.passes.memory_space_lower import l1_budget, refuse_tensors
from tt_build.targets import Arch

CHECKED = ("work", "circular_buffer_ids", "l1", "arguments")


def apply(kernel: BoundSources, arch: Arch) -> VerifiedSources:
    """Check, or reject."""
    _check_work(kernel)
    if len(kernel.circular_buffers) > arch.circular_buffers:
        refuse(
            kernel,
            "TTB302",
            f"{len(kernel.circular_buffers)} circular buffers are declared; "
            f"{arch.name} has {arch.circular_buffers} a core",
            path=("circular_buffers",),
            help="declare fewer of them",
        )
    _check_l1(kernel, arch)
    for binding in kernel.bindings:
        words = len(binding.accessors) + max(map(len, binding.values), default=0)
        if words > arch.runtime_args:
            refuse(
                kernel,
                "TTB214",
                f"the {binding.role} has {words} runtime arguments; a kernel may have {arch.runtime_args}",
                path=("arguments", binding.role) if binding.role in kernel.arguments else ("sources", binding.role),
                help="addresses of tensors count, too; split the kernel",
            )
    return extend(VerifiedSources, kernel, l1_bytes=sum(cb.size for cb in kernel.circular_buffers), checked=CHECKED)


def _check_work(kernel: BoundSources) -> None:
    walked = sorted(tile for item in kernel.work for tile in tile_ids(item, kernel.order, kernel.grid))
    if walked != list(range(kernel.grid.units)):
        refuse(kernel, "TTB401", f"the cores' work does not cover {kernel.grid.units} units exactly once")


def _check_l1(kernel: BoundSources, arch: Arch) -> None:
    budget = l1_budget(kernel, arch)
    if budget < 0:
        refuse_tensors(kernel, arch)
    need = sum(cb.size for cb in kernel.circular_buffers)
    if need <= budget:
        return
    largest = max(kernel.circular_buffers, key=lambda cb: cb.size)
    most = max((budget - need + largest.size) // largest.page_size, 0)
    rows = "\n".join(
        f"  {cb.name:<16} {cb.num_pages:>6} x {cb.page_size:>5} = {cb.size:>9} B" for cb in kernel.circular_buffers
    )
    refuse(
        kernel,
        "TTB301",
        f"circular buffers need {need} B of L1 a core; {budget} B of {arch.l1_allocatable} B are left for them",
        path=("circular_buffers", largest.name, "pages"),
        help=(f"give {largest.name} at most {most} pages" if most else "give several of them fewer pages")
        + f"\n{rows}",
    )
