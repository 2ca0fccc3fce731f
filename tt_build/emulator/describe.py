"""The engine's input: a description of words and lines, and the raw bytes of tensors (main.cpp reads both)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from tt_build.emulator.formats import POISON_HIGH_NIBBLE, POISON_LOW_NIBBLE, device_bytes, poison_mask
from tt_build.emulator.memory import Layout, PlacedBuffer, cores_of, refuse
from tt_build.emulator.sources import Sources, is_compute, noc_and_processor
from tt_build.ir.plan import ArgRef, Buffer, Plan, PlanKernel, RuntimeArg
from tt_build.targets import Arch

_FIDELITY = {"LoFi": 0, "HiFi2": 2, "HiFi3": 3, "HiFi4": 4}
_CB_KIND, _BUFFER_KIND, _SEMAPHORE_KIND, _ARGS_KIND, _ZEROS_KIND = range(5)


class Origins:
    """Shadow bytes: what each nonzero value says about where poison comes from."""

    def __init__(self) -> None:
        self.names = ["", "undefined data", "a NoC read whose barrier has not been reached"]
        self._reserved = {
            POISON_LOW_NIBBLE: "padding of a bfloat4_b tensor",
            POISON_HIGH_NIBBLE: "padding of a bfloat4_b tensor",
        }

    def all(self) -> dict[int, str]:
        """The text of each shadow byte that may occur."""
        return {**dict(enumerate(self.names)), **self._reserved}

    def add(self, text: str) -> int:
        """The shadow byte for that origin; origins beyond 255 share the last."""
        if text in self.names:
            return self.names.index(text)
        while len(self.names) in self._reserved:
            self.names.append(self._reserved[len(self.names)])
        if len(self.names) > 250:
            return 250
        self.names.append(text)
        return len(self.names) - 1


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What may vary between runs of a plan.

    ``seed`` orders threads and transfers, ``fill`` chooses the bytes of undefined memory, ``numerics_seed`` moves SFPU
    results within their bound; ``scalars`` are the values of run-time scalars.
    """

    seed: int = 0
    fill: int = 0
    numerics_seed: int = 0
    trace: bool = False
    scalars: Mapping[str, float | int] = {}


class RawPages(msgspec.Struct, frozen=True):
    """A tensor as pages of bytes, one after the other.

    ``undefined`` is nonzero where nobody has written: one of the codes of half a byte, or any other number.
    """

    data: NDArray[np.uint8]
    undefined: NDArray[np.uint8] | None = None


