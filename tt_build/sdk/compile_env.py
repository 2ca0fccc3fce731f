"""How the SDK's JIT compiles a kernel: flags, defines, include paths and generated headers, for an ordinary g++.

Read off the command lines that the runtime of the wheel issues on its mock device (0.78.0 and 0.81.1, n150 and p150);
the mock-device tests compare them again. What only the SDK's own compiler knows (``-mcpu``, ``-ftt-*``, ``-flto``)
is left out, and what makes an x86 compiler agree with the target is added: 32 bits, ``uint32_t`` as ``unsigned long``.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import msgspec

from tt_build.children import run_child
from tt_build.ir.plan import AccessorRef, KernelConfig, Plan, PlanKernel
from tt_build.sdk.cache import build_folder, cache_root
from tt_build.sdk.descriptors import descriptors
from tt_build.sdk.headers import headers
from tt_build.sdk.toolchain import compiler, compiler_version
from tt_build.targets.arch import Arch
from tt_build.targets.sdk import Sdk

STUB = Path(__file__).parent / "sfpi_stub"
TARGET_FLAGS = (
    "-m32",
    "-ffreestanding",
    "-U__INT32_TYPE__",
    "-D__INT32_TYPE__=long int",
    "-U__UINT32_TYPE__",
    "-D__UINT32_TYPE__=long unsigned int",
)
JIT_FLAGS = (
    "-std=c++17",
    "-ffast-math",
    "-fno-finite-math-only",
    "-fsigned-zeros",
    "-fno-associative-math",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-use-cxa-atexit",
    "-Wall",
    "-Werror",
    "-Wno-error=deprecated-declarations",
    "-Wno-error=multistatement-macros",
    "-Wno-error=parentheses",
    "-Wno-error=unused-but-set-variable",
    "-Wno-unused-variable",
    "-Wno-unused-function",
    # Attributes of the SDK's compiler (rvtt_l1_ptr) that g++ does not know.
    "-Wno-attributes",
)


class Processor(msgspec.Struct, frozen=True):
    """One compile of a kernel: the JIT's name of the processor, its wrapper in the firmware folder and its defines."""

    name: str
    wrapper: str
    defines: tuple[str, ...]


PROCESSORS = {
    "brisc": Processor("brisc", "brisck.cc", ("-DPROCESSOR_INDEX=0", "-DCOMPILE_FOR_BRISC")),
    "ncrisc": Processor("ncrisc", "ncrisck.cc", ("-DPROCESSOR_INDEX=1", "-DCOMPILE_FOR_NCRISC")),
    "unpack": Processor("unpack", "trisck.cc", ("-DPROCESSOR_INDEX=2", "-DUCK_CHLKC_UNPACK", "-DCOMPILE_FOR_TRISC=0")),
    "math": Processor("math", "trisck.cc", ("-DPROCESSOR_INDEX=3", "-DUCK_CHLKC_MATH", "-DCOMPILE_FOR_TRISC=1")),
    "pack": Processor("pack", "trisck.cc", ("-DPROCESSOR_INDEX=4", "-DUCK_CHLKC_PACK", "-DCOMPILE_FOR_TRISC=2")),
}

# Constants of the SoC descriptors that reach every command line, and the folders' names.
_ARCH_DEFINES = {
    "wormhole_b0": (
        ("-DPCIE_NOC_X=0", "-DPCIE_NOC_Y=3", "-DTENSIX_FIRMWARE", "-DLOCAL_MEM_EN=0", "-DROUTING_FW_ENABLED"),
        ("-DARCH_WORMHOLE", "-DDISPATCH_MESSAGE_ADDR=4290183304"),
    ),
    "blackhole": (
        ("-DPCIE_NOC_X=19", "-DPCIE_NOC_Y=24", "-DTENSIX_FIRMWARE", "-DLOCAL_MEM_EN=0"),
        ("-DARCH_BLACKHOLE", "-DDISPATCH_MESSAGE_ADDR=4290184248"),
    ),
}
_ARCH_FOLDERS = {"wormhole_b0": ("wormhole", "wormhole_b0_defines"), "blackhole": ("blackhole", "blackhole_defines")}


def supported(arch: str) -> bool:
    """True where the SDK has headers that this module knows how to use."""
    return arch in _ARCH_FOLDERS


def processors(config: KernelConfig) -> tuple[Processor, ...]:
    """The processors that run a kernel of that kind: one for data movement, three for compute."""
    if config.type == "compute":
        return PROCESSORS["unpack"], PROCESSORS["math"], PROCESSORS["pack"]
    return (PROCESSORS["brisc" if data_movement(config)[0] == 0 else "ncrisc"],)


def data_movement(config: KernelConfig) -> tuple[int, int]:
    """(processor, NoC) of a reader, writer or data-movement kernel: the SDK's defaults where the plan has none."""
    default = {"reader": (1, 0), "writer": (0, 1)}.get(config.type, (0, 0))
    return (
        default[0] if config.processor is None else config.processor,
        default[1] if config.noc is None else config.noc,
    )


def compile_args(kernel: PlanKernel) -> list[int]:
    """The compile-time words, accessors expanded."""
    words: list[int] = []
    for arg in kernel.compile_time_args:
        words += arg.words if isinstance(arg, AccessorRef) else [arg]
    return words


