"""Tensors of a plan as ttnn wants them, and NumPy arrays in and out, without PyTorch.

ttnn 0.81 takes a NumPy array in ``ttnn.Tensor(array, dtype, layout=...)`` on the host (float32 and integers; it rounds,
tilizes and pads) and moves it with ``.to(device, memory_config)``. Constructing on the device directly is avoided: with
a sharded memory configuration it fails in 0.81.1. ``to_numpy`` has no bfloat16, so that is widened on the host first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tt_build.ir.plan import Buffer, PlanSharding
from tt_build.runtime.errors import LaunchError

_NUMPY = {"int32": np.int32, "uint32": np.uint32, "uint16": np.uint16}
_MEMORY = {"dram": "DRAM", "l1": "L1"}
_SHARDING = {"height": "HEIGHT_SHARDED", "width": "WIDTH_SHARDED", "block": "BLOCK_SHARDED"}
_ORDER = {"row_major": "ROW_MAJOR", "column_major": "COL_MAJOR"}


def memory_config(ttnn: Any, buffer: Buffer) -> Any:
    """The ttnn memory configuration of a plan's layout."""
    layout = buffer.layout
    if layout == "dram_interleaved":
        return ttnn.DRAM_MEMORY_CONFIG
    if layout == "l1_interleaved":
        return ttnn.L1_MEMORY_CONFIG
    if not isinstance(layout, PlanSharding):
        raise LaunchError(f"layout {layout!r} is none that the launcher knows")
    if layout.cores:
        cores = [ttnn.CoreRange(ttnn.CoreCoord(*core), ttnn.CoreCoord(*core)) for core in layout.cores]
        grid = ttnn.CoreRangeSet(_rectangle(ttnn, layout.cores) or cores)
    else:
        end = ttnn.CoreCoord(layout.grid[0] - 1, layout.grid[1] - 1)
        grid = ttnn.CoreRangeSet([ttnn.CoreRange(ttnn.CoreCoord(0, 0), end)])
    orientation = getattr(ttnn.ShardOrientation, _ORDER[layout.order])
    return ttnn.MemoryConfig(
        getattr(ttnn.TensorMemoryLayout, _SHARDING[layout.sharding]),
        getattr(ttnn.BufferType, _MEMORY[layout.memory]),
        ttnn.ShardSpec(grid, list(layout.shard), orientation),
    )


def upload(ttnn: Any, name: str, array: np.ndarray[Any, Any], buffer: Buffer, device: Any) -> Any:
    """The array as a device tensor of the plan's dtype and layout, padded with zeros; wrong shape or dtype refused."""
    if tuple(array.shape) != tuple(buffer.shape):
        raise LaunchError(f"{name} has shape {list(array.shape)}; the plan wants {list(buffer.shape)}")
    wanted = _NUMPY.get(buffer.dtype, np.float32)
    as_values = array if array.dtype.kind in "fiu" else array.astype(np.float32)  # ml_dtypes' bfloat16 is of kind V
    if np.dtype(wanted).kind != "f" and as_values.dtype.kind not in "iu":
        raise LaunchError(f"{name} has dtype {array.dtype}; the plan wants {buffer.dtype}, which takes integers only")
    values = np.ascontiguousarray(as_values, dtype=wanted)
    host = ttnn.Tensor(values, getattr(ttnn, buffer.dtype), layout=_layout(ttnn, buffer), pad_value=0.0)
    return host.to(device, memory_config(ttnn, buffer))


def download(ttnn: Any, tensor: Any, buffer: Buffer) -> np.ndarray[Any, Any]:
    """The device tensor as an unpadded array: float32 for every float dtype, else the integer dtype."""
    host = tensor.cpu()
    if buffer.dtype == "bfloat16":
        host = ttnn.to_dtype(host, ttnn.float32)
    array: np.ndarray[Any, Any] = host.to_numpy()
    return array.reshape(buffer.shape)


def allocate(ttnn: Any, buffer: Buffer, device: Any, config: Any = None) -> Any:
    """A device tensor for an output, its content undefined."""
    shape = ttnn.Shape(list(buffer.shape))
    dtype = getattr(ttnn, buffer.dtype)
    return ttnn.allocate_tensor_on_device(
        shape, dtype, _layout(ttnn, buffer), device, config or memory_config(ttnn, buffer)
    )


def check_tensor(ttnn: Any, name: str, tensor: Any, buffer: Buffer) -> None:
    """Refuses a ttnn tensor whose shape, dtype, layout or place is not what the plan's kernels were made for."""
    if tuple(tensor.shape) != tuple(buffer.shape):
        raise LaunchError(f"{name} has shape {list(tensor.shape)}; the plan wants {list(buffer.shape)}")
    if tensor.dtype != getattr(ttnn, buffer.dtype):
        raise LaunchError(f"{name} has dtype {tensor.dtype}; the plan wants {buffer.dtype}")
    if tensor.layout != _layout(ttnn, buffer):
        raise LaunchError(f"{name} has layout {tensor.layout}; the plan wants format {buffer.format}")
    if tensor.storage_type() != ttnn.StorageType.DEVICE:
        raise LaunchError(f"{name} is on the host; move it with ttnn.to_device first, or pass a NumPy array")
    if isinstance(buffer.layout, PlanSharding) != tensor.is_sharded():
        kind = "sharded" if isinstance(buffer.layout, PlanSharding) else "interleaved"
        raise LaunchError(f"{name} must be {kind}, as the plan's layout says; it is {tensor.memory_config()}")


def _layout(ttnn: Any, buffer: Buffer) -> Any:
    return ttnn.ROW_MAJOR_LAYOUT if buffer.format == "row_major" else ttnn.TILE_LAYOUT


def _rectangle(ttnn: Any, cores: tuple[tuple[int, int], ...]) -> list[Any]:
    """One range where the cores fill their bounding rectangle: ttnn prints and hashes that form."""
    columns, rows = sorted({x for x, _ in cores}), sorted({y for _, y in cores})
    full = len(set(cores)) == (columns[-1] - columns[0] + 1) * (rows[-1] - rows[0] + 1)
    if not full:
        return []
    return [ttnn.CoreRange(ttnn.CoreCoord(columns[0], rows[0]), ttnn.CoreCoord(columns[-1], rows[-1]))]
