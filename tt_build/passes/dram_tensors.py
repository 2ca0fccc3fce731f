"""What tensors take of DRAM, and the refusal of a kernel's own where that is more than there is (TTB304)."""

from __future__ import annotations

from collections.abc import Mapping

from tt_build.ir.stages import Buffer, Kernel, memory_of
from tt_build.passes.common import refuse
from tt_build.targets import Arch


def bytes_in_dram(buffer: Buffer, arch: Arch) -> int:
    """Bytes of each bank: a shard, or an equal share of the pages, which go round all banks."""
    if memory_of(buffer.layout) != "dram":
        return 0
    pages = buffer.shards.pages if buffer.shards is not None else -(-buffer.pages // arch.dram_banks)
    return pages * buffer.accessor_words[1]


def check_dram(kernel: Kernel, buffers: tuple[Buffer, ...], arch: Arch) -> None:
    """Refuse tensors that are more than DRAM together: the allocator gives all banks the same."""
    sizes = {buffer: bytes_in_dram(buffer, arch) for buffer in buffers}
    need = sum(sizes.values())
    if need <= arch.dram_bank_bytes:
        return
    largest = max(sizes, key=lambda buffer: sizes[buffer])
    refuse(
        kernel,
        "TTB304",
        f"the tensors in DRAM take {dram_shortage(need, arch)}",
        path=("inputs" if largest.role == "input" else "outputs", largest.name, "shape"),
        help=dram_advice({buffer.name: size for buffer, size in sizes.items()}, arch),
    )


def dram_shortage(need: int, arch: Arch) -> str:
    """What is needed of each bank, and what there is."""
    return f"{need:,} B of each of {arch.dram_banks} banks; {arch.name} ({arch.card}) has {arch.dram_bank_bytes:,} B"


def dram_advice(sizes: Mapping[str, int], arch: Arch) -> str:
    """How much less would fit, and a table of the tensors by name."""
    least = sum(sizes.values()) - arch.dram_bank_bytes
    rows = [f"  {name:<24} {size:>15,} B" for name, size in sizes.items() if size]
    return "\n".join([f"declare smaller shapes: {least:,} B of each bank less", *rows])
