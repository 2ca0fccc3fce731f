"""Verified kernel -> ``tt.plan.json``."""

from __future__ import annotations

import msgspec

from tt_build.ir.attributes import stamped
from tt_build.ir.handwritten import Binding, VerifiedSources
from tt_build.ir.jsontext import to_text
from tt_build.ir.lowered import KernelBody
from tt_build.ir.plan import (
    AccessorRef,
    ArgRef,
    Assignment,
    Buffer,
    CircularBuffer,
    CompileArg,
    CoreArgs,
    Cores,
    GridShape,
    KernelConfig,
    Plan,
    PlanEstimate,
    PlanKernel,
    PlanSchedule,
    PlanSharding,
    Semaphore,
)
from tt_build.ir.stages import TILE, VerifiedKernel
from tt_build.ir.stages import Buffer as StageBuffer
from tt_build.ir.work import CoreWork
from tt_build.spec.model import Sharding
from tt_build.targets import DTYPES


def make_plan(kernel: VerifiedKernel | VerifiedSources) -> Plan:
    """The plan of a kernel: the one description of its buffers, arguments and cores."""
    grid = kernel.grid
    if isinstance(kernel, VerifiedKernel):
        algorithm, semaphores = kernel.algorithm, kernel.semaphores
        kernels = tuple(_kernel(kernel, body) for body in kernel.bodies)
        scalars = kernel.program.runtime_scalars()
    else:
        algorithm, semaphores, scalars = "handwritten", (), {}
        kernels = tuple(_source(kernel, binding) for binding in kernel.bindings)
    return Plan(
        version=1,
        target="tenstorrent",
        arch=kernel.arch,
        kernel=kernel.name,
        grid=GridShape(x=grid.x, y=grid.y, z=grid.z, total_tiles=grid.units),
        schedule=PlanSchedule(policy=kernel.policy, order=kernel.order, algorithm=algorithm),
        cores=Cores(
            grid=kernel.core_grid,
            num_cores=kernel.core_grid[0] * kernel.core_grid[1],
            core_ranges=kernel.core_ranges,
            assignments=tuple(_assignment(item) for item in kernel.work),
        ),
        buffers=_buffers(kernel),
        circular_buffers=tuple(
            CircularBuffer(
                id=cb.id,
                name=cb.name,
                data_format=DTYPES[cb.dtype].data_format,
                page_size=cb.page_size,
                num_pages=cb.num_pages,
                core_ranges=kernel.core_ranges,
                buffer=cb.buffer or None,
            )
            for cb in kernel.circular_buffers
        ),
        semaphores=tuple(Semaphore(id=id_, initial_value=0, core_ranges=kernel.core_ranges) for id_ in semaphores),
        kernels=kernels,
        scalars=scalars,
        io_order=tuple(t.name for t in (*kernel.inputs, *kernel.outputs)),
        attrs=stamped(kernel),
        estimate=_estimate(kernel) if isinstance(kernel, VerifiedKernel) else None,
    )


def plan_text(kernel: VerifiedKernel | VerifiedSources) -> bytes:
    """The file's bytes. Required lists are written even where they are empty."""
    data = msgspec.to_builtins(make_plan(kernel))
    for key in ("semaphores", "scalars"):
        data.setdefault(key, [] if key == "semaphores" else {})
    for item in data["kernels"]:
        for key, empty in (
            ("compile_time_args", []),
            ("defines", {}),
            ("runtime_args", []),
            ("common_runtime_args", []),
        ):
            item.setdefault(key, empty)
    return to_text(data)


def _estimate(kernel: VerifiedKernel) -> PlanEstimate | None:
    from tt_build.codegen.cost import plan_estimate  # NumPy: a build that generates nothing does without

    return plan_estimate(kernel)


def _assignment(item: CoreWork) -> Assignment:
    if item.rect is not None:
        return Assignment(core=item.core, core_id=item.core_id, rect=item.rect, planes=item.planes)
    return Assignment(core=item.core, core_id=item.core_id, start_tile=item.start, count=item.count, stride=item.stride)


def _buffers(kernel: VerifiedKernel | VerifiedSources) -> dict[str, Buffer]:
    found: dict[str, Buffer] = {}
    for buffer in kernel.buffers:
        found[buffer.name] = Buffer(
            role=buffer.role,
            shape=buffer.shape,
            dtype=buffer.dtype,
            layout=_layout(buffer),
            tiles=buffer.tiles,
            batch=buffer.batch,
            needs_padding=buffer.needs_padding,
            padded_shape=buffer.padded_shape,
            page_size=buffer.page_size,
            format=buffer.format,
        )
    return found


def _layout(buffer: StageBuffer) -> str | PlanSharding:
    layout, shards = buffer.layout, buffer.shards
    if not isinstance(layout, Sharding):
        return layout
    assert shards is not None
    columns, rows = {x for x, _ in shards.cores}, {y for _, y in shards.cores}
    return PlanSharding(
        memory=layout.memory,
        sharding=layout.sharding,
        grid=(len(columns), len(rows)),
        shard=(shards.tiles[0] * TILE, shards.tiles[1] * TILE),
        order=layout.order,
        cores=shards.cores,
    )


def _kernel(kernel: VerifiedKernel, body: KernelBody) -> PlanKernel:
    compile_args: list[CompileArg] = [arg.value for arg in body.compile_args]
    compile_args += [AccessorRef(accessor_of=t, words=kernel.buffer(t).accessor_words) for t in body.accessors]
    return PlanKernel(
        role=body.role,
        source=f"{body.role}.cpp",
        config=_config(kernel, body.role),
        core_ranges=kernel.core_ranges,
        compile_time_args=tuple(compile_args),
        runtime_args=tuple(CoreArgs(core=values.core, args=values.values) for values in body.core_values),
        common_runtime_args=body.common_values,
    )


def _source(kernel: VerifiedSources, binding: Binding) -> PlanKernel:
    """A source written by hand: ids of all circular buffers, by place and by name, then the accessors' words."""
    ids = {cb.name: cb.id for cb in kernel.circular_buffers}
    accessors = (AccessorRef(accessor_of=t, words=kernel.buffer(t).accessor_words) for t in binding.accessors)
    addresses = tuple(ArgRef(address_of=t) for t in binding.accessors)
    return PlanKernel(
        role=binding.role,
        source=f"{binding.role}.cpp",
        config=_config(kernel, binding.role),
        core_ranges=kernel.core_ranges,
        compile_time_args=(*ids.values(), *accessors),
        named_compile_time_args=ids,
        runtime_args=tuple(
            CoreArgs(core=item.core, args=(*addresses, *values))
            for item, values in zip(kernel.work, binding.values, strict=True)
        ),
    )


def _config(kernel: VerifiedKernel | VerifiedSources, role: str) -> KernelConfig:
    if role != "compute":
        return KernelConfig(type=role)
    return KernelConfig(
        type="compute",
        math_fidelity=kernel.math.fidelity,
        fp32_dest_acc_en=kernel.math.fp32_accumulate,
        math_approx_mode=kernel.math.approximate,
        dst_full_sync_en=False,
        unpack_to_dest_fp32=tuple(cb.id for cb in kernel.circular_buffers if cb.unpack_to_dest),
    )
