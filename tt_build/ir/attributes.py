"""The ``tt_*`` attributes of a kernel: the workstreams' vocabulary, derived from the typed stages.

Each stage adds the attributes that its pass settled, so a stage's file shows the metadata before and after each pass.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tt_build.ir.handwritten import BoundSources, DefaultedSources, ScheduledSources, VerifiedSources
from tt_build.ir.stages import (
    TILE,
    Blocking,
    BufferedKernel,
    Flash,
    Kernel,
    LoweredKernel,
    MappedKernel,
    PaddedKernel,
    PersistentKernel,
    ScheduledKernel,
    ShardedKernel,
    StagedKernel,
)
from tt_build.ir.told import tell_sweeps
from tt_build.ir.work import tiles_per_core
from tt_build.spec.model import Sharding

Attributes = dict[str, Any]


def stamped(kernel: Kernel) -> Attributes:
    """The attributes that are known at this stage, in pipeline order."""
    attrs = _defaults(kernel)
    if isinstance(kernel, ScheduledKernel | ScheduledSources):
        attrs |= _schedule(kernel)
    if isinstance(kernel, ScheduledKernel) and kernel.blocking is not None:
        attrs["tt_matmul"] = _matmul(kernel, kernel.blocking)
    if isinstance(kernel, ScheduledKernel) and kernel.flash is not None:
        attrs["tt_attention"] = _attention(kernel, kernel.flash)
    if isinstance(kernel, ShardedKernel | BoundSources):
        attrs |= _shard(kernel)
    if isinstance(kernel, PersistentKernel):
        attrs["tt_persistent_loop"] = True
    if isinstance(kernel, MappedKernel | ScheduledSources):
        attrs["tt_core_ranges"] = [[*w.core, *w.core, w.start, w.count] for w in kernel.work]
    if isinstance(kernel, StagedKernel) and kernel.residency is not None:
        attrs["tt_residency"] = {"choice": kernel.residency.choice, "reason": kernel.residency.reason}
        attrs["tt_sweeps"] = [told.as_attribute() for told in tell_sweeps(kernel)]
    if isinstance(kernel, BufferedKernel | BoundSources):
        attrs["tt_circular_buffers"] = [
            {"id": cb.id, "name": cb.name, "page_size": cb.page_size, "num_pages": cb.num_pages}
            for cb in kernel.circular_buffers
        ]
    if isinstance(kernel, BufferedKernel) and kernel.block_costs:
        attrs["tt_block"] = {
            "tiles": max(kernel.batch, kernel.k_block, kernel.sweep_block),
            "depth": kernel.depth,
            "tiles_in_dst": kernel.in_dst,
            "cycles": {str(size): time for size, time in kernel.block_costs},
        }
    if isinstance(kernel, PaddedKernel):
        attrs["tt_padding_info"] = {
            p.tensor: {
                "original_shape": list(p.original_shape),
                "padded_shape": list(p.padded_shape),
                "padding_amount": list(p.padding_amount),
            }
            for p in kernel.padding
        }
    if isinstance(kernel, LoweredKernel):
        attrs["tt_runtime_args"] = {
            body.role: [*(f"{tensor}_address" for tensor in body.accessors), *body.runtime_args]
            for body in kernel.bodies
        }
    if isinstance(kernel, DefaultedSources):
        attrs["tt_handwritten"] = True
    if isinstance(kernel, BoundSources):
        attrs["tt_runtime_args"] = {
            binding.role: [
                *(f"{tensor}_address" for tensor in binding.accessors),
                *map(str, kernel.arguments.get(binding.role, ())),
            ]
            for binding in kernel.bindings
        }
    if isinstance(kernel, VerifiedSources):
        attrs["tt_checked"] = list(kernel.checked)
    return attrs


def _defaults(kernel: Kernel) -> Attributes:
    layouts = {t.layout for t in kernel.tensors}
    return {
        "tt_schedule_policy": kernel.choice.policy,
        "tt_schedule_order": kernel.choice.order,
        "tt_layout_type": _layout_name(layouts.pop()) if len(layouts) == 1 else "mixed",
        "tt_tile_height": TILE,
        "tt_tile_width": TILE,
    }


def _schedule(kernel: ScheduledKernel | ScheduledSources) -> Attributes:
    grid = kernel.grid
    return {
        "tt_schedule_policy": kernel.policy,
        "tt_schedule_order": kernel.order,
        "tt_grid_x": grid.x,
        "tt_grid_y": grid.y,
        "tt_grid_z": grid.z,
        "tt_num_tiles": grid.units,
        **({"tt_unit_tiles": list(kernel.unit_tiles)} if isinstance(kernel, ScheduledKernel) else {}),
        "tt_num_cores": kernel.core_grid[0] * kernel.core_grid[1],
        "tt_tiles_per_core": tiles_per_core(kernel.work, grid.units, kernel.core_grid),
    }


def _matmul(kernel: ScheduledKernel, blocking: Blocking) -> Attributes:
    """How the matmul is blocked, in tiles; what the planner estimated, and what came second."""
    told = msgspec.to_builtins(blocking)
    if not told["prologue"]:
        del told["prologue"]
    choice = kernel.matmul_choice
    if choice is not None:
        told |= {"estimate": msgspec.to_builtins(choice.taken), "legal_plans": choice.legal}
        told["second"] = msgspec.to_builtins(choice.second)
    if kernel.lock is not None and kernel.lock.taken:
        told["locked_in"] = kernel.lock.file
    return dict(told)


def _attention(kernel: ScheduledKernel, flash: Flash) -> Attributes:
    """How the attention is blocked, in tiles, and in how many parts of how many keys cores share those of a unit."""
    told: Attributes = msgspec.to_builtins(flash)
    if kernel.parts is not None:
        told["parts"] = {"count": kernel.parts.count, "keys": kernel.parts.tiles}
    return told


def _shard(kernel: ShardedKernel | BoundSources) -> Attributes:
    attrs: Attributes = {}
    for buffer in kernel.buffers:
        prefix = f"tt_buffer_{buffer.name}_"
        attrs[prefix + "layout"] = _layout_name(buffer.layout)
        attrs[prefix + "tile_shape"] = [TILE, TILE]
        attrs[prefix + "num_tiles_height"], attrs[prefix + "num_tiles_width"] = buffer.tiles
        if buffer.batch > 1:
            attrs[prefix + "num_tiles_batch"] = buffer.batch
        attrs[prefix + "needs_padding"] = int(buffer.needs_padding)
        if buffer.needs_padding:
            attrs[prefix + "padded_shape"] = list(buffer.padded_shape)
    return attrs


def _layout_name(layout: str | Sharding) -> Any:
    return layout if isinstance(layout, str) else msgspec.to_builtins(layout)
