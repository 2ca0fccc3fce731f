"""The real ttnn of the wheel on a mock device: its own virtual environment, a stand-in compiler, no card.

Under ``TT_METAL_MOCK_CLUSTER_DESC_PATH`` the runtime takes tensors, program descriptors, circular buffers and kernels
as it does on a card, up to the transfer itself. Environments are made once, in the cache folder.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

import tt_build
from tt_build.decoding import decode
from tt_build.sdk.cache import SdkUnavailable, build_folder, cache_root
from tt_build.sdk.wheel import DEFAULT_TAG, ensure
from tt_build.targets.sdk import Sdk, load_sdk, newest_sdk

CLUSTERS = {"wormhole_b0": "n150", "blackhole": "p150"}
# ttnn's own requirements without pandas and seaborn, which it imports only for reports, and tt-build's.
_REQUIREMENTS = ("numpy>=1.24.4,<2", "loguru", "networkx", "graphviz", "pyyaml", "click", "ml_dtypes", "msgspec>=0.19")
_REQUIREMENTS_OF_OURS = ("jinja2>=3.1", "jsonschema>=4.18", "scons>=4.9")


class MockResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the runtime made of one plan.

    ``words`` are the accessor words of the real tensors by name, ``hash_again`` that of a second descriptor with other
    tensors of the same shapes, ``error`` the runtime's own message, empty when it took the program.
    """

    plan: str
    error: str = ""
    words: dict[str, list[int]] = {}
    hash: int = 0
    hash_again: int = 0
    outputs: dict[str, list[int]] = {}


class Compile(msgspec.Struct, frozen=True, kw_only=True):
    """A command line of the runtime's JIT, and the generated headers that it would have read, by name."""

    arguments: list[str]
    generated: dict[str, str]


class MockRun(msgspec.Struct, frozen=True, kw_only=True):
    """The results of a run, one a plan, and the JIT's kernel compiles."""

    results: list[MockResult]
    compiles: list[Compile]
    log: str


def run_mock(plans: Sequence[Path], arch: str, *, sdk: str | None = None, python_tag: str | None = None) -> MockRun:
    """Runs all plans, which are built for ``arch``, through ``ttnn.generic_op`` in one process with a mock device.

    ``python_tag`` is cp310 or cp312, by default the one whose interpreter is there.

    ``SdkUnavailable`` where the wheel, the interpreter or the packages cannot be had, or the process dies.
    """
    version = load_sdk(sdk or newest_sdk())
    python_tag = python_tag or available_tag()
    interpreter = environment(version, python_tag)
    with tempfile.TemporaryDirectory(prefix="tt-build-mock.") as temporary:
        folder = Path(temporary)
        done = python(
            version,
            python_tag,
            arch,
            ["-m", "tt_build.sdk.mock_worker", str(folder / "results.json"), *(str(plan.resolve()) for plan in plans)],
            folder=folder,
            interpreter=interpreter,
        )
        output = folder / "results.json"
        if not output.is_file():
            raise SdkUnavailable(f"ttnn {version.release} died on the mock {CLUSTERS[arch]}:\n{done[-3000:]}")
        results = decode(output.read_bytes(), list[MockResult])
        return MockRun(results=results, compiles=_compiles(folder / "jit.jsonl"), log=done)


