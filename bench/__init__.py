"""Benchmarks: each a command that prints ratios against peers measured in the same run. Nothing here asserts a time."""
