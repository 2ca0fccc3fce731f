"""``tt-build init``: a repository that builds, in one command."""

from __future__ import annotations

import argparse
from pathlib import Path

from tt_build.cli.arguments import Commands

_SCONSTRUCT = """\
# scons target=tenstorrent builds every kernel of kernels.yaml; scons -h lists the variables

import tt_build.scons

env = Environment(tools=["tenstorrent"], toolpath=tt_build.scons.toolpath())
tt_build.scons.refuse_unknown()
SConsignFile(f"{env['out']}/.sconsign")

env.TTKernels(env["spec"])
"""

_KERNELS = """\
# yaml-language-server: $schema=.tt-build/kernels.schema.json
version: 1

target: {arch: wormhole_b0}

kernels:
  gemm:
    description: C = A B
    sizes: {M: 256, N: 256, K: 256}
    inputs:
      A: {shape: [M, K]}
      B: {shape: [K, N]}
    outputs:
      C: {shape: [M, N]}
    compute: C = A @ B

  add_relu:
    description: a row is added to every row, then what is negative becomes zero
    sizes: {M: 128, N: 256}
    inputs:
      X: {shape: [M, N]}
      bias: {shape: [1, N]}
    outputs:
      Y: {shape: [M, N]}
    compute: Y = relu(X + bias)
"""

_GITIGNORE = """\
/build/
/artifacts/
/.cache/
.sconsign*
__pycache__/
"""

_RECIPE = """\
#!/bin/sh
# Validates, builds and verifies kernels.yaml, in any CI with tt-build and g++. Leaves artifacts/ when it fails, too.
#   TT_CACHE       cache of steps: a folder (kept between runs by the CI) or https://HOST/PATH; default .cache/tt-build
#   TT_CACHE_MODE  ro: fetch only; default: ro for pull and merge requests, rw else. Only jobs that you trust may write.
# A password for a server: TT_BUILD_CACHE_USER and TT_BUILD_CACHE_PASSWORD, from the CI's secrets.
set -eu
cd "$(dirname "$0")/.."

case "${GITHUB_EVENT_NAME:-${CI_PIPELINE_SOURCE:-}}" in
pull_request* | merge_request_event) mode=ro ;;
*) mode=rw ;;
esac
cache="cache=${TT_CACHE:-.cache/tt-build}" mode="cache_mode=${TT_CACHE_MODE:-$mode}"
format=text
if [ "${GITHUB_ACTIONS:-}" = true ]; then format=github; fi

keep() {
    mkdir -p artifacts
    if [ -d build/tenstorrent ]; then tar -czf artifacts/kernels.tar.gz -C build tenstorrent; fi
    if [ -f build/.tt-build/trace.json ]; then cp build/.tt-build/trace.json artifacts/; fi
}
trap keep EXIT

tt-build validate kernels.yaml --format "$format"
scons target=tenstorrent "$cache" "$mode"
scons verify "$cache" "$mode"
"""

_WORKFLOW = """\
name: kernels
on:
  push: {branches: [main]}
  pull_request:
permissions:
  contents: read
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {python-version: "3.12"}
      - run: pip install tt-build  # or the address of the copy that you build with
      - uses: actions/cache/restore@v4
        with:
          path: .cache/tt-build
          key: tt-build-${{ github.run_id }}
          restore-keys: tt-build-
      - run: sh ci/kernels.sh
      - uses: actions/cache/save@v4
        if: github.event_name != 'pull_request'
        with:
          path: .cache/tt-build
          key: tt-build-${{ github.run_id }}
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: kernels
          path: artifacts/
"""


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser("init", help="start a repository of kernels here")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), metavar="DIR", help="default: this folder")
    parser.set_defaults(command=init)


def init(options: argparse.Namespace) -> int:
    """Write the files; with one of them there already nothing is written (exit code 1)."""
    from tt_build.cli.terminal import Failure, Usage
    from tt_build.codegen.write import write_group

    if options.folder.exists() and not options.folder.is_dir():
        raise Usage(f"{options.folder} is a file; name a folder, which may be new")
    files = {options.folder / name: text.encode() for name, text in starter().items()}
    there = [str(path) for path in files if path.exists() or path.is_symlink()]
    if there:
        raise Failure(f"nothing was written: {', '.join(there)} {'is' if len(there) == 1 else 'are'} there already")
    write_group(files)
    for path in files:
        print(path)
    print("next: scons target=tenstorrent")
    print("for CI: say in .github/workflows/kernels.yml where tt-build is installed from (pip install ADDRESS)")
    return 0


def starter() -> dict[str, str]:
    """The files by path. The schema comes along, so that the modeline works wherever tt-build is installed."""
    from tt_build.spec.schema import schema_text

    return {
        "SConstruct": _SCONSTRUCT,
        "kernels.yaml": _KERNELS,
        ".gitignore": _GITIGNORE,
        "ci/kernels.sh": _RECIPE,
        ".github/workflows/kernels.yml": _WORKFLOW,
        ".tt-build/kernels.schema.json": schema_text(),
    }
