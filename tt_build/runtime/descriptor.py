"""A plan as ``ttnn.ProgramDescriptor``: kernels, circular buffers, semaphores, arguments."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tt_build.ir.plan import AccessorRef, ArgRef, CircularBuffer, Plan, PlanKernel, Range, RuntimeArg
from tt_build.runtime.errors import LaunchError
from tt_build.targets.arch import load_arch
from tt_build.targets.dtypes import BY_DATA_FORMAT


def program_descriptor(
    ttnn: Any, plan: Plan, folder: Path, tensors: Mapping[str, Any], device: Any, scalars: Mapping[str, float]
) -> Any:
    """``tensors`` are device tensors by the plan's buffer names, ``folder`` is where its sources are.

    Accessor words come from the tensors themselves and coordinates from the device, so that they are right for the
    card at hand (harvesting) whatever the plan was built for.
    """
    words = {
        name: [int(word) for word in ttnn.TensorAccessorArgs(t).get_compile_time_args()] for name, t in tensors.items()
    }
    resolve = _Resolver(ttnn, plan, tensors, device, scalars)
    return ttnn.ProgramDescriptor(
        kernels=[_kernel(ttnn, plan, kernel, folder, words, resolve) for kernel in plan.kernels],
        semaphores=[
            ttnn.SemaphoreDescriptor(
                id=semaphore.id,
                core_ranges=_ranges(ttnn, semaphore.core_ranges),
                initial_value=semaphore.initial_value,
            )
            for semaphore in plan.semaphores
        ],
        cbs=[_circular_buffer(ttnn, cb, tensors) for cb in plan.circular_buffers],
    )


class _Resolver:
    """Runtime arguments as 32-bit words."""

    def __init__(
        self, ttnn: Any, plan: Plan, tensors: Mapping[str, Any], device: Any, scalars: Mapping[str, float]
    ) -> None:
        self._addresses = {name: int(tensor.buffer_address()) for name, tensor in tensors.items()}
        self._scalars = {name: scalar_word(name, plan.scalars[name], scalars[name]) for name in plan.scalars}
        self._ttnn, self._device = ttnn, device

    def __call__(self, args: Iterable[RuntimeArg]) -> list[int]:
        return [arg & 0xFFFFFFFF if isinstance(arg, int) else self._reference(arg) for arg in args]

    def _reference(self, arg: ArgRef) -> int:
        if arg.address_of is not None:
            return self._addresses[arg.address_of]
        if arg.noc_x is not None:
            return int(self._virtual(arg.noc_x).x)
        if arg.noc_y is not None:
            return int(self._virtual(arg.noc_y).y)
        if arg.scalar is not None:
            return self._scalars[arg.scalar]
        if arg.semaphore is not None:
            return arg.semaphore
        raise LaunchError("the plan has a runtime argument that refers to nothing")

    def _virtual(self, core: tuple[int, int]) -> Any:
        return self._device.worker_core_from_logical_core(self._ttnn.CoreCoord(*core))


def scalar_word(name: str, dtype: str, value: float) -> int:
    """A run-time scalar as the 32-bit word that kernels read: the bits of a float32, or the integer itself."""
    if dtype == "float32":
        return int(struct.unpack("<I", struct.pack("<f", value))[0])
    if dtype in ("int32", "uint32") and float(value).is_integer():
        low, high = (-(2**31), 2**31) if dtype == "int32" else (0, 2**32)
        if low <= value < high:
            return int(value) & 0xFFFFFFFF
    raise LaunchError(f"scalar {name} = {value} is no {dtype} that a kernel can be given")


def _kernel(
    ttnn: Any, plan: Plan, kernel: PlanKernel, folder: Path, words: Mapping[str, list[int]], resolve: _Resolver
) -> Any:
    source = folder / kernel.source
    if not source.is_file():
        raise LaunchError(f"the plan's kernel source {kernel.source} is not beside it in {folder}")
    compile_args: list[int] = []
    for arg in kernel.compile_time_args:
        compile_args += words[arg.accessor_of] if isinstance(arg, AccessorRef) else [arg]
    return ttnn.KernelDescriptor(
        kernel_source=str(source),
        source_type=ttnn.KernelDescriptor.SourceType.FILE_PATH,
        core_ranges=_ranges(ttnn, kernel.core_ranges),
        compile_time_args=compile_args,
        named_compile_time_args=list(kernel.named_compile_time_args.items()),
        defines=list(kernel.defines.items()),
        runtime_args=[(ttnn.CoreCoord(*entry.core), resolve(entry.args)) for entry in kernel.runtime_args],
        common_runtime_args=resolve(kernel.common_runtime_args),
        config=_config(ttnn, plan, kernel),
    )


def _config(ttnn: Any, plan: Plan, kernel: PlanKernel) -> Any:
    config = kernel.config
    if config.type == "compute":
        compute = ttnn.ComputeConfigDescriptor(
            math_fidelity=getattr(ttnn.MathFidelity, config.math_fidelity or "HiFi4"),
            math_approx_mode=bool(config.math_approx_mode),
            fp32_dest_acc_en=bool(config.fp32_dest_acc_en),
            dst_full_sync_en=bool(config.dst_full_sync_en),
        )
        if config.unpack_to_dest_fp32:
            compute.unpack_to_dest_mode = _unpack_modes(ttnn, plan.arch, config.unpack_to_dest_fp32)
        return compute
    if config.processor is None and config.noc is None:
        if config.type == "reader":
            return ttnn.ReaderConfigDescriptor()
        if config.type == "writer":
            return ttnn.WriterConfigDescriptor()
    processor = config.processor if config.processor is not None else (1 if config.type == "reader" else 0)
    noc = config.noc if config.noc is not None else 1 - processor
    return ttnn.DataMovementConfigDescriptor(
        processor=(ttnn.DataMovementProcessor.RISCV_0, ttnn.DataMovementProcessor.RISCV_1)[processor],
        noc=(ttnn.NOC.NOC_0, ttnn.NOC.NOC_1)[noc],
    )


def _unpack_modes(ttnn: Any, arch: str, cbs: tuple[int, ...]) -> Any:
    """One mode for each CB id of the architecture; the vector's type is not among ttnn's public names."""
    modes = [
        ttnn.UnpackToDestMode.UnpackToDestFp32 if cb in cbs else ttnn.UnpackToDestMode.Default
        for cb in range(load_arch(arch).circular_buffers)
    ]
    return ttnn._ttnn.program_descriptor.VectorUnpackToDestMode(modes)


def _circular_buffer(ttnn: Any, cb: CircularBuffer, tensors: Mapping[str, Any]) -> Any:
    formats = [
        ttnn.CBFormatDescriptor(
            buffer_index=number,
            data_format=getattr(ttnn, BY_DATA_FORMAT[data_format].name),
            page_size=page_size,
        )
        for number, data_format, page_size in (
            (cb.id, cb.data_format, cb.page_size),
            *((extra.id, extra.data_format, extra.page_size) for extra in cb.formats),
        )
    ]
    total, ranges = cb.num_pages * cb.page_size, _ranges(ttnn, cb.core_ranges)
    if cb.buffer is None:
        return ttnn.CBDescriptor(total_size=total, core_ranges=ranges, format_descriptors=formats)
    bound = ttnn.cb_descriptor_from_sharded_tensor(cb.id, tensors[cb.buffer], cb.address_offset, total, ranges)
    bound.format_descriptors = formats
    return bound


def _ranges(ttnn: Any, ranges: Iterable[Range]) -> Any:
    return ttnn.CoreRangeSet(
        [ttnn.CoreRange(ttnn.CoreCoord(*part.start), ttnn.CoreCoord(*part.end)) for part in ranges]
    )
