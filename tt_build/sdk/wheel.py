"""The SDK's own wheel from PyPI, by pinned hash, unpacked in the cache folder."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tt_build.sdk.cache import SdkUnavailable, build_folder, cache_root, lock
from tt_build.targets.sdk import Sdk, Wheel, load_sdk

DEFAULT_TAG = "cp310"


def ensure(version: str = "0.81.1", python_tag: str = DEFAULT_TAG) -> Path:
    """The unpacked wheel's folder (it holds ``ttnn/``), downloaded first when the cache has it not.

    ``version`` is 0.78 to 0.81 or the full release; ``python_tag`` cp310 or cp312. ``SdkUnavailable`` says what to do
    when neither cache nor network has it, or the file is not the pinned one.
    """
    sdk = load_sdk(version)
    return build_folder(folder(sdk, python_tag), lambda target: _unpack(fetch(sdk, python_tag), target))


def folder(sdk: Sdk, python_tag: str = DEFAULT_TAG) -> Path:
    """Where the unpacked wheel is or will be."""
    suffix = "" if python_tag == DEFAULT_TAG else f"-{python_tag}"
    return cache_root() / f"sdk-{sdk.release}{suffix}"


def fetch(sdk: Sdk, python_tag: str = DEFAULT_TAG) -> Path:
    """The wheel file itself, of the pinned SHA-256."""
    wheel = sdk.wheels.get(python_tag)
    if wheel is None:
        raise SdkUnavailable(f"ttnn {sdk.release} has no wheel for {python_tag}; there is {', '.join(sdk.wheels)}")
    target = cache_root() / "dl" / wheel.file
    with lock(target):
        if target.is_file() and _digest(target) == wheel.sha256:
            return target
        with tempfile.TemporaryDirectory(prefix=".download.", dir=target.parent) as temporary:
            _download(sdk, python_tag, wheel, Path(temporary))
            found = Path(temporary) / wheel.file
            if not found.is_file():
                raise SdkUnavailable(f"pip fetched ttnn {sdk.release}, but under another name than {wheel.file}")
            if _digest(found) != wheel.sha256:
                raise SdkUnavailable(
                    f"{wheel.file} is not the pinned file: its SHA-256 is {_digest(found)}, not {wheel.sha256}; "
                    "do not use it, and look at the package index that pip uses"
                )
            os.replace(found, target)
    return target


def _download(sdk: Sdk, python_tag: str, wheel: Wheel, target: Path) -> None:
    python = f"{python_tag[2]}.{python_tag[3:]}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--python-version", python, "--implementation", "cp"]
    command += ["--platform", "manylinux_2_34_x86_64", f"ttnn=={sdk.release}", "--dest", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise SdkUnavailable(
            f"cannot fetch ttnn {sdk.release} ({wheel.size // 1_000_000} MB) from the package index: "
            f"{reason[-1] if reason else done.stderr.strip()[-300:] or 'pip failed'}\n"
            f"Go online once, or put {wheel.file} into {cache_root() / 'dl'}, "
            "or set TT_BUILD_CACHE to a cache folder that has it."
        )


def _unpack(wheel: Path, target: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
