"""The type-check gate: every kernel of a plan against the real SDK headers, compiled the way the SDK's JIT does.

A host program beside the plan is checked too: its SDK symbols against the wheel's library.

Proves that names, signatures, template arguments, include paths, compile-time arguments and -Wall cleanliness are the
SDK's. Proves nothing about code generation for the card or about behaviour; docs/sdk-gate.md has the whole list.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import resources
from pathlib import Path

import msgspec

from tt_build.children import run_child
from tt_build.decoding import decode
from tt_build.ir.plan import AccessorRef, Plan, PlanKernel, load_plan
from tt_build.sdk.cache import cache_root, write_file
from tt_build.sdk.compile_env import Processor, command, generated_headers, processors, supported
from tt_build.sdk.findings import Finding, merge, parse
from tt_build.sdk.headers import headers
from tt_build.sdk.host_check import HOST_SOURCE, check_host
from tt_build.sdk.toolchain import compiler_version
from tt_build.targets.arch import Arch, load_arch
from tt_build.targets.sdk import Sdk, load_sdk, newest_sdk

_HEADER_SUFFIXES = frozenset({".h", ".hpp", ".inl", ".inc"})


class _Job(msgspec.Struct, frozen=True):
    """One compile: a kernel of the plan on one processor."""

    kernel: PlanKernel
    processor: Processor


def check(
    plan_path: Path,
    *,
    sdk: str | None = None,
    arch: str | None = None,
    jobs: int | None = None,
    use_cache: bool = True,
) -> list[Finding]:
    """Compiles each kernel of the plan on each of its processors; the findings, errors and own warnings.

    ``sdk`` is 0.78 to 0.81 (default: the newest), ``arch`` defaults to the plan's, ``jobs`` to the processors of this
    machine. Results are cached by content. Raises ``PlanError`` for no plan, ``SdkError`` for an unknown version and
    ``SdkUnavailable`` where wheel or compiler cannot be had.
    """
    plan = load_plan(plan_path)
    version = load_sdk(sdk or newest_sdk())
    name = arch or plan.arch
    if not supported(name):
        return [_refused(plan, f"the SDK has no headers for the architecture {name!r}", version)]
    chip = load_arch(name)
    folder = plan_path.resolve().parent
    missing = [_missing(plan, kernel, folder) for kernel in plan.kernels]
    if any(missing):
        return merge(finding for group in missing for finding in group)
    headers(version)  # fetched and copied once, before the threads start
    work = [_Job(kernel, processor) for kernel in plan.kernels for processor in processors(kernel.config)]
    with ThreadPoolExecutor(max_workers=jobs or os.cpu_count() or 1) as pool:
        results = list(pool.map(lambda job: _check_one(version, plan, job, chip, folder, use_cache), work))
    host = folder / HOST_SOURCE
    if host.is_file():
        results.append(check_host(version, plan.kernel, host, _own_digest(), use_cache=use_cache))
    return merge(finding for group in results for finding in group)


def _check_one(sdk: Sdk, plan: Plan, job: _Job, arch: Arch, folder: Path, use_cache: bool) -> list[Finding]:
    source = folder / job.kernel.source
    key = _key(sdk, plan, job, arch, source)
    result = cache_root() / "gate" / key[:2] / f"{key}.json"
    if use_cache and result.is_file():
        try:
            return decode(result.read_bytes(), list[Finding])
        except (OSError, msgspec.MsgspecError):
            pass  # a damaged entry is a miss
    with tempfile.TemporaryDirectory(prefix="tt-build-gate.") as temporary:
        generated = Path(temporary)
        for name, text in generated_headers(plan, job.kernel, str(source), arch).items():
            (generated / name).write_text(text)
        line = command(sdk, plan, job.kernel, job.processor, arch, folder=generated, source=source)
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        done = run_child(line, cwd=generated, env=environment)
    findings = parse(
        done.stderr,
        kernel=plan.kernel,
        source=source,
        display=job.kernel.source,
        root=headers(sdk),
        processor=job.processor.name,
        sdk=sdk,
    )
    if done.returncode and not any(finding.severity == "error" for finding in findings):
        raise RuntimeError(f"g++ failed on {source} without an error that the gate can read:\n{done.stderr[-2000:]}")
    write_file(result, msgspec.json.encode(findings))
    return findings


def _key(sdk: Sdk, plan: Plan, job: _Job, arch: Arch, source: Path) -> str:
    """Everything that can change the result: kernel and headers beside it, its environment, SDK, compiler, the gate."""
    beside = sorted(p for p in source.parent.iterdir() if p.suffix in _HEADER_SUFFIXES and p.is_file())
    texts = [(p.name, p.read_bytes().decode("utf-8", "surrogateescape")) for p in (source, *beside)]
    environment = [
        texts,
        plan.kernel,
        job.kernel.source,
        job.processor.name,
        generated_headers(plan, job.kernel, job.kernel.source, arch),
        msgspec.to_builtins(msgspec.structs.replace(job.kernel, runtime_args=(), common_runtime_args=())),
        msgspec.to_builtins(arch),
        {tag: wheel.sha256 for tag, wheel in sdk.wheels.items()},
        compiler_version(),
        _own_digest(),
    ]
    return hashlib.sha256(msgspec.json.encode(environment)).hexdigest()


@cache
def _own_digest() -> str:
    """The gate's own sources, stubs and version table: a change of any of them makes every result stale."""
    digest = hashlib.sha256()
    package = resources.files("tt_build")
    for folder in ("sdk", "targets"):
        for path in sorted(Path(str(package / folder)).rglob("*")):
            if path.suffix in (".py", ".h", ".hpp", ".json"):
                digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _missing(plan: Plan, kernel: PlanKernel, folder: Path) -> list[Finding]:
    """What stops a kernel from being compiled at all: no source, or an accessor without its words."""
    found = []
    if not (folder / kernel.source).is_file():
        found.append(_finding(plan, kernel, "the plan names this source, but it is not there"))
    for arg in kernel.compile_time_args:
        if isinstance(arg, AccessorRef) and not arg.words:
            found.append(_finding(plan, kernel, f"the plan has no accessor words for tensor {arg.accessor_of!r}"))
    return found


