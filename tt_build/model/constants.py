"""The figures of each architecture as data: one JSON file each under ``tt_build/model/arch``.

Every figure has a unit, a source and a confidence: high where it was measured or specified for this very use, medium
where it comes from a fit or another use, low where it is an estimate. Cycles are those of the architecture's clock.
"""

from __future__ import annotations

import functools
from importlib import resources

import msgspec

from tt_build.decoding import decode

SIGNATURE_DATA = ("arch/*.json",)


class Figure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One figure of the file."""

    value: float
    unit: str
    source: str
    confidence: str


class VectorFigure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cycles of a vector function on one tile."""

    cycles: int
    source: str
    confidence: str


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole file. ``sfpu_simple`` names the functions of a few instructions, which cost the same."""

    name: str
    constants: dict[str, Figure]
    sfpu: dict[str, VectorFigure]
    sfpu_approximate: dict[str, VectorFigure]
    sfpu_simple: tuple[str, ...]


class Constants(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The values alone, by name; units and sources are in the file."""

    phase_cycles: float
    matmul_overhead: float
    unpack_rate: float
    unpack_joint_rate: float
    pack_rate: float
    pack_accumulate: float
    eltwise_cycles: float
    copy_cycles: float
    section_cycles: float
    init_cycles: float
    sfpu_default: float
    sfpu_simple: float
    dram_read_latency: float
    dram_read_rate: float
    l1_read_latency: float
    l1_read_rate: float
    write_latency: float
    write_rate: float
    l1_write_rate: float
    read_issue: float
    write_issue: float
    sender_read_rate: float
    multicast_rate: float
    multicast_path: float
    multicast_packet: float
    sender_issue: float
    sender_block: float
    semaphore_cycles: float
    cb_cycles: float
    fill_cycles: float
    noc_rate: float
    dram_bank_rate: float
    dram_bank_request: float
    dram_total_rate: float
    dram_second_rate: float
    dram_placed_rate: float
    dram_write_rate: float
    launch_cycles: float
    tie_percent: float


def has_figures(arch: str) -> bool:
    """Whether the model knows that architecture."""
    return (resources.files("tt_build.model") / "arch" / f"{arch}.json").is_file()


@functools.cache
def load_table(arch: str) -> Table:
    """The file of that architecture; ``KeyError`` where the model has none."""
    if not has_figures(arch):
        raise KeyError(arch)
    data = (resources.files("tt_build.model") / "arch" / f"{arch}.json").read_bytes()
    return decode(data, Table)


@functools.cache
def load_constants(arch: str) -> Constants:
    """The values of that architecture; ``KeyError`` where the model has none."""
    values = {name: figure.value for name, figure in load_table(arch).constants.items()}
    return decode(msgspec.json.encode(values), Constants)


@functools.cache
def vector_cycles(arch: str, function: str, *, approximate: bool = False) -> float:
    """Cycles of a vector function on one tile: its own figure, that of its kind, or the default."""
    table, constants = load_table(arch), load_constants(arch)
    if approximate and function in table.sfpu_approximate:
        return table.sfpu_approximate[function].cycles
    if function in table.sfpu:
        return table.sfpu[function].cycles
    return constants.sfpu_simple if function in table.sfpu_simple else constants.sfpu_default
