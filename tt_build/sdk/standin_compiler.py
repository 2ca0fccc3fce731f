"""Stands in for the SDK's compiler (SFPI is not in the wheel) where only the host side of the runtime is under test.

Copied as ``riscv-tt-elf-g++`` into the mock device's root. It compiles nothing: it logs its command line to
``$TT_BUILD_JIT_LOG`` and writes what the runtime looks at, a dependency file and a minimal RISC-V executable of one
``ret``. For firmware, which is in the wheel, it copies the wheel's own. Runs alone: standard library only.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from pathlib import Path

# The runtime asks for a version; with this one it finds the wheel's precompiled firmware.
_VERSION = "riscv-tt-elf-g++ (tenstorrent/sfpi:7.89.0[1050]) 15.1.0"
_TEXT, _DATA = 0x10000, 0xFFB00400
_RETURN = struct.pack("<I", 0x00008067)


def main(arguments: list[str]) -> int:
    log = os.environ.get("TT_BUILD_JIT_LOG")
    if "--version" in arguments:
        print(_VERSION)
        return 0
    if log:
        with open(log, "a", encoding="utf-8") as file:
            file.write(json.dumps({"cwd": os.getcwd(), "arguments": arguments}) + "\n")
    if "-o" not in arguments:
        return 0
    output = Path(arguments[arguments.index("-o") + 1])
    if output.suffix == ".elf":
        output.write_bytes(_firmware(output) if "/firmware/" in str(output) else kernel_elf())
    else:
        output.write_bytes(b"")
    if "-MMD" in arguments:
        named = arguments[arguments.index("-MF") + 1] if "-MF" in arguments else output.with_suffix(".d")
        Path(named).write_text(f"{output}:\n")
    return 0


def _firmware(output: Path) -> bytes:
    """The wheel's precompiled firmware of that processor; any build of it will do on a device that does not exist."""
    name = output.parent.name
    root = Path(__file__).resolve().parents[4] / "tt_metal" / "pre-compiled"
    return sorted(root.glob(f"*/{name}/{name}.elf"))[0].read_bytes()


def kernel_elf() -> bytes:
    """A kernel as the runtime wants it: text and data segments, symbols, one relocation that does nothing."""
    names = b"\0.text\0.data\0.rela.text\0.symtab\0.strtab\0.shstrtab\0"
    symbols = bytes(16) + struct.pack("<IIIBBH", 1, _TEXT, 16, 0x12, 0, 1)
    contents = (_RETURN * 4, bytes(16), struct.pack("<IIi", _TEXT, 0, 0), symbols, b"\0_start\0", names)
    offsets, body, offset = [], b"", 52 + 2 * 32
    for content in contents:
        padding = -offset % 16
        offsets.append(offset + padding)
        body += bytes(padding) + content
        offset += padding + len(content)
    body += bytes(-offset % 4)
    offset += -offset % 4
    # name, type, flags, address, link, info, alignment, entry size
    kinds = (
        (b".text", 1, 6, _TEXT, 0, 0, 16, 0),
        (b".data", 1, 3, _DATA, 0, 0, 16, 0),
        (b".rela.text", 4, 0x40, 0, 4, 1, 4, 12),
        (b".symtab", 2, 0, 0, 5, 0, 4, 16),
        (b".strtab", 3, 0, 0, 0, 0, 1, 0),
        (b".shstrtab", 3, 0, 0, 0, 0, 1, 0),
    )
    sections = bytes(40)
    for (name, kind, flags, address, link, info, alignment, entry), start, content in zip(
        kinds, offsets, contents, strict=True
    ):
        at = names.index(b"\0" + name + b"\0") + 1
        sections += struct.pack("<10I", at, kind, flags, address, start, len(content), link, info, alignment, entry)
    programs = struct.pack("<8I", 1, offsets[0], _TEXT, _TEXT, 16, 16, 5, 16)
    programs += struct.pack("<8I", 1, offsets[1], _DATA, _TEXT + 16, 16, 16, 6, 16)
    header = b"\x7fELF\1\1\1" + bytes(9)
    header += struct.pack("<HHIIIIIHHHHHH", 2, 243, 1, _TEXT, 52, offset, 0, 52, 32, 2, 40, 7, 6)
    return header + programs + body + sections


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
