"""What ``tt-build explain`` and ``graph`` say of a hand-written kernel: less, since nothing here knows its sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tt_build.ir.handwritten import VerifiedSources
    from tt_build.spec.model import Declared


def sources_text(entry: Declared, kernel: VerifiedSources) -> str:
    """Sources and what each is given, work, memory, and what was checked."""
    from tt_build.targets import load_arch

    arch, grid = load_arch(kernel.arch), kernel.grid
    lines = [f"{kernel.name} ({entry.file}), sources written by hand"]
    if entry.kernel.description:
        lines.append(f"  {entry.kernel.description}")
    ids = ", ".join(f"{cb.id} {cb.name}" for cb in kernel.circular_buffers)
    lines += ["", f"compile-time arguments: {ids}; then the accessors' words"]
    for binding in kernel.bindings:
        given = [f"{name}_address" for name in binding.accessors]
        given += map(str, kernel.arguments.get(binding.role, ()))
        lines.append(f"  {binding.role:<8} {kernel.sources[binding.role].path}: ({', '.join(given)})")
    lines += ["", "work"]
    lines.append(f"  grid {grid.x} x {grid.y} x {grid.z} = {grid.units:,} units on {len(kernel.work)} cores")
    lines.append(f"  policy {kernel.policy}, order {kernel.order}")
    lines += ["", f"L1 of each core ({arch.name}: {arch.l1_allocatable:,} B allocatable)"]
    lines += [
        f"  {cb.name:<16} {cb.num_pages:>6} x {cb.page_size:>5} = {cb.size:>9} B" for cb in kernel.circular_buffers
    ]
    reference = kernel.reference.replace("\n", "; ") or "none: 'scons verify' runs the sources and compares nothing"
    lines += ["", f"checked: {', '.join(kernel.checked)}; the sources themselves by 'scons verify' alone"]
    return "\n".join([*lines, f"reference: {reference}"])
