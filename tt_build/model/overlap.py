"""How much of a pipeline's stages runs at the same time, from the depth of the circular buffers between them.

With R, C and W the times at which reader, compute and writer have finished block i, and depths in blocks:

    R_i = max(R_{i-1}, C_{i-depth_in}) + reader      C_i = max(C_{i-1}, R_i, W_{i-depth_out}) + compute
    W_i = max(W_{i-1}, C_i) + writer
"""

from __future__ import annotations


def overlapped(moving: float, computing: float, blocks: int, depth: int) -> float:
    """Cycles of two stages that are busy for so long in all, cut into equal blocks; the recurrence in closed form."""
    if depth < 2:
        return moving + computing
    return moving / blocks + max(moving, computing) * (blocks - 1) / blocks + computing / blocks


def finished(
    reader: float, compute: float, writer: float, blocks: int, depth_in: int, depth_out: int
) -> tuple[list[float], list[float], list[float]]:
    """When each stage has finished each block: the recurrence itself, for equal blocks."""
    r: list[float] = []
    c: list[float] = []
    w: list[float] = []
    for i in range(blocks):
        free_in = c[i - depth_in] if i >= depth_in else 0.0
        free_out = w[i - depth_out] if i >= depth_out else 0.0
        r.append(max(r[-1] if r else 0.0, free_in) + reader)
        c.append(max(c[-1] if c else 0.0, r[i], free_out) + compute)
        w.append(max(w[-1] if w else 0.0, c[i]) + writer)
    return r, c, w
