"""The op table's NumPy texts, evaluated: what a function means, for tests."""

import math

import numpy as np

_NAMES = (
    "exp exp2 expm1 log log2 log10 log1p sqrt cbrt abs sign floor ceil trunc round signbit isnan isinf isfinite "
    "maximum minimum where tanh clip sin cos tan arcsin arccos arctan sinh cosh arcsinh arccosh arctanh arctan2 "
    "logaddexp logaddexp2"
)
_SPACE = {name: getattr(np, name) for name in _NAMES.split()} | {
    "erf": np.vectorize(math.erf, otypes=[float]),
    "erfc": np.vectorize(math.erfc, otypes=[float]),
    "pi": math.pi,
    "inf": math.inf,
    "gcd": np.gcd,
    "round": lambda x, decimals: np.round(x, int(decimals)),
}


def meaning(text: str, tiles: list[np.ndarray], values: dict[str, float]) -> np.ndarray:
    """``text`` over x, y, z in float64 (or int64), one element at a time by NumPy."""
    kind = np.int64 if tiles[0].dtype.kind == "i" else np.float64
    names = {name: tile.astype(kind) for name, tile in zip("xyz", tiles, strict=False)}
    numbers = {k: int(v) if kind is np.int64 else v for k, v in values.items()}
    with np.errstate(all="ignore"):
        return np.asarray(eval(text, {"__builtins__": {}}, {**_SPACE, **names, **numbers})) + kind(0)
