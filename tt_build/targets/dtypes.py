"""Data types: the names of kernels.yaml, the SDK's DataFormat, tile and element bytes (metalium-api section 6)."""

from __future__ import annotations

import msgspec


class DType(msgspec.Struct, frozen=True):
    """One element type. ``element_bytes`` is 0 for block-float formats, whose elements share exponents."""

    name: str
    data_format: str
    format_code: int
    tile_bytes: int
    element_bytes: int
    is_float: bool

    @property
    def is_block(self) -> bool:
        """True for bfloat8_b and bfloat4_b: 16 elements share one exponent."""
        return self.element_bytes == 0


DTYPES: dict[str, DType] = {
    dtype.name: dtype
    for dtype in (
        DType("bfloat16", "Float16_b", 5, 2048, 2, True),
        DType("float32", "Float32", 0, 4096, 4, True),
        DType("bfloat8_b", "Bfp8_b", 6, 1088, 0, True),
        DType("bfloat4_b", "Bfp4_b", 7, 576, 0, True),
        DType("int32", "Int32", 8, 4096, 4, False),
        DType("uint32", "UInt32", 24, 4096, 4, False),
        DType("uint16", "UInt16", 9, 2048, 2, False),
    )
}

BY_DATA_FORMAT: dict[str, DType] = {dtype.data_format: dtype for dtype in DTYPES.values()}
