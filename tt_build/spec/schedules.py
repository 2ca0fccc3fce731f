"""``schedule``, ``layout``, ``math``, ``verify``, ``target`` and ``defaults``: nodes to their structures."""

from __future__ import annotations

from collections.abc import Mapping as MappingType

from tt_build.lang.calls import dtype_help
from tt_build.spec.document import Node, Scalar, Sequence
from tt_build.spec.fields import Fields, Path
from tt_build.spec.model import (
    CoreRegion,
    DefaultsSpec,
    MathSpec,
    MatmulSchedule,
    ScheduleSpec,
    Sharding,
    VerifySpec,
)
from tt_build.spec.nearest import did_you_mean
from tt_build.targets.dtypes import DTYPES

POLICIES = ("contiguous", "strided", "rectangular")
ORDERS = ("row_major", "column_major", "serpentine", "z_order")
ALGORITHMS = ("auto", "streaming", "reuse", "mcast_1d_in0", "mcast_1d_in1", "mcast_2d")
LAYOUTS = ("dram_interleaved", "l1_interleaved")
FIDELITIES = ("LoFi", "HiFi2", "HiFi3", "HiFi4")
LARGEST = 2**31 - 1
MOST_CORES = 1024
DEEPEST = 64


class Policies:
    """The named policies of all files."""

    def __init__(self) -> None:
        self.schedule: dict[str, ScheduleSpec] = {}
        self.layout: dict[str, Sharding] = {}
        self.refused: set[str] = set()
        """``schedule NAME`` and ``layout NAME`` whose definition was refused; ``schedule`` and ``layout``: any."""

    def is_refused(self, kind: str, name: str) -> bool:
        """Whether the definition was there and was refused, so that nothing is to be said about its uses."""
        return kind in self.refused or f"{kind} {name}" in self.refused


def schedule(fields: Fields, node: Node, path: Path, policies: Policies) -> ScheduleSpec | None:
    """A policy's name or a mapping."""
    if isinstance(node, Scalar):
        name = fields.text(node, path, "a mapping or the name of a policy")
        if name is None:
            return None
        if name in policies.schedule:
            return policies.schedule[name]
        if policies.is_refused("schedule", name):
            return None
        help_ = did_you_mean(name, policies.schedule, what="policies") or "define it under policies: {schedule: ...}"
        if name in POLICIES:
            help_ = f"write schedule: {{policy: {name}}}"
        fields.error("TTB026", f"there is no schedule policy '{name}'", path, help_)
        return None
    return schedule_mapping(fields, node, path)


def schedule_mapping(fields: Fields, node: Node, path: Path) -> ScheduleSpec | None:
    """A schedule written out."""
    known = ("policy", "order", "cores", "matmul")
    entries = fields.mapping(
        node, path, known, help_="write {policy: contiguous, order: row_major}, or a policy's name"
    )
    if entries is None:
        return None
    policy = order = cores = matmul = None
    if "policy" in entries:
        policy = fields.word(entries["policy"], (*path, "policy"), POLICIES, "policy")
    if "order" in entries:
        order = fields.word(entries["order"], (*path, "order"), ORDERS, "order")
    if "cores" in entries:
        cores = core_region(fields, entries["cores"], (*path, "cores"))
    if "matmul" in entries:
        matmul = matmul_schedule(fields, entries["matmul"], (*path, "matmul"))
    return ScheduleSpec(policy=policy, order=order, cores=cores, matmul=matmul)


def core_region(fields: Fields, node: Node, path: Path) -> CoreRegion | None:
    """``{at: [x, y], size: [columns, rows]}`` or ``[columns, rows]``."""
    if isinstance(node, Sequence):
        size = fields.pair(node, path, "columns, rows", 1, MOST_CORES)
        return None if size is None else CoreRegion(size=size)
    help_ = "write {at: [x, y], size: [columns, rows]} or [columns, rows]"
    entries = fields.mapping(node, path, ("at", "size"), ("size",), help_)
    if entries is None or "size" not in entries:
        return None
    size = fields.pair(entries["size"], (*path, "size"), "columns, rows", 1, MOST_CORES)
    at: tuple[int, int] | None = (0, 0)
    if "at" in entries:
        at = fields.pair(entries["at"], (*path, "at"), "x, y", 0, MOST_CORES)
    return None if size is None or at is None else CoreRegion(at=at, size=size)


