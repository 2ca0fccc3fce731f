"""A plan -> ``host_program.cpp`` and ``CMakeLists.txt``: the C++ host for an installed SDK, without ttnn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tt_build.codegen.host_args import ArgTable, arg_tables, argument, word
from tt_build.codegen.templates import render
from tt_build.ir.plan import AccessorRef, Buffer, CircularBuffer, Plan, PlanKernel, PlanSharding, Range
from tt_build.targets.dtypes import DTYPES
from tt_build.version import __version__

_FLOATS = frozenset({"bfloat16", "float32", "bfloat8_b", "bfloat4_b"})
_BFP = {"bfloat8_b": "8", "bfloat4_b": "4"}
_SHARDING = {"height": "HEIGHT_SHARDED", "width": "WIDTH_SHARDED", "block": "BLOCK_SHARDED"}
_ORDER = {"row_major": "ROW_MAJOR", "column_major": "COL_MAJOR"}
_HEADERS = (
    "algorithm",
    "bit",
    "chrono",
    "cstdint",
    "fstream",
    "iostream",
    "map",
    "memory",
    "random",
    "stdexcept",
    "string",
    "type_traits",
    "utility",
    "vector",
)


def render_host(plan: Plan, origin: str = "kernels.yaml", own: Mapping[str, str] | None = None) -> str:
    """The host program's text; ``origin`` is the specification's name for the header line, ``own`` as in ``render``."""
    return render("host_program.cpp.j2", "host", {}, own or {}, p=_context(plan, origin))


def render_cmake(plan: Plan, own: Mapping[str, str] | None = None) -> str:
    """The build file beside it."""
    context = {"kernel": plan.kernel, "version": __version__}
    return render("CMakeLists.txt.j2", "host", {}, own or {}, p=context)


def _context(plan: Plan, origin: str) -> dict[str, Any]:
    core_sets = _CoreSets()
    buffers = [(name, plan.buffers[name]) for name in plan.order()]
    cbs = [_circular_buffer(cb, core_sets) for cb in plan.circular_buffers]
    semaphores = [
        {"id": s.id, "var": f"semaphore_{s.id}", "cores": core_sets.name(s.core_ranges), "initial": s.initial_value}
        for s in plan.semaphores
    ]
    kernels = _kernels(plan, core_sets)
    used = {dtype for _, b in buffers for dtype in (b.dtype,)}
    tensors = [_tensor(name, b) for name, b in buffers]
    text = " ".join([str(kernel) for kernel in kernels])
    for tensor in tensors:
        tensor["addressed"] = f"{tensor['address']}" in text
    grid = plan.grid
    return {
        "kernel": plan.kernel,
        "version": __version__,
        "origin": f"{origin}: kernels.{plan.kernel}",
        "grid": f"{grid.x} x {grid.y} x {grid.z}",
        "policy": plan.schedule.policy,
        "order": plan.schedule.order,
        "cores_text": f"{_count(plan)} of {plan.cores.grid[0]} x {plan.cores.grid[1]} cores",
        "arch": plan.arch,
        "usage": _usage(plan, buffers),
        "std_headers": _HEADERS,
        "any_tiled": any(b.format == "tile" for _, b in buffers),
        "any_padded": any(_padding(b) for _, b in buffers),
        "named_options": _named_options(plan),
        "encodes_bfloat16": any(b.dtype == "bfloat16" and b.role != "output" for _, b in buffers),
        "decodes_bfloat16": any(b.dtype == "bfloat16" and b.role == "output" for _, b in buffers),
        "any_int32": "int32" in used,
        "bfp_headers": [f"bfloat{_BFP[dtype]}.hpp" for dtype in sorted(used & _BFP.keys(), reverse=True)],
        "scalars": [_scalar(name, dtype) for name, dtype in plan.scalars.items()],
        "grid_needed": _grid_needed(plan),
        "tensors": tensors,
        "uses_noc": "noc_x(" in text or "noc_y(" in text,
        "core_sets": core_sets.listed(),
        "circular_buffers": cbs,
        "semaphores": semaphores,
        "kernels": kernels,
    }


class _CoreSets:
    """Names for the sets of cores that occur, in order of their first use."""

    def __init__(self) -> None:
        self._names: dict[tuple[Range, ...], str] = {}

    def name(self, ranges: tuple[Range, ...]) -> str:
        key = tuple(ranges)
        return self._names.setdefault(key, "cores" if not self._names else f"cores_{len(self._names)}")

    def listed(self) -> list[dict[str, str]]:
        return [{"name": name, "text": cores_text(ranges)} for ranges, name in self._names.items()]


def cores_text(ranges: tuple[Range, ...]) -> str:
    """Constructor arguments of a ``CoreRangeSet``."""
    parts = [f"CoreRange({{{a[0]}, {a[1]}}}, {{{b[0]}, {b[1]}}})" for a, b in ((r.start, r.end) for r in ranges)]
    return parts[0] if len(parts) == 1 else f"std::vector<CoreRange>{{{', '.join(parts)}}}"


def _count(plan: Plan) -> int:
    return len({core for kernel in plan.kernels for part in kernel.core_ranges for core in part.cores()})


def _grid_needed(plan: Plan) -> tuple[int, int]:
    ends = [part.end for kernel in plan.kernels for part in kernel.core_ranges]
    return max(x for x, _ in ends) + 1, max(y for _, y in ends) + 1


def _usage(plan: Plan, buffers: list[tuple[str, Buffer]]) -> list[str]:
    inputs = [f"[--input {name}={name}.npy]" for name, b in buffers if b.role != "output"]
    outputs = [f"[--output {name}={name}.npy]" for name, b in buffers if b.role == "output"]
    scalars = [f"--scalar {name}=VALUE" for name in plan.scalars]
    lines, line = [], plan.kernel
    for part in ["[--device N]", *inputs, *outputs, *scalars, "[--repeat N]"]:
        if len(line) + len(part) > 100:
            lines.append(line)
            line = part
        else:
            line = f"{line} {part}"
    return [*lines, line]


def _named_options(plan: Plan) -> str:
    """The condition that an option takes NAME=VALUE."""
    names = ["--input", "--output", *(["--scalar"] if plan.scalars else [])]
    return " || ".join(f'option == "{name}"' for name in names)


def _tensor(name: str, buffer: Buffer) -> dict[str, Any]:
    tiled = buffer.format == "tile"
    rows, columns = _rows_and_columns(buffer)
    element = DTYPES[buffer.dtype].element_bytes
    height, width = buffer.tiles
    variable = f"{name}_buffer"
    integer = buffer.dtype not in _FLOATS
    return {
        "name": name,
        "var": variable,
        "address": f"{name}_address",
        "is_input": buffer.role != "output",
        "is_output": buffer.role == "output",
        "pages": buffer.batch * height * width if tiled else buffer.batch * rows,
        "page_size": buffer.page_size if tiled else columns * element,
        "memory": _memory(buffer),
        "type": f"{buffer.dtype}_t" if integer else "float",
        "word": {"bfloat16": "uint16_t", "float32": "float", "uint16": "uint16_t"}.get(buffer.dtype, "uint32_t"),
        "count": math.prod(buffer.shape),
        "sharding": _sharding(buffer, columns, height, width) if isinstance(buffer.layout, PlanSharding) else None,
        "padding": _padding(buffer),
        "encode": _encode(name, buffer),
        "decode": _decode(name, buffer),
        "npy": {"int32": "<i4", "uint32": "<u4", "uint16": "<u2"}.get(buffer.dtype, "<f4"),
        "shape": str(tuple(buffer.shape)),
    }


def _padding(buffer: Buffer) -> str:
    """The fields of ``Matrices`` of a tensor whose last two dimensions are no whole tiles, else nothing."""
    rows, columns = _rows_and_columns(buffer)
    padded = _padded(buffer)
    if buffer.format != "tile" or (rows, columns) == padded:
        return ""
    return f"{buffer.batch}, {rows}, {columns}, {padded[0]}, {padded[1]}"


def _padded(buffer: Buffer) -> tuple[int, int]:
    """Rows and columns of one matrix in whole tiles."""
    return buffer.tiles[0] * buffer.tile_shape[0], buffer.tiles[1] * buffer.tile_shape[1]


def _rows_and_columns(buffer: Buffer) -> tuple[int, int]:
    """Of one matrix, unpadded; a vector is one row."""
    return (buffer.shape[-2] if len(buffer.shape) > 1 else 1), buffer.shape[-1]


def _memory(buffer: Buffer) -> str:
    layout = buffer.layout
    return (layout.memory if isinstance(layout, PlanSharding) else layout.split("_")[0]).upper()


def _sharding(buffer: Buffer, columns: int, height: int, width: int) -> dict[str, str]:
    layout = buffer.layout
    assert isinstance(layout, PlanSharding)
    tiled = buffer.format == "tile"
    if layout.cores:
        parts = [f"CoreRange({{{x}, {y}}}, {{{x}, {y}}})" for x, y in layout.cores]
        columns_used, rows_used = {x for x, _ in layout.cores}, {y for _, y in layout.cores}
        full = len(columns_used) * len(rows_used) == len(layout.cores)
        corner = (min(columns_used), min(rows_used)), (max(columns_used), max(rows_used))
        span = (corner[1][0] - corner[0][0] + 1) * (corner[1][1] - corner[0][1] + 1)
        if full and span == len(layout.cores):
            grid = cores_text((Range(start=corner[0], end=corner[1]),))
        else:
            grid = f"std::vector<CoreRange>{{{', '.join(parts)}}}"
    else:
        grid = cores_text((Range(start=(0, 0), end=(layout.grid[0] - 1, layout.grid[1] - 1)),))
    page = f"{buffer.tile_shape[0]}, {buffer.tile_shape[1]}" if tiled else f"1, {columns}"
    in_pages = f"{buffer.batch * height}, {width}" if tiled else f"{buffer.batch * buffer.shape[-2]}, 1"
    return {
        "grid": f"CoreRangeSet({grid})",
        "shape": f"{layout.shard[0]}, {layout.shard[1]}",
        "order": _ORDER[layout.order],
        "page": page,
        "tensor": in_pages,
        "layout": _SHARDING[layout.sharding],
    }


def _encode(name: str, buffer: Buffer) -> str:
    """From the array's values to the words on the device."""
    dtype, values = buffer.dtype, f"{name}_values"
    words = {"bfloat16": f"to_bfloat16({values})", "int32": f"bits<uint32_t>({values})"}.get(dtype, values)
    if _padding(buffer):
        words = f"repack({words}, {name}_matrices, true)"
    if buffer.format != "tile":
        return words
    rows, columns = _padded(buffer)
    tiles = f"tilize_nfaces({words}, {buffer.batch * rows}, {columns})"
    return f"pack_as_bfp{_BFP[dtype]}_tiles<float>({tiles}, false, false)" if dtype in _BFP else tiles


