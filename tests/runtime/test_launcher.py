"""The launcher without a device: what it refuses, and how it says so."""

from __future__ import annotations

import struct
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from tt_build.ir.plan import PlanError
from tt_build.runtime import LaunchError, load, run_on_ttnn
from tt_build.runtime.descriptor import scalar_word
from tt_build.sdk.mock import available_tag, python
from tt_build.targets.sdk import load_sdk

DATA = Path(__file__).parents[1] / "sdk" / "data"
GEMM = DATA / "gemm" / "tt.plan.json"
SQUARE = np.zeros((256, 256), dtype=np.float32)


def test_the_package_imports_without_ttnn() -> None:
    code = "import sys; sys.modules['ttnn'] = None; import tt_build.runtime; print('ttnn' in dir(tt_build.runtime))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_no_ttnn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ttnn", None)
    with pytest.raises(LaunchError, match=r"ttnn is not installed in this Python .* pip install 'ttnn==0\.81\.\*'"):
        load(GEMM)(SQUARE, SQUARE)


def test_too_old_an_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ttnn", types.ModuleType("ttnn"))
    monkeypatch.setattr("tt_build.runtime.ttnn_module.importlib.metadata.version", lambda _: "0.65.1")
    with pytest.raises(LaunchError, match=r"ttnn 0\.65 is too old and lacks .*ProgramDescriptor.*needs 0\.78 or newer"):
        load(GEMM)(SQUARE, SQUARE)


def test_old_version_with_all_names(monkeypatch: pytest.MonkeyPatch) -> None:
    class Everything(types.ModuleType):
        def __getattr__(self, name: str) -> object:
            return object()

    monkeypatch.setitem(sys.modules, "ttnn", Everything("ttnn"))
    monkeypatch.setattr("tt_build.runtime.ttnn_module.importlib.metadata.version", lambda _: "0.77.0")
    with pytest.raises(LaunchError, match=r"^ttnn 0\.77 is too old; tt-build needs 0\.78 or newer$"):
        load(GEMM)(SQUARE, SQUARE)


def test_arguments_are_checked_before_ttnn_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ttnn", None)
    gemm, features = load(GEMM), load(DATA / "features" / "tt.plan.json")
    with pytest.raises(LaunchError, match=r"^gemm takes 2 tensors \(A, B\), not 1$"):
        gemm(SQUARE)
    with pytest.raises(LaunchError, match=r"^B has shape \[256, 1\]; the plan wants \[256, 256\]$"):
        gemm(SQUARE, SQUARE[:, :1])
    with pytest.raises(LaunchError, match=r"^the scalars given are beta; the plan takes none$"):
        gemm(SQUARE, SQUARE, scalars={"beta": 1})
    with pytest.raises(LaunchError, match=r"^the scalars given are none; the plan takes alpha$"):
        features(SQUARE, SQUARE)
    with pytest.raises(LaunchError, match=r"^the plan has no input D; its inputs are A, B$"):
        run_on_ttnn(GEMM, {"A": SQUARE, "D": SQUARE})
    with pytest.raises(LaunchError, match=r"^no value for input B$"):
        run_on_ttnn(GEMM, {"A": SQUARE})


def test_a_file_that_is_no_plan(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot read"):
        load(tmp_path / "tt.plan.json")


def test_scalars_become_words() -> None:
    assert scalar_word("a", "float32", 1.5) == struct.unpack("<I", struct.pack("<f", 1.5))[0]
    assert scalar_word("a", "int32", -1) == 0xFFFFFFFF
    assert scalar_word("a", "uint32", 2**32 - 1) == 0xFFFFFFFF
    for dtype, value in (("int32", 2**31), ("uint32", -1), ("int32", 0.5), ("bfloat16", 1.0)):
        with pytest.raises(LaunchError, match="scalar a"):
            scalar_word("a", dtype, value)


@pytest.fixture(scope="module")
def on_mock(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The answers of ``on_mock.py`` with the real ttnn on a mock n150, by name."""
    script = Path(__file__).with_name("on_mock.py")
    folder = tmp_path_factory.mktemp("mock")
    printed = python(load_sdk("0.81"), available_tag(), "wormhole_b0", [str(script), str(DATA)], folder=folder)
    lines = [line.split(" ", 2) for line in printed.splitlines() if line.startswith("ANSWER ")]
    assert lines, printed[-3000:]
    return {name: answer for _, name, answer in lines}


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("numpy", "ndarray float32 (256, 256)"),
        ("dtypes", "int, float64 and bfloat16 arrays: ndarray"),
        ("tensors", "Tensor (256, 256) DataType.BFLOAT16 DRAM"),
        ("mixed", "Tensor (256, 256) DataType.BFLOAT16 DRAM"),
        ("memory_config", "Tensor (256, 256) DataType.BFLOAT16 L1"),
        ("given_output", "the same tensor"),
        ("two_outputs", "tuple ndarray (128, 128) ndarray (128, 128)"),
        ("timed", "True True"),
        ("run_on_ttnn", "Y (128, 128) Z (128, 128)"),
        ("wrong_dtype", "LaunchError: A has dtype DataType.FLOAT32; the plan wants bfloat16"),
        ("wrong_shape", "LaunchError: A has shape [128, 256]; the plan wants [256, 256]"),
        ("wrong_layout", "LaunchError: A has layout Layout.ROW_MAJOR; the plan wants format tile"),
        ("on_host", "LaunchError: A is on the host; move it with ttnn.to_device first, or pass a NumPy array"),
        ("other_arch", "LaunchError: the plan is built for blackhole, the device is a wormhole_b0; rebuild it"),
        (
            "far_cores",
            "LaunchError: the plan uses 9x8 cores, the device has 8x8; rebuild it with grid=8x8",
        ),
        ("no_source", "LaunchError: the plan's kernel source reader.cpp is not beside it in EMPTY"),
        (
            "bound",
            "LaunchError: Y keeps the plan's memory configuration: the circular buffer cb_y is bound to its shards",
        ),
        ("refused", "LaunchError: the runtime refused gemm: Total circular buffer size 4096 B must be divisible by"),
        ("no_device", "LaunchError: cannot open Tenstorrent device 3: "),
    ],
)
def test_on_the_mock_device(on_mock: dict[str, str], name: str, answer: str) -> None:
    found = on_mock[name]
    assert found.startswith(answer) if name in ("no_device", "refused") else found == answer


def test_addresses_and_coordinates_reach_the_kernels(on_mock: dict[str, str]) -> None:
    """Word for word: the buffers' addresses, and virtual coordinates 18.. of the mock n150."""
    assert on_mock["arguments"] == "sender of (1, 0): 0 2 19 18 19; common words: X bias 0 1; alpha 0x40200000"