def matmul_schedule(fields: Fields, node: Node, path: Path) -> MatmulSchedule | None:
    """``{algorithm, block, k_block, k_split, subblock, noc, depth, linked, order}``."""
    known = ("algorithm", "block", "k_block", "k_split", "subblock", "noc", "depth", "linked", "order")
    if fields.word_in_place(node, path, "algorithm", ALGORITHMS):
        return None
    entries = fields.mapping(node, path, known, help_="write {algorithm: auto}")
    if entries is None:
        return None
    algorithm: str | None = "auto"
    if "algorithm" in entries:
        algorithm = fields.word(entries["algorithm"], (*path, "algorithm"), ALGORITHMS, "algorithm")
    pairs = {
        key: fields.pair(entries[key], (*path, key), "rows, columns", 1, LARGEST)
        for key in ("block", "subblock")
        if key in entries
    }
    limits = {"k_block": (1, LARGEST), "k_split": (1, MOST_CORES), "noc": (0, 1), "depth": (1, DEEPEST)}
    numbers = {key: fields.integer(entries[key], (*path, key), *limits[key]) for key in limits if key in entries}
    order = fields.word(entries["order"], (*path, "order"), ORDERS, "order") if "order" in entries else None
    linked = fields.boolean(entries["linked"], (*path, "linked")) if "linked" in entries else None
    return MatmulSchedule(
        algorithm=algorithm or "auto",
        block=pairs.get("block"),
        subblock=pairs.get("subblock"),
        k_block=numbers.get("k_block"),
        k_split=numbers.get("k_split"),
        noc=numbers.get("noc"),
        depth=numbers.get("depth"),
        linked=linked,
        order=order,
    )


def layout(
    fields: Fields, node: Node, path: Path, policies: Policies, sizes: MappingType[str, int]
) -> str | Sharding | None:
    """An interleaved layout's name, a policy's name, or a sharding."""
    if not isinstance(node, Scalar):
        return sharding(fields, node, path, sizes)
    name = fields.text(node, path, "the name of a layout or a mapping")
    if name is None:
        return None
    if name in LAYOUTS:
        return name
    if name in policies.layout:
        return policies.layout[name]
    if policies.is_refused("layout", name):
        return None
    help_ = did_you_mean(name, (*LAYOUTS, *policies.layout), what="layouts")
    fields.error("TTB026", f"there is no layout '{name}'", path, help_)
    return None


def sharding(fields: Fields, node: Node, path: Path, sizes: MappingType[str, int]) -> Sharding | None:
    """``{memory, sharding, grid, shard, order}``."""
    known = ("memory", "sharding", "grid", "shard", "order")
    help_ = "write dram_interleaved, l1_interleaved, or {memory: l1, sharding: block, grid: [2, 2]}"
    entries = fields.mapping(node, path, known, ("memory", "sharding"), help_)
    if entries is None:
        return None
    memory = kind = grid = shard = None
    order: str | None = "row_major"
    if "memory" in entries:
        memory = fields.word(entries["memory"], (*path, "memory"), ("l1", "dram"), "memory")
    if "sharding" in entries:
        kind = fields.word(entries["sharding"], (*path, "sharding"), ("height", "width", "block"), "sharding")
    if "grid" in entries:
        grid = fields.pair(entries["grid"], (*path, "grid"), "columns, rows", 1, MOST_CORES, sizes)
    if "shard" in entries:
        shard = fields.pair(entries["shard"], (*path, "shard"), "rows, columns", 1, LARGEST, sizes)
    if "order" in entries:
        order = fields.word(entries["order"], (*path, "order"), ORDERS[:2], "order")
    if memory is None or kind is None:
        return None
    return Sharding(memory=memory, sharding=kind, grid=grid, shard=shard, order=order or "row_major")


