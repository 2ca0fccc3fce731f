"""Folders of a kernel that builds make, below the kernel's own."""

SMALLER = "verify/"
"""The kernel at its ``verify.sizes``: what the emulator runs in its place."""

FOLDERS = ("verify/ir", "verify", "ir", "")
"""All of them, inner ones first."""
