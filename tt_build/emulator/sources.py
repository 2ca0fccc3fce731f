"""From a plan's kernels to translation units: the kernel texts, unchanged, in wrappers that give them their constants.

A unit is one kernel in a namespace of its own, so that many can be compiled together; a compute kernel's text occurs
three times in it, for the unpack, math and pack threads. A text that includes files of its own, opens a namespace that
has a name or says ``#pragma once`` is compiled alone.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from tt_build.emulator.libraries import Unit
from tt_build.emulator.toolchain import INCLUDE, PLAN_PREFIX, digest
from tt_build.ir.plan import AccessorRef, Plan, PlanKernel
from tt_build.targets import BY_DATA_FORMAT, Arch

THREADS = ("UNPACK", "MATH", "PACK")
_FIDELITY = {"LoFi": 0, "HiFi2": 2, "HiFi3": 3, "HiFi4": 4}
_OWN_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"(?!api/)([^"]+)"', re.M)
_API_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"(api/[^"]+)"', re.M)
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
_STD_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*<([^>]+)>", re.M)
_NEEDS_OWN_UNIT = re.compile(
    r"^[ \t]*(#[ \t]*pragma[ \t]+once|namespace\b(?![ \t]*\{)|inline[ \t]+namespace\b|extern\b)", re.M
)
# A line that is a comment and no more: it neither continues on the next line nor ends an older comment.
_COMMENT = re.compile(r"^[ \t]*//(?!.*(?:\*/|\\[ \t]*$)).*$", re.M)
_BEGIN = '#include "emu/kernel_begin.inc"'
_DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.M)


class Entry(msgspec.Struct, frozen=True):
    """Where a kernel thread starts: unit (index into ``Sources.units``) and symbol."""

    unit: int
    symbol: str


class Sources(msgspec.Struct, frozen=True):
    """Units of a plan's kernels (of each thread where a kernel is compiled alone), and entries of each kernel."""

    units: tuple[Unit, ...]
    entries: tuple[tuple[Entry, ...], ...]


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
    """The units of all kernels of a plan whose sources lie under ``root``."""
    units: list[Unit] = []
    entries: list[tuple[Entry, ...]] = []
    for kernel in plan.kernels:
        threads = THREADS if is_compute(kernel) else ("",)
        text = (root / kernel.source).read_text()
        make = _own_unit if _needs_own_unit(text) else _shared_unit
        macros = [_macros(plan, kernel, arch, words, thread) for thread in threads]
        made, symbols = make(kernel, text, root.resolve(), macros)
        last = len(made) - 1
        entries.append(tuple(Entry(len(units) + min(i, last), symbol) for i, symbol in enumerate(symbols)))
        units += made
    return Sources(tuple(units), tuple(entries))


def _shared_unit(
    kernel: PlanKernel, text: str, root: Path, threads: list[dict[str, str]]
) -> tuple[list[Unit], list[str]]:
    """One unit of all threads, and their symbols; these name the content, so that no two of a library clash."""
    header, defines = _header(kernel)
    placed = _inlined(kernel.source, text)
    symbols = [f"emu_{digest(placed, header, *defines, *_flat(macros))}" for macros in threads]
    bodies = [
        _body(macros, text, [f"namespace ns_{symbol} {{", _BEGIN, placed, "}"], symbol, f"ns_{symbol}::")
        for macros, symbol in zip(threads, symbols, strict=True)
    ]
    return [Unit("\n".join(bodies), header, defines, _shared_includes(text, header))], symbols


def _own_unit(kernel: PlanKernel, text: str, root: Path, threads: list[dict[str, str]]) -> tuple[list[Unit], list[str]]:
    """A unit for each thread, and their symbols."""
    header, defines = _header(kernel)
    if not is_compute(kernel):
        defines = (*defines, f"-DEMU_OWN_NOC={noc_and_processor(kernel)[0]}")
    key = digest(text, *_included((root / kernel.source).resolve(), text))
    symbols = [f"emu_{digest(key, kernel.source, header, *defines, *_flat(macros))}" for macros in threads]
    units = [
        Unit(
            f'#include "{header}"\n{_body(macros, text, [_BEGIN, _include(kernel.source)], symbol, "")}',
            "",
            defines,
            root=root,
            key=key,
        )
        for macros, symbol in zip(threads, symbols, strict=True)
    ]
    return units, symbols


def _flat(macros: dict[str, str]) -> list[str]:
    return [part for pair in macros.items() for part in pair]


def _include(source: str) -> str:
    return f'#include "{source}"'


def _inlined(source: str, text: str) -> str:
    """The text in place of an include, with the lines that debug information and messages are to name.

    Lines of comments are empty: kernels that differ there alone are the same.
    """
    plain = text if 'R"' in text else _COMMENT.sub("", text)
    return f'# 1 "{PLAN_PREFIX}/{source}"\n{plain}\n# 1 "/emu/wrapper"'


def _shared_includes(text: str, header: str) -> tuple[str, ...]:
    """Headers that must stand outside every kernel's namespace; those of compute are all one, which is ``header``."""
    names = {name for name in _API_INCLUDE.findall(text) if not name.startswith("api/compute/") and name != header}
    return tuple(sorted(name for name in names if (INCLUDE / name).is_file()))


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


def _macros(
    plan: Plan, kernel: PlanKernel, arch: Arch, words: dict[str, tuple[int, ...]], thread: str
) -> dict[str, str]:
    """What is defined around the text of a kernel."""
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
    return macros


def _body(macros: dict[str, str], text: str, placed: list[str], symbol: str, scope: str) -> str:
    """One thread of a kernel: what is defined, the text as it is ``placed``, its entry; nothing stays defined."""
    names = dict.fromkeys([re.split(r"\(", name)[0] for name in macros] + sorted(_DEFINE.findall(text)))
    lines = [f"#define {name} {value}".rstrip() for name, value in macros.items()]
    lines += placed
    lines.append(f'extern "C" __attribute__((visibility("default"))) void {symbol}() {{ {scope}kernel_main(); }}')
    lines += [f"#undef {name}" for name in names]
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