def dtype(fields: Fields, node: Node, path: Path) -> str | None:
    """The name of a dtype."""
    if isinstance(node, Scalar) and node.value in DTYPES:
        return node.value
    name = fields.text(node, path, "the name of a dtype")
    if name is not None:
        fields.error("TTB023", f"unknown dtype '{name[:60]}'", path, dtype_help(name))
    return None


def math(fields: Fields, node: Node, path: Path) -> MathSpec | None:
    """``{fidelity, fp32_accumulate, approximate}``."""
    entries = fields.mapping(node, path, ("fidelity", "fp32_accumulate", "approximate"))
    if entries is None:
        return None
    fidelity = fp32 = approximate = None
    if "fidelity" in entries:
        fidelity = fields.word(entries["fidelity"], (*path, "fidelity"), FIDELITIES, "fidelity")
    if "fp32_accumulate" in entries:
        fp32 = fields.boolean(entries["fp32_accumulate"], (*path, "fp32_accumulate"))
    if "approximate" in entries:
        approximate = fields.boolean(entries["approximate"], (*path, "approximate"))
    return MathSpec(fidelity=fidelity, fp32_accumulate=fp32, approximate=approximate)


def verify(fields: Fields, node: Node, path: Path, sizes: MappingType[str, int]) -> VerifySpec | None:
    """``{pcc, rtol, atol, seed, inputs, sizes}``."""
    entries = fields.mapping(node, path, ("pcc", "rtol", "atol", "seed", "inputs", "sizes"))
    if entries is None:
        return None
    limits = {"pcc": (-1.0, 1.0), "rtol": (0.0, 3.4e38), "atol": (0.0, 3.4e38)}
    numbers = {key: fields.number(entries[key], (*path, key), *limits[key]) for key in limits if key in entries}
    seed = fields.integer(entries["seed"], (*path, "seed"), 0, 2**32 - 1) if "seed" in entries else None
    inputs = None
    if "inputs" in entries:
        inputs = fields.word(entries["inputs"], (*path, "inputs"), ("normal", "uniform", "ones"), "kind of inputs")
    smaller: dict[str, int] | None = None
    if "sizes" in entries:
        smaller = {}
        for name, value in fields.named(entries["sizes"], (*path, "sizes"), "size").items():
            place = (*path, "sizes", name)
            if name in fields.broken_sizes:
                continue
            if name not in sizes:
                help_ = did_you_mean(name, sizes, what="sizes of this kernel")
                fields.error("TTB010", f"unknown size '{name}'", place, help_, key=True)
                continue
            number = fields.integer(value, place, 1, LARGEST)
            if number is not None:
                smaller[name] = number
    return VerifySpec(
        pcc=numbers.get("pcc"),
        rtol=numbers.get("rtol"),
        atol=numbers.get("atol"),
        seed=seed,
        inputs=inputs,
        sizes=smaller,
    )


def defaults(fields: Fields, node: Node, path: Path, policies: Policies) -> DefaultsSpec:
    """The file's ``defaults``."""
    entries = fields.mapping(node, path, ("dtype", "tile", "layout", "schedule", "math"))
    if entries is None:
        return DefaultsSpec()
    tile = None
    if "tile" in entries:
        tile = fields.pair(entries["tile"], (*path, "tile"), "32, 32", 1, 1024)
        if tile is not None and tile != (32, 32):
            fields.error(
                "TTB008", f"tiles of {tile[0]} x {tile[1]} are not supported", (*path, "tile"), "write [32, 32]"
            )
            tile = None
    return DefaultsSpec(
        dtype=dtype(fields, entries["dtype"], (*path, "dtype")) if "dtype" in entries else None,
        tile=tile,
        layout=layout(fields, entries["layout"], (*path, "layout"), policies, {}) if "layout" in entries else None,
        schedule=schedule(fields, entries["schedule"], (*path, "schedule"), policies)
        if "schedule" in entries
        else None,
        math=math(fields, entries["math"], (*path, "math")) if "math" in entries else None,
    )