def _decode(name: str, buffer: Buffer) -> str:
    """From the words on the device to the array's values."""
    dtype, words = buffer.dtype, f"{name}_words"
    if dtype in _BFP:
        words = f"unpack_bfp{_BFP[dtype]}_tiles_into_float_vec({words}, false, false)"
    if buffer.format == "tile":
        rows, columns = _padded(buffer)
        words = f"untilize_nfaces({words}, {buffer.batch * rows}, {columns})"
    if _padding(buffer):
        words = f"repack({words}, {name}_matrices, false)"
    return {"bfloat16": f"from_bfloat16({words})", "int32": f"bits<int32_t>({words})"}.get(dtype, words)


def _scalar(name: str, dtype: str) -> dict[str, str]:
    text = f'scalar(options, "{name}")'
    read = f"std::bit_cast<uint32_t>(std::stof({text}))" if dtype == "float32" else f"uint32_t(std::stoll({text}))"
    return {"name": name, "var": f"{name}_scalar", "read": read}


def _circular_buffer(cb: CircularBuffer, core_sets: _CoreSets) -> dict[str, Any]:
    formats = [(cb.id, cb.data_format, cb.page_size), *((f.id, f.data_format, f.page_size) for f in cb.formats)]
    return {
        "name": cb.name,
        "cores": core_sets.name(cb.core_ranges),
        "total": cb.num_pages * cb.page_size,
        "formats": [f"{{{number}, tt::DataFormat::{name}}}" for number, name, _ in formats],
        "pages": [{"id": number, "page_size": size} for number, _, size in formats],
        "buffer": f"{cb.buffer}_buffer" if cb.buffer else "",
        "offset": cb.address_offset,
    }


