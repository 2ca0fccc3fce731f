"""What users ask of builds beyond the first: proof of outputs, lazy declaration, explanations, plans, the lock."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.test_scons import PASSES, SPEC, chain
from tests.support import ROOT, Tree
from tt_build.scons.ledger import stat_of
from tt_build.scons.statefile import read_state, write_state

NUMBERED = list(enumerate(PASSES, 1))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path / "project", SPEC)
    tree.scons()
    return tree


def overwrite_unseen(path: Path, data: bytes) -> None:
    """Change bytes where the index cannot see it: size and times put back, ctime through a record of our own."""
    before = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_one_quiet_line_when_nothing_is_to_do(tree: Tree) -> None:
    lines = tree.scons().splitlines()
    assert lines == ["scons: Reading SConscript files ...", "tt-build: 2 kernels up to date"]
    assert json.loads((tree.folder / "build/.tt-build/trace.json").read_text())["traceEvents"]


def imported(tree: Tree) -> set[str]:
    """The modules that a build imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "SCons"],
        cwd=tree.folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}


def test_a_build_looks_for_no_compilers(tree: Tree) -> None:
    """SCons' default environment takes a tenth of a second; nothing of ours needs it."""
    tree.edit("M: 64", "M: 96")
    assert "SCons.Tool.default" not in imported(tree)


def test_a_null_build_imports_nothing_heavy(tree: Tree) -> None:
    loaded = imported(tree)
    assert "tt_build.scons.session" in loaded
    assert not loaded & {"yaml", "jinja2", "numpy", "msgspec", "tt_build.passes.pipeline", "tt_build.spec.loader"}


def test_hand_edits_with_times_put_back_are_seen(tree: Tree) -> None:
    before = tree.files()
    path = tree.folder / "build/tenstorrent/gemm/reader.cpp"
    overwrite_unseen(path, b"#" + path.read_bytes()[1:])
    assert tree.steps(tree.scons()) == ["gemm:generate"]
    assert tree.files() == before


def test_rehash_finds_what_stat_cannot_see(tree: Tree) -> None:
    """A changed byte whose stat is the recorded one: made by writing the file's new stat into the build's records."""
    before = tree.files()
    assert "up to date" in tree.scons("rehash=1")
    folder = tree.folder / "build/tenstorrent/gemm"
    (folder / "reader.cpp").write_bytes(b"#" + (folder / "reader.cpp").read_bytes()[1:])
    (own,) = (tree.folder / "build/.tt-build").glob("tenstorrent-kernels-*")
    ledger = read_state(own / "kernels/gemm.json")
    ledger["records"]["reader.cpp"][2] = stat_of(folder / "reader.cpp")
    write_state(own / "kernels/gemm.json", ledger)
    (own / "index.json").unlink()  # made anew from the ledger
    assert tree.steps(tree.scons()) == []
    assert "up to date" in tree.scons()
    assert tree.steps(tree.scons("rehash=1")) == ["gemm:generate"]
    assert tree.files() == before


def test_orphans_go_and_what_is_not_ours_stays(tree: Tree) -> None:
    mine = tree.folder / "build/tenstorrent/add/mine.txt"
    mine.write_text("mine")
    tree.edit("  add:", "  sum:")
    assert tree.steps(tree.scons()) == chain("sum")
    assert [name for name in tree.files() if "/add/" in name] == ["tenstorrent/add/mine.txt"]
    mine.unlink()
    tree.scons()
    tree.edit("Z = X + Y", "Z = X + Q")
    tree.scons(code=1)
    assert "tenstorrent/gemm/reader.cpp" in tree.files()  # a rejected file removes nothing


def test_a_foreign_sconsign_is_no_traceback(tree: Tree) -> None:
    (tree.folder / ".sconsign.dblite").write_bytes(pickle.dumps(["not", "a", "record"]))
    assert tree.steps(tree.scons()) == []
    tree.edit("M: 64", "M: 96")
    output = tree.scons()
    assert "damaged and was removed" in output
    assert tree.steps(output) == chain("gemm")


