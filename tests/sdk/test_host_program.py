"""The generated host program: what it says, that it compiles and links against the wheel's own library."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from tt_build.codegen.host import render_cmake, render_host
from tt_build.ir.plan import ArgRef, CoreArgs, Plan, PlanSharding, load_plan
from tt_build.sdk.gate import check, errors
from tt_build.sdk.host_check import STUB, exported_symbols
from tt_build.sdk.wheel import ensure
from tt_build.targets.dtypes import DTYPES

DATA = Path(__file__).parent / "data"


def plan(name: str) -> Plan:
    return load_plan(DATA / name / "tt.plan.json")


def placed(tmp_path: Path, plan: Plan, text: str | None = None) -> Path:
    """A folder with the plan's kernels and its host program; the plan's path."""
    folder = tmp_path / plan.kernel
    shutil.copytree(DATA / plan.kernel, folder)
    (folder / "tt.plan.json").write_bytes(msgspec.json.encode(plan))
    (folder / "host_program.cpp").write_text(text or render_host(plan))
    (folder / "CMakeLists.txt").write_text(render_cmake(plan))
    return folder / "tt.plan.json"


@pytest.mark.parametrize("sdk", ["0.78", "0.81"])
@pytest.mark.parametrize("name", ["gemm", "features"])
def test_all_its_symbols_are_the_sdks(tmp_path: Path, name: str, sdk: str) -> None:
    assert check(placed(tmp_path, plan(name)), sdk=sdk) == []


@pytest.mark.parametrize("dtype", sorted(DTYPES))
def test_every_dtype_compiles(tmp_path: Path, dtype: str) -> None:
    gemm = plan("gemm")
    buffers = {
        name: msgspec.structs.replace(
            buffer, dtype=dtype, page_size=DTYPES[dtype].tile_bytes, shape=(2, 250, 256), batch=2
        )
        for name, buffer in gemm.buffers.items()
    }
    path = placed(tmp_path, msgspec.structs.replace(gemm, buffers=buffers))
    assert errors(check(path)) == []


@pytest.mark.parametrize("wide", ["input", "output"])
def test_a_dtype_on_one_side_only_compiles(tmp_path: Path, wide: str) -> None:
    """What converts the other side's dtype is not defined: the SDK's flags refuse functions that nobody calls."""
    gemm = plan("gemm")
    buffers = {
        name: msgspec.structs.replace(buffer, dtype="float32", page_size=4096) if buffer.role == wide else buffer
        for name, buffer in gemm.buffers.items()
    }
    path = placed(tmp_path, msgspec.structs.replace(gemm, buffers=buffers))
    assert errors(check(path)) == []


@pytest.mark.parametrize("shape", [(100, 64), (4, 32, 64)])
def test_row_major_tensors_are_not_tilized(tmp_path: Path, shape: tuple[int, ...]) -> None:
    gemm = plan("gemm")
    buffers = {
        name: msgspec.structs.replace(buffer, format="row_major", shape=shape, batch=1 if len(shape) == 2 else 4)
        for name, buffer in gemm.buffers.items()
    }
    text = render_host(msgspec.structs.replace(gemm, buffers=buffers))
    assert "tilize" not in text
    assert f"create_buffer(*device, {shape[0] if len(shape) == 2 else 128}, 128, BufferType::DRAM)" in text
    assert check(placed(tmp_path, gemm, text)) == []


def test_height_shards_on_scattered_cores(tmp_path: Path) -> None:
    gemm = plan("gemm")
    sharding = PlanSharding(
        memory="l1",
        sharding="height",
        grid=(1, 3),
        shard=(96, 256),
        cores=((0, 0), (2, 1), (5, 5)),
        order="column_major",
    )
    buffers = {**gemm.buffers, "C": msgspec.structs.replace(gemm.buffers["C"], layout=sharding)}
    text = render_host(msgspec.structs.replace(gemm, buffers=buffers))
    assert "std::vector<CoreRange>{CoreRange({0, 0}, {0, 0}), CoreRange({2, 1}, {2, 1})" in text
    assert "ShardOrientation::COL_MAJOR" in text
    assert check(placed(tmp_path, gemm, text)) == []


def test_arguments_that_all_cores_share_stand_in_the_call() -> None:
    text = render_host(plan("gemm"))
    assert "for (const auto& [x, y, arg2] : reader_args) {" in text
    assert "SetRuntimeArgs(program, reader, CoreCoord(x, y), {A_address, B_address, arg2, 1});" in text
    assert "SetRuntimeArgs(program, compute, cores, {1});" in text
    rows = re.findall(r"\{(\d+), (\d+), (\d+)\}", text.split("reader_args[][3]")[1].split("};")[0])
    assert [tuple(map(int, row)) for row in rows] == [(i % 8, i // 8, i) for i in range(64)]


def test_cores_with_other_argument_counts_and_negative_words(tmp_path: Path) -> None:
    gemm = plan("gemm")
    reader, *others = gemm.kernels
    args = (*reader.runtime_args[:-1], CoreArgs(core=(7, 7), args=(ArgRef(address_of="A"), -1)))
    changed = msgspec.structs.replace(gemm, kernels=(msgspec.structs.replace(reader, runtime_args=args), *others))
    text = render_host(changed)
    assert "reader_args_0[][3]" in text
    assert "SetRuntimeArgs(program, reader, CoreCoord(x, y), {A_address, 4294967295u});" in text
    assert check(placed(tmp_path, gemm, text)) == []


def test_it_is_deterministic_and_names_no_place() -> None:
    text = render_host(plan("features"), origin="library/kernels.yaml")
    assert text == render_host(plan("features"), origin="library/kernels.yaml")
    assert "from library/kernels.yaml: kernels.features; do not edit." in text
    assert str(DATA) not in text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("CreateProgram()", "CreateProgramm()", "'CreateProgramm' was not declared in this scope"),
        ("SetRuntimeArgs(program, compute, cores, {1});", "SetRuntimeArgs(program, compute);", "no matching function"),
    ],
)
def test_a_wrong_call_is_found_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = render_host(plan("gemm"))
    assert text.count(old) == 1
    found = errors(check(placed(tmp_path, plan("gemm"), text.replace(old, new))))
    assert [(f.file, f.line) for f in found] == [("host_program.cpp", text[: text.index(old)].count("\n") + 1)]
    assert message in found[0].message


def test_a_symbol_that_the_library_lacks_is_found(tmp_path: Path) -> None:
    """CreateDevice is declared here, as an old header would, and the library of 0.81 no longer has it."""
    text = render_host(plan("gemm"))
    text = text.replace(
        "namespace {", "namespace tt::tt_metal { class IDevice; IDevice* CreateDevice(int id); }\n\nnamespace {", 1
    )
    call = "    CreateDevice(0);\n    Program program = CreateProgram();"
    text = text.replace("    Program program = CreateProgram();", call)
    (found,) = errors(check(placed(tmp_path, plan("gemm"), text), sdk="0.81"))
    assert found.message == "the SDK's library does not export tt::tt_metal::CreateDevice(int)"
    assert found.help == "SDK 0.81 has no CreateDevice; use distributed::MeshDevice::create_unit_mesh"
    assert found.line > 0


def test_the_table_of_host_symbols_is_true() -> None:
    """CreateDevice and CreateBuffer are in 0.78 to 0.80 and not in 0.81; the Enqueue functions in none of them."""

    def has(sdk: str, name: str) -> bool:
        return any(symbol.startswith(f"tt::tt_metal::{name}(") for symbol in exported_symbols(sdk))

    assert {name: (has("0.78", name), has("0.81", name)) for name in ("CreateDevice", "CreateBuffer")} == {
        "CreateDevice": (True, False),
        "CreateBuffer": (True, False),
    }
    assert not any(has(sdk, f"Enqueue{name}") for sdk in ("0.78", "0.81") for name in ("Program", "WriteBuffer"))


def test_cmake_builds_and_links_it(tmp_path: Path) -> None:
    """``cmake -B b && cmake --build b`` with a package that stands for the SDK's: our headers, the wheel's library."""
    folder = placed(tmp_path, plan("features")).parent
    package = tmp_path / "package"
    package.mkdir()
    library = ensure("0.81") / "ttnn" / "build" / "lib" / "libtt_metal.so"
    (package / "TT-MetaliumConfig.cmake").write_text(
        "add_library(TT::Metalium SHARED IMPORTED)\n"
        f'set_target_properties(TT::Metalium PROPERTIES IMPORTED_LOCATION "{library}"\n'
        f'  INTERFACE_INCLUDE_DIRECTORIES "{STUB}" INTERFACE_LINK_OPTIONS "-Wl,--allow-shlib-undefined")\n'
    )
    for command in (["cmake", "-B", "b", f"-DTT-Metalium_DIR={package}"], ["cmake", "--build", "b"]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "b" / "features").is_file()
