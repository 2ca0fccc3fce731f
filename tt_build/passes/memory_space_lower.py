"""Pass ``memory_space_lower``: StagedKernel -> BufferedKernel.

Needs   streams, sections and the architecture's L1.
Gives   circular buffers with ids, formats, page sizes and depths; the units and K tiles a block. Every move is a
        whole block and a depth is a multiple of its block, so that pointers always wrap exactly.
Rejects what does not fit L1 even with blocks of one tile (TTB301), more circular buffers than there are (TTB302).
"""

from __future__ import annotations

from tt_build.ir.stages import BufferedKernel, CircularBuffer, MatmulStep, StagedKernel
from tt_build.passes.common import extend, refuse
from tt_build.targets import DTYPES, Arch

MAX_BLOCK = 16  # tiles a barrier: beyond this the NoC is saturated (bytes in flight per barrier)
DEPTH = 2  # blocks: one is filled while the other is drained


def apply(kernel: StagedKernel, arch: Arch) -> BufferedKernel:
    """Place every stream in L1."""
    k_tiles = max(
        (s.k_tiles for section in kernel.sections for s in section.steps if isinstance(s, MatmulStep)), default=1
    )
    has_matmul = any(stream.per == "k" for stream in kernel.streams)
    longest = max(item.count for item in kernel.work)
    budget = arch.l1_allocatable - _l1_tensors(kernel, arch)
    largest = min(MAX_BLOCK, k_tiles if has_matmul else longest)
    for block in range(largest, 0, -1):
        batch, k_block = (1, block) if has_matmul else (block, 1)
        buffers = _buffers(kernel, batch, k_block)
        if sum(cb.size for cb in buffers) <= budget:
            break
    else:
        _refuse_l1(kernel, buffers, budget, arch)
    if len(buffers) > arch.circular_buffers:
        refuse(
            kernel,
            "TTB302",
            f"the kernel needs {len(buffers)} circular buffers; {arch.name} has {arch.circular_buffers}",
            path=("compute",),
            help="split the expression over two kernels",
        )
    return extend(BufferedKernel, kernel, circular_buffers=buffers, batch=batch, k_block=k_block)


def _buffers(kernel: StagedKernel, batch: int, k_block: int) -> tuple[CircularBuffer, ...]:
    buffers: list[CircularBuffer] = []

    def add(name: str, dtype: str, block: int, pages: int, *, unpack_to_dest: bool = False) -> None:
        buffers.append(
            CircularBuffer(
                id=len(buffers),
                name=name,
                dtype=dtype,
                page_size=DTYPES[dtype].tile_bytes,
                block=block,
                num_pages=pages,
                unpack_to_dest=unpack_to_dest,
            )
        )

    for stream in kernel.streams:
        dtype = kernel.tensor(stream.tensor).dtype
        block = {"unit": batch, "k": k_block, "core": 1}[stream.per]
        depth = 1 if stream.per == "core" else DEPTH
        add(stream.cb, dtype, block, depth * block, unpack_to_dest=stream.unpack_to_dest)
    for result in kernel.results:
        add(result.cb, kernel.tensor(result.tensor).dtype, batch, DEPTH * batch)
    turned = {t.target for t in kernel.transposes}
    for item in kernel.intermediates:
        block = k_block if item.cb in turned else 1
        add(item.cb, item.dtype, block, -(-item.tiles // block) * block, unpack_to_dest=item.unpack_to_dest)
    return tuple(buffers)


def _l1_tensors(kernel: StagedKernel, arch: Arch) -> int:
    """Bytes of each core's L1 that the kernel's own interleaved L1 tensors take: their pages go round all workers."""
    banks = arch.grid[0] * arch.grid[1]
    return sum(-(-b.pages // banks) * b.accessor_words[1] for b in kernel.buffers if b.layout == "l1_interleaved")


def _refuse_l1(kernel: StagedKernel, buffers: tuple[CircularBuffer, ...], budget: int, arch: Arch) -> None:
    need = sum(cb.size for cb in buffers)
    rows = "\n".join(f"  {cb.name:<16} {cb.num_pages:>6} x {cb.page_size:>5} = {cb.size:>9} B" for cb in buffers)
    turned = {t.target for t in kernel.transposes}
    advice = "make the tensors smaller, or keep them in DRAM"
    if turned:
        most = (budget - sum(cb.size for cb in buffers if cb.name not in turned)) // buffers[0].page_size
        advice = f"declare the first operand transposed, without .T; or reduce its rows to at most {max(most, 0) * 32}"
    refuse(
        kernel,
        "TTB301",
        f"circular buffers need {need} B of L1 a core; {budget} B of {arch.l1_allocatable} B are left for them",
        path=("compute",),
        help=f"{advice}\n{rows}",
    )
