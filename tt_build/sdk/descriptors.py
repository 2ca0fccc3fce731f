"""``chlkc_descriptors.h`` as the SDK's JIT writes it: what a kernel knows of its circular buffers at compile time.

Formats, tile sizes and the math configuration of one kernel, one array entry for each CB id of the architecture. The
rules were read off the real runtime on its mock device over all formats and settings; tests compare with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

from tt_build.ir.plan import CircularBuffer, Plan, PlanKernel, Range
from tt_build.targets.arch import Arch
from tt_build.targets.dtypes import BY_DATA_FORMAT

FIDELITY = {"LoFi": 0, "HiFi2": 2, "HiFi3": 3, "HiFi4": 4}
_UNUSED_FORMAT = 255
_UNUSED_TILE_BYTES = 1088
_FLOAT32, _TF32, _FLOAT16_B, _BFP8_B, _BFP4_B = 0, 4, 5, 6, 7
_TILE = (
    ("tile_num_faces", "uint8_t", 4),
    ("partial_face", "uint8_t", 0),
    ("tile_face_r_dim", "uint8_t", 16),
    ("narrow_tile", "uint8_t", 0),
    ("tile_r_dim", "uint8_t", 32),
    ("tile_c_dim", "uint8_t", 32),
)
_FACES = (("num_faces_r_dim", "uint8_t", 2), ("num_faces_c_dim", "uint8_t", 2))


def descriptors(plan: Plan, kernel: PlanKernel, arch: Arch) -> str:
    """The header's text for that kernel. Unknown data formats are a ``KeyError``."""
    config = kernel.config
    compute = config.type == "compute"
    accumulate = bool(config.fp32_dest_acc_en)
    to_dest = frozenset(config.unpack_to_dest_fp32 or ())
    formats = cb_formats(plan, kernel)
    fidelity = FIDELITY[config.math_fidelity or "HiFi4"] if compute else 255
    approximate = bool(config.math_approx_mode) if compute else True

    def unpacked(cb: int, code: int) -> int:
        if code != _FLOAT32 or cb in to_dest:
            return code
        return _TF32 if accumulate else _FLOAT16_B

    def packed(_: int, code: int) -> int:
        if code == _FLOAT32 and not accumulate:
            return _FLOAT16_B
        return _BFP8_B if code == _BFP4_B else code

    def same(_: int, code: int) -> int:
        return code

    def by_format(change: Callable[[int, int], int]) -> list[int]:
        return [change(cb, formats[cb][0]) if cb in formats else _UNUSED_FORMAT for cb in range(count)]

    count = arch.circular_buffers
    sizes = [formats[cb][1] if cb in formats else _UNUSED_TILE_BYTES for cb in range(count)]
    source = _array("unpack_src_format", "uint8_t", by_format(same))
    unpack = [source, _array("unpack_dst_format", "uint8_t", by_format(unpacked)), *_tiles("unpack", count, sizes)]
    pack = [
        _array("pack_src_format", "unsigned char", by_format(packed)),
        _array("pack_dst_format", "unsigned char", by_format(same)),
        *_tiles("pack", count, sizes),
    ]
    math = (
        '#include "llk_defs.h"\n'
        f"constexpr ckernel::MathFidelity MATH_FIDELITY = static_cast<ckernel::MathFidelity>({fidelity});\n"
        f"constexpr bool APPROX = {_bool(approximate)};\n"
    )
    parts = [
        "#pragma once\n",
        f"#if defined(UCK_CHLKC_MATH)\n{math}#endif\n",
        f"#if defined(UCK_CHLKC_PACK)\n{math}#endif\n",
        f"#if !defined(UCK_CHLKC_PACK)\n{''.join(unpack)}#endif\n",
        "#if !defined(UCK_CHLKC_MATH) && !defined(UCK_CHLKC_UNPACK)\n",
        *pack,
        f"#if defined(UCK_CHLKC_PACK)\n{source}#endif\n#endif\n",
        "#if defined(UCK_CHLKC_MATH) || defined(UCK_CHLKC_PACK) || defined(UCK_CHLKC_UNPACK)"
        " || defined(UCK_CHLKC_ISOLATE_SFPU)\n",
        f"constexpr bool DST_ACCUM_MODE = {_bool(accumulate)};\n",
        f"#define DST_SYNC_MODE DstSync::{'SyncFull' if config.dst_full_sync_en else 'SyncHalf'}\n#endif\n",
    ]
    return "\n".join(parts)


def cb_formats(plan: Plan, kernel: PlanKernel) -> dict[int, tuple[int, int]]:
    """For each CB id on the kernel's cores its DataFormat code and its tile's bytes."""
    cores = _cores(kernel.core_ranges)
    found: dict[int, tuple[int, int]] = {}
    for cb in plan.circular_buffers:
        if cores & _cores(cb.core_ranges):
            for number, data_format in _formats(cb):
                dtype = BY_DATA_FORMAT[data_format]
                found[number] = (dtype.format_code, dtype.tile_bytes)
    return found


def _formats(cb: CircularBuffer) -> Iterable[tuple[int, str]]:
    return chain([(cb.id, cb.data_format)], ((extra.id, extra.data_format) for extra in cb.formats))


def _cores(ranges: Iterable[Range]) -> set[tuple[int, int]]:
    return {core for part in ranges for core in part.cores()}


def _tiles(prefix: str, count: int, sizes: list[int]) -> list[str]:
    return [
        *(_array(f"{prefix}_{name}", kind, [value] * count) for name, kind, value in _TILE),
        _array(f"{prefix}_tile_size", "uint16_t", sizes),
        *(_array(f"{prefix}_{name}", kind, [value] * count) for name, kind, value in _FACES),
    ]


def _array(name: str, kind: str, values: list[int]) -> str:
    return f"constexpr {kind} {name}[{len(values)}] = {{\n    {','.join(str(value) for value in values)}\n}};\n"


def _bool(value: bool) -> str:
    return "true" if value else "false"