def test_a_copied_tree_is_proven_by_its_contents(tree: Tree, tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", str(tree.folder), str(tmp_path / "copy")], check=True)
    tree.folder = tmp_path / "copy"
    assert tree.steps(tree.scons()) == []


def test_others_can_consume_what_is_not_declared(tmp_path: Path) -> None:
    tree = Tree(
        tmp_path / "project",
        SPEC,
        Tree.SCONSTRUCT + "import shutil\n"
        "def join(target, source, env):\n"
        "    open(str(target[0]), 'w').write(''.join(open(str(s)).read() for s in source))\n"
        "nodes = env.TTKernels('more.yaml', out='more')\n"
        "env.Command('all.txt', [n for n in nodes if n.name == 'reader.cpp'], join)\n"
        "env.Command('one.txt', 'build/tenstorrent/gemm/reader.cpp', join)\n"
        "env.Depends('one.txt', 'kernel-add')\n"
        "env.Default('all.txt', 'one.txt')\n",
    )
    (tree.folder / "more.yaml").write_text(SPEC)
    tree.scons()
    assert (tree.folder / "all.txt").read_text().count("void kernel_main") == 2
    assert tree.steps(tree.scons()) == []
    tree.scons("-q")
    tree.edit("M: 64", "M: 96")
    (tree.folder / "more.yaml").write_text((tree.folder / "kernels.yaml").read_text())
    old = (tree.folder / "one.txt").read_text()
    tree.scons()
    assert (tree.folder / "one.txt").read_text() == (tree.folder / "build/tenstorrent/gemm/reader.cpp").read_text()
    assert (tree.folder / "one.txt").read_text() != old


@pytest.mark.parametrize("jobs", ["-j1", "-j2"])
def test_a_consumer_whose_sources_are_scanned_gets_what_this_build_makes(tmp_path: Path, jobs: str) -> None:
    """SCons' C scanner asks whether a .cpp is current before its own sources are built; the answer must not be kept."""
    tree = Tree(
        tmp_path / "project",
        SPEC,
        Tree.SCONSTRUCT.replace("env.TTKernels", "nodes = env.TTKernels") + "def join(target, source, env):\n"
        "    open(str(target[0]), 'w').write(''.join(open(str(s)).read() for s in source))\n"
        "for name in ('reader', 'writer'):\n"
        "    env.Default(env.Command(name + '.txt', [n for n in nodes if n.name == name + '.cpp'], join))\n"
        "env.Depends(env.Command('one.txt', 'build/tenstorrent/gemm/reader.cpp', join), 'kernel-add')\n"
        "env.Default('one.txt')\n",
    )
    tree.scons(jobs)
    tree.edit("M: 64", "M: 96")
    assert tree.steps(tree.scons(jobs)) == chain("gemm")
    for name in ("reader", "writer"):
        made = [tree.folder / f"build/tenstorrent/{kernel}/{name}.cpp" for kernel in ("gemm", "add")]
        assert (tree.folder / f"{name}.txt").read_text() == "".join(path.read_text() for path in made)
    assert tree.steps(tree.scons(jobs)) == []


def test_what_a_cold_build_writes_is_read_by_the_step_after_it_only(tmp_path: Path) -> None:
    """The digests of all files are known when they are written."""
    tree = Tree(
        tmp_path / "project",
        SPEC,
        "import sys\nread = []\n"
        "def note(event, arguments):\n"
        "    if event == 'open' and 'tenstorrent/' in str(arguments[0]) and arguments[2] & 3 == 0:\n"
        "        read.append(str(arguments[0]).partition('build/tenstorrent/')[2])\n"
        "sys.addaudithook(note)\n"
        "import atexit\n"
        "atexit.register(lambda: open('read.txt', 'w').write('\\n'.join(read)))\n" + Tree.SCONSTRUCT,
    )
    tree.scons()
    stages = [f"{kernel}/ir/{number:02}_{name}.json" for kernel in ("gemm", "add") for number, name in NUMBERED]
    assert sorted(tree.folder.joinpath("read.txt").read_text().split("\n")) == sorted(stages)


def test_an_action_that_somebody_adds_to_a_step_is_seen_by_what_reads_its_target(tmp_path: Path) -> None:
    sconstruct = (
        Tree.SCONSTRUCT.replace("env.TTKernels", "nodes = env.TTKernels") + "def sign(target, source, env):\n"
        "    open('build/tenstorrent/add/reader.cpp', 'a').write('// one\\n')\n"
        "def copy(target, source, env):\n"
        "    open(str(target[0]), 'w').write(open(str(source[0])).read())\n"
        "reader = [n for n in nodes if str(n).endswith('add/reader.cpp')]\n"
        "env.AddPostAction(reader, sign)\n"
        "env.Default(env.Command('copy.txt', reader, copy))\n"
    )
    tree = Tree(tmp_path / "project", SPEC, sconstruct)
    for text in ("one", "two"):
        (tree.folder / "SConstruct").write_text(sconstruct.replace("// one", f"// {text}"))
        tree.scons()
        assert (tree.folder / "copy.txt").read_text().endswith(f"// {text}\n")


def test_a_step_s_target_by_name_after_all_is_clean(tree: Tree) -> None:
    assert tree.steps(tree.scons("kernel-gemm")) == []
    assert tree.steps(tree.scons("build/tenstorrent/add/ir/03_infer_shard.json")) == []
    assert tree.steps(tree.scons("-n")) == []
    assert "tile_pad" in tree.scons("--tree=prune")


def test_explain_names_field_line_and_values(tree: Tree) -> None:
    tree.edit("M: 64", "M: 96")
    output = tree.scons("explain=gemm")
    assert "explain: gemm: kernels.yaml:4: sizes.M: 64 -> 96" in output
    assert "ran apply_defaults" in output
    tree.edit("  gemm:\n", "  gemm:\n    description: a matmul\n")
    output = tree.scons("explain=gemm")
    assert 'description: "not there" -> "a matmul"' in output or "description: not there ->" in output
    assert "cut off after apply_defaults, whose output is what it was" in output
    (tree.folder / "build/tenstorrent/gemm/writer.cpp").unlink()
    assert "writer.cpp is missing" in tree.scons("explain=gemm")
    assert "nothing changed" in tree.scons("explain=gemm")


def test_plan_shows_and_writes_nothing(tree: Tree) -> None:
    def everything() -> dict[Path, tuple[int, int]]:
        return {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in tree.folder.rglob("*")}

    tree.edit("M: 64", "M: 96")
    before = everything()
    output = tree.scons("plan=1")
    assert everything() == before
    assert [line for line in output.splitlines() if line.startswith("plan: run")] == [
        f"plan: run {step}" for step in chain("gemm")
    ]
    assert '-        "shape": [64, 64],' in output
    assert "plan: 11 steps would run; nothing was written" in output


def test_a_second_build_waits_and_says_for_whom(tree: Tree) -> None:
    held = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tree.folder / "build/.tt-build")],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert held.stdout is not None
    held.stdout.readline()
    started = time.monotonic()
    output = tree.scons()
    held.communicate()
    assert f"process {held.pid} builds in {tree.folder / 'build'}; waiting for it" in output
    assert time.monotonic() - started > 1


HOLD = """
import pathlib, sys, time
from tt_build.scons.lock import hold_lock
hold_lock(pathlib.Path(sys.argv[1]))
print("held", flush=True)
time.sleep(2)
"""


def test_an_input_that_changes_while_the_build_runs_is_noticed(tree: Tree) -> None:
    sconstruct = tree.folder / "SConstruct"
    sconstruct.write_text(
        sconstruct.read_text()
        + "def spoil(target, source, env):\n    open('build/tenstorrent/gemm/ir/03_infer_shard.json', 'a').write(' ')\n"
        "env.AddPostAction('build/tenstorrent/gemm/ir/03_infer_shard.json', spoil)\n"
    )
    tree.edit("M: 64", "M: 96")
    assert "03_infer_shard.json changed while the build ran" in tree.scons("-j1", code=2)
    sconstruct.write_text(Tree.SCONSTRUCT)
    tree.scons()
    clean = Tree(tree.folder.parent / "clean", (tree.folder / "kernels.yaml").read_text())
    clean.scons()
    assert tree.files() == clean.files()
