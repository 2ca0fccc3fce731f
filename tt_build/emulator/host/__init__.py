"""Host programs on the emulator: ``host_program.cpp``, unchanged, as an ordinary executable.

``build`` compiles it against ``include/tt-metalium``; ``host.cpp`` keeps the tensors and hands each workload to
``tt_build.emulator.host.run``, which compiles the kernels from the paths and arguments that the program gave.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tt_build.emulator import toolchain
from tt_build.emulator.memory import DRAM_BASE
from tt_build.emulator.toolchain import ToolchainError
from tt_build.targets import Arch, load_arch

HERE = Path(__file__).parent
FLAGS = ("-std=c++20", "-O1")
LIBRARY_FLAGS = ("-std=c++20", "-O2", "-Wall", "-Wextra")


class HostError(RuntimeError):
    """The host program does not compile; the message is the compiler's."""


def build(host_program: Path, output: Path, *, arch: str = "wormhole_b0") -> None:
    """Compiles ``host_program`` into the executable ``output``, which runs on an emulated card of ``arch``.

    Its kernels are those beside it. In the executable's environment ``TT_BUILD_SEED`` and ``TT_BUILD_FILL`` give the
    emulator's seed and fill (0). Raises ``HostError``, or ``ToolchainError`` without a compiler.
    """
    folder = host_program.resolve().parent
    library = _library()
    with tempfile.TemporaryDirectory() as name:
        card = Path(name) / "card.cpp"
        card.write_text(_card(load_arch(arch)))
        kernels = f'-DKERNEL_DIR="{folder}/"'
        places = [f"-I{HERE / 'include'}", f"-I{HERE}"]
        output.parent.mkdir(parents=True, exist_ok=True)
        code, messages = toolchain.run_compiler(
            [*FLAGS, *places, kernels, str(host_program), str(card), str(library), "-o", str(output)]
        )
    if code:
        raise HostError(messages)


def _library() -> Path:
    files = [HERE / "host.cpp", HERE / "card.h", *sorted((HERE / "include").rglob("*.hpp"))]
    key = toolchain.digest(toolchain.compiler_version(), *LIBRARY_FLAGS, *(path.read_bytes() for path in files))
    target = toolchain.cache_folder() / "host" / key / "host.o"
    if not target.exists():
        with toolchain.published(target) as path:
            source = str(HERE / "host.cpp")
            code, messages = toolchain.run_compiler(
                [*LIBRARY_FLAGS, f"-I{HERE / 'include'}", "-c", source, "-o", str(path)]
            )
            if code:
                raise ToolchainError(
                    f"the emulator's host library does not compile with {toolchain.compiler()}:\n{messages}"
                )
    return target


def _card(arch: Arch) -> str:
    align = arch.alignment
    numbers = (
        arch.dram_banks,
        align.dram_page,
        align.l1_page,
        arch.l1_base,
        arch.circular_buffers,
        arch.semaphores,
        DRAM_BASE,
        arch.dram_bank_bytes,
        arch.l1_base + arch.l1_allocatable,
    )
    columns, rows = arch.virtual_columns[: arch.grid[0]], arch.virtual_rows[: arch.grid[1]]
    lists = ", ".join("{" + ", ".join(map(str, values)) + "}" for values in (columns, rows))
    texts = [json.dumps(text) for text in (sys.executable, str(HERE.parents[2]))]
    fields = ", ".join((f'"{arch.name}"', *map(str, numbers), lists, *texts))
    return f'#include "card.h"\nconst Card card{{{fields}}};\n'
