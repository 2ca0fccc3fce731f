"""A plan or a program on a device: launchers over ttnn. Imports without ttnn, which is needed only at the call."""

from tt_build.runtime.errors import LaunchError
from tt_build.runtime.launcher import Launcher, load, run_on_ttnn
from tt_build.runtime.programs import ProgramLauncher, load_program, run_program

__all__ = ["LaunchError", "Launcher", "ProgramLauncher", "load", "load_program", "run_on_ttnn", "run_program"]
