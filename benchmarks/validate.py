"""``tt-build validate`` of 1,000 kernels: ``python benchmarks/validate.py [repetitions]``.

Prints the first run over 1,000 kernels of different shapes, none of them noted: elementwise ones, matmuls that stream,
and matmuls for which the planner weighs some hundred plans each; then over 1,000 matmuls of one shape; then the best of
several over the planned ones with all kernels noted, with ``--quick``, and of starting Python alone. Seconds of wall
clock, and of CPU (both processes), which a busy machine stretches less.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ELEMENTWISE = """\
  k{n}:
    sizes: {{M: {m}, N: {w}}}
    inputs: {{X: {{shape: [M, N]}}, b: {{shape: [1, N]}}}}
    outputs: {{Y: {{shape: [M, N]}}}}
    compute: Y = gelu(X + b) * 2
"""
MATMUL = """\
  k{n}:
    sizes: {{M: {m}, K: 256, N: {w}}}
    inputs: {{X: {{shape: [M, K]}}, W: {{shape: [K, N]}}, b: {{shape: [1, N]}}}}
    outputs: {{Y: {{shape: [M, N]}}}}
    compute: Y = gelu(X @ W + b)
"""
STREAMING = MATMUL + "    schedule: {{matmul: {{algorithm: streaming}}}}\n"


def write(path: Path, kernel: str, *, shapes: int = 1000) -> Path:
    """A specification of 1,000 kernels of that many shapes."""
    indices = [(n, n % shapes) for n in range(1000)]
    texts = (kernel.format(n=n, m=32 * (1 + shape % 8), w=32 * (1 + shape // 8)) for n, shape in indices)
    path.write_text("version: 1\nkernels:\n" + "".join(texts))
    return path


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Wall clock and CPU seconds of a command that must succeed."""
    before, start = os.times(), time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, cpu


def main() -> None:
    """Measure and print."""
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {**os.environ, "TT_BUILD_CACHE": name}
        validate = [sys.executable, "-m", "tt_build", "validate"]
        planned = write(folder / "planned.yaml", MATMUL)
        specs = {
            "elementwise, first run": write(folder / "elementwise.yaml", ELEMENTWISE),
            "streaming matmuls, first run": write(folder / "streaming.yaml", STREAMING),
            "planned matmuls, first run": planned,
            "one shape, first run": write(folder / "one.yaml", MATMUL.replace("K: 256", "K: 512"), shapes=1),
        }
        rows = [(label, [timed([*validate, str(spec)], environment)]) for label, spec in specs.items()]
        for label, command in (
            ("all noted", [*validate, str(planned)]),
            ("--quick", [*validate, str(planned), "--quick"]),
            ("Python alone", [sys.executable, "-c", "pass"]),
        ):
            rows.append((label, [timed(command, environment) for _ in range(repetitions)]))
    for label, found in rows:
        print(f"{label:30} {min(wall for wall, _ in found):6.2f} s   {min(cpu for _, cpu in found):6.2f} s of CPU")


if __name__ == "__main__":
    main()
