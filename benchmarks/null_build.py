"""Incremental builds of N small kernels, as ratios within one run: medians of interleaved rounds.

.venv/bin/python benchmarks/null_build.py                  1,000 kernels against one-line SConstruct and plain graph
.venv/bin/python benchmarks/null_build.py --growth         100 to 5,000 kernels, the fitted exponent, and a plot
                                                           (--plot FILE.svg)
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from trees import Seconds, median, scons, write_tree

ROUNDS = 7
# The same ten stages and six files a kernel as a plain graph: the reference that lazy declaration is measured against.
PLAIN = """env = Environment(tools=[])
def write(target, source, env):
    for node in target:
        open(str(node), "w").write(str(node))
step = Builder(action=write)
for k in range({kernels}):
    node = env.Value(f"k{{k}}")
    for s in range(10):
        node = step(env, f"plain/k{{k}}/ir/{{s:02d}}.json", node)
    step(env, [f"plain/k{{k}}/{{f}}" for f in "abcdef"], node)
"""


def edit(folder: Path, kernel: int, number: int) -> None:
    """One field of one kernel: its compute text."""
    path = folder / "kernels.yaml"
    lines = path.read_text().split("\n")
    at = lines.index(f"  k{kernel}:") + 5
    lines[at] = f"    compute: Z = X + Y * {number}.5"
    path.write_text("\n".join(lines))


def measure(base: Path, kernels: int, *, plain: bool) -> Seconds:
    """Print the figures of one size; returns the null build's."""
    floor, tree, reference = base / "floor", base / f"tree{kernels}", base / f"plain{kernels}"
    floor.mkdir(exist_ok=True)
    (floor / "SConstruct").write_text("Environment(tools=[])\n")
    write_tree(tree, kernels)
    cold = scons(tree)
    edit(tree, kernels // 2, ROUNDS)
    scons(tree)  # the first edit lets Python compile the templates
    if plain:
        reference.mkdir()
        (reference / "SConstruct").write_text(PLAIN.format(kernels=kernels))
        plain_cold = scons(reference)
    rows: dict[str, list[Seconds]] = {"floor": [], "null": [], "edit": [], "plain": []}
    for number in range(ROUNDS):
        rows["floor"].append(scons(floor))
        rows["null"].append(scons(tree))
        edit(tree, kernels // 2, number)
        rows["edit"].append(scons(tree))
        if plain and number < 3:
            rows["plain"].append(scons(reference))
    found = {name: median(times) for name, times in rows.items() if times}
    print(f"{kernels} kernels, {kernels * 11} steps, {kernels * 16} files; medians of {ROUNDS} rounds")
    print("                                by the clock              of processor")
    for at, (label, name) in enumerate(LABELS):
        if name in found:
            print(f"  {label:<26}" + "".join(_cell(at, f[name], f) for f in _sides(found)))
    print(f"  {'cold build':<26}{cold.wall:8.2f} s {'':<15}{cold.cpu:8.2f} s")
    if plain:
        print(f"  {'plain graph, cold':<26}{plain_cold.wall:8.2f} s {'':<15}{plain_cold.cpu:8.2f} s")
    return found["null"]


LABELS = (
    ("one-line SConstruct", "floor"),
    ("null build", "null"),
    ("edit of one field", "edit"),
    ("plain graph, null", "plain"),
)


def _sides(found: dict[str, Seconds]) -> tuple[dict[str, float], dict[str, float]]:
    return {name: row.wall for name, row in found.items()}, {name: row.cpu for name, row in found.items()}


def _cell(at: int, seconds: float, found: dict[str, float]) -> str:
    notes = (
        "",
        f"{found['null'] / found['floor']:.2f} x",
        f"{found['edit'] - found['null']:+.3f} s",
        f"{found.get('plain', 0) / found['null']:.1f} x ours",
    )
    return f"{seconds:8.3f} s {notes[at]:<15}"


def main() -> None:
    """Print the figures asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--growth", action="store_true", help="several sizes and the fitted exponent of the null build")
    parser.add_argument("--kernels", type=int, nargs="*", help="sizes")
    parser.add_argument("--plot", type=Path, help="with several sizes: write a plot of the null build as SVG")
    parsed = parser.parse_args()
    sizes = parsed.kernels or ([100, 300, 1000, 5000] if parsed.growth else [1000])
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as temporary:
        nulls = [measure(Path(temporary), size, plain=not parsed.growth) for size in sizes]
    if len(sizes) > 1:
        for side, times in zip(("by the clock", "of processor"), zip(*nulls, strict=True), strict=True):
            print(f"growth of the null build, {side}: exponent {exponent(sizes, times):.2f}")
        if parsed.plot:
            parsed.plot.write_text(plot(dict(zip(sizes, (null.wall for null in nulls), strict=True))))


def exponent(sizes: list[int], seconds: Sequence[float]) -> float:
    """The slope of a straight line through the logarithms."""
    return statistics.linear_regression([math.log(n) for n in sizes], [math.log(s) for s in seconds]).slope


def plot(seconds: dict[int, float]) -> str:
    """An SVG of seconds over kernels, both axes logarithmic: a straight line of slope 1 is linear growth."""
    width, height, margin = 480, 300, 50
    low, high = min(seconds), max(seconds)
    most = max(seconds.values())
    least = min(seconds.values())

    def at(kernels: float, value: float) -> tuple[float, float]:
        x = margin + (width - 2 * margin) * math.log(kernels / low) / (math.log(high / low) or 1)
        y = height - margin - (height - 2 * margin) * math.log(value / least) / (math.log(most / least) or 1)
        return round(x, 1), round(y, 1)

    points = [(kernels, value, *at(kernels, value)) for kernels, value in sorted(seconds.items())]
    line = " ".join(f"{x},{y}" for _, _, x, y in points)
    marks = "".join(
        f'<circle cx="{x}" cy="{y}" r="3"/><text x="{x}" y="{y - 8}" text-anchor="middle">{value:.2f} s</text>'
        f'<text x="{x}" y="{height - margin + 20}" text-anchor="middle">{kernels}</text>'
        for kernels, value, x, y in points
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-size="11">'
        f'<polyline points="{line}" fill="none" stroke="black"/>{marks}'
        f'<text x="{width / 2}" y="{height - 8}" text-anchor="middle">kernels; seconds of a null build</text></svg>\n'
    )


if __name__ == "__main__":
    main()