class Run:
    """Everything that one run of a plan needs; ``write`` gives the engine's two input files."""

    def __init__(
        self, plan: Plan, arch: Arch, layout: Layout, sources: Sources, libraries: tuple[Path, ...], settings: Settings
    ) -> None:
        self.plan, self.arch, self.layout, self.sources, self.libraries = plan, arch, layout, sources, libraries
        self.settings = settings
        self.core_index = {core: i for i, core in enumerate(layout.cores)}
        self.origins = Origins()

    def write(self, description: Path, data: BinaryIO, inputs: Mapping[str, NDArray[Any] | RawPages]) -> None:
        """Writes the description and the bytes of the input tensors."""
        lines = [*self._machine(), *self._cores()]
        lines.append(f"buffers {len(self.layout.buffers)}")
        for name, placed in self.layout.buffers.items():
            lines += self._buffer(name, placed, data, inputs.get(name))
        lines += self._cbs()
        lines += self._kernels()
        names = [f"origin {code} {text}" for code, text in self.origins.all().items()]
        description.write_text("\n".join([*names, *lines]) + "\n")

    def _machine(self) -> list[str]:
        a = self.arch
        align = a.alignment
        # 0: transfers move only when they must; else one in n scheduling steps moves one
        s = self.settings
        delivery = (0, 4, 16, 64)[s.seed % 4]
        return [
            f"arch {a.name} {a.l1_bytes} {a.l1_base} {a.circular_buffers} {a.noc_max_burst} {align.l1_read} "
            f"{align.dram_read} {align.dram_write} {a.dram_banks} {self.layout.sem_base} {self.layout.arg_base}",
            "grid " + " ".join(map(str, (*a.grid, *a.virtual_columns[: a.grid[0]], *a.virtual_rows[: a.grid[1]]))),
            f"run {s.seed} {s.fill} {delivery} {int(s.trace)} {s.numerics_seed}",
        ]

    def _cores(self) -> list[str]:
        x0 = min(x for x, _ in self.layout.cores)
        y0 = min(y for _, y in self.layout.cores)
        lines = [f"core {x} {y} {x - x0} {y - y0}" for x, y in self.layout.cores]
        for core, index in self.core_index.items():
            lines.append(f"alloc {index} {_ZEROS_KIND} 0 {0x10000} 512")
            lines.append(f"alloc {index} {_ARGS_KIND} 0 {self.layout.arg_base} {5 * 2048}")
            lines.append(f"alloc {index} {_SEMAPHORE_KIND} 0 {self.layout.sem_base} 256")
            lines += self._allocations(core, index)
            for semaphore in self.plan.semaphores:
                if core in cores_of(semaphore.core_ranges):
                    lines.append(f"semaphore {index} {semaphore.id} {semaphore.initial_value}")
        return lines

    def _allocations(self, core: tuple[int, int], index: int) -> list[str]:
        found: dict[int, str] = {}
        for cb in self.layout.cbs:
            if cb.bound is None and core in cb.cores and cb.address not in found:
                origin = self.origins.add(
                    f"circular buffer {cb.id}, pages that nobody has written since they were freed"
                )
                found[cb.address] = f"alloc {index} {_CB_KIND} {cb.alloc} {cb.address} {cb.bytes} {origin}"
        for i, placed in enumerate(self.layout.buffers.values()):
            if not placed.dram and core in placed.banks:
                found[placed.address] = f"alloc {index} {_BUFFER_KIND} {i} {placed.address} {placed.bank_bytes}"
        return [found[address] for address in sorted(found)]

    def _buffer(
        self, name: str, placed: PlacedBuffer, data: BinaryIO, array: NDArray[Any] | RawPages | None
    ) -> list[str]:
        buffer = self.plan.buffers[name]
        fresh = self.origins.add(f"tensor {name}, where nobody has written")
        padding = self.origins.add(f"padding of tensor {name}")
        size = f"{placed.address} {placed.page} {placed.bank_bytes} {len(placed.pages)}"
        head = f"buffer {name} {int(placed.dram)} {size} {fresh} {padding}"
        lines = [head]
        banks = None if array is None else bank_bytes(buffer, placed, array, self.settings.fill, fresh, padding)
        output = int(buffer.role in ("output", "both"))
        for i, bank in enumerate(placed.banks):
            core = -1 if placed.dram else self.core_index[bank]
            given = 0
            if banks is not None:
                given = 1 if banks[1][i].any() else 2
                data.write(banks[0][i].data)
                if given == 1:
                    data.write(banks[1][i].data)
            lines.append(f"bank {core} {given} {output}")
        return lines

    def _cbs(self) -> list[str]:
        exact = {
            (core, cb)
            for k in self.plan.kernels
            for cb in k.config.unpack_to_dest_fp32 or ()
            for core in cores_of(k.core_ranges)
        }
        lines = []
        for cb in self.layout.cbs:
            origin = self.origins.add(f"circular buffer {cb.id}, pages that nobody has written since they were freed")
            for core in cb.cores:
                flags = f"{int(cb.bound is not None)} {int((core, cb.id) in exact)}"
                lines.append(
                    f"cb {self.core_index[core]} {cb.id} {cb.address} {cb.page} {cb.pages} {cb.format_code} {origin} "
                    f"{flags}"
                )
        return lines

    def _kernels(self) -> list[str]:
        lines = [*(f"library {path}" for path in self.libraries), f"kernels {len(self.plan.kernels)}"]
        for index, kernel in enumerate(self.plan.kernels):
            compute, config = is_compute(kernel), kernel.config
            noc, processor = noc_and_processor(kernel)
            found = self.sources.entries[index]
            entries = " ".join((str(len(found)), *(f"{e.unit} {e.symbol}" for e in found)))
            common = " ".join(str(self._value(a, kernel)) for a in kernel.common_runtime_args)
            fidelity = _FIDELITY[config.math_fidelity or "HiFi4"]
            modes = (config.fp32_dest_acc_en, config.math_approx_mode, config.dst_full_sync_en)
            numbers = " ".join(map(str, (int(compute), processor, noc, fidelity, *(int(bool(m)) for m in modes))))
            lines.append(f"kernel {kernel.source.replace(' ', '_')} {numbers} {entries} {common}")
            given = {a.core: a.args for a in kernel.runtime_args}
            capacity = self.arch.dst_capacity(
                fp32=bool(config.fp32_dest_acc_en), full_sync=bool(config.dst_full_sync_en)
            )
            for core in cores_of(kernel.core_ranges):
                args = " ".join(str(self._value(a, kernel)) for a in given.get(core, ()))
                lines.append(f"thread {index} {self.core_index[core]} {capacity} {args}")
        return lines

    def _value(self, arg: RuntimeArg, kernel: PlanKernel) -> int:
        if not isinstance(arg, ArgRef):
            return arg & 0xFFFFFFFF
        if arg.address_of is not None:
            return self.layout.buffers[arg.address_of].address
        if arg.noc_x is not None:
            return self.arch.virtual(*arg.noc_x)[0]
        if arg.noc_y is not None:
            return self.arch.virtual(*arg.noc_y)[1]
        if arg.semaphore is not None:
            return arg.semaphore
        if arg.scalar is not None:
            return scalar_bits(self.plan, arg.scalar, self.settings.scalars)
        refuse("EMU709", f"kernel {kernel.source}: a runtime argument that names nothing", "set exactly one field")
        raise AssertionError


