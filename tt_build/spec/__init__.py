"""kernels.yaml -> KernelSpec: schema, loader with positions, diagnostics."""
