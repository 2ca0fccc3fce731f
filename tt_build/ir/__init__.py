"""The kernel at each stage, as frozen structures that write and read their JSON; and the plan that comes out."""
