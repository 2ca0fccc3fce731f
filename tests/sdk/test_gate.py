"""The gate accepts the hand-written gemm on every SDK version and architecture, and catches each planted error."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from tt_build.sdk.findings import Finding
from tt_build.sdk.gate import check, errors

DATA = Path(__file__).parent / "data"


def planted(tmp_path: Path, file: str, old: str, new: str) -> tuple[Path, int]:
    """A copy of gemm with one text replaced; the plan's path and the line where the replacement starts."""
    folder = tmp_path / "gemm"
    shutil.copytree(DATA / "gemm", folder)
    text = (folder / file).read_text()
    assert text.count(old) == 1, f"{old!r} must occur once in {file}"
    (folder / file).write_text(text.replace(old, new))
    return folder / "tt.plan.json", text[: text.index(old)].count("\n") + 1


def only_error(findings: list[Finding]) -> Finding:
    found = errors(findings)
    assert len({(f.file, f.line) for f in found}) == 1, "\n".join(str(f) for f in found)
    return found[0]


@pytest.mark.parametrize("arch", ["wormhole_b0", "blackhole"])
@pytest.mark.parametrize("sdk", ["0.78", "0.81"])
@pytest.mark.parametrize("kernel", ["gemm", "features"])
def test_clean_kernels_have_no_findings(kernel: str, sdk: str, arch: str) -> None:
    assert check(DATA / kernel / "tt.plan.json", sdk=sdk, arch=arch) == []


@pytest.mark.long
@pytest.mark.parametrize("arch", ["wormhole_b0", "blackhole"])
@pytest.mark.parametrize("sdk", ["0.79", "0.80"])
@pytest.mark.parametrize("kernel", ["gemm", "features"])
def test_versions_in_between(kernel: str, sdk: str, arch: str) -> None:
    assert check(DATA / kernel / "tt.plan.json", sdk=sdk, arch=arch) == []


@pytest.mark.parametrize("sdk", ["0.78", "0.81"])
def test_removed_name(tmp_path: Path, sdk: str) -> None:
    plan, line = planted(tmp_path, "compute.cpp", "matmul_init(cb_a, cb_b);", "mm_init(cb_a, cb_b, cb_c);")
    found = only_error(check(plan, sdk=sdk))
    assert (found.file, found.line) == ("compute.cpp", line)
    assert "'mm_init' was not declared" in found.message
    assert found.help == f"SDK {sdk} has no mm_init; use matmul_init"
    assert set(found.processors) == {"unpack", "math", "pack"}


def test_name_removed_in_between(tmp_path: Path) -> None:
    """add_tiles_init is deprecated in 0.78 (a warning there) and gone in 0.81 (an error)."""
    include = '#include "api/compute/matmul.h"'
    plan, _ = planted(tmp_path, "compute.cpp", include, include + '\n#include "api/compute/eltwise_binary.h"')
    source = plan.parent / "compute.cpp"
    source.write_text(source.read_text().replace("matmul_init(cb_a, cb_b);", "add_tiles_init(cb_a, cb_b);"))
    line = source.read_text().split("add_tiles_init")[0].count("\n") + 1
    older = check(plan, sdk="0.78")
    assert errors(older) == []
    assert {(f.severity, f.line) for f in older} == {("warning", line)}
    assert older[0].help == "SDK 0.78 marks add_tiles_init as deprecated; use add_init"
    newer = only_error(check(plan, sdk="0.81"))
    assert newer.line == line
    assert newer.help == "SDK 0.81 has no add_tiles_init; use add_init"


@pytest.mark.parametrize("file", ["reader.cpp", "writer.cpp"])
def test_old_include_path(tmp_path: Path, file: str) -> None:
    plan, line = planted(tmp_path, file, '"api/dataflow/dataflow_api.h"', '"dataflow_api.h"')
    found = only_error(check(plan))
    assert (found.file, found.line) == (file, line)
    assert found.message == "dataflow_api.h: No such file or directory"
    assert found.help == 'the SDK moved it: #include "api/dataflow/dataflow_api.h"'


