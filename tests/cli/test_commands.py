"""The commands: what they print, what they write, and the exit code of each way in which they can end."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tt_build.cli.schema
from tests.cli.support import tt_build as run
from tests.support import ROOT, acceptance_text
from tt_build.passes.pipeline import CHAINS, PASSES
from tt_build.spec.codes import CODES
from tt_build.spec.loader import load_file

COMMANDS = (
    "init",
    "validate",
    "compile",
    "show",
    "graph",
    "explain",
    "estimate",
    "tune",
    "run",
    "schema",
    "templates",
    "completion",
)
SPEC = ROOT / "kernels.yaml"
NO_SPEC = "tt-build: there is no kernels.yaml here; name one with --spec FILE, or start with 'tt-build init'\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--version"], 0, "tt-build "),
        ([], 2, "required: COMMAND"),
        (["valdate"], 2, "invalid choice: 'valdate'"),
        (["validate"], 2, "required: SPEC"),
        (["validate", "nowhere.yaml"], 1, "error[TTB024]: the file does not exist"),
        (
            ["validate", SPEC, "--arch", "grayskull"],
            2,
            "there is no architecture 'grayskull'; known: wormhole_b0, blackhole",
        ),
        (["validate", SPEC, "--grid", "8by8"], 2, "write COLUMNSxROWS"),
        (["validate", SPEC, "--grid", "0x8"], 2, "write COLUMNSxROWS"),
        (
            ["validate", SPEC, "--quick", "--sarif", "/proc/no"],
            1,
            "tt-build: /proc/no: No such file or directory\n   help:",
        ),
        (
            ["validate", SPEC, "--quick", "--sarif", ROOT],
            1,
            f"tt-build: {ROOT}: Is a directory\n   help: it is a folder",
        ),
        (["explain", "TTB999"], 2, "there is no code TTB999"),
        (["explain", "gem", "--spec", SPEC], 2, "there is no kernel 'gem' in"),
        (["show", "gemm", "--spec", SPEC, "--stage", "tensorise"], 2, "did you mean 'tensorize'?"),
        (
            ["show", "gemm", "--spec", "nowhere.yaml"],
            1,
            "tt-build: there is no nowhere.yaml; name one with --spec FILE",
        ),
        *[([command, "gemm"], 1, NO_SPEC) for command in ("explain", "estimate", "show", "graph", "tune")],
        (["graph", "gemm", "--passes"], 2, "leave KERNEL out"),
        (
            ["run", "nowhere"],
            1,
            "there is no nowhere; 'scons target=tenstorrent' writes plans to build/tenstorrent/KERNEL",
        ),
        (["run", "/usr"], 1, "there is no tt.plan.json and no program.json in /usr; "),
        (["init", SPEC], 2, "kernels.yaml is a file; name a folder, which may be new"),
        (
            ["init", SPEC / "new"],
            1,
            "kernels.yaml/new/SConstruct: Not a directory\n   help: a part of that path is a file",
        ),
        (["completion", "tcsh"], 2, "invalid choice: 'tcsh'"),
    ],
)
def test_exit_codes(arguments: list[object], code: int, said: str, there: Path) -> None:
    ran = run(*arguments)
    assert said in ran.out + ran.err
    assert ran.code == code
    assert "Traceback" not in ran.err
    assert list(there.iterdir()) == []


def test_a_fault_of_ours_is_70_with_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("tt_build.spec.schema.schema_text", broken)
    ran = run("schema")
    assert ran.code == 70
    report = Path(ran.err.split("report it with ")[1].strip())
    assert "ZeroDivisionError: ours" in report.read_text()
    report.unlink()
    assert tt_build.cli.schema.schema is not None


def test_a_working_folder_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f"rmdir {gone}; exec {sys.executable} -m tt_build validate kernels.yaml"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=gone, env=env, check=False)
    assert done.returncode == 1
    assert done.stderr == "tt-build: the working folder is no longer there\n   help: go to another one, as with: cd /\n"


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m tt_build show gemm --spec {SPEC} | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.stdout, done.stderr) == ("declaration\n", "")


class TestInit:
    def test_the_repository_builds(self, there: Path) -> None:
        ran = run("init")
        assert ran.code == 0
        written = sorted(path.relative_to(there).as_posix() for path in there.rglob("*") if path.is_file())
        files, _, hints = ran.out.partition("next: ")
        assert written == sorted(files.splitlines())
        assert "for CI: " in hints
        assert run("validate", "kernels.yaml").code == 0
        done = subprocess.run(
            [sys.executable, "-m", "SCons", "-s", "target=tenstorrent"],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert (there / "build/tenstorrent/gemm/tt.plan.json").is_file()
        ignored = (there / ".gitignore").read_text().splitlines()
        assert "/build/" in ignored

    def test_nothing_is_overwritten(self, there: Path) -> None:
        (there / "kernels.yaml").write_text("mine")
        ran = run("init")
        assert (ran.code, ran.out) == (1, "")
        assert ran.err == "tt-build: nothing was written: kernels.yaml is there already\n"
        assert [path.name for path in there.iterdir()] == ["kernels.yaml"]

    def test_the_modeline_leads_to_the_schema(self, there: Path) -> None:
        assert run("init", "new/repository").code == 0
        folder = there / "new" / "repository"
        match = re.match(r"# yaml-language-server: \$schema=(\S+)\n", (folder / "kernels.yaml").read_text())
        assert match is not None
        assert (folder / match[1]).read_text() == run("schema").out
        assert Path(run("schema", "--path").out.strip()).read_text() == run("schema").out


def test_compile_writes_what_scons_writes(there: Path) -> None:
    (there / "kernels.yaml").write_text(acceptance_text())
    ran = run("compile", "kernels.yaml", "--output", "out")
    kernels = len(load_file(there / "kernels.yaml").declarations)
    assert (ran.code, ran.out) == (0, f"{kernels} kernels written to out/tenstorrent\n")
    golden = ROOT / "tests" / "golden" / "gemm"
    for path in golden.iterdir():
        if path.is_file() and path.suffix in (".cpp", ".json"):
            assert (there / "out/tenstorrent/gemm" / path.name).read_bytes() == path.read_bytes()


def test_compile_writes_nothing_when_a_kernel_is_wrong(there: Path) -> None:
    ran = run("compile", ROOT / "tests/cli/data/broken.yaml", "--output", "out")
    assert ran.code == 1
    assert "error[TTB203]" in ran.err
    assert not (there / "out").exists()


class TestShow:
    def test_every_stage_in_order(self) -> None:
        out = run("show", "gemm_bias_gelu", "--spec", SPEC).out
        heads = re.findall(r"^(\d\d) (\w+): ", out, re.M)
        assert heads == [(f"{number:02d}", step.name) for number, step in enumerate(PASSES, 1)]
        assert out.startswith("declaration\n  kernel: KernelSpec\n    name: gemm_bias_gelu\n")

    def test_one_stage_tells_what_its_pass_found_out(self) -> None:
        out = run("show", "add_row", "--spec", SPEC, "--stage", "infer_schedule").out
        assert out.splitlines()[0] == "02 infer_schedule: DefaultedKernel -> ScheduledKernel"
        assert "  grid: Grid(x=16, y=10)\n" in out
        assert "compute:" not in out
        assert "... 52 more (--all shows them)" in out
        whole = run("show", "add_row", "--spec", SPEC, "--stage", "infer_schedule", "--all").out
        assert "compute: Y = X + r" in whole
        assert whole.count("CoreWork(") == 64

    def test_bodies_are_nested(self) -> None:
        out = run("show", "gemm", "--spec", SPEC, "--stage", "tensorize").out
        loop = re.search(r"^( +)Loop\n\1  var: unit\n\1  count: (\w+)\n\1  body:\n\1    ", out, re.M)
        assert loop is not None, out

    def test_a_rejected_kernel_is_shown_up_to_the_pass(self, there: Path) -> None:
        kernel = "{inputs: {A: {shape: [32]}}, outputs: {Y: {shape: [32]}}, compute: Y = -A, schedule: {cores: [9, 9]}}"
        (there / "kernels.yaml").write_text(f"version: 1\nkernels:\n  k: {kernel}\n")
        ran = run("show", "k")
        assert ran.code == 1
        assert ran.out.splitlines()[0] == "declaration"
        assert ran.err.startswith("tt-build: pass infer_schedule rejects k\nkernels.yaml:3:")


class TestGraph:
    def test_kernels(self) -> None:
        out = run("graph", "--spec", SPEC).out
        assert out.startswith("digraph tt_build {\n")
        assert out.endswith("}\n")
        assert '  "gemm/A" -> "gemm";' in out
        assert '  "gemm" -> "gemm/C";' in out

    def test_dataflow(self) -> None:
        out = run("graph", "gemm", "--spec", SPEC).out
        edges = re.findall(r'"(\w+)" -> "(\w+)"', out)
        assert set(edges) == {
            ("A", "reader"), ("B", "reader"), ("reader", "cb_a"), ("reader", "cb_b"), ("cb_a", "compute"),
            ("cb_b", "compute"), ("compute", "cb_c"), ("cb_c", "writer"), ("writer", "C"),
        }  # fmt: skip

    def test_passes(self) -> None:
        out = run("graph", "--passes", "--format", "mermaid").out
        assert out.startswith("flowchart LR\n")
        assert out.count(" --> ") == 2 * sum(map(len, CHAINS.values()))


class TestExplain:
    @pytest.mark.parametrize("code", sorted(CODES))
    def test_codes(self, code: str) -> None:
        assert run("explain", code.lower()).out == (ROOT / "docs" / "diagnostics" / f"{code}.md").read_text()

    def test_a_kernel(self) -> None:
        out = run("explain", "gemm", "--spec", SPEC).out
        squeezed = re.sub(r" +", " ", out)
        assert "\n algorithm streaming_matmul the kernel: schedule.matmul.algorithm\n" in squeezed
        assert "\n order row_major the default\n" in squeezed
        assert "\n fidelity HiFi4 the file's defaults: math.fidelity\n" in squeezed
        assert "\n cores with work 64 of 64\n" in squeezed
        assert "\n 0 cb_a bfloat16 8 x 2048 8 pages 16,384\n" in squeezed
        assert " 34,816 B of circular buffers, 2.5 % of L1\n" in squeezed
        assert "\n A 512 0\n" in squeezed

    @pytest.mark.parametrize(
        ("more", "told"),
        [
            ("", "8 x 8 at [0, 0] the target's grid"),
            ("schedule: {cores: [4, 2]}", "4 x 2 at [0, 0] the kernel: schedule.cores"),
            ("schedule: {order: row_major}", "8 x 8 at [0, 0] the target's grid"),
        ],
    )
    def test_what_chose_the_cores(self, more: str, told: str, tmp_path: Path) -> None:
        lines = ["inputs: {X: {shape: [64, 64]}}", "outputs: {Y: {shape: [64, 64]}}", "compute: Y = X + 1", more]
        spec = tmp_path / "kernels.yaml"
        spec.write_text("version: 1\nkernels:\n  k:\n" + "".join(f"    {line}\n" for line in lines if line))
        assert f"\n cores {told}\n" in re.sub(r" +", " ", run("explain", "k", "--spec", spec).out)
        spec.write_text("version: 1\ndefaults: {schedule: {cores: [4, 2]}}\n" + spec.read_text().split("\n", 1)[1])
        if "cores" not in more:
            out = re.sub(r" +", " ", run("explain", "k", "--spec", spec).out)
            assert "\n cores 4 x 2 at [0, 0] the file's defaults: schedule.cores\n" in out

    def test_a_plan_or_shards_on_a_part_of_the_cores(self) -> None:
        def cores(kernel: str) -> str:
            out = re.sub(r" +", " ", run("explain", kernel, "--spec", SPEC).out)
            return out.split("\n cores ", 1)[1].splitlines()[0]

        assert cores("mlp_bfloat8") == "5 x 2 at [0, 0] the planner, within the target's grid"
        assert cores("swiglu_block_sharded") == "4 x 4 at [0, 0] the shards of 'Y' lie there"

    def test_sweeps(self, tmp_path: Path) -> None:
        out = run("explain", "rmsnorm_residual", "--spec", SPEC).out
        squeezed = re.sub(r" +", " ", out)
        assert "\n unit 1 x 128 tiles what is reduced together\n" in squeezed
        assert "\nsweeps over the tiles of a unit: held, handed on (each input is read once)\n" in squeezed
        row = "1 mean of each row 1 x 128 X (held for the unit), R (held for the unit) mean (handed on)"
        assert f"\n {row}\n" in squeezed
        assert "parts of 64 tiles, on cores of their own" in run("explain", "softmax_long_row", "--spec", SPEC).out
        text = (
            "inputs: {X: {shape: [4096, 131072]}}, outputs: {Y: {shape: [4096, 131072]}}, compute: 'Y = softmax(X, -1)'"
        )
        long = tmp_path / "kernels.yaml"
        long.write_text(f"version: 1\ntarget: {{arch: wormhole_b0}}\nkernels:\n  long: {{{text}}}\n")
        out = run("explain", "long", "--spec", long).out
        choice = r"a unit: streamed, shared operands held \('held, handed on' needs \d+ B of L1; \d+ B are left\)\n"
        assert re.search(choice, out)
        assert run("explain", "gemm", "--spec", SPEC).out.count("sweep") == 0

    def test_who_brings_a_first_operand_that_is_sent_in_turn(self) -> None:
        out = run("explain", "gate_down_decode", "--spec", ROOT / "library" / "prologues.yaml").out
        assert " legal plans; all cores send their parts of the first operand in turn; " in out

    @pytest.mark.parametrize("name", [line[2:-1] for line in SPEC.read_text().split("kernels:\n")[1].splitlines()
                                      if re.fullmatch(r"  \w+:", line)])  # fmt: skip
    def test_every_kernel_of_the_repository(self, name: str) -> None:
        assert run("explain", name, "--spec", SPEC).code == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    kernel = (
        "{inputs: {A: {shape: [40, 64]}, b: {shape: [1, 64]}}, outputs: {Y: {shape: [40, 64]}}, compute: Y = A + b}"
    )
    (folder / "kernels.yaml").write_text(f"version: 1\nkernels:\n  k: {kernel}\n")
    assert run("compile", folder / "kernels.yaml", "--output", folder).code == 0
    values = np.arange(40 * 64, dtype=np.float32).reshape(40, 64) % 64
    np.save(folder / "A.npy", values)
    np.save(folder / "b.npy", np.full((1, 64), 0.5, np.float32))
    return folder


class TestRun:
    def command(self, folder: Path, *more: object) -> list[object]:
        inputs = ["--input", f"A={folder / 'A.npy'}", "--input", f"b={folder / 'b.npy'}"]
        return ["run", folder / "tenstorrent" / "k" / "tt.plan.json", *inputs, *more]

    def test_npy_in_and_out(self, folder: Path, there: Path) -> None:
        options = ["--output", "Y=out.npy", "--counters", "c.json", "--trace", "t.json", "--seed", 3]
        ran = run(*self.command(folder, *options))
        assert (ran.code, ran.out) == (0, "k: ran on emulator; wrote Y [40, 64] to out.npy\n"), ran.err
        result = np.load("out.npy")
        assert result.dtype == np.float32
        np.testing.assert_array_equal(result, np.load(folder / "A.npy") + 0.5)
        assert json.loads((there / "c.json").read_text())["cores_with_work"] == 4
        assert json.loads((there / "t.json").read_text())["traceEvents"]

    def test_bfloat16_as_numpy_stores_it(self, folder: Path, there: Path) -> None:
        import ml_dtypes

        np.save("A.npy", np.load(folder / "A.npy").astype(ml_dtypes.bfloat16))
        command = self.command(folder, "--output", "Y=out.npy")
        command[3] = "A=A.npy"
        assert run(*command).code == 0
        np.testing.assert_array_equal(np.load("out.npy"), np.load(folder / "A.npy") + 0.5)

    @pytest.mark.parametrize(
        ("change", "code", "said"),
        [
            (["--output", "Z=z.npy"], 2, "the plan has no output 'Z'; its outputs: Y"),
            (["--input", "c=z.npy"], 2, "the plan has no input 'c'; its inputs: A, b"),
            (["--input", "A=z.npy"], 2, "--input A is given twice"),
            (["--scalar", "s=1"], 2, "the plan has no scalar 's'; its scalars: none"),
            (["--output", "Y"], 2, "write NAME=VALUE, not 'Y'"),
            (["--root", "."], 1, "error[EMU802]: no kernel source reader.cpp under ."),
            (["--on", "ttnn", "--trace", "t.json"], 2, "--trace is the emulator's"),
            (["--on", "ttnn", "--root", "."], 2, "leave --root out"),
        ],
    )
    def test_arguments_that_do_not_fit(
        self, change: list[object], code: int, said: str, folder: Path, there: Path
    ) -> None:
        ran = run(*self.command(folder, *change))
        assert said in ran.err
        assert ran.code == code

    @pytest.mark.parametrize(
        ("array", "said"),
        [
            (np.zeros((40, 64)), "holds float64; the tensor takes float32 or bfloat16: save it with"),
            (np.zeros((64, 40), np.float32), "has shape [64, 40]; the tensor has [40, 64]"),
            (np.array([["a"]], object), "A.npy holds Python objects, not numbers; save one array with numpy.save"),
            (b"1, 2, 3", "A.npy is no .npy file; save one array with numpy.save"),
            (b"", "A.npy is empty; save one array with numpy.save"),
            (b"\x93NUMPY\x01\x00v", "A.npy is damaged ("),
            (None, "cannot read A.npy: No such file or directory"),
        ],
    )
    def test_inputs_that_do_not_fit(self, array: object, said: str, folder: Path, there: Path) -> None:
        if isinstance(array, bytes):
            Path("A.npy").write_bytes(array)
        elif array is not None:
            np.save("A.npy", np.asarray(array), allow_pickle=True)
        command = self.command(folder)
        command[3] = "A=A.npy"
        ran = run(*command)
        assert said in ran.err
        assert "pickle" not in ran.err
        assert ran.code == 1

    def test_what_is_not_kept_is_shown(self, folder: Path) -> None:
        said = "k: ran on emulator; nothing was written: --output NAME=FILE.npy keeps an output\n"
        assert run(*self.command(folder)).out == f"{said}  Y [40, 64] float32: 0.5, 1.5, 2.5, 3.5, 4.5, 5.5, ...\n"

    def test_a_kernel_name_leads_to_the_build(self, there: Path) -> None:
        (there / "build" / "tenstorrent" / "gemm").mkdir(parents=True)
        assert run("run", "gemm").err == "tt-build: there is no gemm; did you mean build/tenstorrent/gemm?\n"

    def test_missing_inputs(self, folder: Path) -> None:
        ran = run("run", folder / "tenstorrent" / "k")
        assert (ran.code, ran.err) == (2, "tt-build: no --input for A, b\n")

    def test_a_wrong_kernel_is_reported_with_its_line(self, folder: Path, there: Path) -> None:
        shutil.copytree(folder / "tenstorrent" / "k", "copy")
        reader = there / "copy" / "reader.cpp"
        text = reader.read_text()
        assert "cb_push_back" in text
        reader.write_text(text.replace("cb_push_back", "// cb_push_back"))
        ran = run(*self.command(folder, "--root", "copy"))
        assert ran.code == 1
        assert re.match(r"tt-build: error\[EMU\d+\]: .*\n", ran.err), ran.err
        assert "writer.cpp:" in ran.err or "compute.cpp:" in ran.err


class TestCompletion:
    def complete(self, *words: str) -> list[str]:
        """What bash offers for the last word."""
        line = " ".join(f"'{word}'" for word in words)
        script = f"{run('completion', 'bash').out}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _tt_build\n"
        script += 'printf "%s\\n" "${COMPREPLY[@]}"'
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, check=True)
        return done.stdout.split()

    def test_bash_offers_commands_options_and_values(self) -> None:
        assert self.complete("tt-build", "") == [*COMMANDS, "--help", "--version"]
        assert self.complete("tt-build", "va") == ["validate"]
        assert "--format" in self.complete("tt-build", "validate", "--")
        assert self.complete("tt-build", "validate", "--format", "") == ["text", "json", "github", "sarif", "junit"]
        assert self.complete("tt-build", "graph", "--format", "m") == ["mermaid"]
        assert self.complete("tt-build", "completion", "") == ["bash", "zsh", "fish"]

    @pytest.mark.parametrize("shell", ["zsh", "fish"])
    def test_other_shells_name_everything(self, shell: str) -> None:
        from tt_build.cli.completion import commands

        script = run("completion", shell).out
        for name, (_, actions) in commands().items():
            assert name in script
            for action in actions:
                for option in action.option_strings:
                    wanted = (
                        option if shell == "zsh" else f"-{'l' if option.startswith('--') else 's'} {option.lstrip('-')}"
                    )
                    assert wanted in script
        if shutil.which(shell):
            subprocess.run([shell, "-n", "/dev/stdin"], input=script, text=True, check=True)
