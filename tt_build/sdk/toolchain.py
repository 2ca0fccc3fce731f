"""The compiler that type-checks: ``g++`` that can build for 32-bit x86 (Debian and Ubuntu: ``g++-multilib``).

The target's pointers and ``size_t`` have 32 bits, so a 64-bit check would miss and invent warnings.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys

from tt_build.sdk.cache import SdkUnavailable

HELP = "install it with: sudo apt-get install g++-multilib (Fedora: glibc-devel.i686 and libstdc++-devel.i686)"


@functools.cache
def compiler() -> str:
    """Path of a g++ that compiles 32-bit C++; ``SdkUnavailable`` says what to install when there is none."""
    found = shutil.which(os.environ.get("TT_BUILD_CXX", "g++"))
    if found is None:
        raise SdkUnavailable("the SDK gate needs g++: install it with: sudo apt-get install g++ g++-multilib")
    if not _works(found):
        raise SdkUnavailable(f"{found} cannot compile 32-bit C++, which the SDK gate needs; {HELP}")
    return found


@functools.cache
def compiler_version() -> str:
    """Its first line of ``--version``, part of every cached result's key."""
    done = subprocess.run([compiler(), "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def install() -> bool:
    """Installs ``g++-multilib`` where that is possible (root and apt-get); True when the compiler works afterwards."""
    found = shutil.which("g++")
    if found is not None and _works(found):
        return True
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]):
        packages = ["g++", "g++-multilib"] if command[1] == "install" else []
        subprocess.run([*command, *packages], env=environment, check=False, stdout=sys.stderr)
    found = shutil.which("g++")
    return found is not None and _works(found)


def _works(path: str) -> bool:
    text = (
        "#include <cstdint>\n#include <tuple>\n#include <cstdlib>\nint main() { return sizeof(void*) == 4 ? 0 : 1; }\n"
    )
    done = subprocess.run(
        [path, "-m32", "-fsyntax-only", "-x", "c++", "-"], input=text, capture_output=True, text=True, check=False
    )
    return done.returncode == 0


def main() -> int:
    """What ``./dev`` calls: installs what can be installed, says what cannot; 0 when all is there."""
    if install():
        return 0
    print(f"tt-build: no g++ that compiles 32-bit C++ (only the SDK gate needs it); {HELP}", file=sys.stderr)
    return 1
