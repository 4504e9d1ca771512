"""Benchmarks: figures of ours beside those of others, on this machine. Not part of the tests: a time proves nothing."""
