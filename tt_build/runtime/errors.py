"""What stops a plan from running on a device."""

from __future__ import annotations


class LaunchError(RuntimeError):
    """No ttnn, an SDK too old, no device, or arguments that do not fit the plan; the message says what to do."""
