"""What the emulator declares is what the SDK 0.81.1 declares: names, parameters, template parameters, defaults."""

from __future__ import annotations

import subprocess

import pytest

from tests.emulator.conformance import Signature, expanded_signatures, signatures
from tt_build.emulator.toolchain import INCLUDE
from tt_build.sdk import wheel

# Differences from the SDK, each with its reason. Nothing that our templates emit is among them.
DIFFERENT = {
    "get_noc_addr": "takes our TensorAccessor<Args>; the SDK's overload takes any address generator",
    "noc_async_read_shard": "TensorAccessor is a template over the arguments type here, over DSpec in the SDK",
    "noc_async_write_shard": "TensorAccessor is a template over the arguments type here, over DSpec in the SDK",
    "invalidate_l1_cache": "the SDK declares it in risc_common.h, outside api/",
}


def sdk_arguments(root: str, arch: str = "WORMHOLE") -> list[str]:
    """Include path of the compiler's own headers, and what the JIT defines."""
    out = subprocess.run(
        ["g++", "-E", "-x", "c++", "-v", "/dev/null"], capture_output=True, text=True, check=True
    ).stderr
    start = out.index("#include <...> search starts here:")
    folders = out[start : out.index("End of search list")].splitlines()[1:]
    defines = ["FORCE_INLINE=inline", "tt_l1_ptr=", "DST_ACCUM_MODE=true", "KERNEL_BUILD", f"ARCH_{arch}"]
    return [f"-I{root}", *(f"-I{f.strip()}" for f in folders), *(f"-D{d}" for d in defines), "-include", "cstdint"]


@pytest.fixture(scope="module")
def include() -> object:
    return wheel.ensure() / "ttnn" / "tt_metal" / "hw" / "inc"


def differences(ours: dict[str, set[Signature]], theirs: dict[str, set[Signature]]) -> set[str]:
    return {
        name for name, found in ours.items() if not name.startswith("emu_") and not found <= theirs.get(name, set())
    }


def test_dataflow_api(include) -> None:  # type: ignore[no-untyped-def]
    ours = expanded_signatures(INCLUDE / "api/dataflow/dataflow_api.h", [f"-I{INCLUDE}"], INCLUDE)
    theirs = signatures(["api/dataflow/dataflow_api.h"], [*sdk_arguments(str(include)), "-DCOMPILE_FOR_BRISC"], include)
    assert len(ours) > 60
    assert differences(ours, theirs) <= set(DIFFERENT)


@pytest.mark.parametrize("arch", ["WORMHOLE", "BLACKHOLE"])
def test_compute_api(include, arch: str) -> None:  # type: ignore[no-untyped-def]
    """A name that only one architecture has is not emulated at all."""
    headers = [str(p.relative_to(INCLUDE)) for p in sorted((INCLUDE / "api/compute").rglob("*.h"))]
    missing = [h for h in headers if not (include / h).is_file()]
    assert missing == [], "headers that the SDK does not have"
    ours = expanded_signatures(INCLUDE / "emu/compute.h", [f"-I{INCLUDE}"], INCLUDE)
    theirs = signatures(headers, sdk_arguments(str(include), arch), include)
    assert len(ours) > 400
    assert differences(ours, theirs) <= set(DIFFERENT)
