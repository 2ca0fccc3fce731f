"""From a plan's kernels to translation units: the kernel texts, unchanged, in wrappers that give them their constants.

Kernels of one kind share a unit, each in a namespace of its own; a compute kernel's text occurs three times, for the
unpack, math and pack threads. A text that includes files of its own, opens a namespace or has ``#pragma once`` gets
units and libraries of its own.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from tt_build.emulator.toolchain import digest
from tt_build.ir.plan import AccessorRef, Plan, PlanKernel
from tt_build.targets import BY_DATA_FORMAT, Arch

THREADS = ("UNPACK", "MATH", "PACK")
_FIDELITY = {"LoFi": 0, "HiFi2": 2, "HiFi3": 3, "HiFi4": 4}
_OWN_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"(?!api/)([^"]+)"', re.M)
_KNOWN_STD = {
    "algorithm",
    "array",
    "cmath",
    "cstddef",
    "cstdint",
    "cstring",
    "limits",
    "stdint.h",
    "string_view",
    "tuple",
    "type_traits",
    "utility",
}
_API_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"(api/[^"]+)"', re.M)
_HEADERS = Path(__file__).parent / "include"
_STD_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*<([^>]+)>", re.M)
_NEEDS_OWN_UNIT = re.compile(r"^[ \t]*(#[ \t]*pragma[ \t]+once|namespace\b|inline[ \t]+namespace\b|extern\b)", re.M)
_DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.M)


class Unit(msgspec.Struct, frozen=True):
    """One translation unit, ready for the compiler; ``header`` is the one that may be precompiled ("" for none)."""

    text: str
    header: str
    defines: tuple[str, ...]


class Entry(msgspec.Struct, frozen=True):
    """Where a kernel thread starts: library (index into ``Sources.libraries``) and symbol."""

    library: int
    symbol: str


class Sources(msgspec.Struct, frozen=True):
    """Units of a plan by library (the first holds all that may share one) and entries of each kernel by thread.

    ``key`` is a digest of every file that the units include.
    """

    libraries: tuple[tuple[Unit, ...], ...]
    entries: tuple[tuple[Entry, ...], ...]
    key: str


def compile_args(kernel: PlanKernel, words: dict[str, tuple[int, ...]]) -> list[int]:
    """The compile-time arguments as numbers; ``words`` are the accessor words of each buffer."""
    out: list[int] = []
    for arg in kernel.compile_time_args:
        out.extend(words[arg.accessor_of] if isinstance(arg, AccessorRef) else [arg])
    return out


def is_compute(kernel: PlanKernel) -> bool:
    """True for compute kernels, which run as three threads."""
    return kernel.config.type == "compute"


def noc_and_processor(kernel: PlanKernel) -> tuple[int, int]:
    """(NoC, processor) of a data-movement kernel: reader NoC 0 on RISCV_1, writer NoC 1 on RISCV_0."""
    if kernel.config.type == "reader":
        return 0, 1
    if kernel.config.type == "writer":
        return 1, 0
    processor = kernel.config.processor or 0
    noc = kernel.config.noc
    return (noc if noc is not None else 1 - processor), processor


def build_sources(plan: Plan, root: Path, arch: Arch, words: dict[str, tuple[int, ...]]) -> Sources:
    """The libraries of all kernels of a plan whose sources lie under ``root``."""
    bodies: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    headers: dict[tuple[str, tuple[str, ...]], dict[str, None]] = {}
    own: list[tuple[Unit, ...]] = []
    entries: list[tuple[Entry, ...]] = []
    contents: list[bytes] = []
    for index, kernel in enumerate(plan.kernels):
        path = (root / kernel.source).resolve()
        text = path.read_text()
        contents.append(text.encode())
        contents.extend(_included(path, text))
        alone = _needs_own_unit(text)
        header, defines = _header(kernel)
        found: list[Entry] = []
        for thread in THREADS if is_compute(kernel) else ("",):
            symbol = f"emu_k{index}{'_' + thread.lower() if thread else ''}"
            body = _body(plan, kernel, text, arch, words, thread, symbol, alone)
            if alone:
                noc = () if is_compute(kernel) else (f"-DEMU_OWN_NOC={noc_and_processor(kernel)[0]}",)
                own.append((Unit(f'#include "{header}"\n{body}', "", (*defines, *noc)),))
                found.append(Entry(len(own), symbol))
            else:
                bodies.setdefault((header, defines), []).append(body)
                headers.setdefault((header, defines), {}).update(
                    dict.fromkeys(name for name in _API_INCLUDE.findall(text) if (_HEADERS / name).is_file())
                )
                found.append(Entry(0, symbol))
        entries.append(tuple(found))
    # A header is read once a unit: outside the namespaces of the kernels that share it.
    shared = tuple(
        Unit("\n".join([*(f'#include "{name}"' for name in headers[kind]), *parts]), *kind)
        for kind, parts in bodies.items()
    )
    return Sources(libraries=(shared, *own), entries=tuple(entries), key=digest(*contents))


def _needs_own_unit(text: str) -> bool:
    other = set(_STD_INCLUDE.findall(text)) - _KNOWN_STD
    return bool(_OWN_INCLUDE.search(text) or _NEEDS_OWN_UNIT.search(text) or other)


def _header(kernel: PlanKernel) -> tuple[str, tuple[str, ...]]:
    if not is_compute(kernel):
        return "api/dataflow/dataflow_api.h", ()
    return "emu/compute.h", (f"-DEMU_FP32_DST={int(bool(kernel.config.fp32_dest_acc_en))}",)


def _included(path: Path, text: str) -> list[bytes]:
    found: list[bytes] = []
    for name in _OWN_INCLUDE.findall(text):
        for base in (path.parent, *path.parents):
            candidate = base / name
            if candidate.is_file():
                inner = candidate.read_text()
                found.append(inner.encode())
                found.extend(_included(candidate, inner))
                break
    return found


def _body(
    plan: Plan,
    kernel: PlanKernel,
    text: str,
    arch: Arch,
    words: dict[str, tuple[int, ...]],
    thread: str,
    symbol: str,
    alone: bool,
) -> str:
    args = compile_args(kernel, words)
    sizes, formats = _cb_tables(plan, arch)
    named = "".join(f'{{"{name}", {value}u}}, ' for name, value in sorted(kernel.named_compile_time_args.items()))
    macros = {
        "EMU_CT_ARGS": ", ".join(f"{a & 0xFFFFFFFF}u" for a in args) or "0",
        "EMU_NUM_CT_ARGS": str(len(args)),
        "EMU_NAMED_ARGS": named,
        "EMU_TILE_SIZES": ", ".join(map(str, sizes)),
        "EMU_FORMATS": ", ".join(map(str, formats)),
        "get_compile_time_arg_val(i)": "get_ct_arg<i>()",
        "NOC_MAX_BURST_SIZE": str(arch.noc_max_burst),
        "NUM_DRAM_BANKS": str(arch.dram_banks),
        "NUM_L1_BANKS": str(arch.grid[0] * arch.grid[1]),
        "ARCH_BLACKHOLE" if arch.name == "blackhole" else "ARCH_WORMHOLE": "1",
    }
    if is_compute(kernel):
        macros["COMPILE_FOR_TRISC"] = str(THREADS.index(thread))
        macros[f"TRISC_{thread}"] = "1"
        for name in THREADS:
            macros[f"{name}(...)"] = "__VA_ARGS__" if name == thread else ""
        macros["EMU_FIDELITY"] = str(_FIDELITY[kernel.config.math_fidelity or "HiFi4"])
        macros["EMU_APPROX"] = "true" if kernel.config.math_approx_mode else "false"
    else:
        noc, processor = noc_and_processor(kernel)
        macros["EMU_NOC"] = macros["NOC_INDEX"] = str(noc)
        macros["COMPILE_FOR_NCRISC" if processor == 1 else "COMPILE_FOR_BRISC"] = "1"
    macros.update(kernel.defines)
    names = [re.split(r"\(", name)[0] for name in macros]
    leaked = sorted(set(_DEFINE.findall(text)) - set(names))
    lines = [f"#define {name} {value}".rstrip() for name, value in macros.items()]
    if not alone:
        lines.append(f"namespace ns_{symbol} {{")
    lines += ['#include "emu/kernel_begin.inc"', f'#include "{kernel.source}"']
    if not alone:
        lines.append("}")
    target = "kernel_main" if alone else f"ns_{symbol}::kernel_main"
    lines.append(f'extern "C" __attribute__((visibility("default"))) void {symbol}() {{ {target}(); }}')
    lines += [f"#undef {name}" for name in (*names, *leaked)]
    return "\n".join(lines) + "\n"


def _cb_tables(plan: Plan, arch: Arch) -> tuple[list[int], list[int]]:
    sizes = [1088] * arch.circular_buffers
    formats = [255] * arch.circular_buffers
    for cb in plan.circular_buffers:
        for id_, fmt in ((cb.id, cb.data_format), *((f.id, f.data_format) for f in cb.formats)):
            if 0 <= id_ < len(sizes):
                sizes[id_] = BY_DATA_FORMAT[fmt].tile_bytes
                formats[id_] = BY_DATA_FORMAT[fmt].format_code
    return sizes, formats
