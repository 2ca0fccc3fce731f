"""``tt-build run``: any ``tt.plan.json`` or ``program.json`` on the emulator or a device, ``.npy`` files in and out."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tt_build.cli.arguments import Commands
from tt_build.cli.terminal import Failure, Usage

if TYPE_CHECKING:
    import numpy as np

    from tt_build.ir.plan import Buffer, Plan


BUILD = Path("build", "tenstorrent")
"""Where a build writes, by default."""
PLAN = "tt.plan.json"
FIRST = 6
"""Numbers of an output that are shown where it is not kept."""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser("run", help="run a plan with .npy files, on the emulator or on a device")
    parser.add_argument("plan", type=Path, metavar="PLAN", help="tt.plan.json or program.json, or its folder")
    for option, metavar, help_ in (
        ("--input", "NAME=FILE", "an input, .npy"),
        ("--output", "NAME=FILE", "an output, .npy"),
        ("--scalar", "NAME=NUMBER", "a scalar that is given at launch"),
    ):
        parser.add_argument(option, action="append", default=[], type=_pair, metavar=metavar, help=help_)
    parser.add_argument("--on", choices=("emulator", "ttnn"), default="emulator", help="default: emulator")
    parser.add_argument("--root", type=Path, metavar="DIR", help="folder of the kernels' sources; default: the plan's")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="order of threads and transfers (emulator)")
    parser.add_argument("--counters", type=Path, metavar="FILE", help="write what was counted, as JSON (emulator)")
    parser.add_argument("--trace", type=Path, metavar="FILE", help="write a Chrome trace (emulator)")
    parser.set_defaults(command=run)


def _pair(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name or not value:
        raise argparse.ArgumentTypeError(f"write NAME=VALUE, not '{text}'")
    return name, value


def run(options: argparse.Namespace) -> int:
    """Read the inputs, run, write the outputs that were asked for."""
    from tt_build.ir.plan import PlanError, load_plan
    from tt_build.ir.program_plan import FILE as PROGRAM

    path = plan_path(options.plan)
    if path.name == PROGRAM:
        from tt_build.cli.programs import run_program

        return run_program(options, path)
    try:
        plan = load_plan(path)
    except PlanError as error:
        raise Failure(str(error)) from None
    files, targets = once(options.input, "--input"), once(options.output, "--output")
    outputs = [name for name, buffer in plan.buffers.items() if buffer.role == "output"]
    for name in targets:
        if name not in outputs:
            raise Usage(f"the plan has no output '{name}'; its outputs: {', '.join(outputs)}")
    inputs = [name for name, buffer in plan.buffers.items() if buffer.role != "output"]
    for name in files:
        if name not in inputs:
            raise Usage(f"the plan has no input '{name}'; its inputs: {', '.join(inputs)}")
    missing = [name for name in inputs if name not in files]
    if missing:
        raise Usage(f"no --input for {', '.join(missing)}")
    arrays = {name: read_array(name, Path(file), plan.buffers[name]) for name, file in files.items()}
    scalars = _scalars(once(options.scalar, "--scalar"), plan)
    run_it = _on_ttnn if options.on == "ttnn" else _on_emulator
    results = run_it(options, path, plan, arrays, scalars)
    for name, file in targets.items():
        write_array(Path(file), results[name])
    print(report(plan.kernel, options.on, results, targets, outputs))
    return 0


def plan_path(path: Path) -> Path:
    """The ``tt.plan.json`` or ``program.json`` of a path; ``Failure`` where there is none."""
    from tt_build.ir.program_plan import FILE as PROGRAM

    if path.is_dir():
        for name in (PROGRAM, PLAN):
            if (path / name).is_file():
                return path / name
        raise Failure(f"there is no {PLAN} and no {PROGRAM} in {path}; {_where_plans_are(path)}")
    if not path.exists():
        raise Failure(f"there is no {path}; {_where_plans_are(path)}")
    return path


def _where_plans_are(path: Path) -> str:
    """A help: the plan of a build with that name, or where plans come from."""
    built = BUILD / path.name
    if built.is_dir() and built != path:
        return f"did you mean {built}?"
    return f"'scons target=tenstorrent' writes plans to {BUILD}/KERNEL, 'tt-build compile SPEC --output DIR' to DIR"


def report(name: str, where: str, results: dict[str, Any], targets: dict[str, str], outputs: Iterable[str]) -> str:
    """What was run and what was written; what outputs hold where none was."""
    if targets:
        wrote = ", ".join(f"{tensor} {list(results[tensor].shape)} to {file}" for tensor, file in targets.items())
        return f"{name}: ran on {where}; wrote {wrote}"
    lines = [f"{name}: ran on {where}; nothing was written: --output NAME=FILE.npy keeps an output"]
    return "\n".join([*lines, *(f"  {output} {_glance(results[output])}" for output in outputs)])


def _glance(array: np.ndarray[Any, Any]) -> str:
    """Shape, dtype and first numbers."""
    first = ", ".join(f"{value:.6g}" for value in array.ravel()[:FIRST].tolist())
    return f"{list(array.shape)} {array.dtype}: {first}{', ...' if array.size > FIRST else ''}"


def once(pairs: list[tuple[str, str]], option: str) -> dict[str, str]:
    """NAME=VALUE arguments as a mapping; refuses a name that is given twice."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise Usage(f"{option} {name} is given twice")
        found[name] = value
    return found


