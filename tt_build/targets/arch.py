"""Architectures as data: one JSON file each under ``tt_build/targets/arch``.

Facts are those of TT-Metalium 0.81.1 (core and SoC descriptors, HAL alignments, mock device); sizes are bytes.
"""

from __future__ import annotations

import functools
from importlib import resources

import msgspec

from tt_build.decoding import decode

SIGNATURE_DATA = ("arch/*.json",)


class Alignment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Byte alignments: source and destination of a transfer must be congruent modulo the one that applies."""

    l1_read: int
    l1_write: int
    dram_read: int
    dram_write: int
    dram_page: int
    l1_page: int


class DstTiles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tiles that one DST section holds, by synchronisation (half, full) and precision."""

    half_bf16: int
    half_fp32: int
    full_bf16: int
    full_fp32: int


class Arch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One chip as a kernel sees it. ``grid`` is (x, y) worker cores; virtual coordinates are per column and row."""

    name: str
    card: str
    grid: tuple[int, int]
    dram_banks: int
    dram_bank_bytes: int
    l1_bytes: int
    l1_base: int
    l1_allocatable: int
    circular_buffers: int
    semaphores: int
    runtime_args: int
    noc_max_burst: int
    alignment: Alignment
    virtual_columns: tuple[int, ...]
    virtual_rows: tuple[int, ...]
    dst_tiles: DstTiles
    clock_ghz: float

    def virtual(self, x: int, y: int) -> tuple[int, int]:
        """Virtual NoC coordinates of the logical worker core (x, y)."""
        return self.virtual_columns[x], self.virtual_rows[y]

    def dst_capacity(self, *, fp32: bool, full_sync: bool = False) -> int:
        """Tiles that a DST section holds."""
        tiles = self.dst_tiles
        if full_sync:
            return tiles.full_fp32 if fp32 else tiles.full_bf16
        return tiles.half_fp32 if fp32 else tiles.half_bf16


def available_archs() -> tuple[str, ...]:
    """Names of the architectures that this installation knows, Wormhole first."""
    folder = resources.files("tt_build.targets") / "arch"
    names = [entry.name[: -len(".json")] for entry in folder.iterdir() if entry.name.endswith(".json")]
    return tuple(sorted(names, reverse=True))


@functools.cache
def load_arch(name: str) -> Arch:
    """The architecture of that name; ``KeyError`` when there is none (``available_archs`` lists them)."""
    if name not in available_archs():
        raise KeyError(name)
    data = (resources.files("tt_build.targets") / "arch" / f"{name}.json").read_bytes()
    return decode(data, Arch)
