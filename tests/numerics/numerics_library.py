"""The emulator's numerics as a shared library, called on NumPy arrays."""

import ctypes
import os
import subprocess
from pathlib import Path

import numpy as np

import tt_build.emulator

EMULATOR = Path(tt_build.emulator.__file__).parent
SOURCES = [
    EMULATOR / "runtime" / "num.cpp",
    EMULATOR / "runtime" / "num_sfpu.cpp",
    Path(__file__).with_name("shim.cpp"),
]
FORMATS = {"float32": 0, "bfloat16": 5, "bfloat8_b": 6, "bfloat4_b": 7, "int32": 8, "uint16": 9, "uint32": 24}


def _pointer(array: np.ndarray | None) -> ctypes.c_void_p | None:
    return None if array is None else ctypes.c_void_p(array.ctypes.data)


class Numerics:
    """The library's functions on NumPy arrays of shape (32, 32), poison as uint8 arrays beside them."""

    def __init__(self, path: Path) -> None:
        self.lib = ctypes.CDLL(str(path))

    def unpack(self, dtype: str, l1: bytes, shadow: bytes | None = None) -> tuple[np.ndarray, np.ndarray]:
        out, poison = np.empty((32, 32), np.uint32), np.empty((32, 32), np.uint8)
        self.lib.num_unpack(FORMATS[dtype], l1, shadow, _pointer(out), _pointer(poison))
        kind = np.float32 if dtype in ("float32", "bfloat16", "bfloat8_b", "bfloat4_b") else np.int32
        return out.view(kind), poison

    def pack(
        self, dtype: str, tile: np.ndarray, poison: np.ndarray | None = None, old: bytes | None = None, *,
        relu: int = 0, threshold: float = 0.0, mask: int = 0,
    ) -> tuple[bytes, bytes]:  # fmt: skip
        size = self.lib.num_tile_bytes(FORMATS[dtype])
        l1 = ctypes.create_string_buffer(old or bytes(size), size)
        shadow = ctypes.create_string_buffer(bytes(size), size)
        held = np.ascontiguousarray(tile)
        self.lib.num_pack(
            FORMATS[dtype], _pointer(held), _pointer(poison), l1, shadow, int(old is not None), relu,
            ctypes.c_float(threshold), mask,
        )  # fmt: skip
        return l1.raw, shadow.raw

    def to_src(self, tile: np.ndarray) -> np.ndarray:
        out = tile.astype(np.float32).copy()
        self.lib.num_to_src(_pointer(out))
        return out

    def round_dst(self, tile: np.ndarray, *, fp32: bool) -> np.ndarray:
        out = tile.astype(np.float32).copy()
        self.lib.num_round_dst(_pointer(out), int(fp32))
        return out

    def matmul(
        self, a: np.ndarray, b: np.ndarray, dst: np.ndarray, *, turn: bool = False, fidelity: int = 3,
        fp32: bool = True, pa: np.ndarray | None = None, pb: np.ndarray | None = None, pd: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        out = dst.astype(np.float32).copy()
        poison = np.zeros((32, 32), np.uint8) if pd is None else pd.copy()
        self.lib.num_matmul(
            _pointer(a), _pointer(pa), _pointer(b), _pointer(pb), int(turn), fidelity, int(fp32), _pointer(out),
            _pointer(poison),
        )  # fmt: skip
        return out, poison

    def eltwise(
        self, op: int, bcast: int, a: np.ndarray, b: np.ndarray, dst: np.ndarray | None = None, *, fidelity: int = 3,
        fp32: bool = True, acc: bool = False, pa: np.ndarray | None = None, pb: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        out = np.zeros((32, 32), np.float32) if dst is None else dst.astype(np.float32).copy()
        poison = np.zeros((32, 32), np.uint8)
        self.lib.num_eltwise(
            op, bcast, _pointer(a), _pointer(pa), _pointer(b), _pointer(pb), fidelity, int(fp32), int(acc),
            _pointer(out), _pointer(poison),
        )  # fmt: skip
        return out, poison

    def reduce(
        self, pool: int, dim: int, tile: np.ndarray, scaler: np.ndarray, *, fidelity: int = 3, fp32: bool = True,
        first: bool = True, dst: np.ndarray | None = None, pi: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        out = np.zeros((32, 32), np.float32) if dst is None else dst.astype(np.float32).copy()
        poison = np.zeros((32, 32), np.uint8)
        self.lib.num_reduce(
            pool, dim, _pointer(tile), _pointer(pi), _pointer(scaler), None, fidelity, int(fp32), int(first),
            _pointer(out), _pointer(poison),
        )  # fmt: skip
        return out, poison

    def sfpu(
        self, name: str, x: np.ndarray, *others: np.ndarray, params: tuple[int, ...] = (), approx: bool = False,
        fp32: bool = True, seed: int = 0, poison: np.ndarray | None = None,
    ) -> np.ndarray:  # fmt: skip
        out = np.ascontiguousarray(x).copy()
        held = [np.ascontiguousarray(o) for o in others] + [None, None]
        raw = (ctypes.c_uint32 * max(1, len(params)))(*params)
        known = self.lib.num_sfpu(
            name.encode(), raw, len(params), int(approx), int(fp32), ctypes.c_uint64(seed), _pointer(out),
            _pointer(poison), _pointer(held[0]), None, _pointer(held[1]), None,
        )  # fmt: skip
        assert known, f"{name} is not emulated"
        return out

    def bound(self, name: str, *, approx: bool = False) -> tuple[float, float, float, float] | None:
        out = (ctypes.c_float * 4)()
        return tuple(out) if self.lib.num_sfpu_bound(name.encode(), int(approx), out) else None


def build(library: Path) -> None:
    """Compiles the numerics and the test's entry points into that file."""
    made = library.with_suffix(f".{os.getpid()}")
    command = ["g++", "-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    command += [f"-I{EMULATOR / 'include'}", *map(str, SOURCES), "-o", str(made)]
    subprocess.run(command, check=True)
    made.rename(library)