def _kernels(plan: Plan, core_sets: _CoreSets) -> list[dict[str, Any]]:
    roles = [kernel.role for kernel in plan.kernels]
    found = []
    for index, kernel in enumerate(plan.kernels):
        number = roles[:index].count(kernel.role)
        variable = kernel.role if roles.count(kernel.role) == 1 else f"{kernel.role}_{number}"
        found.append(_kernel(kernel, variable, core_sets))
    return found


def _kernel(kernel: PlanKernel, variable: str, core_sets: _CoreSets) -> dict[str, Any]:
    first, steps = _words(kernel, f"{variable}_words")
    tables: list[ArgTable] = arg_tables(kernel, variable)
    common = ", ".join(argument(arg) for arg in kernel.common_runtime_args)
    return {
        "role": kernel.role,
        "source": kernel.source,
        "var": variable,
        "cores": core_sets.name(kernel.core_ranges),
        "words": ", ".join(first),
        "word_steps": steps,
        "unpack_to_dest": kernel.config.unpack_to_dest_fp32 or (),
        "config_type": "ComputeConfig" if kernel.config.type == "compute" else "DataMovementConfig",
        "config": _config(kernel, variable),
        "tables": tables,
        "common": common,
        "has_args": bool(tables or common),
    }


def _words(kernel: PlanKernel, variable: str) -> tuple[list[str], list[str]]:
    """The leading numbers of the compile-time arguments, and the statements that append the rest in order."""
    groups: list[list[int] | str] = [[]]
    for arg in kernel.compile_time_args:
        if isinstance(arg, AccessorRef):
            groups.append(f"TensorAccessorArgs(*{arg.accessor_of}_buffer).append_to({variable});")
        elif isinstance(groups[-1], list):
            groups[-1].append(arg)
        else:
            groups.append([arg])
    first, *rest = groups
    leading = [word(value) for value in first] if isinstance(first, list) else []
    steps = []
    for group in rest:
        if isinstance(group, str):
            steps.append(group)
        else:
            steps.append(f"{variable}.insert({variable}.end(), {{{', '.join(word(value) for value in group)}}});")
    return leading, steps