def _finding(plan: Plan, kernel: PlanKernel, message: str) -> Finding:
    return Finding(severity="error", kernel=plan.kernel, file=kernel.source, line=0, column=0, message=message)


def _refused(plan: Plan, message: str, sdk: Sdk) -> Finding:
    return Finding(severity="error", kernel=plan.kernel, file="tt.plan.json", line=0, column=0, message=message)


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """``sdk_check.json``: ``status`` pass or fail, the release that judged, and the findings."""

    kernel: str
    arch: str
    sdk: str
    release: str
    status: str
    compiles: int
    findings: list[Finding]


def check_to_file(plan_path: Path, result: Path, *, sdk: str | None = None, jobs: int | None = None) -> CheckResult:
    """Checks one plan and writes ``sdk_check.json``: the same bytes for the same inputs, no time, no absolute path."""
    version = load_sdk(sdk or newest_sdk())
    plan = load_plan(plan_path)
    findings = check(plan_path, sdk=version.name, jobs=jobs)
    outcome = CheckResult(
        kernel=plan.kernel,
        arch=plan.arch,
        sdk=version.name,
        release=version.release,
        status="fail" if errors(findings) else "pass",
        compiles=sum(len(processors(kernel.config)) for kernel in plan.kernels),
        findings=findings,
    )
    write_file(result, msgspec.json.format(msgspec.json.encode(outcome), indent=2) + b"\n")
    return outcome


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Those that would stop the SDK's own build."""
    return [finding for finding in findings if finding.severity == "error"]