def python(
    sdk: Sdk, python_tag: str, arch: str, arguments: Sequence[str], *, folder: Path, interpreter: Path | None = None
) -> str:
    """Runs Python with ttnn and tt-build on a mock device of that architecture; what it printed."""
    root = mock_root(sdk, python_tag)
    cluster = Path(__file__).parent / "cluster" / f"{CLUSTERS[arch]}.yaml"
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("TT_METAL", "PYTHON"))},
        "PYTHONPATH": str(Path(tt_build.__file__).parents[1]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TT_METAL_HOME": str(root),
        "TT_METAL_RUNTIME_ROOT": str(root),
        "TT_METAL_CACHE": str(folder / "jit"),
        "TT_METAL_MOCK_CLUSTER_DESC_PATH": str(cluster),
        "TT_METAL_LOGS_PATH": str(folder),
        "TT_BUILD_JIT_LOG": str(folder / "jit.jsonl"),
        "HOME": str(folder),
    }
    command = [str(interpreter or environment(sdk, python_tag)), *arguments]
    done = subprocess.run(
        command, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.stdout


def environment(sdk: Sdk, python_tag: str = DEFAULT_TAG) -> Path:
    """The interpreter of a virtual environment with ttnn and what it needs; made at first use (half a minute)."""
    wheel = ensure(sdk.name, python_tag)

    def fill(target: Path) -> None:
        interpreter = find_python(python_tag)
        # Only ``bin/python`` is used, and that finds its packages by its own place: the folder may be renamed.
        _run([str(interpreter), "-m", "venv", "--without-pip", str(target)])
        site = next((target / "lib").glob("python3.*")) / "site-packages"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command += ["--target", str(site), "--only-binary=:all:", "--implementation", "cp"]
        command += ["--python-version", f"{python_tag[2]}.{python_tag[3:]}"]
        _run([*command, *_REQUIREMENTS, *_REQUIREMENTS_OF_OURS])
        (site / "ttnn-wheel.pth").write_text(f"{wheel}\n")

    folder = build_folder(cache_root() / "venv" / f"ttnn-{sdk.release}-{python_tag}", fill)
    return folder / "bin" / "python"


def available_tag() -> str:
    """The Python tag whose interpreter is on this machine, 3.10 before 3.12; cp310 where neither is."""
    for tag in ("cp310", "cp312"):
        with contextlib.suppress(SdkUnavailable):
            find_python(tag)
            return tag
    return DEFAULT_TAG


@functools.cache
def find_python(python_tag: str) -> Path:
    """An interpreter of that version: ``$TT_BUILD_PYTHON310`` (``312``), on PATH, or pyenv's."""
    version = f"{python_tag[2]}.{python_tag[3:]}"
    told = os.environ.get(f"TT_BUILD_PYTHON{python_tag[2:]}")
    found = [told, shutil.which(f"python{version}"), shutil.which("python3")]
    found += [str(path) for path in sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))]
    test = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
    for candidate in filter(None, found):
        done = subprocess.run([candidate, "-c", test], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip() == version:
            return Path(candidate)
    raise SdkUnavailable(
        f"the mock device needs Python {version}, for which ttnn has a wheel, and there is none on PATH; "
        f"install it or set TT_BUILD_PYTHON{python_tag[2:]} to one"
    )


def mock_root(sdk: Sdk, python_tag: str = DEFAULT_TAG) -> Path:
    """The runtime's root folder: links into the unpacked wheel, and the stand-in compiler where SFPI would be."""
    wheel = ensure(sdk.name, python_tag) / "ttnn"
    script = Path(__file__).with_name("standin_compiler.py").read_text()

    def fill(target: Path) -> None:
        tools = target / "runtime" / "sfpi" / "compiler" / "bin"
        tools.mkdir(parents=True)
        for name in ("tt_metal", "ttnn", "build"):
            (target / name).symlink_to(wheel / name)
        (target / "runtime" / "hw").symlink_to(wheel / "runtime" / "hw")
        for name in ("g++", "gcc", "ld", "objcopy", "strip"):
            tool = tools / f"riscv-tt-elf-{name}"
            tool.write_text(f"#!{sys.executable}\n{script}")
            tool.chmod(0o755)

    key = hashlib.sha256((script + sys.executable).encode()).hexdigest()[:12]
    return build_folder(cache_root() / "mock" / f"{sdk.release}-{python_tag}-{key}", fill)


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        shown = " ".join(command[:6])
        raise SdkUnavailable(f"cannot make the environment for the mock device ({shown} ...):\n{done.stderr[-1500:]}")


def _compiles(log: Path) -> list[Compile]:
    if not log.is_file():
        return []
    found = []
    for line in log.read_text().splitlines():
        entry = msgspec.json.decode(line)
        arguments, folder = entry["arguments"], Path(entry["cwd"])
        if "-c" in arguments and "/kernels/" in str(folder):
            texts = {path.name: path.read_text() for path in sorted(folder.parent.iterdir()) if path.is_file()}
            found.append(Compile(arguments=arguments, generated=texts))
    return found
