"""Tuning: the best plans of a blocked matmul, run, ranked by what was measured, and written to the lockfile."""