def _config(kernel: PlanKernel, variable: str) -> list[str]:
    config = kernel.config
    fields: list[str]
    if config.type == "compute":
        fields = [
            f".math_fidelity = MathFidelity::{config.math_fidelity or 'HiFi4'}",
            f".fp32_dest_acc_en = {_bool(config.fp32_dest_acc_en)}",
            f".dst_full_sync_en = {_bool(config.dst_full_sync_en)}",
        ]
        if config.unpack_to_dest_fp32:
            fields.append(f".unpack_to_dest_mode = {variable}_unpack")
        fields.append(f".math_approx_mode = {_bool(config.math_approx_mode)}")
    else:
        default = {"reader": (1, 0), "writer": (0, 1)}.get(config.type, (0, 0))
        processor = default[0] if config.processor is None else config.processor
        noc = default[1] if config.noc is None else config.noc
        fields = [f".processor = DataMovementProcessor::RISCV_{processor}", f".noc = NOC::NOC_{noc}"]
    fields.append(f".compile_args = {variable}_words")
    if kernel.defines:
        pairs = ", ".join(f'{{"{name}", "{value}"}}' for name, value in kernel.defines.items())
        fields.append(f".defines = {{{pairs}}}")
    named = ", ".join(f'{{"{name}", {value}}}' for name, value in kernel.named_compile_time_args.items())
    fields.append(f".named_compile_args = {{{named}}}")
    return fields


def _bool(value: bool | None) -> str:
    return "true" if value else "false"