def scalar_bits(plan: Plan, name: str, scalars: Mapping[str, float | int]) -> int:
    """The 32-bit word of a run-time scalar, by its dtype in the plan (float32 bits, or an integer)."""
    if name not in scalars:
        refuse("EMU709", f"the plan needs a value for scalar {name}", f"pass scalars={{'{name}': ...}}")
    dtype = plan.scalars.get(name, "float32")
    if dtype in ("int32", "uint32", "uint16"):
        return int(scalars[name]) & 0xFFFFFFFF
    return int(np.asarray(scalars[name], np.float32).view(np.uint32))


def bank_bytes(
    buffer: Buffer, placed: PlacedBuffer, array: NDArray[Any] | RawPages, fill: int, fresh: int, padding: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(data, shadow) of every bank, shape (banks, bytes of a bank)."""
    if isinstance(array, RawPages):
        raw, undefined = array.data, array.undefined
        mask = np.zeros(raw.size, np.uint8) if undefined is None else _undefined(undefined, fresh)
    else:
        raw, mask = _padded_bytes(buffer, array, fill, padding)
    pages = len(placed.pages)
    if raw.size % pages or raw.size // pages > placed.page:
        text = f"tensor {placed.name} has {pages} pages of {placed.page} B, the input has {raw.size} B"
        refuse("EMU710", text, "pass the pages of a tensor of the same shape, dtype and format")
    size = raw.size // pages
    whole = np.full((len(placed.banks), placed.bank_bytes), 0xFF if fill == 0 else 0x5A ^ (fill & 0xFF), np.uint8)
    shadow = np.full_like(whole, fresh)
    where = np.asarray(placed.pages)
    offsets = where[:, 0] * placed.bank_bytes + where[:, 1]
    if np.all(where[:, 1] % size == 0) and placed.bank_bytes % size == 0:
        whole.reshape(-1, size)[offsets // size] = raw.reshape(pages, size)
        shadow.reshape(-1, size)[offsets // size] = mask.reshape(pages, size)
    else:
        flat, flat_shadow = whole.reshape(-1), shadow.reshape(-1)
        for i, at in enumerate(offsets):
            flat[at : at + size] = raw[i * size : (i + 1) * size]
            flat_shadow[at : at + size] = mask[i * size : (i + 1) * size]
            # a row's page is aligned: the gap is padding too
            flat_shadow[at + size : at + placed.page] = padding
    return whole, shadow


def _undefined(codes: NDArray[np.uint8], fresh: int) -> NDArray[np.uint8]:
    """Shadow bytes of this run for those of another: ``fresh``, and what says which half of a byte it is."""
    halves = np.isin(codes, (POISON_LOW_NIBBLE, POISON_HIGH_NIBBLE))
    return np.where(halves, codes, np.where(codes, fresh, 0)).astype(np.uint8)


def _padded_bytes(
    buffer: Buffer, array: NDArray[Any], fill: int, padding: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    raw = device_bytes(array, buffer.dtype, padded_shape=buffer.padded_shape, fmt=buffer.format, fill=fill)
    if not buffer.needs_padding and tuple(buffer.shape) == tuple(buffer.padded_shape):
        return raw, np.zeros(raw.size, np.uint8)
    mask = np.frombuffer(poison_mask(buffer.shape, buffer.padded_shape, buffer.dtype, buffer.format), np.uint8)
    return raw, np.where(mask == 1, np.uint8(padding), mask)


def pages_of(placed: PlacedBuffer, banks: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The pages of a tensor, in order, from the bytes of its banks; ``size`` bytes of each."""
    where = np.asarray(placed.pages)
    offsets = where[:, 0] * placed.bank_bytes + where[:, 1]
    flat = banks.reshape(-1)
    if np.all(offsets % size == 0) and flat.size % size == 0:
        return np.asarray(flat.reshape(-1, size)[offsets // size].reshape(-1), np.uint8)
    return np.concatenate([flat[at : at + size] for at in offsets])
