"""The cache of wheels and folders: pinned, whole or not at all, safe for two at once, clear without a network."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import msgspec
import pytest

from tt_build.sdk import toolchain
from tt_build.sdk.cache import SdkUnavailable, build_folder, cache_root
from tt_build.sdk.findings import Finding
from tt_build.sdk.gate import check_to_file
from tt_build.sdk.mock import find_python
from tt_build.sdk.wheel import ensure, fetch
from tt_build.targets.sdk import Sdk, SdkError, Wheel, available_sdks, load_sdk, newest_sdk

DATA = Path(__file__).parent / "data"


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TT_BUILD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No index that pip could reach, and no local folders of wheels."""
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")


def small_sdk(content: bytes = b"x") -> tuple[Sdk, bytes]:
    """An SDK whose wheel is a small archive with one file."""
    path = Path(os.environ["TT_BUILD_CACHE"]) / "small.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("ttnn/file"), content)
    data = path.read_bytes()
    wheel = Wheel("small.whl", hashlib.sha256(data).hexdigest(), len(data))
    return msgspec.structs.replace(load_sdk("0.81"), wheels={"cp310": wheel}), data


@pytest.mark.usefixtures("offline")
def test_without_network_and_cache(empty_cache: Path) -> None:
    with pytest.raises(SdkUnavailable) as caught:
        ensure("0.81")
    text = str(caught.value)
    assert text.startswith("cannot fetch ttnn 0.81.1 (102 MB) from the package index: ")
    assert f"put ttnn-0.81.1-cp310-cp310-manylinux_2_34_x86_64.whl into {empty_cache / 'dl'}" in text
    assert "TT_BUILD_CACHE" in text
    assert not list(empty_cache.glob("sdk-*"))


@pytest.mark.usefixtures("offline")
def test_a_file_put_into_the_cache_is_used(empty_cache: Path) -> None:
    sdk, data = small_sdk()
    (empty_cache / "dl").mkdir()
    (empty_cache / "dl" / "small.whl").write_bytes(data)
    assert fetch(sdk) == empty_cache / "dl" / "small.whl"


@pytest.mark.usefixtures("offline")
def test_a_damaged_file_is_not_used(empty_cache: Path) -> None:
    sdk, data = small_sdk()
    (empty_cache / "dl").mkdir()
    (empty_cache / "dl" / "small.whl").write_bytes(data[:-1])
    with pytest.raises(SdkUnavailable, match="cannot fetch"):
        fetch(sdk)


def test_another_file_than_the_pinned_one_is_refused(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sdk, data = small_sdk()

    def download(_sdk: Sdk, _tag: str, wheel: Wheel, target: Path) -> None:
        (target / wheel.file).write_bytes(data + b"!")

    monkeypatch.setattr("tt_build.sdk.wheel._download", download)
    with pytest.raises(SdkUnavailable, match=r"small\.whl is not the pinned file: its SHA-256 is"):
        fetch(sdk)
    assert not (empty_cache / "dl" / "small.whl").exists()


def test_a_python_without_a_wheel(empty_cache: Path) -> None:
    with pytest.raises(SdkUnavailable, match=r"^ttnn 0\.81\.1 has no wheel for cp311; there is cp310, cp312$"):
        fetch(load_sdk("0.81"), "cp311")
    assert empty_cache == cache_root()


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("")
        raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        build_folder(tmp_path / "sdk", fail)
    assert [path.name for path in tmp_path.iterdir()] == [".sdk.lock"]
    assert build_folder(tmp_path / "sdk", lambda folder: None).is_dir()


def test_two_at_once_build_it_once(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom tt_build.sdk.cache import build_folder\n"
        "def fill(folder):\n    print('filled'); time.sleep(0.5); (folder / 'file').write_text('')\n"
        "build_folder(Path(sys.argv[1]), fill); assert (Path(sys.argv[1]) / 'file').is_file()\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "sdk")], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    printed = "".join(process.communicate()[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert printed == "filled\n"


def test_unknown_versions_are_refused_with_the_list() -> None:
    for name in ("0.77", "0.82", "1", "", "0.81.0"):
        with pytest.raises(SdkError, match=r"this tt-build knows 0\.78, 0\.79, 0\.80, 0\.81$"):
            load_sdk(name)
    assert available_sdks() == ("0.78", "0.79", "0.80", "0.81")
    assert load_sdk("0.81.1") == load_sdk(newest_sdk())


def test_no_compiler_and_none_for_32_bits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TT_BUILD_CXX", "no-such-compiler")
    with pytest.raises(SdkUnavailable, match=r"the SDK gate needs g\+\+: install it with"):
        toolchain.compiler.__wrapped__()
    only_64 = tmp_path / "g++"
    only_64.write_text("#!/bin/sh\nexit 1\n")
    only_64.chmod(0o755)
    monkeypatch.setenv("TT_BUILD_CXX", str(only_64))
    with pytest.raises(SdkUnavailable, match=r"cannot compile 32-bit C\+\+.*apt-get install g\+\+-multilib"):
        toolchain.compiler.__wrapped__()


def test_no_interpreter_for_the_mock_device() -> None:
    with pytest.raises(SdkUnavailable, match=r"needs Python 3\.99, .* set TT_BUILD_PYTHON399 to one"):
        find_python("cp399")


def test_result_file_is_the_same_every_time(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "sdk_check.json", tmp_path / "b" / "sdk_check.json"
    outcome = check_to_file(DATA / "gemm" / "tt.plan.json", first)
    check_to_file(DATA / "gemm" / "tt.plan.json", second)
    assert first.read_bytes() == second.read_bytes()
    assert (outcome.status, outcome.compiles, outcome.release) == ("pass", 5, "0.81.1")
    assert str(DATA) not in first.read_text()


def test_a_finding_reads_as_one_line_and_a_help_line() -> None:
    finding = Finding(
        severity="error", kernel="k", file="a.cpp", line=3, column=7, message="m", processors=("math",), help="do this"
    )
    assert str(finding) == "a.cpp:3:7: error: m [k: math]\n  help: do this"
