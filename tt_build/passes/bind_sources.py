"""Pass ``bind_sources``: ScheduledSources -> BoundSources.

Needs   the work of each core, the declared circular buffers and arguments.
Gives   buffers with accessor words; circular buffers, whose ids count up in declared order; for each source the tensors
        that it moves (the reader the inputs, the writer the outputs) and the words of each core.
Rejects shards that break the rules (TTB207, TTB208, TTB209), tensors that do not fit DRAM (TTB304), words that
        the policy has not (TTB214).
"""

from __future__ import annotations

from tt_build.ir.handwritten import ROLES, Binding, BoundSources, ScheduledSources
from tt_build.ir.stages import CircularBuffer
from tt_build.ir.work import CoreWork
from tt_build.passes.common import extend, refuse
from tt_build.passes.infer_shard import buffers_of
from tt_build.targets import DTYPES, Arch

LINEAR = ("start", "count", "stride")
RECTANGULAR = ("count", "rect_x", "rect_y", "rect_width", "rect_height")


def apply(kernel: ScheduledSources, arch: Arch) -> BoundSources:
    """Say what each source is given."""
    return extend(
        BoundSources,
        kernel,
        buffers=buffers_of(kernel, kernel.tensors, arch),
        circular_buffers=tuple(
            CircularBuffer(
                id=id_,
                name=name,
                dtype=cb.dtype,
                page_size=DTYPES[cb.dtype].tile_bytes,
                block=1,
                num_pages=cb.pages,
                unpack_to_dest=cb.unpack_to_dest,
            )
            for id_, (name, cb) in enumerate(kernel.declared_buffers.items())
        ),
        bindings=tuple(_binding(kernel, role) for role in ROLES),
    )


def _binding(kernel: ScheduledSources, role: str) -> Binding:
    moved = {"reader": kernel.inputs, "compute": (), "writer": kernel.outputs}[role]
    words = kernel.arguments.get(role, ())
    known = RECTANGULAR if kernel.policy == "rectangular" else LINEAR
    for at, word in enumerate(words):
        if isinstance(word, str) and word not in known:
            refuse(
                kernel,
                "TTB214",
                f"policy {kernel.policy} has no '{word}'",
                path=("arguments", role, at),
                help=f"its words are {', '.join(known)}",
            )
    return Binding(
        role=role,
        accessors=tuple(tensor.name for tensor in moved),
        values=tuple(_values(words, item) for item in kernel.work),
    )


def _values(words: tuple[str | int, ...], item: CoreWork) -> tuple[int, ...]:
    x, y, width, height = item.rect or (0, 0, 0, 0)
    named = {"start": item.start, "count": item.count, "stride": item.stride or 1}
    named |= {"rect_x": x, "rect_y": y, "rect_width": width, "rect_height": height}
    return tuple(named[word] if isinstance(word, str) else word for word in words)