def test_wrong_argument_count(tmp_path: Path) -> None:
    plan, line = planted(tmp_path, "compute.cpp", "matmul_tiles(cb_a, cb_b, 0, 0, 0);", "matmul_tiles(cb_a, cb_b, 0);")
    found = only_error(check(plan))
    assert (found.file, found.line) == ("compute.cpp", line)
    assert "matmul_tiles" in found.message


def test_argument_of_old_signature(tmp_path: Path) -> None:
    """matmul_tiles lost its trailing transpose argument."""
    plan, line = planted(
        tmp_path, "compute.cpp", "matmul_tiles(cb_a, cb_b, 0, 0, 0);", "matmul_tiles(cb_a, cb_b, 0, 0, 0, false);"
    )
    assert only_error(check(plan)).line == line


@pytest.mark.parametrize("file", ["reader.cpp", "compute.cpp"])
def test_sign_compare_is_an_error(tmp_path: Path, file: str) -> None:
    old = "for (uint32_t k = 0; k < Kt; ++k) {"
    plan, line = planted(tmp_path, file, old, "for (int32_t k = 0; k < Kt; ++k) {")
    found = only_error(check(plan))
    assert (found.file, found.line) == (file, line)
    assert "comparison of integer expressions of different signedness" in found.message


def test_compile_time_argument_out_of_range(tmp_path: Path) -> None:
    plan, line = planted(tmp_path, "compute.cpp", "get_compile_time_arg_val(3)", "get_compile_time_arg_val(4)")
    found = only_error(check(plan))
    assert (found.file, found.line) == ("compute.cpp", line)
    assert "Index out of range" in found.message
    assert found.place.startswith("tt_metal/hw/inc/api/compile_time_args.h:")


def test_accessor_words_out_of_range(tmp_path: Path) -> None:
    """The accessor reads two words from its offset on: one too few is noticed at its line."""
    plan, line = planted(tmp_path, "writer.cpp", "TensorAccessorArgs<1>()", "TensorAccessorArgs<2>()")
    assert only_error(check(plan)).line == line


def test_chained_accessor_out_of_range(tmp_path: Path) -> None:
    plan, line = planted(tmp_path, "reader.cpp", "a_args.next_compile_time_args_offset()", "7")
    assert only_error(check(plan)).line == line


def test_uint32_is_unsigned_long(tmp_path: Path) -> None:
    """What compiles where uint32_t is unsigned int does not on the target."""
    plan, line = planted(
        tmp_path, "reader.cpp", "const uint32_t m = tile / Nt;", "const uint32_t m = std::min(tile / Nt, 7u);"
    )
    found = only_error(check(plan))
    assert (found.file, found.line) == ("reader.cpp", line)
    assert "no matching function for call to 'min(" in found.message


def test_missing_source_and_missing_words_are_named(tmp_path: Path) -> None:
    plan, _ = planted(tmp_path, "reader.cpp", "const uint32_t m", "const uint32_t m")
    (plan.parent / "writer.cpp").unlink()
    data = msgspec.json.decode(plan.read_bytes())
    del data["kernels"][0]["compile_time_args"][4]["words"]
    plan.write_bytes(msgspec.json.encode(data))
    assert [(f.file, f.message) for f in check(plan)] == [
        ("reader.cpp", "the plan has no accessor words for tensor 'A'"),
        ("writer.cpp", "the plan names this source, but it is not there"),
    ]


def test_results_are_cached_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, line = planted(tmp_path, "writer.cpp", "noc_async_writes_flushed();", "noc_async_writes_flushed(1, 2, 3);")
    first = check(plan)

    def no_compiler(*_: object, **__: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr("tt_build.sdk.gate.run_child", no_compiler)
    assert check(plan) == first
    assert only_error(first).line == line
    (plan.parent / "writer.cpp").write_text((plan.parent / "writer.cpp").read_text() + "\n")
    with pytest.raises(AssertionError, match="compiled again"):
        check(plan)


def test_other_folder_hits_the_same_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(DATA / "gemm" / "tt.plan.json")
    plan, _ = planted(tmp_path, "writer.cpp", "// Writes", "// Writes")
    monkeypatch.setattr("tt_build.sdk.gate.run_child", None)
    assert check(plan) == []
