"""tt-build: declarations in, proven TT-Metalium kernels out."""
