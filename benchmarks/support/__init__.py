"""What the benchmarks of this folder have in common."""
