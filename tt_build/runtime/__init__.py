"""A plan on a device: the launcher over ttnn. Imports without ttnn, which is needed only at the call."""

from tt_build.runtime.errors import LaunchError
from tt_build.runtime.launcher import Launcher, load, run_on_ttnn

__all__ = ["LaunchError", "Launcher", "load", "run_on_ttnn"]