def defines(kernel: PlanKernel, processor: Processor, arch: Arch) -> list[str]:
    """The -D options in the JIT's order; those of a compute kernel go into ``defines_generated.h`` instead."""
    before, after = _ARCH_DEFINES[arch.name]
    options = [*_banks("DRAM", arch.dram_banks), *_banks("L1", arch.grid[0] * arch.grid[1])]
    options += [f"-DNUM_DRAM_BANKS={arch.dram_banks}", f"-DNUM_L1_BANKS={arch.grid[0] * arch.grid[1]}"]
    options += [*before, *processor.defines, "-DPROGRAMMABLE_CORE_TYPE=0", *after, "-DKERNEL_BUILD"]
    if kernel.config.type != "compute":
        options += [f"-D{name}={value}" for name, value in kernel.defines.items()]
        options += [f"-DNOC_INDEX={data_movement(kernel.config)[1]}", "-DNOC_MODE=0"]
    if kernel.compile_time_args:
        options.append(f"-DKERNEL_COMPILE_TIME_ARGS={','.join(str(word) for word in compile_args(kernel))}")
    return options


def include_folders(sdk: Sdk, arch: str) -> list[str]:
    """The -I folders in the JIT's order, relative to the wheel's ``ttnn/`` (SFPI's is ours instead)."""
    family, defines_folder = _ARCH_FOLDERS[arch]
    inc = "tt_metal/hw/inc/internal/tt-1xx"
    llk = f"tt_metal/tt-llk/tt_llk_{arch}"
    api = f"tt_metal/hw/ckernels/{arch}/metal"
    folders = [".", "ttnn", "ttnn/cpp", "tt_metal", "tt_metal/hw/inc", "tt_metal/tt-llk/common"]
    folders += ["tt_metal/tt-llk/tools/include", "tt_metal/hostdevcommon/api", "tt_metal/api"]
    folders += [f"{api}/common", f"{api}/llk_io"]
    folders += [inc, f"{inc}/{family}", f"{inc}/{family}/{defines_folder}", f"{inc}/{family}/noc"]
    folders += [f"{llk}/common/inc", f"{llk}/llk_lib", f"{llk}/llk_lib/hal"]
    folders += [f"{api}/llk_api", f"{api}/llk_api/llk_sfpu", "tt_metal/hw/firmware/src/tt-1xx"]
    optional = {"tt_metal", "tt_metal/tt-llk/tools/include", f"{llk}/llk_lib/hal"} - set(sdk.include_folders)
    return [folder for folder in folders if folder not in optional]


def generated_headers(plan: Plan, kernel: PlanKernel, source: str, arch: Arch) -> dict[str, str]:
    """The headers that the JIT writes for a kernel; ``source`` is the path by which they include it."""
    named = sorted(kernel.named_compile_time_args.items())
    include = f'void kernel_main();\n#include "{source}"\n'
    files = {"chlkc_descriptors.h": descriptors(plan, kernel, arch)}
    if named:
        pairs = ",".join(f'{{"{name}",{value}}}' for name, value in named)
        files["named_ct_arg_map_generated.h"] = f"#pragma once\n#define KERNEL_COMPILE_TIME_ARG_MAP {pairs}\n"
    if kernel.config.type != "compute":
        return {**files, "kernel_includes.hpp": include}
    listed = "".join(f"#define {name} {value}\n" for name, value in kernel.defines.items())
    files["defines_generated.h"] = f"#pragma once\n{listed}#define NOC_MODE 0\n"
    for thread in ("unpack", "math", "pack"):
        define = f'#define TRISC_{thread.upper()}\n#include "defines_generated.h"\n'
        files[f"chlkc_{thread}.cpp"] = define + include
    return files


def command(
    sdk: Sdk, plan: Plan, kernel: PlanKernel, processor: Processor, arch: Arch, *, folder: Path, source: Path
) -> list[str]:
    """The compiler's command line. ``folder`` holds the generated headers, ``source`` is the kernel."""
    root = headers(sdk)
    options = [compiler(), "-fsyntax-only", *TARGET_FLAGS, *JIT_FLAGS, *MESSAGES, "-include", str(prelude())]
    options += [f"-I{folder}"]
    options += [f"-I{root / part}" for part in include_folders(sdk, arch.name)]
    options += [f"-I{STUB}", f"-I{source.parent}", *defines(kernel, processor, arch)]
    if kernel.named_compile_time_args:
        options += ["-include", "named_ct_arg_map_generated.h"]
    return [*options, str(root / "tt_metal/hw/firmware/src/tt-1xx" / processor.wrapper)]


MESSAGES = ("-fno-diagnostics-show-caret", "-fdiagnostics-color=never", "-fmessage-length=0")


@functools.cache
def prelude() -> Path:
    """A copy of ``sfpi_stub/prelude.h`` beside its precompiled form, which saves a third of every compile."""
    source = STUB / "prelude.h"
    text = source.read_text()
    key = hashlib.sha256(msgspec.json.encode([text, compiler_version(), TARGET_FLAGS, JIT_FLAGS])).hexdigest()[:16]

    def fill(target: Path) -> None:
        (target / "prelude.h").write_text(text)
        options = [compiler(), "-x", "c++-header", *TARGET_FLAGS, *JIT_FLAGS]
        # A precompiled header only saves time: where it cannot be made, the plain one is read.
        run_child([*options, "prelude.h", "-o", "prelude.h.gch"], cwd=target)

    return build_folder(cache_root() / "prelude" / key, fill) / "prelude.h"


def _banks(kind: str, count: int) -> list[str]:
    if count & (count - 1):
        return [f"-DIS_NOT_POW2_NUM_{kind}_BANKS=1"]
    return [f"-DLOG_BASE_2_OF_NUM_{kind}_BANKS={count.bit_length() - 1}"]