def read_array(name: str, path: Path, buffer: Buffer) -> np.ndarray[Any, Any]:
    """The array of a ``.npy`` file for that tensor: float32 or the tensor's own dtype, unpadded, row-major.

    bfloat16 of ml_dtypes is stored as two raw bytes an element and taken as that. Nothing is rounded here: another
    dtype or shape is refused.
    """
    import ml_dtypes
    import numpy as np

    from tt_build.targets import DTYPES

    try:
        array: Any = np.load(path, allow_pickle=False)
    except OSError as error:
        raise Failure(f"input {name}: cannot read {path}: {error.strerror or error}") from None
    except (ValueError, EOFError) as error:
        raise Failure(f"input {name}: {path} {_why_unread(path, error)}; save one array with numpy.save") from None
    if not isinstance(array, np.ndarray):
        raise Failure(f"input {name}: {path} is an .npz archive; save one array with numpy.save")
    kind = DTYPES[buffer.dtype]
    if buffer.dtype == "bfloat16" and array.dtype.kind == "V" and array.dtype.itemsize == 2:
        array = array.view(ml_dtypes.bfloat16)
    wanted = "float32" if kind.is_float else buffer.dtype
    if array.dtype != np.dtype(wanted) and array.dtype.name != buffer.dtype:
        also = f" or {buffer.dtype}" if kind.is_float and buffer.dtype == "bfloat16" else ""
        help_ = f"save it with numpy.save(..., array.astype(numpy.{wanted}))"
        raise Failure(f"input {name}: {path} holds {array.dtype}; the tensor takes {wanted}{also}: {help_}")
    if tuple(array.shape) != tuple(buffer.shape):
        raise Failure(f"input {name}: {path} has shape {list(array.shape)}; the tensor has {list(buffer.shape)}")
    return np.asarray(array, np.float32) if kind.is_float else np.asarray(array)


def _why_unread(path: Path, error: Exception) -> str:
    from numpy.lib.format import MAGIC_PREFIX

    with path.open("rb") as file:
        start = file.read(len(MAGIC_PREFIX))
    if not start:
        return "is empty"
    if start != MAGIC_PREFIX:
        return "is no .npy file"
    return "holds Python objects, not numbers" if "allow_pickle" in str(error) else f"is damaged ({error})"


def _scalars(given: dict[str, str], plan: Plan) -> dict[str, float | int]:
    for name in given:
        if name not in plan.scalars:
            raise Usage(f"the plan has no scalar '{name}'; its scalars: {', '.join(plan.scalars) or 'none'}")
    missing = [name for name in plan.scalars if name not in given]
    if missing:
        raise Usage(f"no --scalar for {', '.join(missing)}")
    values: dict[str, float | int] = {}
    for name, text in given.items():
        try:
            values[name] = int(text) if "int" in plan.scalars[name] else float(text)
        except ValueError:
            raise Usage(f"--scalar {name}: '{text}' is no {plan.scalars[name]}") from None
    return values


def _on_emulator(
    options: argparse.Namespace, path: Path, plan: Plan, arrays: dict[str, Any], scalars: dict[str, float | int]
) -> dict[str, Any]:
    from tt_build.emulator.report import EmulationError
    from tt_build.emulator.run import run as emulate
    from tt_build.emulator.toolchain import ToolchainError

    root = options.root or path.resolve().parent
    try:
        done = emulate(plan, root, arrays, seed=options.seed, trace=options.trace is not None, scalars=scalars)
    except EmulationError as error:
        raise Failure(f"{error.printed}{error}") from None
    except ToolchainError as error:
        raise Failure(str(error)) from None
    if done.printed:
        print(done.printed, end="")
    for file, data in ((options.counters, done.counters), (options.trace, done.trace)):
        if file is not None:
            write_json(file, data)
    return done.outputs


def _on_ttnn(
    options: argparse.Namespace, path: Path, plan: Plan, arrays: dict[str, Any], scalars: dict[str, float | int]
) -> dict[str, Any]:
    from tt_build.runtime import LaunchError, run_on_ttnn

    for name in ("counters", "trace"):
        if getattr(options, name) is not None:
            raise Usage(f"--{name} is the emulator's; leave it out with --on ttnn")
    if options.root is not None and options.root.resolve() != path.resolve().parent:
        raise Usage("--on ttnn reads the sources beside the plan; leave --root out")
    try:
        return run_on_ttnn(path, arrays, scalars=scalars)
    except LaunchError as error:
        raise Failure(str(error)) from None


def write_array(path: Path, array: np.ndarray[Any, Any]) -> None:
    """Write a ``.npy`` file."""
    import io

    import numpy as np

    data = io.BytesIO()
    np.save(data, array, allow_pickle=False)
    _write(path, data.getvalue())


def write_json(path: Path, data: Any) -> None:
    """Write a JSON file."""
    _write(path, (json.dumps(data, indent=1) + "\n").encode())


def _write(path: Path, data: bytes) -> None:
    from tt_build.codegen.write import write_group

    write_group({path: data})
