"""Verified kernel -> files: sources, host program, plan; and the one writer that puts them in place."""
