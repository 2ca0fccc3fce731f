"""Runtime arguments of a kernel as tables that people read: columns that all cores share stand in the call, once."""

from __future__ import annotations

import msgspec

from tt_build.ir.plan import ArgRef, PlanKernel, RuntimeArg

_WIDTH = 108


class ArgTable(msgspec.Struct, frozen=True, kw_only=True):
    """One ``SetRuntimeArgs``: for all cores of the kernel (``everywhere``), or over a table with a row for each core.

    ``binding`` names the columns x, y and those arguments that differ; ``call`` is the argument list.
    """

    everywhere: bool
    call: str
    name: str = ""
    binding: str = ""
    columns: str = ""
    width: int = 0
    lines: tuple[str, ...] = ()


def arg_tables(kernel: PlanKernel, variable: str) -> list[ArgTable]:
    """The tables of a kernel: one for each number of arguments that occurs, in the plan's order of cores."""
    lengths = list(dict.fromkeys(len(entry.args) for entry in kernel.runtime_args))
    tables = []
    for number, length in enumerate(lengths):
        entries = [entry for entry in kernel.runtime_args if len(entry.args) == length]
        columns = [[argument(entry.args[index]) for entry in entries] for index in range(length)]
        varying = [index for index, column in enumerate(columns) if len(set(column)) > 1]
        call = ", ".join(f"arg{index}" if index in varying else columns[index][0] for index in range(length))
        cores = {core for part in kernel.core_ranges for core in part.cores()}
        if not varying and {entry.core for entry in entries} == cores:
            tables.append(ArgTable(everywhere=True, call=call))
            continue
        rows = [
            ", ".join([str(entry.core[0]), str(entry.core[1]), *(columns[index][row] for index in varying)])
            for row, entry in enumerate(entries)
        ]
        suffix = f"_{number}" if len(lengths) > 1 else ""
        tables.append(
            ArgTable(
                everywhere=False,
                call=call,
                name=f"{variable}_args{suffix}",
                binding=", ".join(["x", "y", *(f"arg{index}" for index in varying)]),
                columns=", ".join(["core x, y", *(f"argument {index}" for index in varying)]),
                width=2 + len(varying),
                lines=_lines(rows),
            )
        )
    return tables


def argument(arg: RuntimeArg) -> str:
    """An argument as C++: a number, or what only device and caller know."""
    if isinstance(arg, ArgRef):
        if arg.address_of is not None:
            return f"{arg.address_of}_address"
        if arg.noc_x is not None:
            return f"noc_x({arg.noc_x[0]}, {arg.noc_x[1]})"
        if arg.noc_y is not None:
            return f"noc_y({arg.noc_y[0]}, {arg.noc_y[1]})"
        if arg.scalar is not None:
            return f"{arg.scalar}_scalar"
        return f"semaphore_{arg.semaphore}"
    return word(arg)


def word(value: int) -> str:
    """A 32-bit word; negative numbers as their two's complement."""
    unsigned = value & 0xFFFFFFFF
    return f"{unsigned}u" if unsigned > 0x7FFFFFFF else str(unsigned)


def _lines(rows: list[str]) -> tuple[str, ...]:
    """As many rows on a line as fit."""
    lines, line = [], ""
    for row in rows:
        item = f"{{{row}}},"
        if line and len(line) + 1 + len(item) > _WIDTH:
            lines.append(line)
            line = item
        else:
            line = f"{line} {item}".strip()
    return (*lines, line)
