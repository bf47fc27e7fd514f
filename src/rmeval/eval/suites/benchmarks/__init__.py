"""Benchmarks that papers report, a file each; the older ones stand one folder up, those without code in ``files``."""
